package archive

import (
	"context"
	cryptorand "crypto/rand"
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

// unwritable is a file system that fails with an error whatever writes below a folder, when there are no times left.
func unwritable(under vfs.FS, folder string, left *atomic.Int32, failure error) vfs.FS {
	return errorfs.Wrap(under, errorfs.InjectorFunc(func(op errorfs.Op) error {
		writes := op.Kind.ReadOrWrite() == errorfs.OpIsWrite && op.Kind != errorfs.OpFileClose
		if writes && strings.HasPrefix(op.Path, folder) && left.Add(-1) < 0 {
			return failure
		}
		return nil
	}))
}

func noSpace() error {
	if runtime.GOOS == "windows" {
		return syscall.Errno(112) // ERROR_DISK_FULL
	}
	return syscall.ENOSPC
}

// TestCatalogCannotWrite: when the catalog's disk is full or fails, at whichever write, the process ends with a word of it and never
// hangs. What was committed is in the bucket, and the next process shows it.
func TestCatalogCannotWrite(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]error{"full": noSpace(), "fails": syscall.EIO} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for after, ended := int32(0), false; !ended; after++ {
				ended = catalogWriteFails(t, after, failure)
			}
		})
	}
}

// catalogWriteFails tells whether no write failed.
func catalogWriteFails(t *testing.T, after int32, failure error) bool {
	t.Helper()
	w := newWorld(t)
	w.run(t, "before", func(s *Session) { w.add(t, s, "i", 4) })
	w.close(t)
	fs := w.fs
	if after%2 == 0 { // without a catalog
		fs = vfs.NewCrashableMem()
	}
	var left atomic.Int32
	left.Store(after)
	w.opts.fs = unwritable(fs, "catalog", &left, failure)
	told := make(chan error, 10)
	var committed atomic.Bool
	w.opts.Fatal = func(err error) { told <- err; runtime.Goexit() }
	go func() { told <- w.oneItem(&committed) }() // the process would have ended
	err := <-told
	if err != nil && !strings.Contains(err.Error(), failure.Error()) || err != nil && errors.Is(failure, noSpace()) != errors.Is(err, blob.ErrFull) {
		t.Errorf("after %d writes: %v", after, err)
	}
	if errors.Is(failure, noSpace()) && err != nil && strings.Contains(err.Error(), "rebuild") {
		t.Errorf("after %d writes of a full disk a rebuild is advised: %v", after, err)
	}
	next := worldOf(w.memory, w.memory, fs.CrashClone(vfs.CrashCloneCfg{}))
	next.open(t)
	if snaps := next.Mailboxes(); err == nil && !committed.Load() || committed.Load() && len(snaps) != 2 || len(snaps) == 0 {
		t.Errorf("after %d writes: %v; there are %+v", after, err, snaps)
	}
	next.wantSound(t)
	next.close(t)
	return err == nil
}

// TestCatalogFailsForGood: what waits for room in memory does not wait for ever when nothing can be written.
func TestCatalogFailsForGood(t *testing.T) {
	t.Parallel()
	told := make(chan error, 10)
	var left atomic.Int32
	left.Store(1 << 30)
	c, err := openCatalog(catalogOptions{fs: unwritable(vfs.NewMem(), "db", &left, syscall.EIO), dir: "db", random: cryptorand.Reader,
		fatal: func(err error) { told <- err; runtime.Goexit() }})
	wantErr(t, "open", err, nil)
	left.Store(0)
	go func() { // the process would have ended
		for n := range 20 * memTableBytes / 1000 {
			if err := c.db.Set(appendUint32(nil, uint32(n)), make([]byte, 1000), pebble.NoSync); err != nil {
				told <- err
				return
			}
		}
		told <- nil
	}()
	if err := <-told; err == nil || !strings.Contains(err.Error(), syscall.EIO.Error()) {
		t.Errorf("told %v", err)
	}
}

// TestCatalogFailsAtLast: what cannot be written any more when a catalog is closed is told by close alone, however often the database
// tries before it is stopped. What failed before, and was tried again, is not told.
func TestCatalogFailsAtLast(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]error{"full": noSpace(), "fails": syscall.EIO, "well": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var c *catalog
			closes := false
			fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
				if !closes || failure == nil || op.Kind != errorfs.OpCreate {
					return nil
				}
				for range triesMost {
					c.talk.background(failure)
				}
				return failure
			}))
			c, err := openCatalog(catalogOptions{fs: fs, dir: "db", random: cryptorand.Reader,
				fatal: func(err error) { t.Errorf("fatal: %v", err) }})
			wantErr(t, "open", err, nil)
			wantErr(t, "set", c.db.Set([]byte("k"), nil, pebble.NoSync), nil)
			c.talk.background(errors.New("long ago"))
			c.dirty, closes = true, true
			err = c.close()
			if !errors.Is(err, failure) || errors.Is(err, blob.ErrFull) != (name == "full") || err != nil && strings.Contains(err.Error(), "long ago") {
				t.Errorf("close: %v", err)
			}
		})
	}
}

// oneItem backs up one item and ends.
func (w *world) oneItem(committed *atomic.Bool) error {
	ctx := context.Background()
	if err := w.tryOpen(ctx); err != nil {
		return err
	}
	s, err := w.Begin("m")
	if err == nil {
		c := s.NewContent(ctx)
		err = errors.Join(c.Add(Segment{Data: blobOf(5)}), s.Put(ctx, Item{ItemID: "i"}, c))
	}
	if err == nil {
		_, err = s.Commit(ctx)
		committed.Store(err == nil)
	}
	return errors.Join(err, w.Close())
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
	damaged := func(name string, at, bits int) {
		fs := w.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: r})
		data, err := fs.UnsafeGetFileDataBuffer("catalog/db/" + name)
		if err != nil || len(data) == 0 {
			return
		}
		if at %= len(data); at < 0 {
			at += len(data)
		}
		data[at] ^= byte(bits)
		got, err := lookAt(t, worldOf(w.memory, w.memory, fs))
		if err != nil {
			refused++
			if !strings.Contains(err.Error(), "rebuild --catalog") && !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrRollback) {
				t.Errorf("byte %d of %s, bits %x: %v", at, name, bits, err)
			}
		} else if got != want {
			t.Errorf("byte %d of %s, bits %x: lists\n%swant\n%s", at, name, bits, got, want)
		}
	}
	for range rounds(60, 3000) {
		damaged(files[r.IntN(len(files))], r.IntN(1<<30), 1+r.IntN(255))
	}
	for _, name := range files {
		if strings.HasSuffix(name, ".sst") {
			for bits := 1; bits < 256; bits++ {
				damaged(name, -12, bits) // which says how long the end is
			}
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
