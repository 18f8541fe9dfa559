package exchangetest_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/mail"
	"strings"
	"testing"

	"github.com/beevik/etree"

	"mailbrick/fetch/exchangetest"
	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/fasttransfer"
)

func getItem(shape string, ids ...string) string {
	return `<m:GetItem><m:ItemShape>` + shape + `</m:ItemShape><m:ItemIds>` + strings.Join(ids, "") + `</m:ItemIds></m:GetItem>`
}

// scan reads a stream, which must be whole.
func scan(t *testing.T, blob []byte) *mapi.Message {
	t.Helper()
	var m mapi.Message
	report, err := fasttransfer.Scan(bytes.NewReader(blob), fasttransfer.Visitor{Message: &m})
	if err != nil || report.State != fasttransfer.Complete {
		t.Fatal(err, report)
	}
	return &m
}

func TestFindItemPages(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	files := map[string]string{}
	for i := range 1203 {
		files[fmt.Sprintf("Inbox/%04d.eml", i)] = message(fmt.Sprintf("m%04d", i))
	}
	if err := c.server.Load(box, tree(t, files)); err != nil {
		t.Fatal(err)
	}
	inbox := c.folder("inbox")
	seen := map[string]bool{}
	for offset, last := 0, false; !last; {
		root := c.ok(c.do(fmt.Sprintf(`<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>`+
			`<m:IndexedPageItemView MaxEntriesReturned="500" Offset="%d" BasePoint="Beginning"/><m:ParentFolderIds>%s</m:ParentFolderIds></m:FindItem>`, offset, inbox.folder())))
		for _, r := range refs(root, "ItemId") {
			seen[r.id] = true
		}
		list := root.FindElement("//RootFolder")
		equal(t, "total", list.SelectAttrValue("TotalItemsInView", ""), 1203)
		last = list.SelectAttrValue("IncludesLastItemInRange", "") == "true"
		fmt.Sscan(list.SelectAttrValue("IndexedPagingOffset", ""), &offset)
	}
	equal(t, "items", len(seen), 1203)
	equal(t, "no page is longer than the find count limit", len(c.find(inbox)), 1000)
}

func TestFindItemSorted(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	for _, s := range []string{"beta", "Alpha", "gamma"} {
		c.create("inbox", s)
	}
	for order, want := range map[string]string{"Ascending": "Alpha beta gamma", "Descending": "gamma beta Alpha"} {
		root := c.ok(c.do(`<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>Default</t:BaseShape></m:ItemShape>` +
			`<m:SortOrder><t:FieldOrder Order="` + order + `"><t:FieldURI FieldURI="item:Subject"/></t:FieldOrder></m:SortOrder>` +
			`<m:ParentFolderIds>` + distinguished("inbox") + `</m:ParentFolderIds></m:FindItem>`))
		var got []string
		for _, e := range root.FindElements("//Subject") {
			got = append(got, e.Text())
		}
		equal(t, order, strings.Join(got, " "), want)
	}
}

func TestFindItemRestriction(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	for _, s := range []string{"alpha", "beta", "alphabet"} {
		c.create("inbox", s)
	}
	find := func(restriction string) *etree.Element {
		return c.do(`<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties><t:FieldURI FieldURI="item:Subject"/>` +
			`</t:AdditionalProperties></m:ItemShape><m:Restriction>` + restriction + `</m:Restriction><m:ParentFolderIds>` + distinguished("inbox") + `</m:ParentFolderIds></m:FindItem>`)
	}
	field := func(uri string) string { return `<t:FieldURI FieldURI="` + uri + `"/>` }
	value := func(v string) string {
		return `<t:FieldURIOrConstant><t:Constant Value="` + v + `"/></t:FieldURIOrConstant>`
	}
	contains := `<t:Contains ContainmentMode="Prefixed" ContainmentComparison="IgnoreCase">` + field("item:Subject") + `<t:Constant Value="ALPHA"/></t:Contains>`
	for _, test := range []struct{ name, restriction, want string }{
		{"message id", `<t:IsEqualTo>` + field("message:InternetMessageId") + value("&lt;beta@x.example&gt;") + `</t:IsEqualTo>`, "beta"},
		{"contains", contains, "alphabet alpha"},
		{"not", `<t:Not>` + contains + `</t:Not>`, "beta"},
		{"and", `<t:And>` + contains + `<t:Contains ContainmentMode="Substring">` + field("item:Subject") + `<t:Constant Value="bet"/></t:Contains></t:And>`, "alphabet"},
		{"or", `<t:Or>` + contains + `<t:IsEqualTo>` + field("item:Subject") + value("beta") + `</t:IsEqualTo></t:Or>`, "alphabet beta alpha"},
		{"later", `<t:IsGreaterThan>` + field("item:DateTimeSent") + value("2026-03-03T10:00:00Z") + `</t:IsGreaterThan>`, ""},
		{"not earlier", `<t:IsGreaterThanOrEqualTo>` + field("item:DateTimeSent") + value("2026-03-03T11:00:00+01:00") + `</t:IsGreaterThanOrEqualTo>`, "alphabet beta alpha"},
		{"exists", `<t:Exists><t:ExtendedFieldURI PropertyTag="0x1042" PropertyType="String"/></t:Exists>`, ""},
		{"extended", `<t:IsEqualTo><t:ExtendedFieldURI PropertyTag="0x0037" PropertyType="String"/>` + value("alpha") + `</t:IsEqualTo>`, "alpha"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, e := range c.ok(find(test.restriction)).FindElements("//Subject") {
				got = append(got, e.Text())
			}
			equal(t, "subjects", strings.Join(got, " "), test.want)
		})
	}
	equal(t, "unknown field", c.one(find(`<t:Exists>`+field("item:Preview")+`</t:Exists>`)), "ErrorUnsupportedPathForQuery")
}

