package eml_test

import (
	"bytes"
	"testing"

	"mailbrick/fetch/mapi/eml"
)

// FuzzRead: whatever reads as mail goes through a blob and a file, and is then
// the same mail.
func FuzzRead(f *testing.F) {
	f.Add(stored())
	f.Add(lines("Subject: =?utf-8?Q?=C3=BC?=", "To: a, b: <c@d> (e), \"f", "", "x"))
	f.Add(lines("Content-Type: multipart/mixed; boundary=\"b\"", "", "--b", "Content-Type: text/html; charset=utf-16", "", "x\x00",
		"--b", "Content-Type: message/rfc822", "Content-Transfer-Encoding: base64", "", "U3ViamVjdDogeAoK", "--b--"))
	f.Add(lines("Content-Type: text/plain; charset*0*=utf-8''%C3; name*1=x", "Content-Transfer-Encoding: quoted-printable", "", "=C3=BC=", "= "))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := eml.Read(bytes.NewReader(raw))
		if err != nil {
			return
		}
		want := facts(m)
		back := throughBlob(t, m)
		if got := facts(back); got != want {
			t.Fatalf("changed in the blob:\n%s", diff(want, got))
		}
		again := read(t, write(t, back))
		if got := again.BodyText(); got != m.BodyText() {
			t.Fatalf("body %q became %q", m.BodyText(), got)
		}
		if len(again.Attachments) != len(m.Attachments) {
			t.Fatalf("%d attachments became %d", len(m.Attachments), len(again.Attachments))
		}
	})
}
