package exchangetest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Audiences of tokens: Exchange Online and Graph.
const (
	exchangeAudience = "https://outlook.office365.com"
	graphAudience    = "https://graph.microsoft.com"
)

// App is an application that may have tokens for itself, by a secret or by an assertion that a certificate's key has signed.
type App struct {
	ID          string
	Secret      string            // "": only by assertion
	Certificate *x509.Certificate // nil: only by secret
}

// AddApp registers an application. It may impersonate every mailbox and read and
// write all by Graph. From then on EWS offers Bearer.
func (s *Server) AddApp(a App) {
	s.oauth.mu.Lock()
	defer s.oauth.mu.Unlock()
	if s.oauth.apps == nil {
		s.oauth.apps, s.oauth.used = map[string]App{}, map[string]bool{}
	}
	s.oauth.apps[strings.ToLower(a.ID)] = a
}

// AuthorityPath is where the token endpoint of the server's tenant is: below it
// are /oauth2/v2.0/token and /v2.0/.well-known/openid-configuration. Any other
// tenant is refused.
func AuthorityPath() string { return "/" + Tenant() }

// oauth is the authority of the server's tenant.
type oauth struct {
	mu   sync.Mutex
	apps map[string]App
	used map[string]bool // jti of assertions
	key  *ecdsa.PrivateKey
}

// signer makes the key at the first need.
func (o *oauth) signer() *ecdsa.PrivateKey {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.key == nil {
		o.key, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader) // crypto/rand does not fail
	}
	return o.key
}

func (o *oauth) enabled() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.apps) > 0
}

// authority answers a request below an authority; false if the path is none of its.
func (s *Server) authority(w http.ResponseWriter, r *http.Request) bool {
	base := baseURL(r)
	tenantOf := func(suffix string) (string, bool) {
		rest, ok := strings.CutSuffix(r.URL.Path, suffix)
		return base + rest, ok && len(rest) > 1
	}
	if at, ok := tenantOf("/v2.0/.well-known/openid-configuration"); ok {
		writeJSON(w, http.StatusOK, map[string]any{"issuer": at + "/v2.0", "authorization_endpoint": at + "/oauth2/v2.0/authorize",
			"token_endpoint": at + "/oauth2/v2.0/token", "jwks_uri": at + "/discovery/v2.0/keys",
			"token_endpoint_auth_methods_supported": []string{"client_secret_post", "private_key_jwt"}})
		return true
	}
	if at, ok := tenantOf("/discovery/instance"); ok {
		endpoint := strings.TrimSuffix(r.URL.Query().Get("authorization_endpoint"), "/oauth2/v2.0/authorize")
		if endpoint == "" {
			endpoint = at
		}
		writeJSON(w, http.StatusOK, map[string]any{"tenant_discovery_endpoint": endpoint + "/v2.0/.well-known/openid-configuration", "api-version": "1.1",
			"metadata": []map[string]any{{"preferred_network": r.Host, "preferred_cache": r.Host, "aliases": []string{r.Host}}}})
		return true
	}
	if at, ok := tenantOf("/oauth2/v2.0/token"); ok {
		s.token(w, r, at)
		return true
	}
	return false
}

// token grants a token to an application, or says why not in the authority's form. RFC 6749 4.4, 5.2; RFC 7523
func (s *Server) token(w http.ResponseWriter, r *http.Request, at string) {
	refuse := func(status int, code, text string) {
		writeJSON(w, status, map[string]any{"error": code, "error_description": text, "trace_id": s.requestID(), "timestamp": s.now().UTC().Format(time.DateTime + "Z")})
	}
	s.count("", "token")
	for _, d := range s.faults.strike("token", "", func(Fault) bool { return false }) {
		if d.whole() && d.Action != ActionFault {
			writeWhole(w, d)
			return
		}
	}
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	if r.Method != http.MethodPost || r.ParseForm() != nil {
		refuse(http.StatusBadRequest, "invalid_request", "AADSTS900144: The request body must contain the following parameter: 'grant_type'.")
		return
	}
	audience, whole := strings.CutSuffix(resourceScope(r.PostForm.Get("scope")), "/.default")
	switch {
	case !strings.HasSuffix(at, AuthorityPath()):
		refuse(http.StatusBadRequest, "invalid_request", "AADSTS90002: Tenant not found.")
	case r.PostForm.Get("grant_type") != "client_credentials":
		refuse(http.StatusBadRequest, "unsupported_grant_type", "AADSTS70003: The app requested an unsupported grant type.")
	case !whole || audience == "" || strings.Contains(audience, " "):
		refuse(http.StatusBadRequest, "invalid_scope", "AADSTS1002012: The provided value for scope is not valid.")
	default:
		app, err := s.oauth.known(r, at, s.now())
		if err != nil {
			refuse(http.StatusUnauthorized, "invalid_client", err.Error()+".")
			return
		}
		writeJSON(w, http.StatusOK, map[string]any{"token_type": "Bearer", "expires_in": int(s.options.TokenLife.Seconds()),
			"ext_expires_in": int(s.options.TokenLife.Seconds()), "access_token": s.issue(app, strings.TrimSuffix(audience, "/"), at)})
	}
}

