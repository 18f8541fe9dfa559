package ews

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Limits of the scanner. An answer of Exchange stays far below each; what goes over is refused before memory is taken for it.
const (
	scanBuffer    = 64 << 10
	maxDepth      = 128
	maxName       = 256
	maxAttributes = 64
	maxAttribute  = 64 << 10
	maxInterned   = 512
)

// Namespaces that a document may use without declaring them.
const (
	nsXML   = "http://www.w3.org/XML/1998/namespace"
	nsXMLNS = "http://www.w3.org/2000/xmlns/"
)

// xmlName is a name resolved in the prefix scopes of its place.
type xmlName struct{ Space, Local string }

type xmlAttr struct {
	Name  xmlName
	Value string
}

type tokenKind uint8

const (
	startToken tokenKind = iota + 1
	endToken
	textToken // character data follows: read it with chunk or a textReader, or leave it
	eofToken  // the root element has ended and nothing but comments, instructions and white space followed
)

// token is one step of the scanner. Attrs is valid until the next step; declarations of namespaces are not among them.
type token struct {
	Kind  tokenKind
	Name  xmlName
	Attrs []xmlAttr
}

// attr gives the value of the attribute without a namespace, "" if it is not there.
func (t token) attr(local string) string {
	for _, a := range t.Attrs {
		if a.Name.Space == "" && a.Name.Local == local {
			return a.Value
		}
	}
	return ""
}

// syntaxError says where a document stops being XML.
type syntaxError struct {
	Offset int64
	Text   string
	Cut    bool // all was well up to the end of the source
}

func (e *syntaxError) Error() string { return fmt.Sprintf("xml at byte %d: %s", e.Offset, e.Text) }

// scanner is a pull scanner for SOAP answers: namespaces, attributes, references, CDATA, comments and processing
// instructions; no DTD. What sets it apart from encoding/xml is that a text node is never held: it is read in pieces
// of the buffer, so that an element of any size costs the same memory.
//
// A text node runs from one tag to the next; comments, instructions and CDATA sections within do not part it.
type scanner struct {
	src      io.Reader
	buf      []byte
	pos, end int
	before   int64 // bytes of the source in front of buf
	srcErr   error // what the source ended with
	err      error // what the scanner ended with

	open     []openElement
	bindings []binding
	rawAttrs []rawAttr
	attrs    []xmlAttr
	scratch  []byte
	interned map[string]string

	started  bool // something other than the byte order mark was seen
	rootSeen bool
	empty    bool // the start tag just given was an empty-element tag
	inText   bool // a text token was given and not read to its end

	cdata   bool // within a CDATA section
	literal bool // the last chunk was plain text: neither CDATA nor a reference
	run     int  // counts what interrupts plain text, so that a reader knows whether two chunks touch
	ref     [4]byte
	stray   [256]byte // where text is put that has no meaning
}

type openElement struct {
	raw      string // the name as written; the end tag must repeat it
	name     xmlName
	bindings int // length of bindings outside this element
}

type binding struct{ prefix, uri string }

type rawAttr struct{ prefix, local, value string }

func newScanner(r io.Reader) *scanner {
	return &scanner{src: r, buf: make([]byte, scanBuffer), interned: make(map[string]string)}
}

// next gives the next token. What is left of a text node is passed over, and checked all the same.
func (s *scanner) next() (token, error) {
	if s.err != nil {
		return token{}, s.err
	}
	t, err := s.step()
	if err != nil {
		return token{}, s.fail(err)
	}
	return t, nil
}

// fail makes an error stick. A source that ended too early is a cut document.
func (s *scanner) fail(err error) error {
	if errors.Is(err, io.EOF) {
		err = &syntaxError{Offset: s.offset(), Text: "the document ends too early", Cut: true}
	}
	if s.err == nil {
		s.err = err
	}
	return s.err
}

func (s *scanner) step() (token, error) {
	if s.inText {
		if _, err := io.Copy(io.Discard, s.text()); err != nil {
			return token{}, err
		}
	}
	if s.empty {
		s.empty = false
		return s.closeElement(), nil
	}
	if len(s.open) == 0 {
		return s.outside()
	}
	return s.inside()
}

// outside handles the prolog and what follows the root element.
func (s *scanner) outside() (token, error) {
	if !s.started {
		s.started = true
		if err := s.declaration(); err != nil {
			return token{}, err
		}
	}
	for {
		if err := s.skipSpace(); err != nil {
			if err == io.EOF && s.rootSeen {
				return token{Kind: eofToken}, nil
			}
			return token{}, err
		}
		if s.buf[s.pos] != '<' {
			return token{}, s.syntax("text outside the root element")
		}
		t, done, err := s.markup()
		if err != nil || done {
			return t, err
		}
	}
}

// inside handles the content of an element.
func (s *scanner) inside() (token, error) {
	for {
		if err := s.need(1); err != nil {
			return token{}, err
		}
		if s.buf[s.pos] != '<' || s.looking(cdataStart) {
			s.inText = true
			s.run++
			return token{Kind: textToken}, nil
		}
		t, done, err := s.markup()
		if err != nil || done {
			return t, err
		}
	}
}

