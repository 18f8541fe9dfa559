package calendar_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/calendar"
)

// meeting is a meeting of ann with bob, carl and a room; method "" is none.
func meeting(method string, lines ...string) string {
	if method != "" {
		method = "METHOD:" + method + "\r\n"
	}
	return "BEGIN:VCALENDAR\r\n" + method + strings.Join(append([]string{"BEGIN:VEVENT", "UID:u@x", "DTSTAMP:20240102T030405Z", "DTSTART:20240307T100000Z", "DTEND:20240307T110000Z",
		"SUMMARY:Talk", "ORGANIZER;CN=Ann:MAILTO:ann@example.com"}, append(lines, "END:VEVENT", "END:VCALENDAR", "")...), "\r\n")
}

func TestMethods(t *testing.T) {
	t.Parallel()
	bob := func(partstat string) string {
		return "ATTENDEE;PARTSTAT=" + partstat + ";CN=Bob:mailto:bob@example.com"
	}
	for name, c := range map[string]struct {
		ics, class, method, from string
		state, response          string
	}{
		"none":           {meeting(""), "IPM.Appointment", "PUBLISH", "Ann <ann@example.com>", "0", "0"},
		"publish":        {meeting("PUBLISH", bob("ACCEPTED")), "IPM.Appointment", "PUBLISH", "Ann <ann@example.com>", "1", "1"},
		"request":        {meeting("request", bob("NEEDS-ACTION")), "IPM.Schedule.Meeting.Request", "REQUEST", "Ann <ann@example.com>", "3", "5"},
		"cancel":         {meeting("CANCEL", bob("ACCEPTED")), "IPM.Schedule.Meeting.Canceled", "CANCEL", "Ann <ann@example.com>", "7", "0"},
		"yes":            {meeting("REPLY", bob("ACCEPTED")), "IPM.Schedule.Meeting.Resp.Pos", "REPLY", "Bob <bob@example.com>", "1", "3"},
		"no":             {meeting("REPLY", bob("DECLINED")), "IPM.Schedule.Meeting.Resp.Neg", "REPLY", "Bob <bob@example.com>", "1", "4"},
		"perhaps":        {meeting("REPLY", bob("TENTATIVE")), "IPM.Schedule.Meeting.Resp.Tent", "REPLY", "Bob <bob@example.com>", "1", "2"},
		"counter":        {meeting("COUNTER", bob("TENTATIVE"), "X-MS-OLK-ORIGINALSTART:20240306T100000Z"), "IPM.Schedule.Meeting.Resp.Tent", "COUNTER", "Bob <bob@example.com>", "1", "2"},
		"unknown method": {meeting("X-NEW"), "IPM.Appointment", "PUBLISH", "Ann <ann@example.com>", "0", "0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := apply(t, c.ics)
			if m.Class() != c.class || calendar.Method(m) != c.method || !calendar.Is(m) {
				t.Errorf("class %s, method %s", m.Class(), calendar.Method(m))
			}
			if m.From().String() != c.from {
				t.Errorf("from %s, want %s", m.From(), c.from)
			}
			if state, response := show(m, setAppointment, 0x8217), show(m, setAppointment, 0x8218); state != c.state || response != c.response {
				t.Errorf("state %s, response %s, want %s and %s", state, response, c.state, c.response)
			}
			again := apply(t, write(t, m))
			if again.Class() != c.class || again.From() != m.From() || show(again, setAppointment, 0x8218) != c.response || len(again.Recipients) != len(m.Recipients) {
				t.Errorf("again: class %s, from %s, response %s, %d recipients\n%s", again.Class(), again.From(), show(again, setAppointment, 0x8218), len(again.Recipients), write(t, m))
			}
		})
	}
}

