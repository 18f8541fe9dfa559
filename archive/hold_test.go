package archive

import (
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"mailbrick/archive/blob/blobtest"
)

func each(items ...HeldItem) iter.Seq2[HeldItem, error] {
	return func(yield func(HeldItem, error) bool) {
		for _, it := range items {
			if !yield(it, nil) {
				return
			}
		}
	}
}

// state puts a mailbox into a snapshot with just these items, each by its id on the server and its state.
func (w *world) state(t *testing.T, mailbox string, items ...string) Snapshot {
	t.Helper()
	return w.run(t, mailbox, func(s *Session) {
		old, err := s.listItems(t.Context(), "f")
		wantErr(t, "items", err, nil)
		for _, it := range items {
			id, key, _ := strings.Cut(it, " ")
			old = slices.DeleteFunc(old, func(o string) bool { return o == id })
			if was, _, ok, err := s.Known(id); err != nil || ok && was == key {
				wantErr(t, "known", err, nil)
				continue
			}
			wantErr(t, "put", put1(t.Context(), s, Item{ItemID: id, ChangeKey: key, FolderID: "f"}, noise(uint64(len(key)), 200)), nil)
		}
		for _, id := range old {
			wantErr(t, "remove", s.Remove(id), nil)
		}
	})
}

func (w *world) ref(mailbox, item string, from uint32) VersionRef {
	return VersionRef{mailbox, w.ids.item(mailbox, item), from}
}

// heldWorld has versions in two mailboxes that may all go: a@1 and b@1 of ann, a@1 of bob.
func heldWorld(t *testing.T) (w *world, refs []VersionRef) {
	t.Helper()
	w = newWorld(t)
	w.state(t, "ann", "a 1", "b 1")
	w.state(t, "bob", "a 1")
	w.state(t, "ann", "a 2")
	w.state(t, "bob")
	return w, []VersionRef{w.ref("ann", "a", 1), w.ref("ann", "b", 1), w.ref("bob", "a", 1)}
}

// heldOf is which of versions are held, by the names of the holds; Forget is of the same mind.
func (w *world) heldOf(t *testing.T, refs []VersionRef) (names []string) {
	t.Helper()
	for _, ref := range refs {
		name, err := w.HeldBy(t.Context(), ref)
		wantErr(t, "held", err, nil)
		names = append(names, name)
		if name != "" {
			if _, err := w.Forget(t.Context(), Forget{Reason: "test", Versions: []VersionRef{ref}}); !errors.Is(err, ErrHeld) {
				t.Errorf("%v is held by %s: %v", ref, name, err)
			}
		}
	}
	return names
}

func TestHolds(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		hold  Hold
		items []string // "mailbox item"
		want  string
	}{
		{"an item", Hold{}, []string{"ann a"}, "[h  ]"},
		{"items, one twice", Hold{}, []string{"bob a", "ANN b", "BOB a"}, "[ h h]"},
		{"a mailbox", Hold{Mailboxes: []string{"Ann"}}, nil, "[h h ]"},
		{"both", Hold{Mailboxes: []string{"ann"}}, []string{"bob a"}, "[h h h]"},
		{"a query that is not evaluated", Hold{Query: "q"}, nil, "[h h h]"},
		{"in a mailbox", Hold{Query: "q", Mailboxes: []string{"bob"}}, nil, "[  h]"},
		{"evaluated", Hold{Query: "q", Position: 1 << 40}, []string{"ann b"}, "[ h ]"},
		{"evaluated in part", Hold{Query: "q", Position: 3}, nil, "[  h]"}, // record 1 is "begin", 2 ann's, 3 ann's folder or bob's
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w, refs := heldWorld(t)
			if row.name == "evaluated in part" {
				row.hold.Position = w.snapshots(t, "ann")[0].Position
			}
			row.hold.Name, row.hold.Reason = "h", "why"
			var items []HeldItem
			for _, it := range row.items {
				mailbox, item, _ := strings.Cut(it, " ")
				items = append(items, HeldItem{mailbox, w.ids.item(strings.ToLower(mailbox), item)})
			}
			wantErr(t, "add", w.AddHold(t.Context(), row.hold, each(items...)), nil)
			check := func() {
				t.Helper()
				if got := fmt.Sprint(w.heldOf(t, refs)); got != row.want {
					t.Errorf("held are %s, want %s", got, row.want)
				}
			}
			check()
			before, err := w.Holds(t.Context())
			wantErr(t, "holds", err, nil)
			w.reopen(t)
			check()
			w.rebuild(t)
			check()
			after, err := w.Holds(t.Context())
			if err != nil || !reflect.DeepEqual(before, after) {
				t.Errorf("holds after a rebuild %+v, before %+v, %v", after, before, err)
			}
			wantErr(t, "the same name again", w.AddHold(t.Context(), row.hold, each(items...)), ErrHoldExists)
			wantErr(t, "release", w.ReleaseHold(t.Context(), "h", "over"), nil)
			wantErr(t, "release again", w.ReleaseHold(t.Context(), "h", "over"), ErrNoHold)
			w.rebuild(t)
			if _, err := w.Forget(t.Context(), Forget{Reason: "test", Versions: refs}); err != nil {
				t.Errorf("released: %v", err)
			}
			for range w.HeldItems(t.Context(), "h") {
				t.Error("a hold that is over has an item")
			}
			w.wantSound(t)
		})
	}
}

