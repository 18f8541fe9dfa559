package exchangetest_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"mailbrick/fetch/exchangetest"
)

// shape says what members a value has and of what kind, without what they say.
// Null has the shape of a text; of a list the first entry counts.
func shape(v any) string {
	switch v := v.(type) {
	case doc:
		return shape(map[string]any(v))
	case map[string]any:
		var b strings.Builder
		for _, name := range slices.Sorted(maps.Keys(v)) {
			fmt.Fprintf(&b, "%s:%s ", name, shape(v[name]))
		}
		return "{" + strings.TrimSpace(b.String()) + "}"
	case []any:
		if len(v) == 0 {
			return "[]"
		}
		return "[" + shape(v[0]) + "]"
	case nil, string:
		return "text"
	}
	return fmt.Sprintf("%T", v)
}

// TestGraphAnswersAsPublished: the answers have the shapes of those that are published.
func TestGraphAnswersAsPublished(t *testing.T) {
	t.Parallel()
	g := newGraph(t, exchangetest.Options{})
	g.server.AddMailbox(box).EnableArchive()
	var ids []string
	for i := range 3 {
		ids = append(ids, rest(g.create("inbox", fmt.Sprint("m", i)).id))
	}
	settings := g.root + "/%s/users/" + box + "/settings/exchange"
	export := func(ids ...string) doc { return g.exported(ids...) }
	_, foldersDelta := g.all(g.base + "/folders/delta")
	errors := []doc{values(export("x"))[0], values(export("x"))[0]}
	for name, r := range map[string]struct {
		got     doc
		literal string
	}{
		"settings": {g.get(fmt.Sprintf(settings, "v1.0")), `{"@odata.context":"","primaryMailboxId":""}`},
		"settings of the beta": {g.get(fmt.Sprintf(settings, "beta")),
			`{"@odata.context":"","primaryMailboxId":"","inPlaceArchiveMailboxId":""}`},
		"folders": {g.get(g.base + "/folders"), `{"@odata.context":"","value":[{"@odata.type":"","id":"","displayName":"","parentFolderId":"",
			"parentMailboxUrl":"","childFolderCount":0,"totalItemCount":2,"wellKnownName":"archive","type":"IPF.Note"}],"@odata.nextLink":""}`},
		"folder delta": {foldersDelta, `{"@odata.context":"","@odata.deltaLink":"","value":[{"@odata.type":"","displayName":"","wellKnownName":null,"id":""}]}`},
		"item delta": {g.get(g.base+"/folders/inbox/items/delta", "Prefer: odata.maxpagesize=2"), `{"@odata.context":"","@odata.nextLink":"","value":[
			{"@odata.type":"","@odata.etag":"","createdDateTime":"","lastModifiedDateTime":"","changeKey":"","categories":[],"type":"","size":1,"id":""}]}`},
		"export":          {export(ids...), `{"@odata.context":"","value":[{"itemId":"","changeKey":"","data":""},{"itemId":"","changeKey":"","data":""}]}`},
		"an error":        {errors[0], `{"itemId":"","error":{"code":"","message":""}}`},
		"the other error": {errors[1], `{"itemId":"","Error":{"message":"","code":""}}`},
		"session": {g.call(200, "POST", g.base+"/createImportSession", ""),
			`{"@odata.context":"","importUrl":"","expirationDateTime":""}`},
		"import": {g.call(200, "POST", g.session(), importing("FolderId", rest(g.folder("drafts").id), "Mode", "create", "Data", b64(encode(t, "IPM.Note", "x"))), noBearer),
			`{"@odata.context":"","itemId":"","changeKey":""}`},
		"new folder": {g.call(201, "POST", g.base+"/folders", `{"displayName":"Announcements","type":"IPF.Note","singleValueExtendedProperties":[{"id":"String 0x3001","value":"Announcements"}]}`),
			`{"@odata.context":"","id":"","displayName":"","parentFolderId":"","parentMailboxUrl":"","childFolderCount":0,"totalItemCount":0,"wellKnownName":null,"type":""}`},
		"refusal": {g.call(404, "GET", g.base+"/folders/"+rest(g.ghostFolder()), ""),
			`{"error":{"code":"","message":"","innerError":{"date":"","request-id":"","client-request-id":""}}}`},
	} {
		var literal any
		if err := json.Unmarshal([]byte(r.literal), &literal); err != nil {
			t.Fatal(name, err)
		}
		equal(t, name, shape(r.got), shape(literal))
	}
}
