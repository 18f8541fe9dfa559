package throttle_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mailbrick/fetch/throttle"
)

// still is randomness that spreads nothing.
type still struct{}

func (still) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// inBubble runs a test whose clock moves only while everybody waits.
func inBubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, test)
}

func acquire(t *testing.T, g *throttle.Governor) *throttle.Permit {
	t.Helper()
	p, err := g.Acquire(t.Context(), throttle.Ask{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// answer lets one request go, and end at once.
func answer(t *testing.T, g *throttle.Governor, s throttle.Signal) {
	t.Helper()
	acquire(t, g).Release(s)
}

// fill begins n requests.
func fill(t *testing.T, g *throttle.Governor, n int) []*throttle.Permit {
	t.Helper()
	all := make([]*throttle.Permit, n)
	for i := range all {
		all[i] = acquire(t, g)
	}
	return all
}

func release(all []*throttle.Permit, s throttle.Signal) {
	for _, p := range all {
		p.Release(s)
	}
}

func wantLimit(t *testing.T, g *throttle.Governor, want int) {
	t.Helper()
	if got := g.Stats().Concurrency; got != want {
		t.Errorf("limit %d, want %d", got, want)
	}
}

// waiters asks n times, each on its own, and tells in which order and when the requests began.
type waiters struct {
	mu     sync.Mutex
	order  []int
	starts []time.Time
	errs   []error
	all    sync.WaitGroup
}

func (w *waiters) ask(ctx context.Context, g *throttle.Governor, n int, takes time.Duration) {
	w.all.Go(func() {
		p, err := g.Acquire(ctx, throttle.Ask{})
		w.mu.Lock()
		if err != nil {
			w.errs = append(w.errs, err)
			w.mu.Unlock()
			return
		}
		w.order, w.starts = append(w.order, n), append(w.starts, time.Now())
		w.mu.Unlock()
		time.Sleep(takes)
		p.Release(throttle.Signal{})
	})
	synctest.Wait()
}

// went is how many began.
func (w *waiters) went() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.order)
}

func TestFirstComeFirstServed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := throttle.New(throttle.Options{Start: 1, Most: 1})
		var w waiters
		for n := range 20 {
			w.ask(t.Context(), g, n, time.Second)
		}
		w.all.Wait()
		if !slices.IsSorted(w.order) || len(w.order) != 20 {
			t.Errorf("order %v", w.order)
		}
		if s := g.Stats(); s.Highest != 1 || s.Requests != 20 || s.Waited != 190*time.Second {
			t.Errorf("%+v", s)
		}
	})
}

func TestLimitGrowsOnlyWhileItIsUsed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := throttle.New(throttle.Options{Start: 2, Most: 5})
		for range 100 {
			answer(t, g, throttle.Signal{})
		}
		wantLimit(t, g, 2)
		release(fill(t, g, 2), throttle.Signal{}) // the second of them filled it
		release(fill(t, g, 2), throttle.Signal{})
		wantLimit(t, g, 3)
		for range 100 {
			release(fill(t, g, g.Stats().Concurrency), throttle.Signal{})
		}
		wantLimit(t, g, 5)
		for range 100 {
			release(fill(t, g, 5), throttle.Signal{Kind: throttle.Refused})
		}
		wantLimit(t, g, 5)
	})
}

func TestABurstOfComplaintsCountsOnce(t *testing.T) {
	for _, kind := range []throttle.Kind{throttle.Slow, throttle.Crowded, throttle.Busy} {
		t.Run(kind.String(), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				g := throttle.New(throttle.Options{Start: 16, Most: 16})
				all := fill(t, g, 16)
				release(all[:10], throttle.Signal{Kind: kind})
				wantLimit(t, g, 8)
				release(all[10:], throttle.Signal{})
				wantLimit(t, g, 8) // answers from before prove nothing
				time.Sleep(time.Hour)
				answer(t, g, throttle.Signal{Kind: kind})
				wantLimit(t, g, 1) // no more than one was on its way
			})
		})
	}
}

func TestLimitNeverFallsBelowOne(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := throttle.New(throttle.Options{Start: 1})
		for range 30 {
			answer(t, g, throttle.Signal{Kind: throttle.Crowded})
			wantLimit(t, g, 1)
		}
		if s := g.Stats(); s.Pauses != 30 || s.Paused < 29*throttle.LongestFloor/2 {
			t.Errorf("alone and still one too many: %+v", s) // nothing but time helps
		}
	})
}