const html = "From: =?utf-8?q?J=C3=BCrgen?= <j@x.example>\r\nTo: Bea <b@y.example>, c@z.example\r\nCc: d@z.example\r\nSubject: Re: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n" +
	"Date: Tue, 03 Mar 2026 10:00:00 +0100\r\nMessage-ID: <h@x.example>\r\nIn-Reply-To: <g@x.example>\r\nReferences: <f@x.example> <g@x.example>\r\nMIME-Version: 1.0\r\n" +
	"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>Hello &amp; goodbye</p>\r\n" +
	"--b\r\nContent-Type: text/plain; name=note.txt\r\nContent-Disposition: attachment; filename=note.txt\r\n\r\nattached\r\n--b--\r\n"

func TestGetItem(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	if err := c.server.Load(box, tree(t, map[string]string{"Inbox/1.eml": html})); err != nil {
		t.Fatal(err)
	}
	it := c.find(c.folder("inbox"))[0]
	get := func(shape string) *etree.Element {
		return c.ok(c.do(getItem(shape, it.item()))).FindElement("//Items/Message")
	}
	idOnly := get(`<t:BaseShape>IdOnly</t:BaseShape>`)
	equal(t, "IdOnly", len(idOnly.ChildElements()), 1)
	m := get(`<t:BaseShape>AllProperties</t:BaseShape>`)
	for path, want := range map[string]string{
		"Subject": "Re: Grüße", "ItemClass": "IPM.Note", "Body": "<p>Hello &amp; goodbye</p>", "DateTimeSent": "2026-03-03T09:00:00Z",
		"DateTimeReceived": "2026-03-03T09:00:00Z", "HasAttachments": "true", "Importance": "Normal", "Sensitivity": "Normal",
		"InReplyTo": "<g@x.example>", "References": "<f@x.example> <g@x.example>", "InternetMessageId": "<h@x.example>",
		"From/Mailbox/Name": "Jürgen", "From/Mailbox/EmailAddress": "j@x.example", "IsRead": "true", "IsAssociated": "false",
		"Attachments/FileAttachment/Name": "note.txt", "CcRecipients/Mailbox/EmailAddress": "d@z.example", "DisplayTo": "Bea; c@z.example",
	} {
		if e := m.FindElement("./" + path).NotNil(); strings.TrimSpace(e.Text()) != want {
			t.Errorf("%s is not %q: %q", path, want, e.Text())
		}
	}
	equal(t, "to", len(m.FindElements("./ToRecipients/Mailbox")), 2)
	text := get(`<t:BaseShape>IdOnly</t:BaseShape><t:BodyType>Text</t:BodyType><t:AdditionalProperties><t:FieldURI FieldURI="item:Body"/>` +
		`<t:FieldURI FieldURI="item:TextBody"/><t:FieldURI FieldURI="calendar:Start"/></t:AdditionalProperties>`)
	equal(t, "text body", strings.TrimSpace(text.FindElement("Body").Text()), "Hello & goodbye")
	equal(t, "body type", text.FindElement("Body").SelectAttrValue("BodyType", ""), "Text")

	mime, err := base64.StdEncoding.DecodeString(get(`<t:BaseShape>IdOnly</t:BaseShape><t:IncludeMimeContent>true</t:IncludeMimeContent>`).FindElement("MimeContent").Text())
	if err != nil {
		t.Fatal(err)
	}
	back, err := mail.ReadMessage(bytes.NewReader(mime))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "mime", back.Header.Get("Message-ID"), "<h@x.example>")
}

