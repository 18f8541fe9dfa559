package calendar_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/calendar"
)

// calendarOf wraps the lines of components.
func calendarOf(lines ...string) string {
	return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n" + strings.Join(lines, "\r\n") + "\r\nEND:VCALENDAR\r\n"
}

func eventOf(lines ...string) string {
	return calendarOf("BEGIN:VEVENT", "UID:series@example.com", "DTSTAMP:20240101T000000Z", strings.Join(lines, "\r\n"), "END:VEVENT")
}

func apply(t *testing.T, ics string) *mapi.Message {
	t.Helper()
	m := &mapi.Message{}
	if err := calendar.Apply(m, []byte(ics)); err != nil {
		t.Fatalf("Apply: %v", err)
	}
	return m
}

func write(t *testing.T, m *mapi.Message) string {
	t.Helper()
	var b bytes.Buffer
	if err := calendar.Write(&b, m); err != nil {
		t.Fatalf("Write: %v", err)
	}
	checkForm(t, b.String())
	return b.String()
}

// checkForm: lines end in CRLF and have 75 octets at most, blocks are balanced.
func checkForm(t *testing.T, ics string) {
	t.Helper()
	if !strings.HasSuffix(ics, "END:VCALENDAR\r\n") || strings.Count(ics, "\n") != strings.Count(ics, "\r\n") {
		t.Errorf("line ends of\n%s", ics)
	}
	var open []string
	for line := range strings.SplitSeq(ics, "\r\n") {
		if len(line) > 75 || !strings.HasPrefix(line, " ") && line != "" && strings.ContainsRune(line, '\r') {
			t.Errorf("line of %d octets: %q", len(line), line)
		}
		if name, ok := strings.CutPrefix(line, "BEGIN:"); ok {
			open = append(open, name)
		} else if name, ok := strings.CutPrefix(line, "END:"); ok {
			if len(open) == 0 || open[len(open)-1] != name {
				t.Fatalf("END:%s in %v", name, open)
			}
			open = open[:len(open)-1]
		}
	}
}

// same expands a calendar and what becomes of it and compares.
func same(t *testing.T, ics string) {
	t.Helper()
	want := expand(t, ics)
	if len(want) == 0 {
		t.Fatal("the calendar has no instance")
	}
	out := write(t, apply(t, ics))
	got := expand(t, out)
	if !slices.Equal(got, want) {
		t.Errorf("%d instances, want %d; first that differs: %s\n%s", len(got), len(want), firstDifference(got, want), out)
	}
	if again := write(t, apply(t, out)); again != out {
		t.Errorf("the second time is another:\n%s\nthen\n%s", out, again)
	}
}

func firstDifference(got, want []string) string {
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			return "none, want " + want[i]
		case i >= len(want):
			return got[i] + ", want none"
		case got[i] != want[i]:
			return got[i] + ", want " + want[i]
		}
	}
	return ""
}

func TestRules(t *testing.T) {
	t.Parallel()
	for _, rule := range []string{
		"FREQ=DAILY",
		"FREQ=DAILY;COUNT=10",
		"FREQ=DAILY;INTERVAL=3;COUNT=100",
		"FREQ=DAILY;UNTIL=20240501T080000Z",
		"FREQ=DAILY;UNTIL=20240501T075959Z",
		"FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR",
		"FREQ=DAILY;BYHOUR=10;BYMINUTE=0;COUNT=5",
		"FREQ=WEEKLY",
		"FREQ=WEEKLY;COUNT=30",
		"FREQ=WEEKLY;BYDAY=TH,FR,MO",
		"FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO,TH;WKST=SU",
		"FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO,TH;WKST=MO",
		"FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO,TH",
		"FREQ=WEEKLY;BYDAY=TH,SA;UNTIL=20251231T225959Z",
		"FREQ=WEEKLY;UNTIL=99991231T235959Z",
		"WKST=SU;BYDAY=TH;FREQ=WEEKLY",
		"FREQ=MONTHLY",
		"FREQ=MONTHLY;BYMONTHDAY=7",
		"FREQ=MONTHLY;BYMONTHDAY=15;INTERVAL=3;COUNT=7",
		"FREQ=MONTHLY;BYMONTHDAY=-1",
		"FREQ=MONTHLY;BYMONTHDAY=31;COUNT=12",
		"FREQ=MONTHLY;BYMONTHDAY=30;COUNT=20",
		"FREQ=MONTHLY;BYMONTHDAY=29;UNTIL=20260131T000000Z",
		"FREQ=MONTHLY;BYMONTHDAY=28,29,30;BYSETPOS=-1",
		"FREQ=MONTHLY;BYDAY=1TH",
		"FREQ=MONTHLY;BYDAY=-1FR;COUNT=24",
		"FREQ=MONTHLY;BYDAY=TH;BYSETPOS=2",
		"FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
		"FREQ=MONTHLY;BYDAY=SA,SU;BYSETPOS=1;INTERVAL=2",
		"FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYSETPOS=4",
		"FREQ=MONTHLY;BYDAY=TH",
		"FREQ=MONTHLY;BYMONTH=6;BYMONTHDAY=12",
		"FREQ=YEARLY",
		"FREQ=YEARLY;INTERVAL=2;COUNT=3",
		"FREQ=YEARLY;BYMONTH=3;BYMONTHDAY=7",
		"FREQ=YEARLY;BYMONTH=11;BYMONTHDAY=30",
		"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=28,29;BYSETPOS=-1",
		"FREQ=YEARLY;BYDAY=-1TH;BYMONTH=10",
		"FREQ=YEARLY;BYDAY=SU;BYSETPOS=3;BYMONTH=6;UNTIL=20260701T000000Z",
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			// The first instance must be one of the rule [RFC 5545] 3.8.5.3.
			start := firstOf(t, rule)
			ics := eventOf("SUMMARY:s", "DTSTART;TZID=Europe/Berlin:"+start+"T100000", "DTEND;TZID=Europe/Berlin:"+start+"T113000", "RRULE:"+rule)
			if lost := calendar.Lost([]byte(ics)); len(lost) > 0 {
				t.Fatalf("lost: %v", lost)
			}
			same(t, ics)
			if !strings.Contains(rule, "UNTIL") { // which is a DATE where the start is one
				same(t, eventOf("SUMMARY:s", "DTSTART;VALUE=DATE:"+start, "DTEND;VALUE=DATE:"+nextDay(start), "RRULE:"+strings.ReplaceAll(rule, ";BYHOUR=10;BYMINUTE=0", "")))
			}
		})
	}
}

