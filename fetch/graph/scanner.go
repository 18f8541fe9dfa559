package graph

import (
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// Limits of the scanner. An answer of Graph stays far below each; what goes over is refused before memory is taken for it.
const (
	scanBuffer = 64 << 10
	maxDepth   = 32
	maxName    = 256
	maxText    = 64 << 10 // of a string that is held
	maxNumber  = 64
)

// syntaxError says where a document stops being JSON, or what it should be.
type syntaxError struct {
	Offset int64
	Text   string
	Cut    bool // all was well up to the end of the source
}

func (e *syntaxError) Error() string { return fmt.Sprintf("json at byte %d: %s", e.Offset, e.Text) }

// scanner reads JSON (RFC 8259) as it comes. Who uses it asks for what should come next. What sets it apart from
// encoding/json is that a string need not be held: chunk gives it in pieces of the buffer, so that one of any length
// costs the same memory. Of strings that are passed over in pieces UTF-8 is not checked, of all others it is.
type scanner struct {
	src      io.Reader
	buf      []byte
	pos, end int
	before   int64 // bytes of the source in front of buf
	srcErr   error // what the source ended with
	err      error // what the scanner ended with
	depth    int
	inText   bool // within a string
	escaped  [utf8.UTFMax]byte
}

func newScanner(r io.Reader) *scanner { return &scanner{src: r, buf: make([]byte, scanBuffer)} }

func (s *scanner) offset() int64 { return s.before + int64(s.pos) }

func (s *scanner) syntax(text string) error {
	return s.fail(&syntaxError{Offset: s.offset(), Text: text})
}

// fail makes an error stick. A source that ended too early is a cut document.
func (s *scanner) fail(err error) error {
	if s.err != nil {
		return s.err
	}
	if errors.Is(err, io.EOF) {
		err = &syntaxError{Offset: s.offset(), Text: "the document ends too early", Cut: true}
	}
	s.err = err
	return err
}

// need makes n bytes stand in the buffer, n being small.
func (s *scanner) need(n int) error {
	if s.err != nil {
		return s.err
	}
	for s.end-s.pos < n {
		if s.srcErr != nil {
			return s.fail(s.srcErr)
		}
		s.fill()
	}
	return nil
}

func (s *scanner) fill() {
	copy(s.buf, s.buf[s.pos:s.end])
	s.before += int64(s.pos)
	s.end, s.pos = s.end-s.pos, 0
	for range 100 {
		var n int
		n, s.srcErr = s.src.Read(s.buf[s.end:])
		s.end += n
		if n > 0 || s.srcErr != nil {
			return
		}
	}
	s.srcErr = io.ErrNoProgress
}

// peek passes over white space and gives the byte behind it.
func (s *scanner) peek() (byte, error) {
	for {
		if err := s.need(1); err != nil {
			return 0, err
		}
		switch c := s.buf[s.pos]; c {
		case ' ', '\t', '\r', '\n':
			s.pos++
		default:
			return c, nil
		}
	}
}

// take passes over one that must be there.
func (s *scanner) take(want byte) error {
	c, err := s.peek()
	if err != nil {
		return err
	}
	if c != want {
		return s.syntax(fmt.Sprintf("%q is wanted", want))
	}
	s.pos++
	return nil
}

// none passes over null, which stands for anything that is not there.
func (s *scanner) none() (bool, error) {
	c, err := s.peek()
	if err != nil || c != 'n' {
		return false, err
	}
	return true, s.literal("null")
}

func (s *scanner) literal(word string) error {
	if err := s.need(len(word)); err != nil {
		return err
	}
	if string(s.buf[s.pos:s.pos+len(word)]) != word {
		return s.syntax("a word that is none of JSON")
	}
	s.pos += len(word)
	return nil
}

// object reads an object, or null. member has to read the value.
func (s *scanner) object(member func(name string) error) error {
	return s.list('{', '}', func() error {
		name, err := s.held(maxName)
		if err == nil {
			err = s.take(':')
		}
		if err != nil {
			return err
		}
		return member(name)
	})
}

// array reads an array, or null. element has to read the value.
func (s *scanner) array(element func() error) error { return s.list('[', ']', element) }

func (s *scanner) list(open, shut byte, element func() error) error {
	if null, err := s.none(); null || err != nil {
		return err
	}
	if err := s.take(open); err != nil {
		return err
	}
	if s.depth++; s.depth > maxDepth {
		return s.syntax("nested too deep")
	}
	for first := true; ; first = false {
		c, err := s.peek()
		switch {
		case err != nil:
			return err
		case c == shut:
			if !first {
				return s.syntax("a comma before the end")
			}
			s.pos++
			s.depth--
			return nil
		}
		if err := element(); err != nil {
			return err
		}
		if c, err = s.peek(); err != nil {
			return err
		}
		if c == shut {
			s.pos++
			s.depth--
			return nil
		}
		if err := s.take(','); err != nil {
			return err
		}
		if c, err = s.peek(); err == nil && c == shut {
			return s.syntax("a comma before the end")
		}
	}
}

// text holds a string; null is "".
func (s *scanner) text() (string, error) {
	if null, err := s.none(); null || err != nil {
		return "", err
	}
	return s.held(maxText)
}

func (s *scanner) held(limit int) (string, error) {
	if err := s.begin(); err != nil {
		return "", err
	}
	var out []byte
	for {
		piece, err := s.chunk()
		if err == io.EOF {
			break
		}
		if err != nil {
			return "", err
		}
		if len(out)+len(piece) > limit {
			return "", s.syntax("a text that is too long")
		}
		out = append(out, piece...)
	}
	if !utf8.Valid(out) {
		return "", s.syntax("a text that is not UTF-8")
	}
	return string(out), nil
}

// number reads a whole number; null is 0. One with a fraction or beyond 64 bits is refused.
func (s *scanner) number() (int64, error) {
	if null, err := s.none(); null || err != nil {
		return 0, err
	}
	text, err := s.numeral()
	if err != nil {
		return 0, err
	}
	n, ok := whole(text)
	if !ok {
		return 0, s.syntax("not a whole number")
	}
	return n, nil
}

// skip passes over any value.
func (s *scanner) skip() error {
	c, err := s.peek()
	if err != nil {
		return err
	}
	switch c {
	case '{':
		return s.object(func(string) error { return s.skip() })
	case '[':
		return s.array(s.skip)
	case '"':
		if err := s.begin(); err != nil {
			return err
		}
		return s.finish()
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	}
	_, err = s.numeral()
	return err
}
