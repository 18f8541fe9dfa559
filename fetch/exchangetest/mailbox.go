package exchangetest

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"mailbrick/fetch/mapi"
)

// Mailbox is one mailbox of the server.
type Mailbox struct {
	address string
	guid    mapi.GUID
	now     func() time.Time

	// mu guards all below and everything that hangs on it. It is never held
	// while bytes of an item are read or an answer is written.
	mu       sync.RWMutex
	number   uint64 // of the last change
	object   uint64 // counter of the last folder or item
	folders  map[uint64]*folder
	items    map[uint64]*item
	special  map[string]*folder // by distinguished name
	changes  changeLog          // of the hierarchy
	made     []*folder          // that have made items, by their first
	gone     map[uint64]goneFolder
	goneMade map[uint64]bool // made items that were taken away
	skipped  []error
	events   eventLog
}

// folder is a node of the tree.
type folder struct {
	counter   uint64
	parent    *folder
	children  []*folder
	name      string
	class     string
	special   string // distinguished name
	search    bool
	replica   string   // GUID of the mailbox that holds a public folder's items; "": that of its parent
	given     mapi.Bag // properties that a client of Graph gave it
	auxiliary bool     // lies in an auxiliary archive, with all below it

	created uint64 // numbers of changes of the hierarchy
	changed uint64
	moved   uint64

	items    []*item // by created, ascending
	changes  changeLog
	madeGone int       // of the made items, those that were taken away
	commit   time.Time // PidTagLocalCommitTimeMax
	deleted  int       // PidTagDeletedCountTotal
}

// item is a message in its folder. What it holds is its revision.
type item struct {
	counter    uint64
	folder     *folder
	associated bool
	created    uint64 // numbers of changes of the folder
	content    uint64
	changed    uint64
	rev        *revision
}

// goneFolder is what later synchronizations must know of a deleted folder.
type goneFolder struct {
	created uint64
	deleted uint64
	within  []uint64 // the folders it was below
}

func newMailbox(address string, now func() time.Time) *Mailbox {
	m := bareMailbox(address, now)
	m.plant()
	return m
}

// bareMailbox is one without any folder.
func bareMailbox(address string, now func() time.Time) *Mailbox {
	return &Mailbox{
		address: address, guid: guidOf("mailbox", strings.ToLower(address)), now: now,
		folders: map[uint64]*folder{}, items: map[uint64]*item{},
		special: map[string]*folder{}, gone: map[uint64]goneFolder{},
	}
}

// Address is the primary SMTP address.
func (m *Mailbox) Address() string { return m.address }

// GUID is the mailbox's GUID as ids hold it.
func (m *Mailbox) GUID() string { return m.guid.String() }

// Items is how many items the mailbox has, associated ones and deleted but recoverable ones too.
func (m *Mailbox) Items() int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	n := len(m.items)
	for _, f := range m.made {
		if m.folders[f.counter] == f {
			n += int(f.changes.made.n) - f.madeGone
		}
	}
	for _, it := range m.items {
		if it.isMade() {
			n-- // counted twice
		}
	}
	return n
}

// Skipped says which files were not loaded and why.
func (m *Mailbox) Skipped() []error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return slices.Clone(m.skipped)
}

// item finds an item by its counter. The mailbox is locked.
func (m *Mailbox) item(counter uint64) *item {
	if it := m.items[counter]; it != nil || len(m.made) == 0 {
		return it
	}
	return m.madeItem(counter)
}

// next numbers a change. Callers of this and of all below hold mu.
func (m *Mailbox) next() uint64 {
	m.number++
	return m.number
}

func (m *Mailbox) addFolder(parent *folder, name, class string) *folder {
	m.object++
	f := &folder{counter: m.object, parent: parent, name: name, class: class, commit: m.now().Truncate(time.Millisecond)}
	m.folders[f.counter] = f
	if parent != nil {
		parent.children = append(parent.children, f)
	}
	f.created = m.next()
	f.changed, f.moved = f.created, f.created
	m.changes.add(f.created, f.counter, changeCreate)
	m.noteFolder("CreatedEvent", f)
	return f
}

func (m *Mailbox) touchFolder(f *folder) {
	f.changed = m.next()
	m.changes.add(f.changed, f.counter, changeUpdate)
	m.noteFolder("ModifiedEvent", f)
}

func (m *Mailbox) moveFolder(f, to *folder) {
	f.detach()
	f.parent = to
	to.children = append(to.children, f)
	m.touchFolder(f)
	f.moved = f.changed
}

