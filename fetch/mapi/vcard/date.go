package vcard

import (
	"strings"
	"time"

	"mailbrick/fetch/mapi"
)

// noYear stands for a year that is not told, as in Apple's address book: a leap year, and the first in reach of a FILETIME.
const noYear = 1604

// parseDay reads a date of any version [RFC 6350] 4.3.1, [RFC 2426] 3.1.5; a time of day is left out.
func parseDay(s string) (time.Time, bool) {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "T")
	s, _, _ = strings.Cut(s, " ")
	if rest, yearless := strings.CutPrefix(s, "--"); yearless {
		s = "1604" + rest
	}
	s = strings.ReplaceAll(s, "-", "")
	day, err := time.Parse("20060102", s)
	if err != nil || day.Year() < noYear {
		return time.Time{}, false
	}
	return day, true
}

// parseTime reads the moment of REV [RFC 6350] 4.3.5.
func parseTime(s string) (time.Time, bool) {
	s = strings.NewReplacer("-", "", ":", "", ",", ".").Replace(strings.TrimSpace(s))
	for _, layout := range []string{"20060102T150405Z", "20060102T150405", "20060102"} {
		if at, err := time.Parse(layout, s); err == nil && at.Year() >= noYear {
			return at, true
		}
	}
	return time.Time{}, false
}

// dayAt is the day that is kept in a pair of places. The moment is some midnight
// of the writer's, or noon: the nearest midnight is that of the day, or the next one after noon.
func dayAt(b mapi.Bag, moment, local place) (time.Time, bool) {
	const day = 24 * time.Hour
	if p := local.find(b); p != nil {
		if at, ok := p.Time(); ok {
			return at.Truncate(day), true
		}
	}
	p := moment.find(b)
	if p == nil {
		return time.Time{}, false
	}
	at, ok := p.Time()
	return at.Add(day / 2).Truncate(day), ok
}

// formatDay writes a day, and one without its year as Apple does.
func formatDay(day time.Time) (params, value string) {
	if day.Year() == noYear {
		params = ";X-APPLE-OMIT-YEAR=1604"
	}
	return params, day.Format("2006-01-02")
}
