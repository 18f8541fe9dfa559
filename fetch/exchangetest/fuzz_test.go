package exchangetest_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/beevik/etree"

	"mailbrick/fetch/exchangetest"
)

// FuzzRequest: whatever is posted, the answer is one of SOAP or an HTTP status, and no panic.
func FuzzRequest(f *testing.F) {
	const data = "AQAAAAgAAAAAAAAAAQAAAA=="
	c := &client{version: "Exchange2013_SP1", mailbox: box}
	for _, body := range []string{
		getInbox, findFolders("Deep", "root", `<m:IndexedPageFolderView MaxEntriesReturned="2" Offset="1" BasePoint="End"/>`),
		create(topFolder, named("A")), deleteFolder("SoftDelete", `<t:FolderId Id="x"/>`), deleteItem("HardDelete", `<t:ItemId Id="x"/>`),
		moveItem("drafts", `<t:ItemId Id="x" ChangeKey="CQAAAA=="/>`), setField(ref{"x", "y"}, "item:Subject", "<t:Subject>s</t:Subject>"),
		(&syncer{client: c, folder: distinguished("inbox"), state: "TUJTMQ=="}).request(512),
		`<m:UploadItems><m:Items><t:Item CreateAction="CreateNew"><t:ParentFolderId Id="x"/><t:Data>` + data + `</t:Data></t:Item></m:Items></m:UploadItems>`,
		`<m:UploadItems><m:Items><Data><Data><Data>` + data + `<!-- x --></Data></m:Items></m:UploadItems>`,
		`<m:CreateItem MessageDisposition="SaveOnly"><m:Items><t:Message><t:MimeContent>U3ViamVjdDogeAoKeQo=</t:MimeContent></t:Message></m:Items></m:CreateItem>`,
		`<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>AllProperties</t:BaseShape></m:ItemShape><m:Restriction><t:Not><t:Exists>` +
			`<t:FieldURI FieldURI="item:Subject"/></t:Exists></t:Not></m:Restriction><m:ParentFolderIds>` + distinguished("inbox") + `</m:ParentFolderIds></m:FindItem>`,
		createIn("", seminar), createIn("", ada), createIn("", pay), setIn(ref{"x", "y"}, "CalendarItem", "calendar:Start", "<t:Start>2026-01-01T00:00:00Z</t:Start>"),
		getItem(`<t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties><t:ExtendedFieldURI PropertyTag="0x300B" PropertyType="Binary"/></t:AdditionalProperties>`, `<t:ItemId Id="x"/>`),
	} {
		f.Add(c.envelope(body))
	}
	f.Add("<a><![CDATA[")
	f.Add("<?x?><!-- --><!DOCTYPE a><a b='>'/>")
	s := exchangetest.New(exchangetest.Options{})
	defer s.Close()
	s.AddAccount("backup", "secret")
	s.AddMailbox(box)
	f.Fuzz(func(t *testing.T, document string) {
		r := httptest.NewRequest("POST", exchangetest.Path, strings.NewReader(document))
		r.Header.Set("Content-Type", "text/xml")
		r.SetBasicAuth("backup", "secret")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != http.StatusOK && w.Code != http.StatusInternalServerError {
			t.Fatal(w.Code)
		}
		if err := etree.NewDocument().ReadFromBytes(w.Body.Bytes()); err != nil {
			t.Fatalf("%v in %s", err, w.Body)
		}
	})
}
