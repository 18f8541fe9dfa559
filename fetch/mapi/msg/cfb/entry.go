package cfb

import (
	"errors"
	"io"
)

var (
	// ErrNotCompound says that the input is another kind of file.
	ErrNotCompound = errors.New("not a compound file")
	// ErrDamaged says that a part of a compound file cannot be read.
	ErrDamaged = errors.New("compound file is damaged")
	// ErrNotEncodable says that a tree does not fit the format.
	ErrNotEncodable = errors.New("not encodable as a compound file")
)

// Entry is a storage or a stream, either read from a file or made to be written.
type Entry struct {
	Name     string
	Storage  bool
	CLSID    [16]byte
	State    uint32
	Created  uint64 // FILETIME, of storages
	Modified uint64
	Children []*Entry // of a storage
	Size     int64    // of a stream

	content io.ReaderAt // of a stream
	damage  error       // what is wrong with the content
	file    *File       // where the content is still to be looked up
	start   uint32
}

// NewStream is a stream of size bytes of content.
func NewStream(name string, content io.ReaderAt, size int64) *Entry {
	return &Entry{Name: name, Size: size, content: content}
}

// NewStorage is a storage. The root of a file is one; its name does not matter.
func NewStorage(name string, children ...*Entry) *Entry {
	return &Entry{Name: name, Storage: true, Children: children}
}

// Open is the content of a stream. Where the file is damaged the error says how,
// and what can be read is still there (shorter than Size).
func (e *Entry) Open() (*io.SectionReader, error) {
	if e.file != nil {
		e.content, e.Size, e.damage = e.file.content(e.start, e.Size)
		e.file = nil
	}
	if e.content == nil {
		return io.NewSectionReader(none{}, 0, 0), e.damage
	}
	return io.NewSectionReader(e.content, 0, e.Size), e.damage
}

type none struct{}

func (none) ReadAt([]byte, int64) (int, error) { return 0, io.EOF }
