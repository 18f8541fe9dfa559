package exchangetest

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/beevik/etree"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/calendar"
)

// joint is a property that hangs together with others: makeEvent and makeTask set them all at once.
func joint(p itemProperty) itemProperty {
	p.set = func(*mapi.Message, *etree.Element) {}
	p.joint = true
	return p
}

// maker makes an item whole whose joint properties a request gave. Those of an
// update stand on what the item said before.
type maker struct {
	owner mapi.Address // of the mailbox
	zone  string       // of times that name none: that of the request's TimeZoneContext
	now   time.Time
}

// make sets what the joint properties of the item's class mean together.
func (k maker) make(m *mapi.Message, element string, given *etree.Element) *failure {
	switch element {
	case "t:CalendarItem":
		return k.event(m, given)
	case "t:Contact":
		makeContact(m)
	case "t:Task":
		return k.task(m, given)
	}
	return nil
}

// present are the joint properties as the item has them.
func present(m *mapi.Message, element string) *etree.Element {
	return written(func(x *xmlWriter) {
		for _, p := range itemProperties() {
			if p.joint && p.belongs(element) {
				p.write(x, &itemData{itemView: itemView{rev: &revision{}}, m: m})
			}
		}
	})
}

// written is an element that holds what write writes.
func written(write func(*xmlWriter)) *etree.Element {
	var b bytes.Buffer
	x := newXMLWriter(&b)
	x.start("t:Written", "xmlns:t", nsTypes)
	write(x)
	x.end()
	x.Flush()
	doc := etree.NewDocument()
	if doc.ReadFromBytes(b.Bytes()) != nil {
		return etree.NewElement("t:Written") // cannot happen: it was written here
	}
	return doc.Root()
}

// over lays elements over those of the same name; one without a value takes its
// away. Where a client says how far a task is, what it says counts alone.
func over(e *etree.Element, changes []*etree.Element) {
	progress := []string{"Status", "PercentComplete", "CompleteDate"}
	if slices.ContainsFunc(changes, func(c *etree.Element) bool { return slices.Contains(progress, c.Tag) }) {
		for _, name := range progress {
			if old := child(e, name); old != nil {
				e.RemoveChild(old)
			}
		}
	}
	for _, c := range changes {
		if old := child(e, c.Tag); old != nil {
			e.RemoveChild(old)
		}
		if len(c.Child) > 0 || len(c.Attr) > 0 {
			e.AddChild(c.Copy())
		}
	}
}

// event sets the properties of an appointment, by way of iCalendar.
func (k maker) event(m *mapi.Message, given *etree.Element) *failure {
	zones, f := k.zones(given)
	if f != nil {
		return f
	}
	start, f := k.wall(given, "Start", zones[0], k.now.UTC().Truncate(time.Minute))
	if f != nil {
		return f
	}
	end, f := k.wall(given, "End", zones[1], start.Add(30*time.Minute))
	if f != nil {
		return f
	}
	first, _ := instant(start, zones[0])
	if last, _ := instant(end, zones[1]); last.Before(first) {
		return fail("ErrorCalendarEndDateIsEarlierThanStartDate")
	}
	var lines calendarLines
	lines.add("BEGIN:VEVENT", "UID:"+k.uid(m, given), "DTSTAMP:"+k.now.UTC().Format("20060102T150405Z"))
	allDay := isTrue(childText(given, "IsAllDayEvent"))
	if allDay {
		if day := end.Truncate(24 * time.Hour); !day.Equal(end) { // EWS: to the midnights around
			end = day.AddDate(0, 0, 1)
		}
		start = start.Truncate(24 * time.Hour)
	}
	lines.moment("DTSTART", start, zones[0], allDay)
	lines.moment("DTEND", end, zones[1], allDay)
	rule, f := lines.details(given)
	if f != nil {
		return f
	}
	lines.people(m, given, k.owner)
	if common(lidReminderSet).truth(m) {
		minutes, ok := common(lidReminderDelta).number(m)
		if !ok {
			minutes = 15
		}
		lines.add("BEGIN:VALARM", "ACTION:DISPLAY", fmt.Sprintf("TRIGGER:-PT%dM", max(minutes, 0)), "END:VALARM")
	}
	lines.add("END:VEVENT")
	return k.apply(m, lines, rule)
}

