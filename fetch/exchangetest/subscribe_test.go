package exchangetest_test

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"mailbrick/fetch/exchangetest"
)

const eventTypes = `<t:EventTypes><t:EventType>NewMailEvent</t:EventType><t:EventType>CreatedEvent</t:EventType><t:EventType>DeletedEvent</t:EventType>` +
	`<t:EventType>ModifiedEvent</t:EventType><t:EventType>MovedEvent</t:EventType></t:EventTypes>`

const (
	pullAll   = `<m:Subscribe><m:PullSubscriptionRequest SubscribeToAllFolders="true">` + eventTypes + `<t:Timeout>10</t:Timeout></m:PullSubscriptionRequest></m:Subscribe>`
	streamAll = `<m:Subscribe><m:StreamingSubscriptionRequest SubscribeToAllFolders="true">` + eventTypes + `</m:StreamingSubscriptionRequest></m:Subscribe>`
)

func getEvents(id, watermark string) string {
	return `<m:GetEvents><m:SubscriptionId>` + id + `</m:SubscriptionId><m:Watermark>` + watermark + `</m:Watermark></m:GetEvents>`
}

func unsubscribe(id string) string {
	return `<m:Unsubscribe><m:SubscriptionId>` + id + `</m:SubscriptionId></m:Unsubscribe>`
}

func streaming(ids ...string) string {
	var list strings.Builder
	for _, id := range ids {
		list.WriteString(`<t:SubscriptionId>` + id + `</t:SubscriptionId>`)
	}
	return `<m:GetStreamingEvents><m:SubscriptionIds>` + list.String() + `</m:SubscriptionIds><m:ConnectionTimeout>1</m:ConnectionTimeout></m:GetStreamingEvents>`
}

func TestPull(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	c := newClient(t, exchangetest.Options{Clock: func() time.Time { return now }})
	root := c.ok(c.do(pullAll))
	id, watermark := root.FindElement("//SubscriptionId").Text(), root.FindElement("//Watermark").Text()
	pull := func() (events []string) {
		n := c.ok(c.do(getEvents(id, watermark))).FindElement("//Notification")
		for _, e := range n.ChildElements() {
			if strings.HasSuffix(e.Tag, "Event") {
				events = append(events, e.Tag)
				watermark = e.FindElement("Watermark").Text()
			}
		}
		return events
	}
	equal(t, "nothing yet", pull(), []string{"StatusEvent"})
	made := c.create("inbox", "one")
	equal(t, "one came", pull(), []string{"CreatedEvent", "NewMailEvent"})
	equal(t, "and no more", pull(), []string{"StatusEvent"})
	before := watermark
	c.ok(c.do(moveItem("drafts", made.bare())))
	equal(t, "a move is one event", pull(), []string{"MovedEvent"})
	watermark = before
	equal(t, "an old watermark gives the same", pull(), []string{"MovedEvent"})
	equal(t, "another's watermark", c.one(c.do(getEvents(id, c.ok(c.do(pullAll)).FindElement("//Watermark").Text()))), "ErrorInvalidWatermark")
	equal(t, "unknown", c.one(c.do(getEvents("x", watermark))), "ErrorSubscriptionNotFound")
	c.ok(c.do(unsubscribe(id)))
	equal(t, "ended", c.one(c.do(getEvents(id, watermark))), "ErrorSubscriptionNotFound")
	root = c.ok(c.do(pullAll))
	id, watermark = root.FindElement("//SubscriptionId").Text(), root.FindElement("//Watermark").Text()
	now = now.Add(11 * time.Minute)
	equal(t, "expired", c.one(c.do(getEvents(id, watermark))), "ErrorSubscriptionNotFound")
}

// TestStreamedEnvelopes: no declaration, a status or notifications in each, and the last one closes.
func TestStreamedEnvelopes(t *testing.T) {
	virtual(t, exchangetest.Options{StreamMinute: time.Second}, streamedEnvelopes)
}

