package auth

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/Azure/go-ntlmssp"
)

func via(t *testing.T, url, user, password string, base *http.Transport) http.RoundTripper {
	t.Helper()
	rt, err := NTLM(url, user, password, base)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rt.(*ntlm).CloseIdleConnections)
	return rt
}

// post sends a body of n bytes and gives what came back; opened counts how often the body was opened.
func post(t *testing.T, rt http.RoundTripper, url string, n int) (status int, text string, opened int, err error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = int64(n)
	r.GetBody = func() (io.ReadCloser, error) {
		opened++
		return io.NopCloser(io.LimitReader(zeros{}, int64(n))), nil
	}
	r.Body, _ = r.GetBody()
	resp, err := rt.RoundTrip(r)
	if err != nil {
		return 0, "", opened, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), opened, err
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func (s *ntlmServer) legs() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	for _, l := range s.sent {
		fmt.Fprintf(&b, "%d:%d ", l.message, l.length)
	}
	s.sent = nil
	return strings.TrimSpace(b.String())
}

func TestNTLMHandshake(t *testing.T) {
	t.Parallel()
	for _, user := range []string{"ann", `CORP\ann`} {
		s := newNTLMServer(t, (*httptest.Server).Start)
		rt := via(t, s.URL, user, "word-a", &http.Transport{})
		for range 3 {
			if status, text, _, err := post(t, rt, s.URL+"/EWS/Exchange.asmx", 5<<20); status != 200 || text != "ANN" || err != nil {
				t.Fatal(status, text, err)
			}
		}
		if got, want := s.legs(), "1:0 3:5242880 0:5242880 0:5242880"; got != want {
			t.Errorf("%s: legs %s, want %s", user, got, want)
		}
	}
}

// TestNTLMConnectionThatIsGone: a body is sent only over a connection that is known.
func TestNTLMConnectionThatIsGone(t *testing.T) {
	t.Parallel()
	s := newNTLMServer(t, (*httptest.Server).Start)
	s.reply = func(w http.ResponseWriter, r *http.Request) bool {
		if r.ContentLength > 0 {
			w.Header().Set("Connection", "close")
		}
		return false
	}
	rt := via(t, s.URL, "ann", "word-a", &http.Transport{})
	for i := range 3 {
		if status, _, opened, err := post(t, rt, s.URL, 100); status != 200 || err != nil || opened > 2 {
			t.Fatal(i, status, opened, err)
		}
	}
	if got, want := s.legs(), "1:0 3:100 1:0 3:100 1:0 3:100"; got != want {
		t.Errorf("legs %s, want %s", got, want)
	}
}

// TestNTLMIdentities: many at once, two of them: no connection is used for both.
func TestNTLMIdentities(t *testing.T) {
	t.Parallel()
	s := newNTLMServer(t, (*httptest.Server).Start)
	base := &http.Transport{}
	users := map[string]http.RoundTripper{"ANN": via(t, s.URL, "ann", "word-a", base), "BOB": via(t, s.URL, "bob", "word-b", base)}
	var wg sync.WaitGroup
	for user, rt := range users {
		for range 8 {
			wg.Go(func() {
				for range 5 {
					if status, text, _, err := post(t, rt, s.URL, 10); status != 200 || text != user || err != nil {
						t.Errorf("%s: %d %q %v", user, status, text, err)
					}
				}
			})
		}
	}
	wg.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	whose := map[string]string{}
	for _, l := range s.sent {
		if l.user == "" {
			continue
		}
		if was := whose[l.from]; was != "" && was != l.user {
			t.Errorf("connection %s is of %s and %s", l.from, was, l.user)
		}
		whose[l.from] = l.user
	}
	if len(whose) > 16 {
		t.Errorf("%d connections for 16 at once", len(whose))
	}
}

func TestNTLMWrongPassword(t *testing.T) {
	t.Parallel()
	s := newNTLMServer(t, (*httptest.Server).Start)
	rt := via(t, s.URL, "ann", "wrong", &http.Transport{})
	for range 2 {
		if status, _, _, err := post(t, rt, s.URL, 10); status != 401 || err != nil {
			t.Error(status, err)
		}
	}
	if got, want := s.legs(), "1:0 3:10 1:0 3:10"; got != want {
		t.Errorf("legs %s, want %s: each a proof sent once", got, want)
	}
}

