package ews

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mailbrick/fetch/auth"
	"mailbrick/fetch/throttle"
	"mailbrick/fetch/wire"
)

func TestHeadersAndEnvelope(t *testing.T) {
	t.Parallel()
	s := newServer(t, inbox)
	c, _ := newTestClient(t, s, func(o *Options) { o.Impersonate = "anne@example.org" })
	for range 2 {
		if err := getInbox(c); err != nil {
			t.Fatal(err)
		}
	}
	r := s.asked()
	want := map[string]string{
		"User-Agent": "Mailbrick", "Content-Type": "text/xml; charset=utf-8", "Accept": "text/xml", "Accept-Encoding": "gzip",
		"X-Anchormailbox": "anne@example.org", "Return-Client-Request-Id": "true", "Authorization": "Basic YmFja3VwOnNlY3JldC13b3Jk",
	}
	for k, v := range want {
		if got := r[0].Get(k); got != v {
			t.Errorf("%s: %q, want %q", k, got, v)
		}
	}
	if a, b := r[0].Get("client-request-id"), r[1].Get("client-request-id"); len(a) != 36 || a == b {
		t.Errorf("request ids %q and %q", a, b)
	}
	for _, part := range []string{
		`<t:RequestServerVersion Version="Exchange2013_SP1"/>`,
		`<t:ExchangeImpersonation><t:ConnectingSID><t:PrimarySmtpAddress>anne@example.org</t:PrimarySmtpAddress></t:ConnectingSID></t:ExchangeImpersonation>`,
		`<t:DistinguishedFolderId Id="inbox"/>`, `xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"`,
	} {
		if !strings.Contains(r[0].body, part) {
			t.Errorf("no %s in %s", part, r[0].body)
		}
	}
	if st := c.Stats(); st.Requests != 2 || st.BytesIn != int64(2*len(inbox.body)) || st.BytesOut != int64(2*len(r[0].body)) {
		t.Errorf("stats %+v", st)
	}
}

func TestAnchorIsTheUserWithoutImpersonation(t *testing.T) {
	t.Parallel()
	s := newServer(t, inbox)
	c, _ := newTestClient(t, s, func(o *Options) { o.User = "bob@example.org" })
	if err := getInbox(c); err != nil || s.asked()[0].Get("X-AnchorMailbox") != "bob@example.org" {
		t.Error(err, s.asked()[0].Header)
	}
	if strings.Contains(s.asked()[0].body, "Impersonation") {
		t.Error("impersonates nobody")
	}
}

