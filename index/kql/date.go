package kql

import (
	"strconv"
	"strings"
	"time"
)

const (
	day  = 24 * time.Hour
	tick = 100 * time.Nanosecond // what a FILETIME counts
)

// interval is what a date value covers: [from, to).
type interval struct{ from, to time.Time }

const dateHint = `dates are written 2021-04-15, 2021-04-15T10:00:00Z, 4/15/2021, today, yesterday or, in quotes, ` +
	`"this week", "last week", "this month", "last month", "this year", "last year", "last 7 days", "last 30 days"`

// parseDate reads one date value.
func (p *parser) parseDate(s string, column int) (interval, error) {
	s = strings.TrimSpace(s)
	if iv, ok := p.keywordDate(strings.ToLower(s)); ok {
		return iv, nil
	}
	iv, ok := p.slashDate(s)
	if !ok {
		iv, ok = p.isoDate(s)
	}
	if !ok {
		hint := dateHint
		if low := strings.ToLower(s); low == "last" || low == "this" {
			hint = `put keywords with a space in quotes, received:"last month"`
		}
		return iv, problem(column, hint, "%q is not a date", s)
	}
	if y := iv.from.Year(); y < 1601 || y > 9998 {
		return iv, problem(column, "", "the year of %q is not between 1601 and 9998", s)
	}
	return interval{iv.from.In(p.zone), iv.to.In(p.zone)}, nil
}

// keywordDate reads the dates that depend on today.
func (p *parser) keywordDate(s string) (interval, bool) {
	now := p.now
	today := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, p.zone)
	month := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, p.zone)
	year := time.Date(now.Year(), 1, 1, 0, 0, 0, 0, p.zone)
	monday := today.AddDate(0, 0, -(int(today.Weekday())+6)%7)
	switch strings.Join(strings.Fields(s), " ") {
	case "today":
		return interval{today, today.AddDate(0, 0, 1)}, true
	case "yesterday":
		return interval{today.AddDate(0, 0, -1), today}, true
	case "this week":
		return interval{monday, monday.AddDate(0, 0, 7)}, true
	case "last week":
		return interval{monday.AddDate(0, 0, -7), monday}, true
	case "this month":
		return interval{month, month.AddDate(0, 1, 0)}, true
	case "last month":
		return interval{month.AddDate(0, -1, 0), month}, true
	case "this year":
		return interval{year, year.AddDate(1, 0, 0)}, true
	case "last year":
		return interval{year.AddDate(-1, 0, 0), year}, true
	case "last 7 days":
		return interval{today.AddDate(0, 0, -6), today.AddDate(0, 0, 1)}, true
	case "last 30 days":
		return interval{today.AddDate(0, 0, -29), today.AddDate(0, 0, 1)}, true
	}
	return interval{}, false
}

// slashDate reads month/day/year.
func (p *parser) slashDate(s string) (interval, bool) {
	parts := strings.Split(s, "/")
	if len(parts) != 3 || len(parts[2]) != 4 {
		return interval{}, false
	}
	var n [3]int
	for i, part := range parts {
		v, err := strconv.Atoi(part)
		if err != nil || len(part) > 4 || v < 1 {
			return interval{}, false
		}
		n[i] = v
	}
	from := time.Date(n[2], time.Month(n[0]), n[1], 0, 0, 0, 0, p.zone)
	if from.Day() != n[1] || int(from.Month()) != n[0] { // 2/30: Date would go on to March
		return interval{}, false
	}
	return interval{from, from.AddDate(0, 0, 1)}, true
}

// isoDate reads year-month-day, with a time perhaps.
func (p *parser) isoDate(s string) (interval, bool) {
	s = strings.ToUpper(s)
	if from, err := time.ParseInLocation(time.DateOnly, s, p.zone); err == nil {
		return interval{from, from.AddDate(0, 0, 1)}, true
	}
	for _, f := range []struct {
		layout string
		width  time.Duration
	}{{"2006-01-02T15:04", time.Minute}, {"2006-01-02T15:04:05", time.Second}} {
		for _, zone := range []string{"", "Z07:00"} {
			if from, err := time.ParseInLocation(f.layout+zone, s, p.zone); err == nil {
				width := min(f.width, fraction(s))
				return interval{from, from.Add(width)}, width >= tick
			}
		}
	}
	return interval{}, false
}

// fraction gives the width of the last digit after the seconds' point; a minute when there is none.
func fraction(s string) time.Duration {
	_, digits, ok := strings.Cut(s, ".")
	if !ok {
		return time.Minute
	}
	width := time.Second
	for _, r := range digits {
		if r < '0' || r > '9' {
			break
		}
		width /= 10
	}
	return width
}

// unitOf gives the coarsest form that can write t: a day (in UTC only, other zones would read it as theirs), a second,
// a tick.
func unitOf(t time.Time) time.Duration {
	switch {
	case t.Location() == time.UTC && t.Hour() == 0 && t.Minute() == 0 && t.Second() == 0 && t.Nanosecond() == 0:
		return day
	case t.Nanosecond() == 0:
		return time.Second
	}
	return tick
}

func formatTime(t time.Time, unit time.Duration) string {
	switch unit {
	case day:
		return t.Format(time.DateOnly)
	case time.Second:
		return t.UTC().Format("2006-01-02T15:04:05Z")
	}
	return t.UTC().Format("2006-01-02T15:04:05.0000000Z")
}
