package throttle

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"io"
	"sync"
	"time"
)

// Options of a governor. The zero value works.
type Options struct {
	Parent *Governor // the budget that this one lies in; clock, sleep and randomness are its, too

	Start int // requests at once in the beginning: 4, or Most
	Most  int // requests at once, never more: 64

	Requests     int // that begin in any Window; no such limit if 0
	Window       time.Duration
	UploadBytes  int64 // announced in any UploadWindow; no such limit if 0
	UploadWindow time.Duration

	Patience time.Duration // what is waited for when Ask does not say: 1 h

	Clock func() time.Time
	Sleep func(ctx context.Context, d time.Duration) error
	Rand  io.Reader // spreads the ends of pauses
}

func (o Options) withDefaults() Options {
	if o.Most <= 0 {
		o.Most = 64
	}
	if o.Start <= 0 {
		o.Start = 4
	}
	o.Start = min(o.Start, o.Most)
	if o.Patience <= 0 {
		o.Patience = time.Hour
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = Sleep
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	return o
}

// Sleep waits; the end of the context cuts it short.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// root is what governors have that lie in one another.
type root struct {
	clock func() time.Time
	sleep func(ctx context.Context, d time.Duration) error
	rand  io.Reader

	mu    sync.Mutex // guards all governors below, and what follows
	slept time.Time  // what was slept until has passed, whatever the clock says
}

func (r *root) now() time.Time {
	if now := r.clock(); now.After(r.slept) {
		return now
	}
	return r.slept
}

// spread gives something from 0 to d.
func (r *root) spread(d time.Duration) time.Duration {
	var b [4]byte
	_, _ = io.ReadFull(r.rand, b[:]) // without randomness nothing is spread, which is not worth failing for
	return time.Duration(float64(d) * float64(binary.LittleEndian.Uint32(b[:])) / (1 << 32))
}

// Governor decides when requests may go to a server. It may be used by many goroutines.
type Governor struct {
	*root
	chain    []*Governor // this one and those above it, the topmost last
	most     int
	patience time.Duration
	freed    chan struct{} // holds one: something changed that the one whose turn it is may wait for
	stir     func()        // tells it while it waits for a time; nil while it does not. Under mu

	// Guarded by the mutex of the root.
	turn    turn
	flying  int       // requests on their way
	limit   float64   // how many may be
	easy    float64   // up to where the limit grows with every answer
	ramp    int       // answers since the pause, and one
	era     int       // of the limit: each complaint begins another
	until   time.Time // end of the pause
	pauses  int       // since something was served
	rests   []rest
	counted time.Time // pauses until then are in the stats
	starts  window
	uploads window
	stats   Stats
}

// New makes a governor.
func New(o Options) *Governor {
	o = o.withDefaults()
	g := &Governor{most: o.Most, patience: o.Patience, limit: float64(o.Start), ramp: o.Most, freed: make(chan struct{}, 1),
		starts:  window{most: int64(o.Requests), length: o.Window},
		uploads: window{most: o.UploadBytes, length: o.UploadWindow}}
	g.chain = []*Governor{g}
	if o.Parent == nil {
		g.root = &root{clock: o.Clock, sleep: o.Sleep, rand: o.Rand}
	} else {
		g.root = o.Parent.root
		g.chain = append(g.chain, o.Parent.chain...)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.counted = g.now()
	return g
}

// allowed is how many may be on their way now, and when more may be though nobody answers; the zero time if never.
func (g *Governor) allowed() (n int, more time.Time) {
	limit := int(g.limit)
	if g.ramp >= limit {
		return limit, more
	}
	steps := min(int(g.now().Sub(g.until)/rampStep), 16)
	if n = g.ramp << steps; n >= limit {
		return limit, more
	}
	return n, g.until.Add(time.Duration(steps+1) * rampStep)
}

func (g *Governor) full() bool { return g.flying >= int(g.limit) }

// wake lets the one whose turn it is look again. Under mu.
func (g *Governor) wake() {
	if g.stir != nil {
		g.stir()
		return
	}
	select {
	case g.freed <- struct{}{}:
	default: // it will look anyway
	}
}