func TestNothingBeginsInAPause(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := throttle.New(throttle.Options{Start: 4, Rand: still{}})
		all := fill(t, g, 4)
		all[0].Release(throttle.Signal{Kind: throttle.Busy, After: time.Minute})
		time.Sleep(30 * time.Second)
		all[1].Release(throttle.Signal{Kind: throttle.Busy, After: time.Minute}) // makes it longer
		all[2].Release(throttle.Signal{Kind: throttle.Busy, After: time.Second}) // does not make it shorter
		all[3].Release(throttle.Signal{})
		from := time.Now()
		answer(t, g, throttle.Signal{})
		if waited := time.Since(from); waited != time.Minute {
			t.Errorf("waited %v", waited)
		}
		if s := g.Stats(); s.Paused != 90*time.Second || s.Pauses != 1 {
			t.Errorf("%+v", s)
		}
	})
}

func TestOneGoesFirstAfterAPause(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := throttle.New(throttle.Options{Start: 16, Most: 16, Rand: still{}})
		all := fill(t, g, 16)
		release(all, throttle.Signal{Kind: throttle.Busy, After: time.Minute})
		var w waiters
		begin := time.Now()
		for n := range 7 {
			w.ask(t.Context(), g, n, time.Second)
		}
		w.all.Wait()
		var at []int
		for _, s := range w.starts {
			at = append(at, int(s.Sub(begin)/time.Second))
		}
		if want := []int{60, 61, 61, 62, 62, 62, 62}; !slices.Equal(at, want) {
			t.Errorf("began at %v, want %v", at, want)
		}
	})
}

// TestALongProbe: what the server takes long over does not hold up the others, and a refusal begins another pause.
func TestALongProbe(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := throttle.New(throttle.Options{Start: 16, Most: 16, Rand: still{}})
		release(fill(t, g, 16), throttle.Signal{Kind: throttle.Busy, After: time.Minute})
		var w waiters
		begin := time.Now()
		for n := range 8 {
			w.ask(t.Context(), g, n, time.Hour)
		}
		w.all.Wait()
		var at []int
		for _, s := range w.starts {
			at = append(at, int(s.Sub(begin)/time.Second))
		}
		if want := []int{60, 62, 64, 64, 66, 66, 66, 66}; !slices.Equal(at, want) {
			t.Errorf("began at %v, want %v", at, want)
		}
	})
}

// TestWhomItIsAbout: a complaint that may be everybody's stops everybody for a moment, and for longer only when it goes on.
func TestWhomItIsAbout(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		account := throttle.New(throttle.Options{Start: 8, Rand: still{}})
		one, other := throttle.New(throttle.Options{Parent: account}), throttle.New(throttle.Options{Parent: account})
		doubtful := throttle.Signal{Kind: throttle.Busy, Floor: 10 * time.Second, Maybe: account}
		rests := func(mailbox, all time.Duration) {
			t.Helper()
			if a, b := one.Rest(), other.Rest(); a != mailbox || b != all {
				t.Errorf("rest %v and %v, want %v and %v", a, b, mailbox, all)
			}
		}
		answer(t, one, doubtful)
		rests(10*time.Second, time.Second)
		answer(t, other, throttle.Signal{})
		rests(9*time.Second, 0)
		for i, want := range []time.Duration{1, 2, 4, 8} {
			answer(t, throttle.New(throttle.Options{Parent: account}), doubtful)
			if got := other.Rest(); got != want*time.Second {
				t.Errorf("all rest %v, want %v", got, want*time.Second)
			}
			if lowered := account.Stats().Concurrency < 8; lowered != (i > 0) {
				t.Errorf("after %d complaints: lowered %v", i+1, lowered)
			}
		}
	})
}

// TestALimitComesBackSoon: one refusal by chance costs little; a server that means it is kept to.
func TestALimitComesBackSoon(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := throttle.New(throttle.Options{Start: 16, Most: 32})
		all := fill(t, g, 16)
		all[0].Release(throttle.Signal{Kind: throttle.Crowded})
		release(all[1:], throttle.Signal{})
		wantLimit(t, g, 8)
		release(fill(t, g, 8), throttle.Signal{})
		wantLimit(t, g, 10) // the first and the last were of a full house
		for range 3 {
			all := fill(t, g, g.Stats().Concurrency)
			for _, p := range all {
				p.Release(throttle.Signal{})
				acquire(t, g).Release(throttle.Signal{})
			}
		}
		if got := g.Stats().Concurrency; got < 12 || got > 15 {
			t.Errorf("limit %d after three rounds: 12 soon, and then one a round", got)
		}
	})
}

func TestALostProbeIsFollowedByAnother(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := throttle.New(throttle.Options{Start: 8, Rand: still{}})
		release(fill(t, g, 8), throttle.Signal{Kind: throttle.Busy, After: time.Minute})
		p := acquire(t, g)
		var w waiters
		w.ask(t.Context(), g, 1, time.Second)
		w.ask(t.Context(), g, 2, time.Second)
		if w.went() != 0 {
			t.Fatal("more than one went before the first was answered")
		}
		p.Release(throttle.Signal{Kind: throttle.Lost})
		synctest.Wait()
		if w.went() != 1 {
			t.Errorf("%d went after the first was lost, want 1", w.went())
		}
		w.all.Wait()
	})
}

