package msg

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/msg/cfb"
)

// Streams of the name storage [MS-OXMSG] 2.2.3.
const (
	tagSets        mapi.Tag = 0x00020102
	tagNameEntries mapi.Tag = 0x00030102
	tagNameTexts   mapi.Tag = 0x00040102

	firstBucket = 0x1000
	buckets     = 31
	maxNames    = 0x7FFC // so many sets have numbers too

	nameEntrySize = 8
	nameIsText    = 1

	setNone         = 0
	setMAPI         = 1
	setPublicString = 2
	setFirstListed  = 3
)

// mapiSet is PS_MAPI.
func mapiSet() mapi.GUID {
	return mapi.GUID{0x28, 0x03, 0x02, 0, 0, 0, 0, 0, 0xC0, 0, 0, 0, 0, 0, 0, 0x46}
}

// readNames reads the names of a file in the order of their ids.
func (in *reader) readNames(e *cfb.Entry) []*mapi.Name {
	if e == nil {
		in.warn("no names of properties")
		return nil
	}
	s := sortStorage(e)
	stream := func(tag mapi.Tag) []byte {
		if e := s.values[tag]; e != nil && !e.Storage {
			return in.bytes(e)
		}
		return nil
	}
	entries, sets, texts := stream(tagNameEntries), stream(tagSets), stream(tagNameTexts)
	names := make([]*mapi.Name, min(len(entries)/nameEntrySize, maxNames))
	for i := range names {
		names[i] = in.readName(entries[i*nameEntrySize:], sets, texts)
	}
	return names
}

// readName reads the record of a name, nil where it is not understood.
func (in *reader) readName(entry, sets, texts []byte) *mapi.Name {
	key := binary.LittleEndian.Uint32(entry)
	word := binary.LittleEndian.Uint16(entry[4:])
	name := mapi.Name{LID: key}
	switch set := int(word >> 1); set {
	case setNone:
	case setMAPI:
		name.Set = mapiSet()
	case setPublicString:
		name.Set = mapi.SetPublicStrings()
	default:
		at := (set - setFirstListed) * 16
		if at+16 > len(sets) {
			in.warn("name of set %d, which is not there", set)
			return nil
		}
		name.Set = mapi.GUID(sets[at : at+16])
	}
	if word&nameIsText == 0 {
		return &name
	}
	name.LID = 0
	if name.Text = textAt(texts, key); name.Text == "" {
		in.warn("name at %d of the names, which is not there", key)
		return nil
	}
	return &name
}

// textAt reads the string at an offset of the string stream.
func textAt(texts []byte, offset uint32) string {
	if int64(offset)+4 > int64(len(texts)) {
		return ""
	}
	n := binary.LittleEndian.Uint32(texts[offset:])
	texts = texts[offset+4:]
	if int64(n) > int64(len(texts)) || n > maxName {
		return ""
	}
	p := mapi.Property{Tag: mapi.Tag(mapi.TypeUnicode), Data: texts[:n]}
	return p.Text(0)
}

// nameTable gives names their ids in the order in which they are asked for.
type nameTable struct {
	ids  map[mapi.Name]uint16
	list []mapi.Name
}

func (t *nameTable) id(n mapi.Name) (uint16, error) {
	if n.Text != "" {
		n.LID = 0
	}
	if id, ok := t.ids[n]; ok {
		return id, nil
	}
	if len(t.list) == maxNames {
		return 0, fmt.Errorf("%w: more than %d names of properties", ErrNotEncodable, maxNames)
	}
	if len(utf16Bytes(n.Text)) > maxName {
		return 0, fmt.Errorf("%w: name longer than %d bytes", ErrNotEncodable, maxName)
	}
	if t.ids == nil {
		t.ids = map[mapi.Name]uint16{}
	}
	id := uint16(mapi.FirstNamed + len(t.list))
	t.ids[n] = id
	t.list = append(t.list, n)
	return id, nil
}

// storage is the name storage. Its three streams are there even when they are empty.
func (t *nameTable) storage() *cfb.Entry {
	var entries, texts, sets []byte
	numbers := map[mapi.GUID]uint16{mapiSet(): setMAPI, mapi.SetPublicStrings(): setPublicString}
	var bucket [buckets][]byte
	for i, n := range t.list {
		set, known := numbers[n.Set]
		if !known {
			set = uint16(setFirstListed + len(sets)/16)
			numbers[n.Set] = set
			sets = append(sets, n.Set[:]...)
		}
		word := set << 1
		key, hash := n.LID, n.LID
		if n.Text != "" {
			word |= nameIsText
			text := utf16Bytes(n.Text)
			key, hash = uint32(len(texts)), nameCRC(text)
			texts = binary.LittleEndian.AppendUint32(texts, uint32(len(text)))
			texts = append(texts, text...)
			texts = append(texts, make([]byte, -len(texts)&3)...)
		}
		entries = appendName(entries, key, word, i)
		b := &bucket[(hash^uint32(word))%buckets]
		*b = appendName(*b, hash, word, i)
	}
	s := cfb.NewStorage(namesName, bytesStream(valueName(tagSets), sets),
		bytesStream(valueName(tagNameEntries), entries), bytesStream(valueName(tagNameTexts), texts))
	for i, b := range bucket {
		if b != nil {
			tag := mapi.MakeTag(uint16(firstBucket+i), mapi.TypeBinary)
			s.Children = append(s.Children, bytesStream(valueName(tag), b))
		}
	}
	return s
}

func appendName(b []byte, key uint32, word uint16, i int) []byte {
	b = binary.LittleEndian.AppendUint32(b, key)
	b = binary.LittleEndian.AppendUint16(b, word)
	return binary.LittleEndian.AppendUint16(b, uint16(i))
}

// nameCRC is the CRC of compressed RTF: begun with 0 and not inverted [MS-OXRTFCP] 2.1.2.2.
func nameCRC(text []byte) uint32 {
	return ^crc32.Update(0xFFFFFFFF, crc32.IEEETable, text)
}
