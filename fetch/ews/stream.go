package ews

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/beevik/etree"

	"mailbrick/fetch/throttle"
)

// ErrSubscriptions: the server allows no more subscriptions for this mailbox. It has to be asked now and then instead.
var ErrSubscriptions = errors.New("the server allows no more subscriptions for this mailbox")

// affinity keeps the subscriptions of a group on one server behind the front end: all its requests name one mailbox, and
// carry the cookie that the first answer set. ews.md §4.
type affinity struct {
	anchor string

	mu     sync.Mutex // guards cookie
	cookie string
}

const affinityCookie = "X-BackEndOverrideCookie"

func (a *affinity) put(h http.Header) {
	h.Set("X-PreferServerAffinity", "true")
	if a.anchor != "" {
		h.Set("X-AnchorMailbox", a.anchor)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.cookie != "" {
		h.Set("Cookie", affinityCookie+"="+a.cookie)
	}
}

func (a *affinity) keep(resp *http.Response) {
	for _, k := range resp.Cookies() {
		if k.Name == affinityCookie && len(k.Value) < 1<<10 {
			a.mu.Lock()
			a.cookie = k.Value
			a.mu.Unlock()
		}
	}
}

func (a *affinity) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.cookie = ""
}

// eventTypes are all that say that a folder changed.
func eventTypes() []string {
	return []string{"NewMailEvent", "CreatedEvent", "DeletedEvent", "ModifiedEvent", "MovedEvent", "CopiedEvent"}
}

// subscribe begins a streaming subscription to folders, all of the mailbox if none are given.
func (c *Client) subscribe(ctx context.Context, a *affinity, folders []FolderRef) (id string, err error) {
	err = c.call(ctx, &operation{
		name:     "Subscribe",
		affinity: a,
		build: func(e *etree.Element, _ schema, _ func(int) string) {
			request := e.CreateElement("m:StreamingSubscriptionRequest")
			if len(folders) == 0 {
				request.CreateAttr("SubscribeToAllFolders", "true")
			} else {
				ids := request.CreateElement("t:FolderIds")
				for _, f := range folders {
					c.addFolderID(ids, f)
				}
			}
			types := request.CreateElement("t:EventTypes")
			for _, kind := range eventTypes() {
				addText(types, "t:EventType", kind)
			}
		},
		read: func(a *answer) error {
			id = ""
			err := a.only(func(t token) (err error) {
				if t.Name.Local != "SubscriptionId" {
					return a.skip()
				}
				id, err = a.word()
				return err
			})
			var e *Error
			if errors.As(err, &e) && e.deciding() == "ErrorExceededSubscriptionCount" {
				return &stopError{fmt.Errorf("subscribe: %w", ErrSubscriptions)} // waiting does not help
			}
			if err == nil && id == "" {
				return a.syntax("no SubscriptionId in the answer")
			}
			return err
		},
	})
	return id, err
}

// unsubscribe ends a subscription; one that is not there is no error.
func (c *Client) unsubscribe(ctx context.Context, a *affinity, id string) error {
	err := c.call(ctx, &operation{
		name:     "Unsubscribe",
		affinity: a,
		build:    func(e *etree.Element, _ schema, _ func(int) string) { addText(e, "m:SubscriptionId", id) },
		read:     func(a *answer) error { return a.only(func(token) error { return a.skip() }) },
	})
	var e *Error
	if errors.As(err, &e) && e.Class() == Resync {
		return nil
	}
	return err
}

// lostError says which subscriptions of a stream the server does not know, all if it names none.
type lostError struct {
	ids  []string
	code string
}

func (e *lostError) Error() string { return "subscriptions are lost: " + e.code }

// notice is what a stream tells at once.
type notice struct {
	subscription string
	folders      []string // in which something happened; none: a sign of life
}

