package ews

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync/atomic"

	"mailbrick/fetch/auth"
	"mailbrick/fetch/wire"
)

// exchange sends a request once and reads its answer. What it returns is an *Error, the caller's own error or that of ctx.
func (c *Client) exchange(ctx context.Context, op *operation, v schema) error {
	p, err := c.envelope(op, v)
	if err != nil {
		return err
	}
	watch, reqCtx := wire.NewWatchdog(ctx, c.opts.Stall)
	defer watch.Stop()
	conn := new(usedConn)
	req, body, err := c.request(conn.trace(reqCtx), p, watch)
	if err != nil {
		return c.judge(ctx, op, 0, err)
	}
	c.requests.Add(1)
	op.began = c.opts.Clock()
	watch.Arm()
	if op.affinity != nil {
		op.affinity.put(req.Header)
	}
	if op.hangs > 0 {
		watch.MayRest(op.hangs)
		req.Header.Set("Accept-Encoding", "identity") // what is compressed may be held back
	}
	resp, err := c.via.RoundTrip(req)
	watch.Answered()
	if err != nil {
		err = c.networkError(ctx, op, body, watch.Reason(err))
	} else {
		if op.affinity != nil {
			op.affinity.keep(resp)
		}
		err = c.answer(ctx, op, resp, watch, conn)
		_ = resp.Body.Close() // nothing is lost: the answer was read, or is not wanted
	}
	<-body().Closed() // the sources belong to the caller again
	sent, _ := body().Outcome()
	op.unsure = sent && err != nil && !refused(err)
	return err
}

// request makes the HTTP request. body gives the reader that the transport used last.
func (c *Client) request(ctx context.Context, p *wire.Body, watch *wire.Watchdog) (*http.Request, func() *wire.BodyReader, error) {
	var last atomic.Pointer[wire.BodyReader]
	open := func() (io.ReadCloser, error) {
		r := p.Open()
		last.Store(r)
		return watch.RequestBody(r), nil
	}
	first, _ := open()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, first)
	if err != nil {
		return nil, nil, err
	}
	req.GetBody = open // used by the transport only where nothing was written
	req.ContentLength = p.Length()
	c.setHeaders(req.Header)
	return req, last.Load, nil
}

func (c *Client) setHeaders(h http.Header) {
	h.Set("User-Agent", c.opts.UserAgent)
	h.Set("Content-Type", "text/xml; charset=utf-8")
	h.Set("Accept", "text/xml")
	wire.AskGzip(h)
	h.Set("client-request-id", c.dice.GUID())
	h.Set("return-client-request-id", "true")
	if c.anchor != "" {
		h.Set("X-AnchorMailbox", c.anchor)
	}
	if c.opts.PublicFolderMailbox != "" {
		h.Set("X-PublicFolderMailbox", c.opts.PublicFolderMailbox)
	}
}

// answer judges status and content and lets the operation read the document.
func (c *Client) answer(ctx context.Context, op *operation, resp *http.Response, watch *wire.Watchdog, conn *usedConn) error {
	raw := watch.AnswerBody(resp.Body, &c.bytesIn)
	if !mayHoldEnvelope(resp) {
		return c.statusError(op, resp, raw)
	}
	judge := func(err error) error {
		err = c.judge(ctx, op, resp.StatusCode, watch.Reason(err))
		return withRetryAfter(err, resp, c.opts.Clock())
	}
	body, err := wire.Unpacked(resp, raw, op.limit())
	if err == nil {
		a := &answer{client: c, op: op, judge: judge}
		if op.hangs > 0 {
			a.parts = &envelopes{r: body}
			body = a.parts
		}
		a.scanner = newScanner(body)
		err = a.open()
		if passed(err) {
			c.opts.Account.letIn()
		}
		if err == nil {
			err = op.read(a)
		}
		if err == nil {
			err = a.close()
		}
	}
	if err == nil {
		return nil
	}
	if resp.ProtoMajor == 1 {
		// Some servers answer a faulted request twice: the second answer must not become that of the next request.
		conn.close()
	}
	var e *Error
	if errors.Is(err, errNoEnvelope) || resp.StatusCode != http.StatusOK && ctx.Err() == nil && !errors.As(err, &e) {
		return c.statusError(op, resp, raw) // the status tells more than a document that cannot be read
	}
	return judge(err)
}

// passed says whether what came of opening a document shows that the credentials were taken. A fault with a code does.
func passed(err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return err == nil
	}
	class, _ := e.rule()
	return e.Code != "" && class != Auth
}

// mayHoldEnvelope says whether to look for a SOAP document: faults come with 500, sometimes with others.
func mayHoldEnvelope(resp *http.Response) bool {
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	switch {
	case resp.StatusCode == http.StatusOK && kind == "":
		return true
	case resp.StatusCode == http.StatusOK:
		return strings.Contains(kind, "xml")
	}
	return strings.Contains(kind, "xml") && (resp.StatusCode >= 500 || resp.StatusCode == http.StatusBadRequest)
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
		e.Operation, e.Status, e.split = op.name, status, op.splits
		return e
	case errors.Is(err, wire.ErrTooLong):
		return &Error{Operation: op.name, Status: status, class: Shrink, cause: err, split: op.splits}
	}
	var syntax *syntaxError
	wrong := errors.As(err, &syntax) && !syntax.Cut // not for its length: less at a time would be as wrong
	return &Error{Operation: op.name, Status: status, class: Transient, split: op.splits && !wrong,
		cause: fmt.Errorf("%w (%w)", ErrTruncated, wire.PlainError(err, c.scrub))}
}

// networkError is a request without an answer.
func (c *Client) networkError(ctx context.Context, op *operation, body func() *wire.BodyReader, err error) error {
	_, sourceErr := body().Outcome()
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", op.name, ctx.Err())
	case sourceErr != nil:
		return fmt.Errorf("%s: %w", op.name, sourceErr)
	}
	var s *auth.Error
	if errors.As(err, &s) {
		return signInError(op, s)
	}
	e := &Error{Operation: op.name, class: Transient, split: op.splits, cause: wire.PlainError(err, c.scrub)}
	if who := c.unmet(err); who != "" {
		e.unmet, e.split = true, false // nobody there is no reason to ask for less
		e.Text, e.hint = who+" does not answer", unmetHint
	}
	if hint := wire.TLSHint(err); hint != "" {
		e.class, e.hint = Permanent, hint
	}
	return e
}