func TestHoldMistakes(t *testing.T) {
	t.Parallel()
	w, refs := heldWorld(t)
	items := []HeldItem{{"ann", refs[0].ID}}
	for _, row := range []struct {
		name string
		hold Hold
		its  []HeldItem
		want error
	}{
		{"no name", Hold{Reason: "r"}, items, ErrHoldText},
		{"a name of two lines", Hold{Name: "a\nb", Reason: "r"}, items, ErrHoldText},
		{"a long name", Hold{Name: strings.Repeat("x", 201), Reason: "r"}, items, ErrHoldText},
		{"no reason", Hold{Name: "h", Reason: " "}, items, ErrHoldText},
		{"a long query", Hold{Name: "h", Reason: "r", Query: strings.Repeat("x", maxHoldText)}, items, ErrHoldText},
		{"no such item", Hold{Name: "h", Reason: "r"}, []HeldItem{{"ann", ID{1}}}, ErrNotFound},
		{"an item of another mailbox", Hold{Name: "h", Reason: "r"}, []HeldItem{{"bob", refs[0].ID}}, ErrNotFound},
	} {
		head := w.Head()
		if err := w.AddHold(t.Context(), row.hold, each(row.its...)); !errors.Is(err, row.want) || w.Head() != head {
			t.Errorf("%s: %v, want %v", row.name, err, row.want)
		}
	}
	wantErr(t, "refresh", w.RefreshHold(t.Context(), "h", 3, each()), ErrNoHold)
	wantErr(t, "release", w.ReleaseHold(t.Context(), "h", "r"), ErrNoHold)
	_, err := w.Hold(t.Context(), "h")
	wantErr(t, "hold", err, ErrNoHold)
}

// TestHoldLags is a query's hold over time: what came after it was evaluated is held until it is evaluated again, also when
// the snapshots in between were forgotten.
func TestHoldLags(t *testing.T) {
	t.Parallel()
	w, refs := heldWorld(t)
	lags := func(want bool) {
		t.Helper()
		h, err := w.Hold(t.Context(), "h")
		if err != nil || w.Lags(h) != want {
			t.Errorf("lags %v, want %v: %+v, %v", !want, want, h, err)
		}
	}
	wantErr(t, "add", w.AddHold(t.Context(), Hold{Name: "h", Reason: "r", Query: "q", Position: w.Head()}, each(HeldItem{"ann", refs[1].ID})), nil)
	lags(false)
	record := w.Head()
	for n := 3; n < 9; n++ {
		w.state(t, "ann", fmt.Sprint("a ", n))
	}
	lags(true)
	var late []VersionRef
	for from := uint32(2); from < 8; from++ {
		late = append(late, w.ref("ann", "a", from))
	}
	if got := fmt.Sprint(w.heldOf(t, append(refs, late...))); got != "[ h   h h h h h]" {
		t.Errorf("held are %s", got)
	}
	_, err := w.Forget(t.Context(), Forget{Reason: "test", Snapshots: []SnapshotRef{{"ann", 1}, {"ann", 2}, {"ann", 4}}})
	wantErr(t, "forget snapshots", err, nil)
	wantErr(t, "refresh", w.RefreshHold(t.Context(), "h", w.snapshots(t, "ann")[2].Position, each(HeldItem{"bob", refs[2].ID}, HeldItem{"ann", refs[1].ID})), nil)
	if got := fmt.Sprint(w.heldOf(t, append(refs, late...))); got != "[ h h      h]" { // evaluated through the third that is left, snapshot 6
		t.Errorf("held are %s", got)
	}
	lags(true)
	list := w.snapshots(t, "ann")
	wantErr(t, "refresh", w.RefreshHold(t.Context(), "h", list[len(list)-1].Position, each()), nil)
	lags(false)
	if got := fmt.Sprint(w.heldOf(t, append(refs, late...))); got != "[ h h      ]" {
		t.Errorf("held are %s", got)
	}
	wantErr(t, "an older position", w.RefreshHold(t.Context(), "h", 1, each()), nil)
	lags(false)
	w.rebuild(t)
	lags(false)
	h, err := w.Hold(t.Context(), "h")
	if err != nil || h.Items != 2 || h.Query != "q" || h.Reason != "r" || h.Since.IsZero() || h.Record != record {
		t.Errorf("%+v, %v", h, err)
	}
}

