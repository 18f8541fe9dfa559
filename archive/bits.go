package archive

import mathbits "math/bits"

// bits are a set of small numbers: bit n%8 of byte n/8 stands for n.
type bits []byte

func newBits(n int) bits { return make(bits, (n+7)/8) }

func (b bits) has(n uint32) bool { return int(n/8) < len(b) && b[n/8]&(1<<(n%8)) != 0 }

// set adds a number and tells whether it was not there.
func (b bits) set(n uint32) bool {
	if int(n/8) >= len(b) || b.has(n) {
		return false
	}
	b[n/8] |= 1 << (n % 8)
	return true
}

// fill adds the numbers below n.
func (b bits) fill(n int) {
	for i := range uint32(n) {
		b.set(i)
	}
}

// any tells whether a number of a range is there.
func (b bits) any(from, to uint32) bool {
	for n := from; n < to; n++ {
		if b.has(n) {
			return true
		}
	}
	return false
}

// count is how many numbers are there.
func (b bits) count() (n int) {
	for _, each := range b {
		n += mathbits.OnesCount8(each)
	}
	return n
}

// inverse has the numbers below n that are not there; nil when all are.
func (b bits) inverse(n int) bits {
	out, some := newBits(n), false
	for i := range uint32(n) {
		if !b.has(i) {
			some = out.set(i)
		}
	}
	if !some {
		return nil
	}
	return out
}
