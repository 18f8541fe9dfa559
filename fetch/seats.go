package fetch

import (
	"context"
	"sync"
	"time"
)

// LongWait is a wait in which another mailbox can get something done.
const LongWait = 3 * time.Second

// Seats let some mailboxes be read at once. One that the server lets wait gives its seat to the next and goes on without, as
// long as not too many do: how many requests go at once the governor says. So mailboxes that wait do not keep others from a
// server that would serve them.
type Seats struct{ taken, standing chan struct{} }

// NewSeats gives so many seats, and lets so many more go on without.
func NewSeats(seated, standing int) *Seats {
	return &Seats{taken: make(chan struct{}, seated), standing: make(chan struct{}, standing)}
}

// Sit waits for a seat.
func (s *Seats) Sit(ctx context.Context) (*Seat, error) {
	select {
	case s.taken <- struct{}{}:
		return &Seat{of: s, in: s.taken}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// try gives a seat if one is free, else nil.
func (s *Seats) try() *Seat {
	select {
	case s.taken <- struct{}{}:
		return &Seat{of: s, in: s.taken}
	default:
		return nil
	}
}

// Seat is one mailbox's. Its methods may be called at any time, from anywhere.
type Seat struct {
	of *Seats
	mu sync.Mutex    // guards in
	in chan struct{} // which of the two it is in; nil: it was left
}

// Stand gives the seat to the next, if it is one and so many may stand. It says whether it did.
func (s *Seat) Stand() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.in != s.of.taken {
		return false
	}
	select {
	case s.of.standing <- struct{}{}:
		s.in = s.of.standing
		<-s.of.taken
		return true
	default:
		return false
	}
}

// Leave ends it, once.
func (s *Seat) Leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.in != nil {
		<-s.in
		s.in = nil
	}
}
