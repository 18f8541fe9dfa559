package pst

import (
	"io"
	"testing"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/fasttransfer"
)

// checkMessage holds a message that was read against what all messages are: each
// value has the layout of its type and can be read to its end, so that an export
// stream can carry it.
func checkMessage(t testing.TB, m *mapi.Message) {
	t.Helper()
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := fasttransfer.Encode(w, m, fasttransfer.EncodeOptions{})
		w.CloseWithError(err)
		done <- err
	}()
	report, err := fasttransfer.Scan(r, fasttransfer.Visitor{})
	r.Close()
	if encodeErr := <-done; encodeErr != nil {
		if !steers(m) {
			t.Fatal(encodeErr)
		}
		return
	}
	if err != nil || report.State != fasttransfer.Complete {
		t.Fatalf("%v %s: %v", report.State, report.Reason, err)
	}
}

// steers says whether a damaged tag is one that an export stream cannot carry.
func steers(m *mapi.Message) bool {
	found := false
	bag := func(b mapi.Bag) {
		for i := range b {
			id := b[i].Tag.ID()
			found = found || id >= 0x4000 && id < 0x4100 || id == 0xFFFF
		}
	}
	bag(m.Properties)
	for _, r := range m.Recipients {
		bag(r)
	}
	for i := range m.Attachments {
		bag(m.Attachments[i].Properties)
		found = found || m.Attachments[i].Embedded != nil && steers(m.Attachments[i].Embedded)
	}
	return found
}

// FuzzOpen: no bytes panic, and what is read is well formed.
func FuzzOpen(f *testing.F) {
	for _, k := range kinds() {
		b := k.builder()
		top := b.root()
		b.add(b.message(b.fresh(typeMessage), &mapi.Message{Properties: b.every()[:6], Recipients: crowd(2),
			Attachments: []mapi.Attachment{{Properties: mapi.Bag{mapi.NewBinary(mapi.PidTagAttachData, []byte("data"))}}}}), top)
		f.Add(b.file())
	}
	f.Fuzz(func(t *testing.T, data []byte) { walkAll(t, data) })
}
