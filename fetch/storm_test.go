package fetch_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mailbrick/archive"
	"mailbrick/fetch"
	"mailbrick/fetch/auth"
	"mailbrick/fetch/ews"
	"mailbrick/fetch/exchangetest"
	"mailbrick/fetch/graph"
)

// storm is a time during which a server fails at random in every way it knows, while mailboxes are backed up by both
// protocols and their owners are at work. All times are the server's.
type storm struct {
	*testing.T
	seed      uint64
	rand      *rand.Rand
	server    *exchangetest.Server
	via       *http.Transport
	a         *archive.Archive
	account   *ews.Account
	signed    http.RoundTripper // for Graph
	mailboxes []string
	folders   map[string][2]string // by mailbox: the inbox and what lies in it
	moved     int                  // mailboxes whose ids became others

	mu    sync.Mutex              // guards what follows
	open  map[string]fetch.Source // by mailbox: clients are kept from run to run
	puts  map[string]int
	ended map[string]int // runs, by what ended them
}

// TestStorm: whatever the server does, no item is lost, nothing is stored twice, and no request is sent during a back-off.
// A minute of the server's time for each seed, an hour in the long run.
func TestStorm(t *testing.T) {
	if inItsOwn(t) {
		return
	}
	seeds, lasts, items := []uint64{1, 7}, time.Minute, 30
	if os.Getenv("MAILBRICK_TORTURE") == "1" {
		seeds, lasts, items = []uint64{1, 2, 3, 4, 5, 6, 7, 8, uint64(time.Now().UnixNano())}, time.Hour, 300
	}
	if s, err := strconv.ParseUint(os.Getenv("MAILBRICK_SEED"), 10, 64); err == nil {
		seeds = []uint64{s}
	}
	for _, seed := range seeds {
		tree, temp, catalog := smallTree(t, items), t.TempDir(), filepath.Join(t.TempDir(), "catalog")
		synctest.Test(t, func(t *testing.T) {
			s := newStorm(t, seed, tree, temp)
			s.a = openBubble(t, catalog)
			var took time.Duration
			for round := 0; took < lasts || round < 4; round++ {
				s.work()
				began := time.Now()
				s.all()
				took += time.Since(began)
			}
			s.settle()
			r := s.server.Throttling().Total
			t.Logf("seed %d: %v of the server's time, %d items stored, %d times new ids, runs by what ended them: %v; %+v", seed, took, len(s.puts), s.moved, s.ended, r)
			if r.DuringBackOff != 0 {
				t.Errorf("seed %d: %d requests inside of a back-off", seed, r.DuringBackOff)
			}
			s.close()
		})
	}
}

func newStorm(t *testing.T, seed uint64, tree, temp string) *storm {
	t.Helper()
	s := &storm{T: t, seed: seed, rand: rand.New(rand.NewPCG(seed, 0)), account: ews.NewAccount(), folders: map[string][2]string{}, puts: map[string]int{}, ended: map[string]int{}, open: map[string]fetch.Source{}}
	s.server = exchangetest.New(exchangetest.Options{TempDir: temp, Throttle: exchangetest.StandardPolicy(), TokenLife: 20 * time.Minute})
	s.server.AddAccount("backup", "secret")
	s.server.AddApp(exchangetest.App{ID: "app", Secret: "hush"})
	pipe, h := exchangetest.NewPipe(), s.server.HTTPServer()
	go h.Serve(pipe)
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		if addr != "localhost:80" {
			t.Errorf("seed %d: somebody goes to %s", seed, addr)
		}
		return pipe.DialContext(ctx, network, addr)
	}
	s.via = &http.Transport{DialContext: dial, MaxIdleConnsPerHost: 100}
	t.Cleanup(func() { h.Close(); s.server.Close() })
	app, err := auth.NewApp(auth.AppOptions{Authority: "http://localhost" + exchangetest.AuthorityPath(), ClientID: "app", Secret: "hush", HTTP: s.via})
	if err != nil {
		t.Fatal(err)
	}
	if s.signed, err = auth.Bearer("http://localhost"+exchangetest.GraphPath, app, auth.ScopeGraph, s.via); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"soap1", "soap2", "graph1", "graph2"} {
		name += "@x.example"
		s.mailboxes = append(s.mailboxes, name)
		if err := s.server.Load(name, tree); err != nil {
			t.Fatal(err)
		}
		s.find(name)
	}
	s.server.AddFaults(weather(seed, []float64{1, 2, 3, 4}[seed%4])...)
	return s
}

