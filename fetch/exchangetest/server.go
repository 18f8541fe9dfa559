package exchangetest

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"time"
)

// Options: the zero value works.
type Options struct {
	Clock func() time.Time // nil: the system's
	// Sleep lets time pass on that clock; an error ends the request. nil: the system's, also inside a testing/synctest bubble.
	Sleep           func(context.Context, time.Duration) error
	TokenLife       time.Duration // of tokens of the server's authority; 0: an hour
	Throttle        Policy        // the zero Policy allows everything
	Judge           bool          // keeps in mind what was answered, for Server.Rate
	Rand            io.Reader     // of request ids, safe to share; nil: crypto/rand
	Log             *slog.Logger  // nil: nowhere. Never a subject, address or body
	Faults          []Fault
	MaxRequestBytes int64                   // of a request's body; 0: 256 MiB
	MaxImportBytes  int64                   // of the body of an import by Graph; 0: 512 MiB
	ImportLifetime  time.Duration           // of an import session of Graph; 0: an hour
	CacheBytes      int64                   // of streams made from files; 0: 64 MiB
	TempDir         string                  // for items above 1 MiB; "": the system's
	Bearer          func(token string) bool // lets in clients of Graph; nil: a token is the password of any account
	StreamMinute    time.Duration           // how long a minute of streamed notifications lasts; 0: a minute
	OldAutodiscover bool                    // Autodiscover has no newer form, as before Exchange 2016 CU3
	WrapData        int                     // columns after which exported data breaks into lines; 0: never
}

func (o Options) withDefaults() Options {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	if o.TokenLife == 0 {
		o.TokenLife = time.Hour
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.MaxRequestBytes == 0 {
		o.MaxRequestBytes = 256 << 20
	}
	if o.MaxImportBytes == 0 {
		o.MaxImportBytes = 512 << 20
	}
	if o.ImportLifetime == 0 {
		o.ImportLifetime = time.Hour
	}
	if o.StreamMinute == 0 {
		o.StreamMinute = time.Minute
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = 64 << 20
	}
	return o
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Server is an Exchange with its mailboxes; an http.Handler.
type Server struct {
	options    Options
	schema     schema
	operations map[string]operation
	files      *spools
	cache      *streamCache
	faults     faultTable
	graph      graphState
	throttle   *throttle
	endpoints  endpoints
	redirects  redirects
	oauth      oauth

	subscriptions subscriptions

	mu        sync.RWMutex // guards all below
	accounts  map[string]string
	mailboxes map[string]*Mailbox // by address in lower case
	public    *Mailbox            // nil: there are no public folders
	requests  map[string]map[string]int
}

// New makes a server without accounts and mailboxes.
func New(o Options) *Server {
	o = o.withDefaults()
	s := &Server{
		options: o, throttle: newThrottle(o), schema: requestSchema(), operations: operations(),
		files: &spools{parent: o.TempDir}, cache: newStreamCache(o.CacheBytes),
		accounts: map[string]string{}, mailboxes: map[string]*Mailbox{}, requests: map[string]map[string]int{},
	}
	io.ReadFull(o.Rand, s.graph.key[:])
	s.faults.order(o.Faults)
	return s
}

// Close removes temporary files. No request may run any more.
func (s *Server) Close() error { return s.files.close() }

// AddAccount lets a user in. Every account may open every mailbox by
// impersonation, and the one it is named for (address or local part) without.
// A folder whose Mailbox names another is then refused: ErrorAccessDenied, or
// ErrorNonExistentMailbox if there is none of that address. No rights are
// granted from one mailbox to another.
func (s *Server) AddAccount(user, password string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accounts[strings.ToLower(user)] = password
}

// AddMailbox gives the mailbox of that address, a new one with the default folders if there is none.
func (s *Server) AddMailbox(addr string) *Mailbox {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := strings.ToLower(addr)
	if s.mailboxes[key] == nil {
		s.mailboxes[key] = newMailbox(addr, s.options.Clock)
	}
	return s.mailboxes[key]
}

// AddFaults orders more faults; they count requests from now on.
func (s *Server) AddFaults(list ...Fault) { s.faults.order(list) }

func (s *Server) mailbox(addr string) *Mailbox {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.mailboxes[strings.ToLower(strings.TrimSpace(addr))]
}

// own is the mailbox an account is named for.
func (s *Server) own(user string) *Mailbox {
	if m := s.mailbox(user); m != nil {
		return m
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, m := range s.mailboxes {
		if local, _, _ := strings.Cut(m.address, "@"); strings.EqualFold(local, user) {
			return m
		}
	}
	return nil
}

func (s *Server) count(mailbox, operation string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := strings.ToLower(mailbox)
	if s.requests[key] == nil {
		s.requests[key] = map[string]int{}
	}
	s.requests[key][operation]++
}

// Requests is how many requests came for a mailbox, faulted ones too; "" is those for no mailbox.
func (s *Server) Requests(mailbox string) int {
	total := 0
	for _, n := range s.RequestsByOperation(mailbox) {
		total += n
	}
	return total
}

// RequestsByOperation is Requests by operation.
func (s *Server) RequestsByOperation(mailbox string) map[string]int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return maps.Clone(s.requests[strings.ToLower(mailbox)])
}

func sameAddress(a, b string) bool { return strings.EqualFold(a, b) }
