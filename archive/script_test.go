package archive

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// target is what a run finds in a mailbox: items by id, with the number of their content.
type target struct {
	mailbox string
	items   map[string]int
}

// script is runs over two mailboxes, each of which finds something new. It can be gone on with from anywhere, for each run
// brings a mailbox up to date as real ones do.
func script(seed uint64, runs int) (list []target) {
	r := rand.New(rand.NewPCG(seed, 3))
	now := []map[string]int{{}, {}}
	for n := range runs {
		box := n % 2
		items := now[box]
		for range 2 + r.IntN(4) {
			items[fmt.Sprintf("i%d", r.IntN(7))] = r.IntN(40)
		}
		for _, id := range slices.Sorted(maps.Keys(items)) {
			if len(items) > 3 && r.IntN(5) == 0 {
				delete(items, id)
			}
		}
		items["n"] = n // so that it is new in any case
		list = append(list, target{fmt.Sprintf("box%d", box), maps.Clone(items)})
	}
	return list
}

// bringUpTo is one run.
func (w *world) bringUpTo(ctx context.Context, tg target) (snap Snapshot, err error) {
	s, err := w.Begin(tg.mailbox)
	if err != nil {
		return snap, err
	}
	defer func() { err = errors.Join(err, s.Close(ctx)) }()
	if err := s.PutFolder(Folder{ID: "f", Name: fmt.Sprint("Inbox of ", tg.items["n"])}); err != nil {
		return snap, err
	}
	gone, err := s.listItems(ctx, "f")
	if err != nil {
		return snap, err
	}
	for n, id := range slices.Sorted(maps.Keys(tg.items)) {
		gone = slices.DeleteFunc(gone, func(g string) bool { return g == id })
		if err := fetchOne(ctx, s, id, tg.items[id]); err != nil {
			return snap, err
		}
		// The cursor says: up to here this run's items are in.
		if err := s.SetCursor("at", []byte(fmt.Sprintf("%d %s", tg.items["n"], id))); err != nil {
			return snap, err
		}
		if n%2 == 1 {
			if err := s.Checkpoint(ctx); err != nil {
				return snap, err
			}
		}
	}
	for _, id := range gone {
		if err := s.Remove(id); err != nil {
			return snap, err
		}
	}
	return s.Commit(ctx)
}

// fetchOne puts an item unless it is known as it is; some changes are of a flag.
func fetchOne(ctx context.Context, s *Session, id string, n int) error {
	key, _, ok, err := s.Known(id)
	if err != nil || ok && key == fmt.Sprint(n) {
		return err
	}
	return put1(ctx, s, Item{ItemID: id, ChangeKey: fmt.Sprint(n), FolderID: "f"}, blobOf(n))
}

func (tg target) want() string {
	var lines []string
	for id, n := range tg.items {
		data := blobOf(n)
		lines = append(lines, fmt.Sprintf("%s %d %q %q %d %x\n", id, n, fmt.Sprint("Inbox of ", tg.items["n"]), "", len(data), data[:min(len(data), 6)]))
	}
	return sorted(lines)
}

// wantScript looks for the snapshots of a script, as far as it came, and gives how many runs are in.
func (w *world) wantScript(t testing.TB, runs []target) int {
	t.Helper()
	got := map[string][]Snapshot{}
	all := 0
	for _, box := range []string{"box0", "box1"} {
		got[box] = w.snapshots(t, box)
		all += len(got[box])
	}
	if all > len(runs) {
		t.Fatalf("%d snapshots of %d runs", all, len(runs))
	}
	for _, tg := range runs[:all] {
		if len(got[tg.mailbox]) == 0 {
			t.Fatalf("%d snapshots, but not in order: none left for %s", all, tg.mailbox)
		}
		s := got[tg.mailbox][0]
		got[tg.mailbox] = got[tg.mailbox][1:]
		if list := w.listed(t, s); list != tg.want() {
			t.Fatalf("%s %d is\n%swant\n%s", s.Mailbox, s.Ordinal, list, tg.want())
		}
	}
	return all
}

// wantCursors proves that a cursor never runs ahead of what was put before it.
func (w *world) wantCursors(t testing.TB, runs []target) {
	t.Helper()
	for _, box := range []string{"box0", "box1"} {
		s := w.begin(t, box)
		at, err := s.Cursor("at")
		if err != nil {
			t.Fatal(err)
		}
		if at != nil {
			wantUpTo(t, s, runs, string(at))
		}
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func wantUpTo(t testing.TB, s *Session, runs []target, at string) {
	t.Helper()
	var n int
	var last string
	if _, err := fmt.Sscan(at, &n, &last); err != nil {
		t.Fatal(err)
	}
	for id, want := range runs[n].items {
		key, _, ok, err := s.Known(id)
		if id <= last && (err != nil || !ok || key != fmt.Sprint(want)) {
			t.Fatalf("%s: the cursor is at %q, but %s is %q (%v), not %d", s.Mailbox(), at, id, key, err, want)
		}
	}
}

// finish does the rest of a script and looks at everything, also with a new catalog.
func (w *world) finish(t testing.TB, runs []target) {
	t.Helper()
	done := w.wantScript(t, runs)
	w.wantCursors(t, runs)
	for _, tg := range runs[done:] {
		if _, err := w.bringUpTo(t.Context(), tg); err != nil {
			t.Fatalf("go on with run %d: %v", tg.items["n"], err)
		}
	}
	if all := w.wantScript(t, runs); all != len(runs) {
		t.Fatalf("%d snapshots at the end, want %d", all, len(runs))
	}
	w.wantSound(t)
	var before []Snapshot
	for _, m := range w.Mailboxes() {
		before = append(before, w.snapshots(t, m.Mailbox)...)
	}
	w.rebuild(t)
	var after []Snapshot
	for _, m := range w.Mailboxes() {
		after = append(after, w.snapshots(t, m.Mailbox)...)
	}
	if !slices.Equal(before, after) {
		t.Fatalf("rebuilt: %+v\nwas %+v", after, before)
	}
	w.wantScript(t, runs)
	w.close(t)
}

// TestScript is the script without anything in its way.
func TestScript(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		w := newWorld(t)
		w.Archive.opts.groupMax = 4000
		w.finish(t, script(seed, 7))
	}
}
