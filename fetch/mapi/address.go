package mapi

import (
	"bytes"
	"slices"
	"strings"
)

// Address is a person or list; Email is an SMTP address where one is known,
// else a legacy DN or whatever stood there.
type Address struct{ Name, Email string }

// String is "Name <email>", or the one that is there.
func (a Address) String() string {
	var room [usualText]byte
	return string(shown(append(append(room[:0], a.Name...), a.Email...), 0, len(a.Name)))
}

// shown makes a String of the name that lies in b from at on and the address that follows it at cut.
func shown(b []byte, at, cut int) []byte {
	name, email := b[at:cut], b[cut:]
	switch {
	case len(email) == 0:
		return b
	case len(name) == 0 || bytes.EqualFold(name, email):
		return append(b[:at], email...)
	}
	return append(slices.Insert(b, cut, ' ', '<'), '>')
}

// family is a set of five properties that say who [MS-OXOMSG] 2.2.1.
type family struct{ name, kind, email, smtp uint16 }

func represented() family {
	return family{PidTagSentRepresentingName, PidTagSentRepresentingAddressType, PidTagSentRepresentingEmailAddress, PidTagSentRepresentingSMTPAddress}
}

func sender() family {
	return family{PidTagSenderName, PidTagSenderAddressType, PidTagSenderEmailAddress, PidTagSenderSMTPAddress}
}

func recipient() family {
	return family{PidTagDisplayName, PidTagAddressType, PidTagEmailAddress, PidTagSMTPAddress}
}

// From is whom the message is from: the one represented, else the sender.
func (m *Message) From() Address {
	if a := m.Properties.address(represented(), m.Properties.CodePage()); a != (Address{}) {
		return a
	}
	return m.Sender()
}

// Sender is who sent the message, perhaps on behalf of another.
func (m *Message) Sender() Address { return m.Properties.address(sender(), m.Properties.CodePage()) }

func (m *Message) To() []Address  { return m.recipients(RecipientTo) }
func (m *Message) Cc() []Address  { return m.recipients(RecipientCc) }
func (m *Message) Bcc() []Address { return m.recipients(RecipientBcc) }

func (m *Message) recipients(kind int32) []Address {
	var list []Address
	codePage := m.Properties.CodePage()
	for _, r := range m.Recipients {
		if RecipientKind(r) == kind {
			list = append(list, r.address(recipient(), codePage))
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

// address reads a family; codePage is that of 8-bit strings.
func (b Bag) address(f family, codePage int) Address {
	var room [usualText]byte
	text, cut := b.appendParts(room[:0], f, codePage)
	return Address{Name: string(text[:cut]), Email: string(text[cut:])}
}

// appendParts appends a family's name and, from cut on, its address.
func (b Bag) appendParts(dst []byte, f family, codePage int) (text []byte, cut int) {
	at := len(dst)
	dst = b.appendTextIn(dst, f.name, codePage)
	cut = len(dst)
	if dst = b.appendTextIn(dst, f.smtp, codePage); len(dst) > cut {
		return dst, cut
	}
	dst = b.appendTextIn(dst, f.email, codePage)
	name, email := dst[at:cut], dst[cut:]
	if bytes.IndexByte(email, '@') < 0 && bytes.IndexByte(name, '@') >= 0 && bytes.IndexByte(name, ' ') < 0 &&
		strings.EqualFold(b.textIn(f.kind, codePage), "SMTP") {
		dst = append(dst[:cut], name...)
	}
	return dst, cut
}
