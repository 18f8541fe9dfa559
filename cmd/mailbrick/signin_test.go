package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"mailbrick/fetch/auth"
	"mailbrick/fetch/ews"
	"mailbrick/fetch/exchangetest"
)

// gateway stands before a simulated Exchange: it gives tokens, each good for so many requests, and lets in who has one.
type gateway struct {
	exchange http.Handler

	mu     sync.Mutex
	given  int
	left   int // requests for which the last token is good
	denied int
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if strings.HasSuffix(r.URL.Path, "/oauth2/v2.0/token") {
		if r.PostFormValue("client_secret") != "the secret" {
			w.WriteHeader(http.StatusUnauthorized)
			io.WriteString(w, `{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided. More."}`)
			return
		}
		g.given++
		g.left = 8
		fmt.Fprintf(w, `{"token_type":"Bearer","expires_in":3600,"access_token":"token-%d"}`, g.given)
		return
	}
	if r.Header.Get("Authorization") != fmt.Sprintf("Bearer token-%d", g.given) || g.left == 0 {
		g.denied++
		io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	g.left--
	r.SetBasicAuth("backup", "secret")
	g.exchange.ServeHTTP(w, r)
}

// TestBackupByOAuth: tokens that are revoked now and then cost a request each and no mailbox; a wrong secret stops the run
// after one question.
func TestBackupByOAuth(t *testing.T) {
	t.Parallel()
	mail, err := filepath.Abs(filepath.Join(root, "testdata", "mail", "ann@contoso.example"))
	if err != nil {
		t.Fatal(err)
	}
	work := t.TempDir()
	s := exchangetest.New(exchangetest.Options{TempDir: work})
	t.Cleanup(func() { s.Close() })
	s.AddAccount("backup", "secret")
	if err := s.Load("ann@contoso.example", mail); err != nil {
		t.Fatal(err)
	}
	g := &gateway{exchange: s}
	web := httptest.NewServer(g)
	t.Cleanup(web.Close)
	file := func(name, text string) string {
		name = filepath.Join(work, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	mailbrick := func(words ...string) (int, string) {
		var out, talk strings.Builder
		code := run(t.Context(), append([]string{"mailbrick"}, words...), strings.NewReader(""), &out, &talk)
		return code, out.String() + talk.String()
	}
	archive := filepath.Join(work, "archive")
	password := file("password", "correct horse\n")
	if code, text := mailbrick("init", "--archive", archive, "--password-file", password); code != 0 {
		t.Fatal(text)
	}
	backup := func(secret string) (int, string) {
		return mailbrick("backup", "--archive", archive, "--password-file", password, "--ews", web.URL+exchangetest.Path, "--auth", "oauth",
			"--authority", web.URL, "--tenant", "contoso.example", "--client-id", "app", "--client-secret-file", file("secret", secret), "-m", "ann@contoso.example")
	}
	if code, text := backup("another"); code != exitFailed || !strings.Contains(text, "AADSTS7000215: Invalid client secret provided.") ||
		!strings.Contains(text, "hint: the client secret is wrong") || strings.Contains(text, "another") || g.given != 0 || g.denied != 0 {
		t.Errorf("exit code %d, %d denied: %s", code, g.denied, text)
	}
	if code, text := backup("the secret\n"); code != 0 || !strings.Contains(text, "6 items, 6 added") || g.denied == 0 || g.given != g.denied+1 {
		t.Errorf("exit code %d, %d tokens, %d denied: %s", code, g.given, g.denied, text)
	}
}

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
