package exchangetest

import (
	"bytes"
	"errors"
	"strconv"
	"strings"

	"github.com/beevik/etree"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/eml"
)

func (c *call) createItem(unit *etree.Element) (content, *failure) {
	disposition := attr(c.body, "MessageDisposition")
	switch {
	case unit.Tag != "Message" && unit.Tag != "Item":
		return nil, fail("ErrorInvalidItemForOperationCreateItem") // todo: other classes
	case unit.Tag == "Message" && disposition == "":
		return nil, fail("ErrorMessageDispositionRequired")
	}
	message, length, f := c.newMessage(unit)
	if f != nil {
		return nil, f
	}
	if disposition == "SendOnly" {
		return noItems, nil // the server has nobody to send to
	}
	source, err := encodeBlob(message, c.server.files)
	if err != nil {
		return nil, fail("ErrorInternalServerError")
	}
	rev := newRevision(source, message.Class(), length, message.Read())
	m := c.mailbox
	m.mu.Lock()
	defer m.mu.Unlock()
	to, f := c.savedIn(disposition)
	if f != nil {
		rev.discard()
		return nil, f
	}
	made := m.addItem(to, rev, isTrue(childText(unit, "IsAssociated")))
	if disposition == "SendAndSaveCopy" {
		return noItems, nil // EWS: a sent message's copy has no id to give yet
	}
	return itemContent(m.viewItem(made)), nil
}

// savedIn is where new items go: SavedItemFolderId, else drafts, or sent items for what is sent.
func (c *call) savedIn(disposition string) (*folder, *failure) {
	if e := child(c.body, "SavedItemFolderId"); e != nil {
		to, f := c.folderOf(e, "ErrorSavedItemFolderNotFound")
		if f == nil && to.search {
			f = fail("ErrorInvalidFolderTypeForOperation")
		}
		return to, f
	}
	if disposition == "SendAndSaveCopy" {
		return c.mailbox.special["sentitems"], nil
	}
	return c.mailbox.special["drafts"], nil
}

// newMessage makes a message of MimeContent and the properties given beside it.
func (c *call) newMessage(unit *etree.Element) (*mapi.Message, int64, *failure) {
	message, length := &mapi.Message{}, int64(0)
	if e := child(unit, "MimeContent"); e != nil {
		raw, err := decodeBase64(e.Text())
		if err != nil {
			return nil, 0, fail("ErrorMimeContentInvalid")
		}
		message, err = eml.Read(bytes.NewReader(raw))
		if errors.Is(err, eml.ErrNotMail) {
			return nil, 0, fail("ErrorMimeContentInvalid")
		}
		if err != nil {
			return nil, 0, fail("ErrorMimeContentConversionFailed")
		}
		length = int64(len(raw))
	}
	// [MS-OXCMSG] 2.2.1.6: what a client saves is a draft until it says otherwise.
	flags, _ := message.Properties.Int32(mapi.PidTagMessageFlags)
	message.Properties.Set(mapi.NewInt32(mapi.PidTagMessageFlags, flags|mapi.FlagRead|mapi.FlagUnsent))
	now := c.server.options.Clock()
	if f := setGiven(message, unit); f != nil {
		return nil, 0, f
	}
	if length == 0 {
		length = int64(len(message.BodyText()) + len(message.Subject()))
	}
	c.mailbox.mu.RLock()
	key := searchKey("created", c.mailbox.GUID(), strconv.FormatUint(c.mailbox.object+1, 10), now.String())
	c.mailbox.mu.RUnlock()
	stamp(message, key, now)
	for _, id := range []uint16{mapi.PidTagCreationTime, mapi.PidTagLastModificationTime} {
		message.Properties.Set(mapi.NewTime(id, now))
	}
	return message, length, nil
}

// setGiven sets the properties given as elements.
func setGiven(m *mapi.Message, unit *etree.Element) *failure {
	for e := range unit.ChildElementsSeq() {
		switch e.Tag {
		case "MimeContent", "IsAssociated":
		case "ItemClass":
			m.Properties.Set(mapi.NewText(mapi.PidTagMessageClass, e.Text()))
		case "Body":
			setBody(m, e)
		case "ToRecipients", "CcRecipients", "BccRecipients":
			setRecipients(m, e)
		case "Attachments":
			addAttachments(m, e)
		case "ExtendedProperty":
			if f := setExtended(m, e); f != nil {
				return f
			}
		default:
			set, known := setters()[e.Tag]
			if !known {
				return fail("ErrorInvalidPropertySet")
			}
			set(m, e)
		}
	}
	return nil
}

func setBody(m *mapi.Message, e *etree.Element) {
	for _, id := range []uint16{mapi.PidTagBody, mapi.PidTagHTML, mapi.PidTagRtfCompressed, mapi.PidTagInternetCodepage} {
		m.Properties.Remove(id)
	}
	if attr(e, "BodyType") == "Text" {
		m.Properties.Set(mapi.NewText(mapi.PidTagBody, e.Text()))
		return
	}
	m.Properties.Set(mapi.NewBinary(mapi.PidTagHTML, []byte(e.Text())))
	m.Properties.Set(mapi.NewInt32(mapi.PidTagInternetCodepage, 65001))
}

