package fasttransfer_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
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

// benchItems are blobs of one size each, and the published ones of a converter, all of them in one round.
func benchItems(b *testing.B) map[string][][]byte {
	b.Helper()
	items := map[string][][]byte{
		"text-20KB":  {encode(b, item(8000, 0))},
		"file-20KB":  {encode(b, item(2000, 20<<10))},
		"file-100KB": {encode(b, item(2000, 100<<10))},
		"file-1MB":   {encode(b, item(2000, 1<<20))},
	}
	files, _ := filepath.Glob(data + "synthetic/*.bin")
	for _, name := range files {
		blob, err := os.ReadFile(name)
		if err != nil {
			b.Fatal(err)
		}
		items["synthetic"] = append(items["synthetic"], blob)
	}
	return items
}

// perItem runs each item in rounds and reports per item what testing reports per round. Beside other processes the clock says
// nothing: what counts is the CPU time.
func perItem(b *testing.B, blobs [][]byte, one func(i int)) {
	var before, after runtime.MemStats
	size := 0
	for _, blob := range blobs {
		size += len(blob)
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	runtime.ReadMemStats(&before)
	begun := cpu()
	for b.Loop() {
		for i := range blobs {
			one(i)
		}
	}
	used := (cpu() - begun).Seconds()
	runtime.ReadMemStats(&after)
	items := float64(b.N) * float64(len(blobs))
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/items, "allocs/item")
	if used > 0 {
		b.ReportMetric(items/used, "items/cpu-s")
		b.ReportMetric(float64(size)*float64(b.N)/used/1e6, "MB/cpu-s")
	}
}

func BenchmarkScan(b *testing.B) {
	for name, blobs := range benchItems(b) {
		for _, build := range []string{"check", "message"} {
			b.Run(name+"/"+build, func(b *testing.B) {
				perItem(b, blobs, func(i int) {
					v := fasttransfer.Visitor{Segment: func(fasttransfer.Segment) error { return nil }}
					if build == "message" {
						v.Message, v.Keep = &mapi.Message{}, 1<<30
					}
					if r, err := fasttransfer.Scan(bytes.NewReader(blobs[i]), v); err != nil || r.State != fasttransfer.Complete {
						b.Fatal(r, err)
					}
				})
			})
		}
	}
}

// BenchmarkSummary reads what a backup reads of each item, in the same memory.
func BenchmarkSummary(b *testing.B) {
	for name, blobs := range benchItems(b) {
		b.Run(name, func(b *testing.B) {
			var scanner fasttransfer.Scanner
			var summary []byte
			perItem(b, blobs, func(i int) {
				m := &mapi.Message{}
				v := fasttransfer.Visitor{Message: m, Keep: 8 << 10, Wanted: mapi.InSummary, Segment: func(fasttransfer.Segment) error { return nil }}
				r, err := scanner.Scan(bytes.NewReader(blobs[i]), v)
				if summary = mapi.AppendSummary(summary[:0], m, r.Size); err != nil || r.State != fasttransfer.Complete || len(summary) == 0 {
					b.Fatal(r, err)
				}
			})
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	for name, blobs := range benchItems(b) {
		b.Run(name, func(b *testing.B) {
			messages := make([]mapi.Message, len(blobs))
			for i := range blobs {
				if _, err := fasttransfer.Scan(bytes.NewReader(blobs[i]), fasttransfer.Visitor{Message: &messages[i], Keep: 1 << 30}); err != nil {
					b.Fatal(err)
				}
			}
			perItem(b, blobs, func(i int) {
				if err := fasttransfer.Encode(io.Discard, &messages[i], fasttransfer.EncodeOptions{}); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
}
