package exchangetest

import (
	"encoding/binary"
	"slices"
	"strings"

	"github.com/beevik/etree"

	"mailbrick/fetch/mapi"
)

func person(name string, of func(*mapi.Message) mapi.Address) func(*xmlWriter, *itemData) error {
	return func(x *xmlWriter, d *itemData) error {
		if a := of(d.m); a != (mapi.Address{}) {
			x.start(name)
			writeAddress(x, a)
			x.end()
		}
		return nil
	}
}

func people(name string, of func(*mapi.Message) []mapi.Address) func(*xmlWriter, *itemData) error {
	return func(x *xmlWriter, d *itemData) error {
		x.around(name, func(open func()) {
			for _, a := range of(d.m) {
				open()
				writeAddress(x, a)
			}
		})
		return nil
	}
}

func writeAddress(x *xmlWriter, a mapi.Address) {
	x.start("t:Mailbox")
	if a.Name != "" {
		x.leaf("t:Name", a.Name)
	}
	if a.Email != "" {
		x.leaf("t:EmailAddress", a.Email)
		x.leaf("t:RoutingType", routing(a.Email))
	}
	x.end()
}

func routing(address string) string {
	if strings.Contains(address, "@") {
		return "SMTP"
	}
	return "EX"
}

func display(list []mapi.Address) string {
	var names []string
	for _, a := range list {
		names = append(names, shownName(a))
	}
	return strings.Join(names, "; ")
}

func shownName(a mapi.Address) string {
	if a.Name == "" {
		return a.Email
	}
	return a.Name
}

// readAddress reads a Mailbox element.
func readAddress(box *etree.Element) mapi.Address {
	return mapi.Address{Name: childText(box, "Name"), Email: childText(box, "EmailAddress")}
}

// readAddresses reads a list of them; one that is not there is empty.
func readAddresses(e *etree.Element) (list []mapi.Address) {
	for box := range childrenOf(e) {
		list = append(list, readAddress(box))
	}
	return list
}

// someone is the properties that say who: name, kind, address, SMTP address, entry id, search key.
type someone [6]uint16

func represented() someone {
	return someone{mapi.PidTagSentRepresentingName, mapi.PidTagSentRepresentingAddressType, mapi.PidTagSentRepresentingEmailAddress,
		mapi.PidTagSentRepresentingSMTPAddress, mapi.PidTagSentRepresentingEntryID, mapi.PidTagSentRepresentingSearchKey}
}

func sender() someone {
	return someone{mapi.PidTagSenderName, mapi.PidTagSenderAddressType, mapi.PidTagSenderEmailAddress,
		mapi.PidTagSenderSMTPAddress, mapi.PidTagSenderEntryID, mapi.PidTagSenderSearchKey}
}

// properties are those of somebody. [MS-OXOMSG] 2.2.1.48 to 2.2.1.57
func (s someone) properties(a mapi.Address) mapi.Bag {
	return mapi.Bag{
		mapi.NewText(s[0], shownName(a)), mapi.NewText(s[1], "SMTP"), mapi.NewText(s[2], a.Email), mapi.NewText(s[3], a.Email),
		mapi.NewBinary(s[4], oneOff(a)), mapi.NewBinary(s[5], append([]byte("SMTP:"+strings.ToUpper(a.Email)), 0)),
	}
}

func (s someone) set(m *mapi.Message, e *etree.Element) {
	for _, id := range s {
		m.Properties.Remove(id)
	}
	for _, a := range readAddresses(e) {
		m.Properties = append(m.Properties, s.properties(a)...)
	}
}

const oneOffHead = "\x00\x00\x00\x00\x81\x2B\x1F\xA4\xBE\xA3\x10\x19\x9D\x6E\x00\xDD\x01\x0F\x54\x02\x00\x00\x00\x90"

// oneOff is the entry id of somebody who is in no address book. [MS-OXCDATA] 2.2.5.1
func oneOff(a mapi.Address) []byte {
	b := []byte(oneOffHead)
	for _, s := range []string{shownName(a), "SMTP", a.Email} {
		b = append(b, mapi.NewText(0, s).Data...)
	}
	return b
}

// setRecipients puts a list in the place of the recipients of that kind.
func setRecipients(kind int32) setter {
	return func(m *mapi.Message, e *etree.Element) {
		rows := slices.DeleteFunc(slices.Clone(m.Recipients), func(r mapi.Bag) bool { return mapi.RecipientKind(r) == kind })
		for _, a := range readAddresses(e) {
			who := someone{mapi.PidTagDisplayName, mapi.PidTagAddressType, mapi.PidTagEmailAddress, mapi.PidTagSMTPAddress,
				mapi.PidTagEntryID, mapi.PidTagSearchKey}
			rows = append(rows, append(who.properties(a), mapi.NewInt32(mapi.PidTagRecipientType, kind)))
		}
		for i := range rows {
			rows[i].Set(mapi.NewInt32(mapi.PidTagRowid, int32(i)))
		}
		m.Recipients = rows
	}
}

// setReplyTo: a FlatEntryList of entry ids, and the names. [MS-OXOMSG] 2.2.1.23, [MS-OXCDATA] 2.3.3
func setReplyTo(m *mapi.Message, e *etree.Element) {
	m.Properties.Remove(mapi.PidTagReplyRecipientEntries)
	m.Properties.Remove(mapi.PidTagReplyRecipientNames)
	var entries []byte
	var names []string
	for _, a := range readAddresses(e) {
		id := oneOff(a)
		entries = binary.LittleEndian.AppendUint32(entries, uint32(len(id)))
		entries = append(entries, id...)
		entries = append(entries, make([]byte, -len(id)&3)...)
		names = append(names, shownName(a))
	}
	if len(names) == 0 {
		return
	}
	head := binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, uint32(len(names))), uint32(len(entries)))
	m.Properties.Set(mapi.NewBinary(mapi.PidTagReplyRecipientEntries, append(head, entries...)))
	m.Properties.Set(mapi.NewText(mapi.PidTagReplyRecipientNames, strings.Join(names, ";")))
}

// replyTo reads the one-off entries of such a list.
func replyTo(m *mapi.Message) (list []mapi.Address) {
	b := m.Properties.Binary(mapi.PidTagReplyRecipientEntries)
	if len(b) < 8 {
		return nil
	}
	for b = b[8:]; len(b) >= 4; {
		size := int(binary.LittleEndian.Uint32(b))
		if size < len(oneOffHead) || size > len(b)-4 {
			return list
		}
		if a, ok := readOneOff(b[4 : 4+size]); ok {
			list = append(list, a)
		}
		b = b[min(len(b), 4+(size+3)&^3):]
	}
	return list
}

func readOneOff(id []byte) (mapi.Address, bool) {
	if string(id[:22]) != oneOffHead[:22] || id[23]&0x80 == 0 {
		return mapi.Address{}, false // another's, or not in UTF-16
	}
	wide := mapi.Property{Tag: mapi.MakeTag(0, mapi.TypeText), Data: id[len(oneOffHead):]}
	parts := make([]string, 0, 3)
	for data := wide.Data; len(parts) < 3 && len(data) >= 2; {
		end := 0
		for end+1 < len(data) && (data[end] != 0 || data[end+1] != 0) {
			end += 2
		}
		wide.Data = data[:end]
		parts = append(parts, wide.Text(0))
		data = data[min(len(data), end+2):]
	}
	if len(parts) < 3 {
		return mapi.Address{}, false
	}
	return mapi.Address{Name: parts[0], Email: parts[2]}, true
}
