package ews

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"mailbrick/fetch/auth"
)

// TestSignIn: an authority that is down for a while is asked again; one that says no ends the account's work.
func TestSignIn(t *testing.T) {
	t.Parallel()
	token := reply{body: `{"token_type":"Bearer","expires_in":3600,"access_token":"abc"}`}
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
			s, authority := newServer(t, inbox), newServer(t, c.authority...)
			client, clock := newTestClient(t, s, func(o *Options) {
				app, err := auth.NewApp(auth.AppOptions{Authority: authority.URL + "/t", ClientID: "app", Secret: "s"})
				if err != nil {
					t.Fatal(err)
				}
				via, err := auth.Bearer(s.URL, app, auth.ScopeEWS, http.DefaultTransport)
				if err != nil {
					t.Fatal(err)
				}
				o.User, o.Password, o.HTTP = "", "", &http.Client{Transport: via}
			})
			err := getInbox(client)
			if n := len(authority.asked()); n != c.asked || clock.total() < c.slept {
				t.Errorf("the authority was asked %d times, want %d; %s slept", n, c.asked, clock.total())
			}
			if c.class == 0 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var e *Error
			if !errors.As(err, &e) || e.Class() != c.class || errors.Is(err, ErrCredentials) != (c.class == Auth) || len(s.asked()) > 0 {
				t.Error(err)
			}
		})
	}
}
