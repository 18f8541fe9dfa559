package s3

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"

	"mailbrick/archive/blob"
)

// maxParts is how many parts an upload has at most.
const maxParts = 10_000

// Create implements blob.Bucket. It asks the server nothing.
func (b *Bucket) Create(ctx context.Context, name string) (blob.Writer, error) {
	key, err := b.key(ctx, name)
	if err != nil {
		return nil, err
	}
	w, err := b.newWriter(ctx, name, key)
	if err != nil {
		return nil, fmt.Errorf("create %s: %w", name, err)
	}
	return w, nil
}

func (b *Bucket) newWriter(ctx context.Context, name, key string) (*writer, error) {
	var nonce [16]byte
	err := b.random(nonce[:])
	return &writer{bucket: b, ctx: ctx, name: name, key: key, making: making{nonce: hex.EncodeToString(nonce[:])}}, err
}

// writer holds the bytes of an object, or those of its next part.
type writer struct {
	bucket *Bucket
	ctx    context.Context // of Create, which governs the writer
	name   string
	key    string
	making
	buf    []byte
	upload string   // empty until there is more than one part
	parts  []string // their etags

	seenGone int   // how often the name was taken and nothing there
	err      error // the first failure, blob.ErrDone at the end
}

func (w *writer) Write(p []byte) (int, error) {
	if w.err == nil {
		w.err = w.ctx.Err()
	}
	written := 0
	for len(p) > 0 && w.err == nil {
		if len(w.buf) == w.bucket.opts.PartSize {
			// Only now: an object of one part goes up in one piece.
			if err := w.flush(); err != nil {
				w.err = fmt.Errorf("write %s: %w", w.name, err)
				_ = w.drop()
				break
			}
		}
		n := w.fill(p)
		written += n
		p = p[n:]
	}
	return written, w.err
}

// fill takes what has room, in a buffer that grows up to a part.
func (w *writer) fill(p []byte) int {
	most := w.bucket.opts.PartSize
	n := min(len(p), most-len(w.buf))
	if need := len(w.buf) + n; need > cap(w.buf) {
		grown := make([]byte, len(w.buf), min(most, max(need, 4*cap(w.buf), 4096)))
		copy(grown, w.buf)
		w.buf = grown
	}
	w.buf = append(w.buf, p[:n]...)
	return n
}

// flush sends the buffer as a part.
func (w *writer) flush() error {
	b := w.bucket
	if len(w.parts) == maxParts {
		return fmt.Errorf("object has more than %d parts of %d bytes", maxParts, b.opts.PartSize)
	}
	if w.upload == "" {
		if err := b.try(w.ctx, func() (err error) {
			w.upload, err = b.client.begin(w.ctx, w.key, w.making)
			return err
		}); err != nil {
			return err
		}
	}
	return b.try(w.ctx, func() error {
		etag, err := b.client.part(w.ctx, w.key, w.upload, len(w.parts)+1, w.buf)
		if err != nil {
			return err
		}
		w.parts, w.buf = append(w.parts, etag), w.buf[:0]
		return nil
	})
}

// Commit makes the object in one piece or of its parts.
func (w *writer) Commit() error {
	if w.err == nil {
		w.err = w.ctx.Err()
	}
	if w.err != nil {
		failed := w.err
		_ = w.Abort()
		return failed
	}
	err := w.commit()
	if err != nil {
		// Harmless where the object is there and only the answer was lost.
		_ = w.drop()
		err = fmt.Errorf("commit %s: %w", w.name, err)
	}
	w.done()
	return err
}

func (w *writer) commit() error {
	b := w.bucket
	how := inOnePiece
	if w.upload != "" {
		how = inParts
	}
	if w.over != nil {
		return w.replace()
	}
	if err := b.proven(w.ctx, how); err != nil {
		return err
	}
	return w.make(w.settle)
}

// make sends what is left and has the object made.
func (w *writer) make(settle func(error) error) error {
	b := w.bucket
	if w.upload == "" {
		return b.try(w.ctx, func() error { return settle(b.client.put(w.ctx, w.key, w.buf, w.making)) })
	}
	if len(w.buf) > 0 {
		if err := w.flush(); err != nil {
			return err
		}
	}
	return b.try(w.ctx, func() error { return settle(b.client.complete(w.ctx, w.key, w.upload, w.parts, w.making)) })
}

// settle finds out whose object is there when the server says that there is
// one: it may be ours, made by a try whose answer was lost, here or on the way.
func (w *writer) settle(err error) error {
	if !isTaken(err) {
		return err
	}
	there, failed := w.bucket.client.head(w.ctx, w.key)
	switch {
	case hasStatus(failed, http.StatusNotFound) && hasStatus(err, http.StatusPreconditionFailed):
		return w.gone()
	case hasStatus(failed, http.StatusNotFound):
		return errors.New("upload is gone")
	case failed != nil:
		return failed
	case there.nonce == w.nonce:
		return nil
	}
	return blob.ErrExist
}

// maxGone is how often a name may be taken and nothing there.
const maxGone = 5

// gone is tried again: the object was removed meanwhile and the name is free.
// Servers that take a marker of a removal for an object never see it free.
func (w *writer) gone() error {
	w.seenGone++
	return &failure{text: "name is taken and nothing is there", passing: w.seenGone < maxGone}
}

// Abort drops the parts. The context may be over, which is no reason to leave
// them.
func (w *writer) Abort() error {
	if err := w.drop(); err != nil {
		w.done()
		return fmt.Errorf("abort %s: %w", w.name, err)
	}
	w.done()
	return nil
}

func (w *writer) done() {
	w.err = fmt.Errorf("%s: %w", w.name, blob.ErrDone)
	w.buf = nil
}

// abortPatience is how long parts are tried to be dropped when the context says
// nothing of it.
const abortPatience = 5 * time.Second

// drop aborts the upload if there is one.
func (w *writer) drop() error {
	if w.upload == "" {
		return nil
	}
	upload := w.upload
	w.upload = ""
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), abortPatience)
	defer cancel()
	return w.bucket.try(ctx, func() error { return notThere(w.bucket.client.abort(ctx, w.key, upload)) })
}

// notThere passes over what has gone already.
func notThere(err error) error {
	if hasStatus(err, http.StatusNotFound) {
		return nil
	}
	return err
}
