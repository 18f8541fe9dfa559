package exchangetest_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"mailbrick/fetch/exchangetest"
)

// graph sends literal requests to Graph. It knows nothing of it but JSON.
type graph struct {
	*client
	root string // the server's
	base string // of the mailbox
	id   string // MBX:…
}

// doc is a JSON document.
type doc map[string]any

func newGraph(t testing.TB, o exchangetest.Options) *graph {
	t.Helper()
	c := newClient(t, o)
	g := &graph{client: c, root: strings.TrimSuffix(c.url, exchangetest.Path)}
	g.open("/v1.0")
	return g
}

// open takes the mailbox below a root of Graph.
func (g *graph) open(root string) {
	g.t.Helper()
	g.id = g.text(g.get(g.root+root+"/users/"+box+"/settings/exchange"), "primaryMailboxId")
	g.base = g.root + root + "/admin/exchange/mailboxes/" + g.id
}

// raw sends a request; header is "Name: value" lines.
func (g *graph) raw(method, url, body string, header ...string) (*http.Response, []byte, error) {
	g.t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer secret")
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		if r.Header.Del(name); value != "" {
			r.Header.Set(name, value)
		}
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return resp, data, err
}

// call sends a request that must be answered with that status, and gives the document.
func (g *graph) call(status int, method, url, body string, header ...string) doc {
	g.t.Helper()
	resp, data, err := g.raw(method, url, body, header...)
	if err != nil {
		g.t.Fatal(err)
	}
	if resp.StatusCode != status {
		g.t.Fatalf("%s %s: status %d, want %d: %s", method, url, resp.StatusCode, status, data)
	}
	var d doc
	if len(data) > 0 {
		if err := json.Unmarshal(data, &d); err != nil {
			g.t.Fatalf("%v in %.300s", err, data)
		}
	}
	return d
}

func (g *graph) get(url string, header ...string) doc {
	g.t.Helper()
	return g.call(200, "GET", url, "", header...)
}

// code is that of an error in its envelope.
func (g *graph) code(status int, method, url, body string, header ...string) string {
	g.t.Helper()
	e, _ := g.call(status, method, url, body, header...)["error"].(map[string]any)
	inner, _ := e["innerError"].(map[string]any)
	for _, name := range []string{"date", "request-id", "client-request-id"} {
		if inner[name] == nil || inner[name] == "" {
			g.t.Errorf("no %s in the envelope: %v", name, e)
		}
	}
	code, _ := e["code"].(string)
	return code
}

func (g *graph) text(d doc, name string) string {
	g.t.Helper()
	s, ok := d[name].(string)
	if !ok {
		g.t.Fatalf("no %s in %v", name, d)
	}
	return s
}

func values(d doc) (list []doc) {
	all, _ := d["value"].([]any)
	for _, v := range all {
		list = append(list, v.(map[string]any))
	}
	return list
}

// column is one member of all values.
func column(list []doc, name string) (texts []string) {
	for _, d := range list {
		texts = append(texts, fmt.Sprint(d[name]))
	}
	return texts
}

// all follows nextLink to the end.
func (g *graph) all(url string, header ...string) (list []doc, last doc) {
	g.t.Helper()
	for range 100 {
		d := g.get(url, header...)
		list = append(list, values(d)...)
		next, more := d["@odata.nextLink"].(string)
		if !more {
			return list, d
		}
		url = next
	}
	g.t.Fatal("no end of pages")
	return nil, nil
}

// rest is an EWS id in Graph's letters.
func rest(id string) string { return strings.NewReplacer("/", "-", "+", "_").Replace(id) }

func (g *graph) exported(ids ...string) doc {
	g.t.Helper()
	body, _ := json.Marshal(map[string]any{"itemIds": ids})
	return g.call(200, "POST", g.base+"/exportItems", string(body))
}

func (g *graph) data(d doc) []byte {
	g.t.Helper()
	b, err := base64.StdEncoding.DecodeString(g.text(d, "data"))
	if err != nil {
		g.t.Fatal(err)
	}
	return b
}

func TestGraphShowsTheMailboxOfEWS(t *testing.T) {
	t.Parallel()
	g := newGraph(t, exchangetest.Options{})
	var made []ref
	for i := range 12 {
		made = append(made, g.create("inbox", fmt.Sprint("m", i)))
	}
	folders, _ := g.all(g.base + "/folders")
	names := column(folders, "displayName")
	equal(t, "folders", names, []string{"Calendar", "Contacts", "Deleted Items", "Drafts", "Inbox", "Journal", "Junk Email", "Notes", "Outbox",
		"Sent Items", "Tasks", "AllItems"})
	inbox := folders[4]
	equal(t, "id", inbox["id"], rest(g.folder("inbox").id))
	equal(t, "count", inbox["totalItemCount"], 12)
	items, _ := g.all(g.base + "/folders/Inbox/items?$orderby=createdDateTime")
	listed, _ := g.all(g.base + "/folders/" + inbox["id"].(string) + "/items/delta")
	equal(t, "listed", len(items), 12)
	for i, r := range made {
		equal(t, "id", listed[i]["id"], rest(r.id))
		equal(t, "change key", listed[i]["changeKey"], r.key)
	}
	for i, d := range values(g.exported(column(listed, "id")...)) {
		equal(t, "key", d["changeKey"], made[i].key)
		same(t, "stream", g.data(d), g.blob(made[i]))
	}
}

