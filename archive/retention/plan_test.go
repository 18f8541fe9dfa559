package retention_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"mailbrick/archive"
	"mailbrick/archive/retention"
)

func parse(t testing.TB, text string) *retention.Policy {
	t.Helper()
	p, err := retention.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func at(s string) time.Time {
	t, err := time.Parse("2006-01-02 15:04", s)
	if err != nil {
		panic(err)
	}
	return t
}

// seen is a version of a mailbox that was held from one moment to another; "" while it is held.
func seen(from, to string) retention.Version {
	v := retention.Version{Version: &archive.Version{Mailbox: "ann@example.com", Folder: "Inbox/Projects/X", FirstSeen: at(from)}, Class: "IPM.Note.SMIME"}
	if to != "" {
		v.Ended = at(to)
	}
	return v
}

func deleted(v retention.Version) retention.Version { v.Last = true; return v }

func held(v retention.Version) retention.Version { v.Hold = "case 17"; return v }

func TestJudge(t *testing.T) {
	t.Parallel()
	const now = "2026-03-01 10:30" // a Sunday, the day after a February of 28
	for _, row := range []struct {
		name, rule, now string
		v               retention.Version
		remove          bool
		why             string
	}{
		{"alive", `keep = "0d"`, now, seen("2001-01-01 00:00", ""), false, "the mailbox holds it"},
		{"replaced", `keep = "0d"`, now, seen("2026-02-01 00:00", "2026-02-02 00:00"), true, "replaced 2026-02-02, and nothing of the rule keeps it longer"},
		{"held", `keep = "0d"`, now, held(seen("2026-02-01 00:00", "2026-02-02 00:00")), false, "hold case 17"},
		{"deleted and held", `deleted = "1d"`, now, held(deleted(seen("2026-02-01 00:00", "2026-02-02 00:00"))), false, "hold case 17"},
		{"kept by the rule and held", `keep = "90d"`, now, held(seen("2026-02-01 00:00", "2026-02-02 00:00")), false, "keep: 90 days"},
		{"keep, in", `keep = "2d"`, now, seen("2026-02-01 00:00", "2026-02-27 10:31"), false, "keep: 2 days"},
		{"keep, out", `keep = "2d"`, now, seen("2026-02-01 00:00", "2026-02-27 10:30"), true, ""},
		{"keep forever", `keep = "forever"`, now, seen("1601-01-01 00:00", "1601-01-02 00:00"), false, "keep: forever"},
		{"month before the 31st", `keep = "1m"`, "2026-03-31 00:00", seen("2026-01-01 00:00", "2026-02-28 00:01"), false, "keep: 1 month"},
		{"out of it", `keep = "1m"`, "2026-03-31 00:00", seen("2026-01-01 00:00", "2026-02-28 00:00"), true, ""},
		{"year before a leap day", `keep = "1y"`, "2024-02-29 00:00", seen("2022-01-01 00:00", "2023-02-28 00:01"), false, "keep: 1 year"},
		{"deleted without a word", `keep = "0d"`, now, deleted(seen("2001-01-01 00:00", "2001-01-02 00:00")), false, "deleted: kept, for the rule does not say how long"},
		{"deleted, in", `deleted = "7y"`, now, deleted(seen("2018-01-01 00:00", "2019-03-01 10:31")), false, "deleted: 7 years"},
		{"deleted, out", `deleted = "7y"`, now, deleted(seen("2018-01-01 00:00", "2019-03-01 10:30")), true, "deleted 2019-03-01, and nothing of the rule keeps it longer"},
		{"deleted speaks of the last only", `deleted = "7y"`, now, seen("2026-02-01 00:00", "2026-02-02 00:00"), true, ""},
		{"today's midnight", `daily = 1`, now, seen("2026-03-01 00:00", "2026-03-01 00:01"), false, "daily: 2026-03-01"},
		{"just before", `daily = 1`, now, seen("2026-02-28 00:00", "2026-03-01 00:00"), true, ""},
		{"yesterday's", `daily = 2`, now, seen("2026-02-28 00:00", "2026-03-01 00:00"), false, "daily: 2026-02-28"},
		{"within a day", `daily = 9`, now, seen("2026-02-27 01:00", "2026-02-27 23:00"), true, ""},
		{"over a leap day", `daily = 2`, "2024-03-01 10:30", seen("2024-02-29 00:00", "2024-02-29 12:00"), false, "daily: 2024-02-29"},
		{"Monday", `weekly = 1`, now, seen("2026-02-22 00:00", "2026-02-23 00:01"), false, "weekly: 2026-02-23"},
		{"the Monday before", `weekly = 1`, now, seen("2026-02-16 00:00", "2026-02-23 00:00"), true, ""},
		{"on a Monday", `weekly = 1`, "2026-02-23 00:00", seen("2026-02-22 00:00", "2026-02-23 00:01"), false, "weekly: 2026-02-23"},
		{"month", `monthly = 2`, now, seen("2026-01-15 00:00", "2026-02-15 00:00"), false, "monthly: 2026-02-01"},
		{"month, out", `monthly = 2`, now, seen("2026-02-02 00:00", "2026-02-28 00:00"), true, ""},
		{"year", `yearly = 3`, now, seen("2023-05-01 00:00", "2024-01-02 00:00"), false, "yearly: 2024-01-01"},
		{"year, out", `yearly = 3`, now, seen("2022-05-01 00:00", "2024-01-01 00:00"), true, ""},
		{"the newest moment speaks", `monthly = 12`, now, seen("2025-05-02 00:00", "2026-01-05 00:00"), false, "monthly: 2026-01-01"},
		{"another mailbox", "keep = \"0d\"\nmailbox = [\"bob@*\"]", now, seen("2001-01-01 00:00", "2001-01-02 00:00"), false, "no rule fits it"},
		{"pattern", "keep = \"0d\"\nmailbox = [\"bob@*\", \"A??@*.com\"]", now, seen("2001-01-01 00:00", "2001-01-02 00:00"), true, ""},
		{"folder below", "keep = \"0d\"\nfolder = [\"inbox/projects/\"]", now, seen("2001-01-01 00:00", "2001-01-02 00:00"), true, ""},
		{"folder beside", "keep = \"0d\"\nfolder = [\"Inbox/Proj\"]", now, seen("2001-01-01 00:00", "2001-01-02 00:00"), false, "no rule fits it"},
		{"class below", "keep = \"0d\"\nclass = [\"ipm.note\"]", now, seen("2001-01-01 00:00", "2001-01-02 00:00"), true, ""},
		{"class beside", "keep = \"0d\"\nclass = [\"IPM.Not\"]", now, seen("2001-01-01 00:00", "2001-01-02 00:00"), false, "no rule fits it"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			d := parse(t, "[[rule]]\n"+row.rule).At(at(row.now)).Judge(row.v)
			if d.Remove != row.remove || row.why != "" && d.Why != row.why {
				t.Errorf("%+v, want removal %v, %q", d, row.remove, row.why)
			}
		})
	}
}

