package kql

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of a query.
const (
	MaxLength  = 64 << 10 // bytes
	maxDepth   = 100      // levels of the tree
	maxNesting = 400      // parentheses and NOTs within one another; more than what the full form of a tree can have
)

// Options for Parse. The zero value works.
type Options struct {
	Clock     func() time.Time // for today and its like; time.Now by default
	Zone      *time.Location   // of dates that name none; UTC by default
	MinPrefix int              // letters that must stand before *; 3 by default
}

// Query is a parsed query.
type Query struct {
	Root     Node
	Warnings []Warning
}

// Parse reads a query. Its errors are of type *Error.
func Parse(text string, o Options) (Query, error) {
	if len(text) > MaxLength {
		return Query{}, problem(1, "split it", "the query has %d bytes; %d are allowed", len(text), MaxLength)
	}
	if !utf8.ValidString(text) {
		return Query{}, problem(utf8.RuneCountInString(text[:invalidAt(text)])+1, "", "the query is not UTF-8 text")
	}
	p := newParser(text, o)
	root, err := p.parse()
	if err != nil {
		return Query{}, err
	}
	return Query{Root: root, Warnings: p.warnings}, nil
}

// invalidAt gives the offset of the first byte that is not UTF-8.
func invalidAt(s string) int {
	for i, r := range s {
		if r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD") {
			return i
		}
	}
	return len(s)
}

type parser struct {
	lexer     lexer
	token     token // the one to look at
	depth     int
	now       time.Time
	zone      *time.Location
	minPrefix int
	warnings  []Warning
	within    *definition // the property whose parenthesised value is being read
}

func newParser(text string, o Options) *parser {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	if o.MinPrefix == 0 {
		o.MinPrefix = 3
	}
	p := &parser{now: o.Clock().In(o.Zone), zone: o.Zone, minPrefix: o.MinPrefix}
	p.lexer = lexer{text: []rune(text), warn: p.warn}
	return p
}

func (p *parser) warn(column int, format string, args ...any) {
	p.warnings = append(p.warnings, Warning{column, fmt.Sprintf(format, args...)})
}

func (p *parser) advance() (err error) {
	p.token, err = p.lexer.next()
	return err
}

func (p *parser) isOperator(op string) bool {
	return p.token.kind == tokenOperator && p.token.text == op
}

func (p *parser) parse() (Node, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.token.kind == tokenEnd {
		return nil, problem(1, "", "the query is empty")
	}
	n, err := p.parseOr()
	if err != nil {
		return nil, err
	}
	if p.token.kind == tokenClose {
		return nil, problem(p.token.column, "", "this ) closes nothing")
	}
	if n == nil {
		return nil, problem(1, "", "there is nothing to look for: the query has no letters or digits")
	}
	if d := depth(n); d > maxDepth {
		return nil, problem(1, "", "the query has %d levels; %d are allowed", d, maxDepth)
	}
	return n, nil
}

// parseOr reads alternatives. Like all of these it gives nil when there was something but no word in it.
func (p *parser) parseOr() (Node, error) {
	var nodes []Node
	column, mixed := 0, false
	for {
		n, ands, err := p.parseAnd()
		if err != nil {
			return nil, err
		}
		if n != nil {
			nodes = append(nodes, n)
		}
		mixed = mixed || ands
		if !p.isOperator(opOr) {
			break
		}
		column = p.token.column
		if err := p.advance(); err != nil {
			return nil, err
		}
	}
	if mixed && column > 0 {
		p.warn(column, "AND binds before OR; parentheses would make it plain")
	}
	if len(nodes) == 0 {
		return nil, nil
	}
	return or(nodes), nil
}

// parseAnd reads runs with AND between them; ands tells whether there was more than one thing to join.
func (p *parser) parseAnd() (n Node, ands bool, err error) {
	var nodes []Node
	for {
		n, several, err := p.parseRun()
		if err != nil {
			return nil, false, err
		}
		if n != nil {
			nodes = append(nodes, n)
		}
		ands = ands || several
		if !p.isOperator(opAnd) {
			break
		}
		if err := p.advance(); err != nil {
			return nil, false, err
		}
	}
	if len(nodes) == 0 {
		return nil, false, nil
	}
	return and(nodes), ands || len(nodes) > 1, nil
}

