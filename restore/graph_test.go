package restore_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"mailbrick/archive"
	"mailbrick/fetch/exchangetest"
	"mailbrick/fetch/graph"
	"mailbrick/fetch/mapi"
	"mailbrick/restore"
)

// bearer signs requests in at the simulated Graph.
type bearer struct{}

func (bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer secret")
	return http.DefaultTransport.RoundTrip(r)
}

// graph works on a mailbox by Graph, without waits.
func (l *lab) graph(address string) *graph.Client {
	l.Helper()
	c, err := graph.New(graph.Options{URL: strings.TrimSuffix(l.url, exchangetest.Path) + exchangetest.GraphPath, Mailbox: address,
		HTTP: &http.Client{Transport: bearer{}}, Sleep: func(context.Context, time.Duration) error { return nil }})
	must(l, err)
	l.Cleanup(c.Close)
	return c
}

// byGraph is run by Graph.
func (l *lab) byGraph(s archive.Snapshot, to string, o restore.Options) (map[string]restore.Result, restore.Report, error) {
	l.Helper()
	return l.restore(restore.NewGraphMailbox(l.graph(to), to), l.archive.Versions(l.Context(), s), o)
}

func TestGraphIntoEmptyMailbox(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.load("a@x.example", map[string]string{
		"Inbox/1.eml": mail("one"), "Inbox/twin.eml": mail("one"), "Inbox/Projects/2.eml": mail("two"),
		"Own/Deep/3.eml": mail("three"), "Sent Items/4.eml": mail("four"), "5.eml": mail("five"),
	})
	l.server.AddMailbox("b@x.example")
	s := l.backup("a@x.example")
	results, report, err := l.byGraph(s, "b@x.example", restore.Options{})
	must(t, err)
	for name, r := range results {
		if r.Status != restore.Restored || r.ItemID == "" || len(r.Differences)+len(r.Warnings) > 0 {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if report.Restored != 6 {
		t.Errorf("report: %+v", report)
	}
	wantList(t, "b", l.holds("b@x.example"), l.holds("a@x.example"))

	_, report, err = l.byGraph(s, "b@x.example", restore.Options{})
	must(t, err)
	if report.Skipped != 6 {
		t.Errorf("the second time: %+v", report)
	}
	results, _, err = l.byGraph(s, "a@x.example", restore.Options{})
	must(t, err)
	for name, r := range results {
		if r.Status != restore.Skipped || r.Reason != "the item is still there" {
			t.Errorf("what EWS brought in is known by its id: %s: %+v", name, r)
		}
	}
}

func TestGraphModeUpdate(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.load("a@x.example", map[string]string{"Inbox/1.eml": mail("one"), "Inbox/2.eml": mail("two")})
	s := l.backup("a@x.example")
	original := l.find("a@x.example", "inbox", "one")
	_, err := l.client("a@x.example").SetRead(t.Context(), original, false)
	must(t, err)
	l.remove("a@x.example", l.find("a@x.example", "inbox", "two"))
	results, report, err := l.byGraph(s, "a@x.example", restore.Options{Mode: restore.Update})
	must(t, err)
	if report.Restored != 2 || results["one"].ItemID != original.ID {
		t.Errorf("not in place: %+v", results)
	}
	wantList(t, "a", l.holds("a@x.example"), []string{"Inbox: one", "Inbox: two"})
}

func TestGraphTakesNoAssociatedItems(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.server.AddMailbox("a@x.example")
	l.server.AddMailbox("b@x.example")
	m := message("view")
	m.Properties.Set(mapi.NewBinary(mapi.PidTagSearchKey, []byte("key of view")))
	l.upload("a@x.example", "inbox", m, true)
	l.upload("a@x.example", "inbox", message("mail"), false)
	results, report, err := l.byGraph(l.backup("a@x.example"), "b@x.example", restore.Options{})
	must(t, err)
	if report.Restored != 1 || results["view"].Status != restore.Failed || !strings.Contains(results["view"].Reason, "associated") {
		t.Errorf("%+v", results)
	}
}

// TestGraphFaults has one mailbox of six items, two of them twins, restored while the server fails to order.
func TestGraphFaults(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		faults []exchangetest.Fault
		want   restore.Report // without Items and Bytes
		held   int
		stop   bool
	}{
		{name: "no fault", want: restore.Report{Restored: 6}, held: 6},
		{name: "the answer to an import is lost",
			faults: []exchangetest.Fault{{Operation: "graph.importItem", Call: 2, Action: exchangetest.ActionCut}},
			want:   restore.Report{Restored: 6}, held: 6},
		{name: "every answer is lost",
			faults: []exchangetest.Fault{{Operation: "graph.importItem", Times: -1, Action: exchangetest.ActionCut}},
			want:   restore.Report{Restored: 6}, held: 6},
		{name: "the gateway loses patience",
			faults: []exchangetest.Fault{{Operation: "graph.importItem", Call: 3, Action: exchangetest.ActionStatus, Status: 504}},
			want:   restore.Report{Restored: 6}, held: 6},
		{name: "too many requests",
			faults: []exchangetest.Fault{{Operation: "graph.importItem", Times: 2, Action: exchangetest.ActionStatus, Status: 429, RetryAfterSeconds: 7}},
			want:   restore.Report{Restored: 6}, held: 6},
		{name: "the session is refused once",
			faults: []exchangetest.Fault{{Operation: "graph.importItem", Call: 2, Action: exchangetest.ActionStatus, Status: 401}},
			want:   restore.Report{Restored: 6}, held: 6},
		{name: "an item is too large",
			faults: []exchangetest.Fault{{Operation: "graph.importItem", Call: 2, Times: 3, Action: exchangetest.ActionStatus, Status: 413}},
			want:   restore.Report{Restored: 6}, held: 6},
		{name: "no right to import",
			faults: []exchangetest.Fault{{Operation: "graph.createImportSession", Times: -1, Action: exchangetest.ActionFault, Status: 403, Code: "ErrorAccessDenied"}},
			want:   restore.Report{Failed: 6}, stop: true},
		{name: "the export is cut", faults: []exchangetest.Fault{{Operation: "graph.exportItems", Action: exchangetest.ActionTruncateInside}},
			want: restore.Report{Restored: 6}, held: 6},
		{name: "the export has no data", faults: []exchangetest.Fault{{Operation: "graph.exportItems", Action: exchangetest.ActionNoData}},
			want: restore.Report{Restored: 6}, held: 6},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			l.load("a@x.example", map[string]string{"Inbox/1.eml": mail("one"), "Inbox/2.eml": mail("two"), "Inbox/3.eml": mail("twin"),
				"Inbox/4.eml": mail("twin"), "Own/5.eml": mail("five"), "Own/6.eml": mail("six")})
			l.server.AddMailbox("b@x.example")
			s := l.backup("a@x.example")
			l.server.AddFaults(row.faults...)
			results, report, err := l.byGraph(s, "b@x.example", restore.Options{})
			if (err != nil) != row.stop {
				t.Errorf("error %v", err)
			}
			report.Items, report.Bytes = 0, 0
			if report != row.want {
				t.Errorf("%+v, want %+v: %+v", report, row.want, results)
			}
			if got := l.holds("b@x.example"); len(got) != row.held {
				t.Errorf("the mailbox holds %q, %d wanted", got, row.held)
			}
			if err != nil && strings.Contains(err.Error(), "authtoken") {
				t.Errorf("a secret in %v", err)
			}
		})
	}
}

