package exchangetest_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mailbrick/fetch/exchangetest"
)

// grant asks for a token and gives the status and the answer.
func (c *client) grant(tenant string, form url.Values) (int, doc) {
	c.t.Helper()
	resp, err := http.PostForm(strings.TrimSuffix(c.url, exchangetest.Path)+"/"+tenant+"/oauth2/v2.0/token", form)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	var d doc
	if err := json.NewDecoder(resp.Body).Decode(&d); err != nil {
		c.t.Fatal(err)
	}
	return resp.StatusCode, d
}

// bearer sends GetFolder with a token.
func (c *client) bearer(token string) (int, []string) {
	c.t.Helper()
	r, _ := http.NewRequest("POST", c.url, strings.NewReader(c.envelope(getInbox)))
	r.Header.Set("Content-Type", "text/xml")
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode, resp.Header.Values("WWW-Authenticate")
}

func secretForm(id, secret, resource string) url.Values {
	return url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {secret}, "scope": {resource + "/.default"}}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	var late atomic.Int64 // a time.Duration
	c := newClient(t, exchangetest.Options{Clock: func() time.Time { return time.Now().Add(time.Duration(late.Load())) }})
	c.server.AddApp(exchangetest.App{ID: "App-1", Secret: "hush"})
	const ews = "https://outlook.office365.com"
	for _, test := range []struct {
		name, tenant string
		form         url.Values
		status       int
		code         string
	}{
		{"good", exchangetest.Tenant(), secretForm("app-1", "hush", ews), 200, ""},
		{"scopes of OpenID", exchangetest.Tenant(), secretForm("app-1", "hush", "openid profile offline_access "+ews), 200, ""},
		{"two resources", exchangetest.Tenant(), secretForm("app-1", "hush", "https://graph.microsoft.com/.default "+ews), 400, "invalid_scope"},
		{"wrong secret", exchangetest.Tenant(), secretForm("app-1", "loud", ews), 401, "invalid_client"},
		{"no secret", exchangetest.Tenant(), secretForm("app-1", "", ews), 401, "invalid_client"},
		{"unknown app", exchangetest.Tenant(), secretForm("app-2", "hush", ews), 401, "invalid_client"},
		{"unknown tenant", "common", secretForm("app-1", "hush", ews), 400, "invalid_request"},
		{"no scope", exchangetest.Tenant(), secretForm("app-1", "hush", ""), 400, "invalid_scope"},
	} {
		status, d := c.grant(test.tenant, test.form)
		code, _ := d["error"].(string)
		equal(t, test.name, []any{status, code}, []any{test.status, test.code})
	}
	_, d := c.grant(exchangetest.Tenant(), secretForm("app-1", "hush", ews))
	token := d["access_token"].(string)
	status, _ := c.bearer(token)
	equal(t, "with a token", status, 200)
	mailbox := c.mailbox
	c.mailbox = ""
	status, _ = c.bearer(token)
	equal(t, "a token has no mailbox of its own", status, 500)
	c.mailbox = mailbox
	status, ways := c.bearer(token[:len(token)-8] + "AAAAAAAA")
	equal(t, "forged", []any{status, len(ways), strings.Contains(ways[1], `client_id="00000002-0000-0ff1-ce00-000000000000"`)}, []any{401, 2, true})
	_, d = c.grant(exchangetest.Tenant(), secretForm("app-1", "hush", "https://graph.microsoft.com"))
	status, _ = c.bearer(d["access_token"].(string))
	equal(t, "for another service", status, 401)
	late.Store(int64(time.Hour))
	status, _ = c.bearer(token)
	equal(t, "expired", status, 401)
}

func TestAssertion(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	raw, _ := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	certificate, _ := x509.ParseCertificate(raw)
	c := newClient(t, exchangetest.Options{})
	c.server.AddApp(exchangetest.App{ID: "app-1", Certificate: certificate})
	thumbprint := sha256.Sum256(raw)
	audience := "https" + strings.TrimPrefix(strings.TrimSuffix(c.url, exchangetest.Path), "http") + exchangetest.AuthorityPath() + "/oauth2/v2.0/token"
	assert := func(alphabet *base64.Encoding, audience, id string, expires time.Duration) url.Values {
		part := func(v any) string {
			b, _ := json.Marshal(v)
			return base64.RawURLEncoding.EncodeToString(b)
		}
		signed := part(doc{"alg": "PS256", "x5t#S256": alphabet.EncodeToString(thumbprint[:])}) + "." +
			part(doc{"aud": audience, "iss": "app-1", "sub": "app-1", "jti": id, "nbf": time.Now().Unix(), "exp": time.Now().Add(expires).Unix()})
		sum := sha256.Sum256([]byte(signed))
		signature, _ := rsa.SignPSS(rand.Reader, key, crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		f := secretForm("app-1", "", "https://outlook.office365.com")
		f.Del("client_secret")
		f.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		f.Set("client_assertion", signed+"."+base64.RawURLEncoding.EncodeToString(signature))
		return f
	}
	good := assert(base64.RawURLEncoding, audience, "1", time.Minute)
	damaged := assert(base64.RawURLEncoding, audience, "2", time.Minute)
	damaged.Set("client_assertion", damaged.Get("client_assertion")[:len(damaged.Get("client_assertion"))-4]+"AAAA")
	for i, form := range []url.Values{good, assert(base64.StdEncoding, audience, "5", time.Minute), good, damaged,
		assert(base64.RawURLEncoding, "https://elsewhere.example", "3", time.Minute), assert(base64.RawURLEncoding, audience, "4", -time.Minute)} {
		status, d := c.grant(exchangetest.Tenant(), form)
		want := 401
		if i < 2 {
			want = 200
		}
		if status != want {
			t.Error(i, status, fmt.Sprint(d))
		}
	}
}
