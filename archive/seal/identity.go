package seal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"filippo.io/age/plugin"
	"golang.org/x/crypto/ssh"
)

const (
	// DefaultWorkFactor is the log2(N) of scrypt when none is asked for.
	DefaultWorkFactor = 16
	// MaxWorkFactor is the highest log2(N) that is written or read: 4 GiB.
	MaxWorkFactor = 22

	maxIdentities = 64 << 10
)

var (
	// ErrPassphrase says that a passphrase is empty.
	ErrPassphrase = errors.New("passphrase is empty")
	// ErrWorkFactor says that a work factor is out of bounds.
	ErrWorkFactor = errors.New("scrypt work factor out of bounds")
	// ErrIdentity says that a file holds no identity.
	ErrIdentity = errors.New("not an identity: a file has lines AGE-SECRET-KEY-1... or AGE-PLUGIN-..., or is a private key of SSH (ed25519, RSA)")
	// ErrPlugin says that a plugin is not installed or did not do its work.
	ErrPlugin = errors.New("plugin of age")
)

// Talk is how a plugin, or an SSH key with a passphrase of its own, reaches a
// person. Where a function is nil nobody is there.
type Talk struct {
	Show func(message string)
	Ask  func(prompt string) (string, error) // what is typed is not shown
}

func (t Talk) ask(prompt string) (string, error) {
	if t.Ask == nil {
		return "", errors.New("nobody there to ask")
	}
	return t.Ask(prompt)
}

func (t Talk) client() *plugin.ClientUI {
	ui := &plugin.ClientUI{
		RequestValue: func(name, prompt string, _ bool) (string, error) { return t.ask(name + ": " + prompt) },
	}
	if t.Show != nil {
		ui.DisplayMessage = func(name, message string) error {
			t.Show(name + ": " + message)
			return nil
		}
		ui.WaitTimer = func(name string) { t.Show("waiting for age-plugin-" + name) }
	}
	return ui
}

// pluginCause names what a plugin did wrong.
func pluginCause(err error) error {
	var missing *plugin.NotFoundError
	if errors.As(err, &missing) {
		return fmt.Errorf("%w: age-plugin-%s is not installed", ErrPlugin, missing.Name)
	}
	return err
}

// Identity is a secret that opens the files of one Kind. It never prints.
type Identity struct {
	kind   Kind
	public string // the recipient's text where the secret tells it
	unwrap age.Identity
}

// String hides the secret.
func (i Identity) String() string { return "seal.Identity(hidden)" }

// GoString hides the secret.
func (i Identity) GoString() string { return i.String() }

// Format hides the secret from every verb.
func (i Identity) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, i.String()) }

// Recipient is whom the identity opens files of; SSH keys and plugins do not tell.
func (i Identity) Recipient() (Recipient, error) {
	if i.public == "" {
		return Recipient{}, fmt.Errorf("an identity of kind %s does not tell its recipient", i.kind)
	}
	return ParseRecipient(i.public, Talk{})
}

// NewIdentity makes an X25519 identity and the text of a file that keeps it.
func NewIdentity() (Identity, []byte, error) {
	pair, err := age.GenerateX25519Identity()
	if err != nil {
		return Identity{}, nil, fmt.Errorf("make an identity: %w", err)
	}
	text := fmt.Appendf(nil, "# public key: %s\n%s\n", pair.Recipient(), pair)
	return Identity{kind: X25519, public: pair.Recipient().String(), unwrap: pair}, text, nil
}

// ParseIdentities reads a file of identities: a private key of SSH, or lines as
// age-keygen and plugins write them. Empty lines and those that begin with # are
// passed over.
func ParseIdentities(file []byte, talk Talk) ([]Identity, error) {
	if len(file) > maxIdentities {
		return nil, fmt.Errorf("%d bytes: %w", len(file), ErrIdentity)
	}
	if bytes.HasPrefix(bytes.TrimSpace(file), []byte("-----BEGIN")) {
		i, err := sshIdentity(file, talk)
		if err != nil {
			return nil, err
		}
		return []Identity{i}, nil
	}
	var out []Identity
	n := 0
	for line := range strings.Lines(strings.TrimPrefix(string(file), "\ufeff")) {
		n++
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		i, err := parseIdentity(line, talk)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		out = append(out, i)
	}
	if len(out) == 0 {
		return nil, ErrIdentity
	}
	return out, nil
}

