package dir_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"

	"mailbrick/archive/blob"
	"mailbrick/archive/blob/blobtest"
	"mailbrick/archive/blob/dir"
)

func TestSuite(t *testing.T) {
	t.Parallel()
	blobtest.Run(t, func(t *testing.T) blob.Bucket { return open(t, t.TempDir()+"/deep/archive") })
}

func open(t testing.TB, path string) *dir.Bucket {
	t.Helper()
	b, err := dir.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func list(t *testing.T, b *dir.Bucket) (names []string) {
	t.Helper()
	for info, err := range b.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, info.Name)
	}
	return names
}

func TestOpenRefusesNoPath(t *testing.T) {
	t.Parallel()
	if _, err := dir.Open(""); err == nil {
		t.Error("opened a bucket without a path")
	}
}

func TestReadingMakesNothing(t *testing.T) {
	t.Parallel()
	root := t.TempDir() + "/archive"
	b := open(t, root)
	if names := list(t, b); len(names) > 0 {
		t.Errorf("listed %q", names)
	}
	if _, err := b.Open(t.Context(), "config", 0, -1); !errors.Is(err, blob.ErrNotExist) {
		t.Errorf("open: %v", err)
	}
	if err := b.Remove(t.Context(), "config"); !errors.Is(err, blob.ErrNotExist) {
		t.Errorf("remove: %v", err)
	}
	if _, err := os.Stat(root); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the root was made: %v", err)
	}
}

func TestModes(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("windows has no such modes")
	}
	root := t.TempDir() + "/archive"
	if err := tryObject(t, open(t, root), "packs/ab/one"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]fs.FileMode{
		"": 0o700 | fs.ModeDir, "packs": 0o700 | fs.ModeDir, "packs/ab": 0o700 | fs.ModeDir, "packs/ab/one": 0o600,
	} {
		info, err := os.Stat(filepath.Join(root, name))
		if err != nil || info.Mode() != want {
			t.Errorf("%q: mode %v, want %v; %v", name, info.Mode(), want, err)
		}
	}
}

// TestNothingBesideObjects: a commit leaves one file and one link, an abort none.
func TestNothingBesideObjects(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	b := open(t, root)
	for range 3 { // the first wins
		_ = tryObject(t, b, "object")
	}
	w, err := b.Create(t.Context(), "aborted")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Abort(); err != nil {
		t.Fatal(err)
	}
	found, err := os.ReadDir(root)
	if err != nil || len(found) != 1 || found[0].Name() != "object" {
		t.Errorf("found %v, %v", found, err)
	}
}

func TestForeignFilesAreLeftAlone(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	foreign := []string{"README", ".DS_Store", "packs/.stale.tmp", "packs/Thumbs.db", ".git/config", "lost+found/x"}
	for _, name := range foreign {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("foreign"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b := open(t, root)
	if err := tryObject(t, b, "packs/one"); err != nil {
		t.Fatal(err)
	}
	if names := list(t, b); !slices.Equal(names, []string{"packs/one"}) {
		t.Errorf("listed %q", names)
	}
	for _, name := range foreign {
		if _, err := b.Open(t.Context(), name, 0, -1); err == nil {
			t.Errorf("%s was opened", name)
		}
		if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(name))); err != nil {
			t.Error(err)
		}
	}
}

// TestFolderTakenAway: a folder that this process knew is gone.
func TestFolderTakenAway(t *testing.T) {
	t.Parallel()
	root := t.TempDir() + "/archive"
	b := open(t, root)
	for range 2 {
		if err := tryObject(t, b, "packs/ab/one"); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(root); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFolderOnAnotherDisk(t *testing.T) {
	t.Parallel()
	root, other := t.TempDir(), t.TempDir()
	if err := os.Symlink(other, filepath.Join(root, "packs")); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	b := open(t, root)
	if err := tryObject(t, b, "packs/one"); err != nil {
		t.Fatal(err)
	}
	if names := list(t, b); !slices.Equal(names, []string{"packs/one"}) {
		t.Errorf("listed %q", names)
	}
	if _, err := os.Stat(filepath.Join(other, "one")); err != nil {
		t.Error(err)
	}
}

func TestBelowAnObject(t *testing.T) {
	t.Parallel()
	b := open(t, t.TempDir())
	if err := tryObject(t, b, "object"); err != nil {
		t.Fatal(err)
	}
	if err := tryObject(t, b, "object/below"); err == nil {
		t.Error("made an object below an object")
	}
}

// TestProcesses: buckets that know nothing of each other share one folder.
func TestProcesses(t *testing.T) {
	t.Parallel()
	root := t.TempDir() + "/archive"
	const processes, records = 4, 10
	var wins [records]int
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range processes {
		b := open(t, root)
		wg.Go(func() {
			for i := range records {
				err := tryObject(t, b, fmt.Sprintf("journal/%d", i))
				if err != nil && !errors.Is(err, blob.ErrExist) {
					t.Error(err)
				}
				if err == nil {
					mu.Lock()
					wins[i]++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	for i, n := range wins {
		if n != 1 {
			t.Errorf("record %d has %d winners", i, n)
		}
	}
}

func BenchmarkCommit(b *testing.B) {
	for _, size := range []int{1 << 10, 1 << 20, 32 << 20} {
		b.Run(fmt.Sprintf("%dK", size>>10), func(b *testing.B) {
			bucket, data := open(b, b.TempDir()), make([]byte, size)
			b.SetBytes(int64(size))
			for i := 0; b.Loop(); i++ {
				w, err := bucket.Create(b.Context(), fmt.Sprint(i))
				if err != nil {
					b.Fatal(err)
				}
				_, err = w.Write(data)
				if err := errors.Join(err, w.Commit()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