func TestCounter(t *testing.T) {
	t.Parallel()
	m := apply(t, meeting("COUNTER", "ATTENDEE;PARTSTAT=TENTATIVE:mailto:bob@example.com", "X-MS-OLK-ORIGINALSTART:20240306T100000Z", "X-MS-OLK-ORIGINALEND:20240306T110000Z"))
	got := []string{show(m, setAppointment, 0x8257), show(m, setAppointment, 0x8250), show(m, setAppointment, 0x8251), show(m, setAppointment, 0x820D), show(m, setAppointment, 0x820E), show(m, setMeeting, 1)}
	if want := []string{"true", "2024-03-07T10:00:00Z", "2024-03-07T11:00:00Z", "2024-03-06T10:00:00Z", "2024-03-06T11:00:00Z", "2024-01-02T03:04:05Z"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	out := write(t, m)
	for _, line := range []string{"METHOD:COUNTER", "DTSTART:20240307T100000Z", "X-MS-OLK-ORIGINALSTART:20240306T100000Z"} {
		if !strings.Contains(out, line+"\r\n") {
			t.Errorf("no %s in\n%s", line, out)
		}
	}
}

func TestProperties(t *testing.T) {
	t.Parallel()
	m := apply(t, meeting("REQUEST",
		"LOCATION:Room 1\\, 2nd floor", "DESCRIPTION:one\\ntwo", "CLASS:PRIVATE", "PRIORITY:1", "CATEGORIES:Red,Big\\, blue", "CATEGORIES:Red", "SEQUENCE:3", "CONTACT:Carl",
		"X-MICROSOFT-CDO-BUSYSTATUS:OOF", "X-MICROSOFT-CDO-OWNERAPPTID:-77", "X-MICROSOFT-DISALLOW-COUNTER:TRUE", "CREATED:20240101T000000Z",
		"ATTENDEE;ROLE=CHAIR;PARTSTAT=ACCEPTED;CN=Ann:mailto:ann@example.com",
		"ATTENDEE;ROLE=REQ-PARTICIPANT;RSVP=TRUE;PARTSTAT=NEEDS-ACTION;CN=\"Bob; the\":mailto:bob@example.com",
		"ATTENDEE;ROLE=OPT-PARTICIPANT;PARTSTAT=DECLINED:mailto:carl@example.com",
		"ATTENDEE;CUTYPE=ROOM;PARTSTAT=TENTATIVE;CN=Room 1:mailto:room1@example.com",
		"BEGIN:VALARM", "ACTION:EMAIL", "TRIGGER:-PT5M", "END:VALARM", "BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER;RELATED=END:-PT1H30M", "END:VALARM"))
	for what, got := range map[string][2]string{
		"subject":       {m.Subject(), "Talk"},
		"body":          {m.BodyText(), "one\ntwo"},
		"location":      {show(m, setAppointment, 0x8208), `"Room 1, 2nd floor"`},
		"where":         {show(m, setMeeting, 2), `"Room 1, 2nd floor"`},
		"private":       {show(m, setCommon, 0x8506), "true"},
		"busy":          {show(m, setAppointment, 0x8205), "1"},
		"intended":      {show(m, setAppointment, 0x8224), "3"},
		"sequence":      {show(m, setAppointment, 0x8201), "3"},
		"not propose":   {show(m, setAppointment, 0x825A), "true"},
		"duration":      {show(m, setAppointment, 0x8213), "60"},
		"all day":       {show(m, setAppointment, 0x8215), "false"},
		"reminder":      {show(m, setCommon, 0x8503), "true"},
		"delta":         {show(m, setCommon, 0x8501), "30"},
		"signal":        {show(m, setCommon, 0x8560), "2024-03-07T09:30:00Z"},
		"recurring":     {show(m, setAppointment, 0x8223), "false"},
		"owner changed": {show(m, setMeeting, 0x1A), "2024-01-02T03:04:05Z"},
		"categories":    {strings.Join(m.Categories(), "|"), "Red|Big, blue"},
		"all":           {show(m, setAppointment, 0x8238), `"Bob; the; carl@example.com; Room 1"`},
		"to":            {fmt.Sprint(m.To()), "[Ann <ann@example.com> Bob; the <bob@example.com>]"},
		"cc":            {fmt.Sprint(m.Cc()), "[carl@example.com]"},
		"room":          {fmt.Sprint(m.Bcc()), "[Room 1 <room1@example.com>]"},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: %s, want %s", what, got[0], got[1])
		}
	}
	for id, want := range map[uint16]int32{mapi.PidTagSensitivity: 2, mapi.PidTagImportance: 2, 0x62: -77} {
		if got, _ := m.Properties.Int32(id); got != want {
			t.Errorf("%04X is %d, want %d", id, got, want)
		}
	}
	var tracks, flags []int32
	for _, r := range m.Recipients {
		track, _ := r.Int32(0x5FFF)
		flag, _ := r.Int32(mapi.PidTagRecipientFlags)
		tracks, flags = append(tracks, track), append(flags, flag)
	}
	if !slices.Equal(tracks, []int32{0, 0, 4, 2}) || !slices.Equal(flags, []int32{3, 1, 1, 1}) {
		t.Errorf("tracks %v, flags %v", tracks, flags)
	}
	checkAgain(t, m)
}

