package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

// probeName is of an object without bytes that lies in the way of probes. It is
// not allowed as a name, so that it is hidden.
const probeName = ".probe"

// way is how an object is made.
type way uint8

const (
	inOnePiece way = iota
	inParts
)

// probes says of which ways it is known that the server heeds their condition.
type probes struct {
	// turn holds one token for who looks or changes.
	turn  chan struct{}
	known [inParts + 1]bool
}

func newProbes() probes { return probes{turn: make(chan struct{}, 1)} }

// proven makes sure that the server heeds If-None-Match, before the first
// object is made in a way. The second way wants what the first one leaves.
func (b *Bucket) proven(ctx context.Context, last way) error {
	select {
	case b.probes.turn <- struct{}{}:
		defer func() { <-b.probes.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	for w := inOnePiece; w <= last; w++ {
		if b.probes.known[w] {
			continue
		}
		if err := b.probe(ctx, w); err != nil {
			return err
		}
		b.probes.known[w] = true
	}
	return nil
}

// probe is well when the second creation at the latest is refused.
func (b *Bucket) probe(ctx context.Context, w way) error {
	create := b.probeInOnePiece
	if w == inParts {
		create = b.probeInParts
	}
	for range 2 {
		err := b.try(ctx, func() error { return create(ctx) })
		switch {
		case hasStatus(err, http.StatusPreconditionFailed):
			return nil
		case hasStatus(err, http.StatusNotImplemented):
			return fmt.Errorf("%w: %w", ErrCondition, err)
		case err != nil:
			return err
		}
	}
	return ErrCondition
}

func (b *Bucket) probeInOnePiece(ctx context.Context) error {
	return b.client.put(ctx, b.prefix+probeName, nil, making{nonce: "probe"})
}

func (b *Bucket) probeInParts(ctx context.Context) error {
	key := b.prefix + probeName
	upload, err := b.client.begin(ctx, key, making{nonce: "probe"})
	if err != nil {
		return err
	}
	etag, err := b.client.part(ctx, key, upload, 1, []byte("probe"))
	if err == nil {
		err = b.client.complete(ctx, key, upload, []string{etag}, making{})
	}
	if err != nil {
		err = errors.Join(err, notThere(b.client.abort(context.WithoutCancel(ctx), key, upload)))
	}
	return err
}
