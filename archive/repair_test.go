package archive

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"mailbrick/archive/blob"
	"mailbrick/archive/blob/blobtest"
	"mailbrick/archive/blob/dir"
	"mailbrick/archive/blob/dir/dirtest"
	"mailbrick/archive/journal"
	"mailbrick/archive/pack"
)

// coveredArchive is a small one that keeps parity.
func coveredArchive(t *testing.T) *world {
	t.Helper()
	m := new(blobtest.Memory)
	wantErr(t, "init", Init(t.Context(), Options{Bucket: m, Random: zeros{}, Parity: true}), nil)
	w := worldOf(m, m, vfs.NewCrashableMem())
	w.open(t)
	w.run(t, "a", func(s *Session) { w.copies(t, s, "1", 2) })
	w.run(t, "b", func(s *Session) { w.copies(t, s, "2", 1) })
	return w
}

// fresh empties what was read.
func (w *world) fresh() { w.frames = newLRU[frameKey, []byte](1 << 20) }

// repair mends the archive as another process would that has no catalog.
func (w *world) repair(t testing.TB, b blob.Bucket) *RepairReport {
	t.Helper()
	r, err := Repair(t.Context(), Options{Bucket: b, Catalog: "catalog", fs: vfs.NewMem()}, nil)
	if err != nil {
		t.Fatalf("repair: %v", err)
	}
	return r
}

func (w *world) check(t testing.TB, o CheckOptions) *CheckReport {
	t.Helper()
	w.fresh()
	r, err := w.Check(t.Context(), o)
	if err != nil {
		t.Fatalf("check: %v", err)
	}
	return r
}

func (w *world) images() map[string][]byte {
	out := map[string][]byte{}
	for _, name := range w.memory.Names() {
		out[name] = w.memory.Bytes(name)
	}
	return out
}

func (w *world) wantImages(t testing.TB, what string, want map[string][]byte) {
	t.Helper()
	for name, data := range w.images() {
		if !bytes.Equal(data, want[name]) {
			t.Fatalf("%s: %s has other bytes", what, name)
		}
	}
	if n := len(w.memory.Names()); n != len(want) {
		t.Fatalf("%s: %d objects, want %d", what, n, len(want))
	}
}

// TestEveryByteIsMended flips bytes of all that an archive is: Check finds each and says that it can be mended, reading goes on,
// and Repair gives back what was there.
func TestEveryByteIsMended(t *testing.T) {
	t.Parallel()
	w := coveredArchive(t)
	w.wantSound(t)
	good := w.images()
	snap := w.snapshots(t, "a")[0]
	listed := w.listed(t, snap)
	r := rand.New(rand.NewPCG(3, 9))
	flipped := 0
	for _, name := range w.memory.Names() {
		for at := range good[name] {
			if !torture() && r.IntN(200) > 0 {
				continue
			}
			f := flip{name, at, byte(1 + r.IntN(255))}
			f.do(w.memory)
			if rep := w.check(t, CheckOptions{}); len(rep.Errors) == 0 || rep.Mendable != len(rep.Errors) {
				t.Fatalf("%+v: check: %d can be mended of %q", f, rep.Mendable, rep.Errors)
			}
			if flipped%20 == 0 && w.listed(t, snap) != listed {
				t.Fatalf("%+v: other items are read", f)
			}
			if other := worldOf(w.memory, w.memory, vfs.NewCrashableMem()); flipped%10 == 0 {
				other.open(t)
				if other.listed(t, snap) != listed {
					t.Fatalf("%+v: other items are read with a new catalog", f)
				}
				other.close(t)
			}
			if rep := w.repair(t, w.memory); len(rep.Damaged) != 1 || rep.Beyond() > 0 {
				t.Fatalf("%+v: repair: %v", f, rep.Damaged)
			}
			w.wantImages(t, fmt.Sprintf("%+v", f), good)
			flipped++
		}
	}
	w.fresh()
	w.wantSound(t)
	t.Logf("%d of the bytes flipped", flipped)
}

