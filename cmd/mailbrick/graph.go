package main

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"mailbrick/fetch"
	"mailbrick/fetch/auth"
	"mailbrick/fetch/graph"
	"mailbrick/fetch/throttle"
	"mailbrick/fetch/wire"
	"mailbrick/restore"
)

// graphServer is Microsoft Graph, and the application that asks it.
type graphServer struct {
	url    string
	signed http.RoundTripper
	plain  *http.Transport    // for imports, which are not signed in
	app    *throttle.Governor // of the application, over all mailboxes
	scope  fetch.GraphScope   // without the client for the archive
	inside bool               // the archive mailbox too
	waits  func(mailbox string, d time.Duration, cause error)

	mu      sync.Mutex                     // guards clients
	clients map[graphMailbox]*graph.Client // what one has learnt of the server's patience is for all runs
}

// graphMailbox is a mailbox, or the archive of its user.
type graphMailbox struct {
	mailbox string
	archive bool
}

func graphFlag() cli.Flag {
	return &cli.StringFlag{Name: "graph", Usage: "Microsoft Graph, which is the way to Exchange Online; at `[URL]` if that is not " + graph.DefaultURL}
}

// graphValue gives --graph its usual value where no URL follows it.
func graphValue(flag string, rest []string) string {
	if name := strings.TrimLeft(flag, "-"); name != "graph" || len(rest) > 0 && strings.Contains(rest[0], "://") {
		return flag
	}
	return flag + "=" + graph.DefaultURL
}

func graphOf(c *cli.Context, o *common) (*graphServer, error) {
	for _, flag := range []string{"ews", "impersonate"} {
		if c.IsSet(flag) {
			return nil, usagef("--%s does not go with --graph", flag)
		}
	}
	g := &graphServer{url: c.String("graph"), plain: wire.Network(), waits: o.waits,
		app: throttle.New(throttle.Options{Start: 16})}
	if _, err := graph.New(graph.Options{URL: g.url, Mailbox: "nobody"}); err != nil {
		return nil, err // so that a wrong URL is said once
	}
	app, err := oauthOf(c)
	if err != nil {
		return nil, err
	}
	g.signed, err = auth.Bearer(g.url, app, auth.ScopeGraph, wire.Network())
	return g, err
}

// client is a client for one mailbox, or for the archive of its user.
func (g *graphServer) client(mailbox string, archive bool) (*graph.Client, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	key := graphMailbox{mailbox, archive}
	if c := g.clients[key]; c != nil {
		return c, nil
	}
	c, err := g.newClient(mailbox, archive)
	if err != nil {
		return nil, err
	}
	if g.clients == nil {
		g.clients = map[graphMailbox]*graph.Client{}
	}
	g.clients[key] = c
	return c, nil
}

func (g *graphServer) newClient(mailbox string, archive bool) (*graph.Client, error) {
	o := graph.Options{URL: g.url, Mailbox: mailbox, Archive: archive, App: g.app,
		HTTP: &http.Client{Transport: kept{g.signed}}, Import: &http.Client{Transport: kept{g.plain}}}
	if g.waits != nil {
		o.OnWait = func(d time.Duration, cause error) { g.waits(mailbox, d, cause) }
	}
	return graph.New(o)
}

func (g *graphServer) open(_ context.Context, mailbox string) (*opened, error) {
	client, err := g.client(mailbox, false)
	if err != nil {
		return nil, err
	}
	clients, scope := []*graph.Client{client}, g.scope
	if g.inside {
		if scope.Archive, err = g.client(mailbox, true); err != nil {
			return nil, err
		}
		clients = append(clients, scope.Archive)
	}
	before := make([]graph.Stats, len(clients))
	for i, c := range clients {
		before[i] = c.Stats()
	}
	return &opened{source: fetch.Graph(client, scope), exports: exportsAtOnce, batch: graphBatch, close: func() {}, cost: func() cost {
		var sum cost
		for i, c := range clients {
			stats := c.Stats()
			sum.requests += stats.Requests - before[i].Requests
			sum.throttled += stats.Throttled - before[i].Throttled
			sum.concurrency = max(sum.concurrency, stats.Concurrency)
		}
		return sum
	}}, nil
}

// graphBatch is how many items Graph gives out at once.
const graphBatch = 20

func (g *graphServer) target(_ context.Context, mailbox string) (restore.Target, func(), error) {
	client, err := g.client(mailbox, false)
	if err != nil {
		return nil, nil, err
	}
	return restore.NewGraphMailbox(client, mailbox), client.Close, nil
}

func (g *graphServer) close() error {
	g.plain.CloseIdleConnections()
	if c, ok := g.signed.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
	return nil
}
