package exchangetest

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
)

// Pipe is a network in memory: a net.Listener, with DialContext for the client's
// side. Nothing in it waits for the system, so that a server and its clients may
// run inside a testing/synctest bubble, where hours of back-off take no time:
//
//	p := exchangetest.NewPipe()
//	h := server.HTTPServer()
//	go h.Serve(p)
//	client := &http.Client{Transport: &http.Transport{DialContext: p.DialContext}}
//	...
//	client.CloseIdleConnections()
//	h.Close()
type Pipe struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
	n     atomic.Int64
}

// NewPipe makes one; in a bubble, inside of it.
func NewPipe() *Pipe { return &Pipe{conns: make(chan net.Conn), done: make(chan struct{})} }

// Accept gives the next connection.
func (p *Pipe) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

// Close ends Accept; connections stay.
func (p *Pipe) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

// Addr is a loopback address that nobody listens on.
func (p *Pipe) Addr() net.Addr { return pipeAddr("127.0.0.1:0") }

// DialContext connects, whatever the address.
func (p *Pipe) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	client, server := net.Pipe()
	named := &pipeConn{server, pipeAddr(fmt.Sprintf("127.0.0.1:%d", p.n.Add(1)))}
	select {
	case p.conns <- named:
		return client, nil
	case <-p.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type pipeAddr string

func (pipeAddr) Network() string  { return "tcp" }
func (a pipeAddr) String() string { return string(a) }

type pipeConn struct {
	net.Conn
	from pipeAddr
}

func (c *pipeConn) RemoteAddr() net.Addr { return c.from }
