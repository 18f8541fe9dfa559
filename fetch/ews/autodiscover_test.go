package ews

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"mailbrick/fetch/auth"
)

// internet is names and what answers at them, all on loopback: one server for https, which has a certificate for
// *.example.org and the like, and one for http.
type internet struct {
	https, http *httptest.Server
	network     *http.Transport
	services    []*net.SRV

	mu     sync.Mutex
	places map[string]http.HandlerFunc // by "METHOD scheme://host/first word of the path that tells"
	asked  []string
	secret []string // hosts that got a password
}

const (
	jsonAt = "GET https://%s json"
	poxAt  = "POST https://%s xml"
)

func newInternet(t *testing.T) *internet {
	t.Helper()
	n := &internet{places: map[string]http.HandlerFunc{}}
	n.http = httptest.NewServer(n)
	n.https = httptest.NewUnstartedServer(n)
	cert, roots := certificateFor(t, "example.org", "*.example.org", "evil.test", "*.evil.test", "outlook.office365.com")
	n.https.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	n.https.StartTLS()
	n.network = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		host, port, _ := net.SplitHostPort(address)
		to := n.https
		if port == "80" {
			to = n.http
		}
		if n.known(host) {
			return new(net.Dialer).DialContext(ctx, network, to.Listener.Addr().String())
		}
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}}
	t.Cleanup(func() { n.network.CloseIdleConnections(); n.http.Close(); n.https.Close() })
	return n
}

func certificateFor(t *testing.T, names ...string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: names, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}

func (n *internet) known(host string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for place := range n.places {
		if strings.Contains(place, "//"+host+" ") {
			return true
		}
	}
	return false
}

func (n *internet) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	scheme, what := "http", "xml"
	if r.TLS != nil {
		scheme = "https"
	}
	if strings.Contains(r.URL.Path, "autodiscover.json") {
		what = "json"
	}
	host, _, _ := strings.Cut(r.Host, ":")
	place := fmt.Sprintf("%s %s://%s %s", r.Method, scheme, host, what)
	n.mu.Lock()
	n.asked = append(n.asked, place)
	if r.Header.Get("Authorization") != "" {
		n.secret = append(n.secret, host)
	}
	answer := n.places[place]
	n.mu.Unlock()
	if answer == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	answer(w, r)
}

func (n *internet) discovery() Discovery {
	return Discovery{
		HTTP:      n.network,
		SignIn:    func(u string) (http.RoundTripper, error) { return auth.Basic(u, "ann", "top-secret", n.network) },
		LookupSRV: func(context.Context, string) ([]*net.SRV, error) { return n.services, nil },
	}
}

func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/xml")
		io.WriteString(w, text)
	}
}

func html(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, text)
	}
}

func movedTo(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusFound)
	}
}

