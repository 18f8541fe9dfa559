package calendar_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/calendar"
)

func appointment(properties ...mapi.Property) *mapi.Message {
	start := time.Date(2024, 3, 7, 9, 0, 0, 0, time.UTC)
	return &mapi.Message{Properties: append(mapi.Bag{
		mapi.NewText(mapi.PidTagMessageClass, "IPM.Appointment"),
		mapi.NewText(mapi.PidTagSubject, "s"),
		mapi.NewNamedTime(mapi.Name{Set: mapi.SetAppointment(), LID: 0x820D}, start),
		mapi.NewNamedTime(mapi.Name{Set: mapi.SetAppointment(), LID: 0x820E}, start.Add(time.Hour)),
	}, properties...)}
}

func binary(lid uint32, data []byte) mapi.Property {
	p := mapi.NewBinary(mapi.FirstNamed, data)
	p.Name = &mapi.Name{Set: mapi.SetAppointment(), LID: lid}
	return p
}

func TestWriteOddities(t *testing.T) {
	t.Parallel()
	common := func(lid uint32) mapi.Name { return mapi.Name{Set: mapi.SetCommon(), LID: lid} }
	allDay := mapi.NewNamedBool(mapi.Name{Set: mapi.SetAppointment(), LID: 0x8215}, true)
	for name, c := range map[string]struct {
		m        *mapi.Message
		has, not string
	}{
		"plain":             {appointment(), "DTSTART:20240307T090000Z\r\nDTEND:20240307T100000Z\r\n", "RRULE"},
		"default reminder":  {appointment(mapi.NewNamedBool(common(0x8503), true), mapi.NewNamedInt32(common(0x8501), 0x5AE980E1)), "-PT15M\r\n", ""},
		"long reminder":     {appointment(mapi.NewNamedBool(common(0x8503), true), mapi.NewNamedInt32(common(0x8501), 1<<30)), "-PT14400000M\r\n", ""},
		"no end":            {&mapi.Message{Properties: appointment().Properties[:3]}, "DTSTART:20240307T090000Z\r\nDTEND:20240307T090000Z\r\n", ""},
		"no time":           {&mapi.Message{Properties: appointment().Properties[:2]}, "BEGIN:VEVENT\r\nUID:", "DTSTART"},
		"damaged pattern":   {appointment(binary(0x8216, []byte("what"))), "DTSTART:20240307T090000Z", "RRULE"},
		"lunar pattern":     {appointment(binary(0x8216, unhex(t, hebrewBlob))), "DTSTART:20240307T090000Z", "RRULE"},
		"damaged zone":      {appointment(binary(0x825E, []byte{2, 1, 3})), "DTSTART:20240307T090000Z", "TZID"},
		"published zone":    {appointment(binary(0x825E, unhex(t, pacificBlob))), "DTSTART;TZID=\"Pacific Standard Time\":20240307T010000\r\n", ""},
		"all day nowhere":   {appointment(allDay), "DTSTART;VALUE=DATE:20240307\r\nDTEND;VALUE=DATE:20240308\r\n", ""},
		"subject with line": {appointment(mapi.NewText(mapi.PidTagSubjectPrefix, ""), mapi.NewText(mapi.PidTagBody, "a\r\nBEGIN:VEVENT\r\n;,\\")), "DESCRIPTION:a\\nBEGIN:VEVENT\\n\\;\\,\\\\\r\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := write(t, c.m)
			if !strings.Contains(out, c.has) || c.not != "" && strings.Contains(out, c.not) {
				t.Errorf("want %q and no %q in\n%s", c.has, c.not, out)
			}
			apply(t, out)
		})
	}
}

// A pattern whose exceptions are cut short still says when the series is.
func TestCutExceptions(t *testing.T) {
	t.Parallel()
	blob := unhex(t, weeklyChangedBlob)
	out := write(t, appointment(binary(0x8216, blob[:len(blob)-8])))
	if !strings.Contains(out, "RRULE:FREQ=WEEKLY;BYDAY=MO,TH,FR;WKST=SU;COUNT=12") || !strings.Contains(out, "DTSTART:20070326T100000Z") {
		t.Error(out)
	}
}

func TestIsException(t *testing.T) {
	t.Parallel()
	m := apply(t, eventOf("DTSTART:20240307T100000Z", "RRULE:FREQ=DAILY", "END:VEVENT", "BEGIN:VEVENT", "UID:series@example.com", "RECURRENCE-ID:20240310T100000Z", "DTSTART:20240311T100000Z"))
	if len(m.Attachments) != 1 || !calendar.IsException(&m.Attachments[0]) || m.HasAttachments() {
		t.Errorf("%d attachments", len(m.Attachments))
	}
	if calendar.IsException(&mapi.Attachment{Embedded: &mapi.Message{}}) || calendar.IsException(&mapi.Attachment{}) {
		t.Error("a mail is an exception")
	}
}

type fullDisk struct{ left int }

var errFull = errors.New("full")

func (d *fullDisk) Write(p []byte) (int, error) {
	if d.left--; d.left < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestWriteFails(t *testing.T) {
	t.Parallel()
	lines := strings.Count(write(t, appointment()), "\r\n")
	for n := range lines - 1 {
		if err := calendar.Write(&fullDisk{left: n}, appointment()); !errors.Is(err, errFull) {
			t.Fatalf("after %d lines: %v", n, err)
		}
	}
}

// Much of everything takes time in proportion.
func TestManyOfAll(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	b.WriteString("BEGIN:VCALENDAR\r\n")
	for i := range 3000 {
		fmt.Fprintf(&b, "BEGIN:VTIMEZONE\r\nTZID:Z%d\r\nEND:VTIMEZONE\r\n", i)
		fmt.Fprintf(&b, "BEGIN:VEVENT\r\nUID:%d\r\nDTSTART;TZID=Z%d:20240307T100000\r\nEXDATE;TZID=N%d:20240307T100000\r\nEND:VEVENT\r\n", i%1000, i, i)
	}
	b.WriteString("END:VCALENDAR\r\n")
	list, err := calendar.Split(b.Bytes())
	if err != nil || len(list) != 1000 {
		t.Errorf("%d parts, %v", len(list), err)
	}
	apply(t, b.String())
	calendar.Lost(b.Bytes())
}
