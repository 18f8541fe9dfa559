package archive

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"mailbrick/archive/journal"
)

var (
	// ErrHeld says that a hold keeps what was to be forgotten.
	ErrHeld = errors.New("held")
	// ErrAlive says that what was to be forgotten is in the mailbox's latest snapshot, so that the next run would bring it back.
	ErrAlive = errors.New("it is in the latest snapshot")
)

// VersionRef names a version of an item.
type VersionRef struct {
	Mailbox string
	ID      ID
	From    uint32
}

// SnapshotRef names a snapshot.
type SnapshotRef struct {
	Mailbox string
	Ordinal uint32
}

// Forget is what is to be removed from history, and why. A version that is forgotten is shown by no snapshot any more; what only
// it needed becomes garbage, for Prune. A snapshot that is forgotten is no longer offered; its time stays known.
type Forget struct {
	Reason    string
	Versions  []VersionRef
	Snapshots []SnapshotRef
	Living    bool // also versions that the latest snapshot shows, though the next run brings back what the mailbox still has
}

// ForgetReport is what was removed.
type ForgetReport struct {
	Versions, Snapshots int
	Bytes               int64  // of the versions' blobs, as exported
	Position            uint64 // of the journal record; 0 when there was nothing to forget
}

// Forget removes versions and snapshots: all of them, by one record of the journal, or none.
func (a *Archive) Forget(ctx context.Context, f Forget) (ForgetReport, error) {
	f.normalize()
	var report ForgetReport
	if len(f.Versions)+len(f.Snapshots) == 0 {
		return report, nil
	}
	g := a.group
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err != nil {
		return report, g.err
	}
	err := g.appendMade(ctx, nil, nil, func() (*journal.Body, error) {
		// Before every attempt: another process may have set a hold or brought the item up to date.
		var err error
		report, err = a.forgettable(ctx, &f)
		return f.body(), err
	})
	if err != nil {
		return ForgetReport{}, fmt.Errorf("forget: %w", err)
	}
	report.Position = a.Head()
	return report, nil
}

// normalize puts what is to go into order, each once.
func (f *Forget) normalize() {
	f.Versions, f.Snapshots = slices.Clone(f.Versions), slices.Clone(f.Snapshots)
	for i := range f.Versions {
		f.Versions[i].Mailbox = strings.ToLower(f.Versions[i].Mailbox)
	}
	for i := range f.Snapshots {
		f.Snapshots[i].Mailbox = strings.ToLower(f.Snapshots[i].Mailbox)
	}
	slices.SortFunc(f.Versions, func(x, y VersionRef) int {
		return cmp.Or(strings.Compare(x.Mailbox, y.Mailbox), bytes.Compare(x.ID[:], y.ID[:]), cmp.Compare(x.From, y.From))
	})
	slices.SortFunc(f.Snapshots, func(x, y SnapshotRef) int {
		return cmp.Or(strings.Compare(x.Mailbox, y.Mailbox), cmp.Compare(x.Ordinal, y.Ordinal))
	})
	f.Versions, f.Snapshots = slices.Compact(f.Versions), slices.Compact(f.Snapshots)
}

// body is the journal's form: an entry for each mailbox.
func (f *Forget) body() *journal.Body {
	body := &journal.Body{}
	at := func(mailbox string) *journal.Forget {
		if n := len(body.Forgets); n > 0 && body.Forgets[n-1].Mailbox == mailbox {
			return &body.Forgets[n-1]
		}
		body.Forgets = append(body.Forgets, journal.Forget{Mailbox: mailbox, Reason: f.Reason})
		return &body.Forgets[len(body.Forgets)-1]
	}
	for _, v := range f.Versions {
		e := at(v.Mailbox)
		e.Versions = append(e.Versions, journal.VersionRef{ID: v.ID, From: v.From})
	}
	for _, s := range f.Snapshots {
		e := at(s.Mailbox)
		e.Snapshots = append(e.Snapshots, s.Ordinal)
	}
	return body
}

