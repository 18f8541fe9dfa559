package calendar

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"mailbrick/fetch/mapi"
)

// event is the VEVENT of a message [MS-OXCICAL] 2.1.3.1.1.20.
func (w *writer) event(m *mapi.Message, startZone, endZone *zone) *component {
	b := bag{&m.Properties}
	c := &component{name: "VEVENT"}
	w.head(c, m)
	allDay := b.flag(lidSubType)
	start, end, known := w.span(b)
	w.recurrenceID(c, b, start, startZone, allDay)
	if known {
		c.props = append(c.props, w.time("DTSTART", start, startZone, allDay), w.time("DTEND", end, endZone, allDay))
		if allDay { // whole days, at least one
			from, to := c.find("DTSTART"), c.find("DTEND")
			if to.value = dateOf(end, startZone).Format(dateLayout); to.value <= from.value {
				to.value = dateOf(start, startZone).AddDate(0, 0, 1).Format(dateLayout)
			}
		}
	}
	if w.method == "COUNTER" {
		w.original(c, b)
	}
	c.addText("LOCATION", b.string(lidLocation))
	w.people(c, m)
	w.status(c, b)
	w.details(c, m)
	if delta, _ := b.number(lidReminderDelta); b.flag(lidReminderSet) && known {
		c.subs = append(c.subs, alarm(trigger(delta), "RELATED", "START"))
	}
	return c
}

// span is when an event takes place; of a COUNTER when it should.
func (w *writer) span(b bag) (start, end time.Time, known bool) {
	pairs := [][2]lid{{lidStartWhole, lidEndWhole}, {lidCommonStart, lidCommonEnd}}
	if w.method == "COUNTER" {
		pairs = append([][2]lid{{lidProposedStart, lidProposedEnd}}, pairs...)
	}
	for _, pair := range pairs {
		if start, known = b.moment(pair[0]); known {
			var hasEnd bool
			if end, hasEnd = b.moment(pair[1]); !hasEnd || end.Before(start) {
				end = start
			}
			return start, end, true
		}
	}
	return start, end, false
}

func (w *writer) original(c *component, b bag) {
	if t, ok := b.moment(lidStartWhole); ok {
		c.add("X-MS-OLK-ORIGINALSTART", t.Format(utcLayout))
	}
	if t, ok := b.moment(lidEndWhole); ok {
		c.add("X-MS-OLK-ORIGINALEND", t.Format(utcLayout))
	}
}

// recurrenceID says which instance this is: PidLidExceptionReplaceTime, else
// the day in the id at the time of day of the event [MS-OXCICAL] 2.1.3.1.1.20.20.
func (w *writer) recurrenceID(c *component, b bag, start time.Time, z *zone, allDay bool) {
	g, err := ParseGlobalObjectID(b.binary(lidGlobalObjectID))
	isInstance := err == nil && g.Year != 0 || b.flag(lidIsException)
	at, ok := b.moment(lidReplaceTime)
	if ok && (isInstance || b.Text(mapi.PidTagMessageClass) == exceptionClass) {
		c.props = append(c.props, w.time("RECURRENCE-ID", at, z, allDay))
		return
	}
	if err != nil || g.Year == 0 || g.Month < 1 || g.Month > 12 {
		return
	}
	instance := date(int(g.Year), time.Month(g.Month), int(g.Day))
	if z == nil {
		z = utcZone()
	}
	wall := z.local(start)
	c.props = append(c.props, w.time("RECURRENCE-ID", z.instant(instance.Add(wall.Sub(day(wall)))), z, allDay))
}

// head is what events and tasks begin with.
func (w *writer) head(c *component, m *mapi.Message) {
	b := bag{&m.Properties}
	c.add("UID", escape(uidOf(m)))
	c.add("DTSTAMP", stampOf(m).Format(utcLayout))
	c.addText("SUMMARY", oneLine(m.Subject()))
	if n, ok := b.number(lidSequence); ok && n >= 0 {
		c.add("SEQUENCE", strconv.Itoa(int(n)))
	}
	if t, ok := b.Time(mapi.PidTagCreationTime); ok {
		c.add("CREATED", t.Format(utcLayout))
	}
	if t, ok := b.Time(mapi.PidTagLastModificationTime); ok {
		c.add("LAST-MODIFIED", t.Format(utcLayout))
	}
}

// stampOf is when the message was made: there is no clock here.
func stampOf(m *mapi.Message) time.Time {
	b := bag{&m.Properties}
	for _, l := range []lid{lidOwnerCriticalChange, lidAttendeeCriticalChange} {
		if t, ok := b.moment(l); ok {
			return t
		}
	}
	for _, id := range []uint16{mapi.PidTagClientSubmitTime, mapi.PidTagLastModificationTime, mapi.PidTagCreationTime, mapi.PidTagMessageDeliveryTime} {
		if t, ok := b.Time(id); ok {
			return t
		}
	}
	if t, ok := b.moment(lidStartWhole); ok {
		return t
	}
	return date(1970, 1, 1)
}

