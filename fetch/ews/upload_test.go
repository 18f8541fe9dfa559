package ews

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"mailbrick/fetch/wire"
)

// source counts how often it is opened and closed.
type source struct {
	data           string
	opened, closed atomic.Int32
	err            error // after the data
}

func (s *source) open() (io.ReadCloser, error) {
	s.opened.Add(1)
	var r io.Reader = strings.NewReader(s.data)
	if s.err != nil {
		r = io.MultiReader(r, &failing{s.err})
	}
	return &sourceReader{r, s}, nil
}

type failing struct{ err error }

func (f *failing) Read([]byte) (int, error) { return 0, f.err }

type sourceReader struct {
	io.Reader
	s *source
}

func (r *sourceReader) Close() error {
	r.s.closed.Add(1)
	return nil
}

func uploaded(id string) string {
	return success("UploadItems", `<m:ItemId Id="`+id+`" ChangeKey="new"/>`)
}

func upload(s *source) Upload { return Upload{FolderID: "f", Size: int64(len(s.data)), Open: s.open} }

func TestUploadRequest(t *testing.T) {
	t.Parallel()
	var long strings.Builder
	for i := range 100_001 {
		long.WriteByte(byte(i * 7))
	}
	a, b, d := &source{data: "one"}, &source{data: long.String()}, &source{data: "three!"}
	uploads := []Upload{upload(a), upload(b), upload(d)}
	uploads[0].Item = ItemRef{"ignored", "k"} // CreateNew names no item
	uploads[1].Action, uploads[1].Item = Update, ItemRef{"old & id", "key"}
	uploads[2].Action, uploads[2].Item, uploads[2].Associated = UpdateOrCreate, ItemRef{ID: "other"}, true
	s := newServer(t, reply{body: envelope("UploadItems", uploaded("n1"), failure("UploadItems", "ErrorItemNotFound"), uploaded("n3"))})
	c, _ := newTestClient(t, s, nil)
	res, err := c.UploadItems(context.Background(), uploads)
	if err != nil || len(res) != 3 {
		t.Fatal(err, res)
	}
	if res[0] != (UploadResult{Item: ItemRef{"n1", "new"}}) || res[2].Item.ID != "n3" || asError(t, res[1].Err).Class() != Item {
		t.Errorf("results %+v", res)
	}
	r := s.asked()[0]
	enc := base64.StdEncoding.EncodeToString
	want := `<m:UploadItems><m:Items>` +
		`<t:Item CreateAction="CreateNew"><t:ParentFolderId Id="f"/><t:Data>` + enc([]byte(a.data)) + `</t:Data></t:Item>` +
		`<t:Item CreateAction="Update"><t:ParentFolderId Id="f"/><t:ItemId Id="old &amp; id" ChangeKey="key"/><t:Data>` + enc([]byte(b.data)) + `</t:Data></t:Item>` +
		`<t:Item CreateAction="UpdateOrCreate" IsAssociated="true"><t:ParentFolderId Id="f"/><t:ItemId Id="other"/><t:Data>` + enc([]byte(d.data)) + `</t:Data></t:Item>` +
		`</m:Items></m:UploadItems>`
	if !strings.Contains(r.body, want) {
		t.Errorf("request %.2000s", r.body)
	}
	if r.length != int64(len(r.body)) {
		t.Errorf("Content-Length %d of %d bytes", r.length, len(r.body))
	}
	for _, src := range []*source{a, b, d} {
		if src.opened.Load() != 1 || src.closed.Load() != 1 {
			t.Errorf("opened %d, closed %d times", src.opened.Load(), src.closed.Load())
		}
	}
}

func TestUploadOfUnknownSize(t *testing.T) {
	t.Parallel()
	src := &source{data: "some bytes"}
	u := upload(src)
	u.Size = 0
	s := newServer(t, reply{body: envelope("UploadItems", uploaded("n"))})
	c, _ := newTestClient(t, s, nil)
	if _, err := c.UploadItems(context.Background(), []Upload{u}); err != nil {
		t.Fatal(err)
	}
	if r := s.asked()[0]; r.length != -1 || !strings.Contains(r.body, ">"+b64("some bytes")+"<") {
		t.Errorf("length %d: %s", r.length, r.body)
	}
}

func TestUploadSourceFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("pack is damaged")
	short, over := upload(&source{data: "ten bytes."}), upload(&source{data: strings.Repeat("x", 2*(24<<10))})
	short.Size++
	over.Size = (24 << 10)
	fails := upload(&source{data: strings.Repeat("x", 100), err: broken})
	none := Upload{FolderID: "f", Open: func() (io.ReadCloser, error) { return nil, broken }}
	for name, tt := range map[string]struct {
		u    Upload
		want error
	}{"reading": {fails, broken}, "opening": {none, broken}, "too short": {short, nil}, "too long": {over, nil}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, reply{body: envelope("UploadItems", uploaded("n"))})
			c, _ := newTestClient(t, s, nil)
			res, err := c.UploadItems(context.Background(), []Upload{upload(&source{data: "good"}), tt.u})
			var e *wire.SourceError
			if !errors.As(err, &e) || e.Index != 1 || tt.want != nil && !errors.Is(err, tt.want) || res != nil {
				t.Errorf("%v, %v", res, err)
			}
			if n := c.Stats().Requests; n != 1 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

// TestUploadOutcome: what is sent again, what must not be, and what the caller is told.
func TestUploadOutcome(t *testing.T) {
	t.Parallel()
	good := reply{body: envelope("UploadItems", uploaded("n1"), uploaded("n2"))}
	tests := []struct {
		name     string
		reply    reply
		requests int
		unknown  int   // of the two results
		class    Class // of the call, 0: none
	}{
		{"good", good, 1, 0, 0},
		{"busy", busy("5000"), 2, 0, 0},
		{"503", reply{status: 503}, 2, 0, 0},
		{"429", reply{status: 429}, 2, 0, 0},
		{"401 once", reply{status: 401}, 2, 0, 0},
		{"version", fault("ErrorInvalidServerVersion", ""), 2, 0, 0},
		{"schema", fault("ErrorSchemaValidation", ""), 1, 0, Bug},
		{"413", reply{status: 413}, 1, 0, Shrink},
		{"too big", fault("ErrorRequestStreamTooBig", ""), 1, 0, Shrink},
		{"quota", fault("ErrorQuotaExceeded", ""), 1, 0, Permanent},
		{"time is up", fault("ErrorTimeoutExpired", ""), 1, 2, 0},
		{"internal error", fault("ErrorInternalServerError", ""), 1, 2, 0},
		{"502", reply{status: 502}, 1, 2, 0},
		{"504", reply{status: 504}, 1, 2, 0},
		{"500", reply{status: 500}, 1, 2, 0},
		{"no answer", reply{cut: true}, 1, 2, 0},
		{"cut at once", reply{body: good.body[:250], cut: true}, 1, 2, 0},
		{"cut after the first", reply{body: good.body[:strings.Index(good.body, "n2")], cut: true}, 1, 1, 0},
		{"cut at the very end", reply{body: good.body[:len(good.body)-5]}, 1, 0, 0},
		{"a message too few", reply{body: envelope("UploadItems", uploaded("n1"))}, 1, 1, 0},
		{"answer to another request", reply{body: envelope("FindItem")}, 1, 2, 0},
		{"html", reply{header: map[string]string{"Content-Type": "text/html"}}, 1, 0, Permanent},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, tt.reply, good)
			c, _ := newTestClient(t, s, nil)
			a, b := &source{data: "one"}, &source{data: "two"}
			res, err := c.UploadItems(context.Background(), []Upload{upload(a), upload(b)})
			if n := len(s.asked()); n != tt.requests {
				t.Errorf("%d requests", n)
			}
			if tt.class != 0 {
				if e := asError(t, err); e.Class() != tt.class || res != nil {
					t.Errorf("%v, %v", res, err)
				}
				return
			}
			if err != nil || len(res) != 2 {
				t.Fatalf("%v, %v", res, err)
			}
			for i, r := range res {
				if i < 2-tt.unknown && (r.Err != nil || r.Item.ID == "") || i >= 2-tt.unknown && !errors.Is(r.Err, ErrUnknownOutcome) {
					t.Errorf("result %d: %+v", i, r)
				}
			}
			if n := int32(tt.requests); a.opened.Load() != n || b.closed.Load() != n {
				t.Errorf("opened %d, closed %d times", a.opened.Load(), b.closed.Load())
			}
		})
	}
}

