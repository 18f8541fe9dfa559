package archive

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"mailbrick/archive/seal"
)

func newTestFS(t *testing.T, key byte) (under *vfs.MemFS, fs vfs.FS) {
	t.Helper()
	under = vfs.NewCrashableMem()
	fs, err := newSecretFS(under, seal.Key{key}, rand.NewChaCha8([32]byte{key}))
	if err != nil {
		t.Fatal(err)
	}
	return under, fs
}

func writeFile(t *testing.T, fs vfs.FS, name string, pieces ...[]byte) {
	t.Helper()
	f, err := fs.Create(name, vfs.WriteCategoryUnspecified)
	for _, p := range pieces {
		if err == nil {
			_, err = f.Write(bytes.Clone(p))
		}
	}
	if err == nil {
		err = errors.Join(f.Sync(), f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, fs vfs.FS, name string) []byte {
	t.Helper()
	f, err := fs.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestSecretFS: what is written in pieces is read in any, and its length is that of the content.
func TestSecretFS(t *testing.T) {
	t.Parallel()
	_, fs := newTestFS(t, 1)
	data := noise(1, 100_000)
	writeFile(t, fs, "f", data[:1], data[1:17], data[17:40_003], data[40_003:])
	if got := readFile(t, fs, "f"); !bytes.Equal(got, data) {
		t.Fatal("came back otherwise")
	}
	f, err := fs.Open("f")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := rand.New(rand.NewPCG(1, 1))
	for range 1000 {
		off := r.IntN(len(data))
		p := make([]byte, r.IntN(300))
		n, err := f.ReadAt(p, int64(off))
		if want := data[off:min(off+len(p), len(data))]; !bytes.Equal(p[:n], want) || n < len(p) && !errors.Is(err, io.EOF) {
			t.Fatalf("%d bytes at %d: %d came, %v", len(p), off, n, err)
		}
	}
	inside, err := f.Stat()
	outside, err2 := fs.Stat("f")
	if err != nil || err2 != nil || inside.Size() != int64(len(data)) || outside.Size() != int64(len(data)) {
		t.Errorf("%d and %d bytes: %v, %v", inside.Size(), outside.Size(), err, err2)
	}
}

// TestSecretFSHides: nothing of the content is on the disk, another key reads other bytes, and the same content is never
// the same file.
func TestSecretFSHides(t *testing.T) {
	t.Parallel()
	under, fs := newTestFS(t, 1)
	word := bytes.Repeat([]byte("confidential "), 100)
	writeFile(t, fs, "a", word)
	writeFile(t, fs, "b", word)
	a, b := readFile(t, under, "a"), readFile(t, under, "b")
	if bytes.Contains(a, []byte("confidential")) || bytes.Equal(a, b) || len(a) != len(word)+counterSize {
		t.Error("the content can be seen")
	}
	other, err := newSecretFS(under, seal.Key{2}, rand.NewChaCha8([32]byte{2}))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(readFile(t, other, "a"), word) {
		t.Error("another key reads it")
	}
	f, err := fs.ReuseForWrite("a", "c", vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Write(bytes.Clone(word))
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	if c := readFile(t, under, "c"); bytes.Equal(c[:counterSize], a[:counterSize]) {
		t.Error("a file that is reused begins as it did: its keys are used twice")
	}
	if _, err := fs.OpenReadWrite("c", vfs.WriteCategoryUnspecified); err == nil {
		t.Error("a file can be changed in place")
	}
}

// TestSecretFSCounter: the counter goes on beyond its lower half.
func TestSecretFSCounter(t *testing.T) {
	t.Parallel()
	under := vfs.NewMem()
	fs, err := newSecretFS(under, seal.Key{1}, bytes.NewReader(bytes.Repeat([]byte{0xff}, counterSize)))
	if err != nil {
		t.Fatal(err)
	}
	data := noise(2, 1000)
	writeFile(t, fs, "f", data)
	f, err := fs.Open("f")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for off := range 100 {
		p := make([]byte, 40)
		if _, err := f.ReadAt(p, int64(off)); err != nil || !bytes.Equal(p, data[off:off+40]) {
			t.Fatalf("at %d: %v", off, err)
		}
	}
}

// TestSecretFSCrash: a file that a crash left without its beginning has no content.
func TestSecretFSCrash(t *testing.T) {
	t.Parallel()
	under, fs := newTestFS(t, 1)
	for name, size := range map[string]int{"empty": 0, "half": 7, "header": counterSize} {
		writeFile(t, under, name, make([]byte, size))
		if got := readFile(t, fs, name); len(got) != 0 {
			t.Errorf("%s: %d bytes", name, len(got))
		}
		if info, err := fs.Stat(name); err != nil || info.Size() != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}
