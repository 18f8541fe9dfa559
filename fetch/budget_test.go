package fetch_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mailbrick/archive"
	"mailbrick/archive/blob/blobtest"
	"mailbrick/fetch"
	"mailbrick/fetch/ews"
	"mailbrick/fetch/exchangetest"
)

// campaign is a first backup of some mailboxes of one account, in a bubble of synctest: all times are the server's, what
// our own work takes is nothing.
type campaign struct {
	mailboxes, items int
	parallel         int
	exports          int
	batch            int // items; 0: as a run has it
	policy           exchangetest.Policy
	faults           []exchangetest.Fault
	between          func(http.RoundTripper) http.RoundTripper // who stands before the server; nobody if nil
	failed           int                                       // items of each mailbox that cannot be had
}

// outcome is what became of a campaign.
type outcome struct {
	report exchangetest.Report
	took   time.Duration
	stats  map[string]ews.Stats
}

// share is the part of the rate that the budgets allow.
func (o outcome) share(atOnce int) float64 {
	return float64(o.report.Ideal(atOnce)) / float64(o.took)
}

func (c campaign) run(t *testing.T) (out outcome) {
	t.Helper()
	tree := smallTree(t, c.items)
	temp, catalog := t.TempDir(), filepath.Join(t.TempDir(), "catalog")
	synctest.Test(t, func(t *testing.T) {
		s := exchangetest.New(exchangetest.Options{TempDir: temp, Throttle: c.policy, Faults: c.faults})
		s.AddAccount("backup", "secret")
		var names []string
		for n := range c.mailboxes {
			names = append(names, fmt.Sprintf("m%03d@x.example", n))
			if err := s.Load(names[n], tree); err != nil {
				t.Fatal(err)
			}
		}
		pipe, h := exchangetest.NewPipe(), s.HTTPServer()
		go h.Serve(pipe)
		via := &http.Transport{DialContext: pipe.DialContext, MaxIdleConnsPerHost: 100}
		a := openBubble(t, catalog)
		begin := time.Now()
		if c.between == nil {
			c.between = func(via http.RoundTripper) http.RoundTripper { return via }
		}
		out.stats = c.all(t, a, names, c.between(via))
		out.took = time.Since(begin)
		out.report = s.Throttling()
		via.CloseIdleConnections()
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		h.Close()
		s.Close()
	})
	return out
}

// inItsOwn runs the test in a process of its own, once; there it says no. Pebble keeps channels in pools for all of a
// process, which must not get from one bubble into another.
func inItsOwn(t *testing.T) bool {
	t.Helper()
	const name = "MAILBRICK_TEST_ALONE"
	if os.Getenv(name) == t.Name() {
		return false
	}
	t.Parallel()
	test := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	test.Env = append(os.Environ(), name+"="+t.Name())
	said, err := test.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	t.Logf("%s", said)
	return true
}

