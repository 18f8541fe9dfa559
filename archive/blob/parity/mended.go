package parity

import (
	"context"
	"io"

	"mailbrick/archive/blob"
)

// OpenMended is Open with damage corrected on the way, as far as it can be, or
// ErrBeyondRepair from Open or Read. It reads the windows of 8 MiB that the range
// touches: it is for when what Open gave was found to be damaged.
func (b *Bucket) OpenMended(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	if !b.Covers(name) {
		return b.inner.Open(ctx, name, off, n)
	}
	if err := blob.CheckRange(name, off); err != nil {
		return nil, err
	}
	m, err := b.mender(ctx, name, Unknown)
	if err != nil {
		return nil, err
	}
	n, _ = clip(m.size, off, n)
	r := &mended{ctx: ctx, mender: m, next: off / windowSize, skip: off % windowSize}
	return blob.Exactly(io.NopCloser(r), n), nil
}

// mended reads a payload window by window.
type mended struct {
	ctx    context.Context // of OpenMended, which governs the reader
	mender *mender
	next   int64  // window
	skip   int64  // of its bytes, before the range
	left   []byte // of the window before
}

func (r *mended) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	for len(r.left) == 0 {
		if r.next >= r.mender.windows() {
			return 0, io.EOF
		}
		window, err := r.mender.mend(r.ctx, r.next)
		if err != nil {
			return 0, err
		}
		r.left = window[min(r.skip, int64(len(window))):]
		r.next, r.skip = r.next+1, 0
	}
	n := copy(p, r.left)
	r.left = r.left[n:]
	return n, nil
}
