package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	// Overhead is what sealing adds to the length of a message.
	Overhead = 16
	// MaxMessages is how many messages one sealer seals; numbers are below it.
	MaxMessages = 1 << 32
	// MaxSalt is the longest salt of a sealer in bytes.
	MaxSalt = 64

	nonceSize = 12
)

var (
	// ErrDamaged says that bytes are not what was sealed, or not under this
	// key, number and associated data.
	ErrDamaged = errors.New("damaged or sealed with another key")
	// ErrSalt says that a salt is longer than MaxSalt.
	ErrSalt = errors.New("salt too long")
)

// Sealer seals and opens messages under one derived key. It is immutable and
// may be used by many at once.
type Sealer struct {
	aead cipher.AEAD
}

// Sealer returns the sealer of a purpose and a salt.
func (k Key) Sealer(purpose string, salt []byte) (*Sealer, error) {
	if len(salt) > MaxSalt {
		return nil, fmt.Errorf("sealer for %q: %d bytes: %w", purpose, len(salt), ErrSalt)
	}
	info := labelSeal + "\x00" + purpose + "\x00" + string([]byte{byte(len(salt))})
	block, err := aes.NewCipher(k.expand(salt, info))
	if err != nil {
		return nil, fmt.Errorf("sealer for %q: %w", purpose, err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("sealer for %q: %w", purpose, err)
	}
	return &Sealer{aead: aead}, nil
}

// Seal appends the sealed message to dst and returns the longer slice. The
// number n must never be used twice in one sealer with different plain text or
// ad. Seal panics for n >= MaxMessages. To seal in place pass plain[:0] as dst;
// else they must not overlap.
func (s *Sealer) Seal(dst, plain, ad []byte, n uint64) []byte {
	if n >= MaxMessages {
		// A counter of messages in one object never gets here; going on
		// would break the limit under which the construction is safe.
		panic(fmt.Sprintf("seal: message number %d", n))
	}
	nonce := nonceOf(n)
	return s.aead.Seal(dst, nonce[:], plain, ad)
}

// Open appends the plain text of a sealed message to dst and returns the longer
// slice, or ErrDamaged. To open in place pass sealed[:0] as dst.
func (s *Sealer) Open(dst, sealed, ad []byte, n uint64) ([]byte, error) {
	if n >= MaxMessages {
		return nil, ErrDamaged
	}
	nonce := nonceOf(n)
	plain, err := s.aead.Open(dst, nonce[:], sealed, ad)
	if err != nil {
		return nil, ErrDamaged
	}
	return plain, nil
}

// nonceOf is the deterministic construction of SP 800-38D 8.2.1: a fixed field
// of four zero bytes, then the number as invocation field.
func nonceOf(n uint64) (nonce [nonceSize]byte) {
	binary.BigEndian.PutUint64(nonce[4:], n)
	return nonce
}
