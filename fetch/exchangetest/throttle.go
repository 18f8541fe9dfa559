package exchangetest

import (
	"context"
	"hash/maphash"
	"maps"
	"net/http"
	"sync"
	"time"
)

// throttle holds requests against a policy, and counts them. A request arrives,
// is let in or not, takes its time, and leaves:
//
//	ticket := t.arrive(visit{...})
//	if r := ticket.admit(ctx); r != nil { the answer says no; ticket.tell(r.backOff) }
//	defer ticket.leave()
//	ticket.work(ctx, cost)
type throttle struct {
	policy Policy
	clock  func() time.Time
	sleep  func(context.Context, time.Duration) error
	desk   chan struct{} // a place for each worker; nil: any number

	mu      sync.Mutex         // guards all below and the budgets
	budgets map[string]*budget // by name, see visit
	waiting int                // for a worker
	turns   map[string]int     // how often a limit has refused
	work    time.Duration

	began    time.Time
	answered *answered // nil: nobody judges
}

func newThrottle(o Options) *throttle {
	t := &throttle{policy: o.Throttle, clock: o.Clock, sleep: o.Sleep, budgets: map[string]*budget{}, turns: map[string]int{}}
	if n := o.Throttle.Workers; n > 0 {
		t.desk = make(chan struct{}, n)
	}
	if t.began = t.clock(); o.Judge {
		t.answered = &answered{maphash.MakeSeed(), map[uint64]bool{}}
	}
	return t
}

// visit is a request as the throttle sees it.
type visit struct {
	front        string // the name of the front end's budget: "front:" and the account or app
	budget       string // "mailbox:" and the address, "account:" and the user, "graph:" and the app, "/", the mailbox
	limits       Limits // of that budget
	operation    string
	synchronizes bool
	upload       int64 // bytes of the request's body
}

// ticket is a request that arrived.
type ticket struct {
	visit
	throttle *throttle
	budgets  []*budget // the front end's and the inner one
	started  time.Time
	free     time.Time // when what it worked at is done
	rows     int
	entered  bool
	seated   bool // at a worker's desk
	delayed  bool

	askedBefore, itemBefore bool          // the whole, or the item at hand, was answered before
	given                   []uint64      // what this answer gives
	spent                   time.Duration // work that counts as needed so far
	excused                 bool          // it was done to its end, or a fault is why it was not
}

func (t *throttle) arrive(v visit) *ticket {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.clock()
	k := &ticket{visit: v, throttle: t, started: now, free: now}
	k.budgets = []*budget{t.budget(v.front, t.policy.FrontEnd, now), t.budget(v.budget, v.limits, now)}
	k.budgets[1].front = v.front
	for _, b := range k.budgets {
		b.arrive(now, v.upload, time.Duration(t.policy.Grace))
	}
	return k
}

func (t *throttle) budget(name string, l Limits, now time.Time) *budget {
	b := t.budgets[name]
	if b == nil {
		b = newBudget(l, now)
		t.budgets[name] = b
	}
	return b
}

// admit lets the request in, or says why not and which turn this limit's refusal is.
func (k *ticket) admit(ctx context.Context) (*refusal, int) {
	if r, turn := k.enter(); r != nil {
		return r, turn
	}
	if err := k.sit(ctx); err != nil {
		return nil, 0 // the client is gone, which the answer will find out
	}
	k.free = k.throttle.clock()
	return nil, 0
}

func (k *ticket) enter() (*refusal, int) {
	t := k.throttle
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.clock()
	for i, b := range k.budgets {
		r := b.refuse(now, k.synchronizes, k.upload)
		if r == nil && i == 0 && t.policy.Queue > 0 && t.desk != nil && len(t.desk) == cap(t.desk) && t.waiting >= t.policy.Queue {
			r = &refusal{limit: "queue"}
		}
		if r == nil {
			continue
		}
		if i == 0 {
			r.front, r.limit = true, "front_end."+r.limit
		}
		b.Refused[r.limit]++
		t.turns[r.limit]++
		return r, t.turns[r.limit] - 1
	}
	for _, b := range k.budgets {
		b.enter(k.synchronizes)
		b.Load.Requests++
	}
	k.entered = true
	return nil, 0
}

