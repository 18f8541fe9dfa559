package fetch_test

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mailbrick/archive"
	"mailbrick/fetch"
	"mailbrick/fetch/ews"
	"mailbrick/fetch/exchangetest"
	"mailbrick/fetch/graph"
)

// signed signs requests in as the account of the simulated Exchange.
type signed struct{ via http.RoundTripper }

func (s signed) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer secret")
	return s.via.RoundTrip(r)
}

// graphClient works on the mailbox of exchange by Graph.
func graphClient(t *testing.T, url string, via http.RoundTripper) *graph.Client {
	t.Helper()
	c, err := graph.New(graph.Options{URL: url + exchangetest.GraphPath, Mailbox: testAddress,
		HTTP: &http.Client{Transport: signed{via}}, Import: &http.Client{Transport: via}, Sleep: func(context.Context, time.Duration) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func graphBackUp(t *testing.T, a *archive.Archive, client *graph.Client, scope fetch.GraphScope) fetch.Result {
	t.Helper()
	s, err := a.Begin(testAddress)
	if err != nil {
		t.Fatal(err)
	}
	r, err := fetch.Run(t.Context(), fetch.Graph(client, scope), s, fetch.Options{})
	if cerr := s.Close(t.Context()); err != nil || cerr != nil {
		t.Fatal(err, cerr)
	}
	return r
}

// breaker is a network that goes away with the n-th request: before it reaches the server, or after.
type breaker struct {
	left   atomic.Int64
	after  bool
	cancel context.CancelFunc
}

func (b *breaker) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.left.Add(-1) != 0 {
		return http.DefaultTransport.RoundTrip(r)
	}
	if b.after {
		if resp, err := http.DefaultTransport.RoundTrip(r); err == nil {
			_ = resp.Body.Close()
		}
	} else if r.Body != nil {
		_ = r.Body.Close()
	}
	b.cancel()
	return nil, context.Canceled
}

// TestGraphKilledAtEachRequest breaks a run at every request in turn: the next one finishes, everything is there once, and
// nothing that had landed is asked for again.
func TestGraphKilledAtEachRequest(t *testing.T) {
	t.Parallel()
	_, url := serve(t, 45)
	whole := openArchive(t)
	counting := graphClient(t, url, http.DefaultTransport)
	if r := graphBackUp(t, whole, counting, fetch.GraphScope{Recoverable: true}); r.Exported != 45 {
		t.Fatalf("whole: %+v", r)
	}
	want := shown(t, whole)
	last := int64(counting.Stats().Requests)
	for n := int64(1); n <= last; n++ {
		a := openArchive(t)
		ctx, cancel := context.WithCancel(t.Context())
		b := &breaker{after: n%2 == 0, cancel: cancel}
		b.left.Store(n)
		s, err := a.Begin(testAddress)
		if err != nil {
			t.Fatal(err)
		}
		broken, err := fetch.Run(ctx, fetch.Graph(graphClient(t, url, b), fetch.GraphScope{Recoverable: true}), s, fetch.Options{BatchItems: 7})
		if err == nil {
			t.Fatalf("request %d of %d: the run was not broken", n, last)
		}
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		r := graphBackUp(t, a, graphClient(t, url, http.DefaultTransport), fetch.GraphScope{Recoverable: true})
		if got := shown(t, a); !maps.Equal(got, want) || !r.Complete {
			t.Errorf("broken at request %d: %d items, want %d, %+v", n, len(got), len(want), r.Failures)
		}
		if again := broken.Exported + r.Exported - 45; again < 0 || again > 45 {
			t.Errorf("broken at request %d: %d exported, then %d", n, broken.Exported, r.Exported)
		}
		cancel()
	}
	t.Logf("broken at each of %d requests", last)
}

// TestGraphFaults orders faults upon exports and lists: after at most one more run everything is there, once.
func TestGraphFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault  exchangetest.Fault
		failed int
	}{
		"too many":        {exchangetest.Fault{Operation: "graph.exportItems", Action: exchangetest.ActionStatus, Status: 429, RetryAfterSeconds: 3}, 0},
		"unavailable":     {exchangetest.Fault{Operation: "graph.itemDelta", Action: exchangetest.ActionStatus, Status: 503}, 0},
		"gateway":         {exchangetest.Fault{Operation: "graph.exportItems", Action: exchangetest.ActionStatus, Status: 504}, 0},
		"cut":             {exchangetest.Fault{Operation: "graph.exportItems", Action: exchangetest.ActionCut, AfterBytes: 2000}, 0},
		"truncated in":    {exchangetest.Fault{Operation: "graph.exportItems", Action: exchangetest.ActionTruncateInside}, 0},
		"truncated after": {exchangetest.Fault{Operation: "graph.exportItems", Action: exchangetest.ActionTruncateAfter}, 0},
		"truncated end":   {exchangetest.Fault{Operation: "graph.exportItems", Action: exchangetest.ActionTruncateEnd}, 0},
		"no data":         {exchangetest.Fault{Operation: "graph.exportItems", Action: exchangetest.ActionNoData}, 0},
		"corrupt item":    {exchangetest.Fault{Operation: "graph.exportItems", Action: exchangetest.ActionItemError, Code: "ErrorCorruptData", Index: new(int)}, 1},
		"empty page":      {exchangetest.Fault{Operation: "graph.itemDelta", Action: exchangetest.ActionEmptyPage, Times: 3}, 0},
		"told twice":      {exchangetest.Fault{Operation: "graph.itemDelta", Action: exchangetest.ActionRepeat, Times: -1}, 0},
		"html":            {exchangetest.Fault{Operation: "graph.exportItems", Action: exchangetest.ActionStatus, Status: 500}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, url := serve(t, 9)
			s.AddFaults(c.fault)
			a := openArchive(t)
			r := graphBackUp(t, a, graphClient(t, url, http.DefaultTransport), fetch.GraphScope{})
			if len(r.Failures) != c.failed || r.Snapshot.Items != 9-c.failed {
				t.Fatalf("with the fault: %+v", r)
			}
			if r := graphBackUp(t, a, graphClient(t, url, http.DefaultTransport), fetch.GraphScope{}); len(r.Failures) != 0 || r.Snapshot.Items != 9 {
				t.Errorf("after it: %+v", r)
			}
			checkBlobs(t, a)
		})
	}
}

