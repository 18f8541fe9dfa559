package fetch

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
)

// WatchOptions say how mailboxes are kept current. Only Run has to be set.
type WatchOptions struct {
	// Run brings a mailbox up to date; full asks for everything, whatever looks unchanged. It calls leave when it needs its
	// place no longer, as while it waits for others to commit. An error ends the watch: it is not the mailbox's.
	Run func(ctx context.Context, mailbox string, full bool, leave func()) (Outcome, error)

	Parallel  int           // mailboxes at once: 4
	Standing  int           // more of them, while the server lets some wait (Watch.Stand): none
	Poll      time.Duration // until a mailbox that nobody listens to is asked again: 2 minutes
	PollMost  time.Duration // the same, grown while nothing happens there: 30 minutes
	Settle    time.Duration // from a notification to the run, which takes in what else happens until then: 10 seconds
	Retry     time.Duration // until a mailbox that failed is asked again: 30 seconds
	RetryMost time.Duration // the same, doubled with each failure of a mailbox that does not get on: 1 hour

	NextFull func(after time.Time) time.Time // when all is to be asked for again; nil: never
	Rand     func() float64                  // from 0 to 1
	Log      *slog.Logger
}

func (o *WatchOptions) defaults() {
	o.Parallel = cmp.Or(o.Parallel, 4)
	o.Poll = cmp.Or(o.Poll, 2*time.Minute)
	o.PollMost = max(o.Poll, cmp.Or(o.PollMost, 30*time.Minute))
	o.Settle = cmp.Or(o.Settle, 10*time.Second)
	o.Retry = cmp.Or(o.Retry, 30*time.Second)
	o.RetryMost = max(o.Retry, cmp.Or(o.RetryMost, time.Hour))
	if o.NextFull == nil {
		o.NextFull = func(after time.Time) time.Time { return after.AddDate(100, 0, 0) }
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Rand == nil {
		o.Rand = rand.Float64
	}
}

// Outcome is what became of a run of Watch.
type Outcome struct {
	Changed bool  // something came, went or was changed, before it failed too
	Partly  bool  // items or folders could not be had: they are asked for again before something happens
	Failed  error // the mailbox could not be read; it is tried again, and the others go on
}

// Watch keeps mailboxes current: each is run once at the beginning, again soon after a notification, now and then where
// nobody listens, and in full by the schedule. It is for concurrent use.
type Watch struct {
	o     WatchOptions
	wake  chan struct{} // holds one: the loop has to look again
	seats *Seats

	mu        sync.Mutex // guards the rest
	mailboxes map[string]*watched
}

// watched is a mailbox and when it is run.
type watched struct {
	name    string
	due     time.Time     // of the next run
	full    time.Time     // of the next full one
	poll    time.Duration // until the next run when nobody listens
	heard   bool          // somebody listens
	told    bool          // something happened there while it ran
	fails   int           // one after another
	failed  error
	success time.Time
	stop    context.CancelFunc // of the run at hand; nil while there is none
	seat    *Seat              // of that run
}

// NewWatch makes a watch of no mailboxes.
func NewWatch(o WatchOptions) *Watch {
	o.defaults()
	return &Watch{o: o, wake: make(chan struct{}, 1), seats: NewSeats(o.Parallel, o.Standing), mailboxes: map[string]*watched{}}
}

// Set says which mailboxes are to be kept current. New ones begin at once, as do those that failed; the run of one that is
// gone ends at its next checkpoint.
func (w *Watch) Set(mailboxes []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	gone := maps.Clone(w.mailboxes)
	for _, name := range mailboxes {
		if m := gone[name]; m == nil {
			w.mailboxes[name] = &watched{name: name, due: now, full: w.o.NextFull(now), poll: w.o.Poll}
		} else if m.fails > 0 {
			m.due = now
		}
		delete(gone, name)
	}
	for name, m := range gone {
		if m.stop != nil {
			m.stop()
		}
		delete(w.mailboxes, name)
	}
	w.look()
}

// Happened says that something happened in a mailbox. One that fails is left alone until its time has come.
func (w *Watch) Happened(mailbox string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	m := w.mailboxes[mailbox]
	switch {
	case m == nil || m.fails > 0:
	case m.stop != nil:
		m.told = true
	default:
		m.before(time.Now().Add(w.o.Settle))
		w.look()
	}
}

// Listening says whether somebody listens to a mailbox from now on: what happens there is told by Happened.
func (w *Watch) Listening(mailbox string, heard bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	m := w.mailboxes[mailbox]
	if m == nil || m.heard == heard {
		return
	}
	if m.heard = heard; !heard {
		m.before(time.Now().Add(w.jitter(m.poll)))
		w.look()
	}
}

// Stand lets another mailbox be read in the place of one that the server lets wait. Its run goes on.
func (w *Watch) Stand(mailbox string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if m := w.mailboxes[mailbox]; m != nil && m.stop != nil && m.seat.Stand() {
		w.look()
	}
}

// before brings the next run forward.
func (m *watched) before(t time.Time) {
	if t.Before(m.due) {
		m.due = t
	}
}

// look wakes the loop, under mu or not.
func (w *Watch) look() {
	select {
	case w.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// Run keeps the mailboxes current until the context ends or a run says that none can be. Runs at hand have ended when it returns.
func (w *Watch) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var runs sync.WaitGroup
	defer runs.Wait()
	defer cancel(nil)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		begun, next := w.begin(ctx)
		for _, r := range begun {
			runs.Go(func() {
				if err := w.run(r); err != nil {
					cancel(err)
				}
			})
		}
		timer.Reset(next)
		select {
		case <-timer.C:
		case <-w.wake:
		case <-ctx.Done():
		}
	}
	return context.Cause(ctx)
}

// watchRun is a run that has its seat.
type watchRun struct {
	*watched
	seat *Seat
	ctx  context.Context // of this run alone
	full bool
}

// idle is how long the loop waits when nothing is due.
const idle = 24 * time.Hour

// begin gives seats to what is due, the longest due first, and tells how long the loop may wait then.
func (w *Watch) begin(ctx context.Context) (runs []watchRun, next time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	next = idle
	for _, m := range slices.SortedFunc(maps.Values(w.mailboxes), func(a, b *watched) int { return a.due.Compare(b.due) }) {
		if m.stop != nil {
			continue
		}
		if m.due.After(now) {
			return runs, m.due.Sub(now)
		}
		seat := w.seats.try()
		if seat == nil {
			return runs, idle // who leaves a seat wakes the loop
		}
		m.seat = seat
		r := watchRun{watched: m, seat: seat, full: !now.Before(m.full)}
		r.ctx, m.stop = context.WithCancel(ctx)
		runs = append(runs, r)
	}
	return runs, next
}

func (w *Watch) run(r watchRun) error {
	leave := func() {
		r.seat.Leave()
		w.look()
	}
	defer leave()
	defer r.stop()
	out, err := w.o.Run(r.ctx, r.name, r.full, leave)
	if err != nil && r.ctx.Err() != nil {
		return nil // it was told to end
	}
	if err == nil {
		w.plan(r, out)
	}
	return err
}

// plan says when a mailbox is run next.
func (w *Watch) plan(r watchRun, out Outcome) {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer w.look() // the seat may be free since long
	m, now := r.watched, time.Now()
	m.stop, m.failed = nil, out.Failed
	if out.Failed != nil {
		if out.Changed {
			m.fails = 0 // it gets on
		}
		m.due = now.Add(w.jitter(grown(w.o.Retry, w.o.RetryMost, m.fails)))
		m.fails++
		m.told = false // the next run looks at everything that happened
		return
	}
	m.fails, m.success = 0, now
	if r.full {
		m.full = w.o.NextFull(now)
	}
	m.poll = min(m.poll*3/2, w.o.PollMost)
	if out.Changed {
		m.poll = w.o.Poll
	}
	m.due = m.full
	if !m.heard || out.Partly {
		m.before(now.Add(w.jitter(m.poll)))
	}
	if m.told {
		m.told = false
		m.before(now.Add(w.o.Settle))
	}
}

// grown doubles a wait with each time that it was in vain.
func grown(first, most time.Duration, times int) time.Duration {
	return min(first<<min(times, 20), most)
}

// jitter keeps mailboxes from being asked in step: a fifth more or less.
func (w *Watch) jitter(d time.Duration) time.Duration {
	return d + time.Duration((w.o.Rand()-0.5)*0.4*float64(d))
}

// WatchState is how a mailbox stands.
type WatchState struct {
	Mailbox   string
	Running   bool
	Waiting   bool // it is due and has no place yet
	Listening bool
	Failures  int   // one after another
	Failed    error // of the last run
	Success   time.Time
}

// States tells how the mailboxes stand, by name.
func (w *Watch) States() []WatchState {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	var out []WatchState
	for name, m := range w.mailboxes {
		out = append(out, WatchState{Mailbox: name, Running: m.stop != nil, Waiting: m.stop == nil && !m.due.After(now), Listening: m.heard,
			Failures: m.fails, Failed: m.failed, Success: m.success})
	}
	slices.SortFunc(out, func(a, b WatchState) int { return strings.Compare(a.Mailbox, b.Mailbox) })
	return out
}
