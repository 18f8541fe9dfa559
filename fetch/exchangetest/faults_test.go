package exchangetest_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"strings"
	"testing"

	"mailbrick/fetch/exchangetest"
	"mailbrick/fetch/mapi/fasttransfer"
)

func index(i int) *int { return &i }

func TestReadFaults(t *testing.T) {
	t.Parallel()
	list, err := exchangetest.ReadFaults(strings.NewReader(`[
		{"operation": "ExportItems", "mailbox": "anna@example.org", "call": 3, "action": "fault", "code": "ErrorServerBusy", "back_off_ms": 297749},
		{"action": "item-error", "code": "ErrorMailboxStoreUnavailable", "index": 1, "stop_rest": true, "times": -1}]`))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "faults", len(list), 2)
	equal(t, "index", *list[1].Index, 1)
	for _, wrong := range []string{`{`, `[{}]`, `[{"action": "explode"}]`, `[{"action": "fault"}]`, `[{"action": "status", "status": 99}]`,
		`[{"action": "html", "colour": 1}]`, `[{"action": "html", "times": -2}]`} {
		if _, err := exchangetest.ReadFaults(strings.NewReader(wrong)); err == nil {
			t.Error(wrong)
		}
	}
}

func TestWholeFaults(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{Faults: []exchangetest.Fault{
		{Operation: "GetFolder", Call: 2, Action: exchangetest.ActionFault, Code: "ErrorServerBusy", BackOffMilliseconds: 297749},
		{Operation: "GetFolder", Call: 3, Action: exchangetest.ActionStatus, Status: 429, RetryAfterSeconds: 7},
		{Operation: "GetFolder", Call: 4, Action: exchangetest.ActionStatus, Status: 401},
		{Operation: "GetFolder", Call: 5, Times: 2, Action: exchangetest.ActionHTML},
		{Operation: "GetFolder", Mailbox: "bob@example.org", Times: -1, Action: exchangetest.ActionStatus, Status: 503},
	}})
	c.server.AddMailbox("bob@example.org")
	c.ok(c.do(getInbox))
	resp, data, _ := c.send(c.envelope(getInbox))
	equal(t, "status of a fault", resp.StatusCode, 500)
	fault := c.parse(data)
	equal(t, "code", fault.FindElement("//detail/ResponseCode").Text(), "ErrorServerBusy")
	equal(t, "back off", fault.FindElement("//MessageXml/Value[@Name='BackOffMilliseconds']").Text(), 297749)
	resp, _, _ = c.send(c.envelope(getInbox))
	equal(t, "429", []any{resp.StatusCode, resp.Header.Get("Retry-After")}, []any{429, 7})
	resp, _, _ = c.send(c.envelope(getInbox))
	equal(t, "401", []any{resp.StatusCode, resp.Header.Get("WWW-Authenticate") != ""}, []any{401, true})
	for range 2 {
		resp, data, _ = c.send(c.envelope(getInbox))
		equal(t, "page", []any{resp.StatusCode, resp.Header.Get("Content-Type")}, []any{200, "text/html; charset=utf-8"})
		equal(t, "html", strings.HasPrefix(string(data), "<!DOCTYPE html>"), true)
	}
	c.ok(c.do(getInbox))
	c.mailbox = "bob@example.org"
	for range 3 {
		resp, _, _ = c.send(c.envelope(getInbox))
		equal(t, "for ever", resp.StatusCode, 503)
	}
}

