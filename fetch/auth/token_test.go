package auth

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// authorityServer gives out tokens.
type authorityServer struct {
	*httptest.Server
	mu     sync.Mutex
	forms  []url.Values
	answer func(w http.ResponseWriter, n int) bool // of the n-th request; false: a token
}

func newAuthority(t *testing.T) *authorityServer {
	t.Helper()
	s := &authorityServer{}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *authorityServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.URL.Path != "/contoso/oauth2/v2.0/token" || r.ParseForm() != nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	s.forms = append(s.forms, r.PostForm)
	w.Header().Set("Content-Type", "application/json")
	if n := len(s.forms); s.answer == nil || !s.answer(w, n) {
		fmt.Fprintf(w, `{"token_type":"Bearer","expires_in":3600,"access_token":"token-%d"}`, n)
	}
}

func (s *authorityServer) asked() []url.Values {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.forms
}

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func newApp(t *testing.T, s *authorityServer, change func(*AppOptions)) (*App, *clock) {
	t.Helper()
	c := &clock{now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	o := AppOptions{Authority: s.URL + "/contoso", ClientID: "the-app", Secret: "top/secret+word", Clock: c.Now}
	if change != nil {
		change(&o)
	}
	a, err := NewApp(o)
	if err != nil {
		t.Fatal(err)
	}
	return a, c
}

// resource is a server that takes some tokens.
type resource struct {
	*httptest.Server
	mu    sync.Mutex
	good  map[string]bool // nil: all
	asked []string
}

func newResource(t *testing.T, good ...string) *resource {
	t.Helper()
	s := &resource{}
	if good != nil {
		s.good = map[string]bool{}
	}
	for _, g := range good {
		s.good["Bearer "+g] = true
	}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *resource) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, r.Header.Get("Authorization"))
	if s.good != nil && !s.good[r.Header.Get("Authorization")] {
		w.WriteHeader(http.StatusUnauthorized)
	}
}

func (s *resource) only(tokens ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.good = map[string]bool{}
	for _, g := range tokens {
		s.good["Bearer "+g] = true
	}
}

func ask(t *testing.T, rt http.RoundTripper, url string) (int, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := rt.RoundTrip(r)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if r.Header.Get("Authorization") != "" {
		t.Error("the caller's request was changed")
	}
	return resp.StatusCode, nil
}

func bearerFor(t *testing.T, url string, a *App) http.RoundTripper {
	t.Helper()
	rt, err := Bearer(url, a, ScopeEWS, http.DefaultTransport)
	if err != nil {
		t.Fatal(err)
	}
	return rt
}

func TestTokenIsKeptAndRenewed(t *testing.T) {
	t.Parallel()
	s, res := newAuthority(t), newResource(t)
	a, c := newApp(t, s, nil)
	rt := bearerFor(t, res.URL, a)
	for i, step := range []struct {
		after time.Duration
		asked int
	}{{0, 1}, {0, 1}, {54 * time.Minute, 1}, {2 * time.Minute, 2}, {time.Hour, 3}} {
		c.pass(step.after)
		if status, err := ask(t, rt, res.URL); status != 200 || err != nil || len(s.asked()) != step.asked {
			t.Fatalf("step %d: %d %v, %d tokens asked for, want %d", i, status, err, len(s.asked()), step.asked)
		}
	}
	want := url.Values{"grant_type": {"client_credentials"}, "client_id": {"the-app"}, "client_secret": {"top/secret+word"}, "scope": {ScopeEWS}}
	for k := range want {
		got := s.asked()[0].Get(k)
		if k == "scope" { // the library asks for its own besides
			got = strings.Fields(got)[0]
		}
		if got != want.Get(k) {
			t.Errorf("%s is %q, want %q", k, got, want.Get(k))
		}
	}
}

