package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mailbrick/fetch/exchangetest"
)

// proxy is the only way out for a program: it leads names to servers of the test, and keeps what it was asked for.
type proxy struct {
	places map[string]string // "host:port" to an address

	mu    sync.Mutex
	asked []string
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked = append(p.asked, r.Method+" "+r.Host)
	p.mu.Unlock()
	to := p.places[r.Host]
	if r.Method != http.MethodConnect || to == "" {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	server, err := net.Dial("tcp", to)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer server.Close()
	client, buffered, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer client.Close()
	io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n")
	go func() {
		defer server.Close()
		bufio.NewReader(buffered).WriteTo(server)
	}()
	io.Copy(client, server)
}

func (p *proxy) all() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.asked)
}

// certificateFor makes a certificate for names, and the file of the roots that vouch for it.
func (r *trial) certificateFor(names ...string) (tls.Certificate, string) {
	r.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		r.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: names, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		r.t.Fatal(err)
	}
	roots := r.file("roots.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}

// TestAutodiscover finds a server by name and signs in there over TLS, by NTLM through a proxy too. A certificate that nobody
// vouches for gets no password.
func TestAutodiscover(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("roots come from SSL_CERT_FILE on Linux alone")
	}
	const host = "autodiscover.contoso.example"
	r := newTrial(t, exchangetest.Options{})
	r.exchange.AddMailbox("bob@contoso.example")
	certificate, roots := r.certificateFor(host)
	exchange := httptest.NewUnstartedServer(nil)
	exchange.Config = r.exchange.HTTPServer()
	exchange.Config.ErrorLog = log.New(io.Discard, "", 0) // that nobody trusts its certificate is what it would say
	exchange.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	exchange.StartTLS()
	t.Cleanup(exchange.Close)
	p := &proxy{places: map[string]string{host + ":443": exchange.Listener.Addr().String()}}
	via := r.serve(p)
	backup := func(roots string, words ...string) string {
		words = append([]string{"backup", "--archive", r.archive, "--password-file", r.password, "--ews", "autodiscover",
			"--user", `CONTOSO\backup`, "--user-password-file", r.file("pw", "secret"), "--impersonate"}, words...)
		c := exec.CommandContext(t.Context(), "mailbrick", words...) // a process of its own: proxies and roots are read once
		c.Env = []string{"HTTPS_PROXY=" + via, "HTTP_PROXY=" + via, "SSL_CERT_FILE=" + roots, "SSL_CERT_DIR=" + filepath.Dir(roots) + "/none", "HOME=" + r.work}
		out, _ := c.CombinedOutput() // the text tells
		return string(out)
	}
	for i, how := range []string{"ntlm", "basic"} {
		text := backup(roots, "--auth", how, "-m", "ann@contoso.example")
		if !strings.Contains(text, "contoso.example: the server is at https://"+host+exchangetest.Path) || !strings.Contains(text, "6 items, "+[]string{"6", "0"}[i]+" added") {
			t.Errorf("%s: %s", how, text)
		}
	}
	// A mailbox that moves while it is read is looked for by its own name.
	r.exchange.AddFaults(exchangetest.Fault{Operation: "FindFolder", Mailbox: "ann@contoso.example", Action: exchangetest.ActionMove})
	text := backup(roots, "--auth", "ntlm", "-m", "ann@contoso.example", "-m", "bob@contoso.example")
	if !strings.Contains(text, "ann@contoso.example: the server is at https://"+host+"/moved1"+exchangetest.Path) || !strings.Contains(text, "6 items, 0 added") ||
		strings.Contains(text, "failed: ") || !strings.Contains(text, "bob@contoso.example: snapshot 1") || strings.Contains(text, "bob@contoso.example: the server is at") {
		t.Errorf("moved: %s", text)
	}
	if n := r.exchange.Throttling().SignIns; n["ntlm.authenticate"] == 0 || n["ntlm.refused"] > 0 {
		t.Error(n)
	}
	if asked := p.all(); len(asked) == 0 || slices.ContainsFunc(asked, func(place string) bool { return place != "CONNECT "+host+":443" }) {
		t.Error("asked for", asked)
	}
	text = backup(roots, "--auth", "basic", "-m", "nobody@contoso.example", "-m", "bob@contoso.example") // one that is not there says nothing of others
	if !strings.Contains(text, "nobody@contoso.example: failed: ") || !strings.Contains(text, "bob@contoso.example: snapshot") {
		t.Errorf("one that is not there: %s", text)
	}
	before := r.exchange.Requests("ann@contoso.example")
	if text := backup(r.file("nobody.pem", ""), "--auth", "basic", "-m", "ann@contoso.example"); !strings.Contains(text, "certificate") ||
		r.exchange.Requests("ann@contoso.example") != before {
		t.Error("a certificate that nobody vouches for:", text)
	}
	if text := backup(roots, "--auth", "ntlm", "-m", "eve@fabrikam.example"); strings.Contains(text, "added") || !strings.Contains(text, "autodiscover") {
		t.Error("a domain that is not there:", text)
	}
}

