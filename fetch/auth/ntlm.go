package auth

import (
	"errors"
	"io"
	"net/http"
	"sync"
)

// ntlm signs requests in by NTLM. Each in flight has a lane for itself.
type ntlm struct {
	target         target
	user, password string
	base           *http.Transport

	mu   sync.Mutex // guards idle
	idle []*lane    // the last is the one that was used last
}

const maxIdleLanes = 16

// NTLM signs requests in by NTLM. The connections are its own, made as via would make them; a request with a body must
// have GetBody.
func NTLM(targetURL, user, password string, via *http.Transport) (http.RoundTripper, error) {
	t, err := targetOf(targetURL)
	if err != nil {
		return nil, err
	}
	if user == "" || password == "" {
		return nil, errors.New("NTLM needs a user and a password")
	}
	return &ntlm{target: t, user: user, password: password, base: via}, nil
}

func (n *ntlm) RoundTrip(r *http.Request) (*http.Response, error) {
	err := n.target.only(r.URL)
	if err == nil && r.Body != nil && r.Body != http.NoBody && r.GetBody == nil {
		err = errors.New("sign in by NTLM: a body that cannot be opened again")
	}
	if err != nil {
		closeBody(r)
		return nil, err
	}
	l := n.take()
	resp, err := l.roundTrip(r)
	if err != nil {
		n.give(l)
		return nil, err
	}
	resp.Body = &laneBody{ReadCloser: resp.Body, done: sync.OnceFunc(func() { n.give(l) })}
	return resp, nil
}

func (n *ntlm) take() *lane {
	n.mu.Lock()
	defer n.mu.Unlock()
	if last := len(n.idle) - 1; last >= 0 {
		l := n.idle[last]
		n.idle = n.idle[:last]
		return l
	}
	return newLane(n)
}

func (n *ntlm) give(l *lane) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if l.known && len(n.idle) < maxIdleLanes {
		n.idle = append(n.idle, l)
		return
	}
	l.transport.CloseIdleConnections()
}

// CloseIdleConnections lets go of connections that are not in use.
func (n *ntlm) CloseIdleConnections() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range n.idle {
		l.transport.CloseIdleConnections()
	}
	n.idle = nil
}

// laneBody is the body of an answer; the lane is free when it is closed.
type laneBody struct {
	io.ReadCloser
	done func()
}

func (b *laneBody) Close() error {
	err := b.ReadCloser.Close()
	b.done()
	return err
}
