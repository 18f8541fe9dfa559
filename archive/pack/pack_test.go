package pack_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"mailbrick/archive/blob"
	"mailbrick/archive/blob/blobtest"
	"mailbrick/archive/pack"
	"mailbrick/archive/seal"
)

var update = flag.Bool("update", false, "write testdata anew")

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		pieces []piece
	}{
		{"no chunks", nil},
		{"one empty chunk", []piece{pieceOf(1, 2, nil)}},
		{"only empty chunks", []piece{pieceOf(1, 0, nil), pieceOf(2, 1, nil), pieceOf(3, 2, nil), pieceOf(4, 2, nil)}},
		{"small", smallPack()},
		{"all classes and sizes", mixedPack()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b, r := newMemory()
			wrote := writePack(t, b, 1, tt.pieces)
			table, err := r.Table(t.Context(), wrote.Name)
			if err != nil {
				t.Fatal(err)
			}
			if !sameTable(table, wrote) {
				t.Errorf("table read is not the table written")
			}
			wantPieces(t, r, table, tt.pieces)
			if sum, err := r.Digest(t.Context(), wrote.Name); err != nil || sum != wrote.SHA256 {
				t.Errorf("digest %x, %v", sum, err)
			}
			if size, err := b.Size(t.Context(), wrote.Name.Object()); err != nil || size != wrote.Size {
				t.Errorf("size %d, %v, want %d", size, err, wrote.Size)
			}
		})
	}
}

// sameTable compares without telling nil from empty.
func sameTable(a, b *pack.Table) bool {
	if a.Name != b.Name || a.Salt != b.Salt || a.Size != b.Size || a.SHA256 != b.SHA256 || len(a.Frames) != len(b.Frames) {
		return false
	}
	return len(a.Frames) == 0 || reflect.DeepEqual(a.Frames, b.Frames)
}

func TestChunkTooLong(t *testing.T) {
	t.Parallel()
	b, _ := newMemory()
	w, err := pack.Create(t.Context(), b, testRing(), random(1))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Add(pack.Chunk{ID: pack.ChunkID{1}, Class: pack.Bulk}, make([]byte, 16<<20+1)); err == nil {
		t.Error("a chunk over the limit was taken")
	}
	if err := w.Add(pack.Chunk{ID: pack.ChunkID{2}, Class: pack.Bulk}, []byte("good")); err != nil {
		t.Errorf("and spoilt the pack: %v", err)
	}
}

// TestFullByChunks fills a pack with as many chunks as it takes: its table must still be one that readers take.
func TestFullByChunks(t *testing.T) {
	t.Parallel()
	b, r := newMemory()
	w, err := pack.Create(t.Context(), b, testRing(), random(1))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for ; !w.Full(); n++ {
		id := pieceOf(n, 0, nil).ID
		if err := w.Add(pack.Chunk{ID: id}, id[:2]); err != nil {
			t.Fatal(err)
		}
	}
	table, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	again, err := r.Table(t.Context(), table.Name)
	if err != nil || again.Chunks() != n || n != 1<<19 {
		t.Errorf("%d chunks written: %v", n, err)
	}
}