// locked wants the password, and a well-formed request.
func locked(then http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if !strings.Contains(string(body), "<EMailAddress>") || !strings.Contains(string(body), poxResponse) {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		if _, p, _ := r.BasicAuth(); p != "top-secret" {
			w.Header().Set("WWW-Authenticate", "Basic")
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		then(w, r)
	}
}

func account(inner string) http.HandlerFunc {
	return says(`<?xml version="1.0" encoding="utf-8"?><Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"><Response xmlns="` +
		poxResponse + `"><!-- a comment --><Account><AccountType>email</AccountType>` + inner + `</Account></Response></Autodiscover>`)
}

func settings(pairs ...string) http.HandlerFunc {
	b := "<Action>settings</Action>"
	for i := 0; i < len(pairs); i += 2 {
		b += "<Protocol><Type>" + pairs[i] + "</Type><EwsUrl>" + pairs[i+1] + "</EwsUrl></Protocol>"
	}
	return account(b)
}

const (
	good  = "https://mail.example.org/EWS/Exchange.asmx"
	other = "https://mail.evil.test/EWS/Exchange.asmx"
)

func at(form, host string) string { return fmt.Sprintf(form, host) }

func TestDiscovery(t *testing.T) {
	t.Parallel()
	const auto, bare = "autodiscover.example.org", "example.org"
	goodJSON := says(`{"Protocol":"EWS","Url":"` + good + `"}`)
	type places map[string]http.HandlerFunc
	tests := []struct {
		name     string
		places   places
		services []*net.SRV
		online   bool
		want     string
	}{
		{"json", places{at(jsonAt, auto): goodJSON}, nil, false, good},
		{"json at the domain itself", places{at(jsonAt, bare): goodJSON}, nil, false, good},
		{"json redirected", places{at(jsonAt, auto): movedTo("https://mail.example.org/autodiscover/autodiscover.json"), at(jsonAt, "mail.example.org"): goodJSON}, nil, false, good},
		{"json redirected to Exchange Online", places{at(jsonAt, auto): movedTo("https://autodiscover-s.outlook.com/x")}, nil, false, OnlineURL},
		{"json of Exchange Online", places{at(jsonAt, "outlook.office365.com"): says(`{"Protocol":"EWS","Url":"` + OnlineURL + `"}`), at(jsonAt, auto): goodJSON}, nil, true, OnlineURL},
		{"xml at the domain itself", places{at(poxAt, bare): locked(settings("EXPR", good))}, nil, false, good},
		{"xml", places{at(poxAt, auto): locked(settings("EXCH", "https://in.example.org/EWS/Exchange.asmx", "WEB", "", "EXPR", good))}, nil, false, good},
		{"inside only", places{at(poxAt, auto): locked(settings("EXCH", good, "EXPR", ""))}, nil, false, good},
		{"a web site at the domain", places{at(jsonAt, bare): html("<html>"), at(poxAt, bare): html("<html>"), at(poxAt, auto): locked(settings("EXPR", good))}, nil, false, good},
		{"redirect to another URL", places{at(poxAt, auto): locked(account("<Action>redirectUrl</Action><RedirectUrl>https://mail.example.org/autodiscover/autodiscover.xml</RedirectUrl>")),
			at(poxAt, "mail.example.org"): locked(settings("EXPR", good))}, nil, false, good},
		{"redirect to another address", places{at(poxAt, auto): locked(account("<Action>redirectAddr</Action><RedirectAddr>ann@sub.example.org</RedirectAddr>")),
			at(poxAt, "sub.example.org"): locked(settings("EXPR", good))}, nil, false, good},
		{"moved to a tenant", places{at(poxAt, auto): locked(account("<Action>redirectAddr</Action><RedirectAddr>ann@contoso.mail.onmicrosoft.com</RedirectAddr>"))}, nil, false, OnlineURL},
		{"redirect of HTTP", places{at(poxAt, auto): movedTo("https://mail.example.org/autodiscover/autodiscover.xml"), at(poxAt, "mail.example.org"): locked(settings("EXPR", good))}, nil, false, good},
		{"direction by plain http", places{"GET http://" + auto + " xml": movedTo("https://mail.example.org/autodiscover/autodiscover.xml"),
			at(poxAt, "mail.example.org"): locked(settings("EXPR", good))}, nil, false, good},
		{"service record", places{at(poxAt, "mail.example.org"): locked(settings("EXPR", good))}, []*net.SRV{{Target: "gone.example.org.", Port: 443}, {Target: "mail.example.org.", Port: 443}}, false, good},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			n := newInternet(t)
			n.places, n.services = tt.places, tt.services
			d := n.discovery()
			d.Online = tt.online
			got, err := d.Find(t.Context(), "ann@Example.ORG")
			if got != tt.want || err != nil {
				t.Errorf("%s, %v; asked %v", got, err, n.asked)
			}
		})
	}
}

