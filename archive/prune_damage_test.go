package archive

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"mailbrick/archive/blob/blobtest"
	"mailbrick/archive/journal"
	"mailbrick/archive/pack"
)

// TestPruneThroughDamage: what parity gives back is no hindrance, in packs and in those that lie in records.
func TestPruneThroughDamage(t *testing.T) {
	t.Parallel()
	for name, inline := range map[string]int{"in packs": -1, "in records": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := new(blobtest.Memory)
			wantErr(t, "init", Init(t.Context(), Options{Bucket: m, Random: zeros{}, Parity: true}), nil)
			w := worldOf(m, m, vfs.NewCrashableMem()).short(inline)
			w.open(t)
			for n, box := range []string{"a", "b", "a", "b", "a"} {
				w.run(t, box, func(s *Session) {
					w.copies(t, s, fmt.Sprint(box, n), 3)
					wantErr(t, "put", put1(t.Context(), s, Item{ItemID: fmt.Sprint("single", n)}, blobOf(6+7*n)), nil)
				})
			}
			w.forgetAll(t, "a")
			before := w.shas(t, "b")
			for n, name := range m.Names() {
				if strings.HasPrefix(name, packPrefix) || strings.HasPrefix(name, journal.Prefix) {
					at := []int{60, len(m.Bytes(name)) / 3}[n%2]
					flip{name, at, 1}.do(m)
				}
			}
			w.reopen(t) // nothing is in memory any more
			r := w.prune(t, PruneOptions{MaxGarbage: 1e-9})
			if len(r.Damaged) > 0 || r.InDoubt || r.Left > 0 || r.Removed == 0 {
				t.Errorf("pruned %+v", r)
			}
			w.repair(t, m)
			w.fresh()
			if got := w.shas(t, "b"); fmt.Sprint(got) != fmt.Sprint(before) {
				t.Error("other items than before")
			}
			w.wantSound(t)
		})
	}
}

// TestPruneLeavesDamageAlone: it goes on where that is safe, names what is damaged, and what comes back is whole.
func TestPruneLeavesDamageAlone(t *testing.T) {
	t.Parallel()
	big := func(n int) []byte { return noise(uint64(100+n), 300_000) }
	// Four packs: recipes and chunks of ann's items, of two that go, of bob's, and one of which all goes.
	made := func(t *testing.T) (w *world, packs []pack.Name) {
		w = newWorld(t)
		for n, box := range []string{"ann", "gone", "bob", "gone"} {
			w.run(t, box, func(s *Session) {
				wantErr(t, "put", put1(t.Context(), s, Item{ItemID: "own"}, big(n)), nil)
				if n < 3 {
					wantErr(t, "put", put1(t.Context(), s, Item{ItemID: "shared"}, big(9)), nil)
				}
			})
			for _, p := range w.record(t, w.Head()).Body.Packs {
				packs = append(packs, p.Name)
			}
		}
		w.run(t, "kept", func(s *Session) {
			wantErr(t, "put", put1(t.Context(), s, Item{ItemID: "own"}, append(big(1), 'x')), nil)
		})
		w.forgetAll(t, "gone")
		w.forgetAll(t, "ann")
		w.reopen(t)
		return w, packs
	}
	for _, row := range []struct {
		name    string
		pack    int
		damage  func(good []byte) []byte // nil: it is missing
		inDoubt bool
		removed int
	}{
		{"bulk of a pack that is partly needed", 1, func(good []byte) []byte { good[100_000] ^= 1; return good }, false, 2},
		{"table of a pack that is partly needed", 1, func(good []byte) []byte { good[len(good)-100] ^= 1; return good }, false, 2},
		{"table of a pack that is not needed", 3, func(good []byte) []byte { good[len(good)-100] ^= 1; return good }, false, 3},
		{"recipes that are needed", 2, func(good []byte) []byte { good = bytes.Clone(good); clear(good[60:]); return good }, true, 0},
		{"a pack with recipes is missing", 2, nil, true, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w, packs := made(t)
			object := packs[row.pack].Object()
			good := w.memory.Bytes(object)
			if row.damage != nil {
				w.memory.Put(object, row.damage(bytes.Clone(good)))
			} else {
				wantErr(t, "remove", w.memory.Remove(t.Context(), object), nil)
			}
			r := w.prune(t, PruneOptions{MaxGarbage: 1e-9})
			if r.InDoubt != row.inDoubt || r.Removed != row.removed {
				t.Errorf("pruned %+v", r)
			}
			named := strings.Contains(strings.Join(r.Damaged, "\n"), hex.EncodeToString(packs[row.pack][:]))
			if named != (row.removed < 3) {
				t.Errorf("damaged: %q", r.Damaged)
			}
			again := w.prune(t, PruneOptions{MaxGarbage: 1e-9})
			if again.Copied > 0 || again.Removed > 0 || again.AddedBytes > 0 {
				t.Errorf("pruned again %+v", again)
			}
			if row.removed < 3 {
				w.memory.Put(object, good)
			}
			w.reopen(t)
			w.wantSound(t)
			for _, box := range []string{"bob", "kept"} {
				for v, err := range w.allVersions(t, box) {
					if err != nil {
						t.Fatal(err)
					}
					w.read(t, v)
				}
			}
			if r := w.prune(t, PruneOptions{MaxGarbage: 1e-9}); r.Left > 0 || len(r.Damaged) > 0 {
				t.Errorf("mended, and pruned %+v", r)
			}
			w.wantSound(t)
		})
	}
}

