package exchangetest

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"mailbrick/fetch/mapi"
)

// Path is where the service answers, in any case of letters.
const Path = "/EWS/Exchange.asmx"

// ServeHTTP answers one request of EWS or Graph.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Server", "Microsoft-IIS/10.0")
	id := s.requestID()
	w.Header().Set("request-id", id)
	if r.Header.Get("return-client-request-id") == "true" {
		w.Header().Set("client-request-id", r.Header.Get("client-request-id"))
	}
	if isGraph(r.URL.Path) {
		s.serveGraph(w, r, id)
		return
	}
	if r.URL.Path == StatsPath && r.Method == http.MethodGet {
		s.serveStats(w)
		return
	}
	if s.autodiscover(w, r) {
		return
	}
	if !isEndpoint(r.URL.Path) && s.authority(w, r) {
		return
	}
	if !isEndpoint(r.URL.Path) {
		http.NotFound(w, r)
		return
	}
	user, ok := s.signIn(w, r)
	if !ok {
		w.WriteHeader(http.StatusUnauthorized) // to a GET as well: clients look for the endpoint by it
		return
	}
	switch r.Method {
	case http.MethodPost:
		s.post(w, r, user)
	case http.MethodGet, http.MethodHead:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, "<html><head><title>Service</title></head><body>You have created a service.</body></html>\n")
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

func (s *Server) requestID() string {
	var g mapi.GUID
	io.ReadFull(s.options.Rand, g[:]) // without randomness ids are all the same, which harms nobody
	return g.String()
}

// signIn says who sent the request, or in the header of the answer how to say it.
func (s *Server) signIn(w http.ResponseWriter, r *http.Request) (user string, ok bool) {
	kind, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	token = strings.TrimSpace(token)
	c, why := connectionOf(r), ""
	switch {
	case strings.EqualFold(kind, "Bearer"):
		var err error
		if user, err = s.appOf(token, exchangeAudience, baseURL(r)); err != nil {
			why = err.Error()
		}
		ok = err == nil
	case c != nil && isNTLM(kind):
		var challenge []byte
		if user, challenge, ok = s.handshake(c, token); challenge != nil {
			w.Header().Set("WWW-Authenticate", kind+" "+base64.StdEncoding.EncodeToString(challenge))
			return "", false
		}
	case c != nil && c.signedIn && kind == "":
		return c.user, true
	default:
		user, ok = s.authenticate(r)
	}
	if ok = ok && (c == nil || c.is(user)); !ok {
		s.challenge(w, r, why)
	}
	return user, ok
}

// authenticate takes user, user@domain and DOMAIN\user.
func (s *Server) authenticate(r *http.Request) (string, bool) {
	user, password, ok := r.BasicAuth()
	if _, name, found := strings.Cut(user, `\`); found {
		user = name
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	want, known := s.accounts[strings.ToLower(user)]
	return user, subtle.ConstantTimeCompare([]byte(want), []byte(password)) == 1 && ok && known
}

func (s *Server) post(w http.ResponseWriter, r *http.Request, user string) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "text/xml" {
		w.WriteHeader(http.StatusUnsupportedMediaType)
		return
	}
	if r.ContentLength > s.options.MaxRequestBytes {
		tooLarge(w)
		return
	}
	body := &counted{Reader: http.MaxBytesReader(w, r.Body, s.options.MaxRequestBytes)}
	raw, data, err := readBody(body, s.files)
	var limit *http.MaxBytesError
	switch {
	case errors.As(err, &limit):
		tooLarge(w)
		return
	case err != nil:
		s.options.Log.Error("request not read", "cause", err)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	c := &call{server: s, w: w, ctx: r.Context(), user: user, header: r.Header, path: r.URL.Path, raw: raw, data: data, size: body.n}
	defer c.release()
	s.serve(c)
}

// counted counts what is read.
type counted struct {
	io.Reader
	n int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	return n, err
}

// tooLarge is what IIS says to a body above its limit; the connection is not used again.
func tooLarge(w http.ResponseWriter) {
	w.Header().Set("Connection", "close")
	w.WriteHeader(http.StatusRequestEntityTooLarge)
}

// serve does the call from its bytes to its answer.
func (s *Server) serve(c *call) {
	f := c.parse()
	s.count(c.address(), c.operation())
	c.ticket = s.throttle.arrive(c.visit())
	due := s.faults.strike(c.name, c.address(), c.names)
	for _, d := range due {
		if c.happen(d) {
			return
		}
	}
	if s.endpoints.elsewhere(c.impersonated, c.path) {
		c.writeFault(fail("ErrorProxyRequestNotAllowed"))
		return
	}
	if f == nil {
		f = c.check()
	}
	if !c.enter(f == nil) {
		return
	}
	defer c.ticket.leave()
	if c.name == "GetStreamingEvents" {
		c.ticket.leave() // EWS 14: hanging connections do not count as concurrent requests
	}
	upload := int64(0)
	if len(c.data) > 0 {
		upload = c.size
	}
	if f == nil && c.name != "ExportItems" {
		c.ticket.asks(c.name, string(c.raw))
	}
	c.w = c.ticket.pay(c.w, c.ctx, upload)
	if f != nil {
		c.log("refused", "code", f.code)
		c.writeFault(f)
		c.ticket.over(true, nil)
		return
	}
	c.due = due
	c.answer()
}

// happen makes a fault happen to the request and says whether that was the answer.
func (c *call) happen(d Fault) bool {
	switch {
	case d.Action == ActionFailover:
		c.server.Failover()
	case d.Action == ActionMove:
		c.server.Move(c.address())
	case d.Action == ActionStall:
		c.log("fault to order", "action", d.Action)
		c.server.options.Sleep(c.ctx, d.delay()) // a client that is gone is found out by writing
	case d.whole():
		c.log("fault to order", "action", d.Action)
		c.ticket.order(c.ctx, d.told(), d.ofFrontEnd())
		c.wholeFault(d)
		return true
	}
	return false
}

// names says whether the request names what the fault is about.
func (c *call) names(d Fault) bool {
	if c.body == nil {
		return false
	}
	for _, e := range c.body.FindElements(".//*[@Id]") {
		if d.concerns(c.mailbox, attr(e, "Id")) {
			return true
		}
	}
	return false
}

// wholeFault sends a failure that was ordered instead of the answer.
func (c *call) wholeFault(d Fault) {
	if d.Action == ActionFault {
		c.writeFault(d.failure())
		return
	}
	writeWhole(c.w, d)
}

// writePage answers as a proxy or a sign-in page does.
func writePage(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if status > 0 {
		w.WriteHeader(status)
	}
	io.WriteString(w, "<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body><form>Sign in</form></body></html>\n")
}

// log says what became of a call; the mailbox by its GUID only.
func (c *call) log(message string, args ...any) {
	guid := ""
	if c.mailbox != nil {
		guid = c.mailbox.GUID()
	}
	c.server.options.Log.Info(message, append([]any{"operation", c.operation(), "mailbox", guid}, args...)...)
}