// find learns the ids of a mailbox's folders.
func (s *storm) find(mailbox string) {
	s.Helper()
	answer := s.soap(mailbox, `<m:SyncFolderHierarchy><m:FolderShape><t:BaseShape>Default</t:BaseShape></m:FolderShape></m:SyncFolderHierarchy>`)
	var found [2]string
	for _, m := range regexp.MustCompile(`<t:FolderId Id="([^"]+)"[^>]*/>(?:<t:[^>]*/>)*<t:DisplayName>([^<]*)<`).FindAllStringSubmatch(answer, -1) {
		if i := slices.Index([]string{"Inbox", "Projects"}, m[2]); i >= 0 {
			found[i] = m[1]
		}
	}
	if found[0] == "" || found[1] == "" {
		s.Fatalf("seed %d: %s", s.seed, answer)
	}
	s.folders[mailbox] = found
}

func (s *storm) close() {
	time.Sleep(20 * time.Minute) // requests whose clients went are still being stalled
	s.via.CloseIdleConnections()
	if err := s.a.Close(); err != nil {
		s.Errorf("seed %d: %v", s.seed, err)
	}
}

func (s *storm) ews(mailbox string) *ews.Client {
	c, err := ews.New(ews.Options{URL: "http://localhost" + s.server.Endpoint(mailbox), User: "backup", Password: "secret",
		Impersonate: mailbox, Account: s.account, HTTP: &http.Client{Transport: s.via}})
	if err != nil {
		s.Fatal(err)
	}
	return c
}

// source gives the client for a mailbox that the last run had, unless the mailbox was elsewhere.
func (s *storm) source(mailbox string) fetch.Source {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[mailbox] == nil {
		s.open[mailbox] = s.newSource(mailbox)
	}
	return s.open[mailbox]
}

func (s *storm) newSource(mailbox string) fetch.Source {
	if strings.HasPrefix(mailbox, "soap") {
		return fetch.EWS(s.ews(mailbox), fetch.EWSScope{})
	}
	c, err := graph.New(graph.Options{URL: "http://localhost" + exchangetest.GraphPath, Mailbox: mailbox, HTTP: &http.Client{Transport: s.signed}, Import: &http.Client{Transport: s.via}})
	if err != nil {
		s.Fatal(err)
	}
	return fetch.Graph(c, fetch.GraphScope{})
}

// all runs a backup of every mailbox, all at once.
func (s *storm) all() {
	var group sync.WaitGroup
	for _, name := range s.mailboxes {
		group.Go(func() { s.run(name) })
	}
	group.Wait()
}

