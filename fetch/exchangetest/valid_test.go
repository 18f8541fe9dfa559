package exchangetest_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mailbrick/fetch/exchangetest"
	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/calendar"
)

// schemas is the folder of the protocol's XSDs beside the repository.
func schemas(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../../../shared/reference/schema")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "soap11.xsd")); err != nil {
		t.Skip("the schemas of the protocol are not there: ../shared/reference/schema")
	}
	return dir
}

func validate(t *testing.T, dir string, documents map[string][]byte) {
	t.Helper()
	args := []string{"--noout", "--nonet", "--schema", filepath.Join(dir, "soap11.xsd")}
	at := t.TempDir()
	for name, data := range documents {
		path := filepath.Join(at, name+".xml")
		if err := os.WriteFile(path, data, 0o666); err != nil {
			t.Fatal(err)
		}
		args = append(args, path)
	}
	var out bytes.Buffer
	c := exec.Command("xmllint", args...)
	c.Stderr = &out
	if err := c.Run(); err != nil {
		for line := range strings.Lines(out.String()) {
			if !strings.HasSuffix(line, " validates\n") {
				t.Error(strings.TrimSpace(line))
			}
		}
	}
}

// TestMessagesAreValid holds requests of these tests and all kinds of answers against the XSDs.
func TestMessagesAreValid(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("xmllint"); err != nil {
		t.Skip("xmllint is not installed")
	}
	dir := schemas(t)
	c := newClient(t, exchangetest.Options{})
	files := map[string]string{"Inbox/1.eml": html, "Inbox/2.eml": message("two"), "Inbox/Sub/3.eml": message("odd \x01 bytes \xff")}
	if err := c.server.Load(box, tree(t, files)); err != nil {
		t.Fatal(err)
	}
	inbox := c.folder("inbox")
	items := c.find(inbox)
	pulled := c.ok(c.do(pullAll))
	blob := c.blob(items[0])
	made := refs(c.ok(c.do(create(topFolder, named("Made")))), "FolderId")[0]
	fai := refs(c.ok(c.uploadItems(upload("CreateNew", inbox, "", encode(t, "IPM.Configuration.X", "x"), ` IsAssociated="true"`))), "ItemId")[0]
	c.ok(c.uploadItems(upload("CreateNew", inbox, "", encode(t, "IPM.Appointment", "x"), "")))
	request := &mapi.Message{}
	if err := calendar.Apply(request, []byte("BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:q\r\nDTSTART:20260302T090000Z\r\nRRULE:FREQ=DAILY;COUNT=3\r\nORGANIZER:mailto:a@x.example\r\nATTENDEE:mailto:b@y.example\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n")); err != nil {
		t.Fatal(err)
	}
	requested := refs(c.ok(c.uploadItems(upload("CreateNew", inbox, "", encode(t, "IPM.Schedule.Meeting.Request", "x", request.Properties...), ""))), "ItemId")[0]
	old := c.create("drafts", "gone")
	sync := &syncer{client: c, folder: distinguished("drafts"), scope: "NormalAndAssociatedItems"}
	sync.next(512)
	c.ok(c.do(deleteItem("HardDelete", old.bare())))
	c.create("drafts", "new")
	badSync := *sync
	badSync.state = "AAAA"
	shape := func(s string) string { return `<t:BaseShape>` + s + `</t:BaseShape>` }
	find := func(s string) string {
		return `<m:FindItem Traversal="Shallow"><m:ItemShape>` + shape(s) + `</m:ItemShape><m:ParentFolderIds>` + inbox.folder() + distinguished("searchfolders") +
			distinguished("voicemail") + `</m:ParentFolderIds></m:FindItem>`
	}
	hierarchy := `<m:SyncFolderHierarchy><m:FolderShape>` + shape("AllProperties") + `</m:FolderShape></m:SyncFolderHierarchy>`
	element := `<t:%[1]s><t:Subject>s</t:Subject><t:Attachments><t:FileAttachment><t:Name>a</t:Name><t:Content>QQ==</t:Content></t:FileAttachment>` +
		`<t:ItemAttachment><t:Name>i</t:Name><t:%[1]s><t:Subject>in</t:Subject></t:%[1]s></t:ItemAttachment></t:Attachments></t:%[1]s>`
	kinds := seminar + ada + pay
	for _, name := range []string{"Message", "CalendarItem", "Contact", "Task", "PostItem", "Item"} {
		kinds += fmt.Sprintf(element, name)
	}
	every := refs(c.ok(c.do(createIn("", kinds))), "ItemId")
	var ids string
	for _, it := range every {
		ids += it.bare()
	}
	inside := refs(c.item(every[len(every)-2]), "AttachmentId")
	bodies := map[string]string{
		"SendItem":         `<m:SendItem SaveItemToFolder="true"><m:ItemIds>` + c.create("drafts", "to be sent").item() + `<t:ItemId Id="x"/></m:ItemIds></m:SendItem>`,
		"MoveFolder":       `<m:MoveFolder><m:ToFolderId>` + distinguished("drafts") + `</m:ToFolderId><m:FolderIds>` + refs(c.ok(c.do(create(topFolder, named("Moved")))), "FolderId")[0].folder() + distinguished("inbox") + `</m:FolderIds></m:MoveFolder>`,
		"CopyFolder":       `<m:CopyFolder><m:ToFolderId>` + distinguished("drafts") + `</m:ToFolderId><m:FolderIds>` + distinguished("junkemail") + distinguished("drafts") + `</m:FolderIds></m:CopyFolder>`,
		"CalendarView":     `<m:FindItem Traversal="Shallow"><m:ItemShape>` + shape("AllProperties") + `</m:ItemShape><m:CalendarView StartDate="2000-01-01T00:00:00Z" EndDate="2100-01-01T00:00:00Z"/><m:ParentFolderIds>` + distinguished("calendar") + `</m:ParentFolderIds></m:FindItem>`,
		"CreateKinds":      createIn("", kinds),
		"GetKinds":         getItem(shape("AllProperties")+`<t:IncludeMimeContent>true</t:IncludeMimeContent>`, ids),
		"FindKinds":        strings.Replace(find("AllProperties"), inbox.folder(), distinguished("calendar")+distinguished("contacts")+distinguished("tasks"), 1),
		"UpdateEvent":      setIn(every[0], "CalendarItem", "calendar:Location", "<t:Location>x</t:Location>"),
		"UpdateContact":    setIn(every[1], "Contact", "contacts:Surname", "<t:Surname>x</t:Surname>"),
		"CreateAttachment": `<m:CreateAttachment><m:ParentItemId Id="` + items[0].id + `"/><m:Attachments><t:FileAttachment><t:Name>a</t:Name><t:Content>QQ==</t:Content></t:FileAttachment></m:Attachments></m:CreateAttachment>`,
		"DeleteAttachment": deleteAttachment(refs(c.item(every[len(every)-1]), "AttachmentId")[0].id),
		"GetItemInside":    getAttachment(inside[1].id),
		"RequestUploaded":  getItem(shape("AllProperties"), requested.bare()),
		"GetFolder":        strings.Replace(getInbox, "</m:FolderIds>", `<t:FolderId Id="x"/></m:FolderIds>`, 1),
		"FindFolder":       findFolders("Deep", "root", `<m:IndexedPageFolderView MaxEntriesReturned="100" Offset="0" BasePoint="Beginning"/>`),
		"CreateFolder":     create(topFolder, named("New"), named("Inbox")),
		"UpdateFolder":     `<m:UpdateFolder><m:FolderChanges><t:FolderChange>` + made.folder() + `<t:Updates><t:SetFolderField><t:FieldURI FieldURI="folder:DisplayName"/><t:Folder><t:DisplayName>N</t:DisplayName></t:Folder></t:SetFolderField></t:Updates></t:FolderChange></m:FolderChanges></m:UpdateFolder>`,
		"DeleteFolder":     deleteFolder("SoftDelete", `<t:FolderId Id="x"/>`),
		"Hierarchy":        hierarchy,
		"HierarchyBad":     strings.Replace(hierarchy, "</m:FolderShape>", "</m:FolderShape><m:SyncState>AAAA</m:SyncState>", 1),
		"Sync":             sync.request(512),
		"SyncBad":          badSync.request(512),
		"SyncAll":          strings.Replace((&syncer{client: c, folder: inbox.folder(), scope: "NormalAndAssociatedItems"}).request(512), "IdOnly", "AllProperties", 1),
		"FindItemIds":      find("IdOnly"),
		"FindItemDefault":  find("Default"),
		"FindItemAll":      find("AllProperties"),
		"GetItem":          getItem(shape("AllProperties")+`<t:IncludeMimeContent>true</t:IncludeMimeContent>`, items[0].item(), items[1].item(), fai.item(), `<t:ItemId Id="x"/>`),
		"GetItemExtended":  getItem(shape("IdOnly")+`<t:AdditionalProperties><t:FieldURI FieldURI="item:TextBody"/><t:ExtendedFieldURI PropertyTag="0x300B" PropertyType="Binary"/></t:AdditionalProperties>`, items[0].item()),
		"CreateItem":       `<m:CreateItem MessageDisposition="SaveOnly"><m:Items><t:Message><t:Subject>s</t:Subject></t:Message></m:Items></m:CreateItem>`,
		"UpdateItem":       setField(items[0], "item:Subject", "<t:Subject>t</t:Subject>"),
		"UpdateItemBad":    setField(ref{"x", "y"}, "item:Subject", "<t:Subject>t</t:Subject>"),
		"MoveItem":         moveItem("drafts", items[1].bare()+`<t:ItemId Id="x"/>`),
		"DeleteItem":       deleteItem("SoftDelete", fai.bare()+`<t:ItemId Id=""/>`),
		"ExportItems":      `<m:ExportItems><m:ItemIds>` + items[0].item() + `<t:ItemId Id="x"/></m:ItemIds></m:ExportItems>`,
		"UploadItems":      `<m:UploadItems><m:Items>` + upload("CreateNew", inbox, "", blob, "") + upload("CreateNew", inbox, "", nil, "") + `</m:Items></m:UploadItems>`,
		"GetAttachment":    getAttachment(c.withAttachment()),
		"GetAttachmentBad": getAttachment("!"),
		"CopyItem":         copyItem("drafts", items[1].bare()),
		"EmptyFolder":      emptyFolder("HardDelete", "junkemail"),
		"ConvertId":        convertID("HexEntryId", "EwsId", items[0].id),
		"ConvertIdBad":     convertID("EwsId", "HexEntryId", "00"),
		"ResolveNames":     resolve("anna"),
		"ResolveNamesBad":  resolve("zoe"),
		"SubscribePull":    pullAll,
		"SubscribeStream":  streamAll,
		"SubscribeBad":     strings.Replace(streamAll, ` SubscribeToAllFolders="true"`, "", 1),
		"GetEvents":        getEvents(pulled.FindElement("//SubscriptionId").Text(), pulled.FindElement("//Watermark").Text()),
		"GetEventsBad":     getEvents("x", "y"),
		"Unsubscribe":      unsubscribe(c.ok(c.do(pullAll)).FindElement("//SubscriptionId").Text()),
		"UnsubscribeBad":   unsubscribe("x"),
		"FaultUnknown":     `<m:GetCoffee/>`,
		"FaultSchema":      `<m:GetFolder/>`,
		"FaultOldSchema":   ``,
		"BusyInMessages":   `<m:GetFolder><m:FolderShape>` + shape("IdOnly") + `</m:FolderShape><m:FolderIds>` + distinguished("inbox") + `</m:FolderIds></m:GetFolder>`,
		"ExportOfABatch":   `<m:ExportItems><m:ItemIds>` + items[0].item() + items[0].item() + items[0].item() + `</m:ItemIds></m:ExportItems>`,
		"SyncWhileLimited": (&syncer{client: c, folder: inbox.folder()}).request(1),
	}
	documents := map[string][]byte{}
	for name, body := range bodies {
		switch name {
		case "BusyInMessages", "SyncWhileLimited":
			c.server.AddFaults(exchangetest.Fault{Action: exchangetest.ActionItemError, Code: "ErrorServerBusy", BackOffMilliseconds: 31017})
		case "ExportOfABatch":
			c.server.AddFaults(exchangetest.Fault{Action: exchangetest.ActionItemError, Code: "ErrorMailboxStoreUnavailable", Index: index(1), StopRest: true})
		}
		resp, data, err := c.send(c.envelope(body))
		if err != nil {
			t.Fatal(name, err)
		}
		documents[name] = data
		if fault := strings.HasPrefix(name, "Fault"); fault != (resp.StatusCode == 500) {
			t.Errorf("%s: status %d: %.600s", name, resp.StatusCode, data)
		} else if !fault {
			documents[name+"Request"] = []byte(c.envelope(body))
		}
	}
	validate(t, dir, documents)
}

// TestCodesAreOfTheSchema: every code in the sources is one of ResponseCodeType.
func TestCodesAreOfTheSchema(t *testing.T) {
	t.Parallel()
	xsd, err := os.ReadFile(filepath.Join(schemas(t), "messages.xsd"))
	if err != nil {
		t.Fatal(err)
	}
	sources, _ := filepath.Glob("*.go")
	for _, path := range sources {
		if strings.HasSuffix(path, "_test.go") || strings.HasPrefix(path, "graph") {
			continue // Graph has codes of its own
		}
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, code := range regexp.MustCompile(`"Error[A-Z][A-Za-z]+"`).FindAll(source, -1) {
			if name := string(code); name == `"ErrorCode"` || name == `"ErrorMessage"` {
				continue // members of Autodiscover's answer and names of values
			}
			if !bytes.Contains(xsd, []byte(`value=`+string(code))) {
				t.Errorf("%s: %s is no response code", path, code)
			}
		}
	}
}
