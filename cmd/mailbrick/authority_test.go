package main

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"mailbrick/fetch/exchangetest"
)

// TestHostileAuthorities: what an authority does instead of giving a token costs a short time and little memory, leads the secret
// nowhere else, and is said with a hint.
func TestHostileAuthorities(t *testing.T) {
	t.Parallel()
	r := newTrial(t, exchangetest.Options{})
	var elsewhere, asked atomic.Int64
	foreign := r.serve(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	server := r.serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(http.StatusForbidden)
	}))
	for name, row := range map[string]struct {
		status     int
		body, said string
		header     string // "" none
	}{
		"a page":             {200, "<html>hunter2hunter2", "gives no tokens", ""},
		"deep nesting":       {200, strings.Repeat("[", 1<<19), "gives no tokens", ""},
		"endless":            {200, `{"access_token":"` + strings.Repeat("x", 4<<20), "gives no tokens", ""},
		"redirect":           {307, "", "HTTP 307", ""},
		"redirect for good":  {308, "", "HTTP 308", ""},
		"the secret back":    {400, `{"error":"invalid_client","error_description":"hunter2hunter2 is \u001b[31m wrong."}`, "(secret)", ""},
		"a token of lines":   {200, `{"token_type":"Bearer","expires_in":3600,"access_token":"a\r\nX-Evil: b"}`, "none that can be sent", ""},
		"an enormous time":   {200, `{"token_type":"Bearer","expires_in":1e400,"access_token":"a"}`, "sign in at", ""},
		"another kind":       {200, `{"token_type":["Bearer"],"expires_in":{},"access_token":[]}`, "sign in at", ""},
		"keys twice, no one": {200, `{"access_token":"a","access_token":""}`, "sign in at", ""},
		"not a Bearer":       {200, `{"token_type":"mac","expires_in":3600,"access_token":"a"}`, "of a kind that is not known", ""},
		"two kinds":          {200, `{"token_type":"Bearer","token_type":"pop","expires_in":3600,"access_token":"a"}`, "of a kind that is not known", ""},
		"a bomb":             {200, zip(strings.Repeat(" ", 100<<20)), "gives no tokens", "Content-Encoding: gzip"},
		"a pause of ages":    {503, "", "pause of 24h", "Retry-After: 31556952000000"},
		"and one of more":    {429, "", "pause of 24h", "Retry-After: 99999999999999999999999999"},
	} {
		authority := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Location", foreign+"/oauth2/v2.0/token")
			if name, value, _ := strings.Cut(row.header, ": "); name != "" {
				w.Header().Set(name, value)
			}
			w.WriteHeader(row.status)
			_, _ = w.Write([]byte(row.body)) // a client that has enough goes
		}))
		for _, by := range []string{"--graph", "--ews"} {
			words := []string{by, server + map[string]string{"--graph": "/v1.0", "--ews": exchangetest.Path}[by], "--authority", authority.URL + "/t", "--client-id", "app",
				"--client-secret-file", r.file("app-secret", "hunter2hunter2"), "-m", "ann@contoso.example"}
			if by == "--ews" {
				words = append(words, "--auth", "oauth")
			}
			code, text := r.on("backup", words...)
			if code != 1 || !strings.Contains(text, row.said) || strings.Contains(text, "hunter2") || strings.Contains(text, "\x1b") || !strings.Contains(text, "ann@contoso.example") {
				t.Errorf("%s, %s: exit code %d: %s", name, by, code, text)
			}
		}
		authority.Close()
	}
	if elsewhere.Load() != 0 || asked.Load() != 0 {
		t.Errorf("%d requests elsewhere, %d to the server without a token", elsewhere.Load(), asked.Load())
	}
}

// zip packs a text.
func zip(text string) string {
	var b strings.Builder
	z := gzip.NewWriter(&b)
	io.WriteString(z, text)
	z.Close()
	return b.String()
}
