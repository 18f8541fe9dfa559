package ews

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"mailbrick/fetch/wire"
)

func exported(id, changeKey, data string) string {
	return success("ExportItems", fmt.Sprintf(`<m:ItemId Id=%q ChangeKey=%q/><m:Data>%s</m:Data>`, id, changeKey, data))
}

// got is what each was called with.
type got struct {
	i       int
	item    ItemRef
	data    string
	err     error // of the item
	bodyErr error
}

func exportAll(c *Client, items ...ItemRef) ([]got, error) {
	var all []got
	err := c.ExportItems(context.Background(), items, func(i int, item ItemRef, body io.Reader, err error) error {
		g := got{i: i, item: item, err: err}
		if err == nil {
			var b []byte
			b, g.bodyErr = io.ReadAll(body)
			g.data = string(b)
		}
		all = append(all, g)
		return nil
	})
	return all, err
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// TestExportOfTheReference is A.7 and A.12 in one: success, item errors, an error with MessageXml, one not tried.
func TestExportOfTheReference(t *testing.T) {
	t.Parallel()
	body := `<?xml version="1.0" encoding="utf-8"?>
<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">
  <s:Header><h:ServerVersionInfo MajorVersion="14" xmlns:h="http://schemas.microsoft.com/exchange/services/2006/types"/></s:Header>
  <s:Body xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
    <m:ExportItemsResponse xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages" xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types">
      <m:ResponseMessages>
        <m:ExportItemsResponseMessage ResponseClass="Success">
          <m:ResponseCode>NoError</m:ResponseCode>
          <m:ItemId Id="AnotherIdThanAskedFor=" ChangeKey="CQAAAA=="/>
          <m:Data>
            AQAAAAgAAAAAAAAALgBlAHgAdABlAHMAdAAuAG0AaQBjAHIAbwBzAG8AZgB0AC4A
            BwBmAHQALgBjAG8AbQAAAAMAADkAAAAAAwD+DwYAAAADAARAAwACQAMADkA=
          </m:Data>
        </m:ExportItemsResponseMessage>
        <m:ExportItemsResponseMessage ResponseClass="Error">
          <m:MessageText>The change key is invalid.</m:MessageText>
          <m:ResponseCode>ErrorInvalidChangeKey</m:ResponseCode>
          <m:DescriptiveLinkKey>0</m:DescriptiveLinkKey>
        </m:ExportItemsResponseMessage>
        <m:ExportItemsResponseMessage ResponseClass="Error">
          <m:MessageText>No mailbox with such guid.</m:MessageText>
          <m:ResponseCode>ErrorNonExistentMailbox</m:ResponseCode>
          <m:DescriptiveLinkKey>0</m:DescriptiveLinkKey>
          <m:MessageXml>
            <t:Value Name="MailboxGuid">f3f6f699-2254-40ce-9994-388d9d98419e</t:Value>
          </m:MessageXml>
        </m:ExportItemsResponseMessage>
        <m:ExportItemsResponseMessage ResponseClass="Warning">
          <m:MessageText>Request processing stopped because of an error in a previous item.</m:MessageText>
          <m:ResponseCode>ErrorBatchProcessingStopped</m:ResponseCode>
          <m:DescriptiveLinkKey>0</m:DescriptiveLinkKey>
        </m:ExportItemsResponseMessage>
      </m:ResponseMessages>
    </m:ExportItemsResponse>
  </s:Body>
</s:Envelope>
`
	s := newServer(t, reply{body: body})
	c, _ := newTestClient(t, s, nil)
	items, err := exportAll(c, ItemRef{"a", "old"}, ItemRef{"b", "kb"}, ItemRef{ID: "c"}, ItemRef{ID: "d"})
	if err != nil || len(items) != 4 {
		t.Fatalf("%v, %d items", err, len(items))
	}
	if g := items[0]; g.err != nil || g.bodyErr != nil || len(g.data) != 92 || g.data[4] != 8 || g.item != (ItemRef{"a", "CQAAAA=="}) {
		t.Errorf("first: %+v", g)
	}
	for i, want := range []struct {
		code  string
		class Class
	}{1: {"ErrorInvalidChangeKey", Item}, 2: {"ErrorNonExistentMailbox", Permanent}, 3: {"ErrorBatchProcessingStopped", Transient}} {
		if want.code == "" {
			continue
		}
		e := asError(t, items[i].err)
		if e.Code != want.code || e.Class() != want.class || items[i].i != i || e.Operation != "ExportItems" {
			t.Errorf("%d: %+v %v", i, items[i], e)
		}
	}
	if r := s.asked()[0].body; !strings.Contains(r, `<m:ItemIds><t:ItemId Id="a"/><t:ItemId Id="b"/><t:ItemId Id="c"/>`) {
		t.Errorf("asked %s", r)
	}
}

func TestExportTruncated(t *testing.T) {
	t.Parallel()
	one, two := exported("a", "k1", b64("the first item")), exported("b", "k2", b64("the second item"))
	whole := envelope("ExportItems", one, two)
	cutAt := func(mark string) string { return whole[:strings.Index(whole, mark)] }
	second := b64("the second item")
	tests := []struct {
		name          string
		reply         reply
		first, second bool // whether the item came whole
		whole         bool // whether the call returned nil
	}{
		{"whole", reply{body: whole}, true, true, true},
		{"notice in the text of data", reply{body: strings.Replace(whole, second, second[:8]+wire.Notice, 1)}, true, false, true},
		{"notice at the end of the text of data", reply{body: strings.Replace(whole, second, second+wire.Notice, 1)}, true, false, true},
		{"notice decoded", reply{body: strings.Replace(whole, second, b64("the sec"+wire.Notice), 1)}, true, false, true},
		{"notice in the first of two", reply{body: strings.Replace(whole, b64("the first item"), wire.Notice, 1)}, false, true, true},
		{"notice ends the stream", reply{body: cutAt("</m:Data></m:ExportItemsResponseMessage></m:Resp") + wire.Notice}, true, false, false},
		{"notice after the document", reply{body: whole + wire.Notice}, true, true, false},
		{"notice after a line end", reply{body: whole + "\r\n" + wire.Notice + "\r\n"}, true, true, false},
		{"notice between messages", reply{body: envelope("ExportItems", one, wire.Notice, two)}, true, false, false},
		{"something else after the document", reply{body: whole + "<more/>"}, true, true, false},
		{"character not of base64", reply{body: strings.Replace(whole, second, second[:8]+"*"+second[8:], 1)}, true, false, true},
		{"group cut", reply{body: strings.Replace(whole, second, second[:9], 1)}, true, false, true},
		{"empty data", reply{body: strings.Replace(whole, second, "", 1)}, true, false, true},
		{"empty element", reply{body: strings.Replace(whole, "<m:Data>"+second+"</m:Data>", "<m:Data/>", 1)}, true, false, true},
		{"blank data", reply{body: strings.Replace(whole, second, " \r\n ", 1)}, true, false, true},
		{"element in data", reply{body: strings.Replace(whole, second, second+"<x/>", 1)}, true, true, false},
		{"element in front of data", reply{body: strings.Replace(whole, second, "<x/>"+second, 1)}, true, false, false},
		{"document cut in data", reply{body: whole[:strings.Index(whole, second)+5]}, true, false, false},
		{"document cut after data", reply{body: cutAt("</m:ResponseMessages>")}, true, true, false},
		{"document cut in front of its end", reply{body: cutAt("</s:Envelope>")}, true, true, false},
		{"connection cut in data", reply{body: whole[:strings.Index(whole, second)+5], cut: true}, true, false, false},
		{"connection cut after the document", reply{body: whole, cut: true}, true, true, false},
		{"control character in data", reply{body: strings.Replace(whole, second, second[:8]+"\x00"+second[8:], 1)}, true, false, true},
		{"no data", reply{body: envelope("ExportItems", one, success("ExportItems", ""))}, true, false, true},
		{"a message too few", reply{body: envelope("ExportItems", one)}, true, false, true},
		{"a message too many", reply{body: envelope("ExportItems", one, two, one)}, true, true, false},
		{"data twice", reply{body: envelope("ExportItems", one, strings.Replace(two, "</m:Data>", "</m:Data><m:Data>AAAA</m:Data>", 1))}, true, true, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, tt.reply)
			c, _ := newTestClient(t, s, nil)
			items, err := exportAll(c, ItemRef{ID: "a"}, ItemRef{ID: "b"})
			if tt.whole != (err == nil) || err != nil && (!errors.Is(err, ErrTruncated) || asError(t, err).Class() != Transient) {
				t.Errorf("the call: %v", err)
			}
			if len(items) != 2 || items[0].i != 0 || items[1].i != 1 || len(s.asked()) != 1 {
				t.Fatalf("%d requests, %+v", len(s.asked()), items)
			}
			for i, whole := range []bool{tt.first, tt.second} {
				g := items[i]
				if whole != (g.err == nil && g.bodyErr == nil) {
					t.Errorf("item %d: %v, %v", i, g.err, g.bodyErr)
				}
				if whole && g.data != []string{"the first item", "the second item"}[i] {
					t.Errorf("item %d: %q", i, g.data)
				}
				if g.bodyErr != nil && (!errors.Is(g.bodyErr, ErrTruncated) || asError(t, g.bodyErr).Class() != Transient) {
					t.Errorf("item %d: %v", i, g.bodyErr)
				}
				if g.err != nil && asError(t, g.err).Class() != Transient {
					t.Errorf("item %d: %v", i, g.err)
				}
			}
		})
	}
}

