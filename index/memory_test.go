package index

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"sync/atomic"
	"testing"
)

// TestBatchesAreBounded holds that a batch has no more text than it may, unless that is one document's.
func TestBatchesAreBounded(t *testing.T) {
	t.Parallel()
	const limit = 10_000
	log, sizes := newLog(), []int{4000, 4000, 4000, 9000, 30_000, 100, 100, 9900, 10_100, 1, 1, 1, 5000, 6000, 20_000}
	for i, size := range sizes {
		log.add(uint64(1+i/3), log.version(t, "m", byte(i), 0, "Inbox", 1, &letter{body: fmt.Sprint(i, " ", strings.Repeat("x", size))}))
	}
	x := openTest(t, folder(t), Options{BatchBytes: limit})
	done, batches := 0, 0
	x.fault = func() error {
		s, err := x.Stats()
		text := 0
		for _, size := range sizes[done:s.Documents] {
			text += size
		}
		if s.Documents > done+1 && text > limit {
			t.Errorf("%d documents of %d bytes after the first %d", s.Documents-done, text, done)
		}
		done, batches = s.Documents, batches+1
		return err
	}
	follow(t, x, log)
	if done != len(sizes) || batches < 8 {
		t.Fatalf("%d documents in %d batches", done, batches)
	}
}

// TestFollowingMemory holds what making an index keeps alive at most, whatever is followed: the text of a batch some 40 times, and
// what does not depend on it. It is alone, for the heap is everybody's.
func TestFollowingMemory(t *testing.T) {
	log := benchLog(t, 3000)
	x := openTest(t, fastFolder(t), Options{BatchDocuments: 5000}) // bytes decide
	peak := peakHeap(func() { follow(t, x, log) })
	t.Logf("%d MiB", peak>>20)
	if peak > 60<<20 {
		t.Fatalf("%d MiB of heap are held", peak>>20)
	}
}

// fastFolder lies in memory where the system has a place for that. On a disk that others keep busy what is merged of earlier batches is
// still held when the next one is made: some 10 MiB more.
func fastFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "mailbrick-test-")
	if err != nil {
		return folder(t)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "index")
}

// TestShortAfterLong holds that short documents take the memory of short ones, whatever came before.
func TestShortAfterLong(t *testing.T) {
	var long strings.Builder
	for i := range 150_000 {
		fmt.Fprintf(&long, "u%dx ", i%5000)
	}
	log := newLog()
	log.add(1, log.version(t, "long", 1, 0, "Inbox", 1, &letter{body: long.String()}))
	x := openTest(t, folder(t), Options{})
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // so that what the library keeps from batch to batch is there
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	follow(t, x, log)
	for i := range byte(200) {
		log.add(2, log.version(t, "short", i, 0, "Inbox", 1, &letter{body: fmt.Sprint("short ", i)}))
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	follow(t, x, log)
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 32<<20 {
		t.Fatalf("%d MiB are allocated", n>>20)
	}
}

// peakHeap is what is alive at most while work is done, beyond what was before. It looks after each collection.
func peakHeap(work func()) uint64 {
	defer debug.SetGCPercent(debug.SetGCPercent(10)) // so that there are many
	runtime.GC()
	before := liveHeap()
	var peak atomic.Uint64 // finalizers run one after another
	var look func(*[64]byte)
	look = func(*[64]byte) {
		peak.Store(max(peak.Load(), liveHeap()))
		runtime.SetFinalizer(new([64]byte), look)
	}
	look(nil)
	work()
	return peak.Load() - min(peak.Load(), before)
}

// liveHeap is what the last collection found.
func liveHeap() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}
