package archive

import (
	"errors"
	"fmt"
	"testing"
)

// forgetWorld has a mailbox with an item that was changed, one that was removed and one that stayed.
func forgetWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	put := func(s *Session, item string, n int) {
		if err := put1(t.Context(), s, Item{ItemID: item, ChangeKey: fmt.Sprint(n)}, noise(uint64(n), 3000)); err != nil {
			t.Fatal(err)
		}
	}
	w.run(t, "a", func(s *Session) { put(s, "changed", 1); put(s, "removed", 2); put(s, "stays", 3) })
	w.run(t, "a", func(s *Session) { put(s, "changed", 4); wantErr(t, "remove", s.Remove("removed"), nil) })
	w.run(t, "a", func(s *Session) { put(s, "late", 5) })
	return w
}

func (w *world) shownIn(t *testing.T, s Snapshot) (items []string) {
	t.Helper()
	for v, err := range w.Versions(t.Context(), s) {
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, fmt.Sprintf("%s %s", v.ItemID, v.ChangeKey))
	}
	return items
}

func TestForget(t *testing.T) {
	t.Parallel()
	w := forgetWorld(t)
	id := func(item string) ID { return w.ids.item("a", item) }
	for _, row := range []struct {
		name string
		f    Forget
		want error
	}{
		{"alive", Forget{Versions: []VersionRef{{"a", id("stays"), 1}}}, ErrAlive},
		{"no such version", Forget{Versions: []VersionRef{{"a", id("stays"), 2}}}, ErrNotFound},
		{"no such mailbox", Forget{Versions: []VersionRef{{"b", id("stays"), 1}}}, ErrNotFound},
		{"latest snapshot", Forget{Snapshots: []SnapshotRef{{"a", 3}}}, ErrAlive},
		{"future snapshot", Forget{Snapshots: []SnapshotRef{{"a", 4}}}, ErrNotFound},
		{"one of two is alive", Forget{Versions: []VersionRef{{"a", id("removed"), 1}, {"a", id("stays"), 1}}}, ErrAlive},
		{"nothing", Forget{Reason: "none"}, nil},
	} {
		head := w.Head()
		if _, err := w.Forget(t.Context(), row.f); !errors.Is(err, row.want) || w.Head() != head {
			t.Errorf("%s: %v, want %v; record %d follows %d", row.name, err, row.want, w.Head(), head)
		}
	}
	ref := VersionRef{"A", id("removed"), 1}
	r, err := w.Forget(t.Context(), Forget{Reason: "test", Versions: []VersionRef{{"a", id("changed"), 1}, ref, ref}, Snapshots: []SnapshotRef{{"a", 1}}})
	if err != nil || r.Versions != 2 || r.Snapshots != 1 || r.Bytes != 6000 || r.Position != w.Head() {
		t.Fatalf("forgot %+v, %v", r, err)
	}
	check := func() {
		t.Helper()
		if list := w.snapshots(t, "a"); len(list) != 2 || list[0].Ordinal != 2 {
			t.Errorf("snapshots %+v", list)
		}
		if got := w.shownIn(t, Snapshot{Mailbox: "a", Ordinal: 1}); fmt.Sprint(got) != "[stays 3]" {
			t.Errorf("the first snapshot shows %q", got)
		}
		if _, err := w.Item(t.Context(), id("removed")); !errors.Is(err, ErrNotFound) {
			t.Errorf("what was forgotten is there: %v", err)
		}
		if v, err := w.Item(t.Context(), id("stays")); err != nil || v.FirstSeen.IsZero() {
			t.Errorf("what stays was first seen %v, %v", v, err)
		}
		w.wantSound(t)
	}
	check()
	w.rebuild(t)
	check()
	if _, err := w.Forget(t.Context(), Forget{Versions: []VersionRef{ref}}); !errors.Is(err, ErrNotFound) {
		t.Errorf("forgotten twice: %v", err)
	}
}

// TestForgetLiving removes what the latest snapshot shows, also while it is being changed: the counts stay true.
func TestForgetLiving(t *testing.T) {
	t.Parallel()
	w := forgetWorld(t)
	var refs []VersionRef
	for _, item := range []string{"stays", "changed", "late"} {
		v, err := w.Item(t.Context(), w.ids.item("a", item))
		if err != nil {
			t.Fatal(err)
		}
		refs = append(refs, VersionRef{"a", v.ID, v.From})
	}
	s := w.begin(t, "a")
	wantErr(t, "put", put1(t.Context(), s, Item{ItemID: "changed", ChangeKey: "9"}, noise(9, 3000)), nil)
	wantErr(t, "remove", s.Remove("late"), nil)
	w.land(t)
	if _, err := w.Forget(t.Context(), Forget{Versions: refs, Living: true}); err != nil {
		t.Fatal(err)
	}
	if _, _, known, err := s.Known("stays"); known || err != nil {
		t.Errorf("what was forgotten is known: %v", err)
	}
	snap, err := s.Commit(t.Context())
	if err != nil || snap.Items != 1 || snap.Added != 1 || snap.Changed != 0 || snap.Removed != 0 {
		t.Errorf("snapshot %+v, %v", snap, err)
	}
	wantErr(t, "close", s.Close(t.Context()), nil)
	w.rebuild(t)
	if got := w.shownIn(t, snap); fmt.Sprint(got) != "[changed 9]" {
		t.Errorf("shows %q", got)
	}
	w.wantSound(t)
}
