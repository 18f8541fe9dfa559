package calendar

import (
	"io"
	"strings"
	"unicode/utf8"
)

// output writes content lines; the first error sticks.
type output struct {
	w   io.Writer
	err error
}

// line writes name, parameters and value, folded so that no line has more than
// 75 octets [RFC 5545] 3.1 and none ends inside a character.
func (o *output) line(p property) {
	const limit = 75
	text := p.String()
	var b strings.Builder
	b.Grow(len(text) + len(text)/limit*3 + 2)
	room := limit
	for len(text) > room {
		cut := room
		for cut > room-utf8.UTFMax && !utf8.RuneStart(text[cut]) {
			cut--
		}
		b.WriteString(text[:cut])
		b.WriteString("\r\n ")
		text = text[cut:]
		room = limit - 1 // the space counts
	}
	b.WriteString(text)
	b.WriteString("\r\n")
	if o.err == nil {
		_, o.err = io.WriteString(o.w, b.String())
	}
}

func (o *output) component(c *component) {
	o.line(property{name: "BEGIN", value: c.name})
	for _, p := range c.props {
		o.line(p)
	}
	for _, s := range c.subs {
		o.component(s)
	}
	o.line(property{name: "END", value: c.name})
}

// String is the content line without its end, not folded.
func (p *property) String() string {
	var b strings.Builder
	b.WriteString(p.name)
	for _, q := range p.params {
		b.WriteString(";" + q.name)
		for i, v := range q.values {
			b.WriteByte("=,"[min(i, 1)])
			b.WriteString(quoteParam(v))
		}
	}
	b.WriteByte(':')
	b.WriteString(oneLine(p.value))
	return b.String()
}

// oneLine takes out what would end a line: it is in no value that was escaped.
func oneLine(s string) string {
	if !strings.ContainsFunc(s, control) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if control(r) {
			return ' '
		}
		return r
	}, s)
}

func control(r rune) bool { return r < ' ' && r != '\t' || r == 0x7F }

// quoteParam quotes where it must, with the escapes of RFC 6868.
func quoteParam(v string) string {
	v = strings.NewReplacer("^", "^^", "\r\n", "^n", "\n", "^n", `"`, "^'").Replace(v)
	v = oneLine(v)
	if strings.ContainsAny(v, ",;: ") || v == "" {
		return `"` + v + `"`
	}
	return v
}

// escape makes TEXT [RFC 5545] 3.3.11.
func escape(s string) string {
	return strings.NewReplacer("\\", "\\\\", ";", "\\;", ",", "\\,", "\r\n", "\\n", "\n", "\\n", "\r", "\\n").Replace(s)
}

// add puts a property at the end; params are pairs of name and value.
func (c *component) add(name, value string, params ...string) {
	p := property{name: name, value: value}
	for i := 0; i+1 < len(params); i += 2 {
		p.params = append(p.params, param{name: params[i], values: []string{params[i+1]}})
	}
	c.props = append(c.props, p)
}

// addText puts a TEXT at the end unless it is empty.
func (c *component) addText(name, text string, params ...string) {
	if text != "" {
		c.add(name, escape(text), params...)
	}
}