// TestGraphLostState: a delta link that is worth nothing any more costs a listing and stores nothing again.
func TestGraphLostState(t *testing.T) {
	t.Parallel()
	s, url := serve(t, 12)
	a := openArchive(t)
	graphBackUp(t, a, graphClient(t, url, http.DefaultTransport), fetch.GraphScope{})
	client := ewsClient(t, url)
	folders, err := client.GetFolders(t.Context(), ews.FolderRef{Distinguished: "inbox"})
	if err != nil {
		t.Fatal(err)
	}
	for f, err := range client.FindItems(t.Context(), folders[0].ID) {
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.SetRead(t.Context(), f.Item, false); err != nil {
			t.Fatal(err)
		}
		break
	}
	s.AddFaults(exchangetest.Fault{Operation: "graph.itemDelta", Action: exchangetest.ActionStatus, Status: 410})
	r := graphBackUp(t, a, graphClient(t, url, http.DefaultTransport), fetch.GraphScope{})
	if r.Exported != 1 || r.Snapshot.Added+r.Snapshot.Removed != 0 || r.Snapshot.Changed != 1 || r.Snapshot.Items != 12 {
		t.Errorf("%+v", r)
	}
}

// shown lists what the archive holds of the mailbox: item id = change key and folder.
func shown(t *testing.T, a *archive.Archive) map[string]string {
	t.Helper()
	snap, err := a.Latest(testAddress)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for v, err := range a.Versions(t.Context(), snap) {
		if err != nil {
			t.Fatal(err)
		}
		out[v.ItemID] = v.ChangeKey + " " + v.Folder
	}
	return out
}

func TestGraphUnchangedCostsFewRequests(t *testing.T) {
	t.Parallel()
	_, url := serve(t, 30)
	a := openArchive(t)
	if r := graphBackUp(t, a, graphClient(t, url, http.DefaultTransport), fetch.GraphScope{}); r.Exported != 30 || !r.Complete {
		t.Fatalf("first %+v", r)
	}
	client := graphClient(t, url, http.DefaultTransport)
	if r := graphBackUp(t, a, client, fetch.GraphScope{}); r.Exported != 0 || r.Snapshot.Items != 30 {
		t.Errorf("second %+v", r)
	}
	if n := client.Stats().Requests; n != 3 { // the mailbox, its root, the folders
		t.Errorf("an unchanged mailbox costs %d requests, want 3", n)
	}
	checkBlobs(t, a)
}

// TestOneMailboxByBothProtocols: what one brought in the other knows, and the history goes on.
func TestOneMailboxByBothProtocols(t *testing.T) {
	t.Parallel()
	_, url := serve(t, 40)
	a := openArchive(t)
	if r := backUp(t, a, ewsClient(t, url)); r.Exported != 40 {
		t.Fatalf("by EWS: %+v", r)
	}
	before := shown(t, a)
	if ids := strings.Join(slices.Collect(maps.Keys(before)), ""); !strings.Contains(ids, "+") || !strings.Contains(ids, "/") {
		t.Fatal("ids that are the same in both spellings prove nothing")
	}
	for _, by := range []string{"Graph", "EWS", "Graph"} {
		var r fetch.Result
		if by == "Graph" {
			r = graphBackUp(t, a, graphClient(t, url, http.DefaultTransport), fetch.GraphScope{})
		} else {
			r = backUp(t, a, ewsClient(t, url))
		}
		if r.Exported != 0 || r.Snapshot.Added+r.Snapshot.Changed+r.Snapshot.Removed != 0 || !r.Complete {
			t.Errorf("then by %s: %+v", by, r)
		}
	}
	if after := shown(t, a); !maps.Equal(before, after) {
		t.Errorf("items changed: %v, before %v", after, before)
	}
}
