package fetch

import (
	"bytes"
	"io"
	"path"
	"strings"

	"mailbrick/fetch/mapi/eml"
)

// form is what a file is.
type form uint8

const (
	formForeign  form = iota // no mail
	formUnknown              // its name does not say; its first bytes do
	formExported             // an export stream
	formMail                 // a message of RFC 5322
	formOutlook              // .msg
	formMbox
	formPST
	formCalendar
	formCards
)

// isBox says that a file holds many messages.
func (f form) isBox() bool { return f >= formMbox }

// forms are known by their names.
var forms = [...]struct {
	ext string
	form
}{
	{".fts", formExported}, {".eml", formMail}, {".msg", formOutlook}, {".mbox", formMbox}, {".mbx", formMbox}, {".pst", formPST}, {".ost", formPST},
	{".ics", formCalendar}, {".ical", formCalendar}, {".vcf", formCards}, {".vcard", formCards},
}

func formOf(name string) form {
	ext := strings.ToLower(path.Ext(name))
	if name[0] == '.' {
		return formForeign
	}
	for _, f := range forms {
		if f.ext == ext {
			return f.form
		}
	}
	if isExtension(ext) {
		return formForeign
	}
	return formUnknown
}

// isExtension tells an extension from a number, a digest and other ends of names that mail programs give.
func isExtension(ext string) bool {
	if len(ext) < 2 || len(ext) > 6 || ext[1] < 'a' || ext[1] > 'z' {
		return false
	}
	return strings.Trim(ext[1:], "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}

// headBytes is how much of a file is read to know its form.
const headBytes = 4 << 10

// sniff tells the form of a file by its first bytes. Mail must begin with a header field, not have one somewhere.
func sniff(r io.Reader) form {
	head, err := io.ReadAll(io.LimitReader(r, headBytes))
	switch {
	case err != nil:
		return formForeign
	case bytes.HasPrefix(head, []byte("From ")):
		return formMbox
	case bytes.HasPrefix(head, compoundFile):
		return formOutlook
	case bytes.HasPrefix(head, []byte("!BDN")): // [MS-PST] 2.2.2.6
		return formPST
	}
	name, _, ok := bytes.Cut(head, []byte(":"))
	if !ok || len(name) == 0 || bytes.ContainsAny(name, " \t\r\n\x00") {
		return formForeign
	}
	if _, err := eml.Read(bytes.NewReader(head)); err != nil {
		return formForeign
	}
	return formMail
}

var compoundFile = []byte{0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1} // [MS-CFB] 2.2
