package restore_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mailbrick/archive"
	"mailbrick/archive/blob/dir"
	"mailbrick/fetch/ews"
	"mailbrick/fetch/exchangetest"
	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/fasttransfer"
	"mailbrick/restore"
)

// lab is an Exchange with mailboxes, and an archive of them.
type lab struct {
	*testing.T
	server  *exchangetest.Server
	url     string
	archive *archive.Archive
}

func newLab(t *testing.T) *lab {
	t.Helper()
	server := exchangetest.New(exchangetest.Options{TempDir: t.TempDir()})
	server.AddAccount("backup", "secret")
	listener := httptest.NewServer(server)
	t.Cleanup(func() { listener.Close(); _ = server.Close() })
	return &lab{t, server, listener.URL + exchangetest.Path, openArchive(t)}
}

func openArchive(t *testing.T) *archive.Archive {
	t.Helper()
	root := t.TempDir()
	bucket, err := dir.Open(root)
	must(t, err)
	o := archive.Options{Bucket: bucket, Catalog: filepath.Join(root, "catalog")}
	must(t, archive.Init(t.Context(), o))
	a, err := archive.Open(t.Context(), o)
	must(t, err)
	t.Cleanup(func() { must(t, a.Close()) })
	return a
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// load fills a mailbox: "Inbox/1.eml" = the message.
func (l *lab) load(address string, files map[string]string) {
	l.Helper()
	root := l.TempDir()
	for name, text := range files {
		name = filepath.Join(root, filepath.FromSlash(name))
		must(l, os.MkdirAll(filepath.Dir(name), 0o777))
		must(l, os.WriteFile(name, []byte(text), 0o666))
	}
	must(l, l.server.Load(address, root))
}

// mail is a small message.
func mail(subject string) string {
	return "From: Ann <ann@example.com>\r\nTo: Bob <bob@example.com>, Carl <carl@example.com>\r\nSubject: " + subject +
		"\r\nDate: Mon, 14 May 2001 16:23:00 +0000\r\nMessage-ID: <" + subject + "@example.com>\r\n\r\nThe text of " + subject + ".\r\n"
}

// client works on a mailbox, without waits.
func (l *lab) client(address string) *ews.Client {
	l.Helper()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	c, err := ews.New(ews.Options{URL: l.url, User: "backup", Password: "secret", Impersonate: address,
		Clock: func() time.Time { return now },
		Sleep: func(_ context.Context, d time.Duration) error { now = now.Add(d); return nil }})
	must(l, err)
	l.Cleanup(c.Close)
	return c
}

// backup brings a mailbox into the archive whole.
func (l *lab) backup(address string) archive.Snapshot {
	l.Helper()
	ctx, c := l.Context(), l.client(address)
	s, err := l.archive.Begin(address)
	must(l, err)
	defer s.Close(ctx)
	for _, f := range l.folders(address) {
		kind := f.Distinguished
		if kind == "msgfolderroot" {
			f.Name, f.ParentID = "", ""
		}
		must(l, s.PutFolder(archive.Folder{ID: f.ID, ParentID: f.ParentID, Name: f.Name, Class: f.Class, Kind: kind}))
		refs := l.items(address, f.ID)
		must(l, c.ExportItems(ctx, slices.Collect(maps.Keys(refs)), func(_ int, ref ews.ItemRef, body io.Reader, err error) error {
			must(l, err)
			item := archive.Item{ItemID: ref.ID, ChangeKey: ref.ChangeKey, FolderID: f.ID, Associated: refs[ews.ItemRef{ID: ref.ID}]}
			return put(ctx, s, item, body)
		}))
	}
	snapshot, err := s.Commit(ctx)
	must(l, err)
	return snapshot
}

func put(ctx context.Context, s *archive.Session, item archive.Item, body io.Reader) error {
	content, m := s.NewContent(ctx), &mapi.Message{}
	report, err := fasttransfer.Scan(body, fasttransfer.Visitor{Message: m, Segment: func(seg fasttransfer.Segment) error {
		return content.Add(archive.Segment{Stream: seg.Stream, Kind: archive.Bulk, Data: seg.Data})
	}})
	if err != nil {
		return err
	}
	summary := mapi.Summarize(m)
	summary.Size = report.Size
	item.Summary, item.Unparsed = summary.Encode(), report.Reason
	return s.Put(ctx, item, content)
}

// folders are all folders with items, the root too.
func (l *lab) folders(address string) []ews.Folder {
	l.Helper()
	c, root := l.client(address), ews.FolderRef{Distinguished: "msgfolderroot"}
	tops, err := c.GetFolders(l.Context(), root)
	must(l, err)
	tops[0].Distinguished = "msgfolderroot"
	below, err := c.FindFolders(l.Context(), root)
	must(l, err)
	return append(tops, slices.DeleteFunc(below, func(f ews.Folder) bool { return f.Search })...)
}

// items are those of a folder, and whether they are associated.
func (l *lab) items(address, folderID string) map[ews.ItemRef]bool {
	l.Helper()
	out := map[ews.ItemRef]bool{}
	for state, last := "", false; !last; {
		page, err := l.client(address).SyncFolderItems(l.Context(), folderID, state, 0)
		must(l, err)
		for _, ch := range page.Changes {
			out[ews.ItemRef{ID: ch.Item.ID}] = ch.Associated
		}
		state, last = page.State, page.Last
	}
	return out
}

// holds lists a mailbox as "folder: subject", sorted; unread items and associated ones are marked.
func (l *lab) holds(address string) []string {
	l.Helper()
	var out []string
	folders := map[string]archive.Folder{}
	list := l.folders(address)
	for _, f := range list[1:] {
		folders[f.ID] = archive.Folder{ID: f.ID, ParentID: f.ParentID, Name: f.Name}
	}
	for _, f := range list {
		refs := l.items(address, f.ID)
		must(l, l.client(address).ExportItems(l.Context(), slices.Collect(maps.Keys(refs)), func(_ int, ref ews.ItemRef, body io.Reader, err error) error {
			must(l, err)
			m := &mapi.Message{}
			_, err = fasttransfer.Scan(body, fasttransfer.Visitor{Message: m})
			line := archive.Path(folders, f.ID) + ": " + m.Subject()
			if !m.Read() {
				line += " (unread)"
			}
			if refs[ews.ItemRef{ID: ref.ID}] {
				line += " (associated)"
			}
			out = append(out, line)
			return err
		}))
	}
	slices.Sort(out)
	return out
}

// upload makes an item of a message in a folder of a mailbox.
func (l *lab) upload(address, distinguished string, m *mapi.Message, associated bool) ews.ItemRef {
	l.Helper()
	c := l.client(address)
	folders, err := c.GetFolders(l.Context(), ews.FolderRef{Distinguished: distinguished})
	must(l, err)
	blob := encode(l.T, m)
	results, err := c.UploadItems(l.Context(), []ews.Upload{{FolderID: folders[0].ID, Associated: associated, Size: int64(len(blob)),
		Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(blob)), nil }}})
	must(l, err)
	must(l, results[0].Err)
	return results[0].Item
}

