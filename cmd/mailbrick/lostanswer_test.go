package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"mailbrick/fetch/ews"
	"mailbrick/fetch/exchangetest"
)

// gateway stands before a server. At the request of that number it does what it is told instead of handing it on.
type gateway struct {
	server  http.Handler
	counts  func(*http.Request) bool // nil: every request
	at      int                      // 1 is the first; 0: none
	instead func(w http.ResponseWriter, r *http.Request, server http.Handler)

	mu   sync.Mutex // guards n
	n    int
	late sync.WaitGroup // what the server does after the answer was lost
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if g.counts == nil || g.counts(r) {
		g.mu.Lock()
		g.n++
		now := g.n == g.at
		g.mu.Unlock()
		if now {
			g.instead(w, r, g.server)
			return
		}
	}
	g.server.ServeHTTP(w, r)
}

// loseAnswer lets the server do its work and cuts the connection before anybody hears of it.
func loseAnswer(_ http.ResponseWriter, r *http.Request, server http.Handler) {
	server.ServeHTTP(httptest.NewRecorder(), r)
	panic(http.ErrAbortHandler)
}

// ofServer says whether a request is one to the mailbox and not to the authority.
func ofServer(r *http.Request) bool {
	return !strings.HasPrefix(r.URL.Path, exchangetest.AuthorityPath())
}

// uploads says whether a request brings items.
func uploads(r *http.Request) bool {
	if r.URL.Path != exchangetest.Path { // by Graph they alone are not signed in
		return r.Header.Get("Authorization") == "" && ofServer(r)
	}
	body := bufio.NewReader(r.Body)
	begin, _ := body.Peek(2 << 10) // or less
	r.Body = struct {
		io.Reader
		io.Closer
	}{body, r.Body}
	return strings.Contains(string(begin), "UploadItems")
}

// loseAnswerLate cuts the connection while the server is still at its work.
func (g *gateway) loseAnswerLate(_ http.ResponseWriter, r *http.Request, server http.Handler) {
	body, _ := io.ReadAll(r.Body) // one that is cut is refused by the server
	late := r.Clone(context.WithoutCancel(r.Context()))
	late.Body = io.NopCloser(strings.NewReader(string(body)))
	g.late.Go(func() {
		<-time.After(time.Second)
		server.ServeHTTP(httptest.NewRecorder(), late)
	})
	panic(http.ErrAbortHandler)
}

// lostTrial is an archive of a mailbox with every item twice, and the server it is to go back to.
type lostTrial struct {
	*trial
	identity string
	want     map[string]int
}

// newLost has a server that is patient with what is on its way while another request is told to wait: imports go at once.
func newLost(t *testing.T, grace time.Duration) *lostTrial {
	t.Helper()
	l := &lostTrial{trial: newTrial(t, exchangetest.Options{Throttle: exchangetest.Policy{Grace: exchangetest.Duration(grace)}})}
	words := l.signedIn("ews", l.serve(l.exchange), "--password-file", l.password)
	l.exchange.AddMailbox("twins@contoso.example")
	must := func(args []string) {
		t.Helper()
		if code, text := l.mailbrick(args...); code != 0 {
			t.Fatal(text)
		}
	}
	must(words("backup", "--no-index", "-m", "ann@contoso.example"))
	for range 2 {
		must(words("restore", "--mode", "new", "--mailbox", "ann@contoso.example", "--to-mailbox", "twins@contoso.example"))
	}
	must(words("backup", "--no-index", "-m", "twins@contoso.example"))
	l.identity = filepath.Join(l.work, "identity")
	must([]string{"key", "add", "--archive", l.archive, "--password-file", l.password, "--name", "machine", "--host-identity", l.identity})
	if l.want = l.held("twins@contoso.example"); len(l.want) != 6 || l.want[slices.Collect(maps.Keys(l.want))[0]] != 2 {
		t.Fatal("no twins:", l.want)
	}
	return l
}

