package exchangetest

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/beevik/etree"
)

// told is one change in an answer of a synchronization.
type told struct {
	kind   changeKind
	item   itemView
	folder folderView
	id     string // of what is gone
	key    string
	number uint64 // of a folder's change
}

func (c *call) syncItems(unit *etree.Element) (content, *failure) {
	s, f := readShape(child(unit, "ItemShape"))
	if f != nil {
		return nil, f
	}
	most, _ := strconv.Atoi(strings.TrimSpace(child(unit, "MaxChangesReturned").Text()))
	m := c.mailbox
	m.mu.RLock()
	defer m.mu.RUnlock()
	found, f := c.folderOf(child(unit, "SyncFolderId"), "ErrorSyncFolderNotFound")
	switch {
	case f != nil:
		return nil, f
	case found.search, m.address == publicAddress:
		return nil, fail("ErrorInvalidFolderTypeForOperation") // EWS: search folders are for FindItem
	}
	point := syncPoint{scopeItems, m.guid, found.counter}
	if scope := child(unit, "SyncScope"); scope != nil && scope.Text() == "NormalAndAssociatedItems" {
		point.scope = scopeAssociated
	}
	since, f := point.number(found.changes, stateOf(unit))
	if f != nil {
		return nil, f
	}
	ignore, f := c.ignored(unit)
	if f != nil {
		return nil, f
	}
	list, upTo := m.itemChanges(found, since, most, func(item uint64, associated bool) bool {
		return associated && point.scope == scopeItems || ignore[item]
	})
	last := found.changes.after(upTo) == found.changes.len()
	return syncContent(point.state(found.changes, upTo), "m:IncludesLastItemInRange", last, len(list), func(x *xmlWriter, i int) error {
		return list[i].writeItem(x, s)
	}), nil
}

func stateOf(unit *etree.Element) string {
	if e := child(unit, "SyncState"); e != nil {
		return strings.TrimSpace(e.Text())
	}
	return ""
}

func (c *call) ignored(unit *etree.Element) (map[uint64]bool, *failure) {
	list := child(unit, "Ignore")
	if list == nil {
		return nil, nil
	}
	ignore := map[uint64]bool{}
	for e := range list.ChildElementsSeq() {
		id, f := c.ownID(attr(e, "Id"))
		if f != nil {
			return nil, f
		}
		ignore[id.item] = true
	}
	return ignore, nil
}

// itemChanges tells at most so many changes of a folder after a number, in the
// order they were made, and the number up to which that is all.
//
// Of an item the log may have many lines. It is told as a Create at the line
// that made it, with the content it has now; as Update or ReadFlagChange at its
// last line only, and not when its Create is in the same answer; as a Delete
// when the client was told of it before.
func (m *Mailbox) itemChanges(f *folder, since uint64, most int, leaveOut func(item uint64, associated bool) bool) (list []told, upTo uint64) {
	upTo = since
	for i := f.changes.after(since); i < f.changes.len(); i++ {
		line := f.changes.at(i)
		t, tell := m.itemChange(f, line, since, leaveOut)
		if tell && len(list) == most {
			return list, upTo
		}
		if tell {
			list = append(list, t)
		}
		upTo = line.number
	}
	return list, upTo
}

func (m *Mailbox) itemChange(f *folder, line change, since uint64, leaveOut func(item uint64, associated bool) bool) (told, bool) {
	if line.kind == changeDelete {
		id := objectID{mailbox: m.guid, folder: f.counter, item: line.object}
		t := told{kind: changeDelete, id: id.String(), key: changeKey(kindMessage, m.guid, line.number)}
		return t, line.created <= since && !leaveOut(line.object, line.associated)
	}
	it := m.item(line.object)
	if it == nil || leaveOut(it.counter, it.associated) {
		return told{}, false
	}
	t := told{kind: line.kind, item: m.viewItem(it)}
	switch {
	case line.kind == changeCreate:
		return t, true
	case it.created > since || it.changed != line.number:
		return told{}, false
	case it.content > since:
		t.kind = changeUpdate
	}
	return t, true
}

