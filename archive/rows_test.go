package archive

import (
	"runtime"
	"testing"
	"weak"
)

// TestPlaceReadBeforePrune: a place that was read before a prune, and is noted after it, is not kept: a chunk that is garbage now would
// be taken for one that is there.
func TestPlaceReadBeforePrune(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, "a", func(s *Session) {
		w.add(t, s, "1", 5)
		w.add(t, s, "2", 6)
	})
	w.run(t, "d", func(s *Session) { w.add(t, s, "1", 13) })
	var recipe chunkID
	for v, err := range w.allVersions(t, "a") {
		if err != nil {
			t.Fatal(err)
		}
		if v.ItemID == "1" {
			recipe = v.recipe
		}
	}
	turn := w.cat.rows.now()
	row, err := w.cat.chunk(recipe)
	wantErr(t, "look up", err, nil)
	w.run(t, "a", func(s *Session) { wantErr(t, "remove", s.Remove("1"), nil) })
	f := Forget{Reason: "test"}
	for v, err := range w.allVersions(t, "a") {
		if err == nil && v.ItemID == "1" {
			f.Versions = append(f.Versions, VersionRef{"a", v.ID, v.From})
		}
	}
	_, err = w.Forget(t.Context(), f)
	wantErr(t, "forget", err, nil)
	w.forgetAll(t, "d")
	w.prune(t, PruneOptions{MaxGarbage: 0.9}) // that of "d" goes; that of "a" stays, and what is garbage in it is buried
	w.run(t, "c", func(s *Session) { w.add(t, s, "1", 3) })
	w.cat.rows.putSince(turn, recipe, row, 1)
	if _, err := w.cat.known(recipe); err == nil {
		t.Error("a place that is gone is known")
	}
	w.run(t, "b", func(s *Session) { w.add(t, s, "1", 5) })
	w.rebuild(t)
	w.wantSound(t)
}

// TestBroughtPackIsAlone: a pack that is kept in memory does not keep the record that it lay in.
func TestBroughtPackIsAlone(t *testing.T) {
	t.Parallel()
	w := newShortWorld(t)
	w.run(t, "a", func(s *Session) { w.add(t, s, "1", 5) })
	rec, err := w.journal.Read(t.Context(), 1)
	if err != nil || len(rec.Pack) == 0 {
		t.Fatalf("no pack in record 1: %v", err)
	}
	name, object := rec.Body.Packs[0].Name, weak.Make(&rec.Pack[0])
	w.inline.clear()
	w.brought(rec)
	runtime.KeepAlive(rec)
	rec = nil
	runtime.GC()
	if data, ok := w.inline.get(name); !ok || len(data) == 0 {
		t.Error("the pack is not kept")
	}
	if object.Value() != nil {
		t.Error("the record's object is kept with its pack")
	}
}
