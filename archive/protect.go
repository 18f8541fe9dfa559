package archive

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"mailbrick/archive/blob"
	"mailbrick/archive/journal"
	"mailbrick/archive/pack"
)

// Protection says how long the bucket itself is to keep what versions need, from everybody.
type Protection struct {
	blob.Lock
	Progress func(objects int) // may be nil
}

// ProtectReport is what Protect did.
type ProtectReport struct {
	Versions int
	Packs    int  // that they need, of
	Objects  int  // that are locked: config, keys and journal with them
	InDoubt  bool // damage hid what is needed, so all packs are locked
}

// locksAtOnce is how many objects are locked at a time.
const locksAtOnce = 8

// Protect has the bucket lock the packs that versions need, and what no version can be read without: config, keys and the whole
// journal. A lock that lasts longer already stays as it is, and none is ever lifted: protection ends when nobody renews it. It
// wants a blob.Locker. Where another process prunes meanwhile it asks for the versions again, and locks what was moved.
func (a *Archive) Protect(ctx context.Context, p Protection, wanted iter.Seq2[*Version, error]) (ProtectReport, error) {
	var r ProtectReport
	locker, ok := blob.As[blob.Locker](a.rawBucket())
	if !ok {
		return r, fmt.Errorf("lock objects: %w: only an object store has locks", errors.ErrUnsupported)
	}
	for range pruneTries {
		if err := a.catchUpAlone(ctx); err != nil {
			return r, fmt.Errorf("lock objects: %w", err)
		}
		pruned := a.cat.pruned()
		names, report, err := a.neededObjects(ctx, wanted)
		if err == nil {
			r = report
			r.Objects, err = lockAll(ctx, locker, names, p)
		}
		if err == nil {
			err = a.catchUpAlone(ctx)
		}
		if err != nil {
			return r, fmt.Errorf("lock objects: %w", err)
		}
		if a.cat.pruned() == pruned {
			return r, nil
		}
	}
	return r, fmt.Errorf("lock objects: %w", errOvertaken)
}

// neededObjects are the objects without which versions cannot be read.
func (a *Archive) neededObjects(ctx context.Context, wanted iter.Seq2[*Version, error]) (names []string, r ProtectReport, err error) {
	there, err := a.packSizes(ctx)
	if err != nil {
		return nil, r, err
	}
	m, err := a.newMarker(ctx, there)
	if err == nil {
		r.Versions, err = m.markWanted(ctx, wanted)
	}
	// What cannot be told for damage may be in any pack: locked once too often is no harm.
	r.InDoubt = errors.Is(err, ErrDamaged) || m != nil && m.missing > 0
	if err != nil && !r.InDoubt {
		return nil, r, err
	}
	for _, pm := range m.order {
		if !pm.lost && !pm.Inline && (r.InDoubt || pm.live.count() > 0) {
			names = append(names, pack.Name(pm.Name).Object())
		}
	}
	r.Packs = len(names)
	if r.Versions == 0 && !r.InDoubt {
		return nil, r, nil
	}
	for _, prefix := range []string{configObject, keyPrefix, journal.Prefix} {
		for info, err := range a.rawBucket().List(ctx, prefix) {
			if err != nil {
				return nil, r, fmt.Errorf("list %s: %w", prefix, err)
			}
			names = append(names, info.Name)
		}
	}
	return names, r, nil
}

// markWanted marks what some versions need.
func (m *marker) markWanted(ctx context.Context, wanted iter.Seq2[*Version, error]) (versions int, err error) {
	for v, err := range wanted {
		if err != nil {
			return versions, err
		}
		versions++
		if err := m.recipe(ctx, v.recipe); err != nil {
			return versions, err
		}
	}
	for _, pm := range m.order {
		if err := m.readRecipes(ctx, pm); err != nil {
			return versions, err
		}
	}
	return versions, nil
}

// lockAll locks objects, some at a time. One that is not there any more another process has removed.
func lockAll(ctx context.Context, locker blob.Locker, names []string, p Protection) (int, error) {
	var locked atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(locksAtOnce)
	for _, name := range names {
		g.Go(func() error {
			err := locker.Lock(ctx, name, p.Lock)
			if errors.Is(err, blob.ErrNotExist) {
				return nil
			}
			if n := locked.Add(1); err == nil && p.Progress != nil {
				p.Progress(int(n))
			}
			return err
		})
	}
	err := g.Wait()
	return int(locked.Load()), err
}
