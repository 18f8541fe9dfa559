package fetch_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mailbrick/archive"
	"mailbrick/fetch"
	"mailbrick/fetch/ews"
	"mailbrick/fetch/exchangetest"
)

var errKilled = errors.New("killed")

// killer lets a number of requests through, and ends the run at the next one.
type killer struct {
	http.RoundTripper
	left atomic.Int64
	end  context.CancelFunc
}

func (k *killer) RoundTrip(r *http.Request) (*http.Response, error) {
	if k.left.Add(-1) < 0 {
		k.end()
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, errKilled
	}
	return k.RoundTripper.RoundTrip(r)
}

// parts is a server with something in every part of a mailbox, and in public folders.
type parts struct {
	*testing.T
	s    *exchangetest.Server
	url  string
	kill *killer
	a    *archive.Archive
}

func newParts(t *testing.T) *parts {
	t.Helper()
	p := &parts{T: t, s: exchangetest.New(exchangetest.Options{TempDir: t.TempDir()}), kill: &killer{RoundTripper: http.DefaultTransport}, a: openArchive(t)}
	p.kill.left.Store(1 << 40)
	p.s.AddAccount("backup", "secret")
	load := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	load(p.s.Load(testAddress, mailTree(t, "Inbox/1", "Inbox/2", "Sent Items/3")))
	load(p.s.LoadArchive(testAddress, mailTree(t, "Inbox/Old/4", "5")))
	load(p.s.LoadPublicFolders(mailTree(t, "Projects/6", "Projects/Sub/7", "Sales/8")))
	server := httptest.NewServer(p.s)
	p.url = server.URL + exchangetest.Path
	t.Cleanup(func() { server.Close(); p.s.Close() })
	p.soap(`<m:CreateItem MessageDisposition="SaveOnly"><m:SavedItemFolderId><t:DistinguishedFolderId Id="recoverableitemspurges"/></m:SavedItemFolderId><m:Items><t:Message><t:Subject>purged</t:Subject></t:Message></m:Items></m:CreateItem>`)
	p.soap(`<m:CreateItem MessageDisposition="SaveOnly"><m:SavedItemFolderId><t:DistinguishedFolderId Id="archiverecoverableitemsdeletions"/></m:SavedItemFolderId><m:Items><t:Message><t:Subject>gone there</t:Subject></t:Message></m:Items></m:CreateItem>`)
	p.soap(`<m:CreateItem MessageDisposition="SaveOnly"><m:SavedItemFolderId><t:DistinguishedFolderId Id="inbox"/></m:SavedItemFolderId><m:Items><t:Message><t:ItemClass>IPM.Configuration.X</t:ItemClass><t:IsAssociated>true</t:IsAssociated></t:Message></m:Items></m:CreateItem>`)
	return p
}

