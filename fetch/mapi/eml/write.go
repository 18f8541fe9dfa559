package eml

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"

	"mailbrick/fetch/mapi"
)

// Write makes an RFC 5322 message of a property tree. Attachments are streamed.
// Equal trees give equal bytes.
func Write(w io.Writer, m *mapi.Message) error {
	out := bufio.NewWriterSize(w, 32<<10)
	e := writer{out: out, seed: seed(m)}
	if err := e.message(m, 0); err != nil {
		return err
	}
	return out.Flush()
}

type writer struct {
	out        *bufio.Writer // keeps the first error
	seed       [32]byte
	boundaries uint32 // given out
}

// seed makes boundaries differ from message to message. They begin with "=_",
// which neither quoted-printable nor base64 can hold, and no text can hold the
// digest of itself.
func seed(m *mapi.Message) [32]byte {
	h := sha256.New()
	for _, id := range []uint16{mapi.PidTagInternetMessageID, mapi.PidTagSubject, mapi.PidTagTransportMessageHeaders,
		mapi.PidTagSearchKey, mapi.PidTagBody, mapi.PidTagHTML, mapi.PidTagRtfCompressed} {
		if p := m.Properties.Find(id); p != nil {
			fmt.Fprintf(h, "%v %d\n", p.Tag, p.Len())
			h.Write(p.Data)
		}
	}
	for i := range m.Attachments {
		fmt.Fprintf(h, "%q\n", m.Attachments[i].Name())
	}
	return [32]byte(h.Sum(nil))
}

func (e *writer) boundary() string {
	e.boundaries++
	b := sha256.Sum256(binary.BigEndian.AppendUint32(e.seed[:], e.boundaries))
	return "=_" + hex.EncodeToString(b[:15])
}

// maxWritten is how deep embedded messages are written.
const maxWritten = 64

func (e *writer) message(m *mapi.Message, depth int) error {
	if depth > maxWritten {
		return fmt.Errorf("messages nest deeper than %d", maxWritten)
	}
	stored := storedHeader(m)
	if entity := signedEntity(m); entity != nil {
		return e.signed(entity, m, stored)
	}
	if l := layout(m, stored); l != nil {
		e.header(merge(stored, changes(m, stored), nil), l.lf)
		return e.rebuild(l, m, depth)
	}
	n, err := e.structure(m)
	if err != nil {
		return err
	}
	e.header(fields(m, stored, n.header()), false)
	e.out.WriteString("\r\n")
	return n.body(e, depth)
}

// header writes fields with line ends of CRLF or LF.
func (e *writer) header(h header, lf bool) {
	for _, f := range h {
		if lf {
			f.lines = strings.ReplaceAll(f.lines, "\r\n", "\n")
		}
		e.out.WriteString(f.lines)
	}
}

// node is a MIME entity to be written.
type node struct {
	kind        string // value of Content-Type
	encoding    string
	disposition string
	extra       header // Content-ID, Content-Location
	boundary    string // of a multipart
	children    []*node
	text        []byte         // of a body
	data        *mapi.Property // of an attachment
	embedded    *mapi.Message
}

// header is the fields that say how an entity lies.
func (n *node) header() header {
	h := header{newField("Content-Type", n.kind)}
	if n.encoding != "" {
		h = append(h, newField("Content-Transfer-Encoding", n.encoding))
	}
	if n.disposition != "" {
		h = append(h, newField("Content-Disposition", n.disposition))
	}
	return append(h, n.extra...)
}

// body writes what follows the empty line.
func (n *node) body(e *writer, depth int) error {
	switch {
	case n.boundary != "":
		for _, child := range n.children {
			fmt.Fprintf(e.out, "--%s\r\n", n.boundary)
			for _, f := range child.header() {
				e.out.WriteString(f.lines)
			}
			e.out.WriteString("\r\n")
			if err := child.body(e, depth); err != nil {
				return err
			}
			e.out.WriteString("\r\n")
		}
		_, err := fmt.Fprintf(e.out, "--%s--\r\n", n.boundary)
		return err
	case n.embedded != nil:
		return e.message(n.embedded, depth+1)
	case n.data != nil:
		return encodeBase64(e.out, n.data.Open(), base64Chars, "\r\n")
	}
	return encodeText(e.out, n.text, n.encoding)
}

