package eml

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strings"

	"mailbrick/fetch/mapi"
)

const (
	skeletonVersion = 1 // the first; a reader leaves others alone
	maxSkeleton     = 16 << 20
	maxSegments     = 1 << 18
	maxSaid         = 1 << 10 // properties that a part may say
)

// Flags of a skeleton.
const (
	headerLF       = 1 // the lines of the header end in LF
	withRecipients = 2 // the recipients are among what was said
)

// source is where the bytes of a hole come from.
type source byte

const (
	literal source = iota
	fromPlain
	fromHTML
	fromAttachment
	fromMessage
)

// Bits of the form that the bytes of a source take.
const (
	contentLF = 1 // CRLF becomes LF
	inBase64  = 2
	base64LF  = 4 // lines of base64 end in LF
)

// hole is where a body or an attachment stood.
type hole struct {
	span
	source  source
	index   int    // of the attachment
	data    []byte // of the property
	encoded bool   // in base64
	lined   *lined // instead of data
}

// segment is a stretch of what follows the header of a message.
type segment struct {
	source source
	text   []byte // literal
	form   byte
	index  int // of the attachment
	line   int // characters of a line of base64
	span       // of a body that is not in base64
}

func (p *segment) isBody() bool { return p.source == fromPlain || p.source == fromHTML }

// numbers are the two that the source and the form want.
func (p *segment) numbers() (a, b *int) {
	if p.isBody() && p.form&inBase64 == 0 {
		return &p.from, &p.to
	}
	return &p.index, &p.line
}

// eol is the line end of the base64.
func (p *segment) eol() string {
	if p.form&base64LF != 0 {
		return "\n"
	}
	return "\r\n"
}

// encoded are the attachments whose bytes the writer encodes as they are then: a change of them breaks nothing.
func encoded(segments []segment) map[int]bool {
	list := map[int]bool{}
	for _, p := range segments {
		if p.source == fromMessage || p.source == fromAttachment && p.form&inBase64 != 0 {
			list[p.index] = true
		}
	}
	return list
}

// skeleton describes how m lay in the file; nil where that would be too long.
func (f *file) skeleton(c *collector, m *mapi.Message) []byte {
	rest := f.raw[len(f.raw)-len(f.body)-len(f.empty):]
	slices.SortFunc(c.holes, func(a, b hole) int { return cmp.Compare(a.from, b.from) })
	var segments []segment
	at := 0
	for _, h := range c.holes {
		segments = append(segments, segment{text: rest[at:h.from]})
		segments = append(segments, h.segments(rest[h.from:h.to])...)
		at = h.to
	}
	segments = append(segments, segment{text: rest[at:]})
	flags := byte(0)
	if f.lf {
		flags |= headerLF
	}
	if c.content.recipients != nil {
		flags |= withRecipients
	}
	b := appendSaid([]byte{skeletonVersion, flags}, f.header, m, c.content.bag)
	if flags&withRecipients != 0 {
		b = append(b, hashRecipients(m)...)
	}
	b = binary.AppendUvarint(b, uint64(len(m.Attachments)))
	free := encoded(segments)
	for i := range m.Attachments {
		b = append(b, hashAttachment(&m.Attachments[i], !free[i])...)
	}
	if len(segments) > maxSegments {
		return nil
	}
	return appendSegments(b, segments)
}

// appendSegments joins literals that follow each other, and leaves out empty ones.
func appendSegments(b []byte, segments []segment) []byte {
	for i := 0; i < len(segments); i++ {
		p := segments[i]
		if p.source != literal {
			b = append(b, byte(p.source), p.form)
			first, second := p.numbers()
			b = binary.AppendUvarint(b, uint64(*first))
			b = binary.AppendUvarint(b, uint64(*second))
			continue
		}
		n, end := len(p.text), i+1
		for ; end < len(segments) && segments[end].source == literal; end++ {
			n += len(segments[end].text)
		}
		if n > maxSkeleton-len(b) {
			return nil
		}
		if n > 0 {
			b = binary.AppendUvarint(append(b, byte(literal)), uint64(n))
		}
		for ; i < end; i++ {
			b = append(b, segments[i].text...)
		}
		i--
	}
	return b
}

