package opendir

import (
	"os"
	"strings"
)

// Dir is a directory that is held open, with all that its root can do.
type Dir struct {
	*os.Root
	at *os.File // the directory; nil where names take the root's way
}

// Open opens a directory below a root, or the root's own by ".". The root may be closed before it.
func Open(root *os.Root, name string) (*Dir, error) {
	sub, err := root.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	d := &Dir{Root: sub}
	if !hasOpenat {
		return d, nil
	}
	if d.at, err = sub.Open("."); err != nil {
		_ = sub.Close() // the first error is the one to tell
		return nil, err
	}
	return d, nil
}

// Open opens a file to read it.
func (d *Dir) Open(name string) (*os.File, error) { return d.open(name, os.O_RDONLY) }

// Create makes a file that is not there yet, for its owner alone.
func (d *Dir) Create(name string) (*os.File, error) {
	return d.open(name, os.O_RDWR|os.O_CREATE|os.O_EXCL)
}

func (d *Dir) open(name string, flags int) (*os.File, error) {
	if d.at == nil || !plain(name) {
		return d.OpenFile(name, flags, fileMode)
	}
	return openat(d.at, name, flags)
}

// Rename gives a file another name, in place of what has it.
func (d *Dir) Rename(from, to string) error {
	if d.at == nil || !plain(from) || !plain(to) {
		return d.Root.Rename(from, to)
	}
	return renameat(d.at, from, to)
}

// Close lets the directory go. Files that were opened stay open.
func (d *Dir) Close() error {
	if d.at != nil {
		_ = d.at.Close() // nothing was written to it
	}
	return d.Root.Close()
}

const fileMode = 0o600

// plain tells whether a name can only be that of an entry of the directory itself.
func plain(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.ContainsAny(name, "/\x00")
}
