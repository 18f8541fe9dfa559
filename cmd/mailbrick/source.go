package main

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"mailbrick/fetch"
	"mailbrick/fetch/ews"
	"mailbrick/restore"
)

// origin is where mailboxes come from.
type origin interface {
	open(ctx context.Context, mailbox string) (*opened, error)
	close() error
}

// opened is a mailbox that can be read until it is closed.
type opened struct {
	source  fetch.Source
	exports int // that it allows at once; 0: one
	batch   int // items in one export at most; 0: the usual number
	cost    func() cost
	close   func()
	moved   func(err error) bool // whether opening it anew may help after that error; nil: never

	include, exclude []string // folders, beside those of the run
}

// cost is what reading a mailbox cost so far.
type cost struct {
	requests    int
	throttled   time.Duration
	concurrency int // requests at once that the server was found to take
}

// exportsAtOnce of one mailbox: while one batch is stored and the next asked for, the server is at work on others. How many
// requests go at once over all mailboxes the governor says.
const exportsAtOnce = 4

// server is where mailboxes are, and who asks.
type server struct {
	url         string // or autodiscover
	impersonate bool
	scope       fetch.EWSScope
	publicBy    string // the mailbox by which the public folders are seen; "" if they are not asked for
	waits       func(mailbox string, d time.Duration, cause error)
	endpoints

	mu      sync.Mutex             // guards clients
	clients map[string]*ews.Client // by mailbox: what one has learnt of its server's patience is for all runs
}

// autodiscover in place of a URL: the server is to be looked for.
const autodiscover = "autodiscover"

func serverFlags() []cli.Flag {
	return append(signInFlags(), graphFlag(),
		&cli.StringFlag{Name: "ews", Usage: "Exchange Web Services at `URL` (https://host/EWS/Exchange.asmx), or where autodiscover finds it"},
		&cli.BoolFlag{Name: "impersonate", Usage: "open each mailbox by impersonation (the user has the ApplicationImpersonation role); oauth does it always"})
}

func serverOf(c *cli.Context, o *common) (*server, error) {
	if c.String("ews") == "" {
		return nil, usagef("no source: give --graph, --ews URL or --from PATH")
	}
	sign, err := signInOf(c, o)
	if err != nil {
		return nil, err
	}
	return &server{url: c.String("ews"), impersonate: c.Bool("impersonate"), waits: o.waits, endpoints: endpoints{sign: sign, talk: o}}, nil
}

// client is the client for one mailbox.
func (s *server) client(ctx context.Context, mailbox string) (*ews.Client, error) {
	s.mu.Lock()
	c := s.clients[mailbox]
	s.mu.Unlock()
	if c != nil {
		return c, nil
	}
	c, err := s.newClient(ctx, mailbox)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clients == nil {
		s.clients = map[string]*ews.Client{}
	}
	s.clients[mailbox] = c
	return c, nil
}

func (s *server) newClient(ctx context.Context, mailbox string) (*ews.Client, error) {
	e, err := s.of(ctx, s.url, mailbox)
	if err != nil {
		return nil, err
	}
	o := ews.Options{URL: e.url, User: s.sign.user, HTTP: &http.Client{Transport: kept{e.via}}, Account: e.account, Hide: s.sign.hide}
	if s.impersonate || s.sign.app != nil { // an application has no mailbox of its own
		o.Impersonate = mailbox
	} else {
		o.Mailbox = mailbox // the user's own, or one he has full access to: the server decides
	}
	if s.waits != nil {
		o.OnWait = func(d time.Duration, cause error) { s.waits(mailbox, d, cause) }
	}
	return ews.New(o)
}

func (s *server) open(ctx context.Context, mailbox string) (*opened, error) {
	public := s.publicBy != "" && mailbox == s.scope.PublicAs
	if public {
		mailbox = s.publicBy
	}
	client, err := s.client(ctx, mailbox)
	if err != nil {
		return nil, err
	}
	before := client.Stats()
	source := fetch.EWS(client, s.scope)
	if public {
		_, domain, _ := strings.Cut(mailbox, "@")
		source = fetch.EWSPublicFolders(client, domain, s.scope.Associated)
	}
	moved := func(err error) bool { return s.moved(mailbox, err) }
	return &opened{source: source, exports: exportsAtOnce, close: client.Close, moved: moved, cost: func() cost {
		stats := client.Stats()
		return cost{stats.Requests - before.Requests, stats.Throttled - before.Throttled, stats.Concurrency}
	}}, nil
}

// moved forgets the client of a mailbox that is elsewhere by now, where Autodiscover can say where.
func (s *server) moved(mailbox string, err error) bool {
	var e *ews.Error
	if s.url != autodiscover || !errors.As(err, &e) || !e.Elsewhere() || !s.left(mailbox) {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.clients, mailbox)
	return true
}

func (s *server) target(ctx context.Context, mailbox string) (restore.Target, func(), error) {
	client, err := s.client(ctx, mailbox)
	if err != nil {
		return nil, nil, err
	}
	return restore.NewMailbox(client, mailbox), client.Close, nil
}

func (s *server) close() error {
	s.endpoints.close()
	return nil
}

// waits tells why nothing happens for a while.
func (o *common) waits(mailbox string, d time.Duration, cause error) {
	if o.waited != nil {
		o.waited(mailbox, d)
	}
	if d >= time.Second {
		o.say("%s: waiting %s and trying again: %s", mailbox, d.Round(time.Second), cause)
	}
}

// mailboxList joins the mailboxes named one by one and in a file, each once, in order.
func mailboxList(names []string, file string) ([]string, error) {
	if file != "" {
		f, err := os.Open(file)
		if err != nil {
			return nil, usagef("--mailboxes: %s", err)
		}
		defer f.Close()
		lines, err := readLines(f)
		if err != nil {
			return nil, err
		}
		for _, l := range lines {
			if !strings.HasPrefix(l, "#") {
				names = append(names, l)
			}
		}
	}
	seen := map[string]bool{}
	var out []string
	for _, n := range names {
		n = strings.ToLower(strings.TrimSpace(n))
		if n != "" && !seen[n] {
			seen[n] = true
			out = append(out, n)
		}
	}
	return out, nil
}
