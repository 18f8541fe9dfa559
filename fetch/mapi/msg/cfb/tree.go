package cfb

import (
	"encoding/binary"
	"fmt"
	"io"
	"unicode/utf16"
)

const (
	entrySize  = 128
	nameUnits  = 31 // of a name, without its NUL
	maxEntries = 1 << 20
	maxDepth   = 256 // storages in each other
	noEntry    = 0xFFFFFFFF

	kindFree    = 0
	kindStorage = 1
	kindStream  = 2
	kindRoot    = 5

	// wholeMini is up to where the mini stream is read at once: every small
	// stream would be a read of its own else.
	wholeMini = 16 << 20
)

// directory is the array of entries while it is made a tree.
type directory struct {
	*File
	data []byte
	used []uint64
}

func (f *File) readDirectory(h *header) error {
	runs, n, err := f.sectors.chain(h.directory, maxEntries*entrySize)
	if err != nil {
		f.warn("directory: %v", err)
	}
	if n < entrySize {
		return fmt.Errorf("%w: no directory", ErrDamaged)
	}
	d := directory{f, make([]byte, n-n%entrySize), make([]uint64, (n/entrySize+63)/64)}
	if _, err := io.ReadFull(io.NewSectionReader(f.sectors.reader(runs), 0, n), d.data); err != nil {
		return fmt.Errorf("%w: directory: %w", ErrDamaged, err)
	}
	if kind := d.data[66]; kind != kindRoot {
		f.warn("the first entry of the directory is of kind %d, not a root", kind)
	}
	root := d.raw(0)
	f.Root = root.entry(f)
	f.Root.Storage = true
	f.readMini(h, root)
	d.used[0] = 1
	d.children(f.Root, root.child(), 0)
	return nil
}

// readMini opens the mini stream, which is the root's.
func (f *File) readMini(h *header, root rawEntry) {
	size := f.Root.Size
	f.Root.Size = 0
	stream, n, err := f.sectors.content(root.start(), size)
	if err != nil {
		f.warn("mini stream: %v", err)
	}
	if n == 0 {
		return
	}
	if n <= wholeMini {
		data := make([]byte, n)
		k, _ := stream.ReadAt(data, 0)
		stream, n = memory(data[:k]), int64(k)
	}
	f.mini = newSpace(stream, n, miniShift, 0, (n+miniSize-1)/miniSize)
	runs, words, err := f.sectors.chain(h.miniFAT, (f.mini.units*4+f.sectors.unit()-1)&^(f.sectors.unit()-1))
	if err != nil {
		f.warn("mini FAT: %v", err)
	}
	if words == 0 {
		return
	}
	data := make([]byte, words)
	k, _ := f.sectors.reader(runs).ReadAt(data, 0)
	f.mini.next = make([]uint32, k/4)
	for i := range f.mini.next {
		f.mini.next[i] = binary.LittleEndian.Uint32(data[4*i:])
	}
}

// memory is bytes.Reader without its position.
type memory []byte

func (m memory) ReadAt(p []byte, off int64) (int, error) {
	if off >= int64(len(m)) {
		return 0, io.EOF
	}
	n := copy(p, m[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

type rawEntry []byte

func (d *directory) raw(i uint32) rawEntry {
	return rawEntry(d.data[int64(i)*entrySize:][:entrySize])
}

func (r rawEntry) word(at int) uint32 { return binary.LittleEndian.Uint32(r[at:]) }
func (r rawEntry) left() uint32       { return r.word(68) }
func (r rawEntry) right() uint32      { return r.word(72) }
func (r rawEntry) child() uint32      { return r.word(76) }
func (r rawEntry) start() uint32      { return r.word(116) }

func (r rawEntry) name() string {
	n := min(int(binary.LittleEndian.Uint16(r[64:])), 64) / 2
	units := make([]uint16, 0, nameUnits+1)
	for i := range n {
		u := binary.LittleEndian.Uint16(r[2*i:])
		if u == 0 {
			break
		}
		units = append(units, u)
	}
	return string(utf16.Decode(units))
}

func (r rawEntry) entry(f *File) *Entry {
	e := &Entry{
		Name:     r.name(),
		Storage:  r[66] == kindStorage || r[66] == kindRoot,
		CLSID:    [16]byte(r[80:96]),
		State:    r.word(96),
		Created:  binary.LittleEndian.Uint64(r[100:]),
		Modified: binary.LittleEndian.Uint64(r[108:]),
		Size:     int64(r.word(120)),
		start:    r.start(),
	}
	// Version 3 writers leave anything in the high half [MS-CFB] 2.6.1.
	if f.sectors.shift > 9 {
		e.Size |= int64(r.word(124)&0x7FFFFFFF) << 32
	}
	if !e.Storage {
		e.file = f
	}
	return e
}

// claim says whether i is an entry that was not yet met.
func (d *directory) claim(i uint32) bool {
	if int64(i) >= int64(len(d.data)/entrySize) {
		return false
	}
	word, bit := &d.used[i/64], uint64(1)<<(i%64)
	fresh := *word&bit == 0
	*word |= bit
	return fresh
}

// children adds the entries of the tree that begins at top to parent.
func (d *directory) children(parent *Entry, top uint32, depth int) {
	if depth == maxDepth {
		if top != noEntry {
			d.warn("storages nest deeper than %d", maxDepth)
		}
		return
	}
	var inside []uint32 // by storage among the children, where its own begin
	// In order, without recursion: a bad tree may be as deep as it has entries.
	var path []uint32
	for i := top; ; {
		for i != noEntry {
			if !d.claim(i) {
				d.warn("directory entry %08X in %q is not there or met twice", i, parent.Name)
				break
			}
			path = append(path, i)
			i = d.raw(i).left()
		}
		if len(path) == 0 {
			break
		}
		at := path[len(path)-1]
		path = path[:len(path)-1]
		raw := d.raw(at)
		if e := d.child(parent, raw); e != nil {
			parent.Children = append(parent.Children, e)
			inside = append(inside, raw.child())
		}
		i = raw.right()
	}
	d.dropDoubles(parent, &inside)
	for i, e := range parent.Children {
		if e.Storage {
			e.Size = 0
			d.children(e, inside[i], depth+1)
		}
	}
}

func (d *directory) child(parent *Entry, raw rawEntry) *Entry {
	kind := raw[66]
	if kind != kindStorage && kind != kindStream {
		d.warn("directory entry of kind %d in %q", kind, parent.Name)
		return nil
	}
	e := raw.entry(d.File)
	if e.Name == "" {
		d.warn("directory entry without a name in %q", parent.Name)
		return nil
	}
	return e
}

// dropDoubles keeps the first of the children that have one name.
func (d *directory) dropDoubles(parent *Entry, inside *[]uint32) {
	if ascending(parent.Children) {
		return
	}
	seen := make(map[string]bool, len(parent.Children))
	kept, tops := parent.Children[:0], (*inside)[:0]
	for i, e := range parent.Children {
		key := foldName(e.Name)
		if seen[key] {
			d.warn("two entries %q in %q", e.Name, parent.Name)
			continue
		}
		seen[key] = true
		kept, tops = append(kept, e), append(tops, (*inside)[i])
	}
	parent.Children, *inside = kept, tops
}
