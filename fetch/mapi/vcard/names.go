package vcard

import (
	"strings"

	"mailbrick/fetch/mapi"
)

// nameParts are the components of N in their order [RFC 6350] 6.2.2.
func nameParts() [5]place { return [5]place{surname, givenName, middleName, namePrefix, generation} }

// takeName: many names in one component are kept as one text.
func (c *contact) takeName(l *line) bool {
	raw := cut(l.text(), ';')
	stored := true
	for i, at := range nameParts() {
		if i < len(raw) {
			name := unescape(strings.Join(cut(raw[i], ','), " "))
			stored = c.put(at, strings.Join(strings.Fields(name), " ")) && stored
		}
	}
	return stored
}

// finishNames makes the names that a client shows of those that the card has.
func (c *contact) finishNames() {
	shown := shownName(c.bag)
	c.put(displayName, shown)
	filed, format := filing(c.bag)
	if !c.put(fileUnder, filed) {
		format = -1 // a text of its own
	}
	c.add(fileUnderID, mapi.NewInt32(0, format))
	for _, p := range []mapi.Property{
		mapi.NewText(mapi.PidTagMessageClass, "IPM.Contact"),
		mapi.NewInt32(mapi.PidTagIconIndex, 0x200), // [MS-OXOCNTC] 2.2.1.11
		mapi.NewText(mapi.PidTagSubject, shown),
		mapi.NewText(mapi.PidTagSubjectPrefix, ""),
		mapi.NewText(mapi.PidTagNormalizedSubject, shown),
		mapi.NewText(mapi.PidTagConversationTopic, shown),
	} {
		c.bag.Set(p)
	}
}

// shownName is what to call a contact: by name, company or address.
func shownName(b mapi.Bag) string {
	if name := displayName.text(b); name != "" {
		return name
	}
	name := joined(b, namePrefix, givenName, middleName, surname, generation)
	for _, at := range []place{companyName, fileUnder, emailSlots()[0].name, emailSlots()[0].address, place(mapi.PidTagSubject)} {
		if name == "" {
			name = at.text(b)
		}
	}
	return name
}

// filing is the name that a contact is filed under when nobody chose another, and how it is made [MS-OXOCNTC] 2.2.1.1.12.
func filing(b mapi.Bag) (name string, format int32) {
	last, first := surname.text(b), joined(b, givenName, middleName)
	switch {
	case last == "" && first == "":
		return shownName(b), int32(displayName)
	case last == "" || first == "":
		return last + first, 0x8017
	}
	return last + ", " + first, 0x8017
}

func joined(b mapi.Bag, parts ...place) string {
	var words []string
	for _, at := range parts {
		if s := at.text(b); s != "" {
			words = append(words, s)
		}
	}
	return strings.Join(words, " ")
}
