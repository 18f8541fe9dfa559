package pst

import (
	"encoding/binary"
	"io"
	"sort"
)

// stream is the data of a node: the leaves of a data tree [MS-PST] 2.2.2.8.3.
type stream struct {
	f      *File
	leaves []leaf
	tail   string // what the value has beyond its data: the terminator of a string
}

type leaf struct {
	block
	end int64 // in the stream
}

// length is the bytes of the data.
func (s *stream) length() int64 {
	if len(s.leaves) == 0 {
		return 0
	}
	return s.leaves[len(s.leaves)-1].end
}

func (s *stream) size() int64 { return s.length() + int64(len(s.tail)) }

// ReadAt reads data and tail.
func (s *stream) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, io.ErrUnexpectedEOF
	}
	i := sort.Search(len(s.leaves), func(i int) bool { return s.leaves[i].end > off })
	for ; i < len(s.leaves) && n < len(p); i++ {
		at := off + int64(n)
		take := min(int64(len(p)-n), s.leaves[i].end-at)
		if err := s.f.loadPart(s.leaves[i].block, p[n:n+int(take)], s.leaves[i].size-int(s.leaves[i].end-at)); err != nil {
			return n, err
		}
		n += int(take)
	}
	if over := off + int64(n) - s.length(); n < len(p) && over >= 0 && over < int64(len(s.tail)) {
		n += copy(p[n:], s.tail[over:])
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// open finds the leaves of a data tree. With an error it gives those before the damage.
func (in *reader) open(bid uint64) (*stream, error) {
	s := &stream{f: in.f}
	if bid == 0 {
		return s, nil
	}
	return s, in.branch(s, bid, maxDataLevel+1)
}

// maxDataLevel is that of an XXBLOCK [MS-PST] 2.2.2.8.3.2.2; an XBLOCK has level 1.
const maxDataLevel = 2

// branch adds the leaves below a block; above is the level of the block that named it.
func (in *reader) branch(s *stream, bid uint64, above int) error {
	b, err := in.f.find(bid)
	if err != nil {
		return err
	}
	if !internal(bid) {
		if above == maxDataLevel {
			return damaged("block %#x: data where a list of blocks should be", bid)
		}
		if err := in.charge(in.f.footprint(b)); err != nil {
			return err
		}
		s.leaves = append(s.leaves, leaf{b, s.length() + int64(b.size)})
		return nil
	}
	data, err := in.load(b)
	if err != nil {
		return err
	}
	const header = 8
	if len(data) < header || data[0] != 1 || data[1] == 0 || int(data[1]) >= above {
		return damaged("block %#x: not a list of blocks", bid)
	}
	level, count := int(data[1]), int(binary.LittleEndian.Uint16(data[2:]))
	if count*in.f.l.id > len(data)-header {
		return damaged("block %#x: %d blocks in %d bytes", bid, count, len(data))
	}
	before := s.length()
	for i := range count {
		child := in.f.l.word(data[header+i*in.f.l.id:])
		if level == 1 && internal(child) {
			return damaged("block %#x: a list in a list of data", child)
		}
		if err := in.branch(s, child, level); err != nil {
			return err
		}
	}
	if total := int64(binary.LittleEndian.Uint32(data[4:])); total != s.length()-before {
		in.warn("block %#x: %d bytes below it, and it says %d", bid, s.length()-before, total)
	}
	return nil
}

// load reads a block and warns of what is odd.
func (in *reader) load(b block) ([]byte, error) {
	if err := in.charge(in.f.footprint(b)); err != nil {
		return nil, err
	}
	return in.loadLeaf(b)
}

// loadLeaf is load of a block that is charged.
func (in *reader) loadLeaf(b block) ([]byte, error) {
	data, oddity, err := in.f.load(b)
	if oddity != "" {
		in.warn("%s", oddity)
	}
	return data, err
}

// verify reads all of a stream once, so that what is wrong with it is told with
// its message, and cuts it before the first block that cannot be read.
func (in *reader) verify(s *stream) error {
	for i := range s.leaves {
		oddity, err := in.f.check(s.leaves[i].block)
		if oddity != "" {
			in.warn("%s", oddity)
		}
		if err != nil {
			s.leaves = s.leaves[:i]
			return err
		}
	}
	return nil
}

// all is the data of a stream in memory; it cuts the stream as verify does.
func (in *reader) all(s *stream) ([]byte, error) {
	data := make([]byte, 0, s.length())
	for i := range s.leaves {
		content, err := in.loadLeaf(s.leaves[i].block)
		if err != nil {
			s.leaves = s.leaves[:i]
			return data, err
		}
		data = append(data, content...)
	}
	return data, nil
}