// run collects what stands side by side: what must hold, each with its alternatives.
type run struct {
	nodes  [][]Node
	groups map[Property]int // where the alternatives of a property are in nodes
}

// add puts a node in; one of a property joins the alternatives of that property.
func (r *run) add(n Node, of Property) {
	if i, ok := r.groups[of]; ok {
		r.nodes[i] = append(r.nodes[i], n)
		return
	}
	if of != Anywhere {
		if r.groups == nil {
			r.groups = map[Property]int{}
		}
		r.groups[of] = len(r.nodes)
	}
	r.nodes = append(r.nodes, []Node{n})
}

func (r *run) node() Node {
	list := make([]Node, len(r.nodes))
	for i, alternatives := range r.nodes {
		list[i] = or(alternatives)
	}
	return and(list)
}

func (p *parser) parseRun() (n Node, several bool, err error) {
	var r run
	if err := p.checkStart(); err != nil {
		return nil, false, err
	}
	for first := true; !p.atRunEnd(); first = false {
		p.lintWord(first)
		n, of, err := p.parseUnary()
		if err != nil {
			return nil, false, err
		}
		if n != nil {
			r.add(n, of)
		}
	}
	if len(r.nodes) == 0 {
		return nil, false, nil
	}
	return r.node(), len(r.nodes) > 1, nil
}

// checkStart refuses a run of nothing.
func (p *parser) checkStart() error {
	if !p.atRunEnd() {
		return nil
	}
	switch p.token.kind {
	case tokenOperator:
		return problem(p.token.column, `to look for the word put it in quotes`, "nothing stands before %s", p.token.text)
	case tokenClose:
		return problem(p.token.column, "", "something is missing before )")
	}
	return problem(p.token.column, "", "something is missing at the end")
}

func (p *parser) atRunEnd() bool {
	return p.token.kind == tokenEnd || p.token.kind == tokenClose || p.isOperator(opAnd) || p.isOperator(opOr)
}

// lintWord warns of words that look like operators.
func (p *parser) lintWord(first bool) {
	if p.token.kind != tokenWord || p.within != nil {
		return
	}
	w := p.token.atom.text
	switch strings.ToLower(w) {
	case "and", "or", "near":
		if first {
			return
		}
		fallthrough
	case "not":
		p.warn(p.token.column, "%q is a word here; the operator is written %s", w, strings.ToUpper(w))
	}
}

// parseUnary reads one thing of a run; of is its property when it may become one of several alternatives.
func (p *parser) parseUnary() (n Node, of Property, err error) {
	if p.depth++; p.depth > maxNesting {
		return nil, "", problem(p.token.column, "", "more than %d parentheses or NOTs within one another", maxNesting)
	}
	defer func() { p.depth-- }()
	switch {
	case p.token.kind == tokenPlus:
		if err := p.advance(); err != nil {
			return nil, "", err
		}
		return p.parseUnary()
	case p.token.kind == tokenMinus || p.isOperator(opNot):
		return p.parseNot()
	case p.token.kind == tokenOperator:
		return nil, "", problem(p.token.column, "to look for the word put it in quotes", "%s is not supported yet", p.token.text)
	}
	return p.parsePrimary()
}

func (p *parser) parseNot() (Node, Property, error) {
	at := p.token
	if err := p.advance(); err != nil {
		return nil, "", err
	}
	if p.atRunEnd() {
		return nil, "", problem(at.column, "to look for the word put it in quotes", "nothing follows NOT")
	}
	n, _, err := p.parseUnary()
	if err != nil || n == nil {
		return nil, "", err
	}
	return &Not{n}, "", nil
}

func (p *parser) parsePrimary() (Node, Property, error) {
	switch p.token.kind {
	case tokenOpen:
		n, err := p.parseGroup()
		return n, "", err
	case tokenProperty:
		return p.parseRestriction()
	}
	return p.parseAtom()
}

// parseGroup reads from "(" to past ")".
func (p *parser) parseGroup() (Node, error) {
	open := p.token.column
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.token.kind == tokenClose {
		return nil, problem(open, "", "there is nothing between the parentheses")
	}
	n, err := p.parseOr()
	if err != nil {
		return nil, err
	}
	if p.token.kind != tokenClose {
		return nil, problem(open, "", "this ( is not closed")
	}
	return n, p.advance()
}

