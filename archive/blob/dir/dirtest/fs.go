package dirtest

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"mailbrick/archive/blob/dir"
)

// ErrCrash is the answer of a file system without power.
var ErrCrash = errors.New("power is off")

// FS is the file system. Its root exists.
type FS struct {
	mu sync.Mutex
	// below is guarded by mu
	root    *folder
	calls   int
	crashAt int // number of the call that is the last, 0 for never
	last    string
	undo    func() // takes the last call back, nil when it did nothing
	fail    func(op, name string) error
}

var _ dir.FS = (*FS)(nil)

// node is a *file or a *folder.
type node any

// folder has names as they are seen and as they are on the disk.
type folder struct{ seen, disk map[string]node }

// file has bytes as they are seen and as they are on the disk.
type file struct {
	seen, disk []byte
	dropped    bool // by a sync that failed
}

func newFolder() *folder {
	return &folder{seen: map[string]node{}, disk: map[string]node{}}
}

// New is an empty file system.
func New() *FS { return &FS{root: newFolder()} }

// CrashAt makes the n-th call from now the last, n from 1.
func (f *FS) CrashAt(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.crashAt = f.calls + n
}

// Calls is how many calls there were, those on files included.
func (f *FS) Calls() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls
}

// Last is the call at which the power went, for messages.
func (f *FS) Last() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last
}

// Fail sets a hook that is asked before each call and whose error is the answer
// then, without anything done. Operations are mkdir, create, write, sync, close,
// link, rename, syncdir, open, read, size, list and remove. The hook calls nothing here.
func (f *FS) Fail(hook func(op, name string) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = hook
}

// Names are all files and folders as they are seen, folders with a slash.
func (f *FS) Names() (names []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var walk func(at string, d *folder)
	walk = func(at string, d *folder) {
		for name, n := range d.seen {
			if below, ok := n.(*folder); ok {
				names = append(names, at+name+"/")
				walk(at+name+"/", below)
				continue
			}
			names = append(names, at+name)
		}
	}
	walk("", f.root)
	slices.Sort(names)
	return names
}

// do makes a call: act does it and gives what takes it back, nil for a call that
// changes nothing.
func (f *FS) do(op, name string, act func() (undo func(), err error)) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	if f.crashAt > 0 && f.calls > f.crashAt {
		return ErrCrash
	}
	if f.fail != nil {
		if err := f.fail(op, name); err != nil {
			return &fs.PathError{Op: op, Path: name, Err: err}
		}
	}
	undo, err := act()
	if f.calls == f.crashAt {
		f.last, f.undo = fmt.Sprintf("call %d: %s %s", f.calls, op, name), undo
		return ErrCrash
	}
	if err != nil {
		return &fs.PathError{Op: op, Path: name, Err: err}
	}
	return nil
}

// folder needs mu.
func (f *FS) folder(name string) (*folder, error) {
	at := f.root
	if name == "." {
		return at, nil
	}
	for part := range strings.SplitSeq(name, "/") {
		below, ok := at.seen[part].(*folder)
		if !ok {
			return nil, fs.ErrNotExist
		}
		at = below
	}
	return at, nil
}

// parent needs mu.
func (f *FS) parent(name string) (*folder, string, error) {
	d, err := f.folder(path.Dir(name))
	return d, path.Base(name), err
}

// file needs mu.
func (f *FS) file(name string) (*file, error) {
	d, base, err := f.parent(name)
	if err != nil {
		return nil, err
	}
	found, ok := d.seen[base].(*file)
	if !ok {
		return nil, fs.ErrNotExist
	}
	return found, nil
}

// enter gives a node a new name. It needs mu.
func (f *FS) enter(name string, n node) (undo func(), err error) {
	d, base, err := f.parent(name)
	if err != nil {
		return nil, err
	}
	if d.seen[base] != nil {
		return nil, fs.ErrExist
	}
	d.seen[base] = n
	return func() { delete(d.seen, base) }, nil
}

// Mkdir implements dir.FS.
func (f *FS) Mkdir(name string) error {
	return f.do("mkdir", name, func() (func(), error) {
		if name == "." {
			return nil, fs.ErrExist
		}
		return f.enter(name, newFolder())
	})
}

// Create implements dir.FS.
func (f *FS) Create(name string) (dir.File, error) {
	made := &file{}
	err := f.do("create", name, func() (func(), error) { return f.enter(name, made) })
	if err != nil {
		return nil, err
	}
	return &handle{fs: f, name: name, file: made}, nil
}

// Link implements dir.FS.
func (f *FS) Link(old, name string) error {
	return f.do("link", name, func() (func(), error) {
		found, err := f.file(old)
		if err != nil {
			return nil, err
		}
		return f.enter(name, found)
	})
}

// Rename implements dir.FS. The two names survive a crash each for itself, so
// that the file may have both or none of them.
func (f *FS) Rename(old, name string) error {
	return f.do("rename", old, func() (func(), error) {
		from, oldBase, err := f.parent(old)
		if err != nil {
			return nil, err
		}
		to, base, err := f.parent(name)
		if err != nil {
			return nil, err
		}
		found, isFile := from.seen[oldBase].(*file)
		before := to.seen[base]
		if _, isFolder := before.(*folder); isFolder || !isFile {
			return nil, fs.ErrNotExist
		}
		delete(from.seen, oldBase)
		to.seen[base] = found
		return func() {
			from.seen[oldBase] = found
			if to.seen[base] = before; before == nil {
				delete(to.seen, base)
			}
		}, nil
	})
}

// SyncDir implements dir.FS. Taken back it has put nothing on the disk, though
// some of it may be there: Crash adds that.
func (f *FS) SyncDir(name string) error {
	return f.do("syncdir", name, func() (func(), error) {
		d, err := f.folder(name)
		if err != nil {
			return nil, err
		}
		before := d.disk
		d.disk = make(map[string]node, len(d.seen))
		for name, n := range d.seen {
			d.disk[name] = n
		}
		return func() { d.disk = before }, nil
	})
}

// Open implements dir.FS.
func (f *FS) Open(name string) (dir.ReadFile, error) {
	var found *file
	err := f.do("open", name, func() (_ func(), err error) {
		found, err = f.file(name)
		return nil, err
	})
	if err != nil {
		return nil, err
	}
	return &handle{fs: f, name: name, file: found}, nil
}

// Size implements dir.FS.
func (f *FS) Size(name string) (size int64, err error) {
	err = f.do("size", name, func() (func(), error) {
		found, err := f.file(name)
		if err == nil {
			size = int64(len(found.seen))
		}
		return nil, err
	})
	return size, err
}

// List implements dir.FS.
func (f *FS) List(name string) (entries []dir.Entry, err error) {
	err = f.do("list", name, func() (func(), error) {
		d, err := f.folder(name)
		if err != nil {
			return nil, err
		}
		for name, n := range d.seen {
			_, isFolder := n.(*folder)
			entries = append(entries, dir.Entry{Name: name, Folder: isFolder})
		}
		return nil, nil
	})
	return entries, err
}

// Remove implements dir.FS.
func (f *FS) Remove(name string) error {
	return f.do("remove", name, func() (func(), error) {
		d, base, err := f.parent(name)
		if err != nil {
			return nil, err
		}
		n := d.seen[base]
		if below, ok := n.(*folder); n == nil || ok && len(below.seen) > 0 {
			return nil, fs.ErrNotExist
		}
		delete(d.seen, base)
		return func() { d.seen[base] = n }, nil
	})
}
