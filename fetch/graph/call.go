package graph

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"mailbrick/fetch/throttle"
	"mailbrick/fetch/wire"
)

// operation is one request: what to send, how to read the answer, how to try again. Every call goes through it.
type operation struct {
	name   string
	method string
	url    string
	prefer string                 // header Prefer
	json   []byte                 // the body; nil if there is none
	item   *wire.Body             // the body of an import, instead
	read   func(s *scanner) error // the document of a good answer, called anew for each try; nil: there is none
	limit  int64                  // of the answer's length; 0: maxAnswer
	splits bool                   // the caller can ask for less at a time
	items  bool                   // one of what is asked for may be what the server cannot do
	once   bool                   // sending it twice would do it twice

	permit    *throttle.Permit // of the try at hand
	date      time.Time        // of the answer, by the server's clock
	delivered bool             // the caller was given something: too late to try again
	unsure    bool             // the server may have done it, but did not say
	began     time.Time        // the try at hand
}

const (
	maxAnswer       = 32 << 20 // a page of a list has some 100 KiB
	maxExportAnswer = 4 << 30
	maxErrorBody    = 64 << 10

	maxBackOff = 24 * time.Hour   // of what a server may ask for
	maxWait    = 5 * time.Minute  // of waits of our own making
	busyWait   = 10 * time.Second // first wait where a server asks for one and does not say how long
	fewTries   = 3                // for what may be the item's fault
)

// stopError is an error of the caller's own function, to be handed back as it is.
type stopError struct{ err error }

func (e *stopError) Error() string { return e.err.Error() }

// call sends an operation until it has an answer, the error is one that trying again does not help, or patience ends.
func (c *Client) call(ctx context.Context, op *operation) error {
	t := &tries{c: c, op: op, until: c.opts.Clock().Add(c.opts.Patience)}
	for {
		permit, err := c.governor.Acquire(ctx, throttle.Ask{Upload: op.length(), Before: t.until})
		if err != nil {
			return op.notBegun(err)
		}
		op.permit = permit
		err = c.exchange(ctx, op)
		permit.Release(signalOf(err))
		if err == nil {
			return nil
		}
		if t.moved(err) {
			continue
		}
		if mailboxUnknown(err) {
			c.forgetMailbox()
		}
		wait, again := t.after(err)
		if !again {
			return err
		}
		if c.opts.OnWait != nil {
			var e *Error
			_ = errors.As(err, &e) // after has seen that it is one
			c.opts.OnWait(max(wait, e.BackOff), err)
		}
		if wait > 0 {
			if err := c.opts.Sleep(ctx, wait); err != nil {
				return err
			}
		}
	}
}

// settle gives the server time to finish what it did not answer.
func (c *Client) settle(ctx context.Context, op *operation, lost error) {
	wait := wire.Settling(c.opts.Clock().Sub(op.began))
	if c.opts.OnWait != nil {
		c.opts.OnWait(wait, lost)
	}
	_ = c.opts.Sleep(ctx, wait) // if the context ends, nobody looks
}

// length is what an import sends, as far as is known. Other requests are short, and what the budget spares is for them: counted
// they would make an item wait that is bigger than the budget, and so goes only when nothing was sent for five minutes.
func (op *operation) length() int64 {
	if op.item == nil {
		return 0
	}
	return max(op.item.Length(), 0)
}

func (op *operation) notBegun(err error) error {
	var long *throttle.TooLong
	if errors.As(err, &long) {
		return &Error{Operation: op.name, BackOff: long.For, class: BackOff, Text: "waiting for the server"}
	}
	return fmt.Errorf("%s: %w", op.name, err)
}

