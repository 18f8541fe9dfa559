package eml_test

import (
	"bytes"
	"testing"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/eml"
)

// TestAttachmentNameInTheMessagesCodePage: an attachment seldom tells the code page of its own 8-bit strings.
func TestAttachmentNameInTheMessagesCodePage(t *testing.T) {
	t.Parallel()
	name := mapi.Property{Tag: mapi.MakeTag(mapi.PidTagAttachLongFilename, mapi.TypeString8), Data: []byte("\xEF\xEB\xE0\xED.txt\x00")}
	name.Size = int64(len(name.Data))
	m := &mapi.Message{
		Properties:  mapi.Bag{mapi.NewText(mapi.PidTagSubject, "x"), mapi.NewInt32(mapi.PidTagMessageCodepage, 1251)},
		Attachments: []mapi.Attachment{{Properties: mapi.Bag{name, mapi.NewBinary(mapi.PidTagAttachData, []byte("text"))}}},
	}
	var b bytes.Buffer
	if err := eml.Write(&b, m); err != nil {
		t.Fatal(err)
	}
	back, err := eml.Read(&b)
	if err != nil {
		t.Fatal(err)
	}
	if len(back.Attachments) != 1 || back.Attachments[0].Name() != "план.txt" {
		t.Errorf("%+v", back.AttachmentNames())
	}
}

// TestInstancesAreNoAttachments: a modified instance of a series is in the calendar, what a person attached is not.
func TestInstancesAreNoAttachments(t *testing.T) {
	t.Parallel()
	const idAttachmentFlags = 0x7FFD
	inside := &mapi.Message{Properties: mapi.Bag{mapi.NewText(mapi.PidTagMessageClass, "IPM.Appointment"), mapi.NewText(mapi.PidTagSubject, "another")}}
	for flags, want := range map[int32]int{0: 1, 2: 0} { // [MS-OXCMSG] 2.2.2.23 afException
		m := &mapi.Message{
			Properties: mapi.Bag{mapi.NewText(mapi.PidTagMessageClass, "IPM.Appointment"), mapi.NewText(mapi.PidTagSubject, "series")},
			Attachments: []mapi.Attachment{{Embedded: inside, Properties: mapi.Bag{
				mapi.NewInt32(mapi.PidTagAttachMethod, mapi.AttachEmbedded), mapi.NewInt32(idAttachmentFlags, flags)}}},
		}
		var b bytes.Buffer
		if err := eml.Write(&b, m); err != nil {
			t.Fatal(err)
		}
		if got := bytes.Count(b.Bytes(), []byte("message/rfc822")); got != want {
			t.Errorf("flags %d: %d messages attached, want %d", flags, got, want)
		}
	}
}
