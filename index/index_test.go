package index

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestDamage(t *testing.T) {
	t.Parallel()
	write := func(name, content string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	remove := func(name string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	garbage := strings.Repeat("garbage ", 8192)
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, dir string)
		want   error
	}{
		{"rows gone", remove(fileRows), ErrDamaged},
		{"rows empty", write(fileRows, ""), ErrDamaged},
		{"rows garbage", write(fileRows, garbage), ErrDamaged},
		{"words gone", remove(folderWords), ErrDamaged},
		{"root gone", remove(folderWords + "/" + fileRoot), ErrDamaged},
		{"root empty", write(folderWords+"/"+fileRoot, ""), ErrDamaged},
		{"root garbage", write(folderWords+"/"+fileRoot, garbage), ErrDamaged},
		{"format gone", remove(fileFormat), ErrDamaged},
		{"format garbage", write(fileFormat, "x"), ErrDamaged},
		{"older format", write(fileFormat, formatName+"1\n"), ErrVersion},
		{"newer format", write(fileFormat, formatName+"99\n"), ErrVersion},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w, dir := newWorld(t, 9), folder(t)
			x := openTest(t, dir, Options{})
			follow(t, x, w.log)
			mustClose(t, x)
			c.damage(t, dir)
			x, err := Open(dir, Options{Wait: time.Second})
			if err == nil {
				_ = x.Close()
			}
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), "mailbrick rebuild --index") {
				t.Fatalf("got %v", err)
			}
		})
	}
}

// TestDamagedSegments holds that an index whose segments cannot be opened is known to be behind, and comes back.
func TestDamagedSegments(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(string) error{
		"gone":    os.Remove,
		"short":   func(n string) error { return os.Truncate(n, 100) },
		"empty":   func(n string) error { return os.Truncate(n, 0) },
		"garbage": func(n string) error { return os.WriteFile(n, []byte(strings.Repeat("garbage ", 8192)), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, dir := newWorld(t, 9), folder(t)
			x := openTest(t, dir, Options{})
			follow(t, x, w.log)
			mustClose(t, x)
			list, err := filepath.Glob(filepath.Join(dir, folderWords, "*.zap"))
			if err != nil || len(list) == 0 {
				t.Fatalf("no segments, %v", err)
			}
			for _, name := range list {
				if err := damage(name); err != nil {
					t.Fatal(err)
				}
			}
			x, err = Open(dir, Options{Clock: testClock})
			if errors.Is(err, ErrDamaged) {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer x.Close()
			if n, err := x.Behind(w.log.Head()); n == 0 || err != nil {
				t.Fatalf("behind by %d, %v", n, err)
			}
			follow(t, x, w.log)
			w.check(t, x, 20)
		})
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "deep", "index")
	x := openTest(t, dir, Options{})
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Fatalf("%v, %v", info.Mode(), err)
	}
	if n, err := x.Size(); err != nil || n == 0 {
		t.Fatalf("%d bytes, %v", n, err)
	}
	if _, err := Open(dir, Options{Wait: time.Millisecond}); !errors.Is(err, ErrInUse) {
		t.Fatalf("opened twice: %v", err)
	}
	mustClose(t, x)
	if list, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(list) != 1 {
		t.Fatalf("left behind: %v, %v", list, err)
	}
}

func TestOpenInEmptyFolder(t *testing.T) {
	t.Parallel()
	x := openTest(t, t.TempDir(), Options{})
	if p, err := x.Position(); p != 0 || err != nil {
		t.Fatalf("at %d, %v", p, err)
	}
}

func TestOpenWithoutRights(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("root may do everything")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(filepath.Join(dir, "index"), Options{}); !errors.Is(err, fs.ErrPermission) {
		t.Fatalf("got %v", err)
	}
}

func TestAheadOfTheLog(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4)
	x := openTest(t, folder(t), Options{})
	follow(t, x, w.log)
	if err := x.Follow(t.Context(), newLog(), nil); !errors.Is(err, ErrDamaged) {
		t.Fatalf("got %v", err)
	}
}
