package calendar

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"mailbrick/fetch/mapi"
)

// span is when an event takes place.
type span struct {
	known      bool
	start, end moment
	allDay     bool
}

func (s span) length() time.Duration { return s.end.instant().Sub(s.start.instant()) }

// span reads DTSTART, DTEND and DURATION [MS-OXCICAL] 2.1.3.1.1.20.
func (r *reader) span(c *component) span {
	var s span
	s.start, s.known = r.zones.moment(c.find("DTSTART"))
	if s.known = s.known && s.start.wall.Year() > firstRuleYear; !s.known { // times of properties begin in 1601
		return s
	}
	s.allDay = s.start.isDate || truth(c, "X-MICROSOFT-CDO-ALLDAYEVENT") || truth(c, "X-MICROSOFT-MSNCALENDAR-ALLDAYEVENT")
	var ok bool
	s.end, ok = r.zones.moment(c.find("DTEND"))
	if length, told := parseDuration(c.value("DURATION")); !ok && told {
		s.end, ok = s.start, true
		s.end.wall = s.start.zone.local(s.start.instant().Add(length))
	}
	if s.allDay {
		s.toDays(r.zones.floating, ok)
	}
	if !ok && !s.allDay || s.end.instant().Before(s.start.instant()) {
		s.end = s.start
	}
	return s
}

// toDays makes whole days of an event: at least one, from midnight to midnight.
func (s *span) toDays(floating *zone, hasEnd bool) {
	for _, m := range []*moment{&s.start, &s.end} {
		if m.utc && m.wall != day(m.wall) { // midnight elsewhere
			m.zone, m.wall, m.utc = floating, floating.local(m.wall), false
		}
		m.wall = day(m.wall)
	}
	if !hasEnd || !s.end.wall.After(s.start.wall) {
		s.end = s.start
		s.end.wall = s.start.wall.AddDate(0, 0, 1)
	}
	s.end.zone, s.end.utc = s.start.zone, s.start.utc
}

func truth(c *component, name string) bool { return strings.EqualFold(c.value(name), "TRUE") }

// parseDuration reads a DURATION [RFC 5545] 3.3.6 of at most ten thousand days.
func parseDuration(v string) (time.Duration, bool) {
	v = strings.ToUpper(strings.TrimSpace(v))
	negative := strings.HasPrefix(v, "-")
	v, ok := strings.CutPrefix(strings.TrimLeft(v, "+-"), "P")
	units := map[byte]time.Duration{'W': 7 * 24 * time.Hour, 'D': 24 * time.Hour, 'H': time.Hour, 'M': time.Minute, 'S': time.Second}
	var sum time.Duration
	for v != "" && ok {
		v = strings.TrimPrefix(v, "T")
		n := strings.IndexAny(v, "WDHMS")
		if n <= 0 {
			return 0, false
		}
		count, err := strconv.ParseUint(v[:n], 10, 31)
		if err != nil || count > uint64(10000*24*time.Hour/units[v[n]]) {
			return 0, false
		}
		sum += time.Duration(count) * units[v[n]]
		v = v[n+1:]
	}
	if negative {
		sum = -sum
	}
	return sum, ok && sum.Abs() <= 10000*24*time.Hour
}

// event sets when and where an event is and what it is to its owner.
func (r *reader) event(b bag, c *component) span {
	when := r.span(c)
	if when.known {
		r.times(b, when)
	}
	place := oneLine(c.text("LOCATION"))
	b.setText(lidLocation, place)
	b.setText(lidWhere, place)
	r.busy(b, c, when)
	r.reminder(b, c, when)
	if n, ok := sequenceOf(c); ok {
		b.setNumber(lidSequence, n)
	}
	if n, err := strconv.ParseInt(c.value("X-MICROSOFT-CDO-OWNERAPPTID"), 10, 32); err == nil {
		b.Set(mapi.NewInt32(idOwnerAppointmentID, int32(n)))
	}
	if t, ok := r.zones.moment(c.find("X-MICROSOFT-CDO-REPLYTIME")); ok {
		b.setTime(lidReplyTime, t.instant())
	}
	if truth(c, "X-MICROSOFT-DISALLOW-COUNTER") {
		b.setFlag(lidNotPropose, true)
	}
	r.critical(b, c)
	return when
}

