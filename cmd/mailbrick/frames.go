package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
)

// What goes through the socket of `watch`, both ways: frames of a kind (one byte), a length (four, big-endian) and so many bytes.
//
//	a   the request, in JSON: the first frame of a client
//	i   of its standard input; one of no bytes is the end
//	o   for its standard output
//	e   for its standard error
//	x   the exit code (one byte): the last frame of the server
const (
	frameArgs = 'a'
	frameIn   = 'i'
	frameOut  = 'o'
	frameTalk = 'e'
	frameExit = 'x'
)

const (
	maxFrame = 64 << 10
	maxArgs  = 1 << 20 // of the request alone
)

// frames is a connection on which frames are sent by many.
type frames struct {
	conn net.Conn
	r    *bufio.Reader

	mu sync.Mutex // keeps frames apart
}

func newFrames(conn net.Conn) *frames { return &frames{conn: conn, r: bufio.NewReader(conn)} }

func (f *frames) send(kind byte, data []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	buf := make([]byte, 5, 5+len(data))
	buf[0] = kind
	binary.BigEndian.PutUint32(buf[1:], uint32(len(data)))
	_, err := f.conn.Write(append(buf, data...))
	return err
}

// next gives the next frame.
func (f *frames) next() (kind byte, data []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(f.r, head[:]); err != nil {
		return 0, nil, err
	}
	kind, n := head[0], binary.BigEndian.Uint32(head[1:])
	most := uint32(maxFrame)
	if kind == frameArgs {
		most = maxArgs
	}
	if n > most {
		return 0, nil, fmt.Errorf("a frame of %d bytes", n)
	}
	data = make([]byte, n)
	_, err = io.ReadFull(f.r, data)
	return kind, data, err
}

// frameWriter sends what is written as frames of a kind.
type frameWriter struct {
	*frames
	kind byte
}

func (w frameWriter) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		part := p[:min(len(p), maxFrame)]
		if err := w.send(w.kind, part); err != nil {
			return n, err
		}
		n, p = n+len(part), p[len(part):]
	}
	return n, nil
}