// TestNTLMBinding: over TLS the proof holds for the certificate of the connection.
func TestNTLMBinding(t *testing.T) {
	t.Parallel()
	s := newNTLMServer(t, (*httptest.Server).StartTLS)
	sum := channelBinding(s.Certificate())
	s.binding = sum[:]
	base := s.Client().Transport.(*http.Transport)
	rt := via(t, s.URL, "ann", "word-a", base)
	if status, text, _, err := post(t, rt, s.URL, 10); status != 200 || text != "ANN" || err != nil {
		t.Fatal(status, text, err)
	}
	s.binding = []byte("of another server")
	if status, _, _, err := post(t, via(t, s.URL, "ann", "word-a", base), s.URL, 10); status != 401 || err != nil {
		t.Fatal("a proof of another binding", status, err)
	}
	untrusting := via(t, s.URL, "ann", "word-a", &http.Transport{})
	var unknown *tls.CertificateVerificationError
	if _, _, _, err := post(t, untrusting, s.URL, 10); !errors.As(err, &unknown) {
		t.Error("certificate that nobody trusts:", err)
	}
}

func TestNTLMServersOfOtherKinds(t *testing.T) {
	t.Parallel()
	header := func(status int, h ...string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			for i := 0; i < len(h); i += 2 {
				w.Header().Add(h[i], h[i+1])
			}
			w.WriteHeader(status)
			return true
		}
	}
	const ask = "WWW-Authenticate"
	tests := []struct {
		name   string
		reply  func(http.ResponseWriter, *http.Request) bool
		status int
		err    string
	}{
		{"lets everybody in", header(200), 200, ""},
		{"busy", header(503, "Retry-After", "30"), 503, ""},
		{"other ways only", header(401, ask, `Basic realm="x"`, ask, "Bearer"), 0, "the server does not offer NTLM, but Basic, Bearer"},
		{"no way", header(401), 0, "the server does not offer NTLM"},
		{"no base64", header(401, ask, "NTLM ***"), 0, "the server offers NTLM and does not go on with it"},
		{"endless", func(w http.ResponseWriter, _ *http.Request) bool {
			for err := error(nil); err == nil; {
				_, err = w.Write(make([]byte, 64<<10))
			}
			return true
		}, 0, "too long for the handshake"},
		{"short message", header(401, ask, "NTLM TlRM"), 0, "NTLM: "},
		{"closes", header(401, ask, "NTLM TlRMTVNTUAACAAAAAAAAADgAAAABgoEAMTIzNDU2NzgAAAAAAAAAAAAAAAAAAAAA", "Connection", "close"), 0, "closes the connection"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newNTLMServer(t, (*httptest.Server).Start)
			s.reply = tt.reply
			status, _, _, err := post(t, via(t, s.URL, "ann", "topsecret", &http.Transport{}), s.URL, 10)
			if status != tt.status || (err != nil) != (tt.err != "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Fatalf("%d, %v", status, err)
			}
			var e *Error
			if err != nil && (!errors.As(err, &e) || strings.Contains(err.Error(), "topsecret")) {
				t.Errorf("%T %v", err, err)
			}
		})
	}
}

// TestNegotiate: a server that knows NTLM by its other name only.
func TestNegotiate(t *testing.T) {
	t.Parallel()
	s := newNTLMServer(t, (*httptest.Server).Start)
	s.scheme = "Negotiate"
	s.reply = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasPrefix(r.Header.Get("Authorization"), "NTLM ") {
			return false
		}
		w.Header().Set("WWW-Authenticate", "Negotiate")
		w.WriteHeader(401)
		return true
	}
	rt := via(t, s.URL, "ann", "word-a", &http.Transport{})
	for range 2 {
		if status, text, _, err := post(t, rt, s.URL, 10); status != 200 || text != "ANN" || err != nil {
			t.Fatal(status, text, err)
		}
	}
}

func TestBoundChallenge(t *testing.T) {
	t.Parallel()
	binding := [16]byte([]byte("0123456789abcdef"))
	once := bound(challengeMessage(), binding)
	if twice := bound(once, binding); bytes.Count(once, binding[:]) != 1 || bytes.Count(twice[len(once):], binding[:]) != 1 {
		t.Error("a challenge is bound once, whatever the server says")
	}
	for n := range challengeMessage() {
		bound(challengeMessage()[:n], binding)
	}
}

func FuzzChallenge(f *testing.F) {
	f.Add(challengeMessage())
	f.Add(challengeMessage()[:50])
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) <= maxChallenge {
			b = bound(b, [16]byte{1})
			_, _ = ntlmssp.NewAuthenticateMessage(b, "ann", "word", nil)
		}
	})
}
