package vcard

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"mailbrick/fetch/mapi"
)

// Write writes the contact m as a card of version 3.0. Whatever its class, m is read as a contact.
func Write(out io.Writer, m *mapi.Message) error {
	w := &writer{out: bufio.NewWriter(out)}
	b := m.Properties
	w.raw("BEGIN", "VCARD")
	w.raw("VERSION", "3.0")
	w.names(b)
	w.emails(b)
	w.phones(b)
	w.addresses(b)
	w.pages(b)
	w.texts(b)
	w.days(b)
	w.lists(b)
	w.flags(b)
	w.text("NOTE", m.BodyText())
	w.photo(photo(m))
	w.raw("END", "VCARD")
	if w.err == nil {
		w.err = w.out.Flush()
	}
	if w.err != nil {
		return fmt.Errorf("write vcard: %w", w.err)
	}
	return nil
}

// writer keeps the first error.
type writer struct {
	out *bufio.Writer
	err error
	at  int // bytes on this physical line
}

// text writes a property of one text, if there is any.
func (w *writer) text(head, value string) {
	if value != "" {
		w.raw(head, escape(value))
	}
}

// raw writes a property whose value has its escapes.
func (w *writer) raw(head, value string) {
	w.fold(head + ":" + value)
	w.end()
}

// fold writes at most 75 bytes on a line, and characters whole [RFC 2426] 2.6.
func (w *writer) fold(s string) {
	const most = 75
	for len(s) > 0 && w.err == nil {
		n := min(len(s), most-w.at)
		for n > 0 && n < len(s) && !utf8.RuneStart(s[n]) { // s is valid, so this ends within a character
			n--
		}
		if n == 0 {
			_, w.err = w.out.WriteString("\r\n ")
			w.at = 1
			continue
		}
		_, w.err = w.out.WriteString(s[:n])
		w.at += n
		s = s[n:]
	}
}

func (w *writer) end() {
	if w.err == nil {
		_, w.err = w.out.WriteString("\r\n")
	}
	w.at = 0
}

// escape makes a value of a text [RFC 2426] 5; what no text has is left out.
func escape(s string) string {
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(strings.ToValidUTF8(s, "\uFFFD"))
	var b strings.Builder
	for _, c := range s {
		switch {
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\\', c == ',', c == ';':
			b.WriteByte('\\')
			b.WriteRune(c)
		case isText(c):
			b.WriteRune(c)
		}
	}
	return b.String()
}

func (w *writer) names(b mapi.Bag) {
	var parts []string
	for _, at := range nameParts() {
		parts = append(parts, escape(at.text(b)))
	}
	w.raw("N", strings.Join(parts, ";"))
	w.raw("FN", escape(shownName(b))) // [RFC 2426] 3.1.1: must be there
	if units := escape(companyName.text(b)); units != "" || departmentName.text(b) != "" {
		if unit := departmentName.text(b); unit != "" {
			units += ";" + escape(unit)
		}
		w.raw("ORG", units)
	}
}

func (w *writer) pages(b mapi.Bag) {
	business := businessPage.text(b)
	if business == "" {
		business = webPage.text(b)
	}
	w.text("URL;TYPE=WORK", business)
	w.text("URL;TYPE=HOME", personalPage.text(b))
}

// texts writes each place of the table under its first name.
func (w *writer) texts(b mapi.Bag) {
	done := map[place]bool{officeLocation: true, departmentName: true} // in ADR, ORG
	for _, t := range texts {
		if done[t.at] {
			continue
		}
		done[t.at] = true
		if filed, _ := filing(b); t.at == fileUnder && t.at.text(b) == filed {
			continue
		}
		w.text(t.name, t.at.text(b))
	}
	for i := range place(4) {
		w.text(fmt.Sprintf("X-MS-TEXT;CUSTOM=%d", i+1), (userField1 + i).text(b))
	}
}

func (w *writer) days(b mapi.Bag) {
	if day, ok := dayAt(b, birthday, birthdayLocal); ok {
		params, value := formatDay(day)
		w.raw("BDAY"+params, value)
	}
	if day, ok := dayAt(b, anniversary, anniversaryDay); ok {
		params, value := formatDay(day)
		w.raw("X-MS-ANNIVERSARY"+params, value)
	}
	if at, ok := b.Time(mapi.PidTagLastModificationTime); ok {
		w.raw("REV", at.Format("2006-01-02T15:04:05Z"))
	}
}

func (w *writer) lists(b mapi.Bag) {
	var escaped []string
	for _, s := range b.TextsNamed(mapi.NameCategories()) {
		escaped = append(escaped, escape(s))
	}
	if len(escaped) > 0 {
		w.raw("CATEGORIES", strings.Join(escaped, ","))
	}
	for _, child := range b.Texts(uint16(childrensNames)) {
		w.text("X-MS-CHILD", child)
	}
}

func (w *writer) flags(b mapi.Bag) {
	if s, ok := b.Int32(mapi.PidTagSensitivity); ok && s >= 0 && int(s) < len(classes()) && classes()[s] != "" {
		w.raw("CLASS", classes()[s])
	}
	if p := gender.find(b); p != nil && len(p.Data) == 2 && (p.Data[0] == 1 || p.Data[0] == 2) {
		w.raw("X-WAB-GENDER", string('0'+rune(p.Data[0])))
	}
}

// photo streams the picture; one that its reader left out is left out here.
func (w *writer) photo(data *mapi.Property) {
	if data == nil || data.Len() == 0 {
		return
	}
	var magic [8]byte
	n, _ := io.ReadFull(data.Open(), magic[:])
	kind := pictureKind(magic[:n])
	if kind == "" {
		return
	}
	w.fold("PHOTO;ENCODING=b;TYPE=" + strings.ToUpper(kind) + ":")
	encoder := base64.NewEncoder(base64.StdEncoding, folder{w})
	_, err := io.Copy(encoder, data.Open())
	w.err = errors.Join(w.err, err, encoder.Close())
	w.end()
}

// folder folds what is written to it.
type folder struct{ w *writer }

func (f folder) Write(p []byte) (int, error) {
	f.w.fold(string(p))
	return len(p), f.w.err
}
