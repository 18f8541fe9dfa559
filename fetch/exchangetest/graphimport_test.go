package exchangetest_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mailbrick/fetch/exchangetest"
)

// session gives an address to import at.
func (g *graph) session() string {
	g.t.Helper()
	return g.text(g.call(200, "POST", g.base+"/createImportSession", ""), "importUrl")
}

func importing(members ...string) string {
	o := map[string]string{}
	for i := 0; i < len(members); i += 2 {
		o[members[i]] = members[i+1]
	}
	b, _ := json.Marshal(o)
	return string(b)
}

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

const noBearer = "Authorization: "

func TestGraphImports(t *testing.T) {
	t.Parallel()
	g := newGraph(t, exchangetest.Options{})
	inbox, data := rest(g.folder("inbox").id), encode(t, "IPM.Note", "x")
	at := g.session()
	create := importing("FolderId", inbox, "Mode", "create", "Data", b64(data))
	made := g.call(200, "POST", at, create, noBearer)
	id := g.text(made, "itemId")
	listed := g.get(g.base + "/folders/inbox/items/" + id)
	key := g.text(listed, "changeKey")
	raw, _ := base64.StdEncoding.DecodeString(key)
	equal(t, "key", made["changeKey"], b64(raw[8:]))
	same(t, "stream", unstamped(t, g.data(values(g.exported(id))[0])), unstamped(t, data))

	update := func(folder, id, key string) string {
		return importing("FolderId", folder, "Mode", "update", "ItemId", id, "ChangeKey", key, "Data", b64(encode(t, "IPM.Note", "y")))
	}
	drafts := rest(g.folder("drafts").id)
	equal(t, "in another folder", g.code(404, "POST", at, update(drafts, id, key), noBearer), "ErrorItemNotFound")
	again := g.call(200, "POST", at, update(inbox, id, key), noBearer)
	equal(t, "the same item", again["itemId"], id)
	equal(t, "an old key", g.code(412, "POST", at, update(inbox, id, key), noBearer), "ErrorIrresolvableConflict")
	equal(t, "subject", scan(t, g.data(values(g.exported(id))[0])).Subject(), "y")

	// Escaped as .NET writes it.
	escaped := strings.NewReplacer("+", `\u002B`, "/", `\/`).Replace(b64(data))
	g.call(200, "POST", at, `{"Data":"`+escaped+`", "Mode":"create","FolderId":"`+inbox+`"}`, noBearer)
	equal(t, "a create again is a duplicate", len(g.find(g.folder("inbox"))), 2)
}

