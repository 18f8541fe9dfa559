package ews

import "io"

// envelopes parts an answer that is many documents, one after another, of which the next may come minutes later: the
// answer to GetStreamingEvents. A document ends with the end tag of its Envelope, of any prefix; there is no text in
// these documents that could look like one. ews.md §12.
type envelopes struct {
	r     io.Reader
	buf   []byte // read and not handed out yet
	hold  [4 << 10]byte
	ended bool // the document at hand is handed out to its end

	state tagState
	name  []byte // of the end tag that is being read, as far as it matters
}

type tagState uint8

const (
	inContent tagState = iota
	afterLess          // "<"
	inEndTag           // "</"
	skipToEnd          // of an end tag whose name is known
)

// Read gives the document at hand; its end is io.EOF.
func (e *envelopes) Read(p []byte) (int, error) {
	if e.ended || len(p) == 0 {
		return 0, io.EOF
	}
	if len(e.buf) == 0 {
		n, err := e.r.Read(e.hold[:])
		if n == 0 {
			return 0, err // io.EOF within a document is for the scanner to see
		}
		e.buf = e.hold[:n]
	}
	n := min(len(p), len(e.buf))
	for i := range n {
		if e.step(e.buf[i]) {
			n, e.ended = i+1, true
			break
		}
	}
	copy(p, e.buf[:n])
	e.buf = e.buf[n:]
	return n, nil
}

// step says whether a byte ends the document.
func (e *envelopes) step(c byte) bool {
	switch e.state {
	case inContent:
		if c == '<' {
			e.state = afterLess
		}
	case afterLess:
		e.state, e.name = inContent, e.name[:0]
		if c == '/' {
			e.state = inEndTag
		}
	case inEndTag:
		switch {
		case c == ':':
			e.name = e.name[:0]
		case c == '>':
			e.state = inContent
			return string(e.name) == "Envelope"
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			e.state = skipToEnd
		case len(e.name) < maxName:
			e.name = append(e.name, c)
		}
	case skipToEnd:
		if c == '>' {
			e.state = inContent
			return string(e.name) == "Envelope"
		}
	}
	return false
}

// next goes on to the next document; io.EOF says that there is none.
func (e *envelopes) next() error {
	for {
		for i, c := range e.buf {
			if c == '<' {
				e.buf, e.ended, e.state = e.buf[i:], false, inContent
				return nil
			}
		}
		n, err := e.r.Read(e.hold[:])
		if e.buf = e.hold[:n]; n == 0 && err != nil {
			return err
		}
	}
}
