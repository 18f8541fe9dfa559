package archive

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"mailbrick/archive/blob/blobtest"
)

// catalogRows are the rows of a catalog, but for those of some spaces.
func (w *world) catalogRows(t *testing.T, but string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := w.cat.scan(t.Context(), nil, func(key, value []byte) error {
		if !strings.Contains(but, string(key[:1])) {
			out[fmt.Sprintf("%c %x", key[0], key[1:])] = fmt.Sprintf("%x", value)
		}
		return nil
	})
	wantErr(t, "scan", err, nil)
	return out
}

func wantRows(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	all := maps.Clone(want)
	maps.Copy(all, got)
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if got[key] != want[key] {
			t.Errorf("%s: row %s is %q, want %q", what, key, got[key], want[key])
		}
	}
}

// remade is the same archive with a catalog that was made anew from the bucket.
func (w *world) remade(t *testing.T) *world {
	t.Helper()
	o := worldOf(w.memory, w.opts.Bucket, vfs.NewCrashableMem())
	o.opts.inline, o.opts.folds, o.opts.Rebuild = w.opts.inline, w.opts.folds, true
	o.open(t)
	return o
}

// mixedRuns is what a catalog has rows of: changes and ends of versions and folders, cursors, copies with summaries, holds and their
// ends, what was forgotten.
func (w *world) mixedRuns(t *testing.T) {
	t.Helper()
	for _, tg := range script(5, 8) {
		_, err := w.bringUpTo(t.Context(), tg)
		wantErr(t, "run", err, nil)
	}
	for n := range 4 {
		w.run(t, fmt.Sprint("c", n), func(s *Session) {
			for i := range 5 {
				data := noise(77, 3000)
				copy(data[100:], fmt.Sprintf("copy %d of %d", i, n))
				summary := bytes.Repeat([]byte(fmt.Sprintf("summary %d, as of many ", i)), 8)
				it := Item{ItemID: fmt.Sprint(i), ChangeKey: "1", FolderID: "f", Similar: []byte("copies"), Summary: append(summary, byte(n))}
				wantErr(t, "put", put1(t.Context(), s, it, data), nil)
			}
		})
	}
	items := []HeldItem{{"c1", w.ids.item("c1", "1")}, {"c1", w.ids.item("c1", "2")}}
	for _, name := range []string{"stays", "ends"} {
		wantErr(t, "hold", w.AddHold(t.Context(), Hold{Name: name, Reason: "r"}, each(items...)), nil)
	}
	wantErr(t, "release", w.ReleaseHold(t.Context(), "ends", "r"), nil)
	w.run(t, "c0", func(s *Session) { wantErr(t, "remove", s.Remove("3"), nil) })
	_, err := w.Forget(t.Context(), Forget{Reason: "test", Versions: []VersionRef{w.ref("c0", "3", 1)}})
	wantErr(t, "forget", err, nil)
}

// TestRebuiltIsFollowed: a catalog that is made anew from the bucket is, row for row, the one that followed the journal as it grew: that of
// who wrote, and that of another machine.
func TestRebuiltIsFollowed(t *testing.T) {
	t.Parallel()
	eachPlace(t, func(t *testing.T, made func(testing.TB) *world) {
		w := made(t)
		w.Archive.opts.groupMax = 20_000
		o := w.elsewhere(t)
		wantErr(t, "follow", o.catchUpAlone(t.Context()), nil)
		w.mixedRuns(t)
		wantErr(t, "follow", o.catchUpAlone(t.Context()), nil)
		want := w.catalogRows(t, "")
		spaces := map[string]bool{}
		for key := range want {
			spaces[key[:1]] = true
		}
		if got := strings.Join(slices.Sorted(maps.Keys(spaces)), ""); got != "abcfhilmnprsuvwy" && got != "acfhilmnprsuvwy" {
			t.Errorf("rows of the spaces %s: the runs leave some out", got)
		}
		wantRows(t, "another machine's", o.catalogRows(t, ""), want)
		anew := w.remade(t)
		wantRows(t, "made anew", anew.catalogRows(t, ""), want)
		anew.close(t)
		if found := w.elsewhere(t); found.cat.anew {
			t.Error("what was made anew keeps its memory")
		} else {
			wantRows(t, "made where there was none", found.catalogRows(t, ""), want)
		}

		// Of what lay in packs that are gone nobody knows any more which were copies: summaries stand whole.
		w.forgetAll(t, "c2")
		w.prune(t, PruneOptions{})
		anew = w.remade(t)
		but := string([]byte{keyVersion, keySummary, keySimilar})
		wantRows(t, "made anew of what was pruned", anew.catalogRows(t, but), w.catalogRows(t, but))
		for _, box := range []string{"box0", "box1", "c0", "c1", "c3"} {
			for _, s := range w.snapshots(t, box) {
				if got, want := anew.listed(t, s), w.listed(t, s); got != want {
					t.Errorf("%s %d made anew is\n%swant\n%s", box, s.Ordinal, got, want)
				}
			}
		}
		anew.close(t)
		w.close(t)
	})
}

// TestRebuildCrash stops the power at every moment of making a catalog anew: where there was none, and in place of one that is there. What
// is left opens and says all that the journal says.
func TestRebuildCrash(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, tg := range script(9, 6) {
		_, err := w.bringUpTo(t.Context(), tg)
		wantErr(t, "run", err, nil)
	}
	want := w.catalogRows(t, "")
	w.close(t)
	for _, row := range []struct {
		name    string
		there   *vfs.MemFS
		rebuild bool
	}{
		{"none", vfs.NewCrashableMem(), false},
		{"none, and asked for", vfs.NewCrashableMem(), true},
		{"one that is there", w.fs, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c := &camera{memory: w.memory, fs: row.there, rand: rand.New(rand.NewPCG(1, 9)), every: 1}
			v := worldOf(w.memory, w.memory, row.there)
			v.opts.fs, v.opts.Rebuild = c.catalogFS(), row.rebuild
			v.open(t)
			wantRows(t, "made anew", v.catalogRows(t, ""), want)
			v.close(t)
			if len(c.moments) < 20 {
				t.Fatalf("%d moments", len(c.moments))
			}
			for _, m := range c.moments {
				u := worldOf(m.memory, m.memory, m.fs)
				if err := u.tryOpen(t.Context()); err != nil {
					t.Fatalf("%s: %v", m.what, err)
				}
				wantRows(t, m.what, u.catalogRows(t, ""), want)
				if left, err := m.fs.List("catalog"); err != nil || slices.Contains(left, "db.new") {
					t.Errorf("%s: %v lie there, %v", m.what, left, err)
				}
				u.close(t)
			}
		})
	}
}

// TestRebuildEnds: one that is ended in its midst leaves the catalog that is there as it was.
func TestRebuildEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mixedRuns(t)
	want := w.catalogRows(t, "")
	w.close(t)
	for n := 1; ; n++ {
		faults := blobtest.NewFaulty(w.memory)
		faults.Order(blobtest.Fault{Nth: n, Kind: blobtest.Dead})
		v := worldOf(w.memory, faults, w.fs)
		v.opts.Rebuild = true
		err := v.tryOpen(t.Context())
		if err != nil {
			wantErr(t, "rebuild", err, blobtest.ErrDead)
			v = worldOf(w.memory, w.memory, w.fs)
			v.open(t)
		}
		wantRows(t, fmt.Sprint("ended at call ", n), v.catalogRows(t, ""), want)
		v.close(t)
		if err == nil {
			break
		}
	}
}
