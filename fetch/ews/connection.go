package ews

import (
	"context"
	"net"
	"net/http/httptrace"
	"sync/atomic"
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
