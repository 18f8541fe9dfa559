package archive

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// forgetAll forgets all versions of a mailbox, those of the latest snapshot too.
func (w *world) forgetAll(t testing.TB, mailbox string) {
	t.Helper()
	f := Forget{Reason: "test", Living: true}
	for v, err := range w.allVersions(t, mailbox) {
		if err != nil {
			t.Fatal(err)
		}
		f.Versions = append(f.Versions, VersionRef{mailbox, v.ID, v.From})
	}
	if _, err := w.Forget(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

// allVersions are the versions of a mailbox that any snapshot shows.
func (w *world) allVersions(t testing.TB, mailbox string) func(func(*Version, error) bool) {
	return func(yield func(*Version, error) bool) {
		seen := map[string]bool{}
		for _, s := range w.snapshots(t, mailbox) {
			for v, err := range w.Versions(t.Context(), s) {
				if err == nil {
					key := fmt.Sprint(v.ID, v.From)
					if seen[key] {
						continue
					}
					seen[key] = true
				}
				if !yield(v, err) {
					return
				}
			}
		}
	}
}

func (w *world) prune(t testing.TB, o PruneOptions) PruneReport {
	t.Helper()
	r, err := w.Prune(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestPrune(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, m := range []string{"a", "b", "c"} {
		w.run(t, m, func(s *Session) {
			for n := range 40 {
				if err := put1(t.Context(), s, Item{ItemID: fmt.Sprint(n), Similar: []byte(fmt.Sprint("mark", n%3))}, append(blobOf(n), m...)); err != nil {
					t.Fatal(err)
				}
			}
			w.copies(t, s, m, 20)
		})
	}
	if r := w.prune(t, PruneOptions{}); r.Garbage != 0 || r.Removed != 0 || r.Position != 0 {
		t.Fatalf("pruned what is alive: %+v", r)
	}
	before := w.shas(t, "b")
	w.forgetAll(t, "a")
	w.forgetAll(t, "c")
	plan, err := w.PlanPrune(t.Context(), PruneOptions{})
	if err != nil || plan.Garbage == 0 || plan.Rewrite+plan.Delete == 0 {
		t.Fatalf("plan %+v, %v", plan, err)
	}
	r := w.prune(t, PruneOptions{})
	if r.Removed != plan.Rewrite+plan.Delete || r.RemovedBytes <= r.AddedBytes || r.Position != w.Head() {
		t.Fatalf("pruned %+v, planned %+v", r, plan)
	}
	t.Logf("%+v", r)
	for range 2 {
		if got := w.shas(t, "b"); fmt.Sprint(got) != fmt.Sprint(before) {
			t.Fatal("other items than before")
		}
		w.wantSound(t)
		if again := w.prune(t, PruneOptions{}); again.Removed != 0 || float64(again.Garbage) > 0.05*float64(again.Bytes) {
			t.Fatalf("pruned again %+v", again)
		}
		w.rebuild(t)
	}
	// What was pruned is stored again when it comes again.
	w.run(t, "d", func(s *Session) {
		for n := range 40 {
			if err := put1(t.Context(), s, Item{ItemID: fmt.Sprint(n), Similar: []byte(fmt.Sprint("mark", n%3))}, append(blobOf(n), 'a')); err != nil {
				t.Fatal(err)
			}
		}
	})
	w.shas(t, "d")
	w.wantSound(t)
}

// shas reads all items of a mailbox.
func (w *world) shas(t testing.TB, mailbox string) (out []string) {
	t.Helper()
	for v, err := range w.allVersions(t, mailbox) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprintf("%s %x", v.ItemID, w.read(t, v)))
	}
	return out
}

// TestPruneKeepsWhatBasesName: a recipe that others are differences from has names of its own, in whatever order items are marked.
func TestPruneKeepsWhatBasesName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, "a", func(s *Session) {
		for n := range 16 {
			for k, what := range []string{"base", "copy"} {
				data := append(noise(uint64(n), 708), noise(uint64(100+2*n+k), 2000)...) // what is in the recipe is alike, the rest is not
				wantErr(t, "put", put1(t.Context(), s, Item{ItemID: fmt.Sprint(what, n), Similar: []byte{byte(n)}}, data), nil)
			}
		}
	})
	before := w.shas(t, "a")
	if r := w.prune(t, PruneOptions{MaxGarbage: 1e-9}); r.Garbage > 0 || r.Removed > 0 {
		t.Errorf("pruned what is alive: %+v", r)
	}
	if got := w.shas(t, "a"); fmt.Sprint(got) != fmt.Sprint(before) {
		t.Error("other items than before")
	}
}

