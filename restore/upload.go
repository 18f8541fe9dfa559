package restore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
)

// rounds is how often an item is tried: first in its group, then alone.
const rounds = 3

// Put uploads items, sets read flags and verifies.
func (m *Mailbox) Put(ctx context.Context, items []*Item, settle func(*Item, Result)) error {
	ups := make([]*upload, len(items))
	for i, item := range items {
		ups[i] = m.uploads[item]
		delete(m.uploads, item)
	}
	stop := m.send(ctx, ups)
	if ctx.Err() == nil && (stop == nil || errors.Is(stop, ErrFull)) {
		stop = errors.Join(stop, m.complete(ctx, present(ups)))
	}
	for _, u := range ups {
		settle(u.item, m.result(u, stop))
	}
	return stop
}

// complete does what is left to do for items that are in the mailbox.
func (m *Mailbox) complete(ctx context.Context, ups []*upload) error {
	if err := m.markRead(ctx, ups); err != nil || m.opts.NoVerify {
		return err
	}
	return m.verify(ctx, ups)
}

func present(ups []*upload) []*upload {
	return slices.DeleteFunc(slices.Clone(ups), func(u *upload) bool { return u.held.id == "" })
}

// waiting are those that are neither in the mailbox nor given up.
func waiting(ups []*upload) []*upload {
	return slices.DeleteFunc(slices.Clone(ups), func(u *upload) bool { return u.held.id != "" || u.final })
}

// send brings items into the mailbox.
func (m *Mailbox) send(ctx context.Context, ups []*upload) error {
	for round := range rounds {
		if err := m.search(ctx, waiting(ups)); err != nil {
			return err
		}
		todo := waiting(ups)
		if len(todo) == 0 {
			return nil
		}
		size := len(todo)
		if round > 0 {
			size = 1 // what made the group fail fails alone now
		}
		for group := range slices.Chunk(todo, size) {
			if err := m.sendGroup(ctx, group); err != nil {
				return err
			}
		}
	}
	return m.search(ctx, waiting(ups))
}

func (m *Mailbox) sendGroup(ctx context.Context, group []*upload) error {
	items := make([]posting, len(group))
	for i, u := range group {
		items[i] = m.posting(ctx, u)
	}
	results, err := m.server.put(ctx, items)
	var stop error
	for i, r := range results {
		if !r.untried {
			stop = errors.Join(stop, m.take(group[i], r))
		}
	}
	if m.stops(ctx, err) {
		return because(ctx, errors.Join(stop, err))
	}
	if err == nil {
		return stop
	}
	for _, u := range group {
		u.err, u.final = err, len(group) == 1
	}
	return stop
}

func (m *Mailbox) posting(ctx context.Context, u *upload) posting {
	p := posting{folderID: u.node.id, associated: u.item.Version.Associated, size: u.item.Version.Size,
		open: func() (io.ReadCloser, error) { return u.item.Open(ctx) }}
	if m.inPlace(u) {
		p.inPlace = u.item.Version.ItemID
	}
	return p
}

// inPlace says whether the original is to be overwritten if it is in its folder.
func (m *Mailbox) inPlace(u *upload) bool {
	return m.opts.Mode == Update && m.same(u.item.Version) && u.node.id == u.item.Version.FolderID
}

// take notes the result of an upload. An error is one that stops the restore.
func (m *Mailbox) take(u *upload, r posted) error {
	if r.err == nil {
		m.arrived(u, r.item)
		return nil
	}
	u.err = r.err
	switch m.server.sort(r.err) {
	case lost, broken, tooMuch, cut:
		u.unsure = true // time ran out, or something broke: who knows when
	case untried, busy:
		// Not tried at all: again.
	case full:
		u.final = true
		return fmt.Errorf("%w: %w", ErrFull, r.err)
	case refused:
		u.final = true
		return r.err
	default:
		u.final = true
	}
	return nil
}

func (m *Mailbox) arrived(u *upload, item itemRef) {
	u.held, u.err, u.unsure = item, nil, false
	if s := u.node.shelves[shelfIndex(u.item.Version.Associated)]; s != nil {
		s.own(item.id)
	}
}

// search looks in the folders for items of which nobody knows whether they arrived. Sending them again without looking
// could make them twice.
func (m *Mailbox) search(ctx context.Context, ups []*upload) error {
	type where struct {
		node       *node
		associated bool
	}
	byFolder := map[where][]*upload{}
	for _, u := range ups {
		if u.unsure && !u.identity().tellable() {
			u.final = true
		} else if u.unsure {
			at := where{u.node, u.item.Version.Associated}
			byFolder[at] = append(byFolder[at], u)
		}
	}
	for at, lost := range byFolder {
		before := at.node.shelves[shelfIndex(at.associated)]
		err := m.list(ctx, at.node, at.associated, func(f found) { m.recognize(before, lost, f) })
		if m.stops(ctx, err) {
			return because(ctx, err)
		}
		for _, u := range lost {
			// What is not there did not arrive; what could not be looked for is better left than made twice.
			u.final, u.unsure = u.final || err != nil, u.unsure && err != nil
		}
	}
	return nil
}

// recognize gives a listed item that was not there before to the first that it can be.
func (m *Mailbox) recognize(before *shelf, lost []*upload, f found) {
	if before.has(f.id) {
		return
	}
	for _, u := range lost {
		if u.held.id == "" && u.identity().is(f) {
			m.arrived(u, f.itemRef)
			return
		}
	}
}

// markRead sets read flags that were changed after the blob was exported.
func (m *Mailbox) markRead(ctx context.Context, ups []*upload) error {
	for _, u := range ups {
		if u.read == u.sent.read {
			continue
		}
		held, err := m.server.setRead(ctx, u.held, u.read)
		switch {
		case m.stops(ctx, err):
			return fmt.Errorf("set the read flag: %w", because(ctx, err))
		case err != nil:
			u.warnings = append(u.warnings, fmt.Sprintf("the read flag is as it was when the item was exported: %v", err))
		default:
			u.held = held
		}
	}
	return nil
}

// result says what became of an item; stop is what ended the run, if anything did.
func (m *Mailbox) result(u *upload, stop error) Result {
	r := Result{Status: Restored, ItemID: u.held.id, Warnings: u.warnings, Differences: u.differences}
	cause := u.err
	if cause == nil {
		cause = stop
	}
	switch {
	case u.held.id == "" && u.unsure:
		r.Status, r.Reason = Failed, fmt.Sprintf("it may have arrived or not, look before restoring it again: %v", cause)
	case u.held.id == "":
		r.Status, r.Reason = Failed, fmt.Sprintf("upload: %v", cause)
	case m.opts.NoVerify:
	case !u.verified:
		r.Status, r.Reason = Differs, fmt.Sprintf("could not be read back: %v", cause)
	case u.err != nil:
		r.Status, r.Reason = Differs, fmt.Sprintf("read back: %v", u.err)
	case len(u.differences) > 0:
		r.Status, r.Reason = Differs, "the server holds other values than were sent"
	}
	return r
}
