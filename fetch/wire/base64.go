package wire

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
)

// Notice is what a server writes when it cuts an export short (reference of ExportItems, "truncated data"). It may stand
// in the text of the data, at the end of the decoded bytes, or after the document.
const Notice = "=== Truncated Data ==="

// ErrBase64 says that data are not base64, or cut within a group.
var ErrBase64 = errors.New("the data is not base64")

// tailKept covers the notice in UTF-16 and some padding after it.
const tailKept = 64

// Decoder decodes base64 as it arrives. White space is passed over; anything else that is not base64, a group that is cut
// and the notice at the end of the bytes are errors in place of io.EOF.
type Decoder struct {
	chunk func() ([]byte, error)
	in    []byte // of the source: not decoded yet
	group [4]byte
	have  int // characters in group
	pad   int // of them '='
	spare []byte
	store [3]byte // where spare lies
	tail  []byte  // the last decoded bytes
	total int64
	err   error
}

// NewDecoder reads text from chunk, whose pieces are used before the next one is asked for.
func NewDecoder(chunk func() ([]byte, error)) *Decoder { return &Decoder{chunk: chunk} }

// Decoded is how many bytes came so far.
func (d *Decoder) Decoded() int64 { return d.total }

func (d *Decoder) Read(p []byte) (int, error) {
	n := 0
	for n == 0 && len(p) > 0 {
		if len(d.spare) > 0 {
			n = copy(p, d.spare)
			d.spare = d.spare[n:]
			break
		}
		if d.err != nil {
			return 0, d.err
		}
		if len(d.in) == 0 {
			d.more()
			continue
		}
		n, d.err = d.decode(p)
	}
	d.remember(p[:n])
	return n, nil
}

func (d *Decoder) more() {
	d.in, d.err = d.chunk()
	if d.err != io.EOF {
		return
	}
	switch {
	case d.have != 0:
		d.err = ErrBase64
	case EndsInNotice(d.tail):
		d.err = ErrNotice
	}
}

// decode uses the piece at hand until it or p is used up. What does not fit into p waits in spare.
func (d *Decoder) decode(p []byte) (int, error) {
	n := 0
	for len(d.in) > 0 {
		if d.have == 0 && d.pad == 0 {
			used, made := decodeRun(p[n:], d.in)
			d.in, n = d.in[used:], n+made
			if len(d.in) == 0 {
				break
			}
		}
		if n == len(p) {
			break
		}
		c := d.in[0]
		d.in = d.in[1:]
		if isSpace(c) {
			d.in = skipBlanks(d.in)
			continue
		}
		if !d.add(c) {
			return n, ErrBase64
		}
		if d.have == 4 {
			m := copy(p[n:], d.flush())
			d.spare = d.spare[m:]
			n += m
		}
	}
	return n, nil
}

// add puts one character into the group. Padding ends the data: RFC 4648, 4.
func (d *Decoder) add(c byte) bool {
	switch {
	case c == '=' && (d.have >= 2 && d.have < 4):
		d.pad++
	case d.pad > 0 || base64Values[c] > 63:
		return false
	}
	d.group[d.have] = c
	d.have++
	return true
}

// flush decodes the whole group into spare.
func (d *Decoder) flush() []byte {
	v := uint32(0)
	for _, c := range d.group {
		v = v<<6 | uint32(base64Values[c]&63)
	}
	d.store = [3]byte{byte(v >> 16), byte(v >> 8), byte(v)}
	d.spare = d.store[:3-d.pad]
	d.have = 0
	return d.spare
}

func (d *Decoder) remember(b []byte) {
	d.total += int64(len(b))
	if len(b) >= tailKept {
		d.tail = append(d.tail[:0], b[len(b)-tailKept:]...)
		return
	}
	d.tail = append(d.tail, b...)
	if over := len(d.tail) - tailKept; over > 0 {
		d.tail = append(d.tail[:0], d.tail[over:]...)
	}
}

// ErrNotice says that a server wrote its notice in place of the rest.
var ErrNotice = errors.New("the server ended the data with its notice of truncation")

