package ews

import (
	"context"
	"net/http"
	"sync"

	"mailbrick/fetch/throttle"
)

// Account is what the clients of one account at one server know together: whether the server has let it in, and what
// it lets go at once. Until it is let in, one call at a time goes to the server, so that a wrong
// password is sent twice at most, however many clients there are. The zero Account is one that has asked nothing yet; it
// must not be copied.
type Account struct {
	once  sync.Once
	turn  chan struct{} // holds one: the call that goes while the account is unknown
	known chan struct{} // closed once the account is let in, or refused for good

	mu       sync.Mutex // guards what follows
	accepted bool       // the server has answered properly before
	denial   *Error     // it refused the account, which it had never let in: not asked again
	refusals int        // before it was let in
	missed   int        // connections that nobody took, before the server ever answered

	calls, syncs *throttle.Governor // of all clients; nil before the first
}

// NewAccount makes an account for Options.
func NewAccount() *Account { return new(Account) }

func (a *Account) init() {
	a.turn, a.known = make(chan struct{}, 1), make(chan struct{})
}

// enter waits while the account is unknown and another call asks. leave must be called when the call is over.
func (a *Account) enter(ctx context.Context) (leave func(), err error) {
	a.once.Do(a.init)
	select {
	case <-a.known: // of two that are ready, select might take the turn
		return func() {}, nil
	default:
	}
	select {
	case <-a.known:
		return func() {}, nil
	case a.turn <- struct{}{}:
		return func() { <-a.turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// settle lets all calls go on, under mu.
func (a *Account) settle() {
	a.once.Do(a.init)
	if !a.accepted && a.denial == nil {
		close(a.known)
	}
}

// letIn notes that the server took the credentials.
func (a *Account) letIn() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.settle()
	a.accepted = true
}

func (a *Account) wasLetIn() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.accepted
}

// denied gives the refusal of an account that is not to be tried any more, else nil.
func (a *Account) denied(operation string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.denial == nil {
		return nil
	}
	e := *a.denial
	e.Operation = operation
	return &e
}

// refused says whether to send the credentials once more after a refusal. Servers answer 401 under load too, so that an
// account that was let in before may ask again in each call. One that never was asks once more in all, whichever client
// does: each wrong password counts towards the lockout of the account.
func (a *Account) refused(e *Error) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.accepted {
		return e.Status == http.StatusUnauthorized
	}
	a.refusals++
	if e.Status == http.StatusUnauthorized && a.refusals == 1 {
		return true
	}
	a.settle()
	if a.denial == nil {
		denial := *e
		a.denial = &denial
	}
	return false
}

// miss counts a connection that nobody took, and says whether to try again. Where nobody has answered yet that is a wrong
// address more often than a server that is starting: two are enough, for all clients.
func (a *Account) miss() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.accepted {
		return true
	}
	a.missed++
	return a.missed < 2
}
