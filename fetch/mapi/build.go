package mapi

import (
	"encoding/binary"
	"strings"
	"time"
)

func newProperty(id uint16, t Type, data []byte) Property {
	return Property{Tag: MakeTag(id, t), Data: data, Size: int64(len(data))}
}

// NewText is a string of type 0x84B0. A NUL ends it, as it would on the wire for every reader.
func NewText(id uint16, s string) Property {
	s, _, _ = strings.Cut(s, "\x00")
	return newProperty(id, TypeText, encodeUTF16(s, true))
}

func NewInt32(id uint16, v int32) Property {
	return newProperty(id, TypeInt32, binary.LittleEndian.AppendUint32(nil, uint32(v)))
}

func NewInt64(id uint16, v int64) Property {
	return newProperty(id, TypeInt64, binary.LittleEndian.AppendUint64(nil, uint64(v)))
}

func NewBool(id uint16, v bool) Property {
	data := []byte{0, 0}
	if v {
		data[0] = 1
	}
	return newProperty(id, TypeBool, data)
}

func NewTime(id uint16, t time.Time) Property {
	return newProperty(id, TypeTime, binary.LittleEndian.AppendUint64(nil, toFiletime(t)))
}

// NewBinary keeps data, it does not copy it.
func NewBinary(id uint16, data []byte) Property { return newProperty(id, TypeBinary, data) }

// NewNamed gives p a name in place of its id; writers choose the id.
func NewNamed(n Name, p Property) Property {
	p.Tag = MakeTag(FirstNamed, p.Tag.Type())
	p.Name = &n
	return p
}

func NewNamedText(n Name, s string) Property { return NewNamed(n, NewText(FirstNamed, s)) }

func NewNamedInt32(n Name, v int32) Property { return NewNamed(n, NewInt32(FirstNamed, v)) }

func NewNamedBool(n Name, v bool) Property { return NewNamed(n, NewBool(FirstNamed, v)) }

func NewNamedTime(n Name, t time.Time) Property { return NewNamed(n, NewTime(FirstNamed, t)) }

// NewTexts is a list of strings. Lists do not take code-page types.
func NewTexts(id uint16, list []string) Property {
	data := binary.LittleEndian.AppendUint32(nil, uint32(len(list)))
	for _, s := range list {
		s, _, _ = strings.Cut(s, "\x00")
		member := encodeUTF16(s, true)
		data = binary.LittleEndian.AppendUint32(data, uint32(len(member)))
		data = append(data, member...)
	}
	return newProperty(id, TypeTexts, data)
}

func NewNamedTexts(n Name, list []string) Property { return NewNamed(n, NewTexts(FirstNamed, list)) }
