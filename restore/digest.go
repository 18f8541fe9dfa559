package restore

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"math/bits"
)

// digester makes digests of values: polynomials over the bytes, modulo the prime 2^61-1, at a point that is secret and new
// for every run. Two values of n bytes that differ have equal digests with probability n/2^61. What a digest like this has
// over others is that those of a stretch follow from those of what comes before and of what ends with it, so the values in
// a stream can be told apart when the stream is over.
type digester struct {
	point uint64
	table *[8][256]uint64 // every byte times every power of the point from 0 to 7
	step  uint64          // the eighth power
}

const digestPrime = 1<<61 - 1

func newDigester() digester {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	d := digester{point: binary.LittleEndian.Uint64(b[:])%(digestPrime-1) + 1, table: new([8][256]uint64)}
	for power := range d.table {
		for b := range d.table[power] {
			d.table[power][b] = multiply(d.power(int64(power)), uint64(b)) % digestPrime
		}
	}
	d.step = d.power(8)
	return d
}

// extend is the digest of data behind what has the digest sum: sum times the point plus the byte, eight bytes a turn.
func (d digester) extend(sum uint64, data []byte) uint64 {
	t := d.table
	for ; len(data) >= 8; data = data[8:] {
		// Seven numbers below 2^61 and a byte: no overflow.
		word := t[7][data[0]] + t[6][data[1]] + t[5][data[2]] + t[4][data[3]] + t[3][data[4]] + t[2][data[5]] + t[1][data[6]] + uint64(data[7])
		sum = multiply(sum, d.step) + word&digestPrime + word>>61
	}
	for _, b := range data {
		sum = multiply(sum, d.point) + uint64(b)
	}
	return sum % digestPrime
}

// power is point to the nth.
func (d digester) power(n int64) uint64 {
	result, square := uint64(1), d.point
	for ; n > 0; n >>= 1 {
		if n&1 != 0 {
			result = multiply(result, square) % digestPrime
		}
		square = multiply(square, square) % digestPrime
	}
	return result
}

// multiply gives a number congruent to a*b and below 2^61+16, for a below 2^62+32 and b below 2^61.
func multiply(a, b uint64) uint64 {
	high, low := bits.Mul64(a, b)
	sum := low&digestPrime + (high<<3 | low>>61)
	return sum&digestPrime + sum>>61
}

// digestSpool is a fasttransfer.Spool that forgets the bytes and knows the digests of the values.
type digestSpool struct {
	digester
	end int64
	sum uint64           // of all that was written
	at  map[int64]uint64 // sum at the end of every write; a value ends where a write ends

	crowded bool // more writes than are remembered: what lies behind them is not known
}

// mostWrites bounds the writes remembered. A blob of gigabytes has fewer unless somebody made its records small.
const mostWrites = 1 << 18

func newDigestSpool(d digester) *digestSpool {
	return &digestSpool{digester: d, at: map[int64]uint64{0: 0}}
}

// WriteAt takes the next bytes.
func (s *digestSpool) WriteAt(p []byte, off int64) (int, error) {
	if off != s.end {
		return 0, errors.New("values do not follow one another")
	}
	s.end += int64(len(p))
	s.sum = s.extend(s.sum, p)
	if s.crowded = s.crowded || len(s.at) == mostWrites; !s.crowded {
		s.at[s.end] = s.sum
	}
	return len(p), nil
}

// ReadAt has nothing to give.
func (s *digestSpool) ReadAt([]byte, int64) (int, error) {
	return 0, errors.New("the value was not kept")
}

// between is the digest of the value that lies there; false when none does.
func (s *digestSpool) between(start, n int64) (uint64, bool) {
	before, ok := s.at[start]
	after, there := s.at[start+n]
	if !ok || !there {
		return 0, false
	}
	return (after + digestPrime - multiply(before, s.power(n))%digestPrime) % digestPrime, true
}
