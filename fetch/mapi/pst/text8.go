package pst

import (
	"encoding/binary"

	"mailbrick/fetch/mapi"
)

// codePage is that of the 8-bit strings of a message: what it says, else given,
// else what may be guessed.
func codePage(bag mapi.Bag, given int) int {
	if cp, ok := bag.Int32(mapi.PidTagMessageCodepage); ok && cp > 0 && !wide(int(cp)) {
		return int(cp)
	}
	if given != 0 {
		return given
	}
	if cp := bag.CodePage(); !wide(cp) {
		return cp
	}
	return defaultCodePage
}

const defaultCodePage = 1252

// wide code pages are no code pages of 8-bit strings, though messages name them.
func wide(codePage int) bool { return codePage == 1200 || codePage == 1201 }

// pin makes the 8-bit strings of a bag strings of their code page.
func pin(bag mapi.Bag, codePage int) {
	for i := range bag {
		switch p := &bag[i]; p.Tag.Type() {
		case mapi.TypeString8:
			if p.Tag.ID() != mapi.PidTagHTML { // which is in a code page of its own
				pinText(p, codePage)
			}
		case mapi.TypeString8 | mapi.MultiValue:
			pinList(p, codePage)
		}
	}
}

func pinText(p *mapi.Property, codePage int) {
	// A type has 15 bits for the number, one of which also makes lists.
	if codePage < int(mapi.CodePage) && codePage&int(mapi.MultiValue) == 0 {
		p.Tag = mapi.MakeTag(p.Tag.ID(), mapi.CodePage|mapi.Type(codePage))
		return
	}
	if p.Large != nil { // not to be turned in memory: its reader knows the code page of the message
		return
	}
	replace(p, mapi.NewText(p.Tag.ID(), mapi.DecodeCodePage(codePage, p.Data[:len(p.Data)-1])))
}

// pinList turns a list of strings into UTF-16: lists have no type with a code page.
func pinList(p *mapi.Property, codePage int) {
	members := mapi.Members(p.Data)
	data := binary.LittleEndian.AppendUint32(nil, uint32(len(members)))
	for _, m := range members {
		text := mapi.NewText(0, mapi.DecodeCodePage(codePage, m[:len(m)-1])).Data
		data = binary.LittleEndian.AppendUint32(data, uint32(len(text)))
		data = append(data, text...)
	}
	replace(p, newProperty(mapi.MakeTag(p.Tag.ID(), mapi.TypeTexts), data))
}

// replace puts a value in the place of another and keeps its name.
func replace(p *mapi.Property, q mapi.Property) {
	q.Name = p.Name
	*p = q
}
