package ews

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mailbrick/fetch/wire"
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

// TestListsThatLeadNowhere: pages that bring nothing, or the same again and again, are given up, though they advance.
func TestListsThatLeadNowhere(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		op, list, entry string
		ask             func(c *Client) error
	}{
		"no folders":       {"FindFolder", "Folders", "", func(c *Client) error { _, err := c.FindFolders(t.Context(), FolderRef{ID: "f"}); return err }},
		"the same folders": {"FindFolder", "Folders", `<t:Folder><t:FolderId Id="a"/></t:Folder>`, func(c *Client) error { _, err := c.FindFolders(t.Context(), FolderRef{ID: "f"}); return err }},
		"no items": {"FindItem", "Items", "", func(c *Client) error {
			for _, err := range c.FindItems(t.Context(), "f") {
				if err != nil {
					return err
				}
			}
			return nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int64
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/xml")
				fmt.Fprint(w, envelope(row.op, success(row.op, fmt.Sprintf(`<m:RootFolder IndexedPagingOffset="%d" IncludesLastItemInRange="false"><t:%s>%s</t:%s></m:RootFolder>`,
					requests.Add(1), row.list, row.entry, row.list))))
			}))
			defer s.Close()
			c, _ := newTestClient(t, &server{Server: s}, nil)
			if e := asError(t, row.ask(c)); e.Class() != Permanent || !errors.Is(e, wire.ErrEndless) || requests.Load() > wire.MostIdle+10 {
				t.Errorf("%v after %d requests", e, requests.Load())
			}
		})
	}
}

// TestStreamsOfAHostileServer: a stream of events that does not end in its time is given up, and so is a notification without end.
func TestStreamsOfAHostileServer(t *testing.T) {
	t.Parallel()
	begin, _, _ := strings.Cut(envelope("GetStreamingEvents", success("GetStreamingEvents", "<m:Notifications><m:Notification><t:SubscriptionId>s</t:SubscriptionId>CUT")), "CUT")
	for name, row := range map[string]struct {
		begin, piece string
		rests        time.Duration
		said         string
		took         time.Duration
	}{
		"drips":                  {"", " ", 4 * time.Minute, "did not end in its time", 35 * time.Minute},
		"drips after good words": {envelope("GetStreamingEvents", success("GetStreamingEvents", "<m:ConnectionStatus>OK</m:ConnectionStatus>")), " ", 4 * time.Minute, "did not end in its time", 35 * time.Minute},
		"stands still":           {"", "", time.Minute, "stood still", 5 * time.Minute},
		"events without end":     {begin, "<t:NewMailEvent><t:ParentFolderId Id=\"f\"/></t:NewMailEvent>", time.Millisecond, "5000 entries", time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, err := New(Options{URL: "http://127.0.0.1", User: "u", Password: "p", MaxAttempts: 1, HTTP: &http.Client{Transport: tripper(func(r *http.Request) (*http.Response, error) {
					_, _ = io.Copy(io.Discard, r.Body)
					_ = r.Body.Close()
					here, there := net.Pipe()
					context.AfterFunc(r.Context(), func() { there.Close() })
					go func() {
						_, err := io.WriteString(there, row.begin)
						for err == nil {
							time.Sleep(row.rests)
							if row.piece != "" {
								_, err = io.WriteString(there, row.piece)
							} else {
								err = r.Context().Err()
							}
						}
					}()
					return &http.Response{StatusCode: 200, ProtoMajor: 1, Request: r, Header: http.Header{"Content-Type": {"text/xml"}}, Body: here}, nil
				})}})
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				err = c.listen(t.Context(), new(affinity), []string{"s"}, time.Hour, func(notice) {})
				if took := time.Since(began); err == nil || !strings.Contains(err.Error(), row.said) || took > row.took+time.Second {
					t.Errorf("after %v: %v", took, err)
				}
				time.Sleep(row.rests + time.Minute) // the server learns that nobody listens
			})
		})
	}
}

type tripper func(r *http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
