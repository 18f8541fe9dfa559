package calendar

import (
	"errors"
	"iter"
	"time"
)

// errPattern says that a pattern cannot be read as days: it is of a calendar
// other than the Gregorian, or makes no sense.
var errPattern = errors.New("recurrence pattern without days")

// maxInstances is how many instances of a series are looked at.
const maxInstances = 20000

// lastYear is the last one that dates in minutes since 1601 go to, nearly.
const lastYear = 4500

// check says whether the pattern can be read as days.
func (p *RecurrencePattern) check() error {
	gregorian := p.CalendarType <= 5 || p.CalendarType == 7 || p.CalendarType >= 9 && p.CalendarType <= 12
	switch {
	case p.Period == 0, p.Period > 1440*9999, p.FirstDOW > 6, wallOf1601(p.StartDate).Year() > lastYear, wallOf1601(p.StartDate).Year() == firstRuleYear:
		return errPattern
	case p.Pattern == PatternDay && p.Period%minutesInDay == 0:
		return nil
	case p.Pattern == PatternWeek && p.Days&0x7F != 0 && p.Period <= 9999:
		return nil
	case !gregorian || p.Period > 9999*12:
		return errPattern
	case p.Pattern == PatternMonth && p.Day >= 1 && p.Day <= 31, p.Pattern == PatternMonthEnd:
		return nil
	case p.Pattern == PatternMonthNth && p.Days&0x7F != 0 && p.Nth >= 1 && p.Nth <= 5:
		return nil
	}
	return errPattern
}

// days yields the days of the series in order, those of deleted and modified
// instances too [MS-OXOCAL] 2.2.1.44.1.2; at most maxInstances of them. Where
// the pattern cannot be read there are none.
func (p *RecurrencePattern) days() iter.Seq[time.Time] {
	return func(yield func(time.Time) bool) {
		if p.check() != nil {
			return
		}
		last := date(lastYear, 1, 1)
		if p.EndType == EndByDate {
			last = day(wallOf1601(p.EndDate))
		}
		n := 0
		for d := range p.every() {
			if d.After(last) || n == maxInstances || p.EndType == EndByCount && n >= int(p.OccurrenceCount) {
				return
			}
			if n++; !yield(d) {
				return
			}
		}
	}
}

// every yields the days of the pattern for ever.
func (p *RecurrencePattern) every() iter.Seq[time.Time] {
	start := day(wallOf1601(p.StartDate))
	return func(yield func(time.Time) bool) {
		for d := range p.groups(start) {
			if !d.Before(start) && !yield(d) || d.Year() > lastYear {
				return
			}
		}
	}
}

// groups yields the days of each week or month that counts, from that of start on.
func (p *RecurrencePattern) groups(start time.Time) iter.Seq[time.Time] {
	return func(yield func(time.Time) bool) {
		period := int(p.Period)
		week := start.AddDate(0, 0, -(int(start.Weekday())-int(p.FirstDOW)+7)%7)
		month := date(start.Year(), start.Month(), 1)
		for more := true; more; {
			switch p.Pattern {
			case PatternDay:
				more = yield(start)
				start = start.AddDate(0, 0, period/minutesInDay)
			case PatternWeek:
				for i := 0; i < 7 && more; i++ {
					if d := week.AddDate(0, 0, i); p.Days>>d.Weekday()&1 != 0 {
						more = yield(d)
					}
				}
				week = week.AddDate(0, 0, 7*period)
			default:
				more = yield(p.inMonth(month))
				month = month.AddDate(0, period, 0)
			}
		}
	}
}

// inMonth is the day of a pattern of months; a month that is too short has it on its last day.
func (p *RecurrencePattern) inMonth(month time.Time) time.Time {
	length := daysIn(month.Year(), month.Month())
	switch {
	case p.Pattern == PatternMonthEnd:
		return month.AddDate(0, 0, length-1)
	case p.Pattern == PatternMonth:
		return month.AddDate(0, 0, min(int(p.Day), length)-1)
	}
	var found []time.Time
	for i := range length {
		if d := month.AddDate(0, 0, i); p.Days>>d.Weekday()&1 != 0 {
			found = append(found, d)
		}
	}
	if p.Nth == 5 {
		return found[len(found)-1]
	}
	return found[p.Nth-1]
}
