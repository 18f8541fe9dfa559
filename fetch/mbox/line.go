package mbox

import (
	"bytes"
	"io"
	"strconv"
)

const from = "From "

var crlf = []byte("\r\n")

// headSize is how much is looked at to know a From line and the field below it.
const headSize = 1 << 10

func empty(line []byte) bool {
	return len(line) == 1 && line[0] == '\n' || len(line) == 2 && line[0] == '\r' && line[1] == '\n'
}

// blankFollows tells whether the next line is empty too.
func (r *Reader) blankFollows() bool {
	b, _ := r.in.Peek(2)
	return len(b) > 0 && (b[0] == '\n' || string(b) == "\r\n") || len(b) == 0
}

// separates tells whether the next line is the From line of another message.
func (r *Reader) separates() bool {
	if b, _ := r.in.Peek(len(from)); string(b) != from {
		return false
	}
	head, _ := r.in.Peek(headSize)
	return separator(head, r.blank != nil)
}

// boundary tells whether a message can end at an offset.
func (r *Reader) boundary(at int64) bool {
	head := make([]byte, headSize)
	n, err := r.src.ReadAt(head[:min(headSize, r.size-at)], at)
	if err != nil && err != io.EOF {
		return false
	}
	head = bytes.TrimLeft(head[:n], "\r\n")
	return len(head) == 0 && at+int64(n) >= r.size || separator(head, true)
}

// separator tells whether a text begins with a From line and a header field. Behind a line that is not empty a From line
// must have a date.
func separator(head []byte, spaced bool) bool {
	line, below, whole := bytes.Cut(head, []byte("\n"))
	rest, is := bytes.CutPrefix(line, []byte(from))
	if !is || !whole {
		return false
	}
	rest = bytes.TrimSpace(rest)
	alone := len(rest) > 0 && !bytes.ContainsAny(rest, " \t")
	return (spaced && alone || hasTime(rest) && (spaced || hasYear(rest))) && field(below)
}

// hasTime tells whether a line has a time of day.
func hasTime(line []byte) bool {
	for i := 1; i+2 < len(line); i++ {
		if line[i] == ':' && digit(line[i-1]) && digit(line[i+1]) && digit(line[i+2]) {
			return true
		}
	}
	return false
}

// hasYear tells whether one of a line's words is a year.
func hasYear(line []byte) bool {
	for _, word := range bytes.Fields(line) {
		if len(word) == 4 && (word[0] == '1' && word[1] == '9' || word[0] == '2' && word[1] == '0') && digit(word[2]) && digit(word[3]) {
			return true
		}
	}
	return false
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// field tells whether a text begins with a header field [RFC 5322] 2.2, or with the From line of another machine.
func field(text []byte) bool {
	if bytes.HasPrefix(text, []byte(">From ")) {
		return true
	}
	for i, c := range text {
		if c == ':' {
			return i > 0
		}
		if c <= ' ' || c >= 0x7F {
			return false
		}
	}
	return false
}

// unquote takes off the ">" that keeps a line of a body from being a From line.
func unquote(line []byte) []byte {
	if line[0] != '>' {
		return line
	}
	if bytes.HasPrefix(bytes.TrimLeft(line, ">"), []byte(from)) {
		return line[1:]
	}
	return line
}

// contentLength reads the field of that name.
func contentLength(line []byte) (int64, bool) {
	const name = "content-length:"
	if len(line) < len(name) || !bytes.EqualFold(line[:len(name)], []byte(name)) {
		return 0, false
	}
	n, err := strconv.ParseInt(string(bytes.TrimSpace(line[len(name):])), 10, 64)
	return n, err == nil && n >= 0
}
