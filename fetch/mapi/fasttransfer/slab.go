package fasttransfer

// slab is memory for slices of which none is needed longer than the others.
type slab[T any] struct {
	piece []T // given out up to its length
}

const (
	slabMin  = 16      // values of a slice
	slabMost = 1 << 10 // values of a piece, if no slice needs more
)

// room gives an empty slice with room for n values.
func (s *slab[T]) room(n int) []T {
	at := len(s.piece)
	if n > cap(s.piece)-at {
		at = 0
		s.piece = make([]T, 0, max(n, min(2*cap(s.piece), slabMost)))
	}
	s.piece = s.piece[:at+n]
	return s.piece[at : at : at+n]
}

// add is append in the memory of the slab.
func (s *slab[T]) add(list []T, v T) []T {
	if len(list) == cap(list) {
		list = append(s.room(max(2*len(list), slabMin)), list...)
	}
	return append(list, v)
}

// reset takes back all that was given out, but for what a rare message made large.
func (s *slab[T]) reset() {
	if cap(s.piece) > slabMost {
		s.piece = nil
	}
	clear(s.piece)
	s.piece = s.piece[:0]
}
