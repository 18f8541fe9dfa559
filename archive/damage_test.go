package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"mailbrick/archive/blob/blobtest"
	"mailbrick/archive/journal"
	"mailbrick/archive/pack"
)

// smallArchive has recipes that are whole and one that is a delta, stored and compressed frames, two mailboxes, a shared chunk
// and something that is not complete.
func smallArchive(t *testing.T) *world {
	t.Helper()
	return smallArchiveIn(t, newWorld(t))
}

func smallArchiveIn(t *testing.T, w *world) *world {
	t.Helper()
	w.run(t, "a", func(s *Session) {
		wantErr(t, "folder", s.PutFolder(Folder{ID: "f", Name: "Inbox"}), nil)
		w.add(t, s, "1", 2)
		w.add(t, s, "2", 5)
		w.copies(t, s, "3", 2)
	})
	w.run(t, "b", func(s *Session) { w.add(t, s, "1", 2); w.add(t, s, "4", 3) })
	s := w.begin(t, "a")
	w.add(t, s, "5", 8)
	w.land(t)
	wantErr(t, "close", s.Close(t.Context()), nil)
	return w
}

// flips are the bytes to change: all of them, or a seeded share.
func flips(m *blobtest.Memory, prefixes ...string) (list []flip) {
	r := rand.New(rand.NewPCG(1, 9))
	for _, name := range m.Names() {
		for _, prefix := range prefixes {
			if !strings.HasPrefix(name, prefix) {
				continue
			}
			for at := range len(m.Bytes(name)) {
				if torture() || r.IntN(30) == 0 {
					list = append(list, flip{name, at, byte(1 + r.IntN(255))})
				}
			}
		}
	}
	return list
}

type flip struct {
	name string
	at   int
	by   byte
}

func (f flip) do(m *blobtest.Memory) (undo func()) {
	good := m.Bytes(f.name)
	bad := bytes.Clone(good)
	bad[f.at] ^= f.by
	m.Put(f.name, bad)
	return func() { m.Put(f.name, good) }
}

// TestEveryByteCounts flips bytes of packs and journal: Check finds each, and so does opening with a new catalog, there or in
// a check after it.
func TestEveryByteCounts(t *testing.T) {
	t.Parallel()
	eachPlace(t, func(t *testing.T, made func(testing.TB) *world) { everyByteCounts(t, smallArchiveIn(t, made(t))) })
}

func everyByteCounts(t *testing.T, w *world) {
	t.Helper()
	w.wantSound(t)
	all, versions := flips(w.memory, "packs/", "journal/"), w.versionBytes(t)
	for _, f := range all {
		undo := f.do(w.memory)
		w.frames = newLRU[frameKey, []byte](1 << 20)
		r, err := w.Check(t.Context(), CheckOptions{ReadAll: true})
		if err != nil || len(r.Errors) == 0 {
			t.Errorf("%+v: check found nothing, %v", f, err)
		}
		undo()
	}
	for n, f := range all {
		if !torture() && n%4 > 0 {
			continue
		}
		undo := f.do(w.memory)
		fresh := worldOf(w.memory, w.memory, vfs.NewCrashableMem())
		err := fresh.tryOpen(t.Context())
		if err == nil {
			r, checkErr := fresh.Check(t.Context(), CheckOptions{ReadAll: true})
			if checkErr != nil || len(r.Errors) == 0 {
				t.Errorf("%+v: opened, and check found nothing, %v", f, checkErr)
			}
			fresh.close(t)
		} else if !errors.Is(err, ErrDamaged) && !(errors.Is(err, ErrVersion) && versions[flip{name: f.name, at: f.at}]) {
			t.Errorf("%+v: open: %v", f, err)
		}
		undo()
	}
	w.frames = newLRU[frameKey, []byte](1 << 20)
	w.wantSound(t)
	t.Logf("%d of the bytes flipped", len(all))
}

