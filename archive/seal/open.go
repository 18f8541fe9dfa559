package seal

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"filippo.io/age"
)

// Secrets are what there is to open an archive with.
type Secrets struct {
	Identities []Identity
	Passphrase string // empty: none
}

// Fit tells whether a file of a kind could be opened, so that no other need be
// read.
func (s Secrets) Fit(kind Kind) bool {
	switch kind {
	case Plain:
		return true
	case Passphrase:
		return s.Passphrase != ""
	}
	return slices.ContainsFunc(s.Identities, func(i Identity) bool { return i.kind == kind })
}

// Open opens the first of an archive's key files that the secrets open, cheap
// ways first: identities, then the passphrase, low work factors before high ones.
// It tells which file it was. ErrWrongKey: there is one that they do not open, or
// none for them; any other error is of files that may have been the one.
func Open(files []*File, s Secrets) (Ring, *File, error) {
	files = slices.Clone(files)
	slices.SortStableFunc(files, func(a, b *File) int { return cmp.Compare(a.cost(), b.cost()) })
	var trouble []error
	wrong := false
	for _, f := range files {
		if !s.Fit(f.Kind) {
			continue
		}
		ring, err := f.open(s)
		if err == nil {
			return ring, f, nil
		}
		if errors.Is(err, ErrWrongKey) {
			wrong = true
			continue
		}
		trouble = append(trouble, fmt.Errorf("open key file of holder %s: %w", f.Holder, err))
	}
	if wrong || len(trouble) == 0 {
		trouble = append([]error{ErrWrongKey}, trouble...)
	}
	return Ring{}, nil, errors.Join(trouble...)
}

// open tries what fits.
func (f *File) open(s Secrets) (Ring, error) {
	switch f.Kind {
	case Plain:
		return f.unlocked(f.ring)
	case Passphrase:
		return f.openPassphrase(s.Passphrase)
	}
	err := ErrWrongKey
	for _, i := range s.Identities {
		if i.kind != f.Kind {
			continue
		}
		var ring Ring
		if ring, err = f.openIdentity(i.unwrap); err == nil || !errors.Is(err, ErrWrongKey) {
			return ring, err
		}
	}
	return Ring{}, err
}

func (f *File) openPassphrase(passphrase string) (Ring, error) {
	by, err := newScryptIdentity(passphrase)
	if err != nil {
		return Ring{}, err
	}
	text, err := decrypt(f.identity, by)
	if err != nil {
		return Ring{}, err
	}
	pair, err := age.ParseHybridIdentity(strings.TrimSuffix(string(text), "\n"))
	if err != nil {
		return Ring{}, fmt.Errorf("no identity in it: %w", ErrDamaged)
	}
	ring, err := f.openIdentity(pair)
	if errors.Is(err, ErrWrongKey) {
		err = fmt.Errorf("its ring is for another identity: %w", ErrDamaged)
	}
	return ring, err
}

func (f *File) openIdentity(by age.Identity) (Ring, error) {
	text, err := decrypt(f.ring, by)
	if err != nil {
		return Ring{}, err
	}
	return f.unlocked(text)
}

// unlocked reads the ring, and sees that all that the file says was sealed with
// it.
func (f *File) unlocked(text []byte) (Ring, error) {
	ring, err := parseRing(text)
	if err != nil {
		return Ring{}, err
	}
	if newest, _ := ring.Newest(); newest != f.Generation {
		return Ring{}, fmt.Errorf("it has generation %d and says %d: %w", newest, f.Generation, ErrDamaged)
	}
	if _, err := f.About(ring); err != nil {
		return Ring{}, err
	}
	return ring, nil
}

// cost sorts files by what trying them costs: nothing, a multiplication, a plugin
// (which may want a person), scrypt.
func (f *File) cost() uint64 {
	switch f.Kind {
	case Passphrase:
		return 3 + f.workFactor()
	case Plugin:
		return 2
	case Plain:
		return 0
	}
	return 1
}

// workFactor is the log2(N) that the header of the identity's age file demands; a
// header that has none is found out later.
func (f *File) workFactor() uint64 {
	lines := bytes.SplitN(f.identity, []byte("\n"), 3)
	if len(lines) < 3 {
		return 0
	}
	fields := strings.Fields(string(lines[1]))
	if len(fields) != 4 || fields[1] != "scrypt" {
		return 0
	}
	logN, err := strconv.ParseUint(fields[3], 10, 32)
	if err != nil {
		return 0
	}
	return logN
}