func TestGetItemExtended(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	it := c.create("inbox", "one")
	c.ok(c.do(setField(it, "item:Categories", "<t:Categories><t:String>red</t:String><t:String>blue</t:String></t:Categories>")))
	root := c.ok(c.do(getItem(`<t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties>`+
		`<t:ExtendedFieldURI PropertyTag="0x300B" PropertyType="Binary"/><t:ExtendedFieldURI PropertyTag="0x0E08" PropertyType="Integer"/>`+
		`<t:ExtendedFieldURI PropertyTag="0x007D" PropertyType="String"/><t:ExtendedFieldURI PropertyTag="3592" PropertyType="Integer"/>`+
		`<t:ExtendedFieldURI PropertyTag="0x0039" PropertyType="SystemTime"/><t:ExtendedFieldURI PropertyTag="0x0FFF" PropertyType="Binary"/>`+
		`<t:ExtendedFieldURI PropertyTag="0x348A" PropertyType="Binary"/><t:ExtendedFieldURI PropertyTag="0x0037" PropertyType="Integer"/>`+
		`<t:ExtendedFieldURI DistinguishedPropertySetId="PublicStrings" PropertyName="Keywords" PropertyType="StringArray"/>`+
		`<t:ExtendedFieldURI DistinguishedPropertySetId="Meeting" PropertyId="35" PropertyType="Binary"/>`+
		`</t:AdditionalProperties>`, it.bare())))
	got := map[string]string{}
	for _, e := range root.FindElements("//ExtendedProperty") {
		uri := e.FindElement("ExtendedFieldURI")
		for _, v := range e.FindElements(".//Value") {
			got[uri.SelectAttrValue("PropertyTag", "")+uri.SelectAttrValue("PropertyName", "")] += v.Text() + "|"
		}
	}
	equal(t, "categories", got["Keywords"], "red|blue|")
	equal(t, "sent", got["0x0039"], "2026-03-03T10:00:00Z|")
	equal(t, "size as hex and decimal tag", got["3592"], got["0x0E08"])
	if key, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(got["0x300B"], "|")); err != nil || len(key) != 16 {
		t.Errorf("search key %v", key)
	}
	equal(t, "not there, or of another type", got["0x348A"]+got["0x0037"], "")
	for shape, code := range map[string]string{
		`<t:ExtendedFieldURI PropertyTag="0x8001" PropertyType="String"/>`:                                  "ErrorNoPropertyTagForCustomProperties",
		`<t:ExtendedFieldURI PropertyTag="0x1001" PropertyId="1" PropertyType="String"/>`:                   "ErrorInvalidExtendedProperty",
		`<t:ExtendedFieldURI DistinguishedPropertySetId="Common" PropertyType="String"/>`:                   "ErrorInvalidExtendedProperty",
		`<t:ExtendedFieldURI DistinguishedPropertySetId="Common" PropertyName="x" PropertyType="Object"/>`:  "ErrorUnsupportedMapiPropertyType",
		`<t:ExtendedFieldURI PropertySetId="00062008-0000-0000-C000-000000000046" PropertyType="String"/>`:  "ErrorInvalidExtendedProperty",
		`<t:ExtendedFieldURI PropertyName="x" PropertyType="String"/><t:FieldURI FieldURI="item:Subject"/>`: "ErrorInvalidExtendedProperty",
	} {
		equal(t, shape, c.one(c.do(getItem(`<t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties>`+shape+`</t:AdditionalProperties>`, it.bare()))), code)
	}
}

