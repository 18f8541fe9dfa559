package fasttransfer

import (
	"encoding/binary"
	"io"
)

// buffers cuts a stream into TransferBuffer records. The first error sticks.
type buffers struct {
	w   io.Writer
	buf []byte // a record being filled, its header first
	err error
}

func newBuffers(w io.Writer) *buffers {
	return &buffers{w: w, buf: make([]byte, recordHeader, recordHeader+bufferSize)}
}

func (b *buffers) space() int { return cap(b.buf) - len(b.buf) }

// atom writes what must not straddle two records. It is far below bufferSize.
func (b *buffers) atom(data []byte) {
	if len(data) > b.space() {
		b.flush()
	}
	b.buf = append(b.buf, data...)
}

func (b *buffers) u32(v uint32) {
	if b.space() < 4 {
		b.flush()
	}
	b.buf = binary.LittleEndian.AppendUint32(b.buf, v)
}

// value writes what may be cut at any multiple of unit from its start.
func (b *buffers) value(data []byte, unit int) {
	for len(data) > 0 {
		n := b.room(int64(len(data)), unit)
		b.buf = append(b.buf, data[:n]...)
		data = data[n:]
	}
}

// stream writes size bytes of r without holding more than a record of them.
func (b *buffers) stream(r io.Reader, size int64, unit int) {
	for size > 0 && b.err == nil {
		n := b.room(size, unit)
		end := len(b.buf) + n
		if _, err := io.ReadFull(r, b.buf[len(b.buf):end]); err != nil {
			b.err = err
			return
		}
		b.buf = b.buf[:end]
		size -= int64(n)
	}
}

// room is how many of n bytes go into the present record, at least one unit
// (or what is left of the value).
func (b *buffers) room(n int64, unit int) int {
	if b.space() < unit {
		b.flush()
	}
	if n <= int64(b.space()) {
		return int(n)
	}
	return b.space() - b.space()%unit
}

func (b *buffers) flush() {
	if len(b.buf) == recordHeader {
		return
	}
	binary.LittleEndian.PutUint32(b.buf, opTransferBuffer)
	binary.LittleEndian.PutUint32(b.buf[4:], uint32(len(b.buf)-recordHeader))
	if b.err == nil {
		_, b.err = b.w.Write(b.buf)
	}
	b.buf = b.buf[:recordHeader]
}
