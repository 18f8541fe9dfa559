package exchangetest

import (
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/beevik/etree"

	"mailbrick/fetch/mapi/calendar"
)

// A recurrence is a pattern and a range, which iCalendar has as a rule and Exchange as a RecurrencePattern.

// daysOfWeek are the words of DayOfWeekType and the days they mean, bit 0 Sunday.
func daysOfWeek() []struct {
	word string
	mask uint32
} {
	return []struct {
		word string
		mask uint32
	}{
		{"Sunday", 1}, {"Monday", 2}, {"Tuesday", 4}, {"Wednesday", 8}, {"Thursday", 16}, {"Friday", 32}, {"Saturday", 64},
		{"Day", 127}, {"Weekday", 62}, {"WeekendDay", 65},
	}
}

func indexWords() []string { return []string{"First", "Second", "Third", "Fourth", "Last"} }

func maskOf(text string) (mask uint32) {
	for _, w := range strings.Fields(text) {
		for _, d := range daysOfWeek() {
			if d.word == w {
				mask |= d.mask
			}
		}
	}
	return mask
}

// byDay is the days of a mask as iCalendar has them.
func byDay(mask uint32) string {
	var list []string
	for d, name := range strings.Fields("SU MO TU WE TH FR SA") {
		if mask&(1<<d) != 0 {
			list = append(list, name)
		}
	}
	return strings.Join(list, ",")
}

// ruleOf is the RRULE of a Recurrence element; ok is false for one that iCalendar has none for.
func ruleOf(recurrence *etree.Element) (rule string, ok bool) {
	parts := recurrence.ChildElements()
	if len(parts) != 2 {
		return "", false
	}
	if rule, ok = patternRule(parts[0]); !ok {
		return "", false
	}
	switch end := parts[1]; end.Tag {
	case "NumberedRecurrence":
		rule += ";COUNT=" + strings.TrimSpace(childText(end, "NumberOfOccurrences"))
	case "EndDateRecurrence":
		last, err := parseDate(childText(end, "EndDate"))
		if err != nil {
			return "", false
		}
		rule += ";UNTIL=" + last.Format("20060102") + "T235959"
	}
	return rule, true
}

func patternRule(p *etree.Element) (rule string, ok bool) {
	interval := strings.TrimSpace(childText(p, "Interval"))
	if interval == "" {
		interval = "1"
	}
	mask := maskOf(childText(p, "DaysOfWeek"))
	month := fmt.Sprintf(";BYMONTH=%d", slices.Index(monthWords(), childText(p, "Month"))+1)
	nth := slices.Index(indexWords(), childText(p, "DayOfWeekIndex")) + 1
	if nth == len(indexWords()) {
		nth = -1
	}
	days := fmt.Sprintf(";BYDAY=%s;BYSETPOS=%d", byDay(mask), nth)
	switch p.Tag {
	case "DailyRecurrence":
		return "FREQ=DAILY;INTERVAL=" + interval, true
	case "WeeklyRecurrence":
		rule := "FREQ=WEEKLY;INTERVAL=" + interval + ";BYDAY=" + byDay(mask)
		if first := maskOf(childText(p, "FirstDayOfWeek")); first != 0 {
			rule += ";WKST=" + byDay(first)
		}
		return rule, mask != 0
	case "AbsoluteMonthlyRecurrence":
		return "FREQ=MONTHLY;INTERVAL=" + interval + monthDay(childText(p, "DayOfMonth")), true
	case "RelativeMonthlyRecurrence":
		return "FREQ=MONTHLY;INTERVAL=" + interval + days, mask != 0
	case "AbsoluteYearlyRecurrence":
		return "FREQ=YEARLY" + month + monthDay(childText(p, "DayOfMonth")), true
	case "RelativeYearlyRecurrence":
		return "FREQ=YEARLY" + month + days, mask != 0
	}
	return "", false // todo: [MS-OXOTASK] 3.1.4.6.2 tasks that are made anew when they are done
}

// monthDay: in a month too short for it the last day counts. [MS-OXOCAL] 2.2.1.44.1
func monthDay(text string) string {
	switch day, _ := strconv.Atoi(strings.TrimSpace(text)); day {
	case 31:
		return ";BYMONTHDAY=-1"
	case 30:
		return ";BYMONTHDAY=28,29,30;BYSETPOS=-1"
	case 29:
		return ";BYMONTHDAY=28,29;BYSETPOS=-1"
	default:
		return fmt.Sprintf(";BYMONTHDAY=%d", day)
	}
}

