package auth

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/Azure/go-ntlmssp"
)

// lane is a connection: a transport that has one at most. It makes a new one in the first leg of a handshake only, so
// that a request never goes over a connection that the server does not know.
type lane struct {
	of        *ntlm
	transport *http.Transport
	mayDial   atomic.Bool
	known     bool // the server knows who the connection is
}

// errLost is what a request meets whose connection is gone, before anything of it is sent.
var errLost = errors.New("the connection that was signed in is gone")

func newLane(n *ntlm) *lane {
	l := &lane{of: n, transport: n.base.Clone()}
	t := l.transport
	t.MaxConnsPerHost, t.MaxIdleConnsPerHost = 1, 1
	// A connection of HTTP/2 has many requests, and no identity by NTLM.
	t.ForceAttemptHTTP2, t.Protocols = false, new(http.Protocols)
	t.Protocols.SetHTTP1(true)
	t.TLSNextProto = nil
	if t.TLSClientConfig != nil {
		t.TLSClientConfig.NextProtos = nil
	}
	t.DialContext = l.guarded(t.DialContext)
	if t.DialContext == nil {
		t.DialContext = l.guarded(new(net.Dialer).DialContext)
	}
	t.DialTLSContext = l.guarded(t.DialTLSContext)
	return l
}

type dialer = func(ctx context.Context, network, address string) (net.Conn, error)

func (l *lane) guarded(dial dialer) dialer {
	if dial == nil {
		return nil
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if !l.mayDial.Load() {
			return nil, errLost
		}
		return dial(ctx, network, address)
	}
}

func (l *lane) roundTrip(r *http.Request) (*http.Response, error) {
	if l.known {
		resp, err := l.transport.RoundTrip(r)
		if !errors.Is(err, errLost) {
			return l.settle(resp, err)
		}
		if r, err = opened(r); err != nil { // the transport has closed the body, unread
			return nil, err
		}
	}
	l.known = false
	authorization, answer, err := l.negotiate(r)
	if err != nil || answer != nil {
		closeBody(r)
		return answer, err
	}
	if authorization != "" {
		r = withHeader(r, authorization)
	}
	return l.settle(l.transport.RoundTrip(r))
}

// opened is a request with its body from the beginning.
func opened(r *http.Request) (*http.Request, error) {
	out := r.Clone(r.Context())
	if r.GetBody == nil {
		return out, nil
	}
	var err error
	out.Body, err = r.GetBody()
	return out, err
}

func (l *lane) settle(resp *http.Response, err error) (*http.Response, error) {
	l.known = err == nil && resp.StatusCode != http.StatusUnauthorized
	if errors.Is(err, errLost) {
		err = &Error{Server: l.of.target.host, Text: "the server closes the connection in the handshake of NTLM"}
	}
	return resp, err
}

// schemes are what servers call it; the second wraps other ways too, and takes bare NTLM as well.
var schemes = [...]string{"NTLM", "Negotiate"}

// negotiate makes the first leg, on a new connection and without a body, and gives what the request is to carry: "" where
// the server lets everybody in. It gives the server's answer where that is one to any request.
func (l *lane) negotiate(r *http.Request) (authorization string, answer *http.Response, err error) {
	var offered []string
	for _, scheme := range schemes {
		resp, err := l.first(r, scheme)
		if err != nil {
			return "", nil, err
		}
		switch resp.StatusCode {
		case http.StatusTooManyRequests, http.StatusServiceUnavailable: // nothing more is to be sent now
			return "", resp, nil
		case http.StatusUnauthorized:
		default:
			if !drain(resp) {
				return "", nil, &Error{Server: l.of.target.host, Text: "an answer that is too long for the handshake of NTLM"}
			}
			return "", nil, nil
		}
		drain(resp)
		challenge, others := challengeOf(resp.Header, scheme)
		if challenge != nil {
			message, err := l.of.answer(challenge, resp.TLS)
			if err != nil {
				return "", nil, &Error{Server: l.of.target.host, Text: "NTLM: " + err.Error()}
			}
			return scheme + " " + base64.StdEncoding.EncodeToString(message), nil, nil
		}
		if offered = others; !slices.Contains(offered, "Negotiate") {
			break
		}
	}
	e := &Error{Server: l.of.target.host, Status: http.StatusUnauthorized, Text: "the server does not offer NTLM", cause: ErrRefused}
	if slices.Contains(offered, schemes[0]) {
		e.Text = "the server offers NTLM and does not go on with it"
	} else if len(offered) > 0 {
		e.Text += ", but " + strings.Join(offered, ", ")
		e.hint = "sign in another way: --auth says how"
	}
	return "", nil, e
}

// first sends a request like r, without its body.
func (l *lane) first(r *http.Request, scheme string) (*http.Response, error) {
	message, err := ntlmssp.NewNegotiateMessage("", "")
	if err != nil {
		return nil, err
	}
	out := withHeader(r, scheme+" "+base64.StdEncoding.EncodeToString(message))
	out.Body, out.GetBody, out.ContentLength, out.TransferEncoding = http.NoBody, nil, 0, nil
	l.transport.CloseIdleConnections()
	l.mayDial.Store(true)
	defer l.mayDial.Store(false)
	return l.transport.RoundTrip(out)
}

// drain reads a short answer to its end, so that the connection stays, and says whether there was an end.
func drain(resp *http.Response) bool {
	_, err := io.CopyN(io.Discard, resp.Body, 1<<20) // one that is longer, or cut, costs the connection
	_ = resp.Body.Close()
	return err == io.EOF
}

const maxChallenge = 16 << 10

// challengeOf gives the message of a scheme in the headers of a 401, nil if there is none, and the names of what is offered.
func challengeOf(h http.Header, scheme string) (challenge []byte, offered []string) {
	for _, v := range h.Values("WWW-Authenticate") {
		name, data, _ := strings.Cut(strings.TrimSpace(v), " ")
		if len(name) > 20 || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7F }) {
			continue
		}
		if !slices.Contains(offered, name) && len(offered) < 8 {
			offered = append(offered, name)
		}
		if strings.EqualFold(name, scheme) && len(data) <= maxChallenge {
			if b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(data)); err == nil && len(b) > 0 {
				challenge = b
			}
		}
	}
	return challenge, offered
}
