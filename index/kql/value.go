package kql

import (
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// restriction is NAME OP and the atom or atoms after it, not yet understood.
type restriction struct {
	definition
	op     string
	atom   atom
	last   atom // after "..", when ranged
	ranged bool
	column int
}

// atom is a word or a phrase.
type atom struct {
	text   string
	prefix bool
	quoted bool
	column int
}

// leaf makes the node of a restriction.
func (p *parser) leaf(r restriction) (Node, error) {
	switch r.shape {
	case shapeDate:
		return p.dateLeaf(r)
	case shapeSize:
		return p.sizeLeaf(r)
	}
	if r.op != ":" && r.op != "=" && r.op != "<>" {
		return nil, problem(r.column, "it works for dates and sizes; here use :", "%s cannot be compared with %s", r.property, r.op)
	}
	n, err := p.wordLeaf(r)
	if err == nil && r.op == "<>" {
		n = &Not{n}
	}
	return n, err
}

func (p *parser) wordLeaf(r restriction) (Node, error) {
	if r.shape == shapeFlag {
		v := strings.ToLower(r.atom.text)
		if v != "true" && v != "false" || r.atom.prefix {
			return nil, problem(r.atom.column, "", "%s is true or false, not %q", r.property, r.atom.text)
		}
		return &Flag{Property: r.property, Value: v == "true", Column: r.column}, nil
	}
	if r.shape == shapeEnum && (!kinds[strings.ToLower(r.atom.text)] || r.atom.prefix) {
		hint := ""
		if near := nearest(r.atom.text, kinds); near != "" {
			hint = "did you mean " + near + "?"
		}
		return nil, problem(r.atom.column, hint, "there is no %s %q", r.property, r.atom.text)
	}
	n, err := p.textLeaf(r.definition, r.atom)
	if err != nil {
		return nil, err
	}
	if n == nil {
		return nil, problem(r.atom.column, "", "there is nothing to look for in %q: it has no letters or digits", r.atom.text)
	}
	n.Exact = r.op == "=" && r.shape == shapePath && !n.Prefix
	n.Column = r.column
	return n, nil
}

// textLeaf checks words and star; nil without an error means that the atom holds no word.
func (p *parser) textLeaf(d definition, a atom) (*Text, error) {
	n := &Text{Property: d.property, Value: a.text, Prefix: a.prefix, Column: a.column}
	if a.text == "" && !a.prefix && d.property != Anywhere {
		return n, p.checkEmpty(d, a)
	}
	if a.prefix {
		if err := p.checkPrefix(d, n, a); err != nil {
			return nil, err
		}
	}
	if !hasWord(a.text) {
		return nil, nil
	}
	return n, nil
}

// checkEmpty refuses an empty value where being empty cannot be asked for.
func (p *parser) checkEmpty(d definition, a atom) error {
	if d.shape == shapeText && d.property != Body || d.shape == shapeAddress {
		return nil
	}
	return problem(a.column, "", "%s needs a value", d.property)
}

func (p *parser) checkPrefix(d definition, n *Text, a atom) error {
	counted := lastWord(a.text)
	if d.shape != shapeText && d.property != Anywhere {
		counted = []rune(a.text) // addresses, classes and paths are compared whole
	} else if len(counted) == 0 && hasWord(a.text) {
		n.Prefix = false
		p.warn(a.column, "the character before * parts words, so * adds nothing to %q", a.text)
		return nil
	}
	if letters(counted) < p.minPrefix {
		return problem(a.column+utf8.RuneCountInString(a.text), "write more of the word",
			"at least %d letters must stand before *", p.minPrefix)
	}
	return nil
}

func (p *parser) dateLeaf(r restriction) (Node, error) {
	if r.atom.prefix {
		return nil, problem(r.atom.column, dateHint, "%q is not a date", r.atom.text+"*")
	}
	first, err := p.parseDate(r.atom.text, r.atom.column)
	if err != nil {
		return nil, err
	}
	last := first
	if r.ranged {
		if last, err = p.parseDate(r.last.text, r.last.column); err != nil {
			return nil, err
		}
		if !first.from.Before(last.to) {
			return nil, problem(r.column, "", "the range ends before it begins")
		}
	}
	n := &Time{Property: r.property, From: first.from, To: last.to, Column: r.column}
	switch r.op {
	case "<>":
		return &Not{n}, nil
	case "<":
		n.From, n.To = time.Time{}, first.from
	case "<=":
		n.From = time.Time{}
	case ">":
		n.From, n.To = first.to, time.Time{}
	case ">=":
		n.To = time.Time{}
	}
	return n, nil
}

func (p *parser) sizeLeaf(r restriction) (Node, error) {
	first, err := parseSize(r.atom)
	if err != nil {
		return nil, err
	}
	n := &Size{Property: r.property, Min: first, Max: first, Column: r.column}
	if r.ranged {
		if n.Max, err = parseSize(r.last); err != nil {
			return nil, err
		}
		if n.Max < n.Min {
			return nil, problem(r.column, "", "the range ends before it begins")
		}
	}
	switch r.op {
	case "<>":
		return &Not{n}, nil
	case "<":
		if first == 0 {
			return nil, problem(r.column, "", "nothing is smaller than 0 bytes")
		}
		n.Min, n.Max = 0, first-1
	case "<=":
		n.Min = 0
	case ">":
		n.Min, n.Max = first+1, math.MaxInt64
	case ">=":
		n.Max = math.MaxInt64
	}
	return n, nil
}

// parseSize reads a number of bytes below 2^60.
func parseSize(a atom) (int64, error) {
	s, factor := strings.ToUpper(strings.TrimSpace(a.text)), int64(1)
	for _, unit := range []struct {
		name   string
		factor int64
	}{{"KB", 1 << 10}, {"MB", 1 << 20}, {"GB", 1 << 30}} {
		if rest, ok := strings.CutSuffix(s, unit.name); ok {
			s, factor = strings.TrimSpace(rest), unit.factor
		}
	}
	n, err := strconv.ParseUint(s, 10, 60)
	if err != nil || a.prefix || int64(n) >= 1<<60/factor {
		return 0, problem(a.column, "a size is a number of bytes, or one with KB, MB or GB", "%q is not a size", a.text)
	}
	return int64(n) * factor, nil
}
