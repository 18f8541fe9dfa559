package exchangetest

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"time"

	"github.com/beevik/etree"
)

// operation is one kind of request. Its response messages go by units, one each, in their order.
type operation struct {
	since string // the oldest schema version that has it
	// check refuses what the schema lets through with a fault; nil: nothing.
	check func(*call) *failure
	// units are the parts of the request that get a response message each.
	units func(body *etree.Element) []*etree.Element
	// do does one part and gives what its message holds; it writes nothing itself.
	do func(c *call, unit *etree.Element) (content, *failure)
	// stream answers in place of all the above; nil: nothing does.
	stream  func(*call)
	anybody bool // who has no mailbox too
	// tail is what an error message holds; nil: nothing.
	tail content
}

// errEnded is what content returns to end the answer where it stands, as ordered.
var errEnded = errors.New("answer ended as ordered")

// content writes the part of a response message that is the operation's own.
type content func(x *xmlWriter) error

// operations are the requests that the server answers.
func operations() map[string]operation {
	folders, items := noneOf("m:Folders"), noneOf("m:Items")
	list := map[string]operation{
		"GetFolder":           {units: partsOf("FolderIds"), do: (*call).getFolder, tail: folders},
		"FindFolder":          {units: partsOf("ParentFolderIds"), do: (*call).findFolder},
		"CreateFolder":        {units: partsOf("Folders"), do: (*call).createFolder, tail: folders},
		"UpdateFolder":        {units: partsOf("FolderChanges"), do: (*call).updateFolder, tail: folders},
		"DeleteFolder":        {units: partsOf("FolderIds"), do: (*call).deleteFolder},
		"SyncFolderHierarchy": {units: whole, do: (*call).syncHierarchy, tail: noState("m:IncludesLastFolderInRange")},
		"SyncFolderItems":     {units: whole, do: (*call).syncItems, tail: noState("m:IncludesLastItemInRange")},
		"FindItem":            {units: partsOf("ParentFolderIds"), do: (*call).findItem},
		"GetItem":             {units: partsOf("ItemIds"), do: (*call).getItem, tail: items},
		"CreateItem":          {units: partsOf("Items"), do: (*call).createItem, tail: items},
		"UpdateItem":          {units: partsOf("ItemChanges"), do: (*call).updateItem, tail: items},
		"MoveItem":            {units: partsOf("ItemIds"), do: (*call).moveItem, tail: items},
		"DeleteItem":          {units: partsOf("ItemIds"), do: (*call).deleteItem},
		"ExportItems":         {since: exchange2010SP1, units: partsOf("ItemIds"), do: (*call).exportItem},
		"UploadItems":         {since: exchange2010SP1, units: partsOf("Items"), do: (*call).uploadItem, check: (*call).checkUpload},
	}
	maps.Copy(list, notificationOperations())
	maps.Copy(list, moreOperations())
	return list
}

// noneOf is an empty list.
func noneOf(name string) content {
	return func(x *xmlWriter) error {
		x.empty(name)
		return nil
	}
}

func partsOf(list string) func(*etree.Element) []*etree.Element {
	return func(body *etree.Element) []*etree.Element { return child(body, list).ChildElements() }
}

func whole(body *etree.Element) []*etree.Element { return []*etree.Element{body} }

// noState is how a failed synchronization ends.
func noState(last string) content {
	return func(x *xmlWriter) error {
		x.empty("m:SyncState")
		x.flag(last, true)
		return nil
	}
}

// answer does the operation, part by part, and writes as it goes.
func (c *call) answer() {
	op := c.server.operations[c.name]
	if op.stream != nil {
		op.stream(c)
		return
	}
	started := c.server.options.Clock()
	h := c.w.Header()
	h.Set("Content-Type", "text/xml; charset=utf-8")
	h.Set("X-EwsHandler", c.operation())
	out := output(c.w, c.due)
	x := newXMLWriter(out)
	c.begin(x)
	failed, err := c.messages(x, op)
	if err == nil {
		for len(x.open) > 0 {
			x.end()
		}
		if err = c.ticket.settle(c.ctx); err == nil {
			err = x.Flush()
		}
	}
	ended := errors.Is(err, errEnded)
	if ended {
		err = x.Flush()
	}
	if err == nil {
		err = out.Close()
	}
	c.ticket.over(err == nil && !ended, c.due)
	c.log("answered", "failed", failed, "elapsed", c.server.options.Clock().Sub(started).Round(time.Microsecond))
	if err != nil {
		// The status is sent: the only way to say no is to cut the connection.
		panic(http.ErrAbortHandler)
	}
}

// begin writes all up to the first response message, and makes the answer chunked.
func (c *call) begin(x *xmlWriter) {
	x.WriteString(xmlDeclaration)
	x.start("s:Envelope", "xmlns:s", nsSOAP)
	x.start("s:Header")
	x.empty("h:ServerVersionInfo", "MajorVersion", "15", "MinorVersion", "2", "MajorBuildNumber", "2562",
		"MinorBuildNumber", "17", "Version", "V2017_07_11", "xmlns:h", nsTypes)
	x.end()
	x.start("s:Body")
	x.start("m:"+c.name+"Response", "xmlns:m", nsMessages, "xmlns:t", nsTypes)
	x.start("m:ResponseMessages")
}

