package parity

import (
	"context"
	"errors"
	"fmt"
	"io"

	"mailbrick/archive/blob"
)

// Unknown is the size of a payload that the caller does not know.
const Unknown int64 = -1

// Report says what is damaged.
type Report struct {
	Size       int64 // of the payload; Unknown where nothing says it any more
	Shards     int64
	Damaged    int64 // of the shards
	Footers    int   // of the two that are damaged, as far as that can be told
	Gap        bool  // the zeros between are damaged
	Excess     int64 // bytes appended; below zero, bytes cut off
	Unreadable int64 // bytes that the bucket cannot give
	Mendable   bool  // or there is nothing to mend
}

// Whole tells whether the object is as it was written, to the byte.
func (r Report) Whole() bool {
	return r.Mendable && r.Damaged == 0 && r.Footers == 0 && !r.Gap && r.Excess == 0 && r.Unreadable == 0
}

// Check reads all of an object and says what is damaged. size is the length of
// the payload where the caller knows it, else Unknown: it helps where an object
// was cut off and no footer says it. The error is for what kept Check from
// looking, and ErrVersion.
func (b *Bucket) Check(ctx context.Context, name string, size int64) (Report, error) {
	m, err := b.mender(ctx, name, size)
	if errors.Is(err, ErrBeyondRepair) {
		return Report{Size: max(size, Unknown)}, nil
	}
	if err != nil {
		return Report{}, fmt.Errorf("check: %w", err)
	}
	for i := range m.windows() {
		_, err := m.mend(ctx, i)
		if errors.Is(err, ErrBeyondRepair) {
			m.report.Mendable = false
		} else if err != nil {
			return Report{}, fmt.Errorf("check: %w", err)
		}
	}
	if err := m.rest(ctx); err != nil {
		return Report{}, fmt.Errorf("check: %w", err)
	}
	return m.report, nil
}

func (b *Bucket) mender(ctx context.Context, name string, size int64) (*mender, error) {
	if !b.Covers(name) {
		return nil, fmt.Errorf("%s: object is kept without parity", name)
	}
	stored, err := b.inner.Size(ctx, name)
	if err != nil {
		return nil, err
	}
	o := object{bucket: b.inner, name: name, stored: stored}
	size, found, err := o.locate(ctx, size)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, fmt.Errorf("%s: nothing says how long it was: %w", name, ErrBeyondRepair)
	}
	o.unreadable = 0 // counts again
	return newMender(o, size), nil
}

// Repair puts the object as it was written in the place of one that is damaged,
// and says what was. It writes nothing where all is whole, and nothing where
// something cannot be restored, which is ErrBeyondRepair. size is that of Check.
func (b *Bucket) Repair(ctx context.Context, name string, size int64) (Report, error) {
	report, err := b.Check(ctx, name, size)
	if err != nil {
		return report, fmt.Errorf("repair: %w", err)
	}
	if !report.Mendable {
		return report, fmt.Errorf("repair %s: %d of %d shards: %w", name, report.Damaged, report.Shards, ErrBeyondRepair)
	}
	if report.Whole() {
		return report, nil
	}
	defer b.sizes.forget(name) // it may have been a guess
	if err := b.rewrite(ctx, name, report.Size); err != nil {
		return report, fmt.Errorf("repair %s: %w", name, err)
	}
	return report, nil
}

// rewrite writes the mended payload as if it were new.
func (b *Bucket) rewrite(ctx context.Context, name string, size int64) error {
	inner, ok := b.inner.(blob.Replacer)
	if !ok {
		return fmt.Errorf("bucket cannot replace an object: %w", errors.ErrUnsupported)
	}
	m, err := b.mender(ctx, name, size)
	if err != nil {
		return err
	}
	out, err := inner.Replace(ctx, name)
	if err != nil {
		return err
	}
	w := &writer{out: out, windows: &b.windows}
	defer w.Abort() // its error would add nothing to the first
	if _, err := io.Copy(w, &mended{ctx: ctx, mender: m}); err != nil {
		return err
	}
	return w.Commit()
}
