package ews

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"mailbrick/fetch/throttle"
)

// crowd is a server that answers when it is told to, and refuses what is more than it takes at once.
type crowd struct {
	*httptest.Server
	takes   int
	refusal reply
	arrived chan struct{} // one for each request
	left    chan struct{} // one for each that was taken and is over
	gate    chan struct{} // what is taken is answered for each
	refuse  chan struct{} // closed when refusals may go

	mu        sync.Mutex
	now, most int
}

func newCrowd(t *testing.T, answer reply, takes int, refusal reply) *crowd {
	t.Helper()
	s := &crowd{takes: takes, refusal: refusal, arrived: make(chan struct{}, 1000), left: make(chan struct{}, 1000), gate: make(chan struct{}), refuse: make(chan struct{})}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		taken := s.enter()
		s.arrived <- struct{}{}
		if !taken {
			<-s.refuse
			s.refusal.write(w)
			return
		}
		<-s.gate
		s.leave()
		answer.write(w)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *crowd) enter() (taken bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now == s.takes {
		return false
	}
	s.now++
	s.most = max(s.most, s.now)
	return true
}

func (s *crowd) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now--
	s.left <- struct{}{}
}

var synced = reply{body: envelope("SyncFolderItems", success("SyncFolderItems",
	`<m:SyncState>s</m:SyncState><m:IncludesLastItemInRange>true</m:IncludesLastItemInRange><m:Changes/>`))}

// TestSyncsAtOnce: Exchange takes five of them for one budget, whoever asks.
func TestSyncsAtOnce(t *testing.T) {
	t.Parallel()
	for _, impersonate := range []bool{true, false} {
		s := newCrowd(t, synced, 1000, reply{})
		list, _ := sharing(t, &server{Server: s.Server}, 2, impersonate)
		want := mostSyncs
		if impersonate {
			want *= 2
		}
		for _, c := range list { // enough to be sure that no other limit holds
			c.opts.Account.letIn()
			for range 20 {
				raise(t, c.budget.account)
				raise(t, c.budget.calls)
			}
		}
		var all sync.WaitGroup
		for _, c := range list {
			for range 12 {
				all.Go(func() {
					if _, err := c.SyncFolderItems(t.Context(), "f", "", 10); err != nil {
						t.Error(err)
					}
				})
			}
		}
		for range want {
			<-s.arrived
		}
		close(s.gate)
		all.Wait()
		if s.most != want {
			t.Errorf("impersonate %v: %d at once, want %d", impersonate, s.most, want)
		}
	}
}

// raise makes a governor take one more at once, as answers do.
func raise(t *testing.T, g *throttle.Governor) {
	t.Helper()
	n := g.Stats().Concurrency
	var permits []*throttle.Permit
	for range n {
		p, err := g.Acquire(t.Context(), throttle.Ask{})
		if err != nil {
			t.Fatal(err)
		}
		permits = append(permits, p)
	}
	for _, p := range permits {
		p.Release(throttle.Signal{})
	}
}

// TestTooManyAtOnce: the limit comes down, nothing fails, and nobody sleeps.
func TestTooManyAtOnce(t *testing.T) {
	t.Parallel()
	policy := `<t:Value Name="Policy">MaxConcurrency</t:Value><t:Value Name="MaxConcurrencyLimit">2</t:Value><t:Value Name="BackOffMilliseconds">0</t:Value>`
	for name, no := range map[string]reply{
		"connection count":      fault("ErrorExceededConnectionCount", ""),
		"busy by that policy":   fault("ErrorServerBusy", policy),
		"within internal error": fault("ErrorInternalServerError", policy+`<t:Value Name="InnerErrorResponseCode">ErrorServerBusy</t:Value>`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newCrowd(t, inbox, 2, no)
			list, clock := sharing(t, &server{Server: s.Server}, 1, true)
			list[0].opts.Account.letIn()
			var all sync.WaitGroup
			for range 4 { // as many as the limit begins with
				all.Go(func() {
					if err := getInbox(list[0]); err != nil {
						t.Error(err)
					}
				})
			}
			for range 4 {
				<-s.arrived
			}
			close(s.gate)
			<-s.left
			<-s.left
			close(s.refuse)
			all.Wait()
			if st := list[0].Stats(); st.Concurrency > 3 || st.Requests < 6 || clock.total() != 0 || st.Throttled != 0 {
				t.Errorf("%d at once, slept %v, %+v", s.most, clock.total(), st)
			}
		})
	}
}

func TestSignals(t *testing.T) {
	t.Parallel()
	c, err := New(Options{URL: "https://h/", Impersonate: "a@example.org"})
	if err != nil {
		t.Fatal(err)
	}
	mailbox, account, syncs := c.budget.whose, c.budget.account, c.budget.syncs
	tests := []struct {
		name string
		err  *Error
		want throttle.Signal
	}{
		{"busy", &Error{Code: "ErrorServerBusy", BackOff: time.Minute}, throttle.Signal{Kind: throttle.Busy, After: time.Minute, At: mailbox}},
		{"busy without a time", &Error{Code: "ErrorServerBusy"}, throttle.Signal{Kind: throttle.Busy, Floor: 10 * time.Second, At: mailbox}},
		{"429", &Error{Status: 429, BackOff: time.Minute}, throttle.Signal{Kind: throttle.Busy, After: time.Minute, At: account}},
		{"503", &Error{Status: 503}, throttle.Signal{Kind: throttle.Busy, Floor: 10 * time.Second, At: mailbox, Maybe: account}},
		{"a passing error with a time", &Error{Code: "ErrorMailboxStoreUnavailable", BackOff: time.Minute}, throttle.Signal{Kind: throttle.Busy, After: time.Minute, At: mailbox}},
		{"502", &Error{Status: 502}, throttle.Signal{Kind: throttle.Busy, At: mailbox}},
		{"syncs", &Error{Code: "ErrorServerBusy", Policy: policySyncs}, throttle.Signal{Kind: throttle.Crowded, Floor: 10 * time.Second, At: syncs}},
		{"timeout", &Error{Code: "ErrorTimeoutExpired"}, throttle.Signal{Kind: throttle.Slow, Floor: 10 * time.Second, At: mailbox}},
		{"401", &Error{Status: 401}, throttle.Signal{Kind: throttle.Slow, Floor: 10 * time.Second, At: mailbox}},
		{"an item", &Error{Code: "ErrorItemNotFound", Status: 200}, throttle.Signal{Kind: throttle.Refused, Floor: 10 * time.Second, At: mailbox}},
		{"no answer", &Error{class: Transient}, throttle.Signal{Kind: throttle.Lost, Floor: 10 * time.Second, At: mailbox}},
	}
	for _, tt := range tests {
		if got := c.signal(tt.err); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
	if got := c.signal(io.ErrUnexpectedEOF); got.Kind != throttle.Lost {
		t.Errorf("the caller's own: %+v", got)
	}
}
