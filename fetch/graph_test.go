package fetch_test

import (
	"context"
	"maps"
	"net/http"
	"testing"
	"time"

	"mailbrick/archive"
	"mailbrick/fetch"
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
	// The mailbox, its root, the folders, and those below the inbox and below a folder there.
	if n := client.Stats().Requests; n != 3+2 {
		t.Errorf("an unchanged mailbox costs %d requests, want 5", n)
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