// TestRepairLeavesWhatIsWhole and what it cannot mend.
func TestRepairLeavesWhatIsWhole(t *testing.T) {
	t.Parallel()
	w := coveredArchive(t)
	faulty := blobtest.NewFaulty(w.memory)
	if r := w.repair(t, faulty); len(r.Damaged) > 0 || r.Objects == 0 || !r.Parity {
		t.Errorf("repair: %+v", r)
	}
	for _, op := range []blobtest.Op{blobtest.Create, blobtest.Replace, blobtest.Remove} {
		if n := faulty.Calls(op); n > 0 {
			t.Errorf("%d calls of %v", n, op)
		}
	}
}

// TestBeyondRepair: what parity does not give back is named by Check and by Repair, and not touched.
func TestBeyondRepair(t *testing.T) {
	t.Parallel()
	packs := func(w *world) (names []string) {
		for _, name := range w.memory.Names() {
			if strings.HasPrefix(name, packPrefix) {
				names = append(names, name)
			}
		}
		return names
	}
	record := journal.Object
	tests := []struct {
		name   string
		damage func(w *world) string // gives the name of what is lost
	}{
		{"pack deleted", func(w *world) string {
			name := packs(w)[0]
			_ = w.memory.Remove(context.Background(), name)
			return name
		}},
		{"pack cut off in its payload", func(w *world) string {
			name := packs(w)[0]
			w.memory.Put(name, w.memory.Bytes(name)[:200])
			return name
		}},
		{"pack swapped with another", func(w *world) string {
			two := packs(w)
			first, second := w.memory.Bytes(two[0]), w.memory.Bytes(two[1])
			w.memory.Put(two[0], second)
			w.memory.Put(two[1], first)
			return two[0]
		}},
		{"record missing", func(w *world) string {
			_ = w.memory.Remove(context.Background(), record(2))
			return record(2)
		}},
		{"records reordered", func(w *world) string {
			first, second := w.memory.Bytes(record(1)), w.memory.Bytes(record(2))
			w.memory.Put(record(1), second)
			w.memory.Put(record(2), first)
			return record(1)
		}},
		{"record forged, with parity that fits", func(w *world) string {
			forged, err := fetch(context.Background(), w.parity, record(2), 1<<20)
			wantErr(t, "read", err, nil)
			forged[60] ^= 1
			_ = w.memory.Remove(context.Background(), record(2))
			wantErr(t, "forge", blob.Put(context.Background(), w.parity, record(2), forged), nil)
			return record(2)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := coveredArchive(t)
			lost := tt.damage(w)
			bad := w.images()
			if r := w.check(t, CheckOptions{}); len(r.Errors) <= r.Mendable || !names(strings.Join(r.Errors, "\n"), lost) {
				t.Errorf("check: %q, %d can be mended", r.Errors, r.Mendable)
			}
			r := w.repair(t, w.memory)
			if r.Beyond() == 0 || !strings.Contains(fmt.Sprint(r.Damaged), lost) {
				t.Errorf("repair: %v", r.Damaged)
			}
			w.wantImages(t, "repair", bad)
		})
	}
}

// names tells whether a text speaks of an object, by its name or as the journal and packs are called.
func names(text, object string) bool {
	if n, ok := journal.ParseObject(object); ok {
		return strings.Contains(text, object) || strings.Contains(text, fmt.Sprint("record ", n)) || strings.Contains(text, fmt.Sprint("ends at record ", n-1))
	}
	name, ok := pack.ParseObject(object)
	return strings.Contains(text, object) || ok && strings.Contains(text, fmt.Sprintf("pack %x", name))
}

