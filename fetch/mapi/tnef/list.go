package tnef

import (
	"encoding/binary"
	"strings"

	"mailbrick/fetch/mapi"
)

// cursor reads from the front of data. When that runs out it is short and
// yields zeros and what is left.
type cursor struct {
	data  []byte
	short bool
}

func (c *cursor) u16() uint16 {
	b := c.take(2)
	if c.short {
		return 0
	}
	return binary.LittleEndian.Uint16(b)
}

func (c *cursor) u32() uint32 {
	b := c.take(4)
	if c.short {
		return 0
	}
	return binary.LittleEndian.Uint32(b)
}

func (c *cursor) take(n uint32) []byte {
	if uint64(n) > uint64(len(c.data)) {
		c.short = true
		n = uint32(len(c.data))
	}
	b := c.data[:n:n]
	c.data = c.data[n:]
	return b
}

// padded is take and goes on to the next multiple of 4. Some writers leave out
// the padding at the end of all.
func (c *cursor) padded(n uint32) []byte {
	b := c.take(n)
	c.data = c.data[min(len(c.data), int(-n&3)):]
	return b
}

// list reads a list of properties into o.
func (s *stream) list(o *object, data []byte) {
	c := &cursor{data: data}
	s.rows(o, c)
	if !c.short && len(c.data) > 0 {
		s.warn("%d bytes after the last property", len(c.data))
	}
}

// rows reads a list from c, and says whether all of it could be read.
func (s *stream) rows(o *object, c *cursor) bool {
	count := c.u32()
	for i := range count {
		if c.short || !s.property(o, c) {
			c.short = true
			s.warn("%d of %d properties could not be read", count-i, count)
			return false
		}
	}
	if c.short {
		s.warn("a list of properties without its count")
	}
	return !c.short
}

// recipientTable reads attRecipTable [MS-OXTNEF] 2.1.3.4.
func (s *stream) recipientTable(data []byte) {
	c := &cursor{data: data}
	count := c.u32()
	for range count {
		var o object
		s.enter("recipient", len(s.recipients))
		whole := s.rows(&o, c)
		s.leave()
		if len(o.bag) > 0 && s.room() {
			s.recipients = append(s.recipients, o.bag)
		}
		if !whole {
			return
		}
	}
	if c.short || len(c.data) > 0 {
		s.warn("%d bytes after the last recipient", len(c.data))
	}
}

// property reads a property and says whether the list can be read on.
func (s *stream) property(o *object, c *cursor) bool {
	t := mapi.Type(c.u16())
	tag := mapi.MakeTag(c.u16(), t)
	name, usable := s.name(c, tag)
	p, ok := s.value(c, tag)
	switch {
	case c.short && p.Data == nil:
		s.warn("property %v: cut short", tag)
		return false
	case !ok:
		return !c.short
	case !usable || tag.Type() == mapi.TypeObject && (tag.ID() == mapi.PidTagMessageRecipients || tag.ID() == mapi.PidTagMessageAttachments):
		return true
	}
	p.Name = name
	s.add(o, p)
	return !c.short
}

// name reads the name that properties from 0x8000 on have; usable is false for
// one that cannot be told from others.
func (s *stream) name(c *cursor, tag mapi.Tag) (name *mapi.Name, usable bool) {
	if tag.ID() < mapi.FirstNamed || c.short {
		return nil, true
	}
	name = &mapi.Name{}
	copy(name.Set[:], c.take(16))
	switch kind := c.u32(); kind {
	case 0:
		name.LID = c.u32()
	case 1:
		text := mapi.Property{Tag: mapi.Tag(mapi.TypeUnicode), Data: c.padded(c.u32())}
		if len(text.Data) <= maxName {
			name.Text, _, _ = strings.Cut(text.Text(0), "\x00")
		}
		if name.Text == "" || len(mapi.NewText(0, name.Text).Data) > maxName {
			s.warn("property %v: a name of %d bytes", tag, len(text.Data))
			return nil, false
		}
	default:
		c.short = true
		s.warn("property %v: name of unknown kind %d", tag, kind)
	}
	if tag.ID() == 0xFFFF {
		s.warn("property %v: no id of a named property", tag)
		return nil, false
	}
	return name, true
}
