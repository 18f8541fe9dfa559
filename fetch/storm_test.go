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
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mailbrick/archive"
	"mailbrick/fetch"
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
	mailboxes []string
	folders   map[string][2]string // by mailbox: the inbox and what lies in it

	mu    sync.Mutex // guards what follows
	puts  map[string]int
	ended map[string]int // runs, by what ended them
}

// weather is every fault of the simulator upon what a backup asks for, by chance. It has none by which the server lies about
// an item that is well (that it is gone, or other bytes than its own), and no move to another address. One request in twelve
// is struck where foul is 1.
func weather(seed uint64, foul float64) (list []exchangetest.Fault) {
	add := func(operations string, chance float64, f exchangetest.Fault) {
		for _, op := range strings.Fields(operations) {
			f.Operation, f.Probability, f.Times = op, chance*foul, -1
			f.Seed = seed<<8 + uint64(len(list))
			list = append(list, f)
		}
	}
	const soap, odata = "GetFolder FindFolder SyncFolderItems ExportItems", "graph.settings graph.listFolders graph.listChildFolders graph.itemDelta graph.exportItems"
	const all = soap + " " + odata
	for _, f := range []exchangetest.Fault{
		{Code: "ErrorServerBusy", BackOffMilliseconds: 4000}, {Code: "ErrorServerBusy"}, {Code: "ErrorInternalServerError", Inner: "ErrorServerBusy"},
		{Code: "ErrorTimeoutExpired"}, {Code: "ErrorExceededConnectionCount"}, {Code: "ErrorInternalServerTransientError"}, {Code: "ErrorMailboxStoreUnavailable"},
	} {
		f.Action = exchangetest.ActionFault
		add(soap, 0.004, f)
	}
	for _, f := range []exchangetest.Fault{{Status: 429, RetryAfterSeconds: 7}, {Status: 429}, {Status: 503, RetryAfterSeconds: 11}, {Status: 503}, {Status: 504}, {Status: 502}, {Status: 500}, {Status: 401}} {
		f.Action = exchangetest.ActionStatus
		add(all, 0.003, f)
	}
	for _, f := range []exchangetest.Fault{
		{Action: exchangetest.ActionCut}, {Action: exchangetest.ActionCut, AfterBytes: 900}, {Action: exchangetest.ActionHTML}, {Action: exchangetest.ActionHTML, Status: 503},
		{Action: exchangetest.ActionErrorPage}, {Action: exchangetest.ActionRedirect, Location: "http://elsewhere.example/"}, {Action: exchangetest.ActionEndless, AfterBytes: 1 << 18},
		{Action: exchangetest.ActionWrongLength}, {Action: exchangetest.ActionEntityBomb}, {Action: exchangetest.ActionStall, DelayMilliseconds: 40_000},
		{Action: exchangetest.ActionStall, DelayMilliseconds: 1_000_000},
	} {
		add(all, 0.002, f)
	}
	for _, f := range []exchangetest.Fault{{Code: "ErrorCorruptData"}, {Code: "ErrorServerBusy", BackOffMilliseconds: 2000, StopRest: true}, {Code: "ErrorMailboxStoreUnavailable", StopRest: true}} {
		f.Action = exchangetest.ActionItemError
		add("ExportItems graph.exportItems", 0.003, f)
	}
	for _, a := range []exchangetest.Action{exchangetest.ActionTruncateInside, exchangetest.ActionTruncateEnd} {
		add("ExportItems graph.exportItems", 0.003, exchangetest.Fault{Action: a})
	}
	add("ExportItems graph.exportItems", 0.02, exchangetest.Fault{Action: exchangetest.ActionTruncateAfter})
	add("graph.exportItems", 0.003, exchangetest.Fault{Action: exchangetest.ActionNoData})
	add("graph.itemDelta", 0.05, exchangetest.Fault{Action: exchangetest.ActionEmptyPage})
	add("graph.itemDelta", 0.05, exchangetest.Fault{Action: exchangetest.ActionRepeat})
	add("graph.itemDelta", 0.01, exchangetest.Fault{Action: exchangetest.ActionStatus, Status: 410})
	add("SyncFolderItems", 0.01, exchangetest.Fault{Action: exchangetest.ActionItemError, Code: "ErrorInvalidSyncStateData"})
	return list
}

// TestStorm: whatever the server does, no item is lost, nothing is stored twice, and no request is sent during a back-off.
// An hour of the server's time in the long run.
func TestStorm(t *testing.T) {
	if inItsOwn(t) {
		return
	}
	seeds, lasts, items := []uint64{1}, time.Minute, 30
	if os.Getenv("MAILBRICK_TORTURE") == "1" {
		seeds, lasts, items = []uint64{2, 3, 5, 6, 7, uint64(time.Now().UnixNano())}, time.Hour, 300
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
			t.Logf("seed %d: %v of the server's time, %d items stored, runs by what ended them: %v; %+v", seed, took, len(s.puts), s.ended, r)
			if r.DuringBackOff != 0 {
				t.Errorf("seed %d: %d requests inside of a back-off", seed, r.DuringBackOff)
			}
			s.close()
		})
	}
}