// firstOf is the first day of a rule from 2024-03-07 on, a Thursday.
func firstOf(t *testing.T, rule string) string {
	t.Helper()
	rule, _, _ = strings.Cut(rule, ";COUNT")
	start := at(t, "20240307")
	return ruleDays(t, strings.ReplaceAll(rule, ";INTERVAL=2", ""), start, start.AddDate(2, 0, 0), utc)[0].Format("20060102")
}

func TestRulesWithoutPattern(t *testing.T) {
	t.Parallel()
	for _, rule := range []string{
		"FREQ=HOURLY", "FREQ=MONTHLY;BYMONTHDAY=1,15", "FREQ=MONTHLY;BYDAY=5TH", "FREQ=MONTHLY;BYDAY=1MO,3MO", "FREQ=MONTHLY;BYMONTHDAY=-2",
		"FREQ=YEARLY;BYWEEKNO=20", "FREQ=YEARLY;BYYEARDAY=100", "FREQ=YEARLY;BYMONTH=1,7", "FREQ=YEARLY;BYDAY=20MO", "FREQ=DAILY;BYMONTH=1",
		"FREQ=DAILY;BYHOUR=9,15", "FREQ=WEEKLY;BYDAY=XX", "FREQ=WEEKLY;COUNT=0", "FREQ=WEEKLY;INTERVAL=0", "FREQ=WEEKLY;X=1", "FREQ=WEEKLY;UNTIL=tomorrow",
		"FREQ=WEEKLY;BYDAY=1MO", "FREQ=", "", "FREQ=MONTHLY;BYDAY=TH;BYSETPOS=1,2", "FREQ=MONTHLY;BYDAY=TH;BYSETPOS=-2",
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			ics := eventOf("DTSTART:20240307T100000Z", "RRULE:"+rule)
			if lost := calendar.Lost([]byte(ics)); !slices.Equal(lost, []string{"RRULE"}) {
				t.Errorf("lost %v", lost)
			}
			if got := expand(t, write(t, apply(t, ics))); len(got) != 1 {
				t.Errorf("%d instances", len(got))
			}
		})
	}
}

func TestUntilDay(t *testing.T) {
	t.Parallel()
	for _, until := range []string{"20240321", "20240320", "20240307"} {
		same(t, eventOf("SUMMARY:s", "DTSTART;VALUE=DATE:20240307", "DTEND;VALUE=DATE:20240308", "RRULE:FREQ=WEEKLY;UNTIL="+until))
	}
}

