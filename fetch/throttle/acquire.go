package throttle

import (
	"context"
	"fmt"
	"time"
)

// Ask is what somebody wants to do.
type Ask struct {
	Upload int64     // bytes that the request sends, where they are budgeted
	Before time.Time // no wait whose end is known goes beyond; Options.Patience from now if zero
}

// TooLong says that a request was not begun because of how long it would have had to wait.
type TooLong struct{ For time.Duration }

func (e *TooLong) Error() string {
	return fmt.Sprintf("the server is to be left alone for another %v", e.For.Round(time.Millisecond))
}

// Acquire returns when a request may begin. The error is a *TooLong or that of ctx.
func (g *Governor) Acquire(ctx context.Context, ask Ask) (*Permit, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	asked := g.now()
	if ask.Before.IsZero() {
		ask.Before = asked.Add(g.patience)
	}
	err := g.climb(ctx, ask)
	g.stats.Waited += g.now().Sub(asked)
	if err != nil {
		return nil, err
	}
	return g.begin(ask), nil
}

// climb goes up the chain: at each governor it takes the turn and waits until nothing is in the way there. When it has
// all turns and nothing is in the way anywhere, nobody can come in between, and it is done. What comes in the way of a
// governor that was passed already is waited for there, and the turns above are given to others for so long. Mu is
// held, and released while waiting.
func (g *Governor) climb(ctx context.Context, ask Ask) error {
	turns := 0
	defer func() { g.passTurns(0, turns) }()
	if err := g.tooLong(g.pauseEnd(), ask); err != nil {
		return err
	}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		at, until := g.obstacle(turns, ask)
		switch {
		case at < turns:
			g.passTurns(at+1, turns)
			turns = at + 1
			if err := g.chain[at].wait(ctx, until, ask); err != nil {
				return err
			}
		case turns < len(g.chain):
			if err := g.chain[turns].take(ctx); err != nil {
				return err
			}
			turns++
		default:
			return nil
		}
	}
}

func (g *Governor) passTurns(from, to int) {
	for _, above := range g.chain[from:to] {
		above.turn.pass()
	}
}

// obstacle finds the lowest of the first n governors of the chain that does not let the request begin, and until when. A
// zero time means: until others are done. It is n if there is none.
func (g *Governor) obstacle(n int, ask Ask) (at int, until time.Time) {
	now := g.now()
	for i, above := range g.chain[:n] {
		until := latest(above.until, above.starts.room(now, 1), above.uploads.room(now, ask.Upload))
		if until.After(now) {
			return i, until
		}
		if n, more := above.allowed(); above.flying >= n {
			return i, more
		}
	}
	return n, time.Time{}
}

// wait waits for what is in the way at a governor, whose turn the caller has.
func (g *Governor) wait(ctx context.Context, until time.Time, ask Ask) error {
	if until.IsZero() {
		g.mu.Unlock()
		defer g.mu.Lock()
		select {
		case <-g.freed:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := g.tooLong(until, ask); err != nil {
		return err
	}
	d := until.Sub(g.now())
	stirred, stir := context.WithCancel(ctx)
	g.stir = stir
	g.mu.Unlock()
	err := g.sleep(stirred, d)
	g.mu.Lock()
	g.stir = nil
	stir()
	if err == nil {
		g.slept = latest(g.slept, until)
		return nil
	}
	return ctx.Err() // nil: something changed before
}

func (g *Governor) tooLong(until time.Time, ask Ask) error {
	if until.After(ask.Before) {
		return &TooLong{For: until.Sub(g.now())}
	}
	return nil
}

// Rest is how long pauses, its own or above, will let nothing begin from now on.
func (g *Governor) Rest() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return max(0, g.pauseEnd().Sub(g.now()))
}

// pauseEnd is the end of the pauses of the chain.
func (g *Governor) pauseEnd() (until time.Time) {
	for _, above := range g.chain {
		until = latest(until, above.until)
	}
	return until
}

func latest(times ...time.Time) (last time.Time) {
	for _, t := range times {
		if t.After(last) {
			last = t
		}
	}
	return last
}