func newStorm(t *testing.T, seed uint64, tree, temp string) *storm {
	t.Helper()
	s := &storm{T: t, seed: seed, rand: rand.New(rand.NewPCG(seed, 0)), account: ews.NewAccount(), folders: map[string][2]string{}, puts: map[string]int{}, ended: map[string]int{}}
	s.server = exchangetest.New(exchangetest.Options{TempDir: temp, Throttle: exchangetest.StandardPolicy()})
	s.server.AddAccount("backup", "secret")
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
	for _, name := range []string{"soap1", "soap2", "graph1", "graph2"} {
		name += "@x.example"
		s.mailboxes = append(s.mailboxes, name)
		if err := s.server.Load(name, tree); err != nil {
			t.Fatal(err)
		}
		c := s.ews(name)
		inbox, err := c.GetFolders(t.Context(), ews.FolderRef{Distinguished: "inbox"})
		if err != nil {
			t.Fatal(err)
		}
		below, err := c.FindFolders(t.Context(), ews.FolderRef{ID: inbox[0].ID})
		if err != nil {
			t.Fatal(err)
		}
		s.folders[name] = [2]string{inbox[0].ID, below[0].ID}
	}
	s.server.AddFaults(weather(seed, []float64{1, 2, 3, 4}[seed%4])...)
	return s
}

func (s *storm) close() {
	s.via.CloseIdleConnections()
	if err := s.a.Close(); err != nil {
		s.Errorf("seed %d: %v", s.seed, err)
	}
}

func (s *storm) ews(mailbox string) *ews.Client {
	c, err := ews.New(ews.Options{URL: "http://localhost" + exchangetest.Path, User: "backup", Password: "secret",
		Impersonate: mailbox, Account: s.account, HTTP: &http.Client{Transport: s.via}})
	if err != nil {
		s.Fatal(err)
	}
	return c
}

func (s *storm) source(mailbox string) fetch.Source {
	if strings.HasPrefix(mailbox, "soap") {
		return fetch.EWS(s.ews(mailbox), fetch.EWSScope{})
	}
	c, err := graph.New(graph.Options{URL: "http://localhost" + exchangetest.GraphPath, Mailbox: mailbox, HTTP: &http.Client{Transport: signed{s.via}}, Import: &http.Client{Transport: s.via}})
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
	case errors.As(err, &g):
		s.ended["graph "+g.Class().String()]++
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
func (s *storm) soap(mailbox, body string) {
	s.Helper()
	req, err := http.NewRequestWithContext(s.Context(), http.MethodPost, "http://localhost"+exchangetest.Path, strings.NewReader(soapEnvelope(mailbox, body)))
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
}

func soapEnvelope(mailbox, body string) string {
	return `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types" xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages"><s:Header><t:RequestServerVersion Version="Exchange2013_SP1"/><t:ExchangeImpersonation><t:ConnectingSID><t:PrimarySmtpAddress>` +
		mailbox + `</t:PrimarySmtpAddress></t:ConnectingSID></t:ExchangeImpersonation></s:Header><s:Body>` + body + `</s:Body></s:Envelope>`
}

// settle runs until every mailbox has come through, faults or not, and compares what the archive holds with what is there.
func (s *storm) settle() {
	s.Helper()
	for _, name := range s.mailboxes {
		for try := 0; !s.run(name); try++ {
			if try == 100 {
				s.Fatalf("seed %d: %s does not come through: %v", s.seed, name, s.ended)
			}
			time.Sleep(time.Minute)
		}
	}
	time.Sleep(10 * time.Minute)
	for _, name := range s.mailboxes {
		want := map[string]string{}
		for _, folder := range s.folders[name] {
			for _, it := range s.list(name, folder) {
				want[it.Item.ID] = it.Item.ChangeKey
			}
		}
		if got := s.held(name); !maps.Equal(got, want) {
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
	out := map[string]string{}
	for v, err := range s.a.Versions(s.Context(), snap) {
		if err != nil {
			s.Fatal(err)
		}
		r, err := s.a.OpenBlob(s.Context(), v)
		if err != nil || v.Unparsed != "" {
			s.Fatalf("seed %d: %v, unparsed %q", s.seed, err, v.Unparsed)
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			s.Errorf("seed %d: %v", s.seed, err)
		}
		if slices.Contains([]string{"Inbox", "Inbox/Projects"}, v.Folder) {
			out[v.ItemID] = v.ChangeKey
		}
	}
	return out
}
