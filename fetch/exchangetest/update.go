package exchangetest

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/beevik/etree"

	"mailbrick/fetch/mapi"
)

// updateItem changes the properties that the request names.
func (c *call) updateItem(unit *etree.Element) (content, *failure) {
	parts := unit.ChildElements()
	var v itemView
	again := true
	for again {
		old, f := c.editable(parts[0])
		if f != nil {
			return nil, f
		}
		u, f := c.readUpdates(parts[1], old)
		if f != nil {
			return nil, f
		}
		if v, again, f = c.replace(parts[0], old, u); f != nil {
			return nil, f
		}
	}
	return updatedContent(v), nil
}

// revise changes an item as edit does, whatever its change key.
func (c *call) revise(id *etree.Element, edit func(*mapi.Message) *failure) (v itemView, f *failure) {
	for again := true; again && f == nil; {
		if v, f = c.view(id); f == nil {
			u := &updates{class: v.rev.class, edit: edit}
			v, again, f = c.replace(id, v.rev, u)
		}
	}
	return v, f
}

// replace makes new content of the old; the streams are written outside of the
// mailbox's lock, so the item may have changed meanwhile: then it is done again.
func (c *call) replace(id *etree.Element, old *revision, u *updates) (v itemView, again bool, f *failure) {
	rev, f := c.edited(old, u)
	if f != nil {
		return v, false, f
	}
	m := c.mailbox
	m.mu.Lock()
	defer m.mu.Unlock()
	it, _, f := c.itemOf(id)
	if f != nil || it.rev.number != old.number {
		rev.discard()
		return v, f == nil, f
	}
	m.reviseItem(it, rev, u.readOnly)
	return m.viewItem(it), false, nil
}

// discard drops content that no item got.
func (r *revision) discard() {
	if s, ok := r.source.(*blobSource); ok {
		discard(s.blob)
	}
}

func updatedContent(v itemView) content {
	return func(x *xmlWriter) error {
		if err := itemContent(v)(x); err != nil {
			return err
		}
		x.start("m:ConflictResults")
		x.leaf("t:Count", "0")
		x.end()
		return nil
	}
}

// editable finds the content to change, and refuses to change what the client has not seen.
func (c *call) editable(e *etree.Element) (*revision, *failure) {
	c.mailbox.mu.RLock()
	defer c.mailbox.mu.RUnlock()
	it, number, f := c.itemOf(e)
	if f != nil {
		return nil, f
	}
	resolution := attr(c.body, "ConflictResolution")
	switch {
	case itemElement(it.rev.class) == "t:Message" && attr(c.body, "MessageDisposition") == "":
		return nil, fail("ErrorMessageDispositionRequired")
	case itemElement(it.rev.class) == "t:CalendarItem" && attr(c.body, "SendMeetingInvitationsOrCancellations") == "":
		return nil, fail("ErrorSendMeetingInvitationsOrCancellationsRequired")
	case resolution != "AlwaysOverwrite" && number == 0:
		return nil, fail("ErrorChangeKeyRequiredForWriteOperations")
	case resolution == "NeverOverwrite" && number != it.rev.number:
		return nil, fail("ErrorIrresolvableConflict")
	}
	return it.rev, nil
}

// updates are the changes of an UpdateItem to one item.
type updates struct {
	maker    maker
	element  string // of the item
	fields   []itemProperty
	edits    []func(*mapi.Message)
	changes  []*etree.Element // of joint properties
	remake   bool             // others follow from what is changed
	readOnly bool             // the read flag and nothing else
	read     *bool
	class    string
	edit     func(*mapi.Message) *failure // in the place of all of them
}

func (c *call) readUpdates(list *etree.Element, old *revision) (*updates, *failure) {
	u := &updates{maker: c.maker(), element: itemElement(old.class), fields: itemProperties(), readOnly: true, class: old.class}
	for e := range list.ChildElementsSeq() {
		if f := u.add(e); f != nil {
			return u, f
		}
	}
	return u, nil
}

// add reads a SetItemField, DeleteItemField or AppendToItemField.
func (u *updates) add(e *etree.Element) *failure {
	parts := e.ChildElements()
	path := parts[0]
	if e.Tag == "AppendToItemField" {
		return fail("ErrorInvalidPropertyAppend")
	}
	if e.Tag == "DeleteItemField" {
		return u.erase(path)
	}
	given := parts[1].ChildElements()
	if len(given) != 1 {
		return fail("ErrorIncorrectUpdatePropertyCount")
	}
	value := given[0].Copy() // the request itself is not kept
	if path.Tag == "ExtendedFieldURI" {
		return u.extend(path, value)
	}
	p := u.settable(path)
	switch {
	case p == nil:
		return fail("ErrorInvalidPropertySet")
	case elementOf(p.field) != "t:"+value.Tag:
		return fail("ErrorUpdatePropertyMismatch")
	}
	switch p.field {
	case "item:MimeContent":
		if _, _, f := readMime(strings.TrimPrefix(u.element, "t:"), value.Text()); f != nil {
			return f
		}
	case "message:IsRead":
		read := isTrue(value.Text())
		u.read = &read
	case "item:ItemClass":
		u.class = value.Text()
	}
	u.change(p, value, value)
	return nil
}

