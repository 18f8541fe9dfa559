package exchangetest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// claims are what the token of an import session says.
type claims struct {
	Expires int64  `json:"exp"` // seconds since 1970
	Mailbox string `json:"mailbox"`
	Beta    bool   `json:"beta"`
}

// sign makes the token: a JWT. RFC 7519, RFC 7515 A.1
func (s *Server) sign(c claims) string {
	payload, _ := json.Marshal(c) // numbers and texts: cannot fail
	text := encodePart([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + encodePart(payload)
	return text + "." + encodePart(s.signature(text))
}

func encodePart(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (s *Server) signature(text string) []byte {
	h := hmac.New(sha256.New, s.graph.key[:])
	h.Write([]byte(text))
	return h.Sum(nil)
}

// verify takes the claims of a token that this server signed.
func (s *Server) verify(token string) (c claims, ok bool) {
	last := strings.LastIndexByte(token, '.')
	if last < 0 {
		return c, false
	}
	given, err := base64.RawURLEncoding.Strict().DecodeString(token[last+1:])
	if err != nil || !hmac.Equal(given, s.signature(token[:last])) {
		return c, false
	}
	_, payload, _ := strings.Cut(token[:last], ".")
	raw, err := base64.RawURLEncoding.DecodeString(payload)
	return c, err == nil && json.Unmarshal(raw, &c) == nil
}

// createImportSession gives the address to import at, which is a credential.
func (c *graphCall) createImportSession() *failure {
	if c.r.ContentLength != 0 {
		if _, f := c.readJSON(); f != nil {
			return f
		}
	}
	expires := c.now().Add(c.server.options.ImportLifetime).UTC()
	token := c.server.sign(claims{expires.Unix(), c.box.id, c.beta})
	return c.answer(http.StatusOK, object{
		{"@odata.context", c.context("microsoft.graph.mailboxItemImportSession")},
		{"importUrl", c.importRoot() + "/Mailboxes('" + c.box.id + "')/importItem?authtoken=" + token},
		{"expirationDateTime", expires.Format("2006-01-02T15:04:05.0000000Z")},
	})
}

func (c *graphCall) importRoot() string {
	if c.beta {
		return c.host() + importBeta
	}
	return c.host() + importPath
}

// importer lets in who shows the token of a session and nothing else.
func importer(c *graphCall) *failure {
	if len(c.r.Header.Values("Authorization")) > 0 {
		return fail("ImportAuthorization").say("An import takes no Authorization header.")
	}
	q, err := url.ParseQuery(c.r.URL.RawQuery)
	claims, ok := c.server.verify(q.Get("authtoken"))
	switch {
	case err != nil || !ok || claims.Mailbox != c.vars["mailbox"] || claims.Beta != c.beta:
		return fail("ImportDenied").say("The import session is not valid.")
	case c.now().Unix() >= claims.Expires:
		return fail("ImportExpired").say("The import session has expired.")
	}
	return nil
}

// importStatus is the status of an error that the host of imports answers in its own form.
func importStatus(code string) (int, bool) {
	switch code {
	case "ImportAuthorization":
		return http.StatusBadRequest, true
	case "ImportDenied":
		return http.StatusForbidden, true
	case "ImportExpired":
		return http.StatusUnauthorized, true
	case "ImportElsewhere":
		return http.StatusConflict, true
	}
	return 0, false
}
