package fasttransfer_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/fasttransfer"
)

// noise is n bytes that do not repeat.
func noise(n int) []byte {
	data := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(data)
	return data
}

// item is a message with body of that many characters and an attachment of that many bytes.
func item(body, attachment int) *mapi.Message {
	m := &mapi.Message{Properties: mapi.Bag{
		mapi.NewText(mapi.PidTagMessageClass, "IPM.Note"),
		mapi.NewText(mapi.PidTagSubject, "Minutes of the meeting"),
		mapi.NewInt32(mapi.PidTagMessageFlags, 1),
		mapi.NewText(mapi.PidTagBody, string(bytes.Repeat([]byte("The quick brown fox. "), body/21))),
		mapi.NewText(mapi.PidTagInternetMessageID, "<1@example.com>"),
		mapi.NewNamedTexts(mapi.NameCategories(), []string{"red", "green"}),
	}}
	for range 8 {
		m.Recipients = append(m.Recipients, mapi.Bag{
			mapi.NewInt32(mapi.PidTagRecipientType, mapi.RecipientTo),
			mapi.NewText(mapi.PidTagDisplayName, "Somebody"),
			mapi.NewText(mapi.PidTagAddressType, "SMTP"),
			mapi.NewText(mapi.PidTagEmailAddress, "somebody@example.com"),
		})
	}
	for id := uint16(0x3A00); id < 0x3A20; id++ {
		m.Properties = append(m.Properties, mapi.NewText(id, "another property"))
	}
	if attachment > 0 {
		m.Attachments = []mapi.Attachment{{Properties: mapi.Bag{
			mapi.NewInt32(mapi.PidTagAttachMethod, mapi.AttachByValue),
			mapi.NewText(mapi.PidTagAttachLongFilename, "minutes.pdf"),
			mapi.NewBinary(mapi.PidTagAttachData, noise(attachment)),
		}}}
	}
	return m
}

func encode(t testing.TB, m *mapi.Message) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := fasttransfer.Encode(&b, m, fasttransfer.EncodeOptions{}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func BenchmarkScan(b *testing.B) {
	for _, c := range []struct {
		name  string
		blob  []byte
		build bool
	}{
		{"large", encode(b, item(2000, 6<<20)), false},
		{"large/message", encode(b, item(2000, 6<<20)), true},
		{"20KB", encode(b, item(8000, 0)), false},
		{"20KB/message", encode(b, item(8000, 0)), true},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.blob)))
			b.ReportAllocs()
			for b.Loop() {
				v := fasttransfer.Visitor{Segment: func(fasttransfer.Segment) error { return nil }}
				if c.build {
					v.Message = &mapi.Message{}
				}
				if r, err := fasttransfer.Scan(bytes.NewReader(c.blob), v); err != nil || r.State != fasttransfer.Complete {
					b.Fatal(r, err)
				}
			}
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	for _, c := range []struct {
		name string
		m    *mapi.Message
	}{{"large", item(2000, 6<<20)}, {"20KB", item(8000, 0)}} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(encode(b, c.m))))
			b.ReportAllocs()
			for b.Loop() {
				if err := fasttransfer.Encode(io.Discard, c.m, fasttransfer.EncodeOptions{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
