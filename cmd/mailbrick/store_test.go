package main

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"mailbrick/archive/blob/s3/s3test"
)

// TestStore runs the stories of archives in an object store, against a real one. They speak of s3://mail/archives/one; the store
// is reached through a gate that keeps a list of requests and holds one back when told to.
func TestStore(t *testing.T) {
	t.Parallel()
	mail, err := filepath.Abs(filepath.Join(root, "testdata", "mail"))
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "store"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			g, err := newGate()
			if errors.Is(err, s3test.ErrNoProgram) {
				e.T().Skip(err)
			}
			if err != nil {
				return err
			}
			e.Defer(g.close)
			e.Values[gateKey{}] = g
			for name, value := range map[string]string{
				"MAIL": mail, "MAILBRICK_ARCHIVE": "s3://mail/archives/one", "MAILBRICK_PASSWORD": "correct horse",
				"MAILBRICK_CACHE": filepath.Join(e.WorkDir, "cache"), "HOME": e.WorkDir,
				"STORE":            filepath.Join(g.store.Objects(), "mail", "archives", "one"),
				"AWS_ENDPOINT_URL": g.front.URL, "AWS_REGION": s3test.Region,
				"AWS_ACCESS_KEY_ID": s3test.AccessKey, "AWS_SECRET_ACCESS_KEY": s3test.SecretKey,
			} {
				e.Setenv(name, value)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":    scriptExits,
			"field":    scriptField,
			"column":   scriptColumn,
			"flip":     scriptFlip,
			"grow":     scriptGrow,
			"requests": scriptRequests,
			"deny":     scriptDeny,
			"hold":     scriptHold,
			"held":     scriptHeld,
			"release":  scriptRelease,
			"unplug":   scriptUnplug,
		},
	})
}

type gateKey struct{}

func gateOf(ts *testscript.TestScript) *gate { return ts.Value(gateKey{}).(*gate) }

// gate is an object store with a door.
type gate struct {
	store *s3test.Server
	front *httptest.Server
	next  *httputil.ReverseProxy

	mu sync.Mutex
	// below is guarded by mu
	log  []string
	wait *held // nil where nothing is to be held
	deny *regexp.Regexp
}

// held is one request that waits.
type held struct {
	which      *regexp.Regexp
	come, free chan struct{}
}

func newGate() (*gate, error) {
	store, err := s3test.Start()
	if err != nil {
		return nil, err
	}
	target, err := url.Parse(store.URL)
	if err == nil {
		err = errors.Join(store.MakeBucket("mail", false), store.MakeBucket("locked", true))
	}
	if err != nil {
		store.Stop()
		return nil, err
	}
	g := &gate{store: store, next: &httputil.ReverseProxy{
		Transport: &http.Transport{DisableCompression: true},
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // it is signed
		},
	}}
	g.front = httptest.NewServer(g)
	return g, nil
}

func (g *gate) close() {
	g.open()
	g.front.CloseClientConnections()
	g.front.Close()
	g.store.Stop()
}

// open lets the request go on that is held, if there is one.
func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.wait != nil {
		close(g.wait.free)
		g.wait = nil
	}
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h, denied := g.note(line(r))
	if h != nil {
		close(h.come)
		<-h.free
	}
	if denied {
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "<Error><Code>AccessDenied</Code><Message>for a test</Message></Error>")
		return
	}
	g.next.ServeHTTP(w, r)
}

// note keeps a request, and tells whether it is the one to hold, and whether it is denied.
func (g *gate) note(text string) (h *held, denied bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.log = append(g.log, text)
	denied = g.deny != nil && g.deny.MatchString(text)
	if g.wait == nil || !g.wait.which.MatchString(text) {
		return nil, denied
	}
	select {
	case <-g.wait.come:
		return nil, denied // another one
	default:
		return g.wait, denied
	}
}

// line tells a request: "GET config", "LIST packs/", "LOCK config".
func line(r *http.Request) string {
	const archive = "archives/one/"
	_, name, _ := strings.Cut(r.URL.Path, "/"+archive)
	switch q := r.URL.Query(); {
	case q.Has("list-type"):
		return "LIST " + strings.TrimPrefix(q.Get("prefix"), archive)
	case q.Has("retention"):
		return "LOCK " + name
	}
	return r.Method + " " + name
}

// scriptGrow makes messages too long for a record of the journal, by what nothing makes shorter.
func scriptGrow(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, len(args) > 0, "grow FILE...")
	for _, name := range args {
		var b strings.Builder
		b.WriteString(ts.ReadFile(name))
		random := rand.NewChaCha8(sha256.Sum256([]byte(b.String())))
		noise := make([]byte, 57)
		for range 2 << 20 / len(noise) {
			_, _ = random.Read(noise)
			b.WriteString(base64.StdEncoding.EncodeToString(noise) + "\n")
		}
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(b.String()), 0o600))
	}
}

// scriptRequests writes the requests since the last time into a file, one a line.
func scriptRequests(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, len(args) == 1, "requests OUTFILE")
	g := gateOf(ts)
	g.mu.Lock()
	text := strings.Join(append(g.log, ""), "\n")
	g.log = nil
	g.mu.Unlock()
	ts.Logf("%s", text)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

// scriptDeny denies the requests from now on that a pattern matches; without one, none.
func scriptDeny(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, len(args) <= 1, "deny [PATTERN]")
	var which *regexp.Regexp
	if len(args) == 1 {
		var err error
		which, err = regexp.Compile(args[0])
		ts.Check(err)
	}
	g := gateOf(ts)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.deny = which
}

// scriptHold holds back the next request that a pattern matches.
func scriptHold(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, len(args) == 1, "hold PATTERN")
	which, err := regexp.Compile(args[0])
	ts.Check(err)
	g := gateOf(ts)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.wait = &held{which: which, come: make(chan struct{}), free: make(chan struct{})}
}

// scriptHeld waits until the request has come.
func scriptHeld(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, len(args) == 0, "held")
	g := gateOf(ts)
	g.mu.Lock()
	h := g.wait
	g.mu.Unlock()
	<-h.come
}

// scriptRelease lets the request go on.
func scriptRelease(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, len(args) == 0, "release")
	gateOf(ts).open()
}

// scriptUnplug ends the server, and nobody listens where it was.
func scriptUnplug(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, len(args) == 0, "unplug")
	gateOf(ts).store.Kill()
	gateOf(ts).front.CloseClientConnections()
	gateOf(ts).front.Close()
}