// versionBytes are where the version stands that an object begins with, or a pack that lies in a record: a flip there may tell of a
// format to come.
func (w *world) versionBytes(t *testing.T) map[flip]bool {
	t.Helper()
	at := map[flip]bool{}
	add := func(name string, from int) {
		for i := range 4 {
			at[flip{name: name, at: from + 4 + i}] = true
		}
	}
	for _, name := range w.memory.Names() {
		add(name, 0)
	}
	err := w.cat.eachPack(t.Context(), func(_ uint32, p journal.Pack) {
		if p.Inline {
			add(journal.Object(p.Record), int(p.At))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// TestCutShort truncates objects, and swaps them.
func TestCutShort(t *testing.T) {
	t.Parallel()
	w := smallArchive(t)
	r := rand.New(rand.NewPCG(2, 9))
	var last string
	for _, name := range w.memory.Names() {
		if !strings.HasPrefix(name, "packs/") && !strings.HasPrefix(name, journal.Prefix) {
			continue
		}
		good := w.memory.Bytes(name)
		for what, bad := range map[string][]byte{"empty": nil, "cut": good[:r.IntN(len(good))], "longer": append(bytes.Clone(good), 0), "swapped": w.memory.Bytes(last)} {
			if what == "swapped" && last == "" {
				continue
			}
			w.memory.Put(name, bad)
			w.frames = newLRU[frameKey, []byte](1 << 20)
			if rep, err := w.Check(t.Context(), CheckOptions{ReadAll: true}); err != nil || len(rep.Errors) == 0 {
				t.Errorf("%s %s: check found nothing, %v", name, what, err)
			}
			w.memory.Put(name, good)
		}
		last = name
	}
}

// TestMissingPack: it is named, with the items that it takes along and no others.
func TestMissingPack(t *testing.T) {
	t.Parallel()
	for _, readAll := range []bool{false, true} {
		t.Run(fmt.Sprintf("read all %v", readAll), func(t *testing.T) {
			t.Parallel()
			w := smallArchive(t)
			var first pack.Name
			for n := uint64(1); first == (pack.Name{}); n++ {
				if packs := w.record(t, n).Body.Packs; len(packs) > 0 {
					first = packs[0].Name
				}
			}
			wantErr(t, "remove", w.memory.Remove(t.Context(), first.Object()), nil)
			w.memory.Put(pack.Name{1}.Object(), []byte("nobody's"))
			w.frames = newLRU[frameKey, []byte](1 << 20)
			r, err := w.Check(t.Context(), CheckOptions{ReadAll: readAll})
			if err != nil {
				t.Fatal(err)
			}
			if r.Orphans != 1 {
				t.Errorf("%d orphans, want 1", r.Orphans)
			}
			all := strings.Join(r.Errors, "\n")
			if !strings.Contains(all, hex.EncodeToString(first[:])+" is missing") {
				t.Errorf("the pack is not named: %s", all)
			}
			for item, lost := range map[string]bool{"a/1": true, "a/2": true, "a/30": true, "a/31": true, "b/1": true, "b/4": false, "a/5": false} {
				mailbox, id, _ := strings.Cut(item, "/")
				if name := w.ids.item(mailbox, id).String(); strings.Contains(all, name) != lost {
					t.Errorf("item %s: named %v, want %v: %s", item, !lost, lost, all)
				}
			}
			for v, err := range w.Versions(t.Context(), w.snapshots(t, "a")[0]) {
				if err != nil {
					t.Fatal(err)
				}
				if err := (&checker{a: w.Archive}).readBack(t.Context(), v); !errors.Is(err, ErrDamaged) {
					t.Errorf("reading %s: %v", v.ItemID, err)
				}
			}
		})
	}
}

// TestMissingRecord: the journal's middle is gone.
func TestMissingRecord(t *testing.T) {
	t.Parallel()
	w := smallArchive(t)
	head := w.Head()
	wantErr(t, "remove", w.memory.Remove(t.Context(), journal.Object(head-1)), nil)
	if r, err := w.Check(t.Context(), CheckOptions{}); err != nil || !strings.Contains(strings.Join(r.Errors, "\n"), fmt.Sprintf("chain ends at record %d", head-2)) {
		t.Errorf("check: %+v, %v", r, err)
	}
	var changes, logged error
	for _, changes = range w.Changes(t.Context(), 0) {
	}
	wantErr(t, "changes", changes, ErrDamaged)
	for _, logged = range w.Log(t.Context()) {
	}
	wantErr(t, "log", logged, ErrDamaged)
	fresh := worldOf(w.memory, w.memory, vfs.NewCrashableMem())
	err := fresh.tryOpen(t.Context())
	wantErr(t, "open with a new catalog", err, ErrDamaged)
	if err == nil || !strings.Contains(err.Error(), fmt.Sprint(head-1)) {
		t.Errorf("the record is not named: %v", err)
	}
	w.memory.Put(journal.Object(head-1), w.memory.Bytes(journal.Object(head)))
	wantErr(t, "open with a record in another's place", fresh.tryOpen(t.Context()), ErrDamaged)
}

// TestGapIsNoEnd: who comes to a record that is missing does not take what lies before it for all there is, the next time neither.
func TestGapIsNoEnd(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ far, folded bool }{"near": {}, "far": {far: true}, "folded": {folded: true}, "folded and far": {true, true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := initialised(t)
			w, late := worldOf(m, m, vfs.NewCrashableMem()).short(-1), map[uint64]*world{}
			w.open(t)
			for n := range 9 {
				w.run(t, "box", func(s *Session) { w.add(t, s, fmt.Sprint(n), 3) })
				other := worldOf(m, m, vfs.NewCrashableMem()).short(-1)
				other.opts.Far = tt.far
				other.open(t)
				late[other.Head()] = other
				other.close(t)
			}
			if tt.folded {
				w.prune(t, PruneOptions{})
			}
			last := w.Head()
			w.close(t)
			for _, object := range m.Names() {
				span, ok := journal.ParseSpan(object)
				if !ok || span.To == last {
					continue
				}
				lost := m.Clone()
				wantErr(t, "lose", lost.Remove(t.Context(), object), nil)
				fresh := worldOf(lost, lost, vfs.NewCrashableMem()).short(-1)
				fresh.opts.Far = tt.far
				for range 2 {
					wantErr(t, object+": with a new catalog", fresh.tryOpen(t.Context()), ErrDamaged)
				}
				if before := late[span.From-1]; before != nil {
					before.opts.Bucket = lost
					wantErr(t, object+": with a catalog of before", before.tryOpen(t.Context()), ErrDamaged)
				}
			}
		})
	}
}

// TestBrokenChain: damage in one record makes no damage of the packs that it and those behind it name.
func TestBrokenChain(t *testing.T) {
	t.Parallel()
	w := smallArchive(t)
	defer flip{journal.Object(2), 50, 1}.do(w.memory)()
	r, err := w.Check(t.Context(), CheckOptions{ReadAll: true})
	if err != nil || r.Orphans != 0 || r.Items == 0 || r.Packs != 3 {
		t.Errorf("check: %+v, %v", r, err)
	}
	for _, e := range r.Errors {
		if !strings.Contains(e, "journal") || strings.Contains(e, "pack") {
			t.Errorf("check: %s", e)
		}
	}
}

// TestPackPutBack: a catalog that was made while a pack was away says so when the pack is back, and how to mend it.
func TestPackPutBack(t *testing.T) {
	t.Parallel()
	w := smallArchive(t)
	name := w.record(t, 2).Body.Packs[0].Name
	object := pack.Name(name).Object()
	good := w.memory.Bytes(object)
	wantErr(t, "remove", w.memory.Remove(t.Context(), object), nil)
	w.rebuild(t)
	w.memory.Put(object, good)
	if r, err := w.Check(t.Context(), CheckOptions{}); err != nil || !strings.Contains(strings.Join(r.Errors, "\n"), fmt.Sprintf("when pack %x could not be read (`mailbrick rebuild --catalog`", name)) {
		t.Errorf("check: %+v, %v", r, err)
	}
	w.close(t)
	w.opts.Rebuild = true
	w.open(t)
	w.wantSound(t)
}

func TestTheFutureIsRefused(t *testing.T) {
	t.Parallel()
	packName := func(w *world) string {
		for _, name := range w.memory.Names() {
			if strings.HasPrefix(name, "packs/") {
				return name
			}
		}
		return ""
	}
	keyName := func(w *world) string {
		return w.memory.Names()[slices.IndexFunc(w.memory.Names(), func(n string) bool { return strings.HasPrefix(n, keyPrefix) })]
	}
	segment := func(w *world) string {
		w.run(t, "c", func(s *Session) { w.add(t, s, "1", 2) })
		w.prune(t, PruneOptions{})
		return journal.Span{From: 1, To: 4}.Object()
	}
	for _, tt := range []struct {
		name    string
		object  func(w *world) string
		change  func(b []byte) []byte
		catalog bool // also where a catalog knows everything but this
	}{
		{"key", keyName, func(b []byte) []byte {
			return bytes.Replace(b, []byte("mailbrick-key 1"), []byte("mailbrick-key 2"), 1)
		}, true},
		{"segment", segment, func(b []byte) []byte { b[len(b)-8] = 2; return b }, false},
		{"config", func(*world) string { return configObject }, func(b []byte) []byte { return bytes.Replace(b, []byte(`"format": 1`), []byte(`"format": 2`), 1) }, true},
		{"journal", func(w *world) string { return journal.Object(w.Head()) }, func(b []byte) []byte { b[4] = 2; return b }, true},
		{"pack", packName, func(b []byte) []byte { b[4] = 2; return b }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := new(blobtest.Memory)
			wantErr(t, "init", Init(t.Context(), Options{Bucket: m, Random: zeros{}}), nil)
			w := worldOf(m, m, vfs.NewCrashableMem()).short(-1)
			w.open(t)
			smallArchiveIn(t, w)
			object := tt.object(w)
			w.close(t)
			before := strings.Join(w.memory.Names(), " ")
			w.memory.Put(object, tt.change(w.memory.Bytes(object)))
			if w.memory.Bytes(object+copySuffix) != nil {
				w.memory.Put(object+copySuffix, w.memory.Bytes(object))
			}
			fresh := worldOf(w.memory, w.memory, vfs.NewCrashableMem()).short(-1)
			err := fresh.tryOpen(t.Context())
			if wantErr(t, "new catalog", err, ErrVersion); errors.Is(err, ErrDamaged) {
				t.Errorf("the future is called damage: %v", err)
			}
			if tt.catalog {
				wantErr(t, "old catalog", w.tryOpen(t.Context()), ErrVersion)
			}
			if after := strings.Join(w.memory.Names(), " "); after != before {
				t.Errorf("refusing left %s", after)
			}
		})
	}
}

// TestFutureParity: parity of a newer program is no damage, and not replaced.
func TestFutureParity(t *testing.T) {
	t.Parallel()
	w := coveredArchive(t)
	for _, object := range []string{journal.Object(w.Head()), pack.Name(w.record(t, 2).Body.Packs[0].Name).Object()} {
		good := w.memory.Bytes(object)
		b := bytes.Clone(good)
		for at := range len(b) - 39 {
			if bytes.HasPrefix(b[at:], []byte("MBPARITY")) {
				b[at+8] = 2
				sum := sha256.Sum256(b[at : at+24])
				copy(b[at+24:], sum[:16])
			}
		}
		w.memory.Put(object, b)
		r, err := w.Check(t.Context(), CheckOptions{})
		if wantErr(t, "check", err, ErrVersion); len(r.Errors) > 0 {
			t.Errorf("check found %q", r.Errors)
		}
		_, err = Repair(t.Context(), Options{Bucket: w.memory, Catalog: "catalog", fs: vfs.NewMem()}, nil)
		if wantErr(t, "repair", err, ErrVersion); !bytes.Equal(w.memory.Bytes(object), b) {
			t.Error("repair wrote over it")
		}
		w.memory.Put(object, good)
	}
	w.wantSound(t)
}

// TestFutureRecipe: an item of a newer program is refused by itself.
func TestFutureRecipe(t *testing.T) {
	t.Parallel()
	w := smallArchive(t)
	for v, err := range w.Versions(t.Context(), w.snapshots(t, "b")[0]) {
		if err != nil {
			t.Fatal(err)
		}
		v.recipe = w.recipeChunk(t, []byte{2, 1, 0})
		if _, err := w.OpenBlob(t.Context(), v); !errors.Is(err, ErrVersion) || !strings.Contains(err.Error(), v.ID.String()) {
			t.Errorf("recipe of the future: %v", err)
		}
		v.recipe = w.recipeChunk(t, []byte{1, 1, 9})
		if _, err := w.OpenBlob(t.Context(), v); !errors.Is(err, ErrDamaged) {
			t.Errorf("malformed recipe: %v", err)
		}
	}
}

// TestWrongBytes: chunks that are whole, but not those that the item had.
func TestWrongBytes(t *testing.T) {
	t.Parallel()
	w := smallArchive(t)
	for v, err := range w.Versions(t.Context(), w.snapshots(t, "b")[0]) {
		if err != nil {
			t.Fatal(err)
		}
		v.SHA256[0]++
		wantErr(t, "another digest", (&checker{a: w.Archive}).readBack(t.Context(), v), ErrDamaged)
		r, err := w.OpenBlob(t.Context(), v)
		if err != nil {
			t.Fatal(err)
		}
		wantErr(t, "close", r.Close(), nil)
		if n, err := r.Read(make([]byte, 10)); n != 0 || !errors.Is(err, errBlobClosed) {
			t.Errorf("read of a closed blob: %d, %v", n, err)
		}
		wantErr(t, "close again", r.Close(), nil)
	}
}
