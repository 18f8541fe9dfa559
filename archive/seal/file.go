package seal

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	// MaxFile is the longest key file in bytes.
	MaxFile = 64 << 10
	// MaxName is the longest name of a holder in bytes.
	MaxName = 200

	fileHead     = "mailbrick-key "
	fileFormat   = 1 // 1: kind, holder, generation, about, ring, identity, digest, 2026
	idSize       = 8
	saltSize     = 16
	purposeAbout = "key holder"
)

var (
	// ErrWrongKey says that no passphrase or identity at hand opens a key file.
	ErrWrongKey = errors.New("wrong passphrase or key")
	// ErrVersion says that a key file is of a later format than this program.
	ErrVersion = errors.New("key file is of a later version")
	// ErrName says that a holder cannot be named so.
	ErrName = fmt.Errorf("a holder's name has 1 to %d bytes, all printable", MaxName)
)

// About is what is known of a holder to those who can open the archive.
type About struct {
	Name      string    `json:"name"`
	Created   time.Time `json:"created"`
	Recipient string    `json:"recipient,omitempty"` // public key; none for Plain
}

// Fingerprint is what people compare: "SHA256:" and base64 without padding, of an
// SSH key as ssh-keygen -l prints it, of any other recipient over its text.
func (a About) Fingerprint() string {
	if a.Recipient == "" {
		return ""
	}
	public := []byte(a.Recipient)
	if _, blob, is := strings.Cut(a.Recipient, " "); is {
		if raw, err := base64.StdEncoding.DecodeString(blob); err == nil {
			public = raw
		}
	}
	sum := sha256.Sum256(public)
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}

// File is a holder's key file.
type File struct {
	Kind       Kind
	Holder     string // 16 hexadecimal digits
	Generation uint32 // the newest of the ring

	salt                  []byte
	about, ring, identity []byte
}

// NewFile makes the file of a new holder.
func NewFile(ring Ring, to Recipient, name string, created time.Time, random io.Reader) (*File, error) {
	if name == "" || len(name) > MaxName || !utf8.ValidString(name) || strings.ContainsFunc(name, unprintable) {
		return nil, ErrName
	}
	var id [idSize]byte
	if _, err := io.ReadFull(random, id[:]); err != nil {
		return nil, fmt.Errorf("name a holder: %w", err)
	}
	f := &File{Kind: to.kind, Holder: hex.EncodeToString(id[:]), identity: to.identity}
	about := About{Name: name, Created: created.UTC().Truncate(time.Second), Recipient: to.text}
	if err := f.fill(ring, to, about, random); err != nil {
		return nil, err
	}
	return f, nil
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }

// Renew makes the same holder's file for a ring that went on. It needs no secret
// of the holder's.
func (f *File) Renew(ring Ring, talk Talk, random io.Reader) (*File, error) {
	about, err := f.About(ring)
	if err != nil {
		return nil, err
	}
	to := PlainRecipient()
	if f.Kind != Plain {
		if to, err = ParseRecipient(about.Recipient, talk); err != nil {
			return nil, fmt.Errorf("holder %s: %w", f.Holder, err)
		}
	}
	next := &File{Kind: f.Kind, Holder: f.Holder, identity: f.identity}
	if err := next.fill(ring, to, about, random); err != nil {
		return nil, fmt.Errorf("holder %s: %w", f.Holder, err)
	}
	return next, nil
}

func (f *File) fill(ring Ring, to Recipient, about About, random io.Reader) error {
	f.Generation, _ = ring.Newest()
	f.salt = make([]byte, saltSize)
	if _, err := io.ReadFull(random, f.salt); err != nil {
		return fmt.Errorf("salt a key file: %w", err)
	}
	plain, err := json.Marshal(about)
	if err != nil {
		return err
	}
	_, key := ring.Newest()
	s, err := key.Sealer(purposeAbout, f.salt)
	if err != nil {
		return err
	}
	f.about = s.Seal(nil, plain, f.clear(), 0)
	f.ring, err = to.locked(ring)
	return err
}

