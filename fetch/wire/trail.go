package wire

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
)

// Where the pages of a list lead that a server will not end.
var (
	ErrCircle  = errors.New("its pages lead round in a circle")
	ErrEndless = errors.New("its pages go on without end")
)

// Trail is the way through the pages of a list: no server leads it round, or on and on, without end. The zero Trail is at the
// beginning.
type Trail struct {
	places map[digest]bool // that the pages have led to
	told   map[digest]bool // what the pages held
	idle   int             // pages in a row that told nothing that was not told before
}

type digest = [sha256.Size]byte

// MostIdle is how many pages in a row may tell nothing new. Servers give some: of a delta what was filtered out is an empty page.
const MostIdle = 100

// Step goes over a page, whose entries are given, to the place that it names as the next.
func (t *Trail) Step(next string, entries iter.Seq[string]) error {
	if t.places == nil {
		t.places, t.told = map[digest]bool{}, map[digest]bool{}
	}
	if seen(t.places, sha256.Sum256([]byte(next))) {
		return ErrCircle
	}
	if !seen(t.told, digestOf(entries)) {
		t.idle = 0
	} else if t.idle++; t.idle > MostIdle {
		return ErrEndless
	}
	return nil
}

// Entries are the names of what a page holds by the time that it is gone over.
func Entries[T any](page *[]T, name func(T) string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, entry := range *page {
			if !yield(name(entry)) {
				return
			}
		}
	}
}

// digestOf stands for what a page tells.
func digestOf(entries iter.Seq[string]) (d digest) {
	h := sha256.New()
	for entry := range entries {
		fmt.Fprintf(h, "%q\n", entry) // quoted, so that two are never taken for one
	}
	h.Sum(d[:0])
	return d
}

// seen notes a digest, and says whether it was noted before.
func seen(all map[digest]bool, d digest) bool {
	before := all[d]
	all[d] = true
	return before
}
