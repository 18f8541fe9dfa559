package kql

import (
	"strings"
	"unicode"
)

type tokenKind uint8

const (
	tokenEnd      tokenKind = iota
	tokenWord               // atom
	tokenPhrase             // atom
	tokenOpen               // (
	tokenClose              // )
	tokenMinus              // - before something
	tokenPlus               // + before something
	tokenOperator           // AND, OR, NOT, and those not supported yet
	tokenProperty           // NAME OP, its value follows at once
)

// Operators as they are written.
const (
	opAnd   = "AND"
	opOr    = "OR"
	opNot   = "NOT"
	opNear  = "NEAR"
	opOnear = "ONEAR"
	opXrank = "XRANK"
)

type token struct {
	kind   tokenKind
	atom   atom   // words and phrases
	text   string // the operator, or the name of a property
	op     string // after the name
	column int
}

// lexer cuts a query into tokens. It always stands before the next one.
type lexer struct {
	text []rune
	at   int
	warn func(column int, format string, args ...any)
}

func (l *lexer) column() int { return l.at + 1 }

// end is what peek gives past the end; no character of a query is it.
const end = rune(-1)

// peek gives the character n places on.
func (l *lexer) peek(n int) rune {
	if l.at+n < len(l.text) {
		return l.text[l.at+n]
	}
	return end
}

func isQuote(r rune) bool { return r == '"' || r == '“' || r == '”' || r == '„' }

// ends tells whether a character cannot be part of a word.
func ends(r rune) bool {
	return r == end || unicode.IsSpace(r) || r == '(' || r == ')' || isQuote(r)
}

// next gives the next token.
func (l *lexer) next() (token, error) {
	for l.at < len(l.text) && unicode.IsSpace(l.text[l.at]) {
		l.at++
	}
	t := token{column: l.column()}
	switch r := l.peek(0); {
	case l.at >= len(l.text):
		return t, nil
	case r == '(':
		return l.open(t)
	case r == ')':
		l.at++
		t.kind = tokenClose
		return t, nil
	case isQuote(r):
		a, err := l.phrase()
		t.kind, t.atom = tokenPhrase, a
		return t, err
	case (r == '-' || r == '+') && (!ends(l.peek(1)) || l.peek(1) == '(' || isQuote(l.peek(1))):
		l.at++
		t.kind = tokenMinus
		if r == '+' {
			t.kind = tokenPlus
		}
		return t, nil
	}
	return l.word(t)
}

// open reads "(" and refuses the stored form of conditions.
func (l *lexer) open(t token) (token, error) {
	if s := strings.ToLower(string(l.text[l.at:min(l.at+5, len(l.text))])); s == "(c:c)" || s == "(c:s)" {
		return t, problem(t.column, "join the parts with AND and OR", "conditions %s are not supported yet", s)
	}
	l.at++
	t.kind = tokenOpen
	return t, nil
}

// word reads a word, an operator or the head of a restriction.
func (l *lexer) word(t token) (token, error) {
	if name, op := l.head(); op != "" {
		after := l.peek(len(name) + len(op))
		if !ends(after) || isQuote(after) || after == '(' {
			l.at += len(name) + len(op)
			t.kind, t.text, t.op = tokenProperty, name, op
			return t, nil
		}
		if _, known := define(name); known {
			l.warn(t.column+len(name), "a space follows %s%s, so %s is looked for as a word; write %s%svalue without spaces",
				name, op, name, name, op)
		}
	}
	if op := operatorAt(l.peek(0), l.peek(1)); op != "" {
		l.warn(t.column, "nothing stands right before %s, so it is only a mark between words", op)
	}
	run := l.run()
	switch run {
	case opAnd, opOr, opNot, opNear, opOnear, opXrank:
		t.kind, t.text = tokenOperator, run
		return t, nil
	case "WORDS", "ANY", "ALL", "NONE":
		if l.peek(0) == '(' {
			t.kind, t.text = tokenOperator, run
			return t, nil
		}
	}
	a, err := makeAtom(run, t.column)
	t.kind, t.atom = tokenWord, a
	return t, err
}

// head looks ahead for NAME OP; op is empty when there is none.
func (l *lexer) head() (name, op string) {
	n := 0
	for r := l.peek(n); r != end && r < 0x80 && (unicode.IsLetter(r) || n > 0 && (unicode.IsDigit(r) || r == '.' || r == '-' || r == '_')); r = l.peek(n) {
		n++
	}
	if n == 0 {
		return "", ""
	}
	name = string(l.text[l.at : l.at+n])
	return name, operatorAt(l.peek(n), l.peek(n+1))
}

// operatorAt gives the property operator that two characters begin with.
func operatorAt(a, b rune) string {
	switch {
	case a == '<' && (b == '=' || b == '>'), a == '>' && b == '=':
		return string([]rune{a, b})
	case a == ':' || a == '=' || a == '<' || a == '>':
		return string(a)
	}
	return ""
}

// run reads on to the end of a word.
func (l *lexer) run() string {
	from := l.at
	for !ends(l.peek(0)) {
		l.at++
	}
	return string(l.text[from:l.at])
}

// phrase reads what stands in quotes, and a star.
func (l *lexer) phrase() (atom, error) {
	column := l.column()
	l.at++
	from := l.at
	for l.at < len(l.text) && !isQuote(l.text[l.at]) {
		l.at++
	}
	if l.at == len(l.text) {
		return atom{}, problem(column, `put a " where the phrase ends`, "the quote is not closed")
	}
	a, err := makeAtom(string(l.text[from:l.at]), column+1)
	a.quoted = true
	l.at++
	if l.peek(0) == '*' {
		l.at++
		a.prefix = true
	}
	return a, err
}

// value reads the word or phrase after a property's operator, up to "..".
func (l *lexer) value(ranges bool) (a atom, ranged bool, err error) {
	if isQuote(l.peek(0)) {
		a, err = l.phrase()
		if ranges && err == nil && l.peek(0) == '.' && l.peek(1) == '.' {
			l.at += 2
			ranged = true
		}
		return a, ranged, err
	}
	column := l.column()
	from := l.at
	for !ends(l.peek(0)) {
		if ranges && l.peek(0) == '.' && l.peek(1) == '.' {
			a, err = makeAtom(string(l.text[from:l.at]), column)
			l.at += 2
			return a, true, err
		}
		l.at++
	}
	a, err = makeAtom(string(l.text[from:l.at]), column)
	return a, false, err
}

// makeAtom takes a star off the end and refuses any other.
func makeAtom(s string, column int) (atom, error) {
	a := atom{text: s, column: column}
	if rest, ok := strings.CutSuffix(s, "*"); ok {
		a.text, a.prefix = rest, true
	}
	if i := strings.IndexRune(a.text, '*'); i >= 0 {
		return a, problem(column+len([]rune(a.text[:i])), "a * may only end a word, or a phrase", "* inside or before a word is not supported")
	}
	return a, nil
}
