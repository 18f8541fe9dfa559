package ews

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
)

// flat is a document as a list of steps, for comparison.
func flat(r io.Reader) ([]string, error) {
	s := newScanner(r)
	var out []string
	for {
		t, err := s.next()
		if err != nil {
			return out, err
		}
		switch t.Kind {
		case eofToken:
			return out, nil
		case startToken:
			out = append(out, "<"+t.Name.Space+" "+t.Name.Local)
			for _, a := range t.Attrs {
				out = append(out, "@"+a.Name.Space+" "+a.Name.Local+"="+a.Value)
			}
		case endToken:
			out = append(out, ">"+t.Name.Space+" "+t.Name.Local)
		case textToken:
			b, err := io.ReadAll(s.text())
			if err != nil {
				return out, err
			}
			if len(b) > 0 {
				out = append(out, "#"+string(b))
			}
		}
	}
}

// flatStd is the same by encoding/xml.
func flatStd(doc []byte) ([]string, error) {
	d := xml.NewDecoder(bytes.NewReader(doc))
	var out []string
	var text []byte
	depth := 0
	flush := func() {
		if len(text) > 0 && depth > 0 {
			out = append(out, "#"+string(text))
		}
		text = text[:0]
	}
	for {
		t, err := d.Token()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		switch t := t.(type) {
		case xml.StartElement:
			flush()
			depth++
			out = append(out, "<"+t.Name.Space+" "+t.Name.Local)
			for _, a := range t.Attr {
				if a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns" {
					continue
				}
				out = append(out, "@"+a.Name.Space+" "+a.Name.Local+"="+a.Value)
			}
		case xml.EndElement:
			flush()
			depth--
			out = append(out, ">"+t.Name.Space+" "+t.Name.Local)
		case xml.CharData:
			text = append(text, t...)
		}
	}
}

// randomXML makes a valid document of all that the scanner knows.
type randomXML struct {
	*rand.Rand
	strings.Builder
	prefixes []string
}

func (g *randomXML) document() string {
	if g.IntN(3) == 0 {
		g.WriteString("\xEF\xBB\xBF")
	}
	if g.IntN(2) == 0 {
		g.WriteString("<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n")
	}
	g.misc()
	g.element(0)
	g.misc()
	return g.String()
}

func (g *randomXML) misc() {
	for range g.IntN(3) {
		g.WriteString([]string{"<!-- a - é comment -->", "<?target some ? > thing?>", " \r\n", "<!---->"}[g.IntN(4)])
	}
}

func (g *randomXML) name() string {
	return []string{"a", "Data", "été", "x-1.y", "_z", "Envelope", "日本"}[g.IntN(7)]
}

func (g *randomXML) element(depth int) {
	outer := len(g.prefixes)
	var decl strings.Builder
	for i := range g.IntN(3) {
		p := fmt.Sprintf("p%d", g.IntN(3)*3+i)
		fmt.Fprintf(&decl, " xmlns:%s='urn:%d&amp;'", p, g.IntN(5))
		g.prefixes = append(g.prefixes, p)
	}
	if g.IntN(3) == 0 {
		fmt.Fprintf(&decl, " xmlns=\"%s\"", []string{"", "urn:default", "urn:1"}[g.IntN(3)])
	}
	name := g.name()
	if len(g.prefixes) > 0 && g.IntN(2) == 0 {
		name = g.prefixes[g.IntN(len(g.prefixes))] + ":" + name
	}
	g.WriteString("<" + name + decl.String())
	for i := range g.IntN(3) {
		fmt.Fprintf(g, "\n %s%d = \"%s\"", g.name(), i, []string{"", "v>'", "&lt;&amp;&#x41;&#10;", "é 日本"}[g.IntN(4)])
	}
	if g.IntN(4) == 0 {
		g.WriteString(" />")
	} else {
		g.WriteString(" >")
		g.content(depth)
		g.WriteString("</" + name + " >")
	}
	g.prefixes = g.prefixes[:outer]
}

func (g *randomXML) content(depth int) {
	for range g.IntN(6) {
		switch n := g.IntN(9); {
		case n == 0 && depth < 6:
			g.element(depth + 1)
		case n == 1:
			g.WriteString("<![CDATA[" + []string{"", "<x>&amp;", "]] >", "a\r\nb", "é]"}[g.IntN(5)] + "]]>")
		case n == 2:
			g.WriteString([]string{"&lt;", "&gt;", "&amp;", "&apos;", "&quot;", "&#65;", "&#x1F600;", "&#13;"}[g.IntN(8)])
		case n == 3:
			g.misc()
		case n == 4:
			g.WriteString(strings.Repeat("long text é 日本 ]] ", g.IntN(400)))
		default:
			g.WriteString([]string{"text", "é", "日本語", "\r\n", "\r", "\n", " ", "]", "]]", "😀", "x\r"}[g.IntN(11)])
		}
	}
	if strings.HasSuffix(g.String(), "]") {
		g.WriteString(" ")
	}
}

func TestScannerAgreesWithEncodingXML(t *testing.T) {
	t.Parallel()
	for seed := range uint64(1000) {
		g := &randomXML{Rand: rand.New(rand.NewPCG(seed, 1))}
		doc := g.document()
		want, err := flatStd([]byte(strings.TrimPrefix(doc, "\xEF\xBB\xBF")))
		if err != nil {
			continue // the generator has put ]]> together, or the like
		}
		r := []io.Reader{strings.NewReader(doc), iotest.OneByteReader(strings.NewReader(doc)), iotest.HalfReader(strings.NewReader(doc))}[seed%3]
		got, err := flat(iotest.DataErrReader(r))
		if err != nil {
			t.Fatalf("seed %d: %v\n%q", seed, err, doc)
		}
		if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
			t.Fatalf("seed %d:\n%q\ngot  %q\nwant %q", seed, doc, got, want)
		}
	}
}

