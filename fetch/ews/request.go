package ews

import (
	"bytes"
	"strconv"

	"github.com/beevik/etree"

	"mailbrick/fetch/wire"
)

// Namespaces of the protocol. Newer documentation prints the first with https, which servers refuse.
const (
	nsSOAP     = "http://schemas.xmlsoap.org/soap/envelope/"
	nsMessages = "http://schemas.microsoft.com/exchange/services/2006/messages"
	nsTypes    = "http://schemas.microsoft.com/exchange/services/2006/types"
)

// schema is a rung of the ladder of schema versions; the client steps down until the server takes one.
type schema int32

const (
	schema2013SP1 schema = iota
	schema2013
	schema2010SP2
	schema2010SP1
	schemaLast = schema2010SP1
)

func (v schema) String() string {
	return [...]string{"Exchange2013_SP1", "Exchange2013", "Exchange2010_SP2", "Exchange2010_SP1"}[v]
}

// envelope makes the body of a request. build fills the element of the operation; for each upload it leaves the text
// that mark gives in place of the data.
func (c *Client) envelope(op *operation, v schema) (*wire.Body, error) {
	doc := etree.NewDocument()
	doc.CreateProcInst("xml", `version="1.0" encoding="utf-8"`)
	env := doc.CreateElement("soap:Envelope")
	env.CreateAttr("xmlns:soap", nsSOAP)
	env.CreateAttr("xmlns:m", nsMessages)
	env.CreateAttr("xmlns:t", nsTypes)
	head := env.CreateElement("soap:Header")
	head.CreateElement("t:RequestServerVersion").CreateAttr("Version", v.String())
	if c.opts.Impersonate != "" {
		sid := head.CreateElement("t:ExchangeImpersonation").CreateElement("t:ConnectingSID")
		sid.CreateElement("t:PrimarySmtpAddress").SetText(c.opts.Impersonate)
	}
	marks := c.dice.GUID() // no text of the caller can hold it
	mark := func(i int) string { return marks + "." + strconv.Itoa(i) + "." }
	op.build(env.CreateElement("soap:Body").CreateElement("m:"+op.name), v, mark)
	b, err := doc.WriteToBytes()
	if err != nil {
		return nil, err
	}
	p := &wire.Body{Count: &c.bytesOut}
	for i, u := range op.uploads {
		var piece []byte
		piece, b, _ = bytes.Cut(b, []byte(mark(i)))
		p.Pieces, p.Uploads = append(p.Pieces, piece), append(p.Uploads, wire.Upload{Size: u.Size, Open: u.Open})
	}
	p.Pieces = append(p.Pieces, b)
	return p, nil
}

// publicRoot is the one distinguished folder that is of no mailbox.
const publicRoot = "publicfoldersroot"

func addText(parent *etree.Element, tag, text string) *etree.Element {
	e := parent.CreateElement(tag)
	e.SetText(text)
	return e
}

func addItemID(parent *etree.Element, item ItemRef) {
	e := parent.CreateElement("t:ItemId")
	e.CreateAttr("Id", item.ID)
	if item.ChangeKey != "" {
		e.CreateAttr("ChangeKey", item.ChangeKey)
	}
}

// addFolderID names a folder. Without impersonation a distinguished one would be the account's own, so that it says whose
// is meant; an id says so itself.
func (c *Client) addFolderID(parent *etree.Element, f FolderRef) {
	if f.ID != "" {
		parent.CreateElement("t:FolderId").CreateAttr("Id", f.ID)
		return
	}
	e := parent.CreateElement("t:DistinguishedFolderId")
	e.CreateAttr("Id", f.Distinguished)
	if f.Distinguished == publicRoot {
		return // nobody's
	}
	if c.opts.Mailbox != "" && c.opts.Impersonate == "" {
		addText(e.CreateElement("t:Mailbox"), "t:EmailAddress", c.opts.Mailbox)
	}
}

// property is a path in a shape: a field by its URI, or a MAPI property by tag and type.
type property struct{ uri, tag, mapiType string }

// addShape asks for ids and the given properties. Each further property costs the server work.
func addShape(parent *etree.Element, tag string, more []property) {
	shape := parent.CreateElement(tag)
	addText(shape, "t:BaseShape", "IdOnly")
	if len(more) == 0 {
		return
	}
	list := shape.CreateElement("t:AdditionalProperties")
	for _, p := range more {
		if p.uri != "" {
			list.CreateElement("t:FieldURI").CreateAttr("FieldURI", p.uri)
			continue
		}
		e := list.CreateElement("t:ExtendedFieldURI")
		e.CreateAttr("PropertyTag", p.tag)
		e.CreateAttr("PropertyType", p.mapiType)
	}
}

func addPage(parent *etree.Element, tag string, size, offset int) {
	view := parent.CreateElement(tag)
	view.CreateAttr("MaxEntriesReturned", strconv.Itoa(size))
	view.CreateAttr("Offset", strconv.Itoa(offset))
	view.CreateAttr("BasePoint", "Beginning")
}
