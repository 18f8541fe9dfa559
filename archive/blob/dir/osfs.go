package dir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

const (
	fileMode   = 0o600
	folderMode = 0o700
)

// osFS is the file system of the machine below a path.
type osFS string

func (root osFS) path(name string) string {
	return filepath.Join(string(root), filepath.FromSlash(name))
}

func (root osFS) Mkdir(folder string) error {
	if folder == "." {
		return makeDurably(string(root))
	}
	return os.Mkdir(root.path(folder), folderMode)
}

// makeDurably makes a folder and what is missing above it, and syncs the folder
// that holds each that it made.
func makeDurably(path string) error {
	err := os.Mkdir(path, folderMode)
	if errors.Is(err, fs.ErrNotExist) && filepath.Dir(path) != path {
		if err := makeDurably(filepath.Dir(path)); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		err = os.Mkdir(path, folderMode)
	}
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func (root osFS) Create(name string) (File, error) {
	return os.OpenFile(root.path(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
}

func (root osFS) Link(old, name string) error {
	return os.Link(root.path(old), root.path(name))
}

// Rename is MoveFileEx with MOVEFILE_REPLACE_EXISTING on Windows.
func (root osFS) Rename(old, name string) error {
	return os.Rename(root.path(old), root.path(name))
}

func (root osFS) SyncDir(folder string) error {
	return syncDir(root.path(folder))
}

func (root osFS) Open(name string) (ReadFile, error) {
	f, err := os.Open(root.path(name))
	if err != nil {
		return nil, absent(err)
	}
	info, err := f.Stat()
	if err == nil {
		err = regular(name, info)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return readFile{f, info.Size()}, nil
}

func (root osFS) Size(name string) (int64, error) {
	info, err := os.Stat(root.path(name))
	if err != nil {
		return 0, absent(err)
	}
	return info.Size(), regular(name, info)
}

// absent counts what is below a file as not there.
func absent(err error) error {
	if errors.Is(err, syscall.ENOTDIR) {
		return mark(fs.ErrNotExist, err)
	}
	return err
}

func regular(name string, info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no file: %w", name, fs.ErrNotExist)
	}
	return nil
}

func (root osFS) List(folder string) ([]Entry, error) {
	f, err := os.Open(root.path(folder))
	if err != nil {
		return nil, absent(err)
	}
	defer f.Close()
	found, err := f.ReadDir(-1)
	entries := make([]Entry, len(found))
	for i, e := range found {
		// A link to a folder elsewhere is followed: people put packs on
		// another disk that way.
		isFolder := e.IsDir()
		if e.Type()&fs.ModeSymlink != 0 {
			info, err := os.Stat(root.path(folder + "/" + e.Name()))
			isFolder = err == nil && info.IsDir()
		}
		entries[i] = Entry{Name: e.Name(), Folder: isFolder}
	}
	return entries, absent(err)
}

func (root osFS) Remove(name string) error {
	return os.Remove(root.path(name))
}

type readFile struct {
	*os.File
	size int64
}

func (f readFile) Size() (int64, error) { return f.size, nil }
