package eml_test

import (
	"bytes"
	"strings"
	"testing"

	"mailbrick/fetch/mapi"
)

func signed() []byte {
	return lines("From: a@example.com", "Content-Type: multipart/signed; protocol=\"application/pgp-signature\";", "\tmicalg=pgp-sha1; boundary=\"s\"", "Subject: s",
		"MIME-Version: 1.0", "Content-Disposition: inline", "", "", "--s", "Content-Type: multipart/mixed; boundary=m", "", "--m", "Content-Type: text/plain; charset=utf-8",
		"Content-Transfer-Encoding: quoted-printable", "", "Gr=C3=BC=C3=9Fe  ", "--m", "Content-Type: a/b; name=f", "", "file", "--m--", "", "--s",
		"Content-Type: application/pgp-signature", "", "-----BEGIN PGP SIGNATURE-----", "--s--", "")
}

func TestSigned(t *testing.T) {
	t.Parallel()
	for name, raw := range map[string][]byte{"CRLF": signed(), "LF": bytes.ReplaceAll(signed(), []byte("\r\n"), []byte("\n"))} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := throughBlob(t, read(t, raw))
			if m.Class() != "IPM.Note.SMIME.MultipartSigned" || strings.TrimSpace(m.BodyText()) != "Grüße" || len(m.Attachments) != 1 {
				t.Fatalf("class %s, body %q, %d attachments", m.Class(), m.BodyText(), len(m.Attachments))
			}
			b := m.Attachments[0].Properties
			if name, kind := b.Text(mapi.PidTagAttachLongFilename), b.Text(mapi.PidTagAttachMimeTag); name != "smime.p7m" || kind != "multipart/signed" {
				t.Errorf("attachment %q %q", name, kind)
			}
			entity := b.Binary(mapi.PidTagAttachData)
			at := bytes.Index(raw, []byte("--s"))
			if !bytes.HasPrefix(entity, []byte("Content-Type: multipart/signed;")) || !bytes.HasSuffix(entity, raw[at:]) {
				t.Errorf("entity\n%s", entity)
			}
			if got := write(t, m); !bytes.Equal(got, raw) {
				t.Errorf("got\n%s\nwant\n%s", got, raw)
			}
		})
	}
}

// TestSignedElsewhere: as a server made it, without a word of ours.
func TestSignedElsewhere(t *testing.T) {
	t.Parallel()
	entity := signed()[bytes.Index(signed(), []byte("Content-Type")):]
	attachment := mapi.Attachment{Properties: mapi.Bag{mapi.NewText(mapi.PidTagAttachMimeTag, "multipart/signed"), mapi.NewBinary(mapi.PidTagAttachData, entity)}}
	m := &mapi.Message{Properties: mapi.Bag{mapi.NewText(mapi.PidTagMessageClass, "IPM.Note.SMIME.MultipartSigned"), mapi.NewText(mapi.PidTagSubject, "new")},
		Attachments: []mapi.Attachment{attachment}}
	got := write(t, m)
	if !bytes.HasSuffix(got, entity[bytes.Index(entity, []byte("--s")):]) || !bytes.Contains(got, []byte("Subject: new\r\n")) {
		t.Errorf("got\n%s", got)
	}
	if back := read(t, got); strings.TrimSpace(back.BodyText()) != "Grüße" {
		t.Errorf("body %q", back.BodyText())
	}
}

func TestSubjectOfSignedChanged(t *testing.T) {
	t.Parallel()
	m := read(t, signed())
	m.Properties.Set(mapi.NewText(mapi.PidTagSubject, "new"))
	want := bytes.Replace(signed(), []byte("Subject: s"), []byte("Subject: new"), 1)
	if got := write(t, m); !bytes.Equal(got, want) {
		t.Errorf("got\n%s", got)
	}
}

func TestEncrypted(t *testing.T) {
	t.Parallel()
	raw := lines("From: a@example.com", "Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m",
		"Content-Transfer-Encoding: base64", "Content-Disposition: attachment; filename=smime.p7m", "Subject: s", "", "MIIHRQYJKoZIhvcNAQcD", "oIIHNjCCBzICAQEx", "")
	m := throughBlob(t, read(t, raw))
	if a := m.Attachments; m.Class() != "IPM.Note.SMIME" || len(a) != 1 || a[0].Name() != "smime.p7m" || a[0].Data().Len() != 27 {
		t.Fatalf("%s", facts(m))
	}
	if got := write(t, m); !bytes.Equal(got, raw) {
		t.Errorf("got\n%s", got)
	}
	if got := write(t, strip(m)); !bytes.Contains(got, []byte("application/pkcs7-mime; smime-type=enveloped-data;\r\n name=smime.p7m\r\n")) {
		t.Errorf("laid out anew:\n%s", got)
	}
	pgp := lines("From: a@example.com", "Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=e", "", "--e",
		"Content-Type: application/pgp-encrypted", "", "Version: 1", "", "--e", "Content-Type: application/octet-stream", "", "-----BEGIN PGP MESSAGE-----", "", "--e--")
	got, err := survive(pgp)
	if err != nil || !bytes.Equal(got, pgp) {
		t.Errorf("%v\n%s", err, got)
	}
}
