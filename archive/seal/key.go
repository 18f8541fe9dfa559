package seal

import (
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

const (
	labelDerive = "mailbrick/derive/v1"
	labelSeal   = "mailbrick/seal/aes-256-gcm/v1"
	hidden      = "seal.Key(hidden)"
)

// KeySize is the length of a Key in bytes.
const KeySize = 32

// Key is the secret from which everything else is derived. It never prints.
type Key [KeySize]byte

// NewKey reads a key from a cryptographic random source, crypto/rand.Reader
// outside of tests.
func NewKey(rand io.Reader) (Key, error) {
	var k Key
	if _, err := io.ReadFull(rand, k[:]); err != nil {
		return Key{}, fmt.Errorf("make a key: %w", err)
	}
	return k, nil
}

// Derive returns the key of a purpose, for constructions other than sealing.
func (k Key) Derive(purpose string) [32]byte {
	return [32]byte(k.expand(nil, labelDerive+"\x00"+purpose))
}

// expand is HKDF-SHA-256 with 32 bytes of output.
func (k Key) expand(salt []byte, info string) []byte {
	out, err := hkdf.Key(sha256.New, k[:], salt, info, 32)
	if err != nil {
		// Only a length above 255 hashes or a secret forbidden in FIPS mode
		// (below 14 bytes) is refused; both are constants here.
		panic(err)
	}
	return out
}

var errKeyText = errors.New("a key is not written as text")

// String hides the key.
func (k Key) String() string { return hidden }

// GoString hides the key.
func (k Key) GoString() string { return hidden }

// Format hides the key from every verb, also those for numbers.
func (k Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// LogValue hides the key.
func (k Key) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText refuses, so that no encoder of structs writes a key.
func (k Key) MarshalText() ([]byte, error) { return nil, errKeyText }
