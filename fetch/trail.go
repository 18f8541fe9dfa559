package fetch

import (
	"context"
	"fmt"

	"mailbrick/fetch/wire"
)

// trail is the way through the pages of a folder: one that does not end is a state that is lost.
type trail struct{ wire.Trail }

func newTrail() *trail { return new(trail) }

// next gives the page behind a state.
func (t *trail) next(ctx context.Context, source Source, folderID, state string) (Page, error) {
	page, err := source.Changes(ctx, folderID, state)
	if err != nil || page.Last {
		return page, err
	}
	told := wire.Entries(&page.Changes, func(c Change) string { return fmt.Sprintf("%d %q %q", c.Kind, c.ItemID, c.ChangeKey) })
	if err := t.Step(page.State, told); err != nil {
		return Page{}, fmt.Errorf("%w: %w", ErrStateLost, err)
	}
	return page, nil
}
