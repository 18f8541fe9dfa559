package graph

import (
	"io"
	"net/http"
	"strings"

	"mailbrick/fetch/wire"
)

// statusError is an answer that is not what was asked for.
func (c *Client) statusError(op *operation, resp *http.Response, body io.Reader) error {
	e := &Error{Operation: op.name, Status: resp.StatusCode, BackOff: wire.RetryAfter(resp.Header, c.opts.Clock(), maxBackOff)}
	known := false
	if body, err := wire.Unpacked(resp, body, maxErrorBody); err == nil && isJSON(resp) {
		known = c.readError(newScanner(body), e)
	}
	switch s := resp.StatusCode; {
	case s >= 300 && s < 400:
		c.redirected(e, resp)
	case s == http.StatusUnauthorized:
		e.cause = ErrCredentials
	case !known && (s == http.StatusNotFound || s == http.StatusMethodNotAllowed || s == http.StatusForbidden):
		e.class, e.cause = Permanent, ErrNotGraph
	case s == http.StatusGone:
		e.class = Resync
	case s == http.StatusTooManyRequests:
		e.class = BackOff
	case s == http.StatusRequestEntityTooLarge:
		e.class = Shrink
	}
	return e
}

// redirected names where a redirect leads, and nothing else of it. None is followed but those within an archive mailbox.
func (c *Client) redirected(e *Error, resp *http.Response) {
	to, err := resp.Location()
	if err != nil {
		e.class, e.Text = Permanent, "a redirect to nowhere"
		return
	}
	if e.Status == http.StatusPermanentRedirect && c.opts.Archive && c.own(to.String()) == nil {
		e.class, e.target = Moved, to.String()
		return
	}
	e.class, e.Text = Permanent, c.scrub("redirected to "+to.Hostname())
	e.hint = "redirects are not followed, they would carry the token along: give the final address"
}

// readError reads {"error":{...}} or {"Message":"..."}, and says whether it was one of these.
func (c *Client) readError(s *scanner, e *Error) (known bool) {
	err := s.object(func(name string) (err error) {
		switch strings.ToLower(name) {
		case "error":
			known = true
			return c.errorObject(s, e, 0)
		case "message":
			known = true
			e.Text, err = c.message(s, e)
			return err
		}
		return s.skip()
	})
	return known && err == nil
}

// errorObject reads code and message, and the codes of inner errors: the most specific that the table knows counts.
func (c *Client) errorObject(s *scanner, e *Error, depth int) error {
	return s.object(func(name string) error {
		switch strings.ToLower(name) {
		case "code":
			code, err := s.text()
			if _, known := classOfCode(code); known || depth == 0 && e.Code == "" {
				e.Code = wire.Code(code)
			}
			return err
		case "message":
			if depth > 0 {
				return s.skip()
			}
			var err error
			e.Text, err = c.message(s, e)
			return err
		case "innererror":
			return c.errorObject(s, e, depth+1)
		}
		return s.skip()
	})
}

// message reads a text for people. Those about archive mailboxes hold a link or a mailbox that decides.
func (c *Client) message(s *scanner, e *Error) (string, error) {
	text, err := s.text()
	if c.opts.Archive {
		e.target = strings.TrimSpace(text)
	}
	return c.scrub(text), err
}
