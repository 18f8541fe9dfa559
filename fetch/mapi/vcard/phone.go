package vcard

import (
	"strings"

	"mailbrick/fetch/mapi"
)

// phone is a kind of number: the words among the types of its line, and its
// place [MS-OXVCARD] 2.1.3.3. A kind with two places stands there twice.
type phone struct {
	name, words string
	at          place
}

// phones go from what says most to what says least: the first that fits is the kind.
func phones() []phone {
	return []phone{
		{"TEL", "home fax", 0x3A25}, {"TEL", "work fax", 0x3A24}, {"TEL", "fax", 0x3A23},
		{"TEL", "pager", 0x3A21}, {"TEL", "cell", 0x3A1C}, {"TEL", "car", 0x3A1E}, {"TEL", "isdn", 0x3A2D},
		{"X-MS-TEL", "tlx", telex}, {"X-MS-TEL", "assistant", 0x3A2E}, {"X-MS-TEL", "callback", 0x3A02},
		{"X-MS-TEL", "company", 0x3A57}, {"X-MS-TEL", "radio", 0x3A1D}, {"X-MS-TEL", "ttytdd", 0x3A4B},
		{"TEL", "home", 0x3A09}, {"TEL", "home", 0x3A2F}, {"TEL", "work", 0x3A08}, {"TEL", "work", 0x3A1B},
		{"TEL", "pref", primaryPhone}, {"TEL", "voice", otherPhone},
	}
}

// fits says whether the line has all the words of the kind.
func (k phone) fits(l *line) bool {
	for word := range strings.FieldsSeq(k.words) {
		if !l.is(word) {
			return false
		}
	}
	return true
}

// sameKind gives a type that has two names the one of the table.
func sameKind(kind string) string {
	switch kind {
	case "mobile", "iphone":
		return "cell"
	case "main":
		return "company"
	case "assistantphone":
		return "assistant"
	case "textphone":
		return "ttytdd"
	case "homefax", "workfax", "otherfax":
		return "fax"
	}
	return kind
}

// finishPhones gives each number a place of its kind, then those without one the general ones.
func (c *contact) finishPhones() {
	var left []*line
	for i := range c.phones {
		l := &c.phones[i]
		for j, kind := range l.types {
			l.types[j] = sameKind(kind)
		}
		if !c.putPhone(l, phoneWords(l)) {
			left = append(left, l)
		}
	}
	for _, l := range left {
		if !c.putPhone(l, "voice") && !c.putPhone(l, "pref") {
			c.lose(l.name)
		}
	}
}

func phoneWords(l *line) string {
	for _, k := range phones() {
		if k.fits(l) {
			return k.words
		}
	}
	return "voice"
}

func (c *contact) putPhone(l *line, words string) bool {
	number := withoutScheme(l.plain(), "tel:") // [RFC 6350] 6.4.1
	for _, k := range phones() {
		if k.words == words && c.put(k.at, number) {
			return true
		}
	}
	return false
}

// withoutScheme is what a URI names.
func withoutScheme(uri, scheme string) string {
	for {
		rest, cut := strings.CutPrefix(strings.TrimSpace(uri), scheme)
		if !cut {
			return rest
		}
		uri = rest
	}
}

func (w *writer) phones(b mapi.Bag) {
	for _, k := range phones() {
		w.text(k.name+";TYPE="+strings.ToUpper(strings.ReplaceAll(k.words, " ", ",")), k.at.text(b))
	}
}
