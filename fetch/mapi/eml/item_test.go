package eml_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"mailbrick/fetch/mapi"
)

func invitation() []byte {
	return lines("From: Anna <anna@example.com>", "To: bob@example.com", "Subject: planning", "Message-ID: <1@example.com>", "MIME-Version: 1.0",
		"Content-Type: multipart/mixed; boundary=o", "", "--o", "Content-Type: multipart/alternative; boundary=i", "", "--i", "Content-Type: text/plain", "", "Come.", "--i",
		"Content-Type: text/calendar; method=REQUEST; name=invite.ics", "Content-Transfer-Encoding: 7bit", "",
		"BEGIN:VCALENDAR", "PRODID:-//A//B//EN", "X-OWN:kept", "VERSION:2.0", "METHOD:REQUEST", "BEGIN:VEVENT", "UID:1@example.com", "DTSTAMP:20240102T090000Z",
		"DTSTART:20240103T090000Z", "DTEND:20240103T100000Z", "SUMMARY:planning", "LOCATION:Room 1", "GEO:1;2",
		"ORGANIZER;CN=Anna:mailto:anna@example.com", "ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:bob@example.com", "END:VEVENT", "END:VCALENDAR", "--i--",
		"--o", "Content-Type: text/plain; name=agenda.txt", "", "agenda", "--o--", "")
}

func place() mapi.Name { return mapi.Name{Set: mapi.SetAppointment(), LID: 0x8208} }

func TestMeetingRequest(t *testing.T) {
	t.Parallel()
	raw := invitation()
	m := throughBlob(t, read(t, raw))
	if p := m.Properties.FindNamed(place()); m.Class() != "IPM.Schedule.Meeting.Request" || p == nil || p.Text(0) != "Room 1" || strings.TrimSpace(m.BodyText()) != "Come." {
		t.Fatalf("%s", facts(m))
	}
	if len(m.Attachments) != 1 || len(m.Recipients) != 1 {
		t.Errorf("%s", facts(m))
	}
	if got := write(t, m); !bytes.Equal(got, raw) {
		t.Errorf("got\n%s", got)
	}
	m.Properties.Set(mapi.NewNamedText(place(), "Room 2"))
	got := write(t, m)
	if !bytes.Contains(got, []byte("LOCATION:Room 2")) || bytes.Contains(got, []byte("Room 1")) || !bytes.Contains(got, []byte("text/calendar; charset=us-ascii; method=REQUEST\r\n")) {
		t.Errorf("the changed place does not win:\n%s", got)
	}
	again := read(t, got)
	if p := again.Properties.FindNamed(place()); again.Class() != m.Class() || p == nil || p.Text(0) != "Room 2" || len(again.Attachments) != 1 {
		t.Errorf("%s", facts(again))
	}
}

func TestCalendarsThatAreFiles(t *testing.T) {
	t.Parallel()
	ics := "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART:20240103T090000Z\r\nEND:VEVENT\r\nEND:VCALENDAR"
	for _, c := range []struct{ name, kind, class string }{
		{"a file", "Content-Type: text/calendar; name=a.ics\r\nContent-Disposition: attachment; filename=a.ics\r\n\r\n" + ics, "IPM.Note"},
		{"no method", "Content-Type: text/calendar\r\n\r\n" + ics, "IPM.Note"},
		{"broken", "Content-Type: text/calendar; method=REQUEST\r\n\r\nnonsense", "IPM.Note"},
		{"a card", "Content-Type: text/vcard\r\n\r\nBEGIN:VCARD\r\nVERSION:3.0\r\nFN:Bob\r\nEND:VCARD", "IPM.Note"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			raw := []byte("To: a@b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nwords\r\n--b\r\n" + c.kind + "\r\n--b--\r\n")
			if m := read(t, raw); m.Class() != c.class || len(m.Attachments) != 1 {
				t.Errorf("%s", facts(m))
			}
			roundTrip(t, raw)
		})
	}
}

func TestCard(t *testing.T) {
	t.Parallel()
	card := "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Bob Smith\r\nN:Smith;Bob;;;\r\nX-OWN:kept\r\nTEL;TYPE=WORK:+1 2\r\nEND:VCARD\r\n"
	for name, raw := range map[string]string{
		"the message":  "From: a@b\r\nSubject: Bob\r\nContent-Type: text/x-vcard\r\n\r\n" + card,
		"all there is": "From: a@b\r\nSubject: Bob\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/vcard\r\nContent-Disposition: attachment\r\n\r\n" + card + "--b--\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := throughBlob(t, read(t, []byte(raw)))
			if m.Class() != "IPM.Contact" || m.Properties.Text(0x3A08) != "+1 2" || len(m.Attachments) != 0 {
				t.Errorf("%s", facts(m))
			}
			if got := string(write(t, m)); got != raw {
				t.Errorf("got\n%s", got)
			}
			m.Properties.Set(mapi.NewText(0x3A08, "+3 4"))
			got := write(t, m)
			if again := read(t, got); again.Class() != "IPM.Contact" || again.Properties.Text(0x3A08) != "+3 4" || again.Properties.Text(0x3A11) != "Smith" {
				t.Errorf("the changed number does not win:\n%s", got)
			}
		})
	}
}

