package ews

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"mailbrick/fetch/wire"
)

// errNoEnvelope: the document is none of SOAP.
var errNoEnvelope = errors.New("no SOAP envelope")

// maxEpilog is how much is looked at after the root element.
const maxEpilog = 64 << 10

// answer reads the SOAP document of one operation.
type answer struct {
	*scanner
	client *Client
	op     *operation
	judge  func(err error) error // what an error of reading means to the caller
	parts  *envelopes            // of an answer that is many documents, else nil
}

// open goes to the content of the response element. A fault is returned as *Error.
func (a *answer) open() error {
	root, err := a.next()
	var syntax *syntaxError
	switch {
	case errors.As(err, &syntax) && !syntax.Cut:
		return errNoEnvelope
	case err != nil:
		return err
	case root.Name != xmlName{nsSOAP, "Envelope"}:
		return errNoEnvelope
	}
	if err := a.enterBody(); err != nil {
		return err
	}
	t, ok, err := a.child()
	switch {
	case err != nil:
		return err
	case ok && t.Name == xmlName{nsSOAP, "Fault"}:
		return a.fault()
	case !ok || t.Name != xmlName{nsMessages, a.op.name + "Response"}:
		// The answer to another request, as a server gives it that lost count.
		return a.syntax("the answer is not for " + a.op.name)
	}
	return nil
}

func (a *answer) enterBody() error {
	for {
		t, ok, err := a.child()
		switch {
		case err != nil:
			return err
		case !ok:
			return a.syntax("an envelope without a body")
		case t.Name == xmlName{nsSOAP, "Body"}:
			return nil
		}
		if err := a.skip(); err != nil {
			return err
		}
	}
}

// close goes from the end of the response element to the end of the answer: only there is it known to be whole.
func (a *answer) close() error {
	for range 2 { // body and envelope
		if _, ok, err := a.child(); err != nil {
			return err
		} else if ok {
			return a.syntax("more in the envelope than one answer")
		}
	}
	rest, err := a.rest(maxEpilog)
	switch {
	case bytes.Contains(rest, []byte(wire.Notice)):
		return wire.ErrNotice
	case err != nil:
		return err
	case len(bytes.TrimSpace(rest)) > 0:
		return a.syntax("more after the document")
	}
	return nil
}

// fault reads a SOAP fault. SOAP 1.1, 4.4; the code is in detail/ResponseCode of any namespace, else it is the local part
// of faultcode.
func (a *answer) fault() error {
	m := message{}
	var faultCode string
	err := a.children(func(t token) (err error) {
		switch t.Name.Local {
		case "faultcode":
			faultCode, err = a.word()
		case "faultstring":
			m.text, err = a.word()
		case "detail":
			err = a.children(func(t token) error { return a.messageField(&m, t) })
		default:
			err = a.skip()
		}
		return err
	})
	if err != nil {
		return err
	}
	if m.code == "" {
		m.code = faultCode[strings.LastIndexByte(faultCode, ':')+1:]
	}
	return m.err(a.client)
}

// message is the head of a response message: what all operations have.
type message struct {
	index   int
	class   string // ResponseClass
	code    string
	text    string
	inner   string
	policy  string // the part of the throttling policy that was exceeded
	backOff time.Duration
}

func (m *message) failed() bool { return m.class != "Success" }

// err is what the message says went wrong.
func (m *message) err(c *Client) *Error {
	e := &Error{Code: c.code(m.code), Inner: c.code(m.inner), Text: c.scrub(m.text), Policy: m.policy, BackOff: m.backOff}
	if e.Code == "" || e.Code == "NoError" {
		e.Code, e.class = "", Transient
	}
	return e
}

// messageField reads a child that any message (or the detail of a fault) may have; others are passed over.
func (a *answer) messageField(m *message, t token) (err error) {
	switch t.Name.Local {
	case "ResponseCode":
		m.code, err = a.word()
	case "MessageText", "Message":
		m.text, err = a.word()
	case "MessageXml":
		err = a.children(func(t token) error { return a.messageValue(m, t) })
	default:
		err = a.skip()
	}
	return err
}

// messageValue reads <t:Value Name="...">; anything may stand beside it.
func (a *answer) messageValue(m *message, t token) error {
	name := t.attr("Name")
	if t.Name.Local != "Value" || name != "BackOffMilliseconds" && name != "InnerErrorResponseCode" && name != "Policy" {
		return a.skip()
	}
	v, err := a.word()
	if err != nil {
		return err
	}
	switch name {
	case "InnerErrorResponseCode":
		m.inner = v
	case "Policy":
		m.policy = v
	default:
		if ms, err := strconv.ParseInt(v, 10, 64); err == nil && ms > 0 {
			m.backOff = min(time.Duration(min(ms, maxBackOff.Milliseconds()))*time.Millisecond, maxBackOff)
		}
	}
	return nil
}

// messages reads the response messages in order. field is given the children that are the operation's own (of messages
// that succeeded) and must use them up; end is called after each message.
func (a *answer) messages(field func(m *message, t token) error, end func(m *message) error) error {
	count := 0
	return a.children(func(t token) error {
		if t.Name.Local != "ResponseMessages" {
			return a.skip()
		}
		return a.children(func(t token) error {
			if t.Name.Local != a.op.name+"ResponseMessage" {
				return a.syntax("a message that is not for " + a.op.name)
			}
			m := &message{index: count, class: t.attr("ResponseClass")}
			count++
			if err := a.message(m, field); err != nil {
				return err
			}
			return end(m)
		})
	})
}

func (a *answer) message(m *message, field func(m *message, t token) error) error {
	return a.children(func(t token) error {
		switch t.Name.Local {
		case "MessageText", "ResponseCode", "DescriptiveLinkKey", "MessageXml":
			return a.messageField(m, t)
		}
		if m.failed() {
			return a.skip()
		}
		return field(m, t)
	})
}

// only reads the answer of an operation on one thing: a message that failed is the error of the call, and there must be
// one that did not.
func (a *answer) only(field func(t token) error) error {
	seen := false
	err := a.messages(func(_ *message, t token) error { return field(t) }, func(m *message) error {
		if m.failed() {
			return m.err(a.client)
		}
		seen = true
		return nil
	})
	if err == nil && !seen {
		return a.syntax("no message in the answer")
	}
	return err
}

// itemID reads an ItemId element.
func (a *answer) itemID(t token) (ItemRef, error) {
	item := ItemRef{ID: t.attr("Id"), ChangeKey: t.attr("ChangeKey")}
	return item, a.skip()
}

// number reads an integer; what is none is 0, as what is not there.
func (a *answer) number() (int64, error) {
	v, err := a.word()
	n, _ := strconv.ParseInt(v, 10, 64)
	return n, err
}

// count is number for what is counted in ints.
func (a *answer) count() (int, error) {
	n, err := a.number()
	return int(n), err
}

// flag reads an xs:boolean.
func (a *answer) flag() (bool, error) {
	v, err := a.word()
	return v == "true" || v == "1", err
}

// drain reads r to its end.
func drain(r io.Reader) error {
	_, err := io.Copy(io.Discard, r)
	return err
}