// apply sets the properties that the lines mean. A series that is the same as before keeps its exceptions.
func (k maker) apply(m *mapi.Message, lines calendarLines, rule string) *failure {
	class, before, blob := m.Class(), recurrenceOf(m), appointment(lidRecurrence).binary(m)
	appointment(lidRecurrence).remove(m)
	m.Recipients = nil
	if m.Properties.Find(mapi.PidTagSubject) == nil {
		setSubject(m, nil)
	}
	if err := calendar.Apply(m, lines.object()); err != nil {
		return fail("ErrorCorruptData")
	}
	if class != "" {
		m.Properties.Set(mapi.NewText(mapi.PidTagMessageClass, class))
	}
	after := recurrenceOf(m)
	switch {
	case rule != "" && after == nil:
		return fail("ErrorCalendarInvalidRecurrence")
	case before != nil && after != nil && sameSeries(*before, *after):
		appointment(lidRecurrence).put(m, mapi.NewBinary(lidRecurrence, blob))
	case before != nil:
		m.Attachments = slices.DeleteFunc(m.Attachments, func(a mapi.Attachment) bool { return calendar.IsException(&a) })
	}
	return nil
}

func sameSeries(a, b calendar.AppointmentRecurrence) bool {
	plain := func(r calendar.AppointmentRecurrence) []byte {
		r.Deleted, r.Modified, r.Exceptions = nil, nil, nil
		r.ReservedBlock1, r.ReservedBlock2, r.Extra = nil, nil, nil
		return r.Bytes()
	}
	return bytes.Equal(plain(a), plain(b))
}

// uid is that of the item, else the one given, else one of the item's own.
func (k maker) uid(m *mapi.Message, given *etree.Element) string {
	if uid := strings.TrimSpace(childText(given, "UID")); uid != "" {
		return oneLine(uid)
	}
	key := m.Properties.Binary(mapi.PidTagSearchKey)
	return calendar.GlobalObjectID{Created: uint64(k.now.Unix()+11644473600) * 1e7, Data: key}.UID()
}

// zones are those of start and end. EWS: without one it is that of the request, else UTC
func (k maker) zones(given *etree.Element) (zones [2]string, f *failure) {
	start := cmp.Or(zoneGiven(child(given, "MeetingTimeZone")), zoneGiven(child(given, "StartTimeZone")), k.zone)
	end := cmp.Or(zoneGiven(child(given, "EndTimeZone")), start)
	for _, zone := range []string{start, end} {
		if _, known := instant(k.now, zone); !known {
			return zones, fail("ErrorCalendarInvalidTimeZone") // todo: EWS TimeZoneDefinitionType, zones that have no name
		}
	}
	return [2]string{start, end}, nil
}

func zoneGiven(e *etree.Element) string {
	if e == nil {
		return ""
	}
	for _, name := range []string{"Id", "TimeZoneName", "Name"} {
		if v := attr(e, name); v != "" {
			return zoneID(v)
		}
	}
	return ""
}

// zoneID is the name of a zone; Exchange calls one of them by a URI too.
func zoneID(id string) string {
	if strings.EqualFold(id, "tzone://Microsoft/Utc") || id == "" {
		return "UTC"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == '"' {
			return -1
		}
		return r
	}, id)
}

// instant is when clocks of a zone show a time; what zones there are the package calendar knows.
func instant(wall time.Time, zone string) (at time.Time, known bool) {
	zone = zoneID(zone)
	var lines calendarLines
	lines.add("BEGIN:VEVENT")
	lines.moment("DTSTART", wall, zone, false)
	lines.add("END:VEVENT")
	var m mapi.Message
	if calendar.Apply(&m, lines.object()) != nil {
		return at, false
	}
	at, known = appointment(lidStart).time(&m)
	name := zoneName(&m, lidStartZone)
	return at, known && (name != "UTC" || slices.Contains(strings.Fields("UTC GMT Z Etc/UTC Etc/GMT Etc/Zulu"), zone))
}

