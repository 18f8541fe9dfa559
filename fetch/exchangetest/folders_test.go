package exchangetest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"

	"mailbrick/fetch/exchangetest"
)

const marks = `<t:ExtendedFieldURI PropertyTag="0x670A" PropertyType="SystemTime"/><t:ExtendedFieldURI PropertyTag="0x670B" PropertyType="Integer"/>`

func findFolders(traversal, root, view string) string {
	return `<m:FindFolder Traversal="` + traversal + `"><m:FolderShape><t:BaseShape>Default</t:BaseShape><t:AdditionalProperties>` +
		`<t:FieldURI FieldURI="folder:FolderClass"/><t:FieldURI FieldURI="folder:ParentFolderId"/><t:FieldURI FieldURI="folder:DistinguishedFolderId"/>` +
		marks + `<t:ExtendedFieldURI PropertyTag="0x3601" PropertyType="Integer"/></t:AdditionalProperties></m:FolderShape>` + view +
		`<m:ParentFolderIds><t:DistinguishedFolderId Id="` + root + `"/></m:ParentFolderIds></m:FindFolder>`
}

func names(root *etree.Element) (list []string) {
	for _, e := range root.FindElements("//DisplayName") {
		list = append(list, e.Text())
	}
	return list
}

func TestDefaultFolders(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	visible := "Calendar,Contacts,Deleted Items,Drafts,Inbox,Journal,Junk Email,Notes,Outbox,Sent Items,Tasks"
	for _, test := range []struct{ name, traversal, root, want string }{
		{"below the visible root", "Deep", "msgfolderroot", visible},
		{"below the root", "Shallow", "root", "Top of Information Store,Finder,Recoverable Items"},
		{"all", "Deep", "root", "Top of Information Store," + visible + ",Finder,AllItems,Recoverable Items,Deletions,Versions,Purges,DiscoveryHolds"},
		{"soft deleted", "SoftDeleted", "root", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			equal(t, "names", strings.Join(names(c.ok(c.do(findFolders(test.traversal, test.root, "")))), ","), test.want)
		})
	}
	root := c.ok(c.do(findFolders("Deep", "root", "")))
	equal(t, "search folder", root.FindElement("//SearchFolder/DisplayName").Text(), "AllItems")
	equal(t, "calendar", root.FindElement("//CalendarFolder/DistinguishedFolderId").Text(), "calendar")
	equal(t, "calendar class", root.FindElement("//CalendarFolder/FolderClass").Text(), "IPF.Appointment")
}

func TestFolderPages(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	var got []string
	for offset, pages := 0, 0; ; pages++ {
		root := c.ok(c.do(findFolders("Deep", "msgfolderroot", fmt.Sprintf(`<m:IndexedPageFolderView MaxEntriesReturned="4" Offset="%d" BasePoint="Beginning"/>`, offset))))
		got = append(got, names(root)...)
		list := root.FindElement("//RootFolder")
		equal(t, "total", list.SelectAttrValue("TotalItemsInView", ""), 11)
		if list.SelectAttrValue("IncludesLastItemInRange", "") == "true" {
			equal(t, "pages", pages, 2)
			break
		}
		fmt.Sscan(list.SelectAttrValue("IndexedPagingOffset", ""), &offset)
	}
	equal(t, "all pages", got, names(c.do(findFolders("Deep", "msgfolderroot", ""))))
	last := c.ok(c.do(findFolders("Deep", "msgfolderroot", `<m:IndexedPageFolderView MaxEntriesReturned="3" Offset="0" BasePoint="End"/>`)))
	equal(t, "from the end", names(last), got[8:])
	half := c.ok(c.do(findFolders("Deep", "msgfolderroot", `<m:FractionalPageFolderView MaxEntriesReturned="100" Numerator="1" Denominator="2"/>`)))
	equal(t, "the second half", names(half), got[5:])
	for _, view := range []string{
		`<m:IndexedPageFolderView MaxEntriesReturned="0" Offset="0" BasePoint="Beginning"/>`,
		`<m:IndexedPageFolderView Offset="-1" BasePoint="Beginning"/>`,
		`<m:FractionalPageFolderView Numerator="2" Denominator="1"/>`,
	} {
		if code := c.one(c.do(findFolders("Deep", "msgfolderroot", view))); !strings.HasPrefix(code, "ErrorInvalid") {
			t.Errorf("%s: %s", view, code)
		}
	}
}

func create(parent string, folders ...string) string {
	return `<m:CreateFolder><m:ParentFolderId>` + parent + `</m:ParentFolderId><m:Folders>` + strings.Join(folders, "") + `</m:Folders></m:CreateFolder>`
}

func named(name string) string {
	return `<t:Folder><t:DisplayName>` + name + `</t:DisplayName></t:Folder>`
}

const topFolder = `<t:DistinguishedFolderId Id="msgfolderroot"/>`