// TestExportFindsTruncationBehindTheConsumer: who does not read to the end is told by the call.
func TestExportFindsTruncationBehindTheConsumer(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("something ", 20000)
	answer := envelope("ExportItems", exported("a", "k", b64(long)+wire.Notice), exported("b", "k", b64("next")))
	c, _ := newTestClient(t, newServer(t, reply{body: answer}), nil)
	var next string
	err := c.ExportItems(context.Background(), []ItemRef{{ID: "a"}, {ID: "b"}}, func(i int, _ ItemRef, body io.Reader, err error) error {
		if err != nil {
			return err
		}
		if i == 1 {
			b, _ := io.ReadAll(body)
			next = string(b)
			return nil
		}
		_, err = io.ReadFull(body, make([]byte, 100))
		return err
	})
	if !errors.Is(err, ErrTruncated) || next != "next" {
		t.Errorf("%v, next item %q", err, next)
	}
}

func TestExportConsumerReadsNothing(t *testing.T) {
	t.Parallel()
	answer := envelope("ExportItems", exported("a", "k", b64("one")), exported("b", "k", b64("two")), exported("c", "k", b64("three")))
	c, _ := newTestClient(t, newServer(t, reply{body: answer}), nil)
	var kept io.Reader
	calls := 0
	err := c.ExportItems(context.Background(), make([]ItemRef, 3), func(_ int, _ ItemRef, body io.Reader, _ error) error {
		calls++
		kept = body
		return nil
	})
	if err != nil || calls != 3 {
		t.Errorf("%v after %d calls", err, calls)
	}
	if _, err := kept.Read(make([]byte, 1)); err == nil || err == io.EOF {
		t.Errorf("a body read after its time gives %v", err)
	}
}

