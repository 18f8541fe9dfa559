package pst

import (
	"encoding/binary"
	"fmt"
	"iter"
	"sort"
)

const (
	kindBlocks = 0x80 // ptypeBBT
	kindNodes  = 0x81 // ptypeNBT

	maxLevels = 16  // of a B-tree; ten would do for 2^63 bytes
	maxPages  = 512 // kept in memory
)

// tree is one of the two B-trees of a file [MS-PST] 2.2.2.7.7.
type tree struct {
	root ref
	kind byte
	mask uint64 // the bits of a key that count
	leaf int    // the least size of an entry in a leaf
}

// page is a page of a tree, checked: all entries are there.
type page struct {
	entries []byte
	count   int
	size    int // of an entry
	level   int // 0 is a leaf
}

func (p *page) entry(i int) []byte { return p.entries[i*p.size : (i+1)*p.size] }

// page reads a page; level is what its parent calls for, -1 for a root.
func (f *File) page(t *tree, r ref, level int) (*page, error) {
	f.mu.Lock()
	p := f.pages[r.off]
	f.mu.Unlock()
	if p == nil {
		var err error
		if p, err = f.readPage(t, r); err != nil {
			return nil, err
		}
		f.keepPage(r.off, p)
	}
	if level >= 0 && p.level != level || p.level >= maxLevels {
		return nil, damaged("page %#x: level %d", r.off, p.level)
	}
	return p, nil
}

// keepPage puts one of the pages kept, any, out for p.
func (f *File) keepPage(off int64, p *page) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.pages) >= maxPages {
		for k := range f.pages {
			delete(f.pages, k)
			break
		}
	}
	f.pages[off] = p
}

func (f *File) readPage(t *tree, r ref) (*page, error) {
	buf := make([]byte, f.l.page)
	if err := f.readAt(buf, r.off); err != nil {
		return nil, fmt.Errorf("page %#x: %w", r.off, err)
	}
	end := f.l.trailer(buf[f.l.pageTrailer:])
	if end.head != uint16(t.kind)<<8|uint16(t.kind) {
		return nil, damaged("page %#x: type %#04x, not %#02x", r.off, end.head, t.kind)
	}
	// A page that is whole in itself may be used: the blocks say what they are.
	if end.crc != checksum(buf[:f.l.pageTrailer]) {
		f.warn("page %#x: the checksum does not match", r.off)
	}
	if end.bid != r.bid {
		f.warn("page %#x: it is page %#x, not %#x", r.off, end.bid, r.bid)
	}
	p := &page{}
	counts := buf[f.l.counts:]
	if f.format == Unicode4K {
		p.count, p.size, p.level = int(binary.LittleEndian.Uint16(counts)), int(counts[4]), int(counts[5])
	} else {
		p.count, p.size, p.level = int(counts[0]), int(counts[2]), int(counts[3])
	}
	least := t.leaf
	if p.level > 0 {
		least = 3 * f.l.id
	}
	if p.size < least || p.count*p.size > f.l.counts {
		return nil, damaged("page %#x: %d entries of %d bytes", r.off, p.count, p.size)
	}
	p.entries = buf[: p.count*p.size : p.count*p.size]
	return p, nil
}

func (f *File) key(t *tree, entry []byte) uint64 { return f.l.word(entry) & t.mask }

// lookup finds the entry of a key; nil when there is none.
func (f *File) lookup(t *tree, key uint64) ([]byte, error) {
	key &= t.mask
	r, level := t.root, -1
	for {
		p, err := f.page(t, r, level)
		if err != nil {
			return nil, err
		}
		i := sort.Search(p.count, func(i int) bool { return f.key(t, p.entry(i)) > key }) - 1
		switch {
		case i < 0:
			return nil, nil
		case p.level > 0:
			r, level = f.l.ref(p.entry(i)[f.l.id:]), p.level-1
		case f.key(t, p.entry(i)) != key:
			return nil, nil
		default:
			return p.entry(i), nil
		}
	}
}

// all yields the entries of a tree with rising keys. Pages that cannot be read
// are left out with an error; an entry out of order is left out silently, for
// lookup would not find it either.
func (f *File) all(t *tree) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		w := walk{f: f, t: t, yield: yield, pages: f.size/int64(f.l.page) + 1}
		w.page(t.root, -1)
	}
}

type walk struct {
	f     *File
	t     *tree
	yield func([]byte, error) bool
	pages int64  // that may still be read: a tree has no more than its file
	next  uint64 // the least key that may come
}

// page walks a page and says whether to go on.
func (w *walk) page(r ref, level int) bool {
	if w.pages--; w.pages < 0 {
		w.yield(nil, damaged("a B-tree has more pages than the file"))
		return false
	}
	p, err := w.f.page(w.t, r, level)
	if err != nil {
		return w.yield(nil, err)
	}
	for i := range p.count {
		e := p.entry(i)
		if p.level > 0 {
			if !w.page(w.f.l.ref(e[w.f.l.id:]), p.level-1) {
				return false
			}
			continue
		}
		key := w.f.key(w.t, e)
		if key < w.next {
			continue
		}
		w.next = key + 1
		if !w.yield(e, nil) {
			return false
		}
	}
	return true
}
