package calendar

import (
	"net/url"
	"strings"

	"mailbrick/fetch/mapi"
)

// person is an ORGANIZER or ATTENDEE [RFC 5545] 3.8.4.1, 3.8.4.3.
type person struct {
	mapi.Address
	kind  int32 // mapi.RecipientTo: required, Cc: optional, Bcc: a room or thing
	track int32 // a response
	rsvp  bool
}

const maxPeople = 10000

func people(c *component) []person {
	var list []person
	for _, p := range c.all("ATTENDEE") {
		if a, ok := parsePerson(p); ok && len(list) < maxPeople {
			list = append(list, a)
		}
	}
	return list
}

// parsePerson reads an address: mailto, or whatever stands there.
func parsePerson(p *property) (person, bool) {
	if p == nil {
		return person{}, false
	}
	a := person{kind: mapi.RecipientTo, rsvp: strings.EqualFold(p.param("RSVP"), "TRUE")}
	a.Name = strings.TrimSpace(oneLine(p.param("CN")))
	a.Email = address(p.value)
	if email := address(p.param("EMAIL")); !strings.Contains(a.Email, "@") && email != "" {
		a.Email = email // urn:uuid and the like, as Apple writes
	}
	switch strings.ToUpper(p.param("ROLE")) {
	case "OPT-PARTICIPANT", "NON-PARTICIPANT":
		a.kind = mapi.RecipientCc
	}
	switch strings.ToUpper(p.param("CUTYPE")) {
	case "RESOURCE", "ROOM":
		a.kind = mapi.RecipientBcc
	}
	switch strings.ToUpper(p.param("PARTSTAT")) {
	case "ACCEPTED":
		a.track = responseAccepted
	case "TENTATIVE":
		a.track = responseTentative
	case "DECLINED":
		a.track = responseDeclined
	}
	return a, a.Email != "" || a.Name != ""
}

// noMail is the address of who has none [MS-OXCICAL] 2.1.3.1.1.20.2.
const noMail = "invalid:nomail"

func address(v string) string {
	v = strings.TrimSpace(oneLine(v))
	if strings.EqualFold(v, noMail) {
		return ""
	}
	if len(v) < 7 || !strings.EqualFold(v[:7], "mailto:") {
		return v
	}
	v = strings.TrimSpace(v[7:])
	if plain, err := url.PathUnescape(v); err == nil && !strings.ContainsFunc(plain, control) {
		v = plain
	}
	return v
}

// role is the ROLE, CUTYPE and PARTSTAT of a row [MS-OXCICAL] 2.1.3.1.1.20.2.
func (a person) params() []string {
	role, kind := "REQ-PARTICIPANT", "INDIVIDUAL"
	switch a.kind {
	case mapi.RecipientCc:
		role = "OPT-PARTICIPANT"
	case mapi.RecipientBcc:
		role, kind = "NON-PARTICIPANT", "RESOURCE"
	}
	params := []string{"CUTYPE", kind, "ROLE", role, "PARTSTAT", a.partstat()}
	if a.rsvp {
		params = append(params, "RSVP", "TRUE")
	}
	return a.named(params)
}

func (a person) named(params []string) []string {
	if a.Name != "" {
		params = append(params, "CN", a.Name)
	}
	return params
}

func (a person) partstat() string {
	switch a.track {
	case responseAccepted:
		return "ACCEPTED"
	case responseTentative:
		return "TENTATIVE"
	case responseDeclined:
		return "DECLINED"
	}
	return "NEEDS-ACTION"
}

func (a person) value() string {
	switch {
	case a.Email == "":
		return noMail
	case strings.Contains(a.Email, ":") && !strings.Contains(a.Email, "@"): // a URI of another kind
		return a.Email
	}
	return "mailto:" + strings.NewReplacer(" ", "%20", "%", "%25").Replace(a.Email)
}

