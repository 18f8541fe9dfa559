package calendar

import (
	"strconv"
	"strings"

	"mailbrick/fetch/mapi"
)

// task sets what a VTODO says [MS-OXOTASK] 2.2.2.2. Dates of tasks have no zone:
// they are the midnight of the day, as if in UTC.
func (r *reader) task(b bag) {
	c := r.main
	start, hasStart := r.zones.moment(c.find("DTSTART"))
	due, hasDue := r.zones.moment(c.find("DUE"))
	if length, ok := parseDuration(c.value("DURATION")); ok && hasStart && !hasDue {
		due, hasDue = start, true
		due.wall = due.wall.Add(length)
	}
	if hasDue && !hasStart {
		start = due
	}
	if hasStart {
		b.setTime(lidTaskStartDate, day(start.wall))
		b.setTime(lidCommonStart, start.instant())
	}
	if hasDue {
		b.setTime(lidTaskDueDate, day(due.wall))
		b.setTime(lidCommonEnd, due.instant())
	}
	r.progress(b)
	r.reminder(b, c, span{known: hasStart || hasDue, start: start, end: due})
	r.taskSeries(b, start, hasStart || hasDue)
	if organizer, ok := parsePerson(c.find("ORGANIZER")); ok {
		setFrom(b, organizer)
	}
}

// progress sets status and percentage [MS-OXOTASK] 2.2.2.2.2, 2.2.2.2.3: they must agree.
func (r *reader) progress(b bag) {
	c := r.main
	percent, _ := strconv.Atoi(c.value("PERCENT-COMPLETE"))
	percent = max(0, min(percent, 100))
	completed, done := r.zones.moment(c.find("COMPLETED"))
	status := taskNotStarted
	switch strings.ToUpper(c.value("STATUS")) {
	case "COMPLETED":
		done = true
	case "IN-PROCESS":
		status = taskInProgress
	case "CANCELLED": // nothing comes nearer
		status = taskDeferred
	case "NEEDS-ACTION":
		done = false
	default:
		if done = done || percent == 100; !done && percent > 0 {
			status = taskInProgress
		}
	}
	if done {
		status, percent = taskComplete, 100
	}
	b.setNumber(lidTaskStatus, status)
	b.setFloat(lidPercentComplete, float64(percent)/100)
	b.setFlag(lidTaskComplete, done)
	if done && !completed.wall.IsZero() {
		b.setTime(lidTaskDateCompleted, day(completed.wall))
	}
}

// taskSeries sets PidLidTaskRecurrence, a pattern without times [MS-OXOTASK] 2.2.2.2.15.
func (r *reader) taskSeries(b bag, start moment, known bool) {
	if !known {
		return
	}
	p, ok := r.pattern(series{start: day(start.wall), zone: utcZone(), allDay: true})
	b.setFlag(lidTaskFRecurring, ok)
	if ok {
		b.setBinary(lidTaskRecurrence, p.Append(nil))
	}
}

// todo is the VTODO of a task.
func (w *writer) todo(m *mapi.Message) *component {
	b := bag{&m.Properties}
	c := &component{name: "VTODO"}
	w.head(c, m)
	start, hasStart := b.moment(lidTaskStartDate)
	due, hasDue := b.moment(lidTaskDueDate)
	if hasStart {
		c.add("DTSTART", start.Format(dateLayout), "VALUE", "DATE")
	}
	if hasDue && !(hasStart && due.Before(start)) {
		c.add("DUE", due.Format(dateLayout), "VALUE", "DATE")
	}
	if p, _, err := ParseRecurrencePattern(b.binary(lidTaskRecurrence)); err == nil && hasStart && p.check() == nil {
		s := series{start: day(start), zone: utcZone(), allDay: true}
		c.add("RRULE", s.rule(&p))
	}
	w.progress(c, b)
	w.details(c, m)
	if at, ok := b.moment(lidReminderSignal); ok && b.flag(lidReminderSet) {
		c.subs = append(c.subs, alarm(at.Format(utcLayout), "VALUE", "DATE-TIME"))
	}
	return c
}

func (w *writer) progress(c *component, b bag) {
	status, _ := b.number(lidTaskStatus)
	switch {
	case status == taskComplete || b.flag(lidTaskComplete):
		c.add("STATUS", "COMPLETED")
		if t, ok := b.moment(lidTaskDateCompleted); ok {
			c.add("COMPLETED", t.Format(utcLayout))
		}
	case status == taskInProgress:
		c.add("STATUS", "IN-PROCESS")
	default:
		c.add("STATUS", "NEEDS-ACTION")
	}
	if v, ok := b.float(lidPercentComplete); ok && v >= 0 && v <= 1 {
		c.add("PERCENT-COMPLETE", strconv.Itoa(int(v*100+0.5)))
	}
}
