package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mailbrick/fetch/auth"
	"mailbrick/fetch/ews"
	"mailbrick/fetch/exchangetest"
)

// trial is a simulated Exchange behind a gateway, and an archive.
type trial struct {
	t                       *testing.T
	work, archive, password string
	exchange                *exchangetest.Server
}

func newTrial(t *testing.T, o exchangetest.Options) *trial {
	t.Helper()
	mail, err := filepath.Abs(filepath.Join(root, "testdata", "mail", "ann@contoso.example"))
	if err != nil {
		t.Fatal(err)
	}
	r := &trial{t: t, work: t.TempDir()}
	r.archive, r.password = filepath.Join(r.work, "archive"), r.file("password", "correct horse\n")
	o.TempDir = r.work
	r.exchange = exchangetest.New(o)
	t.Cleanup(func() { r.exchange.Close() })
	r.exchange.AddAccount("backup", "secret")
	if err := r.exchange.Load("ann@contoso.example", mail); err != nil {
		t.Fatal(err)
	}
	if code, text := r.mailbrick("init", "--archive", r.archive, "--password-file", r.password); code != 0 {
		t.Fatal(text)
	}
	return r
}

// file writes a file; one that is there stays, for others may be reading it.
func (r *trial) file(name, text string) string {
	name = filepath.Join(r.work, name)
	if was, err := os.ReadFile(name); err == nil && string(was) == text {
		return name
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	return name
}

func (r *trial) mailbrick(words ...string) (int, string) {
	var out, talk strings.Builder
	code := run(r.t.Context(), append([]string{"mailbrick"}, words...), strings.NewReader(""), &out, &talk)
	return code, out.String() + talk.String()
}

// on runs a verb on the archive.
func (r *trial) on(verb string, words ...string) (int, string) {
	return r.mailbrick(append([]string{verb, "--archive", r.archive, "--password-file", r.password}, words...)...)
}

func (r *trial) serve(h http.Handler) string {
	s := httptest.NewServer(h)
	r.t.Cleanup(s.Close)
	return s.URL
}

// signedIn gives what the verbs that talk to the server at a URL need: the application's sign-in for Graph, the account's else. key
// opens the archive.
func (r *trial) signedIn(by, url string, key ...string) func(verb string, more ...string) []string {
	r.exchange.AddApp(exchangetest.App{ID: "app", Secret: "the secret"})
	var server []string
	switch by {
	case "ews":
		server = []string{"--ews", url + exchangetest.Path, "--user", "backup", "--user-password-file", r.file("pw", "secret"), "--impersonate"}
	case "graph":
		server = []string{"--graph", url + exchangetest.GraphPath, "--authority", url + exchangetest.AuthorityPath(), "--client-id", "app",
			"--client-secret-file", r.file("secret", "the secret\n")}
	}
	return func(verb string, more ...string) []string {
		return slices.Concat([]string{verb, "--archive", r.archive}, key, server, more)
	}
}

// TestTokensThatExpire: a token that has run out on the server's clock, while the program takes it for good, costs a request and
// a new token, by either protocol, there and back.
func TestTokensThatExpire(t *testing.T) {
	t.Parallel()
	for _, by := range []string{"--ews", "--graph"} {
		t.Run(by[2:], func(t *testing.T) { expiring(t, by) })
	}
}

func expiring(t *testing.T, by string) {
	t.Parallel()
	const life = 16 // requests that a token or a session is good for: with imports at once, of which each may ask for a new one, no fewer
	var requests, denied atomic.Int64
	r := newTrial(t, exchangetest.Options{TokenLife: time.Hour, Clock: func() time.Time {
		return time.Now().Add(time.Duration(requests.Load()/life) * 61 * time.Minute)
	}})
	r.exchange.AddApp(exchangetest.App{ID: "app", Secret: "the secret"})
	r.exchange.AddMailbox("new@contoso.example")
	url := r.serve(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		requests.Add(1)
		answer := &statusSeen{ResponseWriter: w}
		r.exchange.ServeHTTP(answer, q)
		if answer.status == http.StatusUnauthorized {
			denied.Add(1)
		}
	}))
	server := map[string]string{"--ews": url + exchangetest.Path, "--graph": url + exchangetest.GraphPath}[by]
	words := []string{by, server, "--authority", url + exchangetest.AuthorityPath(), "--client-id", "app", "--client-secret-file", r.file("secret", "the secret\n")}
	if by == "--ews" {
		words = append(words, "--auth", "oauth")
	}
	if code, text := r.on("backup", append(words, "-m", "ann@contoso.example")...); code != 0 || !strings.Contains(text, "6 items, 6 added") {
		t.Errorf("%s: exit code %d: %s", by, code, text)
	}
	if n := r.exchange.Throttling().SignIns["token"]; denied.Load() == 0 || n < 2 || n > int(denied.Load())+1 {
		t.Errorf("%s: %d tokens, %d denied", by, n, denied.Load())
	}
	requests.Store((requests.Load()/life + 1) * life) // not between the first token and its first use: such a one is not asked for again
	if code, text := r.on("restore", append(words, "--to-mailbox", "new@contoso.example", "--mailbox", "ann@contoso.example")...); code != 0 ||
		!strings.Contains(text, "6 items: 6 restored") {
		t.Errorf("%s: exit code %d: %s", by, code, text)
	}
}

// statusSeen keeps the status of an answer.
type statusSeen struct {
	http.ResponseWriter
	status int
}

func (s *statusSeen) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

func (s *statusSeen) Unwrap() http.ResponseWriter { return s.ResponseWriter }

func TestEndpoints(t *testing.T) {
	t.Parallel()
	app, err := auth.NewApp(auth.AppOptions{Authority: "https://login.example.org/t", ClientID: "app", Secret: "s"})
	if err != nil {
		t.Fatal(err)
	}
	var talk strings.Builder
	e := &endpoints{sign: &signIn{how: "oauth", app: app}, talk: &common{talk: &talk}}
	a, err := e.of(context.Background(), ews.OnlineURL, "ann@example.org")
	if err != nil {
		t.Fatal(err)
	}
	if b, err := e.of(context.Background(), ews.OnlineURL, "bob@example.net"); b != a || err != nil {
		t.Errorf("two endpoints of one URL: %v", err)
	}
	if n := strings.Count(talk.String(), "2027-04-01"); n != 1 {
		t.Errorf("warned %d times: %s", n, talk.String())
	}
	if d := e.discovery(); !d.Online || d.SignIn != nil {
		t.Error("a token goes to other servers than Exchange Online")
	}
	e = &endpoints{sign: &signIn{how: "ntlm", user: "u", password: "p"}}
	if _, err := e.of(context.Background(), ews.OnlineURL, "ann@example.org"); err == nil || !strings.Contains(err.Error(), "takes no passwords") {
		t.Error(err)
	}
	e.search = map[string]*lookup{"example.org": {done: true, url: "https://mail.example.org/EWS/Exchange.asmx"}}
	for _, mailbox := range []string{"ann@example.org", "bob@EXAMPLE.org"} {
		if got, err := e.of(context.Background(), autodiscover, mailbox); err != nil || got.url != e.search["example.org"].url {
			t.Errorf("%s: %v: a domain is asked once", mailbox, err)
		}
	}
}
