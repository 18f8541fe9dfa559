package fasttransfer

import (
	"fmt"

	"mailbrick/fetch/mapi"
)

// value writes a value in the layout of its type, and refuses one that is not laid out so.
func (e *encoder) value(p *mapi.Property) error {
	if err := checkValue(p); err != nil {
		return err
	}
	layout, width := p.Tag.Type().Layout()
	switch layout {
	case mapi.LayoutFixed:
		e.out.atom(p.Data)
	case mapi.LayoutVariable:
		return e.variable(p)
	case mapi.LayoutFixedMV:
		e.list(p.Bytes(), width)
	case mapi.LayoutVarMV:
		return e.lists(p)
	}
	return nil
}

func (e *encoder) variable(p *mapi.Property) error {
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
func (e *encoder) list(data []byte, width int) {
	e.out.atom(data[:4])
	for data = data[4:]; len(data) > 0; data = data[width:] {
		e.out.atom(data[:width])
	}
}

// lists writes a list of strings or binaries.
func (e *encoder) lists(p *mapi.Property) error {
	members := mapi.Members(p.Bytes())
	if members == nil { // read as one string, see Scanner.maybeList
		return e.variable(p)
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
			if err := checkIdentity(p); err != nil {
				return err
			}
			if p.Name != nil && !n.keep(*p.Name, p.Tag.ID()) {
				wanting = append(wanting, *p.Name)
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