func TestPausesGrowUntilSomethingIsServed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := throttle.New(throttle.Options{Rand: still{}, Patience: time.Hour})
		busy := throttle.Signal{Kind: throttle.Busy, Floor: 10 * time.Second}
		for _, want := range []time.Duration{10, 20, 40, 80, 160, 300, 300} {
			answer(t, g, busy)
			from := time.Now()
			acquire(t, g).Release(throttle.Signal{Kind: throttle.Refused}) // says nothing about load
			if waited := time.Since(from); waited != want*time.Second {
				t.Errorf("paused %v, want %v", waited, want*time.Second)
			}
		}
		answer(t, g, throttle.Signal{})
		answer(t, g, throttle.Signal{Kind: throttle.Busy, After: 7 * time.Minute})
		from := time.Now()
		acquire(t, g)
		if waited := time.Since(from); waited != 7*time.Minute {
			t.Errorf("the server asked for 7m, paused %v", waited)
		}
	})
}

func TestEndsOfPausesAreSpread(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ends := map[time.Duration]bool{}
		for range 20 {
			g := throttle.New(throttle.Options{})
			answer(t, g, throttle.Signal{Kind: throttle.Busy, After: time.Minute})
			from := time.Now()
			acquire(t, g)
			waited := time.Since(from)
			if ends[waited] = true; waited < time.Minute || waited > time.Minute+time.Second {
				t.Errorf("waited %v", waited)
			}
		}
		if len(ends) < 15 {
			t.Errorf("20 governors come back at %d times", len(ends))
		}
	})
}

func TestPatience(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := throttle.New(throttle.Options{Patience: time.Minute, Rand: still{}})
		answer(t, g, throttle.Signal{Kind: throttle.Busy, After: 2 * time.Minute})
		from := time.Now()
		_, err := g.Acquire(t.Context(), throttle.Ask{})
		var long *throttle.TooLong
		if !errors.As(err, &long) || long.For != 2*time.Minute || time.Since(from) != 0 {
			t.Errorf("%v after %v", err, time.Since(from))
		}
		_, err = g.Acquire(t.Context(), throttle.Ask{Before: from.Add(2 * time.Minute)})
		if err != nil || time.Since(from) != 2*time.Minute {
			t.Errorf("%v after %v", err, time.Since(from))
		}
	})
}

func TestContext(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := throttle.New(throttle.Options{Start: 1, Most: 1})
		first := acquire(t, g)
		ctx, cancel := context.WithCancel(t.Context())
		var leave, stay waiters
		leave.ask(ctx, g, 0, 0) // has the turn and waits for a place
		leave.ask(ctx, g, 1, 0) // waits for the turn
		stay.ask(t.Context(), g, 2, 0)
		cancel()
		synctest.Wait()
		if len(leave.errs) != 2 || !errors.Is(leave.errs[0], context.Canceled) {
			t.Errorf("%v", leave.errs)
		}
		first.Release(throttle.Signal{})
		first.Release(throttle.Signal{Kind: throttle.Busy}) // nothing
		stay.all.Wait()
		if len(stay.order) != 1 {
			t.Error("who stayed did not get the place")
		}

		answer(t, g, throttle.Signal{Kind: throttle.Busy, After: time.Minute})
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := g.Acquire(ctx, throttle.Ask{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("in a pause: %v", err)
		}
	})
}

func TestWindows(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := throttle.New(throttle.Options{Requests: 3, Window: time.Minute, UploadBytes: 100, UploadWindow: time.Hour})
		begin := time.Now()
		ask := func(upload int64, want time.Duration) {
			t.Helper()
			p, err := g.Acquire(t.Context(), throttle.Ask{Upload: upload, Before: begin.Add(24 * time.Hour)})
			if err != nil {
				t.Fatal(err)
			}
			p.Release(throttle.Signal{})
			if at := time.Since(begin); at != want {
				t.Errorf("%d bytes went at %v, want %v", upload, at, want)
			}
		}
		ask(60, 0)
		ask(0, 0)
		ask(40, 0)
		ask(0, time.Minute)
		ask(60, time.Hour)
		ask(0, time.Hour)
		ask(1000, 2*time.Hour) // more than ever fits: when nothing else is in the window
		ask(1, 3*time.Hour)
	})
}

// family is an account, a mailbox with its sync calls, and another mailbox.
func family() (account, a, sync, b *throttle.Governor) {
	account = throttle.New(throttle.Options{Start: 10, Most: 10, Rand: still{}})
	a = throttle.New(throttle.Options{Parent: account, Start: 8, Most: 8})
	sync = throttle.New(throttle.Options{Parent: a, Start: 2, Most: 2})
	b = throttle.New(throttle.Options{Parent: account, Start: 8, Most: 8})
	return account, a, sync, b
}

