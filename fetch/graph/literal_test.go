package graph

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
)

// The messages of this file are the published samples.

const folderList = `{
    "@odata.context": "$BASE/v1.0/$metadata#admin/exchange/mailboxes/MBX:e0643f21@a7809c93/folders",
    "value": [
        {"@odata.type": "#microsoft.graph.mailboxFolder", "id": "EDSVrdi3lRAAACgfQBAAA=", "displayName": "Archive",
         "parentFolderId": "NJWt2LeVEAAAIBCAAAAA==", "parentMailboxUrl": "$BASE/v1.0/admin/exchange/mailboxes/MBX:e0643f21@a7809c93",
         "childFolderCount": 0, "totalItemCount": 2, "wellKnownName": "archive", "type": "IPF.Note"},
        {"@odata.type": "#microsoft.graph.mailboxFolder", "id": "NJWt2LeVEAAAIBDQAAAA==", "displayName": "Project Calendar",
         "parentFolderId": "NJWt2LeVEAAAIBCAAAAA==", "childFolderCount": 1, "totalItemCount": 6, "wellKnownName": null, "type": "IPF.Appointment",
         "singleValueExtendedProperties": [{"id": "SystemTime 0x670a", "value": "2024-10-17T11:00:00Z"}, {"id": "Integer 0x670b", "value": "3"}, {"id": "Integer 0x3601", "value": "1"}]}
    ],
    "@odata.nextLink": "$BASE/v1.0/admin/exchange/mailboxes/MBX:e0643f21@a7809c93/folders?%24skip=10"
}`

