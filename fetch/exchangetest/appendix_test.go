package exchangetest_test

import (
	"strings"
	"testing"

	"mailbrick/fetch/exchangetest"
)

// TestLiteralRequests posts requests in the spellings that clients use and
// Microsoft documents: default namespaces, no version header, other prefixes,
// blanks, comments. {item} and {folder} stand for ids of the mailbox.
func TestLiteralRequests(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	c.server.AddAccount("anna", "secret")
	c.user = "anna" // her own mailbox: these requests impersonate nobody
	it := c.create("inbox", "one")
	const soap = `<?xml version="1.0" encoding="utf-8"?>
<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"
   xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema"
   xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types">`
	const version = `
  <soap:Header xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types">
    <t:RequestServerVersion Version="Exchange2010_SP1" />
  </soap:Header>`
	const ns = `xmlns="http://schemas.microsoft.com/exchange/services/2006/messages"
               xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"`
	for _, test := range []struct{ name, header, body, codes string }{
		{"GetFolder", "", `<GetFolder ` + ns + `>
      <FolderShape>
        <t:BaseShape>Default</t:BaseShape>
      </FolderShape>
      <FolderIds>
        <t:DistinguishedFolderId Id="inbox"/>
      </FolderIds>
    </GetFolder>`, "NoError"},
		{"FindFolder", "", `<FindFolder Traversal="Shallow" ` + ns + `>
      <FolderShape><t:BaseShape>Default</t:BaseShape></FolderShape>
      <ParentFolderIds><t:DistinguishedFolderId Id="inbox"/></ParentFolderIds>
    </FindFolder>`, "NoError"},
		{"SyncFolderHierarchy", version, `<m:SyncFolderHierarchy xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages">
      <m:FolderShape><t:BaseShape>IdOnly</t:BaseShape></m:FolderShape>
      <m:SyncFolderId><t:DistinguishedFolderId Id="root" /></m:SyncFolderId>
      <m:SyncState>H4sIAA==</m:SyncState>
    </m:SyncFolderHierarchy>`, "ErrorInvalidSyncStateData"},
		{"FindItem", "", `<FindItem ` + ns + ` Traversal="Shallow">
      <ItemShape><t:BaseShape>IdOnly</t:BaseShape></ItemShape>
      <ParentFolderIds><t:DistinguishedFolderId Id="deleteditems"/></ParentFolderIds>
    </FindItem>`, "NoError"},
		{"SyncFolderItems", "", `<SyncFolderItems ` + ns + `>
      <ItemShape><t:BaseShape>Default</t:BaseShape></ItemShape>
      <SyncFolderId><t:DistinguishedFolderId Id="sentitems"/></SyncFolderId>
      <Ignore><t:ItemId Id="{item}" ChangeKey="CQAAABY"/></Ignore>
      <MaxChangesReturned>100</MaxChangesReturned>
    </SyncFolderItems>`, "NoError"},
		{"SyncFolderItems with the scope", version, `<m:SyncFolderItems xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages">
      <m:ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties><t:FieldURI FieldURI="item:Size"/><t:FieldURI FieldURI="item:ItemClass"/><t:FieldURI FieldURI="item:IsAssociated"/></t:AdditionalProperties></m:ItemShape>
      <m:SyncFolderId><t:FolderId Id="{folder}"/></m:SyncFolderId>
      <m:SyncState></m:SyncState>
      <m:MaxChangesReturned>512</m:MaxChangesReturned>
      <m:SyncScope>NormalAndAssociatedItems</m:SyncScope>
    </m:SyncFolderItems>`, "NoError"},
		{"GetItem", "", `<GetItem ` + ns + `>
      <ItemShape>
        <t:BaseShape>Default</t:BaseShape>
        <t:IncludeMimeContent>true</t:IncludeMimeContent>
      </ItemShape>
      <ItemIds><t:ItemId Id="AAAlAF" ChangeKey="CQAAAB" /><t:ItemId Id="{item}"/></ItemIds>
    </GetItem>`, "ErrorInvalidIdMalformed NoError"},
		{"GetItem for an index", version, `<m:GetItem xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages"><m:ItemShape>
  <t:BaseShape>IdOnly</t:BaseShape>
  <t:IncludeMimeContent>false</t:IncludeMimeContent>
  <t:BodyType>Text</t:BodyType>
  <t:AdditionalProperties>
    <t:FieldURI FieldURI="item:Subject"/>            <t:FieldURI FieldURI="item:ItemClass"/>
    <t:FieldURI FieldURI="item:RetentionDate"/>       <t:FieldURI FieldURI="item:TextBody"/>
    <t:FieldURI FieldURI="message:ReplyTo"/>          <t:FieldURI FieldURI="message:IsRead"/>
    <t:ExtendedFieldURI PropertyTag="0x300B" PropertyType="Binary"/>   <!-- SearchKey -->
    <t:ExtendedFieldURI DistinguishedPropertySetId="Meeting" PropertyId="35" PropertyType="Binary"/> <!-- CleanGlobalObjectId 0x23 -->
  </t:AdditionalProperties>
</m:ItemShape><m:ItemIds><t:ItemId Id="{item}"/></m:ItemIds></m:GetItem>`, "NoError"},
		{"ExportItems", version, `<m:ExportItems xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages">
      <m:ItemIds>
        <t:ItemId Id="AAMkAGYzZjZmRiUsidkC+NAAAAY89GAAA="/>
        <t:ItemId Id="{item}"/>
      </m:ItemIds>
    </m:ExportItems>`, "ErrorInvalidIdMalformed NoError"},
		{"UploadItems", version, `<m:UploadItems xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages">
      <m:Items>
        <t:Item CreateAction="CreateNew" IsAssociated="true">
          <t:ParentFolderId Id="{folder}" ChangeKey="AQAAAA=="/>
          <t:Data>
            AQAAAAgAAAAAAAAAAQAAAAMAAAAYAAAAAQAAAAcDAgAAAAAAwAAAAA
            AAAEYAJACABAAAAAYAAAABDqSAAAA=
          </t:Data>
        </t:Item>
        <t:Item CreateAction="UpdateOrCreate">
          <t:ParentFolderId Id="{folder}"/>
          <t:ItemId Id="AAMkADhhOGU0MGM7AAA=" ChangeKey="CQAAAA=="/>
          <t:Data>AQAAAAgAAAAAAAAA</t:Data>
        </t:Item>
      </m:Items>
    </m:UploadItems>`, "ErrorCorruptData ErrorInvalidIdMalformed"},
		{"CreateFolder", "", `<CreateFolder ` + ns + `>
      <ParentFolderId><t:DistinguishedFolderId Id="msgfolderroot"/></ParentFolderId>
      <Folders>
        <t:Folder><t:DisplayName>Folder1</t:DisplayName></t:Folder>
        <t:Folder><t:DisplayName>folder1</t:DisplayName></t:Folder>
      </Folders>
    </CreateFolder>`, "NoError ErrorFolderExists"},
	} {
		t.Run(test.name, func(t *testing.T) {
			body := strings.NewReplacer("{item}", it.id, "{folder}", c.folder("inbox").id).Replace(test.body)
			resp, data, err := c.send(soap + test.header + "\n  <soap:Body>\n    " + body + "\n  </soap:Body>\n</soap:Envelope>\n")
			if err != nil || resp.StatusCode != 200 {
				t.Fatalf("%v: %s", err, data)
			}
			equal(t, "codes", strings.Join(codes(c.parse(data)), " "), test.codes)
		})
	}
}
