package index

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"mailbrick/archive"
	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/fasttransfer"
)

func folder(t testing.TB) string { return filepath.Join(t.TempDir(), "index") }

var errFault = errors.New("pulled the plug")

// TestCrash stops between the two commits of every batch, opens again and goes on.
func TestCrash(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			w, dir := newWorld(t, seed), folder(t)
			crashes := 0
			for stop := 0; ; stop++ {
				x, err := Open(dir, Options{Clock: testClock, BatchDocuments: 2})
				if err != nil {
					t.Fatal(err)
				}
				batches := 0
				x.fault = func() error {
					if batches++; batches > 1+stop/3 {
						return errFault
					}
					return nil
				}
				x.rows.atOnce, x.rows.fault = 1+int(seed), x.fault
				err = x.Follow(context.Background(), w.log, nil)
				if e := x.Close(); e != nil {
					t.Fatal(e)
				}
				if err == nil {
					break
				}
				if crashes++; !errors.Is(err, errFault) || stop > 1000 {
					t.Fatal(err)
				}
			}
			if crashes < 3 {
				t.Fatalf("only %d crashes", crashes)
			}
			x := openTest(t, dir, Options{})
			w.check(t, x, 40)
			sameAsNew(t, w, x)
		})
	}
}

// sameAsNew compares with an index made in one go.
func sameAsNew(t *testing.T, w *world, x *Index) {
	t.Helper()
	fresh := openTest(t, folder(t), Options{})
	follow(t, fresh, w.log)
	got, err := x.Stats()
	want, err2 := fresh.Stats()
	if err := errors.Join(err, err2); err != nil || got != want {
		t.Fatalf("%+v, a new one has %+v, %v", got, want, err)
	}
}

// TestFollowAfterWordIndexIsSetBack: rows are ahead of it, whole or, when it was in the midst of a commit, in part.
func TestFollowAfterWordIndexIsSetBack(t *testing.T) {
	t.Parallel()
	for _, pieces := range []int{0, 1, 3, 5} {
		t.Run(fmt.Sprint("in pieces ", pieces), func(t *testing.T) {
			t.Parallel()
			setBack(t, pieces)
		})
	}
}

func setBack(t *testing.T, pieces int) {
	w, dir, old := newWorld(t, 3), folder(t), t.TempDir()
	half := &memoryLog{changes: w.log.changes[:slices.IndexFunc(w.log.changes, func(c archive.Change) bool { return c.Position > w.at/2 })], blobs: w.log.blobs}
	x := openTest(t, dir, Options{})
	follow(t, x, half)
	mustClose(t, x)
	if err := os.CopyFS(old, os.DirFS(filepath.Join(dir, folderWords))); err != nil {
		t.Fatal(err)
	}
	x = openTest(t, dir, Options{})
	if pieces == 0 {
		follow(t, x, w.log)
	} else {
		x.rows.atOnce = 1
		left := pieces
		x.rows.fault = func() error {
			if left--; left < 0 {
				return errFault
			}
			return nil
		}
		if err := x.Follow(context.Background(), w.log, nil); !errors.Is(err, errFault) {
			t.Fatal(err)
		}
	}
	mustClose(t, x)
	if err := os.RemoveAll(filepath.Join(dir, folderWords)); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(dir, folderWords), os.DirFS(old)); err != nil {
		t.Fatal(err)
	}
	x = openTest(t, dir, Options{BatchDocuments: 1})
	if n, err := x.Behind(w.log.Head()); err != nil || n == 0 {
		t.Fatalf("behind by %d, %v", n, err)
	}
	follow(t, x, w.log)
	w.check(t, x, 40)
	sameAsNew(t, w, x)
}

