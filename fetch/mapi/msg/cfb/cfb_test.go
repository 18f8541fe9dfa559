package cfb

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// noise is n bytes that do not repeat.
func noise(n int, seed byte) []byte {
	data := make([]byte, n)
	rand.NewChaCha8([32]byte{seed}).Read(data)
	return data
}

func stream(name string, data []byte) *Entry {
	return NewStream(name, bytes.NewReader(data), int64(len(data)))
}

func write(t testing.TB, root *Entry, largest int64) []byte {
	t.Helper()
	m, err := newImage(root, largest)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if n, err := m.WriteTo(&b); err != nil || n != m.Size() || n != int64(b.Len()) {
		t.Fatalf("wrote %d of %d: %v", n, m.Size(), err)
	}
	return b.Bytes()
}

func open(t testing.TB, data []byte) *File {
	t.Helper()
	f, err := Open(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// outline is a line for each entry with what must survive.
func outline(t testing.TB, e *Entry, path string, lines *[]string) {
	t.Helper()
	for _, c := range e.Children {
		name := path + "/" + c.Name
		if c.Storage {
			*lines = append(*lines, fmt.Sprintf("%q %x %x %d %d", name, c.CLSID, c.State, c.Created, c.Modified))
			outline(t, c, name, lines)
			continue
		}
		r, err := c.Open()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		h := sha256.New()
		n, err := io.Copy(h, r)
		if err != nil || n != c.Size {
			t.Errorf("%s: read %d of %d: %v", name, n, c.Size, err)
		}
		*lines = append(*lines, fmt.Sprintf("%q %d %x", name, n, h.Sum(nil)))
	}
	if path == "" {
		slices.Sort(*lines)
	}
}

func outlineOf(t testing.TB, e *Entry) []string {
	t.Helper()
	var lines []string
	outline(t, e, "", &lines)
	return lines
}

func randomTree(r *rand.Rand, depth int) []*Entry {
	sizes := []int{0, 1, 63, 64, 65, 511, 512, 513, 4095, 4096, 4097, 8192, 70000}
	var list []*Entry
	for i := range r.IntN(12) {
		name := fmt.Sprintf("%c%d%s", 'a'+rune(r.IntN(26)), i, strings.Repeat("é", r.IntN(8)))
		if depth > 0 && r.IntN(4) == 0 {
			s := NewStorage(name, randomTree(r, depth-1)...)
			s.CLSID, s.State, s.Created, s.Modified = [16]byte{byte(i)}, uint32(i), uint64(i)<<40, uint64(i)<<41
			list = append(list, s)
			continue
		}
		list = append(list, stream(name, noise(sizes[r.IntN(len(sizes))], byte(i))))
	}
	return list
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		largest int64
	}{{"version 3", largestV3}, {"version 4", 0}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(60) {
				root := NewStorage("", randomTree(rand.New(rand.NewPCG(seed, 1)), 4)...)
				root.CLSID = [16]byte{1, 2, 3}
				data := write(t, root, c.largest)
				f := open(t, data)
				if len(f.Warnings) > 0 {
					t.Fatalf("seed %d: %q", seed, f.Warnings)
				}
				if got, want := outlineOf(t, f.Root), outlineOf(t, root); !slices.Equal(got, want) {
					t.Fatalf("seed %d:\n%s\nwant\n%s", seed, strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
				if f.Root.CLSID != root.CLSID {
					t.Errorf("class of the root %x", f.Root.CLSID)
				}
				if again := write(t, f.Root, c.largest); !bytes.Equal(again, data) {
					t.Errorf("seed %d: written again it differs", seed)
				}
				checkTrees(t, data)
			}
		})
	}
}

// checkTrees walks the directory of a file we wrote as the red-black trees it must be.
func checkTrees(t *testing.T, data []byte) {
	t.Helper()
	f := &File{}
	h, err := f.readHeader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	// The directory we write lies in one piece.
	dir := data[(int64(h.directory)+1)<<h.shift:]
	entry := func(i uint32) rawEntry { return rawEntry(dir[int64(i)*entrySize:][:entrySize]) }
	var tree func(i uint32, redAbove bool) (black int, names []string)
	tree = func(i uint32, redAbove bool) (int, []string) {
		if i == noEntry {
			return 0, nil
		}
		e := entry(i)
		red := e[67] == 0
		if red && redAbove {
			t.Errorf("%q and the entry above it are red", e.name())
		}
		left, before := tree(e.left(), red)
		right, after := tree(e.right(), red)
		if left != right {
			t.Errorf("%q has %d black entries to the left and %d to the right", e.name(), left, right)
		}
		if e[66] == kindStorage {
			top(t, tree, entry, e.child())
		}
		if !red {
			left++
		}
		return left, append(append(before, foldName(e.name())), after...)
	}
	top(t, tree, entry, entry(0).child())
}

func top(t *testing.T, tree func(uint32, bool) (int, []string), entry func(uint32) rawEntry, i uint32) {
	t.Helper()
	if i != noEntry && entry(i)[67] != 1 {
		t.Errorf("the top entry %q is red", entry(i).name())
	}
	if _, names := tree(i, false); !slices.IsSortedFunc(names, compareFolded) {
		t.Errorf("not in order: %q", names)
	}
}

func TestOrder(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, less, more string
	}{
		{"shorter first", "zz", "aaa"},
		{"case does not count", "A1", "b1"},
		{"upper case decides", "ab", "a_"}, // '_' is between 'B' and 'b'
		{"not ASCII", "az", "aé"},
		{"units of two bytes", "é", "aa"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if compareFolded(foldName(c.less), foldName(c.more)) >= 0 {
				t.Errorf("%q is not before %q", c.less, c.more)
			}
		})
	}
	if foldName("é1") != foldName("É1") {
		t.Error("é and É differ")
	}
}

