package tnef_test

import (
	"bytes"
	"testing"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/tnef"
)

// FuzzRead: any bytes are read without a panic, in memory that follows their
// number, and what is read can be written as a blob.
func FuzzRead(f *testing.F) {
	f.Add([]byte(whole()))
	f.Add([]byte(stream(attr(0x00060000, u16(4)+"Ann\x00"+u16(11)+"SMTP:a@b.c\x00"), attr(0x00038005, date(2000, 1, 1, 0, 0, 0, 0)), attr(0x00068007, "\x21"))))
	f.Add([]byte(stream(codePage(932), rend(2), attr(0x00018010, "\x93\xFA"), object(iidStorage, "x"))))
	f.Add([]byte(stream(attr(0x00069003, list(tag(0x8001, mapi.TypeUnicode)+named(mapi.GUID{1}, "name")+values(wide("v")))))))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, report, err := tnef.ReadReport(bytes.NewReader(data))
		if err != nil {
			return
		}
		if len(report.Warnings) > 32 {
			t.Fatalf("%d warnings", len(report.Warnings))
		}
		mapi.Summarize(m)
		if reserved(m) {
			return
		}
		same(t, "message", m, throughBlob(t, m))
	})
}

// reserved says whether m has properties that mean something else in a blob.
func reserved(m *mapi.Message) bool {
	bags := append([]mapi.Bag{m.Properties}, m.Recipients...)
	for i := range m.Attachments {
		a := &m.Attachments[i]
		bags = append(bags, a.Properties)
		if a.Embedded != nil && reserved(a.Embedded) {
			return true
		}
	}
	for _, b := range bags {
		for i := range b {
			if id := b[i].Tag.ID(); id >= 0x4000 && id < 0x4100 || id == mapi.PidTagMid || id == mapi.PidTagAttachNumber {
				return true
			}
		}
	}
	return false
}

func BenchmarkRead(b *testing.B) {
	properties, _ := everyType()
	small := stream(attr(0x00018004, "subject\x00"), attr(0x00069003, list(properties...)))
	large := stream(attr(0x00018004, "subject\x00"), attr(0x00069003, list(properties...)),
		rend(1), attr(0x0006800F, string(make([]byte, 8<<20))))
	for _, c := range []struct{ name, data string }{{"small", small}, {"8MiB", large}} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := tnef.Read(bytes.NewReader([]byte(c.data))); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
