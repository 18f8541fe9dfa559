package exchangetest_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"mailbrick/fetch/exchangetest"
)

func TestBrokenAnswers(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	c.http = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for _, test := range []struct {
		name   string
		fault  exchangetest.Fault
		status int
		where  string // Location
		begins string
		fails  bool // reading the body
	}{
		{"redirect", exchangetest.Fault{Action: exchangetest.ActionRedirect, Location: "http://other.example/x", Status: 307}, 307, "http://other.example/x", "", false},
		{"error page", exchangetest.Fault{Action: exchangetest.ActionErrorPage}, 302, "/ews/genericerrorpage.htm?aspxerrorpath=/ews/exchange.asmx", "", false},
		{"endless", exchangetest.Fault{Action: exchangetest.ActionEndless, AfterBytes: 1 << 20}, 200, "", `<?xml version="1.0" encoding="utf-8"?><s:Envelope`, true},
		{"wrong length", exchangetest.Fault{Action: exchangetest.ActionWrongLength}, 200, "", `<?xml`, true},
		{"entity bomb", exchangetest.Fault{Action: exchangetest.ActionEntityBomb}, 200, "", `<?xml version="1.0" encoding="utf-8"?><!DOCTYPE`, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			c.server.AddFaults(test.fault)
			resp, data, err := c.send(c.envelope(getInbox))
			if resp == nil {
				t.Fatal(err)
			}
			equal(t, "answer", []any{resp.StatusCode, resp.Header.Get("Location"), err != nil}, []any{test.status, test.where, test.fails})
			if !strings.HasPrefix(string(data), test.begins) {
				t.Errorf("begins with %.80s", data)
			}
			c.ok(c.do(getInbox))
		})
	}
}

func TestStall(t *testing.T) {
	o := exchangetest.Options{Faults: []exchangetest.Fault{{Action: exchangetest.ActionStall, DelayMilliseconds: 70_000}}}
	virtual(t, o, func(t *testing.T, c *client) {
		began := time.Now()
		c.ok(c.do(getInbox))
		equal(t, "took", time.Since(began), 70*time.Second)
	})
}

func TestMove(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	one := c.create("inbox", "one")
	s := &syncer{client: c, folder: distinguished("inbox")}
	s.next(512)
	c.server.AddFaults(exchangetest.Fault{Operation: "GetFolder", Mailbox: box, Action: exchangetest.ActionMove})
	equal(t, "at the old server", c.fault(c.envelope(getInbox)), "ErrorProxyRequestNotAllowed")
	root := strings.TrimSuffix(c.url, exchangetest.Path)
	for _, path := range []string{"/autodiscover/autodiscover.json?Protocol=Ews&Email=" + box, "/autodiscover/autodiscover.json/v1.0/" + box + "?Protocol=EWS"} {
		resp, err := http.Get(root + path)
		if err != nil {
			t.Fatal(err)
		}
		data, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		equal(t, path, strings.TrimSpace(string(data)), fmt.Sprintf(`{"Protocol":"EWS","Url":"%s"}`, root+c.server.Endpoint(box)))
	}
	c.url = root + c.server.Endpoint(box)
	c.blob(one)
	c.create("inbox", "two")
	equal(t, "the state goes on", len(refs(c.ok(c.do(s.request(512))), "ItemId")), 1)
}

func TestFaultsByClassAndFolder(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	inbox, drafts := c.folder("inbox"), c.folder("drafts")
	meeting := refs(c.ok(c.uploadItems(upload("CreateNew", inbox, "", encode(t, "IPM.Appointment.Custom", "x"), ""))), "ItemId")[0]
	note, draft := c.create("inbox", "one"), c.create("drafts", "two")
	order := func(f exchangetest.Fault) {
		f.Operation, f.Action, f.Code, f.Times = "ExportItems", exchangetest.ActionItemError, "ErrorItemCorrupt", 1
		c.server.AddFaults(f)
	}
	for name, f := range map[string]exchangetest.Fault{"class": {Class: "IPM.appointment"}, "class and folder": {Class: "IPM.Appointment", Folder: "inbox"}} {
		order(f)
		c.blob(note) // has none of the class: not counted
		root, _ := c.export(note, meeting, draft)
		equal(t, name, codes(root), []string{"NoError", "ErrorItemCorrupt", "NoError"})
	}
	for name, folder := range map[string]string{"distinguished": "drafts", "display name": "Drafts", "id": drafts.id} {
		order(exchangetest.Fault{Folder: folder})
		root, _ := c.export(note, meeting, draft)
		equal(t, name, codes(root), []string{"NoError", "NoError", "ErrorItemCorrupt"})
	}
	c.server.AddFaults(exchangetest.Fault{Folder: "drafts", Action: exchangetest.ActionStatus, Status: 503})
	c.ok(c.do(getInbox))
	resp, _, _ := c.send(c.envelope(strings.Replace(getInbox, "inbox", "drafts", 1)))
	equal(t, "a whole request", resp.StatusCode, 503)
}

func TestFaultsByChance(t *testing.T) {
	t.Parallel()
	run := func(seed uint64) string {
		c := newClient(t, exchangetest.Options{Faults: []exchangetest.Fault{
			{Operation: "GetFolder", Action: exchangetest.ActionStatus, Status: 503, Probability: 0.3, Seed: seed, Times: -1},
			{Operation: "ExportItems", Action: exchangetest.ActionItemError, Code: "ErrorItemCorrupt", Probability: 0.5, Seed: seed, Times: -1}}})
		var said strings.Builder
		for range 40 {
			resp, _, _ := c.send(c.envelope(getInbox))
			fmt.Fprint(&said, resp.StatusCode/100)
		}
		var items []ref
		for _, subject := range strings.Fields("a b c d e f g h i j k l") {
			items = append(items, c.create("inbox", subject))
		}
		for range 3 {
			root, blobs := c.export(items...)
			fmt.Fprint(&said, codes(root))
			if len(blobs) == 0 || len(blobs) == len(items) {
				t.Errorf("%d of %d items came", len(blobs), len(items))
			}
		}
		return said.String()
	}
	one := run(1)
	equal(t, "the same seed", run(1), one)
	if n := strings.Count(one[:40], "5"); n < 4 || n > 22 {
		t.Errorf("%d of 40 requests failed", n)
	}
	if run(2) == one {
		t.Error("another seed made the same choices")
	}
}

// TestRenumber: nothing that was known of the mailbox before is good for anything, and all is there under other ids.
func TestRenumber(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	one := c.create("inbox", "one")
	s := &syncer{client: c, folder: distinguished("inbox")}
	s.next(512)
	c.server.Renumber(box)
	root, _ := c.export(one)
	equal(t, "by the old id", codes(root), []string{"ErrorNonExistentMailbox"})
	if text := c.do(s.request(512)); !strings.Contains(fmt.Sprint(codes(text)), "ErrorInvalidSyncStateData") {
		t.Errorf("the state goes on: %v", codes(text))
	}
	s.state = ""
	now := refs(c.ok(c.do(s.request(512))), "ItemId")
	if len(now) != 1 || now[0].id == one.id {
		t.Fatalf("%v, before %v", now, one)
	}
	c.blob(now[0])
}
