package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
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

// certificateFor makes a certificate for a name, and the file of the roots that vouch for it.
func (r *trial) certificateFor(name string) (tls.Certificate, string) {
	r.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		r.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{name}, IsCA: true, BasicConstraintsValid: true}
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