func TestUploadItemErrors(t *testing.T) {
	t.Parallel()
	s := newServer(t, reply{body: envelope("UploadItems", failure("UploadItems", "ErrorCorruptData"),
		failure("UploadItems", "ErrorServerBusy", "BackOffMilliseconds", "30000"),
		`<m:UploadItemsResponseMessage ResponseClass="Warning"><m:ResponseCode>ErrorBatchProcessingStopped</m:ResponseCode></m:UploadItemsResponseMessage>`)}, inbox)
	c, clock := newTestClient(t, s, spreadNothing)
	src := &source{data: "x"}
	res, err := c.UploadItems(context.Background(), []Upload{upload(src), upload(src), upload(src)})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []Class{Item, BackOff, Transient} {
		if got := asError(t, res[i].Err).Class(); got != want {
			t.Errorf("item %d: %v, want %v", i, got, want)
		}
	}
	if err := getInbox(c); err != nil || clock.total().Seconds() != 30 {
		t.Errorf("%v after %v", err, clock.total())
	}
}

func TestUploadRefusesNonsense(t *testing.T) {
	t.Parallel()
	c, err := New(Options{URL: "https://localhost:1"})
	if err != nil {
		t.Fatal(err)
	}
	open := (&source{}).open
	for _, u := range []Upload{{Open: open}, {FolderID: "f"}, {FolderID: "f", Open: open, Action: Update}, {FolderID: "f", Open: open, Action: UpdateOrCreate}} {
		if _, err := c.UploadItems(context.Background(), []Upload{u}); err == nil || asError(t, err).Class() != Bug || c.Stats().Requests != 0 {
			t.Errorf("%+v: %v", u, err)
		}
	}
	if res, err := c.UploadItems(context.Background(), nil); res != nil || err != nil {
		t.Error(res, err)
	}
}

func TestUploadContextEnds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		cancel()
		<-r.Context().Done()
	}))
	defer srv.Close()
	c, err := New(Options{URL: srv.URL})
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.UploadItems(ctx, []Upload{upload(&source{data: "x"})})
	if !errors.Is(err, context.Canceled) || len(res) != 1 || !errors.Is(res[0].Err, ErrUnknownOutcome) {
		t.Errorf("%v, %v", res, err)
	}
}

var dataElement = regexp.MustCompile(`^[A-Za-z0-9+/]*={0,2}$`)

// TestUploadTakesConstantMemory: not parallel, it looks at the heap of the process.
func TestUploadTakesConstantMemory(t *testing.T) {
	const size = 48 << 20
	before := heap()
	peak := before
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := make([]byte, 64<<10)
		for step := 0; ; step++ {
			n, err := r.Body.Read(p)
			if step%64 == 0 {
				peak = max(peak, allocated())
			}
			if step == 10 && !dataElement.Match(bytes.TrimSpace(p[:n])) {
				t.Errorf("no base64: %.100q", p[:n])
			}
			if err != nil {
				break
			}
		}
		reply{body: envelope("UploadItems", uploaded("n"))}.write(w)
	}))
	defer srv.Close()
	c, err := New(Options{URL: srv.URL})
	if err != nil {
		t.Fatal(err)
	}
	u := Upload{FolderID: "f", Size: size, Open: func() (io.ReadCloser, error) {
		return io.NopCloser(io.LimitReader(zeros{}, size)), nil
	}}
	if _, err := c.UploadItems(context.Background(), []Upload{u}); err != nil {
		t.Fatal(err)
	}
	runtime.KeepAlive(srv)
	if peak-before > 8<<20 {
		t.Errorf("the heap grew by %d MiB", (peak-before)>>20)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
