package archive

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"mailbrick/archive/blob/blobtest"
	"mailbrick/archive/pack"
)

// elsewhere is another machine that has the bucket open.
func (w *world) elsewhere(t *testing.T) *world {
	t.Helper()
	other := worldOf(w.memory, w.memory, vfs.NewCrashableMem())
	other.opts.inline, other.opts.folds = w.opts.inline, w.opts.folds
	other.opts.Clock = w.opts.Clock
	other.open(t)
	t.Cleanup(func() { other.close(t) })
	return other
}

// TestPruneWhileAnItemIsStored: the first chunks of an item land with a group of others, and another machine prunes before the last
// ones come. No version needs those chunks yet: the item is stored anew, and nothing else has to be.
func TestPruneWhileAnItemIsStored(t *testing.T) {
	t.Parallel()
	eachPlace(t, func(t *testing.T, made func(testing.TB) *world) {
		w := made(t)
		w.run(t, "gone", func(s *Session) {
			for n := range 20 {
				w.add(t, s, fmt.Sprint(n), n+50)
			}
		})
		w.forgetAll(t, "gone")
		other := w.elsewhere(t)

		s := w.begin(t, "m")
		c := s.NewContent(t.Context())
		data := segments(noise(7, 700_000))
		for _, seg := range data[:len(data)-1] {
			wantErr(t, "add", c.Add(seg), nil)
		}
		w.add(t, s, "beside", 3)
		w.land(t)
		if r := other.prune(t, PruneOptions{MaxGarbage: 1e-9}); r.Position == 0 {
			t.Fatalf("nothing was pruned: %+v", r)
		}
		wantErr(t, "add", c.Add(data[len(data)-1]), nil)
		wantErr(t, "put", s.Put(t.Context(), Item{ItemID: "late"}, c), ErrAnew)
		wantErr(t, "put anew", put1(t.Context(), s, Item{ItemID: "late"}, noise(7, 700_000)), nil)
		if _, err := s.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := w.shas(t, "m"); len(got) != 2 {
			t.Errorf("%d items", len(got))
		}
		w.wantSound(t)
	})
}

// packCount is how many packs the bucket has.
func (w *world) packCount() (n int) {
	for _, name := range w.memory.Names() {
		if _, ok := pack.ParseObject(name); ok {
			n++
		}
	}
	return n
}

// fillPack stores until a pack of the session's group is in the bucket, which no record names yet.
func (w *world) fillPack(t *testing.T, s *Session) {
	t.Helper()
	w.add(t, s, "mine", 6)
	w.add(t, s, "also mine", 13)
	before := w.packCount()
	w.group.mu.Lock()
	defer w.group.mu.Unlock()
	wantErr(t, "close pack", w.group.closePack(), nil)
	if w.packCount() != before+1 {
		t.Fatal("no pack came")
	}
}

// TestPruneLeavesRunsAlone: another machine prunes while packs are there that no record names yet. The session that wrote them began
// in a record, so they stay; unless it is taken for broken off. Then it ends, nothing of it is shown, and what it wrote goes.
func TestPruneLeavesRunsAlone(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		brokenOff time.Duration
		want      error
	}{"at work": {0, nil}, "taken for broken off": {time.Nanosecond, ErrPruned}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.run(t, "gone", func(s *Session) { w.add(t, s, "i", 20) })
			w.forgetAll(t, "gone")
			other := w.elsewhere(t)
			s := w.begin(t, "m")
			w.fillPack(t, s)
			r := other.prune(t, PruneOptions{MaxGarbage: 1e-9, BrokenOff: tt.brokenOff})
			if r.Position == 0 || r.Orphans != 1 {
				t.Fatalf("pruned %+v", r)
			}
			_, err := s.Commit(t.Context())
			wantErr(t, "commit", err, tt.want)
			if tt.want == nil {
				if got := w.shas(t, "m"); len(got) != 2 {
					t.Errorf("%d items", len(got))
				}
				w.wantSound(t)
				return
			}
			other.wantSound(t)
			if _, err := other.Latest("m"); err == nil || other.packCount() != 0 {
				t.Errorf("what was broken off is shown, %v, or left %d packs", err, other.packCount())
			}
			_ = w.Close() // it says again that it was pruned
			w.open(t)
			w.run(t, "m", func(s *Session) { w.add(t, s, "mine", 6); w.add(t, s, "also mine", 13) })
			w.wantSound(t)
		})
	}
}

// TestPruneLosesToARun: a run's record lands at any moment of another machine's prune, also when that takes the run for broken off.
// Either the record is there, and all that it names, or the run is told.
func TestPruneLosesToARun(t *testing.T) {
	t.Parallel()
	for _, brokenOff := range []time.Duration{0, time.Nanosecond} {
		t.Run(fmt.Sprint("after ", brokenOff), func(t *testing.T) {
			t.Parallel()
			landed, ended := 0, 0
			for n, amid := 1, true; amid; n += rounds(5, 1) {
				w := newWorld(t)
				w.run(t, "gone", func(s *Session) {
					w.add(t, s, "i", 20)
					w.add(t, s, "j", 27) // which comes again
				})
				w.run(t, "stays", func(s *Session) { w.add(t, s, "i", 5) })
				w.forgetAll(t, "gone")
				faulty := blobtest.NewFaulty(w.memory)
				other := worldOf(w.memory, faulty, vfs.NewCrashableMem())
				other.opts.Clock = w.opts.Clock
				other.open(t)
				s := w.begin(t, "m")
				w.add(t, s, "found again", 27)
				w.fillPack(t, s)
				amid = false
				var err error
				faulty.Reset()
				faulty.Order(blobtest.Fault{Nth: n, Kind: blobtest.Slow})
				faulty.Slow = func(blobtest.Op, string) {
					amid = true
					_, err = s.Commit(t.Context())
				}
				other.prune(t, PruneOptions{MaxGarbage: 1e-9, BrokenOff: brokenOff})
				if !amid {
					_, err = s.Commit(t.Context())
				}
				if landed++; err != nil {
					wantErr(t, fmt.Sprint("commit at call ", n), err, ErrPruned)
					landed, ended = landed-1, ended+1
				}
				other.reopen(t)
				if got := strings.Join(other.shas(t, "m"), " "); (err == nil) != strings.Contains(got, "found again") {
					t.Fatalf("at call %d: commit said %v, there is %.100q", n, err, got)
				}
				other.wantSound(t)
				other.close(t)
			}
			t.Logf("%d runs landed, %d ended", landed, ended)
			if landed == 0 || ended == 0 {
				t.Error("not both of what may come")
			}
		})
	}
}
