package ews

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"mailbrick/fetch/wire"
)

// OnlineURL is where Exchange Online has EWS for everybody.
const OnlineURL = "https://outlook.office365.com/EWS/Exchange.asmx"

// ErrStrayRedirect: Autodiscover leads to a host that the user has not named. Only he can say whether it is the right one.
var ErrStrayRedirect = errors.New("the host is not one of the mailbox's own domain")

// Discovery says how to look for the address of EWS; the zero Discovery asks what can be asked without credentials.
type Discovery struct {
	HTTP http.RoundTripper // carries what is not signed in; wire.Network if nil
	// SignIn gives what carries requests to a URL signed in. It is asked for a host of the mailbox's domain only, and only
	// when that host has asked for credentials.
	SignIn    func(targetURL string) (http.RoundTripper, error)
	Online    bool                     // ask Exchange Online first
	Hide      func(text string) string // as in Options
	LookupSRV func(ctx context.Context, domain string) ([]*net.SRV, error)
}

const (
	maxHops     = 10      // redirects of all kinds, in one look-up
	maxFound    = 1 << 20 // bytes of an answer
	fewServices = 3       // SRV records that are tried
)

// Find looks for the EWS URL of a mailbox by Autodiscover.
func (o Discovery) Find(ctx context.Context, address string) (string, error) {
	d := &search{o: o, seen: map[string]bool{}}
	if d.o.HTTP == nil {
		t := wire.Network()
		defer t.CloseIdleConnections()
		d.o.HTTP = t
	}
	if d.o.LookupSRV == nil {
		d.o.LookupSRV = func(ctx context.Context, domain string) ([]*net.SRV, error) {
			_, list, err := net.DefaultResolver.LookupSRV(ctx, "autodiscover", "tcp", domain)
			return list, err
		}
	}
	if err := d.begin(address); err != nil {
		return "", err
	}
	d.root = d.domain
	return d.all(ctx)
}

// search is one look-up.
type search struct {
	o               Discovery
	address, domain string
	root            string          // the domain that the user named
	seen            map[string]bool // what was asked already
	hops            int
	over            bool  // another address was asked for, and that ended it
	best            error // what tells most of what was in the way
	weight          int
}

// begin sets the address to look for.
func (d *search) begin(address string) error {
	domain, ok := domainOf(address)
	if !ok {
		return d.failed("this is no address whose domain can be asked", nil)
	}
	d.address, d.domain = address, domain
	return nil
}

func domainOf(address string) (domain string, ok bool) {
	at := strings.LastIndexByte(address, '@')
	domain = strings.ToLower(address[at+1:])
	bad := at <= 0 || strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r == 0x7F }) ||
		strings.Trim(domain, "abcdefghijklmnopqrstuvwxyz0123456789-.") != ""
	for label := range strings.SplitSeq(domain, ".") {
		bad = bad || label == ""
	}
	return domain, !bad
}

// all asks in the order that clients keep: who needs no credentials first. [MS-OXDISCO] 3.1.5
func (d *search) all(ctx context.Context) (string, error) {
	hosts := []string{"autodiscover." + d.domain, d.domain}
	if d.o.Online {
		hosts = append([]string{"outlook.office365.com"}, hosts...)
	}
	var ways []func() (string, error)
	for _, host := range hosts {
		ways = append(ways, func() (string, error) { return d.json(ctx, host) })
	}
	for _, host := range []string{d.domain, "autodiscover." + d.domain} {
		ways = append(ways, func() (string, error) { return d.pox(ctx, poxURL(host)) })
	}
	ways = append(ways, func() (string, error) { return d.unsafeRedirect(ctx) }, func() (string, error) { return d.services(ctx) })
	for _, way := range ways {
		found, err := way()
		switch {
		case err == nil && found != "":
			return found, nil
		case ctx.Err() != nil:
			return "", fmt.Errorf("autodiscover: %w", ctx.Err())
		case err != nil && (d.over || errors.Is(err, ErrCredentials)):
			return "", err // asking on would send the credentials to one after the other
		}
		d.note(err)
	}
	if d.best == nil {
		return "", d.failed("nobody in "+d.domain+" answers", nil)
	}
	return "", d.best
}

// note keeps the error that tells most.
func (d *search) note(err error) {
	var e *Error
	if !errors.As(err, &e) {
		return
	}
	weight := 2
	switch {
	case errors.Is(err, ErrStrayRedirect):
		weight = 3
	case e.class == Transient || e.Status != 0 && e.Code == "": // nobody there, or nobody who knows
		weight = 1
	}
	if weight > d.weight {
		d.best, d.weight = err, weight
	}
}

const findHint = "give the URL with --ews: https://host/EWS/Exchange.asmx"

func (d *search) failed(text string, cause error) *Error {
	text = d.hide(text)
	return &Error{Operation: "autodiscover", Text: text, cause: cause, class: Permanent, hint: findHint}
}

// hide takes secrets out of what a server says: it may call a host by them.
func (d *search) hide(text string) string {
	if d.o.Hide == nil {
		return text
	}
	return d.o.Hide(text)
}

var errLoop = errors.New("redirects go round, or on and on")

// asked notes that something is asked, and says whether it was before.
func (d *search) asked(kind, where string) bool {
	key := kind + " " + where + " " + strings.ToLower(d.address)
	before := d.seen[key]
	d.seen[key] = true
	return before
}

// online are the hosts that lead to Exchange Online.
func online(host string) bool {
	switch strings.ToLower(host) {
	case "outlook.office365.com", "outlook.office.com", "autodiscover-s.outlook.com", "autodiscover.outlook.com":
		return true
	}
	return false
}

// IsOnline says whether a URL is one of Exchange Online.
func IsOnline(rawURL string) bool {
	u, err := url.Parse(rawURL)
	return err == nil && online(u.Hostname())
}

// own says whether a host is of the domain that the user named.
func (d *search) own(host string) bool {
	host = strings.ToLower(host)
	return host == d.root || strings.HasSuffix(host, "."+d.root)
}

// follow checks where a redirect leads. What leads to Exchange Online has found it: nothing more is asked there.
func (d *search) follow(from *url.URL, location string) (next string, found bool, err error) {
	if d.hops++; d.hops > maxHops {
		return "", false, d.failed("", errLoop)
	}
	u, err := url.Parse(strings.TrimSpace(location))
	if err != nil || location == "" {
		return "", false, d.failed("a redirect to nowhere", nil)
	}
	u = from.ResolveReference(u)
	switch {
	case u.Scheme != "https" || u.Host == "" || u.User != nil:
		return "", false, d.failed("a redirect that is not to https", nil)
	case online(u.Hostname()):
		return OnlineURL, true, nil
	case !d.own(u.Hostname()):
		return "", false, d.stray(u)
	}
	u.Fragment = ""
	return u.String(), false, nil
}

func (d *search) stray(u *url.URL) error {
	e := d.failed("leads to "+u.Host+", which is not of "+d.root, ErrStrayRedirect)
	e.hint = "if that is your server, say so: --ews https://" + d.hide(u.Host) + "/EWS/Exchange.asmx"
	return e
}

// settle checks an address of EWS that a server has named.
func (d *search) settle(ewsURL string) (string, error) {
	u, err := url.Parse(strings.TrimSpace(ewsURL))
	switch {
	case err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil:
		return "", d.failed("an address of EWS that is not https", nil)
	case online(u.Hostname()):
		return OnlineURL, nil
	case !d.own(u.Hostname()):
		return "", d.stray(u)
	}
	return u.String(), nil
}
