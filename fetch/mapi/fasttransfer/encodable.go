package fasttransfer

import (
	"encoding/binary"
	"fmt"
	"math"

	"mailbrick/fetch/mapi"
)

// Encodable gives what of m a stream can carry, m itself where that is all, and
// the tags of the properties that it cannot carry: damaged files have such. A
// message that nests too deep is one of them. m is not changed.
func Encodable(m *mapi.Message) (kept *mapi.Message, dropped []mapi.Tag) {
	d := dropper{}
	return d.message(m, 0), d.dropped
}

type dropper struct{ dropped []mapi.Tag }

func (d *dropper) message(m *mapi.Message, depth int) *mapi.Message {
	before := len(d.dropped)
	kept := mapi.Message{Properties: d.bag(m.Properties)}
	for _, r := range m.Recipients {
		kept.Recipients = append(kept.Recipients, d.bag(r))
	}
	for i := range m.Attachments {
		a := mapi.Attachment{Properties: d.bag(m.Attachments[i].Properties)}
		switch inside := m.Attachments[i].Embedded; {
		case inside != nil && depth == maxNesting:
			d.dropped = append(d.dropped, mapi.MakeTag(mapi.PidTagAttachData, mapi.TypeObject))
		case inside != nil:
			a.Embedded = d.message(inside, depth+1)
		}
		kept.Attachments = append(kept.Attachments, a)
	}
	if len(d.dropped) == before {
		return m
	}
	return &kept
}

// bag is b itself when all of it can be carried.
func (d *dropper) bag(b mapi.Bag) mapi.Bag {
	var kept mapi.Bag
	all := true
	for i := range b {
		carried := checkIdentity(&b[i]) == nil && (!b[i].Kept() || checkValue(&b[i]) == nil)
		if !carried {
			d.dropped = append(d.dropped, b[i].Tag)
		}
		if !carried && all {
			kept, all = append(kept, b[:i]...), false
		} else if carried && !all {
			kept = append(kept, b[i])
		}
	}
	if all {
		return b
	}
	return kept
}

// checkIdentity refuses what would be read as something else than a property of that name or id.
func checkIdentity(p *mapi.Property) error {
	named := p.Tag.ID() >= mapi.FirstNamed && p.Tag.ID() != 0xFFFF
	switch {
	case structural(uint32(p.Tag)):
		return fmt.Errorf("%w: %v is no property of a message but steers the stream", ErrNotEncodable, p.Tag)
	case named != (p.Name != nil):
		return fmt.Errorf("%w: property %v and its name do not go together", ErrNotEncodable, p.Tag)
	case named && len(mapi.NewText(0, p.Name.Text).Data) > maxName:
		return fmt.Errorf("%w: name longer than %d bytes", ErrNotEncodable, maxName)
	}
	return nil
}

// checkValue refuses a value that is not laid out as its type says.
func checkValue(p *mapi.Property) error {
	layout, width := p.Tag.Type().Layout()
	ok := true
	switch layout {
	case mapi.LayoutFixed:
		ok = p.Len() == int64(width) && p.Large == nil
	case mapi.LayoutVariable:
		ok = p.Len() <= math.MaxUint32
	case mapi.LayoutFixedMV:
		data := p.Bytes()
		ok = len(data) >= 4 && int64(len(data)-4) == int64(binary.LittleEndian.Uint32(data))*int64(width)
	case mapi.LayoutVarMV: // of a code-page type it may be one string, see Scanner.maybeList
		ok = p.Tag.Type()&mapi.CodePage != 0 && p.Len() <= math.MaxUint32 || mapi.Members(p.Bytes()) != nil
	default:
		return fmt.Errorf("%w: type %04X", ErrNotEncodable, uint16(p.Tag.Type()))
	}
	if !ok {
		return fmt.Errorf("%w: value of %d bytes, its type %04X has others", ErrNotEncodable, p.Len(), uint16(p.Tag.Type()))
	}
	return nil
}
