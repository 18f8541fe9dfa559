package restore

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"mailbrick/archive"
)

// rooms is a vault of folders only, by ordinal.
type rooms struct {
	Vault
	at    func(ordinal uint32) map[string]archive.Folder
	asked int
}

func (r *rooms) Folders(_ context.Context, s archive.Snapshot) (map[string]archive.Folder, error) {
	if r.asked++; r.at == nil {
		return nil, errors.New("no list")
	}
	return r.at(s.Ordinal), nil
}

func TestHomes(t *testing.T) {
	t.Parallel()
	named := func(name string) map[string]archive.Folder {
		return map[string]archive.Folder{
			"top": {ID: "top", Kind: "msgfolderroot"},
			"in":  {ID: "in", ParentID: "top", Name: "Posteingang", Kind: "inbox"},
			"p":   {ID: "p", ParentID: "in", Name: name, Class: "IPF.Note"},
			"l1":  {ID: "l1", ParentID: "l2", Name: "l"}, "l2": {ID: "l2", ParentID: "l1", Name: "l"},
		}
	}
	at := func(ordinal uint32) map[string]archive.Folder {
		if ordinal < 5 {
			return named("Old")
		}
		return named("New")
	}
	for _, row := range []struct {
		name, folder, path string
		from, to           uint32
		want               string // path
		kind               string // of the first
		nowhere            bool
	}{
		{name: "as it is now", folder: "p", path: "Posteingang/New", from: 1, to: archive.Forever, want: "Posteingang/New", kind: "inbox"},
		{name: "as it was first", folder: "p", path: "Posteingang/Old", from: 1, to: archive.Forever, want: "Posteingang/Old", kind: "inbox"},
		{name: "as it was between", folder: "p", path: "Posteingang/Mid", from: 1, to: archive.Forever, want: "Posteingang/Mid", kind: "inbox"},
		{name: "the root", folder: "top", from: 1, to: 2},
		{name: "unknown, with a path", folder: "?", path: `A\/B/C`, from: 1, to: 2, want: `A\/B/C`},
		{name: "unknown", folder: "?", from: 1, to: 2, nowhere: true},
		{name: "moved deeper", folder: "p", path: "X/Y/Z", from: 1, to: 2, want: "X/Y/Z"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			h := homes{vault: &rooms{at: at}}
			line, err := h.of(t.Context(), &archive.Version{Mailbox: "m", FolderID: row.folder, Folder: row.path, From: row.from, To: row.to})
			if err != nil {
				t.Fatal(err)
			}
			names := make([]string, len(line))
			for i, f := range line {
				names[i] = f.Name
			}
			if got := joinPath(names); got != row.want || (line == nil) != row.nowhere {
				t.Errorf("%q (%v), want %q", got, line, row.want)
			}
			if len(line) > 0 && line[0].Kind != row.kind {
				t.Errorf("kind %q", line[0].Kind)
			}
		})
	}
	if line := lineage(named(""), "l1"); len(line) != 256 {
		t.Errorf("a loop of %d", len(line))
	}
	h := homes{vault: &rooms{}}
	if _, err := h.of(t.Context(), &archive.Version{}); err == nil {
		t.Error("no error")
	}
	r := &rooms{at: at}
	h = homes{vault: r}
	for range 100 {
		_, _ = h.of(t.Context(), &archive.Version{Mailbox: "m", FolderID: "p", Folder: "Posteingang/New", To: archive.Forever})
	}
	if r.asked != 1 {
		t.Errorf("asked %d times", r.asked)
	}
	r.asked = 0
	for n := range 3 * 500 { // items of many mailboxes in turns
		_, _ = h.of(t.Context(), &archive.Version{Mailbox: fmt.Sprint("m", n%500), FolderID: "p", Folder: "Posteingang/New", To: archive.Forever})
	}
	if r.asked != 500 {
		t.Errorf("asked %d times for 500 mailboxes", r.asked)
	}
	for n := range maxHeld {
		_, _ = h.of(t.Context(), &archive.Version{Mailbox: fmt.Sprint("other", n), FolderID: "p", Folder: "Posteingang/New", To: archive.Forever})
		if h.held > maxHeld || len(h.lists) > h.held {
			t.Fatalf("%d folders remembered in %d lists", h.held, len(h.lists))
		}
	}
}