func TestItemFaults(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	one, two, three := c.create("inbox", "one"), c.create("inbox", "two"), c.create("inbox", "three")
	order := func(f exchangetest.Fault) {
		f.Operation = "ExportItems"
		c.server.AddFaults(f)
	}
	order(exchangetest.Fault{Action: exchangetest.ActionItemError, Code: "ErrorMailboxStoreUnavailable", Index: index(1), StopRest: true})
	root, blobs := c.export(one, two, three)
	equal(t, "stopped", codes(root), []string{"NoError", "ErrorMailboxStoreUnavailable", "ErrorBatchProcessingStopped"})
	equal(t, "class", root.FindElements("//ExportItemsResponseMessage")[2].SelectAttrValue("ResponseClass", ""), "Warning")
	equal(t, "data", len(blobs), 1)

	order(exchangetest.Fault{Action: exchangetest.ActionItemError, Code: "ErrorServerBusy", Item: three.id, BackOffMilliseconds: 31017})
	root, _ = c.export(one, two, three)
	equal(t, "one item", codes(root), []string{"NoError", "NoError", "ErrorServerBusy"})
	equal(t, "back off", root.FindElement("//MessageXml/Value").Text(), 31017)

	order(exchangetest.Fault{Action: exchangetest.ActionGarbage, Index: index(0)})
	root, blobs = c.export(one, two)
	c.ok(root)
	report, err := fasttransfer.Scan(bytes.NewReader(blobs[0]), fasttransfer.Visitor{})
	equal(t, "garbage", []any{report.State == fasttransfer.Complete, err}, []any{false, nil})
	same(t, "the other", blobs[1], c.blob(two))

	c.server.AddFaults(exchangetest.Fault{Operation: "SyncFolderItems", Action: exchangetest.ActionItemError, Code: "ErrorServerBusy", BackOffMilliseconds: 5})
	root = c.do((&syncer{client: c, folder: distinguished("inbox")}).request(1))
	equal(t, "synchronization", c.one(root), "ErrorServerBusy")
	equal(t, "state", root.FindElement("//SyncState").Text(), "")
}

func TestTruncatedData(t *testing.T) {
	t.Parallel()
	const notice = "=== Truncated Data ==="
	c := newClient(t, exchangetest.Options{})
	one, two := c.create("inbox", "one"), c.create("inbox", "two")
	body := c.envelope(`<m:ExportItems><m:ItemIds>` + one.item() + two.item() + `</m:ItemIds></m:ExportItems>`)
	whole := base64.StdEncoding.EncodeToString(c.blob(one))
	for _, test := range []struct {
		name     string
		action   exchangetest.Action
		dataEnds bool // the data of the first item ends in the notice
		wellDone bool // the document is well-formed
	}{
		{"inside", exchangetest.ActionTruncateInside, true, true},
		{"at the end", exchangetest.ActionTruncateEnd, false, false},
		{"after the document", exchangetest.ActionTruncateAfter, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			c.server.AddFaults(exchangetest.Fault{Operation: "ExportItems", Action: test.action, Index: index(0)})
			resp, data, err := c.send(body)
			if err != nil || resp.StatusCode != 200 {
				t.Fatal(resp, err)
			}
			text := string(data)
			equal(t, "notice inside", strings.Contains(text, notice+"</m:Data>"), test.dataEnds)
			equal(t, "notice last", strings.HasSuffix(text, notice), !test.wellDone)
			equal(t, "whole document", strings.Contains(text, "</s:Envelope>"), test.action != exchangetest.ActionTruncateEnd)
			equal(t, "whole data", strings.Contains(text, whole), test.action == exchangetest.ActionTruncateAfter)
		})
	}
	c.blob(one)
}

func TestCut(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	c.server.AddFaults(
		exchangetest.Fault{Operation: "GetFolder", Action: exchangetest.ActionCut, AfterBytes: 300},
		exchangetest.Fault{Operation: "GetFolder", Call: 2, Action: exchangetest.ActionCut, AfterBytes: 1 << 20},
		exchangetest.Fault{Operation: "UploadItems", Action: exchangetest.ActionCut})
	for _, least := range []int{300, 600} {
		resp, data, err := c.send(c.envelope(getInbox))
		if resp == nil || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("%v, %v", resp, err)
		}
		if len(data) < least {
			t.Errorf("%d bytes came", len(data))
		}
	}
	one := c.create("inbox", "one")
	inbox := c.folder("inbox")
	resp, _, err := c.send(c.envelope(`<m:UploadItems><m:Items>` + upload("CreateNew", inbox, "", c.blob(one), "") + `</m:Items></m:UploadItems>`))
	if resp != nil || err == nil {
		t.Errorf("a lost answer came: %v", resp)
	}
	equal(t, "done all the same", len(c.find(inbox)), 2)
}
