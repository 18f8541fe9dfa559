package calendar

import (
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // 450 KB: a meeting must not move by hours on a machine that has no zoneinfo, as Windows has none
)

// zone is a time zone as Exchange has it: a rule for each year. Wall times are
// time.Time in UTC that are meant in the zone.
type zone struct {
	name  string
	rules []TZRule // by year, never empty
}

func utcZone() *zone { return &zone{name: "UTC", rules: []TZRule{newRule(firstRuleYear)}} }

// firstRuleYear is the year of a rule that holds for ever.
const firstRuleYear = 1601

func newRule(year int) TZRule { return TZRule{Major: 2, Minor: 1, Size: 0x3E, Year: uint16(year)} }

func (z *zone) utc() bool {
	return len(z.rules) == 1 && z.rules[0].Bias == 0 && z.rules[0].StandardBias == 0 && !z.rules[0].daylight()
}

// rule is the rule of a year: the last one that began by then [MS-OXOCAL] 2.2.1.41.1.
func (z *zone) rule(year int) *TZRule {
	at := 0
	for i := range z.rules {
		if int(z.rules[i].Year) <= year {
			at = i
		}
	}
	return &z.rules[at]
}

// daylight says whether clocks are changed.
func (r *TZRule) daylight() bool {
	return r.StandardDate.Month != 0 && r.DaylightDate.Month != 0
}

func (r *TZRule) standardOffset() time.Duration {
	return -time.Duration(r.Bias+r.StandardBias) * time.Minute
}

func (r *TZRule) daylightOffset() time.Duration {
	return -time.Duration(r.Bias+r.DaylightBias) * time.Minute
}

// offset is what a local time is ahead of UTC at an instant.
func (z *zone) offset(at time.Time) time.Duration {
	year := at.Add(z.rule(at.Year()).standardOffset()).Year()
	r := z.rule(year)
	if r.daylight() && r.isDaylight(at, year) {
		return r.daylightOffset()
	}
	return r.standardOffset()
}

func (r *TZRule) isDaylight(at time.Time, year int) bool {
	from := r.DaylightDate.in(year).Add(-r.standardOffset())
	to := r.StandardDate.in(year).Add(-r.daylightOffset())
	if from.Before(to) {
		return !at.Before(from) && at.Before(to)
	}
	return !at.Before(from) || at.Before(to) // south of the equator
}

// local is the wall time of an instant.
func (z *zone) local(at time.Time) time.Time { return at.UTC().Add(z.offset(at)) }

// instant is when clocks show a wall time: the first time they do; one that
// they skip counts from before the change [RFC 5545] 3.3.5.
func (z *zone) instant(wall time.Time) time.Time {
	r := z.rule(wall.Year())
	early := wall.Add(-max(r.standardOffset(), r.daylightOffset()))
	late := wall.Add(-min(r.standardOffset(), r.daylightOffset()))
	switch {
	case !r.daylight():
		return wall.Add(-r.standardOffset())
	case z.local(early).Equal(wall):
		return early
	}
	return late
}

// in is the wall time of the change of clocks in a year.
func (s SystemTime) in(year int) time.Time {
	clock := time.Duration(s.Hour)*time.Hour + time.Duration(s.Minute)*time.Minute + time.Duration(s.Second)*time.Second
	month := time.Month(max(1, min(s.Month, 12)))
	if s.Year != 0 {
		return date(year, month, max(1, min(int(s.Day), 31))).Add(clock)
	}
	return nthWeekday(year, month, time.Weekday(s.DayOfWeek%7), int(s.Day)).Add(clock)
}

