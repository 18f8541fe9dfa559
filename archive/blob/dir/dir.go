package dir

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"

	"mailbrick/archive/blob"
)

// ErrLinks says that the file system cannot make hard links, so that it cannot
// be a bucket.
var ErrLinks = errors.New("file system has no hard links")

// Bucket is a blob.Bucket in a folder.
type Bucket struct {
	fs FS

	mu sync.Mutex
	// durable, guarded by mu, are the folders whose own name this process
	// has made durable.
	durable map[string]bool
}

var (
	_ blob.Bucket   = (*Bucket)(nil)
	_ blob.Replacer = (*Bucket)(nil)
)

// Open returns the bucket below a path. It looks at nothing: the folder is made
// with the first object.
func Open(path string) (*Bucket, error) {
	if path == "" {
		return nil, errors.New("open bucket: path is empty")
	}
	return OpenFS(osFS(path)), nil
}

// OpenFS returns the bucket in a file system.
func OpenFS(fs FS) *Bucket {
	return &Bucket{fs: fs, durable: map[string]bool{}}
}

// Size implements blob.Bucket.
func (b *Bucket) Size(ctx context.Context, name string) (int64, error) {
	if err := check(ctx, name); err != nil {
		return 0, err
	}
	size, err := b.fs.Size(name)
	if err != nil {
		return 0, wrap("size of", name, err)
	}
	return size, nil
}

// Open implements blob.Bucket.
func (b *Bucket) Open(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	if err := check(ctx, name); err != nil {
		return nil, err
	}
	if err := blob.CheckRange(name, off); err != nil {
		return nil, err
	}
	file, err := b.fs.Open(name)
	if err != nil {
		return nil, wrap("open", name, err)
	}
	if n < 0 {
		size, err := file.Size()
		if err != nil {
			_ = file.Close()
			return nil, wrap("open", name, err)
		}
		// One byte past the end when off is, so that reading says so.
		n = max(size-off, min(off-size, 1))
	}
	section := io.NewSectionReader(file, off, n)
	return blob.Exactly(&reader{section, file, ctx}, n), nil
}

// reader reads a section of a file until its context ends. The context is part
// of it as Open says that it governs what is returned.
type reader struct {
	*io.SectionReader
	io.Closer
	ctx context.Context
}

func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.SectionReader.Read(p)
}

// Remove implements blob.Bucket. The folder is synced, so that what was removed
// stays away.
func (b *Bucket) Remove(ctx context.Context, name string) error {
	if err := check(ctx, name); err != nil {
		return err
	}
	// Never a folder, which the call below would take when it is empty.
	if _, err := b.fs.Size(name); err != nil {
		return wrap("remove", name, err)
	}
	if err := b.fs.Remove(name); err != nil {
		return wrap("remove", name, err)
	}
	return wrap("remove", name, b.fs.SyncDir(folderOf(name)))
}

func check(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return blob.CheckName(name)
}

func folderOf(name string) string {
	if folder, _ := blob.SplitName(name); folder != "" {
		return folder
	}
	return "."
}

// wrap says what was done to which object, and sorts the error by the decision
// of the caller.
func wrap(doing, name string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		err = mark(blob.ErrNotExist, err)
	case errors.Is(err, fs.ErrExist):
		err = mark(blob.ErrExist, err)
	case isFull(err):
		err = mark(blob.ErrFull, err)
	}
	return fmt.Errorf("%s %s: %w", doing, name, err)
}

// mark adds a decision to an error of the system, once.
func mark(decision, err error) error {
	if errors.Is(err, decision) {
		return err
	}
	return fmt.Errorf("%w: %w", decision, err)
}

// hidden tells names that are none of ours.
func hidden(segment string) bool {
	return strings.Contains(segment, "/") || blob.CheckName(segment) != nil
}
