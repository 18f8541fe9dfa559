package exchangetest

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"mailbrick/fetch/mapi"
)

// Paths of Microsoft Graph. GraphPath is what clients are given; the beta has a
// root of its own, and imports go to what Exchange Online has on another host.
const (
	GraphPath  = "/v1.0"
	betaPath   = "/beta"
	importPath = "/api/gv1.0"
	importBeta = "/api/gbeta"
)

// graphState is what the server keeps for Graph; it does not change but for the counter.
type graphState struct {
	key    [32]byte // that import sessions are signed with
	errors counter  // of errors inside an export, see exportError
}

// graphCall is one request on its way to its answer.
type graphCall struct {
	server    *Server
	w         http.ResponseWriter
	r         *http.Request
	requestID string
	route     graphRoute
	beta      bool
	vars      map[string]string // of the path
	query     graphQuery
	box       graphBox // no mailbox where the path names none
	due       []Fault
	ticket    *ticket
	app       string // whose token it is; "" where none is asked for
}

// isGraph says whether a path is one of Graph's.
func isGraph(path string) bool {
	for _, root := range []string{GraphPath, betaPath, importPath, importBeta} {
		if path == root || strings.HasPrefix(path, root+"/") {
			return true
		}
	}
	return false
}

// serveGraph answers one request of Graph.
func (s *Server) serveGraph(w http.ResponseWriter, r *http.Request, requestID string) {
	c := &graphCall{server: s, w: w, r: r, requestID: requestID}
	if id := r.Header.Get("client-request-id"); id != "" {
		w.Header().Set("client-request-id", id)
	}
	f := c.find()
	if f == nil {
		f = c.route.allow(c)
	}
	if f == nil {
		f = c.open()
	}
	s.count(c.box.address(), c.route.name)
	c.arrive()
	c.due = s.faults.strike(c.route.name, c.box.address(), func(d Fault) bool {
		return d.concerns(c.box.Mailbox, c.vars["item"]) || d.concerns(c.box.Mailbox, c.vars["folder"])
	})
	for _, d := range c.due {
		if d.Action == ActionStall {
			s.options.Sleep(r.Context(), d.delay()) // a client that is gone is found out by writing
		}
		if d.whole() {
			c.log("fault to order", "action", d.Action)
			c.ticket.order(r.Context(), d.told(), false) // graph.md 7: of the app in the mailbox
			c.wholeFault(d)
			return
		}
	}
	if f == nil {
		f = c.do()
	}
	if f != nil {
		c.log("refused", "code", f.code)
		c.refuse(f)
		c.ticket.over(true, nil)
	}
}

// do checks what remains to be checked and runs the operation, within the budgets.
func (c *graphCall) do() *failure {
	if f := c.readQuery(); f != nil {
		return f
	}
	if f := c.checkBody(); f != nil {
		return f
	}
	done, f := c.charge()
	if f != nil {
		return f
	}
	defer done()
	return c.route.do(c)
}

// open finds the mailbox that the path names.
func (c *graphCall) open() (f *failure) {
	if id, ok := c.vars["mailbox"]; ok {
		c.box, f = c.server.graphBox(id, c.beta)
		return f
	}
	if user, ok := c.vars["user"]; ok {
		c.box.Mailbox, f = c.server.userMailbox(user)
	}
	return f
}

