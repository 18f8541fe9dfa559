package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"mailbrick/archive/blob"
)

// Replace implements blob.Replacer. The object is the one that is there now: one that takes its place meanwhile stays.
func (b *Bucket) Replace(ctx context.Context, name string) (blob.Writer, error) {
	key, err := b.key(ctx, name)
	if err != nil {
		return nil, err
	}
	over, err := b.head(ctx, key)
	if err == nil {
		var w *writer
		if w, err = b.newWriter(ctx, name, key); err == nil {
			w.over = &over
			return w, nil
		}
	}
	return nil, fmt.Errorf("replace %s: %w", name, err)
}

var errReplaced = errors.New("it is another object now")

// replace puts the object in the place of the one that was there. A server that does not know the condition is asked just before.
func (w *writer) replace() error {
	b := w.bucket
	there, err := b.head(w.ctx, w.key)
	switch {
	case err != nil:
		return err
	case there.etag != w.over.etag || there.version != w.over.version:
		return errReplaced
	}
	w.over = &there // it may have been locked meanwhile
	err = w.make(w.settleReplaced)
	if hasStatus(err, http.StatusNotImplemented) && !w.blind {
		w.blind = true
		err = w.make(w.settleReplaced)
	}
	b.ahead.changed(w.key)
	if err == nil {
		w.leaveNothing()
	}
	return err
}

// settleReplaced finds out whose object is there when the server says that it is not the one to replace: it may be ours, made by
// a try whose answer was lost.
func (w *writer) settleReplaced(err error) error {
	if !isTaken(err) {
		return err
	}
	there, failed := w.bucket.client.head(w.ctx, w.key)
	switch {
	case failed != nil:
		return failed
	case there.nonce == w.nonce:
		return nil
	}
	return errReplaced
}

// leaveNothing removes the version in whose place the object is, so that its bytes are free. One that is locked, or that there
// is no right to remove, stays; the object says which, and Remove knows.
func (w *writer) leaveNothing() {
	if w.over.version == "" {
		return
	}
	there, err := w.bucket.head(w.ctx, w.key)
	if err == nil && there.nonce == w.nonce && there.version != w.over.version && !w.over.lock.Holds(w.bucket.opts.Clock()) {
		_ = w.bucket.client.remove(w.ctx, w.key, w.over.version)
	}
}

// maxMended is how often an object may have been mended while it was locked.
const maxMended = 16

// versions are the object and those in whose place it and they were put, the oldest last. Below them there is none.
func (b *Bucket) versions(ctx context.Context, key string, o object) ([]object, error) {
	list := []object{o}
	for o.instead != "" && len(list) < maxMended {
		err := b.try(ctx, func() (err error) {
			o, err = b.client.headVersion(ctx, key, o.instead)
			return err
		})
		if errors.Is(err, blob.ErrNotExist) {
			break
		}
		if err != nil {
			return nil, err
		}
		list = append(list, o)
	}
	return list, nil
}
