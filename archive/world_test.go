package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"mailbrick/archive/blob"
	"mailbrick/archive/blob/blobtest"
	"mailbrick/archive/pack"
)

// clock goes on a second at each look. It is for concurrent use.
type clock struct{ n atomic.Int64 }

func (c *clock) now() time.Time {
	return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(c.n.Add(1)) * time.Second)
}

// world is an archive wholly in memory: its bucket, and the file system of its catalog.
type world struct {
	memory *blobtest.Memory
	fs     *vfs.MemFS
	opts   Options
	*Archive
}

// initialised is a bucket with an empty archive, the same each time, for tests that make many.
func initialised(t testing.TB) *blobtest.Memory {
	t.Helper()
	m := new(blobtest.Memory)
	if err := Init(t.Context(), Options{Bucket: m, Random: zeros{}}); err != nil {
		t.Fatal(err)
	}
	return m
}

// zeros are the random numbers of an archive whose key need not be secret.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func newWorld(t testing.TB) *world {
	t.Helper()
	m := initialised(t)
	w := worldOf(m, m, vfs.NewCrashableMem())
	w.open(t)
	return w
}

// worldOf is a world that is not opened yet. The bucket is the memory, or something around it.
func worldOf(m *blobtest.Memory, b blob.Bucket, fs *vfs.MemFS) *world {
	return &world{memory: m, fs: fs, opts: Options{Bucket: b, Catalog: "catalog", Clock: new(clock).now, fs: fs, groupAge: time.Hour * 24 * 365, inline: -1}}
}

// short lets packs of up to so many bytes lie in records (0 is as many as may), and folds early.
func (w *world) short(limit int) *world {
	w.opts.inline, w.opts.folds = limit, [2]uint64{4, 16}
	return w
}

func newShortWorld(t testing.TB) *world {
	t.Helper()
	m := initialised(t)
	w := worldOf(m, m, vfs.NewCrashableMem()).short(0)
	w.open(t)
	return w
}

// eachPlace runs a test with packs that are objects, and with such that lie in records.
func eachPlace(t *testing.T, test func(t *testing.T, made func(testing.TB) *world)) {
	t.Helper()
	for name, made := range map[string]func(testing.TB) *world{"in packs": newWorld, "in records": newShortWorld} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, made)
		})
	}
}

func (w *world) open(t testing.TB) {
	t.Helper()
	if err := w.tryOpen(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (w *world) tryOpen(ctx context.Context) (err error) {
	w.Archive, err = Open(ctx, w.opts)
	return err
}

func (w *world) close(t testing.TB) {
	t.Helper()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func (w *world) reopen(t testing.TB) {
	t.Helper()
	w.close(t)
	w.open(t)
}

// rebuild opens the archive with a new catalog.
func (w *world) rebuild(t testing.TB) {
	t.Helper()
	w.close(t)
	if err := w.fs.RemoveAll("catalog"); err != nil {
		t.Fatal(err)
	}
	w.open(t)
}

// land makes the group land, full or not.
func (w *world) land(t testing.TB) {
	t.Helper()
	w.group.mu.Lock()
	defer w.group.mu.Unlock()
	if err := w.group.land(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (w *world) begin(t testing.TB, mailbox string) *Session {
	t.Helper()
	s, err := w.Begin(mailbox)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// run is a session of its own that does one thing and commits.
func (w *world) run(t testing.TB, mailbox string, work func(s *Session)) Snapshot {
	t.Helper()
	s := w.begin(t, mailbox)
	work(s)
	snap, err := s.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return snap
}

// put is putItem for those who expect errors.
func put1(ctx context.Context, s *Session, item Item, data []byte) error {
	if item.Similar == nil {
		item.Similar = []byte{byte(len(data)), byte(len(data) >> 8)}
	}
	c := s.NewContent(ctx)
	for _, seg := range segments(data) {
		if err := c.Add(seg); err != nil {
			return err
		}
	}
	return s.Put(ctx, item, c)
}

func (w *world) read(t testing.TB, v *Version) []byte {
	t.Helper()
	r, err := w.OpenBlob(t.Context(), v)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// listed is a snapshot as text, a line for each item in order of its id on the server, every blob read back.
func (w *world) listed(t testing.TB, s Snapshot) string {
	t.Helper()
	var lines []string
	for v, err := range w.Versions(t.Context(), s) {
		if err != nil {
			t.Fatal(err)
		}
		data := w.read(t, v)
		lines = append(lines, fmt.Sprintf("%s %s %q %q %d %x\n", v.ItemID, v.ChangeKey, v.Folder, v.Summary, len(data), data[:min(len(data), 6)]))
	}
	return sorted(lines)
}

func sorted(lines []string) string {
	for i := range lines {
		for k := i; k > 0 && lines[k] < lines[k-1]; k-- {
			lines[k], lines[k-1] = lines[k-1], lines[k]
		}
	}
	return strings.Join(lines, "")
}

func (w *world) wantSound(t testing.TB) *CheckReport {
	t.Helper()
	r, err := w.Check(t.Context(), CheckOptions{ReadAll: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Errors) > 0 {
		t.Fatalf("check found %d faults, first %s", len(r.Errors), r.Errors[0])
	}
	return r
}

// snapshots are all of a mailbox; none when it has none.
func (w *world) snapshots(t testing.TB, mailbox string) (list []Snapshot) {
	t.Helper()
	if _, err := w.Latest(mailbox); err != nil {
		return nil
	}
	for s, err := range w.Snapshots(t.Context(), mailbox) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, s)
	}
	return list
}

// copies adds items that are like one another but for a field.
func (w *world) copies(t testing.TB, s *Session, item string, count int) {
	t.Helper()
	for n := range count {
		data := noise(77, 3000)
		copy(data[100:], fmt.Sprintf("copy %d of %s", n, item))
		if err := put1(t.Context(), s, Item{ItemID: fmt.Sprint(item, n), Similar: []byte("copies")}, data); err != nil {
			t.Fatal(err)
		}
	}
}

// recipeChunk stores bytes as a recipe that no item has yet.
func (w *world) recipeChunk(t *testing.T, b []byte) chunkID {
	t.Helper()
	id := w.ids.recipe(sha256.Sum256(b), nil)
	if _, err := w.group.recipe(t.Context(), id, pack.Similar{}, func() []byte { return b }); err != nil {
		t.Fatal(err)
	}
	w.run(t, "recipes", func(s *Session) { wantErr(t, "cursor", s.SetCursor(fmt.Sprintf("%x", id), []byte{1}), nil) })
	return id
}

// blobOf is the content of a number: of many sizes; some share long runs with others, and some are like others but for a
// field.
func blobOf(n int) []byte {
	size := []int{0, 5, 300, 2_000, 2_000, 9_000, 110_000}[n%7]
	data := noise(uint64(n), size)
	if size > 100_000 {
		copy(data[10_000:], noise(uint64(n%3), 90_000))
	}
	if size == 2_000 && n%2 == 1 {
		data = noise(uint64(n%3), size)
		copy(data[900:], fmt.Sprint("field ", n))
	}
	if n%2 == 0 {
		copy(data, bytes.Repeat([]byte(fmt.Sprintf("text %d ", n)), size/9))
	}
	return data
}
