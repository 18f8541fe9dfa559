package eml

import (
	"bytes"
	"encoding/base64"
	"io"

	"mailbrick/fetch/mapi"
)

// lined is base64 in lines of one length, decoded where it is read: a long
// attachment is not held a second time.
type lined struct {
	text []byte // from the first character to the last
	at   int    // where it begins in the body
	line int    // characters of a line
	eol  int    // bytes of a line end
	size int64  // of what it decodes to
}

const (
	minLined  = 1 << 20 // shorter ones are decoded at once
	maxLined  = 1 << 10 // characters of a line: one byte costs the decoding of its line
	linedLast = maxLined / 4 * 3
)

// linedOf is for a body that is such base64 and that a writer would write so again,
// with line ends around it.
func linedOf(body []byte) *lined {
	text := bytes.TrimLeft(body, "\r\n")
	first, _ := cutLine(text)
	l := &lined{text: bytes.TrimRight(text, "\r\n"), at: len(body) - len(text), line: len(bytes.TrimRight(first, "\r\n"))}
	l.eol = len(first) - l.line
	if l.line == 0 || l.line > maxLined || l.line%4 != 0 || l.eol == 0 || l.eol > 2 || !l.count() {
		return nil
	}
	return l
}

// count finds the size, and says whether every line is as it must be.
func (l *lined) count() bool {
	var out [linedLast]byte
	eol := l.text[l.line : l.line+l.eol]
	for rest := l.text; ; {
		n, err := base64.StdEncoding.Strict().Decode(out[:], rest[:min(len(rest), l.line)])
		l.size += int64(n)
		if last := len(rest) <= l.line; last || err != nil || n < l.line/4*3 {
			return last && err == nil && base64.StdEncoding.EncodedLen(n) == len(rest) // no line ends within
		}
		if rest = rest[l.line:]; !bytes.HasPrefix(rest, eol) || len(rest) == l.eol {
			return false
		}
		rest = rest[l.eol:]
	}
}

func (l *lined) ReadAt(p []byte, off int64) (n int, err error) {
	var out [linedLast]byte
	for full := int64(l.line / 4 * 3); n < len(p); {
		if off < 0 || off >= l.size {
			return n, io.EOF
		}
		begin := int(off/full) * (l.line + l.eol)
		k, err := base64.StdEncoding.Decode(out[:], l.text[begin:min(len(l.text), begin+l.line)])
		if err != nil { // cannot happen: all lines were read before
			return n, err
		}
		k = copy(p[n:], out[off%full:k])
		n, off = n+k, off+int64(k)
	}
	return n, nil
}

// property is the attachment's data.
func (l *lined) property() mapi.Property {
	return mapi.Property{Tag: mapi.MakeTag(mapi.PidTagAttachData, mapi.TypeBinary), Size: l.size, Large: io.NewSectionReader(l, 0, l.size)}
}

// segments is the skeleton of the part whose body raw is.
func (l *lined) segments(p segment, raw []byte) []segment {
	p.form, p.line = inBase64, l.line
	if l.eol == 1 {
		p.form |= base64LF
	}
	return []segment{{text: raw[:l.at]}, p, {text: raw[l.at+len(l.text):]}}
}
