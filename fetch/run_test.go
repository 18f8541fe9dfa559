package fetch_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mailbrick/archive"
	"mailbrick/archive/blob/blobtest"
	"mailbrick/fetch"
	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/fasttransfer"
)

// fakeItem is an item of the fake mailbox.
type fakeItem struct {
	ref     fetch.Ref
	blob    []byte
	cause   []error // what the next exports of it end in, before the blob comes
	garbled int     // exports in which something else comes
}

// fakeSource is a mailbox whose server does as it is told. States are the number of changes seen.
type fakeSource struct {
	folders  []fetch.Folder
	log      map[string][]fetch.Change // by folder
	items    map[string]*fakeItem
	pageSize int
	lost     bool   // forget all states once
	vanished string // a folder that is said not to be there, once
	whole    error  // the next export as a whole ends in it
	exports  []string
	batches  []int
	listed   int
}

func newFakeSource() *fakeSource {
	return &fakeSource{pageSize: 4, log: map[string][]fetch.Change{}, items: map[string]*fakeItem{},
		folders: []fetch.Folder{{ID: "root", Mark: "0"}, {ID: "in", ParentID: "root", Name: "Inbox", Kind: "inbox", Mark: "0"}, {ID: "sub", ParentID: "in", Name: "Sub", Mark: "0"}}}
}

func (s *fakeSource) change(folder string, c fetch.Change) {
	s.log[folder] = append(s.log[folder], c)
	for i := range s.folders {
		if s.folders[i].ID == folder {
			s.folders[i].Mark = fmt.Sprint(len(s.log[folder]))
		}
	}
}

// put creates an item or changes it.
func (s *fakeSource) put(folder, id, changeKey, subject string) {
	m := &mapi.Message{Properties: mapi.Bag{mapi.NewText(mapi.PidTagMessageClass, "IPM.Note"), mapi.NewText(mapi.PidTagSubject, subject)}}
	var b bytes.Buffer
	if err := fasttransfer.Encode(&b, m, fasttransfer.EncodeOptions{}); err != nil {
		panic(err) // a message of two strings always encodes
	}
	ref := fetch.Ref{ItemID: id, ChangeKey: changeKey, Size: int64(b.Len())}
	s.items[id] = &fakeItem{ref: ref, blob: b.Bytes()}
	s.change(folder, fetch.Change{Kind: fetch.Put, Ref: ref})
}

func (s *fakeSource) Folders(context.Context) ([]fetch.Folder, error) {
	return slices.Clone(s.folders), nil
}

func (s *fakeSource) Changes(_ context.Context, folder, state string) (fetch.Page, error) {
	s.listed++
	if s.vanished == folder {
		s.vanished = ""
		return fetch.Page{}, fetch.ErrGone
	}
	from := 0
	if state != "" {
		if s.lost {
			s.lost = false
			return fetch.Page{}, fetch.ErrStateLost
		}
		if _, err := fmt.Sscan(state, &from); err != nil {
			return fetch.Page{}, err
		}
	}
	all := s.log[folder]
	if state == "" { // the beginning lists what is there, as Exchange does
		all = s.alive(folder)
		return fetch.Page{Changes: all, State: fmt.Sprint(len(s.log[folder])), Last: true}, nil
	}
	to := min(len(all), from+s.pageSize)
	return fetch.Page{Changes: all[from:to], State: fmt.Sprint(to), Last: to == len(all)}, nil
}

func (s *fakeSource) alive(folder string) (out []fetch.Change) {
	seen := map[string]bool{}
	for _, c := range slices.Backward(s.log[folder]) {
		if seen[c.ItemID] {
			continue
		}
		seen[c.ItemID] = true
		if c.Kind != fetch.Deleted {
			out = append(out, fetch.Change{Kind: fetch.Put, Ref: s.items[c.ItemID].ref})
		}
	}
	slices.Reverse(out)
	return out
}

func (s *fakeSource) Export(_ context.Context, items []fetch.Ref, each func(int, fetch.Ref, io.Reader, error) error) error {
	s.batches = append(s.batches, len(items))
	for n, ref := range items {
		s.exports = append(s.exports, ref.ItemID)
		it := s.items[ref.ItemID]
		var err error
		switch {
		case it == nil:
			err = each(n, ref, nil, fetch.ErrGone)
		case len(it.cause) > 0:
			cause := it.cause[0]
			it.cause = it.cause[1:]
			err = each(n, ref, nil, cause)
		case it.garbled > 0:
			it.garbled--
			err = each(n, it.ref, strings.NewReader(strings.Repeat("this is no export stream ", 9)), nil)
		default:
			err = each(n, it.ref, bytes.NewReader(it.blob), nil)
		}
		if err != nil {
			return err
		}
	}
	err := s.whole
	s.whole = nil
	return err
}

