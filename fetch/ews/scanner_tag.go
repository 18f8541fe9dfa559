package ews

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

var byteOrderMark = []byte("\xEF\xBB\xBF")

// declaration passes over a byte order mark and the XML declaration. Only UTF-8 (and its part ASCII) is read.
func (s *scanner) declaration() error {
	if s.looking(byteOrderMark) {
		s.pos += len(byteOrderMark)
	}
	if !s.looking([]byte("<?xml")) || s.need(6) != nil || !isSpace(s.buf[s.pos+5]) {
		return nil
	}
	s.pos += 5
	if err := s.readAttributes(); err != nil {
		return err
	}
	for _, a := range s.rawAttrs {
		if a.local == "encoding" && !strings.EqualFold(a.value, "utf-8") && !strings.EqualFold(a.value, "us-ascii") {
			return s.syntax("the encoding is not UTF-8")
		}
	}
	if !s.looking([]byte("?>")) {
		return s.syntax("the XML declaration does not end")
	}
	s.pos += 2
	return nil
}

// startTag reads a start tag or an empty-element tag. Namespaces in XML 1.0, 6: declarations hold for the element itself.
func (s *scanner) startTag() (token, error) {
	if len(s.open) == 0 && s.rootSeen {
		return token{}, s.syntax("a second root element")
	}
	if len(s.open) == maxDepth {
		return token{}, s.syntax("elements nested too deep")
	}
	s.pos++
	raw, err := s.name()
	if err != nil {
		return token{}, err
	}
	if err := s.readAttributes(); err != nil {
		return token{}, err
	}
	if err := s.endOfStartTag(); err != nil {
		return token{}, err
	}
	e := openElement{raw: raw, bindings: len(s.bindings)}
	if err := s.bind(); err != nil {
		return token{}, err
	}
	if e.name, err = s.resolve(raw); err != nil {
		return token{}, err
	}
	s.open = append(s.open, e)
	s.rootSeen = true
	if err := s.resolveAttributes(); err != nil {
		return token{}, err
	}
	return token{Kind: startToken, Name: e.name, Attrs: s.attrs}, nil
}

func (s *scanner) endOfStartTag() error {
	c, err := s.readByte()
	if err != nil {
		return err
	}
	if c == '/' {
		s.empty = true
		c, err = s.readByte()
	}
	if err != nil {
		return err
	}
	if c != '>' {
		return s.syntax("a start tag that does not end")
	}
	return nil
}

func (s *scanner) endTag() (token, error) {
	s.pos += 2
	raw, err := s.name()
	if err != nil {
		return token{}, err
	}
	if err := s.skipSpace(); err != nil {
		return token{}, err
	}
	if c, err := s.readByte(); err != nil {
		return token{}, err
	} else if c != '>' {
		return token{}, s.syntax("an end tag that does not end")
	}
	if len(s.open) == 0 || s.open[len(s.open)-1].raw != raw {
		return token{}, s.syntax("an end tag without its start tag")
	}
	return s.closeElement(), nil
}

func (s *scanner) closeElement() token {
	e := s.open[len(s.open)-1]
	s.open = s.open[:len(s.open)-1]
	s.bindings = s.bindings[:e.bindings]
	return token{Kind: endToken, Name: e.name}
}

// readAttributes reads attributes up to the byte that is neither blank nor a name: '>', '/' or '?'.
func (s *scanner) readAttributes() error {
	s.rawAttrs = s.rawAttrs[:0]
	for {
		if err := s.need(1); err != nil {
			return err
		}
		spaced := isSpace(s.buf[s.pos])
		if err := s.skipSpace(); err != nil {
			return err
		}
		if c := s.buf[s.pos]; c == '>' || c == '/' || c == '?' {
			return nil
		}
		if !spaced {
			return s.syntax("attributes that are not parted by a blank")
		}
		if len(s.rawAttrs) == maxAttributes {
			return s.syntax("too many attributes")
		}
		if err := s.readAttribute(); err != nil {
			return err
		}
	}
}

func (s *scanner) readAttribute() error {
	raw, err := s.name()
	if err != nil {
		return err
	}
	if err := s.skipSpace(); err != nil {
		return err
	}
	if s.buf[s.pos] != '=' {
		return s.syntax("an attribute without a value")
	}
	s.pos++
	if err := s.skipSpace(); err != nil {
		return err
	}
	quote := s.buf[s.pos]
	if quote != '"' && quote != '\'' {
		return s.syntax("an attribute without quotes")
	}
	s.pos++
	value, err := s.attributeValue(quote)
	if err != nil {
		return err
	}
	prefix, local, err := s.split(raw)
	s.rawAttrs = append(s.rawAttrs, rawAttr{prefix, local, value})
	return err
}

// attributeValue reads up to the quote. XML 1.0, 3.3.3: white space becomes a blank, references give what they name.
func (s *scanner) attributeValue(quote byte) (string, error) {
	v := s.scratch[:0]
	defer func() { s.scratch = v }()
	for {
		c, err := s.readByte()
		switch {
		case err != nil:
			return "", err
		case c == quote:
			if badCharacter(v) >= 0 {
				return "", s.syntax("a character that XML does not know")
			}
			return string(v), nil
		case c == '<':
			return "", s.syntax("< within an attribute")
		case len(v) >= maxAttribute:
			return "", s.syntax("an attribute that is too long")
		case c == '&':
			s.pos--
			r, err := s.reference()
			if err != nil {
				return "", err
			}
			v = append(v, r...)
		case c == '\r':
			if s.looking([]byte("\n")) {
				s.pos++
			}
			v = append(v, ' ')
		case c == '\n' || c == '\t':
			v = append(v, ' ')
		default:
			v = append(v, c)
		}
	}
}

