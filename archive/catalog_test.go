package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"mailbrick/archive/blob"
	"mailbrick/archive/blob/blobtest"
	"mailbrick/archive/blob/dir"
	"mailbrick/archive/journal"
	"mailbrick/archive/wire"
)

// TestCatalogDiskFull: when the catalog's disk is full the process is told to end; the commit is in the bucket, and the next
// process shows it.
func TestCatalogDiskFull(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.close(t)
	var full atomic.Bool
	noSpace := syscall.ENOSPC
	if runtime.GOOS == "windows" {
		noSpace = 112 // ERROR_DISK_FULL
	}
	w.opts.fs = errorfs.Wrap(w.fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if full.Load() && op.Kind.ReadOrWrite() == errorfs.OpIsWrite && op.Kind != errorfs.OpFileClose {
			return noSpace
		}
		return nil
	}))
	told := make(chan error, 10)
	w.opts.Fatal = func(err error) { told <- err; runtime.Goexit() }
	w.open(t)
	s := w.begin(t, "m")
	w.add(t, s, "i", 5)
	full.Store(true)
	_, err := s.Commit(t.Context())
	wantErr(t, "commit", err, nil)
	wantErr(t, "end", s.Close(t.Context()), nil)
	go func() { _ = w.Close() }() // the process would have ended
	wantErr(t, "told", <-told, blob.ErrFull)
	after := worldOf(w.memory, w.memory, w.fs.CrashClone(vfs.CrashCloneCfg{}))
	after.open(t)
	if snaps := after.snapshots(t, "m"); len(snaps) != 1 || snaps[0].Items != 1 {
		t.Errorf("snapshots %+v", snaps)
	}
	after.wantSound(t)
}

func TestCatalogOfAnotherVersion(t *testing.T) {
	t.Parallel()
	w := smallArchive(t)
	want := w.listed(t, w.snapshots(t, "a")[0])
	wantErr(t, "set", w.cat.db.Set([]byte{keyMeta, 'v'}, wire.AppendUvarint(nil, catalogVersion+1), pebble.NoSync), nil)
	wantErr(t, "set", w.cat.db.Set([]byte{keyVersion, 9}, []byte("of another layout"), pebble.NoSync), nil)
	w.cat.dirty = true
	w.reopen(t)
	if got := w.listed(t, w.snapshots(t, "a")[0]); got != want {
		t.Errorf("made anew it lists %s, want %s", got, want)
	}
	w.wantSound(t)
}

// TestCatalogDamaged flips bytes in the catalog's files: it is refused with a word of what to do, or nothing is lost.
func TestCatalogDamaged(t *testing.T) {
	t.Parallel()
	w := smallArchive(t)
	want := w.listed(t, w.snapshots(t, "a")[0]) + w.listed(t, w.snapshots(t, "b")[0])
	w.close(t)
	r := rand.New(rand.NewPCG(3, 9))
	files, err := w.fs.List("catalog/db")
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for range rounds(60, 3000) {
		fs := w.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: r})
		name := files[r.IntN(len(files))]
		data, err := fs.UnsafeGetFileDataBuffer("catalog/db/" + name)
		if err != nil || len(data) == 0 {
			continue
		}
		at := r.IntN(len(data))
		data[at] ^= byte(1 + r.IntN(255))
		got, err := lookAt(t, worldOf(w.memory, w.memory, fs))
		if err != nil {
			refused++
			if !strings.Contains(err.Error(), "rebuild --catalog") && !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrRollback) {
				t.Errorf("byte %d of %s: %v", at, name, err)
			}
		} else if got != want {
			t.Errorf("byte %d of %s: lists\n%swant\n%s", at, name, got, want)
		}
	}
	if refused == 0 {
		t.Error("nothing was ever refused")
	}
}