// TestAutodiscoverXML finds a mailbox on an old server by way of redirects: to another address, which is at another host, where
// EWS is. Credentials go to hosts of the domain alone, and a redirect to a stranger ends the search.
func TestAutodiscoverXML(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("roots come from SSL_CERT_FILE on Linux alone")
	}
	r := newTrial(t, exchangetest.Options{})
	certificate, roots := r.certificateFor("*.contoso.example")
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	pair := r.file("pair.pem", string(slices.Concat(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))))
	mail, err := filepath.Abs(filepath.Join(root, "testdata", "mail", "ann@contoso.example"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	simulate := exec.CommandContext(ctx, "mailbrick", "simulate", "--tls", pair, "--autodiscover", "xml", "--user", "backup:secret",
		"--mailbox", "ann@contoso.example="+mail, "--mailbox", "a.nn@contoso.example="+mail, "--redirect", "ann@contoso.example=a.nn@contoso.example",
		"--redirect", "a.nn@contoso.example=https://mail.contoso.example/autodiscover/autodiscover.xml",
		"--redirect", "eve@contoso.example=https://mail.fabrikam.example/autodiscover/autodiscover.xml")
	out, err := simulate.StdoutPipe()
	if err == nil {
		err = simulate.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(); simulate.Wait() })
	var ready struct{ EWS string }
	if err := json.NewDecoder(out).Decode(&ready); err != nil {
		t.Fatal(err)
	}
	at, err := url.Parse(ready.EWS)
	if err != nil || at.Scheme != "https" {
		t.Fatal(ready, err)
	}
	p := &proxy{places: map[string]string{"autodiscover.contoso.example:443": at.Host, "mail.contoso.example:443": at.Host, "mail.fabrikam.example:443": at.Host}}
	via := r.serve(p)
	backup := func(how, mailbox string) string {
		c := exec.CommandContext(t.Context(), "mailbrick", "backup", "--archive", r.archive, "--password-file", r.password, "--ews", "autodiscover",
			"--user", "backup", "--user-password-file", r.file("pw", "secret"), "--impersonate", "--auth", how, "-m", mailbox)
		c.Env = []string{"HTTPS_PROXY=" + via, "HTTP_PROXY=" + via, "SSL_CERT_FILE=" + roots, "SSL_CERT_DIR=" + filepath.Dir(roots) + "/none", "HOME=" + r.work}
		text, _ := c.CombinedOutput() // the text tells
		return string(text)
	}
	for i, how := range []string{"basic", "ntlm"} {
		text := backup(how, "ann@contoso.example")
		if !strings.Contains(text, "the server is at https://mail.contoso.example"+exchangetest.Path) || !strings.Contains(text, "6 items, "+[]string{"6", "0"}[i]+" added") {
			t.Errorf("%s: %s", how, text)
		}
	}
	if text := backup("basic", "eve@contoso.example"); !strings.Contains(text, "mail.fabrikam.example, which is not of contoso.example") {
		t.Error("a stranger:", text)
	}
	if asked := p.all(); slices.Contains(asked, "CONNECT mail.fabrikam.example:443") || !slices.Contains(asked, "CONNECT mail.contoso.example:443") {
		t.Error("asked for", asked)
	}
}
