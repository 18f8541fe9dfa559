package ews

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeTime is a clock that only moves when somebody sleeps.
type fakeTime struct {
	mu    sync.Mutex
	now   time.Time
	slept []time.Duration
}

func (f *fakeTime) Now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

func (f *fakeTime) Sleep(ctx context.Context, d time.Duration) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(d)
	f.slept = append(f.slept, d)
	return ctx.Err()
}

func (f *fakeTime) total() (d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.slept {
		d += s
	}
	return d
}

// still is randomness that spreads no waits.
type still struct{}

func (still) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func spreadNothing(o *Options) { o.Rand = still{} }

// reply is one canned answer.
type reply struct {
	status int // 0: 200
	header map[string]string
	body   string
	cut    bool // the connection is cut after the body
}

// server gives canned answers in order, the last one for ever, and keeps what it was asked.
type server struct {
	*httptest.Server
	mu       sync.Mutex
	replies  []reply
	requests []request
}

type request struct {
	http.Header
	op, body, from string
	length         int64
}

var operationName = regexp.MustCompile(`<soap:Body><m:(\w+)`)

func newServer(t *testing.T, replies ...reply) *server {
	t.Helper()
	s := &server{replies: replies}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	req := request{Header: r.Header, body: string(b), length: r.ContentLength, from: r.RemoteAddr}
	if m := operationName.FindStringSubmatch(req.body); m != nil {
		req.op = m[1]
	}
	s.mu.Lock()
	s.requests = append(s.requests, req)
	rep := s.replies[0]
	if len(s.replies) > 1 {
		s.replies = s.replies[1:]
	}
	s.mu.Unlock()
	rep.write(w)
}

func (rep reply) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	for k, v := range rep.header {
		w.Header().Set(k, v)
	}
	if rep.status == 0 {
		rep.status = 200
	}
	w.WriteHeader(rep.status)
	io.WriteString(w, rep.body)
	if rep.cut {
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
}

func (s *server) asked() []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

func newTestClient(t *testing.T, s *server, change func(*Options)) (*Client, *fakeTime) {
	t.Helper()
	clock := &fakeTime{now: time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)}
	o := Options{URL: s.URL, User: "backup", Password: "secret-word", Clock: clock.Now, Sleep: clock.Sleep}
	if change != nil {
		change(&o)
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, clock
}

const envelopeHead = `<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">` +
	`<s:Header><h:ServerVersionInfo MajorVersion="15" MinorVersion="2" Version="V2017_07_11" xmlns:h="http://schemas.microsoft.com/exchange/services/2006/types"/></s:Header><s:Body>`

// envelope is the answer to op with the given response messages.
func envelope(op string, messages ...string) string {
	return envelopeHead + `<m:` + op + `Response xmlns:m="` + nsMessages + `" xmlns:t="` + nsTypes + `"><m:ResponseMessages>` +
		strings.Join(messages, "") + `</m:ResponseMessages></m:` + op + `Response></s:Body></s:Envelope>`
}

func success(op, content string) string {
	return `<m:` + op + `ResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode>` + content + `</m:` + op + `ResponseMessage>`
}

func failure(op, code string, values ...string) string {
	var xml strings.Builder
	for i := 0; i+1 < len(values); i += 2 {
		fmt.Fprintf(&xml, `<t:Value Name="%s">%s</t:Value>`, values[i], values[i+1])
	}
	return `<m:` + op + `ResponseMessage ResponseClass="Error"><m:MessageText>It failed for someone@else.example.</m:MessageText><m:ResponseCode>` + code +
		`</m:ResponseCode><m:DescriptiveLinkKey>0</m:DescriptiveLinkKey><m:MessageXml>` + xml.String() + `</m:MessageXml></m:` + op + `ResponseMessage>`
}

// fault is a SOAP fault as Exchange writes it (reference A.12).
func fault(code, messageXML string) reply {
	return reply{status: 500, body: `<?xml version="1.0" encoding="utf-8"?>
<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">
  <s:Body>
    <s:Fault>
      <faultcode xmlns:a="http://schemas.microsoft.com/exchange/services/2006/types">a:` + code + `</faultcode>
      <faultstring xml:lang="en-US">It cannot be done.</faultstring>
      <detail>
        <e:ResponseCode xmlns:e="http://schemas.microsoft.com/exchange/services/2006/errors">
          ` + code + `
        </e:ResponseCode>
        <e:Message xmlns:e="http://schemas.microsoft.com/exchange/services/2006/errors">It cannot be done.</e:Message>
        <t:MessageXml xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types">` + messageXML + `</t:MessageXml>
      </detail>
    </s:Fault>
  </s:Body>
</s:Envelope>`}
}

func busy(ms string) reply {
	return fault("ErrorServerBusy", `<t:Value Name="BackOffMilliseconds">`+ms+`</t:Value>`)
}

// inbox is an answer to GetFolder for one folder.
var inbox = reply{body: envelope("GetFolder", success("GetFolder", `<m:Folders><t:Folder><t:FolderId Id="inbox-id" ChangeKey="k1"/></t:Folder></m:Folders>`))}

func getInbox(c *Client) error {
	f, err := c.GetFolders(context.Background(), FolderRef{Distinguished: "inbox"})
	if err == nil && (len(f) != 1 || f[0].ID != "inbox-id") {
		return fmt.Errorf("wrong folders: %+v", f)
	}
	return err
}

func asError(t *testing.T, err error) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("%v (%T) is no *Error", err, err)
	}
	return e
}
