package opendir

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func open(t *testing.T, dir string) *Dir {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	f, err := Open(root, "in")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
}

func TestDir(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "in", "deep", "a"), "below")
	f := open(t, dir)
	out, err := f.Create("b")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := out.WriteString("here"); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Create("b"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("made what is there: %v", err)
	}
	if err := f.Rename("b", "c"); err != nil {
		t.Fatal(err)
	}
	if info, err := f.Stat("c"); err != nil || runtime.GOOS != "windows" && info.Mode() != fileMode {
		t.Errorf("%v, %v", info, err)
	}
	for name, want := range map[string]string{"c": "here", "deep/a": "below"} {
		in, err := f.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(in)
		if err := errors.Join(err, in.Close()); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for _, name := range []string{"b", "deep/b"} {
		if _, err := f.Open(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
		if err := f.Rename(name, "d"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestNothingOutside asks for what lies outside by all ways a name has.
func TestNothingOutside(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	write(t, secret, "not yours")
	write(t, filepath.Join(dir, "in", "file"), "")
	for name, to := range map[string]string{"link": secret, "up": "../secret", "parent": ".."} {
		if err := os.Symlink(to, filepath.Join(dir, "in", name)); err != nil {
			t.Skip("no links here: ", err)
		}
	}
	f := open(t, dir)
	for _, name := range []string{"link", "up", "../secret", "parent/secret", secret, "", ".."} {
		if in, err := f.Open(name); err == nil {
			in.Close()
			t.Errorf("%q was opened", name)
		}
		if out, err := f.Create(name); err == nil {
			out.Close()
			t.Errorf("%q was made", name)
		}
	}
	for _, name := range []string{"../secret", "parent/secret", secret, "", ".."} {
		if err := f.Rename("file", name); err == nil {
			t.Errorf("the file was moved to %q", name)
		}
	}
	if text, err := os.ReadFile(secret); err != nil || string(text) != "not yours" {
		t.Errorf("%q, %v", text, err)
	}
}

func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	if err := errors.Join(os.MkdirAll(filepath.Join(dir, "in"), 0o700), os.WriteFile(filepath.Join(dir, "in", "a"), nil, 0o600)); err != nil {
		b.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		b.Fatal(err)
	}
	defer root.Close()
	f, err := Open(root, "in")
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	for name, open := range map[string]func() (*os.File, error){
		"folder": func() (*os.File, error) { return f.Open("a") },
		"root":   func() (*os.File, error) { return root.Open("in/a") },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				in, err := open()
				if err != nil {
					b.Fatal(err)
				}
				in.Close()
			}
		})
	}
}
