package mapi

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// TestAppendSummary compares with the plain way: a string for every value, a list for every field.
func TestAppendSummary(t *testing.T) {
	t.Parallel()
	made := maker{rand.New(rand.NewPCG(24, 7))}
	before := []byte("before")
	for range 1500 {
		m, size := made.message(2), made.rng.Int64N(1<<40)
		want := plainSummary(m)
		want.Size = size
		if got := AppendSummary(before, m, size); !bytes.Equal(got, append([]byte("before"), plainEncode(want)...)) {
			t.Fatalf("%+v:\ngot  %q\nwant %q", m, got, plainEncode(want))
		}
		if got := want.Encode(); !bytes.Equal(got, plainEncode(want)) {
			t.Fatalf("%+v:\nencoded %q\nwant    %q", want, got, plainEncode(want))
		}
	}
}

// TestAppendSummaryInPlace: the texts of a message take no memory but that of the summary.
func TestAppendSummaryInPlace(t *testing.T) {
	m := manyRecipients(30)
	room := make([]byte, 0, 8<<10)
	if n := testing.AllocsPerRun(10, func() { room = AppendSummary(room[:0], m, 1) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// maker makes messages with what a summary is made of, and with what may be wrong about it.
type maker struct{ rng *rand.Rand }

func (k maker) message(depth int) *Message {
	m := &Message{Properties: k.bag([]uint16{PidTagMessageClass, PidTagSubject, PidTagSubjectPrefix, PidTagNormalizedSubject, PidTagInternetMessageID,
		PidTagSentRepresentingName, PidTagSentRepresentingAddressType, PidTagSentRepresentingEmailAddress, PidTagSentRepresentingSMTPAddress,
		PidTagSenderName, PidTagSenderAddressType, PidTagSenderEmailAddress, PidTagSenderSMTPAddress})}
	for _, id := range []uint16{PidTagMessageFlags, PidTagMessageCodepage, PidTagInternetCodepage, PidTagMessageLocaleID} {
		if k.rng.IntN(3) == 0 {
			m.Properties = append(m.Properties, NewInt32(id, []int32{0, 1, 1251, 65001, 1200, 0x0419}[k.rng.IntN(6)]))
		}
	}
	for _, id := range []uint16{PidTagClientSubmitTime, PidTagMessageDeliveryTime} {
		if k.rng.IntN(2) == 0 {
			m.Properties = append(m.Properties, NewTime(id, time.Unix(k.rng.Int64N(1<<32)-1<<31, k.rng.Int64N(1e9)).UTC()))
		}
	}
	for range k.rng.IntN([]int{3, 3, 3, 200}[k.rng.IntN(4)]) {
		r := k.bag([]uint16{PidTagDisplayName, PidTagAddressType, PidTagEmailAddress, PidTagSMTPAddress})
		m.Recipients = append(m.Recipients, append(r, NewInt32(PidTagRecipientType, 0x10000000|k.rng.Int32N(5))))
	}
	for range k.rng.IntN(4) {
		a := Attachment{Properties: k.bag([]uint16{PidTagAttachLongFilename, PidTagAttachFilename, PidTagDisplayName, PidTagAttachContentID})}
		if k.rng.IntN(3) == 0 {
			a.Properties = append(a.Properties, NewInt32(PidTagAttachFlags, AttachRendered))
		}
		if depth > 0 && k.rng.IntN(4) == 0 {
			a.Embedded = k.message(depth - 1)
		}
		m.Attachments = append(m.Attachments, a)
	}
	return m
}

// bag has some of the texts with these ids.
func (k maker) bag(ids []uint16) (b Bag) {
	for _, id := range ids {
		if k.rng.IntN(3) == 0 {
			continue
		}
		p := Property{Tag: MakeTag(id, []Type{TypeText, TypeText, TypeUnicode, TypeString8, TypeBinary, CodePage | 1201, CodePage | 1251, TypeInt32}[k.rng.IntN(8)])}
		if p.Data = []byte(k.text()); p.Tag.Type().IsUTF16() && k.rng.IntN(8) > 0 {
			p.Data = encodeUTF16(string(p.Data), k.rng.IntN(2) == 0)
		}
		if p.Size = int64(len(p.Data)); k.rng.IntN(20) == 0 {
			p.Data, p.Size = nil, 1<<20 // left out
		}
		b = append(b, p)
	}
	return b
}

func (k maker) text() string {
	words := []string{"smtp", "SMTP", "a@b.example", "A@B.example", "Anna", "J\u00FCrgen \u00D6", "\u041F\u0440\u0438", "\U0001F4E7", " ", "\xFF\xC3", "\x00", "<x>", strings.Repeat("\u00FC long", 300)}
	var s strings.Builder
	for range k.rng.IntN(4) {
		s.WriteString(words[k.rng.IntN(len(words))])
	}
	return s.String()
}

// plainSummary is Summarize in as many strings as there are values.
func plainSummary(m *Message) Summary {
	s := Summary{Class: m.Properties.Text(PidTagMessageClass), Subject: plainSubject(m), Sent: m.Sent(), Received: m.Received(),
		HasAttachments: m.HasAttachments(), Attachments: m.AttachmentNames(), Read: m.Read(), MessageID: m.Properties.Text(PidTagInternetMessageID)}
	page := m.Properties.CodePage()
	s.From = plainAddress(m.Properties, page, PidTagSentRepresentingName, PidTagSentRepresentingAddressType, PidTagSentRepresentingEmailAddress, PidTagSentRepresentingSMTPAddress)
	if s.From == "" {
		s.From = plainAddress(m.Properties, page, PidTagSenderName, PidTagSenderAddressType, PidTagSenderEmailAddress, PidTagSenderSMTPAddress)
	}
	for _, r := range m.Recipients {
		who := plainAddress(r, page, PidTagDisplayName, PidTagAddressType, PidTagEmailAddress, PidTagSMTPAddress)
		switch RecipientKind(r) {
		case RecipientTo:
			s.To = append(s.To, who)
		case RecipientCc:
			s.Cc = append(s.Cc, who)
		case RecipientBcc:
			s.Bcc = append(s.Bcc, who)
		}
	}
	return s
}

func plainSubject(m *Message) string {
	if m.Properties.Find(PidTagSubject) != nil {
		return m.Properties.Text(PidTagSubject)
	}
	return m.Properties.Text(PidTagSubjectPrefix) + m.Properties.Text(PidTagNormalizedSubject)
}

func plainAddress(b Bag, page int, idName, idKind, idEmail, idSMTP uint16) string {
	text := func(id uint16) string {
		if p := b.Find(id); p != nil {
			return decodeText(p.Tag.Type(), p.Bytes(), page)
		}
		return ""
	}
	name, email := text(idName), text(idSMTP)
	if email == "" {
		email = text(idEmail)
		if !strings.Contains(email, "@") && strings.Contains(name, "@") && !strings.Contains(name, " ") && strings.EqualFold(text(idKind), "SMTP") {
			email = name
		}
	}
	switch {
	case email == "":
		return name
	case name == "", strings.EqualFold(name, email):
		return email
	}
	return name + " <" + email + ">"
}

// plainEncode is Encode, field by field as the package documentation has it.
func plainEncode(s Summary) []byte {
	b := []byte{1}
	field := func(tag byte, data string) {
		if n := len(data); n < 0x80 {
			b = append(b, tag, byte(n))
		} else {
			b = append(b, tag, 0x80|byte(n&0x7F), byte(n>>7))
		}
		b = append(b, data...)
	}
	text := func(tag byte, optional bool, list ...string) {
		for _, s := range list[:min(len(list), 64)] {
			s = strings.ToValidUTF8(s, "\uFFFD")
			for len(s) > 1024 {
				_, n := utf8.DecodeLastRuneInString(s)
				s = s[:len(s)-n]
			}
			if s != "" || !optional {
				field(tag, s)
			}
		}
	}
	text(1, true, s.Class)
	text(2, true, s.Subject)
	text(3, true, s.From)
	text(4, false, s.To...)
	text(5, false, s.Cc...)
	text(6, false, s.Bcc...)
	text(7, false, s.Attachments...)
	for i, at := range []time.Time{s.Sent, s.Received} {
		if !at.IsZero() {
			field(byte(8+i), plainVarint(uint64(at.UnixMicro()<<1^at.UnixMicro()>>63)))
		}
	}
	field(10, plainVarint(uint64(s.Size)))
	flags := 0
	if s.HasAttachments {
		flags |= 1
	}
	if s.Read {
		flags |= 2
	}
	field(11, string(rune(flags)))
	text(12, true, s.MessageID)
	return b
}

func plainVarint(v uint64) string {
	var b []byte
	for ; v >= 0x80; v >>= 7 {
		b = append(b, byte(v)|0x80)
	}
	return string(append(b, byte(v)))
}