// mailTree writes messages.
func mailTree(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, n := range names {
		path := filepath.Join(dir, n+".eml")
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("From: a@x.example\r\nSubject: "+n+"\r\nDate: Mon, 02 Mar 2026 10:00:00 +0000\r\n\r\n"+n+"\r\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// soap is the mailbox's owner at work.
func (p *parts) soap(body string) {
	p.Helper()
	envelope := `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types" xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages"><s:Header><t:RequestServerVersion Version="Exchange2013_SP1"/><t:ExchangeImpersonation><t:ConnectingSID><t:PrimarySmtpAddress>` +
		testAddress + `</t:PrimarySmtpAddress></t:ConnectingSID></t:ExchangeImpersonation></s:Header><s:Body>` + body + `</s:Body></s:Envelope>`
	req, err := http.NewRequestWithContext(p.Context(), http.MethodPost, p.url, strings.NewReader(envelope))
	if err != nil {
		p.Fatal(err)
	}
	req.SetBasicAuth("backup", "secret")
	req.Header.Set("Content-Type", "text/xml; charset=utf-8")
	resp, err := http.DefaultClient.Do(req)
	if err != nil || resp.StatusCode != http.StatusOK {
		p.Fatal(err, resp)
	}
	resp.Body.Close()
}

func (p *parts) client() *ews.Client {
	p.Helper()
	c, err := ews.New(ews.Options{URL: p.url, User: "backup", Password: "secret", Impersonate: testAddress, HTTP: &http.Client{Transport: p.kill},
		MaxAttempts: 1, Sleep: func(context.Context, time.Duration) error { return nil }})
	if err != nil {
		p.Fatal(err)
	}
	return c
}

func (p *parts) try(mailbox string, source fetch.Source) (fetch.Result, error) {
	p.Helper()
	s, err := p.a.Begin(mailbox)
	if err != nil {
		p.Fatal(err)
	}
	ctx, cancel := context.WithCancel(p.Context())
	defer cancel()
	p.kill.end = cancel
	r, err := fetch.Run(ctx, source, s, fetch.Options{BatchItems: 1})
	if cerr := s.Close(p.Context()); cerr != nil {
		p.Fatal(cerr)
	}
	return r, err
}

func (p *parts) run(scope fetch.EWSScope) fetch.Result {
	p.Helper()
	r, err := p.try(testAddress, fetch.EWS(p.client(), scope))
	if err != nil {
		p.Fatal(err)
	}
	return r
}

// states are the parts with what became of them, in short.
func states(c fetch.Coverage) string {
	var out []string
	for _, p := range c.Parts {
		out = append(out, fmt.Sprintf("%s: %s", p.Name, p.State))
	}
	return strings.Join(out, ", ")
}

// paths are the folders of the items that are alive, each with how many.
func (p *parts) paths(mailbox string) map[string]int {
	p.Helper()
	snap, err := p.a.Latest(mailbox)
	if err != nil {
		p.Fatal(err)
	}
	out := map[string]int{}
	for v, err := range p.a.Versions(p.Context(), snap) {
		if err != nil {
			p.Fatal(err)
		}
		out[v.Folder]++
	}
	return out
}

var everything = fetch.EWSScope{Archive: true, Recoverable: true, Associated: true}

func TestScopeRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault exchangetest.Fault
		want  string
	}{
		"recoverable items": {exchangetest.Fault{Operation: "GetFolder", Item: "recoverableitemsroot", Action: exchangetest.ActionItemError, Code: "ErrorAccessDenied"},
			"primary: covered, archive: covered, recoverable items: refused, recoverable items of the archive: covered, associated: covered, public folders: not asked for"},
		"a remote archive": {exchangetest.Fault{Operation: "GetFolder", Item: "archivemsgfolderroot", Action: exchangetest.ActionItemError, Code: "ErrorGetRemoteArchiveFolderFailed"},
			"primary: covered, archive: refused, recoverable items: covered, recoverable items of the archive: covered, associated: covered, public folders: not asked for"},
		"listing": {exchangetest.Fault{Operation: "FindFolder", Call: 3, Action: exchangetest.ActionItemError, Code: "ErrorAccessDenied"},
			"primary: covered, archive: covered, recoverable items: refused, recoverable items of the archive: covered, associated: covered, public folders: not asked for"},
		"no archive": {exchangetest.Fault{Operation: "GetFolder", Item: "archivemsgfolderroot", Action: exchangetest.ActionItemError, Code: "ErrorArchiveMailboxNotEnabled"},
			"primary: covered, archive: refused, recoverable items: covered, recoverable items of the archive: covered, associated: covered, public folders: not asked for"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newParts(t)
			if r := p.run(everything); !r.Complete || r.Snapshot.Items != 8 {
				t.Fatalf("%+v", r)
			}
			p.s.AddFaults(c.fault)
			r := p.run(everything)
			if got := states(r.Coverage); got != c.want || r.Complete || len(r.Failures) > 0 {
				t.Errorf("%s; %+v", got, r)
			}
			if r.Snapshot.Items != 8 {
				t.Errorf("what is refused went: %v", p.paths(testAddress))
			}
			if r := p.run(everything); !r.Complete || r.Snapshot.Items != 8 {
				t.Errorf("afterwards %+v", r)
			}
		})
	}
}

