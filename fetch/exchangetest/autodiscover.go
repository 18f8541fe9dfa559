package exchangetest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/beevik/etree"
)

const (
	autodiscoverPath = "/autodiscover/autodiscover.json"
	poxPath          = "/autodiscover/autodiscover.xml"
)

// Namespaces of the older Autodiscover. [MS-OXDSCLI] 2.2.4
const (
	nsPOXRequest  = "http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"
	nsPOX         = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"
	nsPOXResponse = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
)

// redirects says where the older Autodiscover sends who asks for an address.
type redirects struct {
	mu    sync.Mutex
	where map[string]string
}

// Redirect lets Autodiscover's older form (/autodiscover/autodiscover.xml) answer for
// an address with another, or with the https URL of another server. At the host
// of that URL the address is known.
func (s *Server) Redirect(addr, where string) {
	s.redirects.mu.Lock()
	defer s.redirects.mu.Unlock()
	if s.redirects.where == nil {
		s.redirects.where = map[string]string{}
	}
	s.redirects.where[strings.ToLower(addr)] = where
}

// redirected is where an address is to be asked for in place of this host, "" when here.
func (s *Server) redirected(addr, host string) string {
	s.redirects.mu.Lock()
	defer s.redirects.mu.Unlock()
	where := s.redirects.where[strings.ToLower(addr)]
	if u, err := url.Parse(where); err == nil && strings.EqualFold(u.Host, host) {
		return ""
	}
	return where
}

// autodiscover answers in both forms, the newer in both its spellings. EWS 5
func (s *Server) autodiscover(w http.ResponseWriter, r *http.Request) (ours bool) {
	path := strings.ToLower(r.URL.Path)
	switch {
	case path == poxPath:
		s.pox(w, r)
	case strings.HasPrefix(path, autodiscoverPath) && !s.options.OldAutodiscover:
		s.autodiscoverJSON(w, r)
	default:
		return false
	}
	return true
}

func (s *Server) autodiscoverJSON(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	addr := q.Get("Email")
	if rest, ok := strings.CutPrefix(r.URL.EscapedPath()[len(autodiscoverPath):], "/v1.0/"); ok {
		addr, _ = url.PathUnescape(rest)
	}
	say := func(status int, o map[string]string) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(o)
	}
	switch {
	case !strings.EqualFold(q.Get("Protocol"), "ews"):
		say(http.StatusBadRequest, map[string]string{"ErrorCode": "ProtocolNotSupported", "ErrorMessage": "The protocol is not supported."})
	case s.mailbox(addr) == nil:
		say(http.StatusNotFound, map[string]string{"ErrorCode": "UserNotFound", "ErrorMessage": "The user was not found."})
	default:
		say(http.StatusOK, map[string]string{"Protocol": "EWS", "Url": baseURL(r) + s.Endpoint(addr)})
	}
}

// pox answers the older form. It wants credentials; who asks without TLS is only told the way.
func (s *Server) pox(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet && r.TLS == nil {
		w.Header().Set("Location", "https://"+r.Host+poxPath)
		w.WriteHeader(http.StatusFound)
		return
	}
	if _, ok := s.signIn(w, r); !ok {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	const longest = 64 << 10
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, longest))
	addr, code := "", "600"
	if err == nil {
		addr, code = readPOX(raw)
	}
	s.count(addr, "autodiscover.pox")
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	x := newXMLWriter(w)
	x.WriteString(xmlDeclaration)
	x.start("Autodiscover", "xmlns", nsPOX)
	where := s.redirected(addr, r.Host)
	switch {
	case code == "" && where == "" && s.mailbox(addr) == nil:
		code = "500"
		fallthrough
	case code != "":
		s.poxError(x, code)
	default:
		x.start("Response", "xmlns", nsPOXResponse)
		s.poxAccount(x, addr, where, baseURL(r))
		x.end()
	}
	x.end()
	x.Flush()
}

// readPOX takes the address of a request, or the code of what is wrong with it. [MS-OXDSCLI] 2.2.4.2
func readPOX(raw []byte) (addr, code string) {
	doc := etree.NewDocument()
	doc.ReadSettings.MaxDepth = 10
	if doc.ReadFromBytes(raw) != nil || doc.Root() == nil {
		return "", "600"
	}
	request := child(doc.Root(), "Request")
	if doc.Root().Tag != "Autodiscover" || doc.Root().NamespaceURI() != nsPOXRequest || request == nil {
		return "", "600"
	}
	addr = strings.TrimSpace(childText(request, "EMailAddress"))
	switch {
	case !strings.Contains(addr, "@"):
		return "", "600"
	case strings.TrimSpace(childText(request, "AcceptableResponseSchema")) != nsPOXResponse:
		return addr, "601"
	}
	return addr, ""
}

// poxError writes what is wrong. [MS-OXDSCLI] 2.2.4.1.2
func (s *Server) poxError(x *xmlWriter, code string) {
	text := map[string]string{"500": "The email address can't be found.", "600": "Invalid Request", "601": "Provider is not available"}[code]
	x.start("Response")
	x.start("Error", "Time", s.options.Clock().UTC().Format("15:04:05.0000000"), "Id", "1054084152")
	x.leaf("ErrorCode", code)
	x.leaf("Message", text)
	x.empty("DebugData")
	x.end()
	x.end()
}

// poxAccount writes where to ask in place of this server, or where the mailbox is. [MS-OXDSCLI] 2.2.4.1.1.2
func (s *Server) poxAccount(x *xmlWriter, addr, where, base string) {
	m := s.mailbox(addr)
	if where == "" {
		x.start("User")
		x.leaf("DisplayName", m.owner().Name)
		x.leaf("AutoDiscoverSMTPAddress", m.address)
		x.end()
	}
	x.start("Account")
	defer x.end()
	switch {
	case strings.HasPrefix(where, "https://"):
		x.leaf("Action", "redirectUrl")
		x.leaf("RedirectUrl", where)
		return
	case where != "":
		x.leaf("Action", "redirectAddr")
		x.leaf("RedirectAddr", where)
		return
	}
	x.leaf("AccountType", "email")
	x.leaf("Action", "settings")
	for _, kind := range []string{"EXCH", "EXPR"} { // for machines inside and outside
		x.start("Protocol")
		x.leaf("Type", kind)
		x.leaf("EwsUrl", base+s.Endpoint(addr))
		x.leaf("GroupingInformation", "Default-First-Site-Name")
		x.end()
	}
	m.mu.RLock()
	archive := m.special["archiveroot"] != nil
	m.mu.RUnlock()
	if archive {
		x.start("AlternativeMailbox")
		x.leaf("Type", "Archive")
		x.leaf("DisplayName", "In-Place Archive - "+m.owner().Name)
		x.leaf("SmtpAddress", m.address)
		x.end()
	}
}
