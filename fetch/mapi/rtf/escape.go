package rtf

import "bytes"

// escapeFrom replaces <, > and & of out[from:] by entities. An & that begins a
// character reference stays: some writers leave references in the text.
func escapeFrom(out []byte, from int) []byte {
	i := bytes.IndexAny(out[from:], "<>&")
	if i < 0 {
		return out
	}
	rest := append([]byte(nil), out[from+i:]...)
	out = out[:from+i]
	for i, c := range rest {
		switch {
		case c == '<':
			out = append(out, "&lt;"...)
		case c == '>':
			out = append(out, "&gt;"...)
		case c == '&' && !reference(rest[i:]):
			out = append(out, "&amp;"...)
		default:
			out = append(out, c)
		}
	}
	return out
}

// reference says whether b begins with a character reference such as &lt; or &#33;.
func reference(b []byte) bool {
	const longest = 32
	b = b[:min(len(b), longest)]
	semicolon := bytes.IndexByte(b, ';')
	if semicolon < 2 {
		return false
	}
	name := b[1:semicolon]
	if name[0] != '#' {
		return letter(name[0]) && all(name, func(c byte) bool { return letter(c) || c-'0' <= 9 })
	}
	number := name[1:]
	if len(number) > 1 && number[0]|0x20 == 'x' {
		return all(number[1:], func(c byte) bool { return digit(c) < 16 })
	}
	return len(number) > 0 && all(number, func(c byte) bool { return c-'0' <= 9 })
}

func all(b []byte, is func(byte) bool) bool {
	for _, c := range b {
		if !is(c) {
			return false
		}
	}
	return true
}
