package throttle

import "time"

// Permit is one request on its way. Release must be called when it is over.
type Permit struct {
	of   *Governor
	legs []leg // for each governor of the chain
	over bool
}

// leg is how one governor stood when the request began.
type leg struct {
	era  int
	full bool // the limit was reached when it began
}

// begin counts a request that begins. Under mu.
func (g *Governor) begin(ask Ask) *Permit {
	p := &Permit{of: g, legs: make([]leg, len(g.chain))}
	now := g.now()
	for i, above := range g.chain {
		above.flying++
		above.stats.Requests++
		above.stats.Highest = max(above.stats.Highest, above.flying)
		above.starts.add(now, 1)
		above.uploads.add(now, ask.Upload)
		p.legs[i] = leg{above.era, above.full()}
	}
	return p
}

// Release ends the request with what came of it. Any but the first call does nothing.
func (p *Permit) Release(s Signal) {
	p.of.mu.Lock()
	defer p.of.mu.Unlock()
	if p.over {
		return
	}
	p.over = true
	p.tell(s)
	for _, g := range p.of.chain {
		g.flying--
		g.wake()
	}
}

// Tell takes a complaint that came while the request goes on: about one item of many.
func (p *Permit) Tell(s Signal) {
	p.of.mu.Lock()
	defer p.of.mu.Unlock()
	if !p.over && s.Kind.complains() {
		p.tell(s)
	}
}

func (p *Permit) tell(s Signal) {
	about := p.of
	for _, g := range p.of.chain {
		if g == s.At {
			about = g
		}
	}
	for i, g := range p.of.chain {
		current := p.legs[i].era == g.era
		switch {
		case g == about && s.Kind.complains():
			g.complaint(s, current)
		case g == s.Maybe && s.Kind.complains():
			g.doubt(s.Kind, current)
		case s.Kind != Lost && current: // an answer to a request of an earlier era proves nothing of this one
			g.answered(s.Kind == Served, p.legs[i].full || g.full())
		}
	}
}

// answered takes in an answer that is no complaint.
func (g *Governor) answered(served, full bool) {
	g.ramp = min(g.ramp+1, g.most)
	if served {
		g.pauses = 0
	}
	if !served || !full {
		return
	}
	step := 1 / g.limit
	if g.limit < g.easy {
		step = 1
	}
	g.limit = min(g.limit+step, float64(g.most))
}

// complaint takes in that there was too much. For the limit, and for how long pauses are, it is only news when the
// request is of this era.
func (g *Governor) complaint(s Signal, current bool) {
	used := min(g.limit, float64(g.flying))
	lone := used < 2
	if current {
		g.limit, g.easy = max(used/2, 1), easyPart*used
	}
	if s.Kind == Busy || s.Kind == Crowded && (s.After > 0 || lone && current) {
		g.pause(s, current)
	}
	g.era++
}

// doubt takes in a complaint that may be about somebody else: one alone is worth a moment's rest, more than one are believed.
func (g *Governor) doubt(kind Kind, current bool) {
	if g.pauses > 0 {
		g.complaint(Signal{Kind: kind}, current)
		return
	}
	g.pause(Signal{Kind: kind}, current)
	g.era++
}

const (
	shortestPause = time.Second
	longestFloor  = 5 * time.Minute
	rampStep      = 2 * time.Second // a server refuses at the door: what it has not refused by then it is at work on
	easyPart      = 0.75            // of what was too much
)

func (g *Governor) pause(s Signal, current bool) {
	least := max(s.Floor, shortestPause)
	for range g.pauses {
		least = min(2*least, max(s.Floor, longestFloor))
	}
	if current {
		g.pauses = min(g.pauses+1, 20)
	}
	now := g.now()
	until := now.Add(max(s.After, least) + g.spread(least/2))
	if !until.After(g.until) {
		return
	}
	if n := len(g.rests); n > 0 && g.until.After(now) {
		g.rests[n-1].until = until
	} else {
		g.rested(rest{now, until})
	}
	g.until, g.ramp = until, 1
}