// other is another machine at the same bucket.
func (w *world) other(t *testing.T) *world {
	t.Helper()
	o := worldOf(w.memory, w.memory, vfs.NewCrashableMem())
	o.open(t)
	return o
}

// TestHoldOfAnother is a hold, or its end, that another machine's record says while this one is about to write.
func TestHoldOfAnother(t *testing.T) {
	t.Parallel()
	w, refs := heldWorld(t)
	o := w.other(t)
	items := []HeldItem{{"ann", refs[0].ID}}
	wantErr(t, "add", o.AddHold(t.Context(), Hold{Name: "h", Reason: "r"}, each(items...)), nil)
	_, err := w.Forget(t.Context(), Forget{Reason: "test", Versions: refs})
	wantErr(t, "forget what another holds", err, ErrHeld)
	wantErr(t, "release", o.ReleaseHold(t.Context(), "h", "r"), nil)
	wantErr(t, "release what another released", w.ReleaseHold(t.Context(), "h", "r"), ErrNoHold)
	wantErr(t, "add", o.AddHold(t.Context(), Hold{Name: "h", Reason: "r"}, each(items...)), nil)
	wantErr(t, "add what another added", w.AddHold(t.Context(), Hold{Name: "h", Reason: "r"}, each(items...)), ErrHoldExists)
	wantErr(t, "release", o.ReleaseHold(t.Context(), "h", "r"), nil)
	wantErr(t, "refresh what another released", w.RefreshHold(t.Context(), "h", 1, each(items...)), ErrNoHold)
	_, err = w.Forget(t.Context(), Forget{Reason: "test", Versions: refs[:1]})
	wantErr(t, "forget", err, nil)
	wantErr(t, "hold another's other version", o.AddHold(t.Context(), Hold{Name: "h", Reason: "r"}, each(items...)), nil)
	_, err = w.Forget(t.Context(), Forget{Reason: "test", Versions: refs[2:]})
	wantErr(t, "forget", err, nil)
	wantErr(t, "hold what another forgot", o.AddHold(t.Context(), Hold{Name: "i", Reason: "r"}, each(HeldItem{"bob", refs[2].ID})), ErrNotFound)
}

// TestHoldCrash cuts the power after each call of a run that holds, forgets and releases: a hold is whole or absent, and what
// it holds is there.
func TestHoldCrash(t *testing.T) {
	t.Parallel()
	w, refs := heldWorld(t)
	w.close(t)
	saved := w.memory.Clone()
	for n := 1; ; n++ {
		m := saved.Clone()
		faults := blobtest.NewFaulty(m)
		faults.Order(blobtest.Fault{Nth: n, Kind: blobtest.Dead})
		v := worldOf(m, faults, vfs.NewCrashableMem())
		err := v.tryOpen(t.Context())
		if err == nil {
			err = holdForgetRelease(t, v, refs)
		}
		u := worldOf(m, m, vfs.NewCrashableMem())
		u.open(t)
		holds, herr := u.Holds(t.Context())
		wantErr(t, "holds", herr, nil)
		_, there := u.Item(t.Context(), refs[1].ID)
		if len(holds) == 1 && (holds[0].Items != 2 || there != nil) {
			t.Fatalf("after %d calls: %+v, %v", n, holds, there)
		}
		u.wantSound(t)
		u.close(t)
		if err == nil {
			if len(holds) != 0 || there == nil {
				t.Fatalf("at the end: %+v, %v", holds, there)
			}
			return
		}
	}
}