// critical sets when the side that sent this made it [MS-OXOCAL] 2.2.1.34, 2.2.1.35.
func (r *reader) critical(b bag, c *component) {
	name, property := "X-MICROSOFT-CDO-OWNER-CRITICAL-CHANGE", lidOwnerCriticalChange
	if r.isResponse() {
		name, property = "X-MICROSOFT-CDO-ATTENDEE-CRITICAL-CHANGE", lidAttendeeCriticalChange
	}
	if t, ok := r.stamp(c, name); ok {
		b.setTime(property, t)
	}
}

func sequenceOf(c *component) (int32, bool) {
	for _, name := range []string{"X-MICROSOFT-CDO-APPT-SEQUENCE", "SEQUENCE"} {
		if n, err := strconv.ParseInt(c.value(name), 10, 32); err == nil && n >= 0 {
			return int32(n), true
		}
	}
	return 0, false
}

// times sets start and end; a COUNTER proposes them and tells the old ones apart.
func (r *reader) times(b bag, when span) {
	start, end := when.start.instant(), when.end.instant()
	if r.method == "COUNTER" {
		b.setFlag(lidCounter, true)
		b.setTime(lidProposedStart, start)
		b.setTime(lidProposedEnd, end)
		if t, ok := r.zones.moment(r.main.find("X-MS-OLK-ORIGINALSTART")); ok {
			start = t.instant()
		}
		if t, ok := r.zones.moment(r.main.find("X-MS-OLK-ORIGINALEND")); ok {
			end = t.instant()
		}
	}
	for _, l := range []lid{lidStartWhole, lidCommonStart, lidClipStart} {
		b.setTime(l, start)
	}
	for _, l := range []lid{lidEndWhole, lidCommonEnd, lidClipEnd} {
		b.setTime(l, end)
	}
	b.Set(mapi.NewTime(idStartDate, start))
	b.Set(mapi.NewTime(idEndDate, end))
	b.setNumber(lidDuration, int32(min(end.Sub(start)/time.Minute, 1<<30)))
	b.setFlag(lidSubType, when.allDay)
	b.setBinary(lidZoneStart, when.start.zone.definition(when.start.wall.Year(), RuleEffective).Bytes())
	b.setBinary(lidZoneEnd, when.end.zone.definition(when.end.wall.Year(), RuleEffective).Bytes())
}

// busy sets how the owner is to be seen [MS-OXCICAL] 2.1.3.1.1.20.31. Who is
// asked to come is tentative until he answers.
func (r *reader) busy(b bag, c *component, when span) {
	status, intended := busyOf(c, when), int32(-1)
	if v, ok := busyStatus(c.value("X-MICROSOFT-CDO-INTENDEDSTATUS")); ok {
		intended = v
	}
	if r.method == "REQUEST" {
		if intended < 0 {
			intended = status
		}
		status = busyTentative
	}
	b.setNumber(lidBusyStatus, status)
	if intended >= 0 {
		b.setNumber(lidIntendedBusy, intended)
	}
}

func busyOf(c *component, when span) int32 {
	for _, name := range []string{"X-MICROSOFT-CDO-BUSYSTATUS", "X-MICROSOFT-MSNCALENDAR-BUSYSTATUS"} {
		if v, ok := busyStatus(c.value(name)); ok {
			return v
		}
	}
	switch strings.ToUpper(c.value("TRANSP")) {
	case "TRANSPARENT":
		return busyFree
	case "OPAQUE":
		return busyBusy
	}
	switch strings.ToUpper(c.value("STATUS")) { // [MS-OXCICAL] 2.1.3.1.1.20.23
	case "CANCELLED":
		return busyFree
	case "TENTATIVE":
		return busyTentative
	}
	return busyBusy
}

func busyNames() []string {
	return []string{"FREE", "TENTATIVE", "BUSY", "OOF", "WORKINGELSEWHERE"}
}

func busyStatus(v string) (int32, bool) {
	for i, name := range busyNames() {
		if strings.EqualFold(v, name) {
			return int32(i), true
		}
	}
	return 0, false
}

// reminder takes the first alarm that Exchange can show: one before the start.
func (r *reader) reminder(b bag, c *component, when span) {
	for _, alarm := range c.children("VALARM") {
		if before, ok := r.alarm(alarm, when); ok {
			start := when.start.instant()
			b.setFlag(lidReminderSet, true)
			b.setNumber(lidReminderDelta, int32(before/time.Minute))
			b.setTime(lidReminderTime, start)
			b.setTime(lidReminderSignal, start.Add(-before))
			return
		}
	}
	b.setFlag(lidReminderSet, false)
}

