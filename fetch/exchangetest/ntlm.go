package exchangetest

import (
	"context"
	"encoding/base64"
	"net"
	"net/http"
	"strings"
)

// connection is what the server knows of a connection: NTLM proves who a
// connection is, not a request [MS-NTHT]. Only requests of HTTP/1 see it, and of
// these one comes after the other.
type connection struct {
	opening   []byte // the NEGOTIATE_MESSAGE of a handshake that has begun
	challenge []byte // the CHALLENGE_MESSAGE to it, nil outside of a handshake
	user      string // who has proved to be there, "" for nobody
	signedIn  bool   // and is taken for that now
}

type connectionKey struct{}

// HTTPServer is a server for all that this one answers, NTLM too: that needs the
// connections, which the Server by itself as an http.Handler does not see.
func (s *Server) HTTPServer() *http.Server {
	return &http.Server{Handler: s, ConnContext: func(ctx context.Context, _ net.Conn) context.Context {
		return context.WithValue(ctx, connectionKey{}, new(connection))
	}}
}

// connectionOf gives the connection of a request, nil where NTLM is not to be had.
func connectionOf(r *http.Request) *connection {
	c, _ := r.Context().Value(connectionKey{}).(*connection)
	if r.ProtoMajor != 1 {
		return nil
	}
	return c
}

// isNTLM says whether a scheme of Authorization carries messages of NTLM.
//
// todo: [RFC 4178] 4.2 NTLM wrapped by Negotiate; it is taken bare under that name
func isNTLM(scheme string) bool {
	return strings.EqualFold(scheme, "NTLM") || strings.EqualFold(scheme, "Negotiate")
}

// handshake takes a message of NTLM: the answer to the first is a challenge, to
// the second whether it proves a user. [MS-NLMP] 3.2.5
func (s *Server) handshake(c *connection, token string) (user string, challenge []byte, ok bool) {
	m, _ := base64.StdEncoding.DecodeString(token) // what is none is no message either
	opening, answered := c.opening, c.challenge
	c.opening, c.challenge, c.signedIn = nil, nil, false // a challenge is for one proof
	switch messageKind(m) {
	case ntlmNegotiate:
		s.count("", "ntlm.negotiate")
		if challenge = s.challengeTo(m); challenge != nil {
			c.opening, c.challenge = m, challenge
		}
		return "", challenge, false
	case ntlmAuthenticate:
		s.count("", "ntlm.authenticate")
		user, ok = s.proven(opening, answered, m)
	}
	if !ok || !c.is(user) {
		s.count("", "ntlm.refused")
		return "", nil, false
	}
	c.user, c.signedIn = user, true
	return user, nil, true
}

// is says whether the connection may be that user's: once it is somebody's, it is
// nobody else's.
func (c *connection) is(user string) bool { return c.user == "" || strings.EqualFold(c.user, user) }