// checkAgain: what is written and read again has the same values.
func checkAgain(t *testing.T, m *mapi.Message) {
	t.Helper()
	again := apply(t, write(t, m))
	for i := range m.Properties {
		p := &m.Properties[i]
		var q *mapi.Property
		if p.Name != nil {
			q = again.Properties.FindNamed(*p.Name)
		} else {
			q = again.Properties.Find(p.Tag.ID())
		}
		if q == nil || !bytes.Equal(p.Data, q.Data) {
			t.Errorf("%s: %s the first time", p.Canonical(), p.Display(0, 200))
		}
	}
	if len(again.Recipients) != len(m.Recipients) {
		t.Errorf("%d recipients, %d the first time", len(again.Recipients), len(m.Recipients))
	}
}

// What the message says itself stays: it came with the mail.
func TestKeeps(t *testing.T) {
	t.Parallel()
	m := &mapi.Message{Properties: mapi.Bag{mapi.NewText(mapi.PidTagMessageClass, "IPM.Note"), mapi.NewText(mapi.PidTagSubject, "mine"),
		mapi.NewText(mapi.PidTagBody, "my body"), mapi.NewText(mapi.PidTagSentRepresentingName, "Me")},
		Recipients: []mapi.Bag{{mapi.NewText(mapi.PidTagDisplayName, "You")}}}
	if err := calendar.Apply(m, []byte(meeting("REQUEST", "DESCRIPTION:other", "ATTENDEE:mailto:bob@example.com"))); err != nil {
		t.Fatal(err)
	}
	if m.Subject() != "mine" || m.BodyText() != "my body" || m.From().Name != "Me" || len(m.Recipients) != 1 {
		t.Errorf("subject %q, body %q, from %v, %d recipients", m.Subject(), m.BodyText(), m.From(), len(m.Recipients))
	}
}

func TestAllDay(t *testing.T) {
	t.Parallel()
	zone := "BEGIN:VTIMEZONE\r\nTZID:Here\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETFROM:-0500\r\nTZOFFSETTO:-0500\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
	event := func(lines ...string) string {
		return calendarOf(zone + "BEGIN:VEVENT\r\nUID:u\r\n" + strings.Join(lines, "\r\n") + "\r\nEND:VEVENT")
	}
	for name, ics := range map[string]string{
		"date":      event("DTSTART;VALUE=DATE:20240307"),
		"same end":  event("DTSTART;VALUE=DATE:20240307", "DTEND;VALUE=DATE:20240307"),
		"duration":  event("DTSTART;VALUE=DATE:20240307", "DURATION:P1D"),
		"exchange":  event("DTSTART;TZID=Here:20240307T000000", "DTEND;TZID=Here:20240308T000000", "X-MICROSOFT-CDO-ALLDAYEVENT:TRUE"),
		"elsewhere": event("DTSTART:20240307T050000Z", "DTEND:20240308T050000Z", "X-MICROSOFT-CDO-ALLDAYEVENT:TRUE"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := apply(t, ics)
			if got := show(m, setAppointment, 0x8215) + show(m, setAppointment, 0x820D) + show(m, setAppointment, 0x820E); got != "true2024-03-07T05:00:00Z2024-03-08T05:00:00Z" {
				t.Error(got)
			}
			if out := write(t, m); !strings.Contains(out, "DTSTART;VALUE=DATE:20240307\r\nDTEND;VALUE=DATE:20240308\r\n") {
				t.Error(out)
			}
		})
	}
}

