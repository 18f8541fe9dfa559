package cfb

import (
	"fmt"
	"io"
	"slices"
	"sort"
)

// space is a file cut into units that are chained: the sectors of the whole
// file, or the mini sectors of the mini stream.
type space struct {
	r     io.ReaderAt
	size  int64 // bytes of r
	shift uint
	base  int64 // where unit 0 begins
	units int64
	next  []uint32 // the unit that follows, by unit; may cover more or less than units
	used  []uint64 // bit by unit
}

func newSpace(r io.ReaderAt, size int64, shift uint, base, units int64) space {
	return space{r: r, size: size, shift: shift, base: base, units: units, used: make([]uint64, (units+63)/64)}
}

func (s *space) unit() int64              { return 1 << s.shift }
func (s *space) offset(unit uint32) int64 { return s.base + int64(unit)<<s.shift }

// claim takes a unit for one use, and says whether it is there and was not taken.
func (s *space) claim(unit uint32) bool {
	if int64(unit) >= s.units {
		return false
	}
	word, bit := &s.used[unit/64], uint64(1)<<(unit%64)
	fresh := *word&bit == 0
	*word |= bit
	return fresh
}

// run is a row of units that follow each other in the file.
type run struct {
	at     int64 // where in the chain it begins
	offset int64 // in the file
	n      int64 // bytes
}

// chain follows a chain to its end, or for at most that many bytes.
func (s *space) chain(start uint32, most int64) (runs []run, n int64, err error) {
	for unit := start; n < most; {
		if unit == endOfChain {
			return runs, n, nil
		}
		if !s.claim(unit) {
			return runs, n, fmt.Errorf("%w: sector %08X is not in the file or used twice", ErrDamaged, unit)
		}
		offset := s.offset(unit)
		there := min(s.unit(), most-n, s.size-offset)
		if last := len(runs) - 1; last >= 0 && runs[last].offset+runs[last].n == offset {
			runs[last].n += there
		} else {
			runs = append(runs, run{n, offset, there})
		}
		n += there
		if there < s.unit() && n < most {
			return runs, n, fmt.Errorf("%w: the file is cut short", ErrDamaged)
		}
		if int64(unit) >= int64(len(s.next)) {
			unit = free
			continue
		}
		unit = s.next[unit]
	}
	return runs, n, nil
}

// content is a stream; it is shorter than size where there is an error.
func (s *space) content(start uint32, size int64) (io.ReaderAt, int64, error) {
	if size == 0 {
		return nil, 0, nil
	}
	runs, n, err := s.chain(start, size)
	if err == nil && n < size {
		err = fmt.Errorf("%w: %d of %d bytes are there", ErrDamaged, n, size)
	}
	return s.reader(runs), n, err
}

func (s *space) reader(runs []run) io.ReaderAt {
	switch len(runs) {
	case 0:
		return nil
	case 1:
		return io.NewSectionReader(s.r, runs[0].offset, runs[0].n)
	}
	return &chained{s.r, slices.Clip(runs)}
}

// chained reads runs as one.
type chained struct {
	r    io.ReaderAt
	runs []run
}

func (c *chained) ReadAt(p []byte, off int64) (n int, err error) {
	i := sort.Search(len(c.runs), func(i int) bool { return c.runs[i].at+c.runs[i].n > off })
	for ; n < len(p) && i < len(c.runs); i++ {
		run := c.runs[i]
		skip := off + int64(n) - run.at
		part := p[n:min(int64(len(p)), int64(n)+run.n-skip)]
		k, err := c.r.ReadAt(part, run.offset+skip)
		n += k
		if k < len(part) {
			return n, err
		}
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
