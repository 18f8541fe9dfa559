package ews

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

const richFolder = `<t:Folder><t:FolderId Id="f1" ChangeKey="k1"/><t:ParentFolderId Id="top" ChangeKey="x"/><t:FolderClass>IPF.Note</t:FolderClass>` +
	`<t:DisplayName> Müller &amp; Söhne</t:DisplayName><t:TotalCount>3</t:TotalCount><t:ChildFolderCount>0</t:ChildFolderCount>` +
	`<t:ExtendedProperty><t:ExtendedFieldURI PropertyTag="0x670a" PropertyType="SystemTime"/><t:Value>2024-05-01T10:00:00Z</t:Value></t:ExtendedProperty>` +
	`<t:ExtendedProperty><t:ExtendedFieldURI PropertyTag="26379" PropertyType="Integer"/><t:Value>7</t:Value></t:ExtendedProperty>` +
	`<t:ExtendedProperty><t:ExtendedFieldURI PropertyTag="0x3601" PropertyType="Integer"/><t:Value>1</t:Value></t:ExtendedProperty>` +
	`<t:EffectiveRights><t:Delete>true</t:Delete></t:EffectiveRights><t:DistinguishedFolderId>inbox</t:DistinguishedFolderId></t:Folder>`

var wantFolder = Folder{
	ID: "f1", ChangeKey: "k1", ParentID: "top", Name: " Müller & Söhne", Class: "IPF.Note", Distinguished: "inbox",
	Total: 3, CommitTime: "2024-05-01T10:00:00Z", Deleted: "7",
}

func folderPage(attrs string, folders ...string) reply {
	return reply{body: envelope("FindFolder", success("FindFolder", `<m:RootFolder `+attrs+`><t:Folders>`+strings.Join(folders, "")+`</t:Folders></m:RootFolder>`))}
}

func bareFolder(kind, id, name string) string {
	return fmt.Sprintf(`<t:%s><t:FolderId Id="%s"/><t:DisplayName>%s</t:DisplayName></t:%s>`, kind, id, name, kind)
}

func TestGetFoldersByPosition(t *testing.T) {
	t.Parallel()
	get := func(m ...string) reply { return reply{body: envelope("GetFolder", m...)} }
	s := newServer(t, get(
		success("GetFolder", `<m:Folders>`+richFolder+`</m:Folders>`),
		failure("GetFolder", "ErrorItemNotFound"),
		success("GetFolder", `<m:Folders>`+bareFolder("SearchFolder", "s", "Unread")+`</m:Folders>`),
		failure("GetFolder", "ErrorArchiveMailboxNotEnabled")))
	c, _ := newTestClient(t, s, nil)
	got, err := c.GetFolders(context.Background(), FolderRef{ID: "f1"}, FolderRef{ID: "gone"}, FolderRef{ID: "s"}, FolderRef{Distinguished: "archiveroot"})
	want := []Folder{wantFolder, {}, {ID: "s", Name: "Unread", Search: true}, {}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v\ngot  %+v\nwant %+v", err, got, want)
	}
	if got, err := c.GetFolders(context.Background()); got != nil || err != nil {
		t.Error(got, err)
	}
}

func TestFindFoldersPages(t *testing.T) {
	t.Parallel()
	s := newServer(t,
		folderPage(`IndexedPagingOffset="2" TotalItemsInView="4" IncludesLastItemInRange="false"`, richFolder, bareFolder("CalendarFolder", "c", "Calendar")),
		folderPage(`IndexedPagingOffset="3" TotalItemsInView="4" IncludesLastItemInRange="false"`, bareFolder("TasksFolder", "t", "Tasks")),
		folderPage(`TotalItemsInView="4" IncludesLastItemInRange="true"`, `<t:Folder><t:FolderId Id="x"/><t:ExtendedProperty><t:ExtendedFieldURI PropertyTag="0x3601"/><t:Value>2</t:Value></t:ExtendedProperty></t:Folder>`))
	c, _ := newTestClient(t, s, nil)
	got, err := c.FindFolders(context.Background(), FolderRef{Distinguished: "msgfolderroot"})
	want := []Folder{wantFolder, {ID: "c", Name: "Calendar"}, {ID: "t", Name: "Tasks"}, {ID: "x", Search: true}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v\ngot  %+v\nwant %+v", err, got, want)
	}
	first := s.asked()[0].body
	wantRequest := `<m:FindFolder Traversal="Deep"><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties>` +
		`<t:FieldURI FieldURI="folder:FolderClass"/><t:FieldURI FieldURI="folder:ParentFolderId"/><t:FieldURI FieldURI="folder:DisplayName"/><t:FieldURI FieldURI="folder:TotalCount"/>` +
		`<t:ExtendedFieldURI PropertyTag="0x670A" PropertyType="SystemTime"/><t:ExtendedFieldURI PropertyTag="0x670B" PropertyType="Integer"/><t:ExtendedFieldURI PropertyTag="0x3601" PropertyType="Integer"/>` +
		`<t:FieldURI FieldURI="folder:DistinguishedFolderId"/></t:AdditionalProperties></m:FolderShape>` +
		`<m:IndexedPageFolderView MaxEntriesReturned="1000" Offset="0" BasePoint="Beginning"/>` +
		`<m:ParentFolderIds><t:DistinguishedFolderId Id="msgfolderroot"/></m:ParentFolderIds></m:FindFolder>`
	if !strings.Contains(first, wantRequest) {
		t.Errorf("request %s", first)
	}
	for i, offset := range []string{`Offset="0"`, `Offset="2"`, `Offset="3"`} {
		if !strings.Contains(s.asked()[i].body, offset) {
			t.Errorf("request %d: %s", i, s.asked()[i].body)
		}
	}
}

