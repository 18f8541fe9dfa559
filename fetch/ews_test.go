package fetch_test

import (
	"context"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mailbrick/archive"
	"mailbrick/archive/blob/blobtest"
	"mailbrick/fetch"
	"mailbrick/fetch/ews"
	"mailbrick/fetch/exchangetest"
)

// testAddress is one whose ids have "+" and "/", which Graph writes otherwise.
const testAddress = "anne@x.example"

// exchange serves one mailbox of n messages.
func exchange(t *testing.T, n int) (*exchangetest.Server, *ews.Client) {
	t.Helper()
	s, url := serve(t, n)
	return s, ewsClient(t, url)
}

func ewsClient(t *testing.T, url string) *ews.Client {
	t.Helper()
	client, err := ews.New(ews.Options{URL: url + exchangetest.Path, User: "backup", Password: "secret", Impersonate: testAddress,
		Sleep: func(context.Context, time.Duration) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// serve is exchange without a client.
func serve(t *testing.T, n int) (*exchangetest.Server, string) {
	t.Helper()
	tree := t.TempDir()
	for i := range n {
		dir := filepath.Join(tree, []string{"Inbox", "Inbox/Deep/Deeper", "Sent Items"}[i%3])
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		mail := fmt.Sprintf("From: a@x.example\r\nTo: ann@x.example\r\nSubject: number %d\r\nDate: Mon, 02 Mar 2026 10:00:00 +0000\r\n\r\nText of %d.\r\n", i, i)
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i, ".eml")), []byte(mail), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := exchangetest.New(exchangetest.Options{TempDir: t.TempDir()})
	s.AddAccount("backup", "secret")
	if err := s.Load(testAddress, tree); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	t.Cleanup(func() {
		server.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, server.URL
}

func openArchive(t *testing.T) *archive.Archive {
	t.Helper()
	o := archive.Options{Bucket: &blobtest.Memory{}, Catalog: filepath.Join(t.TempDir(), "catalog")}
	if err := archive.Init(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	a, err := archive.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

func backUp(t *testing.T, a *archive.Archive, client *ews.Client) fetch.Result {
	t.Helper()
	s, err := a.Begin(testAddress)
	if err != nil {
		t.Fatal(err)
	}
	r, err := fetch.Run(t.Context(), fetch.EWS(client, fetch.EWSScope{}), s, fetch.Options{})
	if cerr := s.Close(t.Context()); err != nil || cerr != nil {
		t.Fatal(err, cerr)
	}
	return r
}

func TestEWSUnchangedCostsTwoRequests(t *testing.T) {
	t.Parallel()
	_, client := exchange(t, 30)
	a := openArchive(t)
	if r := backUp(t, a, client); r.Exported != 30 || !r.Complete {
		t.Fatalf("first %+v", r)
	}
	before := client.Stats().Requests
	if r := backUp(t, a, client); r.Exported != 0 || r.Snapshot.Items != 30 {
		t.Errorf("second %+v", r)
	}
	if n := client.Stats().Requests - before; n != 2 {
		t.Errorf("an unchanged mailbox costs %d requests, want 2", n)
	}
}

// TestEWSFaults orders every kind of fault upon exports and lists: after at most one more run everything is there, once.
func TestEWSFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault    exchangetest.Fault
		failed   int
		unparsed int
		missing  int // after the first run
	}{
		"busy":            {exchangetest.Fault{Operation: "ExportItems", Action: exchangetest.ActionFault, Code: "ErrorServerBusy", BackOffMilliseconds: 1500}, 0, 0, 0},
		"busy sync":       {exchangetest.Fault{Operation: "SyncFolderItems", Action: exchangetest.ActionFault, Code: "ErrorServerBusy"}, 0, 0, 0},
		"unavailable":     {exchangetest.Fault{Operation: "ExportItems", Action: exchangetest.ActionStatus, Status: 503}, 0, 0, 0},
		"too many":        {exchangetest.Fault{Operation: "FindFolder", Action: exchangetest.ActionStatus, Status: 429, RetryAfterSeconds: 3}, 0, 0, 0},
		"cut":             {exchangetest.Fault{Operation: "ExportItems", Action: exchangetest.ActionCut, AfterBytes: 2000}, 0, 0, 0},
		"truncated in":    {exchangetest.Fault{Operation: "ExportItems", Action: exchangetest.ActionTruncateInside}, 0, 0, 0},
		"truncated after": {exchangetest.Fault{Operation: "ExportItems", Action: exchangetest.ActionTruncateAfter}, 0, 0, 0},
		"truncated end":   {exchangetest.Fault{Operation: "ExportItems", Action: exchangetest.ActionTruncateEnd}, 0, 0, 0},
		"corrupt item":    {exchangetest.Fault{Operation: "ExportItems", Action: exchangetest.ActionItemError, Code: "ErrorCorruptData", Index: new(int)}, 1, 0, 1},
		"batch stopped":   {exchangetest.Fault{Operation: "ExportItems", Action: exchangetest.ActionItemError, Code: "ErrorMailboxStoreUnavailable", Index: new(int), StopRest: true}, 0, 0, 0},
		"garbage once":    {exchangetest.Fault{Operation: "ExportItems", Action: exchangetest.ActionGarbage, Index: new(int)}, 0, 0, 0},
		"garbage twice":   {exchangetest.Fault{Operation: "ExportItems", Action: exchangetest.ActionGarbage, Index: new(int), Times: 2}, 0, 1, 0},
		"gone, it says":   {exchangetest.Fault{Operation: "ExportItems", Action: exchangetest.ActionItemError, Code: "ErrorItemNotFound", Index: new(int)}, 0, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, client := exchange(t, 9)
			s.AddFaults(c.fault)
			a := openArchive(t)
			r := backUp(t, a, client)
			if len(r.Failures) != c.failed || r.Unparsed != c.unparsed || r.Snapshot.Items != 9-c.missing {
				t.Fatalf("with the fault: %+v", r)
			}
			if r := backUp(t, a, client); len(r.Failures) != 0 || r.Snapshot.Items != 9 {
				t.Errorf("after it: %+v", r)
			}
			checkBlobs(t, a)
		})
	}
}

// checkBlobs reads every item back.
func checkBlobs(t *testing.T, a *archive.Archive) {
	t.Helper()
	snap, err := a.Latest(testAddress)
	if err != nil {
		t.Fatal(err)
	}
	for v, err := range a.Versions(t.Context(), snap) {
		if err != nil {
			t.Fatal(err)
		}
		r, err := a.OpenBlob(t.Context(), v)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			t.Error(err)
		}
	}
}
