package ews

import (
	"bytes"
	"io"
	"strconv"
	"unicode/utf8"
)

// maxReference holds the longest reference that makes sense, &#x0010FFFF; with some room.
const maxReference = 16

// chunk gives the next piece of the text node: bytes of the buffer, valid until the next call, with references resolved
// and markup taken out, but line ends and characters as they come. io.EOF is the tag that ends the text. A piece never
// parts a rune.
func (s *scanner) chunk() ([]byte, error) {
	if s.err != nil {
		return nil, s.err
	}
	for s.inText {
		b, err := s.piece()
		if err != nil {
			return nil, s.fail(err)
		}
		if len(b) > 0 {
			return b, nil
		}
	}
	return nil, io.EOF
}

// piece is one step of chunk; it may give nothing.
func (s *scanner) piece() ([]byte, error) {
	if s.cdata {
		return s.cdataPiece()
	}
	if err := s.need(1); err != nil {
		return nil, err
	}
	switch s.buf[s.pos] {
	case '<':
		return nil, s.textMarkup()
	case '&':
		s.literal = false
		s.run++
		return s.reference()
	}
	b := s.buf[s.pos:s.end]
	if i := bytes.IndexByte(b, '<'); i >= 0 {
		b = b[:i]
	}
	if i := bytes.IndexByte(b, '&'); i >= 0 {
		b = b[:i]
	}
	s.literal = true
	return s.take(b)
}

// take uses up b, but for a rune that the end of the buffer cuts: that waits for the rest of it.
func (s *scanner) take(b []byte) ([]byte, error) {
	if s.pos+len(b) == s.end {
		cut := incompleteRune(b)
		if cut == len(b) {
			return nil, s.need(cut + 1)
		}
		b = b[:len(b)-cut]
	}
	s.pos += len(b)
	return b, nil
}

// textMarkup handles a '<' in a text node: what is no tag does not end it.
func (s *scanner) textMarkup() error {
	s.run++
	if err := s.need(2); err != nil {
		return err
	}
	switch {
	case s.buf[s.pos+1] == '?':
		return s.skipInstruction()
	case s.looking(commentStart):
		return s.skipComment()
	case s.looking(cdataStart):
		s.pos += len(cdataStart)
		s.cdata = true
		return nil
	}
	s.inText = false
	return nil
}

func (s *scanner) cdataPiece() ([]byte, error) {
	if err := s.need(len(cdataEnd)); err != nil {
		return nil, err
	}
	s.literal = false
	b := s.buf[s.pos:s.end]
	i := bytes.Index(b, cdataEnd)
	switch {
	case i == 0:
		s.pos += len(cdataEnd)
		s.cdata = false
		s.run++
		return nil, nil
	case i > 0:
		b = b[:i]
	default: // the last bytes may begin the end mark
		b = b[:len(b)-len(cdataEnd)+1]
		if cut := incompleteRune(b); cut == len(b) {
			return nil, s.need(s.end - s.pos + 1)
		} else if cut > 0 {
			b = b[:len(b)-cut]
		}
	}
	s.pos += len(b)
	return b, nil
}

// reference reads a character reference or one of the five entities there are without a DTD. XML 1.0, 4.1 and 4.6.
func (s *scanner) reference() ([]byte, error) {
	n := 1
	for {
		if err := s.need(n + 1); err != nil {
			return nil, err
		}
		c := s.buf[s.pos+n]
		if c == ';' {
			break
		}
		if n++; n > maxReference || c == '<' || c == '&' || isSpace(c) {
			return nil, s.syntax("a reference that does not end")
		}
	}
	r, ok := resolveReference(string(s.buf[s.pos+1 : s.pos+n]))
	if !ok {
		return nil, s.syntax("a reference to nothing known")
	}
	s.pos += n + 1
	return utf8.AppendRune(s.ref[:0], r), nil
}

