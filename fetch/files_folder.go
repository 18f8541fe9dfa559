package fetch

import (
	"encoding/base64"
	"encoding/binary"
	"strings"
	"unicode/utf16"
)

// usual are the names that the folders every mailbox has go by, Exchange's first: of two the first is the one.
var usual = [...]struct{ name, kind, class string }{
	{"inbox", "inbox", noteFolder},
	{"sent items", "sentitems", noteFolder}, {"sent", "sentitems", noteFolder}, {"sent messages", "sentitems", noteFolder}, {"sent mail", "sentitems", noteFolder},
	{"deleted items", "deleteditems", noteFolder}, {"trash", "deleteditems", noteFolder}, {"deleted messages", "deleteditems", noteFolder},
	{"drafts", "drafts", noteFolder},
	{"junk email", "junkemail", noteFolder}, {"junk e-mail", "junkemail", noteFolder}, {"junk", "junkemail", noteFolder}, {"spam", "junkemail", noteFolder},
	{"outbox", "outbox", noteFolder},
	{"calendar", "calendar", "IPF.Appointment"},
	{"contacts", "contacts", "IPF.Contact"},
	{"tasks", "tasks", "IPF.Task"},
	{"notes", "notes", "IPF.StickyNote"},
	{"journal", "journal", "IPF.Journal"},
}

const noteFolder = "IPF.Note"

// distinguish finds the folders every mailbox has among those at its top.
func distinguish(places []place) {
	taken := map[string]bool{}
	for _, u := range usual {
		for i := range places {
			p := &places[i]
			if p.ParentID == topID && p.Kind == "" && !taken[u.kind] && strings.EqualFold(p.Name, u.name) {
				p.Kind, p.Class, taken[u.kind] = u.kind, u.class, true
			}
		}
	}
}

// maildirPath is the path that the name of a Maildir++ folder means: its parts follow dots, in modified UTF-7.
func maildirPath(name string) []string {
	parts := strings.Split(strings.Trim(name, "."), ".")
	for i, p := range parts {
		parts[i] = decodeUTF7(p)
	}
	return parts
}

var utf7 = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,").WithPadding(base64.NoPadding)

// decodeUTF7 decodes modified UTF-7 [RFC 3501] 5.1.3; a name that is none stays as it is.
func decodeUTF7(name string) string {
	var b strings.Builder
	rest := name
	for {
		plain, coded, found := strings.Cut(rest, "&")
		b.WriteString(plain)
		if !found {
			return b.String()
		}
		text, after, found := strings.Cut(coded, "-")
		if !found {
			return name
		}
		rest = after
		if text == "" {
			b.WriteByte('&')
			continue
		}
		data, err := utf7.DecodeString(text)
		if err != nil || len(data)%2 != 0 {
			return name
		}
		units := make([]uint16, len(data)/2)
		for i := range units {
			units[i] = binary.BigEndian.Uint16(data[2*i:])
		}
		b.WriteString(string(utf16.Decode(units)))
	}
}