func encode(t testing.TB, m *mapi.Message) []byte {
	t.Helper()
	var b bytes.Buffer
	must(t, fasttransfer.Encode(&b, m, fasttransfer.EncodeOptions{}))
	return b.Bytes()
}

// run restores a snapshot into a mailbox and gives the results by subject.
func (l *lab) run(s archive.Snapshot, to string, o restore.Options) (map[string]restore.Result, restore.Report, error) {
	l.Helper()
	return l.restore(restore.NewMailbox(l.client(to), to), l.archive.Versions(l.Context(), s), o)
}

func (l *lab) restore(target restore.Target, items iter.Seq2[*archive.Version, error], o restore.Options) (map[string]restore.Result, restore.Report, error) {
	l.Helper()
	subjects := map[archive.ID]string{}
	results := map[string]restore.Result{}
	o.Each = func(r restore.Result) {
		name := subjects[r.ID]
		for n := 2; results[name].Status != ""; n++ {
			name = fmt.Sprintf("%s #%d", subjects[r.ID], n)
		}
		results[name] = r
	}
	report, err := restore.Run(l.Context(), l.archive, target, func(yield func(*archive.Version, error) bool) {
		for v, err := range items {
			if err == nil {
				summary, _ := mapi.DecodeSummary(v.Summary)
				subjects[v.ID] = summary.Subject
			}
			if !yield(v, err) {
				return
			}
		}
	}, o)
	return results, report, err
}

func wantList(t testing.TB, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: have\n%q\nwant\n%q", what, got, want)
	}
}

// find gives an item of a folder by its subject.
func (l *lab) find(address, distinguished, subject string) ews.ItemRef {
	l.Helper()
	c := l.client(address)
	folders, err := c.GetFolders(l.Context(), ews.FolderRef{Distinguished: distinguished})
	must(l, err)
	for f, err := range c.FindItems(l.Context(), folders[0].ID) {
		must(l, err)
		if f.Subject == subject {
			return f.Item
		}
	}
	l.Fatalf("no %q in %s", subject, distinguished)
	return ews.ItemRef{}
}

// delete empties a folder.
func (l *lab) delete(address, distinguished string) {
	l.Helper()
	c := l.client(address)
	folders, err := c.GetFolders(l.Context(), ews.FolderRef{Distinguished: distinguished})
	must(l, err)
	for ref := range l.items(address, folders[0].ID) {
		l.remove(address, ref)
	}
}

// remove deletes an item for good. The client cannot: archives do not delete.
func (l *lab) remove(address string, item ews.ItemRef) {
	l.Helper()
	body := fmt.Sprintf(`<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"
 xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages" xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types">
<s:Header><t:RequestServerVersion Version="Exchange2013_SP1"/><t:ExchangeImpersonation><t:ConnectingSID><t:PrimarySmtpAddress>%s</t:PrimarySmtpAddress>
</t:ConnectingSID></t:ExchangeImpersonation></s:Header><s:Body><m:DeleteItem DeleteType="HardDelete"><m:ItemIds><t:ItemId Id="%s"/></m:ItemIds>
</m:DeleteItem></s:Body></s:Envelope>`, address, item.ID)
	r, err := http.NewRequestWithContext(l.Context(), http.MethodPost, l.url, strings.NewReader(body))
	must(l, err)
	r.SetBasicAuth("backup", "secret")
	r.Header.Set("Content-Type", "text/xml; charset=utf-8")
	answer, err := http.DefaultClient.Do(r)
	must(l, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	must(l, err)
	if !bytes.Contains(text, []byte("NoError")) {
		l.Fatalf("delete: %s", text)
	}
}
