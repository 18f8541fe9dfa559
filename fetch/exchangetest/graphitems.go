package exchangetest

import (
	"net/http"
	"net/url"
	"slices"
	"sync"

	"mailbrick/fetch/mapi"
)

// itemEntity is an item as answers have it. What is in the item is read when it is asked for.
func (c *graphCall) itemEntity(v itemView) entity {
	fact := func(of func(*facts) any) any {
		return func() any {
			f, err := v.rev.summary()
			if err != nil {
				return nil
			}
			return of(f)
		}
	}
	message := sync.OnceValue(func() *mapi.Message {
		m, _ := v.rev.source.message(64 << 10) // what cannot be read has no properties
		return m
	})
	return entity{
		object: object{
			{"@odata.type", "#microsoft.graph.mailboxItem"},
			{"@odata.etag", `W/"` + v.key + `"`},
			{"createdDateTime", fact(func(f *facts) any { return stampText(f.created) })},
			{"lastModifiedDateTime", fact(func(f *facts) any { return stampText(f.modified) })},
			{"changeKey", v.key},
			{"categories", fact(func(f *facts) any { return append([]string{}, f.categories...) })},
			{"type", v.rev.class},
			{"size", v.rev.length},
			{"id", restID(v.id)},
		},
		extended: func(x extendedField) *mapi.Property { return itemData{itemView: v, m: message()}.extended(x) },
	}
}

func (c *graphCall) itemsContext() string {
	return "admin/exchange/mailboxes('" + url.QueryEscape(c.box.id) + "')/folders('" + url.QueryEscape(c.vars["folder"]) + "')/items"
}

// listItems lists a folder, the last that came first. Associated items are not shown.
func (c *graphCall) listItems() *failure {
	views, f := c.itemViews()
	if f != nil {
		return f
	}
	list := make([]entity, 0, len(views))
	for _, v := range views {
		list = append(list, c.itemEntity(v))
	}
	return c.page(c.itemsContext(), list)
}

func (c *graphCall) itemViews() (views []itemView, f *failure) {
	m := c.box
	m.mu.RLock()
	defer m.mu.RUnlock()
	at, f := c.graphFolder()
	if f != nil {
		return nil, f
	}
	items := slices.Clip(m.itemsOf(at))
	if at.search {
		m.top().walk(func(f *folder) { items = append(items, m.itemsOf(f)...) })
	}
	for _, it := range slices.Backward(items) {
		if !it.associated {
			views = append(views, m.viewItem(it))
		}
	}
	return views, nil
}

func (c *graphCall) getItem() *failure {
	v, f := c.itemView()
	if f != nil {
		return f
	}
	return c.answer(http.StatusOK, c.single("folders('"+url.QueryEscape(c.vars["folder"])+"')/items/$entity", c.itemEntity(v)))
}

func (c *graphCall) itemView() (itemView, *failure) {
	c.box.mu.RLock()
	defer c.box.mu.RUnlock()
	it, f := c.pathItem()
	if f != nil {
		return itemView{}, f
	}
	return c.box.viewItem(it), nil
}

// pathItem finds the item that the path names, in the folder that it names. The mailbox is locked.
func (c *graphCall) pathItem() (*item, *failure) {
	at, f := c.graphFolder()
	if f != nil {
		return nil, f
	}
	it, f := c.box.itemByID(c.vars["item"])
	if f == nil && it.folder != at && !at.search {
		f = notFound()
	}
	return it, f
}

// itemByID finds an item. The mailbox is locked.
func (b graphBox) itemByID(text string) (*item, *failure) {
	id, f := b.ownID(text)
	switch {
	case f != nil:
		return nil, f
	case id.item == 0:
		return nil, fail("ErrorCannotUseFolderIdForItemId")
	}
	it := b.item(id.item)
	if it == nil || it.folder.counter != id.folder {
		return nil, notFound()
	}
	f = b.claims(it.folder)
	if f != nil && f.code != "PermanentRedirect" {
		f = b.foreign(text)
	}
	return it, f
}