// TestGolden freezes the format.
//
// If reading fails: archives that people have would not open. Do not change the file; read the old form too.
// If only writing differs: when the compressor was renewed, run with -update and look that reading alone held before. When the
// layout was changed on purpose, give it the next version number, keep this file as it is with a test that it is still
// read, and add a golden file of the new version.
func TestGolden(t *testing.T) {
	t.Parallel()
	file := filepath.Join("testdata", "v1.pack")
	b, r := newMemory()
	wrote := writePack(t, b, 42, smallPack())
	if *update {
		if err := os.WriteFile(file, b.Bytes(wrote.Name.Object()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(golden, b.Bytes(wrote.Name.Object())) {
		t.Error("a pack written now has other bytes than the golden one: see the comment of this test")
	}
	b.Put(wrote.Name.Object(), golden)
	table, err := r.Table(t.Context(), wrote.Name)
	if err != nil {
		t.Fatalf("golden pack: %v: see the comment of this test", err)
	}
	wantPieces(t, r, table, smallPack())
}

func TestObjectNames(t *testing.T) {
	t.Parallel()
	n := pack.Name{0xAB, 0xCD, 15: 0xEF}
	object := "packs/ab/abcd00000000000000000000000000ef"
	if n.Object() != object {
		t.Errorf("object %s, want %s", n.Object(), object)
	}
	if got, ok := pack.ParseObject(object); !ok || got != n {
		t.Errorf("parsed %x, %v", got, ok)
	}
	for name, bad := range map[string]string{
		"empty":        "",
		"other folder": "packs/aa/abcd00000000000000000000000000ef",
		"upper case":   "packs/ab/ABCD00000000000000000000000000EF",
		"short":        "packs/ab/abcd",
		"no hex":       "packs/ab/abxy00000000000000000000000000ef",
		"elsewhere":    "stuff/ab/abcd00000000000000000000000000ef",
	} {
		if _, ok := pack.ParseObject(bad); ok {
			t.Errorf("%s: %q was taken for a pack", name, bad)
		}
	}
}

func TestSwapped(t *testing.T) {
	t.Parallel()
	b, r := newMemory()
	one, two := writePack(t, b, 1, smallPack()), writePack(t, b, 2, smallPack())
	first, second := b.Bytes(one.Name.Object()), b.Bytes(two.Name.Object())
	b.Put(one.Name.Object(), second)
	b.Put(two.Name.Object(), first)
	for _, table := range []*pack.Table{one, two} {
		if _, err := r.Table(t.Context(), table.Name); !errors.Is(err, pack.ErrDamaged) {
			t.Errorf("table of a swapped pack: %v", err)
		}
		if _, err := contents(t, r, table); !errors.Is(err, pack.ErrDamaged) {
			t.Errorf("frames of a swapped pack: %v", err)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	b, r := newMemory()
	table := writePack(t, b, 1, smallPack())
	good := b.Bytes(table.Name.Object())
	newer := bytes.Clone(good)
	newer[4] = 2
	other := pack.Name{1}
	for name, data := range map[string][]byte{"newer": newer, "no pack": []byte("something else altogether, long enough to be looked at: 0123456789012345678901234567890123456789")} {
		want := pack.ErrDamaged
		if name == "newer" {
			want = pack.ErrVersion
		}
		b.Put(table.Name.Object(), data)
		if _, err := r.Table(t.Context(), table.Name); !errors.Is(err, want) || errors.Is(err, pack.ErrDamaged) != (want == pack.ErrDamaged) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	b.Put(table.Name.Object(), good)
	if _, err := pack.NewReader(b, ringOf(make([]byte, 2*seal.KeySize))).Table(t.Context(), table.Name); !errors.Is(err, pack.ErrDamaged) {
		t.Errorf("another key: %v", err)
	}
	if _, err := r.Table(t.Context(), other); !errors.Is(err, blob.ErrNotExist) {
		t.Errorf("table of no pack: %v", err)
	}
	if _, err := r.Digest(t.Context(), other); !errors.Is(err, blob.ErrNotExist) {
		t.Errorf("digest of no pack: %v", err)
	}
	ref := pack.FrameRef{Pack: table.Name, Generation: table.Generation, Salt: table.Salt, Offset: 44, Sealed: table.Frames[0].Sealed, Plain: table.Frames[0].Plain}
	for name, change := range map[string]func(f *pack.FrameRef){
		"another ordinal":    func(f *pack.FrameRef) { f.Ordinal++ },
		"another length":     func(f *pack.FrameRef) { f.Plain++ },
		"too long":           func(f *pack.FrameRef) { f.Plain = 1 << 30 },
		"sealed too long":    func(f *pack.FrameRef) { f.Sealed = 1 << 31 },
		"past the end":       func(f *pack.FrameRef) { f.Offset = 1 << 40 },
		"before it":          func(f *pack.FrameRef) { f.Offset = -1 },
		"nothing":            func(f *pack.FrameRef) { f.Sealed = 0 },
		"another generation": func(f *pack.FrameRef) { f.Generation = 1 },
		"unknown generation": func(f *pack.FrameRef) { f.Generation = 3 },
		"another salt":       func(f *pack.FrameRef) { f.Salt[0]++ },
	} {
		bad := ref
		change(&bad)
		if _, err := r.Frame(t.Context(), bad); !errors.Is(err, pack.ErrDamaged) {
			t.Errorf("frame, %s: %v", name, err)
		}
	}
	if _, err := r.Frame(t.Context(), ref); err != nil {
		t.Errorf("frame as it is: %v", err)
	}
}

// TestReadErrorIsNotDamage: what could not be read may be whole.
func TestReadErrorIsNotDamage(t *testing.T) {
	t.Parallel()
	b, _ := newMemory()
	table := writePack(t, b, 1, smallPack())
	faulty := blobtest.NewFaulty(b)
	r := pack.NewReader(faulty, testRing())
	look := func() map[string]error {
		_, digest := r.Digest(t.Context(), table.Name)
		_, tableErr := r.Table(t.Context(), table.Name)
		_, frames := contents(t, r, table)
		return map[string]error{"digest": digest, "table": tableErr, "frames": frames}
	}
	for op, kinds := range map[blobtest.Op][]blobtest.Kind{blobtest.Read: {blobtest.Error, blobtest.Truncated, blobtest.Corrupt}, blobtest.Open: {blobtest.Error}} {
		for _, kind := range kinds {
			faulty.Reset()
			faulty.Order(blobtest.Fault{Op: op, Kind: kind})
			for what, err := range look() {
				if damaged := kind != blobtest.Error; errors.Is(err, pack.ErrDamaged) != damaged || errors.Is(err, blobtest.ErrInjected) == damaged {
					t.Errorf("%s, %s of kind %d: %v", what, op, kind, err)
				}
			}
		}
	}
	faulty.Reset()
	faulty.Order(blobtest.Fault{Op: blobtest.Read, Kind: blobtest.ShortRead})
	for what, err := range look() {
		if err != nil {
			t.Errorf("%s, short reads: %v", what, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Digest(ctx, table.Name); !errors.Is(err, context.Canceled) || errors.Is(err, pack.ErrDamaged) {
		t.Errorf("digest, cancelled: %v", err)
	}
}