func holdForgetRelease(t *testing.T, w *world, refs []VersionRef) error {
	ctx := t.Context()
	if err := w.AddHold(ctx, Hold{Name: "h", Reason: "r"}, each(HeldItem{"ann", refs[1].ID}, HeldItem{"bob", refs[2].ID})); err != nil {
		return err
	}
	if _, err := w.Forget(ctx, Forget{Reason: "r", Versions: refs[1:2]}); !errors.Is(err, ErrHeld) {
		return fmt.Errorf("forgot what is held: %w", err)
	}
	if err := w.ReleaseHold(ctx, "h", "r"); err != nil {
		return err
	}
	_, err := w.Forget(ctx, Forget{Reason: "r", Versions: refs[1:2]})
	return err
}

// TestHoldModel lets two machines hold, release, forget and back up in any order, and compares who holds what with a plain
// list of what was said.
func TestHoldModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		r := rand.New(rand.NewPCG(seed, 13))
		w := newWorld(t)
		w.close(t)
		w.opts.heldMax = int(seed) // 0 is the default
		w.open(t)
		worlds := []*world{w, w.other(t)}
		boxes := []string{"ann", "bob"}
		holds := map[string]*modelHold{}
		for n := range 60 {
			w := worlds[r.IntN(2)]
			box := boxes[r.IntN(2)]
			name := fmt.Sprint("h", r.IntN(3))
			switch r.IntN(5) {
			case 0, 1:
				if err := w.catchUp(t.Context()); err != nil {
					t.Fatal(err)
				}
				w.state(t, box, fmt.Sprint("i", r.IntN(3), " ", n), fmt.Sprint("n ", n))
			case 2:
				addRandomHold(t, r, w, holds, name, box)
			case 3:
				err := w.ReleaseHold(t.Context(), name, "r")
				if (err == nil) != (holds[name] != nil) {
					t.Fatalf("release %s: %v, %+v", name, err, holds[name])
				}
				delete(holds, name)
			case 4:
				wantForget(t, r, w, holds, box)
			}
		}
		for _, w := range worlds {
			w.rebuild(t)
			wantHolds(t, w, holds, boxes)
			w.wantSound(t)
		}
	}
}

// modelHold is a hold as it was said.
type modelHold struct {
	Hold
	ids map[ID]bool
}

func (h *modelHold) covers(t *testing.T, w *world, ref VersionRef) bool {
	inside := len(h.Mailboxes) == 0 && h.Query != "" || slices.Contains(h.Mailboxes, ref.Mailbox)
	if h.ids[ref.ID] || inside && h.Query == "" {
		return true
	}
	if !inside {
		return false
	}
	for _, s := range w.snapshots(t, ref.Mailbox) {
		if s.Ordinal == ref.From {
			return s.Position > h.Position
		}
	}
	return true
}

func addRandomHold(t *testing.T, r *rand.Rand, w *world, holds map[string]*modelHold, name, box string) {
	t.Helper()
	wantErr(t, "catch up", w.catchUp(t.Context()), nil)
	h := &modelHold{Hold{Name: name, Reason: "r", Position: uint64(r.IntN(int(w.Head()) + 1))}, map[ID]bool{}}
	var items []HeldItem
	for _, ref := range w.all(t, box) {
		if r.IntN(4) == 0 {
			items = append(items, HeldItem{box, ref.ID})
			h.ids[ref.ID] = true
		}
	}
	switch r.IntN(4) {
	case 0:
		h.Mailboxes = []string{box}
	case 1:
		h.Query = "q"
	case 2:
		h.Query, h.Mailboxes = "q", []string{box}
	}
	if was := holds[name]; was != nil {
		wantErr(t, "add", w.AddHold(t.Context(), h.Hold, each(items...)), ErrHoldExists)
		wantErr(t, "refresh", w.RefreshHold(t.Context(), name, h.Position, each(items...)), nil)
		was.Position = max(was.Position, h.Position)
		for id := range h.ids {
			was.ids[id] = true
		}
		return
	}
	wantErr(t, "add", w.AddHold(t.Context(), h.Hold, each(items...)), nil)
	holds[name] = h
}

// all are the versions of a mailbox that have ended.
func (w *world) all(t *testing.T, box string) (refs []VersionRef) {
	t.Helper()
	if _, err := w.Latest(box); err != nil {
		return nil
	}
	for v, err := range w.Histories(t.Context(), box) {
		wantErr(t, "histories", err, nil)
		if v.To != Forever {
			refs = append(refs, VersionRef{box, v.ID, v.From})
		}
	}
	return refs
}