// syncContent writes a synchronization's answer.
func syncContent(state, lastName string, last bool, n int, write func(*xmlWriter, int) error) content {
	return func(x *xmlWriter) error {
		x.leaf("m:SyncState", state)
		x.flag(lastName, last)
		x.start("m:Changes")
		for i := range n {
			if err := write(x, i); err != nil {
				return err
			}
		}
		x.end()
		return nil
	}
}

func (t told) element() string {
	return [...]string{"t:Create", "t:Update", "t:ReadFlagChange", "t:Delete"}[t.kind]
}

func (t told) writeItem(x *xmlWriter, s shape) error {
	x.start(t.element())
	defer x.end()
	switch t.kind {
	case changeDelete:
		x.empty("t:ItemId", "Id", t.id, "ChangeKey", t.key)
	case changeRead:
		x.empty("t:ItemId", "Id", t.item.id, "ChangeKey", t.item.key)
		x.flag("t:IsRead", t.item.rev.read)
	default:
		return writeItem(x, t.item, s, listing)
	}
	return nil
}

func (c *call) syncHierarchy(unit *etree.Element) (content, *failure) {
	s, f := readShape(child(unit, "FolderShape"))
	if f != nil {
		return nil, f
	}
	m := c.mailbox
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.address == publicAddress {
		return nil, fail("ErrorInvalidFolderTypeForOperation") // EWS: there is no synchronization of public folders
	}
	root, point := m.special["root"], syncPoint{scopeMailbox, m.guid, 0}
	if e := child(unit, "SyncFolderId"); e != nil {
		if root, f = c.folderOf(e, "ErrorSyncFolderNotFound"); f != nil {
			return nil, f
		}
		point.scope, point.folder = scopeHierarchy, root.counter
	}
	since, f := point.number(m.changes, stateOf(unit))
	if f != nil {
		return nil, f
	}
	list := m.folderChanges(root, since)
	state := point.state(m.changes, m.changes.last())
	return syncContent(state, "m:IncludesLastFolderInRange", true, len(list), func(x *xmlWriter, i int) error {
		list[i].writeFolder(x, s)
		return nil
	}), nil
}

func (l changeLog) last() uint64 {
	if l.len() == 0 {
		return 0
	}
	return l.at(l.len() - 1).number
}

// folderChanges tells the changes below root after a number, parents before children.
func (m *Mailbox) folderChanges(root *folder, since uint64) (list []told) {
	root.walk(func(f *folder) {
		switch {
		case f.created > since:
			list = append(list, told{kind: changeCreate, folder: m.viewFolder(f), number: f.changed})
		case f.changed > since:
			list = append(list, told{kind: changeUpdate, folder: m.viewFolder(f), number: f.changed})
		}
	})
	gone := map[uint64]uint64{} // numbers of the changes, by folder
	for counter, g := range m.gone {
		if g.created <= since && g.deleted > since && slices.Contains(g.within, root.counter) {
			gone[counter] = g.deleted
		}
	}
	for counter, f := range m.folders {
		// Moved out of what the client looks at, or so it may be.
		if f.created <= since && f.moved > since && f != root && !f.below(root) {
			gone[counter] = f.moved
		}
	}
	for _, counter := range slices.Sorted(maps.Keys(gone)) {
		id := objectID{mailbox: m.guid, folder: counter}
		list = append(list, told{kind: changeDelete, id: id.String(), key: changeKey(kindFolder, m.guid, m.number), number: gone[counter]})
	}
	return list
}

func (t told) writeFolder(x *xmlWriter, s shape) {
	x.start(t.element())
	if t.kind == changeDelete {
		x.empty("t:FolderId", "Id", t.id, "ChangeKey", t.key)
	} else {
		writeFolder(x, t.folder, s)
	}
	x.end()
}
