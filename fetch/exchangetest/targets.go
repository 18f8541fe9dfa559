package exchangetest

import (
	"github.com/beevik/etree"
)

// folderOf finds the folder an element names: FolderId, DistinguishedFolderId or
// one that holds such (SyncFolderId). missing is the code for one that is not there.
// The mailbox is locked.
func (c *call) folderOf(e *etree.Element, missing string) (*folder, *failure) {
	switch e.Tag {
	case "DistinguishedFolderId":
		return c.distinguished(e)
	case "FolderId", "ParentFolderId":
		if hasAttr(e, "Id") {
			return c.folderByID(e, missing)
		}
	case "AddressListId":
		return nil, fail(missing)
	}
	return c.folderOf(e.ChildElements()[0], missing)
}

func (c *call) distinguished(e *etree.Element) (*folder, *failure) {
	if box := child(e, "Mailbox"); box != nil {
		address := child(box, "EmailAddress")
		switch {
		case address == nil:
			return nil, fail("ErrorMissingInformationEmailAddress")
		case c.server.mailbox(address.Text()) == nil:
			return nil, fail("ErrorNonExistentMailbox")
		case c.server.mailbox(address.Text()) != c.mailbox:
			// Another's mailbox opens by impersonation only: rights to it are not modelled.
			return nil, fail("ErrorAccessDenied")
		}
	} else if c.mailbox.address == "" {
		return nil, fail("ErrorNonExistentMailbox")
	}
	if _, f := keyNumber(attr(e, "ChangeKey"), true); f != nil {
		return nil, f
	}
	return c.mailbox.distinguished(attr(e, "Id"))
}

func (c *call) folderByID(e *etree.Element, missing string) (*folder, *failure) {
	id, f := c.ownID(attr(e, "Id"))
	if f != nil {
		return nil, f
	}
	if id.item != 0 {
		return nil, fail("ErrorCannotUseItemIdForFolderId")
	}
	if _, f := keyNumber(attr(e, "ChangeKey"), true); f != nil {
		return nil, f
	}
	if found := c.mailbox.folders[id.folder]; found != nil {
		return found, nil
	}
	return nil, fail(missing)
}

// ownID reads an id and refuses that of another mailbox.
func (c *call) ownID(text string) (objectID, *failure) {
	id, f := parseID(text)
	if f != nil {
		return id, f
	}
	if id.mailbox != c.mailbox.guid {
		f := fail("ErrorNonExistentMailbox").with("MailboxGuid", id.mailbox.String())
		f.text = "No mailbox with such guid."
		return id, f
	}
	return id, nil
}

// itemOf finds the item an ItemId names, and the change number of its change key
// (0: the key says nothing). The mailbox is locked.
func (c *call) itemOf(e *etree.Element) (*item, uint64, *failure) {
	if e.Tag != "ItemId" {
		return nil, 0, fail("ErrorItemNotFound") // occurrences of recurring items are not modelled
	}
	id, f := c.ownID(attr(e, "Id"))
	if f != nil {
		return nil, 0, f
	}
	if id.item == 0 {
		return nil, 0, fail("ErrorCannotUseFolderIdForItemId")
	}
	number, f := keyNumber(attr(e, "ChangeKey"), false)
	if f != nil {
		return nil, 0, f
	}
	it := c.mailbox.item(id.item)
	if it == nil || it.folder.counter != id.folder {
		return nil, number, fail("ErrorItemNotFound")
	}
	return it, number, nil
}
