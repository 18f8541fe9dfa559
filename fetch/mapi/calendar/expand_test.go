package calendar_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// An expander of its own: it tries each day against each part of a rule, knows
// nothing of patterns and takes zones from the VTIMEZONE of the text, or from
// the time package where there is none.

type block struct {
	name  string
	lines []string // "NAME;PARAMS:VALUE"
	subs  []*block
}

func blocksOf(t *testing.T, ics string) *block {
	t.Helper()
	ics = strings.ReplaceAll(strings.ReplaceAll(ics, "\r\n", "\n"), "\n ", "")
	root := &block{}
	stack := []*block{root}
	for line := range strings.Lines(ics) {
		line = strings.TrimSpace(line)
		top := stack[len(stack)-1]
		switch {
		case strings.HasPrefix(line, "BEGIN:"):
			b := &block{name: line[6:]}
			top.subs = append(top.subs, b)
			stack = append(stack, b)
		case strings.HasPrefix(line, "END:"):
			stack = stack[:len(stack)-1]
		default:
			top.lines = append(top.lines, line)
		}
	}
	if len(root.subs) != 1 || root.subs[0].name != "VCALENDAR" {
		t.Fatalf("not one calendar:\n%s", ics)
	}
	return root.subs[0]
}

// get is parameters and value of the first line of a name.
func (b *block) get(name string) (params, value string) {
	for _, l := range b.lines {
		head, value, _ := strings.Cut(strings.ReplaceAll(l, `"mailto:`, ""), ":")
		if n, params, _ := strings.Cut(head, ";"); n == name {
			return params, value
		}
	}
	return "", ""
}

func (b *block) value(name string) string {
	_, v := b.get(name)
	return v
}

// when reads one time as wall time and where it is.
func (b *block) when(t *testing.T, cal *block, params, value string) (wall time.Time, z clock) {
	t.Helper()
	layout := "20060102T150405"
	if len(value) == 8 {
		layout = "20060102"
	}
	wall, err := time.Parse(layout, strings.TrimSuffix(value, "Z"))
	if err != nil {
		t.Fatal(err)
	}
	for p := range strings.SplitSeq(params, ";") {
		if id, ok := strings.CutPrefix(p, "TZID="); ok {
			return wall, clockOf(t, cal, strings.Trim(id, `"`))
		}
	}
	return wall, func(w time.Time) time.Time { return w }
}

// clock makes the instant of a wall time.
type clock func(wall time.Time) time.Time

func clockOf(t *testing.T, cal *block, id string) clock {
	t.Helper()
	for _, z := range cal.subs {
		if z.name == "VTIMEZONE" && z.value("TZID") == id {
			return z.clock(t)
		}
	}
	loc, err := time.LoadLocation(id)
	if err != nil {
		t.Fatalf("zone %q has no VTIMEZONE: %v", id, err)
	}
	return func(w time.Time) time.Time {
		_, before := w.Add(-36 * time.Hour).In(loc).Zone()
		_, after := w.Add(36 * time.Hour).In(loc).Zone()
		for _, offset := range []int{before, after} {
			at := w.Add(-time.Duration(offset) * time.Second)
			if at.In(loc).Format(time.DateTime) == w.Format(time.DateTime) {
				return at // the first time clocks show it
			}
		}
		return w.Add(-time.Duration(before) * time.Second) // they skip it [RFC 5545] 3.3.5
	}
}

// firstYear is before all series of the tests.
const firstYear = 2022

type onset struct {
	at       time.Time
	from, to time.Duration
}

