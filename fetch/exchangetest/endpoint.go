package exchangetest

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
)

// endpoints says which mailboxes have moved, and how often.
type endpoints struct {
	mu    sync.Mutex
	moves map[string]int
}

// Move moves a mailbox to another server: its ids and states stay, its endpoint
// changes. Who impersonates it at the old one is refused with
// ErrorProxyRequestNotAllowed; Autodiscover tells the new one.
func (s *Server) Move(addr string) {
	s.endpoints.mu.Lock()
	defer s.endpoints.mu.Unlock()
	if s.endpoints.moves == nil {
		s.endpoints.moves = map[string]int{}
	}
	s.endpoints.moves[strings.ToLower(addr)]++
}

// Renumber gives a mailbox another GUID, as a move to another organization does: all ids and change keys are others, states are
// worth nothing, and who asks by an old id is told that there is no such mailbox. No request may be on its way.
func (s *Server) Renumber(addr string) {
	if m := s.mailbox(addr); m != nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.guid = guidOf("renumbered", m.guid.String())
	}
}

// Endpoint is the path at which a mailbox is served: Path unless it has moved.
func (s *Server) Endpoint(addr string) string { return s.endpoints.path(addr) }

func (e *endpoints) path(addr string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if n := e.moves[strings.ToLower(addr)]; n > 0 {
		return fmt.Sprintf("/moved%d%s", n, Path)
	}
	return Path
}

func (e *endpoints) elsewhere(addr, path string) bool { return !strings.EqualFold(e.path(addr), path) }

// isEndpoint says whether a path is the service's, or that of mailboxes that moved.
func isEndpoint(path string) bool {
	if strings.EqualFold(path, Path) {
		return true
	}
	rest, moved := strings.CutPrefix(path, "/moved")
	return moved && strings.EqualFold(strings.TrimLeft(rest, "0123456789"), Path)
}

// baseURL is the server as the client knows it.
func baseURL(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}
