package restore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"mailbrick/fetch/ews"
	"mailbrick/fetch/graph"
	"mailbrick/fetch/wire"
)

// pager answers every request with a page, the number of which it puts in.
type pager struct {
	kind, page string
	n          int
}

func (p *pager) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close()
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return nil, err
		}
	}
	text := `{"primaryMailboxId":"MBX:a@b"}`
	if !strings.HasSuffix(r.URL.Path, "/settings/exchange") {
		p.n++
		text = strings.NewReplacer("{N}", fmt.Sprint(p.n), "{N%9}", fmt.Sprint(p.n%9)).Replace(p.page)
	}
	return &http.Response{StatusCode: http.StatusOK, Request: r, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{"Content-Type": {p.kind}},
		Body: io.NopCloser(strings.NewReader(text))}, nil
}

// ofEWS is an answer to an operation that went well.
func ofEWS(op, inside string) string {
	return `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><m:` + op + `Response xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages" ` +
		`xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"><m:ResponseMessages><m:` + op + `ResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode>` +
		inside + `</m:` + op + `ResponseMessage></m:ResponseMessages></m:` + op + `Response></s:Body></s:Envelope>`
}

// TestListsWithoutEnd: no server keeps a restore busy by a list that leads round, or on and on.
func TestListsWithoutEnd(t *testing.T) {
	t.Parallel()
	const next = `"@odata.nextLink":"http://127.0.0.1/v1.0/admin/exchange?`
	visible := func(ctx context.Context, x exchange) (n int, err error) {
		for _, err := range x.list(ctx, "folder") {
			if err != nil {
				return n, err
			}
			n++
		}
		return n, nil
	}
	hidden := func(ctx context.Context, x exchange) (int, error) {
		list, err := x.hidden(ctx, "folder")
		return len(list), err
	}
	sync := func(state, inside string) string {
		return ofEWS("SyncFolderItems", `<m:SyncState>`+state+`</m:SyncState><m:IncludesLastItemInRange>false</m:IncludesLastItemInRange><m:Changes>`+inside+`</m:Changes>`)
	}
	find := func(inside string) string {
		return ofEWS("FindItem", `<m:RootFolder IndexedPagingOffset="{N}" IncludesLastItemInRange="false"><t:Items>`+inside+`</t:Items></m:RootFolder>`)
	}
	one := func(id string) string { return `<t:Message><t:ItemId Id="` + id + `"/></t:Message>` }
	for name, row := range map[string]struct {
		by   string
		page string
		ask  func(ctx context.Context, x exchange) (int, error)
		want error
		most int // requests
	}{
		"Graph, empty":     {"graph", `{"value":[],` + next + `{N}"}`, visible, wire.ErrEndless, 110},
		"Graph, the same":  {"graph", `{"value":[{"id":"a"}],` + next + `{N}"}`, visible, wire.ErrEndless, 110},
		"Graph, a circle":  {"graph", `{"value":[{"id":"{N}"}],` + next + `{N%9}"}`, visible, wire.ErrCircle, 20},
		"EWS, empty":       {"ews", find(""), visible, wire.ErrEndless, 110},
		"EWS, the same":    {"ews", find(one("a")), visible, wire.ErrEndless, 110},
		"hidden, empty":    {"ews", sync("{N}", ""), hidden, wire.ErrEndless, 110},
		"hidden, the same": {"ews", sync("{N}", `<t:Delete><t:ItemId Id="a"/></t:Delete>`), hidden, wire.ErrEndless, 110},
		"hidden, a circle": {"ews", sync("{N%9}", `<t:Delete><t:ItemId Id="{N}"/></t:Delete>`), hidden, wire.ErrCircle, 20},
		"hidden, for ever": {"ews", sync("{N}", strings.Repeat(`<t:Create><t:Message><t:ItemId Id="{N}`+strings.Repeat("a", 60<<10)+
			`"/><t:IsAssociated>true</t:IsAssociated></t:Message></t:Create>`, 100)), hidden, errListed, 20},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &pager{kind: "text/xml", page: row.page}
			c, err := ews.New(ews.Options{URL: "http://127.0.0.1", User: "u", Password: "p", HTTP: &http.Client{Transport: p}})
			if err != nil {
				t.Fatal(err)
			}
			var x exchange = byEWS{c}
			if row.by == "graph" {
				p.kind = "application/json"
				c, err := graph.New(graph.Options{URL: "http://127.0.0.1", Mailbox: "a@b.example", HTTP: &http.Client{Transport: p}})
				if err != nil {
					t.Fatal(err)
				}
				x = byGraph{c}
			}
			if n, err := row.ask(t.Context(), x); !errors.Is(err, row.want) || p.n > row.most {
				t.Errorf("%d items by %d requests: %v", n, p.n, err)
			}
		})
	}
}
