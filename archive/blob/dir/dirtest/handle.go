package dirtest

import (
	"errors"
	"io"
	"io/fs"
	"slices"
)

// handle is an open file.
type handle struct {
	fs     *FS
	name   string
	file   *file
	closed bool
}

// call is one that needs the file open.
func (h *handle) call(op string, act func() (func(), error)) error {
	return h.fs.do(op, h.name, func() (func(), error) {
		if h.closed {
			return nil, fs.ErrClosed
		}
		return act()
	})
}

func (h *handle) Write(p []byte) (int, error) {
	err := h.call("write", func() (func(), error) {
		before := h.file.seen
		h.file.seen = slices.Concat(before, p)
		return func() { h.file.seen = before }, nil
	})
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

func (h *handle) Sync() error {
	err := h.call("sync", func() (func(), error) {
		if h.file.dropped {
			return nil, nil
		}
		before := h.file.disk
		h.file.disk = h.file.seen
		return func() { h.file.disk = before }, nil
	})
	if err != nil && !errors.Is(err, ErrCrash) {
		h.fs.mu.Lock()
		defer h.fs.mu.Unlock()
		h.file.dropped = true
	}
	return err
}

func (h *handle) Close() error {
	return h.call("close", func() (func(), error) {
		h.closed = true
		return nil, nil
	})
}

func (h *handle) ReadAt(p []byte, off int64) (n int, err error) {
	err = h.call("read", func() (func(), error) {
		if off < int64(len(h.file.seen)) {
			n = copy(p, h.file.seen[off:])
		}
		return nil, nil
	})
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}

func (h *handle) Size() (size int64, err error) {
	err = h.call("size", func() (func(), error) {
		size = int64(len(h.file.seen))
		return nil, nil
	})
	return size, err
}
