package calendar

import (
	"strings"
	"time"
)

const (
	dateLayout = "20060102"
	wallLayout = "20060102T150405"
	utcLayout  = "20060102T150405Z"
)

// moment is a DATE or DATE-TIME [RFC 5545] 3.3.4, 3.3.5.
type moment struct {
	wall   time.Time // what the text shows, in UTC
	utc    bool      // it ends in Z
	isDate bool
	zone   *zone // the zone it is meant in
}

// parseWall reads a DATE or DATE-TIME without its zone.
func parseWall(v string) (moment, bool) {
	v = strings.ToUpper(strings.TrimSpace(v))
	m := moment{isDate: len(v) == len(dateLayout)}
	layout := dateLayout
	if !m.isDate {
		layout = wallLayout
		if v, m.utc = strings.CutSuffix(v, "Z"); len(v) == len("20060102T1504") {
			v += "00"
		}
		v = strings.TrimSuffix(v, "60") + strings.Repeat("59", strings.Count(v[max(0, len(v)-2):], "60")) // a leap second
	}
	if len(v) != len(layout) {
		return m, false
	}
	t, err := time.Parse(layout, v)
	m.wall = t
	return m, err == nil && t.Year() >= firstRuleYear
}

// instant is the moment in UTC.
func (m moment) instant() time.Time {
	if m.utc || m.zone == nil {
		return m.wall
	}
	return m.zone.instant(m.wall)
}

// day is the midnight before a wall time.
func day(wall time.Time) time.Time { return date(wall.Year(), wall.Month(), wall.Day()) }

// minutes1601 is how long after 1601-01-01 a wall time is.
func minutes1601(wall time.Time) uint32 {
	return uint32((wall.Unix() - date(1601, 1, 1).Unix()) / 60)
}

func wallOf1601(minutes uint32) time.Time {
	return time.Unix(date(1601, 1, 1).Unix()+60*int64(minutes), 0).UTC()
}

// zones knows the time zones of a calendar.
type zones struct {
	defined  map[string]*component
	made     map[string]*zone
	year     int
	floating *zone // of times without a zone
	utc      *zone
}

// zonesOf takes times without a zone for those of the calendar's zone: the one
// it names, else its only one, else UTC.
func zonesOf(cal *component, year int) *zones {
	z := &zones{defined: map[string]*component{}, made: map[string]*zone{}, year: year, utc: utcZone()}
	var only *component
	list := cal.children("VTIMEZONE")
	for _, c := range list {
		if id := c.text("TZID"); z.defined[id] == nil {
			z.defined[id], only = c, c
		}
	}
	z.floating = z.utc
	if name := cal.text("X-WR-TIMEZONE"); name != "" {
		z.floating = z.named(name)
	} else if len(z.defined) == 1 {
		z.floating = z.named(only.text("TZID"))
	}
	return z
}

// maxZones is how many zones of a calendar are looked at.
const maxZones = 64

// named is the zone of a TZID: the VTIMEZONE, else the zone that is known by the name.
func (z *zones) named(id string) *zone {
	if made := z.made[id]; made != nil {
		return made
	}
	if len(z.made) == maxZones {
		return z.floating
	}
	var made *zone
	if c := z.defined[id]; c != nil {
		made = parseZone(c, z.year)
	}
	if made == nil {
		if made = namedZone(id, z.year); made != nil {
			made.name = id
		}
	}
	if made == nil {
		made = z.floating
	}
	z.made[id] = made
	return made
}

// moment reads the time of a property in its zone.
func (z *zones) moment(p *property) (moment, bool) {
	if p == nil {
		return moment{}, false
	}
	return z.parse(p, p.value)
}

// moments reads a list of times, as EXDATE has them.
func (z *zones) moments(p *property) []moment {
	var list []moment
	for v := range strings.SplitSeq(p.value, ",") {
		if m, ok := z.parse(p, v); ok && len(list) < maxInstances {
			list = append(list, m)
		}
	}
	return list
}

func (z *zones) parse(p *property, v string) (moment, bool) {
	m, ok := parseWall(v)
	switch id := p.param("TZID"); {
	case m.utc:
		m.zone = z.utc
	case id != "":
		m.zone = z.named(id)
	default:
		m.zone = z.floating
	}
	return m, ok
}
