package ews

import (
	"context"
	"sync"
	"time"
)

// pause keeps every goroutine of a client from sending while the server wants to be left alone.
type pause struct {
	now   func() time.Time
	sleep func(ctx context.Context, d time.Duration) error

	mu    sync.Mutex // guards what follows
	until time.Time
	total time.Duration
}

// extend makes the pause last at least d from now.
func (p *pause) extend(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	until := now.Add(d)
	if !until.After(p.until) {
		return
	}
	if p.until.After(now) {
		now = p.until
	}
	p.total += until.Sub(now)
	p.until = until
}

func (p *pause) throttled() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.total
}

func (p *pause) end() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.until
}

// wait returns when there is no pause. A pause longer than patience is not waited for: its length is given instead.
func (p *pause) wait(ctx context.Context, patience time.Duration) (tooLong time.Duration, err error) {
	var slept time.Time // the end that was waited for, whatever the clock says: Sleep and Clock need not agree
	for {
		until := p.end()
		d := until.Sub(p.now())
		if d <= 0 || !until.After(slept) {
			return 0, ctx.Err()
		}
		if d > patience {
			return d, nil
		}
		if err := p.sleep(ctx, d); err != nil {
			return 0, err
		}
		slept = until
	}
}