// TestMailboxIsNamedWithoutImpersonation: or the server would give the folders of the account's own mailbox.
func TestMailboxIsNamedWithoutImpersonation(t *testing.T) {
	t.Parallel()
	named := `<t:DistinguishedFolderId Id="inbox"><t:Mailbox><t:EmailAddress>anne@example.org</t:EmailAddress></t:Mailbox></t:DistinguishedFolderId>`
	bare := `<t:DistinguishedFolderId Id="inbox"/>`
	for _, tt := range []struct{ name, impersonate, folder, anchor string }{
		{"alone", "", named, "anne@example.org"},
		{"impersonation goes before", "bob@example.org", bare, "bob@example.org"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, inbox)
			c, _ := newTestClient(t, s, func(o *Options) {
				o.User, o.Mailbox, o.Impersonate = "carol@example.org", "anne@example.org", tt.impersonate
			})
			if err := getInbox(c); err != nil {
				t.Fatal(err)
			}
			r := s.asked()[0]
			if !strings.Contains(r.body, tt.folder) || r.Get("X-AnchorMailbox") != tt.anchor {
				t.Errorf("anchor %s: %s", r.Get("X-AnchorMailbox"), r.body)
			}
			_, _ = c.GetFolders(t.Context(), FolderRef{ID: "i"})
			if b := s.asked()[1].body; strings.Contains(b, "EmailAddress") {
				t.Errorf("an id needs no mailbox: %s", b)
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		o    Options
		want error
	}{
		{"password over plain http", Options{URL: "http://mail.example.org/EWS/Exchange.asmx", User: "u", Password: "topsecret"}, auth.ErrInsecure},
		{"password in the url", Options{URL: "https://u:topsecret@mail.example.org/"}, nil},
		{"no url", Options{}, nil},
		{"no host", Options{URL: "https://"}, nil},
		{"other scheme", Options{URL: "ftp://topsecret"}, nil},
		{"unreadable url with a password", Options{URL: "https://u:topsecret@[::1"}, nil},
		{"header smuggling by the mailbox", Options{URL: "https://h/", Mailbox: "a@b\r\nX: topsecret"}, nil},
		{"header smuggling", Options{URL: "https://h/", Impersonate: "a@b\r\nX: topsecret"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := New(tt.o)
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) || strings.Contains(err.Error(), "topsecret") {
				t.Errorf("got %v", err)
			}
			if tt.want != nil && asError(t, err).Hint() == "" {
				t.Error("no hint")
			}
		})
	}
	for _, u := range []string{"http://localhost:1/x", "http://127.0.0.1", "http://[::1]/", "https://mail.example.org"} {
		if _, err := New(Options{URL: u, User: "u"}); err != nil {
			t.Errorf("%s: %v", u, err)
		}
	}
}

