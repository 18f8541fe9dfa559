package exchangetest_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"mailbrick/fetch/exchangetest"
	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/fasttransfer"
)

// encode makes a stream of a message of a class.
func encode(t *testing.T, class, subject string, more ...mapi.Property) []byte {
	t.Helper()
	m := &mapi.Message{Properties: append(mapi.Bag{
		mapi.NewText(mapi.PidTagMessageClass, class),
		mapi.NewText(mapi.PidTagSubject, subject),
		mapi.NewInt32(mapi.PidTagMessageFlags, mapi.FlagRead),
		mapi.NewTime(mapi.PidTagLastModificationTime, time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)),
	}, more...)}
	var b bytes.Buffer
	if err := fasttransfer.Encode(&b, m, fasttransfer.EncodeOptions{}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// unstamped is a stream with its last modification time zeroed.
func unstamped(t *testing.T, blob []byte) []byte {
	t.Helper()
	at := bytes.Index(blob, []byte{0x40, 0, 8, 0x30})
	if at < 0 {
		t.Fatal("no last modification time")
	}
	blob = bytes.Clone(blob)
	clear(blob[at+4 : at+12])
	return blob
}

// conformance is the setup of MS-OXWSBTRF: a folder and an item of four classes.
func conformance(t *testing.T) (c *client, folders, items []ref) {
	c = newClient(t, exchangetest.Options{})
	for _, kind := range []struct{ element, parent, class string }{
		{"Folder", "inbox", "IPM.Note"}, {"CalendarFolder", "calendar", "IPM.Appointment"},
		{"ContactsFolder", "contacts", "IPM.Contact"}, {"TasksFolder", "tasks", "IPM.Task"},
	} {
		made := c.ok(c.do(create(distinguished(kind.parent), `<t:`+kind.element+`><t:DisplayName>sub</t:DisplayName></t:`+kind.element+`>`)))
		folders = append(folders, refs(made, "FolderId")[0])
		up := c.ok(c.uploadItems(upload("CreateNew", folders[len(folders)-1], "", encode(t, kind.class, kind.class), "")))
		items = append(items, refs(up, "ItemId")[0])
	}
	return c, folders, items
}

// TestTC01 and on are the cases of the interoperability suite of MS-OXWSBTRF.
func TestTC01CreateNew(t *testing.T) {
	t.Parallel()
	c, folders, items := conformance(t)
	for _, key := range []bool{true, false} {
		asked := make([]ref, len(items))
		for i, r := range items {
			if asked[i] = r; !key {
				asked[i].key = ""
			}
		}
		root, blobs := c.export(asked...)
		c.ok(root)
		equal(t, "messages", len(codes(root)), len(items))
		for i, r := range refs(root, "ItemId") {
			equal(t, "exported id", r, items[i])
		}
		var up []string
		for i, b := range blobs {
			up = append(up, upload("CreateNew", folders[i], "", b, ` IsAssociated="true"`))
		}
		root = c.ok(c.uploadItems(up...))
		for i, r := range refs(root, "ItemId") {
			if r.id == items[i].id {
				t.Error("the id is not new")
			}
			got := c.ok(c.do(getItem(`<t:BaseShape>AllProperties</t:BaseShape>`, r.bare())))
			equal(t, "associated", got.FindElement("//IsAssociated").Text(), true)
			equal(t, "parent", got.FindElement("//ParentFolderId").SelectAttrValue("Id", ""), folders[i].id)
		}
	}
}

func TestTC02Update(t *testing.T) {
	t.Parallel()
	c, folders, items := conformance(t)
	_, before := c.export(items...)
	var up []string
	for i := range items {
		up = append(up, upload("Update", folders[i], items[i].item(), encode(t, "IPM.Note", "modified"), ""))
	}
	root := c.ok(c.uploadItems(up...))
	for i, r := range refs(root, "ItemId") {
		equal(t, "id", r.id, items[i].id)
		if r.key == items[i].key {
			t.Error("the change key is not new")
		}
		got := c.ok(c.do(getItem(`<t:BaseShape>AllProperties</t:BaseShape>`, r.bare())))
		equal(t, "parent", got.FindElement("//ParentFolderId").SelectAttrValue("Id", ""), folders[i].id)
		equal(t, "subject", got.FindElement("//Subject").Text(), "modified")
		if bytes.Equal(c.blob(r), before[i]) {
			t.Error("the data is the same")
		}
	}
}

func TestTC03UpdateOrCreate(t *testing.T) {
	t.Parallel()
	c, folders, items := conformance(t)
	data := encode(t, "IPM.Note", "new")
	updated := refs(c.ok(c.uploadItems(upload("UpdateOrCreate", folders[0], items[0].bare(), data, ""))), "ItemId")[0]
	equal(t, "updated", updated.id, items[0].id)
	other := refs(c.ok(c.do(create(folders[0].folder(), named("other")))), "FolderId")[0]
	made := refs(c.ok(c.uploadItems(upload("UpdateOrCreate", other, items[0].bare(), data, ""))), "ItemId")[0]
	equal(t, "created there", c.find(other), []ref{made})
	equal(t, "still here", c.find(folders[0]), []ref{updated})
}

// wrongIDs are the three malformed forms of TC04 to TC06.
func wrongIDs(good ref) map[string]string {
	return map[string]string{
		"empty id":     `<t:ItemId Id=""/>`,
		"bad key":      `<t:ItemId Id="` + good.id + `" ChangeKey="no key"/>`,
		"malformed id": `<t:ItemId Id="AAMkADhhOGU0MGM7AAA="/>`,
	}
}

func TestTC04ExportFails(t *testing.T) {
	t.Parallel()
	c, _, items := conformance(t)
	want := map[string]string{"empty id": "ErrorInvalidIdEmpty", "bad key": "ErrorInvalidChangeKey", "malformed id": "ErrorInvalidIdMalformed"}
	for name, id := range wrongIDs(items[0]) {
		equal(t, name, c.one(c.do(`<m:ExportItems><m:ItemIds>`+id+`</m:ItemIds></m:ExportItems>`)), want[name])
	}
}

func TestTC05UpdateFails(t *testing.T) {
	t.Parallel()
	c, folders, items := conformance(t)
	data := encode(t, "IPM.Note", "x")
	equal(t, "another parent", c.one(c.uploadItems(upload("Update", folders[1], items[0].item(), data, ""))), "ErrorItemNotFound")
	for name, id := range wrongIDs(items[0]) {
		if code := c.one(c.uploadItems(upload("Update", folders[0], id, data, ""))); code == "NoError" {
			t.Error(name)
		}
	}
}

func TestTC06UpdateOrCreateFails(t *testing.T) {
	t.Parallel()
	c, folders, items := conformance(t)
	for name, id := range wrongIDs(items[0]) {
		if code := c.one(c.uploadItems(upload("UpdateOrCreate", folders[0], id, encode(t, "IPM.Note", "x"), ""))); code == "NoError" {
			t.Error(name)
		}
	}
}

func TestUploadIsMixedAndChecked(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	c.server.AddMailbox("bob@example.org")
	inbox, it := c.folder("inbox"), c.create("inbox", "one")
	good := c.blob(it)
	c.mailbox = "bob@example.org"
	bobs := c.folder("inbox")
	c.mailbox = box
	root := c.uploadItems(
		upload("CreateNew", inbox, "", good, ""),
		upload("CreateNew", inbox, it.item(), good, ""), // R227: the id is ignored
		upload("CreateNew", inbox, "", []byte("no stream"), ""),
		upload("CreateNew", inbox, "", nil, ""),
		upload("CreateNew", inbox, "", good[:len(good)-7], ""),
		upload("CreateNew", ref{id: c.ghostFolder()}, "", good, ""),
		upload("CreateNew", bobs, "", good, ""),
		upload("CreateNew", inbox, "", good, ""))
	equal(t, "codes", codes(root), []string{"NoError", "NoError", "ErrorCorruptData", "ErrorCorruptData", "ErrorCorruptData",
		"ErrorFolderNotFound", "ErrorNonExistentMailbox", "NoError"})
	equal(t, "items", len(c.find(inbox)), 4)
	for _, r := range refs(root, "ItemId") {
		same(t, "exported again", unstamped(t, c.blob(r)), unstamped(t, good))
	}
}

func TestExportIsStable(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{CacheBytes: 1, WrapData: 76})
	if err := c.server.Load(box, tree(t, map[string]string{"Inbox/1.eml": html, "Inbox/2.eml": message("two")})); err != nil {
		t.Fatal(err)
	}
	items := c.find(c.folder("inbox"))
	_, first := c.export(items...)
	_, second := c.export(items[1], items[0])
	same(t, "made anew", second[1], first[0])
	same(t, "made anew", second[0], first[1])
	moved := refs(c.ok(c.do(moveItem("drafts", items[0].bare()))), "ItemId")[0]
	same(t, "moved", c.blob(moved), first[0])
}

