package exchangetest

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/beevik/etree"
)

// Namespaces of the protocol.
const (
	nsSOAP     = "http://schemas.xmlsoap.org/soap/envelope/"
	nsMessages = "http://schemas.microsoft.com/exchange/services/2006/messages"
	nsTypes    = "http://schemas.microsoft.com/exchange/services/2006/types"
	nsErrors   = "http://schemas.microsoft.com/exchange/services/2006/errors"
)

// schema is what messages.xsd and types.xsd say of the requests known here: by
// name, types of elements. It is built once for a server and read only.
type schema map[string]*elementType

// elementType is a sequence of choices, which is all the requests are made of.
type elementType struct {
	attributes []attribute
	sequence   []particle
	text       func(string) string // nil: no text
	any        bool                // content is not looked at
}

type attribute struct {
	name     string
	required bool
	check    func(string) string
}

// particle is a choice of elements that occurs min to max times; max < 0 is unbounded.
type particle struct {
	elements []element
	min, max int
}

type element struct{ space, name, kind string }

// violation says where a request broke the schema and how.
type violation struct {
	at   *etree.Element
	text string
}

// define adds a type. An attribute is "Name" or "Name!" (required), with a
// check after "=": one of those of checkOf or a list of words with "|". A particle
// is a choice with "|" of "m:Name" or "t:Name", with the type after "=" where it
// is not called like the element, and an occurrence ? * + at the end.
func (s schema) define(name, attributes string, particles ...string) *elementType {
	t := &elementType{}
	for _, a := range strings.Fields(attributes) {
		name, check, _ := strings.Cut(a, "=")
		name, required := strings.CutSuffix(name, "!")
		t.attributes = append(t.attributes, attribute{name, required, checkOf(check)})
	}
	for _, p := range particles {
		t.sequence = append(t.sequence, parseParticle(p))
	}
	s[name] = t
	return t
}

// defineText adds a type that is text of a rule of checkOf.
func (s schema) defineText(name, rule string) { s.define(name, "").text = checkOf(rule) }

// defineAny adds a type whose content is not looked at.
func (s schema) defineAny(names ...string) {
	for _, name := range names {
		s.define(name, "").any = true
	}
}

func parseParticle(text string) particle {
	p := particle{min: 1, max: 1}
	switch text[len(text)-1] {
	case '?':
		p.min = 0
	case '*':
		p.min, p.max = 0, -1
	case '+':
		p.max = -1
	}
	for _, choice := range strings.Split(strings.TrimRight(text, "?*+"), "|") {
		name, kind, typed := strings.Cut(choice, "=")
		e := element{space: nsTypes, name: name[2:], kind: kind}
		if name[0] == 'm' {
			e.space = nsMessages
		}
		if !typed {
			e.kind = e.name
		}
		p.elements = append(p.elements, e)
	}
	return p
}

func checkOf(rule string) func(string) string {
	switch rule {
	case "":
		return anyText
	case "int":
		return intText
	case "boolean":
		return booleanText
	case "base64":
		return base64Text
	case "double":
		return doubleText
	case "dateTime":
		return timeText(parseTime, "DateTime")
	case "date":
		return timeText(parseDate, "Date")
	case "days":
		return daysText
	case "field":
		return fieldText()
	case "special":
		return wordText(strings.Fields(specialNames)...)
	case "guid":
		return patternText(`[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}`)
	case "tag":
		return patternText(`0[xX][0-9A-Fa-f]{1,4}|[0-9]{1,5}`)
	}
	return wordText(strings.Split(rule, "|")...)
}

func anyText(string) string { return "" }

func intText(s string) string {
	if _, err := strconv.ParseInt(strings.TrimSpace(s), 10, 32); err != nil {
		return fmt.Sprintf("The string '%s' is not a valid Int32 value.", s)
	}
	return ""
}

func booleanText(s string) string {
	switch strings.TrimSpace(s) {
	case "true", "false", "0", "1":
		return ""
	}
	return fmt.Sprintf("The string '%s' is not a valid Boolean value.", s)
}

func doubleText(s string) string {
	if _, err := strconv.ParseFloat(strings.TrimSpace(s), 64); err != nil {
		return fmt.Sprintf("The string '%s' is not a valid Double value.", s)
	}
	return ""
}

func timeText(parse func(string) (time.Time, error), kind string) func(string) string {
	return func(s string) string {
		if _, err := parse(s); err != nil {
			return fmt.Sprintf("The string '%s' is not a valid %s value.", s, kind)
		}
		return ""
	}
}

// daysText is a list of days.
func daysText(s string) string {
	for word := range strings.FieldsSeq(s) {
		if maskOf(word) == 0 {
			return "The Enumeration constraint failed."
		}
	}
	return ""
}

func base64Text(s string) string {
	if _, err := decodeBase64(s); err != nil {
		return "The string is not a valid Base64 value."
	}
	return ""
}

// decodeBase64 takes xs:base64Binary, blanks and all.
func decodeBase64(s string) ([]byte, error) {
	return base64.StdEncoding.DecodeString(strings.Map(func(r rune) rune {
		if r == ' ' || r == '\t' {
			return -1
		}
		return r
	}, s))
}

func wordText(words ...string) func(string) string {
	return func(s string) string {
		if !slices.Contains(words, s) {
			return "The Enumeration constraint failed."
		}
		return ""
	}
}