func (s *storm) run(mailbox string) bool {
	session, err := s.a.Begin(mailbox)
	if err != nil {
		s.Errorf("seed %d: %v", s.seed, err)
		return false
	}
	r, err := fetch.Run(s.Context(), s.source(mailbox), &storeOnce{session, s, mailbox}, fetch.Options{BatchItems: 8, Exports: 3})
	if cerr := session.Close(s.Context()); cerr != nil {
		s.Errorf("seed %d: %v", s.seed, cerr)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch e, g := new(ews.Error), new(graph.Error); {
	case r.Complete:
		s.ended["complete"]++
	case err == nil:
		s.ended["with failures"]++
	case errors.As(err, &e):
		s.ended["ews "+e.Class().String()]++
		if e.Class() == ews.Resync {
			delete(s.open, mailbox) // and look for it again
		}
	case errors.As(err, &g):
		s.ended["graph "+g.Class().String()]++
	case errors.Is(err, ews.ErrNotExchange), errors.Is(err, graph.ErrNotGraph):
		s.ended["no root"]++
	default:
		s.Errorf("seed %d: %s: %v", s.seed, mailbox, err)
	}
	return r.Complete
}

// storeOnce counts how often each state of an item is stored.
type storeOnce struct {
	*archive.Session
	s       *storm
	mailbox string
}

func (o *storeOnce) Put(ctx context.Context, item archive.Item, content *archive.Content) error {
	o.s.mu.Lock()
	defer o.s.mu.Unlock()
	key := o.mailbox + " " + item.ItemID + " " + item.ChangeKey
	if o.s.puts[key]++; o.s.puts[key] > 1 {
		o.s.Errorf("seed %d: %s: an item is stored %d times", o.s.seed, o.mailbox, o.s.puts[key])
	}
	return o.Session.Put(ctx, item, content)
}

// work is what owners do: in each mailbox something comes, goes, moves and is read. Nobody asks them for a rest: they wait
// until all back-offs are over.
func (s *storm) work() {
	time.Sleep(10 * time.Minute)
	for _, name := range s.mailboxes {
		if s.rand.IntN(10) == 0 {
			s.server.Renumber(name) // it moved to another organization
			s.find(name)
			s.moved++
		}
		for range 3 {
			s.soap(name, fmt.Sprintf(`<m:CreateItem MessageDisposition="SaveOnly"><m:SavedItemFolderId><t:FolderId Id="%s"/></m:SavedItemFolderId><m:Items><t:Message><t:Subject>new %d</t:Subject></t:Message></m:Items></m:CreateItem>`,
				s.folders[name][s.rand.IntN(2)], s.rand.Uint64()))
		}
		from := s.rand.IntN(2)
		items := s.list(name, s.folders[name][from])
		s.rand.Shuffle(len(items), func(i, k int) { items[i], items[k] = items[k], items[i] })
		if len(items) < 4 {
			continue
		}
		s.soap(name, fmt.Sprintf(`<m:DeleteItem DeleteType="HardDelete"><m:ItemIds><t:ItemId Id="%s"/></m:ItemIds></m:DeleteItem>`, items[0].Item.ID))
		s.soap(name, fmt.Sprintf(`<m:MoveItem><m:ToFolderId><t:FolderId Id="%s"/></m:ToFolderId><m:ItemIds><t:ItemId Id="%s"/></m:ItemIds></m:MoveItem>`, s.folders[name][1-from], items[1].Item.ID))
		for _, it := range items[2:4] {
			if _, err := s.ews(name).SetRead(s.Context(), it.Item, s.rand.IntN(2) == 0); err != nil {
				s.Fatalf("seed %d: %v", s.seed, err)
			}
		}
	}
}

func (s *storm) list(mailbox, folder string) []ews.FoundItem {
	s.Helper()
	var out []ews.FoundItem
	for it, err := range s.ews(mailbox).FindItems(s.Context(), folder) {
		if err != nil {
			s.Fatalf("seed %d: %v", s.seed, err)
		}
		out = append(out, it)
	}
	slices.SortFunc(out, func(a, b ews.FoundItem) int { return strings.Compare(a.Item.ID, b.Item.ID) })
	return out
}

// soap is an owner's request, upon which no fault is ordered.
func (s *storm) soap(mailbox, body string) string {
	s.Helper()
	req, err := http.NewRequestWithContext(s.Context(), http.MethodPost, "http://localhost"+s.server.Endpoint(mailbox), strings.NewReader(soapEnvelope(mailbox, body)))
	if err != nil {
		s.Fatal(err)
	}
	req.SetBasicAuth("backup", "secret")
	req.Header.Set("Content-Type", "text/xml; charset=utf-8")
	resp, err := s.via.RoundTrip(req)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || !strings.Contains(string(answer), `ResponseClass="Success"`) {
		s.Fatalf("seed %d: %v %s %s", s.seed, err, resp.Status, answer)
	}
	return string(answer)
}

func soapEnvelope(mailbox, body string) string {
	return `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types" xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages"><s:Header><t:RequestServerVersion Version="Exchange2013_SP1"/><t:ExchangeImpersonation><t:ConnectingSID><t:PrimarySmtpAddress>` +
		mailbox + `</t:PrimarySmtpAddress></t:ConnectingSID></t:ExchangeImpersonation></s:Header><s:Body>` + body + `</s:Body></s:Envelope>`
}

// settle runs until every mailbox has come through, faults or not, and compares what the archive holds with what is there.
func (s *storm) settle() {
	s.Helper()
	for _, name := range s.mailboxes {
		time.Sleep(10 * time.Minute)
		want := map[string]string{}
		for _, folder := range s.folders[name] {
			for _, it := range s.list(name, folder) {
				want[it.Item.ID] = it.Item.ChangeKey
			}
		}
		got := map[string]string{}
		for try := 0; try < 100 && !maps.Equal(got, want); try++ { // a run may be complete by what the server says
			if s.run(name) {
				got = s.held(name)
			}
			time.Sleep(time.Minute)
		}
		if !maps.Equal(got, want) {
			s.Errorf("seed %d: %s: the archive holds %d items, %d are there", s.seed, name, len(got), len(want))
			for id := range want {
				if got[id] != want[id] {
					s.Errorf("seed %d: %s is %q, want %q", s.seed, id, got[id], want[id])
				}
			}
		}
	}
}

// held are the items of the two folders in the archive, all of which can be read.
func (s *storm) held(mailbox string) map[string]string {
	s.Helper()
	snap, err := s.a.Latest(mailbox)
	if err != nil {
		s.Fatal(err)
	}
	out, unparsed := map[string]string{}, 0
	for v, err := range s.a.Versions(s.Context(), snap) {
		if err != nil {
			s.Fatal(err)
		}
		r, err := s.a.OpenBlob(s.Context(), v)
		if err != nil {
			s.Fatalf("seed %d: %v", s.seed, err)
		}
		if v.Unparsed != "" {
			unparsed++
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			s.Errorf("seed %d: %v", s.seed, err)
		}
		if slices.Contains([]string{"Inbox", "Inbox/Projects"}, v.Folder) {
			out[v.ItemID] = v.ChangeKey
		}
	}
	if unparsed > 2 { // garbage twice, one after the other, is kept
		s.Errorf("seed %d: %s: %d items cannot be read", s.seed, mailbox, unparsed)
	}
	return out
}
