package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"sync"

	"mailbrick/archive/journal"
	"mailbrick/archive/seal"
)

// keyring is the key of an open archive. Another process may rotate the key meanwhile; then its holders' files are read again.
type keyring struct {
	read func(ctx context.Context, newest uint32) (seal.Ring, error)

	mu   sync.RWMutex
	ring seal.Ring
}

// Of is the key of a generation.
func (k *keyring) Of(generation uint32) (seal.Key, bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.ring.Of(generation)
}

// sealing is the ring as it is to be written with after a record. A holder's file may have later generations, of a rotation that
// was broken off or that somebody made up: only what the journal names is used.
func (k *keyring) sealing(head journal.Head) seal.Ring {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.ring.Until(head.Sealing())
}

func (k *keyring) set(ring seal.Ring) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ring = ring
}

// need makes sure that a generation is at hand.
func (k *keyring) need(ctx context.Context, generation uint32) error {
	if _, ok := k.Of(generation); ok {
		return nil
	}
	var first error
	// Newer files may be of a rotation that another one came before, and know nothing of it; or of the next one, and all there is.
	for _, newest := range []uint32{generation, math.MaxUint32} {
		ring, err := k.read(ctx, newest)
		if err != nil && !unreadable(err) && !errors.Is(err, ErrWrongKey) {
			return fmt.Errorf("the key was rotated: %w", err) // which says nothing of what files there are
		}
		if err != nil {
			first = cmp.Or(first, err)
			continue
		}
		if _, ok := ring.Of(generation); ok {
			k.set(ring)
			return nil
		}
		first = cmp.Or(first, fmt.Errorf("%w: generation %d was not given to this holder", ErrWrongKey, generation))
	}
	return fmt.Errorf("the key was rotated: %w", first)
}

// rotated takes up the generation that a record names.
func (k *keyring) rotated(ctx context.Context, rec *journal.Record) error {
	if !rotation(rec) {
		return nil
	}
	if err := k.need(ctx, rec.Generation); err != nil {
		return err
	}
	return proveRotation(k, rec)
}

func rotation(rec *journal.Record) bool {
	return rec.Body.Key != nil && rec.Body.Key.Action == journal.KeyRotated
}

// proveRotation makes sure that the generation at hand is the one that was made then: who knows a holder's public key can put a
// key file of his own making there.
func proveRotation(keys journal.Keys, rec *journal.Record) error {
	if !rotation(rec) {
		return nil
	}
	if key, ok := keys.Of(rec.Generation); !ok || generationDigest(key) != rec.Body.Key.Digest {
		return fmt.Errorf("%w: generation %d of the key is not the one that journal record %d names", ErrNoKey, rec.Generation, rec.Number)
	}
	return nil
}

// generationDigest is what the journal says of a generation. It gives nothing of the key away.
func generationDigest(key seal.Key) [32]byte { return key.Derive("generation digest") }
