package ews

import (
	"context"
	"crypto/rand"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"mailbrick/fetch/auth"
	"mailbrick/fetch/throttle"
	"mailbrick/fetch/wire"
)

// Options say where and who; only URL is needed, everything else has a default.
type Options struct {
	URL         string       // https://host/EWS/Exchange.asmx; the path may be left out
	User        string       // who asks, if it is a user
	Password    string       // Basic authentication; empty if HTTP signs in
	HTTP        *http.Client // its Transport carries the requests: authentication, a proxy, roots; nothing else of it counts
	Impersonate string       // primary SMTP address of the mailbox to work on; also X-AnchorMailbox
	Mailbox     string       // SMTP address of the mailbox to work on without impersonation: the account's own or one it has rights to; the account's own if empty; not used beside Impersonate
	UserAgent   string       // "Mailbrick"

	// PublicFolderMailbox is where requests for public folders are to be answered: the address that Autodiscover names for
	// their hierarchy. Without it the server routes them by the mailbox. See also Routed.
	PublicFolderMailbox string

	Account *Account // shared by the clients of one account in one run; one for this client alone if nil

	MaxAttempts int           // sendings of one request that meets passing errors: 5
	Patience    time.Duration // how long one call waits in all, back-offs included: 1 h
	Stall       time.Duration // a connection that moves nothing for so long is given up: 5 min

	// Hide takes secrets out of a server's words: one that is hostile may say back what it was sent. nil if there are none.
	Hide func(text string) string

	// OnWait is told of every wait before something is tried again: how long, and why. It is called on the caller's goroutine.
	OnWait func(d time.Duration, cause error)

	Clock func() time.Time
	Sleep func(ctx context.Context, d time.Duration) error
	Rand  io.Reader // request ids and jitter
}

func (o Options) withDefaults() Options {
	if o.UserAgent == "" {
		o.UserAgent = "Mailbrick"
	}
	if o.MaxAttempts <= 0 {
		o.MaxAttempts = 5
	}
	if o.Patience <= 0 {
		o.Patience = time.Hour
	}
	if o.Stall <= 0 {
		o.Stall = 5 * time.Minute
	}
	if o.Account == nil {
		o.Account = NewAccount()
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = throttle.Sleep
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	return o
}

// Client talks to one endpoint as one account about one mailbox. It may be used by many goroutines; a back-off that one
// of them meets holds for all, and for other clients of the account where it is the account's.
type Client struct {
	opts   Options
	url    string
	host   string // with port
	via    http.RoundTripper
	anchor string
	budget budget

	routes routes

	schema atomic.Int32 // the rung of versions that the server takes

	requests, bytesIn, bytesOut atomic.Int64

	dice *wire.Dice // of opts.Rand
}

// New checks the options; it sends nothing.
func New(o Options) (*Client, error) {
	o = o.withDefaults()
	u, err := endpoint(o)
	if err != nil {
		return nil, err
	}
	for _, v := range []string{o.User, o.Impersonate, o.Mailbox, o.UserAgent, o.PublicFolderMailbox} {
		if strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r == 0x7F }) {
			return nil, refusal("a user, address or user agent with control characters", nil, "")
		}
	}
	via := transport(o.HTTP)
	if o.Password != "" {
		if via, err = auth.Basic(u.String(), o.User, o.Password, via); err != nil {
			return nil, refusal("", err, "use https; plain http is for this machine only")
		}
	}
	c := &Client{opts: o, url: u.String(), host: hostPort(u), via: via, anchor: anchor(o), dice: wire.NewDice(o.Rand)}
	c.budget = o.Account.budget(o)
	return c, nil
}

// anchor is the mailbox whose server the front end is to pass requests to.
func anchor(o Options) string {
	switch {
	case o.PublicFolderMailbox != "":
		return o.PublicFolderMailbox
	case o.Impersonate != "":
		return o.Impersonate
	case o.Mailbox != "":
		return o.Mailbox
	case strings.Contains(o.User, "@"):
		return o.User
	}
	return ""
}

// endpoint checks the URL and gives it in full.
func endpoint(o Options) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(o.URL))
	switch {
	case err != nil: // its text holds the URL, which may hold a password
		return nil, refusal("the URL cannot be read", nil, "give it as https://host/EWS/Exchange.asmx")
	case u.User != nil:
		return nil, refusal("the URL holds a user or a password", nil, "give user and password apart from the URL")
	case u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return nil, refusal("the URL is not one of http or https", nil, "give it as https://host/EWS/Exchange.asmx")
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/EWS/Exchange.asmx"
	}
	u.Fragment = ""
	return u, nil
}

// hostPort is what requests are sent to, and nothing else of the URL.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

func refusal(text string, cause error, hint string) error {
	return &Error{Operation: "ews", Text: text, class: Bug, cause: cause, hint: hint}
}

// transport gives what carries requests. The client of net/http is left out: it follows redirects, and before it asks
// whether to, it opens the body of the request anew.
func transport(given *http.Client) http.RoundTripper {
	if given != nil && given.Transport != nil {
		return given.Transport
	}
	return wire.Network()
}

// Rest is how long back-offs will let nothing begin from now on.
func (c *Client) Rest() time.Duration { return c.budget.calls.Rest() }

// Stats is what the client has done so far.
type Stats struct {
	Requests          int
	Throttled         time.Duration // time during which back-offs allowed no request
	Waited            time.Duration // by all calls, for back-offs and for others to make room
	Concurrency       int           // requests at once that the server has been found to take
	BytesIn, BytesOut int64         // of bodies, as they went over the wire
}

func (c *Client) Stats() Stats {
	calls, syncs := c.budget.calls.Stats(), c.budget.syncs.Stats()
	return c.routedStats(Stats{
		Requests: int(c.requests.Load()), Throttled: calls.Paused, Waited: calls.Waited + syncs.Waited,
		Concurrency: min(calls.Concurrency, c.budget.account.Stats().Concurrency),
		BytesIn:     c.bytesIn.Load(), BytesOut: c.bytesOut.Load(),
	})
}

// Close lets go of connections that are not in use.
func (c *Client) Close() {
	wire.CloseIdle(c.via)
}
