package archive

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"mailbrick/archive/blob"
	"mailbrick/archive/blob/blobtest"
	"mailbrick/archive/pack"
)

// lockable is a bucket that remembers what was locked.
type lockable struct {
	*blobtest.Memory
	before func(name string) // called before each lock; may be nil

	mu    sync.Mutex
	locks map[string]blob.Lock // guarded by mu
}

func (b *lockable) Lock(ctx context.Context, name string, lock blob.Lock) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.before != nil {
		b.before(name)
	}
	if _, err := b.Size(ctx, name); err != nil {
		return err
	}
	b.locks[name] = lock
	return nil
}

func (b *lockable) Locked(_ context.Context, name string) (blob.Lock, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.locks[name], nil
}

func newLockable(t *testing.T) (*lockable, *world) {
	t.Helper()
	b := &lockable{Memory: initialised(t), locks: map[string]blob.Lock{}}
	w := worldOf(b.Memory, b, vfs.NewCrashableMem())
	w.open(t)
	return b, w
}

// versionsOf are all versions of a mailbox.
func (w *world) versionsOf(t *testing.T, mailbox string) iter.Seq2[*Version, error] {
	return w.Histories(t.Context(), mailbox)
}

// objects are the names in a bucket.
func objects(t *testing.T, b blob.Bucket, prefix string) (names []string) {
	t.Helper()
	for info, err := range b.List(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, info.Name)
	}
	return names
}

var protection = Protection{Lock: blob.Lock{Until: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC), Mode: blob.Compliance}}

// TestProtectedSuffices: where everything is gone that was not locked, the versions are read, by a new catalog too; and not
// everything was locked.
func TestProtectedSuffices(t *testing.T) {
	t.Parallel()
	b, w := newLockable(t)
	for n := range 6 { // copies have their base in the first, and parts are shared
		w.run(t, fmt.Sprint("m", n), func(s *Session) {
			w.copies(t, s, fmt.Sprint("m", n), 2)
			for k := range 3 {
				wantErr(t, "put", put1(t.Context(), s, Item{ItemID: fmt.Sprint("own", k)}, blobOf(n*7+k+5)), nil)
			}
		})
	}
	r, err := w.Protect(t.Context(), protection, w.versionsOf(t, "m4"))
	if err != nil || r.Versions != 5 || r.InDoubt || r.Objects != len(b.locks) {
		t.Fatalf("%+v, %d locked; %v", r, len(b.locks), err)
	}
	packs := objects(t, b, packPrefix)
	if r.Packs < 2 || r.Packs >= len(packs) {
		t.Errorf("%d of %d packs are locked", r.Packs, len(packs))
	}
	for _, name := range objects(t, b, "") {
		if lock, ok := b.locks[name]; !ok {
			wantErr(t, "remove", b.Remove(t.Context(), name), nil)
			if !strings.HasPrefix(name, packPrefix) {
				t.Errorf("%s is not locked", name)
			}
		} else if lock != protection.Lock {
			t.Errorf("%s: %+v", name, lock)
		}
	}
	w.reopen(t)
	for v, err := range w.versionsOf(t, "m4") {
		if err != nil {
			t.Fatal(err)
		}
		w.read(t, v)
	}
}

// TestProtectNothing: without versions nothing is locked, and what is no store says so.
func TestProtectNothing(t *testing.T) {
	t.Parallel()
	b, w := newLockable(t)
	w.run(t, "m", func(s *Session) { w.copies(t, s, "m", 2) })
	r, err := w.Protect(t.Context(), protection, func(func(*Version, error) bool) {})
	if err != nil || r != (ProtectReport{}) || len(b.locks) > 0 {
		t.Errorf("%+v, %v; %d locked", r, err, len(b.locks))
	}
	plain := newWorld(t)
	if _, err := plain.Protect(t.Context(), protection, plain.versionsOf(t, "m")); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("in a bucket without locks: %v", err)
	}
}

// TestProtectInDoubt: where damage hides what is needed, every pack that is there is locked.
func TestProtectInDoubt(t *testing.T) {
	t.Parallel()
	b, w := newLockable(t)
	for n := range 4 {
		w.run(t, fmt.Sprint("m", n), func(s *Session) {
			wantErr(t, "put", put1(t.Context(), s, Item{ItemID: "a"}, noise(uint64(n), 2000)), nil)
		})
	}
	packs := objects(t, b, packPrefix)
	var lost string
	for p := range w.packsOf(t, "m1") {
		lost = p
	}
	wantErr(t, "remove", b.Remove(t.Context(), lost), nil)
	r, err := w.Protect(t.Context(), protection, w.versionsOf(t, "m1"))
	if err != nil || !r.InDoubt || r.Packs != len(packs)-1 {
		t.Errorf("%+v, %v", r, err)
	}
}

// packsOf are the packs in which the recipes of a mailbox lie.
func (w *world) packsOf(t *testing.T, mailbox string) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	for v, err := range w.versionsOf(t, mailbox) {
		if err != nil {
			t.Fatal(err)
		}
		row, err := w.cat.chunk(v.recipe)
		if err != nil {
			t.Fatal(err)
		}
		ref, err := w.cat.packRow(row.pack)
		if err != nil {
			t.Fatal(err)
		}
		out[pack.Name(ref.Name).Object()] = true
	}
	return out
}

// TestProtectWhilePruned: what another process moves meanwhile is locked where it lies then.
func TestProtectWhilePruned(t *testing.T) {
	t.Parallel()
	b, w := newLockable(t)
	for n := range 3 {
		w.run(t, "m", func(s *Session) {
			for k := n; k < 4; k++ { // so that each pack has what is needed and, when it was forgotten, what is not
				data := noise(uint64(n*10+k), 9_000)
				wantErr(t, "put", put1(t.Context(), s, Item{ItemID: fmt.Sprint(k), ChangeKey: fmt.Sprint(n), Similar: data[:8]}, data), nil)
			}
		})
	}
	other := worldOf(b.Memory, b.Memory, vfs.NewCrashableMem())
	other.open(t)
	once := sync.OnceFunc(func() {
		f := Forget{Reason: "test"}
		for v, err := range other.versionsOf(t, "m") {
			if err == nil && v.To != Forever {
				f.Versions = append(f.Versions, VersionRef{v.Mailbox, v.ID, v.From})
			}
		}
		_, err := other.Forget(t.Context(), f)
		wantErr(t, "forget", err, nil)
		r, err := other.Prune(t.Context(), PruneOptions{MaxGarbage: 1e-9})
		if err != nil || r.Removed == 0 || r.AddedBytes == 0 {
			t.Errorf("prune: %+v, %v", r, err)
		}
	})
	b.before = func(string) { once() }
	if _, err := w.Protect(t.Context(), protection, w.versionsOf(t, "m")); err != nil {
		t.Fatal(err)
	}
	for name := range w.packsOf(t, "m") {
		if b.locks[name] != protection.Lock {
			t.Errorf("%s is not locked", name)
		}
	}
}