// EndsInNotice looks for the notice at the very end, in ASCII or UTF-16: further in it is somebody's text.
func EndsInNotice(tail []byte) bool {
	tail = bytes.TrimRight(tail, " \r\n\x00")
	if bytes.HasSuffix(tail, []byte(Notice)) {
		return true
	}
	wide := make([]byte, 0, 2*len(Notice))
	for _, c := range []byte(Notice) {
		wide = append(wide, c, 0)
	}
	return bytes.HasSuffix(tail, wide[:len(wide)-1]) // the last zero was trimmed
}

func skipBlanks(b []byte) []byte {
	for len(b) > 0 && isSpace(b[0]) {
		b = b[1:]
	}
	return b
}

// decodeRun decodes whole groups of characters of the alphabet and stops in front of the first that has anything else in
// it or no room.
func decodeRun(dst, src []byte) (used, made int) {
	for len(src)-used >= 8 && len(dst)-made >= 6 { // two at a time
		s, t := src[used:used+8:used+8], dst[made:made+6:made+6]
		a, b, c, d := base64Values[s[0]], base64Values[s[1]], base64Values[s[2]], base64Values[s[3]]
		e, f, g, h := base64Values[s[4]], base64Values[s[5]], base64Values[s[6]], base64Values[s[7]]
		if a|b|c|d|e|f|g|h > 63 {
			break
		}
		x := uint32(a)<<18 | uint32(b)<<12 | uint32(c)<<6 | uint32(d)
		y := uint32(e)<<18 | uint32(f)<<12 | uint32(g)<<6 | uint32(h)
		t[0], t[1], t[2] = byte(x>>16), byte(x>>8), byte(x)
		t[3], t[4], t[5] = byte(y>>16), byte(y>>8), byte(y)
		used, made = used+8, made+6
	}
	if len(src)-used >= 4 && len(dst)-made >= 3 {
		s, t := src[used:used+4:used+4], dst[made:made+3:made+3]
		a, b, c, d := base64Values[s[0]], base64Values[s[1]], base64Values[s[2]], base64Values[s[3]]
		if a|b|c|d <= 63 {
			x := uint32(a)<<18 | uint32(b)<<12 | uint32(c)<<6 | uint32(d)
			t[0], t[1], t[2] = byte(x>>16), byte(x>>8), byte(x)
			used, made = used+4, made+3
		}
	}
	return used, made
}

// base64Values maps a character to its six bits, and to 255 if it is not in the alphabet.
var base64Values = func() (t [256]byte) {
	for i := range t {
		t[i] = 255
	}
	for i, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") {
		t[c] = byte(i)
	}
	return t
}()

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

const encodeBlock = 24 << 10 // whole groups of three

// Encoder gives the base64 of a source and insists on its size, because Content-Length has been told by it.
type Encoder struct {
	src   io.Reader
	size  int64 // 0: not known
	got   int64
	in    [encodeBlock]byte
	out   [encodeBlock / 3 * 4]byte
	ready []byte
	err   error
}

// NewEncoder encodes src, which has size bytes; 0 says that this is not known.
func NewEncoder(src io.Reader, size int64) *Encoder { return &Encoder{src: src, size: size} }

func (e *Encoder) Read(b []byte) (int, error) {
	for len(e.ready) == 0 {
		if e.err != nil {
			return 0, e.err
		}
		e.fill()
	}
	n := copy(b, e.ready)
	e.ready = e.ready[n:]
	return n, nil
}

func (e *Encoder) fill() {
	n, err := io.ReadFull(e.src, e.in[:])
	if err == io.ErrUnexpectedEOF {
		err = io.EOF
	}
	e.got += int64(n)
	if e.size > 0 && (e.got > e.size || err == io.EOF && e.got < e.size) {
		err = fmt.Errorf("it is not the %d bytes that were announced", e.size)
	}
	e.err = err
	if err != nil && err != io.EOF {
		return
	}
	base64.StdEncoding.Encode(e.out[:], e.in[:n])
	e.ready = e.out[:base64.StdEncoding.EncodedLen(n)]
}