func TestCreateItem(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	it := c.create("inbox", "one")
	m := scan(t, c.blob(it))
	equal(t, "subject", m.Subject(), "one")
	equal(t, "body", strings.TrimSpace(m.BodyText()), "Grüße one")
	equal(t, "read", m.Read(), true)

	made := c.ok(c.do(`<m:CreateItem MessageDisposition="SaveOnly"><m:Items><t:Message><t:ItemClass>IPM.Note.Custom</t:ItemClass><t:Subject>Re: by hand</t:Subject>` +
		`<t:Body BodyType="HTML">&lt;b&gt;bold&lt;/b&gt;</t:Body><t:Attachments><t:FileAttachment><t:Name>a.txt</t:Name><t:Content>QUJD</t:Content></t:FileAttachment></t:Attachments>` +
		`<t:Categories><t:String>red</t:String></t:Categories><t:Importance>High</t:Importance>` +
		`<t:ExtendedProperty><t:ExtendedFieldURI PropertyTag="0x0E07" PropertyType="Integer"/><t:Value>0</t:Value></t:ExtendedProperty>` +
		`<t:ToRecipients><t:Mailbox><t:Name>Bea</t:Name><t:EmailAddress>b@y.example</t:EmailAddress></t:Mailbox></t:ToRecipients></t:Message></m:Items></m:CreateItem>`))
	drafts := c.find(c.folder("drafts"))
	equal(t, "in drafts", drafts, refs(made, "ItemId"))
	m = scan(t, c.blob(drafts[0]))
	equal(t, "class", m.Class(), "IPM.Note.Custom")
	equal(t, "subject of fields", m.Subject(), "Re: by hand")
	equal(t, "normalized subject", m.Properties.Text(mapi.PidTagNormalizedSubject), "by hand")
	equal(t, "attachments", m.AttachmentNames(), []string{"a.txt"})
	equal(t, "categories", m.Categories(), []string{"red"})
	equal(t, "to", m.To(), []mapi.Address{{Name: "Bea", Email: "b@y.example"}})
	equal(t, "read flag given", m.Read(), false)

	for _, test := range []struct{ name, body, code string }{
		{"no disposition", `<m:CreateItem><m:Items><t:Message><t:Subject>x</t:Subject></t:Message></m:Items></m:CreateItem>`, "ErrorMessageDispositionRequired"},
		{"no mail", `<m:CreateItem MessageDisposition="SaveOnly"><m:Items><t:Message><t:MimeContent>AAEC</t:MimeContent></t:Message></m:Items></m:CreateItem>`, "ErrorMimeContentInvalid"},
		{"no base64", `<m:CreateItem MessageDisposition="SaveOnly"><m:Items><t:Message><t:MimeContent>?</t:MimeContent></t:Message></m:Items></m:CreateItem>`, "ErrorMimeContentInvalid"},
		{"no such folder", `<m:CreateItem MessageDisposition="SaveOnly"><m:SavedItemFolderId><t:FolderId Id="` + c.ghostFolder() + `"/></m:SavedItemFolderId><m:Items><t:Message/></m:Items></m:CreateItem>`, "ErrorSavedItemFolderNotFound"},
		{"property of the server", `<m:CreateItem MessageDisposition="SaveOnly"><m:Items><t:Message><t:Size>7</t:Size></t:Message></m:Items></m:CreateItem>`, "ErrorInvalidPropertySet"},
	} {
		t.Run(test.name, func(t *testing.T) { equal(t, "code", c.one(c.do(test.body)), test.code) })
	}
}

func TestUpdateItem(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	dir := tree(t, map[string]string{"Inbox/1.eml": message("from-a-file"), "Inbox/unread.eml": "Status: O\r\n" + message("unread")})
	if err := c.server.Load(box, dir); err != nil {
		t.Fatal(err)
	}
	items := c.find(c.folder("inbox"))
	equal(t, "read flag of a file", scan(t, c.blob(items[0])).Read(), false)
	for _, it := range []ref{items[1], c.create("inbox", "created")} {
		before := c.blob(it)
		read := refs(c.ok(c.do(setField(it, "message:IsRead", "<t:IsRead>false</t:IsRead>"))), "ItemId")[0]
		m := scan(t, c.blob(read))
		equal(t, "read", m.Read(), false)
		equal(t, "length", len(c.blob(read)), len(before))
		c.ok(c.do(setField(read, "item:Subject", "<t:Subject>Re: wombatquixote</t:Subject>")))
		c.ok(c.do(setField(read, "item:Categories", "<t:Categories><t:String>red</t:String></t:Categories>")))
		m = scan(t, c.blob(read))
		equal(t, "subject", m.Subject(), "Re: wombatquixote")
		equal(t, "normalized", m.Properties.Text(mapi.PidTagNormalizedSubject), "wombatquixote")
		equal(t, "categories", m.Categories(), []string{"red"})
		equal(t, "read stays", m.Read(), false)
		remove := strings.NewReplacer("SetItemField", "DeleteItemField", "<t:Message></t:Message>", "").Replace(setField(read, "item:Categories", ""))
		c.ok(c.do(remove))
		equal(t, "no categories", len(scan(t, c.blob(read)).Categories()), 0)
	}
}

