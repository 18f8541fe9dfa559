package ews

import (
	"context"
	"sync"
	"time"
)

// pause keeps every goroutine of a client from sending while the server wants to be left alone. It follows the account's.
type pause struct {
	now   func() time.Time
	sleep func(ctx context.Context, d time.Duration) error

	account *Account

	mu    sync.Mutex // guards what follows
	until time.Time
	total time.Duration
}

// extend makes the pause last at least d from now.
func (p *pause) extend(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	p.extendTo(now, now.Add(d))
}

// follow takes over the account's pause.
func (p *pause) follow() {
	p.extendTo(p.now(), p.account.pausedUntil())
}

func (p *pause) extendTo(now, until time.Time) {
	if !until.After(p.until) || !until.After(now) {
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
	p.follow()
	return p.total
}

func (p *pause) end() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.follow()
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
