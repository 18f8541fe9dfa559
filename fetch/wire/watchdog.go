package wire

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

var (
	// ErrStalled says that a connection moved nothing for too long, or next to nothing.
	ErrStalled = errors.New("the connection stood still, or nearly so")
	// ErrOverdue says that an answer which may rest was not over when it had to be.
	ErrOverdue = errors.New("the answer did not end in its time")
)

// leastMoved is how many bytes a connection must move in the time after which one that stands still is given up; see the package's
// documentation for why it is so many.
const leastMoved = 32 << 10

// Watchdog cancels a request over whose connection nothing moves, or too little. It sleeps while the consumer is at work.
type Watchdog struct {
	after time.Duration
	end   context.CancelFunc
	timer *time.Timer

	mu       sync.Mutex    // guards what follows
	credit   time.Duration // how long nothing need move
	since    time.Time     // when the credit began to run down; zero while the watchdog sleeps
	until    time.Time     // when the request is to be over, whatever moves; zero: it does not matter
	answered bool          // the head of the answer is there, though the transport may still read the request's body
	reason   error         // why it was cancelled
}

// NewWatchdog begins to watch; the request is to be made with the context given back.
func NewWatchdog(ctx context.Context, after time.Duration) (*Watchdog, context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	w := &Watchdog{after: after, end: cancel, credit: after, since: time.Now()}
	w.timer = time.AfterFunc(after, w.bite)
	return w, ctx
}

func (w *Watchdog) bite() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.since.IsZero() {
		return // it was put to sleep at the same moment
	}
	if w.reason = ErrStalled; !w.until.IsZero() && !time.Now().Before(w.until) {
		w.reason = ErrOverdue
	}
	w.end()
}

// MayRest lets the answer rest as long as it likes between two bytes, but for the time that any connection may stand still: it is
// one that tells what happens when it happens. It has to be over after longest.
func (w *Watchdog) MayRest(longest time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.until = time.Now().Add(longest)
}

// Arm begins the time anew.
func (w *Watchdog) Arm() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.credit = w.after
	w.wake()
}

// wake lets the time run. Under mu.
func (w *Watchdog) wake() {
	w.since = time.Now()
	left := w.credit
	if !w.until.IsZero() {
		left = min(left, w.until.Sub(w.since))
	}
	w.timer.Reset(max(left, 0))
}

// sleep stops the time. Under mu.
func (w *Watchdog) sleep() {
	w.timer.Stop()
	if !w.since.IsZero() {
		w.credit -= time.Since(w.since)
	}
	w.since = time.Time{}
}

// moved is the credit for bytes. Under mu.
func (w *Watchdog) moved(n int) {
	switch {
	case n >= leastMoved, n > 0 && !w.until.IsZero():
		w.credit = w.after
	default:
		w.credit = min(w.credit+time.Duration(n)*(w.after/leastMoved), w.after)
	}
}

// Answered says that the request is over and its answer is there, or will never be.
func (w *Watchdog) Answered() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answered = true
	w.sleep()
	w.credit = w.after
}

// Stop ends the watch and the request.
func (w *Watchdog) Stop() {
	w.timer.Stop()
	w.end()
}

// Reason puts what the watchdog saw in place of what that led to.
func (w *Watchdog) Reason(err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil && w.reason != nil {
		return w.reason
	}
	return err
}

// RequestBody watches the body of a request: between two reads of it the network is at work.
func (w *Watchdog) RequestBody(body io.ReadCloser) io.ReadCloser { return &watchedBody{body, w} }

type watchedBody struct {
	io.ReadCloser
	watch *Watchdog
}

func (b *watchedBody) Read(p []byte) (int, error) {
	b.watch.pause()
	n, err := b.ReadCloser.Read(p)
	b.watch.sent(n, err)
	return n, err
}

func (w *Watchdog) pause() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.answered {
		w.sleep()
	}
}

// sent begins the wait for bytes of a request to be taken, and behind the last of them for the answer: that has the whole time.
func (w *Watchdog) sent(n int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.answered {
		return
	}
	w.moved(n)
	if err != nil {
		w.credit = w.after
	}
	w.wake()
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
	b.watch.await()
	n, err := b.r.Read(p)
	b.watch.came(n)
	b.count.Add(int64(n))
	return n, err
}

func (w *Watchdog) await() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wake()
}

func (w *Watchdog) came(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sleep()
	w.moved(n)
}
