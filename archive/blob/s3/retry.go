package s3

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// The first wait and the longest one; each is twice the one before.
const (
	firstWait = 100 * time.Millisecond
	maxWait   = 10 * time.Second
)

// try does something until it is well, fails for good, or patience is over.
// What failed because the context ended is that.
func (b *Bucket) try(ctx context.Context, attempt func() error) error {
	start, patience := b.opts.Clock(), b.opts.Patience
	if !b.seen.Load() {
		patience = b.opts.Contact
	}
	wait := firstWait
	for tries := 1; ; tries++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := attempt()
		if err == nil {
			b.seen.Store(true)
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var f *failure
		if !errors.As(err, &f) || !f.passing {
			return err
		}
		pause := b.jitter(wait)
		if b.opts.Clock().Add(pause).Sub(start) > patience {
			return fmt.Errorf("given up after %d tries: %w", tries, err)
		}
		if err := b.opts.Sleep(ctx, pause); err != nil {
			return err
		}
		wait = min(2*wait, maxWait)
	}
}

// jitter is between half of a wait and all of it, so that those who failed
// together do not come again together.
func (b *Bucket) jitter(d time.Duration) time.Duration {
	var r [8]byte
	if b.random(r[:]) != nil {
		return d
	}
	return d/2 + time.Duration(binary.LittleEndian.Uint64(r[:])%uint64(d/2+1))
}

func (b *Bucket) random(p []byte) error {
	b.randMu.Lock()
	defer b.randMu.Unlock()
	_, err := io.ReadFull(b.opts.Rand, p)
	return err
}
