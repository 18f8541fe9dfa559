package fetch_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"mailbrick/fetch"
	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/fasttransfer"
)

// TestItemsAreReadInTheSameMemory: items of a batch are read one after another before the first is put, and none has anything of
// another, though some are long, some cannot be read and some come again.
func TestItemsAreReadInTheSameMemory(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	want := map[string][]byte{}
	for i := range 120 {
		m := &mapi.Message{Properties: mapi.Bag{mapi.NewText(mapi.PidTagSubject, fmt.Sprint("Subject ", i)), mapi.NewText(mapi.PidTagBody, strings.Repeat("text ", i*i)),
			mapi.NewText(mapi.PidTagInternetMessageID, fmt.Sprintf("<%d@x.example>", i))}}
		for n := range i % 50 {
			m.Recipients = append(m.Recipients, mapi.Bag{mapi.NewText(mapi.PidTagDisplayName, fmt.Sprint("Person ", i, n)), mapi.NewText(mapi.PidTagSMTPAddress, fmt.Sprintf("%d@%d.example", i, n))})
		}
		for n := range i % 3 {
			m.Attachments = append(m.Attachments, mapi.Attachment{Properties: mapi.Bag{mapi.NewText(mapi.PidTagAttachLongFilename, fmt.Sprint("file ", i, n))},
				Embedded: &mapi.Message{Properties: mapi.Bag{mapi.NewText(mapi.PidTagSubject, fmt.Sprint("Inside ", i, n))}}})
		}
		var blob bytes.Buffer
		if err := fasttransfer.Encode(&blob, m, fasttransfer.EncodeOptions{}); err != nil {
			t.Fatal(err)
		}
		id := fmt.Sprint("i", i)
		ref := fetch.Ref{ItemID: id, ChangeKey: "k", Size: int64(blob.Len())}
		b.source.items[id] = &fakeItem{ref: ref, blob: blob.Bytes(), garbled: i % 7 / 6}
		b.source.change("in", fetch.Change{Kind: fetch.Put, Ref: ref})
		want[id] = mapi.AppendSummary(nil, m, ref.Size)
	}
	b.run()
	snap, err := b.a.Latest("m@x.example")
	if err != nil {
		t.Fatal(err)
	}
	for v, err := range b.a.Versions(b.Context(), snap) {
		if err != nil || !bytes.Equal(v.Summary, want[v.ItemID]) {
			t.Errorf("%s: %q, %v, want %q", v.ItemID, v.Summary, err, want[v.ItemID])
		}
		delete(want, v.ItemID)
	}
	if len(want) > 0 {
		t.Errorf("%d items are missing", len(want))
	}
	b.holds() // compares the blobs
}
