package mapi

import (
	"encoding/binary"
	"time"
)

// Bag holds properties in the order of their stream.
type Bag []Property

// Find is the first property with that id, nil when there is none. It matches
// by id alone: one property comes with many string types.
func (b Bag) Find(id uint16) *Property {
	for i := range b {
		if b[i].Tag.ID() == id {
			return &b[i]
		}
	}
	return nil
}

// FindNamed is the first property of that name.
func (b Bag) FindNamed(n Name) *Property {
	for i := range b {
		if b[i].Name != nil && *b[i].Name == n {
			return &b[i]
		}
	}
	return nil
}

// Set puts p in the place of the first property with its identity (name or id), or at the end.
func (b *Bag) Set(p Property) {
	old := b.Find(p.Tag.ID())
	if p.Name != nil {
		old = b.FindNamed(*p.Name)
	}
	if old != nil {
		*old = p
		return
	}
	*b = append(*b, p)
}

// Remove takes out all properties with that id.
func (b *Bag) Remove(id uint16) {
	kept := (*b)[:0]
	for _, p := range *b {
		if p.Tag.ID() != id {
			kept = append(kept, p)
		}
	}
	*b = kept
}

// Text is the string with that id, "" when there is none. 8-bit strings are
// read in the bag's own code page.
func (b Bag) Text(id uint16) string {
	p := b.Find(id)
	if p == nil {
		return ""
	}
	return p.Text(b.codePageOf(p))
}

// appendText appends what Text gives.
func (b Bag) appendText(dst []byte, id uint16) []byte {
	p := b.Find(id)
	if p == nil {
		return dst
	}
	return p.appendText(dst, b.codePageOf(p))
}

// textIn is Text where 8-bit strings are in that code page.
func (b Bag) textIn(id uint16, codePage int) string {
	p := b.Find(id)
	if p == nil {
		return ""
	}
	return p.Text(codePage)
}

// appendTextIn appends what textIn gives.
func (b Bag) appendTextIn(dst []byte, id uint16, codePage int) []byte {
	p := b.Find(id)
	if p == nil {
		return dst
	}
	return p.appendText(dst, codePage)
}

// codePageOf is the code page to read a text of the bag in.
func (b Bag) codePageOf(p *Property) int {
	if p.Tag.Type() == TypeString8 {
		return b.CodePage()
	}
	return 0
}

// CodePage is the code page of the bag's 8-bit strings: the one that is named for
// them [MS-OXCMSG] 2.2.1.4, else that of the body, else what machines of the
// writer's language use [MS-OXCMSG] 2.2.1.5. Pages that no 8-bit string was ever in
// say nothing.
func (b Bag) CodePage() int {
	if cp, ok := b.Int32(PidTagMessageCodepage); ok && cp > 0 && cp != 1200 && cp != 1201 {
		return int(cp)
	}
	switch cp, _ := b.Int32(PidTagInternetCodepage); {
	case cp <= 0, cp == 65001, cp == 1200, cp == 1201, cp == 20127:
	default:
		return int(cp)
	}
	locale, _ := b.Int32(PidTagMessageLocaleID)
	return localeCodePage(uint32(locale))
}

func (b Bag) fixed(id uint16, width int) []byte {
	p := b.Find(id)
	if p == nil || len(p.Data) != width {
		return nil
	}
	if layout, _ := p.Tag.Type().Layout(); layout != LayoutFixed {
		return nil
	}
	return p.Data
}

func (b Bag) Int32(id uint16) (int32, bool) {
	if d := b.fixed(id, 4); d != nil {
		return int32(binary.LittleEndian.Uint32(d)), true
	}
	return 0, false
}

func (b Bag) Int64(id uint16) (int64, bool) {
	if d := b.fixed(id, 8); d != nil {
		return int64(binary.LittleEndian.Uint64(d)), true
	}
	return 0, false
}

func (b Bag) Bool(id uint16) (value, ok bool) {
	if d := b.fixed(id, 2); d != nil {
		return d[0]|d[1] != 0, true
	}
	return false, false
}

// Time is a FILETIME in UTC; one beyond the years 1 to 9999 counts as absent.
func (b Bag) Time(id uint16) (time.Time, bool) {
	p := b.Find(id)
	if p == nil {
		return time.Time{}, false
	}
	return p.Time()
}

// Time is the value of a property as Bag.Time gives it.
func (p *Property) Time() (time.Time, bool) {
	if p.Tag.Type() != TypeTime || len(p.Data) != 8 {
		return time.Time{}, false
	}
	return fromFiletime(binary.LittleEndian.Uint64(p.Data))
}

// Binary is the value as it is, nil when absent or left out.
func (b Bag) Binary(id uint16) []byte {
	p := b.Find(id)
	if p == nil {
		return nil
	}
	return p.Bytes()
}

// Texts is a list of strings; a single string counts as a list of one.
func (b Bag) Texts(id uint16) []string { return b.texts(b.Find(id)) }

// TextsNamed is Texts of a named property.
func (b Bag) TextsNamed(n Name) []string { return b.texts(b.FindNamed(n)) }

func (b Bag) texts(p *Property) []string {
	if p == nil {
		return nil
	}
	return p.texts(b.CodePage())
}

// FILETIME counts 100 ns from 1601-01-01 [MS-DTYP] 2.3.3.
const filetimeToUnix = 11644473600

func fromFiletime(ft uint64) (time.Time, bool) {
	const year9999 = 2650467743999999999
	if ft == 0 || ft > year9999 {
		return time.Time{}, false
	}
	return time.Unix(int64(ft/1e7)-filetimeToUnix, int64(ft%1e7)*100).UTC(), true
}

func toFiletime(t time.Time) uint64 {
	s := t.Unix() + filetimeToUnix
	if s < 0 {
		return 0
	}
	return uint64(s)*1e7 + uint64(t.Nanosecond()/100)
}
