package ews

import (
	"bytes"
	"errors"
	"io"
)

// notice is what a server writes when it cuts an export short (reference of ExportItems, "truncated data"). It may stand
// in the text of Data, at the end of the decoded bytes, or after the document.
var notice = []byte("=== Truncated Data ===")

var errBase64 = errors.New("the data is not base64")

// tailKept covers the notice in UTF-16 and some padding after it.
const tailKept = 64

// base64Reader decodes the text node that was just given, as it arrives. White space is passed over; anything else that
// is not base64, a group that is cut and the notice at the end of the bytes are errors in place of io.EOF.
type base64Reader struct {
	s     *scanner
	in    []byte // of the buffer: not decoded yet
	group [4]byte
	have  int // characters in group
	pad   int // of them '='
	spare []byte
	store [3]byte // where spare lies
	tail  []byte  // the last decoded bytes
	total int64
	err   error
}

func (d *base64Reader) Read(p []byte) (int, error) {
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

func (d *base64Reader) more() {
	d.in, d.err = d.s.chunk()
	if d.err != io.EOF {
		return
	}
	switch {
	case d.have != 0:
		d.err = errBase64
	case endsInNotice(d.tail):
		d.err = errNotice
	}
}

// decode uses the piece at hand until it or p is used up. What does not fit into p waits in spare.
func (d *base64Reader) decode(p []byte) (int, error) {
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
			return n, errBase64
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
func (d *base64Reader) add(c byte) bool {
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
func (d *base64Reader) flush() []byte {
	v := uint32(0)
	for _, c := range d.group {
		v = v<<6 | uint32(base64Values[c]&63)
	}
	d.store = [3]byte{byte(v >> 16), byte(v >> 8), byte(v)}
	d.spare = d.store[:3-d.pad]
	d.have = 0
	return d.spare
}

func (d *base64Reader) remember(b []byte) {
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

var errNotice = errors.New("the server ended the data with its notice of truncation")

// endsInNotice looks for the notice at the very end, in ASCII or UTF-16: further in it is somebody's text.
func endsInNotice(tail []byte) bool {
	tail = bytes.TrimRight(tail, " \r\n\x00")
	if bytes.HasSuffix(tail, notice) {
		return true
	}
	wide := make([]byte, 0, 2*len(notice))
	for _, c := range notice {
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
