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
	for _, raw := range [][]byte{alternative(), signed(), bounce("failed"), invitation(), lines("Content-Type: application/ms-tnef", "", string(winmail())),
		lines("Content-Type: text/vcard", "", "BEGIN:VCARD", "FN:B", "TEL:1", "END:VCARD"), lines("X-Sticky-Note: color=1; x=-2", "", "milk"),
		lines("To: a@b", "", "begin 644 a", "#86)C", "`", "end")} {
		f.Add(raw)
	}
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
		laid := write(t, back)
		for i, file := range [][]byte{laid, write(t, strip(back))} {
			again := read(t, file)
			if got := again.BodyText(); got != m.BodyText() {
				t.Fatalf("body %q became %q", m.BodyText(), got)
			}
			if len(again.Attachments) != len(m.Attachments) || i == 0 && again.Class() != m.Class() {
				t.Fatalf("%d attachments of %s became %d of %s", len(m.Attachments), m.Class(), len(again.Attachments), again.Class())
			}
		}
	})
}