func mustClose(t *testing.T, x *Index) {
	t.Helper()
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestFollowInSteps(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 5)
	x := openTest(t, folder(t), Options{})
	for n := range w.log.changes {
		if n+1 < len(w.log.changes) && w.log.changes[n+1].Position == w.log.changes[n].Position {
			continue
		}
		follow(t, x, &memoryLog{changes: w.log.changes[:n+1], blobs: w.log.blobs})
	}
	w.check(t, x, 40)
	opened := w.log.opened
	follow(t, x, w.log)
	if w.log.opened != opened {
		t.Fatal("an index that is up to date opens blobs")
	}
	if n, err := x.Behind(w.log.Head()); n != 0 || err != nil {
		t.Fatalf("behind by %d, %v", n, err)
	}
}

func TestRebuildFromNothing(t *testing.T) {
	t.Parallel()
	w, dir := newWorld(t, 6), folder(t)
	x := openTest(t, dir, Options{})
	follow(t, x, w.log)
	mustClose(t, x)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	x = openTest(t, dir, Options{})
	follow(t, x, w.log)
	w.check(t, x, 40)
}

func TestCopiesAreReadAndIndexedOnce(t *testing.T) {
	t.Parallel()
	log, l := newLog(), &letter{subject: "one", body: "two", id: "<a@b>"}
	copied := *l
	copied.id, copied.read = "<c@d>", true // another blob, the same message
	other := *l
	other.attachments, other.data = []string{"x"}, strings.Repeat("y", 5000)
	same := other
	same.id = "<e@f>"
	different := other
	different.data = strings.Repeat("z", 5000)
	for i, one := range []*letter{l, l, &copied, &other, &same, &different, l} {
		log.add(uint64(i+1), log.version(t, fmt.Sprint("m", i), 1, 0, "Inbox", 1, one))
	}
	x := openTest(t, folder(t), Options{})
	follow(t, x, log)
	s, err := x.Stats()
	if err != nil || s.Documents != 3 || s.Rows != 7 || log.opened != 5 {
		t.Fatalf("%+v after opening %d blobs, %v", s, log.opened, err)
	}
	q := Query{Text: "one", AllVersions: true}
	if got := found(t, x, q); len(got) != 7 {
		t.Fatal(got)
	}
	q.Distinct = true
	if got := found(t, x, q); len(got) != 3 {
		t.Fatal(got)
	}
}

