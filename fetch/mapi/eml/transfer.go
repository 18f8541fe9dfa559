package eml

import (
	"bytes"
	"strings"
)

// decodeTransfer undoes a Content-Transfer-Encoding in lower case; one that is not known is
// taken for none. data may be returned itself.
func decodeTransfer(encoding string, data []byte) []byte {
	switch encoding {
	case "base64":
		return decodeBase64(data)
	case "quoted-printable":
		return decodeQuoted(data)
	}
	return data
}

// decodeBase64 skips what is not of the alphabet. Where that is much, the data
// is not base64 and is kept as it is. Padding ends it, unless more follows that
// looks like base64.
func decodeBase64(data []byte) []byte {
	out := make([]byte, 0, len(data)/4*3+3)
	var acc uint32
	var bits, alien int
	padded := false // in padding that was judged: judging each byte of it takes square time
	for i, c := range data {
		v := sextet(c)
		switch {
		case v >= 0:
			padded = false
			acc = acc<<6 | uint32(v)
			if bits += 6; bits >= 8 {
				bits -= 8
				out = append(out, byte(acc>>bits))
			}
		case c == '=':
			acc, bits = 0, 0
			if !padded && !looksBase64(data[i:]) {
				return rawIfAlien(out, data, alien)
			}
			padded = true
		case c == ' ' && i > 0 && sextet(data[i-1]) >= 0: // words
			alien++
		case c != '\r' && c != '\n' && c != ' ' && c != '\t':
			alien++
		}
	}
	return rawIfAlien(out, data, alien)
}

func rawIfAlien(out, data []byte, alien int) []byte {
	if alien > 2+len(data)/20 {
		return data
	}
	return out
}

// looksBase64 judges the first line that has more than padding.
func looksBase64(data []byte) bool {
	line, _ := cutLine(bytes.TrimLeft(data, "=\r\n \t"))
	line = bytes.TrimRight(line, "=\r\n \t")
	for _, c := range line {
		if sextet(c) < 0 {
			return false
		}
	}
	return len(line) > 0
}

func sextet(c byte) int {
	switch {
	case c >= 'A' && c <= 'Z':
		return int(c - 'A')
	case c >= 'a' && c <= 'z':
		return int(c-'a') + 26
	case c >= '0' && c <= '9':
		return int(c-'0') + 52
	case c == '+':
		return 62
	case c == '/':
		return 63
	}
	return -1
}

// decodeQuoted keeps what is not well formed as it is [RFC 2045] 6.7.
func decodeQuoted(data []byte) []byte {
	out := make([]byte, 0, len(data))
	for len(data) > 0 {
		line, rest := cutLine(data)
		data = rest
		text := bytes.TrimRight(line, "\r\n")
		ending := line[len(text):]
		text = bytes.TrimRight(text, " \t") // added on the way [RFC 2045] 6.7 (3)
		if len(ending) == 0 {
			text = line
		}
		if n := len(text); n > 0 && text[n-1] == '=' {
			text, ending = text[:n-1], nil
		}
		out = append(appendQuoted(out, text), ending...)
	}
	return out
}

func appendQuoted(out, text []byte) []byte {
	for {
		i := bytes.IndexByte(text, '=')
		if i < 0 {
			return append(out, text...)
		}
		out = append(out, text[:i]...)
		text = text[i:]
		if len(text) < 3 || hexDigit(text[1]) < 0 || hexDigit(text[2]) < 0 {
			out, text = append(out, '='), text[1:]
			continue
		}
		out = append(out, byte(hexDigit(text[1])<<4|hexDigit(text[2])))
		text = text[3:]
	}
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// crlf makes every line end CRLF.
func crlf(s string) string {
	if !strings.ContainsAny(s, "\r\n") {
		return s
	}
	s = strings.ReplaceAll(s, "\r\n", "\n")
	s = strings.ReplaceAll(s, "\r", "\n")
	return strings.ReplaceAll(s, "\n", "\r\n")
}
