package graph

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
)

// ItemRef is an item and, by the change key, the state it was in. Ids differ by case alone.
type ItemRef struct{ ID, ChangeKey string }

// ToEWS gives an id as Exchange Web Services write it: the same bytes in base64, with "+" for "_" and "/" for "-". That is
// not the alphabet of RFC 4648, 5. Servers of either protocol know an item by either form.
func ToEWS(id string) string { return strings.NewReplacer("_", "+", "-", "/").Replace(id) }

// FromEWS is the way back.
func FromEWS(id string) string { return strings.NewReplacer("+", "_", "/", "-").Replace(id) }

// Listed is what a list tells of an item. SearchKey and MessageID are told by ListItems alone.
type Listed struct {
	ItemRef
	Class     string
	Size      int64
	Removed   bool // it is no longer in the folder; nothing but the id is told
	SearchKey []byte
	MessageID string
}

// ItemPage is a part of a list. Next leads to what follows, Delta, at the end of a list of changes, to what will have
// changed by then. Both are links, to be kept as they are.
type ItemPage struct {
	Items       []Listed
	Next, Delta string
}

const (
	tagSearchKey = 0x300B
	tagMessageID = 0x1035

	itemFields   = "id,changeKey,type,size"
	itemExpanded = "singleValueExtendedProperties($filter=id eq 'Binary 0x300B' or id eq 'String 0x1035')"
	listPage     = "200"
	deltaPage    = "odata.maxpagesize=500"

	maxListed = 5000 // items of a page: a server may give more than it was asked for, but not without end
)

// ChangedItems gives what changed in a folder since a link, "" being the beginning. A link of another server, or one that
// this server knows nothing of any more, is an error of class Resync. Hidden (associated) items are not told.
func (c *Client) ChangedItems(ctx context.Context, folderID, link string) (ItemPage, error) {
	mailbox, err := c.MailboxID(ctx)
	if err != nil {
		return ItemPage{}, err
	}
	given := link != ""
	if !given {
		link = c.at(in(mailbox, "folders", folderID, "items", "delta"), "$select", itemFields)
	} else if err := c.own(link); err != nil {
		return ItemPage{}, &Error{Operation: "items delta", class: Resync, Text: "the place in the list is of another server"}
	}
	page, err := c.items(ctx, &operation{name: "items delta", method: http.MethodGet, url: link, prefer: deltaPage})
	if given && mailboxUnknown(err) {
		err = &Error{Operation: "items delta", class: Resync, Text: "the place in the list is of a mailbox that has another id now"}
	}
	if err == nil && page.Next == "" && page.Delta == "" {
		err = &Error{Operation: "items delta", class: Transient, Text: "neither a next nor a delta link", cause: ErrTruncated}
	}
	return page, err
}

// Item looks up an item of a folder. One that is not there is zero.
func (c *Client) Item(ctx context.Context, folderID, itemID string) (it Listed, err error) {
	mailbox, err := c.MailboxID(ctx)
	if err != nil {
		return it, err
	}
	err = c.call(ctx, &operation{
		name: "get item", method: http.MethodGet, url: c.at(in(mailbox, "folders", folderID, "items", itemID), "$select", itemFields),
		read: func(s *scanner) (err error) {
			it, err = s.item()
			return err
		},
	})
	var e *Error
	if errors.As(err, &e) && e.Class() == Gone {
		return Listed{}, nil
	}
	return it, err
}

// ListItems gives the items of a folder, page by page: "" is the first, later Next of the page before.
func (c *Client) ListItems(ctx context.Context, folderID, link string) (ItemPage, error) {
	mailbox, err := c.MailboxID(ctx)
	if err != nil {
		return ItemPage{}, err
	}
	if link == "" {
		link = c.at(in(mailbox, "folders", folderID, "items"), "$top", listPage, "$select", itemFields, "$expand", itemExpanded)
	} else if err := c.own(link); err != nil {
		return ItemPage{}, &Error{Operation: "list items", class: Resync, Text: "the place in the list is of another server"}
	}
	return c.items(ctx, &operation{name: "list items", method: http.MethodGet, url: link})
}