// TestRepairCrashes at every call of the file system: each object is then the damaged or the mended one, and another repair
// ends the work.
func TestRepairCrashes(t *testing.T) {
	t.Parallel()
	w := coveredArchive(t)
	good := w.images()
	bad := map[string][]byte{}
	for name, data := range good {
		bad[name] = bytes.Clone(data)
		if name != configObject+copySuffix && !strings.HasSuffix(name, "2") {
			bad[name][100] ^= 1
		}
		if strings.HasPrefix(name, keyPrefix) && strings.HasSuffix(name, copySuffix) {
			bad[name] = bytes.Clone(data)
		}
	}
	for n, lived := 1, false; !lived; n++ {
		fs := dirtest.New()
		b := dir.OpenFS(fs)
		for name, data := range bad {
			wantErr(t, "put", blob.Put(t.Context(), b, name, data), nil)
		}
		fs.CrashAt(n)
		_, err := Repair(t.Context(), Options{Bucket: b, Catalog: "catalog", fs: vfs.NewMem()}, nil)
		lived = err == nil
		after := dir.OpenFS(fs.Crash(uint64(n)))
		for name := range good {
			got, err := fetch(t.Context(), after, name, 1<<20)
			if err != nil || !bytes.Equal(got, good[name]) && !bytes.Equal(got, bad[name]) {
				t.Fatalf("call %d, %s: %s is neither damaged as it was nor mended, %v", n, fs.Last(), name, err)
			}
		}
		w.repair(t, after)
		for name := range good {
			if got, err := fetch(t.Context(), after, name, 1<<20); err != nil || !bytes.Equal(got, good[name]) {
				t.Fatalf("call %d: %s is not mended, %v", n, name, err)
			}
		}
	}
}

// TestReadingThroughDamage: an archive that is damaged all over is opened with a new catalog and read, and says so once.
func TestReadingThroughDamage(t *testing.T) {
	t.Parallel()
	w := coveredArchive(t)
	snap := w.snapshots(t, "a")[0]
	listed := w.listed(t, snap)
	w.close(t)
	for _, name := range w.memory.Names() {
		if strings.HasPrefix(name, packPrefix) || strings.HasPrefix(name, journal.Prefix) {
			flip{name, 50, 1}.do(w.memory)
		}
	}
	other := worldOf(w.memory, w.memory, vfs.NewCrashableMem())
	var told []error
	other.opts.Damaged = func(err error) { told = append(told, err) }
	other.open(t)
	if got := other.listed(t, snap); got != listed {
		t.Errorf("read\n%s\nwas\n%s", got, listed)
	}
	if len(told) != 1 {
		t.Errorf("told %v", told)
	}
	other.repair(t, other.memory)
	other.wantSound(t)
	other.close(t)
}

// TestCheckGoesOn: one that is broken off anywhere goes on, and reads nothing twice but what is new.
func TestCheckGoesOn(t *testing.T) {
	t.Parallel()
	w := coveredArchive(t)
	w.close(t)
	w.opts.proveMax = 1
	w.open(t)
	whole := w.check(t, CheckOptions{ReadAll: true})
	for stop := 1; ; stop++ {
		ctx, cancel := context.WithCancel(t.Context())
		steps := 0
		count := func(_, _ int64, what string) {
			if what != "journal" {
				if steps++; steps == stop {
					cancel()
				}
			}
		}
		_, err := w.Check(ctx, CheckOptions{ReadAll: true, Again: true, Progress: count})
		cancel()
		if err == nil {
			break
		}
		wantErr(t, "broken off", err, context.Canceled)
		rest := 0
		r := w.check(t, CheckOptions{ReadAll: true, Progress: func(_, _ int64, what string) {
			if what != "journal" {
				rest++
			}
		}})
		if total := whole.Packs + whole.Items; rest > total-stop+1 || stop > whole.Packs+1 && r.Before == 0 {
			t.Errorf("broken off after %d: %d more of %d, %d before", stop, rest, total, r.Before)
		}
		if r.Packs != whole.Packs || r.Items != whole.Items || r.Chunks != whole.Chunks || len(r.Errors) > 0 {
			t.Errorf("broken off after %d: %+v, want %+v", stop, r, whole)
		}
	}
	if r := w.check(t, CheckOptions{ReadAll: true}); r.Before > 0 {
		t.Errorf("%d items remembered after the end", r.Before)
	}
}

