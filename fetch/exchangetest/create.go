package exchangetest

import (
	"bytes"
	"errors"
	"iter"
	"strconv"
	"strings"

	"github.com/beevik/etree"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/calendar"
	"mailbrick/fetch/mapi/eml"
	"mailbrick/fetch/mapi/vcard"
)

// newKind is what an element makes: a class, and the folder it goes to unless another is named.
type newKind struct{ class, folder string }

func newKinds() map[string]newKind {
	return map[string]newKind{
		"Item": {"IPM.Note", "drafts"}, "Message": {"IPM.Note", "drafts"}, "PostItem": {"IPM.Post", "drafts"},
		"CalendarItem": {"IPM.Appointment", "calendar"}, "Contact": {"IPM.Contact", "contacts"}, "Task": {"IPM.Task", "tasks"},
	}
}

func (c *call) createItem(unit *etree.Element) (content, *failure) {
	disposition := attr(c.body, "MessageDisposition")
	switch {
	case newKinds()[unit.Tag] == newKind{}:
		return nil, fail("ErrorInvalidItemForOperationCreateItem") // todo: EWS CreateItem, lists, replies and answers to meetings
	case unit.Tag == "Message" && disposition == "":
		return nil, fail("ErrorMessageDispositionRequired")
	case unit.Tag == "CalendarItem" && attr(c.body, "SendMeetingInvitations") == "":
		return nil, fail("ErrorSendMeetingInvitationsRequired")
	}
	message, length, f := c.newMessage(unit)
	if f != nil {
		return nil, f
	}
	if unit.Tag != "Message" {
		disposition = ""
	}
	switch disposition {
	case "SendOnly":
		return noItems, nil // the server has nobody to send to
	case "SendAndSaveCopy":
		c.maker().sent(message)
	}
	source, err := encodeBlob(message, c.server.files)
	if err != nil {
		return nil, fail("ErrorInternalServerError")
	}
	rev := newRevision(source, message.Class(), length, message.Read())
	m := c.mailbox
	m.mu.Lock()
	defer m.mu.Unlock()
	to, f := c.savedIn(unit.Tag, disposition)
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

// savedIn is where new items go: SavedItemFolderId, else where those of their kind are, or sent items for what is sent.
func (c *call) savedIn(element, disposition string) (*folder, *failure) {
	e := child(c.body, "SavedItemFolderId")
	switch {
	case e == nil && disposition == "SendAndSaveCopy":
		return c.mailbox.special["sentitems"], nil
	case e == nil:
		return c.mailbox.special[newKinds()[element].folder], nil
	}
	to, f := c.folderOf(e, "ErrorSavedItemFolderNotFound")
	switch {
	case f != nil:
		return nil, f
	case to.search:
		return nil, fail("ErrorInvalidFolderTypeForOperation")
	case element == "CalendarItem" && !strings.HasPrefix(to.class, "IPF.Appointment"):
		return nil, fail("ErrorCannotCreateCalendarItemInNonCalendarFolder")
	case element == "Task" && !strings.HasPrefix(to.class, "IPF.Task"):
		return nil, fail("ErrorCannotCreateTaskInNonTaskFolder")
	case element == "Contact" && !strings.HasPrefix(to.class, "IPF.Contact"):
		return nil, fail("ErrorCannotCreateContactInNonContactFolder")
	}
	return to, nil
}

// owner is whose mailbox it is.
func (m *Mailbox) owner() mapi.Address {
	local, _, _ := strings.Cut(m.address, "@")
	return mapi.Address{Name: local, Email: m.address}
}

// maker makes items whole for this request.
func (c *call) maker() maker {
	return maker{owner: c.mailbox.owner(), zone: c.zone, now: c.server.options.Clock()}
}

// newMessage makes an item of MimeContent and the properties given beside it.
func (c *call) newMessage(unit *etree.Element) (*mapi.Message, int64, *failure) {
	message, length, f := fromMime(unit)
	if f != nil {
		return nil, 0, f
	}
	if message.Properties.Find(mapi.PidTagMessageClass) == nil || unit.Tag != "Message" && unit.Tag != "Item" {
		message.Properties.Set(mapi.NewText(mapi.PidTagMessageClass, newKinds()[unit.Tag].class))
	}
	// [MS-OXCMSG] 2.2.1.6: what a client saves is a draft until it says otherwise.
	flags, _ := message.Properties.Int32(mapi.PidTagMessageFlags)
	if flags |= mapi.FlagRead; unit.Tag == "Message" || unit.Tag == "Item" {
		flags |= mapi.FlagUnsent
	}
	message.Properties.Set(mapi.NewInt32(mapi.PidTagMessageFlags, flags))
	k := c.maker()
	c.mailbox.mu.RLock()
	key := searchKey("created", c.mailbox.GUID(), strconv.FormatUint(c.mailbox.object+1, 10), k.now.String())
	c.mailbox.mu.RUnlock()
	if message.Properties.Find(mapi.PidTagSearchKey) == nil {
		message.Properties.Set(mapi.NewBinary(mapi.PidTagSearchKey, key[:]))
	}
	if f := k.setGiven(message, unit); f != nil {
		return nil, 0, f
	}
	if length == 0 {
		length = lengthOf(message)
	}
	stamp(message, key, k.now)
	for _, id := range []uint16{mapi.PidTagCreationTime, mapi.PidTagLastModificationTime} {
		message.Properties.Set(mapi.NewTime(id, k.now))
	}
	return message, length, nil
}

// lengthOf is about how much an item of fields is.
func lengthOf(m *mapi.Message) int64 {
	n := int64(len(m.BodyText()) + len(m.Subject()))
	for i := range m.Attachments {
		if p := m.Attachments[i].Data(); p != nil {
			n += p.Len()
		}
	}
	return n
}

// fromMime makes an item of its MimeContent, an empty one where there is none.
func fromMime(unit *etree.Element) (*mapi.Message, int64, *failure) {
	if e := child(unit, "MimeContent"); e != nil {
		return readMime(unit.Tag, e.Text())
	}
	return &mapi.Message{}, 0, nil
}

// readMime reads what is mail or, by the element, what others write: iCalendar, vCard.
func readMime(element, text string) (*mapi.Message, int64, *failure) {
	raw, err := decodeBase64(text)
	if err != nil {
		return nil, 0, fail("ErrorMimeContentInvalid")
	}
	message := &mapi.Message{}
	switch element {
	case "CalendarItem":
		err = calendar.Apply(message, raw)
	case "Contact":
		err = vcard.Apply(message, raw)
	default:
		message, err = eml.Read(bytes.NewReader(raw))
	}
	switch {
	case errors.Is(err, eml.ErrNotMail), errors.Is(err, calendar.ErrNotCalendar), errors.Is(err, vcard.ErrNotCard):
		return nil, 0, fail("ErrorMimeContentInvalid")
	case err != nil:
		return nil, 0, fail("ErrorMimeContentConversionFailed")
	}
	return message, int64(len(raw)), nil
}

// setGiven sets the properties given as elements, then those that hang together.
func (k maker) setGiven(m *mapi.Message, unit *etree.Element) *failure {
	element, fields := "t:"+unit.Tag, itemProperties()
	var changes []*etree.Element
	for e := range unit.ChildElementsSeq() {
		switch e.Tag {
		case "MimeContent", "IsAssociated":
			continue
		case "Attachments":
			if f := k.attach(m, e); f != nil {
				return f
			}
			continue
		case "ExtendedProperty":
			if f := setExtended(m, e); f != nil {
				return f
			}
			continue
		}
		p := settable(fields, element, e.Tag)
		if p == nil {
			return fail("ErrorInvalidPropertySet")
		}
		if p.set(m, e); p.joint {
			changes = append(changes, e)
		}
	}
	if child(unit, "MimeContent") != nil && len(changes) == 0 {
		return nil // whole as it came
	}
	given := present(m, element)
	if child(unit, "MimeContent") == nil {
		given = etree.NewElement(unit.Tag)
	}
	over(given, changes)
	return k.make(m, element, given)
}

// settable is the property of an element's that is called so, nil if clients may not set it.
func settable(fields []itemProperty, element, name string) *itemProperty {
	for i := range fields {
		if p := &fields[i]; p.set != nil && p.belongs(element) && elementOf(p.field) == "t:"+name {
			return p
		}
	}
	return nil
}

// sent makes a draft a message that was sent.
func (k maker) sent(m *mapi.Message) {
	flags, _ := m.Properties.Int32(mapi.PidTagMessageFlags)
	m.Properties.Set(mapi.NewInt32(mapi.PidTagMessageFlags, flags&^mapi.FlagUnsent|mapi.FlagRead|mapi.FlagFromMe))
	m.Properties.Set(mapi.NewTime(mapi.PidTagClientSubmitTime, k.now))
	for _, who := range []someone{represented(), sender()} {
		if m.Properties.Find(who[0]) == nil {
			m.Properties = append(m.Properties, who.properties(k.owner)...)
		}
	}
}

func childText(e *etree.Element, name string) string {
	if e == nil {
		return ""
	}
	if c := child(e, name); c != nil {
		return c.Text()
	}
	return ""
}

// childrenOf are the elements in one that need not be there.
func childrenOf(e *etree.Element) iter.Seq[*etree.Element] {
	if e == nil {
		return func(func(*etree.Element) bool) {}
	}
	return e.ChildElementsSeq()
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
	for c := range childrenOf(e) {
		list = append(list, c.Text())
	}
	return list
}
