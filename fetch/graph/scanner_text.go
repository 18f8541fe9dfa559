package graph

import (
	"io"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// begin goes into a string: chunk gives its pieces.
func (s *scanner) begin() error {
	if err := s.take('"'); err != nil {
		return err
	}
	s.inText = true
	return nil
}

// chunk gives the next piece of the string that was begun, unescaped, and io.EOF behind the last. A piece is valid until
// the next step.
func (s *scanner) chunk() ([]byte, error) {
	if !s.inText {
		return nil, io.EOF
	}
	if err := s.need(1); err != nil {
		return nil, err
	}
	piece := plainRun(s.buf[s.pos:s.end])
	if len(piece) > 0 {
		s.pos += len(piece)
		return piece, nil
	}
	switch c := s.buf[s.pos]; {
	case c == '"':
		s.pos++
		s.inText = false
		return nil, io.EOF
	case c == '\\':
		return s.escape()
	}
	return nil, s.syntax("a control character in a text")
}

// finish passes over the rest of the string.
func (s *scanner) finish() error {
	for {
		if _, err := s.chunk(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// plainRun is what stands before the first quote, escape or control character.
func plainRun(b []byte) []byte {
	for i, c := range b {
		if c == '"' || c == '\\' || c < ' ' {
			return b[:i]
		}
	}
	return b
}

// escape reads one. RFC 8259, 7.
func (s *scanner) escape() ([]byte, error) {
	if err := s.need(2); err != nil {
		return nil, err
	}
	c := s.buf[s.pos+1]
	if c == 'u' {
		r, err := s.codePoint()
		if err != nil {
			return nil, err
		}
		return s.escaped[:utf8.EncodeRune(s.escaped[:], r)], nil
	}
	s.pos += 2
	switch c {
	case '"', '\\', '/':
		s.escaped[0] = c
	case 'b':
		s.escaped[0] = '\b'
	case 'f':
		s.escaped[0] = '\f'
	case 'n':
		s.escaped[0] = '\n'
	case 'r':
		s.escaped[0] = '\r'
	case 't':
		s.escaped[0] = '\t'
	default:
		return nil, s.syntax("an escape that is none of JSON")
	}
	return s.escaped[:1], nil
}

// codePoint reads \uXXXX, two of them where they are a pair; half a pair is U+FFFD.
func (s *scanner) codePoint() (rune, error) {
	r, err := s.hex()
	if err != nil || !utf16.IsSurrogate(r) {
		return r, err
	}
	for i, want := range []byte{'\\', 'u'} {
		if err := s.need(i + 1); err != nil {
			return 0, err
		}
		if s.buf[s.pos+i] != want {
			return utf8.RuneError, nil
		}
	}
	if err := s.need(6); err != nil {
		return 0, err
	}
	low, err := strconv.ParseUint(string(s.buf[s.pos+2:s.pos+6]), 16, 16)
	if err != nil {
		return 0, s.syntax("an escape that is none of JSON")
	}
	pair := utf16.DecodeRune(r, rune(low))
	if pair != utf8.RuneError {
		s.pos += 6
	}
	return pair, nil
}

func (s *scanner) hex() (rune, error) {
	if err := s.need(6); err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(string(s.buf[s.pos+2:s.pos+6]), 16, 16)
	if err != nil {
		return 0, s.syntax("an escape that is none of JSON")
	}
	s.pos += 6
	return rune(n), nil
}

// numeral reads the text of a number. RFC 8259, 6.
func (s *scanner) numeral() (string, error) {
	if _, err := s.peek(); err != nil {
		return "", err
	}
	var text []byte
	for len(text) <= maxNumber {
		if err := s.need(1); err != nil {
			break // the end of the document may follow at once; what is no number ends here too
		}
		c := s.buf[s.pos]
		if (c < '0' || c > '9') && c != '-' && c != '+' && c != '.' && c != 'e' && c != 'E' {
			break
		}
		text = append(text, c)
		s.pos++
	}
	if s.err != nil && (s.srcErr != io.EOF || s.depth > 0) {
		return "", s.err
	}
	if len(text) > maxNumber || !isNumber(text) {
		return "", s.syntax("a value is wanted")
	}
	s.err = nil
	return string(text), nil
}

// isNumber checks the grammar.
func isNumber(b []byte) bool {
	digits := func() bool {
		n := 0
		for n < len(b) && b[n] >= '0' && b[n] <= '9' {
			n++
		}
		b = b[n:]
		return n > 0
	}
	if len(b) > 0 && b[0] == '-' {
		b = b[1:]
	}
	if len(b) > 1 && b[0] == '0' && b[1] >= '0' && b[1] <= '9' || !digits() {
		return false
	}
	if len(b) > 0 && b[0] == '.' {
		if b = b[1:]; !digits() {
			return false
		}
	}
	if len(b) > 0 && (b[0] == 'e' || b[0] == 'E') {
		if b = b[1:]; len(b) > 0 && (b[0] == '+' || b[0] == '-') {
			b = b[1:]
		}
		return digits() && len(b) == 0
	}
	return len(b) == 0
}

func whole(text string) (int64, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil
}

// epilog gives what follows the document, white space left out, up to a limit.
func (s *scanner) epilog(limit int) ([]byte, error) {
	var out []byte
	for len(out) < limit {
		c, err := s.peek()
		if err != nil && s.srcErr == io.EOF {
			s.err = nil
			return out, nil
		}
		if err != nil {
			return out, err
		}
		out = append(out, c)
		s.pos++
	}
	return out, nil
}