// bind puts the namespace declarations among the attributes in force.
func (s *scanner) bind() error {
	outside := len(s.bindings)
	for _, a := range s.rawAttrs {
		if !a.declares() {
			continue
		}
		prefix := ""
		if a.prefix != "" {
			prefix = a.local
			// Namespaces in XML 1.0, 3: xmlns is never declared, xml only as itself, and no prefix as nothing.
			if prefix == "xmlns" || a.value == "" || a.value == nsXMLNS || (prefix == "xml") != (a.value == nsXML) {
				return s.syntax("a namespace declaration that is not allowed")
			}
		}
		for _, b := range s.bindings[outside:] {
			if b.prefix == prefix {
				return s.syntax("a namespace declared twice")
			}
		}
		s.bindings = append(s.bindings, binding{prefix, s.intern([]byte(a.value))})
	}
	return nil
}

func (a rawAttr) declares() bool { return a.prefix == "xmlns" || a.prefix == "" && a.local == "xmlns" }

func (s *scanner) resolve(raw string) (xmlName, error) {
	prefix, local, err := s.split(raw)
	if err != nil {
		return xmlName{}, err
	}
	space, err := s.lookup(prefix)
	return xmlName{space, local}, err
}

// resolveAttributes gives the attributes their namespaces. Namespaces in XML 1.0, 6.2 and 6.3: one without a prefix is
// in none, and no two may be the same once resolved.
func (s *scanner) resolveAttributes() error {
	s.attrs = s.attrs[:0]
	for _, a := range s.rawAttrs {
		if a.declares() {
			continue
		}
		name := xmlName{Local: a.local}
		if a.prefix != "" {
			var err error
			if name.Space, err = s.lookup(a.prefix); err != nil {
				return err
			}
		}
		for _, b := range s.attrs {
			if b.Name == name {
				return s.syntax("an attribute given twice")
			}
		}
		s.attrs = append(s.attrs, xmlAttr{name, a.value})
	}
	return nil
}

func (s *scanner) lookup(prefix string) (string, error) {
	if prefix == "xml" {
		return nsXML, nil
	}
	for i := len(s.bindings) - 1; i >= 0; i-- {
		if s.bindings[i].prefix == prefix {
			return s.bindings[i].uri, nil
		}
	}
	if prefix == "" {
		return "", nil
	}
	return "", s.syntax("a prefix that is not declared")
}

// split parts a name at its colon. Namespaces in XML 1.0, 4.
func (s *scanner) split(raw string) (prefix, local string, err error) {
	i := strings.IndexByte(raw, ':')
	if i < 0 {
		return "", raw, nil
	}
	prefix, local = raw[:i], raw[i+1:]
	first, _ := utf8.DecodeRuneInString(local)
	if prefix == "" || local == "" || strings.IndexByte(local, ':') >= 0 || !nameStart(first) {
		return "", "", s.syntax("a name with its colon in the wrong place")
	}
	return prefix, local, nil
}

// name reads a name as it is written.
func (s *scanner) name() (string, error) {
	n := 0
	for {
		if err := s.need(n + 1); err != nil {
			return "", err
		}
		if !nameByte(s.buf[s.pos+n]) {
			break
		}
		if n++; n > maxName {
			return "", s.syntax("a name that is too long")
		}
	}
	b := s.buf[s.pos : s.pos+n]
	if !validName(b) {
		return "", s.syntax("a name that is not one")
	}
	s.pos += n
	return s.intern(b), nil
}

// nameByte says whether a byte may belong to a name; runes beyond ASCII are looked at by validName.
func nameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		c == ':' || c == '_' || c == '-' || c == '.' || c >= 0x80
}

func validName(b []byte) bool {
	for i := 0; i < len(b); {
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size == 1 || !nameStart(r) && (i == 0 || !namePart(r)) {
			return false
		}
		i += size
	}
	return len(b) > 0
}

// nameStart is NameStartChar of XML 1.0, 2.3.
func nameStart(r rune) bool {
	switch {
	case r < 0x80:
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_' || r == ':'
	case r < 0x2000:
		return r >= 0xC0 && r != 0xD7 && r != 0xF7 && (r < 0x300 || r >= 0x370) && r != 0x37E
	case r < 0x3001:
		return r == 0x200C || r == 0x200D || r >= 0x2070 && r <= 0x218F || r >= 0x2C00 && r <= 0x2FEF
	}
	return r <= 0xD7FF || r >= 0xF900 && r <= 0xFDCF || r >= 0xFDF0 && r <= 0xFFFD || r >= 0x10000 && r <= 0xEFFFF
}

// namePart is what NameChar of XML 1.0, 2.3 adds.
func namePart(r rune) bool {
	return r == '-' || r == '.' || r >= '0' && r <= '9' || r == 0xB7 || r >= 0x300 && r <= 0x36F || r == 0x203F || r == 0x2040
}

// intern keeps one copy of the names an answer repeats.
func (s *scanner) intern(b []byte) string {
	if v, ok := s.interned[string(b)]; ok {
		return v
	}
	v := string(bytes.Clone(b))
	if len(s.interned) < maxInterned {
		s.interned[v] = v
	}
	return v
}