func TestFolders(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.on(mailbox+"/folders", reply{body: folderList})
	s.on(mailbox+"/folders?%24skip=10", reply{body: `{"value":[{"id":"s","displayName":"Unread","type":null,"childFolderCount":2,
		"singleValueExtendedProperties":[{"id":"Integer 0x3601","value":"2"}]},{"id":"EDSVrdi3lRAAACgfQBAAA=","displayName":"told twice"}]}`})
	s.on(mailbox+"/folders/NJWt2LeVEAAAIBDQAAAA==/childFolders", reply{body: `{"value":[{"id":"below","displayName":"May","childFolderCount":0}]}`})
	c, _ := newTestClient(t, s, nil)
	got, err := c.Folders(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		if got[i].Seen.IsZero() {
			t.Errorf("%s: not known when it was seen", got[i].Name)
		}
		got[i].Seen = time.Time{}
	}
	want := []Folder{
		{ID: "EDSVrdi3lRAAACgfQBAAA=", ParentID: "NJWt2LeVEAAAIBCAAAAA==", Name: "Archive", Class: "IPF.Note", WellKnown: "archive", Total: 2},
		{ID: "NJWt2LeVEAAAIBDQAAAA==", ParentID: "NJWt2LeVEAAAIBCAAAAA==", Name: "Project Calendar", Class: "IPF.Appointment", Total: 6, Children: 1,
			CommitTime: "2024-10-17T11:00:00Z", Deleted: "3"},
		{ID: "s", Name: "Unread", Children: 2, Search: true},
		{ID: "below", ParentID: "NJWt2LeVEAAAIBDQAAAA==", Name: "May"},
	}
	slices.SortFunc(got, func(a, b Folder) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(want, func(a, b Folder) int { return strings.Compare(a.Name, b.Name) })
	if !slices.Equal(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	for _, r := range s.all() {
		if r.Get("Authorization") == "" || r.Get("Client-Request-Id") == "" {
			t.Errorf("%s %s without its headers", r.method, r.path)
		}
	}
	if n := len(s.all()); n != 3 || c.Stats().Requests != 4 {
		t.Errorf("%d requests", n)
	}
}

func TestItemsDelta(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	path := mailbox + "/folders/AAMkAGUwNjQ4ZyTAAA=/items/delta"
	s.on(path, reply{body: `{
    "@odata.context": "$BASE/v1.0/$metadata#Collection(mailboxItem)",
    "@odata.nextLink": "$BASE/v1.0/admin/exchange/mailboxes/MBX:e0643f21@a7809c93/folders/AAMkAGUwNjQ4ZyTAAA=/items/delta?$skiptoken={_skipToken_}",
    "value": [{"@odata.type": "#microsoft.graph.mailboxItem", "@odata.etag": "W/\"CQAAABYAAACQ2fKdhq8oSKEDSVrdi3lRAAFR+6ZT\"",
      "createdDateTime": "2021-10-19T06:30:30Z", "lastModifiedDateTime": "2021-10-19T07:17:06Z", "changeKey": "CQAAABYAAACQ2fKdhq8oSKEDSVrdi3lRAAFR+6ZT",
      "categories": [], "type": "IPM.Note", "size": 75329, "id": "AAMkAGUwNjQ4ZyTAACQ2fKdhq8oSKEDSVrdi3lRAAFSX03WAAA="}]
}`})
	s.on(path+"?$skiptoken={_skipToken_}", reply{body: `{"value":[],"@odata.nextLink":"$BASE/v1.0/admin/exchange/mailboxes/MBX%3Ae0643f21%40a7809c93/folders/AAMkAGUwNjQ4ZyTAAA=/items/delta?$skiptoken=2"}`})
	s.on(path+"?$skiptoken=2", reply{body: `{"value":[{"@odata.type":"#microsoft.graph.mailboxItem","id":"gone","@removed":{"reason":"deleted"}},
		{"id":"tagged","@odata.etag":"W/\"K\""}],"@odata.deltaLink":"$BASE` + path + `?$deltatoken={_deltaToken_}"}`})
	s.on(path+"?$deltatoken={_deltaToken_}", failure(410, "resyncRequired"))
	c, _ := newTestClient(t, s, nil)
	p, err := c.ChangedItems(t.Context(), "AAMkAGUwNjQ4ZyTAAA=", "")
	if err != nil || len(p.Items) != 1 || p.Items[0].ChangeKey != "CQAAABYAAACQ2fKdhq8oSKEDSVrdi3lRAAFR+6ZT" || p.Items[0].Size != 75329 || p.Delta != "" {
		t.Fatalf("%+v, %v", p, err)
	}
	if p, err = c.ChangedItems(t.Context(), "AAMkAGUwNjQ4ZyTAAA=", p.Next); err != nil || len(p.Items) != 0 || p.Next == "" {
		t.Fatalf("an empty page: %+v, %v", p, err)
	}
	p, err = c.ChangedItems(t.Context(), "AAMkAGUwNjQ4ZyTAAA=", p.Next)
	if err != nil || len(p.Items) != 2 || !p.Items[0].Removed || p.Items[1].ChangeKey != "K" || p.Next != "" || !strings.HasSuffix(p.Delta, "{_deltaToken_}") {
		t.Fatalf("%+v, %v", p, err)
	}
	_, err = c.ChangedItems(t.Context(), "AAMkAGUwNjQ4ZyTAAA=", p.Delta)
	if e := asError(t, err); e.Class() != Resync {
		t.Errorf("%v, class %v", err, e.Class())
	}
	if r := s.all()[1]; r.query != "$skiptoken={_skipToken_}" || r.Get("Prefer") != "odata.maxpagesize=500" {
		t.Errorf("the link was not used as it is: %q", r.query)
	}
}

const exported = `{
    "@odata.context": "$BASE/v1.0/$metadata#Collection(microsoft.graph.exportItemResponse)",
    "value": [
        { "itemId": "EDSVrdi3lRAADmpnf1AAA=", "changeKey": "CQAAABYAAACQ2fKdhq8oSKEDSVrdi3lRAAEu4C+G",
          "data": "VGhpcyBpcyBhIHRlc3QgZGF0YSB0aGF0IHdpbGwgYmUgY29udmVydGVkIHRvIGEgQmFzZTY0IHN0cmVhbQ==" },
        { "itemId": "EDSVrdi3lRAAD45b7RAAA=", "changeKey": "CQAAABYAAACQ2fKdhq8oSKEDSVrdi3lRAAD4pUax",
          "data": "VGhpcyBpcyBhIHRlc3QgZGF0YSB0aGF0IHdpbGwgYmUgY29udmVydGVkIHRvIGEgQmFzZTY0IHN0cmVhbQ==" }
    ]
}`

// outcome is what an export gave for an item.
type outcome struct {
	item ItemRef
	data string
	err  error
}

func exportAll(c *Client, ctx context.Context, items ...ItemRef) (map[int]outcome, error) {
	got := map[int]outcome{}
	err := c.ExportItems(ctx, items, func(i int, item ItemRef, body io.Reader, err error) error {
		o := outcome{item: item, err: err}
		if err == nil {
			var b []byte
			b, o.err = io.ReadAll(body)
			o.data = string(b)
		}
		if _, twice := got[i]; twice {
			o.err = errors.New("told twice")
		}
		got[i] = o
		return nil
	})
	return got, err
}

func TestExport(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.on(mailbox+"/exportItems", reply{body: exported})
	c, _ := newTestClient(t, s, nil)
	got, err := exportAll(c, t.Context(), ItemRef{ID: "EDSVrdi3lRAADmpnf1AAA="}, ItemRef{ID: "EDSVrdi3lRAAD45b7RAAA="})
	const text = "This is a test data that will be converted to a Base64 stream"
	if err != nil || got[0].data != text || got[1].data != text || got[1].item.ChangeKey != "CQAAABYAAACQ2fKdhq8oSKEDSVrdi3lRAAD4pUax" {
		t.Errorf("%+v, %v", got, err)
	}
	if r := s.all()[0]; r.body != `{"itemIds":["EDSVrdi3lRAADmpnf1AAA=","EDSVrdi3lRAAD45b7RAAA="]}` || r.Get("Content-Type") != "application/json" {
		t.Errorf("asked %s", r.body)
	}
}

func TestImport(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.on(mailbox+"/createImportSession", reply{body: `{"@odata.context": "x",
    "importUrl": "$BASE/api/gv1.0/Mailboxes('MBX:e0643f21@a7809c93')/importItem?authtoken=` + secret + `", "expirationDateTime": "2024-10-17T19:00:48.1052906Z"}`})
	s.on("/api/gv1.0/Mailboxes('MBX:e0643f21@a7809c93')/importItem", reply{body: `{ "@odata.context": "y", "itemId": "EDSVrdi3lRAAFSX03NAAA=", "changeKey": "kNnynYavKEihA0la3Yt5UQABUftGQg==" }`})
	c, _ := newTestClient(t, s, nil)
	for range 2 {
		ref, err := c.ImportItem(t.Context(), Import{FolderID: "EDSVrdi3lRAAEED0yTAAA=", Size: 7, Open: text("an item")})
		if err != nil || ref != (ItemRef{"EDSVrdi3lRAAFSX03NAAA=", "kNnynYavKEihA0la3Yt5UQABUftGQg=="}) {
			t.Fatalf("%+v, %v", ref, err)
		}
	}
	_, err := c.ImportItem(t.Context(), Import{FolderID: "f", Update: ItemRef{"i", "k"}, Open: text("an item")})
	if err != nil {
		t.Fatal(err)
	}
	all := s.all()
	if len(all) != 4 {
		t.Fatalf("%d requests: the session was not kept", len(all))
	}
	var sent struct{ FolderId, Mode, Data, ItemId, ChangeKey string }
	for i, want := range map[int]string{1: "create", 3: "update"} {
		if err := json.Unmarshal([]byte(all[i].body), &sent); err != nil || sent.Mode != want || sent.Data != "YW4gaXRlbQ==" {
			t.Errorf("%s: %+v, %v", want, sent, err)
		}
		if all[i].Get("Authorization") != "" || all[i].query != "authtoken="+secret {
			t.Errorf("import sent with %q to %q", all[i].Get("Authorization"), all[i].query)
		}
	}
	if all[1].length != int64(len(all[1].body)) || strings.Contains(all[1].body, "ItemId") || all[3].length != -1 {
		t.Errorf("lengths %d, %d", all[1].length, all[3].length)
	}
}

func text(s string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(s)), nil }
}

