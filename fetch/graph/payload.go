package graph

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"mailbrick/fetch/wire"
)

// payload is the body of an import: JSON with the item in base64 in its middle.
type payload struct {
	head, tail string
	size       int64 // of the item; 0 if not known
	source     func() (io.ReadCloser, error)
}

// length of the body, -1 if the item does not say its size.
func (p *payload) length() int64 {
	if p.size <= 0 {
		return -1
	}
	return int64(len(p.head)) + (p.size+2)/3*4 + int64(len(p.tail))
}

func (p *payload) open(count *atomic.Int64) *payloadReader {
	return &payloadReader{p: p, count: count, closed: make(chan struct{}), rest: p.head}
}

// payloadReader streams the body. The transport reads it in a goroutine of its own and may still do so when the answer
// is there; only closed says that it has finished.
type payloadReader struct {
	p      *payload
	count  *atomic.Int64
	closed chan struct{}

	mu     sync.Mutex // guards what follows
	rest   string     // of head, later of tail
	source io.ReadCloser
	data   *wire.Encoder
	over   bool  // the item was read
	sent   bool  // read to the end: the server may have all of it
	err    error // the item could not be read
	shut   bool
}

func (r *payloadReader) Read(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, err := r.read(b)
	r.count.Add(int64(n))
	return n, err
}

func (r *payloadReader) read(b []byte) (int, error) {
	for {
		switch {
		case r.shut:
			return 0, errors.New("body closed")
		case r.err != nil:
			return 0, r.err
		case r.rest != "":
			n := copy(b, r.rest)
			r.rest = r.rest[n:]
			r.sent = r.over && r.rest == ""
			return n, nil
		case r.over:
			return 0, io.EOF
		case r.data == nil:
			if r.source, r.err = r.p.source(); r.err == nil {
				r.data = wire.NewEncoder(r.source, r.p.size)
			}
		default:
			n, err := r.data.Read(b)
			if n > 0 || err == nil {
				return n, nil
			}
			r.ended(err)
		}
	}
}

func (r *payloadReader) ended(err error) {
	closeErr := r.source.Close()
	r.source = nil
	if err == io.EOF {
		err = closeErr
	}
	if err != nil {
		r.err = fmt.Errorf("read the item: %w", err)
		return
	}
	r.over, r.rest = true, r.p.tail
}

func (r *payloadReader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.shut {
		return nil
	}
	r.shut = true
	close(r.closed)
	if r.source != nil {
		return r.source.Close()
	}
	return nil
}

// outcome says whether the server may have the whole body, and why it could not be read to its end.
func (r *payloadReader) outcome() (sent bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sent, r.err
}
