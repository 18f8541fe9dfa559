package main

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"mailbrick/fetch/auth"
	"mailbrick/fetch/ews"
	"mailbrick/fetch/wire"
)

// endpoint is one address of EWS in a run: its connections, signed in, and what all clients there know of the account.
type endpoint struct {
	url     string
	via     http.RoundTripper
	account *ews.Account
}

// endpoints are those of a run. Those that have to be looked for are looked for once for each domain.
type endpoints struct {
	sign *signIn
	talk *common // may be nil

	mu     sync.Mutex // guards what follows
	byURL  map[string]*endpoint
	search map[string]*lookup // by domain, and by address for mailboxes that are not where their domain is
}

// lookup is what Autodiscover said for a domain.
type lookup struct {
	mu   sync.Mutex // guards what follows; held while it is asked
	done bool
	said time.Time // a no is asked for again after a while
	url  string
	err  error
}

// of gives the endpoint for a mailbox: that at the URL, or the one that Autodiscover finds.
func (e *endpoints) of(ctx context.Context, url, mailbox string) (*endpoint, error) {
	if url == autodiscover {
		var err error
		if url, err = e.find(ctx, mailbox); err != nil {
			return nil, err
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if known := e.byURL[url]; known != nil {
		return known, nil
	}
	if ews.IsOnline(url) {
		if e.sign.app == nil {
			return nil, usagef("%s is Exchange Online, which takes no passwords: use --graph, or --auth oauth", url)
		}
		if e.talk != nil {
			e.talk.warn("Exchange Online ends EWS for good on 2027-04-01: use --graph")
		}
	}
	via, err := e.sign.around(url, auth.ScopeEWS, wire.Network())
	if err != nil {
		return nil, err
	}
	if e.byURL == nil {
		e.byURL = map[string]*endpoint{}
	}
	e.byURL[url] = &endpoint{url: url, via: via, account: ews.NewAccount()}
	return e.byURL[url], nil
}

// asksAgain is after how long Autodiscover is asked again that found nothing.
const asksAgain = 5 * time.Minute

// lookup gives what is known of where a mailbox is, and its domain or, where it is not with that, itself.
func (e *endpoints) lookup(mailbox string) (*lookup, string) {
	mailbox = strings.ToLower(mailbox)
	domain := mailbox[strings.LastIndexByte(mailbox, '@')+1:]
	e.mu.Lock()
	defer e.mu.Unlock()
	if l := e.search[mailbox]; l != nil {
		return l, mailbox
	}
	if e.search[domain] == nil {
		e.keep(domain, new(lookup))
	}
	return e.search[domain], domain
}

// keep keeps a look-up. Under mu.
func (e *endpoints) keep(name string, l *lookup) {
	if e.search == nil {
		e.search = map[string]*lookup{}
	}
	e.search[name] = l
}

// left notes that a mailbox is not where it was found, and says whether it can be looked for anew: a look-up that is young is not
// made again.
func (e *endpoints) left(mailbox string) bool {
	l, name := e.lookup(mailbox)
	l.mu.Lock()
	defer l.mu.Unlock()
	mailbox = strings.ToLower(mailbox)
	if !l.done || name == mailbox && time.Since(l.said) < asksAgain {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.keep(mailbox, new(lookup))
	return true
}

// find asks Autodiscover, unless the mailbox or its domain was asked for before.
func (e *endpoints) find(ctx context.Context, mailbox string) (string, error) {
	l, name := e.lookup(mailbox)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done && (l.err == nil || time.Since(l.said) < asksAgain) {
		return l.url, l.err
	}
	url, err := e.discovery().Find(ctx, mailbox)
	if errors.Is(err, context.Canceled) {
		return "", err
	}
	var no *ews.Error
	if errors.As(err, &no) && no.Code == "UserNotFound" {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.keep(strings.ToLower(mailbox), &lookup{done: true, err: err, said: time.Now()}) // which says nothing of its domain
		return "", err
	}
	l.done, l.url, l.err, l.said = true, url, err, time.Now()
	if err == nil && e.talk != nil {
		e.talk.say("%s: the server is at %s", name, url)
	}
	return url, err
}

// discovery sends a password to the servers of the mailbox's domain; a token of Exchange Online is for nobody else.
func (e *endpoints) discovery() ews.Discovery {
	if e.sign.app != nil {
		return ews.Discovery{Online: true}
	}
	return ews.Discovery{Hide: e.sign.hide, SignIn: func(url string) (http.RoundTripper, error) {
		return e.sign.around(url, "", wire.Network())
	}}
}

func (e *endpoints) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, known := range e.byURL {
		if c, ok := known.via.(interface{ CloseIdleConnections() }); ok {
			c.CloseIdleConnections()
		}
	}
}

// kept hides from the client of one mailbox that connections can be closed: others use them.
type kept struct{ http.RoundTripper }