// alarm is how long before the start of an event an alarm goes off.
func (r *reader) alarm(alarm *component, when span) (before time.Duration, ok bool) {
	trigger := alarm.find("TRIGGER")
	action := strings.ToUpper(alarm.value("ACTION"))
	if trigger == nil || action == "EMAIL" || action == "PROCEDURE" || !when.known {
		return 0, false
	}
	if d, ok := parseDuration(trigger.value); ok {
		before = -d
		if strings.EqualFold(trigger.param("RELATED"), "END") {
			before -= when.length()
		}
	} else if t, ok := r.zones.moment(trigger); ok && !t.isDate {
		before = when.start.instant().Sub(t.instant())
	} else {
		return 0, false
	}
	return before, before >= 0 && before <= 10000*24*time.Hour
}

// meeting sets who organizes and who comes.
func (r *reader) meeting(m *mapi.Message) {
	b := bag{&m.Properties}
	organizer, organized := parsePerson(r.main.find("ORGANIZER"))
	attendees := people(r.main)
	state, response := r.standing(len(attendees) > 0)
	b.setText(lidAppointmentClass, "IPM.Appointment")
	b.setNumber(lidStateFlags, state)
	b.setNumber(lidResponseStatus, response)
	b.setFlag(lidFInvited, r.method == "REQUEST")
	if r.method == "REQUEST" {
		b.setNumber(lidMeetingType, meetingTypeRequest)
		b.Set(mapi.NewBool(idResponseRequested, len(attendees) == 0 || anyAsked(attendees)))
	}
	if r.isResponse() {
		if len(attendees) > 0 {
			setFrom(b, attendees[0])
		}
		attendees = nil
	} else if organized {
		setFrom(b, organizer)
	}
	r.recipients(m, organizer, organized, attendees)
}

// standing is PidLidAppointmentStateFlags and PidLidResponseStatus [MS-OXOCAL] 2.2.1.10, 2.2.1.11.
func (r *reader) standing(invited bool) (state, response int32) {
	if invited {
		state = stateMeeting
	}
	switch r.method {
	case "REQUEST":
		return stateMeeting | stateReceived, responseNone
	case "CANCEL":
		return stateMeeting | stateReceived | stateCanceled, 0
	case "REPLY", "COUNTER":
		if response = r.response(); response == 0 {
			response = responseTentative
		}
		return state, response
	}
	if !invited {
		return 0, 0
	}
	if strings.EqualFold(r.main.value("STATUS"), "CANCELLED") {
		state |= stateCanceled
	}
	return state, responseOrganized
}

func anyAsked(list []person) bool {
	for _, a := range list {
		if a.rsvp {
			return true
		}
	}
	return false
}

// recipients adds rows where the message has none, and the lists of names.
func (r *reader) recipients(m *mapi.Message, organizer person, organized bool, attendees []person) {
	b := bag{&m.Properties}
	var all, to, cc []string
	attendees = slices.DeleteFunc(attendees, func(a person) bool { return organized && strings.EqualFold(a.Email, organizer.Email) })
	for _, a := range attendees { // without the organizer [MS-OXOCAL] 2.2.1.16
		name := a.Name
		if name == "" {
			name = a.Email
		}
		all = append(all, name)
		switch a.kind {
		case mapi.RecipientTo:
			to = append(to, name)
		case mapi.RecipientCc:
			cc = append(cc, name)
		}
	}
	if len(all) > 0 {
		b.setText(lidAllAttendees, strings.Join(all, "; "))
		b.setText(lidToAttendees, strings.Join(to, "; "))
		b.setText(lidCcAttendees, strings.Join(cc, "; "))
	}
	if len(m.Recipients) > 0 {
		return
	}
	if organized && (len(attendees) > 0 || r.isResponse()) {
		flags := recipientSendable
		if !r.isResponse() {
			flags |= recipientOrganizer
		}
		m.Recipients = append(m.Recipients, organizer.row(0, flags))
	}
	for _, a := range attendees {
		m.Recipients = append(m.Recipients, a.row(len(m.Recipients), recipientSendable))
	}
}
