package tnef

import (
	"encoding/binary"
	"strings"

	"mailbrick/fetch/mapi"
)

// value reads the value of a property; ok is false where there is none to keep.
// A cut value is kept only where it is the bytes of an attachment.
func (s *stream) value(c *cursor, tag mapi.Tag) (p mapi.Property, ok bool) {
	layout, width := tag.Type().Layout()
	if tag.Type()&mapi.CodePage != 0 {
		layout = mapi.LayoutUnknown
	}
	var data []byte
	switch layout {
	case mapi.LayoutFixed:
		data = c.padded(uint32(width))
	case mapi.LayoutFixedMV:
		data = c.fixedList(uint32(width))
	case mapi.LayoutVarMV:
		return s.members(c, tag)
	case mapi.LayoutVariable:
		return s.single(c, tag)
	default:
		s.warn("property %v: unknown type", tag)
		// The types Unspecified and Null have no value; the length of others is not known.
		c.short = c.short || tag.Type() > 1
		return p, false
	}
	if c.short {
		return p, false
	}
	return newProperty(tag, data), true
}

func newProperty(tag mapi.Tag, data []byte) mapi.Property {
	return mapi.Property{Tag: tag, Data: data, Size: int64(len(data))}
}

// fixedList packs values that are padded to 4 bytes each.
func (c *cursor) fixedList(width uint32) []byte {
	count := c.u32()
	stride := uint64(width+3) &^ 3
	if uint64(count)*stride > uint64(len(c.data))+3 {
		c.short = true
		return nil
	}
	data := binary.LittleEndian.AppendUint32(make([]byte, 0, 4+count*width), count)
	for range count {
		data = append(data, c.padded(width)...)
	}
	return data
}

// single reads a string, a binary or an object.
func (s *stream) single(c *cursor, tag mapi.Tag) (p mapi.Property, ok bool) {
	count := c.u32()
	if c.short {
		return p, false
	}
	if count == 0 {
		s.warn("property %v: no value", tag)
		return p, false
	}
	size := c.u32()
	data := c.padded(size)
	if c.short && (tag.ID() != mapi.PidTagAttachData || len(data) == 0) {
		return p, false
	}
	if c.short {
		s.warn("property %v: cut short: %d of %d bytes", tag, len(data), size)
	}
	if count > 1 {
		s.warn("property %v: %d values, the first counts", tag, count)
	}
	for range count - 1 {
		if c.padded(c.u32()); c.short {
			break
		}
	}
	switch tag.Type() {
	case mapi.TypeString8:
		return s.string8(tag.ID(), data), true
	case mapi.TypeUnicode:
		data = terminated(data)
	}
	return newProperty(tag, data), true
}

// members reads a list of strings or binaries.
func (s *stream) members(c *cursor, tag mapi.Tag) (p mapi.Property, ok bool) {
	count := c.u32()
	if uint64(count) > uint64(len(c.data))/4 {
		c.short = true
	}
	if c.short {
		return p, false
	}
	eightBit := tag.Type() == mapi.MultiValue|mapi.TypeString8
	if eightBit { // lists have no type with a code page
		tag = mapi.MakeTag(tag.ID(), mapi.TypeTexts)
	}
	data := binary.LittleEndian.AppendUint32(nil, count)
	for range count {
		member := c.padded(c.u32())
		if c.short {
			return p, false
		}
		switch {
		case eightBit:
			member = mapi.NewText(0, s.text(member)).Data
		case tag.Type() == mapi.TypeTexts:
			member = terminated(member)
		}
		data = binary.LittleEndian.AppendUint32(data, uint32(len(member)))
		data = append(data, member...)
	}
	return newProperty(tag, data), true
}

// text is an 8-bit string up to its terminator.
func (s *stream) text(data []byte) string {
	text := mapi.DecodeCodePage(s.codePage, data)
	text, _, _ = strings.Cut(text, "\x00")
	return text
}

// string8 is an 8-bit string as a property of its code page.
func (s *stream) string8(id uint16, data []byte) mapi.Property {
	// A type has 15 bits for the number, one of which also makes lists.
	if s.codePage >= int(mapi.CodePage) || s.codePage&int(mapi.MultiValue) != 0 {
		return mapi.NewText(id, s.text(data))
	}
	if n := len(data); n == 0 || data[n-1] != 0 {
		data = append(data[:n:n], 0)
	}
	return newProperty(mapi.MakeTag(id, mapi.CodePage|mapi.Type(s.codePage)), data)
}

// terminated adds its terminator to a UTF-16 string that has none, and takes
// half a character from its end.
func terminated(data []byte) []byte {
	n := len(data) &^ 1
	if n >= 2 && data[n-1] == 0 && data[n-2] == 0 {
		return data[:n]
	}
	return append(data[:n:n], 0, 0)
}
