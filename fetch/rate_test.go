package fetch_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mailbrick/archive"
	"mailbrick/fetch"
	"mailbrick/fetch/auth"
	"mailbrick/fetch/ews"
	"mailbrick/fetch/exchangetest"
	"mailbrick/fetch/graph"
	"mailbrick/fetch/throttle"
)

// siege is a first backup of many mailboxes by both protocols, kept by a watch, while the server fails at random in every way it
// knows. All times are the server's.
type siege struct {
	*testing.T
	mailboxes, items int
	workers          int // of the server
	lasts            time.Duration
	seed             uint64
	start            time.Time

	server  *exchangetest.Server
	a       *archive.Archive
	watch   *fetch.Watch
	account *ews.Account
	app     *throttle.Governor
	signed  http.RoundTripper
	via     *http.Transport

	mu    sync.Mutex // guards what follows
	open  map[string]fetch.Source
	puts  map[string]int
	done  map[string]bool
	ended map[string]int // runs, by what ended them
	most  time.Duration  // until 99 of 100 items were in
	share float64        // by then
	all   chan struct{}  // closed when all mailboxes are in
}

// TestRateUnderFaults: a first backup while every fault is ordered at random gets on at nine tenths of the rate that the
// budgets and the faults allow (exchangetest.Rate), no item is lost or stored twice, and no request is sent during a back-off. It
// is judged after a minute of the server's time, in which there is work for everybody; in the long run after an hour of a first
// backup of 100,000 items in 200 mailboxes, which cost the server so much that they would take an hour without faults.
func TestRateUnderFaults(t *testing.T) {
	if inItsOwn(t) {
		return
	}
	seeds, mailboxes, items, lasts := []uint64{1, 2}, 64, 60, time.Minute
	if os.Getenv("MAILBRICK_TORTURE") == "1" {
		seeds, mailboxes, items, lasts = []uint64{1, 2, 3, uint64(time.Now().UnixNano())}, 200, 500, time.Hour
	}
	if n, err := strconv.ParseUint(os.Getenv("MAILBRICK_SEED"), 10, 64); err == nil {
		seeds = []uint64{n}
	}
	for i, seed := range seeds {
		workers := 8
		if lasts == time.Hour {
			workers = []int{8, 16, 24}[i%3]
		}
		(&siege{mailboxes: mailboxes, items: items, workers: workers, lasts: lasts, seed: seed}).run(t)
	}
}

func (s *siege) run(t *testing.T) {
	t.Helper()
	tree, temp, catalog := smallTree(t, s.items), t.TempDir(), filepath.Join(t.TempDir(), "catalog")
	synctest.Test(t, func(t *testing.T) {
		s.begin(t, tree, temp)
		s.a = openBubble(t, catalog)
		ctx, cancel := context.WithCancel(t.Context())
		stopped := make(chan error, 1)
		go func() { stopped <- s.watch.Run(ctx) }()
		select {
		case <-s.all:
		case <-time.After(s.lasts):
		}
		synctest.Wait()
		rate := s.server.Rate()
		t.Logf("seed %d, %d workers: after %v: %.3f of what is allowed: %+v", s.seed, s.workers, time.Since(s.start), rate.Share(), rate)
		if rate.Share() < 0.9 {
			t.Errorf("seed %d: %.3f of what the budgets and the faults allow", s.seed, rate.Share())
		}
		<-s.all
		cancel()
		if err := <-stopped; !errors.Is(err, context.Canceled) {
			t.Errorf("seed %d: %v", s.seed, err)
		}
		r := s.server.Throttling().Total
		t.Logf("seed %d: 99 of 100 items in after %v: %.3f; all in after %v; runs by what ended them: %v; %+v", s.seed, s.most, s.share, time.Since(s.start), s.ended, r)
		if r.DuringBackOff != 0 {
			t.Errorf("seed %d: %d requests inside of a back-off", s.seed, r.DuringBackOff)
		}
		time.Sleep(20 * time.Minute) // requests whose clients went are still being stalled
		s.via.CloseIdleConnections()
		if err := s.a.Close(); err != nil {
			t.Error(err)
		}
	})
}

