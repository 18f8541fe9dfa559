package seal

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"filippo.io/age"
	"filippo.io/age/armor"
)

const (
	// DefaultWorkFactor is the log2(N) of scrypt when none is asked for.
	DefaultWorkFactor = 16
	// MaxWorkFactor is the highest log2(N) that is written or read: 4 GiB.
	MaxWorkFactor = 22

	keyVersion  = 1 // 1: archive key as hexadecimal digits, 2026
	keyPrefix   = "MAILBRICK-KEY-"
	maxKeyFile  = 64 << 10
	maxKeyLines = 32 << 10
)

var (
	// ErrWrongKey says that the passphrase does not open the key file.
	ErrWrongKey = errors.New("wrong passphrase or key")
	// ErrWorkFactor says that a work factor is out of bounds.
	ErrWorkFactor = errors.New("scrypt work factor out of bounds")
	// ErrPassphrase says that a passphrase is empty.
	ErrPassphrase = errors.New("passphrase is empty")
	// ErrVersion says that a key file is of a later format than this program.
	ErrVersion = errors.New("key file is of a later version")
)

// Wrap returns a key file that the passphrase opens. logN is the work factor of
// scrypt, 0 for DefaultWorkFactor.
func Wrap(k Key, passphrase string, logN int) ([]byte, error) {
	recipient, err := recipientOf(passphrase, logN)
	if err != nil {
		return nil, fmt.Errorf("wrap key: %w", err)
	}
	var file bytes.Buffer
	armored := armor.NewWriter(&file)
	sealed, err := age.Encrypt(armored, recipient)
	if err != nil {
		return nil, fmt.Errorf("wrap key: %w", err)
	}
	_, err = io.WriteString(sealed, keyPrefix+strconv.Itoa(keyVersion)+" "+hex.EncodeToString(k[:])+"\n")
	if err := errors.Join(err, sealed.Close(), armored.Close()); err != nil {
		return nil, fmt.Errorf("wrap key: %w", err)
	}
	return file.Bytes(), nil
}

func recipientOf(passphrase string, logN int) (*age.ScryptRecipient, error) {
	if passphrase == "" {
		return nil, ErrPassphrase
	}
	if logN == 0 {
		logN = DefaultWorkFactor
	}
	if logN < 1 || logN > MaxWorkFactor {
		return nil, fmt.Errorf("%d: %w", logN, ErrWorkFactor)
	}
	recipient, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return nil, err
	}
	recipient.SetWorkFactor(logN)
	return recipient, nil
}

// Unwrap opens a key file with its passphrase. ErrWrongKey: the passphrase is
// not the one; ErrDamaged: it is not a key file or not whole; ErrWorkFactor:
// opening would cost too much; ErrVersion: a later program wrote it.
func Unwrap(file []byte, passphrase string) (Key, error) {
	lines, err := openFile(file, passphrase)
	if err != nil {
		return Key{}, fmt.Errorf("open key file: %w", err)
	}
	k, err := parseKey(lines)
	if err != nil {
		return Key{}, fmt.Errorf("open key file: %w", err)
	}
	return k, nil
}

func openFile(file []byte, passphrase string) (string, error) {
	if passphrase == "" {
		return "", ErrPassphrase
	}
	if len(file) > maxKeyFile {
		return "", fmt.Errorf("%d bytes: %w", len(file), ErrDamaged)
	}
	identity, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return "", err
	}
	identity.SetMaxWorkFactor(MaxWorkFactor)
	plain, err := age.Decrypt(armor.NewReader(bytes.NewReader(file)), bounded{identity})
	if err != nil {
		return "", cause(err)
	}
	lines, err := io.ReadAll(io.LimitReader(plain, maxKeyLines))
	if err != nil {
		return "", cause(err)
	}
	return string(lines), nil
}

// cause sorts an error of age by what the caller can do about it.
func cause(err error) error {
	switch {
	case errors.Is(err, ErrWorkFactor):
		return err
	case errors.Is(err, age.ErrIncorrectIdentity):
		return ErrWrongKey
	default:
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
}

// bounded tells a work factor that is too high apart from a damaged file.
type bounded struct{ *age.ScryptIdentity }

func (b bounded) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	for _, s := range stanzas {
		if s.Type != "scrypt" || len(s.Args) != 2 {
			continue
		}
		// A number that does not parse is left to age, which refuses it.
		if logN, err := strconv.ParseUint(s.Args[1], 10, 64); err == nil && logN > MaxWorkFactor {
			return nil, fmt.Errorf("%d: %w", logN, ErrWorkFactor)
		}
	}
	return b.ScryptIdentity.Unwrap(stanzas)
}

// parseKey reads the first line; lines after it belong to later versions.
func parseKey(lines string) (Key, error) {
	line, _, ended := strings.Cut(lines, "\n")
	rest, ok := strings.CutPrefix(line, keyPrefix)
	version, digits, spaced := strings.Cut(rest, " ")
	number, err := strconv.ParseUint(version, 10, 32)
	if !ended || !ok || !spaced || err != nil {
		return Key{}, fmt.Errorf("no key in it: %w", ErrDamaged)
	}
	if number != keyVersion {
		return Key{}, fmt.Errorf("version %d, this program knows %d: %w", number, keyVersion, ErrVersion)
	}
	raw, err := hex.DecodeString(digits)
	if err != nil || len(raw) != KeySize {
		return Key{}, fmt.Errorf("no key of %d bytes in it: %w", KeySize, ErrDamaged)
	}
	return Key(raw), nil
}
