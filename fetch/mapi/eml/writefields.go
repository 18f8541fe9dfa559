package eml

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"mime"
	"strconv"
	"strings"
	"time"

	"mailbrick/fetch/mapi"
)

func itoa(n int) string { return strconv.Itoa(n) }

// percent gives every byte as it stands in an extended parameter.
func percent(s string) []string {
	list := make([]string, len(s))
	for i := range len(s) {
		if c := s[i]; c < 0x7F && token(string(c)) && c != '*' && c != '\'' && c != '%' {
			list[i] = string(c)
		} else {
			list[i] = fmt.Sprintf("%%%02X", c)
		}
	}
	return list
}

// storedHeader is what the transport headers hold.
func storedHeader(m *mapi.Message) header {
	h, _, _ := splitHeader([]byte(m.Properties.Text(mapi.PidTagTransportMessageHeaders)))
	return h
}

// fields is the header of a message; entity describes its MIME structure.
func fields(m *mapi.Message, stored, entity header) header {
	entity = append(header{newField("MIME-Version", "1.0")}, entity...)
	if len(stored) == 0 {
		return append(built(m), entity...)
	}
	return merge(stored, changes(m, stored), entity)
}

// merge keeps the stored fields in order; a changed one takes the place of the
// first of its name, the new MIME structure that of the old, which stays where
// there is no new one.
func merge(stored header, changed []field, entity header) header {
	var h header
	done := map[string]bool{}
	for _, f := range stored {
		switch replaced := find(changed, f.name); {
		case f.name == "":
		case structural(f.name) && entity != nil:
			if !done["mime"] {
				h = append(h, entity...)
			}
			done["mime"] = true
		case replaced == nil:
			h = append(h, f.tight())
		default:
			if !done[f.name] && replaced.lines != "" {
				h = append(h, *replaced)
			}
			done[f.name] = true
		}
	}
	for _, f := range changed {
		if !done[f.name] && f.lines != "" {
			h = append(h, f)
		}
	}
	if !done["mime"] {
		h = append(h, entity...)
	}
	return h
}

func find(list []field, name string) *field {
	for i := range list {
		if list[i].name == name {
			return &list[i]
		}
	}
	return nil
}

// structural fields say how the stored message lay, which is not how it will lie.
func structural(name string) bool {
	switch name {
	case "mime-version", "content-type", "content-transfer-encoding", "content-disposition",
		"content-length", "content-md5", "lines":
		return true
	}
	return false
}

// changes are the fields that have to be written anew because the message was
// changed after its header was stored. A property that is absent changes nothing.
func changes(m *mapi.Message, stored header) []field {
	var list []field
	b := m.Properties
	if s := m.Subject(); b.Find(mapi.PidTagSubject) != nil && crlfless(s) != crlfless(subject(stored)) {
		list = append(list, newField("Subject", unstructured(s)))
	}
	for _, f := range plainFields() {
		v := oneLine(b.Text(f.id))
		if v != "" && squeeze(v) != squeeze(oneLine(stored.get(strings.ToLower(f.name)))) {
			list = append(list, newField(f.name, v))
		}
	}
	told, _ := people(stored)
	if from := m.From(); smtp(from) && !strings.EqualFold(from.Email, told.Email) {
		list = append(list, addressField("From", []mapi.Address{from}))
	}
	if sent := m.Sent(); !sent.IsZero() {
		if t, _ := parseDate(stored.get("date")); !t.Equal(sent.Truncate(time.Second)) {
			list = append(list, dateField(sent))
		}
	}
	if i, ok := b.Int32(mapi.PidTagImportance); ok && i != importance(stored) {
		list = append(list, importanceField(i), field{name: "x-priority"})
	}
	if c := m.Categories(); strings.Join(c, ",") != strings.Join(keywords(stored), ",") && len(c) > 0 {
		list = append(list, newField("Keywords", unstructured(strings.Join(c, ", "))))
	}
	if v := note(m); v != "" && v != stored.get(noteField) {
		list = append(list, newField("X-Sticky-Note", v))
	}
	return append(list, recipientChanges(m, stored)...)
}