func TestExceptions(t *testing.T) {
	t.Parallel()
	log := newLog()
	good := log.version(t, "m", 1, 0, "Inbox", 1, &letter{subject: "good news", body: "words of body"})
	cut := log.version(t, "m", 2, 0, "Inbox", 1, &letter{subject: "cut news", body: strings.Repeat("words ", 1000)})
	log.blobs[cut.SHA256] = log.blobs[cut.SHA256][:3000]
	bad := log.version(t, "m", 3, 0, "Inbox", 1, &letter{subject: "bad news", from: person("Ann B", "ann@x.example"), body: "unseen"})
	log.blobs[bad.SHA256] = []byte("this is no export stream, whatever it may be otherwise")
	lost := log.version(t, "m", 4, 0, "Inbox", 1, &letter{subject: "lost news", body: "unseen too"})
	delete(log.blobs, lost.SHA256)
	for i, v := range []*archive.Version{good, cut, bad, lost} {
		log.add(uint64(i+1), v)
	}
	x := openTest(t, folder(t), Options{})
	follow(t, x, log)
	for query, want := range map[string]int{"news": 4, "bad": 1, "from:ann@x.example": 1, "unseen": 0, "lost": 1, "body": 1} {
		if got := found(t, x, Query{Text: query, AllVersions: true}); len(got) != want {
			t.Errorf("%s found %v, want %d", query, got, want)
		}
	}
	reasons := map[[32]byte]string{}
	for blob, why := range x.Exceptions() {
		reasons[blob] = why
	}
	for v, says := range map[*archive.Version]string{cut: "truncated", bad: "unparsed", lost: "damaged"} {
		if !strings.Contains(reasons[v.SHA256], says) {
			t.Errorf("%q does not say %q", reasons[v.SHA256], says)
		}
	}
	if s, err := x.Stats(); err != nil || s.Exceptions != 3 {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestDamageHasNoLimit holds that damaged blobs are indexed by their summaries however many they are, and told.
func TestDamageHasNoLimit(t *testing.T) {
	t.Parallel()
	log := newLog()
	for i := range byte(40) {
		log.add(uint64(i+1), log.version(t, "m", i, 0, "Inbox", 1, &letter{subject: fmt.Sprint("s", i), body: "unseen"}))
	}
	log.fails = func(archive.ID) error { return fmt.Errorf("frame: %w", archive.ErrDamaged) }
	x := openTest(t, folder(t), Options{})
	follow(t, x, log)
	if s, err := x.Stats(); err != nil || s.Exceptions != 40 || s.Rows != 40 {
		t.Fatalf("%+v, %v", s, err)
	}
	if got := found(t, x, Query{Text: "s17", AllVersions: true}); len(got) != 1 {
		t.Fatal(got)
	}
}

// TestPassingError holds that an error that says nothing about the blob ends Follow before it, and the next call reads it.
func TestPassingError(t *testing.T) {
	t.Parallel()
	for name, passing := range map[string]error{"disk": syscall.EIO, "files": syscall.EMFILE, "other": errors.New("connection reset")} {
		for _, open := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, open %v", name, open), func(t *testing.T) {
				t.Parallel()
				log := newLog()
				for i := range byte(6) {
					log.add(uint64(i+1), log.version(t, "m", i, 0, "Inbox", 1, &letter{subject: fmt.Sprint("s", i), body: "seen"}))
				}
				if open {
					log.fails = func(id archive.ID) error {
						if id[0] == 3 {
							return passing
						}
						return nil
					}
				} else {
					log.cut = map[[32]byte]error{log.changes[3].Added.SHA256: passing}
				}
				x := openTest(t, folder(t), Options{BatchDocuments: 1})
				if err := x.Follow(context.Background(), log, nil); !errors.Is(err, passing) {
					t.Fatalf("got %v", err)
				}
				if p, err := x.Position(); err != nil || p > 3 {
					t.Fatalf("at %d, %v", p, err)
				}
				log.fails, log.cut = nil, nil
				follow(t, x, log)
				if s, err := x.Stats(); err != nil || s.Exceptions != 0 || s.Rows != 6 {
					t.Fatalf("%+v, %v", s, err)
				}
				if got := found(t, x, Query{Text: "seen", AllVersions: true}); len(got) != 6 {
					t.Fatal(got)
				}
			})
		}
	}
}

// TestDamageIsNotFinal holds that what a damaged blob stood for is not taken for the blob: a copy that comes after it was
// mended is read, and an index made anew has all.
func TestDamageIsNotFinal(t *testing.T) {
	t.Parallel()
	log, l, dir := newLog(), &letter{subject: "old news", body: strings.Repeat("words of body ", 300)}, folder(t)
	first := log.version(t, "m", 1, 0, "Inbox", 1, l)
	log.add(1, first)
	log.add(1, log.version(t, "m", 2, 0, "Inbox", 1, l)) // of the same batch
	log.cut = map[[32]byte]error{first.SHA256: fmt.Errorf("frame: %w", archive.ErrDamaged)}
	x := openTest(t, dir, Options{})
	follow(t, x, log)
	if got := found(t, x, Query{Text: "news", AllVersions: true}); len(got) != 2 || log.opened != 2 {
		t.Fatalf("%v after opening %d", got, log.opened)
	}
	log.cut = nil
	log.add(2, log.version(t, "n", 1, 0, "Inbox", 1, l))
	follow(t, x, log)
	if got := found(t, x, Query{Text: "body", AllVersions: true}); !slices.Equal(got, []string{"n/1@0"}) {
		t.Fatal(got)
	}
	for blob, why := range x.Exceptions() {
		if blob != first.SHA256 || !strings.Contains(why, "rebuild --index") {
			t.Errorf("%x: %q", blob, why)
		}
	}
	if s, err := x.Stats(); err != nil || s.Exceptions != 1 {
		t.Fatalf("%+v, %v", s, err)
	}
	mustClose(t, x)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	x = openTest(t, dir, Options{})
	follow(t, x, log)
	if s, err := x.Stats(); err != nil || s.Exceptions != 0 || s.Documents != 1 {
		t.Fatalf("%+v, %v", s, err)
	}
	if got := found(t, x, Query{Text: "body", AllVersions: true}); len(got) != 3 {
		t.Fatal(got)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 7)
	x := openTest(t, folder(t), Options{BatchDocuments: 1})
	ctx, cancel := context.WithCancel(context.Background())
	err := x.Follow(ctx, w.log, func(uint64) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if _, err := x.Count(ctx, Query{Text: "gas NOT power", AllVersions: true}); err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	follow(t, x, w.log)
	w.check(t, x, 20)
}

func TestSearchWhileFollowing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 8)
	x := openTest(t, folder(t), Options{BatchDocuments: 1})
	done := make(chan error)
	go func() { done <- x.Follow(context.Background(), w.log, nil) }()
	for last := 0; ; {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			w.check(t, x, 10)
			return
		default:
		}
		n, err := x.Count(context.Background(), Query{Text: "NOT xyzzy OR received>=1990-01-01", AllVersions: true})
		if err != nil || n < last {
			t.Fatalf("%d hits after %d, %v", n, last, err)
		}
		last = n
	}
}

