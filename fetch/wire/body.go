package wire

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
)

// Body is the body of a request: pieces of text with what is uploaded in base64 between them.
type Body struct {
	Pieces  [][]byte // one more than uploads
	Uploads []Upload
	Count   *atomic.Int64 // of the bytes that were read
}

// Upload is what the caller sends along.
type Upload struct {
	Size int64 // in bytes; 0 if not known
	Open func() (io.ReadCloser, error)
}

// Length of the body, -1 if an upload does not say its size.
func (b *Body) Length() int64 {
	var n int64
	for _, p := range b.Pieces {
		n += int64(len(p))
	}
	for _, u := range b.Uploads {
		if u.Size <= 0 {
			return -1
		}
		n += (u.Size + 2) / 3 * 4
	}
	return n
}

// Open begins to read the body.
func (b *Body) Open() *BodyReader {
	return &BodyReader{body: b, closed: make(chan struct{}), rest: b.Pieces[0]}
}

// BodyReader streams the body. The transport reads it in a goroutine of its own and may still do so when the answer
// is there; only Closed says that it has finished.
type BodyReader struct {
	body   *Body
	closed chan struct{}

	mu   sync.Mutex // guards what follows
	next int        // the upload that comes after rest
	rest []byte
	data *encoding
	sent bool  // read to the end: the server may have all of it
	err  error // an upload could not be read
	shut bool
}

func (r *BodyReader) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, err := r.read(p)
	r.body.Count.Add(int64(n))
	return n, err
}

func (r *BodyReader) read(p []byte) (int, error) {
	for {
		switch {
		case r.shut:
			return 0, errors.New("body closed")
		case r.err != nil:
			return 0, r.err
		case len(r.rest) > 0:
			n := copy(p, r.rest)
			r.rest = r.rest[n:]
			r.sent = len(r.rest) == 0 && r.next == len(r.body.Uploads) && r.data == nil
			return n, nil
		case r.data != nil:
			n, err := r.data.Read(p)
			if n > 0 || err == nil {
				return n, nil
			}
			r.endUpload(err)
		case r.next == len(r.body.Uploads):
			r.sent = true
			return 0, io.EOF
		default:
			r.beginUpload()
		}
	}
}

func (r *BodyReader) beginUpload() {
	u := r.body.Uploads[r.next]
	src, err := u.Open()
	if err != nil {
		r.err = &SourceError{r.next, err}
		return
	}
	r.data = &encoding{src, NewEncoder(src, u.Size)}
}

func (r *BodyReader) endUpload(err error) {
	closeErr := r.data.src.Close()
	r.data = nil
	if err == io.EOF {
		err = closeErr
	}
	if err != nil {
		r.err = &SourceError{r.next, err}
		return
	}
	r.next++
	r.rest = r.body.Pieces[r.next]
}

// Close ends the reading, and that of the upload at hand.
func (r *BodyReader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.shut {
		return nil
	}
	r.shut = true
	close(r.closed)
	if r.data != nil {
		return r.data.src.Close()
	}
	return nil
}

// Closed is closed when nobody reads any more: the sources are the caller's again.
func (r *BodyReader) Closed() <-chan struct{} { return r.closed }

// Outcome says whether the server may have the whole body, and why it could not be read to its end.
func (r *BodyReader) Outcome() (sent bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sent, r.err
}

// SourceError is an upload that could not be read: the caller's, and nothing was done by the server.
type SourceError struct {
	Index int
	Err   error
}

func (e *SourceError) Error() string { return fmt.Sprintf("read upload %d: %v", e.Index, e.Err) }
func (e *SourceError) Unwrap() error { return e.Err }

// encoding is an upload on its way.
type encoding struct {
	src io.Closer
	*Encoder
}
