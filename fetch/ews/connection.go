package ews

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

// usedConn remembers the connection a request went over, to be able to drop it.
type usedConn struct{ conn atomic.Value }

type connBox struct{ net.Conn }

func (u *usedConn) trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(i httptrace.GotConnInfo) { u.conn.Store(connBox{i.Conn}) },
	})
}

func (u *usedConn) close() {
	if b, ok := u.conn.Load().(connBox); ok && b.Conn != nil {
		_ = b.Conn.Close()
	}
}

var errStalled = errors.New("the connection stood still")

// watchdog cancels a request over whose connection nothing moves. It sleeps while the consumer is at work.
type watchdog struct {
	after time.Duration
	end   context.CancelFunc
	timer *time.Timer

	stalled  atomic.Bool
	answered atomic.Bool // the request is over, though the transport may still read its body
}

func newWatchdog(ctx context.Context, after time.Duration) (*watchdog, context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	w := &watchdog{after: after, end: cancel}
	w.timer = time.AfterFunc(after, func() {
		w.stalled.Store(true)
		cancel()
	})
	return w, ctx
}

func (w *watchdog) arm()    { w.timer.Reset(w.after) }
func (w *watchdog) disarm() { w.timer.Stop() }

func (w *watchdog) stop() {
	w.timer.Stop()
	w.end()
}

// reason puts what the watchdog saw in place of what that led to.
func (w *watchdog) reason(err error) error {
	if err != nil && w.stalled.Load() {
		return errStalled
	}
	return err
}

// watchedBody is the body of a request; each read is a sign of life.
type watchedBody struct {
	*payloadReader
	watch *watchdog
}

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.payloadReader.Read(p)
	if !b.watch.answered.Load() {
		b.watch.arm()
	}
	return n, err
}

// countedBody is the body of an answer; the watchdog watches while the network is waited for.
type countedBody struct {
	r     io.Reader
	watch *watchdog
	count *atomic.Int64
}

func (b *countedBody) Read(p []byte) (int, error) {
	b.watch.arm()
	n, err := b.r.Read(p)
	b.watch.disarm()
	b.count.Add(int64(n))
	return n, err
}
