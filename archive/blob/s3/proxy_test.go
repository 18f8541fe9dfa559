package s3_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"mailbrick/archive/blob/s3"
)

// trouble is what a proxy does instead of passing a request on.
type trouble func(p *proxy, w http.ResponseWriter, r *http.Request, body []byte)

// order is trouble for some requests.
type order struct {
	when        func(r *http.Request) bool
	skip, times int // so many well before, so many in trouble
	do          trouble
}

// proxy stands before a server and makes trouble to order.
type proxy struct {
	url, target string
	via         http.Transport

	mu sync.Mutex
	// below is guarded by mu
	orders []*order
	log    []string
	bytes  int64 // of answers
}

func newProxy(t testing.TB, target string, orders ...order) *proxy {
	t.Helper()
	p := &proxy{target: target, via: http.Transport{DisableCompression: true}}
	for _, o := range orders {
		p.orders = append(p.orders, &o)
	}
	server := httptest.NewServer(p)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		p.via.CloseIdleConnections()
	})
	p.url = server.URL
	return p
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if do := p.next(r); do != nil {
		do(p, w, r, body)
		return
	}
	p.pass(w, r, body, -1)
}

func (p *proxy) next(r *http.Request) trouble {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log = append(p.log, kind(r))
	for _, o := range p.orders {
		switch {
		case !o.when(r):
		case o.skip > 0:
			o.skip--
		case o.times > 0:
			o.times--
			return o.do
		}
	}
	return nil
}

// count is how many requests of a kind came.
func (p *proxy) count(want string) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range p.log {
		if k == want {
			n++
		}
	}
	return n
}

// sent is how many bytes answers had.
func (p *proxy) sent() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bytes
}

// kind is a word for a request.
func kind(r *http.Request) string {
	q := r.URL.Query()
	switch {
	case strings.HasSuffix(r.URL.Path, "/.probe"):
		return "probe"
	case q.Has("uploads"):
		return "begin"
	case q.Has("partNumber"):
		return "part"
	case q.Has("uploadId") && r.Method == http.MethodPost:
		return "complete"
	case q.Has("uploadId"):
		return "abort"
	case q.Has("list-type"):
		return "list"
	}
	return strings.ToLower(r.Method)
}

func is(want string) func(*http.Request) bool {
	return func(r *http.Request) bool { return kind(r) == want }
}

func anything(*http.Request) bool { return true }

// pass passes a request on, and so many bytes of the answer, all when negative.
// The signature covers the host, which stays.
func (p *proxy) pass(w http.ResponseWriter, r *http.Request, body []byte, most int64) {
	out, err := http.NewRequestWithContext(r.Context(), r.Method, p.target+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	out.Header, out.Host = r.Header.Clone(), r.Host
	resp, err := p.via.RoundTrip(out)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer resp.Body.Close()
	maps.Copy(w.Header(), resp.Header)
	w.WriteHeader(resp.StatusCode)
	if most < 0 {
		n, _ := io.Copy(w, resp.Body)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.bytes += n
		return
	}
	_, _ = io.CopyN(w, resp.Body, most)
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

func answer(status int, code string) trouble {
	return func(_ *proxy, w http.ResponseWriter, _ *http.Request, _ []byte) {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		fmt.Fprintf(w, "<Error><Code>%s</Code><Message>made for a test</Message></Error>", code)
	}
}

// loseAnswer has the request done.
func loseAnswer(p *proxy, _ http.ResponseWriter, r *http.Request, body []byte) {
	p.pass(httptest.NewRecorder(), r, body, -1)
	panic(http.ErrAbortHandler)
}

// cut has the request not done.
func cut(*proxy, http.ResponseWriter, *http.Request, []byte) { panic(http.ErrAbortHandler) }

// cutAfter cuts the answer.
func cutAfter(n int64) trouble {
	return func(p *proxy, w http.ResponseWriter, r *http.Request, body []byte) { p.pass(w, r, body, n) }
}

// hang answers nothing until the other side is tired of it.
func hang(_ *proxy, _ http.ResponseWriter, r *http.Request, _ []byte) {
	<-r.Context().Done()
	panic(http.ErrAbortHandler)
}

// passing is a clock that goes on when somebody sleeps.
type passing struct {
	mu sync.Mutex
	// now is guarded by mu
	now time.Time
}

func (p *passing) clock() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

func (p *passing) sleep(ctx context.Context, d time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = p.now.Add(d)
	return ctx.Err()
}

// behind opens a bucket behind a proxy, with a clock that does not make wait.
func behind(t testing.TB, p *proxy, bucket string, change ...func(*s3.Options)) *s3.Bucket {
	t.Helper()
	o := options(p.url, bucket)
	clock := &passing{now: time.Now()}
	o.Clock, o.Sleep = clock.clock, clock.sleep
	for _, c := range change {
		c(&o)
	}
	return open(t, o)
}

// flip passes a request on with one bit changed.
func flip(p *proxy, w http.ResponseWriter, r *http.Request, body []byte) {
	body[len(body)/2] ^= 1
	p.pass(w, r, body, -1)
}
