package pst

import (
	"encoding/binary"

	"mailbrick/fetch/mapi"
)

// context is where values of properties are: a heap and the subnodes beside it.
type context struct {
	*heap
	subs subnodes
}

// record is an entry of a property context [MS-PST] 2.3.3.3.
type record struct {
	tag  mapi.Tag
	cell [4]byte // the value, or the HNID of it
}

func (r *record) hnid() uint32 { return binary.LittleEndian.Uint32(r.cell[:]) }

// object is a node whose data is a property context.
type object struct {
	context
	records []record
}

// object opens a node. The error is that of its properties; what is wrong with
// its subnodes is a warning.
func (in *reader) object(n node) (*object, error) {
	h, err := in.heap(n.data)
	if err != nil {
		return nil, err
	}
	if h.kind != kindContext {
		return nil, damaged("block %#x: a heap of kind %#02x, not of properties", n.data, h.kind)
	}
	o := &object{context: context{heap: h}}
	err = h.records(h.root, 2, 6, func(b []byte) {
		if len(o.records) == maxProperties {
			return
		}
		tag := mapi.MakeTag(binary.LittleEndian.Uint16(b), mapi.Type(binary.LittleEndian.Uint16(b[2:])))
		o.records = append(o.records, record{tag, [4]byte(b[4:8])})
	})
	if err != nil && len(o.records) == 0 {
		return nil, err
	}
	if err != nil {
		in.failed(err, "properties")
	}
	if o.subs, err = in.subnodes(n.sub); err != nil {
		in.failed(err, "subnodes")
	}
	return o, nil
}

// find is the record of a property.
func (o *object) find(id uint16) (record, bool) {
	for _, r := range o.records {
		if r.tag.ID() == id {
			return r, true
		}
	}
	return record{}, false
}

// bag reads the properties of an object but for those left out.
func (o *object) bag(except ...mapi.Tag) mapi.Bag {
	bag := make(mapi.Bag, 0, len(o.records))
	seen := make(map[mapi.Tag]bool, len(o.records))
	for _, tag := range except {
		seen[tag] = true
	}
	for _, r := range o.records {
		if seen[r.tag] {
			continue
		}
		seen[r.tag] = true
		if p, ok := o.property(r.tag, r.cell[:]); ok {
			bag = append(bag, p)
		}
	}
	return bag
}

// property reads a value from its cell and names it, and says whether there is one.
func (c *context) property(tag mapi.Tag, cell []byte) (mapi.Property, bool) {
	p, ok := c.value(tag, cell)
	if !ok || tag.ID() < mapi.FirstNamed || tag.ID() == 0xFFFF {
		return p, ok
	}
	name, known := c.in.f.names[tag.ID()]
	if !known {
		c.in.warn("property %v: no name", tag)
		return p, false
	}
	p.Name = &name
	return p, true
}

// source finds the bytes of an HNID: an item of the heap, or a stream [MS-PST] 2.3.3.2.
func (c *context) source(hnid uint32) ([]byte, *stream, error) {
	if typeOf(hnid) == typeHeap {
		data, err := c.item(hnid)
		return data, nil, err
	}
	n, ok := c.subs.find(hnid)
	if !ok {
		return nil, nil, damaged("subnode %#x: not there", hnid)
	}
	s, err := c.in.open(n.data)
	return nil, s, err
}

// bytes is all of a value that can be read, at most limit bytes of it.
func (c *context) bytes(tag mapi.Tag, hnid uint32, limit int64) ([]byte, bool) {
	data, s, err := c.source(hnid)
	if err != nil {
		c.in.failed(err, "property %v", tag)
	}
	if s == nil {
		return data, err == nil
	}
	if s.length() > limit {
		c.in.warn("property %v: %d bytes, more than %d", tag, s.length(), limit)
		return nil, false
	}
	data, readErr := c.in.all(s)
	if readErr != nil {
		c.in.failed(readErr, "property %v", tag)
	}
	return data, err == nil && readErr == nil
}