// TestRefusals: one request each, or as many as the class allows, and what the caller is told.
func TestRefusals(t *testing.T) {
	t.Parallel()
	html := map[string]string{"Content-Type": "text/html; charset=utf-8"}
	tests := []struct {
		name     string
		reply    reply
		requests int
		class    Class
		is       error
		code     string
	}{
		{"html", reply{header: html, body: "<html><body>Sign in</body></html>"}, 1, Permanent, ErrNotExchange, ""},
		{"json", reply{header: map[string]string{"Content-Type": "application/json"}, body: "{}"}, 1, Permanent, ErrNotExchange, ""},
		{"xhtml called xml", reply{body: `<html xmlns="http://www.w3.org/1999/xhtml"/>`}, 1, Permanent, ErrNotExchange, ""},
		{"doctype", reply{body: `<!DOCTYPE html><html/>`}, 1, Permanent, ErrNotExchange, ""},
		{"soap 1.2", reply{body: `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"/>`}, 1, Permanent, ErrNotExchange, ""},
		{"text", reply{body: `nothing here`}, 1, Permanent, ErrNotExchange, ""},
		{"401", reply{status: 401}, 2, Auth, ErrCredentials, ""},
		{"456", reply{status: 456}, 1, Auth, ErrCredentials, ""},
		{"403", reply{status: 403}, 1, Permanent, nil, ""},
		{"404", reply{status: 404}, 1, Permanent, ErrNotExchange, ""},
		{"405", reply{status: 405}, 1, Permanent, ErrNotExchange, ""},
		{"413", reply{status: 413}, 1, Shrink, nil, ""},
		{"400", reply{status: 400}, 1, Bug, nil, ""},
		{"redirect", reply{status: 302, header: map[string]string{"Location": "https://other.example/owa/?token=abc"}}, 1, Resync, nil, ""},
		{"redirect to the error page", reply{status: 302, header: map[string]string{"Location": "/ews/genericerrorpage.htm?aspxerrorpath=/ews/exchange.asmx"}}, 5, Transient, nil, ""},
		{"500 of IIS", reply{status: 500, header: html, body: "Server Error in '/EWS' Application."}, 5, Transient, nil, ""},
		{"500 with other xml", reply{status: 500, body: "<error/>"}, 5, Transient, nil, ""},
		{"empty answer", reply{}, 5, Transient, ErrTruncated, ""},
		{"cut answer", reply{body: inbox.body[:len(inbox.body)-40]}, 5, Transient, ErrTruncated, ""},
		{"cut connection", reply{body: inbox.body[:300], cut: true}, 5, Transient, ErrTruncated, ""},
		{"notice after the answer", reply{body: inbox.body + "\n" + wire.Notice}, 5, Transient, ErrTruncated, ""},
		{"notice between elements", reply{body: strings.Replace(inbox.body, "</m:Folders>", "</m:Folders>"+wire.Notice, 1)}, 5, Transient, ErrTruncated, ""},
		{"answer to another request", reply{body: envelope("FindItem")}, 5, Transient, ErrTruncated, ""},
		{"no message", reply{body: envelope("GetFolder")}, 5, Transient, ErrTruncated, ""},
		{"two messages", reply{body: envelope("GetFolder", success("GetFolder", ""), success("GetFolder", ""))}, 5, Transient, ErrTruncated, ""},
		{"bad characters", reply{body: strings.Replace(inbox.body, "NoError", "No\x01Error", 1)}, 5, Transient, ErrTruncated, ""},
		{"encoding nobody asked for", reply{header: map[string]string{"Content-Encoding": "br"}, body: "x"}, 5, Transient, ErrTruncated, ""},
		{"gzip that is none", reply{header: map[string]string{"Content-Encoding": "gzip"}, body: "not gzip at all"}, 5, Transient, ErrTruncated, ""},
		{"schema fault", fault("ErrorSchemaValidation", ""), 1, Bug, nil, "ErrorSchemaValidation"},
		{"impersonation", fault("ErrorImpersonateUserDenied", ""), 1, Permanent, nil, "ErrorImpersonateUserDenied"},
		{"password expired", fault("ErrorPasswordExpired", ""), 1, Auth, ErrCredentials, "ErrorPasswordExpired"},
		{"unknown fault", fault("ErrorNeverHeardOf", ""), 3, Item, nil, "ErrorNeverHeardOf"},
		{"internal error", fault("ErrorInternalServerError", ""), 3, Item, nil, "ErrorInternalServerError"},
		{"internal error with a reason", fault("ErrorInternalServerError", `<t:Value Name="InnerErrorResponseCode">ErrorQuotaExceeded</t:Value>`), 1, Permanent, nil, "ErrorInternalServerError"},
		{"store offline", fault("ErrorMailboxStoreUnavailable", ""), 5, Transient, nil, "ErrorMailboxStoreUnavailable"},
		{"on the move", fault("ErrorMailboxMoveInProgress", ""), 5, Transient, nil, "ErrorMailboxMoveInProgress"},
		{"time is up", fault("ErrorTimeoutExpired", ""), 1, Shrink, nil, "ErrorTimeoutExpired"},
		{"fault with 200", reply{body: fault("ErrorAccessDenied", "").body}, 1, Item, nil, "ErrorAccessDenied"},
		{"fault without detail", reply{status: 500, body: `<s:Envelope xmlns:s="` + nsSOAP + `"><s:Body><s:Fault><faultcode>a:ErrorInvalidRequest</faultcode><faultstring>x</faultstring></s:Fault></s:Body></s:Envelope>`}, 1, Bug, nil, "ErrorInvalidRequest"},
		{"code in another namespace", reply{status: 500, body: `<Envelope xmlns="` + nsSOAP + `"><Body><Fault><faultcode>Client</faultcode><detail><ResponseCode xmlns="urn:x"> ErrorInvalidRequest </ResponseCode></detail></Fault></Body></Envelope>`}, 1, Bug, nil, "ErrorInvalidRequest"},
		{"message", reply{body: envelope("GetFolder", failure("GetFolder", "ErrorNonExistentMailbox"))}, 1, Permanent, nil, "ErrorNonExistentMailbox"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, tt.reply)
			c, clock := newTestClient(t, s, nil)
			err := getInbox(c)
			if tt.code == "ErrorTimeoutExpired" { // of a request that cannot be smaller
				tt.requests = 5
			}
			if n := len(s.asked()); n != tt.requests {
				t.Errorf("%d requests, want %d (%v)", n, tt.requests, err)
			}
			e := asError(t, err)
			if e.Class() != tt.class || e.Code != tt.code || e.Operation != "GetFolder" {
				t.Errorf("class %v, code %q, operation %q: %v", e.Class(), e.Code, e.Operation, err)
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("%v is not %v", err, tt.is)
			}
			for _, secret := range []string{"secret-word", "else.example", "token=abc", "YmFja3Vw"} {
				if strings.Contains(err.Error()+e.Hint(), secret) {
					t.Errorf("%q in %v", secret, err)
				}
			}
			if tt.requests > 2 && clock.total() < time.Duration(tt.requests-1)*time.Second {
				t.Errorf("waited only %v", clock.slept)
			}
		})
	}
}

