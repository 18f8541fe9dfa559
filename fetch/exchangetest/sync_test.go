package exchangetest_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"mailbrick/fetch/exchangetest"
)

func setField(r ref, field, element string) string {
	return `<m:UpdateItem ConflictResolution="AlwaysOverwrite" MessageDisposition="SaveOnly"><m:ItemChanges><t:ItemChange>` + r.item() +
		`<t:Updates><t:SetItemField><t:FieldURI FieldURI="` + field + `"/><t:Message>` + element +
		`</t:Message></t:SetItemField></t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>`
}

func deleteItem(kind, ids string) string {
	return `<m:DeleteItem DeleteType="` + kind + `"><m:ItemIds>` + ids + `</m:ItemIds></m:DeleteItem>`
}

func moveItem(to, ids string) string {
	return `<m:MoveItem><m:ToFolderId><t:DistinguishedFolderId Id="` + to + `"/></m:ToFolderId><m:ItemIds>` + ids + `</m:ItemIds></m:MoveItem>`
}

// syncer follows one folder.
type syncer struct {
	*client
	folder string
	state  string
	scope  string
	last   bool
}

func (s *syncer) request(most int) string {
	state := ""
	if s.state != "" {
		state = `<m:SyncState>` + s.state + `</m:SyncState>`
	}
	scope := ""
	if s.scope != "" {
		scope = `<m:SyncScope>` + s.scope + `</m:SyncScope>`
	}
	return fmt.Sprintf(`<m:SyncFolderItems><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape><m:SyncFolderId>%s</m:SyncFolderId>%s`+
		`<m:MaxChangesReturned>%d</m:MaxChangesReturned>%s</m:SyncFolderItems>`, s.folder, state, most, scope)
}

// next gives changes as "Create id key" and takes the new state.
func (s *syncer) next(most int) (list []string) {
	s.t.Helper()
	root := s.ok(s.do(s.request(most)))
	s.state = root.FindElement("//SyncState").Text()
	s.last = root.FindElement("//IncludesLastItemInRange").Text() == "true"
	for _, e := range root.FindElement("//Changes").ChildElements() {
		id := e.FindElement(".//ItemId")
		line := e.Tag + " " + id.SelectAttrValue("Id", "")
		if read := e.FindElement("IsRead"); read != nil {
			line += " " + read.Text()
		}
		list = append(list, line)
	}
	return list
}

func distinguished(name string) string { return `<t:DistinguishedFolderId Id="` + name + `"/>` }

func TestSyncFolderItems(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	s := &syncer{client: c, folder: distinguished("inbox")}
	equal(t, "empty folder", s.next(10), []string(nil))
	equal(t, "last", s.last, true)

	one, two, three := c.create("inbox", "one"), c.create("inbox", "two"), c.create("inbox", "three")
	equal(t, "created", s.next(10), []string{"Create " + one.id, "Create " + two.id, "Create " + three.id})
	equal(t, "nothing new", s.next(10), []string(nil))

	read := refs(c.ok(c.do(setField(one, "message:IsRead", "<t:IsRead>false</t:IsRead>"))), "ItemId")[0]
	if read.key == one.key || read.id != one.id {
		t.Error("after a read flag change the id is another or the change key the same")
	}
	c.ok(c.do(setField(two, "item:Subject", "<t:Subject>zwei</t:Subject>")))
	c.ok(c.do(setField(two, "message:IsRead", "<t:IsRead>false</t:IsRead>")))
	c.ok(c.do(deleteItem("HardDelete", three.bare())))
	before := *s
	equal(t, "changed", s.next(10), []string{"ReadFlagChange " + one.id + " false", "Update " + two.id, "Delete " + three.id})
	equal(t, "the same again from the old state", before.next(10), []string{"ReadFlagChange " + one.id + " false", "Update " + two.id, "Delete " + three.id})

	four := c.create("inbox", "four")
	c.ok(c.do(deleteItem("HardDelete", four.bare())))
	equal(t, "came and went", s.next(10), []string(nil))
}

