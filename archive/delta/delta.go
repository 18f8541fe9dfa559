package delta

import (
	"encoding/binary"
	"errors"
	"fmt"

	"mailbrick/archive/wire"
)

// ErrDamaged says that a delta does not give a target of its own length from the base.
var ErrDamaged = errors.New("delta damaged")

const (
	seed      = 8 // bytes that must be alike before a match is looked at
	stride    = 8 // every so many places of the base are known to the search
	tableBits = 16
)

// Encoder finds deltas. It keeps its tables from one call to the next and is not for concurrent use.
type Encoder struct {
	table    [1 << tableBits]int32 // hash of a seed -> its place in the base + 1
	used     []uint32              // entries to clear
	moves    []byte
	literals []byte
}

// Encode appends the delta that makes target of base.
func (e *Encoder) Encode(dst, base, target []byte) []byte {
	e.learn(base)
	s := search{e: e, base: base, target: target}
	for s.at+seed <= len(target) {
		if !s.onward() && !s.elsewhere() {
			s.at++
		}
	}
	dst = wire.AppendUvarint(dst, uint64(len(target)))
	dst = wire.AppendBytes(dst, e.moves)
	return append(append(dst, e.literals...), target[s.done:]...)
}

// learn makes the table of a base.
func (e *Encoder) learn(base []byte) {
	for _, h := range e.used {
		e.table[h] = 0
	}
	e.used, e.moves, e.literals = e.used[:0], e.moves[:0], e.literals[:0]
	for i := 0; i+seed <= len(base); i += stride {
		if h := hash(base[i:]); e.table[h] == 0 {
			e.table[h] = int32(i + 1)
			e.used = append(e.used, h)
		}
	}
}

func hash(p []byte) uint32 {
	return uint32(binary.LittleEndian.Uint64(p) * 0x9E3779B185EBCA87 >> (64 - tableBits))
}

// search is one call of Encode.
type search struct {
	e            *Encoder
	base, target []byte
	at           int // in the target
	done         int // of the target, by the moves so far
	onwards      int // in the base: where the last move ended
}

// onward takes a match that goes on where the last one ended, past as many bytes as were inserted: a field that differs in
// place.
func (s *search) onward() bool {
	from := s.onwards + s.at - s.done
	if from+seed > len(s.base) || binary.LittleEndian.Uint64(s.base[from:]) != binary.LittleEndian.Uint64(s.target[s.at:]) {
		return false
	}
	s.move(from)
	return true
}

// elsewhere takes a match anywhere in the base.
func (s *search) elsewhere() bool {
	from := int(s.e.table[hash(s.target[s.at:])]) - 1
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

// Apply gives the target of at most limit bytes. Everything wrong is ErrDamaged.
func Apply(base, delta []byte, limit int) ([]byte, error) {
	r := wire.NewReader(delta)
	size, moves := r.Uvarint(), wire.NewReader(r.Bytes())
	if r.Err() != nil || size > uint64(limit) {
		return nil, fmt.Errorf("%w: a target of %d bytes, %d at most", ErrDamaged, size, limit)
	}
	literals := r.Rest()
	target := make([]byte, 0, size)
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
	return append(target, literals...), nil
}
