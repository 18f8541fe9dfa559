package main

import (
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mailbrick/fetch"
	"mailbrick/fetch/ews"
)

// origin is where mailboxes come from.
type origin interface {
	open(mailbox string) (*opened, error)
	close() error
}

// opened is a mailbox that can be read until it is closed.
type opened struct {
	source fetch.Source
	cost   func() (requests int, throttled time.Duration)
	close  func()
}

// server is where mailboxes are, and who asks.
type server struct {
	url, user, password string
	impersonate         bool
	account             *ews.Account // what all clients of a run know of the account
	waits               func(mailbox string, d time.Duration, cause error)
}

func serverFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "ews", Usage: "Exchange Web Services at `URL` (https://host/EWS/Exchange.asmx)"},
		&cli.StringFlag{Name: "user", Usage: "sign in as `USER`"},
		&cli.StringFlag{Name: "user-password-file", Usage: "read the user's password from `FILE`"},
		&cli.StringFlag{Name: "auth", Value: "basic", Usage: "how to sign in: basic"},
		&cli.BoolFlag{Name: "impersonate", Usage: "open each mailbox by impersonation (the user has the ApplicationImpersonation role)"},
	}
}

func serverOf(c *cli.Context, o *common) (*server, error) {
	s := &server{url: c.String("ews"), user: c.String("user"), impersonate: c.Bool("impersonate"), account: ews.NewAccount(), waits: o.waits}
	switch {
	case s.url == "":
		return nil, usagef("no source: give --ews URL or --from PATH")
	case s.url == "autodiscover":
		return nil, usagef("--ews autodiscover is not supported yet: give the URL")
	case c.String("auth") != "basic":
		return nil, usagef("--auth %s is not supported yet: basic is", c.String("auth"))
	case s.user == "":
		return nil, usagef("no user: give --user and --user-password-file")
	}
	var err error
	if file := c.String("user-password-file"); file != "" {
		s.password, err = readSecret(file)
	} else {
		s.password, err = o.ask(c.Context, "password of the user: ", "give --user-password-file F")
	}
	return s, err
}

// client is a client for one mailbox.
func (s *server) client(mailbox string) (*ews.Client, error) {
	o := ews.Options{URL: s.url, User: s.user, Password: s.password, Account: s.account}
	if s.impersonate {
		o.Impersonate = mailbox
	} else {
		o.Mailbox = mailbox // the user's own, or one he has full access to: the server decides
	}
	if s.waits != nil {
		o.OnWait = func(d time.Duration, cause error) { s.waits(mailbox, d, cause) }
	}
	return ews.New(o)
}

func (s *server) open(mailbox string) (*opened, error) {
	client, err := s.client(mailbox)
	if err != nil {
		return nil, err
	}
	return &opened{source: fetch.EWS(client), close: client.Close, cost: func() (int, time.Duration) {
		stats := client.Stats()
		return stats.Requests, stats.Throttled
	}}, nil
}

func (s *server) close() error { return nil }

// waits tells why nothing happens for a while.
func (o *common) waits(mailbox string, d time.Duration, cause error) {
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