// listen holds a connection open over which the server tells what happens, until it or the connection ends. nil says
// that the time was up and nothing was lost.
func (c *Client) listen(ctx context.Context, a *affinity, ids []string, timeout time.Duration, tell func(notice)) error {
	minutes := min(max(int(timeout/time.Minute), 1), 30) // EWS StreamingSubscriptionConnectionTimeoutType
	op := &operation{
		name:     "GetStreamingEvents",
		affinity: a,
		hangs:    time.Duration(minutes)*time.Minute + c.opts.Stall,
		build: func(e *etree.Element, _ schema, _ func(int) string) {
			list := e.CreateElement("m:SubscriptionIds")
			for _, id := range ids {
				addText(list, "t:SubscriptionId", id) // of the types, though published examples differ
			}
			addText(e, "m:ConnectionTimeout", strconv.Itoa(minutes))
		},
	}
	op.read = func(a *answer) error { return (&listener{a: a, op: op, tell: tell}).read() }
	return c.call(ctx, op)
}

// listener reads the envelopes of a stream.
type listener struct {
	a    *answer
	op   *operation
	tell func(notice)

	closed bool
	lost   []string
}

// read goes from envelope to envelope. The first is open when it begins, and the last when it ends.
func (l *listener) read() error {
	for {
		if err := l.envelope(); err != nil || l.closed {
			return err
		}
		l.op.delivered = true                                       // from now on what is lost is lost: the caller has to look
		l.op.permit.Release(throttle.Signal{Kind: throttle.Served}) // servers count what hangs apart from what works
		if err := l.a.nextEnvelope(); err != nil {
			return err
		}
	}
}

// nextEnvelope goes to the content of the next response element.
func (a *answer) nextEnvelope() error {
	if err := a.close(); err != nil {
		return err
	}
	if err := a.parts.next(); err != nil {
		return fmt.Errorf("the stream ended: %w", err)
	}
	a.scanner = newScanner(a.parts)
	return a.open()
}

func (l *listener) envelope() error {
	l.lost = nil
	return l.a.children(func(t token) error {
		if t.Name.Local != "ResponseMessages" {
			return l.a.skip()
		}
		return l.a.children(func(t token) error {
			if t.Name.Local != "GetStreamingEventsResponseMessage" {
				return l.a.syntax("a message that is not for GetStreamingEvents")
			}
			m := &message{class: t.attr("ResponseClass")}
			if err := l.a.children(func(t token) error { return l.field(m, t) }); err != nil {
				return err
			}
			return l.judge(m)
		})
	})
}

// field reads a child of a message; these go by their local names: servers and schema do not agree on the namespace.
func (l *listener) field(m *message, t token) error {
	switch t.Name.Local {
	case "Notifications":
		return l.a.children(func(t token) error {
			if t.Name.Local != "Notification" {
				return l.a.skip()
			}
			return l.notification()
		})
	case "ErrorSubscriptionIds":
		return l.a.children(func(token) error {
			id, err := l.a.word()
			if len(l.lost) < maxGroup {
				l.lost = append(l.lost, id)
			}
			return err
		})
	case "ConnectionStatus":
		status, err := l.a.word()
		l.closed = l.closed || status == "Closed"
		return err
	}
	return l.a.messageField(m, t)
}

// judge ends the stream after an error. What is said of subscriptions is the caller's, and not to be asked again.
func (l *listener) judge(m *message) error {
	if !m.failed() {
		return nil
	}
	e := m.err(l.a.client)
	if len(l.lost) > 0 || e.Class() == Resync {
		return &stopError{&lostError{ids: l.lost, code: e.deciding()}}
	}
	return e
}

// notification reads the events of one subscription.
func (l *listener) notification() error {
	var n notice
	seen, events := map[string]bool{}, 0
	err := l.a.children(func(t token) (err error) {
		switch {
		case t.Name.Local == "SubscriptionId":
			n.subscription, err = l.a.word()
		case strings.HasSuffix(t.Name.Local, "Event"):
			if events++; events > maxListed {
				return l.a.tooMany()
			}
			err = l.a.children(func(t token) error {
				switch t.Name.Local {
				case "ParentFolderId", "OldParentFolderId", "FolderId":
					if id := t.attr("Id"); id != "" && !seen[id] {
						seen[id] = true
						n.folders = append(n.folders, id)
					}
				}
				return l.a.skip()
			})
		default:
			err = l.a.skip()
		}
		return err
	})
	if err == nil && len(n.folders) > 0 {
		l.tell(n)
	}
	return err
}
