package retention

import (
	"fmt"
	"slices"
	"time"

	"mailbrick/archive"
)

// Version is a version of an item as a policy judges it.
type Version struct {
	*archive.Version
	Class string // the item's message class
	Last  bool   // no other version of the item came after it
	Hold  string // the name of a hold that is on it; empty when there is none
}

// Decision is what a policy says of a version, and why.
type Decision struct {
	Remove bool
	Rule   string // that judged it; empty where none fits, and of what no rule has to judge
	Why    string
}

// Plan is a policy at a moment. It is for concurrent use.
type Plan struct{ rules []judge }

// judge is a rule at a moment.
type judge struct {
	*Rule
	since  time.Time // what the mailbox held at it or later stays
	gone   time.Time // what vanished after it stays
	series []series
}

// series are the moments of which one kind of count speaks.
type series struct {
	kind    string
	moments []time.Time // oldest first
}

// At is the policy at a moment.
func (p *Policy) At(now time.Time) *Plan {
	now = now.UTC()
	plan := &Plan{}
	for i := range p.Rules {
		r := &p.Rules[i]
		j := judge{Rule: r, since: now}
		if r.Keep != nil {
			j.since = r.Keep.before(now)
		}
		if r.Deleted != nil {
			j.gone = r.Deleted.before(now)
		}
		day := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.UTC)
		week := day.AddDate(0, 0, -((int(day.Weekday()) + 6) % 7)) // it begins on Monday
		month := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
		year := time.Date(now.Year(), 1, 1, 0, 0, 0, 0, time.UTC)
		j.series = []series{
			{"daily", moments(r.Daily, func(n int) time.Time { return day.AddDate(0, 0, -n) })},
			{"weekly", moments(r.Weekly, func(n int) time.Time { return week.AddDate(0, 0, -7*n) })},
			{"monthly", moments(r.Monthly, func(n int) time.Time { return month.AddDate(0, -n, 0) })},
			{"yearly", moments(r.Yearly, func(n int) time.Time { return year.AddDate(-n, 0, 0) })},
		}
		plan.rules = append(plan.rules, j)
	}
	return plan
}

func moments(count Count, before func(n int) time.Time) []time.Time {
	out := make([]time.Time, min(count, maxCount))
	for n := range out {
		out[len(out)-1-n] = before(n)
	}
	return out
}

// Judge says whether a version may go. It depends on nothing but the plan and the version.
func (p *Plan) Judge(v Version) Decision {
	if v.Ended.IsZero() {
		return Decision{Why: "the mailbox holds it"}
	}
	for i := range p.rules {
		j := &p.rules[i]
		if !j.fits(&v) {
			continue
		}
		d := Decision{Rule: j.Name, Why: j.reason(&v)}
		switch {
		case d.Why != "":
		case v.Hold != "":
			d.Why = "hold " + v.Hold
		default:
			d.Remove, d.Why = true, j.cause(&v)
		}
		return d
	}
	return Decision{Why: "no rule fits it"}
}

// JudgeSnapshot says whether a snapshot need not be offered any more; next is when the one after it was made, zero of the latest.
// It stays as long as a rule that speaks of its mailbox keeps what the mailbox held then, were it only in one folder: what other
// rules let go is missing in it.
func (p *Plan) JudgeSnapshot(s archive.Snapshot, next time.Time) Decision {
	if next.IsZero() {
		return Decision{Why: "the latest"}
	}
	v := Version{Version: &archive.Version{Mailbox: s.Mailbox, FirstSeen: s.Time, Ended: next}}
	for i := range p.rules {
		j := &p.rules[i]
		if !anyOf(j.Mailbox, func(p string) bool { return fitsPattern(p, s.Mailbox) }) {
			continue
		}
		if why := j.reason(&v); why != "" {
			return Decision{Rule: j.Name, Why: why}
		}
		if len(j.Folder)+len(j.Class) == 0 {
			return Decision{Remove: true, Rule: j.Name, Why: "no rule keeps what the mailbox held then"}
		}
	}
	return Decision{Why: "no rule fits all of it"}
}

// reason is why a rule keeps a version; empty when it does not.
func (j *judge) reason(v *Version) string {
	switch {
	case j.Keep != nil && v.Ended.After(j.since):
		return "keep: " + j.Keep.String()
	case v.Last && j.Deleted == nil:
		return "deleted: kept, for the rule does not say how long"
	case v.Last && v.Ended.After(j.gone):
		return "deleted: " + j.Deleted.String()
	}
	for _, s := range j.series {
		if m, ok := s.shows(v); ok {
			return s.kind + ": " + m.Format(time.DateOnly)
		}
	}
	return ""
}

// shows is the newest moment at which the mailbox held a version.
func (s *series) shows(v *Version) (time.Time, bool) {
	i, _ := slices.BinarySearchFunc(s.moments, v.Ended, time.Time.Compare)
	if i == 0 || s.moments[i-1].Before(v.FirstSeen) {
		return time.Time{}, false
	}
	return s.moments[i-1], true
}

// cause is why a version goes.
func (j *judge) cause(v *Version) string {
	what := "replaced"
	if v.Last {
		what = "deleted"
	}
	return fmt.Sprintf("%s %s, and nothing of the rule keeps it longer", what, v.Ended.UTC().Format(time.DateOnly))
}
