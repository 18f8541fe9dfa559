package calendar_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"mailbrick/fetch/mapi/calendar"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The values that [MS-OXOCAL] 4.1 prints.
const (
	weeklyBlob = "043004300B2001000000C0210000010000000000000032000000222000000C0000000000000000000000000000008020BC0C20ADBC0C0630000009300000580200007602000000000000000000000000"

	weeklyChangedBlob = "043004300B2001000000C0210000010000000000000032000000222000000C0000000000000001000000A096BC0C01000000A096BC0C8020BC0C20ADBC0C0630000009300000580200007602000001003499BC0C5299BC0CF898BC0C11002200210053696D706C6520526563757272656E6365207769746820657863657074696F6E730800070033342F34313431000000000400000000000000000000003499BC0C5299BC0CF898BC0C2100530069006D0070006C006500200052006500630075007200720065006E006300650020007700690074006800200065007800630065007000740069006F006E0073000700330034002F0034003100340031000000000000000000"

	dailyBlob = "043004300A2000000000A0050000E010000000000000212000000A0000000000000002000000A0C1DC0C80D2DC0C00000000207EDC0C0016DD0C0630000009300000E0010000FE01000000000000000000000000"

	hebrewBlob = "043004300D200200080080750A000C0000000000000003000000232000000A0000000000000001000000207EDC0C01000000207EDC0C6074C40CDF80E95A0630000009300000E0010000FE01000001000080DC0C1E80DC0C0080DC0C24023C000000010000000000000004000000000000000000000000000000"

	pacificBlob = "0201300002001500500061006300690066006900630020005300740061006E0064006100720064002000540069006D006500020002013E000000D6070000000000000000000000000000E001000000000000C4FFFFFF00000A000000050002000000000000000000040000000100020000000000000002013E000200D7070000000000000000000000000000E001000000000000C4FFFFFF00000B0000000100020000000000000000000300000002000200000000000000"

	instanceID = "040000008200E00074C5B7101A82E00807D803195025D461E473C8010000000000000000100000002A5844B3A444F74A9C246C60886F116B"
)

func TestPublishedRecurrences(t *testing.T) {
	t.Parallel()
	for name, blob := range map[string]string{"weekly": weeklyBlob, "weekly changed": weeklyChangedBlob, "daily": dailyBlob, "hebrew": hebrewBlob} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := unhex(t, blob)
			r, err := calendar.ParseAppointmentRecurrence(b)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(r.Bytes(), b) {
				t.Errorf("encoded to\n%X, want\n%X", r.Bytes(), b)
			}
			for n := range b {
				if r, err := calendar.ParseAppointmentRecurrence(b[:n]); err == nil || !errors.Is(err, calendar.ErrCut) && r != nil {
					t.Fatalf("cut at %d: %v", n, err)
				}
			}
			longer := append(bytes.Clone(b), 1, 2, 3)
			if r, err := calendar.ParseAppointmentRecurrence(longer); err != nil || !bytes.Equal(r.Bytes(), longer) {
				t.Errorf("with bytes behind: %v", err)
			}
		})
	}
}

func TestExceptionFields(t *testing.T) {
	t.Parallel()
	r, err := calendar.ParseAppointmentRecurrence(unhex(t, weeklyChangedBlob))
	if err != nil || len(r.Exceptions) != 1 {
		t.Fatalf("%d exceptions, %v", len(r.Exceptions), err)
	}
	e := r.Exceptions[0]
	subject, hasSubject := e.SubjectText()
	location, hasLocation := e.LocationText()
	if subject != "Simple Recurrence with exceptions" || location != "34/4141" || !hasSubject || !hasLocation || string(e.Subject) != subject {
		t.Errorf("subject %q, location %q", subject, location)
	}
	if e.End-e.Start != 30 || e.Start-e.OriginalStart != 60 || e.WideStart != e.Start {
		t.Errorf("times %d %d %d", e.Start, e.End, e.OriginalStart)
	}
}

