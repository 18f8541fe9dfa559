package fetch_test

import (
	"bytes"
	"context"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"testing"

	"mailbrick/archive"
	"mailbrick/fetch"
	"mailbrick/fetch/exchangetest"
)

// manyKnown are folders, and items in each, that a mailbox has.
func manyKnown() (folders, items int) {
	if os.Getenv("MAILBRICK_TORTURE") == "1" {
		return 20, 50_000
	}
	return 20, 1_000
}

// standIn is a source whose items are all the first one: to know a million of them takes no export of each.
type standIn struct {
	fetch.Source
	blob []byte
}

func (s *standIn) Export(ctx context.Context, items []fetch.Ref, each func(int, fetch.Ref, io.Reader, error) error) error {
	if s.blob == nil {
		err := s.Source.Export(ctx, items[:1], func(_ int, _ fetch.Ref, blob io.Reader, err error) error {
			if err == nil {
				s.blob, err = io.ReadAll(blob)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	for n, it := range items {
		if err := each(n, it, bytes.NewReader(s.blob), nil); err != nil {
			return err
		}
	}
	return nil
}

// watchful notes at every so many pages how much memory is alive.
type watchful struct {
	fetch.Source
	every, pages int
	most         uint64
}

func (w *watchful) Changes(ctx context.Context, folderID, state string) (fetch.Page, error) {
	if w.pages++; w.pages%w.every == 0 {
		w.most = max(w.most, alive())
	}
	return w.Source.Changes(ctx, folderID, state)
}

func (w *watchful) Parts() []fetch.Part { return w.Source.(fetch.Scoped).Parts() }

func alive() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// allocated is what was taken so far: bytes and pieces.
func allocated() (bytes, pieces uint64) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc, m.Mallocs
}

// listings counts how often the mailbox's list of the archive is read.
type listings struct {
	*archive.Session
	n, every int
	most     uint64
}

func (l *listings) ItemsIn(ctx context.Context, folderIDs ...string) iter.Seq2[string, error] {
	l.n++
	return func(yield func(string, error) bool) {
		told := 0
		for id, err := range l.Session.ItemsIn(ctx, folderIDs...) {
			if told++; told%l.every == 0 {
				l.most = max(l.most, alive())
			}
			if !yield(id, err) {
				return
			}
		}
	}
}

// known is a mailbox of a server, and an archive that has all of it.
type known struct {
	*testing.T
	url   string
	a     *archive.Archive
	items int
}

func newKnown(t *testing.T) *known {
	folders, items := manyKnown()
	s := exchangetest.New(exchangetest.Options{TempDir: t.TempDir()})
	s.AddAccount("backup", "secret")
	if err := s.Make(testAddress, folders, items, 0); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	t.Cleanup(func() {
		server.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	k := &known{T: t, url: server.URL, a: openArchive(t), items: folders * items}
	source, _ := k.ews()
	if r := k.run(&standIn{Source: source}, k.session()); r.Exported != k.items || !r.Complete {
		t.Fatalf("first: %d exported, %+v", r.Exported, r.Failures)
	}
	return k
}

func (k *known) session() *listings {
	s, err := k.a.Begin(testAddress)
	if err != nil {
		k.Fatal(err)
	}
	return &listings{Session: s, every: k.items / 5}
}

func (k *known) run(source fetch.Source, s *listings) fetch.Result {
	k.Helper()
	r, err := fetch.Run(k.Context(), source, s, fetch.Options{})
	if cerr := s.Close(k.Context()); err != nil || cerr != nil {
		k.Fatal(err, cerr)
	}
	if r.Snapshot.Items != k.items {
		k.Errorf("%d items, want %d", r.Snapshot.Items, k.items)
	}
	return r
}

func (k *known) ews() (fetch.Source, func() int) {
	c := ewsClient(k.T, k.url)
	return fetch.EWS(c, fetch.EWSScope{}), func() int { return c.Stats().Requests }
}

func (k *known) graph() (fetch.Source, func() int) {
	c := graphClient(k.T, k.url, http.DefaultTransport)
	return fetch.Graph(c, fetch.GraphScope{}), func() int { return c.Stats().Requests }
}

// nothingNew is a run that finds nothing new: what it asks and takes does not depend on how many items there are.
func (k *known) nothingNew(protocol string, open func() (fetch.Source, func() int)) {
	k.Helper()
	source, requests := open()
	s := k.session()
	was, pieces := allocated()
	r := k.run(source, s)
	now, piecesNow := allocated()
	if r.Exported != 0 || !r.Complete || r.Snapshot.Added+r.Snapshot.Changed+r.Snapshot.Removed != 0 {
		k.Errorf("%s: not unchanged: %+v", protocol, r.Snapshot)
	}
	k.Logf("%s: nothing new of %d: %d requests, %.1f MiB allocated in %d pieces", protocol, k.items, requests(), float64(now-was)/(1<<20), piecesNow-pieces)
	if requests() > 3 || s.n > 0 {
		k.Errorf("%s: nothing new took %d requests and %d looks at the archive's list", protocol, requests(), s.n)
	}
	if now-was > 12<<20 || piecesNow-pieces > 20_000 {
		k.Errorf("%s: nothing new took %d bytes in %d pieces", protocol, now-was, piecesNow-pieces)
	}
}

// raced says that the race detector is at work, whose memory is not the program's.
func raced() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// relisted is a run to which the server's states mean nothing: all is listed, nothing is exported, and the archive's list is read
// now and then, in parts.
func (k *known) relisted(protocol string, open func() (fetch.Source, func() int)) {
	k.Helper()
	source, _ := open()
	w := &watchful{Source: source, every: max(k.items/512/20, 1)}
	s := k.session()
	for _, err := range s.Session.ItemsIn(k.Context(), "none") { // reads all rows: what the catalog keeps of them lies on this heap without C
		if err != nil {
			k.Fatal(err)
		}
	}
	was := alive()
	r := k.run(w, s)
	if r.Exported != 0 || !r.Complete || r.Snapshot.Removed != 0 {
		k.Errorf("%s: listed anew: %d exported, %+v", protocol, r.Exported, r.Snapshot)
	}
	most := max(w.most, s.most)
	k.Logf("%s: listed anew: %d pages, %d looks at the archive's list, %.1f MiB more alive", protocol, w.pages, s.n, float64(max(most, was)-was)/(1<<20))
	if want := k.items>>18 + 1; s.n == 0 || s.n > want {
		k.Errorf("%s: listed anew: %d looks at the archive's list, want %d at most", protocol, s.n, want)
	}
	if most > was+4<<20+uint64(k.items)*64 && !raced() { // an id alone has more
		k.Errorf("%s: listed anew: %d bytes more than before it", protocol, most-was)
	}
}

// TestManyKnownItems: a mailbox of which everything is known costs three requests and memory that does not grow with it, by both
// protocols, and so does one whose states were lost but for the listing itself. It is not parallel: it looks at the memory of the
// whole process. MAILBRICK_TORTURE=1 makes it a million.
func TestManyKnownItems(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(50)) // as the program has it
	k := newKnown(t)
	source, _ := k.ews()
	k.run(source, k.session()) // tells what is covered, which the stand-in does not
	for _, open := range []func() (fetch.Source, func() int){k.graph, k.ews} {
		source, _ := open()
		k.run(source, k.session()) // the catalog's tables, which lie on this heap without C, grow to what they are at most
	}
	k.nothingNew("EWS", k.ews)
	k.relisted("Graph", k.graph)
	k.nothingNew("Graph", k.graph)
	k.relisted("EWS", k.ews)
}
