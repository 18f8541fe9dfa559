package fasttransfer_test

import (
	"slices"
	"testing"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/fasttransfer"
)

func TestEncodableIsTheSameMessage(t *testing.T) {
	t.Parallel()
	m := item(100, 2000)
	m.Attachments = append(m.Attachments, mapi.Attachment{Embedded: item(10, 10)})
	if kept, dropped := fasttransfer.Encodable(m); kept != m || dropped != nil {
		t.Errorf("dropped %v of a message that is as it should be", dropped)
	}
	left := &mapi.Message{Properties: mapi.Bag{{Tag: mapi.MakeTag(mapi.PidTagBody, mapi.TypeText), Size: 9}}}
	if kept, dropped := fasttransfer.Encodable(left); kept != left || dropped != nil {
		t.Errorf("dropped %v, which its reader left out: that is for Encode to say", dropped)
	}
}

// TestEncodableDrops: a property that no stream can carry costs itself and not the message.
func TestEncodableDrops(t *testing.T) {
	t.Parallel()
	for name, bad := range map[string]mapi.Property{
		"start of an embedded message": mapi.NewInt32(0x4001, 1),
		"delete property":              mapi.NewInt32(0x4016, 1),
		"named without a name":         mapi.NewInt32(0x8001, 1),
		"short fixed value":            {Tag: 0x00170003, Data: make([]byte, 3)},
		"bad list":                     {Tag: 0x68011003, Data: make([]byte, 5)},
		"bad list of strings":          {Tag: 0x6801101F, Data: []byte("\x01\x00\x00\x00\xFF\xFF\xFF\xFF")},
		"unknown type":                 {Tag: 0x00170011},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := item(100, 2000)
			want.Attachments = append(want.Attachments, mapi.Attachment{Embedded: item(10, 10)})
			m := *want
			m.Properties = slices.Insert(slices.Clone(m.Properties), 2, bad)
			m.Recipients = slices.Clone(m.Recipients)
			m.Recipients[1] = append(mapi.Bag{bad}, m.Recipients[1]...)
			m.Attachments = slices.Clone(m.Attachments)
			inside := *m.Attachments[1].Embedded
			inside.Properties = append(slices.Clone(inside.Properties), bad)
			m.Attachments[1].Embedded = &inside
			kept, dropped := fasttransfer.Encodable(&m)
			if !slices.Equal(dropped, []mapi.Tag{bad.Tag, bad.Tag, bad.Tag}) {
				t.Errorf("dropped %v", dropped)
			}
			if string(encode(t, kept)) != string(encode(t, want)) {
				t.Error("what was kept is not all the rest")
			}
			if len(m.Properties) != len(want.Properties)+1 || len(inside.Properties) == len(want.Attachments[1].Embedded.Properties) {
				t.Error("the message was changed")
			}
		})
	}
}

func TestEncodableNests(t *testing.T) {
	t.Parallel()
	m := &mapi.Message{}
	for range 40 {
		m = &mapi.Message{Attachments: []mapi.Attachment{{Embedded: m}}}
	}
	kept, dropped := fasttransfer.Encodable(m)
	if len(dropped) != 1 {
		t.Errorf("dropped %v", dropped)
	}
	if r, _ := scan(t, encode(t, kept), fasttransfer.Visitor{}); r.State != fasttransfer.Complete || r.Embedded != 32 {
		t.Errorf("%v, %d embedded", r.State, r.Embedded)
	}
}
