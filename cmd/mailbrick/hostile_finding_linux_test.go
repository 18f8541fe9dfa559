package main

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"mailbrick/fetch/exchangetest"
)

// finding is what a server says that is asked where a mailbox is: by the newer service, which wants no credentials, and the older,
// which has them. "{HERE}" is its host, "{SENT}" what it was sent to sign in.
type finding struct {
	name      string
	json, pox string // an answer; "30x " and a place is a redirect, "" is nobody
	endless   string // what follows the answer for as long as somebody reads
	said      string
}

// findings are all there are.
func findings() []finding {
	const pox = `<?xml version="1.0"?><Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"><Response xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"><Account>`
	const action, address = `<Action>redirectUrl</Action><RedirectUrl>`, `<Action>redirectAddr</Action><RedirectAddr>`
	ews := func(url string) string {
		return pox + "<Protocol><Type>EXPR</Type><EwsUrl>" + url + "</EwsUrl></Protocol></Account></Response></Autodiscover>"
	}
	return []finding{
		{name: "json of another host", json: `{"Protocol":"EWS","Url":"https://evil.example/EWS/Exchange.asmx?token=hidden"}`, said: "which is not of"},
		{name: "json of a host that looks alike", json: `{"Protocol":"EWS","Url":"https://evil{DOMAIN}/EWS/Exchange.asmx"}`, said: "which is not of"},
		{name: "json by plain http", json: `{"Protocol":"EWS","Url":"http://{HERE}/EWS/Exchange.asmx"}`, said: "not https"},
		{name: "json by who signs in", json: `{"Protocol":"EWS","Url":"https://{HERE}@evil.example/"}`, said: "not https"},
		{name: "json that is none", json: `<html>`, said: "knows nothing"},
		{name: "json that nests", json: " ", endless: `{"a":[`, said: "longer than"},
		{name: "json without end", json: `{"Url":"`, endless: "aaaa", said: "longer than"},
		{name: "json of blanks", json: " ", endless: "    ", said: "longer than"},
		{name: "json that leads away", json: "302 https://evil.example/autodiscover/autodiscover.json?token=hidden", said: "which is not of"},
		{name: "json that leads to plain http", json: "302 http://{HERE}/autodiscover", said: "not to https"},
		{name: "json that leads to itself", json: "302 /autodiscover/autodiscover.json/v1.0/", said: "go round"},
		{name: "json that leads on and on", json: "302 /autodiscover/autodiscover.json/{N}", said: "go round"},
		{name: "json that leads to a file", json: "302 file:///etc/passwd", said: "not to https"},
		{name: "json that leads nowhere", json: "302 https://", said: "not to https|nowhere"},
		{name: "a code of escapes", json: `{"ErrorCode":"\u001b[31m\u009b","ErrorMessage":"x"}`, said: "knows nothing"},

		{name: "xml of another host", pox: ews("https://evil.example/EWS/Exchange.asmx"), said: "which is not of"},
		{name: "xml by plain http", pox: ews("http://{HERE}/EWS/Exchange.asmx"), said: "not https"},
		{name: "xml of a host of the credentials", pox: ews("https://{SENT}.evil.example/EWS/Exchange.asmx"), said: "which is not of"},
		{name: "xml that leads to a host of the credentials", pox: "302 https://{SENT}.evil.example/", said: "which is not of"},
		{name: "a code of the credentials", pox: pox + `</Account><Error><ErrorCode>{SENT}</ErrorCode></Error></Response></Autodiscover>`, said: "knows nothing"},
		{name: "an entity bomb", pox: `<!DOCTYPE b [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY x SYSTEM "https://evil.example/x">]>` + ews("&b;&x;"), said: "knows nothing"},
		{name: "xml that nests", pox: pox, endless: "<a>", said: "longer than"},
		{name: "protocols without end", pox: pox, endless: "<Protocol><Type>EXPR</Type></Protocol>", said: "longer than"},
		{name: "text without end", pox: pox + "<Action>", endless: "aaaa", said: "longer than"},
		{name: "attributes without end", pox: pox + "<a ", endless: `b="c" `, said: "longer than"},
		{name: "xml that leads away", pox: pox + action + "https://evil.example/autodiscover/autodiscover.xml</RedirectUrl></Account></Response></Autodiscover>", said: "which is not of"},
		{name: "xml that leads to plain http", pox: pox + action + "http://{HERE}/autodiscover/autodiscover.xml</RedirectUrl></Account></Response></Autodiscover>", said: "not to https"},
		{name: "xml that leads on and on", pox: pox + action + "https://{HERE}/autodiscover/{N}.xml</RedirectUrl></Account></Response></Autodiscover>", said: "go round"},
		{name: "an address elsewhere", pox: pox + address + "ann@evil.example</RedirectAddr></Account></Response></Autodiscover>", said: "which is not of"},
		{name: "addresses on and on", pox: pox + address + "ann{N}@{DOMAIN}</RedirectAddr></Account></Response></Autodiscover>", said: "go round"},
		{name: "no address", pox: pox + address + "ann</RedirectAddr></Account></Response></Autodiscover>", said: "no address"},
		{name: "xml that never lets in", pox: "401 ", said: "refuses the credentials"},
		{name: "xml that unpacks without end", pox: "gzip", said: "longer than|knows nothing"},
	}
}

