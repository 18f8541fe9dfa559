package eml

import (
	"bytes"
	"fmt"
	"path"
	"strings"
	"unicode/utf8"

	"mailbrick/fetch/mapi"
)

// maxLeaves bounds the attachments of a message; what comes after them stays in
// the skeleton alone.
const maxLeaves = 20000

// collector walks the MIME tree and sorts its leaves into bodies, attachments and
// what stands for properties.
type collector struct {
	depth       int // messages around this one
	plain, html *part
	text        string // of plain
	page        []byte // of html
	codePage    int32  // of page
	group       int    // alternative that the body stands in
	groups      int    // alternatives met
	attachments []mapi.Attachment
	content     content
	inner       *collector // of what is signed
	holes       []hole     // where the bytes of bodies and attachments stand
}

// root takes the message itself.
func (c *collector) root(p part) {
	switch {
	case attached(&p):
	case p.kind.kind == "text/html":
		c.html = &p
		return
	case c.content.take(&p, place{root: true}):
		return
	case strings.HasPrefix(p.kind.kind, "text/") && p.kind.kind != "text/calendar" && !isCard(p.kind.kind):
		p.kind.kind = "text/plain" // enriched text and the like: better read than attached
		c.plain = &p
		return
	}
	if isCMS(&p) {
		c.content.add(mapi.NewText(mapi.PidTagMessageClass, "IPM.Note.SMIME")) // [MS-OXOSMIME] 2.1.3.2
		c.opaque(&p)
	}
	c.walk(p, place{root: true})
}

// opaque reads the bodies that an opaque signed message has inside.
func (c *collector) opaque(p *part) {
	data := cmsContent(p.decoded())
	if h, _, body := splitHeader(data); len(h) > 0 && c.depth < maxMessages {
		c.inner = &collector{depth: c.depth + 1}
		c.inner.root(newPart(h, body, 0, "text/plain"))
		c.inner.finish()
	}
}

// place is where in the tree a part stands.
type place struct {
	nest        int
	alternative int  // number of the multipart/alternative around it, 0: none
	root        bool // it is the message itself, or all there is in it
	report      bool // it stands right in the multipart/report that the message is
}

func attached(p *part) bool {
	return parseMedia(p.header.get("content-disposition")).kind == "attachment"
}

func (c *collector) walk(p part, at place) {
	if p.kind.top() == "multipart" && at.nest < maxMultiparts {
		if children := p.children(); children != nil {
			at.report = at.root && p.kind.kind == "multipart/report"
			at.root = at.root && len(children) == 1
			at.nest++
			if p.kind.kind == "multipart/alternative" && at.alternative == 0 {
				c.groups++
				at.alternative = c.groups
			}
			for _, child := range children {
				c.walk(child, at)
			}
			return
		}
		p.kind.kind = "text/plain" // no boundary or no parts: what is there is to be read
	}
	switch name := fileName(&p); {
	case len(c.attachments) >= maxLeaves:
	case c.content.take(&p, at):
	case name == "" && !attached(&p) && c.body(&p, at):
	case p.kind.kind == "message/rfc822" && c.depth < maxMessages:
		c.embed(&p, name)
	default:
		c.attach(&p, name)
	}
}

// body takes p for a body if it is one: the first text there is, and its other
// form if that is an alternative to it. Other texts are attachments: the footer
// of a list must not hide the mail.
func (c *collector) body(p *part, at place) bool {
	var slot **part
	switch p.kind.kind {
	case "text/plain":
		slot = &c.plain
	case "text/html":
		slot = &c.html
	default:
		return false
	}
	begun := c.plain != nil || c.html != nil
	if *slot != nil || begun && (at.alternative == 0 || at.alternative != c.group) {
		return false
	}
	*slot, c.group = p, at.alternative
	return true
}

// embed adds a message as an embedded message, or by value where it is none.
func (c *collector) embed(p *part, name string) {
	raw := p.decoded()
	f := splitMessage(raw)
	if len(f.header) == 0 {
		c.attach(p, name)
		return
	}
	m := f.message(c.depth + 1)
	if bytes.Equal(raw, p.body) { // else it stays in the skeleton, as base64 [RFC 2046] 5.2.1 forbids
		c.holes = append(c.holes, hole{span: span{p.at + f.dropped, p.end()}, source: fromMessage, index: len(c.attachments)})
	}
	b := c.common(p, name, mapi.AttachEmbedded)
	if name == "" {
		b = append(b, mapi.NewText(mapi.PidTagDisplayName, m.Subject()))
	}
	c.attachments = append(c.attachments, mapi.Attachment{Properties: b, Embedded: m})
}

func (c *collector) attach(p *part, name string) {
	if name == "" {
		// As Exchange names them.
		name = fmt.Sprintf("ATT%05d%s", len(c.attachments)+1, extension(p.kind.kind))
	}
	data, l := c.data(p)
	b := c.common(p, name, mapi.AttachByValue)
	if p.kind.params["charset"] != "" && p.kind.top() == "text" {
		b = append(b, mapi.NewText(mapi.PidTagTextAttachmentCharset, p.kind.params["charset"]))
	}
	c.hole(p, fromAttachment, data.Data)
	c.holes[len(c.holes)-1].lined = l
	b = append(b, mapi.NewInt32(mapi.PidTagAttachSize, int32(min(data.Len(), 1<<31-1))), data)
	c.attachments = append(c.attachments, mapi.Attachment{Properties: b})
}

