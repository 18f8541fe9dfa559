package delta

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"slices"

	"mailbrick/archive/wire"
)

// ErrDamaged says that a delta does not give a target of its own length from the base.
var ErrDamaged = errors.New("delta damaged")

const (
	seed   = 8  // bytes that must be alike before a match is looked at
	stride = 16 // every so many places of the base are known to the search
	field  = 64 // a field up to this length that differs in place is passed over at once, whatever of it stands elsewhere
	hurry  = 6  // where nothing is alike the search goes on by steps that grow by one with each 1<<hurry bytes

	fewBits, mostBits = 8, 16 // of the search's table: it is as long as the base asks for, so that it stays in the nearest cache
)

// Encoder finds deltas. It keeps its tables from one call to the next and is not for concurrent use.
type Encoder struct {
	table    [1 << mostBits]int32 // hash of a seed -> its place in the base + 1
	shift    uint                 // what makes a hash of a product
	moves    []byte
	literals []byte
}

// Encode appends the delta that makes target of base.
func (e *Encoder) Encode(dst, base, target []byte) []byte {
	e.moves, e.literals = e.moves[:0], e.literals[:0]
	s := search{e: e, base: base, target: target}
	for s.at+seed <= len(target) {
		places := 1
		if s.at == s.done {
			places = field
		}
		if !s.onward(places) && !s.elsewhere() {
			s.at += 1 + (s.at-s.done)>>hurry
		}
	}
	dst = wire.AppendUvarint(dst, uint64(len(target)))
	dst = wire.AppendBytes(dst, e.moves)
	return append(append(dst, e.literals...), target[s.done:]...)
}

// learn makes the table of a base, of at least four entries for each place.
func (e *Encoder) learn(base []byte) {
	width := min(max(bits.Len(uint(len(base)*4/stride)), fewBits), mostBits)
	e.shift = uint(64 - width)
	clear(e.table[:1<<width])
	for i := 0; i+seed <= len(base); i += stride {
		if at := &e.table[e.hash(base[i:])]; *at == 0 {
			*at = int32(i + 1)
		}
	}
}

func (e *Encoder) hash(p []byte) uint16 {
	return uint16(binary.LittleEndian.Uint64(p) * 0x9E3779B185EBCA87 >> e.shift)
}

// search is one call of Encode.
type search struct {
	e            *Encoder
	base, target []byte
	at           int // in the target
	done         int // of the target, by the moves so far
	onwards      int // in the base: where the last move ended
	learned      bool
}

// onward takes a match that goes on where the last one ended, past as many bytes as were inserted: a field that differs in
// place. It looks at so many places.
func (s *search) onward(places int) bool {
	from := s.onwards + s.at - s.done
	places = min(places, len(s.base)-from-seed+1, len(s.target)-s.at-seed+1)
	for k := range places {
		if binary.LittleEndian.Uint64(s.base[from+k:]) == binary.LittleEndian.Uint64(s.target[s.at+k:]) {
			s.at += k
			s.move(from + k)
			return true
		}
	}
	return false
}

// elsewhere takes a match anywhere in the base.
func (s *search) elsewhere() bool {
	if !s.learned {
		s.e.learn(s.base)
		s.learned = true
	}
	from := int(s.e.table[s.e.hash(s.target[s.at:])]) - 1
	if from < 0 || binary.LittleEndian.Uint64(s.base[from:]) != binary.LittleEndian.Uint64(s.target[s.at:]) {
		return false
	}
	for from > 0 && s.at > s.done && s.base[from-1] == s.target[s.at-1] {
		from--
		s.at--
	}
	s.move(from)
	return true
}

// move notes the match at s.at with all that follows it.
func (s *search) move(from int) {
	n := alike(s.base[from:], s.target[s.at:])
	s.e.moves = wire.AppendUvarint(s.e.moves, uint64(s.at-s.done))
	s.e.moves = wire.AppendUvarint(s.e.moves, uint64(n))
	s.e.moves = wire.AppendVarint(s.e.moves, int64(from-s.onwards))
	s.e.literals = append(s.e.literals, s.target[s.done:s.at]...)
	s.at += n
	s.done, s.onwards = s.at, from+n
}

// alike is how many bytes two runs begin with in common.
func alike(a, b []byte) int {
	n := min(len(a), len(b))
	a, b = a[:n], b[:n]
	i := 0
	for ; i+8 <= n; i += 8 {
		if binary.LittleEndian.Uint64(a[i:]) != binary.LittleEndian.Uint64(b[i:]) {
			break
		}
	}
	for i < n && a[i] == b[i] {
		i++
	}
	return i
}

// Apply appends the target, of at most limit bytes, to dst. Everything wrong is ErrDamaged.
func Apply(dst, base, delta []byte, limit int) ([]byte, error) {
	r := wire.NewReader(delta)
	size, moves := r.Uvarint(), wire.NewReader(r.Bytes())
	if r.Err() != nil || size > uint64(limit) {
		return nil, fmt.Errorf("%w: a target of %d bytes, %d at most", ErrDamaged, size, limit)
	}
	literals := r.Rest()
	dst = slices.Grow(dst, int(size))
	target := dst[len(dst):]
	onwards := int64(0)
	for moves.More() {
		inserted, copied, by := moves.Uvarint(), moves.Uvarint(), moves.Varint()
		from, left := onwards+by, size-uint64(len(target))
		switch {
		case moves.Err() != nil:
			return nil, fmt.Errorf("%w: %w", ErrDamaged, moves.Err())
		case inserted > uint64(len(literals)) || inserted > left || copied > left-inserted:
			return nil, fmt.Errorf("%w: a move past the end", ErrDamaged)
		case copied == 0 || from < 0 || from > int64(len(base)) || copied > uint64(int64(len(base))-from):
			return nil, fmt.Errorf("%w: a move outside of the base", ErrDamaged)
		}
		target = append(append(target, literals[:inserted]...), base[from:from+int64(copied)]...)
		literals, onwards = literals[inserted:], from+int64(copied)
	}
	if uint64(len(literals)) != size-uint64(len(target)) {
		return nil, fmt.Errorf("%w: a tail of %d bytes, %d are wanted", ErrDamaged, len(literals), size-uint64(len(target)))
	}
	target = append(target, literals...)
	return dst[:len(dst)+len(target)], nil
}
