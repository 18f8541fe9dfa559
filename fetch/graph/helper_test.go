package graph

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeTime is a clock that only moves when somebody sleeps.
type fakeTime struct {
	mu    sync.Mutex
	now   time.Time
	slept []time.Duration
}

func (f *fakeTime) Now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

func (f *fakeTime) Sleep(ctx context.Context, d time.Duration) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(d)
	f.slept = append(f.slept, d)
	return ctx.Err()
}

func (f *fakeTime) total() (d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.slept {
		d += s
	}
	return d
}

// reply is one canned answer.
type reply struct {
	status int // 0: 200
	header map[string]string
	body   string // $BASE is the server's own address
	cut    bool   // the connection is cut after the body
}

// asked is one request that came.
type asked struct {
	http.Header
	method, path, query, body string
	length                    int64
}

// server gives canned answers by path, each list in order, the last one for ever.
type server struct {
	*httptest.Server
	mu       sync.Mutex
	replies  map[string][]reply
	requests []asked
}

const (
	testID   = "MBX:e0643f21@a7809c93"
	settings = "/v1.0/users/megan@contoso.com/settings/exchange"
	mailbox  = "/v1.0/admin/exchange/mailboxes/" + testID
	secret   = "eyJhbGciOiJSUzI1NiIsImtpZCI6IjFTeXQ1b"
)

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{replies: map[string][]reply{}}
	s.on(settings, reply{body: `{"@odata.context":"x","primaryMailboxId":"` + testID + `"}`})
	s.on("/v1.0/other", reply{body: `{}`})
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *server) on(path string, replies ...reply) { s.replies[path] = replies }

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.requests = append(s.requests, asked{r.Header, r.Method, r.URL.Path, r.URL.RawQuery, string(b), r.ContentLength})
	key := r.URL.Path
	if list := s.replies[key+"?"+r.URL.RawQuery]; list != nil {
		key += "?" + r.URL.RawQuery
	}
	list := s.replies[key]
	if len(list) > 1 {
		s.replies[key] = list[1:]
	}
	s.mu.Unlock()
	if len(list) == 0 {
		list = []reply{failure(404, "ErrorItemNotFound")}
	}
	list[0].write(w, s.URL)
}

func (rep reply) write(w http.ResponseWriter, base string) {
	w.Header().Set("Content-Type", "application/json")
	for k, v := range rep.header {
		w.Header().Set(k, v)
	}
	if rep.status == 0 {
		rep.status = 200
	}
	w.WriteHeader(rep.status)
	_, _ = io.WriteString(w, strings.ReplaceAll(rep.body, "$BASE", base))
	if rep.cut {
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
}

// all are the requests but those for the mailbox id.
func (s *server) all() (out []asked) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.requests {
		if r.path != settings {
			out = append(out, r)
		}
	}
	return out
}

// failure is an error as Graph writes it.
func failure(status int, code string) reply {
	return reply{status: status, body: `{"error":{"code":"` + code + `","message":"The specified object of someone@else.example was not found, see https://h/?authtoken=` + secret +
		`","innerError":{"date":"2025-02-13T10:17:05","request-id":"93b6f17e","client-request-id":"e70c5c1b"}}}`}
}

// signedIn is the transport that a caller brings along.
type signedIn struct{ via http.RoundTripper }

func (s signedIn) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer token-of-ours")
	return s.via.RoundTrip(r)
}

func newTestClient(t *testing.T, s *server, change func(*Options)) (*Client, *fakeTime) {
	t.Helper()
	clock := &fakeTime{now: time.Date(2024, 10, 17, 12, 0, 0, 0, time.UTC)}
	o := Options{URL: s.URL + "/v1.0", Mailbox: "megan@contoso.com", Clock: clock.Now, Sleep: clock.Sleep,
		HTTP: &http.Client{Transport: signedIn{http.DefaultTransport}}}
	if change != nil {
		change(&o)
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, clock
}

func asError(t *testing.T, err error) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("%v (%T) is no *Error", err, err)
	}
	if text := err.Error() + e.Hint(); strings.Contains(text, secret) || strings.Contains(text, "else.example") || strings.Contains(text, "token-of-ours") || strings.Contains(text, "authtoken") {
		t.Errorf("a secret is in %q", text)
	}
	return e
}