func TestFirstRuleThatFits(t *testing.T) {
	t.Parallel()
	plan := parse(t, `
[[rule]]
name = "projects"
folder = ["Inbox/Projects"]
keep = "forever"
[[rule]]
keep = "0d"
`).At(at("2026-03-01 00:00"))
	v := seen("2001-01-01 00:00", "2001-01-02 00:00")
	if d := plan.Judge(v); d.Remove || d.Rule != "projects" {
		t.Errorf("%+v", d)
	}
	v.Folder = "Inbox"
	if d := plan.Judge(v); !d.Remove || d.Rule != "rule 2" {
		t.Errorf("%+v", d)
	}
}

// TestZones is the same plan wherever it is made, also over the hour that Europe leaves out.
func TestZones(t *testing.T) {
	t.Parallel()
	p := parse(t, "[[rule]]\nkeep = \"1d\"\ndaily = 3")
	now := at("2026-03-29 12:00")
	for _, hours := range []int{-11, 0, 2, 13} {
		plan := p.At(now.In(time.FixedZone("", hours*3600)))
		for minutes := range 4 * 24 * 60 / 7 {
			v := seen("2026-03-25 00:00", "")
			v.Ended = v.FirstSeen.Add(time.Duration(minutes) * 7 * time.Minute)
			if a, b := plan.Judge(v), p.At(now).Judge(v); a != b {
				t.Fatalf("%+v at %d hours, %+v", a, hours, b)
			}
		}
	}
}