func TestDiscoveryOfHostileServers(t *testing.T) {
	t.Parallel()
	const auto, bare = "autodiscover.example.org", "example.org"
	type places map[string]http.HandlerFunc
	bomb := `<!DOCTYPE a [<!ENTITY a "` + strings.Repeat("x", 1000) + `"><!ENTITY b "` + strings.Repeat("&a;", 1000) + `">]><Autodiscover><Response><Account><Action>&b;</Action></Account></Response></Autodiscover>`
	tests := []struct {
		name   string
		places places
		srv    []*net.SRV
		err    error
		text   string
		hint   string
	}{
		{"nobody there", places{}, nil, nil, "autodiscover: ", findHint},
		{"html everywhere", places{at(jsonAt, auto): html("<html>"), at(poxAt, auto): html("<html>"), at(poxAt, bare): html("<html>")}, nil, nil, "knows nothing of it", findHint},
		{"json leads to a stranger", places{at(jsonAt, auto): movedTo("https://mail.evil.test/autodiscover/autodiscover.json"), "GET https://mail.evil.test json": says(`{"Url":"` + good + `"}`)}, nil, ErrStrayRedirect, "mail.evil.test", "--ews https://mail.evil.test/EWS/Exchange.asmx"},
		{"json names a stranger", places{at(jsonAt, auto): says(`{"Url":"` + other + `"}`)}, nil, ErrStrayRedirect, "mail.evil.test", "--ews https://mail.evil.test/"},
		{"json names plain http", places{at(jsonAt, auto): says(`{"Url":"http://mail.example.org/EWS/Exchange.asmx"}`)}, nil, nil, "not https", findHint},
		{"a name that only looks like it", places{at(jsonAt, auto): says(`{"Url":"https://notexample.org/EWS/Exchange.asmx"}`)}, nil, ErrStrayRedirect, "notexample.org", ""},
		{"a user in the URL", places{at(jsonAt, auto): says(`{"Url":"https://mail.example.org@evil.test/EWS/Exchange.asmx"}`)}, nil, nil, "not https", ""},
		{"json says no", places{at(jsonAt, auto): says(`{"ErrorCode":"UserNotFound","ErrorMessage":"ann@example.org is not here"}`)}, nil, nil, "UserNotFound", findHint},
		{"xml names a stranger", places{at(poxAt, auto): locked(settings("EXPR", other))}, nil, ErrStrayRedirect, "mail.evil.test", ""},
		{"xml leads to a stranger", places{at(poxAt, auto): locked(account("<Action>redirectUrl</Action><RedirectUrl>https://autodiscover.evil.test/autodiscover/autodiscover.xml</RedirectUrl>")),
			at(poxAt, "autodiscover.evil.test"): locked(settings("EXPR", good))}, nil, ErrStrayRedirect, "autodiscover.evil.test", ""},
		{"an address of a stranger", places{at(poxAt, auto): locked(account("<Action>redirectAddr</Action><RedirectAddr>ann@evil.test</RedirectAddr>")),
			at(poxAt, "evil.test"): locked(settings("EXPR", good))}, nil, ErrStrayRedirect, "evil.test", ""},
		{"plain http leads to a stranger", places{"GET http://" + auto + " xml": movedTo("https://mail.evil.test/autodiscover/autodiscover.xml"), at(poxAt, "mail.evil.test"): locked(settings("EXPR", good))}, nil, ErrStrayRedirect, "mail.evil.test", ""},
		{"plain http leads to plain http", places{"GET http://" + auto + " xml": movedTo("http://mail.example.org/autodiscover/autodiscover.xml"), "POST http://mail.example.org xml": locked(settings("EXPR", good))}, nil, nil, "not to https", findHint},
		{"plain http answers", places{"GET http://" + auto + " xml": settings("EXPR", good)}, nil, nil, "knows nothing", findHint},
		{"a service record of a stranger", places{at(poxAt, "mail.evil.test"): locked(settings("EXPR", good))}, []*net.SRV{{Target: "mail.evil.test.", Port: 443}}, ErrStrayRedirect, "mail.evil.test", ""},
		{"round and round", places{at(jsonAt, auto): movedTo("https://example.org/autodiscover/autodiscover.json/v1.0/ann@example.org?Protocol=EWS"), at(jsonAt, bare): movedTo("https://autodiscover.example.org/autodiscover/autodiscover.json/v1.0/ann@example.org?Protocol=EWS")}, nil, errLoop, "go round", ""},
		{"on and on", places{at(jsonAt, auto): onAndOn()}, nil, errLoop, "go round", ""},
		{"addresses round and round", places{at(poxAt, bare): locked(account("<Action>redirectAddr</Action><RedirectAddr>bob@example.org</RedirectAddr>"))}, nil, errLoop, "go round", ""},
		{"entities", places{at(poxAt, auto): locked(says(bomb))}, nil, nil, "knows nothing", findHint},
		{"endless", places{at(poxAt, auto): locked(endless)}, nil, nil, "longer than", findHint},
		{"wrong password", places{at(poxAt, bare): locked401, at(poxAt, auto): locked401}, nil, ErrCredentials, "HTTP 401", credentialsHint},
		{"a certificate for another name", places{at(jsonAt, "autodiscover.other.test"): says("{}")}, nil, nil, "autodiscover.other.test", "the certificate is for another name"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			n := newInternet(t)
			n.places, n.services = tt.places, tt.srv
			address := "ann@example.org"
			if strings.Contains(tt.name, "certificate") {
				address = "ann@other.test"
			}
			got, err := n.discovery().Find(t.Context(), address)
			e := asError(t, err)
			if got != "" || tt.err != nil && !errors.Is(err, tt.err) || !strings.Contains(err.Error(), tt.text) || !strings.Contains(e.Hint(), tt.hint) || e.Hint() == "" {
				t.Errorf("%q, %v, hint %q; asked %v", got, err, e.Hint(), n.asked)
			}
			if strings.Contains(err.Error()+e.Hint(), "top-secret") || strings.Contains(err.Error(), "ann@") {
				t.Errorf("it says too much: %v", err)
			}
			for _, host := range n.secret {
				if host != bare && !strings.HasSuffix(host, "."+bare) {
					t.Errorf("the password went to %s", host)
				}
			}
			if len(n.secret) > 1 && errors.Is(err, ErrCredentials) {
				t.Errorf("a wrong password went to %v", n.secret)
			}
			if len(n.asked) > 40 {
				t.Errorf("%d requests", len(n.asked))
			}
		})
	}
}