func TestSyncMove(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	one := c.create("inbox", "one")
	inbox, drafts := &syncer{client: c, folder: distinguished("inbox")}, &syncer{client: c, folder: distinguished("drafts")}
	inbox.next(10)
	drafts.next(10)
	moved := refs(c.ok(c.do(moveItem("drafts", one.bare()))), "ItemId")[0]
	if moved.id == one.id {
		t.Error("the id stays")
	}
	equal(t, "where it was", inbox.next(10), []string{"Delete " + one.id})
	equal(t, "where it is", drafts.next(10), []string{"Create " + moved.id})
	c.ok(c.do(deleteItem("MoveToDeletedItems", moved.bare())))
	equal(t, "deleted", drafts.next(10), []string{"Delete " + moved.id})
	bin := c.find(c.folder("deleteditems"))
	equal(t, "in deleted items", len(bin), 1)
	c.ok(c.do(deleteItem("SoftDelete", bin[0].bare())))
	equal(t, "recoverable", len(c.find(c.folder("recoverableitemsdeletions"))), 1)
}

func TestSyncPages(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	files := map[string]string{}
	for i := range 1100 {
		files[fmt.Sprintf("Inbox/%04d.eml", i)] = message(fmt.Sprintf("m%d", i))
	}
	if err := c.server.Load(box, tree(t, files)); err != nil {
		t.Fatal(err)
	}
	s := &syncer{client: c, folder: distinguished("inbox")}
	seen := map[string]int{}
	var sizes []int
	for !s.last {
		list := s.next(512)
		sizes = append(sizes, len(list))
		for _, line := range list {
			seen[line]++
		}
		if len(sizes) == 1 {
			// What changes meanwhile is told too, and nothing gets lost.
			items := c.find(c.folder("inbox"))
			c.ok(c.do(deleteItem("HardDelete", items[0].bare())))
			c.ok(c.do(setField(items[len(items)-1], "item:Subject", "<t:Subject>new</t:Subject>")))
		}
	}
	equal(t, "pages", sizes, []int{512, 512, 76})
	equal(t, "items", len(seen), 1100)
	if len(s.state) <= len((&syncer{client: c, folder: distinguished("drafts")}).state) {
		t.Error("the state does not grow")
	}
}

func TestSyncStateOfOthers(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	c.create("inbox", "one")
	inbox, drafts := &syncer{client: c, folder: distinguished("inbox")}, &syncer{client: c, folder: distinguished("drafts")}
	inbox.next(10)
	drafts.next(10)
	good := inbox.state
	raw, _ := base64.StdEncoding.DecodeString(good)
	raw[30] ^= 1
	for _, test := range []struct{ name, state, scope string }{
		{"of another folder", drafts.state, ""},
		{"garbage", "H4sIAAA==", ""},
		{"no base64", "garbage!", ""},
		{"cut", good[:20], ""},
		{"a bit flipped", base64.StdEncoding.EncodeToString(raw), ""},
		{"of another scope", good, "NormalAndAssociatedItems"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &syncer{client: c, folder: distinguished("inbox"), state: test.state, scope: test.scope}
			root := c.do(s.request(10))
			equal(t, "code", c.one(root), "ErrorInvalidSyncStateData")
			equal(t, "state", root.FindElement("//SyncState").Text(), "")
			equal(t, "last", root.FindElement("//IncludesLastItemInRange").Text(), "true")
		})
	}
	s := &syncer{client: c, folder: distinguished("inbox"), state: good}
	equal(t, "good", s.next(10), []string(nil))
}

// TestSyncStateOutlivesTheServer: the same trees, the same states, unless there were changes.
func TestSyncStateOutlivesTheServer(t *testing.T) {
	t.Parallel()
	dir := tree(t, map[string]string{"Inbox/1.eml": message("one"), "Inbox/Sub/2.eml": message("two")})
	start := func() *syncer {
		c := newClient(t, exchangetest.Options{})
		if err := c.server.Load(box, dir); err != nil {
			t.Fatal(err)
		}
		return &syncer{client: c, folder: distinguished("inbox")}
	}
	first, second := start(), start()
	list := first.next(10)
	second.state = first.state
	equal(t, "unchanged", second.next(10), []string(nil))
	equal(t, "the same ids", (&syncer{client: second.client, folder: second.folder}).next(10), list)
	first.create("inbox", "here")
	second.create("drafts", "elsewhere")
	second.create("inbox", "there")
	first.next(10)
	third := &syncer{client: second.client, folder: second.folder, state: first.state}
	equal(t, "another history", third.one(third.do(third.request(10))), "ErrorInvalidSyncStateData")
}