// TestPruneDamagedAnywhere: whatever byte of a pack or a record is damaged when prune runs, all that was not forgotten is there when it
// is mended.
func TestPruneDamagedAnywhere(t *testing.T) {
	t.Parallel()
	var seed uint64
	var damaged []flip
	var report PruneReport
	defer func() {
		if t.Failed() {
			t.Logf("seed %d, %+v, %+v", seed, damaged, report)
		}
	}()
	for seed = range uint64(rounds(60, 1500)) {
		r := rand.New(rand.NewPCG(seed, 17))
		w := newWorld(t)
		if seed%2 == 1 {
			w.close(t)
			w.short([]int{0, 3000}[r.IntN(2)]).open(t)
		}
		for n := range 6 + r.IntN(8) {
			w.run(t, fmt.Sprint("m", n%3), func(s *Session) {
				for range 1 + r.IntN(4) {
					wantErr(t, "put", put1(t.Context(), s, Item{ItemID: fmt.Sprint("i", r.IntN(9)), ChangeKey: fmt.Sprint(n), Similar: []byte{byte(r.IntN(3))}}, blobOf(r.IntN(30))), nil)
				}
			})
		}
		w.forgetAll(t, "m0")
		before := fmt.Sprint(w.shas(t, "m1"), w.shas(t, "m2"))
		var undo []func()
		damaged = nil
		for _, f := range flips(w.memory, packPrefix, journal.Prefix) {
			if len(damaged) < 1+r.IntN(2) && r.IntN(40) == 0 && f.name != journal.Object(w.Head()) {
				damaged, undo = append(damaged, f), append(undo, f.do(w.memory))
			}
		}
		w.fresh()
		w.inline = newLRU[pack.Name, []byte](inlineHeld)
		report = w.prune(t, PruneOptions{MaxGarbage: 1e-9})
		for i := len(undo) - 1; i >= 0; i-- {
			if w.memory.Bytes(damaged[i].name) != nil { // else it went
				undo[i]()
			}
		}
		for range 2 {
			w.fresh()
			w.inline = newLRU[pack.Name, []byte](inlineHeld)
			if after := fmt.Sprint(w.shas(t, "m1"), w.shas(t, "m2")); after != before {
				t.Fatal("other items than before")
			}
			if c := w.check(t, CheckOptions{ReadAll: true}); len(c.Errors) > 0 {
				t.Fatalf("check: %q", c.Errors)
			}
			w.rebuild(t)
			w.prune(t, PruneOptions{MaxGarbage: 1e-9})
		}
		w.close(t)
	}
}
