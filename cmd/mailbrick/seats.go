package main

import (
	"context"
	"sync"
)

// seats let some mailboxes be read at once. One that the server told to wait gives its seat to the next and goes on
// without, as long as not too many do: how many requests go at once the governor says. So mailboxes that wait do not keep
// others from a server that would serve them.
type seats struct {
	taken    chan struct{}
	standing chan struct{}

	mu sync.Mutex               // guards what follows
	in map[string]chan struct{} // by mailbox: which of the two it is in
}

func newSeats(seated, standing int) *seats {
	return &seats{taken: make(chan struct{}, seated), standing: make(chan struct{}, standing), in: map[string]chan struct{}{}}
}

// sit waits for a seat.
func (s *seats) sit(ctx context.Context, mailbox string) error {
	select {
	case s.taken <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.in[mailbox] = s.taken
	return nil
}

// stand gives the mailbox's seat to the next, if it has one and may.
func (s *seats) stand(mailbox string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.in[mailbox] != s.taken {
		return
	}
	select {
	case s.standing <- struct{}{}:
		s.in[mailbox] = s.standing
		<-s.taken
	default:
	}
}

// leave ends it for the mailbox, once.
func (s *seats) leave(mailbox string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if where := s.in[mailbox]; where != nil {
		<-where
		delete(s.in, mailbox)
	}
}
