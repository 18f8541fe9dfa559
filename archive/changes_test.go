package archive

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// rows are the changes after a position as text.
func (w *world) rows(t *testing.T, after uint64) (list []string) {
	t.Helper()
	for c, err := range w.Changes(t.Context(), after) {
		if err != nil {
			t.Fatal(err)
		}
		if c.Position <= after {
			t.Fatalf("position %d after %d", c.Position, after)
		}
		list = append(list, rowText(c))
	}
	return list
}

func rowText(c Change) string {
	if c.Ended != nil {
		return fmt.Sprintf("%d %s ends %s at %d", c.Position, c.Mailbox, c.Ended.ID, c.Ended.At)
	}
	v := c.Added
	return fmt.Sprintf("%d %s adds %s %s %s in %q %d %x [%d,%d)", c.Position, c.Mailbox, v.ID, v.ItemID, v.ChangeKey, v.Folder, v.Size, v.SHA256[:4], v.From, v.To)
}

func TestChangesFromAnywhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Archive.opts.groupMax = 4000
	for _, tg := range script(11, 8) {
		if _, err := w.bringUpTo(t.Context(), tg); err != nil {
			t.Fatal(err)
		}
	}
	all := w.rows(t, 0)
	if len(all) < 20 {
		t.Fatalf("only %d rows", len(all))
	}
	for after := uint64(1); after <= w.Head()+1; after++ {
		want := slices.Clone(all)
		want = slices.DeleteFunc(want, func(row string) bool {
			var n uint64
			_, err := fmt.Sscan(row, &n)
			return err != nil || n <= after
		})
		if got := w.rows(t, after); !slices.Equal(got, want) {
			t.Errorf("after %d: %d rows, want %d", after, len(got), len(want))
		}
	}
	w.rebuild(t)
	if got := w.rows(t, 0); !slices.Equal(got, all) {
		t.Error("rebuilt: other rows")
	}
}

// TestFollowing makes of the changes what an index makes of them, and compares it with what the archive lists.
func TestFollowing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Archive.opts.groupMax = 4000
	type row struct {
		from, to uint32
		text     string
	}
	items := map[string][]row{}
	var at uint64
	for _, tg := range script(12, 10) {
		if _, err := w.bringUpTo(t.Context(), tg); err != nil {
			t.Fatal(err)
		}
		for c, err := range w.Changes(t.Context(), at) {
			if err != nil {
				t.Fatal(err)
			}
			at = c.Position
			id, end := ID{}, uint32(0)
			if c.Ended != nil {
				id, end = c.Ended.ID, c.Ended.At
			} else {
				id, end = c.Added.ID, c.Added.From
			}
			key := c.Mailbox + "/" + id.String()
			if n := len(items[key]); n > 0 {
				last := &items[key][n-1]
				last.to = min(last.to, max(end, last.from))
			}
			if c.Added != nil {
				items[key] = append(items[key], row{end, Forever, c.Added.ItemID + " " + c.Added.ChangeKey})
			}
		}
	}
	for _, m := range w.Mailboxes() {
		for _, s := range w.snapshots(t, m.Mailbox) {
			var got, want []string
			for key, rows := range items {
				for _, r := range rows {
					if strings.HasPrefix(key, m.Mailbox+"/") && r.from <= s.Ordinal && s.Ordinal < r.to {
						got = append(got, r.text)
					}
				}
			}
			for v, err := range w.Versions(t.Context(), s) {
				if err != nil {
					t.Fatal(err)
				}
				want = append(want, v.ItemID+" "+v.ChangeKey)
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("%s %d: following gives %q, listing %q", m.Mailbox, s.Ordinal, got, want)
			}
		}
	}
}

// TestChangesAfterRename: the folder of a version is named as its record names it, also when an earlier record of the same
// snapshot, followed just before, named it otherwise.
func TestChangesAfterRename(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.begin(t, "m")
	rename := func(name string) { wantErr(t, "folder", s.PutFolder(Folder{ID: "f", Name: name}), nil) }
	put := func(item string) {
		wantErr(t, "put", put1(t.Context(), s, Item{ItemID: item, FolderID: "f"}, []byte("x")), nil)
	}
	rename("old")
	put("1")
	w.land(t)
	var paths []string
	for c, err := range w.Changes(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if c.Added == nil {
			continue
		}
		if len(paths) == 0 { // while somebody follows
			rename("new")
			put("2")
			w.land(t)
		}
		paths = append(paths, c.Added.Folder)
	}
	if !slices.Equal(paths, []string{"old", "new"}) {
		t.Errorf("paths %q", paths)
	}
	if _, err := s.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	rename("newer")
	snap, err := s.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		ordinal uint32
		want    string
	}{{1, "new"}, {2, "newer"}} {
		snap.Ordinal = tt.ordinal
		for v, err := range w.Versions(t.Context(), snap) {
			if err != nil || v.Folder != tt.want {
				t.Errorf("snapshot %d: %q, %v, want %q", tt.ordinal, v.Folder, err, tt.want)
			}
		}
	}
}

