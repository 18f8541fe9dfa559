package exchangetest

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// stream is an open GetStreamingEvents: one answer of many envelopes.
type stream struct {
	c     *call
	subs  []*subscription
	taken string // why it must end: a code, "" while it need not; guarded by subscriptions.mu
	sent  uint64 // envelopes
}

// streamEvents does GetStreamingEvents, whose answer no other is like: envelopes
// without an XML declaration, one after another, each with notifications or with
// a status of the connection and never both. EWS 12; 19.14.
func (c *call) streamEvents() {
	c.w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	c.w.Header().Set("X-EwsHandler", c.operation())
	s := &stream{c: c}
	bad, code := s.open()
	if code != "" {
		s.fail(code, bad)
		return
	}
	defer s.leave()
	minutes, _ := strconv.Atoi(strings.TrimSpace(childText(c.body, "ConnectionTimeout")))
	minute := c.server.options.StreamMinute
	end := time.NewTimer(time.Duration(minutes) * minute)
	defer end.Stop()
	beat := time.NewTicker(minute * 3 / 4)
	defer beat.Stop()
	s.envelope(func(x *xmlWriter) { x.leaf("m:ConnectionStatus", "OK") })
	for last := false; ; {
		rung := c.server.subscriptions.bell.wait() // before the look: nothing is missed between the two
		more, code := s.round()
		switch {
		case code != "":
			s.fail(code, nil)
			return
		case more:
			continue
		case last:
			s.envelope(func(x *xmlWriter) { x.leaf("m:ConnectionStatus", "Closed") })
			return
		}
		select {
		case <-rung:
		case <-beat.C:
			s.envelope(func(x *xmlWriter) { s.notifications(x, s.subs[:1], func(*subscription) { x.empty("t:StatusEvent") }) })
		case <-end.C:
			last = true
		case <-c.ctx.Done():
			return
		}
	}
}

// open takes the subscriptions over; bad are those that are not there.
func (s *stream) open() (bad []string, code string) {
	l := &s.c.server.subscriptions
	l.mu.Lock()
	defer l.mu.Unlock()
	var ids []string
	for _, e := range child(s.c.body, "SubscriptionIds").ChildElements() {
		ids = append(ids, strings.TrimSpace(e.Text()))
	}
	if len(ids) > maxStreamed {
		return nil, "ErrorInvalidSubscription"
	}
	server, now := s.c.backend(), s.c.server.options.Clock()
	for _, id := range sorted(ids) {
		sub := l.find(id, server, now)
		if sub == nil || sub.pull {
			bad = append(bad, id)
			continue
		}
		s.subs = append(s.subs, sub)
	}
	if len(bad) > 0 {
		return bad, "ErrorSubscriptionNotFound"
	}
	for _, sub := range s.subs {
		if sub.stream != nil {
			sub.stream.taken = "ErrorNewEventStreamConnectionOpened"
		}
		sub.stream = s
	}
	l.bell.ring()
	return nil, ""
}

func (s *stream) leave() {
	l := &s.c.server.subscriptions
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, sub := range s.subs {
		if sub.stream == s {
			sub.stream, sub.used = nil, s.c.server.options.Clock()
		}
	}
}

// round sends what happened since the last one, and says why the stream must end.
func (s *stream) round() (more bool, code string) {
	l := &s.c.server.subscriptions
	l.mu.Lock()
	code = s.taken
	events := map[*subscription][]event{}
	var with []*subscription
	for _, sub := range s.subs {
		if code != "" {
			break
		}
		if l.byID[sub.id] != sub {
			code = "ErrorSubscriptionNotFound"
			break
		}
		list, upTo, missed := sub.pending(sub.position, eventsAtOnce)
		if missed {
			code = "ErrorReadEventsFailed"
		}
		sub.position = upTo
		if len(list) > 0 {
			with, events[sub] = append(with, sub), list
		}
	}
	l.mu.Unlock()
	if code == "" && len(with) > 0 {
		s.envelope(func(x *xmlWriter) {
			s.notifications(x, with, func(sub *subscription) {
				for _, e := range events[sub] {
					e.write(x, "")
				}
			})
		})
	}
	return len(with) > 0, code
}

func (s *stream) notifications(x *xmlWriter, subs []*subscription, write func(*subscription)) {
	x.start("m:Notifications")
	for _, sub := range subs {
		x.start("m:Notification") // as servers write it, though the schema has it among the types
		x.leaf("t:SubscriptionId", sub.id)
		write(sub)
		x.end()
	}
	x.end()
}

// fail ends the answer with an error.
func (s *stream) fail(code string, bad []string) {
	if code == "ErrorSubscriptionNotFound" && bad == nil {
		bad = s.lost()
	}
	f := fail(code)
	s.write("Error", func(x *xmlWriter) {
		x.leaf("m:MessageText", f.text)
		x.leaf("m:ResponseCode", f.code)
		x.leaf("m:DescriptiveLinkKey", "0")
		if len(bad) > 0 {
			x.start("m:ErrorSubscriptionIds")
			for _, id := range bad {
				x.leaf("t:SubscriptionId", id)
			}
			x.end()
		}
		x.leaf("m:ConnectionStatus", "Closed")
	})
}

// lost are the subscriptions of the stream that are no longer there.
func (s *stream) lost() (ids []string) {
	l := &s.c.server.subscriptions
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, sub := range s.subs {
		if l.byID[sub.id] != sub {
			ids = append(ids, sub.id)
		}
	}
	return ids
}

func (s *stream) envelope(body func(*xmlWriter)) {
	s.write("Success", func(x *xmlWriter) {
		x.leaf("m:ResponseCode", "NoError")
		body(x)
	})
}

// write sends one envelope in pieces that end anywhere but beside a blank: the
// EWS Managed API in JavaScript trims what it reads.
func (s *stream) write(class string, body func(*xmlWriter)) {
	var b bytes.Buffer
	x := newXMLWriter(&b)
	x.start("Envelope", "xmlns", nsSOAP)
	x.start("soap11:Header", "xmlns:soap11", nsSOAP)
	x.empty("h:ServerVersionInfo", "MajorVersion", "15", "MinorVersion", "2", "MajorBuildNumber", "2562",
		"MinorBuildNumber", "17", "Version", "V2017_07_11", "xmlns:h", nsTypes)
	x.end()
	x.start("soap11:Body", "xmlns:soap11", nsSOAP)
	x.start("m:GetStreamingEventsResponse", "xmlns:m", nsMessages, "xmlns:t", nsTypes)
	x.start("m:ResponseMessages")
	x.start("m:GetStreamingEventsResponseMessage", "ResponseClass", class)
	body(x)
	for len(x.open) > 0 {
		x.end()
	}
	x.Flush()
	out := chunked{w: s.c.w}
	for n := uint64(1); b.Len() > 0; n++ {
		s.sent++
		size := min(int(1+(s.sent*2654435761+n*40503)%509), b.Len())
		for left := b.Bytes(); size < len(left) && (left[size] == ' ' || left[size-1] == ' '); {
			size++
		}
		piece := b.Next(size)
		if _, err := out.Write(piece); err != nil {
			panic(http.ErrAbortHandler) // nobody reads
		}
	}
}

// notificationOperations are those of subscriptions.
func notificationOperations() map[string]operation {
	return map[string]operation{
		"Subscribe":          {units: whole, do: (*call).subscribe},
		"Unsubscribe":        {units: whole, do: (*call).unsubscribe},
		"GetEvents":          {units: whole, do: (*call).getEvents},
		"GetStreamingEvents": {since: exchange2010SP1, stream: (*call).streamEvents},
	}
}