func TestScannerRefuses(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("<a>", maxDepth+1)
	for name, doc := range map[string]string{
		"nothing":                     "",
		"no element":                  "  ",
		"text only":                   "hello",
		"doctype":                     `<!DOCTYPE html><a/>`,
		"doctype within":              `<a><!DOCTYPE html></a>`,
		"entity of a DTD":             `<a>&nbsp;</a>`,
		"utf-16":                      "\xFF\xFE<\x00a\x00/\x00>\x00",
		"other encoding":              `<?xml version="1.0" encoding="iso-8859-1"?><a/>`,
		"declaration not at start":    ` <?xml version="1.0"?><a/>`,
		"cut in a tag":                `<a><b`,
		"cut in text":                 `<a>text`,
		"cut in cdata":                `<a><![CDATA[x]]`,
		"cut in a comment":            `<a><!-- x --`,
		"cut in a reference":          `<a>&am`,
		"wrong end tag":               `<a><b></a></b>`,
		"end tag of another prefix":   `<x:a xmlns:x="u" xmlns:y="u"></y:a>`,
		"two roots":                   `<a/><b/>`,
		"text after the root":         `<a/>x`,
		"prefix not declared":         `<x:a/>`,
		"attribute prefix undeclared": `<a x:b=""/>`,
		"prefix out of its scope":     `<a><b xmlns:x="u"/><x:c/></a>`,
		"attribute twice":             `<a b="" b=""/>`,
		"attribute twice by prefixes": `<a xmlns:x="u" xmlns:y="u" x:b="" y:b=""/>`,
		"attribute without quotes":    `<a b=c/>`,
		"attributes not parted":       `<a b="c"d="e"/>`,
		"< in an attribute":           `<a b="<"/>`,
		"namespace declared twice":    `<a xmlns:x="u" xmlns:x="v"/>`,
		"xmlns declared":              `<a xmlns:xmlns="u"/>`,
		"prefix undeclared by empty":  `<a xmlns:x=""/>`,
		"]]> in text":                 `<a>]]></a>`,
		"-- in a comment":             `<a><!-- -- --></a>`,
		"control character":           "<a>\x01</a>",
		"reference to a control":      `<a>&#1;</a>`,
		"reference out of range":      `<a>&#x110000;</a>`,
		"surrogate":                   `<a>&#xD800;</a>`,
		"bad utf-8":                   "<a>\xC3(</a>",
		"bad utf-8 in attribute":      "<a b='\xFF'/>",
		"name with two colons":        `<a:b:c xmlns:a="u"/>`,
		"name that is none":           `<1a/>`,
		"endless name":                "<" + strings.Repeat("a", maxName+1) + "/>",
		"endless attribute":           `<a b="` + strings.Repeat("x", maxAttribute+1) + `"/>`,
		"endless reference":           `<a>&` + strings.Repeat("x", 100) + `;</a>`,
		"too many attributes":         "<a" + strings.Repeat(" x='1'", maxAttributes+1) + "/>",
		"too deep":                    deep,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, r := range []io.Reader{strings.NewReader(doc), iotest.OneByteReader(strings.NewReader(doc))} {
				_, err := flat(r)
				var syntax *syntaxError
				if !errors.As(err, &syntax) {
					t.Errorf("got %v, want a syntax error", err)
				}
			}
		})
	}
}

func TestScannerPassesOnSourceErrors(t *testing.T) {
	t.Parallel()
	broken := errors.New("line down")
	_, err := flat(io.MultiReader(strings.NewReader("<a>text"), iotest.ErrReader(broken)))
	if !errors.Is(err, broken) {
		t.Fatalf("got %v", err)
	}
}

func TestScannerSkipsUnreadText(t *testing.T) {
	t.Parallel()
	s := newScanner(strings.NewReader("<a>one<b>" + strings.Repeat("two ", 50000) + "</b>three</a>"))
	kinds := []tokenKind{startToken, textToken, startToken, textToken, endToken, textToken, endToken, eofToken}
	for i, want := range kinds {
		got, err := s.next()
		if err != nil || got.Kind != want {
			t.Fatalf("step %d: %v, %v; want kind %v", i, got, err, want)
		}
	}
}

func FuzzScanner(f *testing.F) {
	for seed := range uint64(8) {
		g := &randomXML{Rand: rand.New(rand.NewPCG(seed, 2))}
		f.Add([]byte(g.document()))
	}
	f.Add([]byte(`<a b="&#x41;"><![CDATA[x]]>]]&gt;<!-- c --><?p i?></a>`))
	f.Add([]byte("<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'><s:Body/></s:Envelope>=== Truncated Data ==="))
	f.Fuzz(func(t *testing.T, doc []byte) {
		got, err := flat(bytes.NewReader(doc))
		slow, slowErr := flat(iotest.OneByteReader(bytes.NewReader(doc)))
		if (err == nil) != (slowErr == nil) || err == nil && fmt.Sprint(got) != fmt.Sprint(slow) {
			t.Fatalf("depends on how it arrives: %v %v\n%q\n%q", err, slowErr, got, slow)
		}
		if err != nil || bytes.ContainsAny(doc, "\t\n\r") {
			return // encoding/xml leaves white space in attributes as it is
		}
		want, err := flatStd(bytes.TrimPrefix(doc, byteOrderMark))
		if err == nil && fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("got  %q\nwant %q", got, want)
		}
	})
}
