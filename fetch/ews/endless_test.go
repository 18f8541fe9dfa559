package ews

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// TestPagesWithoutEnd: a page may hold more than was asked for, but not any number of entries, and it is not asked for again.
func TestPagesWithoutEnd(t *testing.T) {
	t.Parallel()
	heads := map[string]string{
		"SyncFolderItems": `<m:SyncState>s</m:SyncState><m:Changes>`,
		"FindItem":        `<m:RootFolder IncludesLastItemInRange="true"><t:Items>`,
		"FindFolder":      `<m:RootFolder IncludesLastItemInRange="true"><t:Folders>`,
	}
	entries := map[string]string{
		"SyncFolderItems": `<t:Delete><t:ItemId Id="%d"/></t:Delete>`,
		"FindItem":        `<t:Message><t:ItemId Id="%d"/></t:Message>`,
		"FindFolder":      `<t:Folder><t:FolderId Id="%d"/></t:Folder>`,
	}
	for op, ask := range map[string]func(c *Client) error{
		"SyncFolderItems": func(c *Client) error { _, err := c.SyncFolderItems(context.Background(), "f", "", 0); return err },
		"FindFolder":      func(c *Client) error { _, err := c.FindFolders(context.Background(), FolderRef{ID: "f"}); return err },
		"FindItem": func(c *Client) error {
			for _, err := range c.FindItems(context.Background(), "f") {
				return err
			}
			return nil
		},
	} {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			var told, requests atomic.Int64
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests.Add(1)
				w.Header().Set("Content-Type", "text/xml")
				_, err := fmt.Fprint(w, strings.Split(envelope(op, success(op, heads[op]+"CUT")), "CUT")[0])
				for err == nil {
					_, err = fmt.Fprintf(w, entries[op], told.Add(1))
				}
			}))
			defer s.Close()
			c, _ := newTestClient(t, &server{Server: s}, nil)
			e := asError(t, ask(c))
			if e.Class() != Permanent || !strings.Contains(e.Error(), "5000 entries") || requests.Load() != 1 {
				t.Errorf("%v after %d requests, class %v", e, requests.Load(), e.Class())
			}
			if told.Load() > 1<<20 {
				t.Errorf("%d entries were taken", told.Load())
			}
		})
	}
}
