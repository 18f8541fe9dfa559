package fasttransfer

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"mailbrick/fetch/mapi"
)

// ErrNotEncodable says that a message has something no stream can carry.
var ErrNotEncodable = errors.New("not encodable")

// EncodeOptions: the zero value works.
type EncodeOptions struct {
	Version [6]byte // of the exporting server as in TellPartnerVersion; zero: a fixed one
	// AsTheyLie writes the properties of a message in the order that they have, and those with which attachments and
	// embedded messages begin where they stand: what was read is written as it was.
	AsTheyLie bool
}

// defaultVersion is 15.20.4566.6022 in the form major<<8|minor, 0x8000|build, revision.
const defaultVersion = "\x14\x0F\xD6\x91\x86\x17"

// Encode writes m as Exchange exports a message: the properties of a message in
// rising order of id, those of its recipients and attachments as they are.
// Equal messages give equal bytes. Named properties keep their ids where these
// are free and get free ones else. m is not changed.
func Encode(w io.Writer, m *mapi.Message, o EncodeOptions) error {
	names, err := nameIDs(m)
	if err != nil {
		return err
	}
	if _, err := w.Write(preamble(o)); err != nil {
		return err
	}
	e := encoder{out: newBuffers(w), names: names, asTheyLie: o.AsTheyLie}
	if err := e.message(m, 0); err != nil {
		return err
	}
	e.out.flush()
	return e.out.err
}

// preamble is the records before the first buffer.
func preamble(o EncodeOptions) []byte {
	version := o.Version[:]
	if o.Version == [6]byte{} {
		version = []byte(defaultVersion)
	}
	le := binary.LittleEndian
	b := make([]byte, 0, 64)
	for _, v := range []uint32{opConfig, 8, 0, methodCopyTo, opIsInterfaceOk, 24, methodCopyTo} {
		b = le.AppendUint32(b, v)
	}
	b = append(b, iidMessage...)
	b = le.AppendUint32(b, 0x80002400) // MAPI_UNICODE, best body
	b = le.AppendUint32(b, opTellPartnerVersion)
	b = le.AppendUint32(b, uint32(len(version)))
	return append(b, version...)
}

type encoder struct {
	out       *buffers
	names     map[mapi.Name]uint16
	asTheyLie bool
	embedded  uint64 // messages begun below the root
	scratch   []byte
}

// message writes messageContent [MS-OXCFXICS] 2.2.4.2.
func (e *encoder) message(m *mapi.Message, depth int) error {
	if depth > maxNesting {
		return fmt.Errorf("%w: messages nest deeper than %d", ErrNotEncodable, maxNesting)
	}
	if err := e.sorted(m.Properties, depth > 0); err != nil {
		return err
	}
	// Exchange writes these at the root and not inside StartEmbed.
	if depth == 0 {
		e.delProp(delRecipients)
	}
	for i, r := range m.Recipients {
		if err := e.recipient(r); err != nil {
			return fmt.Errorf("recipient %d: %w", i, err)
		}
	}
	if depth == 0 {
		e.delProp(delAttachments)
	}
	for i := range m.Attachments {
		if err := e.attachment(&m.Attachments[i], i, depth); err != nil {
			return fmt.Errorf("attachment %d: %w", i, err)
		}
	}
	return e.out.err
}

// sorted writes the properties of a message. An embedded one begins with its
// PidTagMid; where it has none it gets one that says which of them it is.
func (e *encoder) sorted(bag mapi.Bag, embedded bool) error {
	order := make([]int, len(bag))
	for i := range order {
		order[i] = i
	}
	if !e.asTheyLie {
		slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(e.id(&bag[i]), e.id(&bag[j])) })
	}
	first := uint16(0)
	if embedded {
		e.embedded++
		var err error
		if first, err = e.first(bag, mapi.NewInt64(mapi.PidTagMid, int64(e.embedded)<<16|1)); err != nil { // replica 1, counter
			return err
		}
	}
	for _, i := range order {
		if first != 0 && bag[i].Tag.ID() == first {
			continue
		}
		if err := e.property(&bag[i]); err != nil {
			return err
		}
	}
	return nil
}

// first writes what an object begins with: its property of that kind, or the usual one where it has none. It gives the id
// of what must not be written again.
func (e *encoder) first(bag mapi.Bag, usual mapi.Property) (done uint16, err error) {
	p := bag.Find(usual.Tag.ID())
	switch {
	case p == nil:
		return 0, e.property(&usual)
	case e.asTheyLie:
		return 0, nil
	}
	return usual.Tag.ID(), e.property(p)
}

func (e *encoder) delProp(tag uint32) {
	e.out.atom(binary.LittleEndian.AppendUint32(nil, metaFXDelProp))
	e.out.u32(tag)
}

func (e *encoder) recipient(bag mapi.Bag) error {
	e.out.u32(markerStartRecip)
	for i := range bag {
		if err := e.property(&bag[i]); err != nil {
			return err
		}
	}
	e.out.u32(markerEndToRecip)
	return nil
}

func (e *encoder) attachment(a *mapi.Attachment, number, depth int) error {
	e.out.u32(markerNewAttach)
	// The number comes first [MS-OXCFXICS] 2.2.4.3.
	first, err := e.first(a.Properties, mapi.NewInt32(mapi.PidTagAttachNumber, int32(number)))
	if err != nil {
		return err
	}
	for i := range a.Properties {
		p := &a.Properties[i]
		if first != 0 && p.Tag.ID() == first {
			continue
		}
		if err := e.property(p); err != nil {
			return err
		}
	}
	if a.Embedded != nil {
		e.out.u32(markerStartEmbed)
		if err := e.message(a.Embedded, depth+1); err != nil {
			return err
		}
		e.out.u32(markerEndEmbed)
	}
	e.out.u32(markerEndAttach)
	return e.out.err
}

// id is the id p has in this stream.
func (e *encoder) id(p *mapi.Property) uint16 {
	if p.Name != nil {
		return e.names[*p.Name]
	}
	return p.Tag.ID()
}

func (e *encoder) property(p *mapi.Property) error {
	if !p.Kept() {
		return fmt.Errorf("property %v: %w", p.Tag, mapi.ErrLeftOut)
	}
	e.tag(p)
	if err := e.value(p); err != nil {
		return fmt.Errorf("property %v: %w", p.Tag, err)
	}
	return e.out.err
}

func (e *encoder) tag(p *mapi.Property) {
	b := binary.LittleEndian.AppendUint16(e.scratch[:0], uint16(p.Tag.Type()))
	b = binary.LittleEndian.AppendUint16(b, e.id(p))
	if n := p.Name; n != nil {
		b = append(b, n.Set[:]...)
		if n.Text == "" {
			b = binary.LittleEndian.AppendUint32(append(b, 0), n.LID)
		} else {
			b = append(append(b, 1), mapi.NewText(0, n.Text).Data...)
		}
	}
	e.out.atom(b)
	e.scratch = b
}
