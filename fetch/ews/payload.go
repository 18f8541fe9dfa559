package ews

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"mailbrick/fetch/wire"
)

// payload is the body of a request: pieces of XML with the uploads in base64 between them.
type payload struct {
	pieces  [][]byte // one more than uploads
	uploads []Upload
	count   *atomic.Int64
}

// length of the body, -1 if an upload does not say its size.
func (p *payload) length() int64 {
	var n int64
	for _, b := range p.pieces {
		n += int64(len(b))
	}
	for _, u := range p.uploads {
		if u.Size <= 0 {
			return -1
		}
		n += (u.Size + 2) / 3 * 4
	}
	return n
}

func (p *payload) open() *payloadReader {
	return &payloadReader{p: p, closed: make(chan struct{}), rest: p.pieces[0]}
}

// payloadReader streams the body. The transport reads it in a goroutine of its own and may still do so when the answer
// is there; only closed says that it has finished.
type payloadReader struct {
	p      *payload
	closed chan struct{}

	mu   sync.Mutex // guards what follows
	next int        // the upload that comes after rest
	rest []byte
	data *encoding
	sent bool  // read to the end: the server may have all of it
	err  error // an upload could not be read
	shut bool
}

func (r *payloadReader) Read(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, err := r.read(b)
	r.p.count.Add(int64(n))
	return n, err
}

func (r *payloadReader) read(b []byte) (int, error) {
	for {
		switch {
		case r.shut:
			return 0, errors.New("body closed")
		case r.err != nil:
			return 0, r.err
		case len(r.rest) > 0:
			n := copy(b, r.rest)
			r.rest = r.rest[n:]
			r.sent = len(r.rest) == 0 && r.next == len(r.p.uploads) && r.data == nil
			return n, nil
		case r.data != nil:
			n, err := r.data.Read(b)
			if n > 0 || err == nil {
				return n, nil
			}
			r.endUpload(err)
		case r.next == len(r.p.uploads):
			r.sent = true
			return 0, io.EOF
		default:
			r.beginUpload()
		}
	}
}

func (r *payloadReader) beginUpload() {
	u := r.p.uploads[r.next]
	src, err := u.Open()
	if err != nil {
		r.err = &sourceError{r.next, err}
		return
	}
	r.data = &encoding{src, wire.NewEncoder(src, u.Size)}
}

func (r *payloadReader) endUpload(err error) {
	closeErr := r.data.src.Close()
	r.data = nil
	if err == io.EOF {
		err = closeErr
	}
	if err != nil {
		r.err = &sourceError{r.next, err}
		return
	}
	r.next++
	r.rest = r.p.pieces[r.next]
}

func (r *payloadReader) Close() error {
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

// outcome says whether the server may have the whole body, and why it could not be read to its end.
func (r *payloadReader) outcome() (sent bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sent, r.err
}

// sourceError is an upload that could not be read: the caller's, and nothing was done by the server.
type sourceError struct {
	index int
	err   error
}

func (e *sourceError) Error() string { return fmt.Sprintf("read upload %d: %v", e.index, e.err) }
func (e *sourceError) Unwrap() error { return e.err }

// encoding is an upload on its way.
type encoding struct {
	src io.Closer
	*wire.Encoder
}