// segments says how raw is made of the property it was read into; literals where
// no form gives the same bytes.
func (h *hole) segments(raw []byte) []segment {
	p := segment{source: h.source, index: h.index}
	if h.source == fromMessage {
		return []segment{p}
	}
	switch {
	case h.lined != nil:
		return h.lined.segments(p, raw)
	case len(h.data) == 0:
	case h.encoded:
		for _, p.form = range []byte{0, contentLF} {
			if at, n := p.base64(raw, p.formed(h.data)); n > 0 {
				return []segment{{text: raw[:at]}, p, {text: raw[at+n:]}}
			}
		}
	case p.isBody():
		if !bytes.Contains(raw, []byte("\r\n")) {
			p.form = contentLF
		}
		return p.copies(raw, p.formed(h.data))
	case bytes.Equal(raw, h.data):
		return []segment{p}
	}
	return []segment{{text: raw}}
}

// formed is the value with the line ends that the form wants; an attachment keeps its own.
func (p *segment) formed(data []byte) []byte {
	if p.form&contentLF == 0 || !p.isBody() {
		return data
	}
	return bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
}

// Copies of a body: shorter ones take more room than their text, and to look
// further for the place to go on costs time.
const (
	minCopy   = 48
	lookAhead = 2048
	maxLooks  = 2000
)

// copies finds the lines of raw that stand in data, in order.
func (p *segment) copies(raw, data []byte) []segment {
	var list []segment
	at, begun, looks := 0, 0, 0 // in data, in raw; the text before begun is done
	for i := 0; i < len(raw); {
		n := common(raw[i:], data[at:])
		if n >= minCopy || n == len(raw)-i {
			c := *p
			c.span = span{at, at + n}
			list = append(list, segment{text: raw[begun:i]}, c)
			i, at = i+n, at+n
			begun = i
			continue
		}
		line, _ := cutLine(raw[i:])
		i += len(line)
		next, _ := cutLine(raw[i:])
		next = next[:min(len(next), minCopy)]
		if found := bytes.Index(data[at:min(len(data), at+lookAhead)], next); found >= 0 && len(next) > 8 && looks < maxLooks {
			at += found
			looks++
		}
	}
	return append(list, segment{text: raw[begun:]})
}

// common is how many bytes a and b begin with alike.
func common(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// base64 finds the lines that make data into n bytes of raw, from at on.
func (p *segment) base64(raw, data []byte) (at, n int) {
	at = len(raw) - len(bytes.TrimLeft(raw, "\r\n"))
	first, _ := cutLine(raw[at:])
	text := bytes.TrimRight(first, "\r\n")
	form := p.form | inBase64
	if len(text) == len(first)-1 {
		form |= base64LF
	}
	q := segment{form: form, line: len(text)}
	if len(text)%4 != 0 || len(text) == 0 || len(text) > maxBase64Line {
		return 0, 0
	}
	if base64.StdEncoding.EncodedLen(len(data)) <= len(text) {
		q.line = max(q.line, base64Chars) // the only line
	}
	m := matcher{want: raw[at:]}
	if err := encodeBase64(&m, bytes.NewReader(data), q.line, q.eol()); err != nil {
		return 0, 0
	}
	p.form, p.line = q.form, q.line
	return at, len(raw) - at - len(m.want)
}

// matcher takes bytes that are as wanted.
type matcher struct{ want []byte }

func (m *matcher) Write(b []byte) (int, error) {
	if !bytes.HasPrefix(m.want, b) {
		return 0, errDiffers
	}
	m.want = m.want[len(b):]
	return len(b), nil
}

// skeletonName is the property that keeps the skeleton; see the package doc.
func skeletonName() mapi.Name {
	return mapi.Name{Set: mapi.GUID{0x5B, 0x1E, 0xC4, 0x9D, 0x70, 0x62, 0x3A, 0x4F, 0x9E, 0x21, 0xD8, 0x46, 0xB3, 0x0F, 0xA7, 0x15}, Text: "MimeSkeleton"}
}

func skeletonProperty(data []byte) mapi.Property {
	p := mapi.NewBinary(mapi.FirstNamed, data)
	name := skeletonName()
	p.Name = &name
	return p
}

// structure is the fields of a header that say how its MIME structure lies.
func structure(h header) string {
	var b strings.Builder
	for _, f := range h {
		if structural(f.name) {
			b.WriteString(f.lines)
		}
	}
	return b.String()
}
