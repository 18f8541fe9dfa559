package fetch_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mailbrick/fetch"
)

// kept is a watch over mailboxes that only count; its clock is the bubble's.
type kept struct {
	*fetch.Watch
	start time.Time

	mu    sync.Mutex // guards what follows
	runs  []string   // "seconds name", with "full" where it was
	out   map[string]fetch.Outcome
	take  time.Duration // of a run
	early bool          // runs leave their places before they end
	err   error         // that ends all
}

func keep(t *testing.T, o fetch.WatchOptions, names ...string) *kept {
	k := &kept{start: time.Now(), out: map[string]fetch.Outcome{}}
	o.Rand = func() float64 { return 0.5 }
	o.Run = k.run
	k.Watch = fetch.NewWatch(o)
	k.Set(names)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- k.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) && !errors.Is(err, k.err) {
			t.Error(err)
		}
	})
	synctest.Wait()
	return k
}

func (k *kept) run(ctx context.Context, name string, full bool, leave func()) (fetch.Outcome, error) {
	k.mu.Lock()
	what := fmt.Sprintf("%.0f %s", time.Since(k.start).Seconds(), name)
	if full {
		what += " full"
	}
	k.runs = append(k.runs, what)
	out, take, err, early := k.out[name], k.take, k.err, k.early
	k.mu.Unlock()
	if early {
		leave()
	}
	select {
	case <-time.After(take):
	case <-ctx.Done():
		return out, ctx.Err()
	}
	return out, err
}

// pass lets time go by and gives the runs in it.
func (k *kept) pass(d time.Duration) []string {
	time.Sleep(d) // of the bubble
	synctest.Wait()
	k.mu.Lock()
	defer k.mu.Unlock()
	runs := k.runs
	k.runs = nil
	slices.SortStableFunc(runs, func(a, b string) int { // those of one moment begin in any order
		var m, n int
		var one, other string
		fmt.Sscan(a, &m, &one)
		fmt.Sscan(b, &n, &other)
		return cmp.Or(cmp.Compare(m, n), cmp.Compare(one, other))
	})
	return runs
}

func (k *kept) set(name string, out fetch.Outcome) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.out[name] = out
}

func want(t *testing.T, got []string, lines ...string) {
	t.Helper()
	if !slices.Equal(got, lines) {
		t.Errorf("%q, want %q", got, lines)
	}
}

func TestWatchPolls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := keep(t, fetch.WatchOptions{Poll: 100 * time.Second, PollMost: 200 * time.Second}, "a")
		want(t, k.pass(700*time.Second), "0 a", "150 a", "350 a", "550 a") // ever more seldom while nothing happens
		k.set("a", fetch.Outcome{Changed: true})
		want(t, k.pass(400*time.Second), "750 a", "850 a", "950 a", "1050 a")
	})
}

func TestWatchNotifications(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := keep(t, fetch.WatchOptions{}, "a", "b")
		k.Listening("a", true)
		k.Listening("b", true)
		want(t, k.pass(time.Second), "0 a", "0 b")
		k.pass(9 * time.Hour) // what was due before somebody listened
		want(t, k.pass(15*time.Hour))
		start := int(time.Since(k.start).Seconds())
		for range 20 { // many events are one run
			k.Happened("a")
			k.pass(200 * time.Millisecond)
		}
		want(t, k.pass(time.Hour), fmt.Sprintf("%d a", start+10))
		// What happens during a run is another.
		k.take, k.early = time.Minute, true
		start = int(time.Since(k.start).Seconds())
		k.Happened("b")
		k.pass(20 * time.Second)
		k.Happened("b")
		k.Happened("b")
		want(t, k.pass(time.Hour), fmt.Sprintf("%d b", start+80))
		// When nobody listens any more it is asked now and then.
		k.Listening("b", false)
		if got := k.pass(time.Hour); len(got) == 0 {
			t.Error("no run of a mailbox that nobody listens to")
		}
		k.Happened("nobody")
	})
}

