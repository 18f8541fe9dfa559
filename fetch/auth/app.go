package auth

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"

	"mailbrick/fetch/wire"
)

// AppOptions say which application signs in, and where.
type AppOptions struct {
	Authority   string            // https://login.microsoftonline.com/TENANT
	ClientID    string            // the application's
	Secret      string            // either this
	Certificate []byte            // or a certificate and its RSA key, in PEM
	HTTP        http.RoundTripper // carries the requests to the authority; a transport of its own if nil
	Clock       func() time.Time
}

// App is an application that signs in by itself. It may be used by many goroutines, and by everything in a run that
// signs in as it: they share its tokens.
type App struct {
	target    target
	authority *url.URL // with https, whatever the target's scheme
	clientID  string
	secret    string
	cred      confidential.Credential
	via       http.RoundTripper
	now       func() time.Time

	mu     sync.Mutex // guards tokens
	tokens map[string]*token
}

// NewApp checks the options; it sends nothing.
func NewApp(o AppOptions) (*App, error) {
	t, err := targetOf(o.Authority)
	if err != nil {
		return nil, fmt.Errorf("authority: %w", err)
	}
	u, _ := url.Parse(strings.TrimSpace(o.Authority)) // targetOf has read it
	if strings.Trim(u.Path, "/") == "" {
		return nil, errors.New("authority: the tenant is missing: https://login.microsoftonline.com/TENANT")
	}
	if o.ClientID == "" {
		return nil, errors.New("the client id is missing")
	}
	cred, err := credential(o)
	if err != nil {
		return nil, err
	}
	a := &App{target: t, clientID: o.ClientID, secret: o.Secret, cred: cred, via: o.HTTP, now: o.Clock, tokens: map[string]*token{}}
	a.authority = &url.URL{Scheme: "https", Host: u.Host, Path: "/" + strings.Trim(u.Path, "/")}
	if a.via == nil {
		a.via = wire.Network()
	}
	if a.now == nil {
		a.now = time.Now
	}
	return a, nil
}

func credential(o AppOptions) (confidential.Credential, error) {
	switch {
	case (o.Secret == "") == (len(o.Certificate) == 0):
		return confidential.Credential{}, errors.New("the application needs a secret or a certificate, one of them")
	case o.Secret != "":
		return confidential.NewCredFromSecret(o.Secret)
	}
	certs, key, err := confidential.CertFromPEM(o.Certificate, "")
	if err != nil {
		return confidential.Credential{}, fmt.Errorf("certificate: not a PEM file with a certificate and its private key: %w", err)
	}
	if _, ok := key.(*rsa.PrivateKey); !ok {
		return confidential.Credential{}, errors.New("certificate: its key is not an RSA key")
	}
	cred, err := confidential.NewCredFromCert(certs, key)
	if err != nil {
		return confidential.Credential{}, fmt.Errorf("certificate: %w", err)
	}
	return cred, nil
}

// scope is the place of the token for a scope.
func (a *App) scope(name string) *token {
	a.mu.Lock()
	defer a.mu.Unlock()
	t := a.tokens[name]
	if t == nil {
		t = &token{app: a, scope: name}
		a.tokens[name] = t
	}
	return t
}
