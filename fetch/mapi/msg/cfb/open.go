package cfb

import (
	"encoding/binary"
	"fmt"
	"io"
)

const (
	signature  = "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"
	headerSize = 512
	miniShift  = 6
	miniSize   = 1 << miniShift
	cutoff     = 4096 // streams below it lie in mini sectors
	inHeader   = 109  // FAT sectors the header names

	maxRegular = 0xFFFFFFFA // sector numbers are not above it [MS-CFB] 2.1
	difatMark  = 0xFFFFFFFC
	fatMark    = 0xFFFFFFFD
	endOfChain = 0xFFFFFFFE
	free       = 0xFFFFFFFF

	maxWarnings = 16
)

// File is a compound file that is read.
type File struct {
	Root     *Entry
	Warnings []string // at most 16; what could not be read, or was odd

	sectors space
	mini    space
}

func (f *File) warn(format string, args ...any) {
	if len(f.Warnings) < maxWarnings {
		f.Warnings = append(f.Warnings, fmt.Sprintf(format, args...))
	}
}

type header struct {
	shift      uint16
	fatSectors uint32
	directory  uint32
	miniFAT    uint32
	difat      uint32
	first      [inHeader]uint32
}

// Open reads the structure of a compound file; streams are read when they are
// opened, and r must serve until then.
func Open(r io.ReaderAt, size int64) (*File, error) {
	f := &File{}
	h, err := f.readHeader(r)
	if err != nil {
		return nil, err
	}
	sectors := min((size-1)>>h.shift, maxRegular+1) // the first is the header, the last may be cut short
	f.sectors = newSpace(r, size, uint(h.shift), 1<<h.shift, max(sectors, 0))
	if err := f.readFAT(h); err != nil {
		return nil, err
	}
	if err := f.readDirectory(h); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *File) readHeader(r io.ReaderAt) (*header, error) {
	var b [headerSize]byte
	if n, err := r.ReadAt(b[:], 0); n < len(b) && err != io.EOF {
		return nil, err
	} else if n < len(b) || string(b[:8]) != signature {
		return nil, ErrNotCompound
	}
	le := binary.LittleEndian
	h := &header{
		shift: le.Uint16(b[30:]), fatSectors: le.Uint32(b[44:]),
		directory: le.Uint32(b[48:]), miniFAT: le.Uint32(b[60:]), difat: le.Uint32(b[68:]),
	}
	for i := range h.first {
		h.first[i] = le.Uint32(b[76+4*i:])
	}
	if mini := le.Uint16(b[32:]); h.shift != 9 && h.shift != 12 || mini != miniShift {
		return nil, fmt.Errorf("%w: sectors of 1<<%d and 1<<%d bytes", ErrDamaged, h.shift, mini)
	}
	if c := le.Uint32(b[56:]); c != cutoff {
		f.warn("mini stream cutoff is %d", c)
	}
	return h, nil
}

// fatReader gathers the FAT, as much of it as the file's sectors need.
type fatReader struct {
	*File
	words []uint32
	buf   []byte
}

func (f *File) readFAT(h *header) error {
	s := &f.sectors
	perSector := s.unit() / 4
	r := fatReader{f, make([]uint32, perSector), make([]byte, s.unit())}
	s.next = make([]uint32, 0, min(s.units, int64(h.fatSectors)*perSector)+perSector)
	r.all(h)
	if len(s.next) == 0 {
		return fmt.Errorf("%w: no FAT", ErrDamaged)
	}
	if int64(len(s.next)) < s.units {
		f.warn("the FAT does not cover the file")
	}
	return nil
}

// all reads the FAT sectors in order: those the header names, then those in the DIFAT.
func (r *fatReader) all(h *header) {
	for _, sector := range h.first {
		if !r.one(sector) {
			return
		}
	}
	list := make([]uint32, len(r.words))
	for next := h.difat; next <= maxRegular; next = list[len(list)-1] {
		if !r.sectors.claim(next) {
			r.warn("DIFAT sector %08X is not in the file or used twice", next)
			return
		}
		r.read(next, list)
		for _, sector := range list[:len(list)-1] {
			if !r.one(sector) {
				return
			}
		}
	}
}

// one adds a sector of the FAT, and says whether more may follow.
func (r *fatReader) one(sector uint32) bool {
	s := &r.sectors
	if sector == free || sector == endOfChain || int64(len(s.next)) >= s.units {
		return false
	}
	if s.claim(sector) {
		r.read(sector, r.words)
	} else {
		r.warn("FAT sector %08X is not in the file or used twice", sector)
		for i := range r.words {
			r.words[i] = free
		}
	}
	s.next = append(s.next, r.words...)
	return true
}

// read reads a sector of words; what the file does not have reads as free.
func (r *fatReader) read(sector uint32, words []uint32) {
	n, _ := r.sectors.r.ReadAt(r.buf, r.sectors.offset(sector))
	if n < len(r.buf) {
		r.warn("FAT sector %08X is cut short", sector)
	}
	for i := n; i < len(r.buf); i++ {
		r.buf[i] = 0xFF
	}
	for i := range words {
		words[i] = binary.LittleEndian.Uint32(r.buf[4*i:])
	}
}

// content finds the bytes of a stream.
func (f *File) content(start uint32, size int64) (io.ReaderAt, int64, error) {
	if size < cutoff {
		return f.mini.content(start, size)
	}
	return f.sectors.content(start, size)
}
