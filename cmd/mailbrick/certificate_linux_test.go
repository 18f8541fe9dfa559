package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mailbrick/fetch/exchangetest"
)

// TestCertificates: whoever has a certificate that is not the server's learns nothing, whatever way to sign in: not one request comes.
func TestCertificates(t *testing.T) {
	t.Parallel()
	const host = "mail.contoso.example"
	r := newTrial(t, exchangetest.Options{})
	for name, row := range map[string]struct {
		names   []string
		until   time.Duration
		trusted bool
		said    string // "" where all is well
	}{
		"good":       {[]string{host}, time.Hour, true, ""},
		"nobody's":   {[]string{host}, time.Hour, false, "certificate signed by unknown authority"},
		"other name": {[]string{"mail.contoso.example.evil.example"}, time.Hour, true, "certificate is valid for"},
		"run out":    {[]string{host}, -time.Hour, true, "expired"},
	} {
		certificate, roots := r.signedFor(name, row.names, row.until)
		if !row.trusted {
			roots = r.file("none.pem", "")
		}
		var requests atomic.Int64
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			requests.Add(1)
			w.WriteHeader(http.StatusForbidden)
		}))
		server.TLS, server.Config.ErrorLog = &tls.Config{Certificates: []tls.Certificate{certificate}}, log.New(io.Discard, "", 0)
		server.EnableHTTP2 = true
		server.StartTLS()
		defer server.Close()
		via := r.serve(&proxy{places: map[string]string{host + ":443": server.Listener.Addr().String()}})
		for way, words := range map[string][]string{
			"basic":     {"--ews", "https://" + host + exchangetest.Path, "--user", "keeper", "--user-password-file", r.file("pw", "secret"), "--impersonate"},
			"ntlm":      {"--ews", "https://" + host + exchangetest.Path, "--user", "keeper", "--user-password-file", r.file("pw", "secret"), "--auth", "ntlm"},
			"authority": {"--graph", "https://" + host + "/v1.0", "--authority", "https://" + host + "/t", "--client-id", "app", "--client-secret-file", r.file("pw", "secret")},
			"bearer":    {"--graph", "https://" + host + "/v1.0", "--authority", r.serve(tokens{}) + "/t", "--client-id", "app", "--client-secret-file", r.file("pw", "secret")},
		} {
			requests.Store(0)
			c := exec.CommandContext(t.Context(), "mailbrick", append([]string{"backup", "--archive", r.archive, "--password-file", r.password, "-m", "ann@contoso.example"}, words...)...)
			c.Env = []string{"HTTPS_PROXY=" + via, "HTTP_PROXY=" + via, "SSL_CERT_FILE=" + roots, "SSL_CERT_DIR=" + filepath.Join(r.work, "none"), "HOME=" + r.work}
			out, _ := c.CombinedOutput() // the text tells
			text := string(out)
			if refused := requests.Load() == 0; refused != (row.said != "") || c.ProcessState.ExitCode() != 1 {
				t.Errorf("%s, %s: exit code %d after %d requests: %s", name, way, c.ProcessState.ExitCode(), requests.Load(), text)
			}
			if row.said != "" && (!strings.Contains(text, row.said) || !strings.Contains(text, "hint: ") || !strings.Contains(text, "certificate")) {
				t.Errorf("%s, %s: %s", name, way, text)
			}
		}
	}
}

// tokens is an authority that gives everybody a token.
type tokens struct{}

func (tokens) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	io.WriteString(w, `{"token_type":"Bearer","expires_in":3600,"access_token":"a-token"}`)
}

// signedFor makes a certificate, good until then, and the file of the roots that vouch for it.
func (r *trial) signedFor(file string, names []string, until time.Duration) (tls.Certificate, string) {
	r.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		r.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(until), DNSNames: names, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		r.t.Fatal(err)
	}
	roots := r.file(file+".pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}
