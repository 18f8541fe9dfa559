package parity_test

import (
	"context"
	"io"
	"syscall"

	"mailbrick/archive/blob"
	"mailbrick/archive/blob/blobtest"
)

// unreadable is a bucket on a disk with bad blocks.
type unreadable struct {
	*blobtest.Faulty
	from, to int64
}

func (u unreadable) Open(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	r, err := u.Faulty.Open(ctx, name, off, n)
	if err != nil || n < 0 || off >= u.to || off+n <= u.from {
		return r, err
	}
	good := blob.Exactly(r, max(u.from-off, 0))
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(good, broken{}), r}, nil
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, syscall.EIO }
