package ews

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/beevik/etree"

	"mailbrick/fetch/wire"
)

// LookUp is GetFolders with an error for each folder: one that the server refuses does not keep the others from being
// found. A folder that is not there is zero and has no error.
func (c *Client) LookUp(ctx context.Context, refs ...FolderRef) (found []Folder, refused []error, err error) {
	if len(refs) == 0 {
		return nil, nil, nil
	}
	err = c.call(ctx, &operation{
		name:  "GetFolder",
		build: func(e *etree.Element, v schema, _ func(int) string) { c.addGetFolder(e, v, refs) },
		read: func(a *answer) error {
			found, refused = make([]Folder, len(refs)), make([]error, len(refs))
			return a.foldersInto(found, func(m *message) error {
				e := m.err(c)
				e.Operation, e.Status = "GetFolder", http.StatusOK
				if e.Class() == BackOff || e.Class() == Auth {
					return e // not this folder's
				}
				refused[m.index] = e
				return nil
			})
		},
	})
	if err != nil {
		return nil, nil, err
	}
	return found, refused, nil
}

// ChildFolders gives the folders right below one, with Children and Replica: the way through public folders, which have no
// deep listing.
func (c *Client) ChildFolders(ctx context.Context, root FolderRef) ([]Folder, error) {
	return c.findFolders(ctx, root, "Shallow", property{uri: "folder:ChildFolderCount"}, property{tag: "0x6698", mapiType: "Binary"})
}

// ListedItem is an item as a listing of its folder says it.
type ListedItem struct {
	Item  ItemRef
	Size  int64
	Class string
}

// ListPage is a part of a folder's items. Next is the offset of what follows.
type ListPage struct {
	Items []ListedItem
	Next  int
	Last  bool
}

// ListItems lists a part of a folder's items from an offset on, the oldest first: where no synchronization is offered
// (public folders). The folder may change between two pages, which moves the offsets.
func (c *Client) ListItems(ctx context.Context, folderID string, offset int, associated bool) (ListPage, error) {
	p := newPaging()
	p.offset = offset
	var page ListPage
	err := p.next(ctx, c, &operation{
		name: "FindItem",
		build: func(e *etree.Element, _ schema, _ func(int) string) {
			traversal := "Shallow"
			if associated {
				traversal = "Associated"
			}
			e.CreateAttr("Traversal", traversal)
			addShape(e, "m:ItemShape", []property{{uri: "item:Size"}, {uri: "item:ItemClass"}})
			addPage(e, "m:IndexedPageItemView", p.size, p.offset)
			order := e.CreateElement("m:SortOrder").CreateElement("t:FieldOrder")
			order.CreateAttr("Order", "Ascending")
			order.CreateElement("t:FieldURI").CreateAttr("FieldURI", "item:DateTimeCreated")
			c.addFolderID(e.CreateElement("m:ParentFolderIds"), FolderRef{ID: folderID})
		},
		read: func(a *answer) error {
			page = ListPage{}
			return a.page(p, "Items", func(token) error {
				item, err := a.listedItem()
				page.Items = append(page.Items, item)
				return err
			})
		},
	}, wire.Entries(&page.Items, func(it ListedItem) string { return it.Item.ID }))
	page.Next, page.Last = p.offset, p.last
	return page, err
}

func (a *answer) listedItem() (it ListedItem, err error) {
	var ch Change
	err = a.children(func(t token) error { return a.changedItem(&ch, t) })
	if err == nil && ch.Item.ID == "" {
		err = a.syntax("an item without an id")
	}
	return ListedItem{Item: ch.Item, Size: ch.Size, Class: ch.Class}, err
}

// replica reads PidTagReplicaList: the GUIDs of the mailboxes that hold a public folder's content, as texts with a zero
// behind each. The first will do.
func replica(value string) string {
	b, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		return ""
	}
	guid, _, _ := strings.Cut(string(b), "\x00")
	if len(guid) > 64 || strings.ContainsFunc(guid, func(r rune) bool { return r <= ' ' || r > '~' || r == '@' }) {
		return ""
	}
	return guid
}

// routes are the clients that a client made for the content mailboxes of public folders.
type routes struct {
	mu     sync.Mutex // guards byAddr
	byAddr map[string]*Client
}

// Routed gives a client whose requests go to the public folder mailbox of that address, X-AnchorMailbox and
// X-PublicFolderMailbox; "" gives c itself. What it does counts among c's Stats, and closing c is enough.
func (c *Client) Routed(address string) (*Client, error) {
	if address == "" || strings.EqualFold(address, c.opts.PublicFolderMailbox) {
		return c, nil
	}
	c.routes.mu.Lock()
	defer c.routes.mu.Unlock()
	key := strings.ToLower(address)
	if r := c.routes.byAddr[key]; r != nil {
		return r, nil
	}
	o := c.opts
	o.PublicFolderMailbox, o.HTTP = address, &http.Client{Transport: c.via}
	r, err := New(o)
	if err != nil {
		return nil, fmt.Errorf("public folder mailbox: %w", err)
	}
	if c.routes.byAddr == nil {
		c.routes.byAddr = map[string]*Client{}
	}
	c.routes.byAddr[key] = r
	return r, nil
}

// routedStats adds what the routed clients did.
func (c *Client) routedStats(s Stats) Stats {
	c.routes.mu.Lock()
	defer c.routes.mu.Unlock()
	for _, r := range c.routes.byAddr {
		t := r.Stats()
		s.Requests += t.Requests
		s.Throttled = max(s.Throttled, t.Throttled)
		s.Waited += t.Waited
		s.BytesIn, s.BytesOut = s.BytesIn+t.BytesIn, s.BytesOut+t.BytesOut
	}
	return s
}
