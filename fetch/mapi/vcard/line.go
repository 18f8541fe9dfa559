package vcard

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
	"unicode/utf8"

	"mailbrick/fetch/mapi/codepage"
)

// line is a content line [RFC 6350] 3.3. Names are in capitals, types in small letters.
type line struct {
	group, name string
	types       []string
	params      map[string]string
	value       []byte // out of its transfer encoding, still with escapes
}

// maxLines is the most properties of a card that are read.
const maxLines = 1 << 14

func (l *line) is(kind string) bool { return slices.Contains(l.types, kind) }

// text is the value in UTF-8, with its escapes.
func (l *line) text() string {
	if charset := l.params["CHARSET"]; charset != "" {
		if number := codepage.Number(charset); number != 0 {
			return codepage.Decode(number, l.value)
		}
	}
	if utf8.Valid(l.value) {
		return string(l.value)
	}
	return codepage.Decode(1252, l.value)
}

// plain is the value as one text.
func (l *line) plain() string { return unescape(l.text()) }

// parts are the components of the value [RFC 6350] 3.4, with n of them at least.
func (l *line) parts(n int) []string {
	list := cut(l.text(), ';')
	for i := range list {
		list[i] = strings.TrimSpace(unescape(list[i]))
	}
	for len(list) < n {
		list = append(list, "")
	}
	return list
}

// cut splits at the separators that have no backslash before them.
func cut(s string, separator byte) []string {
	var list []string
	from := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case separator:
			list = append(list, s[from:i])
			from = i + 1
		}
	}
	return append(list, s[from:])
}

// unescape undoes [RFC 6350] 3.4; a backslash before anything else stays, as in
// paths of version 2.1. Line ends become CRLF; other controls go.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '\\' && i+1 < len(s) && strings.IndexByte(`\,;:nN`, s[i+1]) >= 0 {
			i++
			if c = s[i]; c == 'n' || c == 'N' {
				c = '\n'
			}
		}
		switch {
		case c == '\n':
			b.WriteString("\r\n")
		case isText(rune(c)):
			b.WriteByte(c)
		}
	}
	return b.String()
}

// isText says whether a text may have c; line ends are matters of their own.
func isText(c rune) bool { return c >= ' ' && c != 0x7F || c == '\t' }

// parse cuts the lines of a card, without those of cards inside it.
func parse(card []byte) []line {
	var lines []line
	depth := 0
	for _, logical := range unfold(card) {
		l, ok := parseLine(logical)
		switch {
		case !ok:
		case l.name == "BEGIN":
			depth++
		case l.name == "END":
			depth--
		case depth <= 1:
			lines = append(lines, l)
		}
	}
	return lines
}

// unfold joins the physical lines that make one content line: those that start
// with a blank [RFC 6350] 3.2, those after a soft line break of quoted-printable,
// and those that are none by themselves.
func unfold(card []byte) [][]byte {
	var list [][]byte
	soft := false
	for physical := range bytes.Lines(card) {
		physical = bytes.TrimRight(physical, "\r\n")
		blank := len(physical) > 0 && (physical[0] == ' ' || physical[0] == '\t')
		switch last := len(list) - 1; {
		case last >= 0 && soft:
			list[last] = append(bytes.TrimSuffix(list[last], []byte("=")), physical...)
		case last >= 0 && blank:
			list[last] = append(list[last], physical[1:]...)
		case len(physical) == 0:
			continue
		case last >= 0 && head(physical) < 0:
			list[last] = append(append(list[last], '\n'), physical...)
		case len(list) == maxLines:
			return list
		default:
			list = append(list, slices.Clone(physical))
		}
		soft = len(list) > 0 && bytes.HasSuffix(physical, []byte("=")) && quotedPrintable(list[len(list)-1])
	}
	return list
}

func quotedPrintable(l []byte) bool {
	const longest = 512 // lines grow; the head must not be searched for again and again
	l = l[:min(len(l), longest)]
	if i := bytes.IndexByte(l, ':'); i >= 0 {
		l = l[:i]
	}
	return bytes.Contains(bytes.ToUpper(l), []byte("QUOTED-PRINTABLE"))
}

