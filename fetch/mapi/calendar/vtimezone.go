package calendar

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// observance is a STANDARD or DAYLIGHT block [RFC 5545] 3.6.5.
type observance struct {
	daylight bool
	start    time.Time // wall time of the first change
	from, to time.Duration
	rule     *rrule
	until    time.Time // of the rule, zero: none
	dates    []time.Time
}

// parseZone makes a zone of a VTIMEZONE [MS-OXCICAL] 2.1.3.1.1.19; nil when it
// says nothing that can be read. Rules are those around year.
func parseZone(c *component, year int) *zone {
	var list []observance
	for _, s := range c.subs {
		if o, ok := parseObservance(s); ok && len(list) < maxObservances {
			list = append(list, o)
		}
	}
	if len(list) == 0 {
		return nil
	}
	year = max(1602, min(year, 4000))
	return newZone(c.text("TZID"), year-1, year+yearsAhead, func(y int) TZRule { return observedRule(list, y) })
}

const maxObservances = 512

func parseObservance(c *component) (observance, bool) {
	o := observance{daylight: c.name == "DAYLIGHT"}
	start, ok := parseWall(c.value("DTSTART"))
	if !ok || c.name != "STANDARD" && c.name != "DAYLIGHT" {
		return o, false
	}
	o.start = start.wall
	var fromOK, toOK bool
	o.from, fromOK = parseOffset(c.value("TZOFFSETFROM"))
	o.to, toOK = parseOffset(c.value("TZOFFSETTO"))
	if !fromOK {
		o.from = o.to
	}
	if rule, err := parseRRule(c.value("RRULE")); err == nil && rule.freq == "YEARLY" {
		o.rule = &rule
		if until, ok := parseWall(rule.until); ok {
			o.until = until.wall
		}
	}
	for _, p := range c.all("RDATE") {
		for v := range strings.SplitSeq(p.value, ",") {
			if t, ok := parseWall(v); ok && len(o.dates) < maxObservances {
				o.dates = append(o.dates, t.wall)
			}
		}
	}
	return o, toOK
}

// parseOffset reads a UTC offset [RFC 5545] 3.3.14.
func parseOffset(v string) (time.Duration, bool) {
	if len(v) != 5 && len(v) != 7 || v[0] != '+' && v[0] != '-' {
		return 0, false
	}
	n, err := strconv.ParseUint((v[1:] + "00")[:6], 10, 32)
	if err != nil || n/10000 > 23 || n/100%100 > 59 || n%100 > 59 {
		return 0, false
	}
	d := time.Duration(n/10000)*time.Hour + time.Duration(n/100%100)*time.Minute + time.Duration(n%100)*time.Second
	if v[0] == '-' {
		d = -d
	}
	return d, true
}

// observedRule is the rule of a year: of each kind the block that begins last
// of those that change clocks in the year.
func observedRule(list []observance, year int) TZRule {
	var standard, daylight, base *observance
	var standardDate, daylightDate SystemTime
	for i := range list {
		o := &list[i]
		if s, ok := o.in(year); ok {
			if o.daylight && (daylight == nil || !o.start.Before(daylight.start)) {
				daylight, daylightDate = o, s
			} else if !o.daylight && (standard == nil || !o.start.Before(standard.start)) {
				standard, standardDate = o, s
			}
		}
		if base == nil || better(o, base, year) {
			base = o
		}
	}
	r := newRule(year)
	if standard == nil || daylight == nil || standard.to == daylight.to {
		r.Bias = -int32(base.to / time.Minute)
		return r
	}
	r.Bias = -int32(standard.to / time.Minute)
	r.DaylightBias = -int32((daylight.to - standard.to) / time.Minute)
	r.StandardDate, r.DaylightDate = standardDate, daylightDate
	return r
}

// better says whether o tells more than base of a year in which clocks are not
// changed: it has begun, is standard time, began later.
func better(o, base *observance, year int) bool {
	return cmp.Or(
		boolCompare(o.start.Year() <= year, base.start.Year() <= year),
		boolCompare(!o.daylight, !base.daylight),
		o.start.Compare(base.start)) > 0
}