func locked401(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("WWW-Authenticate", "Basic")
	w.WriteHeader(http.StatusUnauthorized)
}

func endless(w http.ResponseWriter, _ *http.Request) {
	for range 2 << 10 {
		if _, err := w.Write(make([]byte, 1<<10)); err != nil {
			return
		}
	}
}

func onAndOn() http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "https://autodiscover.example.org/autodiscover/autodiscover.json?n="+url.QueryEscape(r.URL.RawQuery)+"1")
		w.WriteHeader(http.StatusFound)
	}
}

func TestDiscoveryOfNoAddress(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"", "ann", "ann@", "@example.org", "ann@exa mple.org", "ann@example.org/x", "ann@127.0.0.1:80", "ann@..", "a\r\nb@example.org"} {
		if _, err := (Discovery{HTTP: deadNetwork{errors.New("nothing is to be sent")}}).Find(t.Context(), address); err == nil || strings.Contains(err.Error(), "nothing is") {
			t.Errorf("%q: %v", address, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := newInternet(t).discovery().Find(ctx, "ann@example.org"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func FuzzPOX(f *testing.F) {
	f.Add([]byte(`<Autodiscover><Response><Account><Action>settings</Action><Protocol><Type>EXPR</Type><EwsUrl>` + good + `</EwsUrl></Protocol></Account></Response></Autodiscover>`))
	f.Add([]byte(`<!DOCTYPE a [<!ENTITY b "c">]><Autodiscover>&b;</Autodiscover>`))
	f.Fuzz(func(t *testing.T, b []byte) {
		doc, ok := readPOX(b)
		if !ok {
			return
		}
		d := &search{root: "example.org", domain: "example.org"}
		if found, err := d.settle(doc.ewsURL()); err == nil && found != OnlineURL {
			u, err := url.Parse(found)
			if err != nil || u.Scheme != "https" || !d.own(u.Hostname()) {
				t.Errorf("%q was taken", found)
			}
		}
	})
}
