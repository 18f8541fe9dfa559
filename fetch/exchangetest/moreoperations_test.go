package exchangetest_test

import (
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