func TestSyncScopeAndIgnore(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	inbox := c.folder("inbox")
	one := c.create("inbox", "one")
	hidden := refs(c.ok(c.uploadItems(upload("CreateNew", inbox, "", c.blob(one), ` IsAssociated="true"`))), "ItemId")[0]
	normal := &syncer{client: c, folder: inbox.folder()}
	both := &syncer{client: c, folder: inbox.folder(), scope: "NormalAndAssociatedItems"}
	equal(t, "normal", normal.next(10), []string{"Create " + one.id})
	equal(t, "both", both.next(10), []string{"Create " + one.id, "Create " + hidden.id})
	c.ok(c.do(deleteItem("HardDelete", hidden.bare())))
	equal(t, "normal after the delete", normal.next(10), []string(nil))
	equal(t, "both after the delete", both.next(10), []string{"Delete " + hidden.id})

	request := strings.Replace((&syncer{client: c, folder: inbox.folder()}).request(10), "<m:Max", "<m:Ignore>"+one.item()+"</m:Ignore><m:Max", 1)
	equal(t, "ignored", len(refs(c.ok(c.do(request)), "ItemId")), 0)
	equal(t, "search folder", c.one(c.do((&syncer{client: c, folder: c.allItems()}).request(10))), "ErrorInvalidFolderTypeForOperation")
	equal(t, "no such folder", c.one(c.do((&syncer{client: c, folder: `<t:FolderId Id="` + c.ghostFolder() + `"/>`}).request(10))), "ErrorSyncFolderNotFound")
}

func (c *client) allItems() string {
	root := c.ok(c.do(findFolders("Deep", "searchfolders", "")))
	return ref{id: root.FindElement("//SearchFolder/FolderId").SelectAttrValue("Id", ""), key: "AQAAAA=="}.folder()
}

func TestSyncFolderHierarchy(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	state := ""
	next := func(scope string) (list []string) {
		t.Helper()
		body := `<m:SyncFolderHierarchy><m:FolderShape><t:BaseShape>Default</t:BaseShape></m:FolderShape>` + scope
		if state != "" {
			body += `<m:SyncState>` + state + `</m:SyncState>`
		}
		root := c.ok(c.do(body + `</m:SyncFolderHierarchy>`))
		state = root.FindElement("//SyncState").Text()
		equal(t, "last", root.FindElement("//IncludesLastFolderInRange").Text(), true)
		for _, e := range root.FindElement("//Changes").ChildElements() {
			if name := e.FindElement(".//DisplayName"); name != nil {
				list = append(list, e.Tag+" "+name.Text())
			} else {
				list = append(list, e.Tag+" "+e.FindElement("FolderId").SelectAttrValue("Id", ""))
			}
		}
		return list
	}
	scope := `<m:SyncFolderId>` + topFolder + `</m:SyncFolderId>`
	equal(t, "all at first", len(next(scope)), 11)
	c.create("inbox", "one")
	equal(t, "counts alone are no change", next(scope), []string(nil))
	a := refs(c.ok(c.do(create(topFolder, named("A"), named("B")))), "FolderId")
	equal(t, "created", next(scope), []string{"Create A", "Create B"})
	c.ok(c.do(deleteFolder("MoveToDeletedItems", a[0].folder())))
	c.ok(c.do(deleteFolder("HardDelete", a[1].folder())))
	equal(t, "moved and deleted", next(scope), []string{"Update A", "Delete " + a[1].id})
	equal(t, "nothing new", next(scope), []string(nil))

	bad := `<m:SyncFolderHierarchy><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape></m:FolderShape>%s<m:SyncState>%s</m:SyncState></m:SyncFolderHierarchy>`
	equal(t, "no scope is another scope", c.one(c.do(fmt.Sprintf(bad, "", state))), "ErrorInvalidSyncStateData")
	equal(t, "garbage", c.one(c.do(fmt.Sprintf(bad, scope, "H4sIAAA"))), "ErrorInvalidSyncStateData")
	state = ""
	equal(t, "all of the mailbox", len(next("")), 20)
}