// parseIdentity keeps age's errors to itself: they may hold the secret.
func parseIdentity(line string, talk Talk) (Identity, error) {
	switch {
	case strings.HasPrefix(line, "AGE-SECRET-KEY-PQ-1"):
		if pair, err := age.ParseHybridIdentity(line); err == nil {
			return Identity{Hybrid, pair.Recipient().String(), pair}, nil
		}
	case strings.HasPrefix(line, "AGE-SECRET-KEY-1"):
		if pair, err := age.ParseX25519Identity(line); err == nil {
			return Identity{X25519, pair.Recipient().String(), pair}, nil
		}
	case strings.HasPrefix(line, "AGE-PLUGIN-"):
		if p, err := plugin.NewIdentity(line, talk.client()); err == nil {
			return Identity{kind: Plugin, unwrap: pluginIdentity{p}}, nil
		}
	}
	return Identity{}, ErrIdentity
}

// pluginIdentity tells a plugin's trouble apart from a damaged file.
type pluginIdentity struct{ *plugin.Identity }

func (p pluginIdentity) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	key, err := p.Identity.Unwrap(stanzas)
	if err == nil || errors.Is(err, age.ErrIncorrectIdentity) {
		return key, err
	}
	if known := pluginCause(err); errors.Is(known, ErrPlugin) {
		return nil, known
	}
	return nil, fmt.Errorf("%w: age-plugin-%s: %w", ErrPlugin, p.Name(), err)
}

// sshIdentity reads a private key; one with a passphrase asks for it when a file
// of its public key is opened, not before.
func sshIdentity(pem []byte, talk Talk) (Identity, error) {
	kind := SSHEd25519
	i, err := agessh.ParseIdentity(pem)
	if _, is := i.(*agessh.RSAIdentity); is {
		kind = SSHRSA
	}
	var locked *ssh.PassphraseMissingError
	if errors.As(err, &locked) && locked.PublicKey != nil {
		kind = Kind(locked.PublicKey.Type())
		i, err = lockedSSH(locked.PublicKey, pem, talk)
	}
	if err != nil {
		return Identity{}, ErrIdentity
	}
	return Identity{kind: kind, unwrap: i}, nil
}

func lockedSSH(public ssh.PublicKey, pem []byte, talk Talk) (age.Identity, error) {
	i, err := agessh.NewEncryptedSSHIdentity(public, pem, func() ([]byte, error) {
		answer, err := talk.ask("passphrase of the SSH key: ")
		return []byte(answer), err
	})
	return lockedIdentity{i}, err
}

// lockedIdentity tells a passphrase that does not open an SSH key apart from a
// damaged file.
type lockedIdentity struct{ *agessh.EncryptedSSHIdentity }

func (l lockedIdentity) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	key, err := l.EncryptedSSHIdentity.Unwrap(stanzas)
	if err != nil && !errors.Is(err, age.ErrIncorrectIdentity) {
		err = fmt.Errorf("%w: %w", ErrWrongKey, err)
	}
	return key, err
}

// scryptIdentity refuses a work factor that is too high before it costs anything,
// and tells it apart from a damaged file.
type scryptIdentity struct{ *age.ScryptIdentity }

func newScryptIdentity(passphrase string) (age.Identity, error) {
	if passphrase == "" {
		return nil, ErrPassphrase
	}
	i, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return nil, err
	}
	i.SetMaxWorkFactor(MaxWorkFactor)
	return scryptIdentity{i}, nil
}

func (i scryptIdentity) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	for _, s := range stanzas {
		if s.Type != "scrypt" || len(s.Args) != 2 {
			continue
		}
		// A number that does not parse is left to age, which refuses it.
		if logN, err := strconv.ParseUint(s.Args[1], 10, 64); err == nil && logN > MaxWorkFactor {
			return nil, fmt.Errorf("%d: %w", logN, ErrWorkFactor)
		}
	}
	return i.ScryptIdentity.Unwrap(stanzas)
}