func (b *block) clock(t *testing.T) clock {
	var list []onset
	for _, s := range b.subs {
		start, err := time.Parse("20060102T150405", s.value("DTSTART"))
		if err != nil {
			t.Fatal(err)
		}
		o := onset{from: hours(s.value("TZOFFSETFROM")), to: hours(s.value("TZOFFSETTO"))}
		walls := []time.Time{start}
		if rule := s.value("RRULE"); rule != "" {
			first := max(start.Year(), firstYear)
			from := time.Date(first, 1, 1, start.Hour(), start.Minute(), 0, 0, time.UTC)
			if start.Year() >= firstYear {
				from = start
			}
			walls = ruleDays(t, rule, from, from.AddDate(8, 0, 0), func(w time.Time) time.Time { return w.Add(-o.from) })
		}
		for _, w := range walls {
			o.at = w.Add(-o.from)
			list = append(list, o)
		}
	}
	slices.SortFunc(list, func(a, b onset) int { return a.at.Compare(b.at) })
	return func(w time.Time) time.Time {
		offset := list[0].from
		for _, o := range list {
			// A wall time that clocks show twice is the first, one they skip counts from before.
			if w.Add(-offset).Before(o.at) {
				break
			}
			if o.to > offset && w.Add(-o.to).Before(o.at) {
				break
			}
			offset = o.to
		}
		return w.Add(-offset)
	}
}

func hours(v string) time.Duration {
	n, _ := strconv.Atoi(v[1:])
	d := time.Duration(n/100)*time.Hour + time.Duration(n%100)*time.Minute
	if v[0] == '-' {
		return -d
	}
	return d
}

func ints(v string) (list []int) {
	if v == "" {
		return nil
	}
	for s := range strings.SplitSeq(v, ",") {
		n, _ := strconv.Atoi(s)
		list = append(list, n)
	}
	return list
}

const days = "SUMOTUWETHFRSA"

// ruleDays are the wall times of a rule from start up to limit.
func ruleDays(t *testing.T, rule string, start, limit time.Time, z clock) []time.Time {
	t.Helper()
	part := map[string]string{"INTERVAL": "1", "WKST": "MO"}
	for p := range strings.SplitSeq(rule, ";") {
		k, v, _ := strings.Cut(p, "=")
		part[k] = v
	}
	interval, _ := strconv.Atoi(part["INTERVAL"])
	count, _ := strconv.Atoi(part["COUNT"])
	var until time.Time
	if v := part["UNTIL"]; len(v) == 8 {
		until, _ = time.Parse("20060102", v)
		until = until.Add(24*time.Hour - 1)
	} else if v != "" {
		until, _ = time.Parse("20060102T150405Z", v)
	}
	weekStart := time.Weekday(strings.Index(days, part["WKST"]) / 2)
	midnight := time.Date(start.Year(), start.Month(), start.Day(), 0, 0, 0, 0, time.UTC)
	var found []time.Time
	var set []time.Time
	flush := func() bool {
		for i, d := range set {
			if pos := ints(part["BYSETPOS"]); pos != nil && !slices.Contains(pos, i+1) && !slices.Contains(pos, i-len(set)) {
				continue
			}
			w := d.Add(start.Sub(midnight))
			if w.Before(start) {
				continue
			}
			limitOf := z(w)
			if len(part["UNTIL"]) == 8 {
				limitOf = w
			}
			if count > 0 && len(found) == count || !until.IsZero() && limitOf.After(until) || w.After(limit) {
				return false
			}
			found = append(found, w)
		}
		set = nil
		return true
	}
	first := midnight.AddDate(0, 0, -400)
	var period int
	for d := first; d.Before(limit.AddDate(1, 0, 0)); d = d.AddDate(0, 0, 1) {
		p := periodOf(part["FREQ"], midnight, d, weekStart)
		if p != period {
			if !flush() {
				return found
			}
			period = p
		}
		if p >= 0 && p%interval == 0 && onDay(part, midnight, d) {
			set = append(set, d)
		}
	}
	return found
}

