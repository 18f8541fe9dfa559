package eml

import (
	"net/url"
	"sort"
	"strconv"
	"strings"
)

// media is a Content-Type or Content-Disposition.
type media struct {
	kind   string // lower case
	params map[string]string
}

func (m media) top() string {
	top, _, _ := strings.Cut(m.kind, "/")
	return top
}

// parseMedia reads what it can of a value with parameters.
func parseMedia(s string) media {
	kind, rest, _ := strings.Cut(s, ";")
	m := media{kind: strings.ToLower(strings.Trim(kind, " \t\"'")), params: map[string]string{}}
	if i := strings.IndexAny(m.kind, " \t("); i >= 0 {
		m.kind = m.kind[:i]
	}
	pieces := map[string]map[int]piece{}
	for rest != "" {
		var name, value string
		name, value, rest = cutParam(rest)
		if name == "" {
			continue
		}
		addParam(m.params, pieces, name, value)
	}
	for name, list := range pieces {
		m.params[name] = join(list) // wins over a plain parameter of that name [RFC 6266] 4.3
	}
	return m
}

// cutParam reads name=value up to the next semicolon.
func cutParam(s string) (name, value, rest string) {
	i := strings.IndexAny(s, "=;")
	if i < 0 {
		return "", "", ""
	}
	name = strings.ToLower(strings.Trim(s[:i], " \t"))
	if s[i] == ';' {
		return "", "", s[i+1:]
	}
	s = strings.TrimLeft(s[i+1:], " \t")
	if !strings.HasPrefix(s, `"`) {
		value, rest, _ = strings.Cut(s, ";")
		return name, strings.Trim(value, " \t"), rest
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			_, rest, _ = strings.Cut(s[i+1:], ";")
			return name, unescapeParam(s[1:i]), rest
		}
	}
	value, rest, _ = strings.Cut(s[1:], ";") // the quote never closes
	return name, strings.Trim(value, " \t"), rest
}

// unescapeParam leaves a backslash before anything but a quote or backslash: it is part of a Windows path.
func unescapeParam(s string) string {
	return strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(s)
}

// piece is a part of a parameter [RFC 2231] 3.
type piece struct {
	text    string
	encoded bool
}

func addParam(params map[string]string, pieces map[string]map[int]piece, name, value string) {
	base, star, isPiece := strings.Cut(name, "*")
	if !isPiece {
		if _, taken := params[name]; !taken {
			params[name] = value
		}
		return
	}
	encoded := star == "" || strings.HasSuffix(star, "*")
	number, err := strconv.Atoi(strings.TrimSuffix(star, "*"))
	if err != nil {
		number = 0
	}
	if pieces[base] == nil {
		pieces[base] = map[int]piece{}
	}
	pieces[base][number] = piece{value, encoded}
}

// join puts the pieces of a parameter together and reads charset'language'text.
func join(list map[int]piece) string {
	numbers := make([]int, 0, len(list))
	for n := range list {
		numbers = append(numbers, n)
	}
	sort.Ints(numbers)
	var charset string
	var b strings.Builder
	for i, n := range numbers {
		p := list[n]
		if p.encoded && i == 0 {
			if parts := strings.SplitN(p.text, "'", 3); len(parts) == 3 {
				charset, p.text = parts[0], parts[2]
			}
		}
		if p.encoded {
			if text, err := url.PathUnescape(p.text); err == nil {
				p.text = text
			}
		}
		b.WriteString(p.text)
	}
	return decodeCharset(charset, []byte(b.String()))
}

// text is a parameter that people read; many mailers put encoded words there, which is wrong.
func (m media) text(name string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7F {
			return -1
		}
		return r
	}, decodeWords(m.params[name])))
}
