package ews

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/gzip"
)

// exchange sends a request once and reads its answer. What it returns is an *Error, the caller's own error or that of ctx.
func (c *Client) exchange(ctx context.Context, op *operation, v schema) error {
	p, err := c.envelope(op, v)
	if err != nil {
		return err
	}
	watch, reqCtx := newWatchdog(ctx, c.opts.Stall)
	defer watch.stop()
	conn := new(usedConn)
	req, body, err := c.request(conn.trace(reqCtx), p, watch)
	if err != nil {
		return c.judge(ctx, op, 0, err)
	}
	c.requests.Add(1)
	watch.arm()
	resp, err := c.via.RoundTrip(req)
	watch.answered.Store(true)
	watch.disarm()
	if err != nil {
		err = c.networkError(ctx, op, body, cause(reqCtx, err))
	} else {
		err = c.answer(ctx, op, resp, watch, conn)
		_ = resp.Body.Close() // nothing is lost: the answer was read, or is not wanted
	}
	<-body().closed // the sources belong to the caller again
	sent, _ := body().outcome()
	op.unsure = sent && err != nil && !refused(err)
	return err
}

// request makes the HTTP request. body gives the reader that the transport used last.
func (c *Client) request(ctx context.Context, p *payload, watch *watchdog) (*http.Request, func() *payloadReader, error) {
	var last atomic.Pointer[payloadReader]
	open := func() (io.ReadCloser, error) {
		r := p.open()
		last.Store(r)
		return &watchedBody{r, watch}, nil
	}
	first, _ := open()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, first)
	if err != nil {
		return nil, nil, err
	}
	req.GetBody = open // used by the transport only where nothing was written
	req.ContentLength = p.length()
	c.setHeaders(req.Header)
	if c.opts.User != "" {
		req.SetBasicAuth(c.opts.User, c.opts.Password)
	}
	return req, last.Load, nil
}

func (c *Client) setHeaders(h http.Header) {
	h.Set("User-Agent", c.opts.UserAgent)
	h.Set("Content-Type", "text/xml; charset=utf-8")
	h.Set("Accept", "text/xml")
	h.Set("Accept-Encoding", "gzip")
	h.Set("client-request-id", c.newGUID())
	h.Set("return-client-request-id", "true")
	if c.anchor != "" {
		h.Set("X-AnchorMailbox", c.anchor)
	}
}

// answer judges status and content and lets the operation read the document.
func (c *Client) answer(ctx context.Context, op *operation, resp *http.Response, watch *watchdog, conn *usedConn) error {
	raw := &countedBody{resp.Body, watch, &c.bytesIn}
	if !mayHoldEnvelope(resp) {
		return c.statusError(op, resp, raw)
	}
	judge := func(err error) error {
		err = c.judge(ctx, op, resp.StatusCode, cause(resp.Request.Context(), err))
		return withRetryAfter(err, resp, c.opts.Clock())
	}
	body, err := decompressed(resp, raw, op.limit())
	if err == nil {
		a := &answer{scanner: newScanner(body), client: c, op: op, judge: judge}
		if err = a.open(); err == nil {
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
	case errors.Is(err, errTooLong):
		return &Error{Operation: op.name, Status: status, class: Shrink, cause: err, split: op.splits}
	}
	return &Error{Operation: op.name, Status: status, class: Transient, split: op.splits,
		cause: fmt.Errorf("%w (%w)", ErrTruncated, err)}
}

// networkError is a request without an answer.
func (c *Client) networkError(ctx context.Context, op *operation, body func() *payloadReader, err error) error {
	_, sourceErr := body().outcome()
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", op.name, ctx.Err())
	case sourceErr != nil:
		return fmt.Errorf("%s: %w", op.name, sourceErr)
	}
	e := &Error{Operation: op.name, class: Transient, cause: plainNetworkError(err)}
	var o *net.OpError
	e.split = op.splits && !(errors.As(err, &o) && o.Op == "dial") // nobody there is no reason to ask for less
	if hint := tlsHint(err); hint != "" {
		e.class, e.hint = Permanent, hint
	}
	return e
}

// plainNetworkError leaves out what net and net/http put around an error: URL and addresses.
func plainNetworkError(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	var o *net.OpError
	if errors.As(err, &o) {
		return fmt.Errorf("%s: %w", o.Op, o.Err)
	}
	return err
}

// tlsHint is not empty if the error is one of TLS: those are never tried again, and never got round.
func tlsHint(err error) string {
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var verify *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	switch {
	case errors.Is(err, http.ErrSchemeMismatch) || errors.As(err, &record):
		return "the server does not speak TLS at this address"
	case errors.As(err, &host):
		return "the certificate is for another name: use the name that it is for"
	case errors.As(err, &unknown), errors.As(err, &invalid), errors.As(err, &verify):
		return "add the server's certificate authority to those this machine trusts, or renew the certificate"
	case errors.As(err, &alert):
		return "server and client do not agree on TLS"
	}
	return ""
}

