package graph

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"mailbrick/fetch/wire"
)

// told is a folder of an answer: so many children by its own count, and those that the answer tells of.
func told(id string, count int, below ...string) string {
	list := ""
	if below != nil {
		list = `,"childFolders":[` + strings.Join(below, ",") + `]`
	}
	return fmt.Sprintf(`{"id":%q,"displayName":%q,"childFolderCount":%d%s}`, id, id, count, list)
}

// marked is the folder with its change marks.
func marked(folder string) string {
	return strings.TrimSuffix(folder, "}") + `,"singleValueExtendedProperties":[{"id":"SystemTime 0x670a","value":"2026-01-02T03:04:05Z"},{"id":"Integer 0x670b","value":"0"}]}`
}

func listOf(folders ...string) reply {
	return reply{body: `{"value":[` + strings.Join(folders, ",") + `]}`}
}

// TestTrees: what an answer tells of the levels below is believed only where the server's own count says that it is all.
func TestTrees(t *testing.T) {
	t.Parallel()
	of := func(id string) string { return mailbox + "/folders/" + id + "/childFolders" }
	for name, row := range map[string]struct {
		set      func(s *server)
		want     string // folders with their parents
		requests int
	}{
		"four levels": {func(s *server) {
			s.on(mailbox+"/folders", listOf(told("a", 1, told("b", 2, told("c", 1, told("d", 0)), told("e", 0))), told("f", 0)))
		}, "a< b<a c<b d<c e<b f<", 1},
		"more levels": {func(s *server) {
			s.on(mailbox+"/folders", listOf(told("a", 1, told("b", 1, told("c", 1, told("d", 1))))))
			s.on(of("d"), listOf(told("e", 1, told("f", 0))))
		}, "a< b<a c<b d<c e<d f<e", 2},
		"ten of twelve are told": {func(s *server) {
			s.on(mailbox+"/folders", listOf(told("a", 3, told("b", 0), told("c", 0)), told("g", 0, []string{}...)))
			s.on(of("a"), listOf(told("b", 0), told("c", 0), told("d", 1, told("e", 0))))
		}, "a< b<a c<a d<a e<d g<", 2},
		"hidden ones are counted": {func(s *server) {
			s.on(mailbox+"/folders", listOf(told("a", 2, told("b", 0))))
			s.on(of("a"), listOf(told("b", 0)))
		}, "a< b<a", 2},
		"they are not told": {func(s *server) {
			s.on(mailbox+"/folders", listOf(told("a", 1), told("z", 1)))
			s.on(of("a"), listOf(told("b", 0)))
			s.on(of("z"), listOf(told("y", 0)))
		}, "a< b<a z< y<z", 3},
		"no count": {func(s *server) {
			s.on(mailbox+"/folders", listOf(`{"id":"a","childFolders":[]}`))
			s.on(of("a"), listOf(told("b", 0)))
		}, "a< b<a", 2},
		"the question is refused": {func(s *server) {
			s.on(mailbox+"/folders", failure(400, "ErrorInvalidUrlQuery"), listOf(told("a", 1), told("z", 1)))
			s.on(of("a"), listOf(told("b", 0)))
			s.on(of("z"), listOf(told("y", 0)))
		}, "a< b<a z< y<z", 4},
		"the question is too long": {func(s *server) {
			s.on(mailbox+"/folders", reply{status: 414, body: "{}"}, listOf(told("a", 0)))
		}, "a<", 2},
		"no marks are told below": {func(s *server) {
			s.on(mailbox+"/folders", listOf(marked(told("a", 1, told("b", 0)))), listOf(marked(told("a", 1))))
			s.on(of("a"), listOf(marked(told("b", 0))))
		}, "a< b<a", 3},
		"marks are told below": {func(s *server) {
			s.on(mailbox+"/folders", listOf(marked(told("a", 2, told("b", 0), marked(told("c", 0))))))
		}, "a< b<a c<a", 1},
		"a folder in itself": {func(s *server) {
			s.on(mailbox+"/folders", listOf(told("a", 1, told("a", 1))))
		}, "a<", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			row.set(s)
			c, _ := newTestClient(t, s, nil)
			list, err := c.Folders(t.Context(), "")
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range list {
				got = append(got, f.ID+"<"+f.ParentID)
			}
			if strings.Join(got, " ") != row.want || len(s.all()) != row.requests {
				t.Errorf("%v by %d requests, want %s by %d", got, len(s.all()), row.want, row.requests)
			}
		})
	}
}

// TestPagesWithoutEnd: a page may hold more than was asked for, but not any number of entries, and it is not asked for again.
func TestPagesWithoutEnd(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		start string
		ask   func(t *testing.T, c *Client) error
		class Class
		tries int64 // folders are asked for level by level, too
	}{
		"items":        {`{"value":[`, func(t *testing.T, c *Client) error { _, err := c.ChangedItems(t.Context(), "f", ""); return err }, Permanent, 1},
		"list":         {`{"value":[`, func(t *testing.T, c *Client) error { _, err := c.ListItems(t.Context(), "f", ""); return err }, Permanent, 1},
		"folders":      {`{"value":[`, func(t *testing.T, c *Client) error { _, err := c.Folders(t.Context(), ""); return err }, Shrink, 2},
		"child folder": {`{"value":[{"id":"a","childFolders":[`, func(t *testing.T, c *Client) error { _, err := c.Folders(t.Context(), ""); return err }, Shrink, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var told, requests atomic.Int64
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				if strings.HasSuffix(r.URL.Path, "/settings/exchange") {
					_, _ = io.WriteString(w, `{"primaryMailboxId":"MBX:a@b"}`)
					return
				}
				requests.Add(1)
				_, err := io.WriteString(w, row.start+`{"id":"0"}`)
				for err == nil {
					_, err = fmt.Fprintf(w, `,{"id":"%d"}`, told.Add(1))
				}
			}))
			defer s.Close()
			c, _ := newTestClient(t, &server{Server: s}, nil)
			e := asError(t, row.ask(t, c))
			if e.Class() != row.class || !strings.Contains(e.Error(), "a page of more than") || requests.Load() != row.tries || told.Load() > 1<<20 {
				t.Errorf("%v after %d requests and %d entries, class %v", e, requests.Load(), told.Load(), e.Class())
			}
		})
	}
}

// TestFolderPagesWithoutEnd: pages of folders that bring nothing and lead on for ever are given up.
func TestFolderPagesWithoutEnd(t *testing.T) {
	t.Parallel()
	var requests atomic.Int64
	s := newServer(t)
	c, _ := newTestClient(t, s, func(o *Options) {
		o.HTTP = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			body := `{"primaryMailboxId":"MBX:a@b"}`
			if n := requests.Add(1); n > 1 {
				body = fmt.Sprintf(`{"value":[],"@odata.nextLink":"%s/v1.0/admin?$skip=%d"}`, s.URL, n)
			}
			return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body))}, nil
		})}
	})
	if _, err := c.Folders(t.Context(), ""); err == nil || requests.Load() > 2*wire.MostIdle {
		t.Errorf("%v after %d requests", err, requests.Load())
	}
}

type roundTrip func(r *http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
