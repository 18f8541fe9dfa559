package exchangetest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// payload is the content of one Data element.
type payload struct {
	blob blob
	err  error // it is not base64
}

// bodyReader takes the content of Data elements out of a request while it
// arrives, so that a document with items of any size is small enough for a
// tree. In the document their content is "#n;", n counting from 0.
//
// It knows just enough of XML to find them: what it lets through is checked by
// the parser behind it.
type bodyReader struct {
	in    *bufio.Reader
	out   bytes.Buffer
	files *spools
	data  []payload
	tag   bool // "<" was read already
}

// readBody reads a request. The error is the reader's or the disk's own.
func readBody(r io.Reader, files *spools) ([]byte, []payload, error) {
	b := &bodyReader{in: bufio.NewReaderSize(r, 64<<10), files: files}
	err := b.run()
	if errors.Is(err, io.EOF) {
		return bytes.TrimPrefix(b.out.Bytes(), []byte("\xEF\xBB\xBF")), b.data, nil
	}
	for _, p := range b.data {
		discard(p.blob)
	}
	return nil, nil, err
}

// run goes on until an error; the end of the body is one.
func (b *bodyReader) run() error {
	for {
		if !b.tag {
			if err := b.copyUntil('<'); err != nil {
				return err
			}
		}
		b.tag = false
		if err := b.markup(); err != nil {
			return err
		}
	}
}

// copyUntil lets bytes through up to and with c.
func (b *bodyReader) copyUntil(c byte) error {
	for {
		chunk, err := b.in.ReadSlice(c)
		b.out.Write(chunk)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

// copyThrough lets bytes through up to and with a closing mark.
func (b *bodyReader) copyThrough(mark string) error {
	for {
		if err := b.copyUntil(mark[len(mark)-1]); err != nil {
			return err
		}
		if bytes.HasSuffix(b.out.Bytes(), []byte(mark)) {
			return nil
		}
	}
}

// markup is what follows "<".
func (b *bodyReader) markup() error {
	ahead, _ := b.in.Peek(8)
	switch {
	case bytes.HasPrefix(ahead, []byte("!--")):
		return b.copyThrough("-->")
	case bytes.HasPrefix(ahead, []byte("![CDATA[")):
		return b.copyThrough("]]>")
	case bytes.HasPrefix(ahead, []byte("?")):
		return b.copyThrough("?>")
	case bytes.HasPrefix(ahead, []byte("!")), bytes.HasPrefix(ahead, []byte("/")):
		return b.copyUntil('>')
	}
	from := b.out.Len()
	if err := b.startTag(); err != nil {
		return err
	}
	if isData(b.out.Bytes()[from:]) {
		return b.content()
	}
	return nil
}

// startTag lets a tag through; ">" may stand in the value of an attribute.
func (b *bodyReader) startTag() error {
	var quote byte
	for {
		c, err := b.in.ReadByte()
		if err != nil {
			return err
		}
		b.out.WriteByte(c)
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '>':
			return nil
		}
	}
}

// isData says whether a tag opens an element of that local name. In the
// messages known here no other element than an item's content is called so.
func isData(tag []byte) bool {
	if bytes.HasSuffix(tag, []byte("/>")) {
		return false
	}
	name := string(tag[:bytes.IndexAny(tag, " \t\r\n/>")])
	if i := strings.IndexByte(name, ':'); i >= 0 {
		name = name[i+1:]
	}
	return name == "Data"
}

// content takes the text up to the next tag out.
func (b *bodyReader) content() error {
	s := &spool{files: b.files}
	sink := &base64Sink{w: s}
	var bad error
	for {
		chunk, err := b.in.ReadSlice('<')
		ended := err == nil
		if ended {
			chunk = chunk[:len(chunk)-1]
		}
		if bad == nil {
			_, bad = sink.Write(chunk)
		}
		if ended {
			break
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			s.discard()
			return err
		}
	}
	if bad == nil {
		bad = sink.Close()
	}
	if bad != nil && !errors.Is(bad, errBase64) {
		s.discard()
		return bad
	}
	return b.finish(s, bad)
}

func (b *bodyReader) finish(s *spool, bad error) error {
	got, err := s.finish()
	if err != nil {
		return err
	}
	fmt.Fprintf(&b.out, "#%d;<", len(b.data))
	b.data = append(b.data, payload{got, bad})
	b.tag = true
	return nil
}

// reference reads the "#n;" that stands for a Data element's content.
func reference(text string) (int, bool) {
	text = strings.TrimSpace(text)
	digits, opened := strings.CutPrefix(text, "#")
	digits, closed := strings.CutSuffix(digits, ";")
	n, err := strconv.ParseUint(digits, 10, 31)
	return int(n), opened && closed && err == nil
}
