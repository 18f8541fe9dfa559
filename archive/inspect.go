package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"mailbrick/archive/blob"
	"mailbrick/archive/blob/parity"
	"mailbrick/archive/seal"
)

// Damage is an object that is not as it was written.
type Damage struct {
	Object string
	Fault  string
	Fate   Fate
}

// Fate is what becomes of a damaged object.
type Fate int

// Fates of a damaged object.
const (
	BeyondRepair Fate = iota // only a copy from elsewhere helps
	Mendable                 // Repair mends it
	Mended                   // Repair has mended it
)

func (d Damage) Error() string {
	return d.Object + ": " + d.Fault + ": " + [...]string{"beyond repair", "`mailbrick repair` mends it", "mended"}[d.Fate]
}

// inspector looks at objects as they are stored and, where it may, mends them.
type inspector struct {
	bucket blob.Bucket    // of objects as they are stored
	parity *parity.Bucket // nil where the archive keeps none
	mend   bool
	found  func(Damage)

	leftover func(k keyName, all []keyName) bool // a key file of which a half may be gone: who makes and removes them can die between; nil for none
}

func (i *inspector) fate() Fate {
	if i.mend {
		return Mended
	}
	return Mendable
}

// covered inspects an object that has parity, the size of whose payload the caller may know, and tells whether it is sound: as
// it was written, or can be again. What cannot be looked at is found damaged; the error is for what is not there any more, and
// for what must stop everything.
func (i *inspector) covered(ctx context.Context, name string, size int64) (sound bool, err error) {
	look := i.parity.Check
	if i.mend {
		look = i.parity.Repair
	}
	r, err := look(ctx, name, size)
	d := Damage{Object: name, Fault: faultOf(r), Fate: i.fate()}
	switch {
	case ctx.Err() != nil:
		return false, ctx.Err()
	case errors.Is(err, parity.ErrVersion):
		return false, fmt.Errorf("%w: %w", ErrVersion, err)
	case errors.Is(err, blob.ErrFull), errors.Is(err, blob.ErrNotExist), blob.OutOfReach(err):
		return false, err
	case err != nil && r.Mendable && !r.Whole() && !errors.Is(err, errors.ErrUnsupported):
		return false, err // it could be mended, and what is mended could not be written
	case err != nil && !errors.Is(err, parity.ErrBeyondRepair):
		d.Fault, d.Fate = err.Error(), BeyondRepair
	case !r.Mendable:
		d.Fate = BeyondRepair
	case r.Whole():
		return true, nil
	}
	i.found(d)
	return d.Fate != BeyondRepair, nil
}

// faultOf says in words what a report says.
func faultOf(r parity.Report) string {
	var parts []string
	for _, p := range []struct {
		is   bool
		text string
	}{
		{r.Size == parity.Unknown, "nothing says how long it was"},
		{r.Damaged > 0, fmt.Sprintf("%d of %d shards damaged", r.Damaged, r.Shards)},
		{r.Footers > 0, fmt.Sprintf("%d of 2 footers damaged", r.Footers)},
		{r.Gap, "its gap damaged"},
		{r.Excess > 0, fmt.Sprintf("%d bytes too long", r.Excess)},
		{r.Excess < 0, fmt.Sprintf("%d bytes cut off", -r.Excess)},
		{r.Unreadable > 0, fmt.Sprintf("%d bytes unreadable", r.Unreadable)},
	} {
		if p.is {
			parts = append(parts, p.text)
		}
	}
	if len(parts) == 0 {
		return "most of it is missing"
	}
	return strings.Join(parts, ", ")
}

// small inspects config and the key files, each of which lies there twice.
func (i *inspector) small(ctx context.Context) error {
	err := i.twice(ctx, configObject, configLimit, func(data []byte) error { return errorOf(parseConfig(data)) })
	if err != nil {
		return err
	}
	o := Options{Bucket: i.bucket}
	names, err := o.keyNames(ctx)
	for _, k := range names {
		if err == nil && !i.half(ctx, k, names) {
			err = i.twice(ctx, k.object(), seal.MaxFile, func(data []byte) error { return errorOf(parseKey(k.object(), data)) })
		}
	}
	return err
}

// half tells whether of a key file that nobody needs one of two is there, or none any more.
func (i *inspector) half(ctx context.Context, k keyName, all []keyName) bool {
	if i.leftover == nil || !i.leftover(k, all) {
		return false
	}
	for _, name := range []string{k.object(), k.object() + copySuffix} {
		if _, err := i.bucket.Size(ctx, name); errors.Is(err, blob.ErrNotExist) {
			return true
		}
	}
	return false
}

func errorOf[T any](_ T, err error) error { return err }

// twice compares an object with its copy. Of the two the one that reads is right.
func (i *inspector) twice(ctx context.Context, name string, limit int64, parse func([]byte) error) error {
	names := [2]string{name, name + copySuffix}
	var data [2][]byte
	var faults [2]error
	for k := range names {
		if data[k], faults[k] = fetch(ctx, i.bucket, names[k], limit); blob.OutOfReach(faults[k]) {
			return faults[k]
		} else if faults[k] == nil {
			faults[k] = parse(data[k])
		}
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case faults[0] == nil && faults[1] == nil:
		if !bytes.Equal(data[0], data[1]) {
			i.found(Damage{Object: name, Fault: "its copy is another"})
		}
		return nil
	case faults[0] != nil && faults[1] != nil:
		i.found(Damage{Object: name, Fault: "neither it nor its copy can be read: " + faults[0].Error()})
		return nil
	}
	bad := 0
	if faults[1] != nil {
		bad = 1
	}
	fate := i.fate()
	if _, ok := i.bucket.(blob.Replacer); !ok && !errors.Is(faults[bad], blob.ErrNotExist) {
		fate = BeyondRepair
	}
	if fate == Mended {
		err := i.restore(ctx, names[bad], data[1-bad], faults[bad])
		if errors.Is(err, blob.ErrExist) {
			faults[bad], fate = errors.New("something that is no file has its name: take it away"), BeyondRepair
		} else if err != nil {
			return fmt.Errorf("repair %s: %w", names[bad], err)
		}
	}
	i.found(Damage{Object: names[bad], Fault: faults[bad].Error(), Fate: fate})
	return nil
}

// restore puts bytes where an object is missing, or damaged in a bucket where it can be replaced.
func (i *inspector) restore(ctx context.Context, name string, data []byte, fault error) error {
	if errors.Is(fault, blob.ErrNotExist) {
		return putSame(ctx, i.bucket, name, data)
	}
	w, err := i.bucket.(blob.Replacer).Replace(ctx, name)
	if err != nil {
		return err
	}
	return blob.Finish(w, data)
}
