package calendar

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// series is what a rule is mapped with.
type series struct {
	start  time.Time     // wall time of the first instance
	length time.Duration // of an instance, as clocks show it
	zone   *zone
	allDay bool
}

// pattern maps a rule to a pattern by the templates of [MS-OXCICAL] 2.1.3.2.2;
// the error says that none fits.
func (s series) pattern(r rrule) (RecurrencePattern, error) {
	p := RecurrencePattern{ReaderVersion: version, WriterVersion: version, EndType: EndNever, OccurrenceCount: defaultNoEndOcc,
		EndDate: NoEndDate, StartDate: minutes1601(day(s.start)), FirstDOW: uint32(r.weekStart)}
	if !r.weekStartTold {
		p.FirstDOW = uint32(time.Monday) // [RFC 5545] 3.3.10
	}
	if err := s.shape(&p, r); err != nil {
		return p, err
	}
	for d := range p.days() {
		p.StartDate = minutes1601(d)
		break
	}
	if err := s.end(&p, r); err != nil {
		return p, err
	}
	p.FirstDateTime = p.firstDateTime()
	s.dropShortMonths(&p, r)
	return p, p.check()
}

// shape chooses the template.
func (s series) shape(p *RecurrencePattern, r rrule) error {
	if !s.atStart(r) || s.start.Year() > lastYear || len(r.yearDays) > 0 || len(r.weeks) > 0 {
		return errNoTemplate
	}
	switch {
	case r.freq == "MONTHLY" && len(r.months) > 0 && r.interval == 1:
		r.freq = "YEARLY" // in one month of the year
	case len(r.months) > 0 && r.freq != "YEARLY":
		return errNoTemplate
	}
	switch r.freq {
	case "DAILY":
		return p.shapeDaily(r)
	case "WEEKLY":
		return p.shapeWeekly(r, s.start.Weekday())
	case "MONTHLY":
		p.Frequency, p.Period = FreqMonthly, uint32(r.interval)
		return p.shapeMonthly(r, s.start.Day())
	case "YEARLY":
		return s.shapeYearly(p, r)
	}
	return errNoTemplate
}

var errNoTemplate = fmt.Errorf("recurrence rule that Exchange has no pattern for")

// atStart says whether the times of day of a rule, if it has any, are that of the start.
func (s series) atStart(r rrule) bool {
	one := func(list []int, v int) bool { return len(list) == 0 || len(list) == 1 && list[0] == v }
	return one(r.hours, s.start.Hour()) && one(r.minutes, s.start.Minute()) && one(r.seconds, s.start.Second())
}

func (p *RecurrencePattern) shapeDaily(r rrule) error {
	if len(r.monthDays) > 0 || len(r.positions) > 0 {
		return errNoTemplate
	}
	if len(r.days) > 0 { // each working day, say, is a pattern of weeks
		if r.interval != 1 {
			return errNoTemplate
		}
		return p.shapeWeekly(r, 0)
	}
	p.Frequency, p.Pattern, p.Period = FreqDaily, PatternDay, uint32(r.interval)*minutesInDay
	return nil
}

func (p *RecurrencePattern) shapeWeekly(r rrule, start time.Weekday) error {
	if len(r.monthDays) > 0 || len(r.positions) > 0 {
		return errNoTemplate
	}
	p.Frequency, p.Pattern, p.Period = FreqWeekly, PatternWeek, uint32(r.interval)
	p.Days = 1 << start
	if len(r.days) > 0 {
		var ok bool
		var nth int
		if p.Days, nth, ok = mask(r.days, nil); !ok || nth != 0 {
			return errNoTemplate
		}
	}
	return nil
}

// mask is the days as bits and which of the month: n of each or, with BYSETPOS, of all.
func mask(days []weekday, positions []int) (bits uint32, nth int, ok bool) {
	nth = days[0].nth
	for _, w := range days {
		bits |= 1 << w.day
		if w.nth != nth {
			return 0, 0, false
		}
	}
	switch {
	case len(positions) > 1, len(positions) == 1 && nth != 0, nth != 0 && len(days) > 1:
		return 0, 0, false
	case len(positions) == 1:
		nth = positions[0]
	}
	return bits, nth, true
}

func (p *RecurrencePattern) shapeMonthly(r rrule, start int) error {
	if len(r.days) == 0 {
		return p.shapeMonthDay(r, start)
	}
	if len(r.monthDays) > 0 {
		return errNoTemplate
	}
	bits, nth, ok := mask(r.days, r.positions)
	switch {
	case !ok:
		return errNoTemplate
	case nth == 0 && r.freq == "MONTHLY" && r.interval == 1: // each such day of each month
		p.Frequency, p.Pattern, p.Period, p.Days = FreqWeekly, PatternWeek, 1, bits
		return nil
	case nth == -1:
		nth = 5
	case nth < 1 || nth > 4:
		return errNoTemplate
	}
	p.Pattern, p.Days, p.Nth = PatternMonthNth, bits, uint32(nth)
	return nil
}