// row is a row of the recipient table [MS-OXOCAL] 2.2.4.10, [MS-OXCMSG] 2.2.3.
func (a person) row(n int, flags int32) mapi.Bag {
	name := a.Name
	if name == "" {
		name = a.Email
	}
	return mapi.Bag{
		mapi.NewInt32(mapi.PidTagRowid, int32(n)),
		mapi.NewInt32(mapi.PidTagRecipientType, a.kind),
		mapi.NewText(mapi.PidTagDisplayName, name),
		mapi.NewText(mapi.PidTagAddressType, "SMTP"),
		mapi.NewText(mapi.PidTagEmailAddress, a.Email),
		mapi.NewText(mapi.PidTagSMTPAddress, a.Email),
		mapi.NewBinary(mapi.PidTagEntryID, oneOff(name, a.Email)),
		mapi.NewBinary(mapi.PidTagSearchKey, searchKey(a.Email)),
		mapi.NewInt32(mapi.PidTagObjectType, mailUser),
		mapi.NewInt32(mapi.PidTagDisplayType, 0),
		mapi.NewInt32(mapi.PidTagRecipientFlags, flags),
		mapi.NewInt32(idRecipientTrackStatus, a.track),
	}
}

// oneOff is the entry id of somebody who is in no address book [MS-OXCDATA] 2.2.5.1.
func oneOff(name, email string) []byte {
	b := []byte("\x00\x00\x00\x00\x81\x2B\x1F\xA4\xBE\xA3\x10\x19\x9D\x6E\x00\xDD\x01\x0F\x54\x02\x00\x00\x00\x90")
	for _, s := range []string{name, "SMTP", email} {
		b = append(b, mapi.NewText(0, s).Data...)
	}
	return b
}

func searchKey(email string) []byte { return append([]byte("SMTP:"+strings.ToUpper(email)), 0) }

// setFrom says who a message is from, unless it says so itself.
func setFrom(b bag, a person) {
	if b.Find(mapi.PidTagSentRepresentingName) != nil || b.Find(mapi.PidTagSenderName) != nil {
		return
	}
	name := a.Name
	if name == "" {
		name = a.Email
	}
	for _, id := range [][4]uint16{
		{mapi.PidTagSentRepresentingName, mapi.PidTagSentRepresentingAddressType, mapi.PidTagSentRepresentingEmailAddress, mapi.PidTagSentRepresentingSMTPAddress},
		{mapi.PidTagSenderName, mapi.PidTagSenderAddressType, mapi.PidTagSenderEmailAddress, mapi.PidTagSenderSMTPAddress},
	} {
		b.Set(mapi.NewText(id[0], name))
		b.Set(mapi.NewText(id[1], "SMTP"))
		b.Set(mapi.NewText(id[2], a.Email))
		b.Set(mapi.NewText(id[3], a.Email))
	}
	b.Set(mapi.NewBinary(mapi.PidTagSentRepresentingEntryID, oneOff(name, a.Email)))
	b.Set(mapi.NewBinary(mapi.PidTagSentRepresentingSearchKey, searchKey(a.Email)))
	b.Set(mapi.NewBinary(mapi.PidTagSenderEntryID, oneOff(name, a.Email)))
	b.Set(mapi.NewBinary(mapi.PidTagSenderSearchKey, searchKey(a.Email)))
}

// peopleOf are the organizer and the attendees of a message.
func peopleOf(m *mapi.Message) (organizer person, attendees []person) {
	to, cc, bcc := m.To(), m.Cc(), m.Bcc()
	for _, r := range m.Recipients {
		a := person{kind: mapi.RecipientKind(r)}
		switch a.kind {
		case mapi.RecipientCc:
			a.Address, cc = cc[0], cc[1:]
		case mapi.RecipientBcc:
			a.Address, bcc = bcc[0], bcc[1:]
		case mapi.RecipientTo:
			a.Address, to = to[0], to[1:]
		default:
			continue // the originator, in rows of servers
		}
		a.track, _ = r.Int32(idRecipientTrackStatus)
		flags, _ := r.Int32(mapi.PidTagRecipientFlags)
		if flags&recipientOrganizer != 0 {
			organizer = a
			continue
		}
		attendees = append(attendees, a)
	}
	if organizer.Email == "" {
		organizer = person{Address: m.From()}
	}
	return organizer, attendees
}
