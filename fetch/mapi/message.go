package mapi

import "time"

// Message is a message and what hangs on it.
type Message struct {
	Properties  Bag
	Recipients  []Bag
	Attachments []Attachment
}

// Attachment is a row of the attachment table; Embedded is set when it is a message itself.
type Attachment struct {
	Properties Bag
	Embedded   *Message
}

func (m *Message) Subject() string {
	var room [usualText]byte
	return string(m.appendSubject(room[:0]))
}

func (m *Message) appendSubject(dst []byte) []byte {
	if m.Properties.Find(PidTagSubject) != nil {
		return m.Properties.appendText(dst, PidTagSubject)
	}
	return m.Properties.appendText(m.Properties.appendText(dst, PidTagSubjectPrefix), PidTagNormalizedSubject)
}

func (m *Message) Class() string     { return m.Properties.Text(PidTagMessageClass) }
func (m *Message) MessageID() string { return m.Properties.Text(PidTagInternetMessageID) }

// Categories are the colours and labels people give to items.
func (m *Message) Categories() []string { return m.Properties.TextsNamed(NameCategories()) }

func (m *Message) Sent() time.Time {
	t, _ := m.Properties.Time(PidTagClientSubmitTime)
	return t
}

func (m *Message) Received() time.Time {
	t, _ := m.Properties.Time(PidTagMessageDeliveryTime)
	return t
}

// Read says whether the message is marked as read.
func (m *Message) Read() bool {
	flags, _ := m.Properties.Int32(PidTagMessageFlags)
	return flags&FlagRead != 0
}

// HasAttachments says whether a person would see an attachment: parts of the
// body (inline pictures) do not count.
func (m *Message) HasAttachments() bool {
	for i := range m.Attachments {
		if !m.Attachments[i].Hidden() {
			return true
		}
	}
	return false
}

// AttachmentNames are the names of the attachments a person would see.
func (m *Message) AttachmentNames() []string {
	var names []string
	codePage := m.Properties.CodePage()
	for i := range m.Attachments {
		if a := &m.Attachments[i]; !a.Hidden() {
			names = append(names, a.NameIn(codePage))
		}
	}
	return names
}

// Hidden says whether the attachment is a part of the body.
func (a *Attachment) Hidden() bool {
	if hidden, ok := a.Properties.Bool(PidTagAttachmentHidden); ok {
		return hidden
	}
	flags, _ := a.Properties.Int32(PidTagAttachFlags)
	return flags&AttachRendered != 0 && a.Properties.Text(PidTagAttachContentID) != ""
}

// Name is what the attachment is called; an embedded message without a name is called by its subject.
func (a *Attachment) Name() string { return a.NameIn(a.Properties.CodePage()) }

// NameIn is Name where 8-bit strings are in a code page: that of the message, for attachments seldom tell one.
func (a *Attachment) NameIn(codePage int) string {
	for _, id := range []uint16{PidTagAttachLongFilename, PidTagAttachFilename, PidTagDisplayName} {
		if name := a.Properties.textIn(id, codePage); name != "" {
			return name
		}
	}
	if a.Embedded != nil {
		return a.Embedded.Subject()
	}
	return ""
}

// Data is the property with the attachment's bytes, nil for an embedded message or a reference.
func (a *Attachment) Data() *Property { return a.Properties.Find(PidTagAttachData) }