// TestCheckGoesOnWithWhatIsNew: items that came since the check was broken off are read.
func TestCheckGoesOnWithWhatIsNew(t *testing.T) {
	t.Parallel()
	w := coveredArchive(t)
	w.close(t)
	w.opts.proveMax = 1
	w.open(t)
	ctx, cancel := context.WithCancel(t.Context())
	began := w.opts.Clock()
	_, err := w.Check(ctx, CheckOptions{ReadAll: true, Progress: func(done, _ int64, what string) {
		if what == "items" && done == 2 {
			cancel()
		}
	}})
	ended := w.opts.Clock()
	cancel()
	wantErr(t, "broken off", err, context.Canceled)
	w.run(t, "a", func(s *Session) { w.copies(t, s, "new", 5) })
	ctx, cancel = context.WithCancel(t.Context())
	_, err = w.Check(ctx, CheckOptions{ReadAll: true, Progress: func(done, _ int64, what string) {
		if what == "items" && done == 4 {
			cancel()
		}
	}})
	cancel()
	wantErr(t, "broken off again", err, context.Canceled)
	want := w.check(t, CheckOptions{ReadAll: true})
	if want.Before == 0 || want.Items != 8 || want.Since.Before(began) || want.Since.After(ended) {
		t.Errorf("%+v, broken off first between %s and %s", want, began, ended)
	}
	if again := w.check(t, CheckOptions{ReadAll: true}); again.Items != want.Items || again.Chunks != want.Chunks || again.Packs != want.Packs {
		t.Errorf("%+v, at once %+v", want, again)
	}
}

// TestAppendBehindDamagedRecord: who finds that the number of his record is taken by one that only its parity reads, passes it over.
func TestAppendBehindDamagedRecord(t *testing.T) {
	t.Parallel()
	w := coveredArchive(t)
	other := worldOf(w.memory, w.memory, vfs.NewCrashableMem()).short(0)
	other.open(t)
	s := other.begin(t, "c")
	other.copies(t, s, "3", 1)
	w.run(t, "a", func(s *Session) { w.copies(t, s, "4", 1) })
	flip{journal.Object(w.Head()), 200, 1}.do(w.memory)
	_, err := s.Commit(t.Context())
	wantErr(t, "commit", err, nil)
	if other.Head() != w.Head()+1 {
		t.Errorf("the head is %d, was %d", other.Head(), w.Head())
	}
}

// TestRepairAmidPrune: packs and records that another process prunes while Repair looks at them are no damage.
func TestRepairAmidPrune(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		m := new(blobtest.Memory)
		wantErr(t, "init", Init(t.Context(), Options{Bucket: m, Random: zeros{}, Parity: true}), nil)
		w, faulty, pruned := worldOf(m, m, vfs.NewCrashableMem()).short(500), blobtest.NewFaulty(m), false
		w.open(t)
		for n := range 6 {
			w.run(t, "a", func(s *Session) { w.copies(t, s, fmt.Sprint(n), 1+n%2) })
		}
		faulty.Slow = func(blobtest.Op, string) {
			r, err := w.Prune(t.Context(), PruneOptions{MaxGarbage: 1e-9})
			wantErr(t, "prune", err, nil)
			pruned = r.Folded > 0
		}
		faulty.Order(blobtest.Fault{Nth: n, Kind: blobtest.Slow})
		w.forgetAll(t, "a")
		r, err := Repair(t.Context(), Options{Bucket: faulty, Catalog: "catalog", fs: vfs.NewMem(), folds: w.opts.folds}, nil)
		if err != nil || len(r.Damaged) > 0 {
			t.Fatalf("pruned at call %d: %v, %v", n, err, r.Damaged)
		}
		w.close(t)
		if !pruned {
			return // it was over
		}
	}
}