func (f *folder) detach() {
	f.parent.children = slices.DeleteFunc(f.parent.children, func(c *folder) bool { return c == f })
}

// removeFolder takes away f and all in it.
func (m *Mailbox) removeFolder(f *folder) {
	for _, c := range slices.Clone(f.children) {
		m.removeFolder(c)
	}
	for _, it := range slices.Clone(f.items) {
		m.removeItem(it)
	}
	var within []uint64
	for p := f.parent; p != nil; p = p.parent {
		within = append(within, p.counter)
	}
	m.noteFolder("DeletedEvent", f)
	f.detach()
	delete(m.folders, f.counter)
	deleted := m.next()
	m.gone[f.counter] = goneFolder{f.created, deleted, within}
	m.changes.add(deleted, f.counter, changeDelete)
}

// child finds a folder by name, as Exchange does without regard to case.
func (f *folder) child(name string) *folder {
	for _, c := range f.children {
		if strings.EqualFold(c.name, name) {
			return c
		}
	}
	return nil
}

func (f *folder) below(root *folder) bool {
	for p := f.parent; p != nil; p = p.parent {
		if p == root {
			return true
		}
	}
	return false
}

// walk visits all folders below f, parents first.
func (f *folder) walk(visit func(*folder)) {
	for _, c := range f.children {
		visit(c)
		c.walk(visit)
	}
}

func (m *Mailbox) addItem(f *folder, rev *revision, associated bool) *item {
	m.object++
	it := &item{counter: m.object, folder: f, associated: associated, rev: rev}
	it.created = m.next()
	it.content, it.changed = it.created, it.created
	if rev.number == 0 {
		rev.number = it.created
	}
	f.items = append(f.items, it)
	m.items[it.counter] = it
	f.changes.add(it.created, it.counter, changeCreate)
	m.bump(f)
	m.noteItem("CreatedEvent", it)
	if f.special == "inbox" && !associated {
		m.noteItem("NewMailEvent", it)
	}
	return it
}

// reviseItem gives it new content; readOnly says that only the read flag is new.
func (m *Mailbox) reviseItem(it *item, rev *revision, readOnly bool) {
	m.keepMade(it)
	it.changed = m.next()
	rev.number = it.changed
	it.rev = rev
	kind := changeRead
	if !readOnly {
		it.content, kind = it.changed, changeUpdate
	}
	it.folder.changes.add(it.changed, it.counter, kind)
	m.bump(it.folder)
	m.noteItem("ModifiedEvent", it)
}

func (m *Mailbox) removeItem(it *item) {
	m.noteItem("DeletedEvent", it)
	f := it.folder
	if it.isMade() {
		m.dropMade(it)
	} else {
		at, _ := slices.BinarySearchFunc(f.items, it.created, func(i *item, n uint64) int { return cmp.Compare(i.created, n) })
		f.items = slices.Delete(f.items, at, at+1)
		delete(m.items, it.counter)
	}
	f.changes.remove(m.next(), it)
	f.deleted++
}

// moveItem is a delete and a create. The change key stays on the way into the
// folders of deleted items and is new elsewhere.
func (m *Mailbox) moveItem(it *item, to *folder) *item {
	rev := it.rev.clone()
	if name := strings.TrimPrefix(to.special, "archive"); name != "deleteditems" && name != "recoverableitemsdeletions" {
		rev.number = 0
	}
	return m.moved("MovedEvent", it, it.folder.counter, func() *item {
		m.removeItem(it)
		return m.addItem(to, rev, it.associated)
	})
}

// bump moves the folder's commit time on, strictly.
func (m *Mailbox) bump(f *folder) {
	now := m.now().UTC().Truncate(time.Millisecond)
	if !now.After(f.commit) {
		now = f.commit.Add(time.Millisecond)
	}
	f.commit = now
}

// counts are what a folder's properties say: items that people see, and unread ones of them.
func (f *folder) counts() (total, unread, associated int) {
	total = int(f.changes.made.n) - f.madeGone
	for _, it := range f.items {
		switch {
		case it.associated:
			associated++
		default:
			total++
			if !it.rev.read {
				unread++
			}
		}
	}
	return total, unread, associated
}

func (m *Mailbox) folderID(f *folder) objectID { return objectID{mailbox: m.guid, folder: f.counter} }

func (m *Mailbox) folderKey(f *folder) string { return changeKey(kindFolder, m.guid, f.changed) }

func (m *Mailbox) itemID(it *item) objectID {
	return objectID{mailbox: m.guid, folder: it.folder.counter, item: it.counter}
}
