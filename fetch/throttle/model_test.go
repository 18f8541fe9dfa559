package throttle_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mailbrick/fetch/throttle"
)

// model is a server that checks what no governor may do, and answers at random. What it knows of a governor follows from
// what it said and from nothing else.
type model struct {
	*testing.T
	mu     sync.Mutex
	rand   *rand.Rand
	limits map[*throttle.Governor]throttle.Options
	over   map[*throttle.Governor][]*throttle.Governor // itself and those above

	flying   map[*throttle.Governor]int
	pause    map[*throttle.Governor]time.Time
	starts   map[*throttle.Governor][]time.Time
	uploads  map[*throttle.Governor][]upload
	served   int
	gaveUp   int
	complain float64 // how often
}

type upload struct {
	at    time.Time
	bytes int64
}

func (m *model) begin(g *throttle.Governor, bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	for _, above := range m.over[g] {
		o := m.limits[above]
		if m.flying[above]++; m.flying[above] > o.Most {
			m.Errorf("%d at once, allowed %d", m.flying[above], o.Most)
		}
		if now.Before(m.pause[above]) {
			m.Errorf("a request began %v before the end of a pause", m.pause[above].Sub(now))
		}
		m.starts[above] = append(slices.DeleteFunc(m.starts[above], func(at time.Time) bool { return now.Sub(at) >= o.Window }), now)
		if n := len(m.starts[above]); o.Requests > 0 && n > o.Requests {
			m.Errorf("%d requests in %v, allowed %d", n, o.Window, o.Requests)
		}
		m.uploads[above] = append(slices.DeleteFunc(m.uploads[above], func(u upload) bool { return now.Sub(u.at) >= o.UploadWindow }), upload{now, bytes})
		var sum int64
		for _, u := range m.uploads[above] {
			sum += u.bytes
		}
		if o.UploadBytes > 0 && sum > o.UploadBytes && sum > bytes {
			m.Errorf("%d bytes in %v, allowed %d", sum, o.UploadWindow, o.UploadBytes)
		}
	}
}

func (m *model) end(g *throttle.Governor) throttle.Signal {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, above := range m.over[g] {
		m.flying[above]--
	}
	if m.rand.Float64() > m.complain {
		m.served++
		return throttle.Signal{Kind: throttle.Kind(m.rand.IntN(3))}
	}
	s := throttle.Signal{
		Kind: throttle.Slow + throttle.Kind(m.rand.IntN(3)),
		At:   m.over[g][m.rand.IntN(len(m.over[g]))],
	}
	if m.rand.IntN(2) == 0 {
		s.After = time.Duration(m.rand.IntN(60_000)) * time.Millisecond
	}
	pause := s.After
	if s.Kind == throttle.Busy {
		pause = max(pause, time.Second)
	}
	if until := time.Now().Add(pause); s.Kind != throttle.Slow && until.After(m.pause[s.At]) {
		m.pause[s.At] = until
	}
	return s
}

func (m *model) duration(most time.Duration) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return time.Duration(m.rand.Int64N(int64(most)))
}

// client asks again and again; now and then it gives up while it waits.
func (m *model) client(ctx context.Context, g *throttle.Governor, times int) {
	for range times {
		time.Sleep(m.duration(3 * time.Second))
		bytes := max(0, int64(m.duration(2000))-1000)
		asking, cancel := ctx, func() {}
		if m.duration(10) == 0 {
			asking, cancel = context.WithTimeout(ctx, m.duration(time.Minute)+1)
		}
		p, err := g.Acquire(asking, throttle.Ask{Upload: bytes})
		cancel()
		var long *throttle.TooLong
		if err != nil {
			if !errors.As(err, &long) && !errors.Is(err, context.DeadlineExceeded) {
				m.Errorf("%v", err)
			}
			m.mu.Lock()
			m.gaveUp++
			m.mu.Unlock()
			continue
		}
		m.begin(g, bytes)
		time.Sleep(m.duration(5 * time.Second))
		s := m.end(g)
		if s.Kind >= throttle.Slow && m.duration(4) == 0 {
			p.Tell(s)
			s = throttle.Signal{}
		}
		p.Release(s)
	}
}