func (s *siege) begin(t *testing.T, tree, temp string) {
	t.Helper()
	s.start = time.Now()
	s.T, s.account, s.app = t, ews.NewAccount(), throttle.New(throttle.Options{})
	s.open, s.puts, s.done, s.ended, s.all = map[string]fetch.Source{}, map[string]int{}, map[string]bool{}, map[string]int{}, make(chan struct{})
	policy := exchangetest.StandardPolicy()
	policy.Workers = s.workers
	cost := exchangetest.Duration(time.Duration(s.workers) * 300 * time.Millisecond / 8) // so that 100,000 items take an hour
	for _, op := range strings.Fields(exports) {
		policy.Costs[op] = exchangetest.Cost{Request: policy.Costs[op].Request, Item: cost, Megabyte: policy.Costs[op].Megabyte}
	}
	s.server = exchangetest.New(exchangetest.Options{TempDir: temp, Throttle: policy, Judge: true, TokenLife: 20 * time.Minute})
	s.server.AddAccount("backup", "secret")
	s.server.AddApp(exchangetest.App{ID: "app", Secret: "hush"})
	pipe, h := exchangetest.NewPipe(), s.server.HTTPServer()
	go h.Serve(pipe)
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		return pipe.DialContext(ctx, network, addr)
	}
	s.via = &http.Transport{DialContext: dial, MaxIdleConnsPerHost: 100}
	t.Cleanup(func() { h.Close(); s.server.Close() })
	app, err := auth.NewApp(auth.AppOptions{Authority: "http://localhost" + exchangetest.AuthorityPath(), ClientID: "app", Secret: "hush", HTTP: s.via})
	if err != nil {
		t.Fatal(err)
	}
	if s.signed, err = auth.Bearer("http://localhost"+exchangetest.GraphPath, app, auth.ScopeGraph, s.via); err != nil {
		t.Fatal(err)
	}
	var names []string
	for n := range s.mailboxes {
		names = append(names, fmt.Sprintf("%s%03d@x.example", []string{"soap", "graph"}[n%2], n))
		if err := s.server.Load(names[n], tree); err != nil {
			t.Fatal(err)
		}
	}
	s.server.AddFaults(weather(s.seed, 1)...)
	s.watch = fetch.NewWatch(fetch.WatchOptions{Parallel: 16, Standing: 48, Run: s.one, Rand: func() float64 { return 0.5 }})
	s.watch.Set(names)
}

func (s *siege) waits(mailbox string) func(time.Duration, error) {
	return func(d time.Duration, _ error) {
		if d >= fetch.LongWait {
			s.watch.Stand(mailbox)
		}
	}
}

// source gives the client for a mailbox that the last run had, unless the mailbox was elsewhere.
func (s *siege) source(mailbox string) (source fetch.Source, items int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	soap := strings.HasPrefix(mailbox, "soap")
	if items = 20; soap {
		items = 0
	}
	if s.open[mailbox] != nil {
		return s.open[mailbox], items
	}
	if soap {
		c, err := ews.New(ews.Options{URL: "http://localhost" + s.server.Endpoint(mailbox), User: "backup", Password: "secret",
			Impersonate: mailbox, Account: s.account, HTTP: &http.Client{Transport: s.via}, OnWait: s.waits(mailbox)})
		if err != nil {
			s.Error(err)
		}
		s.open[mailbox] = fetch.EWS(c, fetch.EWSScope{})
	} else {
		c, err := graph.New(graph.Options{URL: "http://localhost" + exchangetest.GraphPath, Mailbox: mailbox, App: s.app, OnWait: s.waits(mailbox),
			HTTP: &http.Client{Transport: s.signed}, Import: &http.Client{Transport: s.via}})
		if err != nil {
			s.Error(err)
		}
		s.open[mailbox] = fetch.Graph(c, fetch.GraphScope{})
	}
	return s.open[mailbox], items
}

// one is a run of a mailbox.
func (s *siege) one(ctx context.Context, mailbox string, full bool, leave func()) (out fetch.Outcome, err error) {
	s.mu.Lock()
	done := s.done[mailbox]
	s.mu.Unlock()
	if done {
		return out, nil
	}
	session, err := s.a.Begin(mailbox)
	if err != nil {
		return out, err
	}
	source, items := s.source(mailbox)
	r, err := fetch.Run(ctx, source, &putOnce{session, s, mailbox}, fetch.Options{BatchItems: items, Exports: 4, Full: full, Fetched: leave,
		Slow: func() { s.watch.Stand(mailbox) }})
	if cerr := session.Close(context.WithoutCancel(ctx)); cerr != nil {
		return out, cerr
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out.Changed = r.Exported > 0
	switch e, g := new(ews.Error), new(graph.Error); {
	case err == nil && r.Snapshot.Items == s.items:
		s.ended["complete"]++
		s.done[mailbox] = true
		if len(s.done) == s.mailboxes {
			close(s.all)
		}
	case err == nil:
		s.ended["with failures"]++
		out.Partly = true
	case errors.As(err, &e):
		s.ended["ews "+e.Class().String()]++
		if e.Class() == ews.Resync {
			delete(s.open, mailbox) // and look for it again
		}
	case errors.As(err, &g):
		s.ended["graph "+g.Class().String()]++
	case errors.Is(err, ews.ErrNotExchange), errors.Is(err, graph.ErrNotGraph), errors.Is(err, fetch.ErrGone), errors.Is(err, fetch.ErrFolder):
		s.ended["no root"]++
	default:
		return out, err // of the archive
	}
	out.Failed = err
	return out, nil
}

// putOnce counts how often each item is stored.
type putOnce struct {
	*archive.Session
	s       *siege
	mailbox string
}

func (o *putOnce) Put(ctx context.Context, item archive.Item, content *archive.Content) error {
	o.s.mu.Lock()
	key := o.mailbox + " " + item.ItemID
	if o.s.puts[key]++; o.s.puts[key] > 1 {
		o.s.Errorf("seed %d: %s: an item is stored %d times", o.s.seed, o.mailbox, o.s.puts[key])
	}
	if n := len(o.s.puts); n*100 >= o.s.mailboxes*o.s.items*99 && o.s.most == 0 {
		o.s.most, o.s.share = time.Since(o.s.start), o.s.server.Rate().Share()
	}
	o.s.mu.Unlock()
	return o.Session.Put(ctx, item, content)
}