func TestExportStopsForTheConsumer(t *testing.T) {
	t.Parallel()
	full := errors.New("disk full")
	answer := envelope("ExportItems", exported("a", "k", b64("one")), exported("b", "k", b64("two")))
	s := newServer(t, reply{body: answer})
	c, _ := newTestClient(t, s, nil)
	calls := 0
	err := c.ExportItems(context.Background(), make([]ItemRef, 2), func(int, ItemRef, io.Reader, error) error { calls++; return full })
	if err != full || calls != 1 || len(s.asked()) != 1 {
		t.Errorf("%v after %d calls, %d requests", err, calls, len(s.asked()))
	}
}

func TestExportIsTriedAgainWhileNothingIsDelivered(t *testing.T) {
	t.Parallel()
	good := reply{body: envelope("ExportItems", exported("a", "k", b64("one")), exported("b", "k", b64("two")))}
	for name, r := range map[string]reply{
		"fault":              busy("5000"),
		"503":                {status: 503},
		"cut at once":        {body: good.body[:200], cut: true},
		"no message":         {body: envelope("ExportItems")},
		"first message busy": {body: envelope("ExportItems", failure("ExportItems", "ErrorServerBusy"), failure("ExportItems", "ErrorServerBusy"))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, r, good)
			c, _ := newTestClient(t, s, nil)
			items, err := exportAll(c, ItemRef{ID: "a"}, ItemRef{ID: "b"})
			if err != nil || len(items) != 2 || items[1].data != "two" || len(s.asked()) != 2 {
				t.Errorf("%v, %+v, %d requests", err, items, len(s.asked()))
			}
		})
	}
}

