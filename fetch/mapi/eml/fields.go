package eml

import (
	"cmp"
	"net/mail"
	"strings"
	"time"

	"mailbrick/fetch/mapi"
)

// fieldProperties are the properties that a header says [MS-OXCMAIL] 2.2.3.2.
func fieldProperties(h header) mapi.Bag {
	b := subjectProperties(h)
	b = append(b, senderProperties(h)...)
	b = append(b, priorityProperties(h)...)
	b = append(b, timeProperties(h)...)
	for _, f := range []struct {
		name string
		id   uint16
	}{
		{"message-id", mapi.PidTagInternetMessageID},
		{"in-reply-to", mapi.PidTagInReplyToID},
		{"references", mapi.PidTagInternetReferences},
	} {
		if v := h.get(f.name); v != "" {
			b = append(b, mapi.NewText(f.id, v))
		}
	}
	if index := decodeB(h.get("thread-index")); len(index) >= 22 { // [MS-OXOMSG] 2.2.1.3
		b = append(b, mapi.NewBinary(mapi.PidTagConversationIndex, index))
	}
	b = append(b, replyProperties(h)...)
	if list := keywords(h); len(list) > 0 {
		b = append(b, mapi.NewNamedTexts(mapi.NameCategories(), list))
	}
	if mailer := h.get("x-mailer"); mailer != "" {
		name := mapi.Name{Set: mapi.SetInternetHeaders(), Text: "x-mailer"}
		b = append(b, mapi.NewNamedText(name, decodeWords(mailer)))
	}
	return b
}

func subject(h header) string { return decodeWords(h.get("subject")) }

func subjectProperties(h header) mapi.Bag {
	s := subject(h)
	prefix, normal := splitSubject(s)
	topic := decodeWords(h.get("thread-topic"))
	if topic == "" {
		topic = normal
	}
	return mapi.Bag{
		mapi.NewText(mapi.PidTagSubject, s),
		mapi.NewText(mapi.PidTagSubjectPrefix, prefix),
		mapi.NewText(mapi.PidTagNormalizedSubject, normal),
		mapi.NewText(mapi.PidTagConversationTopic, topic),
	}
}

// splitSubject cuts off a prefix: one to three characters other than digits, a
// colon and a blank [MS-OXCMSG] 3.2.4.1.2.
func splitSubject(s string) (prefix, normal string) {
	i := strings.Index(s, ": ")
	letters := []rune(s[:max(i, 0)])
	if len(letters) < 1 || len(letters) > 3 || strings.ContainsAny(s[:i], "0123456789 \t") {
		return "", s
	}
	return s[:i+2], s[i+2:]
}

func first(list []mapi.Address) mapi.Address {
	if len(list) == 0 {
		return mapi.Address{}
	}
	return list[0]
}

// people is whom From represents and who sends for them; one stands for the other.
func people(h header) (from, sender mapi.Address) {
	from, sender = first(parseAddresses(h.all("from"))), first(parseAddresses(h.get("sender")))
	return cmp.Or(from, sender), cmp.Or(sender, from)
}

func senderProperties(h header) mapi.Bag {
	from, sender := people(h)
	if from == (mapi.Address{}) {
		return nil
	}
	b := personProperties(from, person{mapi.PidTagSentRepresentingName, mapi.PidTagSentRepresentingAddressType,
		mapi.PidTagSentRepresentingEmailAddress, mapi.PidTagSentRepresentingSMTPAddress,
		mapi.PidTagSentRepresentingEntryID, mapi.PidTagSentRepresentingSearchKey})
	return append(b, personProperties(sender, person{mapi.PidTagSenderName, mapi.PidTagSenderAddressType,
		mapi.PidTagSenderEmailAddress, mapi.PidTagSenderSMTPAddress,
		mapi.PidTagSenderEntryID, mapi.PidTagSenderSearchKey})...)
}

// person is the ids of a family of properties that say who.
type person struct{ name, kind, email, smtp, entry, key uint16 }

