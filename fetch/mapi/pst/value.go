package pst

import (
	"encoding/binary"
	"io"

	"mailbrick/fetch/mapi"
)

func newProperty(tag mapi.Tag, data []byte) mapi.Property {
	return mapi.Property{Tag: tag, Data: data, Size: int64(len(data))}
}

// value reads a value from its cell, 4 bytes in a property context and up to 8
// in a table: what does not fit there is behind an HNID.
func (c *context) value(tag mapi.Tag, cell []byte) (p mapi.Property, ok bool) {
	t := tag.Type()
	layout, width := t.Layout()
	switch {
	case layout == mapi.LayoutUnknown || t&mapi.CodePage != 0:
		c.in.warn("property %v: unknown type", tag)
		return p, false
	case t == mapi.TypeBool && len(cell) > 0: // one byte [MS-PST] 2.3.3.3
		return newProperty(tag, []byte{cell[0], 0}), true
	case layout == mapi.LayoutFixed && len(cell) >= width:
		return newProperty(tag, append([]byte(nil), cell[:width]...)), true
	case len(cell) < 4:
		c.in.warn("property %v: a cell of %d bytes", tag, len(cell))
		return p, false
	}
	hnid := binary.LittleEndian.Uint32(cell)
	switch layout {
	case mapi.LayoutFixed:
		return c.fixed(tag, hnid, width)
	case mapi.LayoutFixedMV:
		return c.fixedList(tag, hnid, width)
	case mapi.LayoutVarMV:
		return c.list(tag, hnid)
	}
	if t == mapi.TypeObject {
		return c.nested(tag, hnid)
	}
	return c.variable(tag, hnid)
}

func (c *context) fixed(tag mapi.Tag, hnid uint32, width int) (p mapi.Property, ok bool) {
	data, ok := c.bytes(tag, hnid, inMemory)
	if ok && len(data) != width {
		c.in.warn("property %v: %d bytes", tag, len(data))
		return p, false
	}
	return newProperty(tag, data), ok
}

// fixedList is values without a count [MS-PST] 2.3.3.4.1; some writers put one before them.
func (c *context) fixedList(tag mapi.Tag, hnid uint32, width int) (p mapi.Property, ok bool) {
	values, _ := c.bytes(tag, hnid, maxList)
	count := len(values) / width
	if over := len(values) - count*width; over == 4 && binary.LittleEndian.Uint32(values) == uint32(count) {
		values = values[4:]
	} else if over != 0 {
		c.in.warn("property %v: a list of %d bytes", tag, len(values))
	}
	data := binary.LittleEndian.AppendUint32(make([]byte, 0, 4+count*width), uint32(count))
	return newProperty(tag, append(data, values[:count*width]...)), true
}

// list is count:u32, an offset:u32 for each member, the members [MS-PST] 2.3.3.4.2.
func (c *context) list(tag mapi.Tag, hnid uint32) (p mapi.Property, ok bool) {
	raw, _ := c.bytes(tag, hnid, maxList)
	if len(raw) == 0 {
		return newProperty(tag, make([]byte, 4)), true
	}
	if len(raw) < 4 || uint64(binary.LittleEndian.Uint32(raw)) > uint64(len(raw)-4)/4 {
		c.in.warn("property %v: a list of %d bytes", tag, len(raw))
		return p, false
	}
	count := int(binary.LittleEndian.Uint32(raw))
	offset := func(i int) int64 {
		if i == count {
			return int64(len(raw))
		}
		return int64(binary.LittleEndian.Uint32(raw[4+4*i:]))
	}
	data := append(make([]byte, 0, len(raw)), raw[:4]...)
	for i := range count {
		from, to := offset(i), offset(i+1)
		if from > to || to > int64(len(raw)) || len(data) > 2*len(raw)+4*count { // members that overlap could be any size
			c.in.warn("property %v: member %d of %d is not there", tag, i, count)
			return p, false
		}
		member := terminated(tag.Type()&^mapi.MultiValue, raw[from:to])
		data = binary.LittleEndian.AppendUint32(data, uint32(len(member)))
		data = append(data, member...)
	}
	return newProperty(tag, data), true
}

// terminator is what ends strings of t.
func terminator(t mapi.Type) string {
	switch t {
	case mapi.TypeUnicode:
		return "\x00\x00"
	case mapi.TypeString8:
		return "\x00"
	}
	return ""
}

// terminated copies a value; a string loses half a character and gets one
// terminator, whatever NULs end it.
func terminated(t mapi.Type, data []byte) []byte {
	end := terminator(t)
	if end == "" {
		return data
	}
	data = data[:len(data)-len(data)%len(end)]
	for len(data) > 0 && string(data[len(data)-len(end):]) == end {
		data = data[:len(data)-len(end)]
	}
	return append(data[:len(data):len(data)], end...)
}

// nested is the bytes of a node that a value names, such as an OLE object [MS-PST] 2.3.3.5.
func (c *context) nested(tag mapi.Tag, hnid uint32) (p mapi.Property, ok bool) {
	n, err := c.nodeOf(hnid)
	if err != nil {
		c.in.failed(err, "property %v", tag)
		return p, false
	}
	s, err := c.in.open(n.data)
	return c.streamed(tag, s, err)
}

// nodeOf is the subnode that a value of type PtypObject names.
func (c *context) nodeOf(hnid uint32) (node, error) {
	data, err := c.item(hnid)
	if err != nil {
		return node{}, err
	}
	if len(data) < 4 {
		return node{}, damaged("an object of %d bytes", len(data))
	}
	nid := binary.LittleEndian.Uint32(data)
	n, ok := c.subs.find(nid)
	if !ok {
		return node{}, damaged("subnode %#x: not there", nid)
	}
	return n, nil
}

// variable is a string, a binary or what is stored like one.
func (c *context) variable(tag mapi.Tag, hnid uint32) (p mapi.Property, ok bool) {
	data, s, err := c.source(hnid)
	if s != nil {
		return c.streamed(tag, s, err)
	}
	if err != nil {
		c.in.failed(err, "property %v", tag)
		return p, false
	}
	return newProperty(tag, terminated(tag.Type(), data)), true
}

// streamed is a value that is a stream, which ended early when there is an error:
// then it is kept as far as it goes.
func (c *context) streamed(tag mapi.Tag, s *stream, err error) (p mapi.Property, ok bool) {
	if s.length() <= inMemory && c.in.held+s.length() <= allMemory {
		data, readErr := c.in.all(s)
		p = newProperty(tag, terminated(tag.Type(), data))
		c.in.held += p.Size
		err = first(readErr, err)
	} else {
		err = first(c.in.verify(s), err)
		p = s.large(tag)
	}
	if err != nil {
		c.in.failed(err, "property %v: cut short after %d bytes", tag, s.length())
	}
	return p, err == nil || s.length() > 0
}

func first(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// large is a value that stays in the file.
func (s *stream) large(tag mapi.Tag) mapi.Property {
	end := terminator(tag.Type())
	if last := make([]byte, len(end)); end != "" {
		if n, err := s.ReadAt(last, s.length()-int64(len(end))); n < len(end) || err != nil || string(last) != end {
			s.tail = end
		}
		if len(end) == 2 && s.length()%2 != 0 { // half a character
			s.tail = "\x00" + end
		}
	}
	return mapi.Property{Tag: tag, Size: s.size(), Large: io.NewSectionReader(s, 0, s.size())}
}