// bearer lets in who shows a token.
func bearer(c *graphCall) *failure {
	kind, token, _ := strings.Cut(c.r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(kind, "Bearer") || token == "" {
		return fail("InvalidAuthenticationToken").say("Access token is empty.")
	}
	app, err := c.server.appOf(token, graphAudience, c.host())
	if err != nil && err.Error() == "token_expired" {
		return fail("InvalidAuthenticationToken").say("Lifetime validation failed, the token is expired.")
	}
	known := err == nil
	if !known {
		app, known = c.server.knows(token)
	}
	if !known {
		return fail("InvalidAuthenticationToken").say("CompactToken parsing failed with error code: 80049217")
	}
	c.app = app
	return nil
}

// knows says whether a token is good and whose it is: Options.Bearer, or that it is the password of an account.
func (s *Server) knows(token string) (app string, ok bool) {
	if s.options.Bearer != nil {
		return "app", s.options.Bearer(token)
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for user, password := range s.accounts {
		if password == token {
			return user, true
		}
	}
	return "", false
}

// graphBox is a mailbox as Graph sees it.
type graphBox struct {
	*Mailbox
	id   string // MBX:mailbox@tenant
	part string
}

func (b graphBox) address() string {
	if b.Mailbox == nil {
		return ""
	}
	return b.Mailbox.address
}

// tenant is the directory that all mailboxes of a server belong to.
func tenant() mapi.GUID { return guidOf("tenant", "") }

// Tenant is the GUID of the directory that all mailboxes of a server belong to.
func Tenant() string { return tenant().String() }

func mailboxID(mailbox mapi.GUID) string { return "MBX:" + mailbox.String() + "@" + tenant().String() }

// graphBox finds the mailbox of an id.
func (s *Server) graphBox(id string, beta bool) (graphBox, *failure) {
	text, ofTenant, _ := strings.Cut(strings.TrimPrefix(id, "MBX:"), "@")
	guid, ok := parseGUID(text)
	if !ok || !strings.HasPrefix(id, "MBX:") {
		return graphBox{}, fail("ErrorInvalidIdMalformed")
	}
	if !strings.EqualFold(ofTenant, tenant().String()) {
		return graphBox{}, fail("ResourceNotFound").say("Resource could not be discovered.")
	}
	b, ok := s.partOf(guid)
	if !ok || b.part != partPrimary && (!beta || !b.hasArchive()) {
		return graphBox{}, fail("ErrorNonExistentMailbox")
	}
	return b, nil
}

func (s *Server) partOf(guid mapi.GUID) (graphBox, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, m := range s.mailboxes {
		if b, ok := m.partOf(guid); ok {
			return b, true
		}
	}
	return graphBox{}, false
}

// userMailbox finds the mailbox of a user, by address or by GUID.
func (s *Server) userMailbox(user string) (*Mailbox, *failure) {
	if m := s.mailbox(user); m != nil {
		return m, nil
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, m := range s.mailboxes {
		if strings.EqualFold(m.GUID(), user) {
			return m, nil
		}
	}
	return nil, fail("ErrorInvalidUser").say("The requested user is invalid.")
}

// settings are the ids of a user's mailboxes.
func (c *graphCall) settings() *failure {
	o := object{
		{"@odata.context", c.context("users('" + url.QueryEscape(c.vars["user"]) + "')/settings/exchange/$entity")},
		{"primaryMailboxId", c.box.partID(partPrimary)},
	}
	if c.beta && c.box.hasArchive() {
		o = append(o, member{"inPlaceArchiveMailboxId", c.box.partID(partArchive)})
	}
	return c.answer(http.StatusOK, o)
}

// base is the root that the client used, with the host's name as it knows it.
func (c *graphCall) base() string {
	if c.beta {
		return c.host() + betaPath
	}
	return c.host() + GraphPath
}

func (c *graphCall) host() string {
	if c.r.TLS != nil {
		return "https://" + c.r.Host
	}
	return "http://" + c.r.Host
}

// context is the address of a type in the metadata.
func (c *graphCall) context(of string) string { return c.base() + "/$metadata#" + of }

// boxURL is the address of the mailbox.
func (c *graphCall) boxURL() string { return c.mailboxURL(c.box.id) }

func (c *graphCall) mailboxURL(id string) string { return c.base() + "/admin/exchange/mailboxes/" + id }

// link is the address of the request with other options, as nextLink and deltaLink have it.
func (c *graphCall) link(query string) string { return c.host() + c.r.URL.EscapedPath() + "?" + query }

func (c *graphCall) log(message string, args ...any) {
	guid := ""
	if c.box.Mailbox != nil {
		guid = c.box.GUID()
	}
	c.server.options.Log.Info(message, append([]any{"operation", c.route.name, "mailbox", guid}, args...)...)
}

func (c *graphCall) now() time.Time { return c.server.options.Clock() }
