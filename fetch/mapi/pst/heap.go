package pst

import (
	"encoding/binary"
	"fmt"
)

// Kinds of heaps [MS-PST] 2.3.1.2, bClientSig.
const (
	heapSignature = 0xEC
	kindTable     = 0x7C
	kindBTree     = 0xB5
	kindContext   = 0xBC

	maxHeap      = 64 << 20 // bytes of a heap's blocks that are kept
	maxHeapLevel = 8        // of a B-tree on a heap
)

// heap is a heap on a node [MS-PST] 2.3.1: items in the blocks of a stream.
type heap struct {
	in     *reader
	s      *stream
	blocks map[int][]byte
	held   int
	kind   byte
	root   uint32
}

func (in *reader) heap(bid uint64) (*heap, error) {
	s, err := in.open(bid)
	if err != nil && len(s.leaves) == 0 {
		return nil, err
	}
	if err != nil {
		in.failed(err, "heap")
	}
	h := &heap{in: in, s: s, blocks: map[int][]byte{}}
	first, err := h.block(0)
	if err != nil {
		return nil, err
	}
	if len(first) < 12 || first[2] != heapSignature {
		return nil, damaged("block %#x: not a heap", bid)
	}
	h.kind, h.root = first[3], binary.LittleEndian.Uint32(first[4:])
	return h, nil
}

func (h *heap) block(i int) ([]byte, error) {
	if data, ok := h.blocks[i]; ok {
		return data, nil
	}
	if i >= len(h.s.leaves) {
		return nil, damaged("block %d of a heap of %d", i, len(h.s.leaves))
	}
	if h.held += h.s.leaves[i].size; h.held > maxHeap {
		return nil, damaged("a heap of more than %d bytes", maxHeap)
	}
	data, err := h.in.loadLeaf(h.s.leaves[i].block)
	if err != nil {
		return nil, err
	}
	h.blocks[i] = data
	return data, nil
}

// item is the bytes of a HID, nil for the HID 0 [MS-PST] 2.3.1.1.
func (h *heap) item(hid uint32) ([]byte, error) {
	if hid == 0 {
		return nil, nil
	}
	bits := h.in.f.l.itemBits
	index, number := int(hid>>5)&(1<<bits-1), int(hid>>(5+bits))
	data, err := h.block(number)
	if err != nil {
		return nil, fmt.Errorf("heap item %#x: %w", hid, err)
	}
	from, to, ok := allocation(data, index)
	if !ok || typeOf(hid) != typeHeap {
		return nil, damaged("heap item %#x: not there", hid)
	}
	return data[from:to:to], nil
}

// allocation is where the item with that index, counted from 1, stands in a block of a heap [MS-PST] 2.3.1.5.
func allocation(data []byte, index int) (from, to int, ok bool) {
	if len(data) < 2 {
		return 0, 0, false
	}
	pages := int(binary.LittleEndian.Uint16(data))
	if pages+4 > len(data) {
		return 0, 0, false
	}
	count := int(binary.LittleEndian.Uint16(data[pages:]))
	offsets := data[pages+4:]
	if index < 1 || index > count || len(offsets) < 2*(index+1) {
		return 0, 0, false
	}
	from = int(binary.LittleEndian.Uint16(offsets[2*(index-1):]))
	to = int(binary.LittleEndian.Uint16(offsets[2*index:]))
	return from, to, from <= to && to <= pages
}

// records visits the records of the B-tree on the heap at a HID [MS-PST] 2.3.2,
// which are of that many bytes key and value; values may be longer. It goes on
// after damage and tells the first.
func (h *heap) records(hid uint32, key, value int, visit func(record []byte)) error {
	header, err := h.item(hid)
	if err != nil {
		return err
	}
	if len(header) < 8 || header[0] != kindBTree || int(header[1]) != key || int(header[2]) < value || header[3] > maxHeapLevel {
		return damaged("heap item %#x: not a B-tree of %d and %d bytes", hid, key, value)
	}
	w := recordWalk{h: h, key: key, record: key + int(header[2]), visit: visit, left: maxRecords}
	w.walk(binary.LittleEndian.Uint32(header[4:]), int(header[3]))
	return w.err
}

// maxRecords is how many records and branches of a B-tree on a heap are read.
const maxRecords = 1 << 20

type recordWalk struct {
	h           *heap
	key, record int
	visit       func([]byte)
	left        int
	err         error
}

func (w *recordWalk) walk(hid uint32, level int) {
	data, err := w.h.item(hid)
	if err != nil {
		w.fail(err)
		return
	}
	size := w.record
	if level > 0 {
		size = w.key + 4
	}
	for ; len(data) >= size; data = data[size:] {
		if w.left--; w.left < 0 {
			w.fail(damaged("a B-tree of more than %d records", maxRecords))
			return
		}
		if level == 0 {
			w.visit(data[:size])
			continue
		}
		w.walk(binary.LittleEndian.Uint32(data[w.key:]), level-1)
	}
}

func (w *recordWalk) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}
