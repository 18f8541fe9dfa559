package pst

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// node is an entry of the node B-tree or of a subnode tree: data, and nodes of its own.
type node struct {
	nid       uint32
	data, sub uint64
}

// Types of nodes, the low five bits of their NID [MS-PST] 2.2.2.1.
const (
	typeHeap       = 0x00
	typeFolder     = 0x02
	typeSearch     = 0x03
	typeMessage    = 0x04
	typeAttachment = 0x05
	typeAssociated = 0x08
)

func typeOf(nid uint32) uint32 { return nid & 0x1F }

// subnodes are the nodes inside a node, by rising NID.
type subnodes []node

func (s subnodes) find(nid uint32) (node, bool) {
	i, ok := slices.BinarySearchFunc(s, nid, func(n node, nid uint32) int { return cmp.Compare(n.nid, nid) })
	if !ok {
		return node{}, false
	}
	return s[i], true
}

// subnodes reads a subnode tree [MS-PST] 2.2.2.8.3.3. With an error it gives what could be read.
func (in *reader) subnodes(bid uint64) (subnodes, error) {
	if bid == 0 {
		return nil, nil
	}
	var list subnodes
	err := in.subnodeBlock(&list, bid, 1)
	slices.SortStableFunc(list, func(a, b node) int { return cmp.Compare(a.nid, b.nid) })
	return slices.CompactFunc(list, func(a, b node) bool { return a.nid == b.nid }), err
}

// subnodeBlock adds the entries of an SLBLOCK, or of those an SIBLOCK names; depth is the highest level allowed.
func (in *reader) subnodeBlock(list *subnodes, bid uint64, depth int) error {
	b, err := in.f.find(bid)
	if err != nil {
		return err
	}
	data, err := in.load(b)
	if err != nil {
		return err
	}
	header, width := 8, in.f.l.id
	if width == 4 {
		header = 4
	}
	if len(data) < header || data[0] != 2 || int(data[1]) > depth {
		return damaged("block %#x: not a list of subnodes", bid)
	}
	level, count := int(data[1]), int(binary.LittleEndian.Uint16(data[2:]))
	size := 3 * width
	if level > 0 {
		size = 2 * width
	}
	if count*size > len(data)-header || len(*list)+count > maxObjects {
		return damaged("block %#x: %d subnodes in %d bytes", bid, count, len(data))
	}
	var firstErr error
	for i := range count {
		e := data[header+i*size:]
		if level == 0 {
			*list = append(*list, node{uint32(in.f.l.word(e)), in.f.l.word(e[width:]), in.f.l.word(e[2*width:])})
			continue
		}
		if err := in.subnodeBlock(list, in.f.l.word(e[width:]), level-1); err != nil && firstErr == nil {
			firstErr = err
		}
	}
	return firstErr
}
