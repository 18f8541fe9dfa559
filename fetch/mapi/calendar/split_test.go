package calendar_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"mailbrick/fetch/mapi/calendar"
)

func TestSplit(t *testing.T) {
	t.Parallel()
	zone := func(name string) string {
		return "BEGIN:VTIMEZONE\r\nTZID:" + name + "\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0100\r\nEND:STANDARD\r\nEND:VTIMEZONE"
	}
	all := "BEGIN:VCALENDAR\r\nX-WR-CALNAME:c\r\n" + strings.Join([]string{zone("A"), zone("B"),
		"BEGIN:VEVENT\r\nUID:1\r\nDTSTART;TZID=A:20240307T100000\r\nRRULE:FREQ=DAILY\r\nSUMMARY:one\r\nEND:VEVENT",
		"BEGIN:VTODO\r\nUID:1\r\nSUMMARY:a task with the same id\r\nEND:VTODO",
		"BEGIN:VEVENT\r\nUID:2\r\nDTSTART;TZID=\"B\":20240307T100000\r\nSUMMARY:two\r\nEND:VEVENT",
		"BEGIN:VEVENT\r\nUID:1\r\nRECURRENCE-ID;TZID=A:20240308T100000\r\nDTSTART;TZID=A:20240308T110000\r\nSUMMARY:moved\r\nEND:VEVENT",
		"BEGIN:VEVENT\r\nSUMMARY:no id\r\nEND:VEVENT", "BEGIN:VEVENT\r\nSUMMARY:no id either\r\nEND:VEVENT", "BEGIN:VJOURNAL\r\nUID:9\r\nEND:VJOURNAL"}, "\r\n") + "\r\nEND:VCALENDAR\r\n"
	list, err := calendar.Split([]byte(all))
	if err != nil || len(list) != 5 {
		t.Fatalf("%d calendars, %v", len(list), err)
	}
	for i, want := range [][]string{{"TZID:A", "SUMMARY:one", "SUMMARY:moved"}, {"SUMMARY:a task with the same id"}, {"TZID:B", "SUMMARY:two"}, {"SUMMARY:no id"}, {"SUMMARY:no id either"}} {
		var got []string
		for line := range strings.SplitSeq(string(list[i]), "\r\n") {
			if strings.HasPrefix(line, "TZID:") || strings.HasPrefix(line, "SUMMARY:") {
				got = append(got, line)
			}
		}
		if !slices.Equal(got, want) || !strings.Contains(string(list[i]), "X-WR-CALNAME:c\r\n") {
			t.Errorf("calendar %d: %v, want %v", i, got, want)
		}
		checkForm(t, string(list[i]))
		apply(t, string(list[i]))
	}
	if _, err := calendar.Split([]byte("no")); !errors.Is(err, calendar.ErrNotCalendar) {
		t.Error(err)
	}
}

func TestLost(t *testing.T) {
	t.Parallel()
	got := calendar.Lost([]byte(calendarOf("X-WR-CALNAME:secret", "BEGIN:VEVENT", "UID:1", "DTSTART:20240307T100000Z", "X-FOO;A=secret:secret", "GEO:1;2", "RDATE:20240308T100000Z",
		"BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-PT5M", "END:VALARM", "BEGIN:VALARM", "ACTION:EMAIL", "TRIGGER:-PT5M", "END:VALARM", "BEGIN:VALARM", "ACTION:SECRET", "TRIGGER:PT5M", "END:VALARM",
		"END:VEVENT", "BEGIN:VEVENT", "UID:2", "X-BAR:left to Split", "END:VEVENT", "BEGIN:VFREEBUSY", "END:VFREEBUSY")))
	if want := []string{"X-WR-CALNAME", "VFREEBUSY", "X-FOO", "GEO", "RDATE", "VALARM:EMAIL", "VALARM:OTHER"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	for rule, want := range map[string]int{"FREQ=MONTHLY;BYMONTHDAY=30": 1, "FREQ=MONTHLY;BYMONTHDAY=30;COUNT=9": 0, "FREQ=MONTHLY;BYMONTHDAY=-1": 0, "FREQ=YEARLY": 0} {
		got := calendar.Lost([]byte(eventOf("DTSTART:20240330T100000Z", "RRULE:"+rule)))
		if len(got) != want || want == 1 && got[0] != "RRULE:SHORT-MONTHS" {
			t.Errorf("%s: %v", rule, got)
		}
	}
	if got := calendar.Lost([]byte(meeting("REQUEST", "LOCATION:x", "ATTENDEE:mailto:a@b"))); got != nil {
		t.Errorf("of a plain meeting: %v", got)
	}
	if got := calendar.Lost([]byte("no")); got != nil {
		t.Error(got)
	}
}
