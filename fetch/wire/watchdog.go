package wire

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"
)

// ErrStalled says that a connection moved nothing for too long.
var ErrStalled = errors.New("the connection stood still")

// Watchdog cancels a request over whose connection nothing moves. It sleeps while the consumer is at work.
type Watchdog struct {
	after time.Duration
	end   context.CancelFunc
	timer *time.Timer

	stalled  atomic.Bool
	answered atomic.Bool // the request is over, though the transport may still read its body
}

// NewWatchdog begins to watch; the request is to be made with the context given back.
func NewWatchdog(ctx context.Context, after time.Duration) (*Watchdog, context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	w := &Watchdog{after: after, end: cancel}
	w.timer = time.AfterFunc(after, func() {
		w.stalled.Store(true)
		cancel()
	})
	return w, ctx
}

// Arm begins the time anew.
func (w *Watchdog) Arm() { w.timer.Reset(w.after) }

// Disarm lets the watchdog sleep.
func (w *Watchdog) Disarm() { w.timer.Stop() }

// Answered says that the request is over and its answer is there, or will never be.
func (w *Watchdog) Answered() {
	w.answered.Store(true)
	w.Disarm()
}

// Stop ends the watch and the request.
func (w *Watchdog) Stop() {
	w.timer.Stop()
	w.end()
}

// Reason puts what the watchdog saw in place of what that led to.
func (w *Watchdog) Reason(err error) error {
	if err != nil && w.stalled.Load() {
		return ErrStalled
	}
	return err
}

// RequestBody watches the body of a request; each read of it is a sign of life.
func (w *Watchdog) RequestBody(body io.ReadCloser) io.ReadCloser { return &watchedBody{body, w} }

type watchedBody struct {
	io.ReadCloser
	watch *Watchdog
}

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if !b.watch.answered.Load() {
		b.watch.Arm()
	}
	return n, err
}

// AnswerBody watches the body of an answer while the network is waited for, and counts its bytes.
func (w *Watchdog) AnswerBody(body io.Reader, count *atomic.Int64) io.Reader {
	return &countedBody{body, w, count}
}

type countedBody struct {
	r     io.Reader
	watch *Watchdog
	count *atomic.Int64
}

func (b *countedBody) Read(p []byte) (int, error) {
	b.watch.Arm()
	n, err := b.r.Read(p)
	b.watch.Disarm()
	b.count.Add(int64(n))
	return n, err
}
