package ews

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// sharing makes n clients of one account and one clock, each for a mailbox of its own.
func sharing(t *testing.T, s *server, n int, impersonate bool) ([]*Client, *fakeTime) {
	t.Helper()
	clock := &fakeTime{now: time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)}
	account := NewAccount()
	list := make([]*Client, n)
	for i := range list {
		list[i], _ = newTestClient(t, s, func(o *Options) {
			o.Account, o.Clock, o.Sleep, o.Rand = account, clock.Now, clock.Sleep, still{}
			if address := string(rune('a'+i)) + "@example.org"; impersonate {
				o.Impersonate = address
			} else {
				o.Mailbox = address
			}
		})
	}
	return list, clock
}

// together asks with all clients at once.
func together(clients []*Client) []error {
	errs := make([]error, len(clients))
	var wg sync.WaitGroup
	for i, c := range clients {
		wg.Go(func() { errs[i] = getInbox(c) })
	}
	wg.Wait()
	return errs
}

func TestAccountThatIsRefused(t *testing.T) {
	t.Parallel()
	html := map[string]string{"Content-Type": "text/html"}
	tests := []struct {
		name     string
		replies  []reply
		requests int
		hint     string
	}{
		{"wrong password", []reply{{status: 401}}, 2, credentialsHint},
		{"wrong password, a page of another error between", []reply{{status: 401}, {status: 500, header: html}, {status: 401}}, 3, credentialsHint},
		{"locked", []reply{{status: 456}}, 1, "the account is locked or must change its password"},
		{"password expired", []reply{fault("ErrorPasswordExpired", "")}, 1, "the account needs a new password"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, tt.replies...)
			clients, _ := sharing(t, s, 6, true)
			for _, err := range append(together(clients), together(clients)...) {
				e := asError(t, err)
				if !errors.Is(err, ErrCredentials) || e.Class() != Auth || e.Operation != "GetFolder" || e.Hint() != tt.hint {
					t.Errorf("%v, class %v, hint %q", err, e.Class(), e.Hint())
				}
			}
			if n := len(s.asked()); n != tt.requests {
				t.Errorf("%d requests, want %d", n, tt.requests)
			}
		})
	}
}

// TestRefusalBySomebodyElse: the one repeat is the account's, not each client's.
func TestRefusalBySomebodyElse(t *testing.T) {
	t.Parallel()
	s := newServer(t, reply{status: 401})
	clients, _ := sharing(t, s, 2, true)
	ctx, cancel := context.WithCancel(t.Context())
	clients[0].opts.Sleep = func(ctx context.Context, _ time.Duration) error { cancel(); return ctx.Err() }
	if _, err := clients[0].GetFolders(ctx, FolderRef{ID: "x"}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := getInbox(clients[1]); !errors.Is(err, ErrCredentials) || len(s.asked()) != 2 {
		t.Errorf("%v after %d requests", err, len(s.asked()))
	}
}

func TestAccountThatIsLetIn(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		first  reply
		failed int
	}{
		{"at once", inbox, 0},
		{"401 under load", reply{status: 401}, 0},
		{"a mailbox that is not there", fault("ErrorNonExistentMailbox", ""), 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, tt.first, inbox)
			clients, _ := sharing(t, s, 6, true)
			failed := 0
			for _, err := range together(clients) {
				if err != nil {
					failed++
				}
			}
			if failed != tt.failed {
				t.Errorf("%d failed, want %d", failed, tt.failed)
			}
		})
	}
	s := newServer(t, inbox, reply{status: 401}, reply{status: 401}, reply{status: 401}, inbox)
	clients, _ := sharing(t, s, 2, true)
	for i, want := range []error{nil, ErrCredentials, nil} {
		if err := getInbox(clients[i%2]); !errors.Is(err, want) {
			t.Errorf("call %d: %v, want %v: refusals of an account that was let in pass", i, err, want)
		}
	}
}

// TestUnknownAccountAsksOneByOne: the others wait, and can be called off.
func TestUnknownAccountAsksOneByOne(t *testing.T) {
	t.Parallel()
	s := newServer(t, inbox)
	clients, _ := sharing(t, s, 2, true)
	leave, err := clients[0].opts.Account.enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := clients[1].GetFolders(ctx, FolderRef{ID: "x"}); !errors.Is(err, context.Canceled) || len(s.asked()) != 0 {
		t.Errorf("%v after %d requests", err, len(s.asked()))
	}
	leave()
	if err := getInbox(clients[1]); err != nil {
		t.Error(err)
	}
	var zero Account
	zero.letIn()
	if _, err := zero.enter(ctx); err != nil {
		t.Errorf("zero account: %v", err)
	}
}

