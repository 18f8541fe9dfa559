package parity

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestFit: the payload's length follows from the object's size.
func TestFit(t *testing.T) {
	t.Parallel()
	check := func(size int64) {
		l := layoutOf(size)
		if got, exact := fit(l.stored()); !exact || got.size != size {
			t.Fatalf("payload of %d is stored in %d, which fits %d, exactly %v", size, l.stored(), got.size, exact)
		}
		next := layoutOf(size + 1).stored()
		if next <= l.stored() {
			t.Fatalf("payload of %d is stored in %d, one byte more in %d", size, l.stored(), next)
		}
		if got, exact := fit(next - 1); got.size != size || exact != (next-1 == l.stored()) {
			t.Fatalf("%d fits %d, exactly %v; want %d", next-1, got.size, exact, size)
		}
	}
	for size := range int64(100_000) {
		check(size)
	}
	random := rand.New(rand.NewPCG(4, 4))
	for range 20_000 {
		check(random.Int64N(3 * windowSize))
		check(random.Int64N(1 << 50))
	}
	for n := range int64(12) {
		for d := int64(-3); d <= 3; d++ {
			check((n+1)*windowSize + d)
			check(n*windowSize + 8*blockSize + d)
			check(n*windowSize + maxData*blockSize + d)
		}
	}
}

func TestFitForeign(t *testing.T) {
	t.Parallel()
	for _, stored := range []int64{math.MinInt64, -1, 0, 1, 4000, layoutOf(0).stored() - 1} {
		if l, exact := fit(stored); exact || l.size != 0 {
			t.Errorf("%d fits %d, exactly %v", stored, l.size, exact)
		}
	}
	if _, exact := fit(math.MaxInt64); exact {
		t.Error("the largest number is the size of an object")
	}
}

// TestShards holds what the package says of windows.
func TestShards(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		want window
	}{
		{"nothing", window{}},
		{"one byte", window{size: 1, data: 1, parity: 1, shard: 1}},
		{"a block", window{size: 4096, data: 1, parity: 1, shard: 4096}},
		{"more than a block", window{size: 4097, data: 2, parity: 2, shard: 4096}},
		{"forty blocks", window{size: 40 * 4096, data: 40, parity: 2, shard: 4096}},
		{"more than forty blocks", window{size: 40*4096 + 1, data: 41, parity: 3, shard: 4096}},
		{"200 blocks", window{size: 819_200, data: 200, parity: 10, shard: 4096}},
		{"more than 200 blocks", window{size: 819_201, data: 200, parity: 10, shard: 4097}},
		{"whole", window{size: windowSize, data: 200, parity: 10, shard: 41_944}},
	} {
		if got := windowOf(tt.want.size); got != tt.want {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.want)
		}
	}
	for size := 1; size <= windowSize; size += 1 + size/5000 {
		w := windowOf(size)
		if last := w.length(w.data - 1); last < 1 || last > w.shard || w.padded() < size {
			t.Fatalf("window of %d: %+v, last shard of %d", size, w, last)
		}
	}
}

// TestOverhead holds the figures of the package doc.
func TestOverhead(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		size, stored int64
	}{{0, 4176}, {300, 4840}, {4096, 12432}, {1 << 20, 1_111_902}, {64 << 20, 70_522_320}} {
		if got := layoutOf(tt.size).stored(); got != tt.stored {
			t.Errorf("%d bytes are stored in %d, want %d (%.2f %% more)", tt.size, got, tt.stored, 100*float64(got-tt.size)/float64(tt.size))
		}
	}
}