// random is an item's history: versions that follow one another; the last may be alive.
func random(r *rand.Rand, now time.Time) []retention.Version {
	var out []retention.Version
	from := now.Add(-time.Duration(r.IntN(12*365*24*60)) * time.Minute)
	for from.Before(now) && len(out) < 8 {
		long := 1 + r.IntN(1<<(4+r.IntN(16)))
		v := retention.Version{Version: &archive.Version{Mailbox: fmt.Sprintf("box%d@example.com", r.IntN(3)),
			Folder: []string{"Inbox", "Inbox/A", "Sent"}[r.IntN(3)], FirstSeen: from}, Class: []string{"IPM.Note", "IPM.Task"}[r.IntN(2)]}
		if r.IntN(6) == 0 {
			v.Hold = "h"
		}
		from = from.Add(time.Duration(long) * time.Minute)
		if from.Before(now) {
			v.Ended = from
		}
		out = append(out, v)
	}
	out[len(out)-1].Last = true
	return out
}

func randomRules(r *rand.Rand) []retention.Rule {
	rules := make([]retention.Rule, 1+r.IntN(3))
	for i := range rules {
		rules[i] = retention.Rule{Name: fmt.Sprint(i), Keep: span(r.IntN(60), "dwmy"[r.IntN(4)]), Daily: retention.Count(r.IntN(40)),
			Weekly: retention.Count(r.IntN(20)), Monthly: retention.Count(r.IntN(30)), Yearly: retention.Count(r.IntN(5)), Deleted: span(r.IntN(10), 'y')}
		if i < len(rules)-1 {
			rules[i].Mailbox = []string{fmt.Sprintf("box%d@*", r.IntN(3))}
		}
	}
	return rules
}

func span(n int, unit byte) *retention.Span {
	s := &retention.Span{}
	if err := s.UnmarshalText(fmt.Appendf(nil, "%d%c", n, unit)); err != nil {
		panic(err)
	}
	return s
}

// TestProperties holds a plan to what all plans promise, over many histories and policies.
func TestProperties(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(4, 6))
	now := at("2026-03-01 10:30")
	removed := 0
	for range 3000 {
		rules := randomRules(r)
		plan := (&retention.Policy{Rules: rules}).At(now)
		longer := append([]retention.Rule(nil), rules...)
		i := r.IntN(len(longer))
		longer[i].Daily += retention.Count(r.IntN(9))
		longer[i].Monthly += retention.Count(r.IntN(9))
		longer[i].Yearly += retention.Count(r.IntN(3))
		longer[i].Keep = span(60, 'y')
		if r.IntN(2) == 0 {
			longer[i].Keep, longer[i].Deleted = rules[i].Keep, nil
		}
		more := (&retention.Policy{Rules: longer}).At(now)
		history := random(r, now)
		var stays []retention.Version
		for _, v := range history {
			d := plan.Judge(v)
			if d.Remove && (v.Ended.IsZero() || v.Hold != "") {
				t.Fatalf("%+v of %+v", d, v)
			}
			if again := more.Judge(v); again.Remove && !d.Remove {
				t.Fatalf("a longer policy lets more go: %+v, %+v: %+v", d, again, v)
			}
			if !d.Remove {
				stays = append(stays, v)
			} else {
				removed++
			}
		}
		// What is left is planned again, its last version being the last now.
		for i := range stays {
			stays[i].Last = i == len(stays)-1
			if d := plan.Judge(stays[i]); d.Remove {
				t.Fatalf("planned again: %+v", d)
			}
		}
	}
	if removed < 1000 {
		t.Fatalf("%d removals prove little", removed)
	}
}

