package fetch

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"mailbrick/fetch/wire"
)

// pagesOf is a source of the pages of one folder.
type pagesOf struct {
	Source
	page func(n int) Page
	n    int
}

func (s *pagesOf) Changes(context.Context, string, string) (Page, error) {
	s.n++
	return s.page(s.n), nil
}

// TestTrail: pages of a folder that do not end are a state that is lost; what becomes of an item is news, though the item is known.
func TestTrail(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		change func(n int) Change
		lost   bool
	}{
		"the same":       {func(int) Change { return Change{Ref: Ref{ItemID: "a", ChangeKey: "k"}} }, true},
		"other items":    {func(n int) Change { return Change{Ref: Ref{ItemID: fmt.Sprint(n)}} }, false},
		"other versions": {func(n int) Change { return Change{Ref: Ref{ItemID: "a", ChangeKey: fmt.Sprint(n)}} }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			trail, most := newTrail(), 3*wire.MostIdle
			source := &pagesOf{page: func(n int) Page {
				return Page{State: fmt.Sprint(n), Changes: []Change{row.change(n)}, Last: n == most}
			}}
			for {
				page, err := trail.next(t.Context(), source, "folder", "")
				if err == nil && !page.Last {
					continue
				}
				if lost := errors.Is(err, ErrStateLost) && errors.Is(err, wire.ErrEndless); lost != row.lost || !row.lost && err != nil {
					t.Errorf("after %d pages: %v", source.n, err)
				}
				return
			}
		})
	}
}