func monthWords() []string {
	var list []string
	for m := time.January; m <= time.December; m++ {
		list = append(list, m.String())
	}
	return list
}

// parseDate reads an xs:date, whose zone says nothing here.
func parseDate(text string) (time.Time, error) {
	text = strings.TrimSpace(text)
	return time.Parse(time.DateOnly, text[:min(len(text), len(time.DateOnly))])
}

// dateText is a day of a series, with what its zone is ahead of UTC then.
func dateText(minutes uint32, zone string) string {
	wall := wallTime(minutes)
	at, known := instant(wall, zone)
	if !known {
		at = wall
	}
	return at.In(time.FixedZone("", int(wall.Sub(at)/time.Second))).Format("2006-01-02-07:00")
}

// writePattern writes a Recurrence; what EWS has no words for is left out.
func writePattern(x *xmlWriter, p *calendar.RecurrencePattern, zone string) {
	name, fields := patternFields(p)
	if name == "" {
		return
	}
	x.start("t:Recurrence")
	x.start("t:" + name)
	for i := 0; i < len(fields); i += 2 {
		x.leaf("t:"+fields[i], fields[i+1])
	}
	x.end()
	start := dateText(p.StartDate, zone)
	switch p.EndType {
	case calendar.EndByCount:
		x.start("t:NumberedRecurrence")
		x.leaf("t:StartDate", start)
		x.leaf("t:NumberOfOccurrences", strconv.FormatUint(uint64(p.OccurrenceCount), 10))
	case calendar.EndByDate:
		x.start("t:EndDateRecurrence")
		x.leaf("t:StartDate", start)
		x.leaf("t:EndDate", dateText(p.EndDate, zone))
	default:
		x.start("t:NoEndRecurrence")
		x.leaf("t:StartDate", start)
	}
	x.end()
	x.end()
}

// patternFields is the element of a pattern and what it holds, in pairs.
func patternFields(p *calendar.RecurrencePattern) (name string, fields []string) {
	interval := []string{"Interval", strconv.Itoa(int(p.Period))}
	month := []string{"Month", wallTime(p.StartDate).Month().String()}
	day := []string{"DayOfMonth", strconv.Itoa(int(p.Day))}
	yearly := p.Frequency == calendar.FreqYearly && p.Period == 12
	switch p.Pattern {
	case calendar.PatternDay:
		return "DailyRecurrence", []string{"Interval", strconv.Itoa(int(p.Period) / minutesInDay)}
	case calendar.PatternWeek:
		first := daysOfWeek()[p.FirstDOW%7].word
		return "WeeklyRecurrence", append(interval, "DaysOfWeek", daysIn(p.Days), "FirstDayOfWeek", first)
	case calendar.PatternMonth, calendar.PatternMonthEnd:
		if yearly {
			return "AbsoluteYearlyRecurrence", append(day, month...)
		}
		return "AbsoluteMonthlyRecurrence", append(interval, day...)
	case calendar.PatternMonthNth:
		days := relativeWord(p.Days)
		if days == "" || p.Nth < 1 || int(p.Nth) > len(indexWords()) {
			return "", nil
		}
		on := []string{"DaysOfWeek", days, "DayOfWeekIndex", indexWords()[p.Nth-1]}
		if yearly {
			return "RelativeYearlyRecurrence", append(on, month...)
		}
		return "RelativeMonthlyRecurrence", append(interval, on...)
	}
	return "", nil
}

func dayWords() []string {
	var list []string
	for _, d := range daysOfWeek() {
		list = append(list, d.word)
	}
	return list
}

func daysIn(mask uint32) string {
	var list []string
	for _, d := range daysOfWeek() {
		if bits.OnesCount32(d.mask) == 1 && mask&d.mask != 0 {
			list = append(list, d.word)
		}
	}
	return strings.Join(list, " ")
}

// relativeWord is the one word for these days, "" where there is none.
func relativeWord(mask uint32) string {
	for _, d := range daysOfWeek() {
		if d.mask == mask&127 {
			return d.word
		}
	}
	return ""
}

func writeRecurrence(x *xmlWriter, d *itemData) error {
	if r := recurrenceOf(d.m); r != nil {
		writePattern(x, &r.RecurrencePattern, zoneName(d.m, lidStartZone))
	}
	return nil
}
