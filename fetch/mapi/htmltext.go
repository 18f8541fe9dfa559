package mapi

import (
	"bytes"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

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
