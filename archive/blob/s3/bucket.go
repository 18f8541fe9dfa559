package s3

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"mailbrick/archive/blob"
)

// maxKey is the longest key of an object in bytes.
const maxKey = 1024

// Bucket is a blob.Bucket, a blob.Locker and a blob.Replacer in an object store.
type Bucket struct {
	opts   Options
	client *client
	prefix string // of all keys, with a slash at the end unless it is empty

	seen   atomic.Bool // the bucket is there: a call was well
	probes probes
	ahead  ahead

	randMu sync.Mutex // guards opts.Rand
}

var (
	_ blob.Bucket   = (*Bucket)(nil)
	_ blob.Locker   = (*Bucket)(nil)
	_ blob.Replacer = (*Bucket)(nil)
)

// Open checks the options. It asks the server where the bucket is unless the
// options say it, and nothing else.
func Open(ctx context.Context, o Options) (*Bucket, error) {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("open object store: %w", err)
	}
	endpoint, err := o.endpoint()
	if err != nil {
		return nil, fmt.Errorf("open object store: %w", err)
	}
	c, err := newClient(o, endpoint)
	if err != nil {
		return nil, fmt.Errorf("open object store: %w", err)
	}
	b := &Bucket{opts: o, client: c, probes: newProbes()}
	if o.Prefix != "" {
		b.prefix = o.Prefix + "/"
	}
	if o.Region == "" {
		if err := b.try(ctx, func() error { return c.locate(ctx) }); err != nil {
			return nil, fmt.Errorf("find bucket %s: %w", o.Bucket, err)
		}
	}
	return b, nil
}

// key is where an object is.
func (b *Bucket) key(ctx context.Context, name string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if err := blob.CheckName(name); err != nil {
		return "", err
	}
	if len(b.prefix)+len(name) > maxKey {
		return "", fmt.Errorf("name of %d bytes after a prefix of %d: %w", len(name), len(b.prefix), blob.ErrName)
	}
	return b.prefix + name, nil
}

// head asks for an object until there is an answer.
func (b *Bucket) head(ctx context.Context, key string) (o object, err error) {
	err = b.try(ctx, func() error {
		o, err = b.client.head(ctx, key)
		return err
	})
	return o, b.missing(ctx, err)
}

// missing looks once whether it is the bucket that is not there: an answer
// without a body does not tell.
func (b *Bucket) missing(ctx context.Context, err error) error {
	if !errors.Is(err, blob.ErrNotExist) || b.seen.Load() {
		return err
	}
	var there bool
	failed := b.try(ctx, func() (err error) {
		there, err = b.client.exists(ctx)
		return err
	})
	switch {
	case errors.Is(failed, ErrDenied):
		return err // no right to ask
	case failed != nil:
		return failed
	case !there:
		b.seen.Store(false)
		return ErrNoBucket
	}
	return err
}

// Size implements blob.Bucket.
func (b *Bucket) Size(ctx context.Context, name string) (int64, error) {
	key, err := b.key(ctx, name)
	if err != nil {
		return 0, err
	}
	o, err := b.head(ctx, key)
	if err != nil {
		return 0, fmt.Errorf("size of %s: %w", name, err)
	}
	return o.size, nil
}

// Remove implements blob.Bucket: the version that is there goes for good, where
// the bucket has versions. It says blob.ErrLocked of an object that is.
func (b *Bucket) Remove(ctx context.Context, name string) error {
	key, err := b.key(ctx, name)
	if err != nil {
		return err
	}
	o, err := b.head(ctx, key)
	if err != nil {
		return fmt.Errorf("remove %s: %w", name, err)
	}
	versions, err := b.versions(ctx, key, o)
	for i := len(versions) - 1; i >= 0 && err == nil; i-- {
		err = b.removeVersion(ctx, key, versions[i])
	}
	b.ahead.changed(key)
	if err != nil {
		return fmt.Errorf("remove %s: %w", name, err)
	}
	return nil
}

func (b *Bucket) removeVersion(ctx context.Context, key string, o object) error {
	err := b.try(ctx, func() error { return b.client.remove(ctx, key, o.version) })
	switch {
	case err == nil, errors.Is(err, blob.ErrNotExist):
		return nil // or gone since we saw it, by a try of ours or another's
	case b.refusedByLock(err, o.lock):
		// Not the chain, which says ErrDenied.
		return fmt.Errorf("%w: %v", blob.ErrLocked, err)
	}
	return err
}

// refusedByLock tells a removal that a lock has forbidden from one without the
// right to remove, which may look the same.
func (b *Bucket) refusedByLock(err error, lock blob.Lock) bool {
	var f *failure
	if !errors.As(err, &f) || f.status < 400 || f.status >= 500 {
		return false
	}
	text := strings.ToLower(f.text)
	return lock.Holds(b.opts.Clock()) || strings.Contains(text, "object lock") || strings.Contains(text, "worm")
}
