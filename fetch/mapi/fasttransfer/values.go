package fasttransfer

import (
	"encoding/binary"
	"fmt"
	"math"

	"mailbrick/fetch/mapi"
)

// value writes a value in the layout of its type, and refuses one that is not laid out so.
func (e *encoder) value(p *mapi.Property) error {
	layout, width := p.Tag.Type().Layout()
	switch layout {
	case mapi.LayoutFixed:
		if p.Len() != int64(width) || p.Large != nil {
			return fmt.Errorf("%w: value of %d bytes, its type has %d", ErrNotEncodable, p.Len(), width)
		}
		e.out.atom(p.Data)
	case mapi.LayoutVariable:
		return e.variable(p)
	case mapi.LayoutFixedMV:
		return e.list(p.Bytes(), width)
	case mapi.LayoutVarMV:
		return e.lists(p)
	default:
		return fmt.Errorf("%w: type %04X", ErrNotEncodable, uint16(p.Tag.Type()))
	}
	return nil
}

func (e *encoder) variable(p *mapi.Property) error {
	if p.Len() > math.MaxUint32 {
		return fmt.Errorf("%w: value of %d bytes", ErrNotEncodable, p.Len())
	}
	e.out.u32(uint32(p.Len()))
	if p.Large != nil {
		e.out.stream(p.Open(), p.Len(), unit(p))
		return e.out.err
	}
	e.out.value(p.Data, unit(p))
	return nil
}

// unit is what a cut between buffers must not divide.
func unit(p *mapi.Property) int {
	if p.Tag.Type().IsUTF16() {
		return 2
	}
	return 1
}

// list writes a list of fixed values.
func (e *encoder) list(data []byte, width int) error {
	if len(data) < 4 || int64(len(data)-4) != int64(binary.LittleEndian.Uint32(data))*int64(width) {
		return fmt.Errorf("%w: list of %d bytes", ErrNotEncodable, len(data))
	}
	e.out.atom(data[:4])
	for data = data[4:]; len(data) > 0; data = data[width:] {
		e.out.atom(data[:width])
	}
	return nil
}

// lists writes a list of strings or binaries.
func (e *encoder) lists(p *mapi.Property) error {
	data := p.Bytes()
	members := mapi.Members(data)
	if members == nil {
		if p.Tag.Type()&mapi.CodePage != 0 { // read as one string, see scanner.maybeList
			return e.variable(p)
		}
		return fmt.Errorf("%w: list of %d bytes", ErrNotEncodable, len(data))
	}
	e.out.u32(uint32(len(members)))
	for _, m := range members {
		e.out.u32(uint32(len(m)))
		e.out.value(m, unit(p))
	}
	return nil
}

// nameIDs gives every name in the tree the id under which it is written: that
// of its first property where it is not taken yet, else the first free one.
func nameIDs(m *mapi.Message) (map[mapi.Name]uint16, error) {
	n := names{ids: map[mapi.Name]uint16{}, taken: map[uint16]bool{}, next: mapi.FirstNamed}
	var wanting []mapi.Name
	err := eachBag(m, 0, func(b mapi.Bag) error {
		for i := range b {
			p := &b[i]
			switch named := p.Tag.ID() >= mapi.FirstNamed && p.Tag.ID() != 0xFFFF; {
			case structural(uint32(p.Tag)):
				return fmt.Errorf("%w: %v is no property of a message but steers the stream", ErrNotEncodable, p.Tag)
			case named != (p.Name != nil):
				return fmt.Errorf("%w: property %v and its name do not go together", ErrNotEncodable, p.Tag)
			case named:
				if err := checkName(p.Name); err != nil {
					return err
				}
				if !n.keep(*p.Name, p.Tag.ID()) {
					wanting = append(wanting, *p.Name)
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, name := range wanting {
		if err := n.assign(name); err != nil {
			return nil, err
		}
	}
	return n.ids, nil
}

func checkName(n *mapi.Name) error {
	if len(mapi.NewText(0, n.Text).Data) > maxName {
		return fmt.Errorf("%w: name longer than %d bytes", ErrNotEncodable, maxName)
	}
	return nil
}

type names struct {
	ids   map[mapi.Name]uint16
	taken map[uint16]bool
	next  int
}

// keep says whether name has its id now.
func (n *names) keep(name mapi.Name, id uint16) bool {
	if _, done := n.ids[name]; done {
		return true
	}
	if n.taken[id] {
		return false
	}
	n.ids[name], n.taken[id] = id, true
	return true
}

func (n *names) assign(name mapi.Name) error {
	if _, done := n.ids[name]; done {
		return nil
	}
	for n.taken[uint16(n.next)] {
		n.next++
	}
	if n.next >= 0xFFFF {
		return fmt.Errorf("%w: too many named properties", ErrNotEncodable)
	}
	n.keep(name, uint16(n.next))
	return nil
}

// eachBag visits all bags of a message and its embedded messages.
func eachBag(m *mapi.Message, depth int, visit func(mapi.Bag) error) error {
	if depth > maxNesting {
		return fmt.Errorf("%w: messages nest deeper than %d", ErrNotEncodable, maxNesting)
	}
	if err := visit(m.Properties); err != nil {
		return err
	}
	for _, r := range m.Recipients {
		if err := visit(r); err != nil {
			return err
		}
	}
	for i := range m.Attachments {
		a := &m.Attachments[i]
		if err := visit(a.Properties); err != nil {
			return err
		}
		if a.Embedded == nil {
			continue
		}
		if err := eachBag(a.Embedded, depth+1, visit); err != nil {
			return err
		}
	}
	return nil
}
