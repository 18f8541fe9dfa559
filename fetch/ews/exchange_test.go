package ews_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mailbrick/fetch/ews"
	"mailbrick/fetch/exchangetest"
)

const mailbox = "anne@example.org"

// exchange is the simulated server with a mailbox of seven messages, and a client that works on it.
func exchange(t *testing.T, faults ...exchangetest.Fault) (*exchangetest.Server, *ews.Client) {
	t.Helper()
	dir := t.TempDir()
	for i, folder := range []string{"Inbox", "Inbox", "Inbox", "Inbox/Projects", "Inbox/Projects", "Sent Items", "Archive of old"} {
		mail := fmt.Sprintf("From: Anne <anne@example.org>\r\nTo: bob@example.org\r\nSubject: message %d\r\nMessage-ID: <m%d@example.org>\r\nDate: Wed, 1 May 2024 10:0%d:00 +0000\r\n\r\n%s\r\n",
			i, i, i, strings.Repeat("Words of the message. ", 20+i*400))
		path := filepath.Join(dir, folder)
		if err := os.MkdirAll(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(path, fmt.Sprintf("%d.eml", i)), []byte(mail), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := exchangetest.New(exchangetest.Options{WrapData: 76, TempDir: t.TempDir(), Faults: faults})
	s.AddAccount("backup", "word")
	s.AddMailbox("bob@example.org")
	if err := s.Load(mailbox, dir); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(s)
	t.Cleanup(func() { srv.Close(); s.Close() })
	return s, client(t, srv.URL, mailbox, "word")
}

func client(t *testing.T, url, mailbox, password string) *ews.Client {
	t.Helper()
	var mu sync.Mutex
	now := time.Now()
	c, err := ews.New(ews.Options{
		URL: url, User: "backup", Password: password, Impersonate: mailbox,
		Clock: func() time.Time { mu.Lock(); defer mu.Unlock(); return now },
		Sleep: func(ctx context.Context, d time.Duration) error {
			mu.Lock()
			defer mu.Unlock()
			now = now.Add(d)
			return ctx.Err()
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// folders by their names.
func folders(t *testing.T, c *ews.Client) map[string]ews.Folder {
	t.Helper()
	list, err := c.FindFolders(t.Context(), ews.FolderRef{Distinguished: "msgfolderroot"})
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]ews.Folder{}
	for _, f := range list {
		byName[f.Name] = f
	}
	return byName
}

func sync1(t *testing.T, c *ews.Client, folder, state string) ews.SyncPage {
	t.Helper()
	p, err := c.SyncFolderItems(t.Context(), folder, state, 0)
	if err != nil || !p.Last {
		t.Fatalf("%v, last %v", err, p.Last)
	}
	return p
}

func export(t *testing.T, c *ews.Client, items ...ews.ItemRef) (blobs [][]byte, refs []ews.ItemRef) {
	t.Helper()
	err := c.ExportItems(t.Context(), items, func(i int, item ews.ItemRef, body io.Reader, err error) error {
		if err != nil {
			return err
		}
		b, err := io.ReadAll(body)
		blobs, refs = append(blobs, b), append(refs, item)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return blobs, refs
}

func refsOf(p ews.SyncPage) (items []ews.ItemRef) {
	for _, ch := range p.Changes {
		items = append(items, ch.Item)
	}
	return items
}

func bytesOf(b []byte) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }
}

func TestExchangeFolders(t *testing.T) {
	t.Parallel()
	_, c := exchange(t)
	got, err := c.GetFolders(t.Context(), ews.FolderRef{Distinguished: "msgfolderroot"}, ews.FolderRef{Distinguished: "inbox"}, ews.FolderRef{Distinguished: "archivemsgfolderroot"})
	if err != nil || len(got) != 3 || got[0].ID == "" || got[2].ID != "" {
		t.Fatalf("%+v, %v", got, err)
	}
	if in := got[1]; in.Name != "Inbox" || in.Total != 3 || in.ParentID != got[0].ID || in.Distinguished != "inbox" || in.CommitTime == "" || in.Deleted == "" {
		t.Errorf("inbox %+v", in)
	}
	all := folders(t, c)
	if p := all["Projects"]; p.ParentID != got[1].ID || p.Class != "IPF.Note" || p.Total != 2 || p.Search {
		t.Errorf("projects %+v", p)
	}
	made, err := c.CreateFolder(t.Context(), got[1].ID, "Meetings", "IPF.Appointment")
	if err != nil {
		t.Fatal(err)
	}
	again, err := c.CreateFolder(t.Context(), got[1].ID, "meetings", "IPF.Appointment")
	if err != nil || again.ID != made.ID || again.Class != "IPF.Appointment" {
		t.Errorf("again %+v, %v", again, err)
	}
	if f := folders(t, c)["Meetings"]; f.ID != made.ID || f.Class != "IPF.Appointment" {
		t.Errorf("made %+v", f)
	}
}

func TestExchangeSyncExportUpload(t *testing.T) {
	t.Parallel()
	_, c := exchange(t)
	all := folders(t, c)
	inbox, sent := all["Inbox"].ID, all["Sent Items"].ID
	page := sync1(t, c, inbox, "")
	if len(page.Changes) != 3 || page.Changes[0].Kind != ews.Created || page.Changes[0].Size == 0 || page.Changes[0].Class != "IPM.Note" {
		t.Fatalf("%+v", page.Changes)
	}
	blobs, refs := export(t, c, refsOf(page)...)
	for i, ch := range page.Changes {
		if refs[i] != ch.Item || len(blobs[i]) == 0 {
			t.Errorf("item %d: %v, listed as %v, %d bytes", i, refs[i], ch.Item, len(blobs[i]))
		}
	}

	var uploads []ews.Upload
	for _, b := range blobs {
		uploads = append(uploads, ews.Upload{FolderID: sent, Size: int64(len(b)), Open: bytesOf(b)})
	}
	uploads[1].Action, uploads[1].FolderID, uploads[1].Item = ews.Update, inbox, refs[1]
	uploads[2].Associated = true
	res, err := c.UploadItems(t.Context(), uploads)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range res {
		if r.Err != nil || r.Item.ID == "" || (r.Item.ID == refs[i].ID) != (i == 1) {
			t.Errorf("result %d: %+v", i, r)
		}
	}
	news := sync1(t, c, inbox, page.State)
	if len(news.Changes) != 1 || news.Changes[0].Kind != ews.Updated || news.Changes[0].Item != res[1].Item {
		t.Errorf("changes %+v", news.Changes)
	}
	hidden := 0
	for _, ch := range sync1(t, c, sent, "").Changes {
		if ch.Associated {
			hidden++
		}
	}
	if hidden != 1 {
		t.Errorf("%d hidden items", hidden)
	}
}

func TestExchangeFindAndRead(t *testing.T) {
	t.Parallel()
	_, c := exchange(t)
	inbox := folders(t, c)["Inbox"].ID
	page := sync1(t, c, inbox, "")
	var found []ews.FoundItem
	for f, err := range c.FindItems(t.Context(), inbox) {
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, f)
	}
	if len(found) != 3 || !strings.HasPrefix(found[0].Subject, "message ") || !strings.HasPrefix(found[0].MessageID, "<m") || len(found[0].SearchKey) == 0 || found[0].Size == 0 {
		t.Fatalf("%+v", found)
	}
	item, err := c.SetRead(t.Context(), found[0].Item, true)
	if err == nil {
		item, err = c.SetRead(t.Context(), item, false)
	}
	if err != nil || item.ID != found[0].Item.ID || item.ChangeKey == found[0].Item.ChangeKey {
		t.Fatalf("%+v, %v", item, err)
	}
	news := sync1(t, c, inbox, page.State)
	if len(news.Changes) != 1 || news.Changes[0].Kind != ews.ReadFlag || news.Changes[0].Read || news.Changes[0].Item != item {
		t.Errorf("changes %+v", news.Changes)
	}
}

func TestExchangeSaysNo(t *testing.T) {
	t.Parallel()
	s, c := exchange(t)
	all := folders(t, c)
	item := refsOf(sync1(t, c, all["Inbox"].ID, ""))[0]
	srv := httptest.NewServer(s)
	defer srv.Close()
	ctx := t.Context()
	code := func(err error) string {
		var e *ews.Error
		if !errors.As(err, &e) {
			return fmt.Sprint(err)
		}
		return e.Code
	}
	_, err := c.SyncFolderItems(ctx, all["Sent Items"].ID, sync1(t, c, all["Inbox"].ID, "").State, 0)
	if code(err) != "ErrorInvalidSyncStateData" {
		t.Errorf("state of another folder: %v", err)
	}
	if _, err := client(t, srv.URL, mailbox, "wrong").FindFolders(ctx, ews.FolderRef{Distinguished: "inbox"}); !errors.Is(err, ews.ErrCredentials) {
		t.Errorf("wrong password: %v", err)
	}
	if _, err := client(t, srv.URL, "nobody@example.org", "word").FindFolders(ctx, ews.FolderRef{Distinguished: "inbox"}); code(err) != "ErrorNonExistentMailbox" {
		t.Errorf("no mailbox: %v", err)
	}
	if _, err := client(t, srv.URL+"/elsewhere", mailbox, "word").FindFolders(ctx, ews.FolderRef{Distinguished: "inbox"}); !errors.Is(err, ews.ErrNotExchange) {
		t.Errorf("wrong path: %v", err)
	}
	var errs []string
	err = client(t, srv.URL, "bob@example.org", "word").ExportItems(ctx, []ews.ItemRef{item, {ID: "nonsense"}}, func(_ int, _ ews.ItemRef, _ io.Reader, err error) error {
		errs = append(errs, code(err))
		return nil
	})
	if err != nil || len(errs) != 2 || errs[0] != "ErrorNonExistentMailbox" || !strings.HasPrefix(errs[1], "ErrorInvalidId") {
		t.Errorf("ids that are not of the mailbox: %v, %v", errs, err)
	}
}

func TestExchangeFaults(t *testing.T) {
	t.Parallel()
	second := 1
	f := func(op string, action exchangetest.Action) exchangetest.Fault {
		return exchangetest.Fault{Operation: op, Action: action}
	}
	tests := []struct {
		name   string
		fault  exchangetest.Fault
		call   error  // of the export of three items
		failed string // what becomes of each: whole (w), body cut (c), item error (e)
	}{
		{"busy", exchangetest.Fault{Operation: "ExportItems", Action: exchangetest.ActionFault, Code: "ErrorServerBusy", BackOffMilliseconds: 3000, Times: 3}, nil, "www"},
		{"status 503", exchangetest.Fault{Operation: "ExportItems", Action: exchangetest.ActionStatus, Status: 503, RetryAfterSeconds: 7}, nil, "www"},
		{"page", f("ExportItems", exchangetest.ActionHTML), ews.ErrNotExchange, ""},
		{"cut at once", f("ExportItems", exchangetest.ActionCut), nil, "www"},
		{"cut within", exchangetest.Fault{Operation: "ExportItems", Action: exchangetest.ActionCut, AfterBytes: 6000}, ews.ErrTruncated, "wce"},
		{"item error", exchangetest.Fault{Operation: "ExportItems", Action: exchangetest.ActionItemError, Code: "ErrorCorruptData", Index: &second}, nil, "wew"},
		{"rest stopped", exchangetest.Fault{Operation: "ExportItems", Action: exchangetest.ActionItemError, Code: "ErrorMailboxStoreUnavailable", Index: &second, StopRest: true}, nil, "wee"},
		{"notice inside", exchangetest.Fault{Operation: "ExportItems", Action: exchangetest.ActionTruncateInside, Index: &second}, nil, "wcw"},
		{"notice after", f("ExportItems", exchangetest.ActionTruncateAfter), ews.ErrTruncated, "www"},
		{"notice ends all", exchangetest.Fault{Operation: "ExportItems", Action: exchangetest.ActionTruncateEnd, Index: &second}, ews.ErrTruncated, "wce"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, c := exchange(t, tt.fault)
			items := refsOf(sync1(t, c, folders(t, c)["Inbox"].ID, ""))
			var got strings.Builder
			err := c.ExportItems(t.Context(), items, func(_ int, _ ews.ItemRef, body io.Reader, err error) error {
				mark := "e"
				if err == nil {
					mark = "w"
					if _, err := io.Copy(io.Discard, body); err != nil {
						mark = "c"
					}
				}
				got.WriteString(mark)
				return nil
			})
			if !errors.Is(err, tt.call) || got.String() != tt.failed {
				t.Errorf("%v, %s; want %v, %s", err, got.String(), tt.call, tt.failed)
			}
		})
	}
}

func TestExchangeLosesTheAnswerToAnUpload(t *testing.T) {
	t.Parallel()
	_, c := exchange(t, exchangetest.Fault{Operation: "UploadItems", Action: exchangetest.ActionCut})
	all := folders(t, c)
	blobs, _ := export(t, c, refsOf(sync1(t, c, all["Inbox"].ID, ""))[0])
	drafts := all["Drafts"].ID
	up := []ews.Upload{{FolderID: drafts, Size: int64(len(blobs[0])), Open: bytesOf(blobs[0])}}
	res, err := c.UploadItems(t.Context(), up)
	if err != nil || !errors.Is(res[0].Err, ews.ErrUnknownOutcome) {
		t.Fatalf("%+v, %v", res, err)
	}
	if n := len(sync1(t, c, drafts, "").Changes); n != 1 {
		t.Errorf("%d items in the folder, the client sent it again or never", n)
	}
	if res, err = c.UploadItems(t.Context(), up); err != nil || res[0].Err != nil {
		t.Errorf("%+v, %v", res, err)
	}
}
