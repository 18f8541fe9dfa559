package exchangetest

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// visit is the call as the throttle sees it. Under impersonation the budget is the mailbox's, one for all who
// impersonate it; else it is the account's. EWS 14
func (c *call) visit() visit {
	v := visit{front: "front:" + c.user, budget: "account:" + c.user, limits: c.server.options.Throttle.EWS,
		operation: c.operation(), upload: c.size}
	if c.impersonated != "" {
		v.budget = "mailbox:" + c.impersonated
	}
	v.synchronizes = v.operation == "SyncFolderItems" || v.operation == "SyncFolderHierarchy"
	return v
}

// enter asks for leave, and writes the answer when there is none. valid says that the request can be answered by parts.
func (c *call) enter(valid bool) bool {
	r, turn := c.ticket.admit(c.ctx)
	if r == nil {
		return true
	}
	c.log("throttled", "limit", r.limit, "back_off", r.backOff)
	if r.front {
		c.ticket.tell(refuseFront(c.w, r, turn), true)
		return false
	}
	c.ticket.tell(r.backOff, false)
	f := c.busy(r, turn)
	if f.whole || !valid {
		c.writeFault(f.failure)
		return false
	}
	c.refused = f.failure
	c.answer()
	return false
}

// busyAnswer is how a refusal is said: as a fault, or in each response message of an answer.
type busyAnswer struct {
	*failure
	whole bool
}

// busy words a refusal, by turns in the forms that are seen. EWS 14
func (c *call) busy(r *refusal, turn int) busyAnswer {
	switch r.limit {
	case "concurrency":
		if turn%3 == 2 { // with a suggestion of 0 ms, which is none
			return busyAnswer{overConcurrency(fail("ErrorServerBusy"), r.upTo), false}
		}
		return busyAnswer{overConcurrency(fail("ErrorExceededConnectionCount"), r.upTo), turn%3 == 1}
	case "sync_calls":
		f := fail("ErrorServerBusy").backOff(r.backOff)
		f.text += ", " + exceeds("ConcurrentSyncCalls", r.upTo, r.backOff)
		return busyAnswer{f, turn%2 == 1}
	}
	switch turn % 3 {
	case 0:
		return busyAnswer{fail("ErrorServerBusy").backOff(r.backOff), true}
	case 1:
		return busyAnswer{fail("ErrorServerBusy").backOff(r.backOff), false}
	}
	return busyAnswer{innerBusy(r.backOff), false}
}

// innerBusy is the form in which the code is one of an error below. EWS 2
func innerBusy(d time.Duration) *failure {
	return inner("ErrorInternalServerError", "ErrorServerBusy").backOff(d)
}

func inner(code, below string) *failure {
	return fail(code).with("InnerErrorMessageText", textOf(below)).with("InnerErrorResponseCode", below).
		with("InnerErrorDescriptiveLinkKey", "0")
}

func overConcurrency(f *failure, limit int) *failure {
	return f.with("Policy", "MaxConcurrency").with("MaxConcurrencyLimit", strconv.Itoa(limit)).
		with("ErrorMessage", exceeds("MaxConcurrency", limit, 0))
}

// exceeds is the sentence of a budget that is used up.
func exceeds(part string, limit int, wait time.Duration) string {
	return fmt.Sprintf("This operation exceeds the throttling budget for policy part '%s', policy value '%d',  Budget type: 'Ews'.  Suggested backoff time %d ms.",
		part, limit, wait.Milliseconds())
}

// refuseFront is what the front end says, by turns with and without a time; it gives the time that was told.
func refuseFront(w http.ResponseWriter, r *refusal, turn int) time.Duration {
	status := [...]int{http.StatusTooManyRequests, http.StatusServiceUnavailable}[turn%2]
	if r.limit == "front_end.queue" {
		status = http.StatusServiceUnavailable // EWS 14: the queue of IIS
	}
	told := time.Duration(0)
	if r.backOff > 0 && turn%4 < 2 {
		told = retryAfter(w, r.backOff)
	}
	w.WriteHeader(status)
	return told
}

// retryAfter sets the header, in whole seconds, and gives what it says.
func retryAfter(w http.ResponseWriter, d time.Duration) time.Duration {
	seconds := (d + time.Second - 1) / time.Second
	w.Header().Set("Retry-After", strconv.Itoa(int(seconds)))
	return seconds * time.Second
}

// next is the work for one more part of the request, nil or why it is not done;
// then stop says that the budget is used up and the rest is not tried.
func (c *call) next() (f *failure, stop bool, err error) {
	r, err := c.ticket.item(c.ctx)
	switch {
	case err != nil:
		return nil, true, err
	case r == nil:
		return nil, false, nil
	case r.limit == "request_time":
		return fail("ErrorTimeoutExpired"), true, nil // EWS 1: a request has a minute
	}
	c.ticket.tell(r.backOff, false)
	return fail("ErrorServerBusy").backOff(r.backOff), true, nil
}
