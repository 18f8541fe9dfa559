package eml

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime"
	"mime/quotedprintable"
	"strings"
)

// lineLimit is the most a line may have without its end [RFC 5322] 2.1.1.
const lineLimit = 998

// textEncoding is how a text with CRLF line ends travels best.
func textEncoding(text []byte) string {
	alien, long := 0, false
	for rest := text; len(rest) > 0; {
		line, next := cutLine(rest)
		long = long || len(line) > lineLimit
		rest = next
	}
	for _, c := range text {
		if c >= 0x7F || c < ' ' && c != '\n' && c != '\r' && c != '\t' {
			alien++
		}
	}
	switch {
	case alien == 0 && !long:
		return "7bit"
	case alien*6 < len(text):
		return "quoted-printable"
	}
	return "base64"
}

func encodeText(w io.Writer, text []byte, encoding string) error {
	switch encoding {
	case "base64":
		return encodeBase64(w, bytes.NewReader(text), base64Chars, "\r\n")
	case "quoted-printable":
		q := quotedprintable.NewWriter(w)
		if _, err := q.Write(text); err != nil {
			return err
		}
		return q.Close()
	}
	_, err := w.Write(text)
	return err
}

const (
	base64Chars   = 76 // of a line [RFC 2045] 6.8
	maxBase64Line = 1 << 16
	base64Read    = 32 << 10 // bytes read at once, about
)

// encodeBase64 streams r as lines of so many characters; the last has no line
// end, which belongs to the boundary that follows.
func encodeBase64(w io.Writer, r io.Reader, line int, eol string) error {
	size := line / 4 * 3
	in := make([]byte, base64Read/size*size+size)
	out := make([]byte, 0, len(in)/size*(line+len(eol)))
	begun := false
	for {
		n, err := io.ReadFull(r, in)
		out = out[:0]
		for chunk := in[:n]; len(chunk) > 0; {
			k := min(len(chunk), size)
			if begun {
				out = append(out, eol...)
			}
			out = base64.StdEncoding.AppendEncode(out, chunk[:k])
			begun, chunk = true, chunk[k:]
		}
		if _, werr := w.Write(out); werr != nil {
			return werr
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// newField makes a field of one line or more; its value is cut at blanks.
func newField(name, value string) field {
	var b strings.Builder
	b.WriteString(name + ":")
	used := b.Len()
	for i, w := range strings.Split(value, " ") {
		if i > 0 && used+1+len(w) > 78 && strings.TrimSpace(w) != "" {
			b.WriteString("\r\n")
			used = 0
		}
		b.WriteString(" " + w)
		used += 1 + len(w)
	}
	return field{name: strings.ToLower(name), lines: strings.TrimRight(b.String(), " ") + "\r\n"}
}

// unstructured is a text as a header value.
func unstructured(s string) string {
	s = strings.ToValidUTF8(strings.Map(func(r rune) rune {
		if r == '\r' || r == '\n' {
			return ' '
		}
		return r
	}, s), "\uFFFD")
	if printable(s) && s == strings.TrimSpace(s) && !strings.Contains(s, "=?") && !longWord(s) {
		return s
	}
	return encodedWords(s)
}

func encodedWords(s string) string {
	if !printable(s) {
		if alien := len(s) - strings.Count(s, "") + 1; alien*3 > len(s) {
			return mime.BEncoding.Encode("utf-8", s)
		}
		return mime.QEncoding.Encode("utf-8", s)
	}
	// The library leaves printable text as it is; here it must not stay.
	var b strings.Builder
	for i := 0; i < len(s); i += 42 {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString("=?us-ascii?B?" + base64.StdEncoding.EncodeToString([]byte(s[i:min(i+42, len(s))])) + "?=")
	}
	return b.String()
}

func printable(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' && s[i] != '\t' || s[i] >= 0x7F {
			return false
		}
	}
	return true
}

func longWord(s string) bool {
	for _, w := range strings.Split(s, " ") {
		if len(w) > 900 {
			return true
		}
	}
	return false
}

// oneLine keeps what may stand in a structured value.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7F {
			return -1
		}
		return r
	}, s) // which makes it valid UTF-8, too
}

func token(s string) bool {
	for _, c := range s {
		if c <= ' ' || c >= 0x7F || strings.ContainsRune(`()<>@,;:\"/[]?=`, c) {
			return false
		}
	}
	return s != ""
}

// parameter is "; name=value", in the form of RFC 2231 where it must be.
func parameter(name, value string) string {
	value = oneLine(value)
	switch {
	case token(value):
		return "; " + name + "=" + value
	case printable(value) && len(value) <= 60:
		return "; " + name + `="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`
	}
	return pieces(name, percent(value))
}

// nameParameter is the name of an attachment as older programs look for it.
func nameParameter(value string) string {
	if value = oneLine(value); printable(value) && len(value) <= 60 {
		return parameter("name", value)
	}
	return ""
}

// pieces cuts an extended value into lines [RFC 2231] 4.1.
func pieces(name string, octets []string) string {
	var list []string
	text := "utf-8''"
	for _, o := range octets {
		if len(text)+len(o) > 60 {
			list, text = append(list, text), ""
		}
		text += o
	}
	list = append(list, text)
	if len(list) == 1 {
		return "; " + name + "*=" + list[0]
	}
	var b strings.Builder
	for i, text := range list {
		b.WriteString("; " + name + "*" + itoa(i) + "*=" + text)
	}
	return b.String()
}
