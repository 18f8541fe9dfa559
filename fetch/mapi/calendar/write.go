package calendar

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"mailbrick/fetch/mapi"
)

// Is says whether a message is an appointment, a meeting request, response or
// cancellation, or a task, by its class.
func Is(m *mapi.Message) bool { return Method(m) != "" }

// Method is the METHOD of the message's iCalendar object [MS-OXCICAL]
// 2.1.3.1.1.1, which its Content-Type names too; "" where Is says no.
func Method(m *mapi.Message) string {
	class := strings.ToUpper(m.Class())
	of := func(base string) bool { return class == base || strings.HasPrefix(class, base+".") }
	switch {
	case of("IPM.APPOINTMENT"), of("IPM.TASK"), class == strings.ToUpper(exceptionClass):
		return "PUBLISH"
	case of("IPM.SCHEDULE.MEETING.REQUEST"):
		return "REQUEST"
	case of("IPM.SCHEDULE.MEETING.CANCELED"):
		return "CANCEL"
	case of("IPM.SCHEDULE.MEETING.RESP.POS"), of("IPM.SCHEDULE.MEETING.RESP.TENT"), of("IPM.SCHEDULE.MEETING.RESP.NEG"):
		if (bag{&m.Properties}).flag(lidCounter) {
			return "COUNTER"
		}
		return "REPLY"
	}
	return ""
}

// Write writes the text/calendar of a message: one iCalendar object with a
// METHOD, the time zones it needs and the event, its modified instances behind
// it, or the task [MS-OXCICAL] 2.1.3. A message that Is says no of is ErrNotCalendar.
func Write(w io.Writer, m *mapi.Message) error {
	method := Method(m)
	if method == "" {
		return fmt.Errorf("%w: the message is of another class", ErrNotCalendar)
	}
	x := writer{method: method}
	if strings.HasPrefix(strings.ToUpper(m.Class()), "IPM.TASK") {
		x.parts = append(x.parts, x.todo(m))
	} else {
		x.events(m)
	}
	cal := &component{name: "VCALENDAR"}
	cal.add("PRODID", "-//Mailbrick//Mailbrick//EN")
	cal.add("VERSION", "2.0")
	cal.add("METHOD", method)
	for _, z := range x.zones {
		cal.subs = append(cal.subs, z.component())
	}
	cal.subs = append(cal.subs, x.parts...)
	out := output{w: w}
	out.component(cal)
	return out.err
}

// writer collects the components of a calendar.
type writer struct {
	method string
	zones  []*zone
	parts  []*component
}

// events makes the event of a message and those of its modified instances.
func (w *writer) events(m *mapi.Message) {
	b := bag{&m.Properties}
	rec := recurrenceOf(b)
	start, end := zoneOf(b, lidZoneStart), zoneOf(b, lidZoneEnd)
	if rec == nil {
		w.parts = append(w.parts, w.event(m, start, end))
		return
	}
	z := seriesZone(b)
	s := series{zone: z, allDay: b.flag(lidSubType)}
	first := wallOf1601(rec.StartDate)
	for d := range rec.days() {
		first = d
		break
	}
	s.start = first.Add(time.Duration(rec.StartTimeOffset%minutesInDay) * time.Minute)
	s.length = time.Duration(int64(rec.EndTimeOffset)-int64(rec.StartTimeOffset)) * time.Minute
	main := &mapi.Message{Properties: slices.Clone(m.Properties), Recipients: m.Recipients}
	setSpan(main, z.instant(s.start), z.instant(s.start.Add(max(0, s.length))))
	c := w.event(main, z, z)
	from, to := c.find("DTSTART"), c.find("DTEND")
	if from == nil || to == nil { // it begins or ends at a time that no calendar has: there is no series of it
		w.parts = append(w.parts, c)
		return
	}
	if !s.allDay { // clocks may skip it on the first day
		*from = w.wall("DTSTART", s.start, z, false)
		*to = w.wall("DTEND", s.start.Add(max(0, s.length)), z, false)
	}
	c.add("RRULE", s.rule(&rec.RecurrencePattern))
	if dates := s.deleted(rec); len(dates) > 0 {
		w.addTimes(c, "EXDATE", dates, s)
	}
	w.parts = append(w.parts, c)
	for i := range rec.Exceptions {
		w.parts = append(w.parts, w.instance(m, &rec.Exceptions[i], z))
	}
}

// recurrenceOf is the pattern of a series, nil where it has none that can be written.
func recurrenceOf(b bag) *AppointmentRecurrence {
	rec, _ := ParseAppointmentRecurrence(b.binary(lidRecur)) // what was read before an error counts
	if rec == nil || rec.check() != nil {
		return nil
	}
	rec.Exceptions = rec.Exceptions[:min(len(rec.Exceptions), maxExceptions)]
	return rec
}

