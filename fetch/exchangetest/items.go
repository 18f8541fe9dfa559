package exchangetest

import (
	"github.com/beevik/etree"
)

func (c *call) getItem(unit *etree.Element) (content, *failure) {
	s, f := readShape(child(c.body, "ItemShape"))
	if f != nil {
		return nil, f
	}
	v, f := c.view(unit)
	if f != nil {
		return nil, f
	}
	data, f := loadItem(v, s, all)
	if f != nil {
		return nil, f
	}
	return func(x *xmlWriter) error {
		x.start("m:Items")
		if err := data.write(x, all); err != nil {
			return err
		}
		x.end()
		return nil
	}, nil
}

// view looks up an item for reading.
func (c *call) view(unit *etree.Element) (itemView, *failure) {
	c.mailbox.mu.RLock()
	defer c.mailbox.mu.RUnlock()
	it, _, f := c.itemOf(unit)
	if f != nil {
		return itemView{}, f
	}
	return c.mailbox.viewItem(it), nil
}

// itemContent is what writing operations answer: the item's id.
func itemContent(v itemView) content {
	return func(x *xmlWriter) error {
		x.start("m:Items")
		x.start(itemElement(v.rev.class))
		x.empty("t:ItemId", "Id", v.id, "ChangeKey", v.key)
		x.end()
		x.end()
		return nil
	}
}

func noItems(x *xmlWriter) error {
	x.empty("m:Items")
	return nil
}

func (c *call) moveItem(unit *etree.Element) (content, *failure) {
	m := c.mailbox
	m.mu.Lock()
	defer m.mu.Unlock()
	to, f := c.folderOf(child(c.body, "ToFolderId"), "ErrorToFolderNotFound")
	if f != nil {
		return nil, f
	}
	if to.search {
		return nil, fail("ErrorInvalidFolderTypeForOperation")
	}
	it, _, f := c.itemOf(unit)
	if f != nil {
		return nil, f
	}
	moved := m.moveItem(it, to)
	if e := child(c.body, "ReturnNewItemIds"); e != nil && !isTrue(e.Text()) {
		return noItems, nil
	}
	return itemContent(m.viewItem(moved)), nil
}

func (c *call) deleteItem(unit *etree.Element) (content, *failure) {
	m := c.mailbox
	m.mu.Lock()
	defer m.mu.Unlock()
	it, _, f := c.itemOf(unit)
	if f != nil {
		return nil, f
	}
	switch element := itemElement(it.rev.class); {
	case element == "t:CalendarItem" && attr(c.body, "SendMeetingCancellations") == "":
		return nil, fail("ErrorSendMeetingCancellationsRequired")
	case element == "t:Task" && attr(c.body, "AffectedTaskOccurrences") == "":
		return nil, fail("ErrorAffectedTaskOccurrencesRequired")
	}
	m.deleteItem(it, attr(c.body, "DeleteType"))
	return nothing, nil
}

// deleteItem does what a DeleteType says. Public folders have neither deleted nor recoverable items.
func (m *Mailbox) deleteItem(it *item, kind string) {
	to := m.relative(it.folder, "deleteditems")
	if kind == "SoftDelete" && !it.folder.recoverable() {
		to = m.relative(it.folder, "recoverableitemsdeletions")
	} else if kind != "MoveToDeletedItems" {
		to = nil
	}
	if to == nil {
		m.removeItem(it)
		return
	}
	m.moveItem(it, to)
}