func TestCreateFolder(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	root := c.do(create(topFolder, named("Projects"), named("inbox"),
		`<t:CalendarFolder><t:DisplayName>Meetings</t:DisplayName></t:CalendarFolder>`,
		`<t:CalendarFolder><t:FolderClass>IPF.Note</t:FolderClass><t:DisplayName>Odd</t:DisplayName></t:CalendarFolder>`,
		`<t:Folder><t:FolderClass>IPF.Note.Custom</t:FolderClass><t:DisplayName>Custom</t:DisplayName></t:Folder>`))
	equal(t, "codes", codes(root), []string{"NoError", "ErrorFolderExists", "NoError", "ErrorNoFolderClassOverride", "NoError"})
	made := refs(root, "FolderId")
	sub := refs(c.ok(c.do(create(made[0].folder(), named("2026")))), "FolderId")[0]
	got := c.ok(c.do(`<m:GetFolder><m:FolderShape><t:BaseShape>AllProperties</t:BaseShape></m:FolderShape><m:FolderIds>` +
		made[0].folder() + made[1].folder() + made[2].folder() + sub.folder() + `</m:FolderIds></m:GetFolder>`))
	equal(t, "names", names(got), []string{"Projects", "Meetings", "Custom", "2026"})
	equal(t, "element of a calendar", got.FindElement("//CalendarFolder/FolderClass").Text(), "IPF.Appointment")
	equal(t, "children", got.FindElement("//ChildFolderCount").Text(), 1)
	equal(t, "parent", got.FindElements("//ParentFolderId")[3].SelectAttrValue("Id", ""), made[0].id)
}

func TestUpdateFolder(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	one := refs(c.ok(c.do(create(topFolder, named("One"), named("Two")))), "FolderId")
	set := func(r ref, field, element, value string) string {
		return `<m:UpdateFolder><m:FolderChanges><t:FolderChange>` + r.folder() + `<t:Updates><t:SetFolderField><t:FieldURI FieldURI="folder:` + field +
			`"/><t:Folder><t:` + element + `>` + value + `</t:` + element + `></t:Folder></t:SetFolderField></t:Updates></t:FolderChange></m:FolderChanges></m:UpdateFolder>`
	}
	renamed := refs(c.ok(c.do(set(one[0], "DisplayName", "DisplayName", "Uno"))), "FolderId")[0]
	equal(t, "id stays", renamed.id, one[0].id)
	if renamed.key == one[0].key {
		t.Error("the change key stays")
	}
	for _, test := range []struct{ name, body, code string }{
		{"name taken", set(one[0], "DisplayName", "DisplayName", "TWO"), "ErrorFolderExists"},
		{"own name in other letters", set(one[0], "DisplayName", "DisplayName", "UNO"), "NoError"},
		{"another property", set(one[0], "DisplayName", "FolderClass", "IPF.Note"), "ErrorUpdatePropertyMismatch"},
		{"a property of the server", set(one[0], "TotalCount", "TotalCount", "7"), "ErrorInvalidPropertySet"},
		{"no such folder", set(ref{id: c.ghostFolder()}, "DisplayName", "DisplayName", "X"), "ErrorFolderNotFound"},
	} {
		t.Run(test.name, func(t *testing.T) { equal(t, "code", c.one(c.do(test.body)), test.code) })
	}
}

// ghostFolder is the id of a folder that is gone.
func (c *client) ghostFolder() string {
	made := refs(c.ok(c.do(create(topFolder, named("Ghost")))), "FolderId")[0]
	c.ok(c.do(deleteFolder("HardDelete", made.folder())))
	return made.id
}

func deleteFolder(kind, id string) string {
	return `<m:DeleteFolder DeleteType="` + kind + `"><m:FolderIds>` + id + `</m:FolderIds></m:DeleteFolder>`
}

func TestDeleteFolder(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	equal(t, "distinguished", c.one(c.do(deleteFolder("HardDelete", `<t:DistinguishedFolderId Id="inbox"/>`))), "ErrorDeleteDistinguishedFolder")
	list := refs(c.ok(c.do(create(topFolder, named("A"), named("B"), named("C")))), "FolderId")
	c.ok(c.do(create(list[0].folder(), named("Below"))))
	inbox := c.folder("inbox")
	blob := c.blob(c.create("inbox", "inside"))
	for _, r := range list {
		c.ok(c.uploadItems(upload("CreateNew", r, "", blob, "")))
	}
	c.ok(c.do(deleteFolder("HardDelete", list[0].folder())))
	c.ok(c.do(deleteFolder("SoftDelete", list[1].folder())))
	c.ok(c.do(deleteFolder("MoveToDeletedItems", list[2].folder())))
	equal(t, "again", c.one(c.do(deleteFolder("HardDelete", list[0].folder()))), "ErrorFolderNotFound")
	equal(t, "in deleted items", names(c.do(findFolders("Shallow", "deleteditems", ""))), []string{"C"})
	equal(t, "recoverable", len(c.find(c.folder("recoverableitemsdeletions"))), 1)
	equal(t, "moved with its items", len(c.find(list[2])), 1)
	equal(t, "inbox", len(c.find(inbox)), 1)
}