func TestUpdateItemConflicts(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	old := c.create("inbox", "one")
	now := refs(c.ok(c.do(setField(old, "item:Subject", "<t:Subject>two</t:Subject>"))), "ItemId")[0]
	subject := func(r ref, resolution string) string {
		return strings.Replace(setField(r, "item:Subject", "<t:Subject>three</t:Subject>"), "AlwaysOverwrite", resolution, 1)
	}
	for _, test := range []struct{ name, body, code string }{
		{"stale", subject(old, "NeverOverwrite"), "ErrorIrresolvableConflict"},
		{"no key", strings.Replace(subject(now, "NeverOverwrite"), now.item(), now.bare(), 1), "ErrorChangeKeyRequiredForWriteOperations"},
		{"key no base64", subject(ref{now.id, "%%"}, "AlwaysOverwrite"), "ErrorInvalidChangeKey"},
		{"no disposition", strings.Replace(subject(now, "AlwaysOverwrite"), ` MessageDisposition="SaveOnly"`, "", 1), "ErrorMessageDispositionRequired"},
		{"another element", setField(now, "item:Subject", "<t:IsRead>true</t:IsRead>"), "ErrorUpdatePropertyMismatch"},
		{"two elements", setField(now, "item:Subject", "<t:Subject>x</t:Subject><t:IsRead>true</t:IsRead>"), "ErrorIncorrectUpdatePropertyCount"},
		{"property of the server", setField(now, "item:Size", "<t:Size>7</t:Size>"), "ErrorInvalidPropertySet"},
		{"append", strings.ReplaceAll(setField(now, "item:Subject", "<t:Subject>x</t:Subject>"), "SetItemField", "AppendToItemField"), "ErrorInvalidPropertyAppend"},
		{"delete of what must be", strings.NewReplacer("SetItemField", "DeleteItemField", "<t:Message></t:Message>", "").Replace(setField(now, "message:IsRead", "")), "ErrorInvalidPropertyDelete"},
		{"current", subject(now, "NeverOverwrite"), "NoError"},
		{"stale but overwriting", subject(old, "AlwaysOverwrite"), "NoError"},
		{"stale but resolved", subject(old, "AutoResolve"), "NoError"},
	} {
		t.Run(test.name, func(t *testing.T) { equal(t, "code", c.one(c.do(test.body)), test.code) })
	}
}

func TestMixedResults(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	one, two, gone := c.create("inbox", "one"), c.create("inbox", "two"), c.create("inbox", "gone")
	c.ok(c.do(deleteItem("HardDelete", gone.bare())))
	ids := one.item() + gone.bare() + `<t:ItemId Id="x"/>` + two.bare() + `<t:ItemId Id="` + c.folder("inbox").id + `"/>`
	want := []string{"NoError", "ErrorItemNotFound", "ErrorInvalidIdMalformed", "NoError", "ErrorCannotUseFolderIdForItemId"}
	equal(t, "get", codes(c.do(getItem(`<t:BaseShape>IdOnly</t:BaseShape>`, ids))), want)
	equal(t, "export", codes(c.do(`<m:ExportItems><m:ItemIds>`+ids+`</m:ItemIds></m:ExportItems>`)), want)
	moved := c.do(moveItem("drafts", ids))
	equal(t, "move", codes(moved), want)
	equal(t, "moved", len(c.find(c.folder("drafts"))), 2)
	equal(t, "move to nowhere", c.one(c.do(strings.Replace(moveItem("drafts", one.bare()), distinguished("drafts"), `<t:FolderId Id="`+c.ghostFolder()+`"/>`, 1))), "ErrorToFolderNotFound")
	equal(t, "delete", codes(c.do(deleteItem("HardDelete", ids))), []string{"ErrorItemNotFound", "ErrorItemNotFound", "ErrorInvalidIdMalformed", "ErrorItemNotFound", "ErrorCannotUseFolderIdForItemId"})
}

// TestIdsDifferByCase: a client that takes ids without regard to case mixes up items.
func TestIdsDifferByCase(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	files := map[string]string{}
	for i := range 700 {
		files[fmt.Sprintf("Inbox/%d.eml", i)] = message("x")
	}
	if err := c.server.Load(box, tree(t, files)); err != nil {
		t.Fatal(err)
	}
	exact, folded := map[string]bool{}, map[string]bool{}
	for _, r := range c.find(c.folder("inbox")) {
		exact[r.id], folded[strings.ToLower(r.id)] = true, true
	}
	if len(exact) != 700 || len(folded) == 700 {
		t.Errorf("%d ids, %d without case", len(exact), len(folded))
	}
}
