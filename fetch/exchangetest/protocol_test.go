package exchangetest_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"mailbrick/fetch/exchangetest"
)

const getInbox = `<m:GetFolder><m:FolderShape><t:BaseShape>Default</t:BaseShape></m:FolderShape><m:FolderIds><t:DistinguishedFolderId Id="inbox"/></m:FolderIds></m:GetFolder>`

func TestAuthentication(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	c.server.AddAccount("anna", "hers")
	for _, test := range []struct {
		name, method, user, password string
		status                       int
	}{
		{"get without credentials", "GET", "", "", 401},
		{"post without credentials", "POST", "", "", 401},
		{"wrong password", "POST", "backup", "wrong", 401},
		{"unknown user", "POST", "nobody", "", 401},
		{"get", "GET", "backup", "secret", 200},
		{"other method", "PUT", "backup", "secret", 405},
		{"domain before the user", "GET", `EXAMPLE\anna`, "hers", 200},
		{"post of nothing", "POST", "backup", "secret", 415},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, _ := http.NewRequest(test.method, c.url, nil)
			if test.user != "" {
				r.SetBasicAuth(test.user, test.password)
			}
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			equal(t, "status", resp.StatusCode, test.status)
			equal(t, "challenge", strings.HasPrefix(resp.Header.Get("WWW-Authenticate"), "Basic realm="), test.status == 401)
		})
	}
}

func TestWhoseMailbox(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	c.server.AddAccount("anna", "secret")
	c.server.AddMailbox("bob@example.org")

	c.user, c.mailbox = "anna", ""
	own := refs(c.ok(c.do(getInbox)), "FolderId")
	c.mailbox = "bob@example.org"
	bobs := refs(c.ok(c.do(getInbox)), "FolderId")
	c.user, c.mailbox = "backup", "ANNA@example.org"
	equal(t, "own and impersonated", refs(c.ok(c.do(getInbox)), "FolderId"), own)
	if own[0].id == bobs[0].id {
		t.Error("two mailboxes have one inbox")
	}
	for _, kind := range []string{"PrincipalName", "SmtpAddress"} {
		doc := strings.ReplaceAll(c.envelope(getInbox), "PrimarySmtpAddress", kind)
		if resp, _, _ := c.send(doc); resp.StatusCode != 200 {
			t.Errorf("%s: status %d", kind, resp.StatusCode)
		}
	}
	c.mailbox = "nobody@example.org"
	equal(t, "unknown mailbox", c.fault(c.envelope(getInbox)), "ErrorNonExistentMailbox")
	c.mailbox = ""
	equal(t, "account without a mailbox", c.fault(c.envelope(getInbox)), "ErrorNonExistentMailbox")
}