func TestExportBusyAmongItemsHoldsTheNextRequest(t *testing.T) {
	t.Parallel()
	s := newServer(t, reply{body: envelope("ExportItems", exported("a", "k", b64("one")),
		failure("ExportItems", "ErrorServerBusy", "BackOffMilliseconds", "45000"))}, inbox)
	c, clock := newTestClient(t, s, spreadNothing)
	items, err := exportAll(c, ItemRef{ID: "a"}, ItemRef{ID: "b"})
	if err != nil || asError(t, items[1].err).Class() != BackOff || clock.total() != 0 {
		t.Fatalf("%v, %+v", err, items)
	}
	if err := getInbox(c); err != nil || clock.total().Seconds() != 45 {
		t.Errorf("%v after %v", err, clock.total())
	}
}

func TestExportCallErrors(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		reply    reply
		requests int
		class    Class
	}{
		"time is up":  {fault("ErrorTimeoutExpired", ""), 1, Shrink},
		"always cut":  {reply{body: inbox.body[:100], cut: true}, 5, Shrink},
		"no mailbox":  {fault("ErrorNonExistentMailbox", ""), 1, Permanent},
		"too large":   {reply{status: 413}, 1, Shrink},
		"nobody home": {reply{status: 403}, 1, Permanent},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, tt.reply)
			c, _ := newTestClient(t, s, nil)
			items, err := exportAll(c, ItemRef{ID: "a"}, ItemRef{ID: "b"})
			if e := asError(t, err); e.Class() != tt.class || len(items) != 0 || len(s.asked()) != tt.requests {
				t.Errorf("class %v, %v, %d items, %d requests", e.Class(), err, len(items), len(s.asked()))
			}
		})
	}
}

func TestExportContextEnds(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		body := envelope("ExportItems", exported("a", "k", b64(strings.Repeat("x", 1<<20))))
		reply{body: body[:1<<19]}.write(w)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	defer srv.Close()
	c, err := New(Options{URL: srv.URL})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	calls := 0
	err = c.ExportItems(ctx, make([]ItemRef, 3), func(_ int, _ ItemRef, body io.Reader, err error) error {
		if err != nil {
			return err
		}
		calls++
		if _, err := io.ReadFull(body, make([]byte, 1000)); err != nil {
			t.Error(err)
		}
		cancel()
		_, err = io.Copy(io.Discard, body)
		if !errors.Is(err, context.Canceled) || errors.Is(err, ErrTruncated) {
			t.Errorf("body: %v", err)
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || calls != 1 {
		t.Errorf("%v after %d calls", err, calls)
	}
}

// bigItem streams the answer to ExportItems for one item of size bytes, made on the fly.
type bigItem struct {
	size int64
	sum  hash.Hash
}

const bigBlock = 48 << 10

func (b bigItem) writeTo(w io.Writer) error {
	frame := envelope("ExportItems", exported("a", "k", "|"))
	head, tail, _ := strings.Cut(frame, "|")
	if _, err := io.WriteString(w, head); err != nil {
		return err
	}
	raw := make([]byte, bigBlock)
	rnd := rand.NewChaCha8([32]byte{1})
	rnd.Read(raw)
	text := make([]byte, base64.StdEncoding.EncodedLen(len(raw)))
	for left := b.size; left > 0; left -= int64(len(raw)) {
		raw = raw[:min(left, bigBlock)]
		raw[0]++
		if b.sum != nil {
			b.sum.Write(raw)
		}
		base64.StdEncoding.Encode(text, raw)
		if _, err := w.Write(text[:base64.StdEncoding.EncodedLen(len(raw))]); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, tail)
	return err
}

// TestExportTakesConstantMemory: not parallel, it looks at the heap of the process.
func TestExportTakesConstantMemory(t *testing.T) {
	const size = int64(64 << 20) // a larger one takes longer and no more
	item := bigItem{size: size, sum: sha256.New()}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/xml; charset=utf-8")
		if err := item.writeTo(w); err != nil {
			t.Error(err)
		}
	}))
	defer srv.Close()
	c, err := New(Options{URL: srv.URL})
	if err != nil {
		t.Fatal(err)
	}
	before := heap()
	peak, n := before, int64(0)
	sum := sha256.New()
	err = c.ExportItems(context.Background(), []ItemRef{{ID: "a"}}, func(_ int, _ ItemRef, body io.Reader, _ error) error {
		p := make([]byte, 64<<10)
		for step := 0; ; step++ {
			k, err := body.Read(p)
			sum.Write(p[:k])
			n += int64(k)
			if step%64 == 0 {
				peak = max(peak, allocated())
			}
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
		}
	})
	if err != nil || n != size || !bytes.Equal(sum.Sum(nil), item.sum.Sum(nil)) {
		t.Fatalf("%v after %d bytes, sums equal: %v", err, n, bytes.Equal(sum.Sum(nil), item.sum.Sum(nil)))
	}
	t.Logf("peak %d KiB above the start", (peak-before)>>10)
	if peak-before > 8<<20 {
		t.Errorf("the heap grew by %d MiB", (peak-before)>>20)
	}
}