func (c *Client) items(ctx context.Context, op *operation) (p ItemPage, err error) {
	op.read = func(s *scanner) error {
		p = ItemPage{}
		found := false
		err := s.object(func(name string) (err error) {
			switch name {
			case "value":
				found = true
				err = s.array(func() error {
					if len(p.Items) == maxListed {
						return &Error{Operation: op.name, class: Permanent, Text: "a page of more than " + strconv.Itoa(maxListed) + " items"}
					}
					it, err := s.item()
					p.Items = append(p.Items, it)
					return err
				})
			case "@odata.nextLink":
				p.Next, err = s.text()
			case "@odata.deltaLink":
				p.Delta, err = s.text()
			default:
				err = s.skip()
			}
			return err
		})
		if err == nil && !found {
			err = s.syntax("no value in the answer")
		}
		if err == nil && p.Next == op.url {
			err = s.syntax("a page that leads to itself")
		}
		for _, link := range []string{p.Next, p.Delta} {
			if err == nil && link != "" {
				err = c.own(link)
			}
		}
		return err
	}
	err = c.call(ctx, op)
	if err != nil {
		return ItemPage{}, err
	}
	return p, nil
}

func (s *scanner) item() (it Listed, err error) {
	var etag string
	err = s.object(func(name string) (err error) {
		switch name {
		case "id":
			it.ID, err = s.text()
		case "changeKey":
			it.ChangeKey, err = s.text()
		case "@odata.etag":
			etag, err = s.text()
		case "type":
			it.Class, err = s.text()
		case "size":
			it.Size, err = s.number()
			it.Size = max(it.Size, 0)
		case "@removed":
			it.Removed = true
			err = s.skip()
		case "singleValueExtendedProperties":
			err = s.properties(it.property)
		default:
			err = s.skip()
		}
		return err
	})
	if it.ChangeKey == "" { // the tag of the entity holds it too: W/"..."
		it.ChangeKey = strings.TrimSuffix(strings.TrimPrefix(etag, `W/"`), `"`)
	}
	if err == nil && it.ID == "" {
		err = s.syntax("an item without an id")
	}
	return it, err
}

func (it *Listed) property(tag uint16, value string) {
	switch tag {
	case tagSearchKey:
		it.SearchKey, _ = base64.StdEncoding.DecodeString(value) // one that cannot be read is none
	case tagMessageID:
		it.MessageID = value
	}
}

// DeleteItem deletes an item: to where the user can recover it, or for good, which a hold forbids.
func (c *Client) DeleteItem(ctx context.Context, folderID, itemID string, forGood bool) error {
	mailbox, err := c.MailboxID(ctx)
	if err != nil {
		return err
	}
	how := "softDelete"
	if forGood {
		how = "hardDelete"
	}
	return c.call(ctx, &operation{name: "delete item", method: http.MethodDelete,
		url: c.at(in(mailbox, "folders", folderID, "items", itemID), "disposalType", how)})
}

// SetRead marks a message as read or unread and gives it as it is then. The API for mailboxes has no way to; this is the
// one for mail, and needs the right to write mail (Mail.ReadWrite).
func (c *Client) SetRead(ctx context.Context, itemID string, read bool) (ItemRef, error) {
	body, err := json.Marshal(map[string]bool{"isRead": read})
	if err != nil {
		return ItemRef{}, err
	}
	ref := ItemRef{ID: itemID}
	err = c.call(ctx, &operation{
		name: "set the read flag", method: http.MethodPatch, url: c.at([]string{"users", c.opts.Mailbox, "messages", itemID}), json: body,
		read: func(s *scanner) error {
			it, err := s.item()
			if err == nil {
				ref = it.ItemRef
			}
			return err
		},
	})
	return ref, err
}