type plainField struct {
	name string
	id   uint16
}

func plainFields() []plainField {
	return []plainField{{"Message-ID", mapi.PidTagInternetMessageID}, {"In-Reply-To", mapi.PidTagInReplyToID},
		{"References", mapi.PidTagInternetReferences}}
}

func crlfless(s string) string {
	return strings.TrimSpace(strings.NewReplacer("\r", "", "\n", "").Replace(s))
}

func squeeze(s string) string { return strings.Join(strings.Fields(s), " ") }

func smtp(a mapi.Address) bool { return strings.Contains(a.Email, "@") }

// recipientChanges compares the recipient table with the stored fields by
// address alone: names are often resolved against an address book. A message
// without any row says nothing, and the rows of a report are those it tells of.
func recipientChanges(m *mapi.Message, stored header) []field {
	if len(m.Recipients) == 0 || isReport(m) {
		return nil
	}
	var list []field
	for _, f := range recipientFields() {
		rows := rowsOf(m, f.kind)
		if sameAddresses(rows, parseAddresses(stored.all(f.name))) {
			continue
		}
		if len(rows) == 0 {
			list = append(list, field{name: f.name})
			continue
		}
		list = append(list, addressField(strings.ToUpper(f.name[:1])+f.name[1:], rows))
	}
	return list
}

func rowsOf(m *mapi.Message, kind int32) []mapi.Address {
	switch kind {
	case mapi.RecipientTo:
		return m.To()
	case mapi.RecipientCc:
		return m.Cc()
	}
	return m.Bcc()
}

// sameAddresses says whether both lists have the same addresses. A row that has
// no SMTP address (a legacy DN) stands for any one that the header has.
func sameAddresses(rows, header []mapi.Address) bool {
	count, any := map[string]int{}, 0
	for _, a := range header {
		count[addressKey(a)]++
	}
	left := len(header)
	for _, a := range rows {
		switch key := addressKey(a); {
		case count[key] > 0:
			count[key]--
			left--
		case smtp(a) || a.Email == "":
			return false
		default:
			any++
		}
	}
	return left == any
}

func addressKey(a mapi.Address) string {
	if a.Email != "" {
		return strings.ToLower(a.Email)
	}
	return "name " + strings.ToLower(a.Name)
}

// built is the header of a message that has none stored: a draft, a sent item.
func built(m *mapi.Message) header {
	var h header
	if from := m.From(); from != (mapi.Address{}) {
		h = append(h, addressField("From", []mapi.Address{from}))
		if s := m.Sender(); smtp(s) && !strings.EqualFold(s.Email, from.Email) {
			h = append(h, addressField("Sender", []mapi.Address{s}))
		}
	}
	for _, f := range recipientFields() {
		if rows := rowsOf(m, f.kind); len(rows) > 0 {
			h = append(h, addressField(strings.ToUpper(f.name[:1])+f.name[1:], rows))
		}
	}
	h = append(h, newField("Subject", unstructured(m.Subject())))
	if t := date(m); !t.IsZero() {
		h = append(h, dateField(t))
	}
	for _, f := range plainFields() {
		if v := oneLine(m.Properties.Text(f.id)); v != "" {
			h = append(h, newField(f.name, v))
		}
	}
	return append(h, builtMore(m)...)
}

