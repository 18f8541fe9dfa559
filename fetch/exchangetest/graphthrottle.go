package exchangetest

import (
	"net/http"
	"strings"
	"time"
)

// arrive tells the throttle of the request: the budget is the app's in the mailbox. graph.md 7
func (c *graphCall) arrive() {
	v := visit{front: "front:" + c.app, budget: "graph:" + c.app + "/" + c.box.address(), limits: c.server.options.Throttle.Graph, operation: c.route.name}
	switch c.r.Method {
	case http.MethodPatch, http.MethodPost, http.MethodPut:
		v.upload = max(c.r.ContentLength, 0)
	}
	c.ticket = c.server.throttle.arrive(v)
}

// charge asks the budgets of the app and the mailbox whether the request may
// run; done gives back what it held.
func (c *graphCall) charge() (done func(), f *failure) {
	r, turn := c.ticket.admit(c.r.Context())
	if r != nil {
		c.log("throttled", "limit", r.limit, "back_off", r.backOff)
		return nil, c.over(r, turn)
	}
	if c.route.name != "graph.exportItems" {
		c.ticket.asks(c.route.name, c.r.Method, c.r.URL.RequestURI())
	}
	c.w = c.ticket.pay(c.w, c.r.Context(), c.ticket.upload)
	return func() {
		c.ticket.settle(c.r.Context()) // a client that is gone does not matter any more
		c.ticket.leave()
	}, nil
}

// over words a refusal: with Retry-After but for every third.
func (c *graphCall) over(r *refusal, turn int) *failure {
	if r.limit == "front_end.queue" {
		return fail("serviceNotAvailable")
	}
	wait := r.backOff
	concurrency := strings.HasSuffix(r.limit, "concurrency")
	if concurrency {
		wait = time.Second
	}
	if turn%3 != 2 {
		c.ticket.tell(retryAfter(c.w, wait), r.front)
	}
	if concurrency {
		return fail("ApplicationThrottled").say("Application is over its MailboxConcurrency limit.")
	}
	return fail("ApplicationThrottled").say("Application is over its request limit.")
}

// item takes the time of one part of the request. Graph's limits do not end what was let in.
func (c *graphCall) item() error {
	_, err := c.ticket.item(c.r.Context())
	return err
}