// lookAt lists an archive whose catalog may be damaged. A panic of the database is how it tells.
func lookAt(t *testing.T, w *world) (out string, err error) {
	t.Helper()
	w.opts.Fatal = func(err error) { panic(fmt.Errorf("%w: %w", ErrDamaged, err)) }
	defer func() {
		if p := recover(); p != nil {
			err, _ = p.(error)
		}
	}()
	if err := w.tryOpen(t.Context()); err != nil {
		return "", err
	}
	defer w.Close()
	for _, box := range []string{"a", "b"} {
		s, err := w.Latest(box)
		if err != nil {
			return "", err
		}
		var lines []string
		for v, err := range w.Versions(t.Context(), s) {
			if err != nil {
				return "", err
			}
			data := w.read(t, v)
			lines = append(lines, fmt.Sprintf("%s %s %q %q %d %x\n", v.ItemID, v.ChangeKey, v.Folder, v.Summary, len(data), data[:min(len(data), 6)]))
		}
		out += sorted(lines)
	}
	return out, nil
}

// TestCatalogOfAnotherArchive: a folder that belongs to another archive is refused, not mixed with this one.
func TestCatalogOfAnotherArchive(t *testing.T) {
	t.Parallel()
	w := smallArchive(t)
	w.close(t)
	m := new(blobtest.Memory)
	wantErr(t, "init", Init(t.Context(), Options{Bucket: m}), nil)
	other := worldOf(m, m, w.fs)
	if err := other.tryOpen(t.Context()); !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrRollback) {
		t.Errorf("opened with another archive's catalog: %v", err)
	}
}

func TestRebuildCatalog(t *testing.T) {
	t.Parallel()
	ta := newTestArchive(t)
	snap := ta.session("m", func(s *Session) { putItem(t, s, Item{ItemID: "1", ChangeKey: "k"}, blobOf(6)) })
	was := ta.holds(snap)
	again := ta.opts
	again.Rebuild = true
	_, err := Open(t.Context(), again)
	wantErr(t, "rebuild while in use", err, ErrInUse)
	wantErr(t, "close", ta.Close(), nil)
	a, err := Open(t.Context(), again)
	wantErr(t, "rebuild", err, nil)
	wantErr(t, "close", a.Close(), nil)
	ta.open()
	wantSame(t, ta.holds(snap), was)
	wantErr(t, "close", ta.Close(), nil)

	// A journal that cannot be read leaves the catalog that is there.
	name := journal.Object(1)
	rec, err := fetch(t.Context(), ta.opts.Bucket, name, 1<<20)
	wantErr(t, "read record", err, nil)
	wantErr(t, "remove", ta.opts.Bucket.Remove(t.Context(), name), nil)
	wantErr(t, "put garbage", blob.Put(t.Context(), ta.opts.Bucket, name, rec[:len(rec)-1]), nil)
	_, err = Open(t.Context(), again)
	wantErr(t, "rebuild from a damaged journal", err, ErrDamaged)
	ta.open()
	wantSame(t, ta.holds(snap), was)
	wantErr(t, "close", ta.Close(), nil)
}

// TestLostPackTakesOnlyItsItems: without its catalog too, an archive that lost a pack opens, names what is lost, and stores
// it again when it is backed up again.
func TestLostPackTakesOnlyItsItems(t *testing.T) {
	t.Parallel()
	ta := newTestArchive(t)
	ta.session("m", func(s *Session) { putItem(t, s, Item{ItemID: "1", ChangeKey: "k"}, blobOf(6)) })
	var lost string
	for info, err := range ta.opts.Bucket.List(t.Context(), "packs/") {
		wantErr(t, "list", err, nil)
		lost = info.Name
	}
	ta.session("n", func(s *Session) { putItem(t, s, Item{ItemID: "2", ChangeKey: "k"}, blobOf(7)) })
	wantErr(t, "close", ta.Close(), nil)
	wantErr(t, "lose a pack", ta.opts.Bucket.Remove(t.Context(), lost), nil)
	ta.opts.Rebuild = true
	ta.open()
	r, err := ta.Check(t.Context(), CheckOptions{})
	if err != nil || len(r.Errors) != 2 || !strings.Contains(r.Errors[0], "is missing") || !strings.Contains(r.Errors[1], "of m:") {
		t.Errorf("check: %+v, %v", r, err)
	}
	if n, err := ta.Latest("n"); err != nil || len(ta.holds(n)) != 1 {
		t.Errorf("the other mailbox: %v, %v", n, err)
	}
	healed := ta.session("m", func(s *Session) { putItem(t, s, Item{ItemID: "1", ChangeKey: "k"}, blobOf(6)) })
	if len(ta.holds(healed)) != 1 {
		t.Error("backed up again, the item is not there")
	}
	wantErr(t, "close", ta.Close(), nil)
}

