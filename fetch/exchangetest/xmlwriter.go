package exchangetest

import (
	"bufio"
	"encoding/xml"
	"io"
)

// xmlWriter writes elements as they come. Errors stick in the buffer and show at Flush.
type xmlWriter struct {
	*bufio.Writer
	open []string
}

func newXMLWriter(w io.Writer) *xmlWriter {
	return &xmlWriter{Writer: bufio.NewWriterSize(w, 32<<10)}
}

// start opens an element; attrs are pairs of name and value.
func (x *xmlWriter) start(name string, attrs ...string) {
	x.tag(name, attrs)
	x.WriteByte('>')
	x.open = append(x.open, name)
}

func (x *xmlWriter) tag(name string, attrs []string) {
	x.WriteByte('<')
	x.WriteString(name)
	for i := 0; i+1 < len(attrs); i += 2 {
		x.WriteByte(' ')
		x.WriteString(attrs[i])
		x.WriteString(`="`)
		x.text(attrs[i+1])
		x.WriteByte('"')
	}
}

func (x *xmlWriter) end() {
	last := len(x.open) - 1
	x.WriteString("</")
	x.WriteString(x.open[last])
	x.WriteByte('>')
	x.open = x.open[:last]
}

// text escapes s; what XML cannot hold becomes U+FFFD.
func (x *xmlWriter) text(s string) {
	xml.EscapeText(x.Writer, []byte(s)) // an error sticks in the buffer
}

func (x *xmlWriter) leaf(name, text string, attrs ...string) {
	x.start(name, attrs...)
	x.text(text)
	x.end()
}

func (x *xmlWriter) empty(name string, attrs ...string) {
	x.tag(name, attrs)
	x.WriteString("/>")
}

// around writes an element around what write writes behind its first call of
// open, and nothing where there is none: clients trip over empty lists.
func (x *xmlWriter) around(name string, write func(open func())) {
	depth := len(x.open)
	write(func() {
		if len(x.open) == depth {
			x.start(name)
		}
	})
	if len(x.open) > depth {
		x.end()
	}
}

func (x *xmlWriter) flag(name string, value bool) { x.leaf(name, boolText(value)) }

func boolText(v bool) string {
	if v {
		return "true"
	}
	return "false"
}