// structure lays the MIME tree of a message out:
//
//	mixed( alternative( plain, related( html, inline... )), attachment... )
//
// each level only where it is needed.
func (e *writer) structure(m *mapi.Message) (*node, error) {
	plain, page, err := bodyNodes(m)
	if err != nil {
		return nil, err
	}
	item, err := itemNode(m)
	if err != nil {
		return nil, err
	}
	var inline, others []*node
	for i := range m.Attachments {
		a := &m.Attachments[i]
		if item != nil && inItem(m, a) {
			continue
		}
		n, err := attachment(a, m.Properties.CodePage(), page != nil && a.Hidden())
		if err != nil {
			return nil, fmt.Errorf("attachment %d: %w", i, err)
		}
		if page != nil && a.Hidden() {
			inline = append(inline, n)
		} else {
			others = append(others, n)
		}
	}
	bodies := e.bodies(plain, page, item, inline)
	switch {
	case isOpaque(m) && len(others) == 1:
		return others[0], nil
	case isReport(m):
		return e.report(m, bodies, others), nil
	case bodies == nil && len(others) == 0:
		return textNode("plain", "us-ascii", nil), nil
	case bodies == nil && len(others) == 1:
		return others[0], nil
	case bodies == nil && len(others) == 2 && strings.HasPrefix(others[0].kind, "application/pgp-encrypted"):
		return e.multipart(`encrypted; protocol="application/pgp-encrypted"`, "", others...), nil // [RFC 3156] 4
	case len(others) == 0:
		return bodies, nil
	case bodies != nil:
		others = append([]*node{bodies}, others...)
	}
	return e.multipart("mixed", "", others...), nil
}

// bodies joins the bodies, the parts that the page shows, and the part of an item.
func (e *writer) bodies(plain, page, item *node, inline []*node) *node {
	if len(inline) > 0 {
		page = e.multipart("related", "text/html", append([]*node{page}, inline...)...)
	}
	if item != nil && plain == nil && page == nil {
		plain = plainNode("") // so that it is known for an item, not for a file
	}
	list := slices.DeleteFunc([]*node{plain, page, item}, func(n *node) bool { return n == nil })
	switch len(list) {
	case 0:
		return nil
	case 1:
		return list[0]
	}
	return e.multipart("alternative", "", list...)
}

// bodyNodes are the bodies there are. RTF gives what it was made of, or its text
// where there is no other body [MS-OXCMAIL] 2.1.3.3.5.
func bodyNodes(m *mapi.Message) (plain, page *node, err error) {
	text, html, rich := m.Properties.Find(mapi.PidTagBody), m.Properties.Find(mapi.PidTagHTML), m.Properties.Find(mapi.PidTagRtfCompressed)
	for _, p := range []*mapi.Property{text, html, rich} {
		if p != nil && !p.Kept() && (p != rich || text == nil && html == nil) {
			return nil, nil, fmt.Errorf("body %v: %w", p.Tag, mapi.ErrLeftOut)
		}
	}
	if text != nil {
		plain = plainNode(m.Properties.Text(mapi.PidTagBody))
	}
	switch {
	case html != nil:
		page = htmlNode(m, html)
	case rich == nil:
	case m.HTML() != "":
		page = textNode("html", "utf-8", []byte(crlf(m.HTML())))
	case plain == nil:
		plain = plainNode(m.BodyText())
	}
	return plain, page, nil
}

func (e *writer) multipart(kind, first string, children ...*node) *node {
	n := &node{boundary: e.boundary(), children: children}
	n.kind = "multipart/" + kind
	if first != "" {
		n.kind += fmt.Sprintf("; type=%q", first)
	}
	n.kind += fmt.Sprintf("; boundary=%q", n.boundary)
	for _, c := range children {
		if c.encoding == "8bit" {
			n.encoding = "8bit" // an enclosing entity must own up to it [RFC 2045] 6.4
		}
	}
	return n
}

