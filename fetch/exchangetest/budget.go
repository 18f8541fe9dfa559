package exchangetest

import (
	"time"
)

// budget is what one account, mailbox or app has left. The throttle's lock guards it.
type budget struct {
	limits  Limits
	running int // requests
	syncs   int
	rows    int

	balance time.Duration // of the bucket, at the time at
	at      time.Time
	blocked bool

	requests, upload window

	told time.Time // when a back-off was told last
	away time.Time // when it ends

	front string // the name of the front end's budget above
	rests []span // that ordered faults told
	BudgetReport
}

func newBudget(l Limits, now time.Time) *budget {
	return &budget{
		limits: l, balance: time.Duration(l.MaxBurst), at: now,
		requests: window{length: time.Duration(l.RequestWindow)}, upload: window{length: time.Duration(l.UploadWindow)},
		BudgetReport: BudgetReport{Refused: map[string]int{}},
	}
}

// recharge brings the bucket up to now.
func (b *budget) recharge(now time.Time) {
	if gone := now.Sub(b.at); gone > 0 {
		b.balance = min(b.balance+time.Duration(b.limits.rate()*float64(gone)), time.Duration(b.limits.MaxBurst))
		b.at = now
	}
	switch cutoff := time.Duration(b.limits.Cutoff); {
	case cutoff == 0:
	case b.balance <= -cutoff:
		b.blocked = true
	case b.balance >= time.Duration(b.limits.Recover)-cutoff:
		b.blocked = false
	}
}

// blockedFor is how long the bucket is closed; 0 is not.
func (b *budget) blockedFor(now time.Time) time.Duration {
	b.recharge(now)
	if !b.blocked {
		return 0
	}
	missing := time.Duration(b.limits.Recover-b.limits.Cutoff) - b.balance
	return max(roundUp(time.Duration(float64(missing)/b.limits.rate())), time.Millisecond)
}

// roundUp is to milliseconds: what is told to wait must suffice.
func roundUp(d time.Duration) time.Duration {
	return (d + time.Millisecond - 1).Truncate(time.Millisecond)
}

// delay is how long the next item waits.
func (b *budget) delay(now time.Time) time.Duration {
	b.recharge(now)
	if b.balance >= 0 || b.limits.Cutoff == 0 {
		return 0
	}
	owed := min(float64(-b.balance)/float64(b.limits.Cutoff), 1)
	return time.Duration(owed * float64(b.limits.MaxDelay))
}

// refusal says that a budget does not let a request in.
type refusal struct {
	limit   string        // its name in the policy
	front   bool          // it is the front end's
	backOff time.Duration // that is told; 0: none
	upTo    int           // the value of the policy, for those that clients are told of
}

// refuse says which limit keeps a request out that arrived already, nil if none does. The order is from the outside to
// the inside. A body of any size is let in as long as something is left: else none above the limit could ever be sent.
func (b *budget) refuse(now time.Time, synchronizes bool, upload int64) *refusal {
	l := b.limits
	if wait := b.requests.wait(now, int64(l.Requests)); wait > 0 {
		return &refusal{limit: "requests", backOff: wait, upTo: l.Requests}
	}
	if wait := b.uploadWait(now, upload); wait > 0 {
		return &refusal{limit: "upload", backOff: wait}
	}
	if wait := b.blockedFor(now); wait > 0 {
		return &refusal{limit: "cutoff", backOff: wait}
	}
	if l.Concurrency > 0 && b.running >= l.Concurrency {
		return &refusal{limit: "concurrency", upTo: l.Concurrency}
	}
	if synchronizes && l.SyncCalls > 0 && b.syncs >= l.SyncCalls {
		return &refusal{limit: "sync_calls", backOff: time.Duration(l.SyncBackOff), upTo: l.SyncCalls}
	}
	return nil
}

func (b *budget) uploadWait(now time.Time, own int64) time.Duration {
	if own == 0 || b.limits.Upload == 0 {
		return 0
	}
	return b.upload.wait(now, b.limits.Upload-1+own)
}

// arrive counts a request, and holds it against the back-off that was told.
func (b *budget) arrive(now time.Time, upload int64, grace time.Duration) {
	b.Arrived++
	b.requests.add(now, 1)
	b.upload.add(now, upload)
	b.Load.Upload += upload
	switch {
	case !now.Before(b.away):
	case now.Sub(b.told) <= grace:
		b.Crossed++
	default:
		b.DuringBackOff++
	}
}

// tell notes a back-off that the client was told.
func (b *budget) tell(now time.Time, d time.Duration) {
	b.BackOffs++
	if until := now.Add(d); until.After(b.away) {
		b.told, b.away = now, until
	}
}

func (b *budget) enter(synchronizes bool) {
	b.running++
	b.Peak = max(b.Peak, b.running)
	if synchronizes {
		b.syncs++
		b.PeakSyncs = max(b.PeakSyncs, b.syncs)
	}
}

func (b *budget) leave(synchronizes bool) {
	b.running--
	if synchronizes {
		b.syncs--
	}
}

// charge takes server time off the bucket.
func (b *budget) charge(now time.Time, d time.Duration, synchronizes bool) {
	b.recharge(now)
	b.balance -= d
	b.recharge(now)
	b.Load.Work += d
	if synchronizes {
		b.Load.Sync += d
	}
}

// window counts what came in the last while. Times fall into slots of its
// hundredth part, so that it stays small; a slot counts until all of it is over.
type window struct {
	length time.Duration
	slots  []slot
	total  int64
}

type slot struct {
	from time.Time
	n    int64
}

func (w *window) add(now time.Time, n int64) {
	if w.length == 0 || n == 0 {
		return
	}
	w.total += n
	if last := len(w.slots) - 1; last >= 0 && now.Sub(w.slots[last].from) < w.length/100 {
		w.slots[last].n += n
		return
	}
	w.slots = append(w.slots, slot{now, n})
}

// wait is how long it takes until no more than limit are counted.
func (w *window) wait(now time.Time, limit int64) time.Duration {
	if w.length == 0 || limit == 0 {
		return 0
	}
	for len(w.slots) > 0 && !now.Before(w.end(0)) {
		w.total -= w.slots[0].n
		w.slots = w.slots[1:]
	}
	left := w.total
	for i := 0; left > limit && i < len(w.slots); i++ {
		if left -= w.slots[i].n; left <= limit {
			return roundUp(w.end(i).Sub(now))
		}
	}
	return 0
}

func (w *window) end(i int) time.Time { return w.slots[i].from.Add(w.length + w.length/100) }
