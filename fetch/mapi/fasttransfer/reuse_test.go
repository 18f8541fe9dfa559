package fasttransfer_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/fasttransfer"
)

// usedScanner has read other messages, and then something close to blob.
func usedScanner(t testing.TB, blob []byte) *fasttransfer.Scanner {
	t.Helper()
	near := bytes.Map(func(r rune) rune { return r ^ 1 }, bytes.ToValidUTF8(blob, []byte("?")))
	s := &fasttransfer.Scanner{}
	for _, b := range [][]byte{framed(tag(0x6800, mapi.TypeBinary)+u32(100)+string(bytes.Repeat([]byte{0xDB}, 100)), 31680), near, blob[:len(blob)/2]} {
		if _, err := s.Scan(bytes.NewReader(b), fasttransfer.Visitor{Message: &mapi.Message{}}); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// sameMessage and sameReport take nothing and an empty list for one.
func sameMessage(a, b mapi.Message) bool {
	return sameBag(a.Properties, b.Properties) && slices.EqualFunc(a.Recipients, b.Recipients, sameBag) &&
		slices.EqualFunc(a.Attachments, b.Attachments, func(a, b mapi.Attachment) bool {
			embedded := (a.Embedded == nil) == (b.Embedded == nil)
			return embedded && (a.Embedded == nil || sameMessage(*a.Embedded, *b.Embedded)) && sameBag(a.Properties, b.Properties)
		})
}

func sameBag(a, b mapi.Bag) bool {
	return slices.EqualFunc(a, b, func(a, b mapi.Property) bool {
		return a.Tag == b.Tag && reflect.DeepEqual(a.Name, b.Name) && bytes.Equal(a.Data, b.Data) && a.Size == b.Size
	})
}

func sameReport(a, b fasttransfer.Report) bool {
	return fmt.Sprintf("%+v", a) == fmt.Sprintf("%+v", b)
}

// TestScannerReadsOneAfterAnother: what a Scanner read before makes no difference to what it reads, whatever it wants of it.
func TestScannerReadsOneAfterAnother(t *testing.T) {
	t.Parallel()
	blobs := [][]byte{encode(t, item(20, 0)), encode(t, nested(5)), encode(t, item(2000, 20<<10)), framed(startRecip, 7), encode(t, crowded(3000)), encode(t, item(50_000, 0)), nil}
	files, _ := filepath.Glob(data + "synthetic/*.bin")
	for _, name := range files {
		blob, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		blobs = append(blobs, blob)
	}
	var used fasttransfer.Scanner
	for _, keep := range []int64{0, 8 << 10, 100} {
		for _, wanted := range []func(uint16) bool{nil, mapi.InSummary} {
			for i, blob := range blobs {
				var got, want mapi.Message
				r, err := used.Scan(bytes.NewReader(blob), fasttransfer.Visitor{Message: &got, Keep: keep, Wanted: wanted})
				if err != nil {
					t.Fatal(err)
				}
				alone, _ := scan(t, blob, fasttransfer.Visitor{Message: &want, Keep: keep, Wanted: wanted})
				if !sameReport(r, alone) || !sameMessage(got, want) {
					t.Fatalf("blob %d, keep %d: %+v, want %+v", i, keep, r, alone)
				}
			}
		}
	}
}

// nested is a message in a message, so many deep, with properties on both sides of it.
func nested(depth int) *mapi.Message {
	m := item(100, 100)
	if depth > 0 {
		m.Attachments = append(m.Attachments, mapi.Attachment{Embedded: nested(depth - 1)}, mapi.Attachment{Properties: mapi.Bag{mapi.NewInt32(mapi.PidTagAttachMethod, 5)}})
	}
	return m
}

// crowded is a message to n people of whom no two are alike.
func crowded(n int) *mapi.Message {
	m := item(100, 0)
	for i := range n {
		r := mapi.Bag{mapi.NewText(mapi.PidTagDisplayName, fmt.Sprint("Somebody ", i))}
		for id := range uint16(i % 40) {
			r = append(r, mapi.NewInt32(0x6800+id, int32(i)))
		}
		m.Recipients = append(m.Recipients, r)
	}
	return m
}

// TestScannerAllocatesOnce: a Scanner that has read a message takes no more memory for the next of the kind.
func TestScannerAllocatesOnce(t *testing.T) {
	blob := encode(t, item(2000, 20<<10))
	var s fasttransfer.Scanner
	in := bytes.NewReader(blob)
	m := &mapi.Message{}
	n := testing.AllocsPerRun(10, func() {
		in.Reset(blob)
		*m = mapi.Message{}
		if r, err := s.Scan(in, fasttransfer.Visitor{Message: m, Wanted: mapi.InSummary, Segment: func(fasttransfer.Segment) error { return nil }}); err != nil || r.State != fasttransfer.Complete {
			t.Fatal(r, err)
		}
	})
	if n > 1 { // the list of attachments
		t.Errorf("%v allocations", n)
	}
}