// periodOf numbers the days, weeks, months or years from that of the start.
func periodOf(freq string, start, d time.Time, weekStart time.Weekday) int {
	switch freq {
	case "DAILY":
		return int(d.Sub(start).Hours()) / 24
	case "WEEKLY":
		week := start.AddDate(0, 0, -(int(start.Weekday())-int(weekStart)+7)%7)
		n := int(d.Sub(week).Hours()) / 24
		if n < 0 {
			return -1
		}
		return n / 7
	case "MONTHLY":
		return (d.Year()-start.Year())*12 + int(d.Month()) - int(start.Month())
	}
	return d.Year() - start.Year()
}

func onDay(part map[string]string, start, d time.Time) bool {
	last := time.Date(d.Year(), d.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day()
	months, monthDays := ints(part["BYMONTH"]), ints(part["BYMONTHDAY"])
	if months != nil && !slices.Contains(months, int(d.Month())) {
		return false
	}
	if monthDays != nil && !slices.Contains(monthDays, d.Day()) && !slices.Contains(monthDays, d.Day()-last-1) {
		return false
	}
	if v := part["BYDAY"]; v != "" {
		name := days[2*d.Weekday() : 2*d.Weekday()+2]
		nth, fromEnd := (d.Day()-1)/7+1, -((last-d.Day())/7 + 1)
		list := strings.Split(v, ",")
		return slices.Contains(list, name) || slices.Contains(list, fmt.Sprintf("%d%s", nth, name)) || slices.Contains(list, fmt.Sprintf("%d%s", fromEnd, name))
	}
	switch part["FREQ"] {
	case "WEEKLY":
		return d.Weekday() == start.Weekday()
	case "MONTHLY":
		return monthDays != nil || d.Day() == start.Day()
	case "YEARLY":
		return (monthDays != nil || d.Day() == start.Day()) && (months != nil || d.Month() == start.Month())
	}
	return true
}

// expand is each instance as "start end summary location" in UTC, in order: those of three years.
func expand(t *testing.T, ics string) []string {
	t.Helper()
	cal := blocksOf(t, ics)
	instances := map[string]string{}
	var overrides []*block
	for _, b := range cal.subs {
		if b.name != "VEVENT" {
			continue
		}
		if b.value("RECURRENCE-ID") != "" {
			overrides = append(overrides, b)
			continue
		}
		params, value := b.get("DTSTART")
		start, z := b.when(t, cal, params, value)
		walls := []time.Time{start}
		if rule := b.value("RRULE"); rule != "" {
			walls = ruleDays(t, rule, start, start.AddDate(3, 0, 0), z)
		}
		end, zEnd := start, z
		if p, v := b.get("DTEND"); v != "" {
			end, zEnd = b.when(t, cal, p, v)
		}
		for _, w := range walls {
			instances[stamp(z(w))] = stamp(z(w)) + " " + stamp(zEnd(w.Add(end.Sub(start)))) + b.words()
		}
		for _, l := range b.lines {
			if !strings.HasPrefix(l, "EXDATE") {
				continue
			}
			head, list, _ := strings.Cut(l, ":")
			for v := range strings.SplitSeq(list, ",") {
				w, z := b.when(t, cal, strings.TrimPrefix(head, "EXDATE"), v)
				delete(instances, stamp(z(w)))
			}
		}
	}
	for _, b := range overrides {
		p, v := b.get("RECURRENCE-ID")
		id, z := b.when(t, cal, p, v)
		p, v = b.get("DTSTART")
		start, zStart := b.when(t, cal, p, v)
		p, v = b.get("DTEND")
		end, zEnd := b.when(t, cal, p, v)
		delete(instances, stamp(z(id)))
		if b.value("STATUS") != "CANCELLED" {
			instances["moved "+stamp(z(id))] = stamp(zStart(start)) + " " + stamp(zEnd(end)) + b.words()
		}
	}
	var list []string
	for _, v := range instances {
		list = append(list, v)
	}
	slices.Sort(list)
	return list
}

func stamp(at time.Time) string { return at.UTC().Format("2006-01-02 15:04") }

func (b *block) words() string {
	return " " + b.value("SUMMARY") + " / " + b.value("LOCATION")
}
