package ews

import (
	"errors"
	"net/http"

	"mailbrick/fetch/throttle"
	"mailbrick/fetch/wire"
)

const (
	mostOfBudget  = 27 // requests at once. Exchange 2013 and later, EwsMaxConcurrency
	mostSyncs     = 5  // calls of synchronization at once. Exchange 2016 and later, ConcurrentSyncCalls
	mostOfAccount = 32 // over all mailboxes that are impersonated: no server's limit but ours, of memory and connections
)

// budget is what a client's requests are charged to, as the server sees it.
type budget struct {
	calls   *throttle.Governor // this client's requests
	syncs   *throttle.Governor // those of synchronization, which also are calls
	whose   *throttle.Governor // calls with impersonation, when each mailbox has a budget of its own; else account
	account *throttle.Governor
}

// budget gives the governors of a client. Those of the account come with the first.
func (a *Account) budget(o Options) budget {
	a.mu.Lock()
	defer a.mu.Unlock()
	own := o.Impersonate != ""
	if a.calls == nil {
		most := mostOfBudget
		if own {
			most = mostOfAccount
		}
		a.calls = throttle.New(throttle.Options{Most: most, Clock: o.Clock, Sleep: o.Sleep, Rand: o.Rand})
		a.syncs = throttle.New(throttle.Options{Parent: a.calls, Start: mostSyncs, Most: mostSyncs})
	}
	b := budget{account: a.calls, calls: throttle.New(throttle.Options{Parent: a.calls, Most: mostOfBudget})}
	if own {
		b.whose, b.syncs = b.calls, throttle.New(throttle.Options{Parent: b.calls, Start: mostSyncs, Most: mostSyncs})
	} else {
		b.whose, b.syncs = b.account, a.syncs
	}
	return b
}

// of gives the governor of an operation.
func (b budget) of(operation string) *throttle.Governor {
	if operation == "SyncFolderItems" || operation == "SyncFolderHierarchy" {
		return b.syncs
	}
	return b.calls
}

// signal says what an error means for when requests may go. 429 and 503 are the front end's, before any mailbox.
func (c *Client) signal(err error) throttle.Signal {
	var e *Error
	switch {
	case err == nil:
		return throttle.Signal{Kind: throttle.Served}
	case errors.Is(err, wire.ErrStalled):
		return throttle.Signal{Kind: throttle.Slow, At: c.budget.whose}
	case !errors.As(err, &e):
		return throttle.Signal{Kind: throttle.Lost} // the caller's own, or that of the context
	}
	s := throttle.Signal{Kind: loadOf(e), After: e.BackOff, At: c.budget.whose}
	switch {
	case e.Policy == policySyncs:
		s.At = c.budget.syncs
	case (e.Status == http.StatusTooManyRequests || e.Status == http.StatusServiceUnavailable) && s.After > 0:
		s.At = c.budget.account
	case e.Status == http.StatusTooManyRequests || e.Status == http.StatusServiceUnavailable:
		s.Maybe = c.budget.account // a lone refusal that names no time need not be everybody's
	}
	if s.After > 0 && s.Kind < throttle.Crowded {
		s.Kind = throttle.Busy // whatever the error is: the server says to stay away
	}
	if s.After == 0 && !lostBetween(e) { // a server may be well behind who lost its answer: begin with little
		s.Floor = floorOf(BackOff, e.deciding())
	}
	return s
}
