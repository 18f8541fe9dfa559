package auth

import (
	"net/http"

	"mailbrick/fetch/wire"
)

// What tokens are asked for.
const (
	ScopeEWS   = "https://outlook.office365.com/.default"
	ScopeGraph = "https://graph.microsoft.com/.default"
)

type bearer struct {
	target target
	app    *App
	scope  string
	via    http.RoundTripper
}

// Bearer signs every request in with a token for the scope.
func Bearer(targetURL string, app *App, scope string, via http.RoundTripper) (http.RoundTripper, error) {
	t, err := targetOf(targetURL)
	if err != nil {
		return nil, err
	}
	return &bearer{t, app, scope, via}, nil
}

func (b *bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := b.target.only(r.URL); err != nil {
		closeBody(r)
		return nil, err
	}
	t := b.app.scope(b.scope)
	token, err := t.get(r.Context())
	if err != nil {
		closeBody(r)
		return nil, err
	}
	resp, err := b.via.RoundTrip(withHeader(r, "Bearer "+token))
	if err == nil {
		t.outcome(token, resp.StatusCode)
	}
	return resp, err
}

// CloseIdleConnections lets go of connections that are not in use.
func (b *bearer) CloseIdleConnections() { wire.CloseIdle(b.via) }