func TestPausesHoldBelow(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		account, a, sync, b := family()

		// A mailbox's pause holds for what lies below it and not for its neighbour.
		answer(t, sync, throttle.Signal{Kind: throttle.Busy, At: a, After: time.Minute})
		from := time.Now()
		answer(t, b, throttle.Signal{})
		if time.Since(from) != 0 {
			t.Error("a neighbour waited")
		}
		answer(t, sync, throttle.Signal{})
		if time.Since(from) != time.Minute {
			t.Error("below the one that pauses")
		}
		// The account's holds for all.
		answer(t, a, throttle.Signal{Kind: throttle.Busy, At: account, After: time.Minute})
		for _, g := range []*throttle.Governor{b, sync, a} {
			answer(t, g, throttle.Signal{})
			if time.Since(from) != 2*time.Minute {
				t.Error("below the account")
			}
		}
		if p := []time.Duration{account.Stats().Paused, a.Stats().Paused, sync.Stats().Paused, b.Stats().Paused}; !slices.Equal(p,
			[]time.Duration{time.Minute, 2 * time.Minute, 2 * time.Minute, time.Minute}) {
			t.Errorf("paused %v", p)
		}
	})
}

// TestAGovernorOfYears: what it keeps does not grow with the pauses that it saw, and it has counted them all.
func TestAGovernorOfYears(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		account, a, _, _ := family()
		const pauses = 5 * throttle.MostRests
		began := time.Now()
		for n := range pauses {
			at := []*throttle.Governor{account, a}[n%2]
			answer(t, a, throttle.Signal{Kind: throttle.Busy, At: at, After: time.Minute})
			answer(t, a, throttle.Signal{})
			if n%throttle.MostRests == 0 {
				a.Stats() // as at the end of a run
			}
		}
		if n := max(account.Rests(), a.Rests()); n > throttle.MostRests {
			t.Errorf("%d pauses are kept", n)
		}
		if got, want := a.Stats(), time.Since(began); got.Paused != want || got.Pauses != pauses/2 {
			t.Errorf("%+v, want %v in %d pauses", got, want, pauses/2)
		}
		if got := account.Stats(); got.Paused != pauses/2*time.Minute || got.Pauses != pauses/2 {
			t.Errorf("above: %+v", got)
		}
	})
}

// Each limit holds; who waits for his own does not stand in the way of others.
func TestLimitsHoldTogether(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		account, a, sync, b := family()
		all := fill(t, sync, 2)
		var w waiters
		w.ask(t.Context(), sync, 1, 0)
		all = append(all, fill(t, a, 6)...)
		w.ask(t.Context(), a, 2, 0)
		all = append(all, fill(t, b, 2)...)
		w.ask(t.Context(), b, 3, 0)
		if w.went() != 0 {
			t.Errorf("%d went beyond a limit", w.went())
		}
		release(all, throttle.Signal{})
		w.all.Wait()
		if s := account.Stats(); s.Highest != 10 || s.Requests != 10+3 {
			t.Errorf("%+v", s)
		}
	})
}

func TestTell(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := throttle.New(throttle.Options{Start: 4, Rand: still{}})
		p := acquire(t, g)
		p.Tell(throttle.Signal{Kind: throttle.Refused}) // no complaint: nothing to tell before the end
		p.Tell(throttle.Signal{Kind: throttle.Busy, After: time.Minute})
		p.Tell(throttle.Signal{Kind: throttle.Busy, After: time.Minute})
		wantLimit(t, g, 1)
		p.Release(throttle.Signal{})
		p.Tell(throttle.Signal{Kind: throttle.Busy, After: time.Hour}) // it is over
		from := time.Now()
		acquire(t, g)
		if time.Since(from) != time.Minute {
			t.Errorf("paused %v", time.Since(from))
		}
	})
}

// A sleep that returns at once, as tests of protocols have it, is as good as one that lasts.
func TestSleepAndClockNeedNotAgree(t *testing.T) {
	t.Parallel()
	sleeps := 0
	g := throttle.New(throttle.Options{Sleep: func(context.Context, time.Duration) error { sleeps++; return nil }})
	answer(t, g, throttle.Signal{Kind: throttle.Busy, After: time.Minute})
	answer(t, g, throttle.Signal{})
	if sleeps != 1 {
		t.Errorf("slept %d times", sleeps)
	}
}

func TestKindsHaveNames(t *testing.T) {
	t.Parallel()
	if throttle.Busy.String() != "busy" || throttle.Kind(99).String() != "unknown" {
		t.Error(throttle.Busy, throttle.Kind(99))
	}
}