func TestGraphDeltaFollowsEWS(t *testing.T) {
	t.Parallel()
	g := newGraph(t, exchangetest.Options{})
	a, b := g.create("inbox", "a"), g.create("inbox", "b")
	_, d := g.all(g.base+"/folders/inbox/items/delta?$select=size", "Prefer: odata.maxpagesize=1")
	again := g.get(g.text(d, "@odata.deltaLink"))
	equal(t, "nothing new", len(values(again)), 0)
	g.ok(g.do(deleteItem("HardDelete", a.bare())))
	b2 := refs(g.ok(g.do(setField(b, "item:Subject", "<t:Subject>new</t:Subject>"))), "ItemId")[0]
	list, _ := g.all(g.text(again, "@odata.deltaLink"))
	equal(t, "changes", len(list), 2)
	equal(t, "removed", fmt.Sprint(list[0]["id"], list[0]["@removed"]), fmt.Sprint(rest(a.id), map[string]any{"reason": "deleted"}))
	equal(t, "changed", list[1]["@odata.etag"], `W/"`+b2.key+`"`)
	equal(t, "selected", fmt.Sprint(list[1]["size"] != nil, list[1]["type"]), "true <nil>")
	gone := strings.Replace(g.text(again, "@odata.deltaLink"), "inbox", "drafts", 1)
	equal(t, "of another folder", g.code(410, "GET", gone, ""), "syncStateNotFound")
	equal(t, "no token", g.code(400, "GET", g.base+"/folders/inbox/items/delta?$deltatoken=x", ""), "SyncStateInvalid")
}

func TestGraphExpandsProperties(t *testing.T) {
	t.Parallel()
	g := newGraph(t, exchangetest.Options{})
	g.create("inbox", "first")
	g.create("inbox", "second")
	q := url.Values{"$filter": {"singleValueExtendedProperties/Any(ep: ep/id eq 'String 0x1035' and ep/value eq '<first@x.example>')"},
		"$expand": {"singleValueExtendedProperties($filter=id eq 'String 0x0037' or id eq 'Binary 0x300B' or id eq 'String 0x3FFF')"}, "$count": {"true"}}
	d := g.get(g.base + "/folders/inbox/items?" + q.Encode())
	equal(t, "count", d["@odata.count"], 1)
	properties := values(d)[0]["singleValueExtendedProperties"].([]any)
	equal(t, "properties", len(properties), 2)
	equal(t, "subject", properties[0], map[string]any{"id": "String 0x37", "value": "first"})
}

// TestGraphExpandsFolders: a page of those below each, and nothing that says that there are more.
func TestGraphExpandsFolders(t *testing.T) {
	t.Parallel()
	g := newGraph(t, exchangetest.Options{})
	for n := range 12 {
		g.call(201, "POST", g.base+"/folders/inbox/childFolders", fmt.Sprintf(`{"displayName":"f%02d","type":"IPF.Note"}`, n))
	}
	below := func(expand string) []map[string]any {
		d := g.get(g.base + "/folders/inbox?" + url.Values{"$expand": {expand}, "$select": {"childFolderCount"}}.Encode())
		equal(t, "count", d["childFolderCount"], 12)
		equal(t, "link", d["childFolders@odata.nextLink"], nil)
		var list []map[string]any
		for _, v := range d["childFolders"].([]any) {
			list = append(list, v.(map[string]any))
		}
		return list
	}
	equal(t, "a page", len(below("childFolders")), 10)
	list := below("childFolders($top=250;$select=displayName;$expand=singleValueExtendedProperties($filter=id eq 'Integer 0x3601'),childFolders($select=id))")
	equal(t, "all", len(list), 12)
	equal(t, "name", list[11]["displayName"], "f11")
	equal(t, "level below", list[11]["childFolders"], []any{})
	equal(t, "not selected", list[11]["type"], nil)
	equal(t, "property", len(list[11]["singleValueExtendedProperties"].([]any)), 1)
	for _, bad := range []string{"childFolders(", "childFolders($skip=1)", "childFolders($top=x)", "parentFolder"} {
		g.code(400, "GET", g.base+"/folders?"+url.Values{"$expand": {bad}}.Encode(), "")
	}
	g.code(400, "GET", g.base+"/folders/inbox/items?$expand=childFolders", "")
}
