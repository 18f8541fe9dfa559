package calendar

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"mailbrick/fetch/mapi/codepage"
)

// ErrNotCalendar says that the input is no iCalendar object.
var ErrNotCalendar = errors.New("not an iCalendar object")

// Limits of what is read; see the package doc.
const (
	maxInput      = 64 << 20
	maxLines      = 1 << 20
	maxComponents = 1 << 16
	maxDepth      = 16
	maxParams     = 64
	maxName       = 128
)

// component is a BEGIN ... END block [RFC 5545] 3.4, in the order of its text.
type component struct {
	name  string
	props []property
	subs  []*component
}

// property is a content line [RFC 5545] 3.1. Its value is as it stands, escapes and all.
type property struct {
	name   string
	params []param
	value  string
}

type param struct {
	name   string
	values []string
}

// find is the first property of that name, nil when there is none.
func (c *component) find(name string) *property {
	for i := range c.props {
		if c.props[i].name == name {
			return &c.props[i]
		}
	}
	return nil
}

// all are the properties of that name.
func (c *component) all(name string) []*property {
	var list []*property
	for i := range c.props {
		if c.props[i].name == name {
			list = append(list, &c.props[i])
		}
	}
	return list
}

// value is the value of the first property of that name as it stands.
func (c *component) value(name string) string {
	if p := c.find(name); p != nil {
		return strings.TrimSpace(p.value)
	}
	return ""
}

// text is a value of type TEXT without its escapes.
func (c *component) text(name string) string {
	if p := c.find(name); p != nil {
		return unescape(p.value)
	}
	return ""
}

func (c *component) children(name string) []*component {
	var list []*component
	for _, s := range c.subs {
		if s.name == name {
			list = append(list, s)
		}
	}
	return list
}

// param is the first value of that parameter.
func (p *property) param(name string) string {
	for _, q := range p.params {
		if q.name == name && len(q.values) > 0 {
			return q.values[0]
		}
	}
	return ""
}

// parse reads all VCALENDAR objects of a stream [RFC 5545] 3.4. Lines that are
// none are left out, blocks that never end do so at the end of the input.
func parse(ics []byte) ([]*component, error) {
	if len(ics) > maxInput {
		return nil, fmt.Errorf("iCalendar object of %d bytes: at most %d are read", len(ics), maxInput)
	}
	p := parser{root: &component{}}
	p.stack = []*component{p.root}
	for line := range unfolded(decodeInput(ics)) {
		if p.lines++; p.lines > maxLines {
			return nil, fmt.Errorf("iCalendar object of more than %d lines", maxLines)
		}
		if err := p.line(line); err != nil {
			return nil, err
		}
	}
	calendars := p.root.children("VCALENDAR")
	if len(calendars) == 0 {
		return nil, ErrNotCalendar
	}
	return calendars, nil
}

// decodeInput is the input in UTF-8; what is not is taken for Windows-1252.
func decodeInput(ics []byte) string {
	ics = bytes.TrimPrefix(ics, []byte("\xEF\xBB\xBF"))
	if utf8.Valid(ics) {
		return string(ics)
	}
	// A line folded inside a character is no UTF-8 until it is unfolded.
	for _, fold := range []string{"\r\n ", "\n ", "\r\n\t", "\n\t"} {
		ics = bytes.ReplaceAll(ics, []byte(fold), nil)
	}
	if utf8.Valid(ics) {
		return string(ics)
	}
	return codepage.Decode(1252, ics)
}

// unfolded yields the content lines of a text [RFC 5545] 3.1; line ends may be CRLF, LF or CR.
func unfolded(text string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		var held strings.Builder
		have := false
		for len(text) > 0 {
			n := strings.IndexAny(text, "\r\n")
			line, rest := text, ""
			if n >= 0 {
				line, rest = text[:n], text[n+1:]
				if text[n] == '\r' && strings.HasPrefix(rest, "\n") {
					rest = rest[1:]
				}
			}
			text = rest
			if have && len(line) > 0 && (line[0] == ' ' || line[0] == '\t') {
				held.WriteString(line[1:])
				continue
			}
			if have && !yield(held.String()) {
				return
			}
			held.Reset()
			held.WriteString(line)
			have = true
		}
		if have {
			yield(held.String())
		}
	}
}

type parser struct {
	root       *component
	stack      []*component
	lines      int
	components int
}

