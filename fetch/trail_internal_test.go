package fetch

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
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

// TestTrail: pages that tell nothing new, or lead back, end; those that tell something do not, nor a stretch of empty ones.
func TestTrail(t *testing.T) {
	t.Parallel()
	fresh := func(n int) string { return fmt.Sprint("state ", n) }
	item := func(n int) []Change { return []Change{{Ref: Ref{ItemID: fmt.Sprint("item ", n)}}} }
	for _, row := range []struct {
		name string
		page func(n int) Page
		said string // "" if it comes to its end
	}{
		{"empty for ever", func(n int) Page { return Page{State: fresh(n)} }, "without end"},
		{"the same for ever", func(n int) Page { return Page{State: fresh(n), Changes: item(n % 7)} }, "without end"},
		{"round", func(n int) Page { return Page{State: fresh(n % 9), Changes: item(n)} }, "circle"},
		{"empty for a while", func(n int) Page { return Page{State: fresh(n), Last: n == mostIdle} }, ""},
		{"many, and now and then an empty one", func(n int) Page {
			p := Page{State: fresh(n), Changes: item(n), Last: n == 10*mostIdle}
			if n%3 > 0 {
				p.Changes = nil
			}
			return p
		}, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			source, trail := &pagesOf{page: row.page}, newTrail()
			for {
				page, err := trail.next(t.Context(), source, "folder", "")
				if err == nil && !page.Last && source.n < 20*mostIdle {
					continue
				}
				if (err == nil) != (row.said == "") || err != nil && (!errors.Is(err, ErrStateLost) || !strings.Contains(err.Error(), row.said)) || source.n == 20*mostIdle {
					t.Errorf("after %d pages: %v", source.n, err)
				}
				return
			}
		})
	}
}
