package vcard

import (
	"encoding/binary"
	"slices"
	"strings"

	"mailbrick/fetch/mapi"
)

// emailSlot is one of the three addresses of a contact [MS-OXOCNTC] 2.2.1.2.
type emailSlot struct{ name, kind, address, original, entry place }

func emailSlots() [3]emailSlot {
	return [3]emailSlot{
		{0x8080, 0x8082, 0x8083, 0x8084, 0x8085},
		{0x8090, 0x8092, 0x8093, 0x8094, 0x8095},
		{0x80A0, 0x80A2, 0x80A3, 0x80A4, 0x80A5},
	}
}

// finishEmails fills the slots, preferred addresses first.
func (c *contact) finishEmails() {
	slices.SortStableFunc(c.emails, func(a, b line) int { return emailOrder(&a) - emailOrder(&b) })
	if len(c.emails) > 0 && shownName(c.bag) == "" {
		c.put(displayName, emailAddress(&c.emails[0]))
	}
	slots, used := emailSlots(), 0
	var seen []string
	for i := range c.emails {
		l := &c.emails[i]
		address := emailAddress(l)
		switch {
		case l.is("tlx"): // [MS-OXVCARD] 2.1.3.3.2
			if !c.put(telex, address) {
				c.lose(l.name)
			}
		case address == "" || slices.Contains(seen, address):
		case used == len(slots):
			c.lose(l.name)
		default:
			c.putEmail(slots[used], emailKind(l), address)
			seen = append(seen, address)
			used++
		}
	}
	c.listEmails(used)
}

func emailOrder(l *line) int {
	if l.is("pref") {
		return 0
	}
	return 1
}

func emailAddress(l *line) string { return withoutScheme(l.plain(), "mailto:") }

// emailKind is the address type: SMTP where nothing else is said.
func emailKind(l *line) string {
	for _, kind := range []string{"x400", "ex"} {
		if l.is(kind) {
			return strings.ToUpper(kind)
		}
	}
	return "SMTP"
}

func (c *contact) putEmail(slot emailSlot, kind, address string) {
	shown := address
	if name := shownName(c.bag); name != address {
		shown = name + " (" + address + ")"
	}
	c.put(slot.name, shown)
	c.put(slot.kind, kind)
	c.put(slot.address, address)
	c.put(slot.original, address)
	c.add(slot.entry, mapi.NewBinary(0, oneOff(shown, kind, address)))
}

// oneOff is the entry id of somebody who is in no address book [MS-OXCDATA] 2.2.5.1.
func oneOff(parts ...string) []byte {
	b := []byte("\x00\x00\x00\x00\x81\x2B\x1F\xA4\xBE\xA3\x10\x19\x9D\x6E\x00\xDD\x01\x0F\x54\x02\x00\x00\x01\x90")
	for _, s := range parts {
		b = append(b, mapi.NewText(0, s).Data...)
	}
	return b
}

// listEmails says which slots are filled, as a list and as bits [MS-OXOCNTC] 2.2.1.2.11, 2.2.1.2.12.
func (c *contact) listEmails(used int) {
	if used == 0 {
		return
	}
	list := binary.LittleEndian.AppendUint32(nil, uint32(used))
	for i := range used {
		list = binary.LittleEndian.AppendUint32(list, uint32(i))
	}
	c.add(emailList, mapi.Property{Tag: mapi.MakeTag(0, mapi.TypeInt32|mapi.MultiValue), Data: list, Size: int64(len(list))})
	c.add(emailArrayType, mapi.NewInt32(0, 1<<used-1))
}

func (w *writer) emails(b mapi.Bag) {
	pref := ",PREF"
	for _, slot := range emailSlots() {
		address, kind := slot.address.text(b), strings.ToUpper(slot.kind.text(b))
		if original := slot.original.text(b); !strings.Contains(address, "@") && strings.Contains(original, "@") {
			address, kind = original, "SMTP" // a person of the organization: the address others can use
		}
		if kind != "EX" && kind != "X400" {
			kind = "INTERNET"
		}
		if address != "" {
			w.text("EMAIL;TYPE="+kind+pref, address)
			pref = ""
		}
	}
}