func personProperties(a mapi.Address, p person) mapi.Bag {
	return mapi.Bag{
		mapi.NewText(p.name, display(a)),
		mapi.NewText(p.kind, "SMTP"),
		mapi.NewText(p.email, a.Email),
		mapi.NewText(p.smtp, a.Email),
		mapi.NewBinary(p.entry, oneOff(a)),
		mapi.NewBinary(p.key, searchKey(a)),
	}
}

func display(a mapi.Address) string {
	if a.Name == "" {
		return a.Email
	}
	return a.Name
}

// oneOff is the entry id of somebody who is in no address book [MS-OXCDATA] 2.2.5.1.
func oneOff(a mapi.Address) []byte {
	b := []byte("\x00\x00\x00\x00\x81\x2B\x1F\xA4\xBE\xA3\x10\x19\x9D\x6E\x00\xDD\x01\x0F\x54\x02\x00\x00\x00\x90")
	for _, s := range []string{display(a), "SMTP", a.Email} {
		b = append(b, mapi.NewText(0, s).Data...)
	}
	return b
}

func searchKey(a mapi.Address) []byte {
	return append([]byte("SMTP:"+strings.ToUpper(a.Email)), 0)
}

// recipients are the rows of the recipient table [MS-OXCMSG] 2.2.3.
func recipients(h header) []mapi.Bag {
	var rows []mapi.Bag
	for _, f := range recipientFields() {
		for _, a := range parseAddresses(h.all(f.name)) {
			rows = append(rows, recipient(a, f.kind, int32(len(rows))))
		}
	}
	return rows
}

type recipientField struct {
	name string
	kind int32
}

func recipientFields() []recipientField {
	return []recipientField{{"to", mapi.RecipientTo}, {"cc", mapi.RecipientCc}, {"bcc", mapi.RecipientBcc}}
}

func recipient(a mapi.Address, kind, row int32) mapi.Bag {
	return mapi.Bag{
		mapi.NewInt32(mapi.PidTagRowid, row),
		mapi.NewInt32(mapi.PidTagRecipientType, kind),
		mapi.NewText(mapi.PidTagDisplayName, display(a)),
		mapi.NewText(mapi.PidTagAddressType, "SMTP"),
		mapi.NewText(mapi.PidTagEmailAddress, a.Email),
		mapi.NewText(mapi.PidTagSMTPAddress, a.Email),
		mapi.NewBinary(mapi.PidTagEntryID, oneOff(a)),
		mapi.NewBinary(mapi.PidTagSearchKey, searchKey(a)),
		mapi.NewInt32(mapi.PidTagObjectType, 6),
		mapi.NewInt32(mapi.PidTagDisplayType, 0),
	}
}

// replyProperties: the names, and the entry ids as a FLATENTRYLIST [MS-OXCDATA] 2.3.3.
func replyProperties(h header) mapi.Bag {
	list := parseAddresses(h.get("reply-to"))
	if len(list) == 0 {
		return nil
	}
	var names []string
	var entries []byte
	for i, a := range list {
		names = append(names, display(a))
		entry := oneOff(a)
		entries = appendU32(entries, uint32(len(entry)))
		entries = append(entries, entry...)
		if pad := -len(entry) & 3; i < len(list)-1 {
			entries = append(entries, make([]byte, pad)...)
		}
	}
	all := appendU32(appendU32(nil, uint32(len(list))), uint32(len(entries)))
	return mapi.Bag{
		mapi.NewBinary(mapi.PidTagReplyRecipientEntries, append(all, entries...)),
		mapi.NewText(mapi.PidTagReplyRecipientNames, strings.Join(names, ";")),
	}
}

func appendU32(b []byte, v uint32) []byte {
	return append(b, byte(v), byte(v>>8), byte(v>>16), byte(v>>24))
}

