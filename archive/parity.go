package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"sync"

	"mailbrick/archive/blob"
	"mailbrick/archive/blob/parity"
	"mailbrick/archive/journal"
	"mailbrick/archive/pack"
)

const packPrefix = "packs/"

// cover puts parity around the bucket of an archive that keeps it. The config says so and this is the only place that obeys
// it: whoever opens an archive brings the bucket as it is.
func (o *Options) cover(c config) {
	if c.Parity {
		o.covered = parity.Wrap(o.Bucket, parity.Options{Prefixes: []string{packPrefix, journal.Prefix}})
		o.Bucket = o.covered
	}
}

// rawBucket is the bucket with all its bytes, parity included.
func (a *Archive) rawBucket() blob.Bucket {
	if a.parity == nil {
		return a.opts.Bucket
	}
	return a.parity.Unwrap()
}

// reading is what reads packs and records.
type reading struct {
	bucket  blob.Bucket
	packs   *pack.Reader
	journal *journal.Journal
	inline  *lru[pack.Name, []byte] // packs that lie in records; nil keeps none
}

// mended is the second way of an archive with parity to read what the first found damaged.
type mended struct {
	reading
	told sync.Once
}

func (o Options) newMended(keys *keyring) (*mended, error) {
	if o.covered == nil {
		return nil, nil
	}
	o.Bucket = mendedBucket{o.covered}
	j, err := o.openJournal(keys)
	return &mended{reading: reading{bucket: o.Bucket, packs: pack.NewReader(o.Bucket, keys), journal: j}}, err
}

// again reads something and, where that fails, reads it once more by its parity. If that does not help the first error is
// the one to tell. What reads checks what it reads: parity is no proof.
func again[T any](ctx context.Context, a *Archive, read func(reading) (T, error)) (T, error) {
	got, err := read(reading{a.opts.Bucket, a.packs, a.journal, a.inline})
	if err == nil || !a.mayMend(ctx, err) {
		return got, err
	}
	second, mendErr := read(a.mended.reading)
	if mendErr != nil {
		return got, err
	}
	a.tell(err)
	return second, nil
}

func (a *Archive) mayMend(ctx context.Context, err error) bool {
	return a.mended != nil && ctx.Err() == nil && !errors.Is(err, blob.ErrNotExist)
}

func (a *Archive) tell(err error) {
	if a.opts.Damaged != nil {
		a.mended.told.Do(func() { a.opts.Damaged(err) })
	}
}

// table is that of a pack, which must be the one that the journal names, where that is known.
func (a *Archive) table(ctx context.Context, p *journal.Pack) (*pack.Table, error) {
	return again(ctx, a, func(r reading) (*pack.Table, error) {
		packs, err := r.of(ctx, p)
		if err != nil {
			return nil, err
		}
		t, err := packs.Table(ctx, p.Name)
		if err == nil && p.SHA256 != [32]byte{} && (t.Size != p.Size || t.SHA256 != p.SHA256) {
			err = fmt.Errorf("%w: pack %x is not the one that the journal names", pack.ErrDamaged, p.Name)
		}
		return t, err
	})
}

func (a *Archive) record(ctx context.Context, n uint64) (*journal.Record, error) {
	return again(ctx, a, func(r reading) (*journal.Record, error) { return r.journal.Read(ctx, n) })
}

// records are those behind head, each checked against the one before it.
func (a *Archive) records(ctx context.Context, head journal.Head) iter.Seq2[*journal.Record, error] {
	return a.recordsUntil(ctx, head, math.MaxUint64)
}

// recordsUntil are those behind head, up to a number.
func (a *Archive) recordsUntil(ctx context.Context, head journal.Head, last uint64) iter.Seq2[*journal.Record, error] {
	return func(yield func(*journal.Record, error) bool) {
		var damage error
		for rec, err := range a.journal.Until(ctx, head, last) {
			if err != nil && a.mayMend(ctx, err) {
				damage = err
				break
			}
			if !yield(rec, err) || err != nil {
				return
			}
			head = rec.Head
		}
		if damage == nil {
			return
		}
		for rec, err := range a.mended.journal.Until(ctx, head, last) {
			if err == nil {
				a.tell(damage)
			}
			if !yield(rec, err) || err != nil {
				return
			}
		}
	}
}

// mendedBucket reads objects with what is damaged corrected. It reads much more than it is asked for.
type mendedBucket struct{ *parity.Bucket }

func (b mendedBucket) Open(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	return b.OpenMended(ctx, name, off, n)
}

func (b mendedBucket) Size(ctx context.Context, name string) (int64, error) {
	r, err := b.Check(ctx, name, parity.Unknown)
	if err == nil && !r.Mendable {
		err = fmt.Errorf("%s: %w", name, parity.ErrBeyondRepair)
	}
	return r.Size, err
}