func TestPanicIsDamage(t *testing.T) {
	t.Parallel()
	x := openTest(t, folder(t), Options{})
	err := x.Follow(context.Background(), panicLog{newLog()}, nil)
	if !errors.Is(err, ErrDamaged) {
		t.Fatalf("got %v", err)
	}
}

// panicLog stands in for a library that panics.
type panicLog struct{ *memoryLog }

func (panicLog) Head() uint64 { panic("slice bounds out of range") }

func TestSortAndLimit(t *testing.T) {
	t.Parallel()
	log := newLog()
	day := func(n int) time.Time { return time.Date(2021, 1, n, 0, 0, 0, 0, time.UTC) }
	for i, l := range []*letter{{received: day(2), sent: day(9)}, {received: day(3), sent: day(1)}, {}, {received: day(1), sent: day(5)}} {
		l.subject = fmt.Sprint("x ", i)
		log.add(uint64(i+1), log.version(t, "m", byte(i), 0, "Inbox", int64(10*i+5), l))
	}
	x := openTest(t, folder(t), Options{})
	follow(t, x, log)
	for by, want := range map[Sort]string{NewestReceived: "1 0 3 2", OldestReceived: "3 0 1 2", NewestSent: "0 3 1 2",
		OldestSent: "1 3 0 2", Largest: "3 2 1 0", Smallest: "0 1 2 3"} {
		var got []string
		for h, err := range x.Search(context.Background(), Query{Text: "x", AllVersions: true, Sort: by}) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprint(h.ID[0]))
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("sort %d gives %s, want %s", by, s, want)
		}
	}
	if got := found(t, x, Query{Text: "x", AllVersions: true, Limit: 2}); !slices.Equal(got, []string{"m/1@0", "m/0@0"}) {
		t.Error(got)
	}
}

// TestOutsideOfView holds that a mailbox without a complete snapshot never shows, nor what comes after the snapshot.
func TestOutsideOfView(t *testing.T) {
	t.Parallel()
	log := newLog()
	log.add(1, log.version(t, "done", 1, 0, "Inbox", 1, &letter{subject: "news"}))
	log.add(2, log.version(t, "done", 2, 1, "Inbox", 1, &letter{subject: "news of the day"}))
	log.add(3, log.version(t, "open", 1, 0, "Inbox", 1, &letter{subject: "news"}))
	x := openTest(t, folder(t), Options{})
	follow(t, x, log)
	for _, c := range []struct {
		name string
		q    Query
		want []string
	}{
		{"all versions", Query{AllVersions: true, View: map[string]uint32{"done": 0}}, []string{"done/1@0"}},
		{"all versions, asked for", Query{AllVersions: true, View: map[string]uint32{"done": 0}, Mailboxes: []string{"open"}}, []string{}},
		{"all versions, none in view", Query{AllVersions: true, View: map[string]uint32{}}, []string{}},
		{"all versions, no view", Query{AllVersions: true}, []string{"done/2@1", "done/1@0", "open/1@0"}},
		{"snapshot", Query{View: map[string]uint32{"done": 0}}, []string{"done/1@0"}},
	} {
		for _, c.q.Text = range []string{"", "news"} {
			if got := found(t, x, c.q); !slices.Equal(got, c.want) {
				t.Errorf("%s, %q: got %v, want %v", c.name, c.q.Text, got, c.want)
			}
		}
	}
}

