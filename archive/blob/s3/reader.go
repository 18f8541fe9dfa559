package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"

	"mailbrick/archive/blob"
)

// Open implements blob.Bucket. Where a connection is cut the reader goes on in
// another.
func (b *Bucket) Open(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	key, err := b.key(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := blob.CheckRange(name, off); err != nil {
		return nil, err
	}
	around := func(off, n int64) ([]byte, error) { return b.around(ctx, key, off, n) }
	if data := b.ahead.piece(ctx, key, off, n, around); data != nil {
		return &inMemory{ctx: ctx, Reader: bytes.NewReader(data)}, nil
	}
	r, err := b.open(ctx, key, off, n)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, b.missing(ctx, err))
	}
	r.name = name
	if n < 0 {
		return r, nil
	}
	return blob.Exactly(r, n), nil
}

func (b *Bucket) open(ctx context.Context, key string, off, n int64) (*reader, error) {
	r := &reader{bucket: b, ctx: ctx, key: key, off: off}
	if n == 0 {
		_, err := b.head(ctx, key) // there is no span of no bytes
		return r, err
	}
	err := b.try(ctx, func() error { return r.begin(n) })
	if !hasStatus(err, http.StatusRequestedRangeNotSatisfiable) {
		return r, err
	}
	if n > 0 {
		return r, nil // none of the n bytes is there
	}
	o, err := b.head(ctx, key)
	if off > o.size {
		r.err = io.ErrUnexpectedEOF
	}
	return r, err
}

// inMemory reads bytes that were read ahead.
type inMemory struct {
	*bytes.Reader
	ctx context.Context // of Open, which governs the reader
}

func (r *inMemory) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

// WriteTo would pass the context by.
func (r *inMemory) WriteTo(w io.Writer) (int64, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.WriteTo(w)
}

// Close implements io.Closer.
func (*inMemory) Close() error { return nil }

// reader reads the bytes that there are of a range.
type reader struct {
	bucket *Bucket
	ctx    context.Context // of Open, which governs the reader
	name   string
	key    string
	etag   string
	off    int64 // of the next byte
	left   int64
	body   io.ReadCloser // nil after a cut
	err    error         // of the last failure
}

// begin opens a connection, for n bytes or for all when n is negative.
func (r *reader) begin(n int64) error {
	body, o, err := r.bucket.client.get(r.ctx, r.key, span(r.off, n), r.etag)
	if err != nil {
		return err
	}
	switch {
	case o.start != r.off:
		err = refused(http.StatusOK, "", "the answer is another range")
	case o.size < 0:
		err = refused(http.StatusOK, "", "the answer has no length")
	}
	if err != nil {
		_ = body.Close()
		return err
	}
	r.body, r.etag, r.left = body, o.etag, o.size
	if n >= 0 {
		r.left = min(n, o.size)
	}
	return nil
}

// span is the header of a range, empty for the whole object.
func span(off, n int64) string {
	switch {
	case n < 0 && off == 0:
		return ""
	case n < 0 || off > math.MaxInt64-n:
		return fmt.Sprintf("bytes=%d-", off)
	}
	return fmt.Sprintf("bytes=%d-%d", off, off+n-1)
}

// rangeStart is the first byte of an answer: "bytes 5-9/100".
func rangeStart(header string) (int64, error) {
	first, _, _ := strings.Cut(strings.TrimPrefix(header, "bytes "), "-")
	return strconv.ParseInt(first, 10, 64)
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	switch {
	case r.ctx.Err() != nil:
		return 0, r.ctx.Err()
	case r.err != nil:
		return 0, r.err
	case r.left == 0:
		return 0, io.EOF
	case len(p) == 0:
		return 0, nil
	}
	p = p[:min(int64(len(p)), r.left)]
	var n int
	err := r.bucket.try(r.ctx, func() (err error) {
		n, err = r.attempt(p)
		return err
	})
	if err != nil {
		r.err = err
		if r.ctx.Err() == nil {
			r.err = fmt.Errorf("read %s: %w", r.name, err)
		}
	}
	return n, r.err
}

// attempt reads at least one byte, in a new connection after a cut.
func (r *reader) attempt(p []byte) (int, error) {
	if r.body == nil {
		left := r.left
		if err := r.begin(left); err != nil {
			return 0, err
		}
		if r.left != left {
			return 0, errors.Join(refused(http.StatusOK, "", "the object has another length now"), r.Close())
		}
	}
	n, err := r.body.Read(p)
	for n == 0 && err == nil {
		n, err = r.body.Read(p)
	}
	r.off += int64(n)
	r.left -= int64(n)
	if n > 0 && (err == nil || r.left == 0) {
		return n, nil
	}
	// Cut, even where it says io.EOF: there are bytes left.
	_ = r.Close()
	if n > 0 {
		return n, nil
	}
	return 0, unanswered(fmt.Errorf("connection is cut: %w", err))
}

// Close implements io.Closer.
func (r *reader) Close() error {
	if r.body == nil {
		return nil
	}
	body := r.body
	r.body = nil
	return body.Close()
}
