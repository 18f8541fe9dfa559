package auth

import (
	"encoding/base64"
	"net/http"

	"mailbrick/fetch/wire"
)

type basic struct {
	target target
	header string
	via    http.RoundTripper
}

// Basic signs every request in with a user and a password.
func Basic(targetURL, user, password string, via http.RoundTripper) (http.RoundTripper, error) {
	t, err := targetOf(targetURL)
	if err != nil {
		return nil, err
	}
	return &basic{t, "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password)), via}, nil
}

func (b *basic) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := b.target.only(r.URL); err != nil {
		closeBody(r)
		return nil, err
	}
	return b.via.RoundTrip(withHeader(r, b.header))
}

// CloseIdleConnections lets go of connections that are not in use.
func (b *basic) CloseIdleConnections() { wire.CloseIdle(b.via) }
