package s3

import (
	"context"
	"fmt"
	"time"

	"mailbrick/archive/blob"
)

// Lock implements blob.Locker. The bucket must have been made with Object Lock.
func (b *Bucket) Lock(ctx context.Context, name string, lock blob.Lock) error {
	key, err := b.key(ctx, name)
	if err != nil {
		return err
	}
	o, err := b.head(ctx, key)
	if err != nil {
		return fmt.Errorf("lock %s: %w", name, err)
	}
	// Servers keep whole seconds or less.
	if rest := lock.Until.Nanosecond(); rest != 0 {
		lock.Until = lock.Until.Add(time.Second - time.Duration(rest))
	}
	if o.lock.Covers(lock) {
		return nil
	}
	if o.lock.Until.After(lock.Until) {
		lock.Until = o.lock.Until
	}
	if o.lock.Holds(b.opts.Clock()) {
		lock.Mode = max(lock.Mode, o.lock.Mode)
	}
	if err := b.try(ctx, func() error { return b.client.retain(ctx, key, lock) }); err != nil {
		return fmt.Errorf("lock %s: %w", name, err)
	}
	return nil
}

// Locked implements blob.Locker.
func (b *Bucket) Locked(ctx context.Context, name string) (blob.Lock, error) {
	key, err := b.key(ctx, name)
	if err != nil {
		return blob.Lock{}, err
	}
	o, err := b.head(ctx, key)
	if err != nil {
		return blob.Lock{}, fmt.Errorf("lock of %s: %w", name, err)
	}
	return o.lock, nil
}
