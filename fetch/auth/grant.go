package auth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"

	"mailbrick/fetch/wire"
)

const (
	maxTokenAnswer = 1 << 20
	grantPatience  = time.Minute
)

// grant asks the authority for a token. Each time the library is made anew, because it would give the token it has.
func (a *App) grant(ctx context.Context, scope string) (bearer string, lifetime time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, grantPatience)
	defer cancel()
	client, err := confidential.New(a.authority.String(), a.clientID, a.cred, confidential.WithHTTPClient((*authority)(a)),
		confidential.WithInstanceDiscovery(false), confidential.WithX5C(), confidential.WithAzureRegion("DisableMsalForceRegion"))
	if err != nil {
		return "", 0, a.failure(ctx, err)
	}
	result, err := client.AcquireTokenByCredential(ctx, []string{scope})
	if err != nil {
		return "", 0, a.failure(ctx, err)
	}
	lifetime = time.Until(result.ExpiresOn) // by the clock that the library read
	switch {
	case result.AccessToken == "":
		return "", 0, a.noToken("it gives no token")
	case lifetime <= 0: // the next one may be good
		return "", 0, &Error{Server: a.target.host, Text: "the token it gives is over before it begins"}
	}
	if strings.ContainsFunc(result.AccessToken, func(r rune) bool { return r <= ' ' || r >= 0x7F }) { // RFC 6750, 2.1
		return "", 0, a.noToken("the token it gives is none that can be sent")
	}
	return result.AccessToken, lifetime, nil
}

// failure leaves of an error what may be told: what the library says holds requests.
func (a *App) failure(ctx context.Context, err error) error {
	var own *Error
	switch {
	case ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	case errors.As(err, &own):
		return own
	case errors.Is(err, context.DeadlineExceeded):
		return &Error{Server: a.target.host, Text: "no answer"}
	}
	return a.noToken(a.plain(err.Error()))
}

// cut is an authority that is not reached, or its answer.
func (a *App) cut(err error) error {
	return &Error{Server: a.target.host, cause: wire.PlainError(err, a.plain), hint: wire.TLSHint(err)}
}

// noToken is an answer without one from whatever is there.
func (a *App) noToken(text string) error {
	return &Error{Server: a.target.host, Text: text, cause: ErrRefused, hint: hintOf("", http.StatusNotFound)}
}

// authority is what the library takes for the network. It knows two addresses: the description of the authority, which
// it makes itself, so that nobody can name another place for the secret to go to; and that of tokens, which it reaches by
// http where the target is this machine, though the library wants https.
type authority App

// Do sends a request of the library.
func (h *authority) Do(r *http.Request) (*http.Response, error) {
	a := (*App)(h)
	base := a.authority.String()
	switch here := "https://" + r.URL.Host + r.URL.Path; {
	case here == base+"/v2.0/.well-known/openid-configuration":
		closeBody(r)
		return described(r, base)
	case here != base+tokenPath:
		closeBody(r)
		return nil, fmt.Errorf("%w: %s", ErrOtherHost, r.URL.Host)
	}
	out := r.Clone(r.Context())
	out.URL.Scheme = a.target.scheme
	out.Header.Set("Accept-Encoding", "identity") // it is short, and nothing is to unpack to more than came
	resp, err := a.via.RoundTrip(out)
	if err != nil {
		return nil, a.cut(err)
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		return nil, a.refused(resp)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(wire.Limit(resp.Body, maxTokenAnswer))
	var given struct {
		Type json.RawMessage `json:"token_type"`
	}
	switch {
	case errors.Is(err, wire.ErrTooLong) || err == nil && !json.Valid(body):
		return nil, a.noToken("what answers there gives no tokens")
	case err != nil:
		return nil, a.cut(err)
	}
	if _ = json.Unmarshal(body, &given); given.Type != nil && !strings.EqualFold(string(given.Type), `"Bearer"`) { // RFC 6749, 7.1
		return nil, a.noToken("the token it gives is of a kind that is not known")
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// CloseIdleConnections lets go of connections that are not in use.
func (h *authority) CloseIdleConnections() { wire.CloseIdle(h.via) }

const tokenPath = "/oauth2/v2.0/token"

// described is the OpenID description of an authority.
func described(r *http.Request, base string) (*http.Response, error) {
	body, err := json.Marshal(map[string]string{
		"authorization_endpoint": base + "/oauth2/v2.0/authorize", "token_endpoint": base + tokenPath, "issuer": base + "/v2.0"})
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
		Body: io.NopCloser(strings.NewReader(string(body)))}, err
}

// refused reads what an authority says instead of a token. RFC 6749, 5.2.
func (a *App) refused(resp *http.Response) error {
	e := &Error{Server: a.target.host, Status: resp.StatusCode, RetryAfter: wire.RetryAfter(resp.Header, a.now(), 24*time.Hour)}
	var said struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10)) // of a page that is cut the status is left
	if json.Unmarshal(body, &said) == nil {
		e.Code, e.Text = a.plain(said.Error), a.plain(said.Description)
	}
	if code, text, ok := strings.Cut(e.Text, ": "); ok && strings.HasPrefix(code, "AADSTS") {
		e.Code, e.Text = code, text
	}
	passing := resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusRequestTimeout ||
		said.Error == "temporarily_unavailable"
	if !passing {
		e.cause, e.hint = ErrRefused, hintOf(e.Code, resp.StatusCode)
	}
	return e
}

func hintOf(code string, status int) string {
	switch code {
	case "AADSTS7000215":
		return "the client secret is wrong: it must be the secret's value, not its id"
	case "AADSTS7000222":
		return "the client secret has expired: make a new one for the application"
	case "AADSTS700016":
		return "the tenant does not know the application: check --client-id and --tenant, and that an administrator has consented"
	case "AADSTS90002":
		return "there is no such tenant: check --tenant"
	case "AADSTS700027", "AADSTS700024":
		return "the certificate is not the one the application has, or this machine's clock is wrong"
	}
	if status >= 300 && status < 400 || status == http.StatusNotFound {
		return "check --authority: https://login.microsoftonline.com/TENANT"
	}
	return "check --tenant, --client-id and the secret or certificate of the application"
}

// plain is the first sentence of what somebody says, without the secret.
func (a *App) plain(text string) string {
	if a.secret != "" {
		text = strings.ReplaceAll(text, a.secret, "(secret)")
	}
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	if s, _, more := strings.Cut(line, ". "); more {
		line = s + "."
	}
	line = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(line, ""), func(r rune) bool { return r <= ' ' || r == 0x7F }), " ")
	if len(line) > 300 {
		line = strings.ToValidUTF8(line[:300], "") + "..."
	}
	return line
}
