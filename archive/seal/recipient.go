package seal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"filippo.io/age/plugin"
)

// Kind is what sort of secret a holder opens his file with. It stands in the
// clear.
type Kind string

const (
	Plain      Kind = "plain"       // no secret: an archive without encryption
	Passphrase Kind = "passphrase"  // a passphrase, by scrypt
	X25519     Kind = "x25519"      // age1...
	Hybrid     Kind = "hybrid"      // age1pq1...: ML-KEM-768 and X25519
	SSHEd25519 Kind = "ssh-ed25519" // an SSH key
	SSHRSA     Kind = "ssh-rsa"     // an SSH key
	Plugin     Kind = "plugin"      // age1NAME1...: the program age-plugin-NAME
)

func (k Kind) known() bool {
	return slices.Contains([]Kind{Plain, Passphrase, X25519, Hybrid, SSHEd25519, SSHRSA, Plugin}, k)
}

// maxRecipient is more than the text of any recipient; an RSA key of 16384 bits
// has 2.8 KiB.
const maxRecipient = 4 << 10

// ErrRecipient says that a text is no recipient.
var ErrRecipient = errors.New("not a recipient: it begins with age1, ssh-ed25519 or ssh-rsa")

// Recipient is whom a key file is made for.
type Recipient struct {
	kind     Kind
	text     string // public
	identity []byte // of a passphrase: the recipient's secret in an age file
	wrap     age.Recipient
}

// Kind is what sort of recipient it is.
func (r Recipient) Kind() Kind { return r.kind }

// Text is the public key; empty for Plain.
func (r Recipient) Text() string { return r.text }

// ParseRecipient reads a public key: of age ("age1..."), of a plugin for age
// ("age1NAME1..."; the program age-plugin-NAME has to be there when a file is
// made), or of SSH ("ssh-ed25519 AAAA...", "ssh-rsa AAAA...", as in
// authorized_keys without options).
func ParseRecipient(text string, talk Talk) (Recipient, error) {
	text = strings.TrimSpace(text)
	var r Recipient
	var err error
	switch {
	case len(text) > maxRecipient || strings.ContainsAny(text, "\r\n\x00"):
		err = ErrRecipient
	case strings.HasPrefix(text, "ssh-"):
		r, err = sshRecipient(text)
	case strings.HasPrefix(text, "age1pq1"):
		r.kind = Hybrid
		r.wrap, err = age.ParseHybridRecipient(text)
	case strings.HasPrefix(text, "age1") && strings.Count(text, "1") > 1: // bech32 has no other 1 than the one before the data
		r.kind = Plugin
		r.wrap, err = plugin.NewRecipient(text, talk.client())
	case strings.HasPrefix(text, "age1"):
		r.kind = X25519
		r.wrap, err = age.ParseX25519Recipient(text)
	default:
		err = ErrRecipient
	}
	if err != nil {
		// age's errors hold the text; a secret given by mistake must not be printed.
		return Recipient{}, ErrRecipient
	}
	if r.text == "" {
		r.text = text
	}
	return r, nil
}

// sshRecipient leaves out the comment, which says who and where.
func sshRecipient(text string) (Recipient, error) {
	fields := strings.Fields(text)
	if len(fields) < 2 {
		return Recipient{}, ErrRecipient
	}
	r := Recipient{kind: Kind(fields[0]), text: fields[0] + " " + fields[1]}
	var err error
	if r.wrap, err = agessh.ParseRecipient(r.text); err == nil && !r.kind.known() {
		err = ErrRecipient
	}
	return r, err
}

// PlainRecipient is nobody: whoever has the file has the key.
func PlainRecipient() Recipient { return Recipient{kind: Plain} }

// PassphraseRecipient makes a key pair whose secret the passphrase opens. logN is
// the work factor of scrypt, 0 for DefaultWorkFactor.
func PassphraseRecipient(passphrase string, logN int) (Recipient, error) {
	lock, err := scryptRecipient(passphrase, logN)
	if err != nil {
		return Recipient{}, fmt.Errorf("wrap key: %w", err)
	}
	pair, err := age.GenerateHybridIdentity()
	if err != nil {
		return Recipient{}, fmt.Errorf("wrap key: %w", err)
	}
	r := Recipient{kind: Passphrase, text: pair.Recipient().String(), wrap: pair.Recipient()}
	r.identity, err = encrypt([]byte(pair.String()+"\n"), lock)
	return r, err
}

func scryptRecipient(passphrase string, logN int) (*age.ScryptRecipient, error) {
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

// locked is a ring as only the recipient reads it.
func (r Recipient) locked(ring Ring) ([]byte, error) {
	if r.kind == Plain {
		return ring.text(), nil
	}
	return encrypt(ring.text(), r.wrap)
}

func encrypt(plain []byte, to age.Recipient) ([]byte, error) {
	var file bytes.Buffer
	w, err := age.Encrypt(&file, to)
	if err != nil {
		return nil, fmt.Errorf("wrap key: %w", pluginCause(err))
	}
	_, err = w.Write(plain)
	if err := errors.Join(err, w.Close()); err != nil {
		return nil, fmt.Errorf("wrap key: %w", err)
	}
	return file.Bytes(), nil
}

// decrypt opens an age file. What age cannot tell apart is sorted by what the
// caller can do about it.
func decrypt(file []byte, by age.Identity) ([]byte, error) {
	r, err := age.Decrypt(bytes.NewReader(file), by)
	if err != nil {
		return nil, cause(err)
	}
	plain, err := io.ReadAll(io.LimitReader(r, maxRing+1))
	if err != nil {
		return nil, cause(err)
	}
	return plain, nil
}

func cause(err error) error {
	switch {
	case errors.Is(err, ErrWorkFactor), errors.Is(err, ErrPlugin), errors.Is(err, ErrWrongKey):
		return err
	case errors.Is(err, age.ErrIncorrectIdentity):
		return ErrWrongKey
	}
	return fmt.Errorf("%w: %w", ErrDamaged, err)
}
