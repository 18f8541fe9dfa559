package tnef

import (
	"bytes"
	"strings"

	"mailbrick/fetch/mapi"
)

// person is the properties that say who: name, type of address, address.
type person struct{ name, kind, email uint16 }

func sender() person {
	return person{mapi.PidTagSenderName, mapi.PidTagSenderAddressType, mapi.PidTagSenderEmailAddress}
}

func sentRepresenting() person {
	return person{mapi.PidTagSentRepresentingName, mapi.PidTagSentRepresentingAddressType, mapi.PidTagSentRepresentingEmailAddress}
}

func receivedRepresenting() person {
	return person{idReceivedRepresentingName, idReceivedRepresentingType, idReceivedRepresentingEmail}
}

// fillTriple takes attFrom: trpid:u16 = 4, bytes:u16, length of the name:u16, of
// the address:u16, name, address. Both end in a NUL, the name perhaps in two.
func (s *stream) fillTriple(a attribute) {
	c := &cursor{data: a.data}
	id, _, nameLen, addressLen := c.u16(), c.u16(), c.u16(), c.u16()
	name, address := c.take(uint32(nameLen)), c.take(uint32(addressLen))
	if c.short || id != 4 {
		s.warn("attribute %08X: no sender, %d bytes", a.id, len(a.data))
		return
	}
	s.fillPerson(sender(), name, address)
}

// fillPair takes counted strings end to end: name and address [MS-OXTNEF] 2.1.3.3.16.
func (s *stream) fillPair(who person, data []byte) {
	c := &cursor{data: data}
	name := c.take(uint32(c.u16()))
	address := c.take(uint32(c.u16()))
	if c.short {
		s.warn("a person of %d bytes could not be read", len(data))
		return
	}
	s.fillPerson(who, name, address)
}

// fillPerson takes a name and an address of the form TYPE:address.
func (s *stream) fillPerson(who person, name, address []byte) {
	if name := untilNUL(name); len(name) > 0 {
		s.message.fill(s.string8(who.name, name))
	}
	kind, email, ok := bytes.Cut(untilNUL(address), []byte{':'})
	if ok {
		s.message.fill(s.string8(who.kind, kind))
		s.message.fill(s.string8(who.email, email))
	}
}

func untilNUL(b []byte) []byte {
	b, _, _ = bytes.Cut(b, []byte{0})
	return b
}

// decideOwner takes attOwner: the organizer, which is whom a request is from
// and to whom a response goes [MS-OXTNEF] 2.2.3.11.
func (s *stream) decideOwner() {
	if s.owner == nil {
		return
	}
	name := s.message.bag.Text(mapi.PidTagMessageClass)
	if name == "" {
		name = s.message.spare.Text(mapi.PidTagMessageClass)
	}
	who := sentRepresenting()
	if strings.HasPrefix(strings.ToLower(name), "ipm.schedule.meeting.resp") {
		who = receivedRepresenting()
	}
	s.fillPair(who, s.owner)
}