func TestFaultsOfRequests(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	good := c.envelope(getInbox)
	find := `<m:FindFolder Traversal="Deep"><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape></m:FolderShape><m:ParentFolderIds><t:DistinguishedFolderId Id="root"/></m:ParentFolderIds></m:FindFolder>`
	sync := `<m:SyncFolderItems><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape><m:SyncFolderId><t:DistinguishedFolderId Id="inbox"/></m:SyncFolderId><m:MaxChangesReturned>512</m:MaxChangesReturned></m:SyncFolderItems>`
	for _, test := range []struct{ name, document, code string }{
		{"https for the soap namespace", strings.ReplaceAll(good, "http://schemas.xmlsoap", "https://schemas.xmlsoap"), "ErrorSchemaValidation"},
		{"soap 1.2", strings.ReplaceAll(good, "http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope"), "ErrorSchemaValidation"},
		{"no xml", "hello", "ErrorSchemaValidation"},
		{"nothing", "", "ErrorSchemaValidation"},
		{"cut off", good[:len(good)/2], "ErrorSchemaValidation"},
		{"two roots", good + strings.TrimPrefix(good, `<?xml version="1.0" encoding="utf-8"?>`), "ErrorSchemaValidation"},
		{"document type", strings.Replace(good, "<s:Envelope", "<!DOCTYPE x [<!ENTITY a 'b'>]><s:Envelope", 1), "ErrorSchemaValidation"},
		{"empty body", c.envelope(""), "ErrorInvalidRequest"},
		{"unknown operation", c.envelope("<m:GetCoffee/>"), "ErrorInvalidRequest"},
		{"operation of another namespace", c.envelope(strings.ReplaceAll(getInbox, "m:GetFolder", "t:GetFolder")), "ErrorInvalidRequest"},
		{"unknown version", strings.Replace(good, "Exchange2013_SP1", "Exchange2099", 1), "ErrorInvalidServerVersion"},
		{"no version", strings.Replace(good, ` Version="Exchange2013_SP1"`, "", 1), "ErrorSchemaValidation"},
		{"element unknown", c.envelope(strings.Replace(getInbox, "<m:FolderIds>", "<m:Extra/><m:FolderIds>", 1)), "ErrorSchemaValidation"},
		{"element missing", c.envelope(strings.Replace(getInbox, "<t:BaseShape>Default</t:BaseShape>", "", 1)), "ErrorSchemaValidation"},
		{"element of another namespace", c.envelope(strings.ReplaceAll(getInbox, "m:FolderShape", "t:FolderShape")), "ErrorSchemaValidation"},
		{"word unknown", c.envelope(strings.Replace(getInbox, "Default", "Everything", 1)), "ErrorSchemaValidation"},
		{"folder name unknown", c.envelope(strings.Replace(getInbox, "inbox", "Inbox", 1)), "ErrorSchemaValidation"},
		{"attribute missing", c.envelope(strings.Replace(find, ` Traversal="Deep"`, "", 1)), "ErrorSchemaValidation"},
		{"attribute unknown", c.envelope(strings.Replace(find, "Traversal=", `Depth="1" Traversal=`, 1)), "ErrorSchemaValidation"},
		{"attribute value unknown", c.envelope(strings.Replace(find, "Deep", "Deeper", 1)), "ErrorSchemaValidation"},
		{"wrong order", c.envelope(strings.Replace(find, "<m:ParentFolderIds>", "", 1)), "ErrorSchemaValidation"},
		{"field unknown", c.envelope(strings.Replace(getInbox, "</t:BaseShape>", `</t:BaseShape><t:AdditionalProperties><t:FieldURI FieldURI="folder:Colour"/></t:AdditionalProperties>`, 1)), "ErrorSchemaValidation"},
		{"zero changes", c.envelope(strings.Replace(sync, "512", "0", 1)), "ErrorSchemaValidation"},
		{"513 changes", c.envelope(strings.Replace(sync, "512", "513", 1)), "ErrorSchemaValidation"},
		{"changes no number", c.envelope(strings.Replace(sync, "512", "all", 1)), "ErrorSchemaValidation"},
		{"text where elements stand", c.envelope(`<m:GetFolder>inbox</m:GetFolder>`), "ErrorSchemaValidation"},
		{"upload without an action", c.envelope(`<m:UploadItems><m:Items><t:Item><t:ParentFolderId Id="x"/><t:Data>AAAA</t:Data></t:Item></m:Items></m:UploadItems>`), "ErrorSchemaValidation"},
		{"upload to a distinguished folder", c.envelope(`<m:UploadItems><m:Items><t:Item CreateAction="CreateNew"><t:DistinguishedFolderId Id="inbox"/><t:Data>AAAA</t:Data></t:Item></m:Items></m:UploadItems>`), "ErrorSchemaValidation"},
		{"upload of no base64", c.envelope(`<m:UploadItems><m:Items><t:Item CreateAction="CreateNew"><t:ParentFolderId Id="x"/><t:Data>!</t:Data></t:Item></m:Items></m:UploadItems>`), "ErrorSchemaValidation"},
		{"upload in a section", c.envelope(`<m:UploadItems><m:Items><t:Item CreateAction="CreateNew"><t:ParentFolderId Id="x"/><t:Data><![CDATA[AAAA]]></t:Data></t:Item></m:Items></m:UploadItems>`), "ErrorSchemaValidation"},
		{"update without an id", c.envelope(`<m:UploadItems><m:Items><t:Item CreateAction="Update"><t:ParentFolderId Id="x"/><t:Data>AAAA</t:Data></t:Item></m:Items></m:UploadItems>`), "ErrorInvalidRequest"},
		{"export of an occurrence", c.envelope(`<m:ExportItems><m:ItemIds><t:OccurrenceItemId RecurringMasterId="x" InstanceIndex="1"/></m:ItemIds></m:ExportItems>`), "ErrorSchemaValidation"},
		{"export of nothing", c.envelope(`<m:ExportItems><m:ItemIds/></m:ExportItems>`), "ErrorSchemaValidation"},
		{"export in an old schema", strings.Replace(c.envelope(`<m:ExportItems><m:ItemIds><t:ItemId Id="x"/></m:ItemIds></m:ExportItems>`), "Exchange2013_SP1", "Exchange2010", 1), "ErrorIncorrectSchemaVersion"},
		{"impersonation of nobody", strings.Replace(good, box, " ", 1), "ErrorSchemaValidation"},
	} {
		t.Run(test.name, func(t *testing.T) {
			equal(t, "code", c.fault(test.document), test.code)
		})
	}
}

