package calendar

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// rrule is a recurrence rule [RFC 5545] 3.3.10.
type rrule struct {
	freq                         string
	interval, count              int    // count 0: without
	until                        string // as it stands
	days                         []weekday
	monthDays, months, positions []int
	hours, minutes, seconds      []int
	yearDays, weeks              []int
	weekStart                    time.Weekday
	weekStartTold                bool
}

// weekday is a day and which of the month or year; 0 is each.
type weekday struct {
	nth int
	day time.Weekday
}

const mostRuleValues = 400 // no list of a rule has more that differ

func parseRRule(value string) (rrule, error) {
	r := rrule{interval: 1, weekStart: time.Monday}
	for part := range strings.SplitSeq(strings.ToUpper(strings.TrimSpace(value)), ";") {
		if part == "" {
			continue
		}
		name, v, _ := strings.Cut(part, "=")
		if err := r.part(strings.TrimSpace(name), strings.TrimSpace(v)); err != nil {
			return r, fmt.Errorf("recurrence rule: %w", err)
		}
	}
	if !slices.Contains([]string{"DAILY", "WEEKLY", "MONTHLY", "YEARLY", "HOURLY", "MINUTELY", "SECONDLY"}, r.freq) {
		return r, fmt.Errorf("recurrence rule: no frequency")
	}
	return r, nil
}

func (r *rrule) part(name, v string) (err error) {
	switch name {
	case "FREQ":
		r.freq = v
	case "UNTIL":
		r.until = v
	case "INTERVAL":
		r.interval, err = number(v, 1, 9999)
	case "COUNT":
		r.count, err = number(v, 1, maxInstances)
	case "BYDAY":
		r.days, err = weekdays(v)
	case "BYMONTHDAY":
		r.monthDays, err = numbers(v, -31, 31)
	case "BYMONTH":
		r.months, err = numbers(v, 1, 12)
	case "BYSETPOS":
		r.positions, err = numbers(v, -366, 366)
	case "BYHOUR":
		r.hours, err = numbers(v, 0, 23)
	case "BYMINUTE":
		r.minutes, err = numbers(v, 0, 59)
	case "BYSECOND":
		r.seconds, err = numbers(v, 0, 60)
	case "BYYEARDAY":
		r.yearDays, err = numbers(v, -366, 366)
	case "BYWEEKNO":
		r.weeks, err = numbers(v, -53, 53)
	case "WKST":
		r.weekStartTold = true
		r.weekStart, err = dayOf(v)
	default:
		err = fmt.Errorf("a part that is not known")
	}
	return err
}

func number(v string, least, most int) (int, error) {
	n, err := strconv.Atoi(v)
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("a number that is not from %d to %d", least, most)
	}
	return n, nil
}

func numbers(v string, least, most int) ([]int, error) {
	var list []int
	for s := range strings.SplitSeq(v, ",") {
		n, err := number(strings.TrimSpace(s), least, most)
		if err != nil {
			return nil, err
		}
		if len(list) == mostRuleValues {
			return nil, fmt.Errorf("a list of more than %d numbers", mostRuleValues)
		}
		list = append(list, n)
	}
	return list, nil
}

const dayNames = "SUMOTUWETHFRSA"

func dayName(d time.Weekday) string { return dayNames[2*d : 2*d+2] }

func dayOf(v string) (time.Weekday, error) {
	for d := range 7 {
		if v == dayName(time.Weekday(d)) {
			return time.Weekday(d), nil
		}
	}
	return 0, fmt.Errorf("a day that is none")
}

func weekdays(v string) ([]weekday, error) {
	var list []weekday
	for s := range strings.SplitSeq(v, ",") {
		s = strings.TrimSpace(s)
		if len(s) < 2 || len(list) == mostRuleValues {
			return nil, fmt.Errorf("a day that is none")
		}
		day, err := dayOf(s[len(s)-2:])
		if err != nil {
			return nil, err
		}
		w := weekday{day: day}
		if s = s[:len(s)-2]; s != "" {
			if w.nth, err = number(s, -53, 53); err != nil {
				return nil, err
			}
		}
		list = append(list, w)
	}
	return list, nil
}