// TestPointsHandOver is that what is kept for a day's sake is there for its month's when the day is long ago: judged every
// day, the months are the same as judged once at the end.
func TestPointsHandOver(t *testing.T) {
	t.Parallel()
	p := parse(t, "[[rule]]\nkeep = \"2d\"\ndaily = 35\nmonthly = 12\ndeleted = \"0d\"")
	start := at("2025-01-01 07:00")
	var all []retention.Version
	for n := range 2000 {
		v := retention.Version{Version: &archive.Version{FirstSeen: start.Add(time.Duration(n) * 5 * time.Hour)}}
		v.Ended = v.FirstSeen.Add(5 * time.Hour)
		all = append(all, v)
	}
	end := all[len(all)-1].Ended
	left := append([]retention.Version(nil), all...)
	for now := start; now.Before(end); now = now.Add(24 * time.Hour) {
		left = stay(p.At(now), left)
	}
	got, want := stay(p.At(end), left), stay(p.At(end), all)
	if len(got) != len(want) || len(want) < 12+35 {
		t.Errorf("%d versions are left, %d judged once", len(got), len(want))
	}
}

// stay are the versions that a plan keeps. What ends after its moment is alive at it.
func stay(plan *retention.Plan, all []retention.Version) (out []retention.Version) {
	for _, v := range all {
		if !plan.Judge(v).Remove {
			out = append(out, v)
		}
	}
	return out
}

func TestJudgeSnapshot(t *testing.T) {
	t.Parallel()
	const daily = "[[rule]]\nname = \"a\"\nmailbox = [\"ann@*\"]\ndaily = 3\n"
	const inbox = "[[rule]]\nname = \"i\"\nfolder = [\"Inbox\"]\nkeep = \"1d\"\n"
	for _, row := range []struct {
		name, rules, mailbox, from, next string
		remove                           bool
		why                              string
	}{
		{"latest", daily, "ann@x", "2020-01-01 00:00", "", false, "the latest"},
		{"over midnight", daily, "ann@x", "2026-02-27 20:00", "2026-02-28 01:00", false, "daily: 2026-02-28"},
		{"within a day", daily, "ann@x", "2026-02-27 20:00", "2026-02-27 23:00", true, "no rule keeps what the mailbox held then"},
		{"another mailbox", daily, "bob@x", "2026-02-27 20:00", "2026-02-27 23:00", false, "no rule fits all of it"},
		{"a rule for a folder does not end it", inbox, "ann@x", "2026-02-20 20:00", "2026-02-20 23:00", false, "no rule fits all of it"},
		{"the next rule does", inbox + daily, "ann@x", "2026-02-20 20:00", "2026-02-20 23:00", true, ""},
		{"one keeps it", inbox + daily, "ann@x", "2026-02-28 15:00", "2026-02-28 16:00", false, "keep: 1 day"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var next time.Time
			if row.next != "" {
				next = at(row.next)
			}
			d := parse(t, row.rules).At(at("2026-03-01 10:30")).JudgeSnapshot(archive.Snapshot{Mailbox: row.mailbox, Time: at(row.from)}, next)
			if d.Remove != row.remove || row.why != "" && d.Why != row.why {
				t.Errorf("%+v, want %v, %q", d, row.remove, row.why)
			}
		})
	}
}

func BenchmarkJudge(b *testing.B) {
	plan := parse(b, "[[rule]]\nmailbox=[\"*@example.org\"]\nkeep=\"forever\"\n[[rule]]\nkeep = \"90d\"\ndaily = 365\nmonthly = 120\ndeleted = \"7y\"").At(at("2026-03-01 00:00"))
	v := deleted(seen("2011-01-02 00:00", "2011-01-03 00:00"))
	for b.Loop() {
		plan.Judge(v)
	}
}

func TestAfter(t *testing.T) {
	t.Parallel()
	from := time.Date(2026, 1, 31, 10, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{"30d": "2026-03-02", "2w": "2026-02-14", "1m": "2026-02-28", "7y": "2033-01-31", "0d": "2026-01-31", "forever": "0001-01-01"} {
		var s retention.Span
		if err := s.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if got := s.After(from).Format(time.DateOnly); got != want {
			t.Errorf("%s after %v is %s, want %s", text, from, got, want)
		}
	}
}
