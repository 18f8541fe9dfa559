package archive

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"mailbrick/archive/blob"
	"mailbrick/archive/blob/blobtest"
	"mailbrick/archive/blob/dir"
	"mailbrick/archive/blob/dir/dirtest"
	"mailbrick/archive/journal"
)

// usage is how many objects a bucket has, and their bytes.
func usage(m *blobtest.Memory) (objects int, size int64) {
	for _, name := range m.Names() {
		objects++
		size += int64(len(m.Bytes(name)))
	}
	return objects, size
}

// TestOneItemCommits: a commit of one item is one object, and after prune they are few.
func TestOneItemCommits(t *testing.T) {
	t.Parallel()
	commits := rounds(150, 5000)
	m := initialised(t)
	w := worldOf(m, m, vfs.NewCrashableMem())
	w.opts.inline = 0
	w.open(t)
	empty, none := usage(m)
	start := time.Now()
	for n := range commits {
		w.run(t, "m", func(s *Session) {
			wantErr(t, "put", put1(t.Context(), s, Item{ItemID: fmt.Sprint(n), ChangeKey: "k"}, noise(uint64(n), 2000)), nil)
		})
	}
	wrote := time.Since(start)
	objects, size := usage(m)
	if objects-empty != commits {
		t.Errorf("%d objects for %d commits", objects-empty, commits)
	}
	r := w.prune(t, PruneOptions{})
	after, left := usage(m)
	if most := 2*32 + commits/32 + 2; after-empty > most || r.Folded == 0 {
		t.Errorf("%d objects after prune, at most %d", after-empty, most)
	}
	t.Logf("%d commits: %d objects, %d bytes each, %v each; after prune %d objects, %d bytes each", commits, objects-empty,
		(size-none)/int64(commits), wrote/time.Duration(commits), after-empty, (left-none)/int64(commits))
	was := w.shas(t, "m")
	w.rebuild(t)
	if got := w.shas(t, "m"); fmt.Sprint(got) != fmt.Sprint(was) {
		t.Error("other items after a rebuild")
	}
	w.wantSound(t)
}