// settable is the property that a path names; one of a dictionary by its key too.
func (u *updates) settable(path *etree.Element) *itemProperty {
	field := attr(path, "FieldURI")
	if path.Tag == "IndexedFieldURI" {
		field = dictionaryOf(field)
	}
	i := slices.IndexFunc(u.fields, func(p itemProperty) bool { return p.field != "" && p.field == field })
	if i < 0 || u.fields[i].set == nil || !u.fields[i].belongs(u.element) {
		return nil
	}
	return &u.fields[i]
}

// dictionaryOf is the property whose entries a DictionaryURIType names.
func dictionaryOf(field string) string {
	switch {
	case strings.HasPrefix(field, "contacts:PhysicalAddress:"):
		return "contacts:PhysicalAddresses"
	case field == "contacts:EmailAddress":
		return "contacts:EmailAddresses"
	}
	return field + "s"
}

// change sets a property; a joint one later, with the others.
func (u *updates) change(p *itemProperty, value, named *etree.Element) {
	u.readOnly = u.readOnly && p.field == "message:IsRead"
	u.remake = u.remake || p.joint || strings.HasPrefix(p.field, "contacts:") || strings.HasPrefix(p.field, "item:Reminder")
	if p.joint {
		u.changes = append(u.changes, named)
		return
	}
	set := p.set
	u.edits = append(u.edits, func(m *mapi.Message) { set(m, value) })
}

// erase takes a value away. Of some properties every item has one.
func (u *updates) erase(path *etree.Element) *failure {
	if path.Tag == "ExtendedFieldURI" {
		field, f := readExtended(path)
		if f != nil {
			return f
		}
		u.readOnly = false
		u.edits = append(u.edits, func(m *mapi.Message) {
			m.Properties = slices.DeleteFunc(m.Properties, func(p mapi.Property) bool { return field.matches(&p) })
		})
		return nil
	}
	p := u.settable(path)
	if p == nil || slices.Contains([]string{"message:IsRead", "item:ItemClass", "item:MimeContent", "calendar:Start", "calendar:End"}, p.field) {
		return fail("ErrorInvalidPropertyDelete")
	}
	u.change(p, emptied(path), etree.NewElement(elementOf(p.field)))
	return nil
}

// emptied is an entry of a dictionary without its value, nil for other properties.
func emptied(path *etree.Element) *etree.Element {
	if path.Tag != "IndexedFieldURI" {
		return nil
	}
	list := etree.NewElement("Entries")
	e := list.CreateElement("Entry")
	e.CreateAttr("Key", attr(path, "FieldIndex"))
	if part, found := strings.CutPrefix(attr(path, "FieldURI"), "contacts:PhysicalAddress:"); found {
		e.CreateElement(part)
	}
	return list
}

func (u *updates) extend(path, value *etree.Element) *failure {
	u.readOnly = false
	if value.Tag != "ExtendedProperty" {
		return fail("ErrorUpdatePropertyMismatch")
	}
	field, f := readExtended(path)
	if f != nil {
		return f
	}
	p, ok := field.parse(value)
	if !ok {
		return fail("ErrorInvalidExtendedPropertyValue")
	}
	u.edits = append(u.edits, func(m *mapi.Message) { m.Properties.Set(p) })
	return nil
}

// apply makes the changes.
func (u *updates) apply(m *mapi.Message) *failure {
	if u.edit != nil {
		return u.edit(m)
	}
	for _, edit := range u.edits {
		edit(m)
	}
	if u.remake {
		given := present(m, u.element)
		over(given, u.changes)
		if f := u.maker.make(m, u.element, given); f != nil {
			return f
		}
	}
	if !u.readOnly {
		m.Properties.Set(mapi.NewTime(mapi.PidTagLastModificationTime, u.maker.now.Truncate(time.Millisecond)))
	}
	return nil
}

func (x extendedField) matches(p *mapi.Property) bool {
	if x.name != nil {
		return p.Name != nil && *p.Name == *x.name
	}
	return p.Tag.ID() == x.tag
}

// edited makes the new content. A change of the read flag alone does not touch
// the time of the last modification.
func (c *call) edited(old *revision, u *updates) (*revision, *failure) {
	var f *failure
	source, err := old.source.edited(func(m *mapi.Message) {
		if wrong := u.apply(m); wrong != nil {
			f = wrong
		}
	})
	if f == nil && err == nil && (u.remake || u.edit != nil) { // a file is edited when it is read
		_, err = source.message(math.MaxInt64)
	}
	switch {
	case f != nil:
		if err == nil {
			newRevision(source, "", 0, false).discard()
		}
		return nil, f
	case err != nil:
		return nil, fail("ErrorInternalServerError")
	}
	rev := newRevision(source, u.class, old.length, old.read)
	if u.read != nil {
		rev.read = *u.read
	}
	return rev, nil
}

// parseTime reads an xs:dateTime; one without a zone is in UTC.
func parseTime(s string) (time.Time, error) {
	s = strings.TrimSpace(s)
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Parse(wallLayout, s)
	}
	return t, nil
}
