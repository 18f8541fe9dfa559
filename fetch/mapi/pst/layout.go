package pst

import (
	"encoding/binary"
	"hash/crc32"
)

// Format is one of the three layouts of a file.
type Format uint8

const (
	ANSI      Format = iota // 32-bit ids, 8-bit strings: Outlook 97 to 2002
	Unicode                 // 64-bit ids, since Outlook 2003
	Unicode4K               // pages of 4096 bytes, blocks up to 64 KiB that may be compressed: .ost since Outlook 2013
)

func (f Format) String() string {
	switch f {
	case ANSI:
		return "ANSI"
	case Unicode:
		return "Unicode"
	}
	return "Unicode 4K"
}

// layout is what differs between the formats.
type layout struct {
	id           int // bytes of a BID, an IB or a key
	page         int // bytes of a page
	counts       int // where a page has its counts
	pageTrailer  int // where a page has its trailer
	blockAlign   int
	blockTrailer int
	itemBits     int // of a HID, for the item in its block
	crypt        int // where the header has bCryptMethod
	roots        int // where the header has BREFNBT, then BREFBBT
}

func layoutOf(f Format) layout {
	switch f {
	case ANSI:
		return layout{id: 4, page: 512, counts: 496, pageTrailer: 500, blockAlign: 64, blockTrailer: 12, itemBits: 11, crypt: 461, roots: 184}
	case Unicode:
		return layout{id: 8, page: 512, counts: 488, pageTrailer: 496, blockAlign: 64, blockTrailer: 16, itemBits: 11, crypt: 513, roots: 216}
	}
	return layout{id: 8, page: 4096, counts: 4056, pageTrailer: 4072, blockAlign: 512, blockTrailer: 24, itemBits: 14, crypt: 513, roots: 216}
}

// word reads a BID, an IB or a key.
func (l *layout) word(b []byte) uint64 {
	if l.id == 4 {
		return uint64(binary.LittleEndian.Uint32(b))
	}
	return binary.LittleEndian.Uint64(b)
}

// ref is a BREF: what it is and where [MS-PST] 2.2.2.4.
type ref struct {
	bid uint64
	off int64
}

func (l *layout) ref(b []byte) ref { return ref{l.word(b), int64(l.word(b[l.id:]))} }

// trailer ends pages and blocks [MS-PST] 2.2.2.7.1, 2.2.2.8.1.
type trailer struct {
	head uint16 // two times the type of a page, or the length of a block
	sig  uint16
	crc  uint32
	bid  uint64
}

func (l *layout) trailer(b []byte) trailer {
	t := trailer{head: binary.LittleEndian.Uint16(b), sig: binary.LittleEndian.Uint16(b[2:])}
	if l.id == 4 { // here the CRC is last
		t.bid, t.crc = uint64(binary.LittleEndian.Uint32(b[4:])), binary.LittleEndian.Uint32(b[8:])
		return t
	}
	t.crc, t.bid = binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint64(b[8:])
	return t
}

// checksum is a CRC begun with 0 and not inverted [MS-PST] 5.3.
func checksum(b []byte) uint32 { return ^crc32.Update(0xFFFFFFFF, crc32.IEEETable, b) }

// signature is what stands in a trailer of what is at off [MS-PST] 5.5.
func signature(bid uint64, off int64) uint16 {
	x := uint32(bid) ^ uint32(off)
	return uint16(x>>16) ^ uint16(x)
}
