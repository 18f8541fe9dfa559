package archive

import (
	"context"
	"runtime"
	"testing"
	"weak"

	"mailbrick/archive/journal"
	"mailbrick/archive/pack"
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
	w.cat.rows.putSince(turn, recipe, row)
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
	w.inline = newLRU[pack.Name, []byte](inlineHeld)
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

// TestPlaceBehindOnePassedOver: a delta of what another machine stored whole is passed over, and those behind it in the pack keep
// their numbers: by these prune tells what is alive.
func TestPlaceBehindOnePassedOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	base, both, behind := chunkID{1}, chunkID{2}, chunkID{3}
	tables := map[pack.Name]*pack.Table{
		{1}: {Frames: []pack.Frame{{Chunks: []pack.Chunk{{ID: base, Length: 1}, {ID: both, Length: 1}}}}},
		{2}: {Frames: []pack.Frame{{Chunks: []pack.Chunk{{ID: both, Length: 1, Base: base}, {ID: behind, Length: 1}}}}},
	}
	rec := &journal.Record{Head: journal.Head{Number: w.Head() + 1}, Body: &journal.Body{Packs: []journal.Pack{{Name: pack.Name{1}}, {Name: pack.Name{2}}}}}
	err := w.cat.apply(t.Context(), rec, func(_ context.Context, p *journal.Pack) (*pack.Table, error) { return tables[p.Name], nil })
	wantErr(t, "apply", err, nil)
	for id, want := range map[chunkID]uint32{base: 0, both: 1, behind: 1} {
		kept, err := w.cat.known(id)
		wantErr(t, "known", err, nil)
		read, err := w.cat.chunk(id)
		wantErr(t, "read", err, nil)
		if kept != read || read.index != want || read.base != (chunkID{}) {
			t.Errorf("chunk %x lies at %+v, kept as %+v, want number %d", id[:1], read, kept, want)
		}
	}
}

// TestDeltaInPlaceOfOneThatGoes: a record takes away the pack in which a chunk lies whole, and has a delta of it: whoever wrote it could
// not see the whole one. The delta is what there is then.
func TestDeltaInPlaceOfOneThatGoes(t *testing.T) {
	t.Parallel()
	base, both, other := chunkID{1}, chunkID{2}, chunkID{3}
	whole, fresh := pack.Name{2}, pack.Name{3}
	tables := map[pack.Name]*pack.Table{
		{1}:   {Frames: []pack.Frame{{Chunks: []pack.Chunk{{ID: base, Length: 1}}}}},
		whole: {Frames: []pack.Frame{{Chunks: []pack.Chunk{{ID: other, Length: 1}, {ID: both, Length: 1}}}}},
		fresh: {Frames: []pack.Frame{{Chunks: []pack.Chunk{{ID: both, Length: 1, Base: base}}}}},
	}
	for name, c := range map[string]journal.Condemn{
		"condemned": {Packs: [][16]byte{whole}},
		"buried":    {Buried: []journal.Buried{{Pack: whole, Chunks: []byte{1 << 1}}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			for _, body := range []*journal.Body{{Packs: []journal.Pack{{Name: pack.Name{1}}, {Name: whole}}}, {Packs: []journal.Pack{{Name: fresh}}, Condemn: &c}} {
				rec := &journal.Record{Head: journal.Head{Number: w.Head() + 1}, Body: body}
				err := w.cat.apply(t.Context(), rec, func(_ context.Context, p *journal.Pack) (*pack.Table, error) { return tables[p.Name], nil })
				wantErr(t, "apply", err, nil)
			}
			got, err := w.cat.known(both)
			wantErr(t, "known", err, nil)
			if got.base != base {
				t.Errorf("the chunk lies at %+v, want the delta", got)
			}
		})
	}
}
