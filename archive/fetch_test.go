package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"mailbrick/archive/blob"
	"mailbrick/archive/blob/blobtest"
	"mailbrick/archive/pack"
)

// ranged is a bucket that notes the ranges that are read of packs, and may refuse some.
type ranged struct {
	*blobtest.Memory
	refuse func(name string, off, n int64) error

	mu sync.Mutex
	// below is guarded by mu
	reads int
	bytes int64
}

func (r *ranged) Open(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	if strings.HasPrefix(name, packPrefix) {
		r.mu.Lock()
		r.reads++
		r.bytes += n
		r.mu.Unlock()
		if r.refuse != nil {
			if err := r.refuse(name, off, n); err != nil {
				return nil, err
			}
		}
	}
	return r.Memory.Open(ctx, name, off, n)
}

func (r *ranged) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reads, r.bytes = 0, 0
}

// sent puts a message with two attachments of its own and two that others have as well.
func sent(t testing.TB, s *Session, n int, copied string) {
	t.Helper()
	head := noise(uint64(n), 2000)
	copy(head[1000:], copied)
	c := s.NewContent(t.Context())
	for i, seg := range []Segment{{Kind: Framing, Data: []byte("frame")}, {Kind: Small, Data: head}, {Kind: Bulk, Data: noise(uint64(n)<<8+1, 90_000)},
		{Kind: Text, Data: textOf(n, 5000)}, {Kind: Bulk, Data: noise(uint64(n%7)<<32, 30_000)}, {Kind: Bulk, Data: noise(uint64(n)<<8+2, 50_000)},
		{Kind: Bulk, Data: noise(uint64(n%5)<<40, 25_000)}} {
		seg.Stream = i
		if err := c.Add(seg); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Put(t.Context(), Item{ItemID: fmt.Sprint(n, copied), Similar: fmt.Append(nil, "message ", n)}, c); err != nil {
		t.Fatal(err)
	}
}

// manyPacks is an archive of so many packs. Each run finds new messages and copies of those that came before.
func manyPacks(t testing.TB, b *ranged, packs int) *world {
	t.Helper()
	w := worldOf(b.Memory, b, vfs.NewCrashableMem())
	w.open(t)
	for run := range packs {
		w.run(t, fmt.Sprint("box", run%10), func(s *Session) {
			for n := range 3 {
				sent(t, s, run*3+n, "")
			}
			for n := range 3 {
				sent(t, s, run*(n+1)/2, fmt.Sprint("copy of run ", run))
			}
		})
	}
	return w
}

// cold makes the archive as if its process had just begun.
func (w *world) cold() {
	w.frames = newLRU[frameKey, []byte](16 << 20)
	w.inline = newLRU[pack.Name, []byte](inlineHeld)
}

// TestReadsOfAnItem: one item takes at most four reads of packs, in an archive of 100 packs and more, for 99 of 100 items (every other
// one is read).
func TestReadsOfAnItem(t *testing.T) {
	t.Parallel()
	b := &ranged{Memory: initialised(t)}
	w := manyPacks(t, b, 110)
	if s, err := w.Stats(t.Context()); err != nil || s.Packs < 100 {
		t.Fatalf("%d packs, %v", s.Packs, err)
	}
	for _, tt := range []struct {
		name      string
		far, busy bool
	}{{name: "near"}, {name: "far", far: true}, {name: "by a process that has read much", busy: true}} {
		w.Archive.opts.Far = tt.far
		var reads []int
		i := 0
		for _, m := range w.Mailboxes() {
			for v, err := range w.Versions(t.Context(), m) {
				if err != nil {
					t.Fatal(err)
				}
				if i++; i%2 == 0 {
					continue
				}
				w.cold()
				if tt.busy {
					w.frames.put(frameKey{1 << 31, 0}, nil, fewFrames)
				}
				b.reset()
				w.read(t, v)
				reads = append(reads, b.reads)
			}
		}
		slices.Sort(reads)
		if got := reads[len(reads)*99/100]; got > itemReads || len(reads) < 300 {
			t.Errorf("%s: of %d items 99 %% take %d reads, the worst %d", tt.name, len(reads), got, reads[len(reads)-1])
		}
	}
}

// TestReadsAround: where a range cannot be read, what lies in it is read alone: bytes between what is wanted harm nobody.
func TestReadsAround(t *testing.T) {
	t.Parallel()
	b := &ranged{Memory: initialised(t)}
	w := manyPacks(t, b, 4)
	errSector := errors.New("bad sector")
	whole := 0
	b.refuse = func(_ string, off, n int64) error {
		if n > 250_000 { // more than any frame
			whole++
			return errSector
		}
		return nil
	}
	for _, far := range []bool{false, true} {
		w.Archive.opts.Far = far
		for _, m := range w.Mailboxes() {
			w.cold()
			w.listed(t, m)
		}
	}
	if whole == 0 {
		t.Error("nothing was read together")
	}
	b.refuse = func(string, int64, int64) error { return fmt.Errorf("%w: for long", blob.ErrUnavailable) }
	w.cold()
	b.reset()
	for v := range w.Versions(t.Context(), w.Mailboxes()[0]) {
		if _, err := w.OpenBlob(t.Context(), v); !errors.Is(err, blob.ErrUnavailable) || b.reads > 2 {
			t.Errorf("out of reach: %v after %d reads", err, b.reads)
		}
		break
	}
}

// TestReadsTakingTurns: memory is bounded, and nothing is read many times, where an item goes back and forth between many long streams.
func TestReadsTakingTurns(t *testing.T) {
	t.Parallel()
	const streams, size, step = 6, 3 << 20, 256 << 10
	b := &ranged{Memory: initialised(t)}
	w := worldOf(b.Memory, b, vfs.NewCrashableMem())
	w.open(t)
	var want []byte
	w.run(t, "m", func(s *Session) {
		c := s.NewContent(t.Context())
		for at := 0; at < size; at += step {
			for n := range streams {
				seg := Segment{Stream: n, Kind: Small, Data: noise(uint64(n*size+at), step)}
				want = append(want, seg.Data...)
				if err := c.Add(seg); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := s.Put(t.Context(), Item{ItemID: "turns"}, c); err != nil {
			t.Fatal(err)
		}
	})
	for v := range w.Versions(t.Context(), w.Mailboxes()[0]) {
		w.cold()
		b.reset()
		r, err := w.OpenBlob(t.Context(), v)
		if err != nil {
			t.Fatal(err)
		}
		var got []byte
		held, p := 0, make([]byte, 32<<10)
		for err == nil {
			var n int
			n, err = r.Read(p)
			got = append(got, p[:n]...)
			held = max(held, r.(*blobReader).from.held)
		}
		if err != io.EOF || !bytes.Equal(got, want) {
			t.Errorf("%d bytes of %d, %v", len(got), len(want), err)
		}
		if most := 3*planBytes + gapsMost; held > most || b.bytes > 2*int64(len(want)) {
			t.Errorf("%d bytes held, at most %d are allowed; %d were read for %d", held, most, b.bytes, len(want))
		}
		if err := r.Close(); err != nil || r.(*blobReader).from.held != 0 {
			t.Errorf("closed: %v", err)
		}
	}
}

// TestCoalesce: what lies together is read together.
func TestCoalesce(t *testing.T) {
	t.Parallel()
	const k, m = 1 << 10, 1 << 20
	at := func(pack byte, off, end int64) stretch { return stretch{name: [16]byte{pack}, off: off, end: end} }
	tests := map[string]struct {
		list, want []stretch
		most       int
	}{
		"nothing":              {nil, nil, 4},
		"one":                  {[]stretch{at(1, 0, 5)}, []stretch{at(1, 0, 5)}, 4},
		"adjacent":             {[]stretch{at(1, 5, 9), at(1, 0, 5)}, []stretch{at(1, 0, 9)}, 4},
		"overlapping":          {[]stretch{at(1, 0, 9*k), at(1, 2, 5), at(1, 9*k-1, 10*k)}, []stretch{at(1, 0, 10*k)}, 4},
		"near":                 {[]stretch{at(1, 0, k), at(1, 65*k, 66*k)}, []stretch{at(1, 0, 66*k)}, 4},
		"not so near":          {[]stretch{at(1, 0, k), at(1, 65*k+1, 66*k)}, []stretch{at(1, 0, k), at(1, 65*k+1, 66*k)}, 4},
		"other packs":          {[]stretch{at(2, 5, 9), at(1, 0, 5)}, []stretch{at(1, 0, 5), at(2, 5, 9)}, 1},
		"too many: shortest":   {[]stretch{at(1, 0, k), at(1, m, m+k), at(1, 2*m-k, 2*m), at(2, 0, k)}, []stretch{at(1, 0, k), at(1, m, 2*m), at(2, 0, k)}, 3},
		"too many: all":        {[]stretch{at(1, 0, k), at(1, m, m+k), at(1, 2*m-k, 2*m), at(2, 0, k)}, []stretch{at(1, 0, 2*m), at(2, 0, k)}, 1},
		"too far":              {[]stretch{at(1, 0, k), at(1, 9*m, 10*m)}, []stretch{at(1, 0, k), at(1, 9*m, 10*m)}, 1},
		"too far all together": {[]stretch{at(1, 0, k), at(1, 6*m, 7*m), at(1, 12*m, 13*m)}, []stretch{at(1, 0, k), at(1, 6*m, 13*m)}, 1},
		"equal starts":         {[]stretch{at(1, 0, k), at(1, 0, 2*k), at(1, 0, k)}, []stretch{at(1, 0, 2*k)}, 4},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := slices.Clone(tt.list)
			got := coalesce(tt.list, gapNear, tt.most)
			same := func(a, b stretch) bool { return a.compare(&b) == 0 }
			if !slices.EqualFunc(got, tt.want, same) || !slices.EqualFunc(tt.list, before, same) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}