func resolveReference(name string) (rune, bool) {
	switch name {
	case "amp":
		return '&', true
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "quot":
		return '"', true
	case "apos":
		return '\'', true
	}
	base := 10
	if len(name) < 2 || name[0] != '#' {
		return 0, false
	}
	name = name[1:]
	if name[0] == 'x' {
		base, name = 16, name[1:]
	}
	n, err := strconv.ParseUint(name, base, 32)
	r := rune(n)
	return r, err == nil && n <= utf8.MaxRune && isCharacter(r)
}

// isCharacter is Char of XML 1.0, 2.2.
func isCharacter(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || r >= 0x20 && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000
}

// badCharacter gives the place of the first byte that is no UTF-8 or no character of XML, -1 if all are.
func badCharacter(b []byte) int {
	for i := 0; i < len(b); {
		if c := b[i]; c >= 0x20 && c < utf8.RuneSelf {
			i++
			continue
		}
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size <= 1 || !isCharacter(r) {
			return i
		}
		i += size
	}
	return -1
}

// incompleteRune gives how many bytes at the end of b begin a rune that b does not hold whole.
func incompleteRune(b []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		if c := b[len(b)-n]; utf8.RuneStart(c) {
			if c >= utf8.RuneSelf && !utf8.FullRune(b[len(b)-n:]) {
				return n
			}
			return 0
		}
	}
	return 0
}

// text reads the text node that was just given, or what is left of it, as XML means it: line ends are \n, every
// character is one of XML, ]]> stands in no plain text.
func (s *scanner) text() *textReader { return &textReader{s: s} }

type textReader struct {
	s     *scanner
	ready []byte
	run   int    // the run of plain text that tail and cr belong to
	tail  []byte // the last bytes of it, up to two
	cr    bool   // it ended with a carriage return
}

func (t *textReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(t.ready) == 0 {
		b, err := t.s.chunk()
		if err != nil {
			return 0, err
		}
		if t.ready, err = t.check(b); err != nil {
			return 0, t.s.fail(err)
		}
	}
	n := copy(p, t.ready)
	t.ready = t.ready[n:]
	return n, nil
}

func (t *textReader) check(b []byte) ([]byte, error) {
	if badCharacter(b) >= 0 {
		return nil, t.s.syntax("a character that XML does not know")
	}
	if t.run != t.s.run {
		t.run, t.tail, t.cr = t.s.run, t.tail[:0], false
	}
	if t.s.literal {
		if err := t.checkEndMark(b); err != nil {
			return nil, err
		}
	} else if !t.s.cdata {
		return b, nil // a reference: &#13; stays what it is
	}
	return t.lineEnds(b), nil
}

// checkEndMark finds ]]> in plain text (XML 1.0, 2.4), also where the buffer parts it.
func (t *textReader) checkEndMark(b []byte) error {
	t.tail = append(t.tail, b[:min(len(b), 2)]...)
	if bytes.Contains(t.tail, cdataEnd) || bytes.Contains(b, cdataEnd) {
		return t.s.syntax("]]> within text")
	}
	if len(b) >= 2 {
		t.tail = append(t.tail[:0], b[len(b)-2:]...)
	} else if len(t.tail) > 2 {
		t.tail = append(t.tail[:0], t.tail[len(t.tail)-2:]...)
	}
	return nil
}

// lineEnds makes \r\n and \r into \n, in place. XML 1.0, 2.11.
func (t *textReader) lineEnds(b []byte) []byte {
	if t.cr && b[0] == '\n' {
		b = b[1:]
		t.cr = false
	}
	if len(b) == 0 {
		return b
	}
	t.cr = b[len(b)-1] == '\r'
	i := bytes.IndexByte(b, '\r')
	if i < 0 {
		return b
	}
	out := b[:i]
	for ; i < len(b); i++ {
		switch {
		case b[i] != '\r':
			out = append(out, b[i])
		case i+1 == len(b) || b[i+1] != '\n':
			out = append(out, '\n')
		}
	}
	return out
}
