package exchangetest_test

import (
	"strings"
	"testing"

	"mailbrick/fetch/exchangetest"
)

func convertID(to, format, id string) string {
	return `<m:ConvertId DestinationFormat="` + to + `"><m:SourceIds><t:AlternateId Format="` + format + `" Id="` + id + `" Mailbox="` + box + `"/></m:SourceIds></m:ConvertId>`
}

func resolve(name string) string {
	return `<m:ResolveNames ReturnFullContactData="false"><m:UnresolvedEntry>` + name + `</m:UnresolvedEntry></m:ResolveNames>`
}

func copyItem(folder, items string) string {
	return `<m:CopyItem><m:ToFolderId>` + distinguished(folder) + `</m:ToFolderId><m:ItemIds>` + items + `</m:ItemIds></m:CopyItem>`
}

func emptyFolder(kind, folder string) string {
	return `<m:EmptyFolder DeleteType="` + kind + `" DeleteSubFolders="true"><m:FolderIds>` + distinguished(folder) + `</m:FolderIds></m:EmptyFolder>`
}

func TestCopyAndEmpty(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	one := c.create("inbox", "one")
	copied := refs(c.ok(c.do(copyItem("drafts", one.bare()))), "ItemId")[0]
	same(t, "the copy", c.blob(copied), c.blob(one))
	equal(t, "the original stays", len(c.find(c.folder("inbox"))), 1)
	c.ok(c.do(emptyFolder("SoftDelete", "inbox")))
	equal(t, "emptied", len(c.find(c.folder("inbox"))), 0)
	equal(t, "recoverable", len(c.find(c.folder("recoverableitemsdeletions"))), 1)
	c.ok(c.do(emptyFolder("HardDelete", "drafts")))
	equal(t, "all", c.server.AddMailbox(box).Items(), 1)
}

func TestConvertID(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	for name, id := range map[string]string{"item": c.create("inbox", "one").id, "folder": c.folder("inbox").id} {
		for _, form := range []string{"EntryId", "HexEntryId", "EwsId"} {
			there := c.ok(c.do(convertID(form, "EwsId", id))).FindElement("//AlternateId").SelectAttrValue("Id", "")
			back := c.ok(c.do(convertID("EwsId", form, there))).FindElement("//AlternateId").SelectAttrValue("Id", "")
			equal(t, name+" as "+form, back, id)
		}
	}
	equal(t, "garbage", c.one(c.do(convertID("EwsId", "HexEntryId", "00FF"))), "ErrorInvalidIdMalformed")
}

func TestResolveNames(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	c.server.AddMailbox("annabel@example.org")
	equal(t, "two", len(c.ok(c.do(resolve("anna"))).FindElements("//Resolution")), 2)
	equal(t, "one", c.ok(c.do(resolve(box))).FindElement("//EmailAddress").Text(), box)
	equal(t, "none", c.one(c.do(resolve("zoe"))), "ErrorNameResolutionNoResults")
}

func getAttachment(id string) string {
	return `<m:GetAttachment><m:AttachmentIds><t:AttachmentId Id="` + id + `"/></m:AttachmentIds></m:GetAttachment>`
}

// withAttachment makes a message with a file given inline, and gives the file's id.
func (c *client) withAttachment() string {
	c.t.Helper()
	root := c.ok(c.do(`<m:CreateItem MessageDisposition="SaveOnly"><m:Items><t:Message><t:Subject>s</t:Subject><t:Attachments><t:FileAttachment><t:Name>a.txt</t:Name>` +
		`<t:ContentType>text/plain</t:ContentType><t:Content>aGVsbG8=</t:Content></t:FileAttachment></t:Attachments></t:Message></m:Items></m:CreateItem>`))
	made := refs(root, "ItemId")[0]
	return c.ok(c.do(getItem(`<t:BaseShape>Default</t:BaseShape>`, made.bare()))).FindElement("//AttachmentId").SelectAttrValue("Id", "")
}

func TestGetAttachment(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	got := c.ok(c.do(getAttachment(c.withAttachment())))
	equal(t, "content", got.FindElement("//Content").Text(), "aGVsbG8=")
	equal(t, "name", got.FindElement("//Name").Text(), "a.txt")
	equal(t, "garbage", c.one(c.do(getAttachment("AAAA"))), "ErrorInvalidAttachmentId")
	equal(t, "no base64", c.one(c.do(getAttachment("!"))), "ErrorInvalidAttachmentId")
}

// TestFoldersElsewhere: a folder goes or is copied with all in it, but not into itself.
func TestFoldersElsewhere(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	outer := refs(c.ok(c.do(create(topFolder, named("Outer")))), "FolderId")[0]
	inner := refs(c.ok(c.do(create(outer.folder(), named("Inner")))), "FolderId")[0]
	it := c.create("inbox", "one")
	c.ok(c.do(strings.Replace(moveItem("drafts", it.bare()), distinguished("drafts"), inner.folder(), 1)))
	to := func(operation, where, folder string) string {
		return `<m:` + operation + `><m:ToFolderId>` + where + `</m:ToFolderId><m:FolderIds>` + folder + `</m:FolderIds></m:` + operation + `>`
	}
	equal(t, "into itself", c.one(c.do(to("CopyFolder", inner.folder(), outer.folder()))), "ErrorMoveCopyFailed")
	equal(t, "moved into itself", c.one(c.do(to("MoveFolder", outer.folder(), outer.folder()))), "ErrorMoveCopyFailed")
	equal(t, "the inbox", c.one(c.do(to("MoveFolder", outer.folder(), distinguished("inbox")))), "ErrorMoveDistinguishedFolder")
	copied := refs(c.ok(c.do(to("CopyFolder", distinguished("drafts"), outer.folder()))), "FolderId")[0]
	equal(t, "taken name", c.one(c.do(to("CopyFolder", distinguished("drafts"), outer.folder()))), "ErrorFolderExists")
	below := refs(c.ok(c.do(strings.Replace(findFolders("Deep", "inbox", ""), distinguished("inbox"), copied.folder(), 1))), "FolderId")
	if len(below) != 1 || len(c.find(below[0])) != 1 || len(c.find(inner)) != 1 {
		t.Error("the copy is not whole", below)
	}
	equal(t, "moved", c.one(c.do(to("MoveFolder", distinguished("junkemail"), inner.folder()))), "NoError")
}

// TestSendItem: a draft that is sent is kept among those sent, or gone.
func TestSendItem(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	send := func(keep, more string) string {
		return `<m:SendItem SaveItemToFolder="` + keep + `"><m:ItemIds>` + c.create("drafts", "s").item() + `</m:ItemIds>` + more + `</m:SendItem>`
	}
	c.ok(c.do(send("true", "")))
	c.ok(c.do(send("true", `<m:SavedItemFolderId>`+distinguished("junkemail")+`</m:SavedItemFolderId>`)))
	c.ok(c.do(send("false", "")))
	for name, want := range map[string]int{"drafts": 0, "sentitems": 1, "junkemail": 1} {
		equal(t, name, len(c.find(c.folder(name))), want)
	}
	equal(t, "draft no more", fields(c.item(c.find(c.folder("sentitems"))[0]), "IsDraft", "IsFromMe"), "false|true")
}
