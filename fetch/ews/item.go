package ews

import (
	"context"
	"encoding/base64"
	"iter"
	"strconv"

	"github.com/beevik/etree"

	"mailbrick/fetch/wire"
)

// ItemRef is an item and, by the change key, the state it was in. Ids differ by case alone.
type ItemRef struct{ ID, ChangeKey string }

// ChangeKind is what happened to an item.
type ChangeKind uint8

const (
	Created ChangeKind = iota + 1
	Updated
	Deleted
	ReadFlag // only read or unread has changed
)

func (k ChangeKind) String() string {
	switch k {
	case Created:
		return "created"
	case Updated:
		return "updated"
	case Deleted:
		return "deleted"
	case ReadFlag:
		return "read flag"
	}
	return "unknown"
}

// Change is one change in a folder. Size, Class and Associated are those of Created and Updated, Read of ReadFlag.
type Change struct {
	Kind       ChangeKind
	Item       ItemRef
	Size       int64
	Class      string
	Associated bool // a hidden item: a view, a rule, settings
	Read       bool
}

// SyncPage is a part of the changes of a folder. State leads to what follows; keep it once all of the page is kept.
type SyncPage struct {
	State   string
	Last    bool
	Changes []Change
}

// maxChanges is the most SyncFolderItems gives. EWS MaxSyncChangesReturnedType.
const maxChanges = 512

// SyncFolderItems gives up to limit changes (0: as many as there may be) in a folder since state, "" being the beginning;
// hidden items too.
func (c *Client) SyncFolderItems(ctx context.Context, folderID, state string, limit int) (SyncPage, error) {
	if limit <= 0 || limit > maxChanges {
		limit = maxChanges
	}
	var page SyncPage
	err := c.shrinking(ctx, &limit, 1, &operation{
		name: "SyncFolderItems",
		build: func(e *etree.Element, _ schema, _ func(int) string) {
			addShape(e, "m:ItemShape", []property{{uri: "item:Size"}, {uri: "item:ItemClass"}, {uri: "item:IsAssociated"}})
			c.addFolderID(e.CreateElement("m:SyncFolderId"), FolderRef{ID: folderID})
			if state != "" {
				addText(e, "m:SyncState", state)
			}
			addText(e, "m:MaxChangesReturned", strconv.Itoa(limit))
			addText(e, "m:SyncScope", "NormalAndAssociatedItems")
		},
		read: func(a *answer) (err error) {
			page, err = a.syncPage()
			return err
		},
	})
	if err != nil {
		return SyncPage{}, err
	}
	return page, nil
}

func (a *answer) syncPage() (p SyncPage, err error) {
	err = a.only(func(t token) (err error) {
		switch t.Name.Local {
		case "SyncState":
			p.State, err = a.word()
		case "IncludesLastItemInRange":
			p.Last, err = a.flag()
		case "Changes":
			err = a.children(func(t token) error {
				if len(p.Changes) == maxListed {
					return a.tooMany()
				}
				change, err := a.change(t)
				if change.Kind != 0 {
					p.Changes = append(p.Changes, change)
				}
				return err
			})
		default:
			err = a.skip()
		}
		return err
	})
	if err == nil && p.State == "" {
		err = a.syntax("no SyncState in the answer")
	}
	return p, err
}

// change reads one of Changes; the zero Change is one of a kind not known.
func (a *answer) change(t token) (Change, error) {
	kinds := map[string]ChangeKind{"Create": Created, "Update": Updated, "Delete": Deleted, "ReadFlagChange": ReadFlag}
	ch := Change{Kind: kinds[t.Name.Local]}
	if ch.Kind == 0 {
		return ch, a.skip()
	}
	err := a.children(func(t token) (err error) {
		switch t.Name.Local {
		case "ItemId": // Delete and ReadFlagChange
			ch.Item, err = a.itemID(t)
		case "IsRead":
			ch.Read, err = a.flag()
		default: // the item, under the name of its kind
			err = a.children(func(t token) error { return a.changedItem(&ch, t) })
		}
		return err
	})
	if err == nil && ch.Item.ID == "" {
		err = a.syntax("a change without an item")
	}
	return ch, err
}

func (a *answer) changedItem(ch *Change, t token) (err error) {
	switch t.Name.Local {
	case "ItemId":
		ch.Item, err = a.itemID(t)
	case "Size":
		ch.Size, err = a.number()
	case "ItemClass":
		ch.Class, err = a.word()
	case "IsAssociated":
		ch.Associated, err = a.flag()
	default:
		err = a.skip()
	}
	return err
}