func TestFaultSaysWhere(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	_, data, err := c.send(c.envelope("<m:GetFolder>\n  <m:FolderShape>\n    <t:BaseShape>Default</t:BaseShape>\n    <t:Wrong/></m:FolderShape></m:GetFolder>"))
	if err != nil {
		t.Fatal(err)
	}
	fault := c.parse(data).FindElement("./Body/Fault/detail/MessageXml")
	equal(t, "line", fault.FindElement("LineNumber").Text(), 6)
	equal(t, "position", fault.FindElement("LinePosition").Text(), 6)
	equal(t, "violation", fault.FindElement("Violation").Text(),
		"The element 'FolderShape' in namespace 'http://schemas.microsoft.com/exchange/services/2006/messages' has invalid child element "+
			"'Wrong' in namespace 'http://schemas.microsoft.com/exchange/services/2006/types'.")
}

func TestAnswerOnTheWire(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	resp, data, err := c.send(c.envelope(getInbox))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "content type", resp.Header.Get("Content-Type"), "text/xml; charset=utf-8")
	equal(t, "encoding", resp.TransferEncoding, []string{"chunked"})
	equal(t, "handler", resp.Header.Get("X-EwsHandler"), "GetFolder")
	text := string(data)
	if !strings.HasPrefix(text, `<?xml version="1.0" encoding="utf-8"?><s:Envelope`) {
		t.Errorf("begins with %.80s", text)
	}
	if !strings.Contains(text, `<h:ServerVersionInfo MajorVersion="15" MinorVersion="2" MajorBuildNumber="2562" MinorBuildNumber="17" Version="V2017_07_11"`) {
		t.Error("no ServerVersionInfo")
	}
}

func TestContentTypeAndSize(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{MaxRequestBytes: 4096})
	post := func(kind string, body io.Reader) int {
		r, _ := http.NewRequest("POST", c.url, body)
		r.Header.Set("Content-Type", kind)
		r.SetBasicAuth("backup", "secret")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	equal(t, "soap 1.2", post("application/soap+xml", strings.NewReader(c.envelope(getInbox))), 415)
	equal(t, "known length", post("text/xml", strings.NewReader(strings.Repeat(" ", 5000))), 413)
	equal(t, "unknown length", post("text/xml", io.MultiReader(strings.NewReader(strings.Repeat(" ", 5000)))), 413)
	equal(t, "as it should be", post("text/xml; charset=utf-8", strings.NewReader(c.envelope(getInbox))), 200)
}

func TestRequestsAreCounted(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	c.do(getInbox)
	c.do(getInbox)
	c.fault(c.envelope(`<m:FindItem/>`))
	c.fault(c.envelope(`<m:GetCoffee/>`))
	c.mailbox = "nobody@example.org"
	c.fault(c.envelope(getInbox))
	equal(t, "all", c.server.Requests(box), 4)
	equal(t, "by operation", c.server.RequestsByOperation("Anna@Example.org"), map[string]int{"GetFolder": 2, "FindItem": 1, "": 1})
	equal(t, "of no mailbox", c.server.Requests(""), 1)
}
