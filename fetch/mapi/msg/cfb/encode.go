package cfb

import (
	"encoding/binary"
	"fmt"
	"io"
)

// encode makes the file up to the end of the mini stream.
func (l *layout) encode() ([]byte, error) {
	end := l.mini
	for _, c := range []chain{l.miniFAT, l.directory} { // the last that is there
		if end.n == 0 {
			end = c
		}
	}
	b := make([]byte, l.offset(int64(end.first)+end.n))
	l.encodeHeader(b)
	l.encodeFAT(b[l.offset(int64(l.fat.first)):][:l.fat.n<<l.shift])
	l.encodeDIFAT(b)
	l.encodeDirectory(b[l.offset(int64(l.directory.first)):][:l.directory.n<<l.shift])
	l.encodeMiniFAT(b[l.offset(int64(l.miniFAT.first)):][:l.miniFAT.n<<l.shift])
	return b, l.encodeMini(b[l.offset(int64(l.mini.first)):][:l.mini.n<<l.shift])
}

// encodeHeader writes [MS-CFB] 2.2.
func (l *layout) encodeHeader(b []byte) {
	le := binary.LittleEndian
	copy(b, signature)
	le.PutUint16(b[24:], 0x003E)
	le.PutUint16(b[26:], l.version())
	le.PutUint16(b[28:], 0xFFFE)
	le.PutUint16(b[30:], uint16(l.shift))
	le.PutUint16(b[32:], miniShift)
	if l.shift == shiftV4 {
		le.PutUint32(b[40:], uint32(l.directory.n))
	}
	le.PutUint32(b[44:], uint32(l.fat.n))
	le.PutUint32(b[48:], l.directory.start())
	le.PutUint32(b[56:], cutoff)
	le.PutUint32(b[60:], l.miniFAT.start())
	le.PutUint32(b[64:], uint32(l.miniFAT.n))
	le.PutUint32(b[68:], l.difat.start())
	le.PutUint32(b[72:], uint32(l.difat.n))
	for i := range int64(inHeader) {
		le.PutUint32(b[76+4*i:], l.fatSector(i))
	}
}

// fatSector is the i-th sector of the FAT.
func (l *layout) fatSector(i int64) uint32 {
	if i < l.fat.n {
		return l.fat.first + uint32(i)
	}
	return free
}

// words writes 32-bit numbers one after the other.
type words []byte

func (w *words) put(v uint32) {
	binary.LittleEndian.PutUint32(*w, v)
	*w = (*w)[4:]
}

func (w *words) fill(v uint32) {
	for len(*w) > 0 {
		w.put(v)
	}
}

// row is a chain of n units that follow each other.
func (w *words) row(first, n int64, last uint32) {
	for i := first + 1; i < first+n; i++ {
		w.put(uint32(i))
	}
	w.put(last)
}

// encodeFAT writes the chains in the order in which their sectors were allocated.
func (l *layout) encodeFAT(b []byte) {
	w := words(b)
	for range l.fat.n {
		w.put(fatMark)
	}
	for range l.difat.n {
		w.put(difatMark)
	}
	at := l.fat.n + l.difat.n
	put := func(c chain) {
		switch {
		case c.n == 0:
			return
		case int64(c.first) > at: // the range lock sector is between
			w.put(endOfChain)
		}
		if c.split > 0 {
			w.row(int64(c.first), c.split, lockSector+1)
			w.put(endOfChain)
			w.row(lockSector+1, c.n-c.split, endOfChain)
			at = lockSector + 1 + c.n - c.split
			return
		}
		w.row(int64(c.first), c.n, endOfChain)
		at = int64(c.first) + c.n
	}
	put(l.directory)
	put(l.miniFAT)
	put(l.mini)
	for i := range l.records {
		put(l.records[i].chain)
	}
	w.fill(free)
}

func (l *layout) encodeDIFAT(b []byte) {
	i := int64(inHeader)
	for s := range l.difat.n {
		sector := int64(l.difat.first) + s
		w := words(b[l.offset(sector):][:l.sector()])
		for range l.words() - 1 {
			w.put(l.fatSector(i))
			i++
		}
		next := uint32(endOfChain)
		if s+1 < l.difat.n {
			next = uint32(sector + 1)
		}
		w.put(next)
	}
}

func (l *layout) encodeMiniFAT(b []byte) {
	w := words(b)
	for i := range l.records {
		if r := &l.records[i]; r.isMini() {
			w.row(int64(r.mini), ceil(r.Size, miniSize), endOfChain)
		}
	}
	w.fill(free)
}

func (l *layout) encodeMini(b []byte) error {
	for i := range l.records {
		r := &l.records[i]
		if !r.isMini() {
			continue
		}
		n, err := r.content.ReadAt(b[int64(r.mini)<<miniShift:][:r.Size], 0)
		if int64(n) < r.Size {
			if err == nil || err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return fmt.Errorf("content of %q: %w", r.Name, err)
		}
	}
	return nil
}

// encodeDirectory writes [MS-CFB] 2.6.1.
func (l *layout) encodeDirectory(b []byte) {
	for i := range l.records {
		l.encodeEntry(b[i*entrySize:][:entrySize], &l.records[i], i == 0)
	}
	for i := len(l.records) * entrySize; i < len(b); i += entrySize {
		w := words(b[i+68 : i+80])
		w.fill(noEntry)
	}
}

func (l *layout) encodeEntry(b []byte, r *record, root bool) {
	le := binary.LittleEndian
	for i, u := range r.name {
		le.PutUint16(b[2*i:], u)
	}
	le.PutUint16(b[64:], uint16(2*len(r.name)+2))
	if !r.red {
		b[67] = 1
	}
	le.PutUint32(b[68:], r.left)
	le.PutUint32(b[72:], r.right)
	le.PutUint32(b[76:], r.child)
	switch {
	case root:
		b[66] = kindRoot
		le.PutUint32(b[116:], l.mini.start())
		le.PutUint64(b[120:], uint64(l.minis*miniSize))
	case r.Storage:
		b[66] = kindStorage
		// A storage has no sector: 0 [MS-CFB] 2.6.1.
	default:
		b[66] = kindStream
		le.PutUint32(b[116:], r.start(l))
		le.PutUint64(b[120:], uint64(r.Size))
		return // streams have no class, state and times
	}
	copy(b[80:96], r.CLSID[:])
	le.PutUint32(b[96:], r.State)
	if !root { // the root has no time of creation [MS-CFB] 2.6.3
		le.PutUint64(b[100:], r.Created)
	}
	le.PutUint64(b[108:], r.Modified)
}

func (r *record) start(l *layout) uint32 {
	switch {
	case r.content == nil:
		return endOfChain
	case r.isMini():
		return r.mini
	}
	return r.chain.start()
}