// TestArchiveThatGoes: one word of the server does not take all of it away; the second does.
func TestArchiveThatGoes(t *testing.T) {
	t.Parallel()
	p := newParts(t)
	p.run(everything)
	p.s.AddFaults(exchangetest.Fault{Operation: "GetFolder", Item: "archivemsgfolderroot", Times: 2, Action: exchangetest.ActionItemError, Code: "ErrorArchiveMailboxNotEnabled"})
	if r := p.run(everything); r.Complete || r.Snapshot.Items != 8 || len(r.Coverage.Missing()) != 1 {
		t.Errorf("said once: %+v", r)
	}
	if r := p.run(everything); !r.Complete || r.Snapshot.Items >= 8 || !strings.Contains(states(r.Coverage), "archive: not there") {
		t.Errorf("said again: %+v", r)
	}
}

// TestHoldsRefused: a folder of the recoverable items that nobody is let into is told, and is no failure. It is remembered
// since when.
func TestHoldsRefused(t *testing.T) {
	t.Parallel()
	p := newParts(t)
	found, err := p.client().GetFolders(t.Context(), ews.FolderRef{Distinguished: "recoverableitemsdiscoveryholds"}, ews.FolderRef{Distinguished: "inbox"})
	if err != nil {
		t.Fatal(err)
	}
	deny := func(id string) {
		p.s.AddFaults(exchangetest.Fault{Operation: "SyncFolderItems", Item: id, Times: -1, Action: exchangetest.ActionItemError, Code: "ErrorAccessDenied"})
	}
	deny(found[0].ID)
	r := p.run(everything)
	if len(r.Coverage.Gaps) != 1 || r.Coverage.Gaps[0].Folder != "Recoverable Items/DiscoveryHolds" || !r.Complete || len(r.Failures) > 0 {
		t.Fatalf("%+v", r)
	}
	deny(found[1].ID)
	first := r.Coverage.Gaps[0].Since
	r = p.run(fetch.EWSScope{Recoverable: true, Associated: true})
	if len(r.Coverage.Gaps) != 1 || !r.Coverage.Gaps[0].Since.Equal(first) {
		t.Errorf("%+v", r)
	}
	// The user's own folders are another matter.
	p.soap(`<m:CreateItem MessageDisposition="SaveOnly"><m:SavedItemFolderId><t:DistinguishedFolderId Id="inbox"/></m:SavedItemFolderId><m:Items><t:Message><t:Subject>new</t:Subject></t:Message></m:Items></m:CreateItem>`)
	r = p.run(fetch.EWSScope{})
	if len(r.Coverage.Gaps) != 1 || r.Complete || len(r.Failures) != 1 || r.Failures[0].Folder != "Inbox" {
		t.Errorf("%+v", r)
	}
	snap, _ := p.a.Latest(testAddress)
	folders, err := p.a.Folders(t.Context(), snap)
	if err != nil {
		t.Fatal(err)
	}
	c, failures, err := fetch.Recorded(t.Context(), p.a, testAddress, folders)
	if err != nil || len(failures) != 0 || len(c.Gaps) != 1 || !c.Gaps[0].Failed || states(c) != states(r.Coverage) {
		t.Errorf("kept: %+v, %v, %v", c, failures, err)
	}
}

// step is how many requests lie between two kills: each one in the long run.
func step() int64 {
	if os.Getenv("MAILBRICK_TORTURE") == "1" {
		return 1
	}
	return 7
}

// TestScopeKilled: a run that is killed at any of its requests is gone on with, nothing twice and nothing missing.
func TestScopeKilled(t *testing.T) {
	t.Parallel()
	p := newParts(t)
	want := "map[:0]"
	for n, whole := int64(1), false; !whole; n += step() {
		p.a = openArchive(t)
		p.kill.left.Store(n)
		_, err := p.try(testAddress, fetch.EWS(p.client(), everything))
		whole = err == nil
		p.kill.left.Store(1 << 40)
		r := p.run(everything)
		if got := fmt.Sprint(p.paths(testAddress)); got != want && n > 1 || !r.Complete || r.Snapshot.Items != 8 {
			t.Fatalf("killed at request %d: %v, want %v; %+v", n, got, want, r)
		} else {
			want = got
		}
		if r := p.run(everything); r.Exported != 0 {
			t.Fatalf("killed at request %d: the third run exports %d", n, r.Exported)
		}
	}
}