func TestGraphImportRefuses(t *testing.T) {
	t.Parallel()
	var late atomic.Int64
	g := newGraph(t, exchangetest.Options{Clock: func() time.Time { return time.Unix(1800000000+late.Load(), 0) }, MaxImportBytes: 64 << 10})
	g.server.AddMailbox("bob@example.org")
	g.mailbox = "bob@example.org"
	bobs := rest(g.folder("inbox").id)
	g.mailbox = box
	it := rest(g.create("inbox", "x").id)
	at, inbox, data := g.session(), rest(g.folder("inbox").id), b64(encode(t, "IPM.Note", "x"))
	rows := map[string]struct {
		status int
		code   string
		body   string
	}{
		"no folder":            {400, "ErrorInvalidRequest", importing("Mode", "create", "Data", data)},
		"no data":              {400, "ErrorInvalidRequest", importing("FolderId", inbox, "Mode", "create")},
		"empty data":           {400, "ErrorInvalidRequest", importing("FolderId", inbox, "Mode", "create", "Data", "")},
		"not base64":           {400, "ErrorInvalidRequest", importing("FolderId", inbox, "Mode", "create", "Data", "!"+data)},
		"XML's base64":         {400, "ErrorInvalidRequest", `{"FolderId":"` + inbox + `","Mode":"create","Data":"AAAA&#13;"}`},
		"no stream":            {400, "ErrorCorruptData", importing("FolderId", inbox, "Mode", "create", "Data", b64([]byte("no")))},
		"mode of EWS":          {400, "ErrorInvalidRequest", importing("FolderId", inbox, "Mode", "CreateNew", "Data", data)},
		"create with an id":    {400, "ErrorInvalidRequest", importing("FolderId", inbox, "Mode", "create", "ItemId", it, "Data", data)},
		"create with a key":    {400, "ErrorInvalidRequest", importing("FolderId", inbox, "Mode", "create", "ChangeKey", "x", "Data", data)},
		"update without a key": {400, "ErrorInvalidRequest", importing("FolderId", inbox, "Mode", "update", "ItemId", it, "Data", data)},
		"camel case":           {400, "RequestBodyRead", importing("folderId", inbox, "Mode", "create", "Data", data)},
		"unknown member":       {400, "RequestBodyRead", importing("FolderId", inbox, "Mode", "create", "Data", data, "IsAssociated", "true")},
		"folder by name":       {400, "ErrorInvalidIdMalformed", importing("FolderId", "inbox", "Mode", "create", "Data", data)},
		"folder of EWS":        {400, "ErrorInvalidIdMalformed", importing("FolderId", "AA+/AA==", "Mode", "create", "Data", data)},
		"item for folder":      {400, "ErrorCannotUseItemIdForFolderId", importing("FolderId", it, "Mode", "create", "Data", data)},
		"no folder there":      {404, "ErrorItemNotFound", importing("FolderId", rest(g.ghostFolder()), "Mode", "create", "Data", data)},
		"twice the same":       {400, "BadRequest", `{"Mode":"create","Mode":"create"}`},
		"null":                 {400, "BadRequest", `{"Mode":"create","ItemId":null}`},
		"a list":               {400, "BadRequest", `[]`},
		"cut":                  {400, "BadRequest", importing("FolderId", inbox, "Mode", "create", "Data", data)[:300]},
		"more":                 {400, "BadRequest", importing("FolderId", inbox) + "x"},
		"a comma too many":     {400, "BadRequest", `{"Mode":"create",}`},
		"too large":            {413, "RequestEntityTooLarge", importing("FolderId", inbox, "Mode", "create", "Data", strings.Repeat("A", 65<<10))},
		"long name":            {400, "BadRequest", `{"` + strings.Repeat("x", 1000) + `":""}`},
	}
	for name, r := range rows {
		equal(t, name, g.code(r.status, "POST", at, r.body, noBearer), r.code)
	}
	good := importing("FolderId", inbox, "Mode", "create", "Data", data)
	message := func(status int, url, body string, header ...string) string {
		t.Helper()
		return g.text(g.call(status, "POST", url, body, header...), "Message")
	}
	message(400, at, good) // with a bearer
	message(403, at+"x", good, noBearer)
	message(403, strings.Replace(at, "gv1.0", "gbeta", 1), good, noBearer)
	message(403, strings.Replace(at, "MBX:", "MBX:0", 1), good, noBearer)
	equal(t, "another option", g.code(400, "POST", at+"&x=y", good, noBearer), "ErrorInvalidUrlQuery")
	equal(t, "no type", g.code(400, "POST", at, good, noBearer, "Content-Type: "), "BadRequest")
	elsewhere := message(409, at, importing("FolderId", bobs, "Mode", "create", "Data", data), noBearer)
	if !strings.HasPrefix(elsewhere, "Invalid import session. The target session is expected in mailbox MBX:") {
		t.Error(elsewhere)
	}
	g.call(200, "POST", at, good, noBearer)
	late.Store(3600)
	message(401, at, good, noBearer)
	equal(t, "items", len(g.find(g.folder("inbox"))), 2)
}

// TestGraphImportIsLost: the answer is cut, the item is there.
func TestGraphImportIsLost(t *testing.T) {
	t.Parallel()
	g := newGraph(t, exchangetest.Options{Faults: []exchangetest.Fault{{Operation: "graph.importItem", Action: exchangetest.ActionCut}}})
	body := importing("FolderId", rest(g.folder("inbox").id), "Mode", "create", "Data", b64(encode(t, "IPM.Note", "x")))
	if _, _, err := g.raw("POST", g.session(), body, noBearer); err == nil {
		t.Error("an answer came")
	}
	equal(t, "items", len(g.find(g.folder("inbox"))), 1)
	equal(t, "requests", g.server.RequestsByOperation(box)["graph.importItem"], 1)
}

