package fasttransfer

import (
	"bytes"
	"io"
)

// inputSize is the least that is read ahead; what is read ahead bounds a segment.
const inputSize = 32 << 10

// input hands the bytes of a blob out as segments while they are consumed.
//
//	buf   | handed out | consumed for stream cur | read ahead |
//	      0          start                      pos          end
type input struct {
	r       io.Reader
	segment func(Segment) error
	buf     []byte
	start   int
	pos     int
	end     int
	base    int64 // offset in the blob of buf[0]
	stream  stream
	eof     bool
	fatal   error // of the reader or the visitor
	tail    []byte
}

// reset begins a blob, of which so much is read at once.
func (in *input) reset(r io.Reader, segment func(Segment) error, ahead int) {
	buf := in.buf
	if ahead = max(ahead, inputSize); len(buf) != ahead {
		buf = make([]byte, ahead)
	}
	*in = input{r: r, segment: segment, buf: buf, tail: in.tail[:0]}
}

// offset is where in the blob the next byte stands.
func (in *input) offset() int64 { return in.base + int64(in.pos) }

func (in *input) buffered() int { return in.end - in.pos }

// hand gives the visitor what was consumed for the present stream.
func (in *input) hand() {
	if in.segment != nil && in.pos > in.start && in.fatal == nil {
		in.fatal = in.segment(Segment{Stream: in.stream.number, Kind: in.stream.kind, Data: in.buf[in.start:in.pos]})
	}
	in.start = in.pos
}

// fill reads until n bytes are buffered (n is far below inputSize) and says whether they are.
func (in *input) fill(n int) bool {
	for in.buffered() < n && !in.eof && in.fatal == nil {
		in.more()
	}
	return in.buffered() >= n && in.fatal == nil
}

func (in *input) more() {
	if in.end == len(in.buf) || in.pos == in.end {
		in.hand()
		in.keepTail(in.buf[:in.pos])
		in.base += int64(in.pos)
		copy(in.buf, in.buf[in.pos:in.end])
		in.end -= in.pos
		in.start, in.pos = 0, 0
	}
	for range 100 { // a reader may give nothing a few times
		n, err := in.r.Read(in.buf[in.end:])
		in.end += n
		if err == io.EOF {
			in.eof = true
			return
		}
		if err != nil {
			in.fatal = err
			return
		}
		if n > 0 {
			return
		}
	}
	in.fatal = io.ErrNoProgress
}

// consume counts the next n buffered bytes to a stream and gives them, valid until the next call.
func (in *input) consume(n int, to stream) []byte {
	if to != in.stream {
		in.hand()
		in.stream = to
	}
	data := in.buf[in.pos : in.pos+n]
	in.pos += n
	return data
}

// drain hands all that is left out as one opaque stream.
func (in *input) drain(number int) {
	for in.fill(1) {
		in.consume(in.buffered(), stream{number, Opaque})
	}
	in.hand()
	in.keepTail(in.buf[:in.pos])
}

const noticeText = "=== Truncated Data ==="

// keepTail remembers the last bytes of the blob for notice.
func (in *input) keepTail(data []byte) {
	const most = 4 * len(noticeText)
	if len(data) > most {
		data = data[len(data)-most:]
	}
	in.tail = append(in.tail, data...)
	if over := len(in.tail) - most; over > 0 {
		in.tail = append(in.tail[:0], in.tail[over:]...)
	}
}

// notice says whether the blob ends in the notice that Exchange appends to an
// answer it could not finish, as 8-bit or as UTF-16 text.
func (in *input) notice() bool {
	tail := bytes.ReplaceAll(in.tail, []byte{0}, nil)
	return bytes.HasSuffix(bytes.TrimRight(tail, "\r\n\t "), []byte(noticeText))
}
