package ews

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/beevik/etree"

	"mailbrick/fetch/throttle"
	"mailbrick/fetch/wire"
)

// operation is one EWS operation: what to send, how to read the answer, how to try again. Every call goes through it.
type operation struct {
	name    string // of the request element; the answer's is this and "Response"
	build   func(e *etree.Element, v schema, mark func(i int) string)
	read    func(a *answer) error // called anew for each try
	uploads []Upload
	splits  bool // the caller can ask for less at a time
	items   bool // one of what is asked for may be what the server cannot do
	once    bool // sending it twice would do it twice

	affinity *affinity     // keeps it with others on one server; nil: none
	hangs    time.Duration // the answer is many documents, as things happen, over no longer than this; 0: it is one

	permit    *throttle.Permit // of the try at hand
	delivered bool             // the caller was given something: too late to try again
	unsure    bool             // the server may have done it, but did not say
	began     time.Time        // the try at hand
}

const (
	maxAnswer       = 32 << 20 // a page of a list has some 500 KiB
	maxStreamAnswer = 512 << 20
	maxExportAnswer = 4 << 30
)

// limit of the answer's length, unpacked.
func (op *operation) limit() int64 {
	switch {
	case op.name == "ExportItems":
		return maxExportAnswer
	case op.hangs > 0:
		return maxStreamAnswer
	}
	return maxAnswer
}

// stopError is an error of the caller's own function, to be handed back as it is.
type stopError struct{ err error }

func (e *stopError) Error() string { return e.err.Error() }

const (
	maxBackOff = 24 * time.Hour  // of what a server may ask for
	maxWait    = 5 * time.Minute // of waits of our own making
	fewTries   = 3               // for what may be the item's fault
)

// call sends an operation until it has an answer, the error is one that trying again does not help, or patience ends.
func (c *Client) call(ctx context.Context, op *operation) error {
	t := &tries{c: c, op: op, until: c.opts.Clock().Add(c.opts.Patience)}
	leave, err := c.opts.Account.enter(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", op.name, err)
	}
	defer leave()
	for {
		if err := c.opts.Account.denied(op.name); err != nil {
			return err
		}
		v := schema(c.schema.Load())
		sent, err := c.send(ctx, op, v, t.until)
		if err == nil || !sent {
			return err
		}
		wait, again := t.after(err, v)
		if !again {
			return err
		}
		if c.opts.OnWait != nil {
			c.opts.OnWait(max(wait, c.budget.calls.Rest()), err)
		}
		if wait > 0 {
			if err := c.opts.Sleep(ctx, wait); err != nil {
				return err
			}
		}
	}
}

// send sends an operation once, as soon as the governor allows it, and tells it what came of that.
func (c *Client) send(ctx context.Context, op *operation, v schema, until time.Time) (sent bool, err error) {
	op.permit, err = c.budget.of(op.name).Acquire(ctx, throttle.Ask{Before: until})
	var long *throttle.TooLong
	switch {
	case errors.As(err, &long):
		return false, &Error{Operation: op.name, BackOff: long.For, class: BackOff, Text: "waiting for the server"}
	case err != nil:
		return false, err
	}
	err = c.exchange(ctx, op, v)
	op.permit.Release(c.signal(err))
	return true, err
}

// settle gives the server time to finish what it did not answer.
func (c *Client) settle(ctx context.Context, op *operation, lost error) {
	wait := wire.Settling(c.opts.Clock().Sub(op.began))
	if c.opts.OnWait != nil {
		c.opts.OnWait(wait, lost)
	}
	_ = c.opts.Sleep(ctx, wait) // if the context ends, nobody looks
}

// shrinking makes a call whose size the client may choose, and halves the size down to least while the server finds it
// too much.
func (c *Client) shrinking(ctx context.Context, size *int, least int, op *operation) error {
	for {
		op.splits = *size > least
		err := c.call(ctx, op)
		var e *Error
		if !op.splits || !errors.As(err, &e) || e.Class() != Shrink {
			return err
		}
		*size = max(*size/2, least)
	}
}