func builtMore(m *mapi.Message) header {
	var h header
	b := m.Properties
	if list := replyTo(b); len(list) > 0 {
		h = append(h, addressField("Reply-To", list))
	}
	if i, ok := b.Int32(mapi.PidTagImportance); ok && i != 1 {
		h = append(h, importanceField(i))
	}
	if _, normal := splitSubject(m.Subject()); b.Text(mapi.PidTagConversationTopic) != normal {
		h = append(h, newField("Thread-Topic", unstructured(b.Text(mapi.PidTagConversationTopic))))
	}
	if index := b.Binary(mapi.PidTagConversationIndex); len(index) > 0 && len(index) < 4096 {
		h = append(h, newField("Thread-Index", base64.StdEncoding.EncodeToString(index)))
	}
	if c := m.Categories(); len(c) > 0 {
		h = append(h, newField("Keywords", unstructured(strings.Join(c, ", "))))
	}
	if v := note(m); v != "" {
		h = append(h, newField("X-Sticky-Note", v))
	}
	if flags, _ := b.Int32(mapi.PidTagMessageFlags); flags&mapi.FlagUnsent != 0 {
		h = append(h, newField("X-Unsent", "1")) // Outlook opens it as a draft
	}
	return h
}

// date is the time to show for a message; a draft was never sent.
func date(m *mapi.Message) time.Time {
	for _, id := range []uint16{mapi.PidTagClientSubmitTime, mapi.PidTagMessageDeliveryTime,
		mapi.PidTagLastModificationTime, mapi.PidTagCreationTime} {
		if t, ok := m.Properties.Time(id); ok {
			return t
		}
	}
	return time.Time{}
}

func dateField(t time.Time) field {
	return newField("Date", t.UTC().Format("Mon, 02 Jan 2006 15:04:05 -0700"))
}

func importanceField(i int32) field {
	switch i {
	case 0:
		return newField("Importance", "low")
	case 2:
		return newField("Importance", "high")
	}
	return newField("Importance", "normal")
}

// addressField writes a list of addresses, one to a line where they are many.
func addressField(name string, list []mapi.Address) field {
	var texts []string
	for _, a := range list {
		texts = append(texts, formatAddress(a))
	}
	return newField(name, strings.Join(texts, ", "))
}

func formatAddress(a mapi.Address) string {
	email := strings.NewReplacer("<", "", ">", "", " ", "").Replace(oneLine(a.Email))
	name := squeeze(oneLine(a.Name))
	switch {
	case name == "" || name == email:
		if !strings.ContainsAny(email, `,;:"()`) && email != "" {
			return email
		}
		return "<" + email + ">"
	case !printable(name):
		name = mime.BEncoding.Encode("utf-8", name) // Q leaves commas, which a phrase must not have
	case strings.Contains(name, "=?"):
		name = encodedWords(name)
	case strings.ContainsAny(name, `()<>[]:;@\,."`) || strings.HasPrefix(name, "'"):
		name = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"`
	}
	return name + " <" + email + ">"
}

// replyTo reads the one-off entries of PidTagReplyRecipientEntries.
func replyTo(b mapi.Bag) []mapi.Address {
	data := b.Binary(mapi.PidTagReplyRecipientEntries)
	if len(data) < 8 {
		return nil
	}
	data = data[8:]
	var list []mapi.Address
	for len(data) >= 4 {
		n := int64(binary.LittleEndian.Uint32(data))
		data = data[4:]
		if n > int64(len(data)) {
			break
		}
		if a, ok := parseOneOff(data[:n]); ok {
			list = append(list, a)
		}
		data = data[min(int64(len(data)), (n+3)&^3):]
	}
	return list
}

// parseOneOff is the reverse of oneOff, for Unicode entries.
func parseOneOff(b []byte) (mapi.Address, bool) {
	const head = 24
	if len(b) < head || b[23]&0x80 == 0 || string(b[4:20]) != string(oneOff(mapi.Address{})[4:20]) {
		return mapi.Address{}, false
	}
	p := mapi.Property{Tag: mapi.Tag(mapi.TypeUnicode), Data: b[head:]}
	parts := strings.Split(p.Text(0), "\x00")
	if len(parts) < 3 || !strings.EqualFold(parts[1], "SMTP") {
		return mapi.Address{}, false
	}
	a := mapi.Address{Name: parts[0], Email: parts[2]}
	if a.Name == a.Email {
		a.Name = ""
	}
	return a, true
}