func setSpan(m *mapi.Message, start, end time.Time) {
	b := bag{&m.Properties}
	b.setTime(lidStartWhole, start)
	b.setTime(lidEndWhole, end)
}

// deleted are the instances that are not there, without those that were moved.
func (s series) deleted(rec *AppointmentRecurrence) []time.Time {
	moved := map[uint32]bool{}
	for _, e := range rec.Exceptions {
		moved[e.OriginalStart-e.OriginalStart%minutesInDay] = true
	}
	var list []time.Time
	for _, v := range rec.Deleted {
		if !moved[v-v%minutesInDay] && len(list) < maxInstances {
			list = append(list, day(wallOf1601(v)).Add(s.start.Sub(day(s.start))))
		}
	}
	return list
}

// addTimes adds a list of wall times of a series as one property.
func (w *writer) addTimes(c *component, name string, list []time.Time, s series) {
	var p property
	for i, t := range list {
		one := w.wall(name, t, s.zone, s.allDay)
		if i == 0 {
			p = one
			continue
		}
		p.value += "," + one.value
	}
	c.props = append(c.props, p)
}

// instance is the event of a modified instance: what the series says, then what
// its own message says, then what its entry in the pattern says.
func (w *writer) instance(m *mapi.Message, e *Exception, z *zone) *component {
	original := z.instant(wallOf1601(e.OriginalStart))
	merged := &mapi.Message{Properties: slices.Clone(m.Properties), Recipients: m.Recipients}
	own := exceptionMessage(m, e, original)
	if own != nil {
		overlay(merged, own)
	}
	b := bag{&merged.Properties}
	if v, ok := e.SubjectText(); ok {
		b.Set(mapi.NewText(mapi.PidTagSubject, v))
	}
	if v, ok := e.LocationText(); ok {
		b.setText(lidLocation, v)
	}
	for _, f := range []struct {
		flag  uint16
		l     lid
		value uint32
	}{{OverrideBusyStatus, lidBusyStatus, e.BusyStatus}, {OverrideReminderDelta, lidReminderDelta, e.ReminderDelta}} {
		if e.has(f.flag) {
			b.setNumber(f.l, int32(f.value))
		}
	}
	if e.has(OverrideReminder) {
		b.setFlag(lidReminderSet, e.ReminderSet != 0)
	}
	if e.has(OverrideSubType) {
		b.setFlag(lidSubType, e.SubType != 0)
	}
	b.setTime(lidReplaceTime, original)
	b.setFlag(lidIsException, true)
	setSpan(merged, z.instant(wallOf1601(e.Start)), z.instant(wallOf1601(max(e.Start, e.End))))
	c := w.event(merged, z, z)
	// The id of an instance has the form of the start of the series [RFC 5545] 3.8.4.4.
	if id := c.find("RECURRENCE-ID"); id != nil {
		*id = w.wall("RECURRENCE-ID", wallOf1601(e.OriginalStart), z, (bag{&m.Properties}).flag(lidSubType))
	}
	return c
}

// overlay puts the properties of an instance over those of its series.
func overlay(merged, own *mapi.Message) {
	bodies := []uint16{mapi.PidTagBody, mapi.PidTagHTML, mapi.PidTagRtfCompressed, mapi.PidTagNativeBody}
	if slices.ContainsFunc(bodies, func(id uint16) bool { return own.Properties.Find(id) != nil }) {
		for _, id := range bodies {
			merged.Properties.Remove(id)
		}
	}
	for _, p := range own.Properties {
		merged.Properties.Set(p)
	}
	if len(own.Recipients) > 0 {
		merged.Recipients = own.Recipients
	}
}

// exceptionMessage is the message of a modified instance: by its place in the
// series, else by when it takes place [MS-OXOCAL] 2.2.10.1.
func exceptionMessage(m *mapi.Message, e *Exception, original time.Time) *mapi.Message {
	for i := range m.Attachments {
		a := &m.Attachments[i]
		if a.Embedded == nil {
			continue
		}
		if at, ok := (bag{&a.Embedded.Properties}).moment(lidReplaceTime); ok {
			if at.Truncate(time.Minute).Equal(original) {
				return a.Embedded
			}
		} else if at, ok := a.Properties.Time(idExceptionStartTime); ok && minutes1601(at) == e.Start {
			return a.Embedded
		}
	}
	return nil
}