// statusError is an answer without a document of ours.
func (c *Client) statusError(op *operation, resp *http.Response, body io.Reader) error {
	e := &Error{Operation: op.name, Status: resp.StatusCode, split: op.splits}
	switch s := resp.StatusCode; {
	case s == http.StatusOK:
		e.class, e.cause = Permanent, ErrNotExchange
		e.hint = "the address must be that of EWS, https://host/EWS/Exchange.asmx; a proxy or a login page may stand before it"
	case s == http.StatusUnauthorized:
		e.cause, e.hint = ErrCredentials, "check user and password; Exchange Online takes no passwords, only tokens"
	case s == statusLocked:
		e.cause, e.hint = ErrCredentials, "the account is locked or must change its password"
	case s == http.StatusForbidden:
		e.hint = "EWS is switched off for this mailbox, application or tenant, or the licence does not include it"
	case s == http.StatusNotFound && op.uploads != nil && c.accepted.Load():
		e.class = Shrink // IIS says 404 (.13) to a request that is too large
	case s == http.StatusNotFound || s == http.StatusMethodNotAllowed:
		e.cause, e.hint = ErrNotExchange, "the address is wrong; it should end in /EWS/Exchange.asmx"
	case s >= 300 && s < 400:
		c.redirected(e, resp)
	case s == http.StatusInternalServerError:
		serverPage(e, body)
	}
	return withRetryAfter(e, resp, c.opts.Clock())
}

// redirected names where a redirect leads, without what might be secret in it. Exchange sends its own errors that way too.
func (c *Client) redirected(e *Error, resp *http.Response) {
	to, err := resp.Location()
	if err != nil {
		e.Text = "a redirect to nowhere"
		return
	}
	if strings.Contains(strings.ToLower(to.Path), "genericerrorpage") {
		e.class, e.Text = Transient, "redirected to the server's error page"
		return
	}
	e.Text = c.scrub("redirected to " + (&url.URL{Scheme: to.Scheme, Host: to.Host, Path: to.Path}).String())
	e.hint = "redirects are not followed, they would carry the credentials along: give the final address"
}

// serverPage looks into a page of 500 for what old servers say there instead of in a fault.
func serverPage(e *Error, body io.Reader) {
	page, _ := io.ReadAll(io.LimitReader(body, 16<<10))
	if bytes.Contains(bytes.ToLower(page), []byte("specified server version is invalid")) {
		e.class, e.Text = Version, "the specified server version is invalid"
	}
}

// withRetryAfter adds the time a server asks for in its header. RFC 9110, 10.2.3: seconds or a date.
func withRetryAfter(err error, resp *http.Response, now time.Time) error {
	var e *Error
	v := strings.TrimSpace(resp.Header.Get("Retry-After"))
	if v == "" || !errors.As(err, &e) {
		return err
	}
	var d time.Duration
	if n, err := strconv.Atoi(v); err == nil && n >= 0 && n < int(maxBackOff/time.Second) {
		d = time.Duration(n) * time.Second
	} else if at, err := http.ParseTime(v); err == nil {
		d = min(at.Sub(now), maxBackOff)
	}
	e.BackOff = max(e.BackOff, d)
	return err
}

var errTooLong = errors.New("the answer is longer than any answer should be")

// decompressed reads gzip as it comes. The limit guards against an answer that unpacks without end.
func decompressed(resp *http.Response, raw io.Reader, limit int64) (io.Reader, error) {
	var body io.Reader = raw
	switch enc := strings.ToLower(strings.TrimSpace(resp.Header.Get("Content-Encoding"))); enc {
	case "", "identity":
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(bufio.NewReaderSize(raw, 32<<10))
		if err != nil {
			return nil, err
		}
		body = z
	default:
		return nil, fmt.Errorf("content encoding %.20q was not asked for", enc)
	}
	return &limitedReader{body, limit}, nil
}

type limitedReader struct {
	r    io.Reader
	left int64
}

func (l *limitedReader) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errTooLong
	}
	n, err := l.r.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	return n, err
}

// usedConn remembers the connection a request went over, to be able to drop it.
type usedConn struct{ conn atomic.Value }

type connBox struct{ net.Conn }

func (u *usedConn) trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(i httptrace.GotConnInfo) { u.conn.Store(connBox{i.Conn}) },
	})
}

func (u *usedConn) close() {
	if b, ok := u.conn.Load().(connBox); ok && b.Conn != nil {
		_ = b.Conn.Close()
	}
}

var errStalled = errors.New("the connection stood still")

// watchdog cancels a request over whose connection nothing moves. It sleeps while the consumer is at work.
type watchdog struct {
	after  time.Duration
	cancel context.CancelCauseFunc
	timer  *time.Timer

	answered atomic.Bool // the request is over, though the transport may still read its body
}

func newWatchdog(ctx context.Context, after time.Duration) (*watchdog, context.Context) {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &watchdog{after: after, cancel: cancel}
	w.timer = time.AfterFunc(after, func() { cancel(errStalled) })
	return w, ctx
}

func (w *watchdog) arm()    { w.timer.Reset(w.after) }
func (w *watchdog) disarm() { w.timer.Stop() }

func (w *watchdog) stop() {
	w.timer.Stop()
	w.cancel(nil)
}

// cause gives the reason for which the watchdog ended a request in place of what that led to.
func cause(ctx context.Context, err error) error {
	if err != nil && context.Cause(ctx) == errStalled {
		return errStalled
	}
	return err
}

// watchedBody is the body of a request; each read is a sign of life.
type watchedBody struct {
	*payloadReader
	watch *watchdog
}

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.payloadReader.Read(p)
	if !b.watch.answered.Load() {
		b.watch.arm()
	}
	return n, err
}

// countedBody is the body of an answer; the watchdog watches while the network is waited for.
type countedBody struct {
	r     io.Reader
	watch *watchdog
	count *atomic.Int64
}

func (b *countedBody) Read(p []byte) (int, error) {
	b.watch.arm()
	n, err := b.r.Read(p)
	b.watch.disarm()
	b.count.Add(int64(n))
	return n, err
}