// wall is a time of an event as clocks of its zone show it.
func (k maker) wall(given *etree.Element, name, zone string, otherwise time.Time) (time.Time, *failure) {
	text := strings.TrimSpace(childText(given, name))
	if text == "" {
		return otherwise, nil
	}
	at, err := parseTime(text)
	if err != nil || at.Year() < 1602 || at.Year() > lastYear {
		return at, fail("ErrorCalendarOutOfRange")
	}
	if _, err := time.Parse(wallLayout, text); err == nil {
		return at, nil // without a zone it is what clocks show
	}
	wall := at.UTC()
	for range 2 { // once more where the clocks change in between
		shown, _ := instant(wall, zone)
		wall = wall.Add(at.Sub(shown))
	}
	return wall, nil
}

const wallLayout = "2006-01-02T15:04:05.999999999"

// calendarLines are the lines of an event or a task in iCalendar.
type calendarLines []string

func (l *calendarLines) add(lines ...string) { *l = append(*l, lines...) }

// object is the whole object of them.
func (l calendarLines) object() []byte {
	return []byte("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n" + strings.Join(l, "\r\n") + "\r\nEND:VCALENDAR\r\n")
}

func (l *calendarLines) moment(name string, wall time.Time, zone string, day bool) {
	kind, layout := "", "20060102T150405"
	if day {
		kind, layout = ";VALUE=DATE", "20060102"
	}
	l.add(name + kind + `;TZID="` + zone + `":` + wall.Format(layout))
}

// details are place, look and recurrence.
func (l *calendarLines) details(given *etree.Element) (rule string, f *failure) {
	if where := childText(given, "Location"); where != "" {
		l.add("LOCATION:" + escaped(where))
	}
	if busy := childText(given, "LegacyFreeBusyStatus"); busy != "" {
		l.add("X-MICROSOFT-CDO-BUSYSTATUS:" + strings.ToUpper(busy))
	}
	e := child(given, "Recurrence")
	if e == nil {
		return "", nil
	}
	rule, ok := ruleOf(e)
	if !ok {
		return "", fail("ErrorCalendarInvalidRecurrence")
	}
	l.add("RRULE:" + rule)
	return rule, nil
}

// people are the organizer, who stays the one he was, and those who are asked to come.
func (l *calendarLines) people(m *mapi.Message, given *etree.Element, owner mapi.Address) {
	if from := m.From(); from.Email != "" {
		owner = from
	}
	l.add(`ORGANIZER;CN="` + oneLine(shownName(owner)) + `":mailto:` + oneLine(owner.Email))
	for _, kind := range []struct{ list, role string }{
		{"RequiredAttendees", "ROLE=REQ-PARTICIPANT"}, {"OptionalAttendees", "ROLE=OPT-PARTICIPANT"}, {"Resources", "CUTYPE=RESOURCE"},
	} {
		for who := range childrenOf(child(given, kind.list)) {
			a := readAddress(child(who, "Mailbox"))
			l.add("ATTENDEE;" + kind.role + ";PARTSTAT=" + partstat(childText(who, "ResponseType")) +
				`;RSVP=TRUE;CN="` + oneLine(shownName(a)) + `":mailto:` + oneLine(a.Email))
		}
	}
}

func partstat(response string) string {
	switch response {
	case "Accept":
		return "ACCEPTED"
	case "Decline":
		return "DECLINED"
	case "Tentative":
		return "TENTATIVE"
	}
	return "NEEDS-ACTION"
}

// escaped is a text of iCalendar [RFC 5545] 3.3.11.
func escaped(s string) string {
	return strings.NewReplacer(`\`, `\\`, ";", `\;`, ",", `\,`, "\r\n", `\n`, "\n", `\n`, "\r", "").Replace(s)
}

// oneLine drops what would end a line or a quoted parameter.
func oneLine(s string) string { return strings.NewReplacer("\r", "", "\n", " ", `"`, "'").Replace(s) }