// TestItemsOfAMailbox: items that were never mail go out and come back as what they are.
func TestItemsOfAMailbox(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 1, 3, 9, 0, 0, 0, time.UTC)
	appointment := func(lid uint32) mapi.Name { return mapi.Name{Set: mapi.SetAppointment(), LID: lid} }
	picture := mapi.Attachment{Properties: mapi.Bag{mapi.NewInt32(mapi.PidTagAttachMethod, mapi.AttachByValue), mapi.NewBool(0x7FFF, true),
		mapi.NewText(mapi.PidTagAttachLongFilename, "ContactPicture.jpg"), mapi.NewBinary(mapi.PidTagAttachData, []byte("\xFF\xD8\xFF picture"))}}
	for class, m := range map[string]*mapi.Message{
		"IPM.Appointment": {Properties: mapi.Bag{mapi.NewText(mapi.PidTagBody, "words"), mapi.NewNamedTime(appointment(0x820D), at),
			mapi.NewNamedTime(appointment(0x820E), at.Add(time.Hour)), mapi.NewNamedText(place(), "here")}},
		"IPM.Task":    {Properties: mapi.Bag{mapi.NewNamedTime(mapi.Name{Set: mapi.SetTask(), LID: 0x8105}, at.Truncate(24*time.Hour))}},
		"IPM.Contact": {Properties: mapi.Bag{mapi.NewText(0x3A06, "Bob"), mapi.NewText(0x3A11, "Smith"), mapi.NewText(mapi.PidTagBody, "a note")}, Attachments: []mapi.Attachment{picture}},
		"IPM.StickyNote": {Properties: mapi.Bag{mapi.NewText(mapi.PidTagBody, "milk"), mapi.NewNamedInt32(noteName(0x8B00), 1), mapi.NewNamedInt32(noteName(0x8B02), 200),
			mapi.NewNamedInt32(noteName(0x8B04), -5)}},
	} {
		t.Run(class, func(t *testing.T) {
			t.Parallel()
			m.Properties = append(m.Properties, mapi.NewText(mapi.PidTagMessageClass, class), mapi.NewText(mapi.PidTagSubject, "s"))
			got := write(t, m)
			back := throughBlob(t, read(t, got))
			if back.Class() != class || back.Subject() != "s" || strings.TrimSpace(back.BodyText()) != m.BodyText() || len(back.Attachments) != len(m.Attachments) {
				t.Errorf("%s", facts(back))
			}
			for _, p := range m.Properties {
				q := back.Properties.Find(p.Tag.ID())
				if p.Name != nil {
					q = back.Properties.FindNamed(*p.Name)
				}
				if q == nil || p.Tag.ID() != mapi.PidTagBody && !bytes.Equal(q.Data, p.Data) {
					t.Errorf("%s is not %x any more in\n%s", p.Canonical(), p.Data, got)
				}
			}
		})
	}
}

func noteName(lid uint32) mapi.Name {
	return mapi.Name{Set: mapi.GUID{0x0E, 0x20, 0x06, 0, 0, 0, 0, 0, 0xC0, 0, 0, 0, 0, 0, 0, 0x46}, LID: lid}
}

// TestSeries: a modified instance is within the calendar and no attachment of the mail.
func TestSeries(t *testing.T) {
	t.Parallel()
	ics := strings.Join([]string{"BEGIN:VCALENDAR", "VERSION:2.0", "METHOD:REQUEST", "BEGIN:VEVENT", "UID:1", "DTSTART:20240103T090000Z", "DTEND:20240103T100000Z",
		"RRULE:FREQ=DAILY;COUNT=5", "SUMMARY:daily", "END:VEVENT", "BEGIN:VEVENT", "UID:1", "RECURRENCE-ID:20240104T090000Z", "DTSTART:20240104T110000Z",
		"DTEND:20240104T120000Z", "SUMMARY:later", "END:VEVENT", "END:VCALENDAR", ""}, "\r\n")
	raw := []byte("From: a@b\r\nSubject: daily\r\nContent-Type: text/calendar; method=REQUEST\r\n\r\n" + ics)
	m := throughBlob(t, read(t, raw))
	if len(m.Attachments) != 1 || m.Attachments[0].Embedded == nil {
		t.Fatalf("%s", facts(m))
	}
	if got := write(t, m); !bytes.Equal(got, raw) {
		t.Errorf("got\n%s", got)
	}
	got := write(t, strip(m))
	if bytes.Contains(got, []byte("message/rfc822")) || !bytes.Contains(got, []byte("RECURRENCE-ID")) {
		t.Errorf("laid out anew:\n%s", got)
	}
	if again := read(t, got); len(again.Attachments) != 1 {
		t.Errorf("%s", facts(again))
	}
}
