package exchangetest

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/beevik/etree"
)

// call is one request on its way to its answer.
type call struct {
	server  *Server
	w       http.ResponseWriter
	ctx     context.Context
	user    string
	header  http.Header
	raw     []byte    // the document without the content of Data elements
	data    []payload // that content
	size    int64     // of the request's body
	path    string    // that it came to
	ticket  *ticket
	refused *failure      // by the throttle, to be said in each response message; nil: let in
	busyFor time.Duration // that the ordered error of an item tells the client to stay away
	// impersonated is the address of the mailbox when it is opened by impersonation.
	impersonated string
	version      int      // of the schema asked for, an index into versions
	mailbox      *Mailbox // nil: the account has none and impersonates nobody
	zone         string   // of times that name none: TimeZoneContext
	name         string   // of the operation
	body         *etree.Element
	due          []Fault
	unit         int // which part of the request is being done
}

// versions are the values of ExchangeVersionType, oldest first.
func versions() []string {
	return strings.Fields("Exchange2007 Exchange2007_SP1 Exchange2009 Exchange2010 Exchange2010_SP1 Exchange2010_SP2 " +
		"Exchange2012 Exchange2013 Exchange2013_SP1 Exchange2015 Exchange2016 V2015_10_05 V2016_01_06 V2016_04_13 " +
		"V2016_07_13 V2016_10_10 V2017_01_07 V2017_04_14 V2017_07_11")
}

const exchange2010SP1 = "Exchange2010_SP1"

// parse finds the operation, the version and the mailbox. What it found stays in
// the call even when it fails, for counting.
func (c *call) parse() *failure {
	doc := etree.NewDocument()
	doc.ReadSettings.MaxDepth = 200
	if err := doc.ReadFromBytes(c.raw); err != nil {
		return malformed(err)
	}
	root := doc.Root()
	if root == nil || len(doc.ChildElements()) != 1 || slices.ContainsFunc(doc.Child, isDirective) {
		return malformed(errors.New("the document has no root element, more than one or a document type"))
	}
	header, body, v := envelope(root)
	if v != nil {
		return c.invalid(v)
	}
	operations := body.ChildElements()
	if len(operations) > 0 {
		c.name = operations[0].Tag
	}
	c.mailbox = c.server.own(c.user)
	if f := c.readHeader(header); f != nil {
		return f
	}
	if len(operations) != 1 {
		return fail("ErrorInvalidRequest")
	}
	c.body = operations[0]
	return nil
}

func isDirective(t etree.Token) bool {
	_, is := t.(*etree.Directive)
	return is
}

// envelope takes the two parts of a SOAP 1.1 envelope.
func envelope(root *etree.Element) (header, body *etree.Element, v *violation) {
	if root.Tag != "Envelope" || root.NamespaceURI() != nsSOAP {
		return nil, nil, &violation{root, fmt.Sprintf("The element '%s' in namespace '%s' is not the expected element 'Envelope' in namespace '%s'.",
			root.Tag, root.NamespaceURI(), nsSOAP)}
	}
	parts := root.ChildElements()
	if len(parts) > 0 && parts[0].Tag == "Header" && parts[0].NamespaceURI() == nsSOAP {
		header, parts = parts[0], parts[1:]
	}
	if len(parts) == 0 || parts[0].Tag != "Body" || parts[0].NamespaceURI() != nsSOAP {
		return nil, nil, &violation{root, "The envelope has no Body."}
	}
	if len(parts) > 1 {
		return nil, nil, &violation{parts[1], "The envelope has an element after its Body."}
	}
	return header, parts[0], nil
}

// readHeader obeys the headers it knows and passes over the others, as SOAP wants it.
func (c *call) readHeader(header *etree.Element) *failure {
	if header == nil {
		return nil // EWS: without RequestServerVersion the schema is that of Exchange 2007
	}
	for h := range header.ChildElementsSeq() {
		if h.NamespaceURI() != nsTypes {
			continue
		}
		var f *failure
		switch h.Tag {
		case "RequestServerVersion":
			f = c.readVersion(h)
		case "ExchangeImpersonation":
			f = c.impersonate(h)
		case "TimeZoneContext":
			c.zone = zoneGiven(child(h, "TimeZoneDefinition"))
		}
		if f != nil {
			return f
		}
	}
	return nil
}

func (c *call) readVersion(h *etree.Element) *failure {
	if v := c.server.schema.check(h, "RequestServerVersion"); v != nil {
		return c.invalid(v)
	}
	c.version = slices.Index(versions(), attr(h, "Version"))
	if c.version < 0 {
		return fail("ErrorInvalidServerVersion")
	}
	return nil
}

// impersonate opens the mailbox of another; every account may.
func (c *call) impersonate(h *etree.Element) *failure {
	c.mailbox = nil
	if v := c.server.schema.check(h, "ExchangeImpersonation"); v != nil {
		return c.invalid(v)
	}
	who := h.ChildElements()[0].ChildElements()[0]
	if who.Tag == "SID" {
		return fail("ErrorImpersonationFailed")
	}
	if c.mailbox = c.server.mailbox(who.Text()); c.mailbox == nil {
		return fail("ErrorNonExistentMailbox")
	}
	c.impersonated = c.mailbox.address
	return nil
}

