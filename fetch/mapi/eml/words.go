package eml

import (
	"bytes"
	"encoding/base64"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/emersion/go-message/charset"

	"mailbrick/fetch/mapi"
)

// decodeCharset reads b in a MIME charset. Without one, or with one that is not
// known, UTF-8 is tried, then Windows-1252, which takes anything.
func decodeCharset(name string, b []byte) string {
	codePage := mapi.CodePageOf(name)
	switch {
	case codePage == 65001 && someUTF8(b):
		return strings.ToValidUTF8(string(b), "\uFFFD")
	case codePage == 20127 || codePage == 65001 || codePage == 0 && name == "":
		return guess(b)
	case codePage != 0:
		return mapi.DecodeCodePage(codePage, b)
	}
	if r, err := charset.Reader(name, bytes.NewReader(b)); err == nil {
		if text, err := io.ReadAll(r); err == nil {
			return string(text)
		}
	}
	return guess(b)
}

func guess(b []byte) string {
	switch {
	case bytes.Contains(b, []byte("\x1b$")):
		return mapi.DecodeCodePage(50220, b)
	case mostlyUTF8(b):
		return strings.ToValidUTF8(string(b), "\uFFFD")
	}
	return mapi.DecodeCodePage(1252, b)
}

// mostlyUTF8 takes a text for UTF-8 though a character or two is cut.
func mostlyUTF8(b []byte) bool {
	good, bad := countUTF8(b)
	return bad == 0 || good > 8*bad
}

// someUTF8 believes in a declared UTF-8 where any character bears it out.
func someUTF8(b []byte) bool {
	good, bad := countUTF8(b)
	return good > 0 || bad == 0
}

// countUTF8 counts characters of two bytes and more, and bytes that are of none.
func countUTF8(b []byte) (good, bad int) {
	if utf8.Valid(b) {
		return 1, 0
	}
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		switch {
		case r == utf8.RuneError && n == 1:
			bad++
		case n > 1:
			good++
		}
		b = b[n:]
	}
	return good, bad
}

// headerText reads the raw bytes of a header field, lines ending in LF.
func headerText(b []byte) string {
	if bytes.IndexByte(b, 0) >= 0 || bytes.IndexByte(b, '\r') >= 0 {
		b = bytes.ReplaceAll(bytes.ReplaceAll(b, []byte{0}, nil), []byte{'\r'}, nil)
	}
	if mostlyUTF8(b) {
		return strings.ToValidUTF8(string(b), "\uFFFD")
	}
	return mapi.DecodeCodePage(1252, b)
}

// maxWord bounds the search for the end of an encoded word; RFC 2047 has 75.
const maxWord = 2048

// word is an encoded word [RFC 2047] 2.
type word struct {
	charset string
	data    []byte
}

// cutWord reads the encoded word at the start of s; n is 0 when there is none.
func cutWord(s string) (w word, n int) {
	if !strings.HasPrefix(s, "=?") {
		return word{}, 0
	}
	limit := s[:min(len(s), maxWord)]
	name := strings.IndexByte(limit[2:], '?')
	if name <= 0 {
		return word{}, 0
	}
	enc := 2 + name + 1
	if len(limit) < enc+2 || limit[enc+1] != '?' {
		return word{}, 0
	}
	text := limit[enc+2:]
	end := strings.Index(text, "?=")
	if end < 0 {
		return word{}, 0
	}
	w.charset, _, _ = strings.Cut(limit[2:2+name], "*") // a language may follow [RFC 2231] 5
	switch limit[enc] {
	case 'q', 'Q':
		w.data = decodeQ(text[:end])
	case 'b', 'B':
		w.data = decodeB(text[:end])
	default:
		return word{}, 0
	}
	return w, enc + 2 + end + 2
}

func decodeQ(s string) []byte {
	return decodeQuoted([]byte(strings.ReplaceAll(s, "_", " ")))
}

func decodeB(s string) []byte {
	s = strings.TrimRight(s, "= ")
	b, err := base64.RawStdEncoding.DecodeString(s)
	if err != nil {
		return decodeBase64([]byte(s))
	}
	return b
}

// decodeWords reads the encoded words in a header value. White space between
// two of them goes; neighbours of one charset are read together, because
// characters are cut between them, though they must not be.
func decodeWords(s string) string {
	var out strings.Builder
	var open word // read, not yet written
	flush := func() {
		out.WriteString(decodeCharset(open.charset, open.data))
		open = word{}
	}
	gap, look := 0, 0 // where unwritten text begins, where to look on
	for {
		at := strings.Index(s[look:], "=?")
		if at < 0 {
			break
		}
		at += look
		w, n := cutWord(s[at:])
		if n == 0 {
			look = at + 2
			continue
		}
		between := s[gap:at]
		if open.charset == "" || strings.Trim(between, " \t\r\n") != "" {
			flush()
			out.WriteString(between)
		} else if !strings.EqualFold(open.charset, w.charset) {
			flush()
		}
		open.charset, open.data = w.charset, append(open.data, w.data...)
		gap, look = at+n, at+n
	}
	flush()
	out.WriteString(s[gap:])
	return out.String()
}
