package exchangetest

import (
	"encoding/base64"
	"encoding/binary"
	"hash/fnv"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/beevik/etree"
)

// Limits of subscriptions. EWS 12.
const (
	maxStreamed      = 200              // subscriptions of one GetStreamingEvents
	eventsAtOnce     = 50               // of a subscription in one answer
	streamIdle       = 30 * time.Minute // a streaming subscription without a connection
	backends         = 2                // servers behind the front end; mailboxes are spread over them
	affinityCookie   = "X-BackEndOverrideCookie"
	preferAffinity   = "X-PreferServerAffinity"
	notificationKind = "CopiedEvent|CreatedEvent|DeletedEvent|ModifiedEvent|MovedEvent|NewMailEvent|FreeBusyChangedEvent"
)

// subscription is one mailbox's events for one client.
type subscription struct {
	id      string
	mailbox *Mailbox
	folders map[uint64]bool // nil: all
	kinds   map[string]bool
	pull    bool
	idle    time.Duration // after which it expires
	server  int           // behind the front end, where it lives

	// Guarded by subscriptions.mu.
	position uint64
	used     time.Time
	stream   *stream // nil: no connection is open
}

// subscriptions are those of all mailboxes.
type subscriptions struct {
	bell bell

	mu    sync.Mutex // guards what follows; taken before that of a mailbox
	byID  map[string]*subscription
	count uint64
	epoch int // grows with each failover
}

func (s schema) defineNotifications() {
	s.defineText("EventType", notificationKind)
	s.define("EventTypes", "", "t:EventType+")
	s.define("SubscribedFolders", "", folderIDs+"+")
	s.define("SubscriptionTimeout", "").text = rangeText(1, 1440)
	s.define("PullSubscriptionRequest", "SubscribeToAllFolders=boolean", "t:FolderIds=SubscribedFolders?", "t:EventTypes", "t:Watermark=string?", "t:Timeout=SubscriptionTimeout")
	s.define("StreamingSubscriptionRequest", "SubscribeToAllFolders=boolean", "t:FolderIds=SubscribedFolders?", "t:EventTypes")
	s.defineAny("PushSubscriptionRequest")
	s.define("Subscribe", "", "m:PullSubscriptionRequest|m:PushSubscriptionRequest|m:StreamingSubscriptionRequest")
	s.define("Unsubscribe", "", "m:SubscriptionId=string")
	s.define("GetEvents", "", "m:SubscriptionId=string", "m:Watermark=string")
	s.define("SubscriptionIds", "", "t:SubscriptionId=string+")
	s.define("ConnectionTimeout", "").text = rangeText(1, 30)
	s.define("GetStreamingEvents", "", "m:SubscriptionIds", "m:ConnectionTimeout")
}

// backend is the server behind the front end that a request goes to: the one the cookie names, else the mailbox's.
func (c *call) backend() int {
	r := http.Request{Header: c.header}
	if k, err := r.Cookie(affinityCookie); err == nil && c.header.Get(preferAffinity) == "true" {
		name, _, _ := strings.Cut(k.Value, "~")
		if n, err := strconv.Atoi(strings.TrimPrefix(name, "mbx")); err == nil {
			return n % backends
		}
	}
	anchor := c.header.Get("X-AnchorMailbox")
	if anchor == "" {
		anchor = c.address()
	}
	h := fnv.New32a()
	h.Write([]byte(strings.ToLower(anchor)))
	return int(h.Sum32() % backends)
}

func (c *call) subscribe(unit *etree.Element) (content, *failure) {
	request := unit.ChildElements()[0]
	if request.Tag == "PushSubscriptionRequest" {
		return nil, fail("ErrorInvalidPushSubscriptionUrl") // todo: EWS push subscriptions
	}
	sub := &subscription{mailbox: c.mailbox, kinds: map[string]bool{}, pull: request.Tag == "PullSubscriptionRequest", idle: streamIdle, server: c.backend()}
	if f := c.subscribed(sub, request); f != nil {
		return nil, f
	}
	for _, kind := range child(request, "EventTypes").ChildElements() {
		sub.kinds[kind.Text()] = true
	}
	if sub.pull {
		minutes, _ := strconv.Atoi(strings.TrimSpace(childText(request, "Timeout")))
		sub.idle = time.Duration(minutes) * time.Minute
	}
	if c.header.Get(preferAffinity) == "true" && !strings.Contains(c.header.Get("Cookie"), affinityCookie) {
		http.SetCookie(c.w, &http.Cookie{Name: affinityCookie, Value: "mbx" + strconv.Itoa(sub.server) + "~1", Path: "/", HttpOnly: true})
	}
	c.server.subscriptions.add(sub, c.server.options.Clock())
	return func(x *xmlWriter) error {
		x.leaf("m:SubscriptionId", sub.id)
		if sub.pull {
			x.leaf("m:Watermark", sub.watermark(sub.position))
		}
		return nil
	}, nil
}

// subscribed reads which folders a subscription is about.
func (c *call) subscribed(sub *subscription, request *etree.Element) *failure {
	list := child(request, "FolderIds")
	if every := isTrue(attr(request, "SubscribeToAllFolders")); every != (list == nil) {
		return fail("ErrorInvalidSubscriptionRequest")
	}
	if list == nil {
		return nil
	}
	c.mailbox.mu.RLock()
	defer c.mailbox.mu.RUnlock()
	sub.folders = map[uint64]bool{}
	for e := range list.ChildElementsSeq() {
		f, failed := c.folderOf(e, "ErrorFolderNotFound")
		if failed != nil {
			return failed
		}
		sub.folders[f.counter] = true
	}
	return nil
}

