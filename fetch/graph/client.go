package graph

import (
	"context"
	"crypto/rand"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"mailbrick/fetch/throttle"
	"mailbrick/fetch/wire"
)

// DefaultURL is where Graph is for everybody outside of the national clouds.
const DefaultURL = "https://graph.microsoft.com/v1.0"

// Options say where and who; only Mailbox and HTTP are needed, everything else has a default.
type Options struct {
	URL       string       // DefaultURL if empty
	HTTP      *http.Client // its Transport carries the requests and signs them in; nothing else of it counts
	Import    *http.Client // its Transport carries imports, which must not be signed in
	Mailbox   string       // address or id of the user whose mailbox it is
	Archive   bool         // the user's archive mailbox: with the preview (beta) of the API alone
	UserAgent string       // "Mailbrick"

	App *throttle.Governor // of the application, shared by its clients; one for this client alone if nil

	MaxAttempts int           // sendings of one request that meets passing errors: 5
	Patience    time.Duration // how long one call waits in all, back-offs included: 1 h
	Stall       time.Duration // a connection that moves nothing for so long is given up: 5 min

	// OnWait is told of every wait before something is tried again: how long, and why. It is called on the caller's goroutine.
	OnWait func(d time.Duration, cause error)

	Clock func() time.Time
	Sleep func(ctx context.Context, d time.Duration) error
	Rand  io.Reader // request ids and jitter
}

func (o Options) withDefaults() Options {
	if o.URL == "" {
		o.URL = DefaultURL
	}
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
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = throttle.Sleep
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if o.App == nil {
		o.App = throttle.New(throttle.Options{Clock: o.Clock, Sleep: o.Sleep, Rand: o.Rand})
	}
	return o
}

// What Graph allows an application in one mailbox, with something to spare (10,000 requests, 4 at once, 150 MB).
const (
	AtOnce       = 3 // requests: more calls of a client wait
	requestsMost = 9600
	requestsIn   = 10 * time.Minute
	uploadMost   = 140 << 20
	uploadIn     = 5 * time.Minute
)

// Client talks to Graph about one mailbox. It may be used by many goroutines.
type Client struct {
	opts     Options
	base     *url.URL // with the version
	via      http.RoundTripper
	bare     http.RoundTripper // for imports
	governor *throttle.Governor

	requests, bytesIn, bytesOut atomic.Int64

	flat atomic.Bool // folders are listed level by level: the server knows no other way

	dice *wire.Dice // of opts.Rand

	renewing chan struct{} // holds one: who asks for a session for imports

	mu       sync.Mutex // guards what follows
	mailbox  string     // its id
	batch    int        // items in one export
	easy     int        // exports that went well since the batch was made smaller
	sessions map[string]session
}

// New checks the options; it sends nothing.
func New(o Options) (*Client, error) {
	o = o.withDefaults()
	base, err := endpoint(o)
	if err != nil {
		return nil, err
	}
	for _, v := range []string{o.Mailbox, o.UserAgent} {
		if strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r == 0x7F }) {
			return nil, refusal("an address or user agent with control characters", nil, "")
		}
	}
	if o.Mailbox == "" {
		return nil, refusal("no mailbox", nil, "")
	}
	c := &Client{opts: o, base: base, via: transport(o.HTTP), bare: transport(o.Import), batch: exportMost, dice: wire.NewDice(o.Rand), renewing: make(chan struct{}, 1), sessions: map[string]session{}}
	c.governor = throttle.New(throttle.Options{Parent: o.App, Start: AtOnce, Most: AtOnce, Requests: requestsMost, Window: requestsIn,
		UploadBytes: uploadMost, UploadWindow: uploadIn, Patience: o.Patience})
	return c, nil
}

// endpoint checks the URL and gives it in full, with the version of the API.
func endpoint(o Options) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(o.URL))
	const hint = "give it as " + DefaultURL
	switch {
	case err != nil: // its text holds the URL, which may hold a password
		return nil, refusal("the URL cannot be read", nil, hint)
	case u.User != nil || u.RawQuery != "":
		return nil, refusal("the URL holds more than host and version", nil, hint)
	case u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return nil, refusal("the URL is not one of http or https", nil, hint)
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return nil, refusal("", ErrInsecure, "use https; plain http is for this machine only")
	case nationalCloud(u.Hostname()):
		return nil, refusal("", ErrNationalCloud, "Exchange Online of the US Government and of China can be read by EWS alone: use --ews while it is there")
	}
	u.Path = strings.TrimSuffix(u.Path, "/")
	if u.Path == "" {
		u.Path = "/v1.0"
	}
	if o.Archive {
		u.Path = u.Path[:strings.LastIndexByte(u.Path, '/')] + "/beta"
	}
	u.RawPath, u.Fragment = "", ""
	return u, nil
}

// nationalCloud says whether a host is the Graph of a cloud apart: US Government L4 and L5, China, and Germany's, which is closed.
func nationalCloud(host string) bool {
	switch host = strings.ToLower(host); host {
	case "graph.microsoft.us", "dod-graph.microsoft.us", "microsoftgraph.chinacloudapi.cn", "graph.microsoft.de":
		return true
	}
	return strings.HasSuffix(host, ".microsoft.us") || strings.HasSuffix(host, ".chinacloudapi.cn")
}

func refusal(text string, cause error, hint string) error {
	return &Error{Operation: "graph", Text: text, class: Bug, cause: cause, hint: hint}
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// hostPort is what requests are sent to, and nothing else of the URL.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

// transport gives what carries requests. The client of net/http is left out: it follows redirects.
func transport(given *http.Client) http.RoundTripper {
	if given != nil && given.Transport != nil {
		return given.Transport
	}
	return wire.Network()
}

// Rest is how long back-offs will let nothing begin from now on.
func (c *Client) Rest() time.Duration { return c.governor.Rest() }

// Stats is what the client has done so far.
type Stats struct {
	Requests          int
	Throttled         time.Duration // time during which back-offs allowed no request
	Waited            time.Duration // by all calls together, for their turn
	Concurrency       int           // requests at once that the server bears, as far as is known
	BytesIn, BytesOut int64         // of bodies
}

func (c *Client) Stats() Stats {
	g := c.governor.Stats()
	return Stats{Requests: int(c.requests.Load()), Throttled: g.Paused, Waited: g.Waited, Concurrency: g.Concurrency,
		BytesIn: c.bytesIn.Load(), BytesOut: c.bytesOut.Load()}
}

// Close lets go of connections that are not in use.
func (c *Client) Close() {
	for _, via := range []http.RoundTripper{c.via, c.bare} {
		if t, ok := via.(interface{ CloseIdleConnections() }); ok {
			t.CloseIdleConnections()
		}
	}
}
