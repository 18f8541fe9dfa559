package dir

import "io"

// FS is what a bucket needs of a file system: one folder and what is below it.
// Paths are relative, with slashes; "." is the folder itself. Errors
// are told apart with errors.Is and the values of io/fs. dirtest has one that
// loses power.
type FS interface {
	// Mkdir makes a folder for the user alone; fs.ErrExist if something is
	// there. Mkdir(".") makes the root with what is missing above it, durably.
	Mkdir(folder string) error
	// Create makes a new file for the user alone and opens it for writing;
	// fs.ErrExist if something is there.
	Create(name string) (File, error)
	// Link gives a file a second name; fs.ErrExist if something is there.
	Link(old, name string) error
	// Rename moves a file to a name, in the place of the file that is there, at
	// once: the name is never without a file.
	Rename(old, name string) error
	// SyncDir makes the names in a folder durable.
	SyncDir(folder string) error
	// Open opens a file, never a folder, for reading.
	Open(name string) (ReadFile, error)
	// Size is the length of a file; fs.ErrNotExist for what is no file.
	Size(name string) (int64, error)
	// List gives the files and folders in a folder in any order.
	List(folder string) ([]Entry, error)
	// Remove takes one name away.
	Remove(name string) error
}

// File is a file being written.
type File interface {
	io.Writer
	// Sync makes the bytes durable.
	Sync() error
	Close() error
}

// ReadFile is a file being read.
type ReadFile interface {
	io.ReaderAt
	io.Closer
	Size() (int64, error)
}

// Entry is a name in a folder.
type Entry struct {
	Name   string
	Folder bool
}