// The rules that the published blobs stand for make the same blobs.
func TestPublishedRules(t *testing.T) {
	t.Parallel()
	weekly := []string{"SUMMARY:Simple Recurrence", "LOCATION:34/4639", "DTSTART;TZID=America/Los_Angeles:20070326T100000", "DTEND;TZID=America/Los_Angeles:20070326T103000", "RRULE:FREQ=WEEKLY;BYDAY=MO,TH,FR;COUNT=12;WKST=SU"}
	for name, c := range map[string]struct{ ics, blob string }{
		"weekly": {eventOf(weekly...), weeklyBlob},
		"weekly changed": {eventOf(append(weekly, "END:VEVENT", "BEGIN:VEVENT", "UID:series@example.com", "RECURRENCE-ID;TZID=America/Los_Angeles:20070416T100000",
			"DTSTART;TZID=America/Los_Angeles:20070416T110000", "DTEND;TZID=America/Los_Angeles:20070416T113000", "SUMMARY:Simple Recurrence with exceptions", "LOCATION:34/4141")...), weeklyChangedBlob},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := unhex(t, c.blob)
			if got := named(apply(t, c.ics), setAppointment, 0x8216).Bytes(); !bytes.Equal(got, want) {
				t.Errorf("\n%X, want\n%X", got, want)
			}
		})
	}
}

func TestTimeZoneDefinition(t *testing.T) {
	t.Parallel()
	b := unhex(t, pacificBlob)
	d, err := calendar.ParseTimeZoneDefinition(b)
	if err != nil || d.KeyName != "Pacific Standard Time" || len(d.Rules) != 2 || d.Rules[1].Year != 2007 || d.Rules[1].Bias != 480 || d.Rules[1].DaylightBias != -60 || d.Rules[1].StandardDate.Month != 11 {
		t.Fatalf("%+v, %v", d, err)
	}
	if !bytes.Equal(d.Bytes(), b) {
		t.Errorf("encoded to %X", d.Bytes())
	}
	for n := range b {
		if _, err := calendar.ParseTimeZoneDefinition(b[:n]); !errors.Is(err, calendar.ErrCut) {
			t.Fatalf("cut at %d: %v", n, err)
		}
	}
}

func TestTimeZoneStruct(t *testing.T) {
	t.Parallel()
	z := calendar.TimeZoneStruct{Bias: 480, DaylightBias: -60, StandardDate: calendar.SystemTime{Month: 11, Day: 1, Hour: 2}, DaylightDate: calendar.SystemTime{Month: 3, Day: 2, Hour: 2}}
	b := z.Bytes()
	if got, err := calendar.ParseTimeZoneStruct(b); err != nil || got != z || len(b) != 48 {
		t.Errorf("%+v of %d bytes, %v", got, len(b), err)
	}
	if _, err := calendar.ParseTimeZoneStruct(b[:47]); err == nil {
		t.Error("47 bytes are taken")
	}
}

func TestGlobalObjectID(t *testing.T) {
	t.Parallel()
	b := unhex(t, instanceID)
	g, err := calendar.ParseGlobalObjectID(b)
	if err != nil || g.Year != 2008 || g.Month != 3 || g.Day != 25 || len(g.Data) != 16 {
		t.Fatalf("%+v, %v", g, err)
	}
	if !bytes.Equal(g.Bytes(), b) {
		t.Errorf("encoded to %X", g.Bytes())
	}
	if want := instanceID[:32] + "00000000" + instanceID[40:]; g.UID() != want {
		t.Errorf("uid %s, want %s", g.UID(), want)
	}
	for n := range b {
		if _, err := calendar.ParseGlobalObjectID(b[:n]); err == nil {
			t.Fatalf("cut at %d: taken", n)
		}
	}
	for name, uid := range map[string]string{"foreign": "{81412D3C-2A24-4E9D-B20E-11F7BBE92799}", "short": "x", "hex but no id": "00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF", "exchange": g.UID()} {
		if got := calendar.GlobalObjectIDOf(uid).UID(); got != uid {
			t.Errorf("%s: %s became %s", name, uid, got)
		}
	}
	// The value of a foreign UID [MS-OXCICAL] 2.1.3.1.1.20.26.
	if want := unhex(t, "040000008200E00074C5B7101A82E008000000000000000000000000000000000000000011000000"+"7643616C2D55696401000000"+"6142634400"); !bytes.Equal(calendar.GlobalObjectIDOf("aBcD").Bytes(), want) {
		t.Errorf("%X", calendar.GlobalObjectIDOf("aBcD").Bytes())
	}
}
