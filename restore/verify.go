package restore

import (
	"context"
	"errors"
	"io"
	"slices"

	"mailbrick/fetch/mapi/fasttransfer"
)

// verify exports the new items and compares them with what was sent.
func (m *Mailbox) verify(ctx context.Context, ups []*upload) error {
	for round := range rounds {
		todo := slices.DeleteFunc(slices.Clone(ups), func(u *upload) bool { return u.verified })
		if len(todo) == 0 {
			return nil
		}
		size := len(todo)
		if round > 0 {
			size = 1
		}
		for group := range slices.Chunk(todo, size) {
			if err := m.verifyGroup(ctx, group); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *Mailbox) verifyGroup(ctx context.Context, group []*upload) error {
	refs := make([]itemRef, len(group))
	for i, u := range group {
		refs[i] = u.held
	}
	seen := make([]*sight, len(group))
	errs := make([]error, len(group))
	err := m.server.export(ctx, refs, func(i int, body io.Reader, err error) error {
		if errs[i] = err; err == nil {
			seen[i], errs[i] = m.viewer.look(body)
		}
		return nil
	})
	if m.stops(ctx, err) {
		return because(ctx, err)
	}
	for i, u := range group {
		switch {
		case err != nil:
			u.err = err // what was delivered before the call failed proves nothing
		case errs[i] != nil:
			u.err, u.verified = errs[i], m.server.sort(errs[i]) == ofItem // asking again gives the same
		default:
			u.compare(seen[i])
		}
	}
	return nil
}

// compare settles an item with what the server holds, unless that was cut short on its way.
func (u *upload) compare(held *sight) {
	if held.state == fasttransfer.Truncated && u.sent.state != fasttransfer.Truncated {
		u.err = errCut
		return
	}
	u.err, u.verified = nil, true
	u.differences = differences(u.sent, held, u.read)
}

var errCut = errors.New("what the server holds came cut short")