func TestIdsOfFolders(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	c.server.AddMailbox("bob@example.org")
	inbox, item := c.folder("inbox"), c.create("inbox", "one")
	c.mailbox = "bob@example.org"
	bobs := c.folder("inbox")
	c.mailbox = box
	get := func(id string) string {
		return `<m:GetFolder><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape></m:FolderShape><m:FolderIds>` + id + `</m:FolderIds></m:GetFolder>`
	}
	for _, test := range []struct{ name, id, code string }{
		{"good", inbox.folder(), "NoError"},
		{"without change key", `<t:FolderId Id="` + inbox.id + `"/>`, "NoError"},
		{"of another mailbox", bobs.folder(), "ErrorNonExistentMailbox"},
		{"of an item", `<t:FolderId Id="` + item.id + `"/>`, "ErrorCannotUseItemIdForFolderId"},
		{"other case", `<t:FolderId Id="` + strings.ToLower(inbox.id) + `"/>`, "ErrorInvalidIdMalformed"},
		{"published", `<t:FolderId Id="AQMkADhhOGIgAAAA=="/>`, "ErrorInvalidIdMalformed"},
		{"empty", `<t:FolderId Id=""/>`, "ErrorInvalidIdEmpty"},
		{"key no base64", `<t:FolderId Id="` + inbox.id + `" ChangeKey="%"/>`, "ErrorInvalidChangeKey"},
		{"key of an item", `<t:FolderId Id="` + inbox.id + `" ChangeKey="` + item.key + `"/>`, "ErrorInvalidChangeKey"},
		{"short key", `<t:FolderId Id="` + inbox.id + `" ChangeKey="AQAAAA=="/>`, "NoError"},
		{"not there", `<t:DistinguishedFolderId Id="voicemail"/>`, "ErrorFolderNotFound"},
		{"archive", `<t:DistinguishedFolderId Id="archivemsgfolderroot"/>`, "ErrorArchiveMailboxNotEnabled"},
		{"own mailbox named", `<t:DistinguishedFolderId Id="inbox"><t:Mailbox><t:EmailAddress>` + box + `</t:EmailAddress></t:Mailbox></t:DistinguishedFolderId>`, "NoError"},
		{"another's named", `<t:DistinguishedFolderId Id="inbox"><t:Mailbox><t:EmailAddress>bob@example.org</t:EmailAddress></t:Mailbox></t:DistinguishedFolderId>`, "ErrorAccessDenied"},
		{"nobody's named", `<t:DistinguishedFolderId Id="inbox"><t:Mailbox><t:EmailAddress>x@example.org</t:EmailAddress></t:Mailbox></t:DistinguishedFolderId>`, "ErrorNonExistentMailbox"},
	} {
		t.Run(test.name, func(t *testing.T) { equal(t, "code", c.one(c.do(get(test.id))), test.code) })
	}
	root := c.do(get(bobs.folder()))
	guid := root.FindElement("//MessageXml/Value[@Name='MailboxGuid']")
	equal(t, "guid of the other", guid.Text(), c.server.AddMailbox("bob@example.org").GUID())
}

// TestChangeMarks: 0x670A and 0x670B tell every change, however fast they come.
func TestChangeMarks(t *testing.T) {
	t.Parallel()
	still := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	c := newClient(t, exchangetest.Options{Clock: func() time.Time { return still }})
	inbox := c.folder("inbox")
	seen := map[string]bool{}
	last := ""
	mark := func(what string) {
		t.Helper()
		root := c.ok(c.do(`<m:GetFolder><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties>` + marks +
			`</t:AdditionalProperties></m:FolderShape><m:FolderIds>` + inbox.folder() + `</m:FolderIds></m:GetFolder>`))
		values := root.FindElements("//ExtendedProperty/Value")
		now := values[0].Text() + " " + values[1].Text()
		if seen[now] {
			t.Errorf("%s: still %s", what, now)
		}
		if at, err := time.Parse(time.RFC3339Nano, values[0].Text()); err != nil || at.Before(still) {
			t.Errorf("%s: commit time %s", what, values[0].Text())
		}
		seen[now], last = true, now
	}
	mark("empty")
	one := c.create("inbox", "one")
	mark("created")
	two := c.create("inbox", "two")
	mark("created again")
	c.ok(c.do(setField(one, "message:IsRead", "<t:IsRead>false</t:IsRead>")))
	mark("read flag")
	c.ok(c.do(setField(one, "item:Subject", "<t:Subject>new</t:Subject>")))
	mark("subject")
	c.ok(c.do(deleteItem("HardDelete", two.bare())))
	mark("deleted")
	c.ok(c.do(moveItem("drafts", one.bare())))
	mark("moved away")
	equal(t, "deleted count", strings.HasSuffix(last, " 2"), true)
}
