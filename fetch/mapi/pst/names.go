package pst

import (
	"encoding/binary"

	"mailbrick/fetch/mapi"
)

// The name-to-id map is the properties of a node [MS-PST] 2.4.7.
const (
	nidNames = 0x61

	idNameSets    = 0x0002 // PidTagNameidStreamGuid
	idNameEntries = 0x0003 // PidTagNameidStreamEntry
	idNameTexts   = 0x0004 // PidTagNameidStreamString

	nameEntrySize = 8
	maxNames      = 0x7FFF

	setNone          = 0
	setMAPI          = 1
	setPublicStrings = 2
	setFirstListed   = 3
)

// readNames gives the names of the ids from 0x8000 on.
func (in *reader) readNames(n node) (map[uint16]mapi.Name, error) {
	o, err := in.object(n)
	if err != nil {
		return nil, err
	}
	stream := func(id uint16) []byte {
		r, ok := o.find(id)
		if !ok || r.tag.Type() != mapi.TypeBinary {
			return nil
		}
		data, _ := o.bytes(r.tag, r.hnid(), maxList)
		return data
	}
	entries, sets, texts := stream(idNameEntries), stream(idNameSets), stream(idNameTexts)
	names := make(map[uint16]mapi.Name, min(len(entries)/nameEntrySize, maxNames))
	for ; len(entries) >= nameEntrySize; entries = entries[nameEntrySize:] {
		index := binary.LittleEndian.Uint16(entries[6:])
		if index >= maxNames {
			continue
		}
		if name, ok := readName(entries, sets, texts); ok {
			names[mapi.FirstNamed+index] = name
		}
	}
	return names, nil
}

// readName reads a NAMEID [MS-PST] 2.4.7.1.
func readName(entry, sets, texts []byte) (name mapi.Name, ok bool) {
	key, word := binary.LittleEndian.Uint32(entry), binary.LittleEndian.Uint16(entry[4:])
	switch set := int(word >> 1); set {
	case setNone:
	case setMAPI:
		name.Set = mapi.GUID{0x28, 0x03, 0x02, 0, 0, 0, 0, 0, 0xC0, 0, 0, 0, 0, 0, 0, 0x46}
	case setPublicStrings:
		name.Set = mapi.SetPublicStrings()
	default:
		at := (set - setFirstListed) * 16
		if at+16 > len(sets) {
			return name, false
		}
		name.Set = mapi.GUID(sets[at : at+16])
	}
	if word&1 == 0 {
		name.LID = key
		return name, true
	}
	if int64(key)+4 > int64(len(texts)) {
		return name, false
	}
	n, texts := binary.LittleEndian.Uint32(texts[key:]), texts[key+4:]
	if int64(n) > int64(len(texts)) || n > maxName {
		return name, false
	}
	p := mapi.Property{Tag: mapi.Tag(mapi.TypeUnicode), Data: texts[:n]}
	name.Text = p.Text(0)
	return name, name.Text != ""
}