func patternText(pattern string) func(string) string {
	re := regexp.MustCompile("^(?:" + pattern + ")$")
	return func(s string) string {
		if !re.MatchString(s) {
			return "The Pattern constraint failed."
		}
		return ""
	}
}

func rangeText(low, high int) func(string) string {
	return func(s string) string {
		n, err := strconv.Atoi(strings.TrimSpace(s))
		switch {
		case err != nil:
			return intText(s)
		case n < low:
			return "The MinInclusive constraint failed."
		case n > high:
			return "The MaxInclusive constraint failed."
		}
		return ""
	}
}

// check holds e against a type. The texts are those of the .NET validator that Exchange uses.
func (s schema) check(e *etree.Element, kind string) *violation {
	t := s[kind]
	if v := t.checkAttributes(e); v != nil || t.any {
		return v
	}
	if t.text != nil {
		return t.checkText(e)
	}
	children := e.ChildElements()
	if len(children) == 0 && strings.TrimSpace(e.Text()) != "" {
		return &violation{e, fmt.Sprintf("The element '%s' in namespace '%s' cannot contain text.", e.Tag, e.NamespaceURI())}
	}
	for _, p := range t.sequence {
		n, v := s.match(children, p)
		if v != nil {
			return v
		}
		if n < p.min {
			return incomplete(e, children, p)
		}
		children = children[n:]
	}
	if len(children) > 0 {
		return unexpected(e, children[0], nil)
	}
	return nil
}

// match checks the children that one particle takes and says how many.
func (s schema) match(children []*etree.Element, p particle) (int, *violation) {
	for n, c := range children {
		if n == p.max {
			return n, nil
		}
		kind, ok := p.find(c)
		if !ok {
			return n, nil
		}
		if v := s.check(c, kind); v != nil {
			return n, v
		}
	}
	return len(children), nil
}

func (p particle) find(c *etree.Element) (kind string, ok bool) {
	for _, e := range p.elements {
		if e.name == c.Tag && e.space == c.NamespaceURI() {
			return e.kind, true
		}
	}
	return "", false
}

func incomplete(e *etree.Element, rest []*etree.Element, p particle) *violation {
	if len(rest) > 0 {
		return unexpected(e, rest[0], p.elements)
	}
	return &violation{e, fmt.Sprintf("The element '%s' in namespace '%s' has incomplete content.%s",
		e.Tag, e.NamespaceURI(), expected(p.elements))}
}

func unexpected(e, child *etree.Element, wanted []element) *violation {
	return &violation{child, fmt.Sprintf("The element '%s' in namespace '%s' has invalid child element '%s' in namespace '%s'.%s",
		e.Tag, e.NamespaceURI(), child.Tag, child.NamespaceURI(), expected(wanted))}
}

func expected(list []element) string {
	if len(list) == 0 {
		return ""
	}
	var names []string
	for _, e := range list {
		names = append(names, e.name)
	}
	return fmt.Sprintf(" List of possible elements expected: '%s' in namespace '%s'.", strings.Join(names, ", "), list[0].space)
}

func (t *elementType) checkAttributes(e *etree.Element) *violation {
	if t.any {
		return nil
	}
	for _, a := range e.Attr {
		if a.Space != "" || a.Key == "xmlns" {
			continue // declarations, xsi:, soap: and what others put there
		}
		i := slices.IndexFunc(t.attributes, func(w attribute) bool { return w.name == a.Key })
		if i < 0 {
			return &violation{e, fmt.Sprintf("The '%s' attribute is not declared.", a.Key)}
		}
		if wrong := t.attributes[i].check(a.Value); wrong != "" {
			return &violation{e, fmt.Sprintf("The '%s' attribute is invalid - The value '%s' is invalid according to its datatype - %s",
				a.Key, clipped(a.Value), wrong)}
		}
	}
	for _, w := range t.attributes {
		if w.required && !hasAttr(e, w.name) {
			return &violation{e, fmt.Sprintf("The required attribute '%s' is missing.", w.name)}
		}
	}
	return nil
}

func (t *elementType) checkText(e *etree.Element) *violation {
	if children := e.ChildElements(); len(children) > 0 {
		return &violation{children[0], fmt.Sprintf("The element '%s' in namespace '%s' cannot contain child element '%s'.",
			e.Tag, e.NamespaceURI(), children[0].Tag)}
	}
	if wrong := t.text(e.Text()); wrong != "" {
		return &violation{e, fmt.Sprintf("The '%s:%s' element is invalid - The value is invalid according to its datatype - %s",
			e.NamespaceURI(), e.Tag, wrong)}
	}
	return nil
}

func clipped(s string) string {
	if len(s) > 64 {
		return s[:64]
	}
	return s
}

// attr is the value of an attribute without a namespace.
func attr(e *etree.Element, name string) string {
	for _, a := range e.Attr {
		if a.Space == "" && a.Key == name {
			return a.Value
		}
	}
	return ""
}

func hasAttr(e *etree.Element, name string) bool {
	return slices.ContainsFunc(e.Attr, func(a etree.Attr) bool { return a.Space == "" && a.Key == name })
}

// child is the first child element of that local name, which the schema has put in its place.
func child(e *etree.Element, name string) *etree.Element {
	for c := range e.ChildElementsSeq() {
		if c.Tag == name {
			return c
		}
	}
	return nil
}