// parseAtom reads a word or phrase, of free text or of the property around it.
func (p *parser) parseAtom() (Node, Property, error) {
	a := p.token.atom
	if p.within != nil {
		n, err := p.leaf(within(*p.within, a))
		if err != nil {
			return nil, "", err
		}
		return n, p.within.property, p.advance()
	}
	n, err := p.textLeaf(definition{Anywhere, shapeText}, a)
	if err != nil {
		return nil, "", err
	}
	if n == nil {
		if a.quoted {
			return nil, "", problem(a.column, "", "there is nothing to look for in the phrase")
		}
		p.warn(a.column, "%q has no letters or digits and is left out", a.text)
		return nil, "", p.advance()
	}
	return n, "", p.advance()
}

// within makes the restriction that an atom in prop:(...) stands for.
func within(d definition, a atom) restriction {
	r := restriction{definition: d, op: ":", atom: a, column: a.column}
	if d.shape != shapeDate && d.shape != shapeSize || a.quoted {
		return r
	}
	if first, last, ok := strings.Cut(a.text, ".."); ok && !a.prefix {
		r.atom.text, r.ranged = first, true
		r.last = atom{text: last, column: a.column + utf8.RuneCountInString(first) + 2}
	}
	return r
}

// parseRestriction reads NAME OP value.
func (p *parser) parseRestriction() (Node, Property, error) {
	t := p.token
	d, ok := define(t.text)
	switch {
	case p.within != nil:
		return nil, "", problem(t.column, `to look for the text put it in quotes`, "%s%s stands inside the value of %s", t.text, t.op, p.within.property)
	case !ok:
		return nil, "", unknown(t)
	case d.shape == shapeLater:
		return nil, "", problem(t.column, "", "the property %s is not supported yet", strings.ToLower(t.text))
	}
	if p.lexer.peek(0) == '(' {
		return p.parseValueGroup(t, d)
	}
	r := restriction{definition: d, op: t.op, column: t.column}
	if err := p.readValue(&r); err != nil {
		return nil, "", err
	}
	n, err := p.leaf(r)
	if err != nil {
		return nil, "", err
	}
	of := d.property
	if t.op == "<>" {
		of = Anywhere
	}
	return n, of, p.advance()
}

func unknown(t token) *Error {
	hint := `to look for the text put it in quotes`
	if near := nearest(t.text, definitions); near != "" {
		hint = fmt.Sprintf("did you mean %s? %s", near, hint)
	}
	return problem(t.column, hint, "there is no property %q", t.text)
}

// readValue reads the atom or the range after the operator.
func (p *parser) readValue(r *restriction) (err error) {
	ranges := r.shape == shapeDate || r.shape == shapeSize
	if ranges && r.op == ":" { // sent:>=2025-01-01, seen in the wild
		if op := operatorAt(p.lexer.peek(0), p.lexer.peek(1)); op != "" && op != ":" {
			p.warn(p.lexer.column(), "read as %s%s", r.property, op)
			p.lexer.at += len(op)
			r.op = op
		}
	}
	if r.atom, r.ranged, err = p.lexer.value(ranges); err != nil || !r.ranged {
		return err
	}
	if r.op != ":" && r.op != "=" && r.op != "<>" {
		return problem(r.column, "use :", "a range cannot follow %s", r.op)
	}
	if r.last, _, err = p.lexer.value(false); err == nil && (r.last.text == "" || r.atom.text == "" || r.last.prefix) {
		return problem(r.last.column, "use >= or <= for an open range", "a range needs both its ends")
	}
	return err
}

// parseValueGroup reads prop:(a OR b): every atom inside is a restriction of the property.
func (p *parser) parseValueGroup(t token, d definition) (Node, Property, error) {
	if t.op != ":" && t.op != "=" && t.op != "<>" {
		return nil, "", problem(t.column, "use :", "parentheses cannot follow %s", t.op)
	}
	if err := p.advance(); err != nil {
		return nil, "", err
	}
	p.within = &d
	n, err := p.parseGroup()
	p.within = nil
	if err != nil || n == nil {
		return nil, "", err
	}
	if t.op == "<>" {
		return &Not{n}, "", nil
	}
	return n, d.property, nil
}
