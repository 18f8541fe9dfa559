package kql

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Node is a part of a parsed query: *And, *Or, *Not or one of the leaves *Text, *Time, *Size, *Flag.
type Node interface {
	// String gives the query with all operators and parentheses written out; it parses to the same tree.
	String() string
	write(b *strings.Builder, inner bool)
}

// And holds when all its nodes hold. There are two or more, and none is an And.
type And struct{ Nodes []Node }

// Or holds when one of its nodes holds. There are two or more, and none is an Or.
type Or struct{ Nodes []Node }

// Not holds when its node does not.
type Not struct{ Node Node }

// Text looks for words in a property, one after the other when there are several.
type Text struct {
	Property Property
	Value    string // as written, without quotes and star; empty: the property itself is empty
	Prefix   bool   // the last word may go on
	Exact    bool   // a folder itself, not what lies below it
	Column   int
}

// Time holds when a date lies in [From, To). A zero time leaves that end open.
type Time struct {
	Property Property
	From, To time.Time
	Column   int
}

// Size holds when a number of bytes lies in [Min, Max].
type Size struct {
	Property Property
	Min, Max int64 // math.MaxInt64 leaves the end open
	Column   int
}

// Flag holds when a property is true, or false.
type Flag struct {
	Property Property
	Value    bool
	Column   int
}

// String gives the query in full.
func (n *And) String() string { return text(n) }

// String gives the query in full.
func (n *Or) String() string { return text(n) }

// String gives the query in full.
func (n *Not) String() string { return text(n) }

// String gives the query in full.
func (n *Text) String() string { return text(n) }

// String gives the query in full.
func (n *Time) String() string { return text(n) }

// String gives the query in full.
func (n *Size) String() string { return text(n) }

// String gives the query in full.
func (n *Flag) String() string { return text(n) }

func text(n Node) string {
	var b strings.Builder
	n.write(&b, false)
	return b.String()
}

func (n *And) write(b *strings.Builder, inner bool) { writeAll(b, n.Nodes, " AND ", inner) }

func (n *Or) write(b *strings.Builder, inner bool) { writeAll(b, n.Nodes, " OR ", inner) }

func writeAll(b *strings.Builder, nodes []Node, between string, inner bool) {
	if inner {
		b.WriteByte('(')
	}
	for i, n := range nodes {
		if i > 0 {
			b.WriteString(between)
		}
		n.write(b, true)
	}
	if inner {
		b.WriteByte(')')
	}
}

func (n *Not) write(b *strings.Builder, _ bool) {
	b.WriteString("NOT ")
	n.Node.write(b, true)
}

func (n *Text) write(b *strings.Builder, _ bool) {
	if n.Property != Anywhere {
		b.WriteString(string(n.Property))
		if n.Exact {
			b.WriteByte('=')
		} else {
			b.WriteByte(':')
		}
	}
	if isPlain(n.Value) {
		b.WriteString(n.Value)
	} else {
		b.WriteString(`"` + n.Value + `"`)
	}
	if n.Prefix {
		b.WriteByte('*')
	}
}

// isPlain tells whether a value can stand without quotes.
func isPlain(s string) bool {
	switch s {
	case "", opAnd, opOr, opNot, opNear, opOnear, opXrank:
		return false
	}
	for i, r := range s {
		if !IsWord(r) && (i == 0 || !strings.ContainsRune("._@/'-", r)) {
			return false
		}
	}
	return true
}

func (n *Time) write(b *strings.Builder, _ bool) {
	b.WriteString(string(n.Property))
	switch {
	case n.To.IsZero():
		b.WriteString(">=" + formatTime(n.From, unitOf(n.From)))
	case n.From.IsZero():
		b.WriteString("<" + formatTime(n.To, unitOf(n.To)))
	default:
		unit := min(unitOf(n.From), unitOf(n.To))
		first, last := formatTime(n.From, unit), formatTime(n.To.Add(-unit), unit)
		b.WriteString(":" + first)
		if first != last {
			b.WriteString(".." + last)
		}
	}
}

func (n *Size) write(b *strings.Builder, _ bool) {
	b.WriteString(string(n.Property))
	switch {
	case n.Max == math.MaxInt64:
		b.WriteString(">=" + strconv.FormatInt(n.Min, 10))
	case n.Min == n.Max:
		b.WriteString(":" + strconv.FormatInt(n.Min, 10))
	default:
		b.WriteString(":" + strconv.FormatInt(n.Min, 10) + ".." + strconv.FormatInt(n.Max, 10))
	}
}

func (n *Flag) write(b *strings.Builder, _ bool) {
	b.WriteString(string(n.Property) + ":" + strconv.FormatBool(n.Value))
}

// depth counts the levels of a tree.
func depth(n Node) int {
	deepest := 0
	switch n := n.(type) {
	case *And:
		for _, one := range n.Nodes {
			deepest = max(deepest, depth(one))
		}
	case *Or:
		for _, one := range n.Nodes {
			deepest = max(deepest, depth(one))
		}
	case *Not:
		deepest = depth(n.Node)
	}
	return deepest + 1
}

// and joins nodes that must all hold.
func and(nodes []Node) Node {
	var flat []Node
	for _, n := range nodes {
		if a, ok := n.(*And); ok {
			flat = append(flat, a.Nodes...)
		} else {
			flat = append(flat, n)
		}
	}
	if len(flat) == 1 {
		return flat[0]
	}
	return &And{flat}
}

// or joins alternatives.
func or(nodes []Node) Node {
	var flat []Node
	for _, n := range nodes {
		if o, ok := n.(*Or); ok {
			flat = append(flat, o.Nodes...)
		} else {
			flat = append(flat, n)
		}
	}
	if len(flat) == 1 {
		return flat[0]
	}
	return &Or{flat}
}
