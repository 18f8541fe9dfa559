package ews_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"mailbrick/fetch/ews"
	"mailbrick/fetch/exchangetest"
)

// watched is a server with mailboxes that somebody listens to.
type watched struct {
	*testing.T
	s       *exchangetest.Server
	clients map[string]*ews.Client
	hints   chan ews.Hint
	stop    func() error
}

func watch(t *testing.T, minute time.Duration, names ...string) *watched {
	t.Helper()
	w := &watched{T: t, clients: map[string]*ews.Client{}, hints: make(chan ews.Hint, 100)}
	w.s = exchangetest.New(exchangetest.Options{StreamMinute: minute})
	w.s.AddAccount("backup", "word")
	srv := httptest.NewServer(w.s)
	var list []ews.Watched
	for _, name := range names {
		w.s.AddMailbox(name)
		w.clients[name] = client(t, srv.URL, name, "word")
		list = append(list, ews.Watched{Name: name, Client: w.clients[name]})
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- ews.Watch(ctx, list, ews.WatchOptions{}, func(h ews.Hint) { w.hints <- h }) }()
	w.stop = func() error { cancel(); return <-done }
	t.Cleanup(func() { cancel(); srv.Close(); w.s.Close() })
	return w
}

// all waits until every mailbox was told to be looked at as a whole.
func (w *watched) all() {
	w.Helper()
	missing := map[string]bool{}
	for name := range w.clients {
		missing[name] = true
	}
	for len(missing) > 0 {
		if h := w.next(); h.All {
			delete(missing, h.Mailbox)
		}
	}
}

func (w *watched) next() ews.Hint {
	w.Helper()
	select {
	case h := <-w.hints:
		return h
	case <-time.After(20 * time.Second):
		w.Fatal("nothing was told")
	}
	return ews.Hint{}
}

// change makes a folder below the inbox, and waits until that is told. Events before the connection stands are kept, those before the
// subscription are not: when everything is to be looked at, another folder is made.
func (w *watched) change(mailbox, name string) {
	w.Helper()
	inbox, err := w.clients[mailbox].GetFolders(w.Context(), ews.FolderRef{Distinguished: "inbox"})
	if err != nil {
		w.Fatal(err)
	}
	for n, missed := 1, true; ; n++ {
		if missed {
			if _, err := w.clients[mailbox].CreateFolder(w.Context(), inbox[0].ID, fmt.Sprint(name, n), ""); err != nil {
				w.Fatal(err)
			}
		}
		h := w.next()
		if h.Mailbox != mailbox || h.Err != nil {
			w.Fatalf("told of %+v", h)
		}
		if slices.Contains(h.Folders, inbox[0].ID) {
			return
		}
		missed = h.All
	}
}

func TestWatch(t *testing.T) {
	t.Parallel()
	w := watch(t, 0, "b@example.org", "a@example.org", "c@example.org")
	w.all()
	w.change("b@example.org", "one")
	w.change("a@example.org", "two")
	if n := w.s.Subscriptions("a@example.org"); n != 1 {
		t.Errorf("%d subscriptions", n)
	}
	// A failover loses them: they are made anew, and everything is to be looked at.
	w.s.Failover()
	w.all()
	w.change("c@example.org", "three")
	if err := w.stop(); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	for name := range w.clients {
		if n := w.s.Subscriptions(name); n != 0 {
			t.Errorf("%d subscriptions of %s are left", n, name)
		}
	}
	// One mailbox is the anchor of all connections.
	for name, want := range map[string]bool{"a@example.org": true, "b@example.org": false} {
		if n := w.s.RequestsByOperation(name)["GetStreamingEvents"]; (n > 0) != want {
			t.Errorf("%d connections as %s", n, name)
		}
	}
}

// TestWatchGoesOn: a connection whose time is up is opened again, and nothing counts as missed.
func TestWatchGoesOn(t *testing.T) {
	t.Parallel()
	w := watch(t, 2*time.Millisecond, "a@example.org")
	w.all()
	for i := range 5 {
		inbox, err := w.clients["a@example.org"].GetFolders(t.Context(), ews.FolderRef{Distinguished: "inbox"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.clients["a@example.org"].CreateFolder(t.Context(), inbox[0].ID, fmt.Sprint(i), ""); err != nil {
			t.Fatal(err)
		}
		if h := w.next(); h.All || h.Err != nil || len(h.Folders) == 0 {
			t.Errorf("told of %+v", h)
		}
		for opened := w.connections(); w.connections() < opened+2; {
			select {
			case <-t.Context().Done():
				t.Fatal("no other connection")
			case <-time.After(time.Millisecond):
			}
		}
	}
}

func (w *watched) connections() int {
	return w.s.RequestsByOperation("a@example.org")["GetStreamingEvents"]
}

// TestWatchFaults: whatever befalls subscriptions and connections, changes are told afterwards, and what was missed is said.
func TestWatchFaults(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]exchangetest.Fault{
		"lost":        {Operation: "GetStreamingEvents", Action: exchangetest.ActionFailover},
		"fault":       {Operation: "GetStreamingEvents", Action: exchangetest.ActionFault, Code: "ErrorSubscriptionNotFound"},
		"read failed": {Operation: "GetStreamingEvents", Action: exchangetest.ActionFault, Code: "ErrorReadEventsFailed"},
		"status":      {Operation: "GetStreamingEvents", Action: exchangetest.ActionStatus, Status: 503},
		"html":        {Operation: "GetStreamingEvents", Action: exchangetest.ActionHTML, Status: 502},
		"busy":        {Operation: "Subscribe", Action: exchangetest.ActionFault, Code: "ErrorServerBusy", BackOffMilliseconds: 500},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := watch(t, 0, "a@example.org")
			w.s.AddFaults(f)
			w.all()
			w.s.Failover()
			w.all()
			w.change("a@example.org", "one")
		})
	}
}

// TestWatchOneCannot: a mailbox that cannot be subscribed to does not keep the others from being heard.
func TestWatchOneCannot(t *testing.T) {
	t.Parallel()
	w := watch(t, 0, "a@example.org", "b@example.org")
	w.s.AddFaults(exchangetest.Fault{Operation: "Subscribe", Mailbox: "b@example.org", Action: exchangetest.ActionItemError, Code: "ErrorExceededSubscriptionCount", Times: -1})
	w.s.Failover()
	for {
		if h := w.next(); h.Mailbox == "b@example.org" && h.Err != nil {
			if !errors.Is(h.Err, ews.ErrSubscriptions) {
				t.Error(h.Err)
			}
			break
		}
	}
	w.change("a@example.org", "one")
}
