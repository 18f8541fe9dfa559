package opendir

import (
	"errors"
	"os"
	"strings"
)

// Dir is a directory that is held open.
type Dir struct {
	root  *os.Root
	name  string   // in root
	at    *os.File // the directory; nil where names take the way of a root
	sub   *os.Root // the directory as a root of its own, once a name needs it
	names bool     // drafts have names
}

// Open opens a directory below a root, or the root's own by ".". The root is to stay open longer.
func Open(root *os.Root, name string) (*Dir, error) {
	d := &Dir{root: root, name: name}
	var err error
	if hasOpenat {
		d.at, err = openDir(root, name)
	} else {
		_, err = d.below()
	}
	if err != nil {
		return nil, err
	}
	return d, nil
}

// below is the directory as a root: nothing leads out of it.
func (d *Dir) below() (_ *os.Root, err error) {
	if d.sub == nil {
		d.sub, err = d.root.OpenRoot(d.name)
	}
	return d.sub, err
}

// Open opens a file to read it. Of a pipe it waits for no writer: who reads what others can replace looks at what it has got.
func (d *Dir) Open(name string) (*os.File, error) { return d.open(name, os.O_RDONLY|NoWait) }

func (d *Dir) open(name string, flags int) (*os.File, error) {
	if d.at != nil && plain(name) {
		return openat(d.at, name, flags)
	}
	sub, err := d.below()
	if err != nil {
		return nil, err
	}
	return sub.OpenFile(name, flags, fileMode)
}

// rename gives a file another name, in place of what has it.
func (d *Dir) rename(from, to string) error {
	if d.at == nil {
		return d.sub.Rename(from, to)
	}
	return renameat(d.at, from, to)
}

func (d *Dir) remove(name string) error {
	if d.at == nil {
		return d.sub.Remove(name)
	}
	return unlinkat(d.at, name)
}

// Close lets the directory go. Files that were opened stay open.
func (d *Dir) Close() error {
	var err error
	if d.at != nil {
		err = d.at.Close()
	}
	if d.sub != nil {
		err = errors.Join(err, d.sub.Close())
	}
	return err
}

const fileMode = 0o600

// plain tells whether a name can only be that of an entry of the directory itself.
func plain(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.ContainsAny(name, "/\x00")
}
