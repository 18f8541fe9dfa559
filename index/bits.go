package index

import (
	"iter"
	"math/bits"
)

// bitset is a set of the word index's document numbers, as long as its highest. Numbers hold for one reader only.
type bitset struct{ words []uint64 }

func (b *bitset) add(i uint64) {
	for n := int(i / 64); n >= len(b.words); {
		b.words = append(b.words, 0)
	}
	b.words[i/64] |= 1 << (i % 64)
}

func (b *bitset) has(i uint64) bool {
	return i/64 < uint64(len(b.words)) && b.words[i/64]&(1<<(i%64)) != 0
}

func (b *bitset) clone() *bitset { return &bitset{append([]uint64(nil), b.words...)} }

func (b *bitset) and(o *bitset) {
	b.words = b.words[:min(len(b.words), len(o.words))]
	for i := range b.words {
		b.words[i] &= o.words[i]
	}
}

func (b *bitset) or(o *bitset) {
	for len(b.words) < len(o.words) {
		b.words = append(b.words, 0)
	}
	for i := range o.words {
		b.words[i] |= o.words[i]
	}
}

func (b *bitset) andNot(o *bitset) {
	for i := range min(len(b.words), len(o.words)) {
		b.words[i] &^= o.words[i]
	}
}

func (b *bitset) count() (n int) {
	for _, w := range b.words {
		n += bits.OnesCount64(w)
	}
	return n
}

// all gives the numbers in order.
func (b *bitset) all() iter.Seq[uint64] {
	return func(yield func(uint64) bool) {
		for i, w := range b.words {
			for ; w != 0; w &= w - 1 {
				if !yield(uint64(i*64 + bits.TrailingZeros64(w))) {
					return
				}
			}
		}
	}
}