// importance is 0 low, 1 normal, 2 high [MS-OXCMAIL] 2.2.3.2.6.
func importance(h header) int32 {
	switch strings.ToLower(h.get("importance")) {
	case "high":
		return 2
	case "low":
		return 0
	case "normal":
		return 1
	}
	switch v := h.get("x-priority"); {
	case strings.HasPrefix(v, "1"), strings.HasPrefix(v, "2"):
		return 2
	case strings.HasPrefix(v, "4"), strings.HasPrefix(v, "5"):
		return 0
	}
	return 1
}

func priorityProperties(h header) mapi.Bag {
	i := importance(h)
	sensitivity := int32(0)
	switch strings.ToLower(h.get("sensitivity")) {
	case "personal":
		sensitivity = 1
	case "private":
		sensitivity = 2
	case "company-confidential":
		sensitivity = 3
	}
	return mapi.Bag{
		mapi.NewInt32(mapi.PidTagImportance, i),
		mapi.NewInt32(mapi.PidTagPriority, i-1),
		mapi.NewInt32(mapi.PidTagSensitivity, sensitivity),
		mapi.NewBool(mapi.PidTagOriginatorDeliveryReport, h.has("return-receipt-to")),
		mapi.NewBool(mapi.PidTagReadReceiptRequested, h.has("disposition-notification-to")),
	}
}

func timeProperties(h header) mapi.Bag {
	var b mapi.Bag
	sent, ok := parseDate(h.get("date"))
	if ok {
		b = append(b, mapi.NewTime(mapi.PidTagClientSubmitTime, sent))
	}
	if received, found := receivedTime(h); found {
		b = append(b, mapi.NewTime(mapi.PidTagMessageDeliveryTime, received))
	} else if ok {
		b = append(b, mapi.NewTime(mapi.PidTagMessageDeliveryTime, sent))
	}
	return b
}

// receivedTime is when the last hop took the message: it wrote the topmost field.
func receivedTime(h header) (time.Time, bool) {
	for _, f := range h {
		if f.name != "received" {
			continue
		}
		v := f.value()
		if t, ok := parseDate(v[strings.LastIndexByte(v, ';')+1:]); ok {
			return t, true
		}
	}
	return time.Time{}, false
}

// parseDate reads the dates of RFC 5322 and what else programs write for them.
func parseDate(s string) (time.Time, bool) {
	if i := strings.IndexByte(s, '('); i >= 0 {
		s = s[:i]
	}
	s = strings.Join(strings.Fields(s), " ")
	if s == "" || len(s) > 100 {
		return time.Time{}, false
	}
	t, err := mail.ParseDate(s)
	for _, layout := range []string{
		"Mon, 2 Jan 2006 15:04:05", "2 Jan 2006 15:04:05", "Mon, 2 Jan 06 15:04:05 MST", "Mon, 2 Jan 2006 15:04:05 -0700 MST",
		"Mon, 2 Jan 2006 15:04 -0700", "Mon Jan 2 15:04:05 2006", "Mon Jan 2 15:04:05 MST 2006", "Mon Jan 2 15:04:05 -0700 2006",
		"Mon, 2 January 2006 15:04:05 -0700", "Monday, 2 January 2006 15:04:05 -0700", "Monday, January 2, 2006 3:04 PM",
		time.RFC3339, "2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05", "02-Jan-2006 15:04:05", "Mon, 2-Jan-2006 15:04:05 -0700",
		"Mon, 2 Jan 2006 15:04:05 -07:00", "Mon, 2 Jan 2006 15.04.05 -0700", "Mon, 2 Jan 2006",
	} {
		if err == nil {
			break
		}
		t, err = time.Parse(layout, s)
	}
	if err != nil || t.Year() <= 1601 || t.Year() > 9998 {
		return time.Time{}, false
	}
	return t.UTC(), true
}

func keywords(h header) []string {
	var list []string
	for _, k := range strings.Split(decodeWords(h.all("keywords")), ",") {
		if k = strings.TrimSpace(k); k != "" && len(list) < 64 {
			list = append(list, k)
		}
	}
	return list
}
