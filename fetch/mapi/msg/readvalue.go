package msg

import (
	"encoding/binary"
	"io"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/msg/cfb"
)

// inMemory is the longest binary value that is copied out of the file.
const inMemory = 1 << 20

// propertyEntry is 16 bytes of a property stream [MS-OXMSG] 2.4.2.
type propertyEntry []byte

func (e propertyEntry) tag() mapi.Tag  { return mapi.Tag(binary.LittleEndian.Uint32(e)) }
func (e propertyEntry) inline() []byte { return e[8:16] }
func (e propertyEntry) size() uint32   { return binary.LittleEndian.Uint32(e[8:]) }

// property reads the property of an entry, and says whether there is one.
func (in *reader) property(s *storage, e propertyEntry) (mapi.Property, bool) {
	p, ok := in.typed(s, e)
	if !ok || p.Tag.ID() < mapi.FirstNamed || p.Tag.ID() == 0xFFFF {
		return p, ok
	}
	if p.Name = in.name(p.Tag.ID()); p.Name == nil {
		in.warn("property %v: no name", p.Tag)
		return p, false
	}
	return p, true
}

func (in *reader) name(id uint16) *mapi.Name {
	i := int(id) - mapi.FirstNamed
	if i >= len(in.names) || in.names[i] == nil {
		return nil
	}
	name := *in.names[i]
	return &name
}

func (in *reader) typed(s *storage, e propertyEntry) (mapi.Property, bool) {
	tag := e.tag()
	layout, width := tag.Type().Layout()
	// In a file a GUID is a stream, and strings have no type of their code page.
	switch stream := s.values[tag]; {
	case layout == mapi.LayoutUnknown || tag.Type()&mapi.CodePage != 0:
		in.warn("property %v: unknown type", tag)
	case layout == mapi.LayoutFixed && tag.Type() != mapi.TypeGUID:
		return mapi.Property{Tag: tag, Data: append([]byte(nil), e.inline()[:width]...), Size: int64(width)}, true
	case stream == nil:
		return in.absent(tag, e)
	case stream.Storage:
		return in.object(tag, stream)
	case layout == mapi.LayoutFixedMV:
		return in.packed(tag, stream, width), true
	case layout == mapi.LayoutVarMV:
		return in.list(s, tag, stream), true
	default:
		return in.single(tag, stream)
	}
	return mapi.Property{}, false
}

// absent is a property without its stream: an empty value where its size says so.
func (in *reader) absent(tag mapi.Tag, e propertyEntry) (mapi.Property, bool) {
	layout, _ := tag.Type().Layout()
	if layout == mapi.LayoutVariable && e.size() <= uint32(len(terminator(tag.Type()))) {
		data := []byte(terminator(tag.Type()))
		return mapi.Property{Tag: tag, Data: data, Size: int64(len(data))}, true
	}
	if layout != mapi.LayoutVariable && e.size() == 0 {
		return mapi.Property{Tag: tag, Data: make([]byte, 4), Size: 4}, true
	}
	in.warn("property %v: no stream", tag)
	return mapi.Property{}, false
}

// terminator is what ends strings of t.
func terminator(t mapi.Type) string {
	switch t &^ mapi.MultiValue {
	case mapi.TypeUnicode:
		return "\x00\x00"
	case mapi.TypeString8:
		return "\x00"
	}
	return ""
}

// single reads a value that is a stream.
func (in *reader) single(tag mapi.Tag, stream *cfb.Entry) (mapi.Property, bool) {
	if tag.Type().IsString() {
		data := in.terminated(tag, in.bytes(stream))
		return mapi.Property{Tag: tag, Data: data, Size: int64(len(data))}, true
	}
	content, err := stream.Open()
	if err != nil {
		in.warn("property %v: %v", tag, err)
	}
	if tag.Type() == mapi.TypeGUID && content.Size() != 16 {
		in.warn("property %v: a GUID of %d bytes", tag, content.Size())
		return mapi.Property{}, false
	}
	return in.value(tag, content)
}

// terminated gives a string one terminator, whatever NULs end its stream (some
// writers store them), and takes half a character from its end.
func (in *reader) terminated(tag mapi.Tag, data []byte) []byte {
	end := terminator(tag.Type())
	if len(data)%len(end) != 0 {
		in.warn("property %v: half a character at the end", tag)
		data = data[:len(data)-1]
	}
	for len(data) > 0 && string(data[len(data)-len(end):]) == end {
		data = data[:len(data)-len(end)]
	}
	return append(data, end...)
}

// value is a value that is taken as it is.
func (in *reader) value(tag mapi.Tag, content *io.SectionReader) (mapi.Property, bool) {
	p := mapi.Property{Tag: tag, Size: content.Size()}
	if p.Size > inMemory {
		p.Large = content
		return p, true
	}
	p.Data = make([]byte, p.Size)
	if _, err := io.ReadFull(content, p.Data); err != nil && p.Size > 0 {
		in.warn("property %v: %v", tag, err)
		return p, false
	}
	return p, true
}

// packed reads a list of fixed values.
func (in *reader) packed(tag mapi.Tag, stream *cfb.Entry, width int) mapi.Property {
	values := in.bytes(stream)
	count := len(values) / width
	if len(values)%width != 0 {
		in.warn("property %v: a list of %d bytes", tag, len(values))
	}
	data := binary.LittleEndian.AppendUint32(make([]byte, 0, 4+len(values)), uint32(count))
	data = append(data, values[:count*width]...)
	return mapi.Property{Tag: tag, Data: data, Size: int64(len(data))}
}

// list reads a list of strings or binaries: stream has their lengths, their
// values are streams of their own.
func (in *reader) list(s *storage, tag mapi.Tag, stream *cfb.Entry) mapi.Property {
	width := 4
	if tag.Type()&^mapi.MultiValue == mapi.TypeBinary {
		width = 8 // length and zero [MS-OXMSG] 2.1.4.2
	}
	lengths := in.bytes(stream)
	data := make([]byte, 4)
	count := uint32(0)
	missing := 0
	for i := uint32(0); len(lengths) >= width; i++ {
		value, ok := in.member(s, tag, i, binary.LittleEndian.Uint32(lengths))
		lengths = lengths[width:]
		if !ok {
			missing++
			continue
		}
		count++
		data = binary.LittleEndian.AppendUint32(data, uint32(len(value)))
		data = append(data, value...)
	}
	if missing > 0 || len(lengths) > 0 {
		in.warn("property %v: %d members of the list are not there", tag, missing)
	}
	binary.LittleEndian.PutUint32(data, count)
	return mapi.Property{Tag: tag, Data: data, Size: int64(len(data))}
}

// member reads a member of a list that should have that many bytes.
func (in *reader) member(s *storage, tag mapi.Tag, i, length uint32) ([]byte, bool) {
	end := terminator(tag.Type())
	stream := s.members[member{tag, i}]
	if stream == nil || stream.Storage {
		return []byte(end), length <= uint32(len(end))
	}
	data := in.bytes(stream)
	if end != "" {
		data = in.terminated(tag, data)
	}
	return data, true
}
