package eml

import (
	"bytes"
	"strings"
)

// maxParts bounds the parts of one multipart; more are left out of the tree.
const maxParts = 10000

// part is a MIME entity: its header and its body as it stands.
type part struct {
	header header
	kind   media
	body   []byte
	at     int // where body stands in what follows the header of the message
}

// newPart reads an entity. usual is the type of one that does not say.
func newPart(h header, body []byte, at int, usual string) part {
	p := part{header: h, kind: parseMedia(h.get("content-type")), body: body, at: at}
	if p.kind.kind == "" || p.kind.top() == p.kind.kind {
		// No slash: not a type [RFC 2045] 5.2; text/plain but in a digest.
		p.kind.kind = usual
	}
	return p
}

// decoded is the body without its transfer encoding.
func (p *part) decoded() []byte {
	return decodeTransfer(p.encoding(), p.body)
}

func (p *part) encoding() string {
	return strings.ToLower(strings.Trim(p.header.get("content-transfer-encoding"), " \t\""))
}

// children cuts a multipart body at its boundary; nil when there is none.
func (p *part) children() []part {
	boundary := p.kind.params["boundary"]
	if boundary == "" {
		return nil
	}
	usual := "text/plain"
	if p.kind.kind == "multipart/digest" {
		usual = "message/rfc822" // [RFC 2046] 5.1.5
	}
	var list []part
	for _, s := range cutMultipart(p.body, boundary) {
		h, _, body := splitHeader(p.body[s.from:s.to])
		list = append(list, newPart(h, body, p.at+s.to-len(body), usual))
	}
	return list
}

// end is where the body ends.
func (p *part) end() int { return p.at + len(p.body) }

// span is a stretch of bytes.
type span struct{ from, to int }

// cutMultipart gives what stands between the delimiter lines. The line end
// before a delimiter belongs to it [RFC 2046] 5.1.1. The last part may lack its end.
func cutMultipart(body []byte, boundary string) []span {
	delimiter := []byte("--" + boundary)
	var list []span
	begun := -1 // of the open part
	for at := 0; ; {
		i := bytes.Index(body[at:], delimiter)
		if i < 0 {
			break
		}
		i += at
		at = i + len(delimiter)
		if i > 0 && body[i-1] != '\n' {
			continue
		}
		line, _ := cutLine(body[at:])
		tail := bytes.TrimRight(line, "\r\n \t")
		last := bytes.Equal(tail, []byte("--"))
		if len(tail) > 0 && !last {
			continue
		}
		if begun >= 0 {
			list = append(list, span{begun, max(begun, lineStart(body, i))})
		}
		at += len(line)
		if begun = at; last || len(list) == maxParts {
			return list
		}
	}
	if begun >= 0 && begun < len(body) {
		list = append(list, span{begun, len(body)})
	}
	return list
}

// lineStart is i without the line end before it.
func lineStart(body []byte, i int) int {
	if i > 0 && body[i-1] == '\n' {
		i--
		if i > 0 && body[i-1] == '\r' {
			i--
		}
	}
	return i
}
