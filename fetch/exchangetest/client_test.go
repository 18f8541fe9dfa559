package exchangetest_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/beevik/etree"

	"mailbrick/fetch/exchangetest"
)

// box is the mailbox that most tests are about.
const box = "anna@example.org"

// client posts literal XML. It knows nothing of EWS but the envelope.
type client struct {
	t       testing.TB
	server  *exchangetest.Server
	url     string
	version string
	mailbox string
	user    string
	http    *http.Client // nil: the default one
}

func newClient(t testing.TB, o exchangetest.Options) *client {
	t.Helper()
	s := exchangetest.New(o)
	s.AddAccount("backup", "secret")
	s.AddMailbox(box)
	h := httptest.NewServer(s)
	t.Cleanup(func() {
		h.Close()
		s.Close()
	})
	return &client{t: t, server: s, url: h.URL + "/EWS/Exchange.asmx", version: "Exchange2013_SP1", mailbox: box, user: "backup", http: http.DefaultClient}
}

func (c *client) envelope(body string) string {
	header := ""
	if c.version != "" {
		header += `<t:RequestServerVersion Version="` + c.version + `"/>`
	}
	if c.mailbox != "" {
		header += `<t:ExchangeImpersonation><t:ConnectingSID><t:PrimarySmtpAddress>` + c.mailbox +
			`</t:PrimarySmtpAddress></t:ConnectingSID></t:ExchangeImpersonation>`
	}
	return `<?xml version="1.0" encoding="utf-8"?>
<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types" xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages">
<s:Header>` + header + `</s:Header><s:Body>` + body + `</s:Body></s:Envelope>`
}

// send posts a document as it is.
func (c *client) send(document string) (*http.Response, []byte, error) {
	c.t.Helper()
	r, err := http.NewRequest("POST", c.url, strings.NewReader(document))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "text/xml; charset=utf-8")
	r.SetBasicAuth(c.user, "secret")
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return resp, data, err
}

// do posts a body and gives the answer, which must be one.
func (c *client) do(body string) *etree.Element {
	c.t.Helper()
	resp, data, err := c.send(c.envelope(body))
	if err != nil {
		c.t.Fatal(err)
	}
	if resp.StatusCode != 200 {
		c.t.Fatalf("status %d: %s", resp.StatusCode, data)
	}
	return c.parse(data)
}

func (c *client) parse(data []byte) *etree.Element {
	c.t.Helper()
	keep(c.t, data)
	doc := etree.NewDocument()
	if err := doc.ReadFromBytes(data); err != nil {
		c.t.Fatalf("%v in %.300s", err, data)
	}
	return doc.Root()
}

// keep puts an answer where TestAnswersAreValid's validator looks, if that is wanted.
func keep(t testing.TB, data []byte) {
	if dir := os.Getenv("EXCHANGETEST_ANSWERS"); dir != "" {
		name := strings.NewReplacer("/", "_", " ", "_").Replace(t.Name())
		f, err := os.CreateTemp(dir, name+"-*.xml")
		if err != nil {
			t.Fatal(err)
		}
		f.Write(data)
		f.Close()
	}
}

// fault posts a document that must be refused, and gives the code.
func (c *client) fault(document string) string {
	c.t.Helper()
	resp, data, err := c.send(document)
	if err != nil {
		c.t.Fatal(err)
	}
	if resp.StatusCode != 500 || resp.Header.Get("Content-Type") != "text/xml; charset=utf-8" {
		c.t.Fatalf("status %d, %s: %s", resp.StatusCode, resp.Header.Get("Content-Type"), data)
	}
	root := c.parse(data)
	code := root.FindElement("./Body/Fault/detail/ResponseCode")
	faultcode := root.FindElement("./Body/Fault/faultcode")
	if code == nil || faultcode == nil || faultcode.Text() != "a:"+code.Text() {
		c.t.Fatalf("not a fault: %s", data)
	}
	return code.Text()
}

// codes are the response codes of an answer, in order.
func codes(root *etree.Element) (list []string) {
	for _, e := range root.FindElements("./Body/*/ResponseMessages/*/ResponseCode") {
		list = append(list, e.Text())
	}
	return list
}

