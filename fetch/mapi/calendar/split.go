package calendar

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// Split makes one iCalendar object of each series, single event and task of a
// calendar, with the properties of the calendar and the time zones that are
// named in it. Other components are left out. Any other input is ErrNotCalendar.
func Split(ics []byte) ([][]byte, error) {
	calendars, err := parse(ics)
	if err != nil {
		return nil, err
	}
	var list [][]byte
	size := 0
	for _, cal := range calendars {
		zones := zonesOf(cal, 0)
		for _, g := range groupsOf(cal) {
			one := g.calendar(cal, zones)
			if size += len(one); size > maxSplit {
				return nil, fmt.Errorf("iCalendar object of %d bytes: its parts have more than %d", len(ics), maxSplit)
			}
			list = append(list, one)
		}
	}
	return list, nil
}

// maxSplit bounds what zones and properties that stand in each part add up to.
const maxSplit = 4 * maxInput

func (g *group) calendar(cal *component, all *zones) []byte {
	parts := append([]*component{g.main}, g.instances...)
	one := &component{name: cal.name, props: cal.props}
	used := map[string]bool{}
	take := func(id string) {
		if z := all.defined[id]; z != nil && !used[id] {
			used[id] = true
			one.subs = append(one.subs, z)
		}
	}
	for _, c := range parts {
		c.eachZone(take)
	}
	if len(all.defined) == 1 { // what times without a zone are in
		for id := range all.defined {
			take(id)
		}
	}
	take(cal.text("X-WR-TIMEZONE"))
	one.subs = append(one.subs, parts...)
	var b bytes.Buffer
	out := output{w: &b}
	out.component(one)
	return b.Bytes()
}

// eachZone calls take with each zone that a time of the component or of one inside it is in.
func (c *component) eachZone(take func(id string)) {
	for i := range c.props {
		if id := c.props[i].param("TZID"); id != "" {
			take(id)
		}
	}
	for _, s := range c.subs {
		s.eachZone(take)
	}
}

// Lost names what Apply does not take over of what it reads, one name for each
// property, component (VJOURNAL), alarm (VALARM:EMAIL) and rule, and no values.
// RRULE:SHORT-MONTHS is a series without an end that gets instances in months too
// short for it.
// It says nothing of what Apply leaves to Split. Of what is no calendar it is nil.
func Lost(ics []byte) []string {
	calendars, err := parse(ics)
	if err != nil {
		return nil
	}
	for _, cal := range calendars {
		if groups := groupsOf(cal); len(groups) > 0 {
			return newReader(cal, groups[0]).lost(cal)
		}
	}
	return nil
}

func (r *reader) lost(cal *component) []string {
	list := unknown(cal, "VERSION PRODID METHOD CALSCALE X-WR-TIMEZONE")
	for _, s := range cal.subs {
		if s.name != "VEVENT" && s.name != "VTODO" && s.name != "VTIMEZONE" {
			list = append(list, s.name)
		}
	}
	for _, c := range append([]*component{r.main}, r.instances...) {
		list = append(list, r.lostOf(c)...)
	}
	return list
}

func (r *reader) lostOf(c *component) []string {
	const both = "UID DTSTAMP DTSTART DURATION SUMMARY DESCRIPTION X-ALT-DESC CLASS PRIORITY CATEGORIES CONTACT CREATED LAST-MODIFIED " +
		"ORGANIZER SEQUENCE STATUS RRULE X-MICROSOFT-CDO-IMPORTANCE "
	known := both + "DTEND LOCATION TRANSP ATTENDEE EXDATE RECURRENCE-ID X-MICROSOFT-CDO-BUSYSTATUS X-MICROSOFT-MSNCALENDAR-BUSYSTATUS " +
		"X-MICROSOFT-CDO-INTENDEDSTATUS X-MICROSOFT-CDO-ALLDAYEVENT X-MICROSOFT-MSNCALENDAR-ALLDAYEVENT X-MICROSOFT-CDO-APPT-SEQUENCE " +
		"X-MICROSOFT-CDO-OWNERAPPTID X-MICROSOFT-CDO-REPLYTIME X-MICROSOFT-DISALLOW-COUNTER X-MICROSOFT-CDO-INSTTYPE " +
		"X-MICROSOFT-CDO-OWNER-CRITICAL-CHANGE X-MICROSOFT-CDO-ATTENDEE-CRITICAL-CHANGE X-MS-OLK-ORIGINALSTART X-MS-OLK-ORIGINALEND"
	if c.name == "VTODO" {
		known = both + "DUE COMPLETED PERCENT-COMPLETE"
	}
	list := unknown(c, known)
	when := r.span(c)
	if rules := c.all("RRULE"); len(rules) > 0 && c == r.main && when.known {
		if p, ok := r.pattern(seriesOf(when)); !ok {
			list = append(list, "RRULE")
		} else if p.fillsShortMonths() && !strings.Contains(rules[0].value, "=-1") {
			list = append(list, "RRULE:SHORT-MONTHS")
		}
	}
	shown := false
	for _, s := range c.subs {
		if s.name != "VALARM" {
			list = append(list, s.name)
			continue
		}
		if _, ok := r.alarm(s, when); ok && !shown {
			shown = true
			continue
		}
		list = append(list, "VALARM:"+actionOf(s))
	}
	return list
}

// actionOf is the kind of an alarm: a word of the standard, or OTHER, as this goes into reports.
func actionOf(alarm *component) string {
	action := strings.ToUpper(alarm.value("ACTION"))
	if slices.Contains([]string{"DISPLAY", "AUDIO", "EMAIL", "PROCEDURE"}, action) {
		return action
	}
	return "OTHER"
}

// unknown names the properties that are not among the known ones.
func unknown(c *component, known string) []string {
	words := strings.Fields(known)
	var list []string
	for _, p := range c.props {
		if !slices.Contains(words, p.name) {
			list = append(list, p.name)
		}
	}
	return list
}