func TestSeries(t *testing.T) {
	t.Parallel()
	berlin := "TZID=Europe/Berlin:"
	head := []string{"BEGIN:VEVENT", "UID:u", "SUMMARY:s", "LOCATION:here"}
	master := strings.Join(append(head, "DTSTART;"+berlin+"20240307T100000", "DTEND;"+berlin+"20240307T110000", "RRULE:FREQ=WEEKLY;BYDAY=TU,TH"), "\r\n")
	override := func(lines ...string) string {
		return "BEGIN:VEVENT\r\nUID:u\r\n" + strings.Join(lines, "\r\n") + "\r\nEND:VEVENT"
	}
	moved := override("RECURRENCE-ID;"+berlin+"20240402T100000", "DTSTART;"+berlin+"20240403T120000", "DTEND;"+berlin+"20240403T133000", "SUMMARY:other", "LOCATION:there")
	for name, ics := range map[string]string{
		"deleted":         calendarOf(master, "EXDATE;"+berlin+"20240312T100000,20240319T100000", "EXDATE:20240321T090000Z", "END:VEVENT"),
		"moved":           calendarOf(master, "END:VEVENT", moved),
		"instances first": calendarOf(moved, master, "END:VEVENT"),
		"id in utc": calendarOf(master, "END:VEVENT", override("RECURRENCE-ID:20240402T080000Z", "DTSTART;TZID=America/New_York:20240402T100000",
			"DTEND;TZID=America/New_York:20240402T110000", "SUMMARY:s", "LOCATION:here")),
		"to another day and back": calendarOf(master, "END:VEVENT", moved,
			override("RECURRENCE-ID;"+berlin+"20240404T100000", "DTSTART;"+berlin+"20240402T100000", "DTEND;"+berlin+"20240402T110000", "SUMMARY:s", "LOCATION:here")),
		"cancelled": calendarOf(master, "END:VEVENT", override("RECURRENCE-ID;"+berlin+"20240402T100000", "DTSTART;"+berlin+"20240402T100000",
			"DTEND;"+berlin+"20240402T110000", "STATUS:CANCELLED")),
		"unicode": calendarOf(master, "END:VEVENT", override("RECURRENCE-ID;"+berlin+"20240402T100000", "DTSTART;"+berlin+"20240402T100000",
			"DTEND;"+berlin+"20240402T110000", "SUMMARY:Ünïcode 漢字 😀 and more than one line of it\\, to be folded somewhere", "LOCATION:")),
		"days moved": calendarOf("BEGIN:VEVENT", "UID:u", "SUMMARY:s", "LOCATION:l", "DTSTART;VALUE=DATE:20240307", "DTEND;VALUE=DATE:20240309",
			"RRULE:FREQ=MONTHLY;BYMONTHDAY=7", "EXDATE;VALUE=DATE:20240507", "END:VEVENT",
			override("RECURRENCE-ID;VALUE=DATE:20240407", "DTSTART;VALUE=DATE:20240410", "DTEND;VALUE=DATE:20240411", "SUMMARY:x", "LOCATION:l")),
		"over midnight": calendarOf("BEGIN:VEVENT", "UID:u", "SUMMARY:s", "DTSTART;"+berlin+"20240307T220000", "DTEND;"+berlin+"20240308T020000",
			"RRULE:FREQ=WEEKLY;COUNT=10", "END:VEVENT"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			same(t, ics)
		})
	}
}

// Series that cross each change of clocks, and instances in the hour that is skipped or comes twice.
func TestZones(t *testing.T) {
	t.Parallel()
	for _, zone := range []string{"Europe/Berlin", "Europe/Dublin", "America/New_York", "America/Sao_Paulo", "Australia/Sydney", "Pacific/Auckland",
		"Asia/Kolkata", "Asia/Kathmandu", "Etc/UTC", "Pacific/Kiritimati", "America/St_Johns", "Asia/Tehran", "America/Santiago", "Africa/Nairobi"} {
		for _, hour := range []string{"0000", "0130", "0230", "1000", "2330"} {
			t.Run(zone+" "+hour, func(t *testing.T) {
				t.Parallel()
				where := fmt.Sprintf("TZID=%s:20231001T%s00", zone, hour)
				same(t, eventOf("SUMMARY:s", "DTSTART;"+where, "DTEND;"+where, "RRULE:FREQ=DAILY"))
			})
		}
	}
}

func TestSingle(t *testing.T) {
	t.Parallel()
	for name, lines := range map[string][]string{
		"utc":         {"DTSTART:20240307T100000Z", "DTEND:20240307T110000Z"},
		"zone":        {"DTSTART;TZID=America/New_York:20240307T100000", "DTEND;TZID=America/New_York:20240307T110000"},
		"two zones":   {"DTSTART;TZID=America/New_York:20240307T100000", "DTEND;TZID=Europe/Berlin:20240308T010000"},
		"floating":    {"DTSTART:20240307T100000", "DTEND:20240307T110000"},
		"day":         {"DTSTART;VALUE=DATE:20240307", "DTEND;VALUE=DATE:20240308"},
		"days":        {"DTSTART;VALUE=DATE:20240330", "DTEND;VALUE=DATE:20240402"},
		"no end":      {"DTSTART:20240307T100000Z"},
		"comes twice": {"DTSTART;TZID=Europe/Berlin:20241027T023000", "DTEND;TZID=Europe/Berlin:20241027T033000"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			same(t, eventOf(append(lines, "SUMMARY:s")...))
		})
	}
}