// resourceScope is the scope of a list that is of a resource. Libraries add those of OpenID, which say nothing of an application.
func resourceScope(list string) string {
	return strings.Join(slices.DeleteFunc(strings.Fields(list), func(s string) bool {
		return s == "openid" || s == "profile" || s == "offline_access"
	}), " ")
}

// known finds the application that the form proves.
func (o *oauth) known(r *http.Request, at string, now time.Time) (string, error) {
	id := strings.ToLower(r.PostForm.Get("client_id"))
	o.mu.Lock()
	defer o.mu.Unlock()
	app, ok := o.apps[id]
	secret, assertion := r.PostForm.Get("client_secret"), r.PostForm.Get("client_assertion")
	switch {
	case !ok:
		return "", errors.New("AADSTS700016: Application was not found in the directory")
	case assertion != "" && r.PostForm.Get("client_assertion_type") == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer":
		return id, o.checkAssertion(app, assertion, at+"/oauth2/v2.0/token", now)
	case secret == "":
		return "", errors.New("AADSTS7000216: 'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type")
	case app.Secret == "" || subtle.ConstantTimeCompare([]byte(app.Secret), []byte(secret)) != 1:
		return "", errors.New("AADSTS7000215: Invalid client secret provided")
	}
	return id, nil
}

// tokenClaims are those of assertions and of tokens.
type tokenClaims struct {
	Audience  string `json:"aud"`
	Issuer    string `json:"iss"`
	Subject   string `json:"sub"`
	ID        string `json:"jti,omitempty"`
	NotBefore int64  `json:"nbf"`
	Expires   int64  `json:"exp"`
	App       string `json:"appid,omitempty"`
	Tenant    string `json:"tid,omitempty"`
}

// checkAssertion verifies a client's JWT. The audience's scheme may be https: libraries insist on it. EWS 3
func (o *oauth) checkAssertion(app App, text, audience string, now time.Time) error {
	invalid := errors.New("AADSTS700027: Client assertion failed signature validation")
	if app.Certificate == nil {
		return invalid
	}
	key, isRSA := app.Certificate.PublicKey.(*rsa.PublicKey)
	head, c, signed, signature, err := splitJWT(text)
	if err != nil || !isRSA {
		return invalid
	}
	sum := sha256.Sum256([]byte(signed))
	switch head.Algorithm {
	case "RS256":
		err = rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature)
	case "PS256":
		err = rsa.VerifyPSS(key, crypto.SHA256, sum[:], signature, nil)
	default:
		return invalid
	}
	bare := func(u string) string { _, rest, _ := strings.Cut(u, "://"); return rest }
	switch {
	case err != nil || !head.names(app.Certificate):
		return invalid
	case bare(c.Audience) != bare(audience) || !strings.EqualFold(c.Issuer, app.ID) || c.Subject != c.Issuer:
		return errors.New("AADSTS700023: Client assertion audience or issuer claim is not valid")
	case now.Unix() >= c.Expires || now.Unix()+300 < c.NotBefore || c.Expires-now.Unix() > 24*3600:
		return errors.New("AADSTS700024: Client assertion is not within its valid time range")
	case c.ID == "" || o.used[c.ID]:
		return errors.New("AADSTS700025: Client assertion was used before")
	}
	o.used[c.ID] = true
	return nil
}