func date(year int, month time.Month, day int) time.Time {
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

// nthWeekday is the n-th such day of a month, the last where n is 5 or more.
func nthWeekday(year int, month time.Month, day time.Weekday, n int) time.Time {
	first := date(year, month, 1)
	at := 1 + (int(day)-int(first.Weekday())+7)%7 + 7*(max(1, min(n, 5))-1)
	if at > daysIn(year, month) {
		at -= 7
	}
	return date(year, month, at)
}

func daysIn(year int, month time.Month) int { return date(year, month+1, 0).Day() }

// same says whether two rules mean the same but for when they begin.
func (r *TZRule) same(s TZRule) bool {
	s.Year, s.Flags = r.Year, r.Flags
	return *r == s
}

// newZone makes a zone of the rule of each year from first to last.
func newZone(name string, first, last int, rule func(year int) TZRule) *zone {
	z := &zone{name: name}
	for year := first; year <= last; year++ {
		r := rule(year)
		if n := len(z.rules); n == 0 || !z.rules[n-1].same(r) {
			r.Year = uint16(year)
			z.rules = append(z.rules, r)
		}
	}
	z.rules[0].Year = firstRuleYear // nothing came before
	return z
}

// yearsAhead is how many years behind the start of a series have rules of their own.
const yearsAhead = 10

// namedZone is the zone that a name stands for, nil where it is not known. Rules are those around year.
func namedZone(name string, year int) *zone {
	loc := location(name)
	if loc == nil {
		return nil
	}
	if loc == time.UTC {
		return utcZone()
	}
	year = max(1900, min(year, 2100))
	return newZone(name, year-1, year+yearsAhead, func(y int) TZRule { return locationRule(loc, y) })
}

// location takes IANA names, also at the end of a path as Evolution and Mozilla write them, and Windows names.
func location(name string) *time.Location {
	if iana := ianaName(name); iana != "" {
		name = iana
	}
	if strings.ContainsFunc(name, notZoneLetter) || len(name) > 80 {
		return nil
	}
	parts := slices.DeleteFunc(strings.Split(name, "/"), func(s string) bool { return s == "" })
	for n := min(3, len(parts)); n > 0; n-- {
		tail := strings.Join(parts[len(parts)-n:], "/")
		switch tail {
		case "Local", "localtime":
			continue // would be the zone of this machine
		case "UTC", "GMT", "Z", "Etc/UTC", "Etc/GMT":
			return time.UTC
		}
		if loc, err := time.LoadLocation(tail); err == nil {
			return loc
		}
	}
	return nil
}

func notZoneLetter(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("/_+-.", r)
}

// change is a moment at which the clocks of a location change.
type change struct {
	at            time.Time
	before, after int // seconds ahead of UTC
}

// wall is what clocks show when they change.
func (c change) wall() time.Time { return c.at.UTC().Add(time.Duration(c.before) * time.Second) }

// locationRule is the rule that a location has in a year: the last change to
// each side. What is further ahead of UTC counts as daylight time.
func locationRule(loc *time.Location, year int) TZRule {
	var forward, back change
	at := time.Date(year, 1, 1, 0, 0, 0, 0, loc)
	_, offset := at.Zone()
	for {
		_, next := at.ZoneBounds()
		if !next.After(at) || next.In(loc).Year() > year { // none, or no progress: the time package gives that for some years far ahead
			break
		}
		c := change{at: next, before: offset}
		_, c.after = next.In(loc).Zone()
		if c.after > c.before {
			forward = c
		} else if c.after < c.before {
			back = c
		}
		at, offset = next, c.after
	}
	r := newRule(year)
	if forward.at.IsZero() || back.at.IsZero() {
		r.Bias = -int32(offset / 60)
		return r
	}
	r.Bias, r.DaylightBias = -int32(back.after/60), -int32((forward.after-back.after)/60)
	r.DaylightDate, r.StandardDate = changeDate(loc, forward), changeDate(loc, back)
	return r
}

// changeDate is the n-th weekday that a change falls on. A fourth one that is
// also the last is what it proves to be in the years after.
func changeDate(loc *time.Location, c change) SystemTime {
	wall := c.wall()
	nth := clockOf(wall)
	nth.Month, nth.DayOfWeek, nth.Day = uint16(wall.Month()), uint16(wall.Weekday()), uint16((wall.Day()-1)/7+1)
	if wall.Day()+7 <= daysIn(wall.Year(), wall.Month()) {
		return nth
	}
	last := nth
	last.Day = 5
	for year := wall.Year() + 1; year < wall.Year()+7; year++ {
		early := nth.in(year)
		if early.Equal(last.in(year)) {
			continue
		}
		after := early.Add(time.Hour - time.Duration(c.before)*time.Second)
		if _, offset := after.In(loc).Zone(); offset == c.after {
			return nth
		}
		break
	}
	return last
}

func clockOf(wall time.Time) SystemTime {
	return SystemTime{Hour: uint16(wall.Hour()), Minute: uint16(wall.Minute()), Second: uint16(wall.Second())}
}

// asStruct is the rule of one year as PidLidTimeZoneStruct.
func (r *TZRule) asStruct() TimeZoneStruct {
	return TimeZoneStruct{Bias: r.Bias, StandardBias: r.StandardBias, DaylightBias: r.DaylightBias,
		StandardDate: r.StandardDate, DaylightDate: r.DaylightDate}
}

// definition is the zone as a value of a property; flags mark the rule of a year.
func (z *zone) definition(year int, flags uint16) TimeZoneDefinition {
	d := TimeZoneDefinition{Major: 2, Minor: 1, Reserved: 2, KeyName: z.name, Rules: slices.Clone(z.rules)}
	if windows := windowsName(z.name); windows != "" {
		d.KeyName = windows
	}
	if len(d.KeyName) > maxZoneName {
		d.KeyName = strings.ToValidUTF8(d.KeyName[:maxZoneName], "")
	}
	effective := z.rule(year).Year
	for i := range d.Rules {
		d.Rules[i].Flags = 0
		if d.Rules[i].Year == effective {
			d.Rules[i].Flags = flags
		}
	}
	return d
}

const maxZoneName = 255

// absurd biases are of more than a day.
func (r TZRule) absurd() bool {
	return slices.ContainsFunc([]int32{r.Bias, r.StandardBias, r.DaylightBias}, func(v int32) bool { return v < -minutesInDay || v > minutesInDay })
}

func zoneOfDefinition(d TimeZoneDefinition) *zone {
	const mostRules = 256 // a century has fewer
	if len(d.Rules) == 0 || len(d.Rules) > mostRules || slices.ContainsFunc(d.Rules, TZRule.absurd) {
		return nil
	}
	z := &zone{name: d.KeyName, rules: slices.Clone(d.Rules)}
	slices.SortStableFunc(z.rules, func(a, b TZRule) int { return int(a.Year) - int(b.Year) })
	return z
}

func zoneOfStruct(t TimeZoneStruct, name string) *zone {
	r := newRule(firstRuleYear)
	r.Bias, r.StandardBias, r.DaylightBias = t.Bias, t.StandardBias, t.DaylightBias
	r.StandardDate, r.DaylightDate = t.StandardDate, t.DaylightDate
	if r.absurd() {
		return nil
	}
	return &zone{name: name, rules: []TZRule{r}}
}
