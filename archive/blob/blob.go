package blob

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
)

var (
	// ErrNotExist says that there is no object under the name.
	ErrNotExist = errors.New("object does not exist")
	// ErrExist says that the name was taken when the object was committed.
	ErrExist = errors.New("object exists already")
	// ErrName says that a name or prefix is not allowed.
	ErrName = errors.New("name not allowed in a bucket")
	// ErrFull says that the bucket has no space left, or none for this user.
	ErrFull = errors.New("no space left in the bucket")
	// ErrUnavailable says that nothing of the bucket can be had now, after
	// waiting for it: asking for another object would be to wait again.
	ErrUnavailable = errors.New("object store is not available")
	// ErrRange says that an offset is negative.
	ErrRange = errors.New("range not allowed")
	// ErrDone says that a writer was used after Commit, Abort or a failure.
	ErrDone = errors.New("writer is done")
)

// OutOfReach tells errors that say nothing of what lies there: the bucket cannot
// be had now, or not by this user, or says of itself that it gives no answer. They
// are no damage.
func OutOfReach(err error) bool {
	var own interface{ OutOfReach() bool }
	return errors.Is(err, ErrUnavailable) || errors.Is(err, fs.ErrPermission) || errors.As(err, &own) && own.OutOfReach()
}

// Bucket holds objects under names; the package says what it promises. All
// methods may be called by many at once. The context governs the call, and of
// Create and Open also what they return.
type Bucket interface {
	// Create begins an object. Nothing is under the name until Commit.
	Create(ctx context.Context, name string) (Writer, error)
	// Open reads n bytes from off, or to the end when n is negative. Where
	// the range goes past the end of the object the reader gives what there
	// is and then io.ErrUnexpectedEOF.
	Open(ctx context.Context, name string, off, n int64) (io.ReadCloser, error)
	// Size is the length of an object in bytes.
	Size(ctx context.Context, name string) (int64, error)
	// List gives the objects whose names begin with prefix, in order of name
	// (bytewise). The prefix may end anywhere in a segment. Objects created or
	// removed meanwhile may be there or not. An error ends the list.
	List(ctx context.Context, prefix string) iter.Seq2[Info, error]
	// Remove takes an object away; ErrNotExist if there is none. On some
	// systems it fails while the object is being read.
	Remove(ctx context.Context, name string) error
}

// Replacer is a bucket that can also put an object in the place of another one.
// It is there to mend damaged bytes, never to change what they say.
type Replacer interface {
	// Replace begins an object that takes the place of the one under the name;
	// ErrNotExist if there is none. Until Commit, and after any failure, the old
	// one is there as it was. Readers see the old one or the new one, whole.
	Replace(ctx context.Context, name string) (Writer, error)
}

// As finds an ability of a bucket, or of one that it is around. Names mean the
// same in all of them; bytes may not.
func As[T any](b Bucket) (able T, ok bool) {
	for {
		if able, ok = b.(T); ok {
			return able, true
		}
		around, isAround := b.(interface{ Unwrap() Bucket })
		if !isAround {
			return able, false
		}
		b = around.Unwrap()
	}
}

// Put creates an object of some bytes.
func Put(ctx context.Context, b Bucket, name string, data []byte) error {
	w, err := b.Create(ctx, name)
	if err != nil {
		return err
	}
	return Finish(w, data)
}

// Finish writes the whole of an object and commits it.
func Finish(w Writer, data []byte) error {
	if _, err := w.Write(data); err != nil {
		return errors.Join(err, w.Abort())
	}
	return w.Commit()
}

// Info is an object in a list.
type Info struct {
	Name string
	Size int64
}

// Writer takes the bytes of one object. It belongs to one goroutine. Errors
// stick: after a failed Write, Commit returns that error and makes nothing.
type Writer interface {
	io.Writer
	// Commit makes the object visible and durable. The writer is done then,
	// whatever the answer.
	Commit() error
	// Abort drops the bytes. After Commit or Abort it does nothing, so that it
	// can be deferred.
	Abort() error
}
