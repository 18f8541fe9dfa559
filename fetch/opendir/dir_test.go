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
	t.Cleanup(func() { _ = root.Close() })
	f, err := Open(root, "in")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
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
	publish(t, f, "c", "here")
	if info, err := f.root.Stat("in/c"); err != nil || runtime.GOOS != "windows" && info.Mode() != fileMode {
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
	}
	for _, name := range []string{"../secret", "parent/secret", secret, "", ".."} {
		d, err := f.Draft()
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Publish(name); err == nil {
			t.Errorf("a file was made as %q", name)
		}
	}
	if text, err := os.ReadFile(secret); err != nil || string(text) != "not yours" {
		t.Errorf("%q, %v", text, err)
	}
}

func BenchmarkOpenDir(b *testing.B) {
	dir := b.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "in", "deep"), 0o700); err != nil {
		b.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		b.Fatal(err)
	}
	defer root.Close()
	for b.Loop() {
		d, err := Open(root, "in/deep")
		if err == nil {
			err = d.Close()
		}
		if err != nil {
			b.Fatal(err)
		}
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