func TestHintsOfWrongAddresses(t *testing.T) {
	t.Parallel()
	for _, r := range []reply{{status: 401}, {status: 403}, {status: 404}, {status: 301, header: map[string]string{"Location": "https://x/"}}, {header: map[string]string{"Content-Type": "text/html"}}} {
		c, _ := newTestClient(t, newServer(t, r), nil)
		if err := getInbox(c); asError(t, err).Hint() == "" {
			t.Errorf("no hint: %v", err)
		}
	}
}

func TestRedirectNamesItsTargetAndIsNotFollowed(t *testing.T) {
	t.Parallel()
	other := newServer(t, inbox)
	s := newServer(t, reply{status: 307, header: map[string]string{"Location": other.URL + "/EWS/Exchange.asmx?secret"}})
	c, _ := newTestClient(t, s, nil)
	err := getInbox(c)
	if err == nil || !strings.Contains(err.Error(), other.URL+"/EWS/Exchange.asmx") || len(other.asked()) != 0 {
		t.Errorf("%v, %d requests followed", err, len(other.asked()))
	}
}

func TestPassingErrorsAreTriedAgain(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]reply{
		"fault":              fault("ErrorInternalServerTransientError", ""),
		"message":            {body: envelope("GetFolder", failure("GetFolder", "ErrorMailboxStoreUnavailable"))},
		"401 once":           {status: 401},
		"cut":                {body: inbox.body[:200], cut: true},
		"no answer at all":   {cut: true},
		"503":                {status: 503},
		"429":                {status: 429},
		"busy":               busy("1000"),
		"busy message":       {body: envelope("GetFolder", failure("GetFolder", "ErrorServerBusy", "BackOffMilliseconds", "31017"))},
		"busy within":        {body: envelope("GetFolder", failure("GetFolder", "ErrorInternalServerError", "InnerErrorResponseCode", "ErrorServerBusy"))},
		"connections":        {body: envelope("GetFolder", failure("GetFolder", "ErrorExceededConnectionCount", "Policy", "MaxConcurrency"))},
		"schema version":     fault("ErrorInvalidServerVersion", ""),
		"version as a page":  {status: 500, header: map[string]string{"Content-Type": "text/html"}, body: "The specified server version is invalid."},
		"busy with status 5": {status: 503, body: busy("2000").body},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, r, inbox)
			c, _ := newTestClient(t, s, nil)
			if err := getInbox(c); err != nil || len(s.asked()) != 2 {
				t.Errorf("%v after %d requests", err, len(s.asked()))
			}
		})
	}
}