func (s *subscriptions) add(sub *subscription, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count++
	sub.id = base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64([]byte("mbx"+strconv.Itoa(sub.server)+"\x10\x00\x00\x00"+sub.mailbox.guid.String()), s.count))
	sub.used = now
	if s.byID == nil {
		s.byID = map[string]*subscription{}
	}
	s.byID[sub.id] = sub
	m := sub.mailbox
	m.mu.Lock()
	defer m.mu.Unlock()
	m.events.listeners++
	m.events.ring = s.bell.ring
	sub.position = m.events.last
}

// remove ends a subscription; mu is held.
func (s *subscriptions) remove(sub *subscription) {
	delete(s.byID, sub.id)
	m := sub.mailbox
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.events.listeners--; m.events.listeners == 0 {
		m.events.list = nil
	}
}

// find gives a living subscription that a request can reach; mu is held.
func (s *subscriptions) find(id string, server int, now time.Time) *subscription {
	sub := s.byID[id]
	if sub == nil || sub.server != server {
		return nil
	}
	if sub.stream == nil && now.Sub(sub.used) > sub.idle {
		s.remove(sub)
		return nil
	}
	return sub
}

// Failover is the failover of all databases: what is stored stays, subscriptions are lost, and streams are told so.
func (s *Server) Failover() {
	l := &s.subscriptions
	l.mu.Lock()
	defer l.mu.Unlock()
	l.epoch++
	for _, sub := range l.byID {
		l.remove(sub)
	}
	l.bell.ring()
}

// Subscriptions is how many there are for a mailbox.
func (s *Server) Subscriptions(address string) (n int) {
	s.subscriptions.mu.Lock()
	defer s.subscriptions.mu.Unlock()
	for _, sub := range s.subscriptions.byID {
		if sameAddress(sub.mailbox.address, address) {
			n++
		}
	}
	return n
}

func (c *call) unsubscribe(unit *etree.Element) (content, *failure) {
	l := &c.server.subscriptions
	l.mu.Lock()
	defer l.mu.Unlock()
	sub := l.find(strings.TrimSpace(childText(unit, "SubscriptionId")), c.backend(), c.server.options.Clock())
	if sub == nil {
		return nil, fail("ErrorSubscriptionNotFound")
	}
	l.remove(sub)
	l.bell.ring()
	return nothing, nil
}

// wants says whether an event is one that was subscribed to.
func (s *subscription) wants(e event) bool {
	return s.kinds[e.kind] && (s.folders == nil || s.folders[e.parent] || s.folders[e.oldParent])
}

// pending takes events behind a number.
func (s *subscription) pending(number uint64, most int) ([]event, uint64, bool) {
	s.mailbox.mu.RLock()
	defer s.mailbox.mu.RUnlock()
	return s.mailbox.events.after(number, most, s.wants)
}

// watermark is a place in the events of a subscription, which no other takes.
func (s *subscription) watermark(number uint64) string {
	b := binary.BigEndian.AppendUint64(nil, number)
	h := fnv.New64a()
	h.Write([]byte(s.id))
	h.Write(b)
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64(b, h.Sum64()))
}

func (s *subscription) number(watermark string) (uint64, bool) {
	b, err := base64.StdEncoding.DecodeString(watermark)
	if err != nil || len(b) != 16 {
		return 0, false
	}
	n := binary.BigEndian.Uint64(b)
	return n, s.watermark(n) == watermark
}

// getEvents answers a pull: events behind the watermark, or a StatusEvent when there are none.
func (c *call) getEvents(unit *etree.Element) (content, *failure) {
	l := &c.server.subscriptions
	l.mu.Lock()
	defer l.mu.Unlock()
	now := c.server.options.Clock()
	sub := l.find(strings.TrimSpace(childText(unit, "SubscriptionId")), c.backend(), now)
	switch {
	case sub == nil:
		return nil, fail("ErrorSubscriptionNotFound")
	case !sub.pull:
		return nil, fail("ErrorInvalidPullSubscriptionId")
	}
	given := strings.TrimSpace(childText(unit, "Watermark"))
	from, ok := sub.number(given)
	if !ok {
		return nil, fail("ErrorInvalidWatermark")
	}
	list, upTo, missed := sub.pending(from, eventsAtOnce)
	if missed {
		l.remove(sub)
		return nil, fail("ErrorMissedNotificationEvents")
	}
	rest, _, _ := sub.pending(upTo, 1)
	sub.used = now
	return func(x *xmlWriter) error {
		x.start("m:Notification")
		x.leaf("t:SubscriptionId", sub.id)
		x.leaf("t:PreviousWatermark", given)
		x.flag("t:MoreEvents", len(rest) > 0)
		for _, e := range list {
			e.write(x, sub.watermark(e.number))
		}
		if len(list) == 0 {
			x.start("t:StatusEvent")
			x.leaf("t:Watermark", sub.watermark(upTo))
			x.end()
		}
		x.end()
		return nil
	}, nil
}

// sorted gives the ids of a request, each once.
func sorted(ids []string) []string {
	slices.Sort(ids)
	return slices.Compact(ids)
}
