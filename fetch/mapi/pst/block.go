package pst

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"io"
)

// block is an entry of the block B-tree [MS-PST] 2.2.2.7.7.3.
type block struct {
	bid    uint64
	off    int64
	stored int // bytes in the file
	size   int // bytes of its content; others than stored where it is compressed
}

// internal blocks hold the trees of data and subnodes and are never encoded [MS-PST] 2.2.2.2.
func internal(bid uint64) bool { return bid&2 != 0 }

// find looks a block up.
func (f *File) find(bid uint64) (block, error) {
	e, err := f.lookup(&f.blocks, bid)
	if err != nil {
		return block{}, fmt.Errorf("block %#x: %w", bid, err)
	}
	if e == nil {
		return block{}, damaged("block %#x: not in the block B-tree", bid)
	}
	b := block{bid: f.l.word(e), off: int64(f.l.word(e[f.l.id:])), stored: int(binary.LittleEndian.Uint16(e[2*f.l.id:]))}
	b.size = b.stored
	if f.format == Unicode4K {
		b.size = int(binary.LittleEndian.Uint16(e[2*f.l.id+2:]))
	}
	return b, nil
}

// footprint is the bytes a block takes in the file.
func (f *File) footprint(b block) int {
	n := b.stored + f.l.blockTrailer + f.l.blockAlign - 1
	return n - n%f.l.blockAlign
}

// fetch reads a block as it is stored. What is odd about it and does not make it another block is told in oddity.
func (f *File) fetch(b block) (data []byte, oddity string, err error) {
	buf := make([]byte, f.footprint(b))
	if err := f.readAt(buf, b.off); err != nil {
		return nil, "", fmt.Errorf("block %#x: %w", b.bid, err)
	}
	data = buf[:b.stored:b.stored]
	switch end := f.l.trailer(buf[len(buf)-f.l.blockTrailer:]); {
	case end.bid&^1 != b.bid&^1:
		// The bytes belong to somebody else.
		return nil, "", damaged("block %#x: block %#x is in its place", b.bid, end.bid)
	case end.crc != checksum(data):
		oddity = fmt.Sprintf("block %#x: the checksum does not match", b.bid)
	case int(end.head) != b.stored:
		oddity = fmt.Sprintf("block %#x: %d bytes long, and %d in the block B-tree", b.bid, end.head, b.stored)
	case end.sig != 0 && f.format != Unicode4K && end.sig != signature(b.bid, b.off): // some writers leave it out
		oddity = fmt.Sprintf("block %#x: the signature does not match", b.bid)
	}
	return data, oddity, nil
}

// load reads the content of a block.
func (f *File) load(b block) (data []byte, oddity string, err error) {
	if data, oddity, err = f.fetch(b); err != nil {
		return nil, "", err
	}
	data, err = f.decode(b, data)
	return data, oddity, err
}

// check is load without the content.
func (f *File) check(b block) (oddity string, err error) {
	if b.size != b.stored { // it may not be possible to unpack it
		_, oddity, err = f.load(b)
		return oddity, err
	}
	_, oddity, err = f.fetch(b)
	return oddity, err
}

// decode makes the content of what is stored.
func (f *File) decode(b block, data []byte) ([]byte, error) {
	if b.size != b.stored {
		var err error
		if data, err = inflate(data, b.size); err != nil {
			return nil, damaged("block %#x: %v", b.bid, err)
		}
	}
	if !internal(b.bid) {
		reveal(f.crypt, b.bid, data, 0)
	}
	return data, nil
}

func inflate(data []byte, size int) ([]byte, error) {
	z, err := zlib.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	out := make([]byte, size)
	_, err = io.ReadFull(z, out)
	return out, err
}

// loadPart reads a part of the content of a block that check has found sound.
func (f *File) loadPart(b block, p []byte, at int) error {
	if b.size != b.stored {
		data, _, err := f.load(b)
		copy(p, data[min(at, len(data)):])
		return err
	}
	if err := f.readAt(p, b.off+int64(at)); err != nil {
		return fmt.Errorf("block %#x: %w", b.bid, err)
	}
	if !internal(b.bid) {
		reveal(f.crypt, b.bid, p, at)
	}
	return nil
}