// TestDIFAT has files whose FAT needs more sectors than the header names.
func TestDIFAT(t *testing.T) {
	t.Parallel()
	for _, mb := range []int{6, 7, 8, 20} {
		t.Run(fmt.Sprintf("%d MB", mb), func(t *testing.T) {
			t.Parallel()
			root := NewStorage("", stream("large", noise(mb<<20, 1)), stream("small", noise(100, 2)), stream("other", noise(5000, 3)))
			f := open(t, write(t, root, largestV3))
			if got, want := outlineOf(t, f.Root), outlineOf(t, root); !slices.Equal(got, want) || len(f.Warnings) > 0 {
				t.Errorf("%q, want %q; %q", got, want, f.Warnings)
			}
		})
	}
}

// sparse is content that is mostly zero: at every MiB stands its number.
type sparse struct{}

func (sparse) ReadAt(p []byte, off int64) (int, error) {
	clear(p)
	for at := (off + 1<<20 - 1) &^ (1<<20 - 1); at < off+int64(len(p)); at += 1 << 20 {
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], uint64(at>>20))
		copy(p[at-off:], b[:])
	}
	return len(p), nil
}

// TestHuge has files above 2 GiB: they are version 4 and leave the range lock
// sector alone. Nothing of that size is written.
func TestHuge(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		sizes []int64
	}{
		{"one stream", []int64{5 << 30}},
		{"ends at the lock", []int64{(lockSector - 700) << 12, 5000, 1 << 20}},
		{"two streams", []int64{2<<30 - 5<<20, 3 << 30, 4096}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			root := NewStorage("")
			for i, n := range c.sizes {
				root.Children = append(root.Children, NewStream(fmt.Sprint("s", i), sparse{}, n))
			}
			m, err := NewImage(root)
			if err != nil {
				t.Fatal(err)
			}
			f, err := Open(m, m.Size())
			if err != nil || len(f.Warnings) > 0 {
				t.Fatalf("%v %q", err, f.Warnings)
			}
			if m.Size() > lockOffset && f.sectors.next[lockSector] != endOfChain {
				t.Errorf("range lock sector: %08X", f.sectors.next[lockSector])
			}
			for i, n := range c.sizes {
				checkSparse(t, f.Root.Children[i], n)
			}
			if m.Size() > lockOffset && !f.sectors.claim(lockSector) {
				t.Error("the range lock sector has content")
			}
		})
	}
}

func checkSparse(t *testing.T, e *Entry, size int64) {
	t.Helper()
	r, err := e.Open()
	if err != nil || r.Size() != size {
		t.Fatalf("%d bytes: %v", r.Size(), err)
	}
	for at := int64(0); at < size; at += 37 << 20 {
		want, got := make([]byte, min(10000, size-at)), make([]byte, min(10000, size-at))
		sparse{}.ReadAt(want, at)
		if _, err := r.ReadAt(got, at); err != nil && err != io.EOF || !bytes.Equal(got, want) {
			t.Fatalf("at %d: %v", at, err)
		}
	}
}

func TestImageReadsAnywhere(t *testing.T) {
	t.Parallel()
	root := NewStorage("", stream("a", noise(5001, 1)), stream("b", noise(70, 2)), stream("c", noise(4096, 3)))
	m, err := NewImage(root)
	if err != nil {
		t.Fatal(err)
	}
	whole := write(t, root, largestV3)
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		off, n := r.Int64N(m.Size()+100), r.IntN(3000)
		got := make([]byte, n)
		k, err := m.ReadAt(got, off)
		want := whole[min(off, m.Size()):min(off+int64(n), m.Size())]
		if !bytes.Equal(got[:k], want) || (err == io.EOF) != (k < n || off >= m.Size()) {
			t.Fatalf("ReadAt(%d, %d) = %d %v, want %d", n, off, k, err, len(want))
		}
	}
}

func TestNotEncodable(t *testing.T) {
	t.Parallel()
	deep := NewStorage("deep")
	for range maxDepth + 1 {
		deep = NewStorage("deep", deep)
	}
	for _, c := range []struct {
		name string
		root *Entry
	}{
		{"no name", NewStorage("", stream("", nil))},
		{"long name", NewStorage("", stream(strings.Repeat("x", 32), nil))},
		{"one name twice", NewStorage("", stream("x", nil), stream("X", nil))},
		{"too deep", deep},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if _, err := NewImage(c.root); !errors.Is(err, ErrNotEncodable) {
				t.Error(err)
			}
		})
	}
	t.Run("content too short", func(t *testing.T) {
		t.Parallel()
		m, err := NewImage(NewStorage("", NewStream("x", bytes.NewReader(make([]byte, 5000)), 6000)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.WriteTo(io.Discard); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Error(err)
		}
	})
}