// shapeMonthDay: a day of the month, or the last; or the last there is of a run
// of days up to 29, 30 or 31, which is how a pattern reads in a short month.
func (p *RecurrencePattern) shapeMonthDay(r rrule, start int) error {
	p.Pattern, p.Day = PatternMonth, uint32(start)
	n := len(r.monthDays)
	switch {
	case n == 0 && len(r.positions) == 0:
	case n == 1 && r.monthDays[0] > 0 && len(r.positions) == 0:
		p.Day = uint32(r.monthDays[0])
	case n == 1 && r.monthDays[0] == -1 && len(r.positions) == 0:
		p.Day = 31
	case n > 1 && slices.Equal(r.positions, []int{-1}) && slices.Equal(r.monthDays, run(r.monthDays[n-1])):
		p.Day = uint32(r.monthDays[n-1])
	default:
		return errNoTemplate
	}
	return nil
}

// run is 28 to last.
func run(last int) []int {
	var list []int
	for d := 28; d <= last; d++ {
		list = append(list, d)
	}
	return list
}

func (s series) shapeYearly(p *RecurrencePattern, r rrule) error {
	month := s.start.Month()
	if len(r.months) > 1 || len(r.months) == 0 && (len(r.days) > 0 || len(r.monthDays) > 0) {
		return errNoTemplate
	}
	if len(r.months) == 1 {
		month = time.Month(r.months[0])
	}
	p.Frequency, p.Period = FreqYearly, uint32(r.interval)*12
	if r.interval > 1 {
		p.Frequency = FreqMonthly // [MS-OXCICAL] 2.1.3.2.2.6
	}
	if month != s.start.Month() { // the series begins in that month
		year := s.start.Year()
		if month < s.start.Month() {
			year++
		}
		p.StartDate = minutes1601(date(year, month, 1))
	}
	return p.shapeMonthly(r, s.start.Day())
}

// end sets the end and the number of instances.
func (s series) end(p *RecurrencePattern, r rrule) error {
	switch {
	case r.count > 0:
		p.EndType, p.OccurrenceCount = EndByCount, uint32(r.count)
		if s.strict(p, r) { // the pattern has instances that the rule has not
			p.OccurrenceCount = maxInstances
			p.OccurrenceCount = s.countWith(p, r.count)
		}
		for d := range p.days() {
			p.EndDate = minutes1601(d)
		}
	case r.until != "":
		until, ok := parseWall(r.until)
		if !ok {
			return fmt.Errorf("recurrence rule: an end that is no date")
		}
		last := s.lastDay(until)
		if last.Year() >= lastYear {
			return nil // as if it had no end, which is what such a year means
		}
		p.EndType, p.EndDate, p.OccurrenceCount = EndByDate, minutes1601(last), 0
		for range p.days() {
			p.OccurrenceCount++
		}
		p.OccurrenceCount = max(1, p.OccurrenceCount)
	}
	return nil
}

// lastDay is the last day on which an instance can begin.
func (s series) lastDay(until moment) time.Time {
	wall := until.wall
	if until.utc {
		wall = s.zone.local(wall)
	}
	last := day(wall)
	if !until.isDate && wall.Sub(last) < s.start.Sub(day(s.start)) {
		last = last.AddDate(0, 0, -1)
	}
	if last.Before(day(s.start)) {
		last = day(s.start)
	}
	return last
}

// strict says whether a rule passes over short months, where a pattern has an instance on the last day.
func (s series) strict(p *RecurrencePattern, r rrule) bool {
	return p.Pattern == PatternMonth && p.Day > 28 && !slices.Contains(r.monthDays, -1) && len(r.positions) == 0
}

// fillsShortMonths says whether a series without an end has instances on the
// last day of months too short for it.
func (p *RecurrencePattern) fillsShortMonths() bool {
	month := wallOf1601(p.StartDate).Month()
	return p.Pattern == PatternMonth && p.Day > 28 && p.EndType == EndNever && (p.Period%12 != 0 || int(p.Day) > daysIn(2001, month))
}

// countWith is the number of instances of the pattern among which count are of the rule.
func (s series) countWith(p *RecurrencePattern, count int) uint32 {
	all := uint32(0)
	for d := range p.days() {
		if all++; d.Day() == int(p.Day) {
			count--
		}
		if count == 0 {
			break
		}
	}
	return all
}

