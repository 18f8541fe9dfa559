package calendar

import (
	"encoding/binary"
	"errors"
	"slices"
)

// ErrCut says that a structure ends before its last field.
var ErrCut = errors.New("cut short")

// fields reads little-endian fields of a structure; the first one that is not there sticks as ErrCut.
type fields struct {
	rest []byte
	err  error
}

// take is the next n bytes, nil when there are fewer.
func (f *fields) take(n uint64) []byte {
	if f.err != nil {
		return nil
	}
	if n > uint64(len(f.rest)) {
		f.err = ErrCut
		return nil
	}
	b := f.rest[:n:n]
	f.rest = f.rest[n:]
	return b
}

func (f *fields) u16() uint16 {
	if b := f.take(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (f *fields) u32() uint32 {
	if b := f.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// list is count:u32 and as many u32.
func (f *fields) list() []uint32 {
	n := f.u32()
	b := f.take(4 * uint64(n))
	if len(b) == 0 {
		return nil
	}
	list := make([]uint32, n)
	for i := range list {
		list[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	return list
}

// block is size:u32 and as many bytes.
func (f *fields) block() []byte { return slices.Clone(f.take(uint64(f.u32()))) }

func put16(b []byte, v ...uint16) []byte {
	for _, n := range v {
		b = binary.LittleEndian.AppendUint16(b, n)
	}
	return b
}

func put32(b []byte, v ...uint32) []byte {
	for _, n := range v {
		b = binary.LittleEndian.AppendUint32(b, n)
	}
	return b
}

func putList(b []byte, list []uint32) []byte { return put32(put32(b, uint32(len(list))), list...) }

func putBlock(b, block []byte) []byte { return append(put32(b, uint32(len(block))), block...) }