// About tells who the holder is; ErrDamaged where the ring did not seal it.
func (f *File) About(ring Ring) (About, error) {
	var a About
	key, ok := ring.Of(f.Generation)
	if !ok {
		return a, fmt.Errorf("holder %s: generation %d is not known: %w", f.Holder, f.Generation, ErrDamaged)
	}
	s, err := key.Sealer(purposeAbout, f.salt)
	if err != nil {
		return a, err
	}
	plain, err := s.Open(nil, f.about, f.clear(), 0)
	if err == nil {
		err = json.Unmarshal(plain, &a)
	}
	if err != nil {
		return About{}, fmt.Errorf("holder %s: who it is: %w", f.Holder, errors.Join(ErrDamaged, err))
	}
	return a, nil
}

// clear is the part that everybody reads; what is sealed is bound to it.
func (f *File) clear() []byte {
	return fmt.Appendf(nil, "%s%d\nkind %s\nholder %s\ngeneration %d\n", fileHead, fileFormat, f.Kind, f.Holder, f.Generation)
}

// Bytes is the file as it is stored.
func (f *File) Bytes() []byte {
	out := bytes.NewBuffer(f.clear())
	fmt.Fprintf(out, "salt %x\n", f.salt)
	for _, part := range []struct {
		name string
		data []byte
	}{{"about", f.about}, {"ring", f.ring}, {"identity", f.identity}} {
		if part.data != nil {
			fmt.Fprintf(out, "%s %s\n", part.name, base64.StdEncoding.EncodeToString(part.data))
		}
	}
	fmt.Fprintf(out, "sha256 %x\n", sha256.Sum256(out.Bytes()))
	return out.Bytes()
}

// ParseFile reads what Bytes wrote, to the byte. ErrDamaged: it is not a key file
// or not whole; ErrVersion: a later program wrote it. No key is needed for it.
func ParseFile(data []byte) (*File, error) {
	if len(data) > MaxFile {
		return nil, fmt.Errorf("key file of %d bytes: %w", len(data), ErrDamaged)
	}
	head, rest, _ := strings.Cut(string(data), "\n")
	if err := checkFormat(head, fileHead, fileFormat); err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	f, err := parseFields(rest)
	if err == nil && !bytes.Equal(f.Bytes(), data) {
		err = fmt.Errorf("its digest is another: %w", ErrDamaged)
	}
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	return f, nil
}

// parseFields takes the lines for what they are; that they stand in order and in
// the one form they have is for the caller to see.
func parseFields(text string) (*File, error) {
	f := new(File)
	binary := map[string]*[]byte{"about": &f.about, "ring": &f.ring, "identity": &f.identity}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		var err error
		switch name {
		case "kind":
			f.Kind = Kind(value)
		case "holder":
			f.Holder = value
		case "generation":
			var n uint64
			n, err = strconv.ParseUint(value, 10, 32)
			f.Generation = uint32(n)
		case "salt":
			f.salt, err = hex.DecodeString(value)
		case "about", "ring", "identity":
			*binary[name], err = base64.StdEncoding.DecodeString(value)
		}
		if err != nil {
			return nil, fmt.Errorf("its %s: %w", name, ErrDamaged)
		}
	}
	if !f.whole() {
		return nil, fmt.Errorf("a line is missing or wrong: %w", ErrDamaged)
	}
	return f, nil
}

func (f *File) whole() bool {
	id, err := hex.DecodeString(f.Holder)
	return f.Kind.known() && err == nil && len(id) == idSize && strings.ToLower(f.Holder) == f.Holder &&
		f.Generation > 0 && f.Generation <= MaxGeneration && len(f.salt) == saltSize && f.about != nil && f.ring != nil &&
		(f.identity != nil) == (f.Kind == Passphrase)
}