// check holds the operation against the schema and its version.
func (c *call) check() *failure {
	op, known := c.server.operations[c.name]
	if !known || c.body.NamespaceURI() != nsMessages {
		return fail("ErrorInvalidRequest")
	}
	if v := c.server.schema.check(c.body, c.name); v != nil {
		return c.invalid(v)
	}
	if i := slices.IndexFunc(c.data, func(p payload) bool { return p.err != nil }); i >= 0 {
		return c.invalid(&violation{c.body, "The 'Data' element is invalid - The value is invalid according to its datatype - The string is not a valid Base64 value."})
	}
	if c.version < slices.Index(versions(), op.since) {
		return fail("ErrorIncorrectSchemaVersion")
	}
	if f := c.turnToPublic(); f != nil {
		return f
	}
	if c.mailbox == nil && !op.anybody {
		if c.body.FindElement(".//DistinguishedFolderId/Mailbox") == nil {
			return fail("ErrorNonExistentMailbox")
		}
		c.mailbox = newMailbox("", c.server.options.Clock) // nobody's: each part is refused for itself
	}
	if op.check != nil {
		return op.check(c)
	}
	return nil
}

func (c *call) address() string {
	if c.mailbox == nil {
		return ""
	}
	return c.mailbox.address
}

// operation is the name where the server knows it, else "".
func (c *call) operation() string {
	if _, known := c.server.operations[c.name]; known {
		return c.name
	}
	return ""
}

// take gives the content of a Data element to the caller, who owns it then.
func (c *call) take(text string) blob {
	i, ok := reference(text)
	if !ok || i >= len(c.data) || c.data[i].blob == nil {
		return memoryBlob(nil)
	}
	b := c.data[i].blob
	c.data[i].blob = nil
	return b
}

// release drops what nobody took.
func (c *call) release() {
	for _, p := range c.data {
		discard(p.blob)
	}
}

// malformed is the fault for what is no XML.
func malformed(err error) *failure {
	f := fail("ErrorSchemaValidation")
	line := 1
	var syntax *xml.SyntaxError
	if errors.As(err, &syntax) {
		line = syntax.Line
	}
	return f.violates(line, 1, err.Error())
}

// invalid is the fault for what breaks the schema.
func (c *call) invalid(v *violation) *failure {
	line, column := position(c.raw, v.at)
	return fail("ErrorSchemaValidation").violates(line, column, v.text)
}

func (f *failure) violates(line, column int, text string) *failure {
	f.values = append(f.values, value{"t:LineNumber", strconv.Itoa(line)}, value{"t:LinePosition", strconv.Itoa(column)},
		value{"t:Violation", text})
	f.text = "The request failed schema validation: " + text
	return f
}

// position finds an element of the tree in the document: the tree does not say where it was.
func position(raw []byte, e *etree.Element) (line, column int) {
	root := e
	for root.Parent() != nil {
		root = root.Parent()
	}
	wanted := ordinal(root, e)
	d := xml.NewDecoder(bytes.NewReader(raw))
	for n := 0; ; {
		line, column = d.InputPos()
		t, err := d.RawToken()
		if err != nil {
			return 1, 1
		}
		if _, start := t.(xml.StartElement); start {
			if n++; n == wanted {
				return line, column + 1 // .NET points behind the "<"
			}
		}
	}
}

// ordinal counts elements in the order of the document up to e.
func ordinal(root, e *etree.Element) int {
	n := 0
	var visit func(*etree.Element) bool
	visit = func(at *etree.Element) bool {
		if at == e {
			return true
		}
		for c := range at.ChildElementsSeq() {
			n++
			if visit(c) {
				return true
			}
		}
		return false
	}
	visit(root) // the document itself is the first root and does not count
	return n
}

// writeFault sends a SOAP fault with HTTP status 500.
func (c *call) writeFault(f *failure) {
	h := c.w.Header()
	h.Set("Content-Type", "text/xml; charset=utf-8")
	if name := c.operation(); name != "" {
		h.Set("X-EwsHandler", name)
	}
	c.w.WriteHeader(http.StatusInternalServerError)
	x := newXMLWriter(c.w)
	x.WriteString(xmlDeclaration)
	x.start("s:Envelope", "xmlns:s", nsSOAP)
	x.start("s:Body")
	x.start("s:Fault")
	x.leaf("faultcode", "a:"+f.code, "xmlns:a", nsTypes)
	x.leaf("faultstring", f.text, "xml:lang", "en-US")
	x.start("detail")
	x.leaf("e:ResponseCode", f.code, "xmlns:e", nsErrors)
	x.leaf("e:Message", textOf(f.code), "xmlns:e", nsErrors)
	if len(f.values) > 0 {
		x.start("t:MessageXml", "xmlns:t", nsTypes)
		x.values(f.values)
		x.end()
	}
	for len(x.open) > 0 {
		x.end()
	}
	x.Flush()
}

const xmlDeclaration = `<?xml version="1.0" encoding="utf-8"?>`

// values writes what stands in MessageXml: t:Value elements, and those of a schema violation by their own names.
func (x *xmlWriter) values(list []value) {
	for _, v := range list {
		if strings.HasPrefix(v.name, "t:") {
			x.leaf(v.name, v.text)
			continue
		}
		x.leaf("t:Value", v.text, "Name", v.name)
	}
}