func TestPagesThatDoNotAdvance(t *testing.T) {
	t.Parallel()
	s := newServer(t, folderPage(`IndexedPagingOffset="0" IncludesLastItemInRange="false"`))
	c, _ := newTestClient(t, s, nil)
	if _, err := c.FindFolders(context.Background(), FolderRef{ID: "x"}); err == nil || len(s.asked()) != 1 {
		t.Errorf("%v after %d requests", err, len(s.asked()))
	}
}

func TestPagesWithoutAnOffsetAreCounted(t *testing.T) {
	t.Parallel()
	s := newServer(t, folderPage(`IncludesLastItemInRange="false"`, bareFolder("Folder", "a", "A"), bareFolder("Folder", "b", "B")),
		folderPage(`IncludesLastItemInRange="true"`))
	c, _ := newTestClient(t, s, nil)
	got, err := c.FindFolders(context.Background(), FolderRef{ID: "x"})
	if err != nil || len(got) != 2 || !strings.Contains(s.asked()[1].body, `Offset="2"`) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestPagesThatAreTooMuchAreHalved(t *testing.T) {
	t.Parallel()
	much := reply{body: envelope("FindFolder", failure("FindFolder", "ErrorExceededFindCountLimit"))}
	s := newServer(t, much, fault("ErrorTimeoutExpired", ""), folderPage(`IncludesLastItemInRange="true"`))
	c, _ := newTestClient(t, s, nil)
	if _, err := c.FindFolders(context.Background(), FolderRef{ID: "x"}); err != nil {
		t.Fatal(err)
	}
	for i, size := range []string{"1000", "500", "250"} {
		if !strings.Contains(s.asked()[i].body, `MaxEntriesReturned="`+size+`"`) {
			t.Errorf("request %d: %s", i, s.asked()[i].body)
		}
	}
	s = newServer(t, much)
	c, _ = newTestClient(t, s, nil)
	_, err := c.FindFolders(context.Background(), FolderRef{ID: "x"})
	if e := asError(t, err); e.Class() != Shrink || len(s.asked()) != 8 {
		t.Errorf("%v after %d requests", err, len(s.asked()))
	}
}

func TestCreateFolder(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ class, element string }{
		{"IPF.Note", `<t:Folder><t:FolderClass>IPF.Note</t:FolderClass><t:DisplayName>A &amp; B</t:DisplayName></t:Folder>`},
		{"", `<t:Folder><t:DisplayName>A &amp; B</t:DisplayName></t:Folder>`},
		{"IPF.Appointment", `<t:CalendarFolder><t:DisplayName>A &amp; B</t:DisplayName></t:CalendarFolder>`},
		{"IPF.Contact", `<t:ContactsFolder><t:DisplayName>A &amp; B</t:DisplayName></t:ContactsFolder>`},
		{"IPF.Task", `<t:TasksFolder><t:DisplayName>A &amp; B</t:DisplayName></t:TasksFolder>`},
		{"IPF.Contact.MOC.QuickContacts", `<t:Folder><t:FolderClass>IPF.Contact.MOC.QuickContacts</t:FolderClass><t:DisplayName>A &amp; B</t:DisplayName></t:Folder>`},
	} {
		t.Run(tt.class, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, reply{body: envelope("CreateFolder", success("CreateFolder", `<m:Folders><t:Folder><t:FolderId Id="new" ChangeKey="k"/></t:Folder></m:Folders>`))})
			c, _ := newTestClient(t, s, nil)
			f, err := c.CreateFolder(context.Background(), "parent", "A & B", tt.class)
			if err != nil || f != (Folder{ID: "new", ChangeKey: "k", ParentID: "parent", Name: "A & B", Class: tt.class}) {
				t.Errorf("%+v, %v", f, err)
			}
			want := `<m:ParentFolderId><t:FolderId Id="parent"/></m:ParentFolderId><m:Folders>` + tt.element + `</m:Folders>`
			if !strings.Contains(s.asked()[0].body, want) {
				t.Errorf("request %s", s.asked()[0].body)
			}
		})
	}
}

func TestCreateFolderThatExists(t *testing.T) {
	t.Parallel()
	exists := reply{body: envelope("CreateFolder", strings.Replace(failure("CreateFolder", "ErrorFolderExists"), "</m:Create", "<m:Folders/></m:Create", 1))}
	s := newServer(t, exists, folderPage(`IncludesLastItemInRange="true"`, bareFolder("Folder", "other", "B"), bareFolder("Folder", "there", "PROJECTS")))
	c, _ := newTestClient(t, s, nil)
	f, err := c.CreateFolder(context.Background(), "parent", "Projects", "IPF.Note")
	if err != nil || f.ID != "there" || !strings.Contains(s.asked()[1].body, `Traversal="Shallow"`) {
		t.Errorf("%+v, %v", f, err)
	}
	s = newServer(t, exists, folderPage(`IncludesLastItemInRange="true"`))
	c, _ = newTestClient(t, s, nil)
	if _, err := c.CreateFolder(context.Background(), "parent", "Projects", ""); asError(t, err).Code != "ErrorFolderExists" {
		t.Error(err)
	}
}