// bench is an archive in memory that fake mailboxes are backed up into.
type bench struct {
	*testing.T
	a      *archive.Archive
	source *fakeSource
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{T: t, source: newFakeSource()}
	o := archive.Options{Bucket: &blobtest.Memory{}, Catalog: filepath.Join(t.TempDir(), "catalog")}
	if err := archive.Init(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	var err error
	if b.a, err = archive.Open(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.a.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func (b *bench) try(o fetch.Options) (fetch.Result, error) {
	b.Helper()
	s, err := b.a.Begin("m@x.example")
	if err != nil {
		b.Fatal(err)
	}
	b.source.exports, b.source.listed = nil, 0
	r, err := fetch.Run(b.Context(), b.source, s, o)
	if cerr := s.Close(b.Context()); cerr != nil {
		b.Error(cerr)
	}
	return r, err
}

func (b *bench) run() fetch.Result {
	b.Helper()
	r, err := b.try(fetch.Options{})
	if err != nil {
		b.Fatal(err)
	}
	return r
}

// holds lists what the latest snapshot shows: item id = change key, folder, subject, read.
func (b *bench) holds() map[string]string {
	b.Helper()
	snap, err := b.a.Latest("m@x.example")
	if err != nil {
		b.Fatal(err)
	}
	out := map[string]string{}
	for v, err := range b.a.Versions(b.Context(), snap) {
		if err != nil {
			b.Fatal(err)
		}
		s, err := mapi.DecodeSummary(v.Summary)
		if err != nil {
			b.Fatal(err)
		}
		out[v.ItemID] = fmt.Sprintf("%s %s %q %v", v.ChangeKey, v.Folder, s.Subject, s.Read)
		r, err := b.a.OpenBlob(b.Context(), v)
		if err != nil {
			b.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if it := b.source.items[v.ItemID]; err != nil || it != nil && it.ref.ChangeKey == v.ChangeKey && !bytes.Equal(got, it.blob) {
			b.Errorf("item %s reads back %d bytes, %v", v.ItemID, len(got), err)
		}
	}
	return out
}

func (b *bench) wants(want map[string]string) {
	b.Helper()
	if got := b.holds(); fmt.Sprint(got) != fmt.Sprint(want) {
		b.Errorf("archive holds %v\nwant          %v", got, want)
	}
}

func TestRunFollowsChanges(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for i := range 9 {
		b.source.put("in", fmt.Sprint("i", i), "k", "s")
	}
	b.source.put("sub", "deep", "k", "below")
	if r := b.run(); r.Exported != 10 || !r.Complete || r.Snapshot.Added != 10 {
		t.Fatalf("first run %+v", r)
	}
	if r := b.run(); r.Exported != 0 || b.source.listed != 0 || r.Snapshot.Added != 0 || r.Snapshot.Items != 10 {
		t.Errorf("unchanged run %+v, %d lists", r, b.source.listed)
	}
	b.source.put("in", "i1", "k2", "changed")
	b.source.change("in", fetch.Change{Kind: fetch.Deleted, Ref: fetch.Ref{ItemID: "i2"}})
	b.source.items["i3"].ref.ChangeKey = "k3"
	b.source.change("in", fetch.Change{Kind: fetch.Flagged, Ref: b.source.items["i3"].ref, Read: true})
	b.source.change("in", fetch.Change{Kind: fetch.Put, Ref: b.source.items["i4"].ref}) // told again, not changed
	r := b.run()
	if !slices.Equal(b.source.exports, []string{"i1"}) || r.Snapshot.Changed != 2 || r.Snapshot.Removed != 1 || r.Snapshot.Added != 0 {
		t.Errorf("second run exported %v: %+v", b.source.exports, r.Snapshot)
	}
	want := map[string]string{"deep": `k Inbox/Sub "below" false`, "i1": `k2 Inbox "changed" false`, "i3": `k3 Inbox "s" true`}
	for _, id := range []string{"i0", "i4", "i5", "i6", "i7", "i8"} {
		want[id] = `k Inbox "s" false`
	}
	b.wants(want)
}

func TestRunKeepsGoingPastBadItems(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, id := range []string{"good", "bad", "shaky", "garbage"} {
		b.source.put("in", id, "k", "s")
	}
	bad := fmt.Errorf("%w: ErrorCorruptData", fetch.ErrItem)
	b.source.items["bad"].cause = []error{bad}
	b.source.items["shaky"].cause = []error{fetch.ErrAgain, fetch.ErrAgain}
	b.source.items["garbage"].blob = bytes.Repeat([]byte("this is no export stream "), 9)
	r := b.run()
	if r.Complete || len(r.Failures) != 1 || r.Failures[0].ItemID != "bad" || r.Unparsed != 1 || r.Exported != 3 {
		t.Fatalf("run %+v", r)
	}
	if got := b.holds(); len(got) != 3 || !strings.HasPrefix(got["shaky"], "k Inbox") {
		t.Errorf("archive holds %v", got)
	}
	// The next run takes up the failed item though nothing has changed, and fails again.
	b.source.items["bad"].cause = []error{bad}
	head := b.a.Head()
	if r := b.run(); r.Complete || len(r.Failures) != 1 || r.Failures[0].Since.IsZero() || r.Failures[0].Folder != "Inbox" || !slices.Equal(b.source.exports, []string{"bad"}) {
		t.Errorf("second run %+v exported %v", r, b.source.exports)
	}
	if b.a.Head() != head {
		t.Errorf("failing again wrote to the journal: record %d after %d", b.a.Head(), head)
	}
	if r := b.run(); !r.Complete || len(r.Failures) != 0 || r.Snapshot.Added != 1 {
		t.Errorf("third run %+v", r)
	}
	if r := b.run(); !r.Complete || len(b.source.exports) != 0 {
		t.Errorf("fourth run %+v exported %v", r, b.source.exports)
	}
}

// TestGoneAndNotGone: an item that was listed and is not there when it is asked for went meanwhile, which the next list says.
// Where it does not, the server was wrong: the item is asked for again, and is a failure when it is still not to be had.
func TestGoneAndNotGone(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, id := range []string{"went", "lie", "ghost"} {
		b.source.put("in", id, "k", "s")
	}
	gone := []error{fetch.ErrGone, fetch.ErrGone, fetch.ErrGone}
	b.source.items["went"].cause, b.source.items["lie"].cause, b.source.items["ghost"].cause = gone, gone[:1], gone
	if r := b.run(); !r.Complete || r.Exported != 0 {
		t.Errorf("first run %+v", r)
	}
	b.source.change("in", fetch.Change{Kind: fetch.Deleted, Ref: fetch.Ref{ItemID: "went"}})
	for i, want := range []int{1, 0} {
		head := b.a.Head()
		r := b.run()
		if r.Complete || r.Exported != want || len(r.Failures) != 1 || r.Failures[0].ItemID != "ghost" || slices.Contains(b.source.exports, "went") {
			t.Errorf("run %d: %+v, asked for %v", i+2, r, b.source.exports)
		}
		if want == 0 && b.a.Head() != head {
			t.Error("failing again wrote to the journal")
		}
	}
	if r := b.run(); !r.Complete || r.Exported != 1 { // the ghost is there after all
		t.Errorf("fourth run %+v", r)
	}
	b.wants(map[string]string{"lie": `k Inbox "s" false`, "ghost": `k Inbox "s" false`})
}

// TestGarbledOnce: what cannot be read is asked for again, once; of many it is their form that is not known.
func TestGarbledOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.source.put("in", "well", "k", "s")
	b.source.items["well"].garbled = 1
	if r := b.run(); r.Unparsed != 0 || r.Exported != 1 || len(b.source.exports) != 2 {
		t.Errorf("%+v, asked for %v", r, b.source.exports)
	}
	b.wants(map[string]string{"well": `k Inbox "s" false`})
	for n := range 50 {
		b.source.put("in", fmt.Sprint("strange", n), "k", "s")
		b.source.items[fmt.Sprint("strange", n)].garbled = 99
	}
	if r := b.run(); r.Unparsed != 50 || !r.Complete || len(b.source.exports) != 70 {
		t.Errorf("%+v, asked %d times", r, len(b.source.exports))
	}
}

// TestFailedAndNoLongerThere: what failed is forgotten when a list of all does not have it any more.
func TestFailedAndNoLongerThere(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, id := range []string{"here", "away"} {
		b.source.put("in", id, "k", "s")
		b.source.items[id].cause = []error{fetch.ErrItem, fetch.ErrItem, fetch.ErrItem}
	}
	if r := b.run(); len(r.Failures) != 2 {
		t.Fatalf("first run %+v", r)
	}
	b.source.change("in", fetch.Change{Kind: fetch.Deleted, Ref: fetch.Ref{ItemID: "away"}})
	b.source.lost = true
	if r := b.run(); len(r.Failures) != 1 || r.Failures[0].ItemID != "here" || slices.Contains(b.source.exports, "away") {
		t.Errorf("second run %+v, asked for %v", r, b.source.exports)
	}
}

// TestFolderThatIsSaidToBeGone: as a rule it is; where the next listing has it again, that was not true.
func TestFolderThatIsSaidToBeGone(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.source.put("sub", "deep", "k", "s")
	for i, failures := range []int{0, 1} {
		b.source.vanished = "sub"
		if r := b.run(); len(r.Failures) != failures || len(r.Coverage.Gaps) != 1 || r.Complete != (failures == 0) {
			t.Errorf("run %d: %+v", i+1, r)
		}
	}
	if r := b.run(); !r.Complete || r.Exported != 1 || len(r.Coverage.Gaps) != 0 {
		t.Errorf("third run %+v", r)
	}
}

// TestBrokenFirstPage: what a broken run took in and is gone before the next one does not stay for ever.
func TestBrokenFirstPage(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, id := range []string{"a", "b", "c", "d"} {
		b.source.put("in", id, "k", "s")
	}
	b.source.items["c"].cause = []error{errors.New("power")}
	if _, err := b.try(fetch.Options{BatchItems: 1}); err == nil {
		t.Fatal("the run was not broken")
	}
	b.source.change("in", fetch.Change{Kind: fetch.Deleted, Ref: fetch.Ref{ItemID: "a"}})
	if r := b.run(); !slices.Equal(b.source.exports, []string{"c", "d"}) || r.Snapshot.Items != 3 {
		t.Errorf("exported %v, %+v", b.source.exports, r.Snapshot)
	}
	b.wants(map[string]string{"b": `k Inbox "s" false`, "c": `k Inbox "s" false`, "d": `k Inbox "s" false`})
}

func TestTruncatedIsNeverKept(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.source.put("in", "cut", "k", "s")
	b.source.put("in", "ok", "k", "s")
	full := b.source.items["cut"].blob
	b.source.items["cut"].blob = full[:len(full)-3]
	if r := b.run(); r.Complete || len(r.Failures) != 1 || r.Exported != 1 {
		t.Fatalf("run %+v", r)
	}
	b.source.items["cut"].blob = full
	if r := b.run(); !r.Complete || r.Snapshot.Items != 2 {
		t.Errorf("after the server came back %+v", r)
	}
	// An answer that turns out bad as a whole gives nothing, though every item in it looked whole.
	b.source.put("in", "late", "k", "s")
	b.source.whole = fetch.ErrAgain
	if r := b.run(); !r.Complete || !slices.Equal(b.source.exports, []string{"late", "late"}) {
		t.Errorf("run %+v exported %v", r, b.source.exports)
	}
}

func TestLostStateStoresNothingTwice(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, id := range []string{"a", "b", "c"} {
		b.source.put("in", id, "k", "s")
	}
	b.run()
	b.source.put("in", "d", "k", "s")
	b.source.change("in", fetch.Change{Kind: fetch.Deleted, Ref: fetch.Ref{ItemID: "b"}})
	b.source.lost = true
	r := b.run()
	if !slices.Equal(b.source.exports, []string{"d"}) || r.Snapshot.Removed != 1 || r.Snapshot.Added != 1 || r.Snapshot.Items != 3 {
		t.Errorf("exported %v, %+v", b.source.exports, r.Snapshot)
	}
}

func TestFoldersComeAndGo(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.source.put("in", "a", "k", "s")
	b.source.put("sub", "b", "k", "s")
	b.source.items["b"].cause = []error{fetch.ErrItem}
	b.run()
	b.source.folders[1].Name = "Eingang"
	b.run()
	b.wants(map[string]string{"a": `k Eingang "s" false`, "b": `k Eingang/Sub "s" false`})
	b.source.folders = b.source.folders[:2]
	if r := b.run(); r.Snapshot.Removed != 1 || r.Snapshot.Items != 1 {
		t.Errorf("after the folder went %+v", r.Snapshot)
	}
	b.wants(map[string]string{"a": `k Eingang "s" false`})
}

func TestScope(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		o    fetch.Options
		want int
	}{
		"all":            {fetch.Options{}, 3},
		"include":        {fetch.Options{Include: []string{"inbox/SUB"}}, 1},
		"include parent": {fetch.Options{Include: []string{"/Inbox/"}}, 2},
		"exclude":        {fetch.Options{Exclude: []string{"Inbox/Sub"}}, 2},
		"everything":     {fetch.Options{Include: []string{"/"}}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.source.put("root", "r", "k", "s")
			b.source.put("in", "a", "k", "s")
			b.source.put("sub", "b", "k", "s")
			if r, err := b.try(c.o); err != nil || r.Snapshot.Items != c.want {
				t.Errorf("%d items, %v; want %d", r.Snapshot.Items, err, c.want)
			}
		})
	}
}

func TestIncludedFolderThatIsNotThere(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.source.put("in", "a", "k", "s")
	r, err := b.try(fetch.Options{Include: []string{"Inb"}})
	if err != nil || r.Complete || len(r.Failures) != 1 || r.Failures[0].Folder != "Inb" || r.Exported != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestBrokenRunGoesOn stops a run at each export in turn: the next one finishes, and everything is there once.
func TestBrokenRunGoesOn(t *testing.T) {
	t.Parallel()
	broken := errors.New("the line is cut")
	for stop := range 6 {
		b := newBench(t)
		for i := range 6 {
			b.source.put("in", fmt.Sprint("i", i), "k", "s")
		}
		b.source.items[fmt.Sprint("i", stop)].cause = []error{broken}
		if _, err := b.try(fetch.Options{BatchItems: 2}); !errors.Is(err, broken) {
			t.Fatalf("stop at %d: %v", stop, err)
		}
		r := b.run()
		if r.Snapshot.Added != 6 || len(b.source.exports) != 6-stop/2*2 {
			t.Errorf("stopped at %d: %d added, exported again %v", stop, r.Snapshot.Added, b.source.exports)
		}
	}
}

func TestBatches(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for i := range 7 {
		b.source.put("in", fmt.Sprint("i", i), "k", "s")
	}
	b.source.items["i2"].ref.Size = 1 << 30 // goes alone
	if r, err := b.try(fetch.Options{BatchBytes: 1 << 20, BatchItems: 3}); err != nil || r.Snapshot.Items != 7 || !slices.Equal(b.source.batches, []int{2, 1, 3, 1}) {
		t.Errorf("batches of %v, %+v, %v", b.source.batches, r, err)
	}
}

// pagedSource answers for the folder "in" with pages of its own making.
type pagedSource struct {
	*fakeSource
	page func(state string) (fetch.Page, error)
}

func (s *pagedSource) Changes(ctx context.Context, folder, state string) (fetch.Page, error) {
	if folder == "in" {
		return s.page(state)
	}
	return s.fakeSource.Changes(ctx, folder, state)
}

// TestFolderThatCannotBeFollowed: pages that lead nowhere, and a state that is lost again and again, are told of as the
// folder's; the others are brought up to date.
func TestFolderThatCannotBeFollowed(t *testing.T) {
	t.Parallel()
	next := map[string]string{"": "a", "a": "b", "b": "a"}
	for name, page := range map[string]func(string) (fetch.Page, error){
		"the same state":     func(string) (fetch.Page, error) { return fetch.Page{State: "s"}, nil },
		"states in a circle": func(state string) (fetch.Page, error) { return fetch.Page{State: next[state]}, nil },
		"lost again": func(state string) (fetch.Page, error) {
			if state == "" {
				return fetch.Page{State: "s"}, nil
			}
			return fetch.Page{}, fetch.ErrStateLost
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.source.put("sub", "i", "k", "s")
			asked := 0
			source := &pagedSource{b.source, func(state string) (fetch.Page, error) {
				if asked++; asked > 100 {
					return fetch.Page{}, errors.New("asked without end")
				}
				return page(state)
			}}
			for range 2 {
				r, err := b.runOf(source, fetch.Options{Full: true})
				if err != nil || r.Complete || r.Snapshot.Items != 1 || len(r.Failures) != 1 || r.Failures[0].Folder != "Inbox" {
					t.Errorf("%+v, %v", r, err)
				}
			}
			b.source.change("in", fetch.Change{})
			b.source.log["in"] = nil
			b.source.put("in", "j", "k", "s")
			if r := b.run(); !r.Complete || r.Snapshot.Items != 2 {
				t.Errorf("once it can: %+v", r)
			}
		})
	}
}