func TestTokenOfManyIsAskedForOnce(t *testing.T) {
	t.Parallel()
	s, res := newAuthority(t), newResource(t)
	a, _ := newApp(t, s, nil)
	rt := bearerFor(t, res.URL, a)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if status, err := ask(t, rt, res.URL); status != 200 || err != nil {
				t.Error(status, err)
			}
		})
	}
	wg.Wait()
	if n := len(s.asked()); n != 1 {
		t.Errorf("%d tokens for one", n)
	}
	graph, err := Bearer(res.URL, a, ScopeGraph, http.DefaultTransport)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ask(t, graph, res.URL); err != nil || len(s.asked()) != 2 || !strings.HasPrefix(s.asked()[1].Get("scope"), ScopeGraph) {
		t.Errorf("another scope: %v, %v", err, s.asked())
	}
}

// TestTokenAfter401: a token that was good is forgotten, and one that never was; but not again and again.
func TestTokenAfter401(t *testing.T) {
	t.Parallel()
	s, res := newAuthority(t), newResource(t)
	a, c := newApp(t, s, nil)
	rt := bearerFor(t, res.URL, a)
	status := func(want, tokens int, when string) {
		t.Helper()
		if got, err := ask(t, rt, res.URL); got != want || err != nil || len(s.asked()) != tokens {
			t.Errorf("%s: %d %v after %d tokens, want %d after %d", when, got, err, len(s.asked()), want, tokens)
		}
	}
	status(200, 1, "at first")
	res.only("token-2")
	status(401, 1, "revoked")
	status(200, 2, "once more")
	res.only()
	status(401, 2, "no token is good")
	status(401, 3, "once more")
	status(401, 4, "a new one was not good")
	for range 5 {
		status(401, 4, "nor was the next")
	}
	c.pass(2 * time.Minute)
	status(401, 4, "later")
	status(401, 5, "once more")
}

// TestTokenRefusedBeforeItsFirstUse: the one that an authority gives first is old, or too young for the server's clock. Who
// asks again, as clients do once, has another.
func TestTokenRefusedBeforeItsFirstUse(t *testing.T) {
	t.Parallel()
	s, res := newAuthority(t), newResource(t, "token-2")
	a, _ := newApp(t, s, nil)
	rt := bearerFor(t, res.URL, a)
	for i, want := range []int{401, 200, 200} {
		if got, err := ask(t, rt, res.URL); got != want || err != nil {
			t.Errorf("request %d: %d %v, want %d", i+1, got, err, want)
		}
	}
	if n := len(s.asked()); n != 2 {
		t.Errorf("%d tokens asked for, want 2", n)
	}
}

func TestOldTokenServesOn(t *testing.T) {
	t.Parallel()
	s, res := newAuthority(t), newResource(t)
	s.answer = func(w http.ResponseWriter, n int) bool {
		if n > 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		return n > 1
	}
	a, c := newApp(t, s, nil)
	rt := bearerFor(t, res.URL, a)
	for i, step := range []struct {
		after   time.Duration
		asked   int
		refused bool
	}{{0, 1, false}, {57 * time.Minute, 2, false}, {30 * time.Second, 2, false}, {time.Minute, 3, false}, {2 * time.Minute, 4, true}} {
		c.pass(step.after)
		if _, err := ask(t, rt, res.URL); (err != nil) != step.refused || len(s.asked()) != step.asked {
			t.Fatalf("step %d: %v, %d asked for, want %d", i, err, len(s.asked()), step.asked)
		}
	}
}

