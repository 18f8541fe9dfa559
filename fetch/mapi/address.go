package mapi

import "strings"

// Address is a person or list; Email is an SMTP address where one is known,
// else a legacy DN or whatever stood there.
type Address struct{ Name, Email string }

// String is "Name <email>", or the one that is there.
func (a Address) String() string {
	switch {
	case a.Email == "":
		return a.Name
	case a.Name == "" || strings.EqualFold(a.Name, a.Email):
		return a.Email
	}
	return a.Name + " <" + a.Email + ">"
}

// family is a set of five properties that say who [MS-OXOMSG] 2.2.1.
type family struct{ name, kind, email, smtp uint16 }

// From is whom the message is from: the one represented, else the sender.
func (m *Message) From() Address {
	represented := family{PidTagSentRepresentingName, PidTagSentRepresentingAddressType,
		PidTagSentRepresentingEmailAddress, PidTagSentRepresentingSMTPAddress}
	if a := m.Properties.address(represented, 0); a != (Address{}) {
		return a
	}
	return m.Sender()
}

// Sender is who sent the message, perhaps on behalf of another.
func (m *Message) Sender() Address {
	return m.Properties.address(family{PidTagSenderName, PidTagSenderAddressType,
		PidTagSenderEmailAddress, PidTagSenderSMTPAddress}, 0)
}

func (m *Message) To() []Address  { return m.recipients(RecipientTo) }
func (m *Message) Cc() []Address  { return m.recipients(RecipientCc) }
func (m *Message) Bcc() []Address { return m.recipients(RecipientBcc) }

func (m *Message) recipients(kind int32) []Address {
	var list []Address
	codePage := m.Properties.CodePage()
	for _, r := range m.Recipients {
		if RecipientKind(r) == kind {
			list = append(list, r.address(family{PidTagDisplayName, PidTagAddressType,
				PidTagEmailAddress, PidTagSMTPAddress}, codePage))
		}
	}
	return list
}

// RecipientKind is RecipientTo, RecipientCc or RecipientBcc; a row without a kind is a To.
func RecipientKind(r Bag) int32 {
	kind, ok := r.Int32(PidTagRecipientType)
	if !ok {
		return RecipientTo
	}
	return kind & 0xF // the high bits are flags of resending [MS-OXOMSG] 2.2.3.1
}

// address reads a family; codePage is that of 8-bit strings, 0 for the bag's own.
func (b Bag) address(f family, codePage int) Address {
	if codePage == 0 {
		codePage = b.CodePage()
	}
	text := func(id uint16) string { return b.textIn(id, codePage) }
	a := Address{Name: text(f.name), Email: text(f.smtp)}
	if a.Email != "" {
		return a
	}
	a.Email = text(f.email)
	if !strings.Contains(a.Email, "@") && strings.Contains(a.Name, "@") && !strings.Contains(a.Name, " ") &&
		strings.EqualFold(text(f.kind), "SMTP") {
		a.Email = a.Name
	}
	return a
}
