package parity

import (
	"context"
	"io"

	"mailbrick/archive/blob"
)

// object is one as it is stored, damaged or not.
type object struct {
	bucket blob.Bucket
	name   string
	stored int64
	// unreadable counts bytes that the bucket could not give.
	unreadable int64
}

// read fills p with the bytes from off. What is past the end, and blocks that
// the bucket cannot give, become zeros: hashes tell. That nothing can be opened
// at all is no damage but an error.
func (o *object) read(ctx context.Context, off int64, p []byte) error {
	there := p[:min(int64(len(p)), max(o.stored-off, 0))]
	clear(p[len(there):])
	if len(there) == 0 {
		return nil
	}
	r, err := o.bucket.Open(ctx, o.name, off, int64(len(there)))
	if err != nil {
		return err
	}
	_, err = io.ReadFull(r, there)
	_ = r.Close() // the bytes are there or not
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case blob.OutOfReach(err):
		return err
	case len(there) <= blockSize:
		clear(there)
		o.unreadable += int64(len(there))
		return nil
	}
	// Some of it is unreadable: halves, down to the block.
	half := len(there) / 2
	if aligned := half - int((off+int64(half))%blockSize); aligned > 0 {
		half = aligned
	}
	if err := o.read(ctx, off, there[:half]); err != nil {
		return err
	}
	return o.read(ctx, off+int64(half), there[half:])
}
