package eml

import (
	"bytes"
	"strings"
)

// field is a header field.
type field struct {
	name  string // lower case; "" for a line that is no field
	lines string // as it stands, every line ending in CRLF
}

// value is what follows the colon, unfolded, not decoded.
func (f field) value() string {
	_, v, _ := strings.Cut(f.lines, ":")
	v = strings.ReplaceAll(v, "\r\n\t", " ")
	v = strings.ReplaceAll(v, "\r\n", "")
	return strings.Trim(v, " \t")
}

// tight has no white space before the colon, which many programs do not understand.
func (f field) tight() field {
	name, rest, _ := strings.Cut(f.lines, ":")
	f.lines = strings.TrimRight(name, " \t") + ":" + rest
	return f
}

type header []field

// get is the value of the first field of that name.
func (h header) get(name string) string {
	for _, f := range h {
		if f.name == name {
			return f.value()
		}
	}
	return ""
}

func (h header) has(name string) bool {
	for _, f := range h {
		if f.name == name {
			return true
		}
	}
	return false
}

// all joins the values of a list field that stands more than once.
func (h header) all(name string) string {
	var values []string
	for _, f := range h {
		if f.name == name {
			values = append(values, f.value())
		}
	}
	return strings.Join(values, ", ")
}

func (h header) text() string {
	var b strings.Builder
	for _, f := range h {
		b.WriteString(f.lines)
	}
	return b.String()
}

// isMail says whether any field is one that mail has.
func (h header) isMail() bool {
	if len(h) > 0 && h[0].name == "begin" {
		return false // a calendar or a card has fields, too
	}
	for _, f := range h {
		if strings.HasPrefix(f.name, "x-") || strings.HasPrefix(f.name, "resent-") || strings.HasPrefix(f.name, "list-") {
			return true
		}
		switch f.name {
		case "from", "to", "cc", "bcc", "subject", "date", "message-id", "received", "return-path", "sender",
			"reply-to", "mime-version", "content-type", "content-transfer-encoding", "delivered-to", "in-reply-to",
			"references", "apparently-to", "newsgroups", "envelope-to", "status":
			return true
		}
	}
	return false
}

// splitHeader cuts raw into its header fields, the empty line as it stands, and
// what follows it, which is the end of raw. A line that is no field is kept as a
// field without a name where fields go on after it; else the body begins there,
// its empty line forgotten.
func splitHeader(raw []byte) (h header, empty, body []byte) {
	var s headerSplitter
	for len(raw) > 0 {
		line, rest := cutLine(raw)
		text := bytes.TrimRight(line, "\r\n")
		name := fieldName(text)
		switch {
		case len(text) == 0:
			return s.finish(), line, rest
		case (text[0] == ' ' || text[0] == '\t') && s.begun:
		case name != "":
			s.begin(name)
		default:
			next, _ := cutLine(rest)
			if fieldName(next) == "" {
				return s.finish(), nil, raw
			}
			s.begin("")
		}
		s.lines = append(append(s.lines, text...), '\n')
		raw = rest
	}
	return s.finish(), nil, nil
}

// headerSplitter gathers the lines of a field.
type headerSplitter struct {
	list  header
	begun bool
	name  string
	lines []byte
}

func (s *headerSplitter) begin(name string) {
	s.finish()
	s.begun, s.name, s.lines = true, name, s.lines[:0]
}

func (s *headerSplitter) finish() header {
	if s.begun {
		text := headerText(s.lines)
		line, _, _ := strings.Cut(text, "\n")
		if s.name != "" || line != "" && fieldName([]byte(line)) == "" { // what is no field must not end the header, nor become one
			s.list = append(s.list, field{s.name, strings.ReplaceAll(text, "\n", "\r\n")})
		}
	}
	s.begun = false
	return s.list
}

// cutLine cuts after the first LF.
func cutLine(b []byte) (line, rest []byte) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		return b, nil
	}
	return b[:i+1], b[i+1:]
}

// fieldName is the name of the field that begins in line, "" when none does.
// White space before the colon is allowed, as it once was [RFC 5322] 4.5.
func fieldName(line []byte) string {
	i := bytes.IndexByte(line, ':')
	if i <= 0 || i > 256 {
		return ""
	}
	name := bytes.TrimRight(line[:i], " \t")
	for _, c := range name {
		if c <= ' ' || c >= 0x7F {
			return ""
		}
	}
	return strings.ToLower(string(name))
}
