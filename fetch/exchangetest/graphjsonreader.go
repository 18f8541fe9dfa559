package exchangetest

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

var errJSON = errors.New("not the JSON that is expected")

// jsonReader reads one flat object of texts while it arrives; a text may be of
// any length. RFC 8259
type jsonReader struct{ in *bufio.Reader }

func newJSONReader(r io.Reader) *jsonReader { return &jsonReader{bufio.NewReaderSize(r, 64<<10)} }

const maxMemberName = 64

// object reads the object, to the end of the document. member reads the value of one; none may come twice.
func (j *jsonReader) object(member func(name string) error) error {
	seen := map[string]bool{}
	if err := j.expect('{'); err != nil {
		return err
	}
	c, err := j.next()
	for err == nil && c != '}' {
		if err := j.member(seen, member); err != nil {
			return err
		}
		if c, err = j.next(); err != nil || c != ',' {
			break
		}
		j.in.Discard(1)
		c = 0 // a comma has a member behind it
	}
	if err := j.expect('}'); err != nil {
		return err
	}
	if _, err := j.next(); err != io.ErrUnexpectedEOF {
		return notJSON(err)
	}
	return nil
}

func (j *jsonReader) member(seen map[string]bool, read func(name string) error) error {
	name, err := j.text(maxMemberName)
	if err != nil {
		return err
	}
	if seen[name] {
		return errJSON
	}
	seen[name] = true
	if err := j.expect(':'); err != nil {
		return err
	}
	return read(name)
}

// next looks at the next byte that is no blank. The end of the document is io.ErrUnexpectedEOF.
func (j *jsonReader) next() (byte, error) {
	for {
		c, err := j.in.ReadByte()
		switch {
		case err == io.EOF:
			return 0, io.ErrUnexpectedEOF
		case err != nil:
			return 0, err
		case c != ' ' && c != '\t' && c != '\r' && c != '\n':
			return c, j.in.UnreadByte()
		}
	}
}

func (j *jsonReader) expect(want byte) error {
	c, err := j.next()
	if err != nil || c != want {
		return notJSON(err)
	}
	j.in.Discard(1)
	return nil
}

// notJSON is the error of a document that ends too early or goes on wrongly; the way's own errors stay.
func notJSON(err error) error {
	if err == nil || err == io.EOF || err == io.ErrUnexpectedEOF {
		return errJSON
	}
	return err
}

// text reads a text of at most so many bytes.
func (j *jsonReader) text(most int) (string, error) {
	b := &shortText{most: most}
	err := j.copyText(b)
	return b.String(), err
}

type shortText struct {
	bytes.Buffer
	most int
}

func (b *shortText) Write(p []byte) (int, error) {
	if b.Len()+len(p) > b.most {
		return 0, errJSON
	}
	return b.Buffer.Write(p)
}

// copyText copies what a text says.
func (j *jsonReader) copyText(w io.Writer) error {
	if err := j.expect('"'); err != nil {
		return err
	}
	for {
		if _, err := j.in.Peek(1); err != nil {
			return notJSON(err)
		}
		run, _ := j.in.Peek(j.in.Buffered())
		n := plainRun(run)
		if _, err := w.Write(run[:n]); err != nil {
			return err
		}
		j.in.Discard(n)
		if n == len(run) {
			continue
		}
		c, _ := j.in.ReadByte()
		if c == '"' {
			return nil
		}
		if c != '\\' {
			return errJSON
		}
		if err := j.escape(w); err != nil {
			return err
		}
	}
}

// plainRun is how many bytes stand for themselves.
func plainRun(b []byte) int {
	for i, c := range b {
		if c == '"' || c == '\\' || c < ' ' {
			return i
		}
	}
	return len(b)
}

// escape takes what follows a backslash: some writers put every "+" so.
func (j *jsonReader) escape(w io.Writer) error {
	c, err := j.in.ReadByte()
	if err != nil {
		return notJSON(err)
	}
	if c == 'u' {
		return j.unicode(w)
	}
	at := bytes.IndexByte([]byte(`"\/bfnrt`), c)
	if at < 0 {
		return errJSON
	}
	_, err = w.Write([]byte("\"\\/\b\f\n\r\t"[at : at+1]))
	return err
}

func (j *jsonReader) unicode(w io.Writer) error {
	r, err := j.unit()
	if err != nil {
		return err
	}
	if utf16.IsSurrogate(r) {
		if mark, err := j.in.Peek(2); err != nil || string(mark) != `\u` {
			return notJSON(nil)
		}
		j.in.Discard(2)
		low, err := j.unit()
		if r = utf16.DecodeRune(r, low); err != nil || r == utf8.RuneError {
			return notJSON(err)
		}
	}
	_, err = w.Write(utf8.AppendRune(nil, r))
	return err
}

func (j *jsonReader) unit() (rune, error) {
	digits := make([]byte, 4)
	if _, err := io.ReadFull(j.in, digits); err != nil {
		return 0, notJSON(err)
	}
	n, err := strconv.ParseUint(string(digits), 16, 16)
	if err != nil {
		return 0, errJSON
	}
	return rune(n), nil
}
