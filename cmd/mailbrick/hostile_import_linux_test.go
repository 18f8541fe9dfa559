package main

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"mailbrick/fetch/exchangetest"
)

// imports is a Graph that gives hostile places for imports, or is one.
type imports struct {
	exchange http.Handler
	session  string // the answer that names the place; "": a good one, at this server
	at       func(w http.ResponseWriter, r *http.Request)

	sessions, brought atomic.Int64
}

// importSecret is what the place for imports lets everybody in with.
const importSecret = "eyJhbGciOiJub25lIn0.hunter2hunter2"

func (s *imports) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasSuffix(r.URL.Path, "/createImportSession"):
		s.sessions.Add(1)
		w.Header().Set("Content-Type", "application/json")
		session := s.session
		if session == "" {
			session = `{"importUrl":"http://{HERE}/bring?authtoken={SECRET}","expirationDateTime":"9999-12-31T23:59:59Z"}`
		}
		strings.NewReplacer("{HERE}", r.Host, "{SECRET}", importSecret).WriteString(w, session)
	case r.URL.Path == "/bring":
		s.brought.Add(1)
		if r.Header.Get("Authorization") != "" {
			s.brought.Add(1 << 20)
		}
		s.at(w, r)
	default:
		s.exchange.ServeHTTP(w, r)
	}
}

// TestHostileImports restores by Graph where the server leads imports astray: no byte of an item and no token goes to anybody else, the
// place for imports is not told, and the run ends, soon, with a reason.
func TestHostileImports(t *testing.T) {
	t.Parallel()
	l := newTrial(t, exchangetest.Options{})
	words := l.signedIn("ews", l.serve(l.exchange), "--password-file", l.password)
	identity := filepath.Join(l.work, "identity")
	for _, words := range [][]string{words("backup", "--no-index", "-m", "ann@contoso.example"),
		{"key", "add", "--archive", l.archive, "--password-file", l.password, "--name", "machine", "--host-identity", identity}} {
		if code, text := l.mailbrick(words...); code != 0 {
			t.Fatal(text)
		}
	}
	place := func(url string) string {
		return `{"importUrl":"` + url + `","expirationDateTime":"9999-12-31T23:59:59Z"}`
	}
	here := func(status int, header, body string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			name, value, _ := strings.Cut(header, ": ")
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set(name, strings.ReplaceAll(value, "{SECRET}", importSecret))
			w.WriteHeader(status)
			io.WriteString(w, strings.ReplaceAll(body, "{SECRET}", importSecret))
		}
	}
	graph := &hostile{attack: attack{by: "graph"}}
	const another, hidden = "another place", "?authtoken={SECRET}"
	for name, row := range map[string]struct {
		session string
		at      func(w http.ResponseWriter, r *http.Request)
		said    string
		most    int64 // imports that are sent
	}{
		"another host":                   {place("https://evil.example/import" + hidden), nil, another, 0},
		"a host that looks alike":        {place("https://outlook.office365.com.evil.example/" + hidden), nil, another, 0},
		"a host that ends alike":         {place("https://eviloutlook.com/" + hidden), nil, another, 0},
		"plain http":                     {place("http://outlook.office365.com/" + hidden), nil, another, 0},
		"another scheme":                 {place("file://outlook.office365.com/" + hidden), nil, another, 0},
		"who signs in":                   {place("https://outlook.office365.com@evil.example/" + hidden), nil, another, 0},
		"what only looks like it":        {place(`https://evil.example#.outlook.office365.com/` + hidden), nil, another, 0},
		"what some take for it":          {place(`https://evil.example\\.outlook.office365.com/` + hidden), nil, another, 0},
		"a host that is called so":       {place("https://{SECRET}.evil.example/"), nil, another, 0},
		"none":                           {`{"expirationDateTime":"9999-12-31T23:59:59Z"}`, nil, "no import URL", 0},
		"a long one":                     {place("https://outlook.office365.com/" + strings.Repeat("a", 40<<10) + hidden), nil, "cannot be read", 0},
		"a redirect":                     {"", here(307, "Location: https://evil.example/"+hidden, ""), "HTTP 307", 1},
		"a redirect that moves for good": {"", here(308, "Location: https://outlook.office365.com/"+hidden, ""), "HTTP 308", 1},
		"a refusal, for ever":            {"", here(401, "WWW-Authenticate: Bearer", ""), "HTTP 401", 2},
		"its own address back":           {"", here(400, "A: b", `{"error":{"code":"ErrorItemCorrupt","message":"POST https://outlook.office365.com/`+hidden+` {SECRET} \u001b[31m"}}`), "ErrorItemCorrupt", 1},
		"its own address as a code":      {"", here(400, "A: b", `{"error":{"code":"{SECRET}","message":"no"}}`), "HTTP 400", 1},
		"an endless refusal": {"", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(400)
			endless(`{"error":{"message":"`, "a")(graph, w, r)
		}, "HTTP 400", 1},
		"an endless answer":         {"", func(w http.ResponseWriter, r *http.Request) { endless(`{"itemId":"`, "a")(graph, w, r) }, "not known", 3},
		"a bomb":                    {"", func(w http.ResponseWriter, r *http.Request) { packed("", " ")(graph, w, r) }, "not known", 3},
		"an answer without an item": {"", here(200, "A: b", "{}"), "not known", 3},
		"a page":                    {"", here(200, "Content-Type: text/html", "<html>Sign in"), "not from|not known", 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			into := strings.ReplaceAll(strings.ReplaceAll(name, " ", "."), ",", "") + "@contoso.example"
			l.exchange.AddMailbox(into)
			own := *l
			own.t, own.archive = t, filepath.Join(l.work, into)
			if err := os.CopyFS(own.archive, os.DirFS(l.archive)); err != nil {
				t.Fatal(err)
			}
			elsewhere := new(proxy)
			away := own.serve(elsewhere)
			server := &imports{exchange: l.exchange, session: row.session, at: row.at}
			words := own.signedIn("graph", own.serve(server), "--identity", identity)("restore", "--verbose", "--json", "--mailbox", "ann@contoso.example", "--folder", "Sent Items", "--to-mailbox", into)
			text, peak := own.apart([]string{"HTTPS_PROXY=" + away, "HTTP_PROXY=" + away}, words...)
			if asked := elsewhere.all(); len(asked) > 0 || server.sessions.Load() == 0 || server.sessions.Load() > 12 || server.brought.Load() > row.most || (row.most > 0) != (server.brought.Load() > 0) {
				t.Errorf("%d sessions, %d imports, elsewhere %v", server.sessions.Load(), server.brought.Load(), asked)
			}
			for _, secret := range []string{"hunter2", "authtoken", "eyJ", "the secret", "\x1b", "\\u001b", "goroutine ", "panic"} {
				if i := strings.Index(text, secret); i >= 0 {
					t.Errorf("%q is said: %.300s", secret, text[max(0, i-200):])
				}
			}
			if said := strings.Split(row.said, "|"); !containsAny(text, said) || strings.Contains(text, `"restored"`) || peak > 150<<20 && !raced() {
				t.Errorf("%d MiB: %s", peak>>20, text)
			}
			t.Logf("%d sessions, %d imports: %.500s", server.sessions.Load(), server.brought.Load(), text)
		})
	}
}

func containsAny(text string, words []string) bool {
	for _, w := range words {
		if strings.Contains(text, w) {
			return true
		}
	}
	return false
}