func (p *parts) public() (fetch.Result, int) {
	p.Helper()
	c := p.client()
	r, err := p.try("public folders of x.example", fetch.EWSPublicFolders(c, "x.example", true))
	if err != nil {
		p.Fatal(err)
	}
	return r, c.Stats().Requests
}

func TestPublicFolders(t *testing.T) {
	t.Parallel()
	p := newParts(t)
	p.s.PublicFolders().Place("Sales", "0e5f0b3a-1111-4222-8333-444455556666")
	r, _ := p.public()
	if got := fmt.Sprint(p.paths("public folders of x.example")); got != "map[Projects:1 Projects/Sub:1 Sales:1]" || !r.Complete || states(r.Coverage) != "public folders: covered, associated: covered" {
		t.Fatalf("%s %+v", got, r)
	}
	if r, n := p.public(); r.Exported != 0 || n != 3 {
		t.Errorf("unchanged: %d requests, %+v", n, r)
	}
	id := p.publicFolder("Projects")
	p.soap(`<m:CreateItem MessageDisposition="SaveOnly"><m:SavedItemFolderId><t:FolderId Id="` + id + `"/></m:SavedItemFolderId><m:Items><t:Message><t:Subject>new</t:Subject></t:Message></m:Items></m:CreateItem>`)
	if r, _ := p.public(); r.Exported != 1 || r.Snapshot.Items != 4 {
		t.Errorf("after a new item: %+v", r)
	}
	page, err := p.client().ListItems(t.Context(), id, 0, false)
	if err != nil || len(page.Items) != 2 {
		t.Fatal(page, err)
	}
	p.soap(`<m:DeleteItem DeleteType="SoftDelete"><m:ItemIds><t:ItemId Id="` + page.Items[0].Item.ID + `"/></m:ItemIds></m:DeleteItem>`)
	if r, _ := p.public(); r.Exported != 0 || r.Snapshot.Removed != 1 || r.Snapshot.Items != 3 {
		t.Errorf("after a deletion: %+v", r)
	}
	// They are no mailbox of a server, nor is one they.
	if _, err := p.try("public folders of x.example", fetch.EWS(p.client(), everything)); !errors.Is(err, fetch.ErrOtherSource) {
		t.Error(err)
	}
	// Refused as a whole: what is known stays.
	p.s.AddFaults(exchangetest.Fault{Operation: "GetFolder", Action: exchangetest.ActionItemError, Code: "ErrorAccessDenied"})
	if r, _ := p.public(); r.Snapshot.Items != 3 || r.Complete || states(r.Coverage) != "public folders: refused, associated: covered" {
		t.Errorf("refused: %+v", r)
	}
}

func (p *parts) publicFolder(name string) string {
	p.Helper()
	list, err := p.client().ChildFolders(p.Context(), ews.FolderRef{Distinguished: "publicfoldersroot"})
	if err != nil {
		p.Fatal(err)
	}
	for _, f := range list {
		if f.Name == name {
			return f.ID
		}
	}
	p.Fatal("no public folder " + name)
	return ""
}

// TestPublicFoldersKilled is TestScopeKilled for folders that are listed, not followed.
func TestPublicFoldersKilled(t *testing.T) {
	t.Parallel()
	p := newParts(t)
	for n, whole := int64(1), false; !whole; n += step() {
		p.a = openArchive(t)
		p.kill.left.Store(n)
		_, err := p.try("public folders of x.example", fetch.EWSPublicFolders(p.client(), "x.example", true))
		whole = err == nil
		p.kill.left.Store(1 << 40)
		if r, _ := p.public(); !r.Complete || r.Snapshot.Items != 3 {
			t.Fatalf("killed at request %d: %+v", n, r)
		}
		if r, _ := p.public(); r.Exported != 0 {
			t.Fatalf("killed at request %d: the third run exports %d", n, r.Exported)
		}
	}
}