// TestLargeItem: an item above the spooling size comes and goes unchanged but for its stamp.
func TestLargeItem(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{TempDir: t.TempDir()})
	noise := make([]byte, 3<<20)
	rand.Read(noise)
	data := encode(t, "IPM.Note", "large", mapi.NewBinary(0x3FF9, noise))
	inbox := c.folder("inbox")
	// As writers break it: lines, and line breaks as character references.
	head, encoded, _ := strings.Cut(upload("CreateNew", inbox, "", data, ""), "<t:Data>")
	wrapped := strings.ReplaceAll(encoded, "AAAA", "AA\r\n  AA&#xD;&#10;")
	it := refs(c.ok(c.uploadItems(head+"<t:Data>"+wrapped)), "ItemId")[0]
	got := c.blob(it)
	same(t, "data", unstamped(t, got), unstamped(t, data))
	if bytes.Equal(got, data) {
		t.Error("not stamped")
	}
	c.ok(c.do(setField(it, "message:IsRead", "<t:IsRead>false</t:IsRead>")))
	m := scan(t, c.blob(it))
	equal(t, "read", m.Read(), false)
	equal(t, "subject", m.Subject(), "large")
}

// TestManyBytesInOneRequest: bodies far above the limits of a tree's text nodes pass.
func TestManyBytesInOneRequest(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a second")
	}
	t.Parallel()
	c := newClient(t, exchangetest.Options{TempDir: t.TempDir()})
	inbox := c.folder("inbox")
	data := encode(t, "IPM.Note", "huge", mapi.NewBinary(0x3FF9, make([]byte, 12<<20)))
	head, tail, _ := strings.Cut(c.envelope(`<m:UploadItems><m:Items>`+upload("CreateNew", inbox, "", []byte("?"), "")+`</m:Items></m:UploadItems>`), "Pw==")
	encoded := base64.StdEncoding.EncodeToString(data)
	r, _ := http.NewRequest("POST", c.url, io.MultiReader(strings.NewReader(head), strings.NewReader(encoded), strings.NewReader(tail)))
	r.Header.Set("Content-Type", "text/xml; charset=utf-8")
	r.SetBasicAuth("backup", "secret")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(resp.Body)
	it := refs(c.ok(c.parse(answer)), "ItemId")[0]
	same(t, "data", unstamped(t, c.blob(it)), unstamped(t, data))
}

func BenchmarkExport(b *testing.B) {
	c := newClient(b, exchangetest.Options{CacheBytes: 1})
	files := map[string]string{}
	for i := range 100 {
		files[fmt.Sprintf("Inbox/%d.eml", i)] = message("x")
	}
	if err := c.server.Load(box, tree(b, files)); err != nil {
		b.Fatal(err)
	}
	items := c.find(c.folder("inbox"))
	for b.Loop() {
		c.export(items...)
	}
	b.ReportMetric(float64(b.N*len(items))/b.Elapsed().Seconds(), "items/s")
}