func heap() uint64 {
	runtime.GC()
	return allocated()
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// canned is a transport that answers from memory.
type canned []byte

func (c canned) RoundTrip(r *http.Request) (*http.Response, error) {
	io.Copy(io.Discard, r.Body)
	r.Body.Close()
	return &http.Response{
		StatusCode: 200, ProtoMajor: 1, Header: http.Header{"Content-Type": {"text/xml"}},
		Body: io.NopCloser(bytes.NewReader(c)), Request: r,
	}, nil
}

// BenchmarkExport counts decoded bytes; "lines" is base64 broken as Exchange does not, but may.
func BenchmarkExport(b *testing.B) {
	const size = 32 << 20
	var plain bytes.Buffer
	if err := (bigItem{size: size}).writeTo(&plain); err != nil {
		b.Fatal(err)
	}
	head, rest, _ := strings.Cut(plain.String(), "<m:Data>")
	data, tail, _ := strings.Cut(rest, "</m:Data>")
	var broken strings.Builder
	for i := 0; i < len(data); i += 76 {
		broken.WriteString(data[i:min(i+76, len(data))] + "\r\n")
	}
	for name, doc := range map[string]string{
		"plain": plain.String(), "lines": head + "<m:Data>" + broken.String() + "</m:Data>" + tail,
	} {
		b.Run(name, func(b *testing.B) {
			c, err := New(Options{URL: "https://h/", HTTP: &http.Client{Transport: canned(doc)}})
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(size)
			for b.Loop() {
				err := c.ExportItems(context.Background(), []ItemRef{{ID: "a"}}, func(_ int, _ ItemRef, body io.Reader, _ error) error {
					_, err := io.Copy(io.Discard, body)
					return err
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// FuzzExport: whatever is answered, each is called for every item once or for none, and a whole item is what base64 says.
func FuzzExport(f *testing.F) {
	one, two := exported("a", "k", b64("first")), exported("b", "k", "\r\n "+b64("second")+"\r\n")
	f.Add([]byte(envelope("ExportItems", one, two)))
	f.Add([]byte(envelope("ExportItems", one, failure("ExportItems", "ErrorItemNotFound")) + wire.Notice))
	f.Add([]byte(envelope("ExportItems", failure("ExportItems", "ErrorServerBusy", "BackOffMilliseconds", "9223372036854775807"))))
	f.Add([]byte(busy("99999999999999999999").body))
	f.Add([]byte(strings.Replace(envelope("ExportItems", one, two), "</m:Data>", wire.Notice, 1)))
	f.Fuzz(func(t *testing.T, doc []byte) {
		clock := &fakeTime{}
		c, err := New(Options{URL: "https://h/", HTTP: &http.Client{Transport: canned(doc)}, Clock: clock.Now, Sleep: clock.Sleep, MaxAttempts: 2})
		if err != nil {
			t.Fatal(err)
		}
		all, err := exportAll(c, ItemRef{ID: "a"}, ItemRef{ID: "b"})
		if len(all) != 0 && len(all) != 2 || len(all) == 0 && err == nil {
			t.Fatalf("%d calls, %v", len(all), err)
		}
		for i, g := range all {
			if g.i != i || g.err == nil && g.bodyErr == nil && g.data == "" {
				t.Fatalf("%+v", g)
			}
		}
	})
}

func TestExportInAnotherOrder(t *testing.T) {
	t.Parallel()
	answer := envelope("ExportItems", exported("b", "k", b64("of b")), exported("a", "k", b64("of a")))
	c, _ := newTestClient(t, newServer(t, reply{body: answer}), nil)
	err := c.ExportItems(context.Background(), []ItemRef{{ID: "a"}, {ID: "b"}}, func(_ int, _ ItemRef, body io.Reader, err error) error {
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, body)
		return err
	})
	if !errors.Is(err, ErrTruncated) {
		t.Errorf("swapped answers: %v", err)
	}
}