// ok fails the test unless all response messages are successes.
func (c *client) ok(root *etree.Element) *etree.Element {
	c.t.Helper()
	list := codes(root)
	if len(list) == 0 {
		c.t.Fatal("no response messages")
	}
	for _, code := range list {
		if code != "NoError" {
			c.t.Fatalf("codes %v", list)
		}
	}
	return root
}

// one is the code of the only response message.
func (c *client) one(root *etree.Element) string {
	c.t.Helper()
	list := codes(root)
	if len(list) != 1 {
		c.t.Fatalf("codes %v", list)
	}
	return list[0]
}

type ref struct{ id, key string }

func refs(root *etree.Element, name string) (list []ref) {
	for _, e := range root.FindElements("//" + name) {
		list = append(list, ref{e.SelectAttrValue("Id", ""), e.SelectAttrValue("ChangeKey", "")})
	}
	return list
}

func (r ref) item() string   { return fmt.Sprintf(`<t:ItemId Id=%q ChangeKey=%q/>`, r.id, r.key) }
func (r ref) folder() string { return fmt.Sprintf(`<t:FolderId Id=%q ChangeKey=%q/>`, r.id, r.key) }
func (r ref) bare() string   { return fmt.Sprintf(`<t:ItemId Id=%q/>`, r.id) }

func message(subject string) string {
	return "From: a@x.example\r\nTo: b@y.example\r\nSubject: " + subject + "\r\nDate: Tue, 03 Mar 2026 10:00:00 +0000\r\n" +
		"Message-ID: <" + subject + "@x.example>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nGrüße " + subject + "\r\n"
}

// create makes a message by MimeContent.
func (c *client) create(folder, subject string) ref {
	c.t.Helper()
	root := c.ok(c.do(fmt.Sprintf(`<m:CreateItem MessageDisposition="SaveOnly"><m:SavedItemFolderId><t:DistinguishedFolderId Id="%s"/></m:SavedItemFolderId>`+
		`<m:Items><t:Message><t:MimeContent CharacterSet="UTF-8">%s</t:MimeContent></t:Message></m:Items></m:CreateItem>`,
		folder, base64.StdEncoding.EncodeToString([]byte(message(subject))))))
	return refs(root, "ItemId")[0]
}

func (c *client) export(items ...ref) (*etree.Element, [][]byte) {
	c.t.Helper()
	var ids strings.Builder
	for _, r := range items {
		ids.WriteString(r.item())
	}
	root := c.do(`<m:ExportItems><m:ItemIds>` + ids.String() + `</m:ItemIds></m:ExportItems>`)
	var blobs [][]byte
	for _, e := range root.FindElements("//Data") {
		b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(e.Text()))
		if err != nil {
			c.t.Fatal(err)
		}
		blobs = append(blobs, b)
	}
	return root, blobs
}

// blob is the export of one item.
func (c *client) blob(r ref) []byte {
	c.t.Helper()
	root, blobs := c.export(r)
	c.ok(root)
	return blobs[0]
}

// upload is one element of UploadItems.
func upload(action string, folder ref, item string, data []byte, more string) string {
	return fmt.Sprintf(`<t:Item CreateAction="%s"%s><t:ParentFolderId Id="%s"/>%s<t:Data>%s</t:Data></t:Item>`,
		action, more, folder.id, item, base64.StdEncoding.EncodeToString(data))
}

func (c *client) uploadItems(items ...string) *etree.Element {
	c.t.Helper()
	return c.do(`<m:UploadItems><m:Items>` + strings.Join(items, "") + `</m:Items></m:UploadItems>`)
}

// folder is the id of a distinguished folder.
func (c *client) folder(name string) ref {
	c.t.Helper()
	root := c.ok(c.do(`<m:GetFolder><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape></m:FolderShape><m:FolderIds><t:DistinguishedFolderId Id="` +
		name + `"/></m:FolderIds></m:GetFolder>`))
	return refs(root, "FolderId")[0]
}

// find lists a folder.
func (c *client) find(folder ref) []ref {
	c.t.Helper()
	return refs(c.ok(c.do(`<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape><m:ParentFolderIds>`+
		folder.folder()+`</m:ParentFolderIds></m:FindItem>`)), "ItemId")
}

// tree writes files for Load.
func tree(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func equal(t testing.TB, what string, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func same(t testing.TB, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s: %d bytes differ from %d bytes", what, len(got), len(want))
	}
}
