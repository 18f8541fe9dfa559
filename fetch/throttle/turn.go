package throttle

import (
	"context"
	"slices"
)

// turn is held by one at a time and goes to the others in the order in which they asked. It is guarded by the mutex of
// the root.
type turn struct {
	held  bool
	queue []chan struct{} // closed when it is that one's turn
}

// take waits for the turn of a governor. Mu is held, and released while waiting.
func (g *Governor) take(ctx context.Context) error {
	t := &g.turn
	if !t.held {
		t.held = true
		return nil
	}
	mine := make(chan struct{})
	t.queue = append(t.queue, mine)
	g.mu.Unlock()
	select {
	case <-mine:
	case <-ctx.Done():
	}
	g.mu.Lock()
	if ctx.Err() == nil {
		return nil // only the turn itself can have ended the wait
	}
	if i := slices.Index(t.queue, mine); i >= 0 {
		t.queue = slices.Delete(t.queue, i, i+1)
	} else {
		t.pass() // it came just as the wait was given up
	}
	return ctx.Err()
}

// pass gives the turn to the next. Under mu.
func (t *turn) pass() {
	if len(t.queue) == 0 {
		t.held = false
		return
	}
	close(t.queue[0])
	t.queue = slices.Delete(t.queue, 0, 1)
}