func TestAssociatedItemsAreApart(t *testing.T) {
	t.Parallel()
	log := newLog()
	v := log.version(t, "m", 1, 0, "Inbox", 1, &letter{subject: "settings"})
	v.Associated = true
	log.add(1, v)
	x := openTest(t, folder(t), Options{})
	follow(t, x, log)
	if got := found(t, x, Query{Text: "settings", AllVersions: true}); len(got) != 0 {
		t.Error(got)
	}
	if got := found(t, x, Query{Text: "settings", AllVersions: true, Associated: true}); len(got) != 1 {
		t.Error(got)
	}
}

func TestTooManyExpansions(t *testing.T) {
	t.Parallel()
	log := newLog()
	var body strings.Builder
	for i := range maxExpansions + 1 {
		fmt.Fprintf(&body, "abc%d ", i)
	}
	log.add(1, log.version(t, "m", 1, 0, "Inbox", 1, &letter{subject: "s", body: body.String()}))
	x := openTest(t, folder(t), Options{})
	follow(t, x, log)
	_, err := x.Count(context.Background(), Query{Text: "s AND abc*", AllVersions: true})
	if err == nil || !strings.Contains(err.Error(), "column 7: abc* stands for more than") {
		t.Fatalf("got %v", err)
	}
}

// TestLargeAttachment holds that memory does not grow with what is not searched.
func TestLargeAttachment(t *testing.T) {
	if testing.Short() {
		t.Skip("32 MiB of attachment")
	}
	log := newLog()
	l := &letter{subject: "large", body: strings.Repeat("word of a long body ", 5000), attachments: []string{"big.bin"}}
	m := l.message()
	m.Attachments[0].Properties.Set(mapi.NewBinary(mapi.PidTagAttachData, bytes.Repeat([]byte("0123456789abcdef"), 32<<16)))
	var b bytes.Buffer
	if err := fasttransfer.Encode(&b, m, fasttransfer.EncodeOptions{}); err != nil {
		t.Fatal(err)
	}
	v := log.version(t, "m", 1, 0, "Inbox", 1, l)
	log.blobs[v.SHA256] = b.Bytes()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	c, err := readContent(context.Background(), log, v, &values{})
	runtime.ReadMemStats(&after)
	if err != nil || !strings.HasPrefix(c.body, "word of") || len(c.body) != len(l.body) {
		t.Fatalf("%d bytes of body, %v", len(c.body), err)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 8<<20 {
		t.Fatalf("%d bytes allocated", n)
	}
}

// TestCrowdedMessage: of a message of very many small parts as many are searched as there is memory for, and the report says so.
func TestCrowdedMessage(t *testing.T) {
	t.Parallel()
	log := newLog()
	l := &letter{subject: "crowded"}
	m := l.message()
	for range 400_000 {
		m.Recipients = append(m.Recipients, mapi.Bag{mapi.NewInt32(mapi.PidTagRecipientType, mapi.RecipientTo)})
	}
	var b bytes.Buffer
	if err := fasttransfer.Encode(&b, m, fasttransfer.EncodeOptions{}); err != nil {
		t.Fatal(err)
	}
	v := log.version(t, "m", 1, 0, "Inbox", 1, l)
	log.blobs[v.SHA256] = b.Bytes()
	c, err := readContent(t.Context(), log, v, &values{})
	if err != nil || c.subject != "crowded" || len(c.to) == 0 || len(c.to) == 400_000 || !strings.HasPrefix(c.exception, "parts cut") {
		t.Fatalf("%d recipients, %q, %v", len(c.to), c.exception, err)
	}
}