// held counts the items of a mailbox by folder and search key, which all copies of an item share.
func (r *trial) held(mailbox string) map[string]int {
	r.t.Helper()
	s := httptest.NewServer(r.exchange)
	defer s.Close()
	client, err := ews.New(ews.Options{URL: s.URL + exchangetest.Path, User: "backup", Password: "secret", Impersonate: mailbox})
	if err != nil {
		r.t.Fatal(err)
	}
	defer client.Close()
	folders, err := client.FindFolders(r.t.Context(), ews.FolderRef{Distinguished: "msgfolderroot"})
	if err != nil {
		r.t.Fatal(err)
	}
	out := map[string]int{}
	for _, f := range folders {
		for it, err := range client.FindItems(r.t.Context(), f.ID) {
			if err != nil {
				r.t.Fatal(err)
			}
			out[fmt.Sprintf("%s %x", f.Name, it.SearchKey)]++
		}
	}
	return out
}

// restore gives the words of a restore into a mailbox that is made for it, from a copy of the archive, which only one may open.
func (l *lostTrial) restore(by string, g *gateway, into string) []string {
	l.exchange.AddMailbox(into)
	g.server = l.exchange
	own := *l.trial
	own.archive = filepath.Join(l.work, into)
	if err := os.CopyFS(own.archive, os.DirFS(l.archive)); err != nil && !errors.Is(err, fs.ErrExist) {
		l.t.Error(err)
	}
	return own.signedIn(by, l.serve(g), "--identity", l.identity)("restore", "--mailbox", "twins@contoso.example", "--to-mailbox", into)
}

// step is how many requests lie between those that are struck: all are in the long run.
func step() int {
	if os.Getenv("MAILBRICK_TORTURE") != "" {
		return 1
	}
	return 4
}

// TestLostAnswers: the answer to each request of a restore in turn is lost, after the server has done what it was asked. One copy
// of each item comes, twins are two, and another restore finds nothing to do.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	l := newLost(t, time.Duration(exchangetest.StandardPolicy().Grace))
	var runs errgroup.Group
	runs.SetLimit(8) // each waits for most of the time
	defer runs.Wait()
	for _, by := range []string{"ews", "graph"} {
		all := &gateway{counts: ofServer}
		if code, text := l.mailbrick(l.restore(by, all, by+"@contoso.example")...); code != 0 || !maps.Equal(l.held(by+"@contoso.example"), l.want) {
			t.Fatalf("%s: exit code %d: %s", by, code, text)
		}
		for n := 1; n <= all.n; n += step() {
			runs.Go(func() error {
				into := fmt.Sprintf("%s%d@contoso.example", by, n)
				l.loses(fmt.Sprintf("%s: the answer to request %d of %d is lost", by, n, all.n), by, into, &gateway{counts: ofServer, at: n, instead: loseAnswer})
				return nil
			})
		}
		runs.Go(func() error {
			g := &gateway{counts: uploads, at: 2}
			g.instead = g.loseAnswerLate
			l.loses(by+": the server is still at work", by, by+"late@contoso.example", g)
			return nil
		})
	}
}

// loses restores through a gateway that loses something, and once more without.
func (l *lostTrial) loses(what, by, into string, g *gateway) {
	code, text := l.mailbrick(l.restore(by, g, into)...)
	g.late.Wait()
	if code != 0 || !maps.Equal(l.held(into), l.want) {
		l.t.Errorf("%s: exit code %d: %s%v", what, code, text, l.held(into))
	}
	if code, text := l.mailbrick(l.restore(by, new(gateway), into)...); code != 0 || !strings.Contains(text, "12 items: 0 restored, 12 skipped") {
		l.t.Errorf("%s: once more: exit code %d: %s", what, code, text)
	}
}

