package eml

import (
	"bytes"
	"strings"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/tnef"
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
	if err != nil {
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
	case at.report && p.kind.kind == deliveryStatusKind:
		return "report", readDeliveryStatus
	case at.report && p.kind.kind == dispositionKind:
		return "report", readDisposition
	}
	return "", nil
}

func isCard(kind string) bool {
	return kind == "text/vcard" || kind == "text/x-vcard" || kind == "text/directory"
}

// isTNEF: some programs call it a stream of bytes [MS-OXCMAIL] 2.2.4.
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
// are what people saw [MS-OXCMAIL] 2.2.4.
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
	if c.seen["report"] && len(c.recipients) > 0 {
		m.Recipients = c.recipients
	}
	for i := range m.Recipients {
		m.Recipients[i].Set(mapi.NewInt32(mapi.PidTagRowid, int32(i)))
	}
}