func (m *model) add(o throttle.Options) *throttle.Governor {
	g := throttle.New(o)
	m.limits[g], m.over[g] = o, append([]*throttle.Governor{g}, m.over[o.Parent]...)
	return g
}

// Whatever servers answer: never more at once than allowed, no request in a pause, windows kept, and everybody ends. A
// bubble of synctest fails when somebody waits for ever.
func TestModel(t *testing.T) {
	t.Parallel()
	seeds, times := uint64(8), 60
	if os.Getenv("MAILBRICK_TORTURE") != "" {
		seeds, times = 200, 400
	}
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) { runModel(t, seed, times) })
	}
}

func runModel(t *testing.T, seed uint64, times int) {
	m := &model{T: t, rand: rand.New(rand.NewPCG(seed, 1)), complain: []float64{0, 0.02, 0.2, 0.9}[seed%4],
		limits: map[*throttle.Governor]throttle.Options{}, over: map[*throttle.Governor][]*throttle.Governor{},
		flying: map[*throttle.Governor]int{}, pause: map[*throttle.Governor]time.Time{},
		starts: map[*throttle.Governor][]time.Time{}, uploads: map[*throttle.Governor][]upload{}}
	account := m.add(throttle.Options{Start: 3, Most: 12, Requests: 200, Window: 5 * time.Minute})
	var all sync.WaitGroup
	for range 3 {
		mailbox := m.add(throttle.Options{Parent: account, Start: 2, Most: 7, Requests: 50, Window: time.Minute,
			UploadBytes: 3000, UploadWindow: 30 * time.Second, Patience: 10 * time.Minute})
		syncs := m.add(throttle.Options{Parent: mailbox, Start: 5, Most: 2})
		for range 6 {
			all.Go(func() { m.client(t.Context(), mailbox, times) })
		}
		for range 4 {
			all.Go(func() { m.client(t.Context(), syncs, times) })
		}
	}
	all.Wait()
	if m.served == 0 || m.complain == 0 && m.gaveUp > 3*10*times/5 {
		t.Errorf("seed %d: %d served, %d given up", seed, m.served, m.gaveUp)
	}
	if s := account.Stats(); s.Requests+m.gaveUp != 3*10*times || s.Highest > 12 {
		t.Errorf("seed %d: %d given up, %+v", seed, m.gaveUp, s)
	}
}

// Real goroutines and a real clock, for the race detector.
func TestRace(t *testing.T) {
	t.Parallel()
	account := throttle.New(throttle.Options{Start: 4, Most: 8})
	var all sync.WaitGroup
	for range 4 {
		mailbox := throttle.New(throttle.Options{Parent: account, Start: 3, Most: 5})
		for n := range 8 {
			all.Go(func() {
				for k := range 100 {
					p, err := mailbox.Acquire(t.Context(), throttle.Ask{})
					if err != nil {
						t.Error(err)
						return
					}
					_ = mailbox.Stats()
					p.Release(throttle.Signal{Kind: []throttle.Kind{throttle.Served, throttle.Refused, throttle.Slow}[(n+k)%3]})
				}
			})
		}
	}
	all.Wait()
	if s := account.Stats(); s.Requests != 3200 {
		t.Errorf("%+v", s)
	}
}

func BenchmarkAcquire(b *testing.B) {
	account := throttle.New(throttle.Options{})
	mailbox := throttle.New(throttle.Options{Parent: account, Requests: 1 << 40, Window: time.Minute})
	for b.Loop() {
		p, err := mailbox.Acquire(b.Context(), throttle.Ask{})
		if err != nil {
			b.Fatal(err)
		}
		p.Release(throttle.Signal{})
	}
}
