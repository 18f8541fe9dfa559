package archive

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"mailbrick/archive/blob"
	"mailbrick/archive/blob/blobtest"
)

// moment is what a crash leaves: the bucket, and of the catalog what was synced, perhaps with some of the rest.
type moment struct {
	what      string
	committed int // runs whose Commit had returned
	memory    *blobtest.Memory
	fs        *vfs.MemFS
}

// camera takes pictures of a world after every call that changes the bucket and before every one that makes the catalog's
// files durable. What is in the picture is what a crash at that moment leaves.
type camera struct {
	memory *blobtest.Memory
	fs     *vfs.MemFS
	rand   *rand.Rand
	every  int

	mu        sync.Mutex // guards the rest
	seen      int
	committed int
	moments   []moment
}

func (c *camera) look(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen++; c.seen%c.every != 0 {
		return
	}
	cfg := vfs.CrashCloneCfg{UnsyncedDataPercent: []int{0, 50, 100}[c.rand.IntN(3)], RNG: c.rand}
	// The catalog first: it must never be younger than the bucket.
	fs := c.fs.CrashClone(cfg)
	c.moments = append(c.moments, moment{fmt.Sprintf("%d %s (%d%% of the unsynced)", c.seen, what, cfg.UnsyncedDataPercent), c.committed, c.memory.Clone(), fs})
}

func (c *camera) returned() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.committed++
}

// catalogFS is the file system of a catalog in front of the camera.
func (c *camera) catalogFS() vfs.FS {
	return errorfs.Wrap(c.fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		switch op.Kind {
		case errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo, errorfs.OpRename, errorfs.OpCreate, errorfs.OpRemove:
			c.look(fmt.Sprintf("before operation %d of %s", op.Kind, op.Path))
		}
		return nil
	}))
}

// filmed is a bucket in front of the camera.
type filmed struct {
	blob.Bucket
	c *camera
}

func (f filmed) Create(ctx context.Context, name string) (blob.Writer, error) {
	w, err := f.Bucket.Create(ctx, name)
	f.c.look("create " + name)
	return filmedWriter{w, name, f.c}, err
}

type filmedWriter struct {
	blob.Writer
	name string
	c    *camera
}

func (w filmedWriter) Commit() error {
	w.c.look("before commit " + w.name)
	err := w.Writer.Commit()
	w.c.look("commit " + w.name)
	return err
}

// TestCrash stops the power at every moment of a script: what was committed is whole, what was not is absent, and the runs
// go on from there.
func TestCrash(t *testing.T) {
	t.Parallel()
	for seed := range uint64(rounds(2, 12)) {
		runs := script(seed, 6)
		m := initialised(t)
		c := &camera{memory: m, fs: vfs.NewCrashableMem(), rand: rand.New(rand.NewPCG(seed, 4)), every: rounds(7, 1)}
		w := worldOf(m, filmed{m, c}, c.fs)
		if seed%2 == 1 {
			w.short(3000) // some lie in records
		}
		w.opts.fs, w.opts.groupMax = c.catalogFS(), 4000
		w.open(t)
		for _, tg := range runs {
			if _, err := w.bringUpTo(t.Context(), tg); err != nil {
				t.Fatal(err)
			}
			c.returned()
		}
		w.close(t)
		for _, at := range c.moments {
			t.Run(fmt.Sprintf("seed %d at %s", seed, at.what), func(t *testing.T) {
				t.Parallel()
				at.survives(t, runs)
			})
		}
	}
}

func (at moment) survives(t *testing.T, runs []target) {
	w := worldOf(at.memory, at.memory, at.fs)
	w.opts.groupMax = 4000
	if err := w.tryOpen(t.Context()); err != nil {
		t.Fatalf("open: %v", err)
	}
	done := w.wantScript(t, runs)
	if done != at.committed && done != at.committed+1 {
		t.Fatalf("%d runs were committed, %d are there", at.committed, done)
	}
	w.wantSound(t)
	w.finish(t, runs)
}

// TestCrashTwice crashes again while going on after a crash.
func TestCrashTwice(t *testing.T) {
	t.Parallel()
	runs := script(77, 6)
	r := rand.New(rand.NewPCG(77, 5))
	for round := range rounds(4, 100) {
		m, fs := initialised(t), vfs.NewCrashableMem()
		done := 0
		for done < len(runs) {
			c := &camera{memory: m, fs: fs, rand: r, every: 1}
			w := worldOf(m, filmed{m, c}, fs)
			if round%2 == 1 {
				w.short(0)
			}
			w.opts.fs, w.opts.groupMax = c.catalogFS(), 4000
			w.open(t)
			if got := w.wantScript(t, runs); got < done {
				t.Fatalf("%d runs were committed, %d are there", done, got)
			} else {
				done = got
			}
			for _, tg := range runs[done:min(len(runs), done+2)] {
				if _, err := w.bringUpTo(t.Context(), tg); err != nil {
					t.Fatal(err)
				}
				c.returned()
			}
			w.close(t)
			at := c.moments[r.IntN(len(c.moments))]
			if r.IntN(3) == 0 {
				at = c.moments[len(c.moments)-1]
			}
			done, m, fs = done+at.committed, at.memory, at.fs
		}
		w := worldOf(m, m, fs)
		w.open(t)
		w.finish(t, runs)
	}
}

// TestKilled: each call of the bucket is the last that a process makes; its catalog is what it is then.
func TestKilled(t *testing.T) {
	t.Parallel()
	runs := script(5, 4)
	step := rounds(5, 1)
	for n := 1; ; n += step {
		m, fs := initialised(t), vfs.NewCrashableMem()
		faulty := blobtest.NewFaulty(m)
		w := worldOf(m, faulty, fs)
		w.opts.groupMax = 4000
		w.open(t)
		faulty.Order(blobtest.Fault{Nth: n, Kind: blobtest.Dead})
		done, err := 0, error(nil)
		for _, tg := range runs {
			if _, err = w.bringUpTo(t.Context(), tg); err != nil {
				break
			}
			done++
		}
		if err == nil {
			w.close(t)
			return
		}
		if !errors.Is(err, blobtest.ErrDead) {
			t.Fatalf("call %d: %v", n, err)
		}
		again := worldOf(m, m, fs.CrashClone(vfs.CrashCloneCfg{}))
		again.opts.groupMax = 4000
		_ = w.Close()
		again.open(t)
		if got := again.wantScript(t, runs); got != done && got != done+1 { // it died after the record had landed, before it knew
			t.Fatalf("killed at call %d: %d runs were committed, %d are there", n, done, got)
		}
		again.finish(t, runs)
	}
}
