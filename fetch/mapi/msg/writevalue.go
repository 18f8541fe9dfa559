package msg

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strings"
	"unicode/utf16"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/msg/cfb"
)

// memory is a short value as a stream.
type memory []byte

func (m memory) ReadAt(p []byte, off int64) (int, error) {
	if off >= int64(len(m)) {
		return 0, io.EOF
	}
	n := copy(p, m[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func bytesStream(name string, data []byte) *cfb.Entry {
	return cfb.NewStream(name, memory(data), int64(len(data)))
}

// property adds a property, if there is none with its tag.
func (o *objectWriter) property(p *mapi.Property) error {
	id, ok, err := o.idOf(p)
	if err != nil || !ok {
		return err
	}
	if !p.Kept() {
		return mapi.ErrLeftOut
	}
	layout, width := p.Tag.Type().Layout()
	switch layout {
	case mapi.LayoutFixed:
		return o.fixed(id, p, width)
	case mapi.LayoutVariable:
		if p.Tag.Type().IsString() {
			return o.text(id, p)
		}
		return o.single(id, p)
	case mapi.LayoutFixedMV:
		return o.packed(id, p, width)
	case mapi.LayoutVarMV:
		return o.list(id, p)
	}
	return fmt.Errorf("%w: type %04X", ErrNotEncodable, uint16(p.Tag.Type()))
}

// idOf is the id p has in the file, and whether it goes there.
func (o *objectWriter) idOf(p *mapi.Property) (uint16, bool, error) {
	id := p.Tag.ID()
	switch {
	case p.Name != nil:
		id, err := o.names.id(*p.Name)
		return id, err == nil, err
	case id >= mapi.FirstNamed && id != 0xFFFF, tableOf(p.Tag), id == mapi.PidTagMid && o.more.embedded:
		return 0, false, nil
	}
	return id, true, nil
}

func (o *objectWriter) fixed(id uint16, p *mapi.Property, width int) error {
	data, err := bytesOf(p)
	if err != nil {
		return err
	}
	if len(data) != width {
		return fmt.Errorf("%w: value of %d bytes, its type has %d", ErrNotEncodable, p.Len(), width)
	}
	tag := mapi.MakeTag(id, p.Tag.Type())
	if tag.Type() == mapi.TypeGUID {
		return o.stream(tag, memory(data), int64(width), 0)
	}
	if o.seen[tag] {
		return nil
	}
	var value [8]byte
	copy(value[:], data)
	if id == idStoreSupportMask && o.more.message && tag.Type() == mapi.TypeInt32 {
		value[idUnicodeByte] |= idUnicodeBit
	}
	o.putValue(tag, binary.LittleEndian.Uint64(value[:]))
	return nil
}

// stream adds a value that has a stream of its own; terminator is what its size counts beside.
func (o *objectWriter) stream(tag mapi.Tag, content io.ReaderAt, size, terminator int64) error {
	if o.seen[tag] {
		return nil
	}
	if size > math.MaxUint32-2 {
		return fmt.Errorf("%w: value of %d bytes", ErrNotEncodable, size)
	}
	o.put(tag, uint32(size+terminator), 0)
	o.streams = append(o.streams, cfb.NewStream(valueName(tag), content, size))
	return nil
}

// content is a value wherever it is.
func content(p *mapi.Property) io.ReaderAt {
	if p.Large != nil {
		return p.Large
	}
	return memory(p.Data)
}

// bytesOf is a value in memory.
func bytesOf(p *mapi.Property) ([]byte, error) {
	if p.Large == nil {
		return p.Data, nil
	}
	data := make([]byte, p.Large.Size())
	_, err := io.ReadFull(p.Open(), data)
	return data, err
}

// single adds a binary value. An object that is a compound file becomes a storage.
func (o *objectWriter) single(id uint16, p *mapi.Property) error {
	t := p.Tag.Type()
	if t == mapi.TypeObject {
		t = mapi.TypeBinary
		if inside := compound(p); inside != nil {
			return o.storage(mapi.MakeTag(id, mapi.TypeObject), inside)
		}
	}
	return o.stream(mapi.MakeTag(id, t), content(p), p.Len(), 0)
}

// compound is the root of a value that is a compound file, nil where it is none or damaged.
func compound(p *mapi.Property) *cfb.Entry {
	f, err := cfb.Open(content(p), p.Len())
	if err != nil || len(f.Warnings) > 0 || !whole(f.Root) {
		return nil
	}
	return f.Root
}

func whole(e *cfb.Entry) bool {
	for _, c := range e.Children {
		if c.Storage && !whole(c) {
			return false
		}
		if _, err := c.Open(); err != nil {
			return false
		}
	}
	return true
}

func (o *objectWriter) storage(tag mapi.Tag, inside *cfb.Entry) error {
	if o.seen[tag] {
		return nil
	}
	o.put(tag, sizeOfObject, objectOLE)
	copied := *inside
	copied.Name = valueName(tag)
	o.streams = append(o.streams, &copied)
	return nil
}

// text adds a string.
func (o *objectWriter) text(id uint16, p *mapi.Property) error {
	if p.Tag.Type().IsUTF16() && p.Large != nil && p.Tag.Type() != mapi.CodePage|1201 {
		return o.largeText(id, p)
	}
	data, err := bytesOf(p)
	if err != nil {
		return err
	}
	t := p.Tag.Type()
	if p.Tag == tagHTML8 { // its code page is its own, and it says it itself
		data = bytes.TrimRight(data, "\x00")
	} else {
		t, data = o.encode(t, data)
	}
	return o.stream(mapi.MakeTag(id, t), memory(data), int64(len(data)), int64(len(terminator(t))))
}

// largeText adds a UTF-16LE string that is not in memory.
func (o *objectWriter) largeText(id uint16, p *mapi.Property) error {
	size := p.Len() &^ 1
	if size >= 2 {
		var end [2]byte
		if n, err := p.Large.ReadAt(end[:], size-2); n < 2 {
			return err
		}
		if end == [2]byte{} {
			size -= 2
		}
	}
	return o.stream(mapi.MakeTag(id, mapi.TypeUnicode), p.Large, size, 2)
}

// encode makes a string of type t one of the file, without its terminator: in
// UTF-16LE, or as it is where it is not what its code page says.
func (o *objectWriter) encode(t mapi.Type, data []byte) (mapi.Type, []byte) {
	switch t {
	case mapi.TypeUnicode, mapi.TypeText, mapi.TypeText | mapi.MultiValue:
		return mapi.TypeUnicode, trimUTF16(data)
	}
	p := mapi.Property{Tag: mapi.Tag(t &^ mapi.MultiValue), Data: data}
	text := p.Text(o.codePage)
	if t == mapi.TypeString8 && strings.ContainsRune(text, '\uFFFD') {
		return t, bytes.TrimRight(data, "\x00")
	}
	return mapi.TypeUnicode, utf16Bytes(strings.TrimRight(text, "\x00"))
}

// trimUTF16 takes the terminators from a string: a value does not end in NUL.
func trimUTF16(data []byte) []byte {
	data = data[:len(data)&^1]
	for n := len(data); n >= 2 && data[n-2]|data[n-1] == 0; n = len(data) {
		data = data[:n-2]
	}
	return data
}

func utf16Bytes(s string) []byte {
	b := make([]byte, 0, 2*len(s))
	for _, r := range s {
		b = appendUTF16(b, r)
	}
	return b
}

func appendUTF16(b []byte, r rune) []byte {
	if r >= 0x10000 {
		high, low := utf16.EncodeRune(r)
		return append(b, byte(high), byte(high>>8), byte(low), byte(low>>8))
	}
	return append(b, byte(r), byte(r>>8))
}

// packed adds a list of fixed values.
func (o *objectWriter) packed(id uint16, p *mapi.Property, width int) error {
	data, err := bytesOf(p)
	if err != nil {
		return err
	}
	if len(data) < 4 || int64(len(data)-4) != int64(binary.LittleEndian.Uint32(data))*int64(width) {
		return fmt.Errorf("%w: list of %d bytes", ErrNotEncodable, len(data))
	}
	return o.stream(mapi.MakeTag(id, p.Tag.Type()), memory(data[4:]), int64(len(data)-4), 0)
}

// list adds a list of strings or binaries: a stream of lengths, and one for each member.
func (o *objectWriter) list(id uint16, p *mapi.Property) error {
	data, err := bytesOf(p)
	if err != nil {
		return err
	}
	members := mapi.Members(data)
	t := p.Tag.Type()
	if members == nil {
		if t&mapi.CodePage != 0 { // read as one string, see package fasttransfer
			return o.text(id, &mapi.Property{Tag: mapi.MakeTag(id, t&^mapi.MultiValue), Data: data})
		}
		return fmt.Errorf("%w: list of %d bytes", ErrNotEncodable, p.Len())
	}
	if t != mapi.TypeBinary|mapi.MultiValue {
		t, members = o.encodeAll(t, members)
	}
	tag := mapi.MakeTag(id, t)
	if o.seen[tag] {
		return nil
	}
	var lengths []byte
	for i, m := range members {
		lengths = binary.LittleEndian.AppendUint32(lengths, uint32(len(m)))
		if t == mapi.TypeBinary|mapi.MultiValue {
			lengths = append(lengths, 0, 0, 0, 0)
		}
		o.streams = append(o.streams, bytesStream(memberName(tag, i), m))
	}
	return o.stream(tag, memory(lengths), int64(len(lengths)), 0)
}

// encodeAll makes strings of type t members of one list, with their terminators.
func (o *objectWriter) encodeAll(t mapi.Type, members [][]byte) (mapi.Type, [][]byte) {
	one := t
	if t&mapi.CodePage == 0 {
		one = t &^ mapi.MultiValue
	}
	list := make([][]byte, len(members))
	for i, m := range members {
		encoded, data := o.encode(one, m)
		if encoded == mapi.TypeString8 { // then none of them is decoded
			return t, members
		}
		list[i] = append(data[:len(data):len(data)], 0, 0)
	}
	return mapi.TypeUnicode | mapi.MultiValue, list
}
