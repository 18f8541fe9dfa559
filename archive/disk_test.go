package archive

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"mailbrick/archive/blob"
	"mailbrick/archive/blob/blobtest"
	"mailbrick/archive/blob/dir"
	"mailbrick/archive/blob/dir/dirtest"
)

// diskWorld is an archive in a folder of a disk, some of it in records. Its catalog lies on another.
func diskWorld(disk *dirtest.FS, catalog *vfs.MemFS) *world {
	w := worldOf(new(blobtest.Memory), dir.OpenFS(disk), catalog)
	w.opts.groupMax, w.opts.inline, w.opts.folds = 4000, 1500, [2]uint64{4, 16}
	return w
}

func diskInit(t *testing.T, w *world) error {
	o := w.opts
	o.Parity, o.Random = true, zeros{}
	return Init(t.Context(), o)
}

// diskScript makes an archive with parity and does runs, a prune that folds among them.
func diskScript(t *testing.T, w *world, runs []target) (done int, err error) {
	if err := diskInit(t, w); err != nil && !errors.Is(err, ErrExists) {
		return 0, err
	}
	if err := w.tryOpen(t.Context()); err != nil {
		return 0, err
	}
	for _, tg := range runs {
		if _, err = w.bringUpTo(t.Context(), tg); err != nil {
			break
		}
		if done++; done == 3 {
			if _, err = w.Prune(t.Context(), PruneOptions{MaxGarbage: 1e-9}); err != nil {
				break
			}
		}
	}
	return done, errors.Join(err, w.Close())
}

// calls are some of the calls of a script on a disk, all of them as torture.
func diskCalls(t *testing.T, runs []target, share int) (list []int) {
	t.Helper()
	disk := dirtest.New()
	if done, err := diskScript(t, diskWorld(disk, vfs.NewCrashableMem()), runs); err != nil || done != len(runs) {
		t.Fatalf("%d runs, %v", done, err)
	}
	r := rand.New(rand.NewPCG(7, 7))
	for n := range disk.Calls() {
		if torture() || r.IntN(share) == 0 {
			list = append(list, n+1)
		}
	}
	return list
}

// wantDisk opens what is on a disk, with the catalog that is there and with none: what was committed is whole, and the script goes on.
func wantDisk(t *testing.T, what string, disk *dirtest.FS, catalog *vfs.MemFS, runs []target, done int) {
	t.Helper()
	for _, fs := range []*vfs.MemFS{vfs.NewCrashableMem(), catalog} {
		w := diskWorld(disk, fs)
		if err := diskInit(t, w); err != nil && !errors.Is(err, ErrExists) {
			t.Fatalf("%s: init again: %v", what, err)
		}
		if err := w.tryOpen(t.Context()); err != nil {
			t.Fatalf("%s: open: %v", what, err)
		}
		if got := w.wantScript(t, runs); got < done {
			t.Fatalf("%s: %d runs were committed, %d are there", what, done, got)
		}
		if fs != catalog {
			w.wantSound(t)
			w.close(t)
			continue
		}
		w.finish(t, runs)
	}
}

// TestDiskCrash: the power goes at a call of the file system; of what was not synced some is lost or torn.
func TestDiskCrash(t *testing.T) {
	t.Parallel()
	runs := script(5, 5)
	for i, n := range diskCalls(t, runs, 40) {
		seeds := []uint64{dirtest.SyncedOnly, dirtest.AllDone, 2 + uint64(n)}
		if !torture() {
			seeds = seeds[i%3 : i%3+1]
		}
		for _, seed := range seeds {
			disk, catalog := dirtest.New(), vfs.NewCrashableMem()
			disk.CrashAt(n)
			done, err := diskScript(t, diskWorld(disk, catalog), runs)
			if err != nil && !errors.Is(err, dirtest.ErrCrash) {
				t.Fatalf("call %d: %v", n, err)
			}
			after := disk.Crash(seed)
			wantDisk(t, fmt.Sprintf("%s, seed %d", disk.Last(), seed), after, catalog.CrashClone(vfs.CrashCloneCfg{}), runs, done)
		}
	}
}

// TestDiskFails: from a call on the disk is full, or one call fails that makes something durable and drops it. Somebody says so; what was
// committed before is whole, also when the power goes then.
func TestDiskFails(t *testing.T) {
	t.Parallel()
	runs := script(5, 5)
	writes := []string{"mkdir", "create", "write", "sync", "link", "syncdir"}
	for name, tt := range map[string]struct {
		ops  []string
		once bool
		err  error
	}{
		"full":    {writes, false, syscall.ENOSPC},
		"no sync": {[]string{"sync"}, true, syscall.EIO},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			failed := 0
			for _, n := range diskCalls(t, runs, 40) {
				disk, catalog := dirtest.New(), vfs.NewCrashableMem()
				seen, hit := 0, false
				disk.Fail(func(op, _ string) error {
					if seen++; seen < n || tt.once && hit || !slices.Contains(tt.ops, op) {
						return nil
					}
					hit = true
					return tt.err
				})
				done, err := diskScript(t, diskWorld(disk, catalog), runs)
				disk.Fail(nil)
				if err != nil {
					failed++
				}
				if err != nil && (!errors.Is(err, tt.err) || errors.Is(err, ErrDamaged)) || err == nil && done < len(runs) || tt.err == syscall.ENOSPC && err != nil && !errors.Is(err, blob.ErrFull) {
					t.Errorf("from call %d: %d runs, %v", n, done, err)
				}
				wantDisk(t, fmt.Sprintf("from call %d", n), disk.Crash(dirtest.SyncedOnly), catalog.CrashClone(vfs.CrashCloneCfg{}), runs, done)
			}
			if failed == 0 {
				t.Error("nothing ever failed")
			}
		})
	}
}