var (
	cdataStart   = []byte("<![CDATA[")
	cdataEnd     = []byte("]]>")
	commentStart = []byte("<!--")
)

// markup reads a tag, or passes over a comment or an instruction and says that it was none.
func (s *scanner) markup() (t token, done bool, err error) {
	if err := s.need(2); err != nil {
		return token{}, false, err
	}
	switch s.buf[s.pos+1] {
	case '/':
		t, err = s.endTag()
		return t, true, err
	case '?':
		return token{}, false, s.skipInstruction()
	case '!':
		if !s.looking(commentStart) {
			return token{}, false, s.syntax("a declaration (DTD) is not accepted")
		}
		return token{}, false, s.skipComment()
	}
	t, err = s.startTag()
	return t, true, err
}

// skipComment passes over a comment. XML 1.0, 2.5: no "--" within.
func (s *scanner) skipComment() error {
	s.pos += len(commentStart)
	s.run++
	if err := s.skipPast([]byte("--")); err != nil {
		return err
	}
	if c, err := s.readByte(); err != nil {
		return err
	} else if c != '>' {
		return s.syntax("-- within a comment")
	}
	return nil
}

func (s *scanner) skipInstruction() error {
	s.pos += 2
	s.run++
	target, err := s.name()
	if err != nil {
		return err
	}
	if len(target) == 3 && target[0]|32 == 'x' && target[1]|32 == 'm' && target[2]|32 == 'l' {
		return s.syntax("an XML declaration that is not at the start")
	}
	if err := s.need(1); err != nil {
		return err
	}
	if c := s.buf[s.pos]; !isSpace(c) && c != '?' {
		return s.syntax("an instruction without a blank after its target")
	}
	return s.skipPast([]byte("?>"))
}

// skipPast passes over everything up to and including mark, which is short, and checks the characters.
func (s *scanner) skipPast(mark []byte) error {
	for {
		if err := s.need(len(mark)); err != nil {
			return err
		}
		b := s.buf[s.pos:s.end]
		if i := bytes.Index(b, mark); i >= 0 {
			s.pos += i + len(mark)
			return s.checkSkipped(b[:i])
		}
		b = b[:len(b)-len(mark)+1] // the rest may begin the mark
		b = b[:len(b)-incompleteRune(b)]
		keep := s.end - s.pos - len(b)
		s.pos += len(b)
		if err := s.checkSkipped(b); err != nil {
			return err
		}
		if err := s.need(keep + 1); err != nil {
			return err
		}
	}
}

func (s *scanner) checkSkipped(b []byte) error {
	if badCharacter(b) >= 0 {
		return s.syntax("a character that XML does not know")
	}
	return nil
}

// skipSpace stops at the first byte that is not white space.
func (s *scanner) skipSpace() error {
	for {
		for s.pos < s.end && isSpace(s.buf[s.pos]) {
			s.pos++
		}
		if s.pos < s.end {
			return nil
		}
		if err := s.need(1); err != nil {
			return err
		}
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

// looking says whether what comes next is mark; a source that ends before is no.
func (s *scanner) looking(mark []byte) bool {
	if err := s.need(len(mark)); err != nil {
		return false
	}
	return bytes.HasPrefix(s.buf[s.pos:s.end], mark)
}

func (s *scanner) readByte() (byte, error) {
	if err := s.need(1); err != nil {
		return 0, err
	}
	c := s.buf[s.pos]
	s.pos++
	return c, nil
}

// need makes n bytes available at pos; n is small. io.EOF when the source has fewer.
func (s *scanner) need(n int) error {
	for s.end-s.pos < n {
		if s.srcErr != nil {
			return s.srcErr
		}
		s.fill()
	}
	return nil
}

// fill reads once. The bytes not used yet move to the front, so slices of the buffer given away become invalid.
func (s *scanner) fill() {
	if s.pos > 0 {
		s.before += int64(s.pos)
		s.end = copy(s.buf, s.buf[s.pos:s.end])
		s.pos = 0
	}
	for range 100 { // as bufio: a source that gives nothing a hundred times is broken
		n, err := s.src.Read(s.buf[s.end:])
		s.end += n
		s.srcErr = err
		if n > 0 || err != nil {
			return
		}
	}
	s.srcErr = io.ErrNoProgress
}

// rest gives what is left of the source, at most limit bytes and one more.
func (s *scanner) rest(limit int) ([]byte, error) {
	b := bytes.Clone(s.buf[s.pos:s.end])
	s.pos = s.end
	if s.srcErr != nil {
		if s.srcErr == io.EOF {
			return b, nil
		}
		return b, s.srcErr
	}
	more, err := io.ReadAll(io.LimitReader(s.src, int64(max(0, limit+1-len(b)))))
	return append(b, more...), err
}

func (s *scanner) offset() int64 { return s.before + int64(s.pos) }

func (s *scanner) syntax(text string) error { return &syntaxError{Offset: s.offset(), Text: text} }