// zoneOf is the zone of a definition, else that of the series, else UTC.
func zoneOf(b bag, l lid) *zone {
	if d, err := ParseTimeZoneDefinition(b.binary(l)); err == nil {
		if z := zoneOfDefinition(d); z != nil {
			return named(z, b)
		}
	}
	if l != lidZoneStart {
		return zoneOf(b, lidZoneStart)
	}
	if t, err := ParseTimeZoneStruct(b.binary(lidZoneStruct)); err == nil {
		if z := zoneOfStruct(t, ""); z != nil {
			return named(z, b)
		}
	}
	return nil
}

// seriesZone is the zone of a series: the definition where it agrees with the
// older PidLidTimeZoneStruct, else that [MS-OXOCAL] 2.2.1.41.
func seriesZone(b bag) *zone {
	d, err := ParseTimeZoneDefinition(b.binary(lidZoneRecur))
	t, errOld := ParseTimeZoneStruct(b.binary(lidZoneStruct))
	if z := zoneOfDefinition(d); err == nil && z != nil && (errOld != nil || d.agrees(t)) {
		return named(z, b)
	}
	if errOld == nil {
		if z := zoneOfStruct(t, ""); z != nil {
			return named(z, b)
		}
	}
	if z := zoneOf(b, lidZoneStart); z != nil {
		return z
	}
	return utcZone()
}

// agrees says whether the effective rule is that of the structure; a definition without one agrees with all.
func (d *TimeZoneDefinition) agrees(t TimeZoneStruct) bool {
	for _, r := range d.Rules {
		if r.Flags&RuleEffective != 0 {
			old := r.asStruct()
			old.StandardYear, old.DaylightYear = t.StandardYear, t.DaylightYear
			return old == t
		}
	}
	return true
}

// named gives a zone without a name one.
func named(z *zone, b bag) *zone {
	if z.name = strings.TrimSpace(oneLine(z.name)); z.name == "" {
		z.name = strings.TrimSpace(oneLine(b.string(lidZoneText)))
	}
	if z.name == "" {
		z.name = "Customized Time Zone"
	}
	return z
}

// time is a property with a time: a DATE, a time in a zone, or one in UTC.
func (w *writer) time(name string, at time.Time, z *zone, isDate bool) property {
	if isDate {
		return w.wall(name, dateOf(at, z), z, true)
	}
	if z == nil {
		z = utcZone()
	}
	return w.wall(name, z.local(at), z, false)
}

// wall is time for a wall time, which may be one that clocks skip.
func (w *writer) wall(name string, wall time.Time, z *zone, isDate bool) property {
	switch {
	case isDate:
		return property{name: name, value: wall.Format(dateLayout), params: []param{{"VALUE", []string{"DATE"}}}}
	case z.utc():
		return property{name: name, value: wall.Format(utcLayout)}
	}
	return property{name: name, value: wall.Format(wallLayout), params: []param{{"TZID", []string{w.use(z, wall.Year()).name}}}}
}

// dateOf is the day that begins at an instant. Without a zone it is the midnight
// that is nearest in one of UTC-12 to UTC+11.
func dateOf(at time.Time, z *zone) time.Time {
	if z == nil {
		return day(at.UTC().Add(12 * time.Hour))
	}
	return day(z.local(at).Add(time.Hour)) // some round a midnight that clocks skip
}

// use notes that a VTIMEZONE is needed for a time of that year. Outlook gives one
// event definitions of one name with more and with fewer years: those that say
// the same of the year are one, others get a name of their own.
func (w *writer) use(z *zone, year int) *zone {
	for n, name := 2, z.name; ; n++ {
		i := slices.IndexFunc(w.zones, func(o *zone) bool { return o.name == z.name })
		if i < 0 {
			w.zones = append(w.zones, z)
			return z
		}
		if w.zones[i] == z || w.zones[i].rule(year).same(*z.rule(year)) {
			return w.zones[i]
		}
		z = &zone{name: name + " " + strconv.Itoa(n), rules: z.rules}
	}
}

// uidOf is the UID of a message; one without an id gets one that is the same each time.
func uidOf(m *mapi.Message) string {
	b := bag{&m.Properties}
	for _, l := range []lid{lidCleanGlobalObjectID, lidGlobalObjectID} {
		if g, err := ParseGlobalObjectID(b.binary(l)); err == nil {
			return g.UID()
		}
	}
	if key := b.Binary(mapi.PidTagSearchKey); len(key) > 0 {
		return strings.ToUpper(hex.EncodeToString(key[:min(len(key), 64)]))
	}
	sum := sha256.New()
	for _, p := range m.Properties {
		fmt.Fprintf(sum, "%v %v %d\n", p.Tag, p.Name, p.Len())
		sum.Write(p.Data)
	}
	return strings.ToUpper(hex.EncodeToString(sum.Sum(nil)[:16]))
}
