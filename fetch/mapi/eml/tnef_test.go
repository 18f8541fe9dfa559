package eml_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"testing"

	"mailbrick/fetch/mapi"
)

// winmail is a TNEF stream: a class, a property and an attachment.
func winmail() []byte {
	b := []byte{0x78, 0x9F, 0x3E, 0x22, 1, 0}
	attribute := func(level byte, id uint32, data string) {
		b = append(b, level)
		b = binary.LittleEndian.AppendUint32(b, id)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
		b = append(b, data...)
		sum := uint16(0)
		for _, c := range []byte(data) {
			sum += uint16(c)
		}
		b = binary.LittleEndian.AppendUint16(b, sum)
	}
	attribute(1, 0x00078008, "IPM.Document\x00")
	attribute(1, 0x00069003, "\x01\x00\x00\x00\x1E\x00\x49\x00\x01\x00\x00\x00\x05\x00\x00\x00once\x00\x00\x00\x00") // PidTagOriginalSubject
	attribute(2, 0x00069002, strings.Repeat("\x00", 14))
	attribute(2, 0x00018010, "plan.doc\x00")
	attribute(2, 0x0006800F, "the plan")
	return b
}

func TestWinmail(t *testing.T) {
	t.Parallel()
	raw := lines("From: a@example.com", "To: b@example.com", "Subject: s", "Content-Type: multipart/mixed; boundary=b", "", "--b", "", "words", "--b",
		"Content-Type: application/ms-tnef; name=winmail.dat", "Content-Transfer-Encoding: base64", "", base64.StdEncoding.EncodeToString(winmail()), "--b--")
	m := throughBlob(t, read(t, raw))
	if m.Class() != "IPM.Document" || m.Properties.Text(0x0049) != "once" || m.Subject() != "s" || m.BodyText() != "words" || len(m.To()) != 1 {
		t.Errorf("%s", facts(m))
	}
	if len(m.Attachments) != 1 || m.Attachments[0].Name() != "plan.doc" || string(m.Attachments[0].Data().Bytes()) != "the plan" {
		t.Fatalf("attachments: %s", facts(m))
	}
	if got := write(t, m); !bytes.Equal(got, raw) {
		t.Errorf("got\n%s", got)
	}
	m.Attachments[0].Properties.Set(mapi.NewBinary(mapi.PidTagAttachData, []byte("another")))
	got := write(t, m)
	if bytes.Contains(got, []byte("ms-tnef")) || string(read(t, got).Attachments[0].Data().Bytes()) != "another" {
		t.Errorf("the changed attachment does not win:\n%s", got)
	}
}

func TestBrokenWinmailIsAnAttachment(t *testing.T) {
	t.Parallel()
	m := read(t, lines("Subject: s", "Content-Type: application/ms-tnef; name=winmail.dat", "", "no TNEF"))
	if len(m.Attachments) != 1 || m.Attachments[0].Name() != "winmail.dat" {
		t.Error(facts(m))
	}
}