func TestBackOffWaitsAsLongAsAsked(t *testing.T) {
	t.Parallel()
	message := func(values ...string) reply {
		return reply{body: envelope("GetFolder", failure("GetFolder", values[0], values[1:]...))}
	}
	tests := []struct {
		name     string
		reply    reply
		min, max time.Duration
	}{
		{"fault", busy("297749"), 297749 * time.Millisecond, 297749 * time.Millisecond},
		{"fault without a time", busy("0"), 10 * time.Second, 15 * time.Second},
		{"message", message("ErrorServerBusy", "BackOffMilliseconds", "31017"), 31017 * time.Millisecond, 31017 * time.Millisecond},
		{"inner error", message("ErrorInternalServerError", "InnerErrorResponseCode", "ErrorServerBusy", "BackOffMilliseconds", "40000"), 40 * time.Second, 40 * time.Second},
		{"connection count", message("ErrorExceededConnectionCount"), time.Second, 2 * time.Second},
		{"429 with seconds", reply{status: 429, header: map[string]string{"Retry-After": "120"}}, 2 * time.Minute, 2 * time.Minute},
		{"503 with a date", reply{status: 503, header: map[string]string{"Retry-After": "Wed, 01 May 2024 12:03:00 GMT"}}, 3 * time.Minute, 3 * time.Minute},
		{"502", reply{status: 502}, time.Second, 1500 * time.Millisecond},
		{"504 with nonsense", reply{status: 504, header: map[string]string{"Retry-After": "soon"}}, time.Second, 1500 * time.Millisecond},
		{"503 with a fault and a header", reply{status: 503, body: busy("1000").body, header: map[string]string{"Retry-After": "90"}}, 90 * time.Second, 90 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, tt.reply, inbox)
			c, clock := newTestClient(t, s, spreadNothing)
			if err := getInbox(c); err != nil {
				t.Fatal(err)
			}
			if d := clock.total(); d < tt.min || d > tt.max {
				t.Errorf("waited %v, want %v to %v", d, tt.min, tt.max)
			}
			if st := c.Stats(); st.Throttled != clock.total() {
				t.Errorf("throttled %v, waited %v", st.Throttled, clock.total())
			}
		})
	}
}

func TestBackOffsGrowAndPatienceEnds(t *testing.T) {
	t.Parallel()
	s := newServer(t, busy("0"))
	c, clock := newTestClient(t, s, func(o *Options) { o.Patience = 30 * time.Minute })
	err := getInbox(c)
	if e := asError(t, err); e.Class() != BackOff {
		t.Errorf("class %v", e.Class())
	}
	if d := clock.total(); d < 20*time.Minute || d > 30*time.Minute {
		t.Errorf("waited %v", d)
	}
	for i := 1; i < 5; i++ {
		if clock.slept[i] < clock.slept[i-1] {
			t.Errorf("waits %v do not grow", clock.slept)
		}
	}
}

func TestBackOffLongerThanPatience(t *testing.T) {
	t.Parallel()
	s := newServer(t, busy("7200000"), inbox)
	c, clock := newTestClient(t, s, spreadNothing)
	err := getInbox(c)
	if e := asError(t, err); e.Class() != BackOff || e.BackOff != 2*time.Hour {
		t.Errorf("%v", err)
	}
	// The server still wants to be left alone: other calls send nothing either.
	if e := asError(t, getInbox(c)); e.Class() != BackOff || len(s.asked()) != 1 {
		t.Errorf("%v after %d requests", e, len(s.asked()))
	}
	_ = clock.Sleep(context.Background(), 90*time.Minute)
	if err := getInbox(c); err != nil || clock.total() != 2*time.Hour {
		t.Errorf("%v after %v", err, clock.total())
	}
}

func TestContextEndsABackOff(t *testing.T) {
	t.Parallel()
	s := newServer(t, busy("600000"))
	ctx, cancel := context.WithCancel(context.Background())
	c, _ := newTestClient(t, s, func(o *Options) {
		o.Sleep = func(ctx context.Context, _ time.Duration) error { cancel(); return throttle.Sleep(ctx, time.Hour) }
	})
	if _, err := c.GetFolders(ctx, FolderRef{ID: "x"}); !errors.Is(err, context.Canceled) || len(s.asked()) != 1 {
		t.Errorf("%v, %d requests", err, len(s.asked()))
	}
}

