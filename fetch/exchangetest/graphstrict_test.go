package exchangetest_test

import (
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"

	"mailbrick/fetch/exchangetest"
)

func query(pairs ...string) string {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	return "?" + v.Encode()
}

// TestGraphRefuses: what Graph refuses, and the code it says.
func TestGraphRefuses(t *testing.T) {
	t.Parallel()
	g := newGraph(t, exchangetest.Options{})
	g.server.AddMailbox("bob@example.org").EnableArchive()
	it := rest(g.create("inbox", "x").id)
	inbox := rest(g.folder("inbox").id)
	items := g.base + "/folders/inbox/items"
	ids := func(n int) string { return `{"itemIds":["` + strings.Join(make([]string, n), `","`) + `"]}` }
	property := func(filter string) string {
		return g.base + "/folders" + query("$expand", "singleValueExtendedProperties($filter="+filter+")")
	}
	for name, r := range map[string]struct {
		status      int
		code        string
		method, url string
		body        string
		header      []string
	}{
		"no token":              {401, "InvalidAuthenticationToken", "GET", g.base + "/folders", "", []string{"Authorization: "}},
		"wrong token":           {401, "InvalidAuthenticationToken", "GET", g.base + "/folders", "", []string{"Authorization: Bearer x"}},
		"Basic":                 {401, "InvalidAuthenticationToken", "GET", g.base + "/folders", "", []string{"Authorization: Basic YmFja3VwOnNlY3JldA=="}},
		"unknown user":          {404, "ErrorInvalidUser", "GET", g.root + "/v1.0/users/x@y.example/settings/exchange", "", nil},
		"unknown mailbox":       {404, "ErrorNonExistentMailbox", "GET", strings.Replace(g.base, g.id[:12], "MBX:00000000", 1) + "/folders", "", nil},
		"no mailbox id":         {400, "ErrorInvalidIdMalformed", "GET", g.root + "/v1.0/admin/exchange/mailboxes/" + box + "/folders", "", nil},
		"another tenant":        {404, "ResourceNotFound", "GET", g.base[:len(g.base)-12] + "000000000000/folders", "", nil},
		"unknown path":          {400, "RequestBroker--ParseUri", "GET", g.base + "/messages", "", nil},
		"half a path":           {400, "BadRequest", "GET", g.base, "", nil},
		"id with a slash":       {400, "RequestBroker--ParseUri", "GET", g.base + "/folders/AA/A=", "", nil},
		"unknown option":        {400, "ErrorInvalidUrlQuery", "GET", items + "?$search=x", "", nil},
		"option of another":     {400, "ErrorInvalidUrlQuery", "GET", items + "/" + it + "?$top=1", "", nil},
		"option of settings":    {400, "ErrorInvalidUrlQuery", "GET", g.root + "/v1.0/users/" + box + "/settings/exchange?$select=x", "", nil},
		"plain option":          {400, "ErrorInvalidUrlQuery", "GET", items + "?top=1", "", nil},
		"option twice":          {400, "ErrorInvalidUrlQuery", "GET", items + "?$top=1&$top=2", "", nil},
		"bad escape":            {400, "BadRequest", "GET", items + "?$top=%zz", "", nil},
		"top 0":                 {400, "ErrorInvalidUrlQuery", "GET", items + "?$top=0", "", nil},
		"top 1001":              {400, "ErrorInvalidUrlQuery", "GET", items + "?$top=1001", "", nil},
		"skip -1":               {400, "ErrorInvalidUrlQuery", "GET", items + "?$skip=-1", "", nil},
		"count":                 {400, "ErrorInvalidUrlQuery", "GET", items + "?$count=yes", "", nil},
		"select of messages":    {400, "RequestBroker--ParseUri", "GET", items + "?$select=subject", "", nil},
		"order":                 {400, "RequestBroker--ParseUri", "GET", items + query("$orderby", "size down"), "", nil},
		"order of a delta":      {400, "RequestBroker--ParseUri", "GET", items + query("$orderby", "receivedDateTime desc"), "", nil},
		"filter of a delta":     {400, "RequestBroker--ParseUri", "GET", items + query("$filter", "not (receivedDateTime ge 2020-01-01T00:00:00Z)"), "", nil},
		"filter, no value":      {400, "RequestBroker--ParseUri", "GET", items + query("$filter", "type eq"), "", nil},
		"filter, open text":     {400, "RequestBroker--ParseUri", "GET", items + query("$filter", "type eq 'x"), "", nil},
		"filter, more":          {400, "RequestBroker--ParseUri", "GET", items + query("$filter", "type eq 'x' type"), "", nil},
		"filter, deep":          {400, "RequestBroker--ParseUri", "GET", items + query("$filter", strings.Repeat("(", 1000)), "", nil},
		"filter of a stranger":  {400, "RequestBroker--ParseUri", "GET", items + query("$filter", "subject eq 'x'"), "", nil},
		"expand without filter": {400, "RequestBroker--ParseUri", "GET", g.base + "/folders?$expand=singleValueExtendedProperties", "", nil},
		"expand items":          {400, "RequestBroker--ParseUri", "GET", g.base + "/folders" + query("$expand", "items($filter=id eq 'String 0x37')"), "", nil},
		"property type":         {400, "ErrorInvalidExtendedProperty", "GET", property("id eq 'Text 0x0037'"), "", nil},
		"property tag":          {400, "ErrorInvalidExtendedProperty", "GET", property("id eq 'String 0x10037'"), "", nil},
		"property, decimal":     {400, "ErrorInvalidExtendedProperty", "GET", property("id eq 'String 55'"), "", nil},
		"property by number":    {400, "ErrorNoPropertyTagForCustomProperties", "GET", property("id eq 'String 0x8001'"), "", nil},
		"property, and":         {400, "RequestBroker--ParseUri", "GET", property("id eq 'String 0x37' and id eq 'String 0x1035'"), "", nil},
		"EWS letters":           {400, "ErrorInvalidIdMalformed", "GET", g.base + "/folders/AA%2BA", "", nil},
		"folder id for item":    {400, "ErrorCannotUseFolderIdForItemId", "GET", items + "/" + inbox, "", nil},
		"item id for folder":    {400, "ErrorCannotUseItemIdForFolderId", "GET", g.base + "/folders/" + it, "", nil},
		"no folder":             {404, "ErrorItemNotFound", "GET", g.base + "/folders/" + rest(g.ghostFolder()), "", nil},
		"another folder's item": {404, "ErrorItemNotFound", "GET", g.base + "/folders/drafts/items/" + it, "", nil},
		"delta, top 0":          {400, "ErrorInvalidUrlQuery", "GET", items + "/delta?$top=0", "", nil},
		"delta, search":         {400, "ErrorInvalidUrlQuery", "GET", items + "/delta?$search=x", "", nil},
		"delta, expand":         {400, "ErrorInvalidUrlQuery", "GET", items + "/delta" + query("$expand", "singleValueExtendedProperties($filter=id eq 'String 0x37')"), "", nil},
		"delta, filter":         {400, "ErrorInvalidUrlQuery", "GET", items + "/delta" + query("$filter", "size gt 1"), "", nil},
		"delta, order":          {400, "ErrorInvalidUrlQuery", "GET", items + "/delta" + query("$orderby", "size"), "", nil},
		"delta of a search":     {400, "ErrorInvalidFolderTypeForOperation", "GET", g.searchFolder() + "/items/delta", "", nil},
		"wrong method":          {405, "MethodNotAllowed", "POST", items, "{}", nil},
		"PUT":                   {405, "MethodNotAllowed", "PUT", g.base + "/folders/inbox", "{}", nil},
		"DELETE, no $ref":       {405, "MethodNotAllowed", "DELETE", g.base + "/folders/inbox", "", nil},
		"no type":               {400, "BadRequest", "POST", g.base + "/exportItems", `{"itemIds":["` + it + `"]}`, []string{"Content-Type: "}},
		"another type":          {415, "UnsupportedMediaType", "POST", g.base + "/exportItems", `{}`, []string{"Content-Type: text/xml"}},
		"no ids":                {400, "ErrorInvalidRequest", "POST", g.base + "/exportItems", `{"itemIds":[]}`, nil},
		"21 ids":                {400, "ErrorInvalidRequest", "POST", g.base + "/exportItems", ids(21), nil},
		"no list":               {400, "BadRequest", "POST", g.base + "/exportItems", `{}`, nil},
		"ids are numbers":       {400, "BadRequest", "POST", g.base + "/exportItems", `{"itemIds":[1]}`, nil},
		"pascal case":           {400, "RequestBodyRead", "POST", g.base + "/exportItems", `{"ItemIds":["x"]}`, nil},
		"one member more":       {400, "RequestBodyRead", "POST", g.base + "/exportItems", `{"itemIds":["x"],"format":"eml"}`, nil},
		"no JSON":               {400, "BadRequest", "POST", g.base + "/exportItems", `{"itemIds"`, nil},
		"null":                  {400, "BadRequest", "POST", g.base + "/exportItems", `null`, nil},
		"session with a body":   {400, "RequestBodyRead", "POST", g.base + "/createImportSession", `{"x":1}`, nil},
		"batch of 21":           {400, "BadRequest", "POST", g.root + "/v1.0/$batch", `{"requests":[` + strings.Repeat(`{"id":"1","url":"/x"},`, 20) + `{"id":"2","url":"/x"}]}`, nil},
		"batch in a batch":      {400, "BadRequest", "POST", g.root + "/v1.0/$batch", `{"requests":[{"id":"1","method":"POST","url":"/$batch"}]}`, nil},
		"1001 ids":              {400, "ErrorInvalidRequest", "POST", g.root + "/v1.0/users/" + box + "/translateExchangeIds", `{"sourceIdType":"restId","targetIdType":"ewsId","inputIds":["` + strings.Join(make([]string, 1001), `","`) + `"]}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			g := *g
			g.t = t
			equal(t, "code", g.code(r.status, r.method, r.url, r.body, r.header...), r.code)
		})
	}
	g.call(200, "POST", g.base+"/exportItems", ids(20))
}

// searchFolder is the address of the folder of all items.
func (g *graph) searchFolder() string {
	g.t.Helper()
	list, _ := g.all(g.base + "/folders")
	return g.base + "/folders/" + g.text(list[len(list)-1], "id")
}

// TestGraphWantsEncodedAddresses: what stands raw in the request line is refused.
func TestGraphWantsEncodedAddresses(t *testing.T) {
	t.Parallel()
	g := newGraph(t, exchangetest.Options{})
	host := strings.TrimPrefix(g.root, "http://")
	path := strings.TrimPrefix(g.base, g.root)
	for name, uri := range map[string]string{
		"blank":     path + "/folders?$filter=type eq 'IPF.Note'",
		"quote":     path + "/folders?$filter=type%20eq%20\"IPF.Note\"",
		"umlaut":    path + "/folders?$filter=displayName%20eq%20'ä'",
		"backslash": path + `/folders\inbox`,
		"braces":    path + "/folders?$filter={}",
	} {
		conn, err := net.Dial("tcp", host)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer secret\r\n\r\n", uri, host)
		head := make([]byte, 12)
		conn.Read(head)
		conn.Close()
		equal(t, name, string(head), "HTTP/1.1 400")
	}
}

func TestGraphListOptions(t *testing.T) {
	t.Parallel()
	g := newGraph(t, exchangetest.Options{})
	for i := range 25 {
		g.create("inbox", fmt.Sprint("m", i))
	}
	first := g.get(g.base + "/folders/inbox/items?$count=true&$select=size")
	equal(t, "default page", fmt.Sprint(len(values(first)), first["@odata.count"]), "10 25")
	next := g.text(first, "@odata.nextLink")
	for _, part := range []string{"%24skip=10", "%24select=size", "%24count=true"} {
		if !strings.Contains(next, part) {
			t.Errorf("no %s in %s", part, next)
		}
	}
	list, _ := g.all(g.base+"/folders/inbox/items", "Prefer: IdType=\"ImmutableId\", odata.maxpagesize=7")
	seen := map[string]bool{}
	for _, id := range column(list, "id") {
		seen[id] = true
	}
	equal(t, "all", fmt.Sprint(len(list), len(seen)), "25 25")
	calendars := g.get(g.base + "/folders" + query("$filter", "type eq 'IPF.Appointment' or startswith(type,'IPF.Task')", "$select", "displayName,type,wellKnownName", "$top", "5"))
	equal(t, "filtered", column(values(calendars), "wellKnownName"), []string{"calendar", "tasks"})
	equal(t, "selected", len(values(calendars)[0]), 5)
	ordered := g.get(g.base + "/folders" + query("$orderby", "totalItemCount desc,displayName", "$top", "2", "$filter", "not (totalItemCount lt 0) and type ne null and displayName ne 'O''Hara'"))
	equal(t, "ordered", column(values(ordered), "displayName"), []string{"AllItems", "Inbox"})
	inSearch, _ := g.all(g.searchFolder() + "/items?$top=20")
	equal(t, "search folder", len(inSearch), 25)
	recent, _ := g.all(g.base + "/folders/inbox/items/delta" + query("$filter", "receivedDateTime ge 2030-01-01T00:00:00Z", "$top", "5"))
	equal(t, "filtered delta", len(recent), 0)
}

// TestGraphArchive: the archives are the beta's.
func TestGraphArchive(t *testing.T) {
	t.Parallel()
	g := newGraph(t, exchangetest.Options{})
	if err := g.server.LoadArchive(box, tree(t, map[string]string{"Inbox/1.eml": message("one"), "2019/2.eml": message("two")})); err != nil {
		t.Fatal(err)
	}
	settings := g.get(g.root + "/v1.0/users/" + box + "/settings/exchange")
	equal(t, "v1.0", settings["inPlaceArchiveMailboxId"], nil)
	primary := g.text(settings, "primaryMailboxId")
	archive := g.text(g.get(g.root+"/beta/users/"+box+"/settings/exchange"), "inPlaceArchiveMailboxId")
	equal(t, "of the beta", g.code(404, "GET", g.root+"/v1.0/admin/exchange/mailboxes/"+archive+"/folders", ""), "ErrorNonExistentMailbox")
	g.base = g.root + "/beta/admin/exchange/mailboxes/" + archive
	folders, _ := g.all(g.base + "/folders")
	equal(t, "folders", column(folders, "displayName"), []string{"Deleted Items", "Inbox", "2019"})
	equal(t, "name", column(folders, "wellKnownName"), []string{"deleteditems", "inbox", "<nil>"})
	old := g.base + "/folders/" + g.text(folders[2], "id")
	list, delta := g.all(old + "/items/delta")
	id := g.text(list[0], "id")
	equal(t, "subject", scan(t, g.data(values(g.exported(id))[0])).Subject(), "two")
	ofPrimary := g.root + "/beta/admin/exchange/mailboxes/" + primary
	equal(t, "not the primary's", g.code(404, "GET", ofPrimary+"/folders/"+g.text(folders[2], "id"), ""), "ErrorItemNotFound")
	equal(t, "nor its items", values(g.call(200, "POST", ofPrimary+"/exportItems", `{"itemIds":["`+id+`"]}`))[0]["data"], nil)

	if err := g.server.AddMailbox(box).MoveToAuxiliaryArchive("2019"); err != nil {
		t.Fatal(err)
	}
	moved := g.get(old + "/items") // the client follows 308
	equal(t, "items", column(values(moved), "id"), []string{id})
	g.get(g.text(delta, "@odata.deltaLink"))
	at := g.session()
	body := importing("FolderId", g.text(folders[2], "id"), "Mode", "create", "Data", b64(encode(t, "IPM.Note", "x")))
	text := g.text(g.call(409, "POST", at, body, noBearer), "Message")
	auxiliary := text[strings.LastIndex(text, " ")+1:]
	entry := values(g.exported(id))[0]
	e, _ := entry["error"].(map[string]any)
	if capital, is := entry["Error"].(map[string]any); is {
		e = capital
	}
	equal(t, "export", e["code"], "ErrorArchiveFolderMovedPermanently")
	g.base = g.root + "/beta/admin/exchange/mailboxes/" + auxiliary
	equal(t, "there", e["message"], g.base+"/exportItems")
	equal(t, "exported", len(g.data(values(g.exported(id))[0])) > 0, true)
	g.call(200, "POST", g.session(), body, noBearer)
	folders, _ = g.all(g.base + "/folders")
	equal(t, "its folders", column(folders, "totalItemCount"), []string{"2"})
}

func TestGraphBatchAndTranslation(t *testing.T) {
	t.Parallel()
	g := newGraph(t, exchangetest.Options{Faults: []exchangetest.Fault{{Operation: "graph.getFolder", Action: exchangetest.ActionStatus, Status: 429, RetryAfterSeconds: 3}}})
	it := g.create("inbox", "x")
	path := strings.TrimPrefix(g.base, g.root+"/v1.0")
	d := g.call(200, "POST", g.root+"/v1.0/$batch", `{"requests":[{"id":"1","method":"GET","url":"`+path+`/folders/inbox"},`+
		`{"id":"2","method":"GET","url":"`+path+`/folders/drafts","dependsOn":["1"]},{"id":"3","method":"GET","url":"`+path+`/folders/inbox/items"}]}`)
	var statuses []any
	for _, a := range d["responses"].([]any) {
		statuses = append(statuses, a.(map[string]any)["status"])
	}
	equal(t, "statuses", statuses, []int{429, 424, 200})
	translate := func(id, from, to string) string {
		d := g.call(200, "POST", g.root+"/v1.0/users/"+box+"/translateExchangeIds", `{"inputIds":["`+id+`","x"],"sourceIdType":"`+from+`","targetIdType":"`+to+`"}`)
		if values(d)[1]["errorDetails"] == nil {
			t.Error("no error of a wrong id")
		}
		return g.text(values(d)[0], "targetId")
	}
	entry := translate(it.id, "ewsId", "entryId")
	equal(t, "there", translate(it.id, "ewsId", "restId"), rest(it.id))
	equal(t, "and back", translate(translate(entry, "entryId", "restId"), "restId", "ewsId"), it.id)
}
