package exchangetest

import (
	"slices"
	"strings"
	"time"

	"github.com/beevik/etree"

	"mailbrick/fetch/mapi"
)

// setter puts the value of a property element into a message.
type setter func(*mapi.Message, *etree.Element)

// setters are the properties of items that clients may set, by element.
func setters() map[string]setter {
	words := func(id uint16, list ...string) setter {
		return func(m *mapi.Message, e *etree.Element) {
			m.Properties.Set(mapi.NewInt32(id, int32(max(slices.Index(list, e.Text()), 0))))
		}
	}
	return map[string]setter{
		"Subject":     func(m *mapi.Message, e *etree.Element) { setSubject(m, e.Text()) },
		"IsRead":      func(m *mapi.Message, e *etree.Element) { setRead(m, isTrue(e.Text())) },
		"Categories":  func(m *mapi.Message, e *etree.Element) { setCategories(m, texts(e)) },
		"Importance":  words(mapi.PidTagImportance, "Low", "Normal", "High"),
		"Sensitivity": words(mapi.PidTagSensitivity, "Normal", "Personal", "Private", "Confidential"),
		"InternetMessageId": func(m *mapi.Message, e *etree.Element) {
			m.Properties.Set(mapi.NewText(mapi.PidTagInternetMessageID, e.Text()))
		},
	}
}

// erasers are the properties that clients may delete.
func erasers() map[string]func(*mapi.Message) {
	return map[string]func(*mapi.Message){
		"Subject":    func(m *mapi.Message) { setSubject(m, "") },
		"Categories": func(m *mapi.Message) { setCategories(m, nil) },
	}
}

// setSubject sets the family of properties that the subject is made of. [MS-OXCMSG] 2.2.1.46
func setSubject(m *mapi.Message, subject string) {
	prefix, rest := cutPrefix(subject)
	p := &m.Properties
	p.Set(mapi.NewText(mapi.PidTagSubject, subject))
	p.Set(mapi.NewText(mapi.PidTagSubjectPrefix, prefix))
	p.Set(mapi.NewText(mapi.PidTagNormalizedSubject, rest))
}

// cutPrefix finds one to three letters, a colon and a blank. [MS-OXCMSG] 3.2.4.2
func cutPrefix(subject string) (prefix, rest string) {
	head, tail, found := strings.Cut(subject, ": ")
	if !found || len(head) == 0 || len([]rune(head)) > 3 || strings.ContainsAny(head, "0123456789 ") {
		return "", subject
	}
	return head + ": ", tail
}

func setCategories(m *mapi.Message, list []string) {
	name := mapi.NameCategories()
	if len(list) > 0 {
		m.Properties.Set(mapi.NewNamedTexts(name, list))
		return
	}
	m.Properties = slices.DeleteFunc(m.Properties, func(p mapi.Property) bool { return p.Name != nil && *p.Name == name })
}

// updateItem makes new content of the old; the streams are written outside of
// the mailbox's lock, so the item may have changed meanwhile and is looked at again.
func (c *call) updateItem(unit *etree.Element) (content, *failure) {
	parts := unit.ChildElements()
	edit, f := readUpdates(parts[1])
	if f != nil {
		return nil, f
	}
	m := c.mailbox
	for {
		old, f := c.editable(parts[0])
		if f != nil {
			return nil, f
		}
		rev, f := c.edited(old, edit)
		if f != nil {
			return nil, f
		}
		m.mu.Lock()
		it, _, f := c.itemOf(parts[0])
		if f == nil && it.rev.number == old.number {
			m.reviseItem(it, rev, edit.readOnly)
			v := m.viewItem(it)
			m.mu.Unlock()
			return updatedContent(v), nil
		}
		m.mu.Unlock()
		rev.discard()
		if f != nil {
			return nil, f
		}
	}
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
	case resolution != "AlwaysOverwrite" && number == 0:
		return nil, fail("ErrorChangeKeyRequiredForWriteOperations")
	case resolution == "NeverOverwrite" && number != it.rev.number:
		return nil, fail("ErrorIrresolvableConflict")
	}
	return it.rev, nil
}

// updates are the changes of an UpdateItem to one item.
type updates struct {
	edits    []func(*mapi.Message)
	readOnly bool // the read flag and nothing else
	read     *bool
}

func readUpdates(list *etree.Element) (updates, *failure) {
	u := updates{readOnly: true}
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
	_, name, _ := strings.Cut(attr(path, "FieldURI"), ":")
	switch e.Tag {
	case "AppendToItemField":
		return fail("ErrorInvalidPropertyAppend")
	case "DeleteItemField":
		return u.erase(path, name)
	}
	given := parts[1].ChildElements()
	if len(given) != 1 {
		return fail("ErrorIncorrectUpdatePropertyCount")
	}
	value := given[0]
	if path.Tag == "ExtendedFieldURI" {
		return u.extend(path, value)
	}
	set, known := setters()[name]
	switch {
	case path.Tag != "FieldURI" || !known:
		return fail("ErrorInvalidPropertySet")
	case value.Tag != name:
		return fail("ErrorUpdatePropertyMismatch")
	}
	if name == "IsRead" {
		read := isTrue(value.Text())
		u.read = &read
	} else {
		u.readOnly = false
	}
	value = value.Copy() // the request itself is not kept
	u.edits = append(u.edits, func(m *mapi.Message) { set(m, value) })
	return nil
}

func (u *updates) erase(path *etree.Element, name string) *failure {
	u.readOnly = false
	if path.Tag == "ExtendedFieldURI" {
		field, f := readExtended(path)
		if f != nil {
			return f
		}
		u.edits = append(u.edits, func(m *mapi.Message) {
			m.Properties = slices.DeleteFunc(m.Properties, func(p mapi.Property) bool { return field.matches(&p) })
		})
		return nil
	}
	erase, known := erasers()[name]
	if !known {
		return fail("ErrorInvalidPropertyDelete")
	}
	u.edits = append(u.edits, erase)
	return nil
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

func (x extendedField) matches(p *mapi.Property) bool {
	if x.name != nil {
		return p.Name != nil && *p.Name == *x.name
	}
	return p.Tag.ID() == x.tag
}

// edited makes the new content. A change of the read flag alone does not touch
// the time of the last modification.
func (c *call) edited(old *revision, u updates) (*revision, *failure) {
	now := c.server.options.Clock().Truncate(time.Millisecond)
	source, err := old.source.edited(func(m *mapi.Message) {
		for _, edit := range u.edits {
			edit(m)
		}
		if !u.readOnly {
			m.Properties.Set(mapi.NewTime(mapi.PidTagLastModificationTime, now))
		}
	})
	if err != nil {
		return nil, fail("ErrorInternalServerError")
	}
	rev := newRevision(source, old.class, old.length, old.read)
	if u.read != nil {
		rev.read = *u.read
	}
	return rev, nil
}

func parseTime(s string) (time.Time, error) { return time.Parse(time.RFC3339, s) }
