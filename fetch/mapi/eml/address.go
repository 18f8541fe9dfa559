package eml

import (
	"strings"

	"mailbrick/fetch/mapi"
)

// parseAddresses reads an address list as people write them: groups, comments,
// quotes that never close, semicolons for commas, names without an address. It
// takes time linear in the length of s.
func parseAddresses(s string) []mapi.Address {
	p := addressParser{rest: s}
	for len(p.rest) > 0 {
		p.step()
	}
	p.finish()
	return p.list
}

type addressParser struct {
	rest    string
	list    []mapi.Address
	phrase  strings.Builder // text outside angles and comments, since the angle if there was one
	comment string
	name    string // text before the angle
	angle   string
	angled  bool

	// Closers that are known not to come: looking again would take square time.
	noQuote, noParen, noAngle bool
}

// step reads one piece of the list.
func (p *addressParser) step() {
	s := p.rest
	switch s[0] {
	case ',', ';':
		p.finish()
	case ':':
		if !p.group() {
			p.phrase.WriteByte(':')
		}
	case '"':
		if p.quoted() {
			return
		}
	case '(':
		if p.commented() {
			return
		}
	case '<':
		if p.bracketed() {
			return
		}
	case '=':
		if _, n := cutWord(s); n > 0 {
			p.phrase.WriteString(s[:n])
			p.rest = s[n:]
			return
		}
		p.phrase.WriteByte('=')
	default:
		n := strings.IndexAny(s[1:], ",;:\"(<=") + 1
		if n == 0 {
			n = len(s)
		}
		p.phrase.WriteString(s[:n])
		p.rest = s[n:]
		return
	}
	p.rest = s[1:]
}

// group drops a group's name; a colon after mailto or inside an address is none.
func (p *addressParser) group() bool {
	name := strings.TrimSpace(p.phrase.String())
	if strings.EqualFold(name, "mailto") || !strings.Contains(name, "@") {
		p.phrase.Reset()
		return true
	}
	return false
}

func (p *addressParser) quoted() bool {
	if p.noQuote {
		return false
	}
	for i := 1; i < len(p.rest); i++ {
		switch p.rest[i] {
		case '\\':
			i++
		case '"':
			p.phrase.WriteString(unescape(p.rest[1:i]))
			p.rest = p.rest[i+1:]
			return true
		}
	}
	p.noQuote = true
	return false
}

func (p *addressParser) commented() bool {
	if p.noParen {
		return false
	}
	depth := 0
	for i := 0; i < len(p.rest); i++ {
		switch p.rest[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				p.comment = unescape(p.rest[1:i])
				p.rest = p.rest[i+1:]
				return true
			}
		}
	}
	p.noParen = true
	return false
}

func (p *addressParser) bracketed() bool {
	if p.noAngle {
		return false
	}
	end := strings.IndexByte(p.rest, '>')
	if end < 0 {
		p.noAngle = true
		return false
	}
	name := strings.TrimSpace(p.phrase.String())
	p.phrase.Reset()
	if p.angled {
		p.finish() // the comma is missing
	}
	p.name, p.angle, p.angled = name, p.rest[1:end], true
	p.rest = p.rest[end+1:]
	return true
}

func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// finish ends an address.
func (p *addressParser) finish() {
	phrase, name := strings.TrimSpace(p.phrase.String()), p.name
	comment, angle, angled := p.comment, p.angle, p.angled
	p.phrase.Reset()
	p.comment, p.name, p.angle, p.angled = "", "", "", false
	if phrase == "" && !angled {
		return
	}
	if name == "" {
		name = phrase
	}
	a := mapi.Address{Name: name, Email: route(angle)}
	if !angled {
		a = bare(phrase)
	}
	if a.Name == "" {
		a.Name = comment
	}
	a.Name = strings.TrimSpace(decodeWords(strings.Join(strings.Fields(a.Name), " ")))
	if a != (mapi.Address{}) {
		p.list = append(p.list, a)
	}
}

// route drops an obsolete source route and what people put around an address.
func route(s string) string {
	s = strings.Trim(s, " \t<>\"")
	if n := len(s); n > 2 && s[0] == '\'' && s[n-1] == '\'' {
		s = s[1 : n-1]
	}
	if strings.HasPrefix(s, "@") {
		if _, after, ok := strings.Cut(s, ":"); ok {
			s = after
		}
	}
	if len(s) > 7 && strings.EqualFold(s[:7], "mailto:") {
		s = s[7:]
	}
	words := strings.Fields(s)
	for _, w := range words {
		if strings.Contains(w, "@") && len(words) > 1 && w[0] != '@' && w[len(w)-1] != '@' {
			return w
		}
	}
	return strings.Join(words, "")
}

// bare reads an address without angles: the word with the @, the rest a name.
func bare(s string) mapi.Address {
	words := strings.Fields(s)
	for i, w := range words {
		if strings.Contains(w, "@") && len(w) > 1 {
			rest := append(append([]string(nil), words[:i]...), words[i+1:]...)
			return mapi.Address{Name: strings.Join(rest, " "), Email: route(w)}
		}
	}
	if len(words) == 1 && !strings.HasPrefix(s, "=?") {
		return mapi.Address{Email: route(s)} // a local name
	}
	return mapi.Address{Name: s}
}
