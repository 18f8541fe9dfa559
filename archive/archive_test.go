package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mailbrick/archive/blob/dir"
)

// testArchive is an archive in a folder of the test's, with a clock that goes on a second at each look.
type testArchive struct {
	t    *testing.T
	opts Options
	*Archive
	closed bool
}

func newTestArchive(t *testing.T) *testArchive {
	t.Helper()
	root := t.TempDir()
	bucket, err := dir.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	ta := &testArchive{t: t, opts: Options{Bucket: bucket, inline: -1, Catalog: filepath.Join(root, "catalog"),
		Clock: func() time.Time { now = now.Add(time.Second); return now }}}
	if err := Init(t.Context(), ta.opts); err != nil {
		t.Fatal(err)
	}
	ta.open()
	t.Cleanup(func() { wantErr(t, "close", ta.Close(), nil) }) // its folder goes next
	return ta
}

func (ta *testArchive) open() {
	ta.t.Helper()
	a, err := Open(ta.t.Context(), ta.opts)
	if err != nil {
		ta.t.Fatal(err)
	}
	ta.Archive, ta.closed = a, false
}

// Close closes it if it is open.
func (ta *testArchive) Close() error {
	if ta.closed {
		return nil
	}
	ta.closed = true
	return ta.Archive.Close()
}

func (ta *testArchive) reopen() {
	ta.t.Helper()
	if err := ta.Close(); err != nil {
		ta.t.Fatal(err)
	}
	ta.open()
}

// segments cuts a blob the way a codec would: framing, small properties and long values mixed.
func segments(data []byte) []Segment {
	var out []Segment
	for i, n := 0, 0; n < len(data); i++ {
		k := min(len(data)-n, []int{8, 700, 90000, 31680}[i%4])
		out = append(out, Segment{[]int{0, 1, 2, 2}[i%4], []Kind{Framing, Small, Bulk, Bulk}[i%4], data[n : n+k]})
		n += k
	}
	return out
}

func putItem(t *testing.T, s *Session, item Item, data []byte) {
	t.Helper()
	c := s.NewContent(t.Context())
	for _, seg := range segments(data) {
		if err := c.Add(seg); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Put(t.Context(), item, c); err != nil {
		t.Fatal(err)
	}
}

func noise(seed uint64, n int) []byte {
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	b := make([]byte, n)
	_, _ = r.Read(b)
	return b
}

func (ta *testArchive) session(mailbox string, work func(s *Session)) Snapshot {
	ta.t.Helper()
	s, err := ta.Begin(mailbox)
	if err != nil {
		ta.t.Fatal(err)
	}
	defer s.Close(ta.t.Context())
	work(s)
	snap, err := s.Commit(ta.t.Context())
	if err != nil {
		ta.t.Fatal(err)
	}
	return snap
}

// holds lists a snapshot as item id = content seed, proving every blob on the way.
func (ta *testArchive) holds(s Snapshot) map[string]string {
	ta.t.Helper()
	out := map[string]string{}
	for v, err := range ta.Versions(ta.t.Context(), s) {
		if err != nil {
			ta.t.Fatal(err)
		}
		r, err := ta.OpenBlob(ta.t.Context(), v)
		if err != nil {
			ta.t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			ta.t.Fatal(err)
		}
		out[v.ItemID] = fmt.Sprintf("%s %s %x", v.ChangeKey, v.Folder, data[:min(4, len(data))])
	}
	return out
}

func wantSame(t *testing.T, got, want map[string]string) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("have %v\nwant %v", got, want)
	}
}