// details is the text and what else events and tasks have alike.
func (w *writer) details(c *component, m *mapi.Message) {
	b := bag{&m.Properties}
	c.addText("DESCRIPTION", strings.TrimRight(m.BodyText(), "\n"))
	if m.NativeBody() == mapi.NativeHTML {
		c.addText("X-ALT-DESC", m.HTML(), "FMTTYPE", "text/html")
	}
	c.addList("CATEGORIES", m.Categories())
	for _, contact := range b.TextsNamed(lidContacts.name()) {
		c.addText("CONTACT", contact)
	}
	if v, ok := b.Int32(mapi.PidTagSensitivity); ok && v >= 0 && v <= 3 {
		c.add("CLASS", []string{"PUBLIC", "X-PERSONAL", "PRIVATE", "CONFIDENTIAL"}[v])
	}
	if v, ok := b.Int32(mapi.PidTagImportance); ok && v >= 0 && v <= 2 {
		c.add("PRIORITY", []string{"9", "5", "1"}[v])
		c.add("X-MICROSOFT-CDO-IMPORTANCE", strconv.Itoa(int(v)))
	}
}

func (c *component) addList(name string, list []string) {
	var values []string
	for _, v := range list {
		if v = oneLine(v); strings.TrimSpace(v) != "" {
			values = append(values, escape(v))
		}
	}
	if len(values) > 0 {
		c.add(name, strings.Join(values, ","))
	}
}

// people are the organizer and the attendees; a response is of one attendee to the organizer.
func (w *writer) people(c *component, m *mapi.Message) {
	organizer, attendees := peopleOf(m)
	if w.method == "REPLY" || w.method == "COUNTER" {
		from := person{Address: m.From(), kind: mapi.RecipientTo, track: trackOf(m)}
		if len(attendees) > 0 {
			w.person(c, "ORGANIZER", attendees[0], attendees[0].named(nil))
		}
		w.person(c, "ATTENDEE", from, from.named([]string{"PARTSTAT", from.partstat()}))
		return
	}
	if len(attendees) > 0 || w.method != "PUBLISH" || strings.Contains(organizer.Email, "@") {
		w.person(c, "ORGANIZER", organizer, organizer.named(nil))
	}
	asked, _ := m.Properties.Bool(idResponseRequested)
	for _, a := range attendees {
		a.rsvp = asked && w.method == "REQUEST"
		w.person(c, "ATTENDEE", a, a.params())
	}
}

func (w *writer) person(c *component, name string, a person, params []string) {
	if a.Email != "" || a.Name != "" {
		c.add(name, a.value(), params...)
	}
}

// trackOf is the response that a class of message is.
func trackOf(m *mapi.Message) int32 {
	class := strings.ToUpper(m.Class())
	switch {
	case strings.Contains(class, ".RESP.POS"):
		return responseAccepted
	case strings.Contains(class, ".RESP.NEG"):
		return responseDeclined
	}
	return responseTentative
}

// status is how busy the event makes people, and the ids of the meeting.
func (w *writer) status(c *component, b bag) {
	names := busyNames()
	busy, told := b.number(lidBusyStatus)
	intended, meant := b.number(lidIntendedBusy)
	shown := busy
	if meant && w.method == "REQUEST" {
		shown = intended
	}
	transparency := "OPAQUE"
	if told && shown == busyFree {
		transparency = "TRANSPARENT"
	}
	c.add("TRANSP", transparency)
	state, _ := b.number(lidStateFlags)
	if w.method == "CANCEL" || state&stateCanceled != 0 {
		c.add("STATUS", "CANCELLED")
	}
	if told && busy >= 0 && int(busy) < len(names) {
		c.add("X-MICROSOFT-CDO-BUSYSTATUS", names[busy])
	}
	if meant && intended >= 0 && int(intended) < len(names) {
		c.add("X-MICROSOFT-CDO-INTENDEDSTATUS", names[intended])
	}
	allDay := "FALSE"
	if b.flag(lidSubType) {
		allDay = "TRUE"
	}
	c.add("X-MICROSOFT-CDO-ALLDAYEVENT", allDay)
	if n, ok := b.number(lidSequence); ok && n >= 0 {
		c.add("X-MICROSOFT-CDO-APPT-SEQUENCE", strconv.Itoa(int(n)))
	}
	if n, _ := b.Int32(idOwnerAppointmentID); n != 0 {
		c.add("X-MICROSOFT-CDO-OWNERAPPTID", strconv.Itoa(int(n)))
	}
	if t, ok := b.moment(lidReplyTime); ok {
		c.add("X-MICROSOFT-CDO-REPLYTIME", t.Format(utcLayout))
	}
	if b.flag(lidNotPropose) {
		c.add("X-MICROSOFT-DISALLOW-COUNTER", "TRUE")
	}
}

func alarm(trigger string, params ...string) *component {
	c := &component{name: "VALARM"}
	c.add("ACTION", "DISPLAY")
	c.add("DESCRIPTION", "REMINDER")
	c.add("TRIGGER", trigger, params...)
	return c
}

// defaultDelta is a PidLidReminderDelta that means a quarter of an hour [MS-OXORMDR] 2.2.1.3.
const defaultDelta = 0x5AE980E1

func trigger(minutes int32) string {
	if minutes == defaultDelta {
		minutes = 15
	}
	return fmt.Sprintf("-PT%dM", max(0, min(minutes, 10000*minutesInDay)))
}