func TestCreateFolder(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.on(mailbox+"/folders", reply{status: 201, body: `{ "id": "AQMkAGUw==", "displayName": "Announcements", "parentFolderId": "AQMkAGUc==",
  "childFolderCount": 0, "totalItemCount": 0, "wellKnownName": null, "type": "IPF.Note" }`})
	s.on(mailbox+"/folders/p/childFolders", failure(409, "ErrorFolderExists"), reply{body: `{"value":[{"id":"other","displayName":"x"},{"id":"there","displayName":"MAY","totalItemCount":4}]}`})
	c, _ := newTestClient(t, s, nil)
	f, err := c.CreateFolder(t.Context(), "", "Announcements", "")
	if err != nil || f.ID != "AQMkAGUw==" || s.all()[0].body != `{"displayName":"Announcements","type":"IPF.Note"}` {
		t.Errorf("%+v, %v", f, err)
	}
	if f, err = c.CreateFolder(t.Context(), "p", "May", "IPF.Task"); err != nil || f.ID != "there" || f.Total != 4 {
		t.Errorf("one that is there: %+v, %v", f, err)
	}
}

func TestDeleteAndRead(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.on(mailbox+"/folders/recoverableitemsdeletions/items/AAMkADk0MzI?disposalType=hardDelete", reply{status: 204})
	s.on("/v1.0/users/megan@contoso.com/messages/i", reply{body: `{"id":"i","changeKey":"k2","isRead":true}`})
	c, _ := newTestClient(t, s, nil)
	if err := c.DeleteItem(t.Context(), "recoverableitemsdeletions", "AAMkADk0MzI", true); err != nil {
		t.Error(err)
	}
	if ref, err := c.SetRead(t.Context(), "i", true); err != nil || ref.ChangeKey != "k2" || s.all()[1].body != `{"isRead":true}` {
		t.Errorf("%+v, %v", ref, err)
	}
	f, err := c.Folder(t.Context(), "recoverableitemspurges")
	if err != nil || f != (Folder{}) {
		t.Errorf("a folder that is not there: %+v, %v", f, err)
	}
}