func TestGraphFolders(t *testing.T) {
	t.Parallel()
	g := newGraph(t, exchangetest.Options{})
	_, first := g.all(g.base+"/folders/delta", "Prefer: odata.maxpagesize=3")
	made := g.call(201, "POST", g.base+"/folders", `{"displayName":"A","type":"IPF.Note","singleValueExtendedProperties":[{"id":"String 0x3004","value":"words"}]}`)
	a := g.text(made, "id")
	below := g.text(g.call(201, "POST", g.base+"/folders/"+a+"/childFolders", `{"displayName":"B","type":"IPF.Task"}`), "id")
	equal(t, "the same name", g.code(409, "POST", g.base+"/folders", `{"displayName":"a","type":"IPF.Note"}`), "ErrorFolderExists")
	equal(t, "no type", g.code(400, "POST", g.base+"/folders", `{"displayName":"C"}`), "ErrorInvalidRequest")
	g.call(200, "PATCH", g.base+"/folders/"+a+"/childFolders/"+below, `{"displayName":"B2"}`)
	equal(t, "not its child", g.code(404, "PATCH", g.base+"/folders/inbox/childFolders/"+below, `{"displayName":"B3"}`), "ErrorItemNotFound")
	equal(t, "type", g.code(400, "PATCH", g.base+"/folders/"+a, `{"type":"IPF.Task"}`), "ErrorInvalidRequest")
	got := g.get(g.base + "/folders/" + a + "?$expand=singleValueExtendedProperties($filter=id%20eq%20'String%200x3004'%20or%20id%20eq%20'Integer%200x3601')")
	equal(t, "properties", got["singleValueExtendedProperties"],
		[]any{map[string]any{"id": "String 0x3004", "value": "words"}, map[string]any{"id": "Integer 0x3601", "value": "1"}})
	list, second := g.all(g.text(first, "@odata.deltaLink"), "Prefer: odata.maxpagesize=1")
	equal(t, "changes", column(list, "displayName"), []string{"A", "B2"})
	g.call(204, "DELETE", g.base+"/folders/"+a+"/childFolders/"+below+"/$ref", "")
	list, _ = g.all(g.text(second, "@odata.deltaLink"))
	equal(t, "gone", fmt.Sprint(column(list, "id"), column(list, "@removed")), fmt.Sprint([]string{below}, []string{"map[reason:deleted]"}))
	equal(t, "inbox", g.code(400, "DELETE", g.base+"/folders/inbox/$ref", ""), "ErrorDeleteDistinguishedFolder")
	equal(t, "by EWS", len(g.find(ref{id: strings.NewReplacer("-", "/", "_", "+").Replace(a)})), 0)
}

func TestGraphDeletesItems(t *testing.T) {
	t.Parallel()
	g := newGraph(t, exchangetest.Options{})
	a, b := g.create("inbox", "a"), g.create("inbox", "b")
	g.call(204, "DELETE", g.base+"/folders/inbox/items/"+rest(a.id)+"?disposalType=softDelete", "")
	g.call(204, "DELETE", g.base+"/folders/inbox/items/"+rest(b.id)+"?disposalType=hardDelete", "")
	equal(t, "how", g.code(400, "DELETE", g.base+"/folders/inbox/items/"+rest(b.id), ""), "ErrorInvalidUrlQuery")
	equal(t, "left", len(g.find(g.folder("inbox"))), 0)
	deleted, _ := g.all(g.base + "/folders/recoverableitemsdeletions/items")
	equal(t, "recoverable", len(deleted), 1)
	g.call(204, "DELETE", g.base+"/folders/recoverableitemsdeletions/items/"+g.text(deleted[0], "id")+"?disposalType=hardDelete", "")
	equal(t, "gone", g.code(404, "GET", g.base+"/folders/recoverableitemsdeletions/items/"+g.text(deleted[0], "id"), ""), "ErrorItemNotFound")
}

