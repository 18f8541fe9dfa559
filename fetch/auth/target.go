package auth

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// target is the one server that credentials may go to.
type target struct{ scheme, host string }

func targetOf(rawURL string) (target, error) {
	u, err := url.Parse(strings.TrimSpace(rawURL))
	switch {
	case err != nil || u.User != nil: // its text may hold a password
		return target{}, errors.New("the URL to sign in at cannot be read, or holds a user")
	case u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return target{}, errors.New("the URL to sign in at is not one of http or https")
	case u.Scheme == "http" && !Loopback(u.Hostname()):
		return target{}, fmt.Errorf("%w to %s", ErrInsecure, u.Host)
	}
	return target{u.Scheme, hostPort(u)}, nil
}

// only refuses requests to anywhere else.
func (t target) only(u *url.URL) error {
	if u.Scheme != t.scheme || !strings.EqualFold(hostPort(u), t.host) {
		return fmt.Errorf("%w: %s://%s, and not %s://%s", ErrOtherHost, u.Scheme, u.Host, t.scheme, t.host)
	}
	return nil
}

func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// Loopback says whether a host is this machine itself.
func Loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// closeBody keeps the promise of a RoundTripper that fails before it sends.
func closeBody(r *http.Request) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
}

// withHeader is the request with an Authorization of ours; the caller's is not touched.
func withHeader(r *http.Request, authorization string) *http.Request {
	out := r.Clone(r.Context())
	out.Header.Set("Authorization", authorization)
	return out
}
