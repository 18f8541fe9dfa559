package exchangetest

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

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

// compareTexts compares as times or numbers where both are such, else as text without regard to case.
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
	field := attr(path, "FieldURI")
	textOf := func(id uint16) operand {
		return func(_ found, m *mapi.Message) (string, bool) { s := m.Properties.Text(id); return s, s != "" }
	}
	timeOf := func(id uint16) operand {
		return func(_ found, m *mapi.Message) (string, bool) {
			t, ok := m.Properties.Time(id)
			return t.Truncate(time.Second).Format(time.RFC3339), ok
		}
	}
	known := map[string]operand{
		"item:Subject":              func(_ found, m *mapi.Message) (string, bool) { return m.Subject(), true },
		"item:Body":                 func(_ found, m *mapi.Message) (string, bool) { return m.BodyText(), true },
		"item:ItemClass":            func(it found, _ *mapi.Message) (string, bool) { return it.rev.class, true },
		"item:Size":                 func(it found, _ *mapi.Message) (string, bool) { return strconv.FormatInt(it.rev.length, 10), true },
		"item:HasAttachments":       func(_ found, m *mapi.Message) (string, bool) { return boolText(m.HasAttachments()), true },
		"message:IsRead":            func(it found, _ *mapi.Message) (string, bool) { return boolText(it.rev.read), true },
		"message:From":              func(_ found, m *mapi.Message) (string, bool) { return m.From().Email, true },
		"message:InternetMessageId": textOf(mapi.PidTagInternetMessageID),
		"item:InReplyTo":            textOf(mapi.PidTagInReplyToID),
		"item:DateTimeReceived":     timeOf(mapi.PidTagMessageDeliveryTime),
		"item:DateTimeSent":         timeOf(mapi.PidTagClientSubmitTime),
		"item:DateTimeCreated":      timeOf(mapi.PidTagCreationTime),
		"item:LastModifiedTime":     timeOf(mapi.PidTagLastModificationTime),
	}
	get := known[field]
	if get == nil {
		return nil, fail("ErrorUnsupportedPathForQuery")
	}
	return get, nil
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
