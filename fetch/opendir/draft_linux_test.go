package opendir

import (
	"errors"
	"io/fs"
	"path/filepath"
	"testing"
)

// TestLink: both ways give a name, once, and replace nothing.
func TestLink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "in", "taken"), "old")
	in := open(t, dir)
	f, err := unnamed(in.at)
	if err != nil {
		t.Skip("this file system has no files without a name: ", err)
	}
	defer f.Close()
	if _, err := f.WriteString("text"); err != nil {
		t.Fatal(err)
	}
	wants(t, in, "taken=old")
	if err := link(f, in.at, "a"); err != nil {
		t.Error(err)
	}
	if err := linkByProc(f, in.at, "b"); err != nil {
		t.Error(err)
	}
	for _, err := range []error{link(f, in.at, "taken"), linkByProc(f, in.at, "taken")} {
		if !errors.Is(err, fs.ErrExist) {
			t.Errorf("replaced: %v", err)
		}
	}
	wants(t, in, "a=text", "b=text", "taken=old")
}
