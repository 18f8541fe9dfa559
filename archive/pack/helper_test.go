package pack_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"mailbrick/archive/blob"
	"mailbrick/archive/blob/blobtest"
	"mailbrick/archive/pack"
	"mailbrick/archive/seal"
)

// testRing has the keys 0, 1, 2, ... and 32, 33, 34, ...
func testRing() seal.Ring {
	var keys [2 * seal.KeySize]byte
	for i := range keys {
		keys[i] = byte(i)
	}
	return ringOf(keys[:])
}

// ringOf has generations 1, 2, ... of these keys.
func ringOf(keys []byte) (r seal.Ring) {
	random := bytes.NewReader(keys)
	for n := range len(keys) / seal.KeySize {
		var err error
		if r, err = r.Rotate(uint32(n+1), random); err != nil {
			panic(err) // cannot happen: numbers go up and there are bytes enough
		}
	}
	return r
}

func random(seed byte) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{seed}) }

func noise(seed byte, n int) []byte {
	b := make([]byte, n)
	_, _ = random(seed).Read(b)
	return b
}

// words looks like the text of mail to a compressor.
func words(seed uint64, n int) []byte {
	r := rand.New(rand.NewPCG(seed, 2))
	list := strings.Fields("the of to and a in is it you that he was for on are with as his they at be this from have or by one had not but what all were when we there can an your which their said if do will each about how up out them then she many some so these would other into has more her two like him see time could no make than first been its who now people my made over did down only way find use may water long little very after words called just where most know")
	var b bytes.Buffer
	for b.Len() < n {
		b.WriteString(list[r.IntN(len(list))])
		b.WriteByte(" \n.,"[r.IntN(100)/33])
	}
	return b.Bytes()[:n]
}

// piece is a chunk that went into a pack.
type piece struct {
	pack.Chunk
	data []byte
}

// pieceOf makes a chunk; every fifth has a mark, and those of the class of deltas a base.
func pieceOf(n int, class pack.Class, data []byte) piece {
	c := pack.Chunk{ID: pack.ChunkID{byte(n), byte(n >> 8), byte(n >> 16), 1}, Class: class, Length: uint32(len(data))}
	if n%5 == 1 {
		c.Similar = pack.Similar{byte(n), 7}
	}
	if class == pack.Deltas {
		c.Base = pack.ChunkID{byte(n), 2}
	}
	return piece{c, data}
}

// smallPack holds something of every class, stored and compressed, in few bytes.
func smallPack() []piece {
	return []piece{
		pieceOf(0, 0, words(1, 300)), pieceOf(1, 1, bytes.Repeat([]byte("x"), 200)), pieceOf(2, 2, noise(3, 100)),
		pieceOf(3, 3, nil), pieceOf(4, 2, words(2, 90)), pieceOf(5, 1, []byte{7}),
	}
}

func mixedPack() (list []piece) {
	r := rand.New(rand.NewPCG(7, 7))
	for n := range 600 {
		size := []int{0, 1, 40, 700, 3000, 70_000, 140_000}[r.IntN(7)]
		data := words(uint64(n), size)
		if n%3 == 0 {
			data = noise(byte(n), size)
		}
		list = append(list, pieceOf(n, pack.Class(n%4), data))
	}
	return append(list, pieceOf(600, 2, noise(9, 16<<20)), pieceOf(601, 0, bytes.Repeat([]byte{0}, 16<<20)))
}

func writePack(t testing.TB, b blob.Bucket, seed byte, pieces []piece) *pack.Table {
	t.Helper()
	table, err := tryPack(t, b, seed, pieces)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func tryPack(t testing.TB, b blob.Bucket, seed byte, pieces []piece) (*pack.Table, error) {
	t.Helper()
	w, err := pack.Create(t.Context(), b, testRing(), random(seed))
	if err != nil {
		return nil, err
	}
	for _, p := range pieces {
		if err := w.Add(p.Chunk, p.data); err != nil {
			return nil, errors.Join(err, w.Abort())
		}
	}
	return w.Close()
}

// contents reads every chunk of a pack through its table.
func contents(t testing.TB, r *pack.Reader, table *pack.Table) (map[pack.ChunkID][]byte, error) {
	t.Helper()
	out := map[pack.ChunkID][]byte{}
	offsets := table.FrameOffsets()
	frames := make([][]byte, len(table.Frames))
	for i, f := range table.Frames {
		var err error
		ref := pack.FrameRef{Pack: table.Name, Salt: table.Salt, Generation: table.Generation, Ordinal: uint32(i), Offset: offsets[i], Sealed: f.Sealed, Plain: f.Plain}
		if frames[i], err = r.Frame(t.Context(), ref); err != nil {
			return nil, err
		}
	}
	err := table.Places(func(c pack.Chunk, p pack.Place) error {
		out[c.ID] = frames[p.Frame][p.Offset : p.Offset+p.Length]
		return nil
	})
	return out, err
}

func wantPieces(t *testing.T, r *pack.Reader, table *pack.Table, pieces []piece) {
	t.Helper()
	got, err := contents(t, r, table)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(pieces) || table.Chunks() != len(pieces) {
		t.Errorf("%d chunks in %d places, want %d", table.Chunks(), len(got), len(pieces))
	}
	entries := map[pack.ChunkID]pack.Chunk{}
	for _, f := range table.Frames {
		for _, c := range f.Chunks {
			entries[c.ID] = c
		}
	}
	for _, p := range pieces {
		if !bytes.Equal(got[p.ID], p.data) || entries[p.ID] != p.Chunk {
			t.Errorf("chunk %+v: %d bytes, want %+v, %d bytes", entries[p.ID], len(got[p.ID]), p.Chunk, len(p.data))
		}
	}
}

// torture runs the long loops too.
func torture() bool { return os.Getenv("MAILBRICK_TORTURE") == "1" }

func newMemory() (*blobtest.Memory, *pack.Reader) {
	m := new(blobtest.Memory)
	return m, pack.NewReader(m, testRing())
}