func TestTokenThatIsRefused(t *testing.T) {
	t.Parallel()
	const wrong = `{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided. Ensure the secret top/secret+word is right.\r\nTrace ID: 1","error_codes":[7000215]}`
	tests := []struct {
		name       string
		status     int
		body, text string
		refused    bool
		tokens     int // asked for, in two calls
	}{
		{"wrong secret", 401, wrong, "AADSTS7000215: Invalid client secret provided.", true, 1},
		{"the secret said back", 400, `{"error":"top/secret+word","error_description":"top/secret+word"}`, "(secret): (secret)", true, 1},
		{"a page", 404, "<html>" + strings.Repeat("x", 1<<20), "HTTP 404", true, 1},
		{"a redirect", 302, "", "HTTP 302", true, 1},
		{"busy", 429, `{"error":"temporarily_unavailable"}`, "temporarily_unavailable", false, 2},
		{"down", 502, "<html>", "HTTP 502", false, 2},
		{"no token", 200, `{"token_type":"Bearer"}`, "", true, 1},
		{"no JSON", 200, `<html>top/secret+word`, "", true, 1},
		{"endless", 200, `{"access_token":"` + strings.Repeat("x", 2<<20), "", true, 1},
		{"over at once", 200, `{"token_type":"Bearer","expires_in":0,"access_token":"t"}`, "over before it begins", false, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, res := newAuthority(t), newResource(t)
			s.answer = func(w http.ResponseWriter, _ int) bool {
				w.Header().Set("Location", "http://127.0.0.2:9/")
				w.Header().Set("Retry-After", "7")
				w.WriteHeader(tt.status)
				io.WriteString(w, tt.body)
				return true
			}
			a, _ := newApp(t, s, nil)
			rt := bearerFor(t, res.URL, a)
			for range 2 {
				_, err := ask(t, rt, res.URL)
				var e *Error
				if !errors.As(err, &e) || errors.Is(err, ErrRefused) != tt.refused || !strings.Contains(err.Error(), tt.text) {
					t.Fatalf("%T %v", err, err)
				}
				if tt.refused && e.Hint() == "" || tt.status == 429 && e.RetryAfter != 7*time.Second {
					t.Errorf("hint %q, retry after %v", e.Hint(), e.RetryAfter)
				}
				if text := fmt.Sprintf("%v %+v", err, err); strings.Contains(text, "top/secret") || strings.Contains(text, "Trace") || len(err.Error()) > 500 {
					t.Errorf("it says too much: %s", text)
				}
			}
			if len(s.asked()) != tt.tokens || len(res.asked) != 0 {
				t.Errorf("%d tokens asked for, want %d; %d requests without one", len(s.asked()), tt.tokens, len(res.asked))
			}
		})
	}
}

func TestTokenWithoutAuthority(t *testing.T) {
	t.Parallel()
	s, res := newAuthority(t), newResource(t)
	a, _ := newApp(t, s, nil)
	rt := bearerFor(t, res.URL, a)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r, _ := http.NewRequestWithContext(ctx, http.MethodGet, res.URL, nil)
	if _, err := rt.RoundTrip(r); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	s.Close()
	_, err := ask(t, rt, res.URL)
	var e *Error
	if !errors.As(err, &e) || errors.Is(err, ErrRefused) || strings.Contains(err.Error(), "token?") || !strings.Contains(err.Error(), e.Server) {
		t.Errorf("%T %v", err, err)
	}
}

// TestCertificate: the assertion is signed by the certificate's key, and is for this application and authority.
func TestCertificate(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	file := append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	s, res := newAuthority(t), newResource(t)
	a, _ := newApp(t, s, func(o *AppOptions) { o.Secret, o.Certificate = "", file })
	if status, err := ask(t, bearerFor(t, res.URL, a), res.URL); status != 200 || err != nil {
		t.Fatal(status, err)
	}
	form := s.asked()[0]
	if form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" || form.Has("client_secret") {
		t.Errorf("form %v", form)
	}
	parts := strings.Split(form.Get("client_assertion"), ".")
	if len(parts) != 3 {
		t.Fatalf("%d parts", len(parts))
	}
	var head struct{ Alg, Typ string }
	var claims struct {
		Aud, Iss, Sub, Jti string
		Exp, Nbf           int64
	}
	for i, into := range []any{&head, &claims} {
		b, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil || json.Unmarshal(b, into) != nil {
			t.Fatal(i, err, string(b))
		}
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	signature, _ := base64.RawURLEncoding.DecodeString(parts[2])
	switch head.Alg {
	case "PS256":
		err = rsa.VerifyPSS(&key.PublicKey, crypto.SHA256, sum[:], signature, nil)
	default:
		err = rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, sum[:], signature)
	}
	if err != nil {
		t.Errorf("signature %s: %v", head.Alg, err)
	}
	if !strings.HasSuffix(claims.Aud, "/contoso/oauth2/v2.0/token") || claims.Iss != "the-app" || claims.Sub != "the-app" || claims.Jti == "" || claims.Exp-claims.Nbf > 600 {
		t.Errorf("claims %+v", claims)
	}
}