func TestSnapshots(t *testing.T) {
	t.Parallel()
	ta := newTestArchive(t)
	first := ta.session("A@x.example", func(s *Session) {
		_ = s.PutFolder(Folder{ID: "f1", Name: "Inbox", Kind: "inbox"})
		_ = s.PutFolder(Folder{ID: "f2", ParentID: "f1", Name: "a/b"})
		putItem(t, s, Item{ItemID: "1", ChangeKey: "k1", FolderID: "f1"}, noise(1, 500_000))
		putItem(t, s, Item{ItemID: "2", ChangeKey: "k1", FolderID: "f2"}, noise(2, 10))
		putItem(t, s, Item{ItemID: "3", ChangeKey: "k1", FolderID: "f2"}, nil)
	})
	if first.Items != 3 || first.Added != 3 || first.Ordinal != 1 {
		t.Errorf("first snapshot %+v", first)
	}
	was := ta.holds(first)
	second := ta.session("a@x.example", func(s *Session) {
		ck, folder, ok, err := s.Known("1")
		if ck != "k1" || folder != "f1" || !ok || err != nil {
			t.Errorf("known %q %q %v %v", ck, folder, ok, err)
		}
		putItem(t, s, Item{ItemID: "1", ChangeKey: "k2", FolderID: "f1"}, noise(9, 300_000))
		if err := s.Amend("2", "k9", func([]byte) ([]byte, error) { return []byte("read"), nil }); err != nil {
			t.Error(err)
		}
		_ = s.Remove("3")
		_ = s.Remove("nobody")
		_ = s.PutFolder(Folder{ID: "f2", ParentID: "f1", Name: "renamed"})
		_ = s.SetCursor("c", []byte("v"))
	})
	if second.Items != 2 || second.Added != 0 || second.Changed != 2 || second.Removed != 1 {
		t.Errorf("second snapshot %+v", second)
	}
	head := ta.Head()
	third := ta.session("a@x.example", func(s *Session) { _ = s.SetCursor("c", []byte("v")) })
	if third.Ordinal != 2 || third.Changed != 0 || ta.Head() != head {
		t.Errorf("a run that found nothing left %+v, record %d after %d", third, ta.Head(), head)
	}
	wantSame(t, ta.holds(first), was)
	now := ta.holds(second)
	if len(now) != 2 || now["2"] != fmt.Sprintf("k9 Inbox/renamed %x", noise(2, 4)) {
		t.Errorf("second holds %v", now)
	}
	if at, err := ta.At(t.Context(), "a@x.example", second.Time.Add(-time.Millisecond)); err != nil || at.Ordinal != 1 {
		t.Errorf("just before the second: %+v, %v", at, err)
	}
	if _, err := ta.At(t.Context(), "a@x.example", first.Time.Add(-time.Millisecond)); !errors.Is(err, ErrNotFound) {
		t.Errorf("before the first: %v", err)
	}

	wantErr(t, "close", ta.Close(), nil)
	wantErr(t, "remove the catalog", os.RemoveAll(ta.opts.Catalog), nil)
	ta.open()
	wantSame(t, ta.holds(first), was)
	wantSame(t, ta.holds(second), now)
	report, err := ta.Check(t.Context(), CheckOptions{ReadAll: true})
	if err != nil || len(report.Errors) > 0 || report.Items != 5 {
		t.Errorf("check: %+v, %v", report, err)
	}
}

func TestUncommittedIsNotShown(t *testing.T) {
	t.Parallel()
	ta := newTestArchive(t)
	ta.Archive.opts.groupMax = 1
	first := ta.session("m", func(s *Session) { putItem(t, s, Item{ItemID: "1", ChangeKey: "a"}, noise(1, 9)) })
	s, err := ta.Begin("m")
	if err != nil {
		t.Fatal(err)
	}
	putItem(t, s, Item{ItemID: "1", ChangeKey: "b"}, noise(2, 9))
	putItem(t, s, Item{ItemID: "2", ChangeKey: "b"}, noise(3, 9))
	if err := s.SetCursor("at", []byte("here")); err != nil {
		t.Fatal(err)
	}
	if err := s.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	_ = s.Close(t.Context())
	ta.reopen()
	last, err := ta.Latest("m")
	if err != nil || last.Ordinal != 1 {
		t.Fatalf("latest %+v, %v", last, err)
	}
	if got := ta.holds(last); len(got) != 1 || len(ta.holds(first)) != 1 {
		t.Errorf("shown before commit: %v", got)
	}
	resumed := ta.session("m", func(s *Session) {
		if at, _ := s.Cursor("at"); string(at) != "here" {
			t.Errorf("cursor %q", at)
		}
		if ck, _, _, _ := s.Known("1"); ck != "b" {
			t.Errorf("checkpointed item has change key %q", ck)
		}
		_ = s.Remove("2")
	})
	if resumed.Items != 1 || resumed.Added != 0 || resumed.Changed != 1 || resumed.Removed != 0 || len(ta.holds(resumed)) != 1 {
		t.Errorf("resumed %+v: %v", resumed, ta.holds(resumed))
	}
}

