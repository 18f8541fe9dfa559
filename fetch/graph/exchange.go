package graph

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	"mailbrick/fetch/auth"
	"mailbrick/fetch/wire"
)

// exchange sends a request once and reads its answer. What it returns is an *Error, the caller's own error or that of ctx.
func (c *Client) exchange(ctx context.Context, op *operation) error {
	watch, reqCtx := wire.NewWatchdog(ctx, c.opts.Stall)
	defer watch.Stop()
	req, body, err := c.request(reqCtx, op, watch)
	if err != nil {
		return &Error{Operation: op.name, class: Bug, Text: "the request cannot be made"} // the error would hold the URL
	}
	via := c.via
	if op.item != nil {
		via = c.bare
	}
	c.requests.Add(1)
	op.began = c.opts.Clock()
	watch.Arm()
	resp, err := via.RoundTrip(req)
	watch.Answered()
	if err != nil {
		err = c.networkError(ctx, op, req.URL, body, watch.Reason(err))
	} else {
		err = c.answer(ctx, op, resp, watch)
		_ = resp.Body.Close() // nothing is lost: the answer was read, or is not wanted
	}
	if body != nil {
		<-body().Closed() // the source belongs to the caller again
		sent, _ := body().Outcome()
		op.unsure = sent && err != nil && !refused(err)
	}
	return err
}

// request makes the HTTP request. body gives the reader that the transport used last; it is nil but for imports.
func (c *Client) request(ctx context.Context, op *operation, watch *wire.Watchdog) (req *http.Request, body func() *wire.BodyReader, err error) {
	var first io.Reader
	if op.json != nil {
		first = bytes.NewReader(op.json) // net/http knows how to begin one anew
		c.bytesOut.Add(int64(len(op.json)))
	}
	var last atomic.Pointer[wire.BodyReader]
	open := func() (io.ReadCloser, error) {
		r := op.item.Open()
		last.Store(r)
		return watch.RequestBody(r), nil
	}
	if op.item != nil {
		first, _ = open()
		body = last.Load
	}
	req, err = http.NewRequestWithContext(ctx, op.method, op.url, first)
	if err != nil {
		return nil, nil, err
	}
	if op.item != nil {
		req.GetBody, req.ContentLength = open, op.item.Length() // used by the transport only where nothing was written
	}
	c.setHeaders(req.Header, op)
	return req, body, nil
}

func (c *Client) setHeaders(h http.Header, op *operation) {
	h.Set("User-Agent", c.opts.UserAgent)
	h.Set("Accept", "application/json")
	wire.AskGzip(h)
	h.Set("client-request-id", c.dice.GUID())
	h.Set("return-client-request-id", "true")
	if op.json != nil || op.item != nil {
		h.Set("Content-Type", "application/json")
	}
	if op.prefer != "" {
		h.Set("Prefer", op.prefer)
	}
}

// answer judges the status and lets the operation read the document.
func (c *Client) answer(ctx context.Context, op *operation, resp *http.Response, watch *wire.Watchdog) error {
	op.date, _ = http.ParseTime(resp.Header.Get("Date")) // zero where there is none
	raw := watch.AnswerBody(resp.Body, &c.bytesIn)
	if resp.StatusCode/100 != 2 {
		return c.statusError(op, resp, raw)
	}
	if op.read == nil {
		return nil
	}
	if !isJSON(resp) {
		return &Error{Operation: op.name, Status: resp.StatusCode, class: Permanent, cause: ErrNotGraph,
			hint: "the address must be that of Microsoft Graph; a proxy or a login page may stand before it"}
	}
	limit := op.limit
	if limit == 0 {
		limit = maxAnswer
	}
	body, err := wire.Unpacked(resp, raw, limit)
	if err == nil {
		s := newScanner(body)
		if err = op.read(s); err == nil {
			err = s.finished()
		}
	}
	if err != nil {
		err = c.judge(ctx, op, resp.StatusCode, watch.Reason(err))
	}
	return err
}

// finished sees to it that nothing follows the document.
func (s *scanner) finished() error {
	rest, err := s.epilog(len(wire.Notice))
	if err != nil || len(rest) == 0 {
		return err
	}
	if bytes.HasPrefix([]byte(strings.ReplaceAll(wire.Notice, " ", "")), rest) || string(rest) == wire.Notice {
		return wire.ErrNotice
	}
	return s.syntax("something follows the document")
}

func isJSON(resp *http.Response) bool {
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return kind == "application/json" || strings.HasSuffix(kind, "+json")
}

// judge makes an *Error of what went wrong while an answer was read.
func (c *Client) judge(ctx context.Context, op *operation, status int, err error) error {
	var stop *stopError
	var e *Error
	switch {
	case errors.As(err, &stop):
		return stop.err
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", op.name, ctx.Err())
	case errors.As(err, &e):
		e.Operation, e.Status = op.name, status
		return e
	case errors.Is(err, wire.ErrTooLong):
		return &Error{Operation: op.name, Status: status, class: Shrink, cause: err}
	case errors.Is(err, ErrOtherHost):
		return &Error{Operation: op.name, Status: status, class: Permanent, cause: err}
	}
	return &Error{Operation: op.name, Status: status, class: Transient, cause: fmt.Errorf("%w (%w)", ErrTruncated, wire.PlainError(err, c.scrub))}
}

// networkError is a request without an answer.
func (c *Client) networkError(ctx context.Context, op *operation, to *url.URL, body func() *wire.BodyReader, err error) error {
	if body != nil {
		if _, sourceErr := body().Outcome(); sourceErr != nil && ctx.Err() == nil {
			return fmt.Errorf("%s: read the item: %w", op.name, errors.Unwrap(sourceErr))
		}
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", op.name, ctx.Err())
	}
	var s *auth.Error
	if errors.As(err, &s) {
		return signInError(op, s)
	}
	e := &Error{Operation: op.name, class: Transient, cause: wire.PlainError(err, c.scrub)}
	switch proxy, server := wire.Unmet(err); {
	case proxy:
		e.unmet, e.Text = true, "the proxy does not answer"
	case server:
		e.unmet, e.Text = true, hostPort(to)+" does not answer"
		e.hint = "check the URL, and whether this machine may talk to it"
	}
	if hint := wire.TLSHint(err); hint != "" {
		e.class, e.hint = Permanent, hint
	}
	return e
}

// signInError is a request that was not sent, because whoever signs it in could not. An authority that is down for a while
// is asked again; only one that says no ends the application's work.
func signInError(op *operation, s *auth.Error) *Error {
	e := &Error{Operation: op.name, class: Transient, unsent: true, BackOff: s.RetryAfter, cause: s, hint: s.Hint()}
	switch {
	case errors.Is(s, auth.ErrRefused):
		e.class, e.cause = Auth, fmt.Errorf("%w: %w", ErrCredentials, s)
	case wire.TLSHint(s) != "": // no certificate becomes a good one by asking again
		e.class = Permanent
	}
	return e
}