// TestFewObjects commits one item 25 million times, in a bucket that counts names, and prunes every so often: there are never more objects
// than one for every 32 MiB and 20,000. What is folded and removed the journal says, as it does for prune.
func TestFewObjects(t *testing.T) {
	t.Parallel()
	const each, item = 10_000, 3000 // bytes: of one small message, and its record
	commits := uint64(rounds(1_500_000, 25_000_000))
	j, err := journal.Open(new(blobtest.Memory), nil, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var there []journal.Span
	most := 0
	for last := uint64(0); last < commits; {
		for range each {
			last++
			there = append(there, journal.Span{From: last, To: last})
		}
		most = max(most, len(there))
		there = append(there, j.Foldable(there, last)...)
		gone := map[journal.Span]bool{}
		folded, _ := j.Folded(there)
		for _, s := range folded {
			gone[s] = true
		}
		kept := there[:0]
		for _, s := range there {
			if !gone[s] {
				kept = append(kept, s)
			}
		}
		there = kept
		// Packs: one for what was moved each time, until they are enough for full ones.
		packs := last*item/smallEnough + smallEnough/(each*item) + 2
		if bound := last*item>>25 + 20_000; uint64(most)+packs > bound {
			t.Fatalf("%d objects of the journal and %d packs after %d commits, at most %d", most, packs, last, bound)
		}
	}
	covered := uint64(0)
	for _, s := range there {
		covered = max(covered, s.To)
	}
	if covered != commits {
		t.Errorf("the last record is %d", covered)
	}
	t.Logf("at most %d objects of the journal, %d after the last prune", most, len(there))
}

// TestFoldFreesWhatWasForgotten: the bytes of a pack in a record go, also when its range is not full yet.
func TestFoldFreesWhatWasForgotten(t *testing.T) {
	t.Parallel()
	w := newShortWorld(t)
	w.run(t, "a", func(s *Session) { w.add(t, s, "1", 5) })
	w.run(t, "b", func(s *Session) { w.add(t, s, "1", 6) })
	name := journal.Object(1)
	if w.memory.Bytes(name) == nil || len(objectsOf(w.memory, packPrefix)) > 0 {
		t.Fatal("the packs do not lie in records")
	}
	w.forgetAll(t, "a")
	was := w.shas(t, "b")
	r := w.prune(t, PruneOptions{MaxGarbage: 1e-9})
	if w.memory.Bytes(name) != nil || r.Removed == 0 || r.Left != 0 {
		t.Errorf("record 1 is there with its pack: %+v", r)
	}
	if got := w.shas(t, "b"); fmt.Sprint(got) != fmt.Sprint(was) {
		t.Error("other items")
	}
	w.wantSound(t)
	w.rebuild(t)
	w.wantSound(t)
}

func objectsOf(m *blobtest.Memory, prefix string) (list []string) {
	for _, name := range m.Names() {
		if strings.HasPrefix(name, prefix) {
			list = append(list, name)
		}
	}
	return list
}

// TestPruneDies ends prune before each call that it makes, and goes on with a new process.
func TestPruneDies(t *testing.T) {
	t.Parallel()
	m := initialised(t)
	fs := vfs.NewCrashableMem()
	w := worldOf(m, m, fs).short(0)
	w.open(t)
	for n := range 11 {
		w.run(t, fmt.Sprint("m", n%2), func(s *Session) { w.add(t, s, fmt.Sprint(n), n) })
	}
	w.forgetAll(t, "m0")
	was := w.shas(t, "m1")
	w.close(t)
	for n := 1; ; n += rounds(17, 1) {
		at := m.Clone()
		faulty := blobtest.NewFaulty(at)
		p := worldOf(at, faulty, fs.CrashClone(vfs.CrashCloneCfg{})).short(0)
		p.open(t)
		faulty.Reset()
		faulty.Order(blobtest.Fault{Nth: n, Kind: blobtest.Dead})
		_, err := p.Prune(t.Context(), PruneOptions{MaxGarbage: 1e-9})
		if err == nil {
			return
		}
		if !errors.Is(err, blobtest.ErrDead) {
			t.Fatalf("call %d: %v", n, err)
		}
		next := worldOf(at, at, p.fs.CrashClone(vfs.CrashCloneCfg{})).short(0)
		next.open(t)
		next.wantSound(t)
		next.prune(t, PruneOptions{MaxGarbage: 1e-9})
		if got := next.shas(t, "m1"); fmt.Sprint(got) != fmt.Sprint(was) {
			t.Fatalf("call %d: other items", n)
		}
		next.wantSound(t)
		for name := range map[string]bool{journal.Object(1): true, journal.Object(2): true} {
			if _, err := at.Size(t.Context(), name); !errors.Is(err, blob.ErrNotExist) {
				t.Errorf("call %d: %s is not folded", n, name)
			}
		}
		next.rebuild(t)
		next.wantSound(t)
		next.close(t)
	}
}

// TestPruneTrustsNoName: something that has only the name of a segment takes nothing along.
func TestPruneTrustsNoName(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		span    journal.Span
		commits int // so few that nothing beside is folded, which would find it out
		first   int // of them, those after which some were folded
	}{
		"first level":  {journal.Span{From: 1, To: 4}, 5, 0},
		"second level": {journal.Span{From: 1, To: 16}, 17, 11},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := initialised(t)
			w := worldOf(m, m, vfs.NewCrashableMem())
			w.opts.folds = [2]uint64{4, 16}
			w.open(t)
			for n := range tt.commits {
				w.run(t, "m", func(s *Session) { w.add(t, s, fmt.Sprint(n), n) })
				if n+1 == tt.first {
					w.prune(t, PruneOptions{})
				}
			}
			was := w.shas(t, "m")
			records := m.Clone()
			m.Put(tt.span.Object(), []byte("nothing of the chain"))
			r := w.prune(t, PruneOptions{})
			if first := fmt.Sprintf("records %d to %d", tt.span.From, tt.span.To); len(r.Damaged) == 0 || !strings.Contains(r.Damaged[0], first) {
				t.Errorf("damaged: %q", r.Damaged)
			}
			for _, name := range objectsOf(records, journal.Prefix) {
				if s, _ := journal.ParseSpan(name); tt.span.Covers(s) && m.Bytes(name) == nil {
					t.Errorf("%s is gone", name)
				}
			}
			wantErr(t, "remove", m.Remove(t.Context(), tt.span.Object()), nil)
			w.prune(t, PruneOptions{})
			w.rebuild(t)
			if got := w.shas(t, "m"); fmt.Sprint(got) != fmt.Sprint(was) {
				t.Error("other items")
			}
		})
	}
}

