package blob

import (
	"context"
	"errors"
	"time"
)

// ErrLocked says that an object is kept by a lock, so that nothing takes it
// away. Who removes garbage reports it and goes on.
var ErrLocked = errors.New("object is locked")

// Locker is a Bucket that can keep objects from everybody for a time. Not every
// bucket is one: it is found by assertion.
type Locker interface {
	// Lock keeps an object until a time at least. It never shortens or
	// weakens a lock that is there.
	Lock(ctx context.Context, name string, lock Lock) error
	// Locked is the lock of an object, zero for none.
	Locked(ctx context.Context, name string) (Lock, error)
}

// Lock is what keeps an object.
type Lock struct {
	Until time.Time
	Mode  LockMode
	// Hold is a lock without end that others have set and may lift. Locker.Lock
	// does not look at it.
	Hold bool
}

// LockMode says who may lift a lock before its time.
type LockMode uint8

const (
	// Governance: who has a right made for it.
	Governance LockMode = iota
	// Compliance: nobody.
	Compliance
)

// Holds tells whether the lock keeps the object at a time.
func (l Lock) Holds(now time.Time) bool { return l.Hold || now.Before(l.Until) }

// Covers tells whether the lock keeps at least as long and as strictly as another.
func (l Lock) Covers(other Lock) bool {
	return l.Mode >= other.Mode && !l.Until.Before(other.Until)
}
