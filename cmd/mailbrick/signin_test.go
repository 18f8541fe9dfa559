package main

import (
	"context"
	"encoding/base64"
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

// trial is a simulated Exchange behind a gateway, and an archive.
type trial struct {
	t                       *testing.T
	work, archive, password string
	exchange                *exchangetest.Server
}

func newTrial(t *testing.T) *trial {
	t.Helper()
	mail, err := filepath.Abs(filepath.Join(root, "testdata", "mail", "ann@contoso.example"))
	if err != nil {
		t.Fatal(err)
	}
	r := &trial{t: t, work: t.TempDir()}
	r.archive, r.password = filepath.Join(r.work, "archive"), r.file("password", "correct horse\n")
	r.exchange = exchangetest.New(exchangetest.Options{TempDir: r.work})
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

func (r *trial) file(name, text string) string {
	name = filepath.Join(r.work, name)
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

func (r *trial) backup(url string, words ...string) (int, string) {
	return r.mailbrick(append([]string{"backup", "--archive", r.archive, "--password-file", r.password, "--ews", url + exchangetest.Path}, words...)...)
}

func (r *trial) serve(h http.Handler) string {
	s := httptest.NewServer(h)
	r.t.Cleanup(s.Close)
	return s.URL
}

// TestBackupByOAuth: tokens that are revoked now and then cost a request each and no mailbox; a wrong secret stops the run
// after one question.
func TestBackupByOAuth(t *testing.T) {
	t.Parallel()
	r := newTrial(t)
	g := &gateway{exchange: r.exchange}
	url := r.serve(g)
	backup := func(secret string) (int, string) {
		return r.backup(url, "--auth", "oauth", "--authority", url, "--tenant", "contoso.example", "--client-id", "app",
			"--client-secret-file", r.file("secret", secret), "-m", "ann@contoso.example")
	}
	if code, text := backup("another"); code != exitFailed || !strings.Contains(text, "AADSTS7000215: Invalid client secret provided.") ||
		!strings.Contains(text, "hint: the client secret is wrong") || strings.Contains(text, "another") || g.given != 0 || g.denied != 0 {
		t.Errorf("exit code %d, %d denied: %s", code, g.denied, text)
	}
	if code, text := backup("the secret\n"); code != 0 || !strings.Contains(text, "6 items, 6 added") || g.denied == 0 || g.given != g.denied+1 {
		t.Errorf("exit code %d, %d tokens, %d denied: %s", code, g.given, g.denied, text)
	}
}

// doorman takes a connection for signed in after a handshake of NTLM. Whether the proof is right is tested in fetch/auth.
type doorman struct {
	exchange http.Handler
	refuses  bool

	mu     sync.Mutex
	inside map[string]bool // by remote address
	proofs int
}

func (d *doorman) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	message, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(r.Header.Get("Authorization"), "NTLM "))
	d.mu.Lock()
	if strings.HasPrefix(string(message), "NTLMSSP\x00\x03") {
		d.proofs++
		d.inside[r.RemoteAddr] = !d.refuses
	}
	inside := d.inside[r.RemoteAddr]
	d.mu.Unlock()
	if inside {
		r.SetBasicAuth("backup", "secret")
		d.exchange.ServeHTTP(w, r)
		return
	}
	io.Copy(io.Discard, r.Body)
	challenge := "NTLM"
	if len(message) > 0 {
		m := make([]byte, 56) // [MS-NLMP] 2.2.1.2
		copy(m, "NTLMSSP\x00\x02")
		copy(m[20:], "\x01\x82\x00\x0012345678")
		challenge += " " + base64.StdEncoding.EncodeToString(m)
	}
	w.Header().Set("WWW-Authenticate", challenge)
	w.WriteHeader(http.StatusUnauthorized)
}

// TestBackupByNTLM: a handshake for a connection and not for a request; a wrong password is sent twice in all.
func TestBackupByNTLM(t *testing.T) {
	t.Parallel()
	r := newTrial(t)
	words := []string{"--auth", "ntlm", "--user", `CONTOSO\backup`, "--user-password-file", r.file("pw", "secret"), "--impersonate", "-m", "ann@contoso.example"}
	d := &doorman{exchange: r.exchange, inside: map[string]bool{}}
	if code, text := r.backup(r.serve(d), words...); code != 0 || !strings.Contains(text, "6 items, 6 added") || d.proofs != len(d.inside) {
		t.Errorf("exit code %d, %d handshakes: %s", code, d.proofs, text)
	}
	d = &doorman{refuses: true, inside: map[string]bool{}}
	code, text := r.backup(r.serve(d), append(words, "-m", "bob@contoso.example", "-m", "eve@contoso.example")...)
	if code != exitFailed || d.proofs != 2 || !strings.Contains(text, "refuses the credentials") {
		t.Errorf("exit code %d, the password was used %d times: %s", code, d.proofs, text)
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