func TestPath(t *testing.T) {
	t.Parallel()
	folders := map[string]Folder{
		"root": {ID: "root"}, "a": {ID: "a", ParentID: "root", Name: "A/B"}, "b": {ID: "b", ParentID: "a", Name: "C"},
		"x": {ID: "x", ParentID: "y", Name: "X"}, "y": {ID: "y", ParentID: "x", Name: "Y"}, "orphan": {ID: "orphan", ParentID: "gone", Name: "O"},
	}
	for id, want := range map[string]string{"root": "", "a": `A\/B`, "b": `A\/B/C`, "orphan": "O", "nobody": ""} {
		if got := Path(folders, id); got != want {
			t.Errorf("%s: %q, want %q", id, got, want)
		}
	}
	if got := Path(folders, "x"); len(got) > 2000 {
		t.Errorf("a loop of folders is a path of %d bytes", len(got))
	}
}

// TestPendingIsNotShown asks everything about a mailbox whose first run, and one whose second, was broken off.
func TestPendingIsNotShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.run(t, "second", func(s *Session) {
		wantErr(t, "folder", s.PutFolder(Folder{ID: "f", Name: "old"}), nil)
		for _, id := range []string{"stays", "changes", "goes"} {
			wantErr(t, "put", put1(t.Context(), s, Item{ItemID: id, ChangeKey: "1", FolderID: "f"}, []byte(id)), nil)
		}
	})
	before := w.listed(t, first)
	s := w.begin(t, "second")
	wantErr(t, "folder", s.PutFolder(Folder{ID: "f", Name: "new"}), nil)
	wantErr(t, "put", put1(t.Context(), s, Item{ItemID: "changes", ChangeKey: "2", FolderID: "f"}, []byte("other")), nil)
	wantErr(t, "put", put1(t.Context(), s, Item{ItemID: "comes", ChangeKey: "2", FolderID: "f"}, []byte("other")), nil)
	wantErr(t, "remove", s.Remove("goes"), nil)
	broken := w.begin(t, "broken")
	wantErr(t, "put", put1(t.Context(), broken, Item{ItemID: "x"}, []byte("x")), nil)
	w.reopen(t)

	if got := w.Mailboxes(); len(got) != 1 || got[0] != first {
		t.Errorf("mailboxes %+v", got)
	}
	for id, versions := range map[string]int{"stays": 1, "changes": 1, "goes": 1, "comes": 0} {
		n := 0
		for v, err := range w.History(t.Context(), w.ids.item("second", id)) {
			if err != nil {
				if versions > 0 {
					t.Errorf("%s: %v", id, err)
				}
				continue
			}
			if n++; v.Deleted || v.To != Forever || v.Folder != "old" || v.ChangeKey != "1" || v.LastSeen != first.Time {
				t.Errorf("%s: %+v", id, v)
			}
		}
		if n != versions {
			t.Errorf("%s has %d versions, want %d", id, n, versions)
		}
	}
	if list := w.listed(t, first); list != before {
		t.Errorf("lists %s, was %s", list, before)
	}
	future := first
	future.Ordinal = 2
	for _, err := range w.Versions(t.Context(), future) {
		wantErr(t, "versions of what is not complete", err, ErrNotFound)
	}
	for _, ordinal := range []uint32{1, 2, Forever - 1} {
		folders, err := w.Folders(t.Context(), Snapshot{Mailbox: "second", Ordinal: ordinal})
		if err != nil || folders["f"].Name != "old" || folders["f"].To != Forever {
			t.Errorf("folders at %d: %+v, %v", ordinal, folders, err)
		}
	}
	_, err := w.Latest("broken")
	wantErr(t, "latest", err, ErrNotFound)
	_, err = w.At(t.Context(), "broken", first.Time)
	wantErr(t, "at", err, ErrNotFound)
	_, err = w.Folders(t.Context(), Snapshot{Mailbox: "broken", Ordinal: 1})
	wantErr(t, "folders", err, ErrNotFound)
	n := 0
	for _, err := range w.Snapshots(t.Context(), "broken") {
		wantErr(t, "snapshots", err, ErrNotFound)
		n++
	}
	for _, err := range w.Versions(t.Context(), Snapshot{Mailbox: "broken", Ordinal: 1}) {
		wantErr(t, "versions", err, ErrNotFound)
		n++
	}
	for _, err := range w.History(t.Context(), w.ids.item("broken", "x")) {
		wantErr(t, "history", err, ErrNotFound)
		n++
	}
	if n != 3 {
		t.Errorf("%d answers about a mailbox without snapshots, want 3", n)
	}
}
