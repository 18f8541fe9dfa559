package mapi_test

import (
	"strings"
	"testing"

	"mailbrick/fetch/mapi"
)

// BenchmarkBodyText makes the text of an HTML body.
func BenchmarkBodyText(b *testing.B) {
	page := strings.Repeat("<p class=\"MsoNormal\"><span style='color:black'>The quick brown fox j\xFCmps &amp; the lazy&nbsp;dog</span></p>\r\n", 2000)
	m := &mapi.Message{Properties: mapi.Bag{mapi.NewBinary(mapi.PidTagHTML, []byte(page)), mapi.NewInt32(mapi.PidTagInternetCodepage, 1252)}}
	b.SetBytes(int64(len(page)))
	b.ReportAllocs()
	for b.Loop() {
		if len(m.BodyText()) < 50000 {
			b.Fatal("text is missing")
		}
	}
}

// BenchmarkShow names and shows one property.
func BenchmarkShow(b *testing.B) {
	p := mapi.NewNamedText(mapi.Name{Set: mapi.SetAppointment(), LID: 0x8208}, "room 5")
	b.ReportAllocs()
	for b.Loop() {
		if p.Canonical() != "PidLidLocation" || p.Display(0, 0) != `"room 5"` {
			b.Fatal(p.Canonical(), p.Display(0, 0))
		}
	}
}