// jwtHead is the header of a JWT.
type jwtHead struct {
	Algorithm  string `json:"alg"`
	Type       string `json:"typ,omitempty"`
	Thumbprint string `json:"x5t,omitempty"`
	SHA256     string `json:"x5t#S256,omitempty"`
}

// names says whether the header names the certificate. The thumbprint may be in either alphabet of base64: Microsoft's own
// library for Go writes the one that RFC 7515 does not, and has its tokens.
func (h jwtHead) names(c *x509.Certificate) bool {
	sum, old := sha256.Sum256(c.Raw), sha1.Sum(c.Raw) // x5t is SHA-1 by its definition
	given := func(text string, want []byte) bool {
		b, err := base64.RawStdEncoding.DecodeString(strings.NewReplacer("-", "+", "_", "/", "=", "").Replace(text))
		return err == nil && slices.Equal(b, want)
	}
	return given(h.SHA256, sum[:]) || given(h.Thumbprint, old[:])
}

func splitJWT(text string) (head jwtHead, c tokenClaims, signed string, signature []byte, err error) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 || len(text) > 16<<10 {
		return head, c, "", nil, errors.New("not a token")
	}
	for i, into := range []any{&head, &c} {
		b, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil || json.Unmarshal(b, into) != nil {
			return head, c, "", nil, errors.New("not a token")
		}
	}
	signature, err = base64.RawURLEncoding.DecodeString(parts[2])
	return head, c, parts[0] + "." + parts[1], signature, err
}

// issue makes a token.
func (s *Server) issue(app, audience, at string) string {
	now := s.now()
	part := func(v any) string {
		b, _ := json.Marshal(v)
		return base64.RawURLEncoding.EncodeToString(b)
	}
	signed := part(jwtHead{Algorithm: "ES256", Type: "JWT"}) + "." + part(tokenClaims{Audience: audience, Issuer: at + "/v2.0", Subject: app, App: app,
		Tenant: Tenant(), NotBefore: now.Unix(), Expires: now.Add(s.options.TokenLife).Unix(), ID: s.requestID()})
	sum := sha256.Sum256([]byte(signed))
	r, t, _ := ecdsa.Sign(rand.Reader, s.oauth.signer(), sum[:])
	return signed + "." + base64.RawURLEncoding.EncodeToString(append(r.FillBytes(make([]byte, 32)), t.FillBytes(make([]byte, 32))...))
}

// appOf is whose token it is: one of this server, for that audience or the server itself, and not expired.
func (s *Server) appOf(token, audience, own string) (app string, err error) {
	head, c, signed, signature, err := splitJWT(token)
	if err != nil || head.Algorithm != "ES256" || len(signature) != 64 {
		return "", errors.New("invalid_token")
	}
	sum := sha256.Sum256([]byte(signed))
	r, t := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
	switch now := s.now().Unix(); {
	case !ecdsa.Verify(&s.oauth.signer().PublicKey, sum[:], r, t):
		return "", errors.New("invalid_token")
	case now >= c.Expires || now < c.NotBefore:
		return "", errors.New("token_expired")
	case c.Audience != audience && c.Audience != own:
		return "", errors.New("invalid_audience")
	}
	return c.App, nil
}

func (s *Server) now() time.Time { return s.options.Clock() }

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v) // a client that is gone needs no answer
}

// challenge says how to sign in to EWS: by NTLM where the connection is known, by Basic, and as soon as there are
// applications by a token. EWS 19.1
func (s *Server) challenge(w http.ResponseWriter, r *http.Request, why string) {
	h := w.Header()
	if connectionOf(r) != nil {
		h["Www-Authenticate"] = []string{"Negotiate", "NTLM"}
	}
	h.Add("WWW-Authenticate", `Basic realm="exchangetest"`)
	if !s.oauth.enabled() {
		return
	}
	text := fmt.Sprintf(`Bearer client_id="00000002-0000-0ff1-ce00-000000000000", trusted_issuers="00000001-0000-0000-c000-000000000000@*", `+
		`token_types="app_asserted_user_v1 service_asserted_app_v1", authorization_uri="%s/common/oauth2/authorize"`, baseURL(r))
	if why != "" {
		text += `, error="invalid_token"`
		h.Set("x-ms-diagnostics", `2000000;reason="The token is not accepted.";error_category="`+why+`"`)
	}
	h.Add("WWW-Authenticate", text)
}