func TestDeduplicates(t *testing.T) {
	t.Parallel()
	ta := newTestArchive(t)
	attachment := noise(5, 3_000_000)
	add := func(mailbox string, head byte) {
		ta.session(mailbox, func(s *Session) {
			c := s.NewContent(t.Context())
			for i, part := range [][]byte{{head}, bytes.Repeat([]byte{head}, 700), attachment[:31680], {0, 0, 0, 8}, attachment[31680:]} {
				seg := Segment{[]int{0, 1, 2, 0, 2}[i], []Kind{Framing, Small, Bulk, Framing, Bulk}[i], part}
				if err := c.Add(seg); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Put(t.Context(), Item{ItemID: "x"}, c); err != nil {
				t.Fatal(err)
			}
		})
	}
	add("a", 1)
	one, err := ta.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	add("b", 2)
	two, err := ta.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if grown := two.StoredBytes - one.StoredBytes; grown > 10_000 {
		t.Errorf("a second copy of the attachment costs %d bytes", grown)
	}
	if two.ExportedBytes < 6_000_000 || two.DistinctBytes > 3_100_000 || two.Items != 2 || two.Mailboxes != 2 {
		t.Errorf("stats %+v", two)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	bucket, err := dir.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Bucket: bucket, Catalog: filepath.Join(root, "catalog"), Passphrase: "right", WorkFactor: 10}
	if _, err := Open(t.Context(), o); !errors.Is(err, ErrNoArchive) {
		t.Errorf("empty bucket: %v", err)
	}
	if err := Init(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if err := Init(t.Context(), o); !errors.Is(err, ErrExists) {
		t.Errorf("second init: %v", err)
	}
	wrong := o
	wrong.Passphrase = "wrong"
	if _, err := Open(t.Context(), wrong); !errors.Is(err, ErrWrongKey) {
		t.Errorf("wrong passphrase: %v", err)
	}
	a, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), o); !errors.Is(err, ErrInUse) {
		t.Errorf("opened twice: %v", err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(root, "config.copy")); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		config string
		want   error
	}{
		"newer format": {`{"format": 99, "id": "x"}`, ErrVersion},
		"not ours":     {`hello`, ErrNotArchive},
		"other json":   {`{}`, ErrNotArchive},
	} {
		if err := os.Remove(filepath.Join(root, "config")); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, "config"), []byte(c.config), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), o); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestTwoWriters(t *testing.T) {
	t.Parallel()
	ta := newTestArchive(t)
	o := ta.opts
	o.Catalog = filepath.Join(t.TempDir(), "catalog")
	other, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	add := func(a *Archive, mailbox string) error {
		s, err := a.Begin(mailbox)
		if err != nil {
			return err
		}
		defer s.Close(context.Background())
		putItem(t, s, Item{ItemID: "1"}, noise(1, 100))
		_, err = s.Commit(t.Context())
		return err
	}
	if err := add(other, "theirs"); err != nil {
		t.Fatal(err)
	}
	if err := add(ta.Archive, "mine"); err != nil {
		t.Errorf("different mailboxes: %v", err)
	}
	if _, err := ta.Latest("theirs"); err != nil {
		t.Errorf("the other's mailbox: %v", err)
	}
	if err := add(other, "mine"); !errors.Is(err, ErrConflict) {
		t.Errorf("the same mailbox: %v", err)
	}
}

func TestRollbackIsRefused(t *testing.T) {
	t.Parallel()
	ta := newTestArchive(t)
	ta.session("m", func(s *Session) { putItem(t, s, Item{ItemID: "1"}, noise(1, 100)) })
	if err := ta.Close(); err != nil {
		t.Fatal(err)
	}
	var last string
	for info, err := range ta.opts.Bucket.List(t.Context(), "journal/") {
		if err != nil {
			t.Fatal(err)
		}
		last = info.Name
	}
	if err := ta.opts.Bucket.Remove(t.Context(), last); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), ta.opts); !errors.Is(err, ErrRollback) {
		t.Errorf("journal cut off: %v", err)
	}
}
