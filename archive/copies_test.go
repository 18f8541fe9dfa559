package archive

import (
	"bytes"
	"fmt"
	"testing"

	"mailbrick/archive/pack"
)

// entries are all chunks of all packs.
func (w *world) entries(t *testing.T) map[chunkID]pack.Chunk {
	t.Helper()
	out := map[chunkID]pack.Chunk{}
	for n := uint64(1); n <= w.Head(); n++ {
		for _, p := range w.record(t, n).Body.Packs {
			table, err := w.packs.Table(t.Context(), p.Name)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range table.Frames {
				for _, c := range f.Chunks {
					out[c.ID] = c
				}
			}
		}
	}
	return out
}

// TestCopiesAreDeltas: of items that are like one another one is whole, wherever its pack is, and a catalog made anew knows it.
func TestCopiesAreDeltas(t *testing.T) {
	t.Parallel()
	for name, between := range map[string]func(t *testing.T, w *world){
		"in one group":    func(*testing.T, *world) {},
		"in two groups":   func(t *testing.T, w *world) { w.land(t) },
		"opened again":    func(t *testing.T, w *world) { w.reopen(t) },
		"catalog rebuilt": func(t *testing.T, w *world) { w.rebuild(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.run(t, "a", func(s *Session) { w.copies(t, s, "a", 3) })
			between(t, w)
			w.run(t, "b", func(s *Session) { w.copies(t, s, "b", 3) })
			whole, deltas, bytes := 0, 0, 0
			for _, c := range w.entries(t) {
				bytes += int(c.Length)
				switch {
				case c.Class == pack.Deltas && c.Base != (chunkID{}):
					deltas++
				case c.Class == pack.Small && c.Similar != (pack.Similar{}):
					whole++
				}
			}
			if whole != 1 || deltas != 5 || bytes > 5_000 {
				t.Errorf("%d whole, %d deltas, %d bytes; want 1, 5 and little more than one item", whole, deltas, bytes)
			}
			w.rebuild(t)
			w.wantSound(t)
			for _, m := range []string{"a", "b"} {
				for v, err := range w.Versions(t.Context(), w.snapshots(t, m)[0]) {
					if err != nil || !contains(w.read(t, v), "copy "+v.ItemID[1:]+" of "+m) {
						t.Errorf("%s/%s came back otherwise: %v", m, v.ItemID, err)
					}
				}
			}
		})
	}
}

func contains(data []byte, text string) bool { return bytes.Contains(data, []byte(text)) }

// TestDeltaDependsOnItsBase: a record names the packs of the bases that its deltas need.
func TestDeltaDependsOnItsBase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, "a", func(s *Session) { w.copies(t, s, "a", 1) })
	base := w.record(t, w.Head()).Body.Packs[0].Name
	w.run(t, "b", func(s *Session) { w.copies(t, s, "b", 1) })
	if d := w.record(t, w.Head()).Body.Depends; len(d) != 1 || d[0] != base {
		t.Errorf("depends on %x, want %x", d, base)
	}
	w.run(t, "c", func(s *Session) { w.copies(t, s, "b", 1) }) // the same bytes: a delta that is there already
	if d := w.record(t, w.Head()).Body.Depends; len(d) != 2 {
		t.Errorf("depends on %x, want the delta's pack and its base's", d)
	}
}

// TestUnlikeStaysWhole: a mark alone makes no delta.
func TestUnlikeStaysWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, "a", func(s *Session) {
		for n := range 3 {
			wantErr(t, "put", put1(t.Context(), s, Item{ItemID: fmt.Sprint(n), Similar: []byte("mark")}, noise(uint64(n+1), 700)), nil)
		}
	})
	marks := 0
	for _, c := range w.entries(t) {
		if c.Base != (chunkID{}) {
			t.Errorf("chunk %x is a delta", c.ID)
		}
		if c.Similar != (pack.Similar{}) {
			marks++
		}
	}
	if marks != 1 {
		t.Errorf("%d bases, want the first", marks)
	}
}

// TestLostBase: a base that is lost takes along the deltas that need it, which are named; what is backed up again makes a base
// of its own.
func TestLostBase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, "a", func(s *Session) { w.copies(t, s, "a", 1) })
	base := w.record(t, w.Head()).Body.Packs[0].Name
	w.run(t, "b", func(s *Session) { w.copies(t, s, "b", 1) })
	wantErr(t, "remove", w.memory.Remove(t.Context(), pack.Name(base).Object()), nil)
	w.reopen(t)
	r, err := w.Check(t.Context(), CheckOptions{})
	if err != nil || len(r.Errors) != 3 {
		t.Errorf("check: %+v, %v; want the pack and two items", r, err)
	}
	w.run(t, "c", func(s *Session) { w.copies(t, s, "c", 2) })
	for v, err := range w.Versions(t.Context(), w.snapshots(t, "c")[0]) {
		if err != nil || !contains(w.read(t, v), "of c") {
			t.Errorf("%s: %v", v.ItemID, err)
		}
	}
}

// TestRecipesOfOneBlob: a program that cuts a blob another way makes another recipe, under another name. What was stored against
// the first is read with the first.
func TestRecipesOfOneBlob(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, "a", func(s *Session) { w.copies(t, s, "a", 3) })
	first := w.snapshots(t, "a")[0]
	want := w.listed(t, first)
	for v, err := range w.Versions(t.Context(), first) {
		if err != nil {
			t.Fatal(err)
		}
		data := w.read(t, v)
		w.run(t, "b", func(s *Session) {
			c := s.NewContent(t.Context())
			wantErr(t, "one piece", c.Add(Segment{0, Small, data}), nil)
			wantErr(t, "put", s.Put(t.Context(), Item{ItemID: v.ItemID}, c), nil)
		})
		again, err := w.Item(t.Context(), w.ids.item("b", v.ItemID))
		if err != nil || again.recipe == v.recipe || again.SHA256 != v.SHA256 {
			t.Errorf("%s cut another way: %v, recipe %x, was %x", v.ItemID, err, again.recipe, v.recipe)
		}
	}
	w.rebuild(t)
	w.wantSound(t)
	if got := w.listed(t, first); got != want {
		t.Errorf("lists %s, want %s", got, want)
	}
}