// forgettable makes sure that all of it is there and may go.
func (a *Archive) forgettable(ctx context.Context, f *Forget) (ForgetReport, error) {
	r := ForgetReport{Versions: len(f.Versions), Snapshots: len(f.Snapshots)}
	for _, ref := range f.Versions {
		if err := ctx.Err(); err != nil {
			return r, err
		}
		size, err := a.forgettableVersion(ctx, ref, f.Living)
		if err != nil {
			return r, fmt.Errorf("item %s@%d of %s: %w", ref.ID, ref.From, ref.Mailbox, err)
		}
		r.Bytes += size
	}
	for _, ref := range f.Snapshots {
		if err := a.forgettableSnapshot(ref); err != nil {
			return r, fmt.Errorf("snapshot %d of %s: %w", ref.Ordinal, ref.Mailbox, err)
		}
	}
	return r, nil
}

func (a *Archive) forgettableVersion(ctx context.Context, ref VersionRef, living bool) (size int64, err error) {
	st, ok := a.cat.state(ref.Mailbox)
	if !ok || ref.From > st.ordinal {
		return 0, ErrNotFound
	}
	key := rowKey(keyVersion, st.number, ref.ID, ref.From)
	value, err := a.cat.get(key)
	if err != nil {
		return 0, err
	}
	if value == nil {
		return 0, ErrNotFound
	}
	r, err := a.cat.openRow(key, value)
	if err != nil {
		return 0, err
	}
	if st.visible(r.to) == Forever && !living {
		return 0, ErrAlive
	}
	v, err := r.bare()
	if err != nil {
		return 0, err
	}
	held, name, err := a.held(ctx, ref)
	if err == nil && held {
		err = fmt.Errorf("%w by %s", ErrHeld, name)
	}
	return v.Size, err
}

func (a *Archive) forgettableSnapshot(ref SnapshotRef) error {
	st, ok := a.cat.state(ref.Mailbox)
	if !ok || ref.Ordinal == 0 || ref.Ordinal > st.ordinal {
		return ErrNotFound
	}
	if ref.Ordinal == st.ordinal {
		return ErrAlive
	}
	row, err := a.cat.get(appendUint32(key32(keySnapshot, st.number), ref.Ordinal))
	if err != nil {
		return err
	}
	if s, err := openSnapshot(row); err != nil || !s.forgotten {
		return err
	}
	return ErrNotFound
}

// forget takes away what an entry names. What is not there any more another record took.
func (a *application) forget(f *journal.Forget) error {
	st := a.state(f.Mailbox)
	for _, ref := range f.Versions {
		if err := a.forgetVersion(st, ref.ID, ref.From); err != nil {
			return err
		}
	}
	for _, ordinal := range f.Snapshots {
		key := appendUint32(key32(keySnapshot, st.number), ordinal)
		row, err := getFrom(a.batch, key)
		if err != nil {
			return err
		}
		s, err := openSnapshot(row)
		if err != nil {
			return err
		}
		if err := a.set(key, append(appendSnapshot(nil, &s.Snapshot), snapshotForgotten)); err != nil {
			return err
		}
	}
	return nil
}

// forgetVersion removes a row, and counts the item anew: what is not complete yet may have ended the version or follow it.
func (a *application) forgetVersion(st *mailboxState, id ID, from uint32) error {
	before, err := a.itemStanding(st, id)
	if err != nil {
		return err
	}
	if err := a.batch.Delete(rowKey(keyVersion, st.number, id, from), nil); err != nil {
		return fmt.Errorf("catalog: %w", err)
	}
	after, err := a.itemStanding(st, id)
	if err != nil {
		return err
	}
	st.count(before, -1)
	st.count(after, 1)
	return nil
}

func (a *application) itemStanding(st *mailboxState, id ID) (standing, error) {
	last, err := a.lastRow(keyVersion, st.number, id)
	if err != nil {
		return standing{}, err
	}
	return a.standing(st, st.ordinal+1, last)
}
