package exchangetest

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// filter is a $filter: comparisons joined by and, or, not. [OData-URL] 5.1.1
type filter struct {
	op       string // and, or, not, or that of a comparison
	parts    []*filter
	field    string
	extended *extendedField // instead of field
	value    any            // string, int64 or nil
}

const maxFilterDepth = 20

// parseFilter reads a $filter.
func parseFilter(text string) (*filter, *failure) {
	p := &filterParser{rest: text}
	e := p.either(0)
	if p.failed == nil && p.blank() != "" {
		p.wrong()
	}
	return e, p.failed
}

type filterParser struct {
	rest   string
	failed *failure
}

func (p *filterParser) wrong() {
	if p.failed == nil {
		p.failed = badSyntax("Syntax error in '$filter'.")
	}
}

func (p *filterParser) blank() string {
	p.rest = strings.TrimLeft(p.rest, " ")
	return p.rest
}

// take takes a mark if it is next.
func (p *filterParser) take(mark string) bool {
	rest, found := strings.CutPrefix(p.blank(), mark)
	if found {
		p.rest = rest
	}
	return found
}

// word takes a word if it is next: nothing that goes on.
func (p *filterParser) word(w string) bool {
	rest, found := strings.CutPrefix(p.blank(), w)
	if !found || rest != "" && rest[0] != ' ' && rest[0] != '(' {
		return false
	}
	p.rest = rest
	return true
}

func (p *filterParser) expect(mark string) {
	if !p.take(mark) {
		p.wrong()
	}
}

func (p *filterParser) either(depth int) *filter { return p.joined("or", depth, p.both) }

func (p *filterParser) both(depth int) *filter { return p.joined("and", depth, p.one) }

func (p *filterParser) joined(op string, depth int, next func(int) *filter) *filter {
	parts := []*filter{next(depth)}
	for p.failed == nil && p.word(op) {
		parts = append(parts, next(depth))
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return &filter{op: op, parts: parts}
}

func (p *filterParser) one(depth int) *filter {
	if depth > maxFilterDepth {
		p.wrong()
		return nil
	}
	switch {
	case p.word("not"):
		return &filter{op: "not", parts: []*filter{p.one(depth + 1)}}
	case p.take("("):
		e := p.either(depth + 1)
		p.expect(")")
		return e
	case p.take("startswith("):
		f := &filter{op: "startswith", field: p.name()}
		p.expect(",")
		f.value = p.literal()
		p.expect(")")
		return f
	case p.take("singleValueExtendedProperties/"):
		return p.anyExtended()
	}
	f := &filter{field: p.name()}
	f.op = p.operator()
	f.value = p.literal()
	return f
}

func (p *filterParser) name() string {
	n := 0
	for p.blank(); n < len(p.rest) && isLetter(p.rest[n]); n++ {
	}
	name := p.rest[:n]
	p.rest = p.rest[n:]
	if f := knownField(name); f != nil && name != "receivedDateTime" && p.failed == nil {
		p.failed = f
	}
	return name
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func (p *filterParser) operator() string {
	for _, op := range []string{"eq", "ne", "ge", "gt", "le", "lt"} {
		if p.word(op) {
			return op
		}
	}
	p.wrong()
	return ""
}

// literal takes a text, a number, a time or null.
func (p *filterParser) literal() any {
	if p.take("'") {
		return p.text()
	}
	n := strings.IndexAny(p.blank(), " ),")
	if n < 0 {
		n = len(p.rest)
	}
	word := p.rest[:n]
	p.rest = p.rest[n:]
	if number, err := strconv.ParseInt(word, 10, 64); err == nil {
		return number
	}
	if when, err := time.Parse(time.RFC3339, word); err == nil {
		return stampText(when)
	}
	if word != "null" {
		p.wrong()
	}
	return nil
}

// text takes what follows a quote up to the next; a quote inside is doubled.
func (p *filterParser) text() string {
	var b strings.Builder
	for {
		head, tail, found := strings.Cut(p.rest, "'")
		if !found {
			p.wrong()
			return ""
		}
		b.WriteString(head)
		if p.rest = tail; !strings.HasPrefix(tail, "'") {
			return b.String()
		}
		b.WriteByte('\'')
		p.rest = tail[1:]
	}
}

// anyExtended takes Any(x: x/id eq '…' and x/value eq '…'), the way items are found by a property.
func (p *filterParser) anyExtended() *filter {
	if !p.take("Any(") && !p.take("any(") {
		p.wrong()
		return nil
	}
	name, rest, found := strings.Cut(p.blank(), ":")
	if !found || name == "" {
		p.wrong()
		return nil
	}
	p.rest = rest
	p.expect(name + "/id")
	p.expectEq()
	p.expect("'")
	x, f := readGraphProperty(p.text())
	if f != nil && p.failed == nil {
		p.failed = f
	}
	if !p.word("and") {
		p.wrong()
	}
	p.expect(name + "/value")
	e := &filter{op: "eq", extended: &x}
	p.expectEq()
	p.expect("'")
	e.value = p.text()
	p.expect(")")
	return e
}

func (p *filterParser) expectEq() {
	if !p.word("eq") {
		p.wrong()
	}
}

// holds says whether an entity is one of those asked for.
func (f *filter) holds(e entity) bool {
	switch f.op {
	case "and":
		return f.parts[0].holds(e) && f.rest().holds(e)
	case "or":
		return f.parts[0].holds(e) || f.rest().holds(e)
	case "not":
		return !f.parts[0].holds(e)
	}
	var have any
	if f.extended != nil {
		have = e.extendedValue(*f.extended)
	} else {
		have = e.value(f.field)
	}
	return f.compares(have)
}

func (f *filter) mentions(field string) bool {
	return f != nil && (f.field == field || slices.ContainsFunc(f.parts, func(p *filter) bool { return p.mentions(field) }))
}

func (f *filter) rest() *filter {
	if len(f.parts) == 2 {
		return f.parts[1]
	}
	return &filter{op: f.op, parts: f.parts[1:]}
}

func (f *filter) compares(have any) bool {
	if f.op == "startswith" {
		a, ok := have.(string)
		b, also := f.value.(string)
		return ok && also && len(a) >= len(b) && strings.EqualFold(a[:len(b)], b)
	}
	n := compareValues(have, f.value)
	switch f.op {
	case "eq":
		return n == 0
	case "ne":
		return n != 0
	case "ge":
		return n >= 0
	case "gt":
		return n > 0
	case "le":
		return n <= 0
	}
	return n < 0
}
