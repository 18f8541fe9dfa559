package msg_test

import (
	"bytes"
	"io"
	"testing"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/msg"
)

// item is a message of many properties and about 20 KB.
func item() *mapi.Message {
	m := crowd(8)
	m.Properties.Set(mapi.NewText(mapi.PidTagBody, string(bytes.Repeat([]byte("The quick brown fox. "), 400))))
	for id := uint16(0x3A00); id < 0x3A20; id++ {
		m.Properties = append(m.Properties, mapi.NewText(id, "another property"))
	}
	m.Properties = append(m.Properties, mapi.NewNamedTexts(mapi.NameCategories(), []string{"red", "green"}))
	return m
}

type benchmark struct {
	name string
	m    *mapi.Message
}

func benchmarks() []benchmark {
	return []benchmark{{"20KB", item()}, {"20MB", withAttachment(20 << 20)}, {"recipients=2000", crowd(2000)}}
}

func BenchmarkRead(b *testing.B) {
	for _, c := range benchmarks() {
		b.Run(c.name, func(b *testing.B) {
			data := write(b, c.m)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				m, err := msg.Read(bytes.NewReader(data), int64(len(data)))
				if err != nil {
					b.Fatal(err)
				}
				for i := range m.Attachments { // of a large value only its place was read
					if p := m.Attachments[i].Data(); p != nil {
						io.Copy(io.Discard, p.Open())
					}
				}
			}
		})
	}
}

func BenchmarkWrite(b *testing.B) {
	for _, c := range benchmarks() {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(write(b, c.m))))
			b.ReportAllocs()
			for b.Loop() {
				if err := msg.Write(io.Discard, c.m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
