package fetch

import (
	"context"
	"crypto/sha256"
	"fmt"
)

// trail is the way through the pages of a folder: no server leads it round, or on and on, without end.
type trail struct {
	states map[[sha256.Size]byte]bool // that the pages have led to
	told   map[[sha256.Size]byte]bool // what the pages held
	idle   int                        // pages in a row that told nothing that was not told before
}

// mostIdle is how many pages in a row may tell nothing new. Servers give some: of a delta what was filtered out is an empty page.
const mostIdle = 100

func newTrail() *trail {
	return &trail{states: map[[sha256.Size]byte]bool{}, told: map[[sha256.Size]byte]bool{}}
}

// next gives the page behind a state.
func (t *trail) next(ctx context.Context, source Source, folderID, state string) (Page, error) {
	page, err := source.Changes(ctx, folderID, state)
	if err != nil || page.Last {
		return page, err
	}
	if seen(t.states, sha256.Sum256([]byte(page.State))) {
		return Page{}, fmt.Errorf("%w: its pages lead round in a circle", ErrStateLost)
	}
	if !seen(t.told, digestOfPage(page.Changes)) {
		t.idle = 0
	} else if t.idle++; t.idle > mostIdle {
		return Page{}, fmt.Errorf("%w: its pages go on without end", ErrStateLost)
	}
	return page, nil
}

// digestOfPage stands for what a page tells.
func digestOfPage(changes []Change) (d [sha256.Size]byte) {
	h := sha256.New()
	for _, c := range changes {
		fmt.Fprintf(h, "%d %q %q\n", c.Kind, c.ItemID, c.ChangeKey)
	}
	h.Sum(d[:0])
	return d
}

// seen notes a digest, and says whether it was noted before.
func seen(all map[[sha256.Size]byte]bool, d [sha256.Size]byte) bool {
	before := all[d]
	all[d] = true
	return before
}
