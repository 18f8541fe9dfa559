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

func (o *Options) newReading(b blob.Bucket, keys *keyring) (reading, error) {
	j, err := o.openJournal(b, keys)
	return reading{bucket: b, packs: pack.NewReader(b, keys), journal: j}, err
}

// source is where packs and records are read: as they lie and, in an archive with parity, by it where that finds them damaged.
type source struct {
	reading
	mended  *reading // nil without parity
	damaged func(error)
	told    sync.Once
}

func (o *Options) newSource(keys *keyring) (*source, error) {
	first, err := o.newReading(o.Bucket, keys)
	s := &source{reading: first, damaged: o.Damaged}
	if err == nil && o.covered != nil {
		second, err := o.newReading(mendedBucket{o.covered}, keys)
		s.mended = &second
		return s, err
	}
	return s, err
}

// again reads something and, where that fails, reads it once more by its parity. If that does not help the first error is
// the one to tell. What reads checks what it reads: parity is no proof.
func again[T any](ctx context.Context, s *source, read func(reading) (T, error)) (T, error) {
	got, err := read(s.reading)
	if err == nil || !s.mayMend(ctx, err) {
		return got, err
	}
	second, mendErr := read(*s.mended)
	if mendErr != nil {
		return got, err
	}
	s.tell(err)
	return second, nil
}

// mayMend tells whether parity may help: not where nothing lies, nor where nobody knows what lies there.
func (s *source) mayMend(ctx context.Context, err error) bool {
	return s.mended != nil && ctx.Err() == nil && !errors.Is(err, blob.ErrNotExist) && !blob.OutOfReach(err)
}

func (s *source) tell(err error) {
	if s.damaged != nil {
		s.told.Do(func() { s.damaged(err) })
	}
}

// table is that of a pack, which must be the one that the journal names, where that is known.
func (s *source) table(ctx context.Context, p *journal.Pack) (*pack.Table, error) {
	return again(ctx, s, func(r reading) (*pack.Table, error) {
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

func (s *source) record(ctx context.Context, n uint64) (*journal.Record, error) {
	return again(ctx, s, func(r reading) (*journal.Record, error) { return r.journal.Read(ctx, n) })
}

// records are those behind head, each checked against the one before it.
func (s *source) records(ctx context.Context, head journal.Head) iter.Seq2[*journal.Record, error] {
	return s.recordsUntil(ctx, head, math.MaxUint64)
}

// recordsUntil are those behind head, up to a number.
func (s *source) recordsUntil(ctx context.Context, head journal.Head, last uint64) iter.Seq2[*journal.Record, error] {
	return func(yield func(*journal.Record, error) bool) {
		var damage error
		for rec, err := range s.journal.Until(ctx, head, last) {
			if err != nil && s.mayMend(ctx, err) {
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
		for rec, err := range s.mended.journal.Until(ctx, head, last) {
			if err == nil {
				s.tell(damage)
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