// data is the value of an attachment, and how it stands where it is long.
func (c *collector) data(p *part) (mapi.Property, *lined) {
	if len(p.body) >= minLined && p.encoding() == "base64" {
		if l := linedOf(p.body); l != nil {
			return l.property(), l
		}
	}
	return mapi.NewBinary(mapi.PidTagAttachData, p.decoded()), nil
}

// common are the properties of every attachment.
func (c *collector) common(p *part, name string, method int32) mapi.Bag {
	b := mapi.Bag{
		mapi.NewInt32(mapi.PidTagAttachNumber, int32(len(c.attachments))),
		mapi.NewInt32(mapi.PidTagAttachMethod, method),
		mapi.NewInt32(mapi.PidTagRenderingPosition, -1),
	}
	if name != "" {
		b = append(b,
			mapi.NewText(mapi.PidTagAttachLongFilename, name),
			mapi.NewText(mapi.PidTagDisplayName, name),
			mapi.NewText(mapi.PidTagAttachExtension, path.Ext(name)),
		)
	}
	if method == mapi.AttachByValue {
		b = append(b, mapi.NewText(mapi.PidTagAttachMimeTag, p.kind.kind))
	}
	if id := strings.Trim(p.header.get("content-id"), "<> \t"); id != "" {
		b = append(b, mapi.NewText(mapi.PidTagAttachContentID, id))
	}
	if location := p.header.get("content-location"); location != "" {
		b = append(b, mapi.NewText(mapi.PidTagAttachContentLocation, location))
	}
	return b
}

func fileName(p *part) string {
	if name := parseMedia(p.header.get("content-disposition")).text("filename"); name != "" {
		return name
	}
	return p.kind.text("name")
}

// extension gives a part without a name one that programs know.
func extension(kind string) string {
	switch kind {
	case "text/plain":
		return ".txt"
	case "text/html":
		return ".htm"
	case "text/calendar":
		return ".ics"
	case "image/jpeg":
		return ".jpg"
	case "image/png":
		return ".png"
	case "image/gif":
		return ".gif"
	case "application/pdf":
		return ".pdf"
	case "message/rfc822":
		return ".eml"
	}
	return ".dat"
}

// finish settles the bodies, and hides the attachments that the page shows.
func (c *collector) finish() {
	c.attachments = append(c.attachments, c.content.attachments...)
	if c.plain != nil {
		text := decodeCharset(c.plain.kind.params["charset"], c.plain.decoded())
		text, files := uuFiles(crlf(strings.ToValidUTF8(text, "\uFFFD")))
		c.text, c.attachments = text, append(c.attachments, files...)
		text, _, _ = strings.Cut(c.text, "\x00") // as a property ends there
		c.hole(c.plain, fromPlain, []byte(text))
	}
	if c.html == nil {
		return
	}
	c.page, c.codePage = htmlBody(c.html)
	c.hole(c.html, fromHTML, c.page)
	for i := range c.attachments {
		a := &c.attachments[i]
		if a.Embedded == nil && shown(c.page, a.Properties) {
			a.Properties = append(a.Properties,
				mapi.NewInt32(mapi.PidTagAttachFlags, mapi.AttachRendered),
				mapi.NewBool(mapi.PidTagAttachmentHidden, true))
		}
	}
}

// hole notes where a part stood that is a body or the next attachment.
func (c *collector) hole(p *part, from source, data []byte) {
	h := hole{span: span{p.at, p.end()}, source: from, data: data, encoded: p.encoding() == "base64"}
	if from == fromAttachment {
		h.index = len(c.attachments)
	}
	c.holes = append(c.holes, h)
}

// shown says whether the page refers to an attachment by Content-ID or -Location.
func shown(page []byte, b mapi.Bag) bool {
	if id := b.Text(mapi.PidTagAttachContentID); id != "" {
		if bytes.Contains(page, []byte("cid:"+id)) ||
			bytes.Contains(page, []byte("cid:"+strings.ReplaceAll(id, "@", "%40"))) {
			return true
		}
	}
	location := b.Text(mapi.PidTagAttachContentLocation)
	return location != "" && bytes.Contains(page, []byte(`"`+location+`"`))
}

// bodies are the body properties, after finish [MS-OXCMSG] 2.2.1.58.
func (c *collector) bodies() mapi.Bag {
	if c.inner != nil {
		return c.inner.bodies()
	}
	var b mapi.Bag
	native, codePage := mapi.NativePlain, int32(65001)
	if c.plain != nil {
		b = append(b, mapi.NewText(mapi.PidTagBody, c.text))
		if cp := mapi.CodePageOf(c.plain.kind.params["charset"]); cp != 0 {
			codePage = int32(cp)
		}
	}
	if c.html != nil {
		b = append(b, mapi.NewBinary(mapi.PidTagHTML, c.page))
		native, codePage = mapi.NativeHTML, c.codePage
	}
	return append(b, mapi.NewInt32(mapi.PidTagNativeBody, native), mapi.NewInt32(mapi.PidTagInternetCodepage, codePage))
}

// htmlBody keeps the bytes of the page where they have an 8-bit code page.
func htmlBody(p *part) ([]byte, int32) {
	data := p.decoded()
	name := p.kind.params["charset"]
	if name == "" {
		name = mapi.MetaCharset(data)
	}
	codePage := mapi.CodePageOf(name)
	switch {
	case codePage == 1200 || codePage == 1201 || codePage == 0 && name != "":
		data, codePage = []byte(decodeCharset(name, data)), 65001
	case codePage == 0 || codePage == 20127 || codePage == 65001:
		codePage = 65001
		if !utf8.Valid(data) {
			codePage = 1252
		}
	}
	return []byte(crlf(string(data))), int32(codePage)
}