// FoundItem is what tells an item from others across mailboxes: ids do not.
type FoundItem struct {
	Item      ItemRef
	MessageID string
	SearchKey []byte
	Size      int64
	Subject   string
}

// FindItems lists the items of a folder (hidden ones not), oldest first. The folder may change meanwhile: an item can
// come twice or be missed.
func (c *Client) FindItems(ctx context.Context, folderID string) iter.Seq2[FoundItem, error] {
	return func(yield func(FoundItem, error) bool) {
		p := newPaging()
		for !p.last {
			page, err := c.itemPage(ctx, folderID, p)
			if err != nil {
				yield(FoundItem{}, err)
				return
			}
			for _, item := range page {
				if !yield(item, nil) {
					return
				}
			}
		}
	}
}

func (c *Client) itemPage(ctx context.Context, folderID string, p *paging) (page []FoundItem, err error) {
	err = p.next(ctx, c, &operation{
		name: "FindItem",
		build: func(e *etree.Element, _ schema, _ func(int) string) {
			e.CreateAttr("Traversal", "Shallow")
			addShape(e, "m:ItemShape", []property{
				{uri: "message:InternetMessageId"}, {uri: "item:Size"}, {uri: "item:Subject"},
				{tag: "0x300B", mapiType: "Binary"}, // PidTagSearchKey
			})
			addPage(e, "m:IndexedPageItemView", p.size, p.offset)
			order := e.CreateElement("m:SortOrder").CreateElement("t:FieldOrder")
			order.CreateAttr("Order", "Ascending")
			order.CreateElement("t:FieldURI").CreateAttr("FieldURI", "item:DateTimeCreated")
			c.addFolderID(e.CreateElement("m:ParentFolderIds"), FolderRef{ID: folderID})
		},
		read: func(a *answer) error {
			page = page[:0]
			return a.page(p, "Items", func(token) error {
				item, err := a.foundItem()
				page = append(page, item)
				return err
			})
		},
	}, wire.Entries(&page, func(f FoundItem) string { return f.Item.ID }))
	return page, err
}

func (a *answer) foundItem() (f FoundItem, err error) {
	err = a.children(func(t token) (err error) {
		switch t.Name.Local {
		case "ItemId":
			f.Item, err = a.itemID(t)
		case "InternetMessageId":
			f.MessageID, err = a.word()
		case "Size":
			f.Size, err = a.number()
		case "Subject":
			f.Subject, err = a.content()
		case "ExtendedProperty":
			var value string
			if _, value, err = a.extended(); err == nil {
				f.SearchKey, _ = base64.StdEncoding.DecodeString(value) // what is no base64 is no key
			}
		default:
			err = a.skip()
		}
		return err
	})
	if err == nil && f.Item.ID == "" {
		err = a.syntax("an item without an id")
	}
	return f, err
}

// SetRead marks an item as read or unread and gives it with its new change key. No receipt is sent by servers of 2013 SP1
// and later; older ones cannot be asked not to.
func (c *Client) SetRead(ctx context.Context, item ItemRef, read bool) (ItemRef, error) {
	changed := item
	err := c.call(ctx, &operation{
		name: "UpdateItem",
		build: func(e *etree.Element, v schema, _ func(int) string) {
			e.CreateAttr("ConflictResolution", "AlwaysOverwrite")
			e.CreateAttr("MessageDisposition", "SaveOnly")
			if v == schema2013SP1 {
				e.CreateAttr("SuppressReadReceipts", "true")
			}
			change := e.CreateElement("m:ItemChanges").CreateElement("t:ItemChange")
			addItemID(change, item)
			set := change.CreateElement("t:Updates").CreateElement("t:SetItemField")
			set.CreateElement("t:FieldURI").CreateAttr("FieldURI", "message:IsRead")
			addText(set.CreateElement("t:Message"), "t:IsRead", strconv.FormatBool(read))
		},
		read: func(a *answer) error { return a.only(func(t token) error { return a.updated(t, &changed) }) },
	})
	return changed, err
}

// updated reads the Items of an answer to UpdateItem.
func (a *answer) updated(t token, item *ItemRef) error {
	if t.Name.Local != "Items" {
		return a.skip()
	}
	return a.children(func(token) error {
		return a.children(func(t token) (err error) {
			if t.Name.Local != "ItemId" {
				return a.skip()
			}
			*item, err = a.itemID(t)
			return err
		})
	})
}
