package exchangetest

import (
	"slices"
	"sync"
	"time"
)

// event is something that happened in a mailbox, as subscribers hear of it.
type event struct {
	number    uint64 // counts the events of a mailbox from 1
	kind      string // "CreatedEvent"
	at        time.Time
	id, key   string
	isFolder  bool
	parent    uint64
	parentID  string
	parentKey string
	old       string // id before a move, or of what was copied
	oldParent uint64
	oldFolder string // id of oldParent
}

// eventLog keeps the last events of a mailbox while anybody subscribes. It is guarded by the mailbox's mu.
type eventLog struct {
	listeners int
	quiet     int // events are parts of another
	last      uint64
	list      []event
	ring      func() // wakes the streams; nil: there are none
}

// keptEvents bounds what a subscription can be behind. EWS: the queue of a subscription is bounded, too.
const keptEvents = 10_000

func (m *Mailbox) note(e event) {
	l := &m.events
	if l.listeners == 0 || l.quiet > 0 {
		return
	}
	l.last++
	e.number, e.at = l.last, m.now().UTC()
	if len(l.list) == keptEvents {
		l.list = slices.Delete(l.list, 0, keptEvents/2)
	}
	l.list = append(l.list, e)
	if l.ring != nil {
		l.ring()
	}
}

func (m *Mailbox) noteItem(kind string, it *item) {
	if m.events.listeners > 0 {
		m.note(m.itemEvent(kind, it))
	}
}

func (m *Mailbox) itemEvent(kind string, it *item) event {
	v := m.viewItem(it)
	return event{kind: kind, id: v.id, key: v.key, parent: it.folder.counter, parentID: v.parentID, parentKey: v.parentKey}
}

func (m *Mailbox) noteFolder(kind string, f *folder) {
	if m.events.listeners == 0 || f.parent == nil {
		return
	}
	m.note(event{kind: kind, isFolder: true, id: m.folderID(f).String(), key: m.folderKey(f), parent: f.parent.counter,
		parentID: m.folderID(f.parent).String(), parentKey: m.folderKey(f.parent)})
}

// moved makes one event of an item's delete and create.
func (m *Mailbox) moved(kind string, it *item, from uint64, work func() *item) *item {
	if m.events.listeners == 0 {
		return work()
	}
	old := m.itemID(it).String()
	m.events.quiet++
	now := work()
	m.events.quiet--
	e := m.itemEvent(kind, now)
	e.old, e.oldParent, e.oldFolder = old, from, objectID{mailbox: m.guid, folder: from}.String()
	m.note(e)
	return now
}

// after gives at most so many events behind a number, and whether some of these were dropped.
func (l *eventLog) after(number uint64, most int, wanted func(event) bool) (list []event, upTo uint64, missed bool) {
	upTo = number
	if len(l.list) > 0 && l.list[0].number > number+1 {
		missed = true
	}
	for _, e := range l.list {
		if e.number <= number {
			continue
		}
		if wanted(e) {
			if len(list) == most {
				return list, upTo, missed
			}
			list = append(list, e)
		}
		upTo = e.number
	}
	return list, upTo, missed
}

// write writes the event's element in the order of its type. The watermark is of pull subscriptions only.
func (e event) write(x *xmlWriter, watermark string) {
	x.start("t:" + e.kind)
	if watermark != "" {
		x.leaf("t:Watermark", watermark)
	}
	x.leaf("t:TimeStamp", stampText(e.at.Truncate(time.Second)))
	name := "ItemId"
	if e.isFolder {
		name = "FolderId"
	}
	x.empty("t:"+name, "Id", e.id, "ChangeKey", e.key)
	x.empty("t:ParentFolderId", "Id", e.parentID, "ChangeKey", e.parentKey)
	if e.old != "" {
		x.empty("t:Old"+name, "Id", e.old)
		x.empty("t:OldParentFolderId", "Id", e.oldFolder)
	}
	x.end()
}

// bell wakes all who wait.
type bell struct {
	mu sync.Mutex
	c  chan struct{}
}

// wait gives a channel that is closed at the next ring.
func (b *bell) wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.c == nil {
		b.c = make(chan struct{})
	}
	return b.c
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.c != nil {
		close(b.c)
		b.c = nil
	}
}
