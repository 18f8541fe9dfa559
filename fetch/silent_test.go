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

// poisoned is a network in front of a server that falls over some items: a request for one of them has the answer of somebody
// in between, or none.
type poisoned struct {
	via    http.RoundTripper // http.DefaultTransport if nil
	takes  time.Duration     // until that answer
	status int               // 0: none
	fault  string            // of SOAP, with the status
	mu     sync.Mutex        // guards items
	items  []string          // the first that are asked for, as many as left says
	left   int
}

func (p *poisoned) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		return p.pass(r)
	}
	defer r.Body.Close() // whatever comes of it, as a RoundTripper promises
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if p.spoils(b) {
		time.Sleep(p.takes)
		return p.answer(r)
	}
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(b))
	return p.pass(r)
}

func (p *poisoned) pass(r *http.Request) (*http.Response, error) {
	if p.via == nil {
		return http.DefaultTransport.RoundTrip(r)
	}
	return p.via.RoundTrip(r)
}

func (p *poisoned) answer(r *http.Request) (*http.Response, error) {
	if p.status == 0 {
		return nil, errors.New("connection reset by peer")
	}
	resp := &http.Response{StatusCode: p.status, Request: r, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{"Content-Type": {"text/html"}}, Body: http.NoBody}
	switch graph := strings.Contains(r.URL.Path, exchangetest.GraphPath); {
	case p.fault != "" && graph:
		resp.Header.Set("Content-Type", "application/json")
		resp.Body = io.NopCloser(strings.NewReader(`{"error":{"code":"` + p.fault + `","message":"no"}}`))
	case p.fault != "":
		resp.Header.Set("Content-Type", "text/xml; charset=utf-8")
		resp.Body = io.NopCloser(strings.NewReader(`<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault><faultcode>s:Server</faultcode><faultstring>no</faultstring>` +
			`<detail><e:ResponseCode xmlns:e="http://schemas.microsoft.com/exchange/services/2006/errors">` + p.fault + `</e:ResponseCode></detail></s:Fault></s:Body></s:Envelope>`))
	}
	return resp, nil
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
		for how, p := range map[string]struct {
			status       int
			fault, cause string
		}{
			"reset":         {0, "", "connection reset"},
			"bad gateway":   {502, "", "HTTP 502"},
			"gateway tired": {504, "", "HTTP 504"},
			"store tired":   {500, "ErrorTimeoutExpired", "ErrorTimeoutExpired"},
			"passing":       {500, "ErrorInternalServerTransientError", "ErrorInternalServerTransientError"},
		} {
			t.Run(name+" "+how, func(t *testing.T) {
				t.Parallel()
				_, url := serve(t, 45)
				b, via := newBench(t), &poisoned{left: 1, status: p.status, fault: p.fault}
				r, err := b.runOf(source(t, url, via), fetch.Options{Exports: 4})
				if err != nil || r.Exported != 44 || len(r.Failures) != 1 || !strings.Contains(r.Failures[0].Cause, p.cause) {
					t.Errorf("one: %d exported, failed %v, %v", r.Exported, r.Failures, err)
				}
				if r, err = b.runOf(source(t, url, http.DefaultTransport), fetch.Options{}); err != nil || !r.Complete || r.Exported != 1 {
					t.Errorf("the next run: %+v, %v", r, err)
				}
				via = &poisoned{left: 45, status: p.status, fault: p.fault}
				if r, err := newBench(t).runOf(source(t, url, via), fetch.Options{}); err == nil || len(r.Failures) != 0 {
					t.Errorf("a server that is down: %+v", r)
				}
			})
		}
	}
}

// TestHeavyItemBehindAProxy: one item for which a proxy's patience is too short is found out and left to the next run, long
// before the client's patience ends.
func TestHeavyItemBehindAProxy(t *testing.T) {
	if inItsOwn(t) {
		return
	}
	for _, status := range []int{http.StatusBadGateway, http.StatusGatewayTimeout} {
		c := campaign{mailboxes: 1, items: 300, parallel: 1, exports: 4, policy: exchangetest.StandardPolicy(), failed: 1}
		c.between = func(via http.RoundTripper) http.RoundTripper {
			return &poisoned{via: via, left: 1, status: status, takes: time.Minute}
		}
		if o := c.run(t); o.took > 20*time.Minute {
			t.Errorf("%d: %v", status, o.took)
		} else {
			t.Logf("%d: %v", status, o.took)
		}
	}
}
