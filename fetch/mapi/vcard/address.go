package vcard

import (
	"strings"

	"mailbrick/fetch/mapi"
)

// address is the places of a postal address: whole, as a label shows it, and in parts [MS-OXOCNTC] 2.2.1.3.
type address struct {
	kind                                           string
	id                                             int32 // in PidLidPostalAddressId
	whole, box, street, city, region, code, nation place
}

func (a address) parts() [6]place {
	return [6]place{a.box, a.street, a.city, a.region, a.code, a.nation}
}

func addresses() [3]address {
	return [3]address{
		{"home", 1, 0x801A, 0x3A5E, 0x3A5D, 0x3A59, 0x3A5C, 0x3A5B, 0x3A5A},
		{"work", 2, 0x801B, 0x804A, 0x8045, 0x8046, 0x8047, 0x8048, 0x8049},
		{"other", 3, 0x801C, 0x3A64, 0x3A63, 0x3A5F, 0x3A62, 0x3A61, 0x3A60},
	}
}

// mailingAddress is where the one that mail goes to stands once more.
func mailingAddress() address {
	return address{"", 0, postalAddress, 0x3A2B, 0x3A29, 0x3A27, 0x3A28, 0x3A2A, 0x3A26}
}

// addressOf is the kind a line has.
func addressOf(l *line) address {
	all := addresses()
	for _, a := range all[:2] {
		if l.is(a.kind) {
			return a
		}
	}
	return all[2]
}

// finishAddresses gives each address the places of its kind, then those without them the ones of "other".
func (c *contact) finishAddresses() {
	var left []*line
	taken := map[int32]bool{}
	for i := range c.addresses {
		l := &c.addresses[i]
		if !c.putAddress(l, addressOf(l), taken) {
			left = append(left, l)
		}
	}
	for _, l := range left {
		if !c.putAddress(l, addresses()[2], taken) {
			c.lose(l.name)
		}
	}
	for _, a := range addresses() {
		c.put(a.whole, a.label(c.bag))
	}
	c.finishMailing()
}

func (c *contact) putAddress(l *line, a address, taken map[int32]bool) bool {
	if taken[a.id] {
		return false
	}
	taken[a.id] = true
	in := l.parts(7)
	box, room, street := in[0], in[1], in[2]
	if room != "" && (a.kind != "work" || !c.put(officeLocation, room)) {
		street = strings.TrimSuffix(room+"\r\n"+street, "\r\n")
	}
	for i, value := range []string{box, street, in[3], in[4], in[5], in[6]} {
		c.put(a.parts()[i], value)
	}
	c.put(a.whole, unescape(l.params["LABEL"]))
	if c.mailing == "" && l.is("pref") {
		c.mailing = string('0' + a.id)
	}
	return true
}

// label is the address as it stands on a letter.
func (a address) label(b mapi.Bag) string {
	city := strings.TrimSpace(a.city.text(b))
	if region := joined(b, a.region, a.code); city != "" && region != "" {
		city += ", " + region
	} else {
		city += region
	}
	var rows []string
	for _, row := range []string{a.street.text(b), a.box.text(b), city, a.nation.text(b)} {
		if row != "" {
			rows = append(rows, row)
		}
	}
	return strings.Join(rows, "\r\n")
}

// finishMailing repeats the address that mail goes to [MS-OXOCNTC] 2.2.1.3.9.
func (c *contact) finishMailing() {
	to := mailingAddress()
	for _, a := range addresses() {
		if c.mailing != string('0'+a.id) || a.whole.find(c.bag) == nil {
			continue
		}
		c.add(postalAddressID, mapi.NewInt32(0, a.id))
		c.put(to.whole, a.whole.text(c.bag))
		for i, at := range a.parts() {
			c.put(to.parts()[i], at.text(c.bag))
		}
	}
}

func (w *writer) addresses(b mapi.Bag) {
	mailing := int32(0)
	if p := postalAddressID.find(b); p != nil && p.Tag.Type() == mapi.TypeInt32 && len(p.Data) == 4 {
		mailing = int32(p.Data[0])
	}
	for _, a := range addresses() {
		room, parts, some := "", a.parts(), false
		if a.kind == "work" {
			room = officeLocation.text(b)
		}
		fields := []string{escape(parts[0].text(b)), escape(room)}
		for _, at := range parts[1:] {
			fields = append(fields, escape(at.text(b)))
		}
		types := ";TYPE=" + strings.ToUpper(a.kind)
		if a.kind == "other" {
			types = ";TYPE=POSTAL"
		}
		if mailing == a.id {
			types += ",PREF"
		}
		for _, f := range fields {
			some = some || f != ""
		}
		if some {
			w.raw("ADR"+types, strings.Join(fields, ";"))
		}
		if whole := a.whole.text(b); whole != a.label(b) {
			w.text("LABEL"+types, whole)
		}
	}
}