// TestKilledRestores: a restore is killed at each of its uploads in turn, before the server has it and after, and run again. One
// copy of each item is there then.
func TestKilledRestores(t *testing.T) {
	t.Parallel()
	l := newLost(t, time.Duration(exchangetest.StandardPolicy().Grace))
	for _, by := range []string{"ews", "graph"} {
		all := &gateway{counts: uploads}
		if code, text := l.mailbrick(l.restore(by, all, by+"@contoso.example")...); code != 0 || all.n < 2 {
			t.Fatalf("%s: exit code %d, %d uploads: %s", by, code, all.n, text)
		}
		for n := 1; n <= all.n; n += (step() + 1) / 2 {
			for _, stored := range []bool{false, true} {
				into := fmt.Sprintf("%s%d%v@contoso.example", by, n, stored)
				l.killed(by, into, &gateway{counts: uploads, at: n}, stored)
				if code, text := l.mailbrick(l.restore(by, new(gateway), into)...); code != 0 || !maps.Equal(l.held(into), l.want) {
					t.Errorf("%s: after a kill at upload %d (stored: %v): exit code %d: %s%v", by, n, stored, code, text, l.held(into))
				}
			}
		}
	}
}

// killed runs a restore that ends at a request.
func (l *lostTrial) killed(by, into string, g *gateway, stored bool) {
	l.t.Helper()
	dead := make(chan struct{})
	ctx, kill := context.WithCancel(l.t.Context())
	defer kill()
	g.instead = func(w http.ResponseWriter, r *http.Request, server http.Handler) {
		if stored {
			server.ServeHTTP(httptest.NewRecorder(), r)
		}
		kill()
		<-dead
		panic(http.ErrAbortHandler)
	}
	words := l.restore(by, g, into)
	c := exec.CommandContext(ctx, "mailbrick", words...)
	c.Env = []string{"HOME=" + l.work, "PATH=" + os.Getenv("PATH")}
	out, err := c.CombinedOutput()
	close(dead)
	if err == nil || c.ProcessState.ExitCode() != -1 {
		l.t.Errorf("%s into %s was not killed: %v %s", by, into, err, out)
	}
}

// TestThrottledRestores: the server asks for a pause at every kind of request of a restore (in the short suite at some), in each way it has. No request comes in
// a pause, and one copy of each item is there at the end.
func TestThrottledRestores(t *testing.T) {
	t.Parallel()
	l := newLost(t, 2*time.Second) // of three: a busy machine may be as long on its way
	second := 1
	for by, operations := range map[string][]string{
		"ews":   {"GetFolder", "FindFolder", "CreateFolder", "FindItem", "UploadItems", "ExportItems"},
		"graph": {"graph.settings", "graph.listFolders", "graph.createFolder", "graph.listItems", "graph.createImportSession", "graph.importItem", "graph.exportItems"},
	} {
		into := by + "@contoso.example"
		operations = operations[len(operations)*(step()-1)/5:] // the uploads are the last but one; pauses grow, and many take long
		for i, operation := range operations {
			busy := []exchangetest.Fault{
				{Action: exchangetest.ActionStatus, Status: http.StatusTooManyRequests, RetryAfterSeconds: 3},
				{Action: exchangetest.ActionStatus, Status: http.StatusServiceUnavailable, RetryAfterSeconds: 3},
				{Action: exchangetest.ActionFault, Code: "ErrorServerBusy", BackOffMilliseconds: 3100},
			}[i%(4-len(by)/2)] // the last is not one of Graph's
			busy.Operation, busy.Mailbox = operation, into
			l.exchange.AddFaults(busy)
		}
		l.exchange.AddFaults(exchangetest.Fault{Operation: "UploadItems", Mailbox: into, Call: 2, Index: &second,
			Action: exchangetest.ActionItemError, Code: "ErrorServerBusy", BackOffMilliseconds: 3100})
		before := l.exchange.Throttling().Total
		if code, text := l.mailbrick(l.restore(by, new(gateway), into)...); code != 0 || !maps.Equal(l.held(into), l.want) {
			t.Errorf("%s: exit code %d: %s%v", by, code, text, l.held(into))
		}
		if after := l.exchange.Throttling().Total; after.BackOffs-before.BackOffs < len(operations) || after.DuringBackOff != 0 {
			t.Errorf("%s: %d pauses were asked for, %d requests came in them", by, after.BackOffs-before.BackOffs, after.DuringBackOff)
		}
	}
}