// TestNobodySendsDuringABackOff: many goroutines, one of which meets a back-off; the rest wait for its end.
func TestNobodySendsDuringABackOff(t *testing.T) {
	t.Parallel()
	var sent, during atomic.Int32
	var paused atomic.Bool
	started := make(chan struct{})
	release := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if sent.Add(1) == 1 {
			busy("60000").write(w)
			return
		}
		if paused.Load() {
			during.Add(1)
		}
		inbox.write(w)
	}))
	defer srv.Close()
	var once sync.Once
	var mu sync.Mutex
	now := time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC)
	c, err := New(Options{
		URL:   srv.URL,
		Clock: func() time.Time { mu.Lock(); defer mu.Unlock(); return now },
		Sleep: func(ctx context.Context, d time.Duration) error {
			once.Do(func() { paused.Store(true); close(started) })
			<-release
			return ctx.Err()
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	run := func() {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if err := getInbox(c); err != nil {
				t.Error(err)
			}
		}()
	}
	run()
	<-started
	for range 8 {
		run()
	}
	mu.Lock()
	now = now.Add(time.Minute)
	mu.Unlock()
	paused.Store(false)
	close(release)
	wg.Wait()
	if during.Load() != 0 || sent.Load() != 10 {
		t.Errorf("%d requests during the back-off, %d in all", during.Load(), sent.Load())
	}
}

func TestVersionLadderIsRemembered(t *testing.T) {
	t.Parallel()
	s := newServer(t, fault("ErrorInvalidServerVersion", ""), fault("ErrorIncorrectSchemaVersion", ""),
		reply{body: envelope("GetFolder", failure("GetFolder", "ErrorInvalidSchemaVersionForMailboxVersion"))}, inbox)
	c, clock := newTestClient(t, s, nil)
	for range 2 {
		if err := getInbox(c); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, r := range s.asked() {
		got = append(got, strings.Split(strings.SplitAfter(r.body, `RequestServerVersion Version="`)[1], `"`)[0])
	}
	want := "Exchange2013_SP1 Exchange2013 Exchange2010_SP2 Exchange2010_SP1 Exchange2010_SP1"
	if strings.Join(got, " ") != want || clock.total() != 0 {
		t.Errorf("%v after %v", got, clock.total())
	}
	if strings.Contains(s.asked()[4].body, "DistinguishedFolderId\"") {
		t.Error("asks a server of 2010 for a property of 2013")
	}
}

func TestVersionLadderEnds(t *testing.T) {
	t.Parallel()
	s := newServer(t, fault("ErrorInvalidServerVersion", ""))
	c, _ := newTestClient(t, s, nil)
	if e := asError(t, getInbox(c)); e.Class() != Version || len(s.asked()) != 4 {
		t.Errorf("%v after %d requests", e, len(s.asked()))
	}
}

func TestRefusedCredentialsAreNotTriedByOtherCalls(t *testing.T) {
	t.Parallel()
	s := newServer(t, reply{status: 401})
	c, _ := newTestClient(t, s, nil)
	for range 4 {
		if err := getInbox(c); !errors.Is(err, ErrCredentials) {
			t.Error(err)
		}
	}
	if n := len(s.asked()); n != 2 {
		t.Errorf("%d requests, an account is locked soon", n)
	}
}

func TestConnectionIsDroppedAfterAFault(t *testing.T) {
	t.Parallel()
	s := newServer(t, inbox, inbox, fault("ErrorAccessDenied", ""), inbox)
	c, _ := newTestClient(t, s, nil)
	for range 4 {
		_ = getInbox(c)
	}
	r := s.asked()
	if r[0].from != r[1].from || r[1].from != r[2].from || r[2].from == r[3].from {
		t.Errorf("connections %s %s %s %s", r[0].from, r[1].from, r[2].from, r[3].from)
	}
}

func TestGzip(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	z := gzip.NewWriter(&b)
	io.WriteString(z, inbox.body)
	z.Close()
	header := map[string]string{"Content-Encoding": "gzip"}
	c, _ := newTestClient(t, newServer(t, reply{header: header, body: b.String()}), nil)
	if err := getInbox(c); err != nil {
		t.Error(err)
	}
	if n := c.Stats().BytesIn; n != int64(b.Len()) {
		t.Errorf("counted %d bytes of %d", n, b.Len())
	}
	c, _ = newTestClient(t, newServer(t, reply{header: header, body: b.String()[:b.Len()-9]}), nil)
	if err := getInbox(c); !errors.Is(err, ErrTruncated) {
		t.Errorf("cut gzip: %v", err)
	}
}

func TestAnswerWithoutEndIsRefused(t *testing.T) {
	t.Parallel()
	r := wire.Limit(strings.NewReader(strings.Repeat(" ", 100)), 60)
	if n, err := io.Copy(io.Discard, r); n != 60 || err != wire.ErrTooLong {
		t.Errorf("%d bytes, %v", n, err)
	}
	c, err := New(Options{URL: "https://h/"})
	if err != nil {
		t.Fatal(err)
	}
	if e := asError(t, c.judge(context.Background(), &operation{name: "X"}, 200, wire.ErrTooLong)); e.Class() != Shrink {
		t.Errorf("class %v", e.Class())
	}
}

func TestTLSErrorsAreNotTriedAgain(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { asked.Add(1); inbox.write(w) }))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	defer srv.Close()
	clock := &fakeTime{}
	c, err := New(Options{URL: srv.URL, User: "u", Password: "p", Clock: clock.Now, Sleep: clock.Sleep})
	if err != nil {
		t.Fatal(err)
	}
	e := asError(t, getInbox(c))
	if e.Class() != Permanent || e.Hint() == "" || c.Stats().Requests != 1 || asked.Load() != 0 {
		t.Errorf("%v, %d requests", e, c.Stats().Requests)
	}
	plain := newServer(t, inbox)
	c, err = New(Options{URL: strings.Replace(plain.URL, "http:", "https:", 1), Clock: clock.Now, Sleep: clock.Sleep})
	if err != nil {
		t.Fatal(err)
	}
	if e := asError(t, getInbox(c)); e.Class() != Permanent || e.Hint() == "" {
		t.Errorf("plain server: %v", e)
	}
	c, err = New(Options{URL: srv.URL, User: "u", HTTP: srv.Client()})
	if err != nil {
		t.Fatal(err)
	}
	if err := getInbox(c); err != nil {
		t.Errorf("with the authority known: %v", err)
	}
}

func TestStalledConnectionIsGivenUp(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		reply{body: inbox.body[:100]}.write(w)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	defer srv.Close()
	clock := &fakeTime{}
	c, err := New(Options{URL: srv.URL, Stall: 20 * time.Millisecond, MaxAttempts: 2, Clock: clock.Now, Sleep: clock.Sleep})
	if err != nil {
		t.Fatal(err)
	}
	err = getInbox(c)
	if e := asError(t, err); e.Class() != Transient || !errors.Is(err, wire.ErrStalled) || c.Stats().Requests != 2 {
		t.Errorf("%v after %d requests", err, c.Stats().Requests)
	}
}

func TestWaitsAreTold(t *testing.T) {
	t.Parallel()
	var told []time.Duration
	c, _ := newTestClient(t, newServer(t, reply{status: 503, header: map[string]string{"Retry-After": "7"}}, inbox), func(o *Options) {
		o.OnWait = func(d time.Duration, cause error) {
			if cause == nil {
				t.Error("no cause")
			}
			told = append(told, d)
		}
	})
	if err := getInbox(c); err != nil {
		t.Fatal(err)
	}
	if len(told) != 1 || told[0] < 7*time.Second {
		t.Errorf("told of %v", told)
	}
}