func (p *parser) line(line string) error {
	prop, ok := parseLine(line)
	if !ok {
		return nil
	}
	top := p.stack[len(p.stack)-1]
	switch prop.name {
	case "BEGIN":
		return p.begin(top, blockName(prop))
	case "END":
		p.end(blockName(prop))
	default:
		if top != p.root {
			top.props = append(top.props, prop)
		}
	}
	return nil
}

func blockName(p property) string { return strings.ToUpper(strings.TrimSpace(p.value)) }

func (p *parser) begin(top *component, name string) error {
	if p.components++; p.components > maxComponents {
		return fmt.Errorf("iCalendar object of more than %d components", maxComponents)
	}
	if len(p.stack) > maxDepth {
		return fmt.Errorf("iCalendar components nested more than %d deep", maxDepth)
	}
	if name == "VCALENDAR" { // one that was never ended
		p.stack = p.stack[:1]
		top = p.root
	}
	c := &component{name: name}
	top.subs = append(top.subs, c)
	p.stack = append(p.stack, c)
	return nil
}

// end closes the block of that name and those inside it; the end of none is left out.
func (p *parser) end(name string) {
	for i := len(p.stack) - 1; i > 0; i-- {
		if p.stack[i].name == name {
			p.stack = p.stack[:i]
			return
		}
	}
}

// parseLine cuts name *(";" param) ":" value.
func parseLine(line string) (property, bool) {
	n := strings.IndexAny(line, ";:")
	if n <= 0 {
		return property{}, false
	}
	p := property{name: strings.ToUpper(strings.TrimSpace(line[:n]))}
	if len(p.name) > maxName || strings.ContainsFunc(p.name, notNameLetter) {
		return property{}, false
	}
	rest := line[n:]
	for strings.HasPrefix(rest, ";") {
		var q param
		var ok bool
		if q, rest, ok = parseParam(rest[1:]); !ok || len(p.params) == maxParams {
			return property{}, false
		}
		p.params = append(p.params, q)
	}
	if !strings.HasPrefix(rest, ":") {
		return property{}, false
	}
	p.value = rest[1:]
	return p, true
}

// notNameLetter is a little more generous than [RFC 5545] 3.1.
func notNameLetter(r rune) bool {
	return (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-_./", r)
}

// parseParam cuts name "=" value *("," value); a name alone is a parameter without a value, as in vCalendar 1.0.
func parseParam(s string) (q param, rest string, ok bool) {
	n := strings.IndexAny(s, "=;:")
	if n < 0 {
		return q, "", false
	}
	q.name = strings.ToUpper(s[:n])
	rest = s[n:]
	for len(rest) > 0 && (rest[0] == '=' || rest[0] == ',') {
		var v string
		if v, rest, ok = parseParamValue(rest[1:]); !ok {
			return q, "", false
		}
		q.values = append(q.values, v)
	}
	return q, rest, true
}

func parseParamValue(s string) (v, rest string, ok bool) {
	if strings.HasPrefix(s, `"`) {
		if end := strings.IndexByte(s[1:], '"'); end >= 0 {
			v, rest = s[1:1+end], s[2+end:]
			if rest == "" || strings.IndexByte(",;:", rest[0]) >= 0 {
				return uncaret(v), rest, true
			}
		}
	}
	n := strings.IndexAny(s, ",;:")
	if n < 0 {
		return "", "", false
	}
	return uncaret(s[:n]), s[n:], true
}

// uncaret takes out the escapes of RFC 6868.
func uncaret(s string) string {
	if !strings.Contains(s, "^") {
		return s
	}
	return strings.NewReplacer("^n", "\n", "^^", "^", "^'", `"`).Replace(s)
}

// unescape takes out the escapes of TEXT [RFC 5545] 3.3.11.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch s[i] {
		case 'n', 'N':
			b.WriteByte('\n')
		case '\\', ',', ';', '"', ':':
			b.WriteByte(s[i])
		default: // no escape at all: a path, say
			b.WriteByte('\\')
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// splitText cuts a list of TEXT at its commas and takes out the escapes.
func splitText(s string) []string {
	var list []string
	from := 0
	for i := 0; i <= len(s); i++ {
		if i < len(s) && s[i] == '\\' {
			i++
			continue
		}
		if i >= len(s) || s[i] == ',' {
			if v := strings.TrimSpace(unescape(s[from:min(i, len(s))])); v != "" {
				list = append(list, v)
			}
			from = i + 1
		}
	}
	return list
}
