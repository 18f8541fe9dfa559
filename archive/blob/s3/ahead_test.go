package s3_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"mailbrick/archive/blob"
)

// TestAhead: many small pieces of an object cost few requests, few pieces cost one each, and pieces that lie far apart are not
// paid with all that lies between them for long.
func TestAhead(t *testing.T) {
	t.Parallel()
	const small = 10_000
	tests := []struct {
		name         string
		pieces, most int
		at           func(i int) int64
	}{
		{"few", 3, 3, func(i int) int64 { return int64(i) * 100_000 }},
		{"one after another", 300, 3 + 3, func(i int) int64 { return int64(i) * small }},
		{"here and there", 600, 3 + 14, func(i int) int64 { return int64(i*7919%1100) * small }},
		{"backwards", 300, 3 + 3, func(i int) int64 { return int64(300-i) * small }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newProxy(t, realServer(t))
			b := behind(t, p, plainBucket)
			put(t, b, "packs/a", manyParts)
			for i := range tt.pieces {
				off := tt.at(i)
				got, err := read(t, b, "packs/a", off, small)
				if want := manyParts[off : off+small]; err != nil || got != want {
					t.Fatalf("piece at %d: %d bytes, %v", off, len(got), err)
				}
			}
			if n := p.count("get"); n > tt.most {
				t.Errorf("%d pieces took %d requests, want at most %d", tt.pieces, n, tt.most)
			}
		})
	}
}

// TestAheadGivesUp: where what is read ahead serves nobody, an object is read piece by piece again.
func TestAheadGivesUp(t *testing.T) {
	t.Parallel()
	p := newProxy(t, realServer(t))
	b := behind(t, p, plainBucket)
	put(t, b, "packs/a", strings.Repeat(manyParts, 4))
	for i := range 40 {
		if _, err := read(t, b, "packs/a", int64(i)<<20, 10); err != nil {
			t.Fatal(err)
		}
	}
	if n := p.sent(); n > 7<<20 {
		t.Errorf("%d bytes came for 400", n)
	}
}

// TestAheadIsExact: ranges give what they give without it, also behind the end and from many readers.
func TestAheadIsExact(t *testing.T) {
	t.Parallel()
	b := behind(t, newProxy(t, realServer(t)), plainBucket)
	content := manyParts[:3_000_001]
	put(t, b, "packs/a", content)
	var g errgroup.Group
	for seed := range 4 {
		r := rand.New(rand.NewPCG(uint64(seed), 0))
		g.Go(func() error {
			for range 200 {
				off, n := r.Int64N(3_200_000), r.Int64N(40_000)
				got, err := read(t, b, "packs/a", off, n)
				end := min(off+n, int64(len(content)))
				want := content[min(off, end):end]
				if got != want || (err != nil) != (int64(len(want)) < n) {
					t.Errorf("%d from %d: %d bytes, want %d; %v", n, off, len(got), len(want), err)
				}
			}
			return nil
		})
	}
	_ = g.Wait()
	if err := b.Remove(t.Context(), "packs/a"); err != nil {
		t.Fatal(err)
	}
	if _, err := read(t, b, "packs/a", 0, 10); !errors.Is(err, blob.ErrNotExist) {
		t.Errorf("removed: %v", err)
	}
}

// TestAheadInTrouble: a run that cannot be read is no harm.
func TestAheadInTrouble(t *testing.T) {
	t.Parallel()
	p := newProxy(t, realServer(t), order{is("get"), 3, 1, answer(403, "AccessDenied")})
	b := behind(t, p, plainBucket)
	put(t, b, "packs/a", manyParts)
	for i := range 10 {
		if got, err := read(t, b, "packs/a", int64(i)*100, 100); err != nil || got != manyParts[i*100:i*100+100] {
			t.Errorf("piece %d: %v", i, err)
		}
	}
	if n := p.count("get"); n > 6 {
		t.Errorf("%d requests", n)
	}
}
