package fasttransfer

import (
	"bytes"
	"reflect"
	"runtime"
	"testing"
	"weak"

	"mailbrick/fetch/mapi"
)

// poison overwrites all memory that the next Scan takes back.
func (s *Scanner) poison() {
	for i := range s.build.arena {
		s.build.arena[i] = 0xDB
	}
	for i := range s.build.bags.piece {
		s.build.bags.piece[i] = mapi.NewText(mapi.PidTagSubject, "poison")
	}
	for i := range s.build.rows.piece {
		s.build.rows.piece[i] = mapi.Bag{mapi.NewText(mapi.PidTagDisplayName, "poison")}
	}
	s.name, s.element, s.next = mapi.Name{Text: "poison", LID: 0xDB}, -1, -1
	s.report = Report{Reason: "poison", Similar: []byte("poison"), LeftOut: 7, Warnings: []string{"poison"}}
	for _, b := range [][]byte{s.in.buf, s.in.tail, s.atom, s.text, s.likeness.key, s.likeness.value} {
		for i := range b[:cap(b)] {
			b[:cap(b)][i] = 0xDB
		}
	}
}

// TestSummaryOutlivesScanner: of a message in a Scanner's memory nothing is in its summary but copies, nor does what is left there
// come back in the next one.
func TestSummaryOutlivesScanner(t *testing.T) {
	t.Parallel()
	m := &mapi.Message{Properties: mapi.Bag{mapi.NewText(mapi.PidTagSubject, "Minutes"), mapi.NewText(mapi.PidTagSenderName, "Anna"),
		mapi.NewText(mapi.PidTagInternetMessageID, "<1@example.com>")}, Attachments: []mapi.Attachment{{Properties: mapi.Bag{mapi.NewText(mapi.PidTagAttachLongFilename, "minutes.pdf")}}}}
	for range 40 {
		m.Recipients = append(m.Recipients, mapi.Bag{mapi.NewText(mapi.PidTagDisplayName, "Berta"), mapi.NewText(mapi.PidTagSMTPAddress, "berta@example.com")})
	}
	want := mapi.Summarize(m)
	var blob bytes.Buffer
	if err := Encode(&blob, m, EncodeOptions{}); err != nil {
		t.Fatal(err)
	}
	var s Scanner
	for round := range 4 {
		read := &mapi.Message{}
		r, err := s.Scan(bytes.NewReader(blob.Bytes()), Visitor{Message: read, Wanted: mapi.InSummary})
		if err != nil || r.State != Complete || !bytes.HasPrefix(r.Similar, []byte("\x01<\x001\x00@")) {
			t.Fatal(round, r, err)
		}
		encoded, summary := mapi.AppendSummary(nil, read, r.Size), mapi.Summarize(read)
		s.poison()
		want.Size = 0
		if !reflect.DeepEqual(summary, want) {
			t.Fatalf("round %d: %+v, want %+v", round, summary, want)
		}
		if want.Size = r.Size; !bytes.Equal(encoded, want.Encode()) {
			t.Fatalf("round %d: %q", round, encoded)
		}
		if round > 1 && read.Subject() == "Minutes" { // in the first rounds the memory grows
			t.Fatal("the message is not in the Scanner's memory, or that is not poisoned")
		}
	}
}

// TestReportOfNothingAlike: what an item before had in common with others is not said of one that has nothing.
func TestReportOfNothingAlike(t *testing.T) {
	t.Parallel()
	var s Scanner
	var reports []Report
	for _, bag := range []mapi.Bag{{mapi.NewText(mapi.PidTagDisplayTo, "Anna")}, {mapi.NewText(mapi.PidTagSubject, "Minutes"), mapi.NewText(mapi.PidTagInternetMessageID, "<1@example.com>")},
		{mapi.NewText(mapi.PidTagDisplayTo, "Anna")}} {
		var blob bytes.Buffer
		if err := Encode(&blob, &mapi.Message{Properties: bag}, EncodeOptions{}); err != nil {
			t.Fatal(err)
		}
		r, err := s.Scan(&blob, Visitor{})
		if err != nil {
			t.Fatal(err)
		}
		reports = append(reports, r)
	}
	if len(reports[1].Similar) == 0 || !reflect.DeepEqual(reports[0], reports[2]) {
		t.Fatalf("%+v", reports)
	}
}

// TestScannerLetsGo: of a message that nobody has any more a Scanner keeps nothing once it has read another.
func TestScannerLetsGo(t *testing.T) {
	t.Parallel()
	blob := func(m *mapi.Message) *bytes.Reader {
		var b bytes.Buffer
		if err := Encode(&b, m, EncodeOptions{}); err != nil {
			t.Fatal(err)
		}
		return bytes.NewReader(b.Bytes())
	}
	inner := &mapi.Message{Recipients: []mapi.Bag{{mapi.NewText(mapi.PidTagDisplayName, "Anna")}}}
	large, small := blob(&mapi.Message{Attachments: []mapi.Attachment{{Embedded: inner}}}), blob(&mapi.Message{Properties: mapi.Bag{mapi.NewInt32(mapi.PidTagImportance, 1)}})
	var s Scanner
	read := func(r *bytes.Reader) weak.Pointer[mapi.Message] {
		m := &mapi.Message{}
		if report, err := s.Scan(r, Visitor{Message: m}); err != nil || report.State != Complete {
			t.Fatal(report, err)
		}
		return weak.Make(m)
	}
	first := read(large)
	read(small)
	runtime.GC()
	if first.Value() != nil {
		t.Error("the message before is still held")
	}
	runtime.KeepAlive(&s)
}