func (c *call) messages(x *xmlWriter, op operation) (failed int, err error) {
	stop := false
	for i, unit := range op.units(c.body) {
		if err := c.ctx.Err(); err != nil {
			return failed, err
		}
		c.unit = i
		var body content
		f := stopped()
		if !stop {
			if f, stop, err = c.leave(); err != nil {
				return failed, err
			}
			if f == nil {
				f = c.ordered(i, unit, &stop)
			}
			if f == nil {
				body, f = op.do(c, unit)
			}
		}
		if f != nil {
			failed++
		}
		if err := c.message(x, f, body, op.tail); err != nil {
			return failed, err
		}
		if err := c.tellNow(x); err != nil {
			return failed, err
		}
	}
	return failed, nil
}

// tellNow sends what is written when it tells the client to stay away, as it was ordered: what the client was told it knows then.
func (c *call) tellNow(x *xmlWriter) error {
	if c.busyFor == 0 {
		return nil
	}
	if err := c.ticket.settle(c.ctx); err != nil {
		return err
	}
	if err := x.Flush(); err != nil {
		return err // cut, as another fault wants it: nobody was told
	}
	c.ticket.order(c.ctx, c.busyFor, false)
	c.busyFor = 0
	return nil
}

// leave is the throttle's for one part of the request.
func (c *call) leave() (f *failure, stop bool, err error) {
	if c.refused != nil {
		return c.refused, false, nil
	}
	return c.next()
}

// ordered is the error that was ordered for the i-th part.
func (c *call) ordered(i int, unit *etree.Element, stop *bool) *failure {
	for _, d := range c.due {
		if d.Action == ActionItemError && d.hits(c.mailbox, i, unitID(unit)) {
			*stop = d.StopRest
			c.busyFor = d.told()
			return d.failure()
		}
	}
	return nil
}

// unitID is the id that a part of a request is about.
func unitID(unit *etree.Element) string {
	if id := attr(unit, "Id"); id != "" {
		return id
	}
	for _, name := range []string{"ItemId", "FolderId", "DistinguishedFolderId", "SyncFolderId", "ParentFolderId"} {
		if e := child(unit, name); e != nil {
			return unitID(e)
		}
	}
	return ""
}

func (d Fault) failure() *failure {
	f := fail(d.Code)
	if d.Inner != "" {
		f = inner(d.Code, d.Inner)
	}
	return f.backOff(time.Duration(d.BackOffMilliseconds) * time.Millisecond)
}

// message writes one response message. EWS: MessageText, ResponseCode, DescriptiveLinkKey, MessageXml, then the rest.
func (c *call) message(x *xmlWriter, f *failure, body, tail content) error {
	name := "m:" + c.name + "ResponseMessage"
	if f == nil {
		x.start(name, "ResponseClass", "Success")
		x.leaf("m:ResponseCode", "NoError")
		if err := body(x); err != nil {
			return err
		}
		x.end()
		return nil
	}
	class := f.class
	if class == "" {
		class = "Error"
	}
	x.start(name, "ResponseClass", class)
	x.leaf("m:MessageText", f.text)
	x.leaf("m:ResponseCode", f.code)
	x.leaf("m:DescriptiveLinkKey", "0")
	if len(f.values) > 0 {
		x.start("m:MessageXml")
		x.values(f.values)
		x.end()
	}
	if tail != nil {
		if err := tail(x); err != nil {
			return err
		}
	}
	x.end()
	return nil
}

func nothing(*xmlWriter) error { return nil }

// output is the way to the client, with the faults that were ordered for the whole answer.
func output(w http.ResponseWriter, due []Fault) io.WriteCloser {
	var out io.WriteCloser = &chunked{w: w}
	for _, d := range due {
		switch d.Action {
		case ActionCut:
			out = &cut{out, d.AfterBytes}
		case ActionTruncateAfter:
			out = &noticeAfter{out}
		}
	}
	return out
}

// chunked flushes what it writes: even a short answer has no length and comes in
// chunks, and what was written before a cut is sent.
type chunked struct{ w http.ResponseWriter }

func (o *chunked) Write(p []byte) (int, error) {
	n, err := o.w.Write(p)
	if err == nil {
		err = http.NewResponseController(o.w).Flush()
	}
	return n, err
}

func (o *chunked) Close() error { return nil }

// cut lets a number of bytes through and then breaks the connection.
type cut struct {
	io.WriteCloser
	left int64
}

func (o *cut) Write(p []byte) (int, error) {
	if int64(len(p)) < o.left {
		n, err := o.WriteCloser.Write(p)
		o.left -= int64(n)
		return n, err
	}
	if o.left == 0 {
		return 0, http.ErrAbortHandler // not even a status
	}
	n, err := o.WriteCloser.Write(p[:o.left])
	o.left = 0
	if err == nil {
		err = http.ErrAbortHandler
	}
	return n, err
}

// Close cuts an answer that was shorter than that: at its end at the latest.
func (o *cut) Close() error { return http.ErrAbortHandler }

// noticeAfter appends the notice of truncated data to a whole answer.
type noticeAfter struct{ io.WriteCloser }

const truncationNotice = "=== Truncated Data ==="

func (o *noticeAfter) Close() error {
	if _, err := io.WriteString(o.WriteCloser, truncationNotice); err != nil {
		return err
	}
	return o.WriteCloser.Close()
}