func openBubble(t *testing.T, catalog string) *archive.Archive {
	t.Helper()
	o := archive.Options{Bucket: &blobtest.Memory{}, Catalog: catalog}
	if err := archive.Init(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	a, err := archive.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// all backs up the mailboxes, some at once.
func (c campaign) all(t *testing.T, a *archive.Archive, names []string, via http.RoundTripper) map[string]ews.Stats {
	t.Helper()
	account := ews.NewAccount()
	stats := map[string]ews.Stats{}
	places := make(chan struct{}, c.parallel)
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, name := range names {
		all.Go(func() {
			places <- struct{}{}
			leave := sync.OnceFunc(func() { <-places })
			defer leave()
			got, err := c.one(t.Context(), a, name, account, via, leave)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			mu.Lock()
			defer mu.Unlock()
			stats[name] = got
		})
	}
	all.Wait()
	return stats
}

func (c campaign) one(ctx context.Context, a *archive.Archive, name string, account *ews.Account, via http.RoundTripper, leave func()) (ews.Stats, error) {
	client, err := ews.New(ews.Options{URL: "http://localhost" + exchangetest.Path, User: "backup", Password: "secret",
		Impersonate: name, Account: account, HTTP: &http.Client{Transport: via}})
	if err != nil {
		return ews.Stats{}, err
	}
	s, err := a.Begin(name)
	if err != nil {
		return ews.Stats{}, err
	}
	r, err := fetch.Run(ctx, fetch.EWS(client, fetch.EWSScope{}), s, fetch.Options{Exports: c.exports, BatchItems: c.batch, Fetched: leave, Slow: leave})
	if cerr := s.Close(ctx); err == nil {
		err = cerr
	}
	if err == nil && (r.Complete != (c.failed == 0) || len(r.Failures) != c.failed || r.Snapshot.Items != c.items-c.failed) {
		err = fmt.Errorf("%d of %d items, complete %v, failures %v", r.Snapshot.Items, c.items, r.Complete, r.Failures)
	}
	return client.Stats(), err
}

// smallTree is a mailbox of n small messages in a few folders.
func smallTree(t *testing.T, n int) string {
	t.Helper()
	tree := t.TempDir()
	for i := range n {
		dir := filepath.Join(tree, []string{"Inbox", "Inbox/Projects", "Sent Items"}[i%3])
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		mail := fmt.Sprintf("From: a@x.example\r\nTo: ann@x.example\r\nSubject: number %d\r\nDate: Mon, 02 Mar 2026 10:00:00 +0000\r\n\r\nText of %d.\r\n", i, i)
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i, ".eml")), []byte(mail), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return tree
}

// TestFirstBackupUnderTheStandardBudgets: what the server can do in parallel is used, and what it asks for is obeyed. Its
// workers are what bounds the rate: with a budget for each mailbox the standard policy alone would let thousands of
// requests go at once.
func TestFirstBackupUnderTheStandardBudgets(t *testing.T) {
	if inItsOwn(t) {
		return
	}
	c := campaign{mailboxes: 20, items: 120, parallel: 16, exports: 4, policy: exchangetest.StandardPolicy()}
	c.policy.Workers = 4
	if os.Getenv("MAILBRICK_TORTURE") != "" {
		c.mailboxes, c.items, c.policy.Workers = 200, 500, 16
	}
	o := c.run(t)
	if got := o.share(0); got < 0.9 {
		t.Errorf("%.2f of what the budgets allow: %v, %v would do", got, o.took, o.report.Ideal(0))
	}
	o.wantObedience(t)
	t.Logf("%d mailboxes of %d items: %v, %.2f of what the budgets allow", c.mailboxes, c.items, o.took, o.share(0))
}

// TestOverdrawnBudgets: items so dear that each mailbox's bucket is empty soon. The server delays, lets requests time out
// and refuses; batches shrink, mailboxes wait, and everything comes. A mailbox that is refused waits for 300 s and then has 75 s:
// what is left over of the last of these is the greater part of what is missing from all that the budgets allow.
func TestOverdrawnBudgets(t *testing.T) {
	if inItsOwn(t) {
		return
	}
	c := campaign{mailboxes: 6, items: 180, parallel: 6, exports: 4, policy: exchangetest.StandardPolicy()}
	c.policy.EWS.MaxBurst, c.policy.EWS.Cutoff = c.policy.EWS.MaxBurst/10, c.policy.EWS.Cutoff/10
	c.policy.Costs["ExportItems"] = exchangetest.Cost{Item: exchangetest.Duration(8 * time.Second)}
	if os.Getenv("MAILBRICK_TORTURE") != "" {
		c.items = 720
	}
	o := c.run(t)
	if o.report.Total.Refused["cutoff"] == 0 || o.report.Total.BackOffs == 0 {
		t.Errorf("nothing was refused: %+v", o.report.Total)
	}
	if got := o.share(0); got < 0.9 {
		t.Errorf("%.2f of what the budgets allow: %v, %v would do", got, o.took, o.report.Ideal(0))
	}
	t.Logf("%d items: %v, %.3f of what the budgets allow", c.items, o.took, o.share(0))
	for name, s := range o.stats {
		if s.Throttled == 0 || s.Concurrency < 1 || s.Waited < s.Throttled {
			t.Errorf("%s: %+v", name, s)
		}
	}
	o.wantObedience(t)
}

// TestServerThatOnlyDelays: it says nothing and takes its time over each item of a mailbox that is overdrawn. Such a mailbox
// keeps no other from being served: with a third of the places it takes little longer than with one for each.
func TestServerThatOnlyDelays(t *testing.T) {
	if inItsOwn(t) {
		return
	}
	took := map[int]time.Duration{}
	for _, parallel := range []int{4, 12} {
		c := campaign{mailboxes: 12, items: 90, parallel: parallel, exports: 4, policy: exchangetest.StandardPolicy()}
		c.policy.EWS.MaxBurst, c.policy.EWS.Cutoff = 0, exchangetest.Duration(time.Hour)
		c.policy.EWS.MaxDelay = exchangetest.Duration(30 * time.Second)
		c.policy.Costs["ExportItems"] = exchangetest.Cost{Item: exchangetest.Duration(500 * time.Millisecond)}
		o := c.run(t)
		if o.report.Total.Delayed == 0 || o.report.Total.BackOffs != 0 {
			t.Errorf("%+v", o.report.Total)
		}
		took[parallel] = o.took
	}
	if share := float64(took[12]) / float64(took[4]); share < 0.8 {
		t.Errorf("%v with 4 places for 12 mailboxes, %v with as many: %.2f", took[4], took[12], share)
	} else {
		t.Logf("%v with 4 places for 12 mailboxes, %v with as many: %.2f", took[4], took[12], share)
	}
}

// TestFrontEndRefuses: more than the front end takes is refused with 429 and 503, with Retry-After and without, and then
// nobody sends anything, whichever mailbox it was.
func TestFrontEndRefuses(t *testing.T) {
	if inItsOwn(t) {
		return
	}
	c := campaign{mailboxes: 12, items: 60, parallel: 12, exports: 2, policy: exchangetest.StandardPolicy()}
	c.policy.FrontEnd = exchangetest.Limits{Requests: 60, RequestWindow: exchangetest.Duration(time.Minute)}
	o := c.run(t)
	if o.report.Total.Refused["front_end.requests"] == 0 {
		t.Errorf("nothing was refused: %+v", o.report.Total)
	}
	o.wantObedience(t)
}

// TestFewAtOnce: a server that takes few requests of a mailbox at once is found out and kept to.
func TestFewAtOnce(t *testing.T) {
	if inItsOwn(t) {
		return
	}
	c := campaign{mailboxes: 3, items: 300, parallel: 3, exports: 4, batch: 10, policy: exchangetest.StandardPolicy()}
	c.policy.EWS.Concurrency = 2
	o := c.run(t)
	if n := o.report.Total.Refused["concurrency"]; n == 0 || n > o.report.Total.Served/4 {
		t.Errorf("%d of %d refused", n, o.report.Total.Served+n)
	}
	o.wantObedience(t)
}

// wantObedience: no request came while the server had asked for a rest.
func (o outcome) wantObedience(t *testing.T) {
	t.Helper()
	if n := o.report.Total.DuringBackOff; n != 0 {
		t.Errorf("%d requests inside of a back-off: %+v", n, o.report.Total)
	}
}
