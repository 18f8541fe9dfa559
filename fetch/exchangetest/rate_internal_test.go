package exchangetest

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// judged is a throttle of a policy, and a request at it.
func judged(p Policy) *throttle {
	return newThrottle(Options{Throttle: p, Judge: true}.withDefaults())
}

func (t *throttle) ask(mailbox string) *ticket {
	return t.arrive(visit{front: "front:a", budget: "mailbox:" + mailbox, limits: t.policy.EWS, operation: "ExportItems"})
}

func TestAllowed(t *testing.T) {
	t.Parallel()
	few := Limits{Concurrency: 3}
	tests := []struct {
		name   string
		policy Policy
		orders func(t *throttle)
		want   time.Duration // after 100 s
	}{
		{"workers", Policy{EWS: few, Workers: 2}, func(t *throttle) { t.ask("a") }, 200 * time.Second},
		{"a mailbox's limit", Policy{EWS: few, Workers: 8}, func(t *throttle) { t.ask("a") }, 300 * time.Second},
		{"the limits of two", Policy{EWS: few, Workers: 8}, func(t *throttle) { t.ask("a"); t.ask("b") }, 600 * time.Second},
		{"a mailbox is told to rest", Policy{EWS: few, Workers: 8}, func(t *throttle) { t.ask("a").order(context.Background(), 10*time.Second, false) }, 270 * time.Second},
		{"two that overlap", Policy{EWS: few, Workers: 8}, func(t *throttle) {
			t.ask("a").order(context.Background(), 10*time.Second, false)
			t.ask("a").order(context.Background(), 5*time.Second, false)
			t.ask("a").order(context.Background(), 20*time.Second, false)
		}, 240 * time.Second},
		{"others have the workers meanwhile", Policy{EWS: few, Workers: 3}, func(t *throttle) { t.ask("b"); t.ask("a").order(context.Background(), 10*time.Second, false) }, 300 * time.Second},
		{"all are told to rest", Policy{EWS: few, Workers: 3}, func(t *throttle) { t.ask("b"); t.ask("a").order(context.Background(), 10*time.Second, true) }, 270 * time.Second},
		{"the client's own fault", Policy{EWS: few, Workers: 3}, func(t *throttle) { t.ask("a").tell(10*time.Second, false) }, 300 * time.Second},
		{"a bucket", Policy{EWS: Limits{Concurrency: 3, MaxBurst: Duration(50 * time.Second), Cutoff: Duration(100 * time.Second), Recharge: Duration(6 * time.Minute)}, Workers: 8},
			func(t *throttle) { t.ask("a") }, 160 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := judged(tt.policy)
				tt.orders(d)
				time.Sleep(100 * time.Second)
				if got := d.allowed(time.Now()); got != tt.want {
					t.Errorf("%v, want %v", got, tt.want)
				}
			})
		})
	}
}

func TestNeeded(t *testing.T) {
	t.Parallel()
	work := func(t *throttle, due []Fault, whole bool, items ...string) {
		k := t.ask("a")
		if r, _ := k.admit(context.Background()); r != nil {
			panic(r.limit)
		}
		for _, id := range items {
			_, _ = k.item(context.Background())
			k.givesItem(id, "1")
		}
		k.over(whole, due)
		k.leave()
	}
	cut := []Fault{{Action: ActionCut}}
	tests := []struct {
		name   string
		does   func(t *throttle)
		wasted int // items
	}{
		{"each once", func(t *throttle) { work(t, nil, true, "x", "y"); work(t, nil, true, "z") }, 0},
		{"one twice", func(t *throttle) { work(t, nil, true, "x", "y"); work(t, nil, true, "y", "z") }, 1},
		{"after a cut", func(t *throttle) { work(t, cut, false, "x", "y"); work(t, nil, true, "x", "y") }, 0},
		{"twice after a cut", func(t *throttle) {
			work(t, cut, false, "x", "y")
			work(t, nil, true, "x", "y")
			work(t, nil, true, "x", "y")
		}, 2},
		{"the client went", func(t *throttle) { work(t, nil, false, "x", "y"); work(t, nil, true, "x", "y") }, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := judged(Policy{Costs: map[string]Cost{"ExportItems": {Item: Duration(time.Nanosecond)}}})
			tt.does(d)
			if got := d.report().Total.Load.Wasted; got != time.Duration(tt.wasted) {
				t.Errorf("%d items wasted, want %d", got, tt.wasted)
			}
		})
	}
}