func boolCompare(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// in is the change that the block makes in a year.
func (o *observance) in(year int) (SystemTime, bool) {
	for _, d := range o.dates {
		if d.Year() == year {
			return absolute(d), true
		}
	}
	if year < o.start.Year() || o.rule == nil {
		return absolute(o.start), year == o.start.Year()
	}
	if (year-o.start.Year())%o.rule.interval != 0 || o.rule.count > 0 && year >= o.start.Year()+o.rule.count {
		return SystemTime{}, false
	}
	s := o.yearly(year)
	at := s.in(year)
	begun := year > o.start.Year() || at.Year() == o.start.Year() && !at.Before(date(o.start.Year(), o.start.Month(), o.start.Day())) || o.start.Year() == firstRuleYear
	ended := !o.until.IsZero() && at.Add(-o.from).After(o.until)
	return s, begun && !ended
}

// yearly is the change of a rule: the n-th weekday where it says so, else a day of that year.
func (o *observance) yearly(year int) SystemTime {
	month, day := o.start.Month(), o.start.Day()
	if len(o.rule.months) > 0 {
		month = time.Month(o.rule.months[0])
	}
	if len(o.rule.monthDays) > 0 {
		day = o.rule.monthDays[0]
	}
	clock := o.start.Sub(date(o.start.Year(), o.start.Month(), o.start.Day()))
	if len(o.rule.days) != 1 || o.rule.days[0].nth < -5 || o.rule.days[0].nth > 5 {
		return absolute(date(year, month, max(1, min(day, daysIn(year, month)))).Add(clock))
	}
	w := o.rule.days[0]
	s := clockOf(o.start)
	s.Month, s.DayOfWeek = uint16(month), uint16(w.day)
	switch {
	case w.nth > 0:
		s.Day = uint16(w.nth)
	case w.nth == -1:
		s.Day = 5
	case w.nth < 0:
		s.Day = 5
		return absolute(s.in(year).AddDate(0, 0, 7*(w.nth+1)))
	case len(o.rule.monthDays) == 7 && (day-1)%7 == 0 && day > 0: // the days of the n-th week
		s.Day = uint16((day-1)/7 + 1)
	case len(o.rule.monthDays) > 0 && day > 0: // the weekday from a day on
		from := date(year, month, day)
		return absolute(from.AddDate(0, 0, (int(w.day)-int(from.Weekday())+7)%7).Add(clock))
	default:
		s.Day = 1
	}
	return s
}

// absolute is a change on a day of one year.
func absolute(wall time.Time) SystemTime {
	s := clockOf(wall)
	s.Year, s.Month, s.Day, s.DayOfWeek = uint16(wall.Year()), uint16(wall.Month()), uint16(wall.Day()), uint16(wall.Weekday())
	return s
}

// component is the zone as a VTIMEZONE. Where rules follow one another each ends with the year before the next.
func (z *zone) component() *component {
	c := &component{name: "VTIMEZONE"}
	c.add("TZID", escape(z.name))
	before := z.rules[0].standardOffset()
	for i := range z.rules {
		last := 0
		if i+1 < len(z.rules) {
			last = int(z.rules[i+1].Year) - 1
		}
		first := int(z.rules[i].Year)
		if i == 0 {
			first = firstRuleYear // it holds for all years before
		}
		z.rules[i].components(c, before, first, last)
		before = z.rules[i].standardOffset()
	}
	return c
}

// components are the blocks of a rule that holds from the year first to last, 0: for ever.
func (r *TZRule) components(c *component, before time.Duration, first, last int) {
	standard, daylight := r.standardOffset(), r.daylightOffset()
	if !r.daylight() {
		observe(c, "STANDARD", date(first, 1, 1), before, standard)
		return
	}
	if before != standard {
		observe(c, "STANDARD", date(first, 1, 1), before, standard)
	}
	observe(c, "STANDARD", r.StandardDate.in(first), daylight, standard, r.StandardDate.rule(last, daylight)...)
	observe(c, "DAYLIGHT", r.DaylightDate.in(first), standard, daylight, r.DaylightDate.rule(last, standard)...)
}

func observe(c *component, kind string, start time.Time, from, to time.Duration, rule ...string) {
	o := &component{name: kind}
	o.add("DTSTART", start.Format(wallLayout))
	o.add("TZOFFSETFROM", formatOffset(from))
	o.add("TZOFFSETTO", formatOffset(to))
	if len(rule) > 0 {
		o.add("RRULE", strings.Join(rule, ";"))
	}
	c.subs = append(c.subs, o)
}

// rule is the RRULE of a change, none where it is of one year.
func (s SystemTime) rule(last int, from time.Duration) []string {
	if s.Year != 0 {
		return nil
	}
	nth := max(1, int(s.Day))
	if nth >= 5 {
		nth = -1
	}
	rule := []string{"FREQ=YEARLY", fmt.Sprintf("BYDAY=%d%s", nth, dayName(time.Weekday(s.DayOfWeek%7))), fmt.Sprintf("BYMONTH=%d", max(1, min(s.Month, 12)))}
	if last > 0 {
		rule = append(rule, "UNTIL="+s.in(last).Add(-from).Format(utcLayout))
	}
	return rule
}

func formatOffset(d time.Duration) string {
	sign := byte('+')
	if d < 0 {
		sign, d = '-', -d
	}
	minutes := int(d / time.Minute)
	return fmt.Sprintf("%c%02d%02d", sign, minutes/60, minutes%60)
}
