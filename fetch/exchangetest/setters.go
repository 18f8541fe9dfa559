package exchangetest

import (
	"slices"
	"strings"

	"github.com/beevik/etree"

	"mailbrick/fetch/mapi"
)

// Setters of properties that are more than one value. nil takes the value away.

// setSubjectText sets the family of properties that the subject is made of. [MS-OXCMSG] 2.2.1.46
func setSubjectText(m *mapi.Message, subject string) {
	prefix, rest := cutPrefix(subject)
	p := &m.Properties
	p.Set(mapi.NewText(mapi.PidTagSubject, subject))
	p.Set(mapi.NewText(mapi.PidTagSubjectPrefix, prefix))
	p.Set(mapi.NewText(mapi.PidTagNormalizedSubject, rest))
}

func setSubject(m *mapi.Message, e *etree.Element) {
	subject := ""
	if e != nil {
		subject = e.Text()
	}
	setSubjectText(m, subject)
}

// setMime makes an item of its MIME content anew; what that cannot say stays.
func setMime(m *mapi.Message, e *etree.Element) {
	element := strings.TrimPrefix(itemElement(m.Class()), "t:")
	read, _, f := readMime(element, e.Text())
	if f != nil {
		return // refused before
	}
	if element == "Message" {
		setBody(m, nil)
		m.Recipients, m.Attachments = read.Recipients, read.Attachments
	}
	for _, p := range read.Properties {
		m.Properties.Set(p)
	}
}

func setText(id uint16) setter {
	return func(m *mapi.Message, e *etree.Element) {
		if e != nil {
			m.Properties.Set(mapi.NewText(id, e.Text()))
		}
	}
}

func setImportance(m *mapi.Message, e *etree.Element) {
	level := int32(1)
	if e != nil {
		level = int32(max(slices.Index([]string{"Low", "Normal", "High"}, e.Text()), 0))
	}
	m.Properties.Set(mapi.NewInt32(mapi.PidTagImportance, level))
}

// cutPrefix finds one to three letters, a colon and a blank. [MS-OXCMSG] 3.2.4.2
func cutPrefix(subject string) (prefix, rest string) {
	head, tail, found := strings.Cut(subject, ": ")
	if !found || len(head) == 0 || len([]rune(head)) > 3 || strings.ContainsAny(head, "0123456789 ") {
		return "", subject
	}
	return head + ": ", tail
}

func setCategories(m *mapi.Message, e *etree.Element) {
	name := mapi.NameCategories()
	if list := texts(e); len(list) > 0 {
		m.Properties.Set(mapi.NewNamedTexts(name, list))
		return
	}
	m.Properties = slices.DeleteFunc(m.Properties, func(p mapi.Property) bool { return p.Name != nil && *p.Name == name })
}

func setBody(m *mapi.Message, e *etree.Element) {
	for _, id := range []uint16{mapi.PidTagBody, mapi.PidTagHTML, mapi.PidTagRtfCompressed, mapi.PidTagInternetCodepage, mapi.PidTagNativeBody} {
		m.Properties.Remove(id)
	}
	switch {
	case e == nil:
	case attr(e, "BodyType") == "Text":
		m.Properties.Set(mapi.NewText(mapi.PidTagBody, e.Text()))
	default:
		m.Properties.Set(mapi.NewBinary(mapi.PidTagHTML, []byte(e.Text())))
		m.Properties.Set(mapi.NewInt32(mapi.PidTagInternetCodepage, 65001))
	}
}