func TestWaitForTheCatalog(t *testing.T) {
	t.Parallel()
	ta := newTestArchive(t)
	_, err := Open(t.Context(), ta.opts)
	wantErr(t, "in use", err, ErrInUse)
	if err == nil || !strings.Contains(err.Error(), fmt.Sprint("process ", os.Getpid())) {
		t.Errorf("the holder is not named: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o := ta.opts
	o.Wait = time.Hour
	bucket, err := dir.Open(filepath.Dir(o.Catalog))
	if err != nil {
		t.Fatal(err)
	}
	o.Bucket = patient{bucket}
	_, err = Open(ctx, o)
	wantErr(t, "waiting, cancelled", err, context.Canceled)
	opened := make(chan error)
	go func() {
		a, err := Open(t.Context(), o)
		if err == nil {
			err = a.Close()
		}
		opened <- err
	}()
	wantErr(t, "close", ta.Close(), nil)
	wantErr(t, "waited", <-opened, nil)
}

// patient is a bucket that does not look at contexts.
type patient struct{ *dir.Bucket }

func (p patient) Open(_ context.Context, name string, off, n int64) (io.ReadCloser, error) {
	return p.Bucket.Open(context.Background(), name, off, n)
}

// TestCatalogHalfThere: a crash may keep the file that names another and not that other.
func TestCatalogHalfThere(t *testing.T) {
	t.Parallel()
	w := smallArchive(t)
	want := w.listed(t, w.snapshots(t, "a")[0])
	w.close(t)
	files, err := w.fs.List("catalog/db")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasPrefix(name, "MANIFEST") {
			wantErr(t, "remove", w.fs.Remove("catalog/db/"+name), nil)
		}
	}
	w.open(t)
	if got := w.listed(t, w.snapshots(t, "a")[0]); got != want {
		t.Errorf("made anew it lists %s, want %s", got, want)
	}
}

// TestLostPackIsStoredAgain: what lies in a pack that is gone is not known any more, whatever the catalog says.
func TestLostPackIsStoredAgain(t *testing.T) {
	t.Parallel()
	ta := newTestArchive(t)
	ta.session("m", func(s *Session) { putItem(t, s, Item{ItemID: "1", ChangeKey: "k"}, blobOf(6)) })
	wantErr(t, "close", ta.Close(), nil)
	for info, err := range ta.opts.Bucket.List(t.Context(), "packs/") {
		wantErr(t, "list", err, nil)
		wantErr(t, "lose a pack", ta.opts.Bucket.Remove(t.Context(), info.Name), nil)
	}
	ta.open()
	other := ta.session("n", func(s *Session) { putItem(t, s, Item{ItemID: "2", ChangeKey: "k"}, blobOf(6)) })
	if len(ta.holds(other)) != 1 {
		t.Error("the copy is not there")
	}
	wantErr(t, "close", ta.Close(), nil)
}

func TestMissingPartsAreNamed(t *testing.T) {
	t.Parallel()
	ta := newTestArchive(t)
	ta.session("m", func(s *Session) { putItem(t, s, Item{ItemID: "1", ChangeKey: "k"}, blobOf(6)) })
	wantErr(t, "close", ta.Close(), nil)
	wantErr(t, "lose config", ta.opts.Bucket.Remove(t.Context(), configObject), nil)
	wantErr(t, "lose its copy", ta.opts.Bucket.Remove(t.Context(), configObject+copySuffix), nil)
	_, err := Open(t.Context(), ta.opts)
	wantErr(t, "no config", err, ErrDamaged)
}
