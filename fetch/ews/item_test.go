package ews

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// TestSyncOfTheReference is A.5 with what a fuller shape adds.
func TestSyncOfTheReference(t *testing.T) {
	t.Parallel()
	s := newServer(t, reply{body: envelope("SyncFolderItems", success("SyncFolderItems", `
		<m:SyncState>H4sIAAAAAAAEAO29B2AcSZY==</m:SyncState>
		<m:IncludesLastItemInRange>false</m:IncludesLastItemInRange>
		<m:Changes>
		  <t:Update><t:Message><t:ItemId Id="q04" ChangeKey="CQ1"/><t:ParentFolderId Id="p"/><t:ItemClass>IPM.Note</t:ItemClass>
		    <t:Subject>RE: a &lt;b&gt;</t:Subject><t:Size>23110</t:Size><t:Sender><t:Mailbox><t:Name>x</t:Name></t:Mailbox></t:Sender><t:IsAssociated>false</t:IsAssociated></t:Message></t:Update>
		  <t:Create><t:Item><t:ItemId Id="fai"/><t:ItemClass>IPM.Configuration.X</t:ItemClass><t:IsAssociated>true</t:IsAssociated></t:Item></t:Create>
		  <t:SomethingNew><t:ItemId Id="n"/></t:SomethingNew>
		  <t:ReadFlagChange><t:ItemId Id="q07" ChangeKey="CQ2"/><t:IsRead>true</t:IsRead></t:ReadFlagChange>
		  <t:Delete><t:ItemId Id="q1A" ChangeKey="CQ3"/></t:Delete>
		</m:Changes>`))})
	c, _ := newTestClient(t, s, nil)
	got, err := c.SyncFolderItems(context.Background(), "folder", "H4sI & more", 5000)
	want := SyncPage{State: "H4sIAAAAAAAEAO29B2AcSZY==", Changes: []Change{
		{Kind: Updated, Item: ItemRef{"q04", "CQ1"}, Size: 23110, Class: "IPM.Note"},
		{Kind: Created, Item: ItemRef{ID: "fai"}, Class: "IPM.Configuration.X", Associated: true},
		{Kind: ReadFlag, Item: ItemRef{"q07", "CQ2"}, Read: true},
		{Kind: Deleted, Item: ItemRef{"q1A", "CQ3"}},
	}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v\ngot  %+v\nwant %+v", err, got, want)
	}
	wantRequest := `<m:SyncFolderItems><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties><t:FieldURI FieldURI="item:Size"/>` +
		`<t:FieldURI FieldURI="item:ItemClass"/><t:FieldURI FieldURI="item:IsAssociated"/></t:AdditionalProperties></m:ItemShape>` +
		`<m:SyncFolderId><t:FolderId Id="folder"/></m:SyncFolderId><m:SyncState>H4sI &amp; more</m:SyncState>` +
		`<m:MaxChangesReturned>512</m:MaxChangesReturned><m:SyncScope>NormalAndAssociatedItems</m:SyncScope></m:SyncFolderItems>`
	if !strings.Contains(s.asked()[0].body, wantRequest) {
		t.Errorf("request %s", s.asked()[0].body)
	}
}