// setRecipients puts the list in the place of the recipients of that kind.
func setRecipients(m *mapi.Message, e *etree.Element) {
	kind := map[string]int32{"ToRecipients": mapi.RecipientTo, "CcRecipients": mapi.RecipientCc, "BccRecipients": mapi.RecipientBcc}[e.Tag]
	var rows []mapi.Bag
	for _, r := range m.Recipients {
		if mapi.RecipientKind(r) != kind {
			rows = append(rows, r)
		}
	}
	for box := range e.ChildElementsSeq() {
		address, name := childText(box, "EmailAddress"), childText(box, "Name")
		if name == "" {
			name = address
		}
		rows = append(rows, mapi.Bag{
			mapi.NewInt32(mapi.PidTagRowid, int32(len(rows))),
			mapi.NewInt32(mapi.PidTagRecipientType, kind),
			mapi.NewText(mapi.PidTagDisplayName, name),
			mapi.NewText(mapi.PidTagAddressType, "SMTP"),
			mapi.NewText(mapi.PidTagEmailAddress, address),
			mapi.NewText(mapi.PidTagSMTPAddress, address),
		})
	}
	m.Recipients = rows
}

func childText(e *etree.Element, name string) string {
	if c := child(e, name); c != nil {
		return c.Text()
	}
	return ""
}

// addAttachments stores the files given inline; attached items are not modelled.
func addAttachments(m *mapi.Message, e *etree.Element) {
	for a := range e.ChildElementsSeq() {
		if a.Tag != "FileAttachment" {
			continue
		}
		data, _ := decodeBase64(childText(a, "Content")) // the schema saw to it
		bag := mapi.Bag{
			mapi.NewInt32(mapi.PidTagAttachMethod, mapi.AttachByValue),
			mapi.NewText(mapi.PidTagAttachLongFilename, childText(a, "Name")),
			mapi.NewBinary(mapi.PidTagAttachData, data),
		}
		if kind := childText(a, "ContentType"); kind != "" {
			bag.Set(mapi.NewText(mapi.PidTagAttachMimeTag, kind))
		}
		if id := childText(a, "ContentId"); id != "" {
			bag.Set(mapi.NewText(mapi.PidTagAttachContentID, id))
		}
		m.Attachments = append(m.Attachments, mapi.Attachment{Properties: bag})
	}
}

// setExtended sets a property by tag or name; lists other than of strings are not modelled.
func setExtended(m *mapi.Message, e *etree.Element) *failure {
	field, f := readExtended(child(e, "ExtendedFieldURI"))
	if f != nil {
		return f
	}
	p, ok := field.parse(e)
	if !ok {
		return fail("ErrorInvalidExtendedPropertyValue")
	}
	m.Properties.Set(p)
	return nil
}

// parse makes a property of an ExtendedProperty element.
func (x extendedField) parse(e *etree.Element) (p mapi.Property, ok bool) {
	if x.kind != "StringArray" {
		return x.parseText(childText(e, "Value"))
	}
	list := texts(child(e, "Values"))
	p = mapi.NewNamedTexts(mapi.Name{}, list)
	p.Name, p.Tag = nil, mapi.MakeTag(x.tag, mapi.TypeTexts)
	return x.named(p), len(list) > 0
}

// parseText makes a property of one value.
func (x extendedField) parseText(text string) (p mapi.Property, ok bool) {
	value := strings.TrimSpace(text)
	ok = true
	switch x.kind {
	case "String":
		p = mapi.NewText(x.tag, text)
	case "Integer":
		n, err := strconv.ParseInt(value, 10, 32)
		p, ok = mapi.NewInt32(x.tag, int32(n)), err == nil
	case "Long":
		n, err := strconv.ParseInt(value, 10, 64)
		p, ok = mapi.NewInt64(x.tag, n), err == nil
	case "Boolean":
		p, ok = mapi.NewBool(x.tag, isTrue(value)), booleanText(value) == ""
	case "Binary":
		b, err := decodeBase64(value)
		p, ok = mapi.NewBinary(x.tag, b), err == nil
	case "SystemTime":
		t, err := parseTime(value)
		p, ok = mapi.NewTime(x.tag, t), err == nil
	default:
		return p, false
	}
	return x.named(p), ok
}

func (x extendedField) named(p mapi.Property) mapi.Property {
	if x.name != nil {
		p.Name, p.Tag = x.name, mapi.MakeTag(mapi.FirstNamed, p.Tag.Type())
	}
	return p
}

func texts(e *etree.Element) (list []string) {
	if e == nil {
		return nil
	}
	for c := range e.ChildElementsSeq() {
		list = append(list, c.Text())
	}
	return list
}