// TestGraphFaults: each fault shows in Graph's way.
func TestGraphFaults(t *testing.T) {
	t.Parallel()
	second := 1
	for name, row := range map[string]struct {
		fault exchangetest.Fault
		want  string
	}{
		"status 503 has no body": {exchangetest.Fault{Action: exchangetest.ActionStatus, Status: 503}, "503 <nil> true"},
		"status 429 says when":   {exchangetest.Fault{Action: exchangetest.ActionStatus, Status: 429, RetryAfterSeconds: 7}, "429 7 ApplicationThrottled false"},
		"a code has its status":  {exchangetest.Fault{Action: exchangetest.ActionFault, Code: "ErrorAccessDenied"}, "403 ErrorAccessDenied false"},
		"a code with another":    {exchangetest.Fault{Action: exchangetest.ActionFault, Code: "UnknownError", Status: 504}, "504 UnknownError false"},
		"a page":                 {exchangetest.Fault{Action: exchangetest.ActionHTML}, "false 0 true false false"},
		"an item":                {exchangetest.Fault{Action: exchangetest.ActionItemError, Code: "ErrorCorruptData", Index: &second}, "true 2 true false false"},
		"garbage":                {exchangetest.Fault{Action: exchangetest.ActionGarbage, Index: &second}, "true 3 false false false"},
		"no data":                {exchangetest.Fault{Action: exchangetest.ActionNoData, Index: &second}, "true 2 true false false"},
		"truncated inside":       {exchangetest.Fault{Action: exchangetest.ActionTruncateInside, Index: &second}, "true 3 false true true"},
		"truncated after":        {exchangetest.Fault{Action: exchangetest.ActionTruncateAfter}, "false 0 true false true"},
		"truncated, no end":      {exchangetest.Fault{Action: exchangetest.ActionTruncateEnd, Index: &second}, "false 0 true false true"},
		"cut":                    {exchangetest.Fault{Action: exchangetest.ActionCut, AfterBytes: 500}, "an error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGraph(t, exchangetest.Options{})
			a, b := g.create("inbox", "a"), g.create("inbox", "b")
			row.fault.Operation = "graph.exportItems"
			g.server.AddFaults(row.fault)
			body := `{"itemIds":["` + rest(a.id) + `","` + rest(b.id) + `"]}`
			resp, data, err := g.raw("POST", g.base+"/exportItems", body)
			var d doc
			whole := json.Unmarshal(data, &d) == nil
			e, _ := d["error"].(map[string]any)
			entry := doc{}
			if list := values(d); len(list) == 2 {
				entry = list[1]
			}
			var got string
			switch {
			case err != nil:
				got = "an error"
			case resp.StatusCode != 200:
				got = fmt.Sprintln(resp.StatusCode, resp.Header.Get("Retry-After"), e["code"], len(data) == 0)
			default:
				text, _ := entry["data"].(string)
				_, bad := base64.StdEncoding.DecodeString(text)
				got = fmt.Sprintln(whole, len(entry), text == "", bad != nil, strings.Contains(string(data), "=== Truncated Data ==="))
			}
			equal(t, "shows as", strings.Join(strings.Fields(got), " "), row.want)
			equal(t, "the next one is whole", len(values(g.exported(rest(a.id), rest(b.id)))), 2)
		})
	}
}

// TestGraphDeltaIsOdd: what deltas may do, and clients must bear.
func TestGraphDeltaIsOdd(t *testing.T) {
	t.Parallel()
	g := newGraph(t, exchangetest.Options{Faults: []exchangetest.Fault{
		{Operation: "graph.itemDelta", Action: exchangetest.ActionEmptyPage, Times: 2},
		{Operation: "graph.itemDelta", Call: 3, Action: exchangetest.ActionRepeat},
		{Operation: "graph.itemDelta", Call: 4, Action: exchangetest.ActionFault, Code: "resyncRequired"},
	}})
	g.create("inbox", "a")
	list, last := g.all(g.base + "/folders/inbox/items/delta")
	equal(t, "told", len(list), 2)
	equal(t, "twice", list[0]["id"], list[1]["id"])
	equal(t, "lost", g.code(http.StatusGone, "GET", g.text(last, "@odata.deltaLink"), ""), "resyncRequired")
}
