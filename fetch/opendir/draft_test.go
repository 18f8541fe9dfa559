package opendir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"testing"
)

// publish makes a file of a text.
func publish(t *testing.T, in *Dir, name, text string) {
	t.Helper()
	f, err := in.Draft()
	if err != nil {
		t.Fatal(err)
	}
	if _, err = f.WriteString(text); err != nil {
		t.Fatal(errors.Join(err, f.Close()))
	}
	if err := f.Publish(name); err != nil {
		t.Fatal(err)
	}
}

// wants compares all that lies in a directory: names and texts.
func wants(t *testing.T, in *Dir, want ...string) {
	t.Helper()
	entries, err := fs.ReadDir(in.root.FS(), in.name)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		text, err := in.root.ReadFile(in.name + "/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e.Name()+"="+string(text))
	}
	if !slices.Equal(got, want) {
		t.Errorf("there is %q, want %q", got, want)
	}
}

// ways are those in which drafts are made: as the system has it, under names, and where files without a name cannot be given one.
func ways() map[string]func(t *testing.T, in *Dir) *Draft {
	draft := func(t *testing.T, in *Dir) *Draft {
		f, err := in.Draft()
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	return map[string]func(t *testing.T, in *Dir) *Draft{
		"as it is": draft,
		"named": func(t *testing.T, in *Dir) *Draft {
			in.names = true
			return draft(t, in)
		},
		"never named": func(t *testing.T, in *Dir) *Draft {
			if runtime.GOOS == "windows" {
				t.Skip("an open file cannot be removed")
			}
			in.names = true
			f := draft(t, in)
			f.remove() // the system gives no second name to what was removed
			f.name, in.names = "", false
			return f
		},
	}
}

func TestDraft(t *testing.T) {
	t.Parallel()
	for name, make := range ways() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, filepath.Join(dir, "in", "old"), "old")
			in := open(t, dir)
			for _, row := range []struct {
				name string
				want []string
			}{
				{"new", []string{"new=text", "old=old"}},
				{"old", []string{"new=text", "old=text"}},
				{"", []string{"new=text", "old=text"}},
			} {
				f := make(t, in)
				if _, err := f.WriteString("text"); err != nil {
					t.Error(err)
				}
				end := f.Close
				if row.name != "" {
					end = func() error { return f.Publish(row.name) }
				}
				if err := end(); err != nil {
					t.Error(err)
				}
				wants(t, in, row.want...)
				if _, err := f.WriteString("more"); !errors.Is(err, fs.ErrClosed) {
					t.Errorf("still open: %v", err)
				}
			}
		})
	}
}

// TestDraftRefused: where its name cannot be had nothing stays.
func TestDraftRefused(t *testing.T) {
	t.Parallel()
	for name, make := range ways() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, filepath.Join(dir, "in", "folder", "file"), "")
			in := open(t, dir)
			f := make(t, in)
			if err := f.Publish("folder"); err == nil {
				t.Error("a folder was replaced")
			}
			entries, err := os.ReadDir(filepath.Join(dir, "in"))
			if err != nil || len(entries) != 1 {
				t.Errorf("there is %v, %v", entries, err)
			}
		})
	}
}

func TestIsDraft(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "in", "file"), "")
	in := open(t, dir)
	in.names = true
	f, err := in.Draft()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if !IsDraft(filepath.Base(f.Name())) || IsDraft("file") {
		t.Errorf("%s is a draft: %v", f.Name(), IsDraft(f.Name()))
	}
}

func BenchmarkDraft(b *testing.B) {
	for name, names := range map[string]bool{"as it is": false, "named": true} {
		b.Run(name, func(b *testing.B) {
			root, err := os.OpenRoot(b.TempDir())
			if err != nil {
				b.Fatal(err)
			}
			defer root.Close()
			in, err := Open(root, ".")
			if err != nil {
				b.Fatal(err)
			}
			defer in.Close()
			in.names = names
			for n := 0; b.Loop(); n++ {
				f, err := in.Draft()
				if err == nil {
					err = f.Publish(strconv.Itoa(n))
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