// dropShortMonths deletes the instances that the rule has not. A series without
// an end keeps them: [MS-OXCICAL] 2.1.3.2.2.3 has no other way.
func (s series) dropShortMonths(p *RecurrencePattern, r rrule) {
	if !s.strict(p, r) || p.EndType == EndNever {
		return
	}
	for d := range p.days() {
		if d.Day() != int(p.Day) {
			p.Deleted = append(p.Deleted, minutes1601(d))
		}
	}
}

// firstDateTime is the FirstDateTime of a pattern [MS-OXOCAL] 2.2.1.44.1.1.
func (p *RecurrencePattern) firstDateTime() uint32 {
	if p.Period == 0 {
		return 0
	}
	start := day(wallOf1601(p.StartDate))
	switch p.Pattern {
	case PatternDay:
		return p.StartDate % p.Period
	case PatternWeek:
		week := start.AddDate(0, 0, -(int(start.Weekday())-int(p.FirstDOW)+7)%7)
		return minutes1601(week) % (minutesInWeek * p.Period)
	}
	months := (start.Year()-1601)*12 + int(start.Month()) - 1
	return minutes1601(date(1601, time.Month(1+months%int(p.Period)), 1))
}

// rule is the RRULE of a pattern [MS-OXCICAL] 2.1.3.2.2.
func (s series) rule(p *RecurrencePattern) string {
	parts := p.ruleShape()
	switch p.EndType {
	case EndByCount:
		parts = append(parts, fmt.Sprintf("COUNT=%d", max(1, p.OccurrenceCount)))
	case EndByDate:
		last := day(wallOf1601(p.EndDate))
		if s.allDay {
			parts = append(parts, "UNTIL="+last.Format(dateLayout))
		} else {
			last = last.Add(s.start.Sub(day(s.start)))
			parts = append(parts, "UNTIL="+s.zone.instant(last).Format(utcLayout))
		}
	}
	return strings.Join(parts, ";")
}

func (p *RecurrencePattern) ruleShape() []string {
	interval := func(n uint32, parts ...string) []string {
		if n > 1 {
			parts = append(parts, fmt.Sprintf("INTERVAL=%d", n))
		}
		return parts
	}
	switch {
	case p.Pattern == PatternDay:
		return interval(p.Period/minutesInDay, "FREQ=DAILY")
	case p.Pattern == PatternWeek:
		parts := interval(p.Period, "FREQ=WEEKLY")
		return append(parts, "BYDAY="+dayList(p.Days), "WKST="+dayName(time.Weekday(p.FirstDOW)))
	case p.Period%12 == 0:
		parts := append(interval(p.Period/12, "FREQ=YEARLY"), p.ruleDay()...)
		return append(parts, fmt.Sprintf("BYMONTH=%d", wallOf1601(p.StartDate).Month()))
	}
	return append(interval(p.Period, "FREQ=MONTHLY"), p.ruleDay()...)
}

// ruleDay is the day of a month. A day that not all months have means the last
// one there, which RFC 5545 has to be told.
func (p *RecurrencePattern) ruleDay() []string {
	month := wallOf1601(p.StartDate).Month()
	yearly := p.Period%12 == 0
	switch {
	case p.Pattern == PatternMonthNth:
		nth := int(p.Nth)
		if nth == 5 {
			nth = -1
		}
		if p.Days&(p.Days-1) == 0 { // one day
			return []string{fmt.Sprintf("BYDAY=%d%s", nth, dayList(p.Days))}
		}
		return []string{"BYDAY=" + dayList(p.Days), fmt.Sprintf("BYSETPOS=%d", nth)}
	case p.Pattern == PatternMonthEnd, p.Day >= 31 && !yearly:
		return []string{"BYMONTHDAY=-1"}
	case p.Day <= 28, yearly && int(p.Day) <= daysIn(2001, month):
		return []string{fmt.Sprintf("BYMONTHDAY=%d", p.Day)}
	case yearly && int(p.Day) > daysIn(2000, month):
		return []string{"BYMONTHDAY=-1"}
	}
	list := fmt.Sprint(run(int(p.Day)))
	return []string{"BYMONTHDAY=" + strings.ReplaceAll(strings.Trim(list, "[]"), " ", ","), "BYSETPOS=-1"}
}

func dayList(bits uint32) string {
	var names []string
	for d := range 7 {
		if bits>>d&1 != 0 {
			names = append(names, dayName(time.Weekday(d)))
		}
	}
	return strings.Join(names, ",")
}
