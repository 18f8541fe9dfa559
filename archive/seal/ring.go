package seal

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"
)

const (
	// MaxGenerations is how many generations a ring holds.
	MaxGenerations = 256
	// MaxGeneration is the highest number of a generation.
	MaxGeneration = 999_999

	ringHead   = "mailbrick-ring "
	ringFormat = 1 // 1: a line for each generation, 2026
	maxRing    = 32 << 10
)

// ErrFull says that a ring or an archive takes no more.
var ErrFull = errors.New("no room for more")

// Ring is the archive key in all its generations. What is sealed under one
// generation is opened under the same; new things are sealed under the newest.
// It is immutable, and never prints.
type Ring struct{ generations []generation }

type generation struct {
	number uint32
	key    Key
}

// NewRing makes generation 1.
func NewRing(rand io.Reader) (Ring, error) { return Ring{}.Rotate(1, rand) }

// Rotate returns the ring with one more generation, of a fresh key. Its number
// is above that of all others; numbers may be left out.
func (r Ring) Rotate(number uint32, rand io.Reader) (Ring, error) {
	newest, _ := r.Newest()
	switch {
	case number <= newest || newest == 0 && number != 1:
		return Ring{}, fmt.Errorf("make generation %d after %d: numbers go up from 1", number, newest)
	case len(r.generations) == MaxGenerations || number > MaxGeneration:
		return Ring{}, fmt.Errorf("make generation %d: %w", number, ErrFull)
	}
	k, err := NewKey(rand)
	if err != nil {
		return Ring{}, err
	}
	return Ring{append(slices.Clip(r.generations), generation{number, k})}, nil
}

// Root is generation 1. What never rotates (ids, the gear table) is derived
// from it. The zero Ring has a zero key there.
func (r Ring) Root() Key {
	k, _ := r.Of(1)
	return k
}

// Newest is the generation for what is sealed from now on; 0 in the zero Ring.
func (r Ring) Newest() (number uint32, k Key) {
	if len(r.generations) == 0 {
		return 0, Key{}
	}
	last := r.generations[len(r.generations)-1]
	return last.number, last.key
}

// Until is the ring without the generations above a number.
func (r Ring) Until(number uint32) Ring {
	n := len(r.generations)
	for n > 0 && r.generations[n-1].number > number {
		n--
	}
	return Ring{slices.Clip(r.generations[:n])}
}

// Of is the key of a generation.
func (r Ring) Of(number uint32) (k Key, ok bool) {
	at, ok := slices.BinarySearchFunc(r.generations, number, func(g generation, n uint32) int { return int(g.number) - int(n) })
	if !ok {
		return Key{}, false
	}
	return r.generations[at].key, true
}

// text is what a holder's file keeps.
func (r Ring) text() []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "%s%d\n", ringHead, ringFormat)
	for _, g := range r.generations {
		fmt.Fprintf(&out, "%d %s\n", g.number, hex.EncodeToString(g.key[:]))
	}
	return out.Bytes()
}

// parseRing reads what text wrote, and nothing else.
func parseRing(text []byte) (Ring, error) {
	head, rest, _ := strings.Cut(string(text), "\n")
	if err := checkFormat(head, ringHead, ringFormat); err != nil {
		return Ring{}, err
	}
	var r Ring
	for line := range strings.Lines(rest) {
		number, digits, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		n, err := strconv.ParseUint(number, 10, 32)
		key, hexErr := hex.DecodeString(digits)
		newest, _ := r.Newest()
		if err != nil || hexErr != nil || len(key) != KeySize || n <= uint64(newest) || n > MaxGeneration || len(r.generations) == MaxGenerations {
			return Ring{}, fmt.Errorf("generation after %d: %w", newest, ErrDamaged)
		}
		r.generations = append(r.generations, generation{uint32(n), Key(key)})
	}
	if _, ok := r.Of(1); !ok || !bytes.Equal(r.text(), text) {
		return Ring{}, fmt.Errorf("no ring of keys in it: %w", ErrDamaged)
	}
	return r, nil
}

// checkFormat tells a later format from what is no format at all.
func checkFormat(line, head string, known uint64) error {
	number, ok := strings.CutPrefix(line, head)
	format, err := strconv.ParseUint(number, 10, 32)
	switch {
	case !ok || err != nil:
		return fmt.Errorf("it does not begin with %q: %w", strings.TrimSpace(head), ErrDamaged)
	case format != known:
		return fmt.Errorf("format %d, this program knows %d: %w", format, known, ErrVersion)
	}
	return nil
}

// String hides the keys.
func (r Ring) String() string { return hidden }

// GoString hides the keys.
func (r Ring) GoString() string { return hidden }

// Format hides the keys from every verb.
func (r Ring) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// LogValue hides the keys.
func (r Ring) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText refuses, so that no encoder of structs writes keys.
func (r Ring) MarshalText() ([]byte, error) { return nil, errKeyText }
