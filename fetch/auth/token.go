package auth

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"
)

const (
	early     = 5 * time.Minute // before its end a token is renewed
	oldEnough = time.Minute     // a token or a refusal of this age may be out of date
)

// token is the token for one scope, or how it was refused.
type token struct {
	app   *App
	scope string

	mu      sync.Mutex // guards what follows
	bearer  string     // "" if there is none
	renew   time.Time
	expires time.Time
	taken   bool      // the server has let it in
	dropped time.Time // when one was forgotten last that no server ever let in
	refusal error
	refused time.Time
	asking  *asking // nil while nobody asks the authority
}

// asking is a request to the authority that others wait for.
type asking struct {
	done   chan struct{}
	bearer string // set, like err, before done is closed
	err    error
}

// get gives a token that is good now, and asks the authority where there is none.
func (t *token) get(ctx context.Context) (string, error) {
	for {
		a, mine := t.look()
		if mine {
			t.ask(ctx, a)
		}
		select {
		case <-a.done:
		case <-ctx.Done():
			return "", ctx.Err()
		}
		if gaveUp := errors.Is(a.err, context.Canceled); !gaveUp || mine || ctx.Err() != nil {
			return a.bearer, a.err
		} // who asked gave up: ask oneself
	}
}

// look gives what is known already or is asked for; else mine says that the caller has to ask.
func (t *token) look() (a *asking, mine bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.app.now()
	switch {
	case t.bearer != "" && now.Before(t.renew) && now.Before(t.expires):
		return settled(t.bearer, nil), false
	case t.refusal != nil && now.Before(t.refused.Add(oldEnough)):
		return settled("", t.refusal), false
	case t.asking != nil:
		return t.asking, false
	}
	t.asking = &asking{done: make(chan struct{})}
	return t.asking, true
}

func settled(bearer string, err error) *asking {
	a := &asking{done: make(chan struct{}), bearer: bearer, err: err}
	close(a.done)
	return a
}

// ask gets a new token for all who wait.
func (t *token) ask(ctx context.Context, a *asking) {
	bearer, lifetime, err := t.app.grant(ctx, t.scope)
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.app.now()
	switch {
	case err == nil:
		t.bearer, t.expires, t.taken, t.refusal = bearer, now.Add(lifetime), false, nil
		t.renew = t.expires.Add(-min(early, lifetime/5))
	case t.bearer != "" && now.Before(t.expires) && ctx.Err() == nil:
		t.renew, err = now.Add(oldEnough), nil // the old one serves on
	case errors.Is(err, ErrRefused):
		t.refusal, t.refused = err, now
	}
	if a.err = err; err == nil {
		a.bearer = t.bearer
	}
	t.asking = nil
	close(a.done)
}

// outcome learns from the status of an answer to a request with the token.
func (t *token) outcome(bearer string, status int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.bearer != bearer: // there is a newer one
	case status != http.StatusUnauthorized:
		t.taken = t.taken || status < 500
	case t.taken:
		t.bearer = ""
	case !t.app.now().Before(t.dropped.Add(oldEnough)):
		// One that was refused before its first use may have been old at the authority already, or too young for a clock that
		// is behind: one more is worth a try, but not with every request of somebody who says no to all.
		t.bearer, t.dropped = "", t.app.now()
	}
}