func wantForget(t *testing.T, r *rand.Rand, w *world, holds map[string]*modelHold, box string) {
	t.Helper()
	wantErr(t, "catch up", w.catchUp(t.Context()), nil)
	refs := w.all(t, box)
	if len(refs) == 0 {
		return
	}
	ref := refs[r.IntN(len(refs))]
	held := false
	for _, h := range holds {
		held = held || h.covers(t, w, ref)
	}
	if _, err := w.Forget(t.Context(), Forget{Reason: "r", Versions: []VersionRef{ref}}); held != errors.Is(err, ErrHeld) || !held && err != nil {
		t.Fatalf("forget %v: held %v, %v", ref, held, err)
	}
}

func wantHolds(t *testing.T, w *world, holds map[string]*modelHold, boxes []string) {
	t.Helper()
	list, err := w.Holds(t.Context())
	if err != nil || len(list) != len(holds) {
		t.Fatalf("%+v, %v, want %d", list, err, len(holds))
	}
	for _, h := range list {
		if m := holds[h.Name]; m == nil || h.Items != len(m.ids) || h.Position != m.Position {
			t.Fatalf("%+v, want %+v", h, m)
		}
	}
	for _, box := range boxes {
		for _, ref := range w.all(t, box) {
			held := false
			for _, h := range holds {
				held = held || h.covers(t, w, ref)
			}
			if name, err := w.HeldBy(t.Context(), ref); err != nil || (name != "") != held {
				t.Fatalf("%v is held by %q, want %v, %v", ref, name, held, err)
			}
		}
	}
}

// TestHoldOfManyItems: no record, and nothing in memory, has more of them than go together; until the last has landed the hold covers
// whole mailboxes.
func TestHoldOfManyItems(t *testing.T) {
	t.Parallel()
	for name, query := range map[string]string{"named": "", "found": "q"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, refs := heldWorld(t)
			w.run(t, "eve", func(s *Session) {
				for n := range 10 {
					w.add(t, s, fmt.Sprint(n), n)
				}
			})
			w.close(t)
			w.opts.heldMax = 3
			w.open(t)
			var items []HeldItem
			for n := range 10 {
				items = append(items, HeldItem{"EVE", w.ids.item("eve", fmt.Sprint(n))})
			}
			position := w.Head()
			h := Hold{Name: "h", Reason: "r", Query: query, Position: position}
			broken := errors.New("no more")
			err := w.AddHold(t.Context(), h, func(yield func(HeldItem, error) bool) {
				for _, it := range items[:7] {
					yield(it, nil)
				}
				yield(HeldItem{}, broken)
			})
			if !errors.Is(err, broken) || !strings.Contains(err.Error(), "covers whole mailboxes until it is released") {
				t.Fatal(err)
			}
			if got := w.heldOf(t, refs); fmt.Sprint(got) != "[h h h]" {
				t.Errorf("held after a part: %q", got)
			}
			if query != "" {
				if h, err := w.Hold(t.Context(), "h"); err != nil || !w.Lags(h) {
					t.Errorf("it says that it was evaluated: %+v, %v", h, err)
				}
				wantErr(t, "refresh", w.RefreshHold(t.Context(), "h", position, each(items...)), nil)
			} else {
				wantErr(t, "release", w.ReleaseHold(t.Context(), "h", "r"), nil)
				wantErr(t, "add", w.AddHold(t.Context(), h, each(append(items, items...)...)), nil)
			}
			w.rebuild(t)
			got, err := w.Hold(t.Context(), "h")
			if err != nil || got.Items != len(items) || got.Query != query || len(got.Mailboxes) > 0 || query != "" && got.Position != position {
				t.Errorf("%+v, %v", got, err)
			}
			if got := w.heldOf(t, refs); fmt.Sprint(got) != "[  ]" {
				t.Errorf("held: %q", got)
			}
			for n := position + 1; n <= w.Head(); n++ {
				for _, h := range w.record(t, n).Body.Holds {
					if itemsHeld(&h) > 3 {
						t.Errorf("record %d: %d items", n, itemsHeld(&h))
					}
				}
			}
			wantErr(t, "release", w.ReleaseHold(t.Context(), "h", "r"), nil)
			for key := range w.heldRows(t) {
				t.Errorf("%x is still held", key)
			}
		})
	}
}

// held are the rows that say which items are held.
func (w *world) heldRows(t *testing.T) map[string]bool {
	rows := map[string]bool{}
	wantErr(t, "scan", w.cat.scan(t.Context(), []byte{keyHeld}, func(key, _ []byte) error {
		rows[string(key)] = true
		return nil
	}), nil)
	return rows
}
