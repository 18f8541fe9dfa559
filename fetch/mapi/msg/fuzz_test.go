package msg_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/fasttransfer"
	"mailbrick/fetch/mapi/msg"
)

// FuzzRead: no bytes panic, what is read can be written and is then the same,
// and an export stream can carry it.
func FuzzRead(f *testing.F) {
	f.Add(write(f, &mapi.Message{}))
	m := crowd(1)
	m.Properties = append(m.Properties, mapi.NewNamedTexts(mapi.NameCategories(), []string{"a", "b"}),
		mapi.NewNamedInt32(mapi.Name{Set: mapi.SetTask(), LID: 0x8101}, 1))
	m.Attachments = []mapi.Attachment{{Embedded: crowd(0)}}
	f.Add(write(f, m))
	f.Add(write(f, &mapi.Message{Attachments: []mapi.Attachment{{Properties: mapi.Bag{maker{rand.New(rand.NewPCG(5, 5))}.ole()}}}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := msg.Read(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		var out, again bytes.Buffer
		if err := msg.Write(&out, m); err != nil {
			t.Fatal(err)
		}
		back := read(t, out.Bytes())
		if d := differences(viewOf(m), viewOf(back)); len(d) > 0 {
			t.Fatalf("%q", d)
		}
		if err := msg.Write(&again, back); err != nil {
			t.Fatal(err)
		}
		if err := fasttransfer.Encode(&again, m, fasttransfer.EncodeOptions{}); err != nil {
			t.Fatal(err)
		}
	})
}
