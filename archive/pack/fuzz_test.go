package pack

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"mailbrick/archive/blob/blobtest"
	"mailbrick/archive/seal"
)

func tableSeeds() [][]byte {
	t := Table{Frames: []Frame{
		{Sealed: 30, Plain: 7, Chunks: []Chunk{{ID: ChunkID{1}, Class: Deltas, Base: ChunkID{9}, Length: 3}, {ID: ChunkID{2}, Similar: Similar{8}, Length: 4}}},
		{Sealed: 17, Chunks: []Chunk{{ID: ChunkID{3}, Class: Text}}},
	}}
	empty := Table{}
	return [][]byte{t.encode(), empty.encode(), {0xFF, 0xFF, 0xFF, 0xFF, 0x0F}, {1, 0, 0, 0xFF, 0xFF, 0xFF, 0x7F}}
}

func FuzzTable(f *testing.F) {
	for _, seed := range tableSeeds() {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var table, again Table
		if err := table.decode(b); err != nil {
			if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrVersion) {
				t.Fatal(err)
			}
			return
		}
		if err := again.decode(table.encode()); err != nil || !bytes.Equal(again.encode(), table.encode()) {
			t.Fatalf("a table that was read does not come back: %v", err)
		}
	})
}

func FuzzFrame(f *testing.F) {
	c, err := newCodec()
	if err != nil {
		f.Fatal(err)
	}
	for _, plain := range [][]byte{nil, []byte("x"), bytes.Repeat([]byte("much alike "), 50)} {
		data, err := c.encode(nil, plain)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, len(plain))
	}
	f.Add([]byte{codecZstd, 0x28, 0xB5, 0x2F, 0xFD, 0xA0, 0xFF, 0xFF, 0xFF, 0xFF}, 4) // says that it has 4 GiB
	f.Fuzz(func(t *testing.T, data []byte, size int) {
		size &= maxFrame - 1
		plain, err := decode(c.dec, data, size)
		if err == nil && len(plain) != size || err != nil && !errors.Is(err, ErrDamaged) {
			t.Fatalf("%d bytes, %d wanted: %v", len(plain), size, err)
		}
	})
}

func TestCodecProperty(t *testing.T) {
	t.Parallel()
	c, err := newCodec()
	if err != nil {
		t.Fatal(err)
	}
	var out []byte
	for n := range 2000 {
		plain := make([]byte, n)
		for i := range plain {
			plain[i] = byte(i * i * n >> 7)
		}
		if out, err = c.encode(out[:0], plain); err != nil {
			t.Fatal(err)
		}
		if len(out) > n+1 {
			t.Fatalf("%d bytes became %d", n, len(out))
		}
		if back, err := decode(c.dec, out, n); err != nil || !bytes.Equal(back, plain) {
			t.Fatalf("%d bytes: %v", n, err)
		}
	}
}

// TestTableMustFitItsFrames: a table whose seal is good, but which is not of these frames.
func TestTableMustFitItsFrames(t *testing.T) {
	t.Parallel()
	b := new(blobtest.Memory)
	ring, err := seal.NewRing(rand.NewChaCha8([32]byte{1}))
	if err != nil {
		t.Fatal(err)
	}
	w, err := Create(t.Context(), b, ring, rand.NewChaCha8([32]byte{}))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Add(Chunk{ID: ChunkID{1}, Class: Bulk}, make([]byte, frameTarget(Bulk))); err != nil {
		t.Fatal(err)
	}
	w.table.Frames[0].Sealed--
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := NewReader(b, ring).Table(t.Context(), w.Name()); !errors.Is(err, ErrDamaged) {
		t.Errorf("table: %v", err)
	}
}
