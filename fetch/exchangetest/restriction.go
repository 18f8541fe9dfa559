package exchangetest

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/beevik/etree"

	"mailbrick/fetch/mapi"
)

// predicate says whether an item's message fits.
type predicate func(found, *mapi.Message) bool

// restrict keeps the items that a Restriction lets through. It reads every item
// of the folder: the server has no index.
func restrict(list []found, expression []*etree.Element) ([]found, *failure) {
	if len(expression) != 1 {
		return nil, fail("ErrorInvalidRestriction")
	}
	fits, f := readExpression(expression[0])
	if f != nil {
		return nil, f
	}
	return slices.DeleteFunc(list, func(e found) bool {
		m, err := e.rev.source.message(math.MaxInt64)
		return err != nil || !fits(e, m)
	}), nil
}

// readExpression reads And, Or, Not, Exists, Contains and the comparisons.
func readExpression(e *etree.Element) (predicate, *failure) {
	switch e.Tag {
	case "And", "Or", "Not":
		return readBoolean(e)
	}
	parts := e.ChildElements()
	if len(parts) == 0 {
		return nil, fail("ErrorInvalidRestriction")
	}
	get, f := readOperand(parts[0])
	if f != nil {
		return nil, f
	}
	if e.Tag == "Exists" {
		return func(it found, m *mapi.Message) bool { _, ok := get(it, m); return ok }, nil
	}
	constant := e.FindElement(".//Constant")
	if len(parts) != 2 || constant == nil {
		return nil, fail("ErrorUnsupportedQueryFilter") // todo: EWS, two fields compared
	}
	want := attr(constant, "Value")
	if e.Tag == "Contains" {
		return readContains(e, get, want), nil
	}
	holds := comparison(e.Tag)
	if holds == nil {
		return nil, fail("ErrorUnsupportedQueryFilter")
	}
	return func(it found, m *mapi.Message) bool {
		got, ok := get(it, m)
		return ok && holds(compareTexts(got, want))
	}, nil
}

func readBoolean(e *etree.Element) (predicate, *failure) {
	var list []predicate
	for c := range e.ChildElementsSeq() {
		p, f := readExpression(c)
		if f != nil {
			return nil, f
		}
		list = append(list, p)
	}
	if len(list) == 0 || e.Tag == "Not" && len(list) > 1 {
		return nil, fail("ErrorInvalidRestriction")
	}
	return func(it found, m *mapi.Message) bool {
		fits := func(p predicate) bool { return p(it, m) }
		switch e.Tag {
		case "Not":
			return !fits(list[0])
		case "Or":
			return slices.ContainsFunc(list, fits)
		}
		return !slices.ContainsFunc(list, func(p predicate) bool { return !fits(p) })
	}, nil
}

func comparison(tag string) func(int) bool {
	switch tag {
	case "IsEqualTo":
		return func(n int) bool { return n == 0 }
	case "IsNotEqualTo":
		return func(n int) bool { return n != 0 }
	case "IsGreaterThan":
		return func(n int) bool { return n > 0 }
	case "IsGreaterThanOrEqualTo":
		return func(n int) bool { return n >= 0 }
	case "IsLessThan":
		return func(n int) bool { return n < 0 }
	case "IsLessThanOrEqualTo":
		return func(n int) bool { return n <= 0 }
	}
	return nil
}

// compareTexts compares as times, numbers or truths where both are such, else as text without regard to case.
func compareTexts(a, b string) int {
	if at, err := parseTime(a); err == nil {
		if bt, err := parseTime(b); err == nil {
			return at.Compare(bt)
		}
	}
	if an, err := strconv.ParseInt(a, 10, 64); err == nil {
		if bn, err := strconv.ParseInt(b, 10, 64); err == nil {
			return int(max(-1, min(1, an-bn)))
		}
	}
	if booleanText(a) == "" && booleanText(b) == "" {
		return strings.Compare(boolText(isTrue(a)), boolText(isTrue(b)))
	}
	return strings.Compare(strings.ToLower(a), strings.ToLower(b))
}

func readContains(e *etree.Element, get operand, want string) predicate {
	fold := strings.HasPrefix(attr(e, "ContainmentComparison"), "IgnoreCase")
	match := strings.Contains
	switch attr(e, "ContainmentMode") {
	case "FullString":
		match = func(s, w string) bool { return s == w }
	case "Prefixed":
		match = strings.HasPrefix
	}
	if fold {
		want = strings.ToLower(want)
	}
	return func(it found, m *mapi.Message) bool {
		got, ok := get(it, m)
		if fold {
			got = strings.ToLower(got)
		}
		return ok && match(got, want)
	}
}

// operand gives a property's value as text.
type operand func(found, *mapi.Message) (string, bool)

func readOperand(path *etree.Element) (operand, *failure) {
	if path.Tag == "ExtendedFieldURI" {
		field, f := readExtended(path)
		if f != nil {
			return nil, f
		}
		return func(_ found, m *mapi.Message) (string, bool) { return field.first(m) }, nil
	}
	switch field := attr(path, "FieldURI"); field {
	case "item:Body":
		return func(_ found, m *mapi.Message) (string, bool) { return m.BodyText(), true }, nil
	case "message:From", "message:Sender":
		return func(_ found, m *mapi.Message) (string, bool) { return m.From().Email, true }, nil
	case "message:ToRecipients", "message:CcRecipients", "message:BccRecipients":
		return nil, fail("ErrorUnsupportedPathForQuery")
	default:
		return readField(field)
	}
}

// readField gives the text of a property as an answer has it.
func readField(field string) (operand, *failure) {
	fields := itemProperties()
	i := slices.IndexFunc(fields, func(p itemProperty) bool { return p.field == field && field != "" && p.listed })
	if i < 0 {
		return nil, fail("ErrorUnsupportedPathForQuery")
	}
	p := fields[i]
	return func(it found, m *mapi.Message) (string, bool) {
		if !p.belongs(itemElement(it.rev.class)) {
			return "", false
		}
		e := written(func(x *xmlWriter) {
			p.write(x, &itemData{itemView: itemView{rev: it.rev, associated: it.it.associated}, m: m})
		})
		if len(e.ChildElements()) == 0 {
			return "", false
		}
		e = e.ChildElements()[0]
		return e.Text(), e.Text() != ""
	}, nil
}

// first is the first value of an extended property.
func (x extendedField) first(m *mapi.Message) (string, bool) {
	p := m.Properties.Find(x.tag)
	if x.name != nil {
		p = m.Properties.FindNamed(*x.name)
	}
	if p == nil {
		return "", false
	}
	list, ok := x.texts(p)
	if !ok {
		return "", false
	}
	return list[0], true
}