// TestWhoWaitsForABackOff: the front end's holds for the account, that of a budget for whose budget it is.
func TestWhoWaitsForABackOff(t *testing.T) {
	t.Parallel()
	after := map[string]string{"Retry-After": "120"}
	tests := []struct {
		name        string
		reply       reply
		impersonate bool
		others      time.Duration
	}{
		{"503", reply{status: 503, header: after}, true, 2 * time.Minute},
		{"429", reply{status: 429, header: after}, true, 2 * time.Minute},
		{"503 without impersonation", reply{status: 503, header: after}, false, 2 * time.Minute},
		{"502", reply{status: 502, header: after}, true, 0},
		{"busy", busy("120000"), true, 0},
		{"busy without impersonation", busy("120000"), false, 2 * time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, tt.reply, inbox)
			clients, clock := sharing(t, s, 2, tt.impersonate)
			clients[0].opts.Patience = time.Second // gives up at once: the pause remains
			if e := asError(t, getInbox(clients[0])); e.Class() != BackOff {
				t.Errorf("%v", e)
			}
			if err := getInbox(clients[1]); err != nil || clock.total() != tt.others || clients[1].Stats().Throttled != tt.others {
				t.Errorf("%v, waited %v, want %v, throttled %v", err, clock.total(), tt.others, clients[1].Stats().Throttled)
			}
			_ = clock.Sleep(t.Context(), 2*time.Minute)
			if d := clients[0].Stats().Throttled; d != 2*time.Minute {
				t.Errorf("the first throttled for %v", d)
			}
		})
	}
}

// TestServerThatIsNotThere: a wrong address fails soon; a server that has answered before may be starting anew.
func TestServerThatIsNotThere(t *testing.T) {
	t.Parallel()
	gone := newServer(t, inbox)
	clients, clock := sharing(t, gone, 3, true)
	gone.Close()
	for i, c := range clients {
		err := getInbox(c)
		e := asError(t, err)
		if want := max(1, 2-i); e.Class() != Transient || c.Stats().Requests != want {
			t.Errorf("client %d: %v, class %v, %d requests", i, err, e.Class(), c.Stats().Requests)
		}
		host := strings.TrimPrefix(gone.URL, "http://")
		if !strings.HasPrefix(err.Error(), "GetFolder: "+host+" does not answer: ") || strings.Count(err.Error(), host) != 1 || e.Hint() == "" {
			t.Errorf("%v, hint %q", err, e.Hint())
		}
	}
	if d := clock.total(); d < time.Second || d > 2*time.Second {
		t.Errorf("waited %v", clock.slept)
	}

	restarted := newServer(t, inbox)
	c, _ := newTestClient(t, restarted, nil)
	if err := getInbox(c); err != nil {
		t.Fatal(err)
	}
	restarted.Close()
	if err := getInbox(c); err == nil || c.Stats().Requests < 1+5 {
		t.Errorf("%v after %d requests", err, c.Stats().Requests)
	}
}

func TestNetworkErrorsNameWhoDoesNotAnswer(t *testing.T) {
	t.Parallel()
	refused := &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(10, 1, 2, 3), Port: 8}, Err: syscall.ECONNREFUSED}
	noHost := &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "mail.example.org", Server: "10.1.2.3:53", IsNotFound: true}}
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"refused", &url.Error{Op: "Post", URL: "https://u:topsecret@h/", Err: refused}, "mail.example.org:443 does not answer: " + syscall.ECONNREFUSED.Error()},
		{"no such host", noHost, "mail.example.org:443 does not answer: lookup mail.example.org: no such host"},
		{"proxy", &net.OpError{Op: "proxyconnect", Net: "tcp", Err: refused}, "the proxy does not answer: " + syscall.ECONNREFUSED.Error()},
		{"cut", &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}, "read: " + syscall.ECONNRESET.Error()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, err := New(Options{URL: "https://mail.example.org/EWS/Exchange.asmx?topsecret", User: "u", Password: "topsecret",
				HTTP: &http.Client{Transport: deadNetwork{tt.err}}, Sleep: (&fakeTime{}).Sleep})
			if err != nil {
				t.Fatal(err)
			}
			if err := getInbox(c); err == nil || err.Error() != "GetFolder: "+tt.want {
				t.Errorf("%v, want %s", err, tt.want)
			}
		})
	}
}

// deadNetwork is a network where nothing goes.
type deadNetwork struct{ err error }

func (f deadNetwork) RoundTrip(r *http.Request) (*http.Response, error) {
	_ = r.Body.Close()
	return nil, f.err
}
