package graph

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"mailbrick/fetch/auth"
)

// TestSignIn: an authority that is down for a while is asked again; one that says no ends the application's work.
func TestSignIn(t *testing.T) {
	t.Parallel()
	token := reply{body: `{"token_type":"Bearer","expires_in":3600,"access_token":"` + secret + `"}`}
	down := reply{status: 503, header: map[string]string{"Retry-After": "40"}}
	for name, c := range map[string]struct {
		authority []reply
		asked     int
		class     Class // 0: it works
		slept     time.Duration
	}{
		"down for a while": {[]reply{down, {status: 502}, {cut: true}, token}, 4, 0, 40 * time.Second},
		"down for good":    {[]reply{down}, 5, Transient, 160 * time.Second},
		"refused":          {[]reply{{status: 401, body: `{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided."}`}}, 1, Auth, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, authority := newServer(t), newServer(t)
			authority.on("/t/oauth2/v2.0/token", c.authority...)
			client, clock := newTestClient(t, s, func(o *Options) {
				app, err := auth.NewApp(auth.AppOptions{Authority: authority.URL + "/t", ClientID: "app", Secret: "s"})
				if err != nil {
					t.Fatal(err)
				}
				via, err := auth.Bearer(s.URL, app, auth.ScopeGraph, http.DefaultTransport)
				if err != nil {
					t.Fatal(err)
				}
				o.HTTP = &http.Client{Transport: via}
			})
			_, err := client.MailboxID(t.Context())
			if len(authority.all()) != c.asked || clock.total() < c.slept {
				t.Errorf("the authority was asked %d times, want %d; %s slept", len(authority.all()), c.asked, clock.total())
			}
			if c.class == 0 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if e := asError(t, err); e.Class() != c.class || errors.Is(err, ErrCredentials) != (c.class == Auth) || len(s.requests) > 0 {
				t.Errorf("class %s: %v", e.Class(), err)
			}
		})
	}
}

func TestSignInAsksForNoLess(t *testing.T) {
	t.Parallel()
	if e := signInError(&operation{splits: true}, &auth.Error{}); tooMuch(e, e.Class()) {
		t.Error("smaller batches because the authority is down")
	}
}