// finder is the server of many domains, each of which does one of the findings.
type finder struct {
	domains map[string]finding

	mu     sync.Mutex
	n      int
	signed map[string]int // requests with credentials, by host
}

func (f *finder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host := strings.TrimSuffix(r.Host, ":443")
	domain := strings.TrimPrefix(host, "autodiscover.")
	does, kind, answer := f.domains[domain], "application/json", f.domains[domain].json
	_, sent, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	f.mu.Lock()
	f.n++
	if sent != "" {
		f.signed[host]++
	}
	names := strings.NewReplacer("{HERE}", host, "{DOMAIN}", domain, "{SENT}", strings.TrimRight(sent, "="), "{N}", fmt.Sprint(f.n))
	f.mu.Unlock()
	if r.Method == http.MethodPost {
		kind, answer = "text/xml", does.pox
		if sent == "" && does.pox != "" {
			w.Header().Set("WWW-Authenticate", "Basic")
			answer = "401 "
		}
	}
	if answer == "" {
		answer = "404 "
	}
	answer = names.Replace(answer)
	w.Header().Set("Content-Type", kind)
	if answer == "gzip" {
		w.Header().Set("Content-Encoding", "gzip")
		packed("", " ")(&hostile{attack: attack{by: "ews"}}, w, r)
		return
	}
	var status int
	var place string
	if n, _ := fmt.Sscanf(answer, "%3d %s", &status, &place); n > 0 {
		w.Header().Set("Location", place)
		w.WriteHeader(status)
		return
	}
	_, err := io.WriteString(w, answer)
	for piece := strings.Repeat(does.endless, 1000); does.endless != "" && err == nil; {
		_, err = io.WriteString(w, piece)
	}
}

// TestHostileAutodiscover looks for many mailboxes, each in a domain whose servers lead astray: each is said to have failed, with the
// reason, nobody of another domain is asked, and nothing goes by plain http but a question where to go.
func TestHostileAutodiscover(t *testing.T) {
	t.Parallel()
	r := newTrial(t, exchangetest.Options{})
	f := &finder{domains: map[string]finding{}, signed: map[string]int{}}
	var hosts, words []string
	p := &proxy{places: map[string]string{}}
	for i, does := range findings() {
		domain := fmt.Sprintf("d%d.example", i)
		f.domains[domain] = does
		hosts = append(hosts, domain, "autodiscover."+domain)
		words = append(words, "-m", "ann@"+domain)
	}
	certificate, roots := r.certificateFor(hosts...)
	server := httptest.NewUnstartedServer(f)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	for _, host := range hosts {
		p.places[host+":443"] = server.Listener.Addr().String()
	}
	via := r.serve(p)
	text, peak := r.apart([]string{"HTTPS_PROXY=" + via, "HTTP_PROXY=" + via, "SSL_CERT_FILE=" + roots, "SSL_CERT_DIR=" + filepath.Dir(roots) + "/none"},
		append([]string{"backup", "--archive", r.archive, "--password-file", r.password, "--ews", "autodiscover", "--user", "keeper",
			"--user-password-file", r.file("keeper", "hunter2hunter2!"), "--impersonate", "--json", "--no-index", "--parallel", "64"}, words...)...)
	if t.Logf("%d MiB of memory", peak>>20); peak > 200<<20 && !raced() {
		t.Errorf("%d MiB of memory", peak>>20)
	}
	for _, secret := range []string{"hunter2", "a2VlcGVyOmh1bnRlcjJodW50ZXIyIQ", "token=", "\x1b", "\u009b", "goroutine ", "panic"} {
		if i := strings.Index(text, secret); i >= 0 {
			t.Errorf("%q is said: %.300s", secret, text[max(0, i-200):])
		}
	}
	for domain, does := range f.domains {
		_, rest, _ := strings.Cut(text, `{"mailbox":"ann@`+domain+`"`)
		rest, _, _ = strings.Cut(rest, "\n")
		var line backupLine
		if err := json.Unmarshal([]byte(`{"mailbox":"ann@`+domain+`"`+rest), &line); err != nil || line.Complete || !regexp.MustCompile(does.said).MatchString(line.Error) {
			t.Errorf("%s: %q, want %s; %v", does.name, line.Error, does.said, err)
		}
		if n := f.signed[domain] + f.signed["autodiscover."+domain]; (n > 0) != (does.pox != "") || n > 15 {
			t.Errorf("%s: %d requests with credentials", does.name, n)
		}
		t.Logf("%s: %s", does.name, line.Error)
	}
	for _, place := range p.all() {
		method, host, _ := strings.Cut(place, " ")
		name, port, _ := strings.Cut(host, ":")
		domain := strings.TrimPrefix(name, "autodiscover.")
		if _, ours := f.domains[domain]; !ours || method == "CONNECT" && port != "443" || method != "CONNECT" && (method != "GET" || name == domain) {
			t.Error("asked for", place)
		}
	}
}
