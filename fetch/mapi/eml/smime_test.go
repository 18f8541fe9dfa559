package eml_test

import (
	"bytes"
	"encoding/base64"
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
	octets := lines("Subject: s", "Content-Type: application/octet-stream; name=smime.p7m", "", "data")
	if m := read(t, octets); m.Class() != "IPM.Note.SMIME" {
		t.Errorf("known by its name: %s", m.Class())
	}
	roundTrip(t, octets)
	pgp := lines("From: a@example.com", "Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=e", "", "--e",
		"Content-Type: application/pgp-encrypted", "", "Version: 1", "", "--e", "Content-Type: application/octet-stream", "", "-----BEGIN PGP MESSAGE-----", "", "--e--")
	got, err := survive(pgp)
	if err != nil || !bytes.Equal(got, pgp) {
		t.Errorf("%v\n%s", err, got)
	}
}

// TestOpaqueSigned: the text of what is signed and not encrypted is found, with lengths of both kinds.
func TestOpaqueSigned(t *testing.T) {
	t.Parallel()
	inner := "Content-Type: text/plain; charset=utf-8\r\n\r\nGr\xC3\xBC\xC3\x9Fe"
	der := func(tag byte, content string) string { return string([]byte{tag, byte(len(content))}) + content }
	ber := func(tag byte, content string) string { return string([]byte{tag, 0x80}) + content + "\x00\x00" }
	signedData, data := "\x06\x09\x2A\x86\x48\x86\xF7\x0D\x01\x07\x02", "\x06\x09\x2A\x86\x48\x86\xF7\x0D\x01\x07\x01"
	for name, cms := range map[string]string{
		"definite":   der(0x30, signedData+der(0xA0, der(0x30, der(2, "\x01")+der(0x31, "")+der(0x30, data+der(0xA0, der(4, inner)))))),
		"indefinite": ber(0x30, signedData+ber(0xA0, ber(0x30, der(2, "\x01")+der(0x31, "")+ber(0x30, data+ber(0xA0, ber(0x24, der(4, inner[:50])+der(4, inner[50:]))))))),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw := lines("Subject: s", "Content-Type: application/pkcs7-mime; smime-type=signed-data", "Content-Transfer-Encoding: base64", "", base64.StdEncoding.EncodeToString([]byte(cms)), "")
			m := read(t, raw)
			if m.Class() != "IPM.Note.SMIME" || m.BodyText() != "Grüße" || len(m.Attachments) != 1 {
				t.Errorf("%s", facts(m))
			}
			roundTrip(t, raw)
			if got := write(t, m); !bytes.Contains(got, raw[bytes.Index(raw, []byte("\r\n\r\n")):]) {
				t.Errorf("got\n%s", got)
			}
			for n := range cms { // cut anywhere it is an attachment
				cut := lines("Subject: s", "Content-Type: application/pkcs7-mime", "", cms[:n])
				if len(read(t, cut).Attachments) != 1 {
					t.Fatalf("cut at %d", n)
				}
			}
		})
	}
}

func TestUuencoded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text, body string
		files            int
	}{
		{"a file", "before\r\nbegin 644 a.txt\r\n#86)C\r\n`\r\nend\r\nafter", "before\nafter", 1},
		{"blanks lost", "begin 600 a.txt\r\n#86)C\r\n\r\nend\r\n", "", 1},
		{"two", "begin 644 a.txt\r\n#86)C\r\n \r\nend\r\nbegin 644 a.txt\r\n#86)C\r\n`\r\nend", "", 2},
		{"no end", "begin 644 a.txt\r\n#86)C\r\n", "begin 644 a.txt\n#86)C\n", 0},
		{"words", "begin 644 things at once\r\nand so on until the\r\nend", "begin 644 things at once\nand so on until the\nend", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			raw := lines("Subject: s", "", c.text)
			m := read(t, raw)
			if m.BodyText() != c.body || len(m.Attachments) != c.files {
				t.Errorf("%s", facts(m))
			}
			for i := range m.Attachments {
				if a := &m.Attachments[i]; a.Name() != "a.txt" || string(a.Data().Bytes()) != "abc" {
					t.Errorf("%q %q", a.Name(), a.Data().Bytes())
				}
			}
			if got, err := survive(raw); err != nil || !bytes.Equal(got, raw) {
				t.Errorf("%v\n%s", err, got)
			}
		})
	}
}
