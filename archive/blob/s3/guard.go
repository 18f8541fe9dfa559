package s3

import (
	"context"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"sync"
	"time"
)

// guard gives a request up when nothing of it moves for a while, lets nobody
// read a request's body after its answer, as the buffer is used again, and ends
// answers that are longer than they may be.
type guard struct {
	next  http.RoundTripper
	stall time.Duration
}

var (
	errStalled = errors.New("connection moves nothing")
	errTooLong = errors.New("answer is too long")
)

// maxAnswer is the longest answer that is not an object: the library has them
// in memory. A page of the longest keys is half of it.
const maxAnswer = 8 << 20

// transport carries the requests of one bucket.
func transport(o Options) http.RoundTripper {
	if o.HTTP != nil && o.HTTP.Transport != nil {
		return &guard{next: o.HTTP.Transport, stall: o.Stall}
	}
	dialer := &net.Dialer{Timeout: 15 * time.Second, KeepAlive: 15 * time.Second}
	return &guard{stall: o.Stall, next: &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         dialer.DialContext,
		TLSHandshakeTimeout: 15 * time.Second,
		IdleConnTimeout:     time.Minute,
		MaxIdleConnsPerHost: 32,
		DisableCompression:  true, // objects come as they are
	}}
}

// RoundTrip implements http.RoundTripper.
func (g *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	w := &watch{stall: g.stall, cancel: cancel, cause: func() error { return context.Cause(ctx) }}
	w.timer = time.AfterFunc(g.stall, func() { cancel(errStalled) })
	req = req.WithContext(ctx)
	var up *upload
	if req.Body != nil && req.Body != http.NoBody {
		up = &upload{watch: w, body: req.Body}
		req.Body, req.GetBody = up, nil
	}
	resp, err := g.next.RoundTrip(req)
	if up != nil {
		_ = up.Close()
	}
	if err != nil {
		err = w.explain(err)
		w.end()
		return nil, err
	}
	w.timer.Stop()
	down := &download{watch: w, body: resp.Body, left: maxAnswer}
	if req.Method == http.MethodGet && req.URL.RawQuery == "" && resp.StatusCode < 300 {
		down.left = math.MaxInt64 // an object, which is not kept
	}
	resp.Body = down
	return resp, nil
}

// watch is the timer of one request.
type watch struct {
	stall  time.Duration
	timer  *time.Timer
	cancel context.CancelCauseFunc
	cause  func() error
}

func (w *watch) moved() { w.timer.Reset(w.stall) }

func (w *watch) end() {
	w.timer.Stop()
	w.cancel(nil)
}

// explain says that a request was given up here, where it was.
func (w *watch) explain(err error) error {
	if err != nil && err != io.EOF && w.cause() == errStalled {
		return errStalled
	}
	return err
}

// upload is a request's body until it is closed.
type upload struct {
	*watch

	mu sync.Mutex
	// body is guarded by mu, nil when closed.
	body io.ReadCloser
}

func (u *upload) Read(p []byte) (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.body == nil {
		return 0, http.ErrBodyReadAfterClose
	}
	u.moved()
	return u.body.Read(p)
}

func (u *upload) Close() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.body == nil {
		return nil
	}
	body := u.body
	u.body = nil
	return body.Close()
}

// download is an answer's body.
type download struct {
	*watch
	body io.ReadCloser
	left int64 // bytes that may come
}

// Read does not run against the clock while nobody reads.
func (d *download) Read(p []byte) (int, error) {
	if d.left == 0 {
		return 0, errTooLong
	}
	d.moved()
	n, err := d.body.Read(p[:min(int64(len(p)), d.left)])
	d.timer.Stop()
	d.left -= int64(n)
	return n, d.explain(err)
}

func (d *download) Close() error {
	err := d.body.Close()
	d.end()
	return err
}