func TestAppOptions(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		o    AppOptions
		want string
	}{
		{"plain http", AppOptions{Authority: "http://login.example.org/t", ClientID: "a", Secret: "topsecret"}, ErrInsecure.Error()},
		{"no tenant", AppOptions{Authority: "https://login.example.org/", ClientID: "a", Secret: "topsecret"}, "tenant is missing"},
		{"no id", AppOptions{Authority: "https://login.example.org/t", Secret: "topsecret"}, "client id is missing"},
		{"no secret", AppOptions{Authority: "https://login.example.org/t", ClientID: "a"}, "a secret or a certificate"},
		{"both", AppOptions{Authority: "https://login.example.org/t", ClientID: "a", Secret: "topsecret", Certificate: []byte("x")}, "one of them"},
		{"no PEM", AppOptions{Authority: "https://login.example.org/t", ClientID: "a", Certificate: []byte("topsecret")}, "not a PEM file"},
		{"a URL with a password", AppOptions{Authority: "https://u:topsecret@login.example.org/t", ClientID: "a", Secret: "topsecret"}, "holds a user"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := NewApp(tt.o); err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "topsecret") {
				t.Errorf("%v, want %s", err, tt.want)
			}
		})
	}
}

// TestOneHostOnly: credentials go to the server they are for, over https or loopback.
func TestOneHostOnly(t *testing.T) {
	t.Parallel()
	s := newAuthority(t)
	a, _ := newApp(t, s, nil)
	makers := map[string]func(url string) (http.RoundTripper, error){
		"basic":  func(url string) (http.RoundTripper, error) { return Basic(url, "u", "topsecret", nowhere{t}) },
		"ntlm":   func(url string) (http.RoundTripper, error) { return NTLM(url, "u", "topsecret", &http.Transport{}) },
		"bearer": func(url string) (http.RoundTripper, error) { return Bearer(url, a, ScopeEWS, nowhere{t}) },
	}
	for name, make := range makers {
		if _, err := make("http://mail.example.org/"); !errors.Is(err, ErrInsecure) {
			t.Errorf("%s: plain http: %v", name, err)
		}
		rt, err := make("https://mail.example.org/EWS/Exchange.asmx")
		if err != nil {
			t.Fatal(name, err)
		}
		for _, other := range []string{"https://evil.example.org/", "http://mail.example.org/", "https://mail.example.org:8443/", "https://mail.example.org.evil.org/"} {
			if _, err := ask(t, rt, other); !errors.Is(err, ErrOtherHost) || strings.Contains(err.Error(), "topsecret") {
				t.Errorf("%s to %s: %v", name, other, err)
			}
		}
	}
	if len(s.asked()) != 0 {
		t.Error("a token was asked for")
	}
}

// nowhere is a network that must not be used.
type nowhere struct{ t *testing.T }

func (n nowhere) RoundTrip(r *http.Request) (*http.Response, error) {
	n.t.Errorf("a request to %s", r.URL.Host)
	return nil, errors.New("nowhere")
}

func TestBasic(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u, p, ok := r.BasicAuth(); !ok || u != `CORP\änn` || p != "wörd:x" {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(s.Close)
	rt, err := Basic(s.URL, `CORP\änn`, "wörd:x", http.DefaultTransport)
	if err != nil {
		t.Fatal(err)
	}
	if status, err := ask(t, rt, s.URL); status != 200 || err != nil {
		t.Error(status, err)
	}
}