func TestSyncErrors(t *testing.T) {
	t.Parallel()
	lost := strings.Replace(failure("SyncFolderItems", "ErrorInvalidSyncStateData"), "</m:Sync", "<m:SyncState/><m:IncludesLastItemInRange>true</m:IncludesLastItemInRange></m:Sync", 1)
	c, _ := newTestClient(t, newServer(t, reply{body: envelope("SyncFolderItems", lost)}), nil)
	if _, err := c.SyncFolderItems(context.Background(), "f", "x", 0); asError(t, err).Class() != Resync {
		t.Error(err)
	}
	for name, content := range map[string]string{
		"no state":         `<m:IncludesLastItemInRange>true</m:IncludesLastItemInRange>`,
		"item without id":  `<m:SyncState>s</m:SyncState><m:Changes><t:Create><t:Message/></t:Create></m:Changes>`,
		"element for text": `<m:SyncState><x/></m:SyncState>`,
	} {
		c, _ := newTestClient(t, newServer(t, reply{body: envelope("SyncFolderItems", success("SyncFolderItems", content))}), nil)
		if _, err := c.SyncFolderItems(context.Background(), "f", "", 0); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestSyncAsksForLessWhenItIsTooMuch(t *testing.T) {
	t.Parallel()
	s := newServer(t, fault("ErrorTimeoutExpired", ""), reply{body: envelope("SyncFolderItems", success("SyncFolderItems", `<m:SyncState>s</m:SyncState>`))})
	c, _ := newTestClient(t, s, nil)
	if _, err := c.SyncFolderItems(context.Background(), "f", "", 0); err != nil || !strings.Contains(s.asked()[1].body, ">256<") {
		t.Error(err)
	}
}

func TestFindItems(t *testing.T) {
	t.Parallel()
	page := func(attrs string, items ...string) reply {
		return reply{body: envelope("FindItem", success("FindItem", `<m:RootFolder `+attrs+`><t:Items>`+strings.Join(items, "")+`</t:Items></m:RootFolder>`))}
	}
	s := newServer(t,
		page(`IndexedPagingOffset="2" IncludesLastItemInRange="false"`,
			`<t:Message><t:ItemId Id="a" ChangeKey="k"/><t:Subject> Hi </t:Subject><t:Size>12</t:Size><t:ExtendedProperty><t:ExtendedFieldURI PropertyTag="0x300b" PropertyType="Binary"/><t:Value>AQID</t:Value></t:ExtendedProperty><t:InternetMessageId>&lt;1@x&gt;</t:InternetMessageId></t:Message>`,
			`<t:Contact><t:ItemId Id="b"/></t:Contact>`),
		page(`IndexedPagingOffset="3" IncludesLastItemInRange="true"`, `<t:Message><t:ItemId Id="c"/></t:Message>`))
	c, _ := newTestClient(t, s, nil)
	var got []FoundItem
	for item, err := range c.FindItems(context.Background(), "folder") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, item)
	}
	want := []FoundItem{
		{Item: ItemRef{"a", "k"}, MessageID: "<1@x>", SearchKey: []byte{1, 2, 3}, Size: 12, Subject: " Hi "},
		{Item: ItemRef{ID: "b"}}, {Item: ItemRef{ID: "c"}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
	wantRequest := `<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties><t:FieldURI FieldURI="message:InternetMessageId"/>` +
		`<t:FieldURI FieldURI="item:Size"/><t:FieldURI FieldURI="item:Subject"/><t:ExtendedFieldURI PropertyTag="0x300B" PropertyType="Binary"/></t:AdditionalProperties></m:ItemShape>` +
		`<m:IndexedPageItemView MaxEntriesReturned="1000" Offset="2" BasePoint="Beginning"/>` +
		`<m:SortOrder><t:FieldOrder Order="Ascending"><t:FieldURI FieldURI="item:DateTimeCreated"/></t:FieldOrder></m:SortOrder>` +
		`<m:ParentFolderIds><t:FolderId Id="folder"/></m:ParentFolderIds></m:FindItem>`
	if !strings.Contains(s.asked()[1].body, wantRequest) {
		t.Errorf("request %s", s.asked()[1].body)
	}
	n := 0
	for range c.FindItems(context.Background(), "folder") {
		n++
		break
	}
	if n != 1 {
		t.Error("does not stop")
	}
}

func TestFindItemsError(t *testing.T) {
	t.Parallel()
	c, _ := newTestClient(t, newServer(t, reply{body: envelope("FindItem", failure("FindItem", "ErrorFolderNotFound"))}), nil)
	n := 0
	for _, err := range c.FindItems(context.Background(), "gone") {
		n++
		if asError(t, err).Class() != Resync {
			t.Error(err)
		}
	}
	if n != 1 {
		t.Errorf("%d steps", n)
	}
}

func TestSetRead(t *testing.T) {
	t.Parallel()
	ok := reply{body: envelope("UpdateItem", success("UpdateItem", `<m:Items><t:Message><t:ItemId Id="a" ChangeKey="k2"/></t:Message></m:Items><m:ConflictResults><t:Count>0</t:Count></m:ConflictResults>`))}
	s := newServer(t, ok, fault("ErrorInvalidServerVersion", ""), ok)
	c, _ := newTestClient(t, s, nil)
	for _, read := range []bool{true, false} {
		got, err := c.SetRead(context.Background(), ItemRef{"a", "k1"}, read)
		if err != nil || got != (ItemRef{"a", "k2"}) {
			t.Errorf("%v, %v", got, err)
		}
	}
	want := `<m:UpdateItem ConflictResolution="AlwaysOverwrite" MessageDisposition="SaveOnly" SuppressReadReceipts="true"><m:ItemChanges><t:ItemChange><t:ItemId Id="a" ChangeKey="k1"/>` +
		`<t:Updates><t:SetItemField><t:FieldURI FieldURI="message:IsRead"/><t:Message><t:IsRead>%v</t:IsRead></t:Message></t:SetItemField></t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>`
	if !strings.Contains(s.asked()[0].body, fmt.Sprintf(want, true)) {
		t.Errorf("request %s", s.asked()[0].body)
	}
	if old := fmt.Sprintf(strings.Replace(want, ` SuppressReadReceipts="true"`, "", 1), false); !strings.Contains(s.asked()[2].body, old) {
		t.Errorf("request to an older server %s", s.asked()[2].body)
	}
}
