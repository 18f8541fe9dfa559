package fetch_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mailbrick/fetch"
	"mailbrick/fetch/ews"
	"mailbrick/fetch/exchangetest"
)

// poisoned is a network in front of a server that falls over some items: no answer comes to a request for one of them.
type poisoned struct {
	mu    sync.Mutex // guards items
	items []string   // the first that are asked for, as many as left says
	left  int
}

func (p *poisoned) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		return http.DefaultTransport.RoundTrip(r)
	}
	defer r.Body.Close() // whatever comes of it, as a RoundTripper promises
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if p.spoils(b) {
		return nil, errors.New("connection reset by peer")
	}
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(b))
	return http.DefaultTransport.RoundTrip(r)
}

func (p *poisoned) spoils(body []byte) bool {
	var ids []string
	var asked struct{ ItemIDs []string }
	if json.Unmarshal(body, &asked) == nil {
		ids = asked.ItemIDs
	} else if bytes.Contains(body, []byte("ExportItems")) {
		for _, part := range bytes.Split(body, []byte(`ItemId Id="`))[1:] {
			id, _, _ := bytes.Cut(part, []byte(`"`))
			ids = append(ids, string(id))
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range ids {
		if p.left > 0 && !slices.Contains(p.items, id) {
			p.items, p.left = append(p.items, id), p.left-1
		}
	}
	return slices.ContainsFunc(ids, func(id string) bool { return slices.Contains(p.items, id) })
}

// TestItemOverWhichTheServerFallsSilent: it is left to the next run, and the others come. Where many do, the server is down.
func TestItemOverWhichTheServerFallsSilent(t *testing.T) {
	t.Parallel()
	for name, source := range map[string]func(t *testing.T, url string, via http.RoundTripper) fetch.Source{
		"EWS": func(t *testing.T, url string, via http.RoundTripper) fetch.Source {
			c, err := ews.New(ews.Options{URL: url + exchangetest.Path, User: "backup", Password: "secret", Impersonate: testAddress,
				HTTP: &http.Client{Transport: via}, Sleep: func(context.Context, time.Duration) error { return nil }})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(c.Close)
			return fetch.EWS(c, fetch.EWSScope{})
		},
		"Graph": func(t *testing.T, url string, via http.RoundTripper) fetch.Source {
			return fetch.Graph(graphClient(t, url, via), fetch.GraphScope{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, url := serve(t, 45)
			b := newBench(t)
			r, err := b.runOf(source(t, url, &poisoned{left: 1}), fetch.Options{Exports: 4})
			if err != nil || r.Exported != 44 || len(r.Failures) != 1 || !strings.Contains(r.Failures[0].Cause, "connection reset") {
				t.Errorf("one: %d exported, failed %v, %v", r.Exported, r.Failures, err)
			}
			if r, err = b.runOf(source(t, url, http.DefaultTransport), fetch.Options{}); err != nil || !r.Complete || r.Exported != 1 {
				t.Errorf("the next run: %+v, %v", r, err)
			}
			if r, err := newBench(t).runOf(source(t, url, &poisoned{left: 45}), fetch.Options{}); err == nil || len(r.Failures) != 0 {
				t.Errorf("a server that is down: %+v", r)
			}
		})
	}
}