func plainNode(text string) *node {
	return textNode("plain", "utf-8", []byte(crlf(text)))
}

// htmlNode keeps the page's bytes in their code page: the page may name it.
func htmlNode(m *mapi.Message, p *mapi.Property) *node {
	codePage, _ := m.Properties.Int32(mapi.PidTagInternetCodepage)
	name := mapi.CharsetOf(int(codePage))
	if name == "" || codePage == 1200 || codePage == 1201 || p.Tag.Type() != mapi.TypeBinary {
		return textNode("html", "utf-8", []byte(crlf(m.HTML())))
	}
	return textNode("html", name, []byte(crlf(string(p.Bytes()))))
}

func textNode(sub, charset string, text []byte) *node {
	encoding := textEncoding(text)
	if encoding == "7bit" && charset == "utf-8" {
		charset = "us-ascii"
	}
	return &node{kind: "text/" + sub + "; charset=" + charset, encoding: encoding, text: text}
}

// attachment lays out one attachment of a message whose 8-bit strings are in that code page. One without data keeps its
// place with no bytes.
func attachment(a *mapi.Attachment, codePage int, inline bool) (*node, error) {
	b := a.Properties
	n := &node{data: a.Data(), embedded: a.Embedded, disposition: "attachment"}
	if inline {
		n.disposition = "inline"
	}
	name := ""
	if a.Embedded == nil || b.Text(mapi.PidTagAttachLongFilename) != "" { // its subject is in the message itself
		name = a.NameIn(codePage)
	}
	switch {
	case a.Embedded != nil:
		n.kind, n.data = "message/rfc822", nil
		n.encoding = messageEncoding(a.Embedded, 0)
	case n.data == nil:
		n.data = &mapi.Property{}
		fallthrough
	default:
		n.kind, n.encoding = mimeType(b.Text(mapi.PidTagAttachMimeTag)), "base64"
	}
	if n.data != nil && !n.data.Kept() {
		return nil, mapi.ErrLeftOut
	}
	if charset := b.Text(mapi.PidTagTextAttachmentCharset); charset != "" && strings.HasPrefix(n.kind, "text/") {
		n.kind += parameter("charset", charset)
	}
	if strings.HasSuffix(n.kind, "pkcs7-mime") {
		n.kind += parameter("smime-type", smimeType(n.data))
	}
	if name != "" {
		n.kind += nameParameter(name)
		n.disposition += parameter("filename", name)
	}
	if id := b.Text(mapi.PidTagAttachContentID); id != "" {
		n.extra = append(n.extra, newField("Content-ID", "<"+oneLine(id)+">"))
	}
	if location := b.Text(mapi.PidTagAttachContentLocation); location != "" {
		n.extra = append(n.extra, newField("Content-Location", oneLine(location)))
	}
	return n, nil
}

// mimeType is the stored type where it is one that may stand over base64 data.
func mimeType(s string) string {
	top, sub, _ := strings.Cut(s, "/")
	if !token(top) || !token(sub) || strings.EqualFold(top, "multipart") {
		return "application/octet-stream"
	}
	return strings.ToLower(s)
}

// messageEncoding of an embedded message: its bodies are encoded, its stored header may hold 8-bit text.
func messageEncoding(m *mapi.Message, depth int) string {
	if !asciiOnly([]byte(m.Properties.Text(mapi.PidTagTransportMessageHeaders))) || depth == maxWritten {
		return "8bit"
	}
	for i := range m.Attachments {
		if in := m.Attachments[i].Embedded; in != nil && messageEncoding(in, depth+1) == "8bit" {
			return "8bit"
		}
	}
	return "7bit"
}

func asciiOnly(b []byte) bool {
	return bytes.IndexFunc(b, func(r rune) bool { return r >= 0x80 }) < 0
}
