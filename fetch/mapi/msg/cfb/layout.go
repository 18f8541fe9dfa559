package cfb

import (
	"fmt"
	"io"
	"unicode/utf16"
)

// record is an entry in its place in the directory.
type record struct {
	*Entry
	name               []uint16
	content            io.ReaderAt // of a stream that is not empty
	red                bool
	left, right, child uint32
	mini               uint32 // first mini sector
	chain              chain  // of a stream that is not mini
}

func (r *record) isMini() bool { return r.content != nil && r.Size < cutoff }

// flatten puts a tree in the order of the directory: the children of a storage in a row.
func flatten(root *Entry) ([]record, error) {
	records := []record{{Entry: root, name: utf16.Encode([]rune("Root Entry")), left: noEntry, right: noEntry, child: noEntry}}
	depths := []int{0}
	for i := 0; i < len(records); i++ {
		if !records[i].Storage {
			continue
		}
		if len(records[i].Children) > 0 && depths[i] == maxDepth {
			return nil, fmt.Errorf("%w: storages nest deeper than %d", ErrNotEncodable, maxDepth)
		}
		children, ok := sorted(records[i].Children)
		if !ok {
			return nil, fmt.Errorf("%w: two entries of one name in %q", ErrNotEncodable, records[i].Name)
		}
		first := len(records)
		if first+len(children) > maxEntries {
			return nil, fmt.Errorf("%w: more than %d entries", ErrNotEncodable, maxEntries)
		}
		for _, e := range children {
			r, err := newRecord(e)
			if err != nil {
				return nil, fmt.Errorf("entry %q: %w", e.Name, err)
			}
			records, depths = append(records, r), append(depths, depths[i]+1)
		}
		records[i].child = balance(records[first:], uint32(first), 0, fullLevels(len(children)))
	}
	return records, nil
}

func newRecord(e *Entry) (record, error) {
	r := record{Entry: e, name: utf16.Encode([]rune(e.Name)), left: noEntry, right: noEntry, child: noEntry}
	if len(r.name) == 0 || len(r.name) > nameUnits {
		return r, fmt.Errorf("%w: name of %d characters", ErrNotEncodable, len(r.name))
	}
	if e.Storage {
		return r, nil
	}
	content, err := e.Open()
	if err != nil {
		return r, err
	}
	if e.Size > 0 {
		r.content = content
	}
	return r, nil
}

// fullLevels is how many levels of a balanced tree of n entries are full.
func fullLevels(n int) int {
	levels := 0
	for n+1 >= 2<<levels {
		levels++
	}
	return levels
}

// balance makes a tree of a row of entries and returns its top. What is below
// the full levels is red: every path has as many black entries, and no red one
// has a child [MS-CFB] 2.6.4.
func balance(row []record, first uint32, level, full int) uint32 {
	if len(row) == 0 {
		return noEntry
	}
	middle := len(row) / 2
	r := &row[middle]
	r.red = level >= full
	r.left = balance(row[:middle], first, level+1, full)
	r.right = balance(row[middle+1:], first+uint32(middle)+1, level+1, full)
	return first + uint32(middle)
}

// chain is sectors in a row, in two rows where the range lock sector is between.
type chain struct {
	first uint32
	n     int64
	split int64 // sectors of the first row where there are two; 0 else
}

// start is the first sector of a chain as the header and directory say it.
func (c chain) start() uint32 {
	if c.n == 0 {
		return endOfChain
	}
	return c.first
}

// layout says where everything lies.
type layout struct {
	shift   uint
	records []record
	minis   int64 // mini sectors

	fat, difat, directory, miniFAT, mini chain
	next                                 int64 // free sector
	locked                               bool  // the range lock sector is in the file
}

func newLayout(records []record, shift uint) *layout {
	l := &layout{shift: shift, records: records}
	var large int64
	for i := range records {
		switch r := &records[i]; {
		case r.isMini():
			r.mini = uint32(l.minis)
			l.minis += ceil(r.Size, miniSize)
		case r.content != nil:
			large += ceil(r.Size, l.sector())
		}
	}
	directory := ceil(int64(len(records))*entrySize, l.sector())
	miniFAT := ceil(l.minis*4, l.sector())
	mini := ceil(l.minis*miniSize, l.sector())
	fat, difat := l.tables(directory + miniFAT + mini + large)
	for _, a := range []struct {
		c *chain
		n int64
	}{{&l.fat, fat}, {&l.difat, difat}, {&l.directory, directory}, {&l.miniFAT, miniFAT}, {&l.mini, mini}} {
		*a.c = l.allocate(a.n)
	}
	for i := range records {
		if r := &records[i]; r.content != nil && !r.isMini() {
			r.chain = l.allocate(ceil(r.Size, l.sector()))
		}
	}
	return l
}

func ceil(n, unit int64) int64 { return (n + unit - 1) / unit }

func (l *layout) sector() int64  { return 1 << l.shift }
func (l *layout) sectors() int64 { return l.next }
func (l *layout) words() int64   { return l.sector() / 4 }

func (l *layout) version() uint16 {
	if l.shift == shiftV4 {
		return 4
	}
	return 3
}

// tables is how many sectors FAT and DIFAT take for that many others: both count themselves.
func (l *layout) tables(others int64) (fat, difat int64) {
	for {
		all := others + fat + difat
		if l.shift == shiftV4 && all > lockSector {
			all++
		}
		f := ceil(all, l.words())
		d := ceil(max(f-inHeader, 0), l.words()-1)
		if f == fat && d == difat {
			return fat, difat
		}
		fat, difat = f, d
	}
}

// allocate takes the next n sectors, without the range lock sector.
func (l *layout) allocate(n int64) chain {
	if n == 0 {
		return chain{}
	}
	l.skipLock()
	c := chain{first: uint32(l.next), n: n}
	if l.shift == shiftV4 && l.next < lockSector && l.next+n > lockSector {
		c.split = lockSector - l.next
		l.locked = true
		n++
	}
	l.next += n
	return c
}

func (l *layout) skipLock() {
	if l.shift == shiftV4 && l.next == lockSector {
		l.locked = true
		l.next++
	}
}

func (l *layout) offset(sector int64) int64 { return (sector + 1) << l.shift }

// image encodes the tables and puts the streams where they belong.
func (l *layout) image() (*Image, error) {
	if l.sectors() > maxRegular || l.mini.split+l.miniFAT.split+l.directory.split+l.difat.split+l.fat.split > 0 {
		return nil, fmt.Errorf("%w: %d sectors", ErrNotEncodable, l.sectors())
	}
	tables, err := l.encode()
	if err != nil {
		return nil, err
	}
	m := &Image{size: l.offset(l.sectors())}
	m.parts = append(m.parts, part{0, int64(len(tables)), memory(tables)})
	for i := range l.records {
		r := &l.records[i]
		if r.chain.n == 0 {
			continue
		}
		offset, split := l.offset(int64(r.chain.first)), r.chain.split<<l.shift
		if split > 0 {
			m.parts = append(m.parts, part{offset, split, r.content},
				part{offset + split + l.sector(), r.Size - split, io.NewSectionReader(r.content, split, r.Size-split)})
			continue
		}
		m.parts = append(m.parts, part{offset, r.Size, r.content})
	}
	return m, nil
}