// tries keeps count for one call.
type tries struct {
	c      *Client
	op     *operation
	until  time.Time // patience ends
	passed int       // passing errors met
	denied bool
}

// left is what remains of the patience.
func (t *tries) left() time.Duration {
	return t.until.Sub(t.c.opts.Clock())
}

// after decides what follows an error. The governor knows of it already.
func (t *tries) after(err error, v schema) (wait time.Duration, again bool) {
	var e *Error
	if !errors.As(err, &e) {
		return 0, false
	}
	class, known := e.rule()
	if class == Shrink && e.deciding() == codeTimeout && !t.op.splits {
		class = Transient
	}
	again = !t.op.delivered && !(t.op.once && t.op.unsure)
	if class == BackOff && t.op.items && lostBetween(e) {
		return t.lost(e, again)
	}
	switch class {
	case BackOff:
		return 0, again && t.c.budget.of(t.op.name).Rest() <= t.left()
	case Transient:
		return t.passing(e, known, again)
	case Version:
		return 0, again && t.c.stepDown(v)
	case Auth:
		return t.refused(e, again)
	}
	return 0, false
}

// lostBetween says whether somebody between here and the server gave up waiting for its answer, or had none.
func lostBetween(e *Error) bool {
	return e.Code == "" && e.BackOff == 0 && (e.Status == http.StatusBadGateway || e.Status == http.StatusGatewayTimeout)
}

// lost decides what follows where an answer was lost on the way: one heavy item may be why. Of more than one less is asked for,
// of one a few times. The governor waits.
func (t *tries) lost(e *Error, again bool) (time.Duration, bool) {
	t.passed++
	if again && !t.op.splits && t.passed < fewTries && t.c.budget.of(t.op.name).Rest() <= t.left() {
		return 0, true
	}
	e.class, e.final = Transient, again
	return 0, false
}

func (t *tries) passing(e *Error, known, again bool) (time.Duration, bool) {
	t.passed++
	limit := t.c.opts.MaxAttempts
	if !known || e.deciding() == "ErrorInternalServerError" {
		limit = min(limit, fewTries)
	}
	if e.unmet && !t.c.opts.Account.miss() {
		limit = 0
	}
	wait := max(t.c.growing(floorOf(Transient, e.deciding()), t.passed-1), e.BackOff)
	if again && t.passed < limit && wait <= t.left() {
		return wait, true
	}
	e.final = again
	return 0, false
}

// refused asks once more after a 401, if the account may.
func (t *tries) refused(e *Error, again bool) (time.Duration, bool) {
	if e.cause == nil {
		e.cause = ErrCredentials
	}
	repeat := t.c.opts.Account.refused(e) && again && !t.denied
	t.denied = true
	if !repeat {
		return 0, false
	}
	return t.c.growing(floorOf(Auth, ""), 0), true
}

// growing doubles a wait with each failure and spreads it.
func (c *Client) growing(floor time.Duration, before int) time.Duration {
	d := floor << min(before, 20)
	if d > maxWait || d < floor {
		d = maxWait
	}
	return d + c.dice.Jitter(d/2)
}

// stepDown goes to the next lower version, unless somebody has since v was sent.
func (c *Client) stepDown(v schema) bool {
	if v < schemaLast {
		c.schema.CompareAndSwap(int32(v), int32(v+1))
	}
	return schema(c.schema.Load()) > v
}

// refused says whether an error means that the server did nothing of what it was asked.
func refused(err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Status {
	case http.StatusBadGateway, http.StatusGatewayTimeout, http.StatusRequestTimeout:
		return false // somebody in between lost the answer
	case http.StatusRequestEntityTooLarge, http.StatusNotFound:
		return true
	}
	switch e.deciding() {
	case "ErrorRequestStreamTooBig", "ErrorDataSizeLimitExceeded", "ErrorMessageSizeExceeded":
		return true
	}
	class, known := e.rule()
	return known && class != Transient && class != Shrink
}