func TestTasks(t *testing.T) {
	t.Parallel()
	task := func(lines ...string) string {
		return calendarOf("BEGIN:VTODO\r\nUID:t\r\nSUMMARY:Do it\r\n" + strings.Join(lines, "\r\n") + "\r\nEND:VTODO")
	}
	for name, c := range map[string]struct{ ics, status, percent, complete, due string }{
		"plain":     {task("DUE;VALUE=DATE:20240307"), "0", "0", "false", "2024-03-07T00:00:00Z"},
		"begun":     {task("STATUS:IN-PROCESS", "PERCENT-COMPLETE:50", "DTSTART;VALUE=DATE:20240301", "DURATION:P2D"), "1", "0.5", "false", "2024-03-03T00:00:00Z"},
		"done":      {task("STATUS:COMPLETED", "COMPLETED:20240305T120000Z"), "2", "1", "true", "none"},
		"all of it": {task("PERCENT-COMPLETE:100"), "2", "1", "true", "none"},
		"monthly":   {task("DTSTART;VALUE=DATE:20240301", "DUE;VALUE=DATE:20240301", "RRULE:FREQ=MONTHLY;COUNT=4"), "0", "0", "false", "2024-03-01T00:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := apply(t, c.ics)
			if m.Class() != "IPM.Task" || !calendar.Is(m) || calendar.Method(m) != "PUBLISH" {
				t.Errorf("class %s", m.Class())
			}
			got := []string{show(m, setTask, 0x8101), show(m, setTask, 0x8102), show(m, setTask, 0x811C), show(m, setTask, 0x8105)}
			if want := []string{c.status, c.percent, c.complete, c.due}; !slices.Equal(got, want) {
				t.Errorf("%v, want %v", got, want)
			}
			if p := named(m, setTask, 0x8116); p != nil {
				r, rest, err := calendar.ParseRecurrencePattern(p.Bytes())
				if err != nil || len(rest) > 0 || !bytes.Equal(r.Append(nil), p.Bytes()) {
					t.Errorf("recurrence: %v, %d bytes behind", err, len(rest))
				}
			}
			checkAgain(t, m)
		})
	}
}

func TestNotCalendar(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]string{"empty": "", "text": "Dear all,\nBEGIN is near", "vcard": "BEGIN:VCARD\nFN:x\nEND:VCARD\n", "no event": "BEGIN:VCALENDAR\nEND:VCALENDAR\n",
		"journal": "BEGIN:VCALENDAR\nBEGIN:VJOURNAL\nEND:VJOURNAL\nEND:VCALENDAR\n"} {
		m := &mapi.Message{}
		if err := calendar.Apply(m, []byte(in)); !errors.Is(err, calendar.ErrNotCalendar) || len(m.Properties) > 0 {
			t.Errorf("%s: %v, %d properties", name, err, len(m.Properties))
		}
	}
	mail := &mapi.Message{Properties: mapi.Bag{mapi.NewText(mapi.PidTagMessageClass, "IPM.Note")}}
	if err := calendar.Write(&bytes.Buffer{}, mail); !errors.Is(err, calendar.ErrNotCalendar) || calendar.Is(mail) || calendar.Method(mail) != "" {
		t.Errorf("a mail: %v", err)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]string{
		"depth": strings.Repeat("BEGIN:X\n", 1000),
		"wide":  "BEGIN:VCALENDAR\n" + strings.Repeat("BEGIN:X\nEND:X\n", 70000),
		"lines": "BEGIN:VCALENDAR\n" + strings.Repeat("A:\n", 1<<20),
	} {
		if err := calendar.Apply(&mapi.Message{}, []byte(in)); err == nil || errors.Is(err, calendar.ErrNotCalendar) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