// sit waits for a worker.
func (k *ticket) sit(ctx context.Context) error {
	t := k.throttle
	if t.desk == nil {
		return nil
	}
	t.queue(1)
	defer t.queue(-1)
	select {
	case t.desk <- struct{}{}:
		k.seated = true
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t *throttle) queue(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waiting += n
}

// leave ends a request that was let in.
func (k *ticket) leave() {
	if !k.entered {
		return
	}
	k.entered = false
	t := k.throttle
	if k.seated {
		<-t.desk
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, b := range k.budgets {
		b.leave(k.synchronizes)
		b.rows -= k.rows
		b.Served++
		if k.delayed {
			b.Delayed++
		}
	}
	if t.answered != nil && !k.excused {
		k.waste(k.spent)
	}
}

// tell notes that the client was told to stay away: by the front end or by the inner budget.
func (k *ticket) tell(d time.Duration, frontEnd bool) {
	if d <= 0 {
		return
	}
	t := k.throttle
	t.mu.Lock()
	defer t.mu.Unlock()
	k.teller(frontEnd).tell(t.clock(), d)
}

// teller is the budget that says no. Under mu.
func (k *ticket) teller(frontEnd bool) *budget {
	if frontEnd {
		return k.budgets[0]
	}
	return k.budgets[1]
}

// order notes that an ordered fault told the client to stay away, if it is still there to hear it.
func (k *ticket) order(ctx context.Context, d time.Duration, frontEnd bool) {
	if d <= 0 || ctx.Err() != nil {
		return
	}
	k.tell(d, frontEnd)
	t := k.throttle
	t.mu.Lock()
	defer t.mu.Unlock()
	k.teller(frontEnd).closed(t.clock(), d)
}

// work charges server time and lets it pass. Time in which the server really
// worked counts: the answer is not there before, and not much after. Short times
// pass together, see settle.
func (k *ticket) work(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := k.throttle
	t.mu.Lock()
	now := t.clock()
	for _, b := range k.budgets {
		b.charge(now, d, k.synchronizes)
	}
	if k.askedBefore || k.itemBefore {
		k.waste(d)
	} else {
		k.spent += d
	}
	t.work += d
	t.mu.Unlock()
	k.free = k.free.Add(d)
	if k.free.Sub(now) < 2*time.Millisecond {
		return nil
	}
	return k.settle(ctx)
}

// pay takes the time of the request as such and of the bytes it uploads, and gives the way for the answer, which takes its own.
func (k *ticket) pay(w http.ResponseWriter, ctx context.Context, upload int64) http.ResponseWriter {
	cost := k.throttle.policy.cost(k.operation)
	k.work(ctx, time.Duration(cost.Request)+cost.bytes(upload)) // a client that is gone is found out by writing
	return &paced{w, k, ctx, cost}
}

// paced charges the bytes of an answer.
type paced struct {
	http.ResponseWriter
	ticket *ticket
	ctx    context.Context
	cost   Cost
}

func (p *paced) Write(b []byte) (int, error) {
	if err := p.ticket.work(p.ctx, p.cost.bytes(int64(len(b)))); err != nil {
		return 0, err
	}
	return p.ResponseWriter.Write(b)
}

func (p *paced) Unwrap() http.ResponseWriter { return p.ResponseWriter }

// settle waits until all that was charged has passed.
func (k *ticket) settle(ctx context.Context) error {
	now := k.throttle.clock()
	if left := k.free.Sub(now); left > 0 {
		return k.throttle.sleep(ctx, left)
	}
	k.free = now // a server that is slower than its policy does not catch up
	return nil
}

// item is work for one item of a request, after the delay of a budget that is
// overdrawn. A refusal says that the rest of the request is not done any more.
func (k *ticket) item(ctx context.Context) (*refusal, error) {
	t := k.throttle
	t.mu.Lock()
	now := t.clock()
	inner := k.budgets[1]
	if wait := inner.blockedFor(now); wait > 0 {
		inner.Refused["cutoff"]++
		t.mu.Unlock()
		return &refusal{limit: "cutoff", backOff: wait}, nil
	}
	limit := time.Duration(k.limits.RequestTime)
	if limit > 0 && now.Sub(k.started) > limit {
		inner.Refused["request_time"]++
		t.mu.Unlock()
		return &refusal{limit: "request_time"}, nil
	}
	delay := inner.delay(now)
	if delay > 0 {
		k.delayed = true
		inner.Load.Delay += delay
	}
	t.mu.Unlock()
	k.free, k.itemBefore = k.free.Add(delay), false
	return nil, k.work(ctx, time.Duration(t.policy.cost(k.operation).Item))
}

// find takes rows for a listing out of the count that all listings share: as
// many as there are, at most so many; 0 is none left.
func (k *ticket) find(most int) int {
	limit := k.limits.FindCount
	if limit == 0 {
		return most
	}
	t := k.throttle
	t.mu.Lock()
	defer t.mu.Unlock()
	inner := k.budgets[1]
	n := max(min(most, limit-inner.rows), 0)
	if n == 0 {
		inner.Refused["find_count"]++
	}
	inner.rows += n
	k.rows += n
	return n
}

// BudgetReport is what happened on one budget.
type BudgetReport struct {
	Arrived       int            `json:"arrived"` // requests
	Served        int            `json:"served"`
	Delayed       int            `json:"delayed"`        // of those served
	Refused       map[string]int `json:"refused"`        // by the limit, and items too: of cutoff, request_time, find_count
	BackOffs      int            `json:"back_offs"`      // that were told, with ordered faults
	DuringBackOff int            `json:"during_backoff"` // requests that came nevertheless: a conforming client makes none
	Crossed       int            `json:"crossed"`        // requests that met the back-off on their way
	Peak          int            `json:"peak"`           // most requests at once
	PeakSyncs     int            `json:"peak_syncs"`
	Load          Load           `json:"load"` // of what was let in; bytes of all
}

// add makes sums; peaks are the highest.
func (a *BudgetReport) add(b BudgetReport) {
	a.Arrived += b.Arrived
	a.Served += b.Served
	a.Delayed += b.Delayed
	for limit, n := range b.Refused {
		a.refused(limit, n)
	}
	a.BackOffs += b.BackOffs
	a.DuringBackOff += b.DuringBackOff
	a.Crossed += b.Crossed
	a.Peak, a.PeakSyncs = max(a.Peak, b.Peak), max(a.PeakSyncs, b.PeakSyncs)
	a.Load.Requests += b.Load.Requests
	a.Load.Work += b.Load.Work
	a.Load.Delay += b.Load.Delay
	a.Load.Sync += b.Load.Sync
	a.Load.Wasted += b.Load.Wasted
	a.Load.Upload += b.Load.Upload
}

// report copies the counters.
func (t *throttle) report() Report {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := Report{Budgets: map[string]BudgetReport{}, policy: t.policy, limits: map[string]Limits{}}
	for name, b := range t.budgets {
		c := b.BudgetReport
		c.Refused = maps.Clone(b.Refused)
		r.Budgets[name], r.limits[name] = c, b.limits
		if isFront(name) {
			for limit, n := range c.Refused {
				r.Total.refused(limit, n)
			}
			r.Total.DuringBackOff += c.DuringBackOff
			r.Total.Crossed += c.Crossed
			r.Total.BackOffs += c.BackOffs
			continue
		}
		r.Total.add(c)
	}
	r.IdealSeconds = r.Ideal(0).Seconds()
	return r
}
