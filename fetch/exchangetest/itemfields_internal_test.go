package exchangetest

import (
	"bytes"
	"testing"

	"github.com/beevik/etree"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/calendar"
)

// FuzzItem: whatever an item that was uploaded holds in its structures, its element can be written.
func FuzzItem(f *testing.F) {
	m := &mapi.Message{}
	if err := calendar.Apply(m, []byte("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:u\r\nDTSTART;TZID=Europe/Paris:20260302T090000\r\nRRULE:FREQ=MONTHLY;BYDAY=1MO\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n")); err != nil {
		f.Fatal(err)
	}
	who := mapi.Message{}
	list := etree.NewElement("ReplyTo")
	list.CreateElement("Mailbox").CreateElement("EmailAddress").SetText("a@x.example")
	setReplyTo(&who, list)
	f.Add(appointment(lidRecurrence).binary(m), appointment(lidStartZone).binary(m), meeting(lidCleanObjectID).binary(m), who.Properties.Binary(mapi.PidTagReplyRecipientEntries))
	f.Fuzz(func(t *testing.T, recurrence, zone, id, reply []byte) {
		for _, class := range []string{"IPM.Note", "IPM.Appointment", "IPM.Contact", "IPM.Task", "IPM.Schedule.Meeting.Request"} {
			m := &mapi.Message{}
			appointment(lidRecurrence).put(m, mapi.NewBinary(0, recurrence))
			task(lidTaskRecurrence).put(m, mapi.NewBinary(0, recurrence))
			appointment(lidStartZone).put(m, mapi.NewBinary(0, zone))
			meeting(lidCleanObjectID).put(m, mapi.NewBinary(0, id))
			m.Properties.Set(mapi.NewBinary(mapi.PidTagReplyRecipientEntries, reply))
			s, _ := attachmentShape(nil)
			var b bytes.Buffer
			x := newXMLWriter(&b)
			x.start("t:Items", "xmlns:t", nsTypes)
			if err := (itemData{itemView: itemView{rev: &revision{class: class}}, shape: s, m: m}).write(x, all); err != nil {
				return // MIME content that cannot be made fails the item
			}
			x.end()
			x.Flush()
			if err := etree.NewDocument().ReadFromBytes(b.Bytes()); err != nil {
				t.Fatalf("%v in %s", err, b.Bytes())
			}
		}
	})
}
