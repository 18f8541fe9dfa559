package archive

import (
	"bytes"
	"crypto/rand"
	"testing"

	"mailbrick/archive/seal"
)

// TestNamer: a chunk has the id that its bytes have, whether it is named for the first time or was forgotten meanwhile.
func TestNamer(t *testing.T) {
	t.Parallel()
	ids := newIDMaker(seal.Key{1})
	n, err := newNamer(ids, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	long := noise(1, 3*longNamed)
	for range 2 {
		for _, length := range []int{0, 1, longNamed - 1, longNamed, longNamed + 1, len(long) - 1, len(long)} {
			for range 2 {
				chunk := bytes.Clone(long[:length])
				if n.chunk(chunk) != ids.chunk(chunk) {
					t.Fatalf("a chunk of %d bytes has another id", length)
				}
				if length > 0 {
					chunk[length/2] ^= 1
					if n.chunk(chunk) != ids.chunk(chunk) {
						t.Fatalf("a chunk of %d bytes is taken for another", length)
					}
				}
			}
		}
		n.known = newLRU[chunkTag, chunkID](namesHeld)
	}
	if _, err := newNamer(ids, bytes.NewReader(nil)); err == nil {
		t.Error("tags without a key")
	}
}

func BenchmarkNamer(b *testing.B) {
	ids := newIDMaker(seal.Key{1})
	n, err := newNamer(ids, rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	chunk := noise(1, 30<<10)
	b.Run("again", func(b *testing.B) {
		b.SetBytes(int64(len(chunk)))
		for b.Loop() {
			n.chunk(chunk)
		}
	})
	b.Run("anew", func(b *testing.B) {
		b.SetBytes(int64(len(chunk)))
		for b.Loop() {
			ids.chunk(chunk)
		}
	})
}