// meeting lets requests go when as many are there as are to meet.
type meeting struct{ seats, full chan struct{} }

func (m meeting) RoundTrip(r *http.Request) (*http.Response, error) {
	select {
	case m.seats <- struct{}{}: // the last to come opens for the others
		<-m.full
	default:
		for range cap(m.seats) {
			<-m.seats
			m.full <- struct{}{}
		}
	}
	return http.DefaultTransport.RoundTrip(r)
}

// TestGraphImportsAtOnce: six items are imported by three at a time, in one session.
func TestGraphImportsAtOnce(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	files := map[string]string{}
	for _, name := range strings.Fields("one two three four five six") {
		files["Inbox/"+name+".eml"] = mail(name)
	}
	l.load("a@x.example", files)
	l.server.AddMailbox("b@x.example")
	s := l.backup("a@x.example")
	c, err := graph.New(graph.Options{URL: strings.TrimSuffix(l.url, exchangetest.Path) + exchangetest.GraphPath, Mailbox: "b@x.example",
		HTTP: &http.Client{Transport: bearer{}}, Import: &http.Client{Transport: meeting{make(chan struct{}, graph.AtOnce-1), make(chan struct{})}}})
	must(t, err)
	defer c.Close()
	_, report, err := l.restore(restore.NewGraphMailbox(c, "b@x.example"), l.archive.Versions(t.Context(), s), restore.Options{})
	must(t, err)
	if report.Restored != 6 {
		t.Errorf("%+v", report)
	}
	if got := l.server.RequestsByOperation("b@x.example"); got["graph.importItem"] != 6 || got["graph.createImportSession"] != 1 {
		t.Errorf("%v", got)
	}
}

// TestGraphRefusedImports: what the server lets nobody do is not asked for with every item.
func TestGraphRefusedImports(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	files := map[string]string{}
	for i := range 10 {
		name := strings.Repeat("i", i+1)
		files["Inbox/"+name+".eml"] = mail(name)
	}
	l.load("a@x.example", files)
	l.server.AddMailbox("b@x.example")
	s := l.backup("a@x.example")
	l.server.AddFaults(exchangetest.Fault{Operation: "graph.importItem", Times: -1, Action: exchangetest.ActionStatus, Status: 403})
	_, report, err := l.byGraph(s, "b@x.example", restore.Options{})
	if err == nil || report.Failed != 10 || len(l.holds("b@x.example")) != 0 {
		t.Errorf("%v %+v", err, report)
	}
	if n := l.server.RequestsByOperation("b@x.example")["graph.importItem"]; n > 2*graph.AtOnce {
		t.Errorf("%d imports were tried", n)
	}
}
