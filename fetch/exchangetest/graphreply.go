package exchangetest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
)

// jsonType is the media type of Graph's answers, parameters and all.
const jsonType = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"

// counter counts; it is shared.
type counter struct{ n atomic.Uint64 }

func (c *counter) next() uint64 { return c.n.Add(1) }

// object is a JSON object with its members in order. A member's value may be a
// func() any, which is asked when the member is written or compared.
type object []member

type member struct {
	name  string
	value any
}

// get gives the value of a member, nil if there is none.
func (o object) get(name string) any {
	for _, m := range o {
		if m.name == name {
			return settled(m.value)
		}
	}
	return nil
}

func settled(v any) any {
	if f, ok := v.(func() any); ok {
		return f()
	}
	return v
}

// appendJSON writes objects, lists of them, and plain values.
func appendJSON(b []byte, v any) []byte {
	switch v := settled(v).(type) {
	case object:
		b = append(b, '{')
		for i, m := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendJSON(b, m.name), ':')
			b = appendJSON(b, m.value)
		}
		return append(b, '}')
	case []object:
		b = append(b, '[')
		for i, o := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSON(b, o)
		}
		return append(b, ']')
	default:
		return appendPlain(b, v)
	}
}

func appendPlain(b []byte, v any) []byte {
	out := bytes.NewBuffer(b)
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	e.Encode(v) // strings, numbers, booleans and lists of strings: cannot fail
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// answer sends a document.
func (c *graphCall) answer(status int, o object) *failure {
	return c.stream(status, func(w *bufio.Writer) error {
		_, err := w.Write(appendJSON(nil, o))
		return err
	})
}

// stream sends what write writes, through the faults that were ordered.
func (c *graphCall) stream(status int, write func(*bufio.Writer) error) *failure {
	c.w.Header().Set("Content-Type", jsonType)
	c.w.Header().Set("OData-Version", "4.0")
	out := output(c.w, c.due)
	c.w.WriteHeader(status)
	x := bufio.NewWriterSize(out, 32<<10)
	err := write(x)
	ended := err == errEnded
	if err == nil || ended {
		err = x.Flush()
	}
	if err == nil && !ended {
		err = out.Close()
	}
	c.ticket.over(err == nil && !ended, c.due)
	c.log("answered", "status", status)
	if err != nil {
		panic(http.ErrAbortHandler) // the status is sent: the only way to say no
	}
	return nil
}

// empty answers without a document.
func (c *graphCall) empty() *failure {
	for _, d := range c.due {
		if d.Action == ActionCut {
			panic(http.ErrAbortHandler)
		}
	}
	c.w.WriteHeader(http.StatusNoContent)
	c.ticket.over(true, c.due)
	c.log("answered", "status", http.StatusNoContent)
	return nil
}

// say gives a failure other words than those of its code.
func (f *failure) say(text string) *failure {
	f.text = text
	return f
}

// refuse sends the envelope of an error.
func (c *graphCall) refuse(f *failure) {
	if f.code == "PermanentRedirect" {
		c.redirect()
		return
	}
	if status, own := importStatus(f.code); own {
		c.w.Header().Set("Content-Type", "application/json")
		c.w.WriteHeader(status)
		c.w.Write(appendJSON(nil, object{{"Message", f.text}}))
		return
	}
	c.refuseWith(graphStatus(f.code), f)
}

func (c *graphCall) refuseWith(status int, f *failure) {
	h := c.w.Header()
	if status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="", authorization_uri="`+c.host()+`/common/oauth2/authorize", client_id="00000003-0000-0000-c000-000000000000"`)
	}
	if status == http.StatusRequestEntityTooLarge {
		h.Set("Connection", "close")
	}
	inner := object{{"date", c.now().UTC().Format("2006-01-02T15:04:05")}, {"request-id", c.requestID}}
	client := c.r.Header.Get("client-request-id")
	if client == "" {
		client = c.requestID
	}
	h.Set("Content-Type", "application/json")
	c.w.WriteHeader(status)
	c.w.Write(appendJSON(nil, object{{"error", object{
		{"code", f.code}, {"message", f.text}, {"innerError", append(inner, member{"client-request-id", client})},
	}}}))
}

// graphStatus is the status that goes with a code.
func graphStatus(code string) int {
	switch code {
	case "InvalidAuthenticationToken":
		return http.StatusUnauthorized
	case "ErrorAccessDenied", "accessDenied", "Authorization_RequestDenied", "ErrorQuotaExceeded":
		return http.StatusForbidden
	case "ErrorItemNotFound", "itemNotFound", "ErrorFolderNotFound", "ErrorParentFolderNotFound", "ErrorSyncFolderNotFound",
		"ErrorToFolderNotFound", "ResourceNotFound", "ErrorInvalidUser", "Request_ResourceNotFound", "MailboxNotEnabledForRESTAPI",
		"ErrorNonExistentMailbox", "extensionError":
		return http.StatusNotFound
	case "MethodNotAllowed":
		return http.StatusMethodNotAllowed
	case "ErrorFolderExists":
		return http.StatusConflict
	case "resyncRequired", "syncStateNotFound":
		return http.StatusGone
	case "ErrorIrresolvableConflict":
		return http.StatusPreconditionFailed
	case "RequestEntityTooLarge":
		return http.StatusRequestEntityTooLarge
	case "UnsupportedMediaType":
		return http.StatusUnsupportedMediaType
	case "ApplicationThrottled", "TooManyRequests", "activityLimitReached":
		return http.StatusTooManyRequests
	case "ErrorInternalServerError", "UnknownError", "generalException":
		return http.StatusInternalServerError
	case "ErrorServerBusy", "ErrorMailboxStoreUnavailable", "serviceNotAvailable":
		return http.StatusServiceUnavailable
	}
	return http.StatusBadRequest
}

// wholeFault sends a failure that was ordered instead of the answer. A status
// alone has no body, as a time-out inside of Graph has none, but for 429.
func (c *graphCall) wholeFault(d Fault) {
	h := c.w.Header()
	if d.RetryAfterSeconds > 0 {
		h.Set("Retry-After", strconv.Itoa(d.RetryAfterSeconds))
	}
	switch {
	case d.Action == ActionFault && d.Status > 0:
		c.refuseWith(d.Status, fail(d.Code))
	case d.Action == ActionFault:
		c.refuse(fail(d.Code))
	case d.Action == ActionStatus && d.Status == http.StatusTooManyRequests:
		c.refuse(fail("ApplicationThrottled").say("Application is over its MailboxConcurrency limit."))
	case d.Action == ActionStatus:
		c.w.WriteHeader(d.Status)
	default:
		writeWhole(c.w, d)
	}
}

// restID is an id in the letters that Graph uses: "/" is "-" and "+" is "_",
// which is not base64url (microsoftgraph/microsoft-graph-docs#14419).
func restID(ewsID string) string { return strings.Map(swap("/-", "+_"), ewsID) }

// ewsID is the way back; an id that has letters of the other alphabet is none.
func ewsID(restID string) (string, bool) {
	return strings.Map(swap("-/", "_+"), restID), !strings.ContainsAny(restID, "/+")
}

func swap(pairs ...string) func(rune) rune {
	return func(r rune) rune {
		for _, p := range pairs {
			if r == rune(p[0]) {
				return rune(p[1])
			}
		}
		return r
	}
}
