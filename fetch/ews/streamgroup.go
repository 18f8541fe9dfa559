package ews

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"
)

// maxGroup is how many subscriptions one connection carries. EWS, GetStreamingEvents.
const maxGroup = 200

// Watched is a mailbox to be listened to. Mailboxes of one Group (Autodiscover's GroupingInformation with the external URL;
// "" where there is but one server) share connections.
type Watched struct {
	Name   string // what Hint calls it; its address
	Group  string
	Client *Client
}

// Hint says that something happened in a mailbox. It is no more than that: what, the next synchronization finds out.
type Hint struct {
	Mailbox string
	Folders []string // ids of the folders in which something happened
	All     bool     // it is not known what was missed: everything is to be looked at
	Err     error    // nobody listens to this mailbox for now: it is to be asked now and then. All is set when that is over
}

// WatchOptions: the zero value works.
type WatchOptions struct {
	Folders    []FolderRef   // of each mailbox; all if empty
	Connection time.Duration // how long one connection is held, 1 to 30 minutes: 29
	Retry      time.Duration // after which a mailbox that could not be subscribed to is tried again: 5 minutes
}

func (o WatchOptions) withDefaults() WatchOptions {
	if o.Connection <= 0 {
		o.Connection = 29 * time.Minute
	}
	if o.Retry <= 0 {
		o.Retry = 5 * time.Minute
	}
	return o
}

// Watch listens to mailboxes until the context ends, in groups of 200 a connection, and calls hint, from one goroutine at
// a time, whenever one of them changed. Each mailbox begins with All, and has All again whenever its subscription was lost
// or its connection broke: what happened in between is not told. The subscriptions are ended before Watch returns.
//
// The error is that of the context, or one after which nobody can be listened to (the account is refused).
func Watch(ctx context.Context, mailboxes []Watched, o WatchOptions, hint func(Hint)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	one := func(h Hint) {
		mu.Lock()
		defer mu.Unlock()
		hint(h)
	}
	var wait sync.WaitGroup
	for _, members := range groupsOf(mailboxes) {
		g := newGroup(members, o.withDefaults(), one)
		wait.Go(func() {
			if err := g.run(ctx); err != nil {
				cancel(err)
			}
		})
	}
	wait.Wait()
	return context.Cause(ctx)
}

// groupsOf parts mailboxes by their group and into what a connection carries, by name: the first is the anchor.
func groupsOf(mailboxes []Watched) (groups [][]Watched) {
	list := slices.SortedFunc(slices.Values(mailboxes), func(a, b Watched) int {
		return cmp.Or(strings.Compare(a.Group, b.Group), strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)))
	})
	for i, m := range list {
		if last := len(groups) - 1; i > 0 && list[i-1].Group == m.Group && len(groups[last]) < maxGroup {
			groups[last] = append(groups[last], m)
			continue
		}
		groups = append(groups, []Watched{m})
	}
	return groups
}

// member is a mailbox of a group.
type member struct {
	Watched
	id    string    // of its subscription; "" while it has none
	after time.Time // not tried again before
}

// group is what shares a connection.
type group struct {
	members  []*member
	affinity affinity
	o        WatchOptions
	hint     func(Hint)
	failures int // connections that broke, one after another
}

func newGroup(list []Watched, o WatchOptions, hint func(Hint)) *group {
	g := &group{o: o, hint: hint}
	g.affinity.anchor = list[0].Client.anchor
	for _, w := range list {
		g.members = append(g.members, &member{Watched: w})
	}
	return g
}

// run listens until the context ends, which is no error, or nobody can be listened to.
func (g *group) run(ctx context.Context) error {
	defer g.leave(ctx)
	for ctx.Err() == nil {
		err := g.subscribe(ctx)
		if err == nil {
			err = g.listen(ctx)
		}
		if ctx.Err() != nil {
			return nil
		}
		if err := g.settle(ctx, err); err != nil {
			return err
		}
	}
	return nil
}

// subscribe gives a subscription to those who have none. One that fails is told of and left for later.
func (g *group) subscribe(ctx context.Context) error {
	for _, m := range g.members {
		now := m.Client.opts.Clock()
		if m.id != "" || now.Before(m.after) {
			continue
		}
		id, err := m.Client.subscribe(ctx, &g.affinity, g.o.Folders)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, ErrCredentials):
			return err
		case err != nil:
			m.after = now.Add(g.o.Retry)
			g.hint(Hint{Mailbox: m.Name, Err: err})
			continue
		}
		m.id = id
		g.hint(Hint{Mailbox: m.Name, All: true})
	}
	return nil
}

// listen holds one connection for all who have a subscription; a short one while some have not.
func (g *group) listen(ctx context.Context) error {
	byID := map[string]*member{}
	var ids []string
	for _, m := range g.members {
		if m.id != "" {
			byID[m.id], ids = m, append(ids, m.id)
		}
	}
	timeout := g.o.Connection
	if len(ids) < len(g.members) {
		timeout = min(timeout, g.o.Retry)
	}
	caller := g.caller()
	if len(ids) == 0 {
		return caller.opts.Sleep(ctx, timeout)
	}
	return caller.listen(ctx, &g.affinity, ids, timeout, func(n notice) {
		g.failures = 0
		if m := byID[n.subscription]; m != nil {
			g.hint(Hint{Mailbox: m.Name, Folders: n.folders})
		}
	})
}

// caller is the client that holds the connection: the anchor's if it has a subscription, as it should, else another's.
func (g *group) caller() *Client {
	for _, m := range g.members {
		if m.id != "" {
			return m.Client
		}
	}
	return g.members[0].Client
}

// settle draws the consequences of how a connection ended; the error is one that ends the group.
func (g *group) settle(ctx context.Context, err error) error {
	var lost *lostError
	switch {
	case err == nil:
		g.failures = 0
		return nil // the time was up: subscriptions keep what happens until the next connection
	case errors.Is(err, ErrCredentials):
		return err
	case errors.As(err, &lost):
		g.drop(lost.ids)
		if g.failures++; g.failures == 1 && lost.code != "ErrorNewEventStreamConnectionOpened" {
			return nil // the first time at once
		}
	default:
		// What was on its way may be lost, and so may be the subscriptions: the server says so at the next connection.
		g.failures++
		for _, m := range g.members {
			if m.id != "" {
				g.hint(Hint{Mailbox: m.Name, All: true})
			}
		}
		if g.failures > 2 {
			g.drop(nil)
		}
	}
	c := g.members[0].Client
	_ = c.opts.Sleep(ctx, c.growing(time.Second, g.failures-1)) // the end of the context shows in run
	return nil
}

// drop forgets subscriptions, all if none are named; they are made anew. Where all are lost the server has changed.
func (g *group) drop(ids []string) {
	left := 0
	for _, m := range g.members {
		if len(ids) == 0 || slices.Contains(ids, m.id) {
			m.id = ""
		}
		if m.id != "" {
			left++
		}
	}
	if left == 0 {
		g.affinity.forget()
	}
}

// leaving is how long ending the subscriptions may take when all ends; the server forgets them by itself in time.
const leaving = 5 * time.Second

func (g *group) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaving)
	defer cancel()
	for _, m := range g.members {
		if m.id != "" && m.Client.unsubscribe(ctx, &g.affinity, m.id) != nil {
			return // whoever does not answer once will not the next time
		}
	}
}
