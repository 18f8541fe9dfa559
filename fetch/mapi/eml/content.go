package eml

import (
	"bytes"
	"strings"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/calendar"
	"mailbrick/fetch/mapi/tnef"
	"mailbrick/fetch/mapi/vcard"
)

// content is what parts say that stand for properties: winmail.dat, a calendar, a
// card, the status of a report. Such a part is no attachment; its bytes stay in
// the skeleton. Of each kind the first counts.
type content struct {
	bag         mapi.Bag
	recipients  []mapi.Bag
	attachments []mapi.Attachment
	seen        map[string]bool
}

// take makes properties of a part, if it is one that stands for them.
func (c *content) take(p *part, at place) bool {
	kind, read := c.reader(p, at)
	if read == nil || c.seen[kind] {
		return false
	}
	m, err := read(p.decoded())
	if err != nil || len(c.bag)+len(m.Properties) > maxSaid {
		return false
	}
	if c.seen == nil {
		c.seen = map[string]bool{}
	}
	c.seen[kind] = true
	for _, property := range m.Properties {
		if sayable(&property) {
			c.add(property)
		}
	}
	c.recipients = append(c.recipients, m.Recipients...)
	c.attachments = append(c.attachments, m.Attachments...)
	return true
}

// add takes a property where there is none of that name.
func (c *content) add(p mapi.Property) {
	if counterpart(c.bag, &p) == nil {
		c.bag = append(c.bag, p)
	}
}

// sayable leaves out what is of the file that a part was made of, not of the item.
func sayable(p *mapi.Property) bool {
	if p.Name != nil {
		return *p.Name != skeletonName()
	}
	switch p.Tag.ID() {
	case mapi.PidTagMessageFlags, mapi.PidTagMessageSize, mapi.PidTagHasAttachments, mapi.PidTagMid, mapi.PidTagEntryID,
		mapi.PidTagRecordKey, mapi.PidTagTransportMessageHeaders, mapi.PidTagDisplayTo, mapi.PidTagDisplayCc, mapi.PidTagDisplayBcc:
		return false
	}
	return p.Tag.ID() < mapi.FirstNamed
}

type contentReader func([]byte) (*mapi.Message, error)

// reader is for the kind of part that p is where it stands; nil for most.
func (c *content) reader(p *part, at place) (kind string, read contentReader) {
	switch {
	case isTNEF(p):
		return "tnef", readTNEF
	case p.kind.kind == "text/calendar" && (at.root || at.alternative > 0 || !attached(p) && p.kind.params["method"] != ""):
		return "item", applied(calendar.Apply)
	case isCard(p.kind.kind) && (at.root || at.alternative > 0):
		return "item", applied(vcard.Apply)
	case at.report && p.kind.kind == deliveryStatusKind:
		return "report", readDeliveryStatus
	case at.report && p.kind.kind == dispositionKind:
		return "report", readDisposition
	}
	return "", nil
}

// applied reads a part into a message of its own.
func applied(apply func(*mapi.Message, []byte) error) contentReader {
	return func(data []byte) (*mapi.Message, error) {
		m := &mapi.Message{}
		return m, apply(m, data)
	}
}

func isCard(kind string) bool {
	return kind == "text/vcard" || kind == "text/x-vcard" || kind == "text/directory"
}

// isTNEF: some programs call it a stream of bytes.
func isTNEF(p *part) bool {
	return p.kind.kind == "application/ms-tnef" || p.kind.kind == "application/vnd.ms-tnef" ||
		p.kind.kind == "application/octet-stream" && strings.EqualFold(fileName(p), "winmail.dat")
}

func readTNEF(data []byte) (*mapi.Message, error) {
	m, err := tnef.Read(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	m.Recipients = nil // as the sender knew them; the header is nearer
	return m, nil
}

// apply gives m what parts said. What the header and the bodies say stays: they
// are what people saw.
func (c *content) apply(m *mapi.Message) {
	if c.seen["report"] {
		c.original(m.Attachments)
	}
	if c.bag.Find(mapi.PidTagHTML) != nil && m.Properties.Find(mapi.PidTagHTML) == nil {
		m.Properties.Remove(mapi.PidTagInternetCodepage) // was of the other body
	}
	if c.bag.Find(mapi.PidTagHTML) != nil || c.bag.Find(mapi.PidTagRtfCompressed) != nil {
		m.Properties.Remove(mapi.PidTagNativeBody)
	}
	for _, p := range c.bag {
		if p.Name == nil && p.Tag.ID() == mapi.PidTagMessageClass || counterpart(m.Properties, &p) == nil {
			m.Properties.Set(p)
		}
	}
	for i := range m.Attachments {
		m.Attachments[i].Properties.Set(mapi.NewInt32(mapi.PidTagAttachNumber, int32(i)))
	}
	if c.seen["report"] && len(c.recipients) > 0 || len(m.Recipients) == 0 {
		m.Recipients = c.recipients
		if c.seen["report"] {
			stamp(m)
		}
	}
	c.complete(m.Recipients)
}

// complete numbers the rows, and gives a recipient of the header what the
// calendar says of the attendee.
func (c *content) complete(rows []mapi.Bag) {
	attendees := map[string]mapi.Bag{}
	for _, r := range c.recipients {
		attendees[strings.ToLower(r.Text(mapi.PidTagSMTPAddress))] = r
	}
	delete(attendees, "")
	for i := range rows {
		rows[i].Set(mapi.NewInt32(mapi.PidTagRowid, int32(i)))
		if len(attendees) == 0 {
			continue
		}
		for _, p := range attendees[strings.ToLower(rows[i].Text(mapi.PidTagSMTPAddress))] {
			if counterpart(rows[i], &p) == nil {
				rows[i] = append(rows[i], p)
			}
		}
	}
}

// itemNode is the part of an appointment, a meeting, a task or a contact, nil
// for others [MS-OXCICAL] 2.1.3, [RFC 6047] 2.4.
func itemNode(m *mapi.Message) (*node, error) {
	var b bytes.Buffer
	switch {
	case calendar.Is(m):
		if err := calendar.Write(&b, m); err != nil {
			return nil, err
		}
		n := textNode("calendar", "utf-8", b.Bytes())
		n.kind += parameter("method", calendar.Method(m))
		return n, nil
	case isContact(m):
		if err := vcard.Write(&b, m); err != nil {
			return nil, err
		}
		return textNode("vcard", "utf-8", b.Bytes()), nil
	}
	return nil, nil
}

func isContact(m *mapi.Message) bool {
	class := strings.ToUpper(m.Class())
	return class == "IPM.CONTACT" || strings.HasPrefix(class, "IPM.CONTACT.")
}

// idContactPhoto says that an attachment is the picture of the contact [MS-OXOCNTC] 2.2.1.8.
const idContactPhoto uint16 = 0x7FFF

// inItem says whether an attachment is within the part of the item: a modified
// instance of a series [MS-OXOCAL] 2.2.10, the picture of a contact.
func inItem(m *mapi.Message, a *mapi.Attachment) bool {
	if photo, _ := a.Properties.Bool(idContactPhoto); photo {
		return isContact(m)
	}
	return calendar.IsException(a) && calendar.Is(m)
}
