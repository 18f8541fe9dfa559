package exchangetest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mailbrick/fetch/mapi"
)

// readExpand reads $expand: extended properties, with the ids wanted, and of folders those below.
func (q *graphQuery) readExpand(value string) *failure {
	for part := range splitOutside(value, ',') {
		name, inner, options := strings.Cut(strings.TrimSpace(part), "(")
		inner, closed := strings.CutSuffix(inner, ")")
		if name == "childFolders" && options == closed {
			if f := q.readBelow(inner); f != nil {
				return f
			}
			continue
		}
		text, filtered := strings.CutPrefix(inner, "$filter=")
		if !closed || !filtered {
			return badSyntax("Extended properties are expanded with a $filter of their ids.")
		}
		list, f := readPropertyIDs(text)
		if f != nil {
			return f
		}
		switch name {
		case "singleValueExtendedProperties":
			q.single = append(q.single, list...)
		case "multiValueExtendedProperties":
			q.multi = append(q.multi, list...)
		default:
			return badSyntax("Could not find a property named '" + clipped(name) + "'.")
		}
	}
	return nil
}

// readBelow reads what is wanted of the folders below, which may have such again. [OData-URL] 5.1.3
func (q *graphQuery) readBelow(options string) *failure {
	q.below = &graphQuery{}
	if options == "" {
		return nil
	}
	for option := range splitOutside(options, ';') {
		name, value, _ := strings.Cut(option, "=")
		switch name {
		case "$select", "$top", "$expand":
		default:
			return badSyntax("Syntax error in '$expand'.")
		}
		if f := q.below.read(name, value); f != nil {
			return f
		}
	}
	return nil
}

// splitOutside splits at separators that are in no brackets and no quotes.
func splitOutside(s string, separator byte) func(func(string) bool) {
	return func(yield func(string) bool) {
		from, depth, quoted := 0, 0, false
		for i := range len(s) {
			switch c := s[i]; {
			case c == '\'':
				quoted = !quoted
			case quoted:
			case c == '(':
				depth++
			case c == ')':
				depth--
			case c == separator && depth == 0:
				if !yield(s[from:i]) {
					return
				}
				from = i + 1
			}
		}
		yield(s[from:])
	}
}

// readPropertyIDs reads id eq '…' or id eq '…'.
func readPropertyIDs(text string) (list []extendedField, f *failure) {
	p := &filterParser{rest: text}
	for {
		if !p.word("id") || !p.word("eq") || !p.take("'") {
			return nil, badSyntax("Syntax error in the $filter of extended properties.")
		}
		x, f := readGraphProperty(p.text())
		if f != nil {
			return nil, f
		}
		list = append(list, x)
		if p.failed != nil {
			return nil, p.failed
		}
		if !p.word("or") {
			break
		}
	}
	if p.blank() != "" {
		return nil, badSyntax("Syntax error in the $filter of extended properties.")
	}
	return list, nil
}

// readGraphProperty reads the id of an extended property: "Type tag", "Type {set} Name n" or "Type {set} Id n".
func readGraphProperty(id string) (extendedField, *failure) {
	invalid := fail("ErrorInvalidExtendedProperty").say("The property id '" + clipped(id) + "' is invalid.")
	words := strings.SplitN(id, " ", 4)
	x := extendedField{kind: words[0]}
	if len(words) < 2 || !slices.Contains(strings.Fields(propertyTypes), x.kind) {
		return x, invalid
	}
	if slices.Contains([]string{"Null", "Object", "ObjectArray", "Error"}, x.kind) {
		return x, fail("ErrorUnsupportedMapiPropertyType")
	}
	if len(words) == 2 {
		n, err := strconv.ParseUint(words[1], 0, 16)
		if err != nil || !strings.HasPrefix(strings.ToLower(words[1]), "0x") {
			return x, invalid
		}
		if n >= mapi.FirstNamed {
			return x, fail("ErrorNoPropertyTagForCustomProperties")
		}
		x.tag = uint16(n)
		return x, nil
	}
	set, ok := parseGUID(strings.TrimSuffix(strings.TrimPrefix(words[1], "{"), "}"))
	if len(words) != 4 || !ok || words[3] == "" {
		return x, invalid
	}
	x.name = &mapi.Name{Set: set}
	switch words[2] {
	case "Name":
		x.name.Text = words[3]
	case "Id":
		n, err := strconv.ParseUint(words[3], 0, 32)
		if err != nil {
			return x, invalid
		}
		x.name.LID = uint32(n)
	default:
		return x, invalid
	}
	return x, nil
}

// graphID writes the id as Graph gives it back: numbers in hexadecimal, in small letters, without leading zeros.
func (x extendedField) graphID() string {
	switch {
	case x.name == nil:
		return fmt.Sprintf("%s 0x%x", x.kind, x.tag)
	case x.name.Text != "":
		return fmt.Sprintf("%s {%s} Name %s", x.kind, x.name.Set, x.name.Text)
	}
	return fmt.Sprintf("%s {%s} Id 0x%x", x.kind, x.name.Set, x.name.LID)
}

// entity is a folder or an item of an answer.
type entity struct {
	object   object
	extended func(extendedField) *mapi.Property
	below    []entity // folders, where they are asked for
}

// value is a property as filters and orders see it.
func (e entity) value(field string) any {
	switch v := e.object.get(field).(type) {
	case int:
		return int64(v)
	default:
		return v
	}
}

// extendedValue is the value of an extended property, nil if it has none.
func (e entity) extendedValue(x extendedField) any {
	if p := e.extended(x); p != nil {
		if texts, ok := x.texts(p); ok {
			return texts[0]
		}
	}
	return nil
}

// expanded are the folders below another: a page of them, and no word of what is beyond it.
func (q *graphQuery) expanded(list []entity) []object {
	size := graphPage
	if q.top > 0 {
		size = q.top
	}
	out := []object{}
	for _, e := range list[:min(size, len(list))] {
		out = append(out, q.entityObject(e))
	}
	return out
}

// entityObject is what the query asks for of an entity.
func (c *graphCall) entityObject(e entity) object { return c.query.entityObject(e) }

func (q *graphQuery) entityObject(e entity) object {
	o := q.selected(e.object)
	var single, multi []object
	for _, x := range q.single {
		if v := e.extendedValue(x); v != nil {
			single = append(single, object{{"id", x.graphID()}, {"value", v}})
		}
	}
	for _, x := range q.multi {
		if p := e.extended(x); p != nil {
			if texts, ok := x.texts(p); ok {
				multi = append(multi, object{{"id", x.graphID()}, {"value", texts}})
			}
		}
	}
	// A collection of which the item has nothing is left out, not empty.
	if single != nil {
		o = append(slices.Clip(o), member{"singleValueExtendedProperties", single})
	}
	if multi != nil {
		o = append(slices.Clip(o), member{"multiValueExtendedProperties", multi})
	}
	if q.below != nil {
		o = append(slices.Clip(o), member{"childFolders", q.below.expanded(e.below)})
	}
	return o
}
