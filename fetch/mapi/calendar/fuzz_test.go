package calendar_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/calendar"
)

// What Apply makes Write can write, Apply can read again, and Write then writes the same.
func FuzzApply(f *testing.F) {
	for _, seed := range []string{
		eventOf("SUMMARY:s", "DTSTART;TZID=Europe/Berlin:20240307T100000", "RRULE:FREQ=WEEKLY;BYDAY=TH,FR;COUNT=9", "EXDATE;TZID=Europe/Berlin:20240308T100000"),
		eventOf("DTSTART;VALUE=DATE:20240307", "RRULE:FREQ=MONTHLY;BYMONTHDAY=31;UNTIL=20250101"),
		eventOf("DTSTART:20240307T100000Z", "RRULE:FREQ=DAILY", "END:VEVENT", "BEGIN:VEVENT", "UID:series@example.com", "RECURRENCE-ID:20240310T100000Z", "DTSTART:20240311T100000Z", "SUMMARY:x"),
		calendarOf("BEGIN:VTIMEZONE", "TZID:A", "BEGIN:STANDARD", "DTSTART:16010101T030000", "TZOFFSETFROM:+0200", "TZOFFSETTO:+0100", "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10", "END:STANDARD",
			"BEGIN:DAYLIGHT", "DTSTART:16010101T020000", "TZOFFSETFROM:+0100", "TZOFFSETTO:+0200", "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3;UNTIL=20300101T000000Z", "END:DAYLIGHT", "END:VTIMEZONE",
			"BEGIN:VEVENT", "DTSTART;TZID=A:20240331T023000", "DURATION:PT1H", "RRULE:FREQ=YEARLY", "END:VEVENT"),
		meeting("REQUEST", "ATTENDEE;CUTYPE=ROOM;CN=\"a;b\":mailto:a@b", "BEGIN:VALARM", "TRIGGER;RELATED=END:-P1DT1H", "ACTION:DISPLAY", "END:VALARM"),
		meeting("COUNTER", "X-MS-OLK-ORIGINALSTART:20240306T100000Z"),
		calendarOf("BEGIN:VTODO", "DUE;VALUE=DATE:20240307", "RRULE:FREQ=YEARLY", "STATUS:COMPLETED", "END:VTODO"),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, ics []byte) {
		calendar.Lost(ics)
		if parts, err := calendar.Split(ics); err == nil {
			for _, part := range parts {
				if err := calendar.Apply(&mapi.Message{}, part); err != nil {
					t.Fatalf("a part of Split: %v\n%s", err, part)
				}
			}
		}
		m := &mapi.Message{}
		if calendar.Apply(m, ics) != nil {
			return
		}
		first := write(t, m)
		second := write(t, apply(t, first))
		if third := write(t, apply(t, second)); third != second {
			t.Errorf("not the same the third time:\n%s\nthen\n%s", second, third)
		}
	})
}

// Structures that are read encode to the same bytes, and a message with any of them can be written.
func FuzzRecurrence(f *testing.F) {
	for _, seed := range []string{weeklyBlob, weeklyChangedBlob, dailyBlob, hebrewBlob, pacificBlob, instanceID} {
		f.Add(unhex(f, seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		same := func(what string, got []byte, err error) {
			if err == nil && !bytes.Equal(got, b) {
				t.Errorf("%s: %X", what, got)
			}
		}
		r, err := calendar.ParseAppointmentRecurrence(b)
		if err == nil {
			same("recurrence", r.Bytes(), nil)
		}
		p, rest, err := calendar.ParseRecurrencePattern(b)
		same("pattern", append(p.Append(nil), rest...), err)
		d, err := calendar.ParseTimeZoneDefinition(b)
		same("definition", d.Bytes(), err)
		z, err := calendar.ParseTimeZoneStruct(b)
		same("zone", z.Bytes(), err)
		g, err := calendar.ParseGlobalObjectID(b)
		same("id", g.Bytes(), err)

		for _, class := range []string{"IPM.Appointment", "IPM.Task"} {
			m := &mapi.Message{Properties: mapi.Bag{mapi.NewText(mapi.PidTagMessageClass, class), mapi.NewText(mapi.PidTagSubject, "s")}}
			for _, n := range []struct {
				set mapi.GUID
				lid uint32
			}{{mapi.SetAppointment(), 0x8216}, {mapi.SetTask(), 0x8116}, {mapi.SetAppointment(), 0x825E}, {mapi.SetAppointment(), 0x8260}, {mapi.SetAppointment(), 0x8233}} {
				prop := mapi.NewBinary(mapi.FirstNamed, b)
				prop.Name = &mapi.Name{Set: n.set, LID: n.lid}
				m.Properties = append(m.Properties, prop)
			}
			out := write(t, m)
			if err := calendar.Apply(&mapi.Message{}, []byte(out)); err != nil && !errors.Is(err, calendar.ErrNotCalendar) {
				t.Errorf("what was written: %v", err)
			}
		}
	})
}

func BenchmarkApply(b *testing.B) {
	for name, ics := range map[string]string{
		"single":   meeting("REQUEST", "ATTENDEE;CN=Bob:mailto:bob@example.com"),
		"series":   eventOf("SUMMARY:s", "DTSTART;TZID=Europe/Berlin:20240307T100000", "RRULE:FREQ=WEEKLY;BYDAY=TH,FR;COUNT=100"),
		"for ever": eventOf("SUMMARY:s", "DTSTART;TZID=Europe/Berlin:20240307T100000", "RRULE:FREQ=DAILY", "EXDATE;TZID=Europe/Berlin:20240308T100000"),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(ics)))
			for b.Loop() {
				if err := calendar.Apply(&mapi.Message{}, []byte(ics)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkWrite(b *testing.B) {
	m := &mapi.Message{}
	if err := calendar.Apply(m, []byte(eventOf("SUMMARY:s", "DTSTART;TZID=Europe/Berlin:20240307T100000", "RRULE:FREQ=WEEKLY;BYDAY=TH,FR;COUNT=100"))); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := calendar.Write(io.Discard, m); err != nil {
			b.Fatal(err)
		}
	}
}