// head is where the colon after name and parameters stands, -1 when l is no content line.
func head(l []byte) int {
	if len(l) == 0 || !token(string(l[:1])) {
		return -1
	}
	quoted := false
	for i, c := range l {
		switch {
		case c == '"':
			quoted = !quoted
		case c == ':' && !quoted:
			return i
		}
	}
	return bytes.IndexByte(l, ':') // a quote that nobody closed
}

// token says whether s is made of what names are made of.
func token(s string) bool {
	for _, c := range []byte(s) {
		if c != '-' && c != '.' && c != '_' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return s != ""
}

func parseLine(l []byte) (line, bool) {
	colon := head(l)
	if colon < 0 {
		return line{}, false
	}
	fields := splitParams(string(l[:colon]))
	name := strings.ToUpper(strings.TrimSpace(fields[0]))
	if !token(name) {
		return line{}, false
	}
	var out line
	dot := strings.LastIndexByte(name, '.')
	out.group, out.name = name[:max(dot, 0)], name[dot+1:]
	for _, f := range fields[1:] {
		out.param(f)
	}
	out.value = decode(l[colon+1:], out.params["ENCODING"])
	return out, true
}

// splitParams splits at the semicolons outside of quotes.
func splitParams(s string) []string {
	quoted := false
	return strings.FieldsFunc(s+" ", func(c rune) bool {
		if c == '"' {
			quoted = !quoted
		}
		return c == ';' && !quoted
	})
}

// param takes a parameter; one of version 2.1 is a value without a name.
func (l *line) param(s string) {
	name, value, named := strings.Cut(strings.TrimSpace(s), "=")
	name = strings.ToUpper(strings.TrimSpace(name))
	switch {
	case !named && (name == "QUOTED-PRINTABLE" || name == "BASE64"):
		l.set("ENCODING", name)
	case !named:
		l.types = append(l.types, strings.ToLower(name))
	case name == "TYPE":
		for t := range strings.SplitSeq(strings.Trim(value, `"`), ",") {
			l.types = append(l.types, strings.ToLower(strings.Trim(t, "\" ")))
		}
	default:
		l.set(name, caret(strings.Trim(value, `"`)))
		if name == "PREF" {
			l.types = append(l.types, "pref")
		}
	}
}

func (l *line) set(name, value string) {
	if l.params == nil {
		l.params = map[string]string{}
	}
	l.params[name] = value
}

// caret undoes the escapes of parameters [RFC 6868] 3.2; line ends are those of values.
func caret(s string) string {
	return strings.NewReplacer("^^", "^", "^n", `\n`, "^'", `"`).Replace(s)
}

// decode undoes a transfer encoding; what is broken stays as it is.
func decode(value []byte, encoding string) []byte {
	switch strings.ToUpper(encoding) {
	case "QUOTED-PRINTABLE":
		return decodeQP(value)
	case "B", "BASE64":
		return decodeBase64(value)
	}
	return value
}

func decodeQP(s []byte) []byte {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '=' && i+2 < len(s) {
			var b [1]byte
			if _, err := hex.Decode(b[:], s[i+1:i+3]); err == nil {
				out = append(out, b[0])
				i += 2
				continue
			}
		}
		out = append(out, s[i])
	}
	return out
}

// decodeBase64 leaves out what is no base64 and ends at the padding.
func decodeBase64(s []byte) []byte {
	clean := make([]byte, 0, len(s))
	for _, c := range s {
		if c == '=' {
			break
		}
		if c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/' {
			clean = append(clean, c)
		}
	}
	if len(clean)%4 == 1 {
		clean = clean[:len(clean)-1]
	}
	out := make([]byte, base64.RawStdEncoding.DecodedLen(len(clean)))
	n, _ := base64.RawStdEncoding.Decode(out, clean)
	return out[:n]
}
