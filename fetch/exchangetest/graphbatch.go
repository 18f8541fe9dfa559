package exchangetest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

const (
	maxBatch       = 20
	maxBatchAnswer = 4 << 20 // of one part; what is more does not belong into a batch
)

// batchPart is one request of a batch.
type batchPart struct {
	ID        string            `json:"id"`
	Method    string            `json:"method"`
	URL       string            `json:"url"`
	Headers   map[string]string `json:"headers"`
	Body      json.RawMessage   `json:"body"`
	DependsOn []string          `json:"dependsOn"`
}

// batch answers requests that came in one, each for itself and one after the other.
func (c *graphCall) batch() *failure {
	parts, f := c.readBatch()
	if f != nil {
		return f
	}
	failed := map[string]bool{}
	answers := make([]object, 0, len(parts))
	for _, p := range parts {
		a := &recorder{header: http.Header{}, status: http.StatusOK}
		if slices.ContainsFunc(p.DependsOn, func(id string) bool { return failed[id] }) {
			a.status = http.StatusFailedDependency
		} else {
			c.server.serveGraph(a, c.part(p), c.server.requestID())
		}
		failed[p.ID] = a.status >= 400
		answers = append(answers, a.answer(p.ID))
	}
	return c.answer(http.StatusOK, object{{"responses", answers}})
}

func (c *graphCall) readBatch() ([]batchPart, *failure) {
	o, f := c.readJSON("requests")
	if f != nil {
		return nil, f
	}
	d := json.NewDecoder(bytes.NewReader(o["requests"]))
	d.DisallowUnknownFields()
	var parts []batchPart
	if d.Decode(&parts) != nil || len(parts) == 0 {
		return nil, fail("BadRequest").say("Invalid batch payload format.")
	}
	if len(parts) > maxBatch {
		return nil, fail("BadRequest").say("Number of batch request steps exceeds the maximum value of 20.")
	}
	seen := map[string]bool{}
	for _, p := range parts {
		unknown := slices.ContainsFunc(p.DependsOn, func(id string) bool { return !seen[id] })
		if p.ID == "" || seen[p.ID] || unknown || !strings.HasPrefix(p.URL, "/") || strings.HasPrefix(p.URL, "/$batch") {
			return nil, fail("BadRequest").say("Invalid batch payload format.")
		}
		if _, err := http.NewRequest(p.Method, c.base()+p.URL, nil); err != nil {
			return nil, fail("BadRequest").say("Invalid batch payload format.")
		}
		seen[p.ID] = true
	}
	return parts, nil
}

// part makes a request of a part: the token is that of the batch.
func (c *graphCall) part(p batchPart) *http.Request {
	r, _ := http.NewRequestWithContext(c.r.Context(), p.Method, c.base()+p.URL, bytes.NewReader(p.Body)) // tried when it was read
	r.RequestURI = r.URL.RequestURI()
	r.RemoteAddr = c.r.RemoteAddr
	for name, value := range p.Headers {
		r.Header.Set(name, value)
	}
	r.Header.Set("Authorization", c.r.Header.Get("Authorization"))
	return r
}

// recorder keeps an answer.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *recorder) Header() http.Header { return a.header }

func (a *recorder) WriteHeader(status int) { a.status = status }

// Flush lets an answer be written as one that goes out in pieces.
func (a *recorder) Flush() {}

func (a *recorder) Write(p []byte) (int, error) {
	if a.body.Len()+len(p) > maxBatchAnswer {
		return 0, http.ErrContentLength
	}
	return a.body.Write(p)
}

func (a *recorder) answer(id string) object {
	headers := object{}
	for _, name := range []string{"Content-Type", "Location", "Retry-After"} {
		if v := a.header.Get(name); v != "" {
			headers = append(headers, member{name, v})
		}
	}
	o := object{{"id", id}, {"status", a.status}, {"headers", headers}}
	if json.Valid(a.body.Bytes()) {
		o = append(o, member{"body", json.RawMessage(a.body.Bytes())})
	}
	return o
}
