package retention

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// maxCount is the most of anything that a policy counts.
const maxCount = 10_000

// Span is a run of time that is counted in units of the calendar. The zero Span is none.
type Span struct {
	n    int
	unit byte // d w m y, or forever
}

const forever = 'f'

// UnmarshalText reads "90d", "12w", "18m", "7y" or "forever".
func (s *Span) UnmarshalText(text []byte) error {
	word := strings.ToLower(strings.TrimSpace(string(text)))
	if word == "forever" {
		*s = Span{unit: forever}
		return nil
	}
	if len(word) > 1 && strings.ContainsRune("dwmy", rune(word[len(word)-1])) {
		n, err := strconv.ParseUint(word[:len(word)-1], 10, 32)
		if err == nil && n <= maxCount {
			*s = Span{int(n), word[len(word)-1]}
			return nil
		}
	}
	return fmt.Errorf("%q is no span of time: write 90d, 12w, 18m, 7y (days, weeks, months, years; at most %d) or forever", text, maxCount)
}

func (s Span) String() string {
	names := map[byte]string{'d': "day", 'w': "week", 'm': "month", 'y': "year"}
	switch {
	case s.unit == forever:
		return "forever"
	case s.n == 1:
		return "1 " + names[s.unit]
	}
	return fmt.Sprintf("%d %ss", s.n, names[s.unit])
}

// After is the moment a span after another one; the zero time where it does not end.
func (s Span) After(t time.Time) time.Time {
	s.n = -s.n
	return s.before(t)
}

// before is the moment a span before another one; the zero time is before all.
func (s Span) before(t time.Time) time.Time {
	switch s.unit {
	case 'd':
		return t.AddDate(0, 0, -s.n)
	case 'w':
		return t.AddDate(0, 0, -7*s.n)
	case 'm':
		return monthsBefore(t, s.n)
	case 'y':
		return monthsBefore(t, 12*s.n)
	case forever:
		return time.Time{}
	}
	return t
}

// monthsBefore is the same day of an earlier month, or the last one where that month is shorter.
func monthsBefore(t time.Time, n int) time.Time {
	first := time.Date(t.Year(), t.Month()-time.Month(n), 1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(t.Day(), last)-1)
}
