package mapi

import (
	"bytes"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"mailbrick/fetch/mapi/codepage"
)

// BodyText is the body as plain text with LF line ends: PidTagBody, else the
// text of the HTML body.
//
// todo: [MS-OXRTFCP] the text of a message that has only an RTF body.
func (m *Message) BodyText() string {
	if p := m.Properties.Find(PidTagBody); p != nil {
		if text := m.Properties.text(p); text != "" {
			return strings.ReplaceAll(text, "\r\n", "\n")
		}
	}
	return HTMLText(m.HTML())
}

// HTML is the HTML body as a string, "" when there is none.
func (m *Message) HTML() string {
	p := m.Properties.Find(PidTagHTML)
	if p == nil {
		return ""
	}
	if p.Tag.Type() != TypeBinary {
		return m.Properties.text(p)
	}
	data := p.Bytes()
	codePage, _ := m.Properties.Int32(PidTagInternetCodepage)
	return DecodeCodePage(htmlCodePage(data, int(codePage)), trimBOM(data))
}

func trimBOM(data []byte) []byte {
	for _, bom := range []string{"\xEF\xBB\xBF", "\xFF\xFE", "\xFE\xFF"} {
		if bytes.HasPrefix(data, []byte(bom)) {
			return data[len(bom):]
		}
	}
	return data
}

// htmlCodePage finds the code page of HTML bytes: a byte order mark wins, then
// the one given, then what the document says of itself, then UTF-8 if it is.
func htmlCodePage(data []byte, given int) int {
	switch {
	case bytes.HasPrefix(data, []byte("\xEF\xBB\xBF")):
		return 65001
	case bytes.HasPrefix(data, []byte("\xFF\xFE")):
		return 1200
	case bytes.HasPrefix(data, []byte("\xFE\xFF")):
		return 1201
	case given == 20127 && !codepage.ASCII(data), CharsetOf(given) == "":
		if cp := CodePageOf(MetaCharset(data)); cp != 0 && cp != 1200 && cp != 1201 {
			return cp
		}
		if utf8.Valid(data) {
			return 65001
		}
		return 1252
	}
	return given
}

var metaCharset = regexp.MustCompile(`(?i)<meta[^>]*charset\s*=\s*["']?\s*([a-z0-9_:.-]+)`)

// MetaCharset is the charset an HTML document declares in its first KiB, "" when it does not.
func MetaCharset(data []byte) string {
	found := metaCharset.FindSubmatch(data[:min(len(data), 1024)])
	if found == nil {
		return ""
	}
	return string(found[1])
}

// HTMLText is the text a reader of the page would see: no scripts, styles or
// head; block elements break lines; entities decoded.
func HTMLText(page string) string {
	if page == "" {
		return ""
	}
	t := textMaker{}
	z := html.NewTokenizer(strings.NewReader(page))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return strings.TrimSpace(t.out.String())
		case html.TextToken:
			if t.hidden == 0 {
				t.text(z.Text())
			}
		case html.StartTagToken:
			name, _ := z.TagName()
			t.open(atom.Lookup(name))
		case html.EndTagToken:
			name, _ := z.TagName()
			t.close(atom.Lookup(name))
		case html.SelfClosingTagToken:
			name, _ := z.TagName()
			if a := atom.Lookup(name); a == atom.Br || block(a) {
				t.line()
			}
		}
	}
}

// textMaker lays text out in lines, white space between words folded to one blank.
type textMaker struct {
	out    strings.Builder
	hidden atom.Atom // the element whose content is not shown
	pre    int       // open <pre> elements
	blank  bool      // a blank is owed before the next word
	inLine bool      // the line has text
}

func (t *textMaker) open(a atom.Atom) {
	switch {
	case t.hidden != 0:
	// Nothing else in a head shows, and many a head is never closed: it is not hidden as a whole.
	case a == atom.Script || a == atom.Style || a == atom.Title || a == atom.Template:
		t.hidden = a
	case a == atom.Pre:
		t.line()
		t.pre++
	case a == atom.Td || a == atom.Th:
		t.blank = t.blank || t.inLine
	case a == atom.Br || block(a):
		t.line()
	}
}

func (t *textMaker) close(a atom.Atom) {
	switch {
	case t.hidden != 0:
		if a == t.hidden {
			t.hidden = 0
		}
	case a == atom.Pre:
		t.pre = max(0, t.pre-1)
		t.line()
	case block(a):
		t.line()
	}
}

func (t *textMaker) line() {
	if t.inLine {
		t.out.WriteByte('\n')
	}
	t.inLine, t.blank = false, false
}

func (t *textMaker) text(b []byte) {
	if t.pre > 0 {
		t.out.Write(bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")))
		t.inLine = len(b) > 0 && b[len(b)-1] != '\n'
		return
	}
	for _, r := range string(b) {
		if r == ' ' || r == '\n' || r == '\r' || r == '\t' || r == '\f' || r == '\u00A0' {
			t.blank = t.inLine
			continue
		}
		if t.blank {
			t.out.WriteByte(' ')
			t.blank = false
		}
		t.out.WriteRune(r)
		t.inLine = true
	}
}

func block(a atom.Atom) bool {
	switch a {
	case atom.P, atom.Div, atom.Tr, atom.Table, atom.Li, atom.Ul, atom.Ol, atom.Dl, atom.Dt, atom.Dd,
		atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Hr, atom.Blockquote, atom.Form,
		atom.Center, atom.Address, atom.Section, atom.Article, atom.Header, atom.Footer, atom.Main,
		atom.Body, atom.Caption, atom.Fieldset, atom.Option, atom.Figure, atom.Nav, atom.Aside:
		return true
	}
	return false
}
