package exchangetest

import (
	"hash/maphash"
	"slices"
	"time"
)

// Rate is what a client made of what was allowed, since the server began. Both are time of the server's workers.
type Rate struct {
	Allowed time.Duration // that the budgets and the ordered faults would have let through
	Needed  time.Duration // of what was let through: without what had been answered before
	Wasted  time.Duration // the rest
}

// Share is 1 for a client that leaves nothing of what is allowed.
func (r Rate) Share() float64 { return float64(r.Needed) / float64(r.Allowed) }

// Rate holds what was done until now against what was allowed; see the package documentation. It wants Options.Judge.
func (s *Server) Rate() Rate {
	t := s.throttle
	t.mu.Lock()
	defer t.mu.Unlock()
	var r Rate
	for name, b := range t.budgets {
		if !isFront(name) {
			r.Needed += b.Load.Work - b.Load.Wasted
			r.Wasted += b.Load.Wasted
		}
	}
	r.Allowed = t.allowed(t.clock())
	return r
}

// span is a stretch of time.
type span struct{ from, to time.Time }

// within is the part of a span in another.
func (s span) within(o span) time.Duration {
	from, to := s.from, s.to
	if from.Before(o.from) {
		from = o.from
	}
	if to.After(o.to) {
		to = o.to
	}
	return max(to.Sub(from), 0)
}

// closed notes that an ordered fault told a budget to stay away.
func (b *budget) closed(now time.Time, d time.Duration) {
	until := now.Add(d)
	if n := len(b.rests); n > 0 && !now.After(b.rests[n-1].to) {
		if until.After(b.rests[n-1].to) {
			b.rests[n-1].to = until
		}
		return
	}
	b.rests = append(b.rests, span{now, until})
}

// open is how long of a span no fault had closed the budget.
func (b *budget) open(s span) time.Duration {
	d := s.to.Sub(s.from)
	for _, rest := range b.rests {
		d -= rest.within(s)
	}
	return d
}

// allowed is the server time that could have been used until now: at each moment what the budgets that are open take at once,
// and no more than there are workers; and of each budget no more than its bucket gave. Under mu.
func (t *throttle) allowed(now time.Time) time.Duration {
	var sum, buckets time.Duration
	whole := span{t.began, now}
	bounded := true
	for name, b := range t.budgets {
		if isFront(name) {
			continue
		}
		bounded = bounded && b.limits.Concurrency > 0
		given := time.Duration(b.limits.Concurrency) * b.open(whole)
		if b.limits.Cutoff > 0 {
			given = min(given, time.Duration(b.limits.MaxBurst+b.limits.Cutoff)+time.Duration(b.limits.rate()*float64(now.Sub(t.began))))
		}
		buckets += given
	}
	for _, s := range t.stretches(whole) {
		n := t.atOnce(s)
		sum += time.Duration(n) * s.to.Sub(s.from)
	}
	if bounded {
		sum = min(sum, buckets)
	}
	return sum
}

// stretches cuts a span where a budget closes or opens.
func (t *throttle) stretches(whole span) (list []span) {
	edges := []time.Time{whole.from, whole.to}
	for _, b := range t.budgets {
		for _, r := range b.rests {
			for _, at := range []time.Time{r.from, r.to} {
				if at.After(whole.from) && at.Before(whole.to) {
					edges = append(edges, at)
				}
			}
		}
	}
	slices.SortFunc(edges, time.Time.Compare)
	for i, at := range edges[1:] {
		if at.After(edges[i]) {
			list = append(list, span{edges[i], at})
		}
	}
	return list
}

// atOnce is how many requests the server would work on all through a stretch in which nothing opens or closes.
func (t *throttle) atOnce(s span) (n int) {
	unbounded := 0
	for name, b := range t.budgets {
		if isFront(name) || b.open(s) == 0 || t.budgets[b.front].open(s) == 0 {
			continue
		}
		if b.limits.Concurrency == 0 {
			unbounded++
		}
		n += b.limits.Concurrency
	}
	if w := t.policy.Workers; w > 0 && (n > w || unbounded > 0) {
		return w
	}
	return n
}

// answered are things that were answered well, by digest.
type answered struct {
	seed maphash.Seed
	all  map[uint64]bool
}

func (a *answered) digest(parts ...string) uint64 {
	var h maphash.Hash
	h.SetSeed(a.seed)
	for _, p := range parts {
		h.WriteString(p)
		h.WriteByte(0)
	}
	return h.Sum64()
}

// asks says that the request is for one thing, which its text tells.
func (k *ticket) asks(parts ...string) {
	k.askedBefore = k.gives(parts...)
}

// gives says that the item at hand is answered, and whether it was before. What is given counts once the answer is whole.
func (k *ticket) gives(parts ...string) (before bool) {
	t := k.throttle
	if t.answered == nil {
		return false
	}
	key := t.answered.digest(append(parts, k.budget)...)
	t.mu.Lock()
	defer t.mu.Unlock()
	if before = t.answered.all[key]; !before {
		k.given = append(k.given, key)
	}
	return before
}

// givesItem is gives for an item in a state; when it was given before the work for it was for nothing.
func (k *ticket) givesItem(id, changeKey string) {
	if !k.gives("item", id, changeKey) {
		return
	}
	k.itemBefore = true
	d := time.Duration(k.throttle.policy.cost(k.operation).Item)
	k.throttle.mu.Lock()
	defer k.throttle.mu.Unlock()
	k.spent -= d
	k.waste(d)
}

// waste notes work that nobody needed. Under mu.
func (k *ticket) waste(d time.Duration) {
	for _, b := range k.budgets {
		b.Load.Wasted += d
	}
}

// over ends an answer, which went out whole or not. Where it did not it is the client that went, unless a fault was ordered.
func (k *ticket) over(whole bool, due []Fault) {
	t := k.throttle
	t.mu.Lock()
	defer t.mu.Unlock()
	k.excused = whole || slices.ContainsFunc(due, Fault.breaks)
	if !whole || slices.ContainsFunc(due, Fault.spoils) {
		return
	}
	for _, key := range k.given {
		t.answered.all[key] = true
	}
	k.given = nil
}
