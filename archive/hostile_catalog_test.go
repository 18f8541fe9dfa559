package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// catalogRow is one row as the database has it.
type catalogRow struct{ key, value []byte }

// mangled is a row as somebody who can write the catalog's files may leave it: they are secret, and not authenticated.
func mangled(r *rand.Rand, row catalogRow) catalogRow {
	key, value := bytes.Clone(row.key), bytes.Clone(row.value)
	huge := bytes.Repeat([]byte{0xff, 0xff, 0xff, 0xff, 0x0f}, 12) // the largest number of 32 bits, many times
	switch r.IntN(8) {
	case 0:
		key = key[:1+r.IntN(len(key))]
	case 1:
		key = append(key, huge[:1+r.IntN(9)]...)
	case 2:
		copy(key[1+r.IntN(len(key)):], huge)
	case 3:
		value = value[:r.IntN(len(value)+1)]
	case 4:
		value = append(value, huge[:1+r.IntN(20)]...)
	case 5:
		value = huge[:r.IntN(len(huge))]
	case 6:
		if len(value) > 0 {
			copy(value[r.IntN(len(value)):], huge[:5])
		}
	default:
		for range min(len(value), 1+r.IntN(3)) {
			value[r.IntN(len(value))] ^= byte(1 + r.IntN(255))
		}
	}
	return catalogRow{key, value}
}

// TestHostileCatalog: whatever the catalog's rows say, there is an error or an answer: no panic, and no memory for what is not there.
func TestHostileCatalog(t *testing.T) {
	t.Parallel()
	w := smallArchive(t)
	w.copies(t, w.begin(t, "c"), "copied", 3)
	wantErr(t, "hold", w.AddHold(t.Context(), Hold{Name: "h", Reason: "r", Mailboxes: []string{"b"}}, each(HeldItem{"a", w.ids.item("a", "1")})), nil)
	var rows []catalogRow
	wantErr(t, "rows", w.cat.scan(t.Context(), nil, func(key, value []byte) error {
		rows = append(rows, catalogRow{bytes.Clone(key), bytes.Clone(value)})
		return nil
	}), nil)
	w.close(t)
	spaces := map[byte][]catalogRow{}
	for _, row := range rows {
		spaces[row.key[0]] = append(spaces[row.key[0]], row)
	}
	if len(spaces) < 13 {
		t.Fatalf("rows of %d kinds", len(spaces))
	}
	r := rand.New(rand.NewPCG(5, 6))
	for range rounds(4, 400) {
		for _, space := range slices.Sorted(maps.Keys(spaces)) {
			list := spaces[space]
			row := list[r.IntN(len(list))]
			bad := mangled(r, row)
			hostileCatalog(t, w, func(db *pebble.DB) error {
				return errors.Join(db.Delete(row.key, pebble.NoSync), db.Set(bad.key, bad.value, pebble.NoSync))
			}, fmt.Sprintf("%q: %x as %q: %x", row.key, row.value, bad.key, bad.value))
		}
	}
}

// hostileCatalog asks everything of an archive of which the catalog was changed.
func hostileCatalog(t *testing.T, was *world, change func(db *pebble.DB) error, what string) {
	t.Helper()
	memory := was.memory.Clone()
	w := worldOf(memory, memory, was.fs.CrashClone(vfs.CrashCloneCfg{}))
	w.open(t)
	wantErr(t, "change", change(w.cat.db), nil)
	w.cat.dirty = true
	w.close(t)
	defer func() {
		if p := recover(); p != nil {
			t.Errorf("%s: %v\n%s", what, p, debug.Stack())
		}
	}()
	var before, after runtime.MemStats
	if torture() {
		runtime.ReadMemStats(&before)
	}
	if w.tryOpen(t.Context()) == nil {
		w.everything(t.Context())
		_ = w.Close()
	}
	if torture() {
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 1<<30 { // with what other tests take meanwhile
			t.Errorf("%s: %d bytes of memory", what, n)
		}
	}
}

// everything is all that an archive can be asked. What comes of it does not matter.
func (w *world) everything(ctx context.Context) {
	for _, m := range append(w.Mailboxes(), Snapshot{Mailbox: "a", Ordinal: 1}) {
		for s, err := range w.Snapshots(ctx, m.Mailbox) {
			if err == nil {
				_, _ = w.Folders(ctx, s)
			}
		}
		var list []*Version
		for v, err := range w.Histories(ctx, m.Mailbox) {
			if err == nil {
				list = append(list, v)
				_, _ = w.HeldBy(ctx, VersionRef{m.Mailbox, v.ID, v.From})
			}
		}
		for v, err := range w.Versions(ctx, m) {
			if err == nil {
				list = append(list, v)
			}
		}
		_ = w.Arrange(ctx, list)
		for _, v := range list {
			if b, err := w.OpenBlob(ctx, v); err == nil {
				_, _ = io.Copy(io.Discard, b)
				_ = b.Close()
			}
		}
	}
	_, _ = w.Holds(ctx)
	for range w.HeldItems(ctx, "h") {
	}
	for range w.Changes(ctx, 0) {
	}
	for range w.Log(ctx) {
	}
	_, _ = w.Stats(ctx)
	_, _ = w.Check(ctx, CheckOptions{ReadAll: true})
	if s, err := w.Begin("a"); err == nil {
		_, _, _, _ = s.Known("1")
		_, _ = s.Cursors(ctx, "")
		for range s.ItemsIn(ctx, "f") {
		}
		_ = put1(ctx, s, Item{ItemID: "1", ChangeKey: "new"}, blobOf(5))
		_ = put1(ctx, s, Item{ItemID: "copied anew", Similar: []byte("copies")}, noise(77, 3000))
		_ = s.Remove("2")
		_ = s.PutFolder(Folder{ID: "f", Name: "other"})
		_, _ = s.Commit(ctx)
		_ = s.Close(ctx)
	}
	_, _ = w.Forget(ctx, Forget{Reason: "r", Versions: []VersionRef{{"b", w.ids.item("b", "4"), 1}}, Snapshots: []SnapshotRef{{"a", 1}}})
	_ = w.ReleaseHold(ctx, "h", "r")
	_, _ = w.Prune(ctx, PruneOptions{MaxGarbage: 0.001})
}