func streamedEnvelopes(t *testing.T, c *client) {
	id := c.ok(c.do(streamAll)).FindElement("//SubscriptionId").Text()
	resp := c.stream(streaming(id), nil)
	in := bufio.NewReader(resp.Body)
	equal(t, "first", status(c, in), "OK")
	c.create("inbox", "one")
	data, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	if strings.Contains(text, "<?xml") || strings.Contains(text, "Notifications") == false || !strings.HasSuffix(text, "</Envelope>") {
		t.Errorf("the stream is %s", text)
	}
	for _, part := range strings.SplitAfter(text, "</Envelope>") {
		if strings.Contains(part, "ConnectionStatus") == strings.Contains(part, "<m:Notifications>") && part != "" {
			t.Errorf("a status and notifications, or neither, in %s", part)
		}
	}
	for _, want := range []string{"<t:CreatedEvent>", "<t:NewMailEvent>", "<m:ConnectionStatus>Closed<"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
}

func TestStreamIsTakenOver(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	id := c.ok(c.do(streamAll)).FindElement("//SubscriptionId").Text()
	first := bufio.NewReader(c.stream(streaming(id), nil).Body)
	equal(t, "first", status(c, first), "OK")
	second := bufio.NewReader(c.stream(streaming(id), nil).Body)
	equal(t, "second", status(c, second), "OK")
	if text, _ := io.ReadAll(first); !strings.Contains(string(text), "ErrorNewEventStreamConnectionOpened") {
		t.Errorf("the first ended with %s", text)
	}
	c.server.Failover()
	if text, _ := io.ReadAll(second); !strings.Contains(string(text), "<m:ErrorSubscriptionIds><t:SubscriptionId>"+id) {
		t.Errorf("the second ended with %s", text)
	}
	equal(t, "too many folders", c.one(c.do(strings.Replace(streamAll, ` SubscribeToAllFolders="true"`, "", 1))), "ErrorInvalidSubscriptionRequest")
}

// TestAffinity: a subscription is known to one of the servers behind the front end only; the cookie leads there.
func TestAffinity(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	anchor := func(a string) map[string]string {
		return map[string]string{"X-AnchorMailbox": a, "X-PreferServerAffinity": "true"}
	}
	resp := c.stream(streamAll, anchor("a@example.org"))
	cookies := resp.Cookies()
	if len(cookies) != 1 || cookies[0].Name != "X-BackEndOverrideCookie" {
		t.Fatalf("cookies %v", cookies)
	}
	data, _ := io.ReadAll(resp.Body)
	id := c.parse(data).FindElement("//SubscriptionId").Text()
	codes := map[string]int{}
	for _, a := range []string{"a@example.org", "b@example.org", "c@example.org", "d@example.org"} {
		for _, cookie := range []string{"", cookies[0].Name + "=" + cookies[0].Value} {
			h := anchor(a)
			h["Cookie"] = cookie
			resp := c.stream(streaming(id), h)
			line := status(c, bufio.NewReader(resp.Body))
			resp.Body.Close()
			if cookie != "" && line != "OK" {
				t.Errorf("%s with the cookie: %s", a, line)
			}
			codes[line]++
		}
	}
	if codes["Closed"] == 0 {
		t.Error("every server knows the subscription")
	}
}

// stream posts a body with headers and leaves the answer to be read.
func (c *client) stream(body string, header map[string]string) *http.Response {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), "POST", c.url, strings.NewReader(c.envelope(body)))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "text/xml; charset=utf-8")
	for k, v := range header {
		r.Header.Set(k, v)
	}
	r.SetBasicAuth(c.user, "secret")
	resp, err := c.http.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// status reads one envelope and gives its ConnectionStatus.
func status(c *client, in *bufio.Reader) string {
	c.t.Helper()
	var text strings.Builder
	for !strings.HasSuffix(text.String(), "</Envelope>") {
		b, err := in.ReadByte()
		if err != nil {
			c.t.Fatalf("%v after %s", err, text.String())
		}
		text.WriteByte(b)
	}
	_, rest, _ := strings.Cut(text.String(), "<m:ConnectionStatus>")
	state, _, _ := strings.Cut(rest, "<")
	return state
}