// TestSegmentThatWasNotSynced: prune is killed when a segment has its name, but before that is durable; the next one goes on, and then
// the power fails.
func TestSegmentThatWasNotSynced(t *testing.T) {
	t.Parallel()
	disk := dirtest.New()
	b := dir.OpenFS(disk)
	wantErr(t, "init", Init(t.Context(), Options{Bucket: b, Random: zeros{}}), nil)
	fs := vfs.NewCrashableMem()
	opened := func(disk *dirtest.FS, fs *vfs.MemFS) *world {
		w := worldOf(nil, dir.OpenFS(disk), fs)
		w.opts.folds = [2]uint64{4, 16}
		w.open(t)
		return w
	}
	w := opened(disk, fs)
	for n := range 6 {
		w.run(t, "m", func(s *Session) { w.add(t, s, fmt.Sprint(n), n) })
	}
	was := w.shas(t, "m")
	killed := errors.New("killed")
	linked := false
	disk.Fail(func(op, name string) error {
		linked = linked || op == "link" && strings.HasSuffix(name, "-000000000004")
		if linked && op == "syncdir" {
			return killed
		}
		return nil
	})
	if _, err := w.Prune(t.Context(), PruneOptions{}); !errors.Is(err, killed) {
		t.Fatalf("prune: %v", err)
	}
	disk.Fail(nil)
	next := opened(disk, fs.CrashClone(vfs.CrashCloneCfg{}))
	removed := false
	disk.Fail(func(op, name string) error {
		if removed {
			return killed // the power fails behind the first removal, before that is durable either
		}
		removed = op == "remove" && strings.HasPrefix(name, journal.Prefix) && !strings.Contains(name, ".")
		return nil
	})
	if _, err := next.Prune(t.Context(), PruneOptions{}); !errors.Is(err, killed) || !removed {
		t.Fatalf("second prune: %v", err)
	}
	for seed := range uint64(50) {
		after := opened(disk.Crash(seed), vfs.NewCrashableMem())
		if got := after.shas(t, "m"); fmt.Sprint(got) != fmt.Sprint(was) {
			t.Fatalf("seed %d: other items", seed)
		}
		after.close(t)
	}
}

// listedThen is a bucket in which something happens once, when its journal was listed.
type listedThen struct {
	blob.Bucket
	then func()
}

func (b *listedThen) List(ctx context.Context, prefix string) iter.Seq2[blob.Info, error] {
	list := slices.Collect(maps.Keys(maps.Collect(b.Bucket.List(ctx, prefix))))
	if then := b.then; then != nil && prefix == journal.Prefix {
		b.then = nil
		then()
	}
	return func(yield func(blob.Info, error) bool) {
		for _, info := range list {
			if !yield(info, nil) {
				return
			}
		}
	}
}

// TestOpenAmidFold folds before every call of one who opens the archive with a catalog of before: what was committed then is seen.
func TestOpenAmidFold(t *testing.T) {
	t.Parallel()
	for _, far := range []bool{false, true} {
		for at := uint64(rounds(4, 1)); at <= 8; at += uint64(rounds(4, 1)) {
			for nth, done := 1, false; !done; nth++ {
				m := initialised(t)
				w, late := worldOf(m, m, vfs.NewCrashableMem()).short(-1), worldOf(m, nil, vfs.NewCrashableMem()).short(-1)
				faulty := blobtest.NewFaulty(m)
				late.opts.Bucket, late.opts.Far = faulty, far
				w.open(t)
				for n := uint64(1); w.Head() < 9; n++ {
					if late.Archive == nil && w.Head() >= at {
						late.open(t)
						late.close(t)
					}
					w.run(t, "box", func(s *Session) { wantErr(t, "cursor", s.SetCursor("at", []byte{byte(n)}), nil) })
				}
				var once sync.Once
				faulty.Reset()
				faulty.Slow = func(blobtest.Op, string) { once.Do(func() { w.prune(t, PruneOptions{}) }) }
				faulty.Order(blobtest.Fault{Nth: nth, Kind: blobtest.Slow})
				late.open(t)
				if late.Head() < 9 {
					t.Errorf("far %v, from record %d, folded before call %d: it ends at record %d", far, at, nth, late.Head())
				}
				done = faulty.Calls(blobtest.Any) < nth
				late.close(t)
				w.close(t)
			}
		}
	}
}

// TestCheckAmidFolding: records that are folded while Check looks at what it has listed are no damage, and do not stop it.
func TestCheckAmidFolding(t *testing.T) {
	t.Parallel()
	m := new(blobtest.Memory)
	wantErr(t, "init", Init(t.Context(), Options{Bucket: m, Random: zeros{}, Parity: true}), nil)
	w, bucket := worldOf(m, m, vfs.NewCrashableMem()).short(0), &listedThen{Bucket: m}
	w.open(t)
	for n := range 10 {
		w.run(t, "a", func(s *Session) { w.copies(t, s, fmt.Sprint(n), 1) })
	}
	other := worldOf(m, bucket, vfs.NewCrashableMem()).short(0)
	other.open(t)
	folded := 0
	bucket.then = func() {
		r, err := w.Prune(t.Context(), PruneOptions{})
		wantErr(t, "prune", err, nil)
		folded = r.Folded
	}
	if other.wantSound(t); folded == 0 {
		t.Error("nothing was folded")
	}
}