// TestPruneAmidStoredAnew: a recipe that another machine stored once more, of an item that it took back, comes into the catalog while
// marking goes on. It lies in a pack that came since then, and what it names is needed all the same.
func TestPruneAmidStoredAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := worldOf(w.memory, w.memory, vfs.NewCrashableMem())
	other.open(t)
	body := noise(1, 3000)
	item := func(head byte) []byte { return append(bytes.Repeat([]byte{head}, 708), body...) }
	put := func(s *Session, item string, data []byte) {
		wantErr(t, "put", put1(t.Context(), s, Item{ItemID: item}, data), nil)
	}
	w.run(t, "a", func(s *Session) { put(s, "first", item('1')); put(s, "stays", noise(2, 9000)) })
	wantErr(t, "catch up", other.catchUpAlone(t.Context()), nil)
	w.run(t, "b", func(s *Session) { put(s, "second", item('2')) })
	latest, err := w.Latest("a")
	wantErr(t, "latest", err, nil)
	_, err = w.Forget(t.Context(), Forget{Living: true, Versions: []VersionRef{{"a", w.ids.item("a", "first"), latest.Ordinal}}})
	wantErr(t, "forget", err, nil)
	s := other.begin(t, "c")
	put(s, "taken back", item('2'))
	wantErr(t, "remove", s.Remove("taken back"), nil)
	amid := sync.OnceFunc(func() {
		_, err := s.Commit(t.Context())
		wantErr(t, "commit", errors.Join(err, w.catchUpAlone(t.Context())), nil)
	})
	w.prune(t, PruneOptions{MaxGarbage: 1e-9, Progress: func(int64, int64, string) { amid() }})
	w.wantSound(t)
}

// TestPruneAmidDelta: a delta that another machine lets land while prune marks, of an item that it took back, may come again: the base
// that nobody else needs stays as long as the catalog knows the delta.
func TestPruneAmidDelta(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := worldOf(w.memory, w.memory, vfs.NewCrashableMem())
	other.open(t)
	put := func(s *Session, item string, n int) {
		data := noise(1, 3000)
		copy(data[100:], fmt.Sprintf("copy %d", n))
		wantErr(t, "put", put1(t.Context(), s, Item{ItemID: item, Similar: []byte("copies")}, data), nil)
	}
	w.run(t, "a", func(s *Session) { put(s, "base", 1) })
	wantErr(t, "catch up", other.catchUpAlone(t.Context()), nil)
	w.forgetAll(t, "a")
	s := other.begin(t, "c")
	put(s, "taken back", 2)
	wantErr(t, "remove", s.Remove("taken back"), nil)
	amid := sync.OnceFunc(func() {
		_, err := s.Commit(t.Context())
		wantErr(t, "commit", err, nil)
	})
	w.run(t, "d", func(s *Session) { wantErr(t, "put", put1(t.Context(), s, Item{ItemID: "else"}, noise(2, 3000)), nil) })
	w.prune(t, PruneOptions{MaxGarbage: 1e-9, Progress: func(int64, int64, string) { amid() }})
	w.run(t, "b", func(s *Session) { put(s, "again", 2) })
	w.wantSound(t)
}

// TestPrunedBaseStoredAsDelta: a base that was pruned, and stored anew by another machine as a delta, is none any more for what was
// stored against it and has not landed.
func TestPrunedBaseStoredAsDelta(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	put := func(s *Session, item string, n int) {
		data := noise(1, 3000)
		copy(data[100:], fmt.Sprintf("copy %d", n))
		wantErr(t, "put", put1(t.Context(), s, Item{ItemID: item, Similar: []byte("copies")}, data), nil)
	}
	w.run(t, "a", func(s *Session) { put(s, "base", 1) })
	other := worldOf(w.memory, w.memory, vfs.NewCrashableMem())
	other.open(t)
	s := w.begin(t, "b")
	put(s, "copy", 2)
	other.forgetAll(t, "a")
	other.prune(t, PruneOptions{MaxGarbage: 1e-9})
	other.run(t, "c", func(s *Session) { put(s, "another", 3); put(s, "once more", 1) })
	_, err := s.Commit(t.Context())
	wantErr(t, "commit", err, ErrPruned)
	other.wantSound(t)
}
