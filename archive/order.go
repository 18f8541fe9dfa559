package archive

import (
	"cmp"
	"context"
	"slices"
)

// spot is where reading an item begins: at the recipe that its own is like. Items that follow one another by it share the
// recipe's frame, the body and the attachments, which copies have in common, wherever their mailboxes are.
type spot struct{ pack, frame, offset uint32 }

func (s spot) compare(o spot) int {
	return cmp.Or(cmp.Compare(s.pack, o.pack), cmp.Compare(s.frame, o.frame), cmp.Compare(s.offset, o.offset))
}

// spotOf is where reading an item with a recipe begins; the zero spot when that is not known.
func (c *catalog) spotOf(recipe chunkID) spot {
	row, err := c.known(recipe)
	if err == nil && row.base != (chunkID{}) {
		row, err = c.known(row.base)
	}
	if err != nil {
		return spot{} // whoever reads it will be told
	}
	return spot{row.pack, row.at.Frame, row.at.Offset}
}

// Arrange puts versions in the order in which they are read at the least cost. In any other order what copies of a message share
// is read once for every copy.
func (a *Archive) Arrange(ctx context.Context, versions []*Version) error {
	spots := make(map[chunkID]spot, len(versions))
	for _, v := range versions {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, ok := spots[v.recipe]; !ok {
			spots[v.recipe] = a.cat.spotOf(v.recipe)
		}
	}
	slices.SortStableFunc(versions, func(v, w *Version) int { return spots[v.recipe].compare(spots[w.recipe]) })
	return nil
}
