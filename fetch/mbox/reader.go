package mbox

import (
	"bufio"
	"errors"
	"io"
)

// ErrNotMbox says that the input does not begin with a From line.
var ErrNotMbox = errors.New("not an mbox file")

// Entry is a message of the file.
type Entry struct {
	Offset int64 // of its From line
}

// Reader gives the messages of a file. Next goes to a message, Read reads it.
type Reader struct {
	src  io.ReaderAt
	size int64
	in   *bufio.Reader
	at   int64 // of the byte that in gives next

	out     []byte // of the message, not read yet; valid until in is used again
	blank   []byte // an empty line held back: it may be the one before a From line
	begun   bool   // a message is being read
	fresh   bool   // at the start of a line
	header  bool   // in the header
	length  int64  // Content-Length of the header, -1 without
	rawTo   int64  // up to there the body is given as it is
	scanned bool   // the file has been looked at
}

// bufferSize is how much of a line is seen at once.
const bufferSize = 64 << 10

// NewReader reads a file of size bytes.
func NewReader(src io.ReaderAt, size int64) *Reader {
	return &Reader{src: src, size: size, in: bufio.NewReaderSize(io.NewSectionReader(src, 0, size), bufferSize)}
}

// Next goes to the next message, past what was not read of this one; io.EOF says that there is none.
func (r *Reader) Next() (Entry, error) {
	for r.begun {
		r.out = nil
		if err := r.fill(); err != nil && err != io.EOF {
			return Entry{}, err
		}
	}
	if err := r.skipEmpty(); err != nil {
		return Entry{}, err
	}
	first := !r.scanned
	r.scanned = true
	head, _ := r.in.Peek(len(from))
	if string(head) != from {
		if first {
			return Entry{}, ErrNotMbox
		}
		return Entry{}, errors.New("the mbox file changed while it was read") // a message ends before a From line only
	}
	e := Entry{Offset: r.at}
	for {
		_, err := r.slice()
		if err == nil || err == io.EOF {
			break
		}
		if err != bufio.ErrBufferFull {
			return Entry{}, err
		}
	}
	r.begun, r.fresh, r.header, r.length, r.rawTo, r.blank = true, true, true, -1, 0, nil
	return e, nil
}

// skipEmpty goes past empty lines; io.EOF says that nothing else is left.
func (r *Reader) skipEmpty() error {
	for {
		b, err := r.in.Peek(1)
		if err != nil {
			return err
		}
		if b[0] != '\n' && b[0] != '\r' {
			return nil
		}
		r.at++
		if _, err := r.in.Discard(1); err != nil {
			return err
		}
	}
}

// Read reads the message that Next went to.
func (r *Reader) Read(p []byte) (int, error) {
	for len(r.out) == 0 {
		if err := r.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.out)
	r.out = r.out[n:]
	return n, nil
}

// slice is the next line, or the part of it that the buffer has room for.
func (r *Reader) slice() ([]byte, error) {
	b, err := r.in.ReadSlice('\n')
	r.at += int64(len(b))
	return b, err
}

// fill puts the next bytes of the message into out; io.EOF says that it has ended.
func (r *Reader) fill() error {
	if !r.begun {
		return io.EOF
	}
	if r.at < r.rawTo {
		return r.raw()
	}
	if r.rawTo > 0 || r.fresh && r.separates() {
		return r.end()
	}
	if r.blank != nil && !r.blankFollows() {
		r.out, r.blank = r.blank, nil
		return nil
	}
	line, err := r.slice()
	if err != nil && err != bufio.ErrBufferFull && err != io.EOF {
		return err
	}
	if len(line) == 0 {
		return r.end()
	}
	r.take(line)
	return nil
}

func (r *Reader) end() error {
	r.begun = false
	return io.EOF
}

// raw gives a piece of a body as it is.
func (r *Reader) raw() error {
	if r.blank != nil {
		r.out, r.blank = r.blank, nil
		return nil
	}
	b, err := r.in.Peek(int(min(r.rawTo-r.at, bufferSize)))
	if len(b) == 0 {
		if err == io.EOF {
			return r.end() // the file has become shorter
		}
		return err
	}
	r.out = b
	r.at += int64(len(b))
	_, err = r.in.Discard(len(b))
	return err
}

// take looks at a line, or a part of one that is too long.
func (r *Reader) take(line []byte) {
	start := r.fresh
	r.fresh = line[len(line)-1] == '\n'
	if start && empty(line) {
		r.hold(line)
		return
	}
	switch {
	case start && r.header:
		if n, ok := contentLength(line); ok {
			r.length = n
		}
	case start:
		line = unquote(line)
	}
	r.out = line
}

// hold keeps an empty line back until it is known what follows; the one before it is given.
func (r *Reader) hold(line []byte) {
	r.out = r.blank
	r.blank = crlf
	if len(line) == 1 {
		r.blank = crlf[1:]
	}
	if r.header {
		r.header = false
		if r.length >= 0 && r.length <= r.size-r.at && r.boundary(r.at+r.length) {
			r.rawTo = r.at + r.length
		}
	}
}