// signalOf tells the governor what an answer says about load. All budgets are those of a mailbox.
func signalOf(err error) throttle.Signal {
	var e *Error
	switch {
	case err == nil:
		return throttle.Signal{Kind: throttle.Served}
	case !errors.As(err, &e):
		return throttle.Signal{Kind: throttle.Lost}
	case errors.Is(err, wire.ErrStalled): // a line that too many share, maybe
		return throttle.Signal{Kind: throttle.Slow}
	case lostBetween(e) && e.Status != http.StatusServiceUnavailable: // the server may be well behind who lost its answer: begin with little
		return throttle.Signal{Kind: throttle.Busy}
	case e.Status == http.StatusTooManyRequests || e.rule() == BackOff:
		s := throttle.Signal{Kind: throttle.Busy, After: e.BackOff}
		if s.After == 0 {
			s.Floor = busyWait
		}
		return s
	case e.Status == 0 || errors.Is(err, ErrTruncated):
		return throttle.Signal{Kind: throttle.Lost}
	case e.Status >= 500:
		return throttle.Signal{Kind: throttle.Slow, After: e.BackOff}
	}
	return throttle.Signal{Kind: throttle.Refused}
}

// tries keeps count for one call.
type tries struct {
	c      *Client
	op     *operation
	until  time.Time
	passed int // passing errors met
	hops   int // redirects followed
	denied bool
}

// maxHops bounds redirects within an archive mailbox.
const maxHops = 3

// moved goes where a redirect leads; there is a target only where it may be followed.
func (t *tries) moved(err error) bool {
	var e *Error
	if !errors.As(err, &e) || e.Status != http.StatusPermanentRedirect || e.target == "" || t.hops == maxHops {
		return false
	}
	t.hops++
	t.op.url = e.target
	return true
}

// after decides what follows an error.
func (t *tries) after(err error) (wait time.Duration, again bool) {
	var e *Error
	if !errors.As(err, &e) {
		return 0, false
	}
	again = !t.op.delivered && !(t.op.once && t.op.unsure)
	class := e.rule()
	switch {
	case t.op.splits && again && tooMuch(e, class):
		e.class = Shrink
		return 0, false
	case class == BackOff && t.op.items && lostBetween(e):
		return t.lost(e, again)
	case class == BackOff:
		return 0, again && t.c.opts.Clock().Add(e.BackOff).Before(t.until) // the governor waits
	case class == Transient, class == Shrink && e.timedOut():
		return t.passing(e, again)
	case class == Auth && !t.denied && e.Status == http.StatusUnauthorized && t.op.item == nil:
		t.denied = true // one more, with another token: the old one may have run out
		return 0, again
	}
	return 0, false
}

// tooMuch says whether less at a time may come through: a server that broke down or stayed silent over it.
func tooMuch(e *Error, class Class) bool {
	return class == Shrink || (class == Transient || class == BackOff) && (e.Status >= 500 && e.BackOff == 0 || e.Status == 0 && !e.unmet && !e.unsent)
}

// lostBetween says whether somebody between here and the server, or within it, gave up waiting for its answer: a 503 of that
// kind says nothing at all.
func lostBetween(e *Error) bool {
	return e.Code == "" && e.BackOff == 0 &&
		(e.Status == http.StatusBadGateway || e.Status == http.StatusServiceUnavailable || e.Status == http.StatusGatewayTimeout)
}

// lost decides what follows where an answer was lost on the way: it may be the one item that is why. The governor waits.
func (t *tries) lost(e *Error, again bool) (time.Duration, bool) {
	t.passed++
	if again && t.passed < fewTries && t.c.opts.Clock().Add(t.c.governor.Rest()).Before(t.until) {
		return 0, true
	}
	e.class, e.final = Transient, again
	return 0, false
}

func (t *tries) passing(e *Error, again bool) (time.Duration, bool) {
	t.passed++
	limit := t.c.opts.MaxAttempts
	if e.internal() {
		limit = min(limit, fewTries)
	}
	if e.unmet {
		limit = min(limit, 2) // a wrong address more often than a server that is starting
	}
	wait := max(t.c.growing(floorOf(e.Code), t.passed-1), e.BackOff)
	if again && t.passed < limit && t.c.opts.Clock().Add(wait).Before(t.until) {
		return wait, true
	}
	e.final = again
	return 0, false
}

// growing doubles a wait with each failure and spreads it.
func (c *Client) growing(floor time.Duration, before int) time.Duration {
	d := min(floor<<min(before, 20), maxWait)
	return d + c.dice.Jitter(d/2)
}

// refused says whether an error means that the server did nothing of what it was asked: it said so.
func refused(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Status >= 300 && e.Status < 500 && e.Status != http.StatusRequestTimeout
}
