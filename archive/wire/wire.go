// Package wire reads and writes the fields that all formats of an archive are made of: unsigned varints (LEB128, as
// encoding/binary has them), byte strings (a varint length, then the bytes) and fixed runs of bytes. All formats that
// use it document their order of fields themselves; it knows none of them.
package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrMalformed says that bytes end too early, go on too long or hold a number out of bounds.
var ErrMalformed = errors.New("malformed fields")

// AppendUvarint appends a number.
func AppendUvarint(b []byte, v uint64) []byte { return binary.AppendUvarint(b, v) }

// AppendVarint appends a signed number, in zigzag.
func AppendVarint(b []byte, v int64) []byte { return binary.AppendVarint(b, v) }

// AppendBytes appends a length and the bytes.
func AppendBytes[T string | []byte](b []byte, p T) []byte {
	b = binary.AppendUvarint(b, uint64(len(p)))
	return append(b, p...)
}

// Reader takes fields off a byte slice. The first error sticks: read all fields, then ask Err or Done.
type Reader struct {
	rest []byte
	err  error
}

// NewReader reads from b, which it does not copy: fields are slices of it.
func NewReader(b []byte) *Reader { return &Reader{rest: b} }

func (r *Reader) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrMalformed, what)
	}
	r.rest = nil
}

// Uvarint reads a number.
func (r *Reader) Uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.fail("number cut short")
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// Varint reads a signed number, in zigzag.
func (r *Reader) Varint() int64 {
	v, n := binary.Varint(r.rest)
	if n <= 0 {
		r.fail("number cut short")
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// Uint32 reads a number that must fit 32 bits.
func (r *Reader) Uint32() uint32 {
	v := r.Uvarint()
	if v > 1<<32-1 {
		r.fail("number too large")
		return 0
	}
	return uint32(v)
}

// Count reads a number of things of at least size bytes each that follow, so that no more is allocated than is there.
func (r *Reader) Count(size int) int {
	v := r.Uvarint()
	if v > uint64(len(r.rest)/size) {
		r.fail("count larger than what follows")
		return 0
	}
	return int(v)
}

// Fixed reads n bytes.
func (r *Reader) Fixed(n int) []byte {
	if n < 0 || n > len(r.rest) {
		r.fail("bytes cut short")
		return make([]byte, max(0, min(n, 64)))
	}
	p := r.rest[:n:n]
	r.rest = r.rest[n:]
	return p
}

// Byte reads one byte.
func (r *Reader) Byte() byte { return r.Fixed(1)[0] }

// Bytes reads a length and that many bytes.
func (r *Reader) Bytes() []byte {
	n := r.Uvarint()
	if n > uint64(len(r.rest)) {
		r.fail("byte string cut short")
		return nil
	}
	return r.Fixed(int(n))
}

// String reads a byte string as text.
func (r *Reader) String() string { return string(r.Bytes()) }

// Rest is all that was not read yet, and reads it.
func (r *Reader) Rest() []byte {
	p := r.rest
	r.rest = nil
	return p
}

// More tells whether anything is left to read.
func (r *Reader) More() bool { return r.err == nil && len(r.rest) > 0 }

// Err is the first error met.
func (r *Reader) Err() error { return r.err }

// Done is the first error met, or that bytes are left over.
func (r *Reader) Done() error {
	if r.err == nil && len(r.rest) > 0 {
		r.fail("bytes left over")
	}
	return r.err
}
