package ews

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"mailbrick/fetch/wire"
)

// statusError is an answer without a document of ours.
func (c *Client) statusError(op *operation, resp *http.Response, body io.Reader) error {
	e := &Error{Operation: op.name, Status: resp.StatusCode, split: op.splits}
	switch s := resp.StatusCode; {
	case s == http.StatusOK:
		e.class, e.cause = Permanent, ErrNotExchange
		e.hint = "the address must be that of EWS, https://host/EWS/Exchange.asmx; a proxy or a login page may stand before it"
	case s == http.StatusUnauthorized:
		e.cause, e.hint = ErrCredentials, credentialsHint
	case s == statusLocked:
		e.cause, e.hint = ErrCredentials, "the account is locked or must change its password"
	case s == http.StatusForbidden && IsOnline(c.url):
		e.hint = "Exchange Online has switched EWS off for this application, mailbox or tenant, and ends it for all on 2027-04-01: use --graph"
	case s == http.StatusForbidden:
		e.hint = "EWS is switched off for this mailbox, application or tenant, or the licence does not include it"
	case s == http.StatusNotFound && op.uploads != nil && c.opts.Account.wasLetIn():
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

const credentialsHint = "check user and password; Exchange Online takes no passwords, only tokens"

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
	if d := wire.RetryAfter(resp.Header, now, maxBackOff); d > 0 && errors.As(err, &e) {
		e.BackOff = max(e.BackOff, d)
	}
	return err
}
