package fetch_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"testing"
	"time"

	"mailbrick/fetch"
	"mailbrick/fetch/ews"
	"mailbrick/fetch/exchangetest"
	"mailbrick/fetch/graph"
)

// work is what the owner does: mail comes, some of it goes again, some goes for good, some moves, some is read. The mailbox
// does not grow by it.
func (p *parts) work() {
	p.Helper()
	create := func(folder, subject string) {
		p.soap(`<m:CreateItem MessageDisposition="SaveOnly"><m:SavedItemFolderId><t:DistinguishedFolderId Id="` + folder + `"/></m:SavedItemFolderId><m:Items><t:Message><t:Subject>` + subject + `</t:Subject></t:Message></m:Items></m:CreateItem>`)
	}
	remove := func(how string, it ews.FoundItem) {
		p.soap(`<m:DeleteItem DeleteType="` + how + `"><m:ItemIds><t:ItemId Id="` + it.Item.ID + `"/></m:ItemIds></m:DeleteItem>`)
	}
	owner, err := ews.New(ews.Options{URL: p.url, User: "backup", Password: "secret", Impersonate: testAddress})
	if err != nil {
		p.Fatal(err)
	}
	defer owner.Close()
	create("archiverecoverableitemsdeletions", "gone there")
	for _, folder := range []string{"archiverecoverableitemsdeletions", "recoverableitemsdeletions", "sentitems"} {
		for items := p.list(owner, folder); len(items) > 1; items = items[1:] {
			remove("HardDelete", items[0])
		}
	}
	for range 3 {
		create("inbox", "new")
	}
	items := p.list(owner, "inbox")
	remove("HardDelete", items[len(items)-1])
	remove("SoftDelete", items[0])
	p.soap(`<m:MoveItem><m:ToFolderId><t:DistinguishedFolderId Id="sentitems"/></m:ToFolderId><m:ItemIds><t:ItemId Id="` + items[1].Item.ID + `"/></m:ItemIds></m:MoveItem>`)
	if _, err := owner.SetRead(p.Context(), items[2].Item, true); err != nil {
		p.Fatal(err)
	}
}

// list gives a folder's items, the oldest first.
func (p *parts) list(owner *ews.Client, folder string) (items []ews.FoundItem) {
	p.Helper()
	found, err := owner.GetFolders(p.Context(), ews.FolderRef{Distinguished: folder})
	if err != nil {
		p.Fatal(err)
	}
	for it, err := range owner.FindItems(p.Context(), found[0].ID) {
		if err != nil {
			p.Fatal(err)
		}
		items = append(items, it)
	}
	return items
}

// graph is a source of all that Graph has.
func (p *parts) graph() fetch.Source {
	p.Helper()
	client := func(archive bool) *graph.Client {
		c, err := graph.New(graph.Options{URL: p.url[:len(p.url)-len(exchangetest.Path)] + exchangetest.GraphPath, Mailbox: testAddress, Archive: archive, MaxAttempts: 1,
			HTTP: &http.Client{Transport: signed{p.kill}}, Import: &http.Client{Transport: p.kill}, Sleep: func(context.Context, time.Duration) error { return nil }})
		if err != nil {
			p.Fatal(err)
		}
		return c
	}
	return fetch.Graph(client(false), fetch.GraphScope{Archive: client(true), Recoverable: true})
}

// TestKilledWhileTheOwnerWorks: a first run that is killed at any of its requests, and then a run that follows changes. The
// owner goes on meanwhile: what the killed run had taken in may be gone when the next one comes.
func TestKilledWhileTheOwnerWorks(t *testing.T) {
	t.Parallel()
	for name, source := range map[string]func(*parts) fetch.Source{
		"EWS":   func(p *parts) fetch.Source { return fetch.EWS(p.client(), everything) },
		"Graph": (*parts).graph,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newParts(t)
			for n, whole := int64(1), false; !whole; n += step() {
				if n > 500 {
					t.Fatal("a run without end")
				}
				killed := openArchive(t)
				p.a, whole = killed, true
				for _, what := range []string{"first run", "next run"} {
					p.kill.left.Store(n)
					_, err := p.try(testAddress, source(p))
					whole = whole && err == nil
					p.kill.left.Store(1 << 40)
					p.work()
					r, err := p.try(testAddress, source(p))
					if err != nil || !r.Complete {
						t.Fatalf("%s killed at request %d: %v, %+v", what, n, err, r)
					}
					got := shown(t, p.a)
					p.a = openArchive(t)
					if _, err := p.try(testAddress, source(p)); err != nil {
						t.Fatal(err)
					}
					if want := shown(t, p.a); !maps.Equal(got, want) {
						t.Fatalf("%s killed at request %d: %s", what, n, differing(got, want))
					}
					p.a = killed
					if r, err := p.try(testAddress, source(p)); err != nil || r.Exported != 0 || r.Snapshot.Added+r.Snapshot.Changed+r.Snapshot.Removed != 0 {
						t.Fatalf("%s killed at request %d: the run after all exports %d, %v", what, n, r.Exported, err)
					}
					p.work()
				}
			}
		})
	}
}

func differing(got, want map[string]string) (text string) {
	for id, v := range got {
		if want[id] == "" {
			text += fmt.Sprintf("%s (%s) is not there any more; ", id, v)
		}
	}
	for id, v := range want {
		if got[id] != v {
			text += fmt.Sprintf("%s is %q, want %q; ", id, got[id], v)
		}
	}
	return text
}