func TestWatchFailures(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := keep(t, fetch.WatchOptions{Retry: 10 * time.Second, RetryMost: 40 * time.Second, Poll: 50 * time.Second, PollMost: 50 * time.Second}, "bad", "good")
		k.set("bad", fetch.Outcome{Failed: errors.New("no")})
		k.pass(49 * time.Second) // the first runs were before
		k.Happened("bad")
		want(t, k.pass(120*time.Second), "50 bad", "50 good", "60 bad", "80 bad", "100 good", "120 bad", "150 good", "160 bad")
		for _, s := range k.States() {
			if bad := s.Mailbox == "bad"; bad != (s.Failed != nil) || bad != (s.Failures > 0) || s.Success.IsZero() {
				t.Errorf("%+v", s)
			}
		}
		k.set("bad", fetch.Outcome{})
		k.Set([]string{"bad", "good"}) // told to look again: at once
		want(t, k.pass(time.Second), "169 bad")
	})
}

// TestWatchGetsOn: a mailbox that fails, though something of it comes each time, is not tried ever more seldom.
func TestWatchGetsOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := keep(t, fetch.WatchOptions{Retry: 10 * time.Second, Poll: time.Second, PollMost: time.Second}, "a")
		k.set("a", fetch.Outcome{Failed: errors.New("no"), Changed: true})
		want(t, k.pass(35*time.Second), "0 a", "1 a", "11 a", "21 a", "31 a")
	})
}

func TestWatchTriesItemsAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := keep(t, fetch.WatchOptions{Poll: 100 * time.Second, PollMost: 200 * time.Second}, "a")
		k.Listening("a", true)
		k.set("a", fetch.Outcome{Partly: true})
		k.pass(160 * time.Second) // the first run saw no failures
		k.Happened("a")
		want(t, k.pass(500*time.Second), "170 a", "370 a", "570 a")
		k.set("a", fetch.Outcome{})
		k.pass(200 * time.Second)
		want(t, k.pass(48*time.Hour))
	})
}

func TestWatchPlaces(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := keep(t, fetch.WatchOptions{Parallel: 2, Poll: time.Hour}, "a", "b", "c")
		k.mu.Lock()
		k.take = 10 * time.Second
		k.mu.Unlock()
		k.Set([]string{"a", "b", "c", "d", "e", "f"})
		k.pass(time.Second)
		waiting := 0
		for _, s := range k.States() {
			if s.Waiting {
				waiting++
			}
		}
		if waiting != 1 {
			t.Errorf("%d wait for a place", waiting)
		}
		if got := k.pass(time.Minute); len(got) != 1 {
			t.Errorf("%q", got)
		}
	})
}

func TestWatchSet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := keep(t, fetch.WatchOptions{Poll: time.Minute, PollMost: time.Minute}, "a", "b")
		k.pass(time.Second)
		k.Set([]string{"b", "c"})
		want(t, k.pass(time.Second), "1 c")
		for _, r := range k.pass(time.Hour) {
			if r[len(r)-1] == 'a' {
				t.Errorf("a mailbox that is gone is run: %q", r)
			}
		}
	})
}

func TestWatchFullCheck(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := keep(t, fetch.WatchOptions{NextFull: func(after time.Time) time.Time { return after.Add(1000 * time.Second) }}, "a")
		k.Listening("a", true)
		k.pass(999 * time.Second)
		want(t, k.pass(1500*time.Second), "1000 a full", "2000 a full")
	})
}

func TestWatchEndsWithTheArchive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := keep(t, fetch.WatchOptions{Poll: time.Minute}, "a", "b")
		k.pass(time.Second)
		k.mu.Lock()
		k.err = errors.New("disk full")
		k.mu.Unlock()
		if got := k.pass(24 * time.Hour); len(got) > 2 {
			t.Errorf("runs after the end: %q", got)
		}
	})
}

// TestWatchStands: mailboxes that their server lets wait give their places to others, as long as not too many do.
func TestWatchStands(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := keep(t, fetch.WatchOptions{Parallel: 1, Standing: 1}, "a")
		k.pass(time.Second)
		k.mu.Lock()
		k.take = 100 * time.Second
		k.mu.Unlock()
		k.Set([]string{"a", "b"})
		want(t, k.pass(time.Second), "1 b")
		k.Set([]string{"a", "b", "c"})
		want(t, k.pass(time.Second))
		k.Stand("b")
		k.Stand("b") // once is enough
		k.Stand("a") // it does not run
		k.Stand("nobody")
		want(t, k.pass(time.Second), "3 c")
		k.Set([]string{"a", "b", "c", "d"})
		k.Stand("c") // no more may stand
		want(t, k.pass(90*time.Second))
		want(t, k.pass(20*time.Second), "103 d") // when c left its seat
	})
}
