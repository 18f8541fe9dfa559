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

// mostRests is how many pauses a governor keeps: it may live for years. What is forgotten is counted before for itself; a
// governor below, whose Stats nobody has asked for through so many pauses, misses the oldest.
const mostRests = 512

// rested notes a pause that begins.
func (g *Governor) rested(r rest) {
	if len(g.rests) == mostRests {
		g.paused()
		g.rests = append(g.rests[:0], g.rests[mostRests/2:]...)
	}
	g.rests = append(g.rests, r)
	g.stats.Pauses++
}

// Stats may be called at any time.
func (g *Governor) Stats() Stats {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.paused()
	s := g.stats
	s.Concurrency = int(g.limit)
	return s
}

// paused counts how long pauses of the chain have lasted up to now. Those of several at once count once.
func (g *Governor) paused() {
	var rests []rest
	for _, above := range g.chain {
		rests = append(rests, above.rests...)
	}
	slices.SortFunc(rests, func(a, b rest) int { return a.from.Compare(b.from) })
	now := g.now()
	for _, r := range rests {
		from, until := latest(r.from, g.counted), r.until
		if until.After(now) {
			until = now
		}
		if until.After(from) {
			g.stats.Paused += until.Sub(from)
			g.counted = until
		}
	}
	g.counted = latest(g.counted, now)
}
