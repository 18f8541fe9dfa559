package throttle

import (
	"slices"
	"time"
)

// Stats is what a governor has done so far.
type Stats struct {
	Requests    int           // begun, those of the governors below too
	Waited      time.Duration // by requests asked of this governor, before they began, all taken together
	Paused      time.Duration // in which a pause, its own or one above, let nothing begin
	Pauses      int           // of its own, those that were made longer counted once
	Concurrency int           // requests at once that it allows by now
	Highest     int           // requests that were on their way at once
}

// rest is the time of a pause.
type rest struct{ from, until time.Time }

// Stats may be called at any time.
func (g *Governor) Stats() Stats {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.stats
	s.Concurrency, s.Pauses = int(g.limit), len(g.rests)
	s.Paused = g.paused()
	return s
}

// paused is how long pauses of the chain have lasted since this governor was made. Those of several at once count once.
func (g *Governor) paused() (total time.Duration) {
	var rests []rest
	for _, above := range g.chain {
		rests = append(rests, above.rests...)
	}
	slices.SortFunc(rests, func(a, b rest) int { return a.from.Compare(b.from) })
	covered, now := g.made, g.now()
	for _, r := range rests {
		from, until := latest(r.from, covered), r.until
		if until.After(now) {
			until = now
		}
		if until.After(from) {
			total += until.Sub(from)
			covered = until
		}
	}
	return total
}
