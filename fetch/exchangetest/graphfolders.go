package exchangetest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"mailbrick/fetch/mapi"
)

// graphFolder finds the folder that the path names, by id or by well-known name.
// The mailbox is locked.
func (c *graphCall) graphFolder() (*folder, *failure) {
	return c.box.folderByName(c.vars["folder"])
}

func (b graphBox) folderByName(name string) (*folder, *failure) {
	if f := b.named(strings.ToLower(name)); f != nil {
		return f, b.claims(f)
	}
	id, f := b.ownID(name)
	switch {
	case f != nil:
		return nil, f
	case id.item != 0:
		return nil, fail("ErrorCannotUseItemIdForFolderId")
	case b.folders[id.folder] == nil:
		return nil, notFound()
	}
	found := b.folders[id.folder]
	return found, b.claims(found)
}

// top is the folder that has those that people see.
func (b graphBox) top() *folder { return b.named("msgfolderroot") }

func notFound() *failure { return fail("ErrorItemNotFound") }

// ownID reads an id in Graph's letters and refuses that of another mailbox.
func (b graphBox) ownID(text string) (objectID, *failure) {
	standard, ok := ewsID(text)
	if !ok {
		return objectID{}, fail("ErrorInvalidIdMalformed")
	}
	id, f := parseID(standard)
	if f == nil && id.mailbox != b.guid {
		f = b.foreign(text)
	}
	return id, f
}

func (b graphBox) foreign(id string) *failure {
	return fail("ErrorInvalidMailboxItemId").say("Item '" + id + "' doesn't belong to the targeted mailbox '" + b.id + "'.")
}

// folderEntity is a folder as answers have it.
func (c *graphCall) folderEntity(v folderView) entity {
	orNull := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	box := c.boxURL()
	if v.home == partAuxiliary {
		box = c.mailboxURL(c.box.partID(partAuxiliary))
	}
	parent := any(nil)
	if v.parentID != "" {
		parent = restID(v.parentID)
	}
	return entity{
		object: object{
			{"@odata.type", "#microsoft.graph.mailboxFolder"},
			{"id", restID(v.id)},
			{"displayName", v.name},
			{"parentFolderId", parent},
			{"parentMailboxUrl", box},
			{"childFolderCount", v.children},
			{"totalItemCount", v.total},
			{"wellKnownName", orNull(wellKnown(v.special, v.home))},
			{"type", orNull(v.class)},
		},
		extended: func(x extendedField) *mapi.Property { return v.extended(x) },
	}
}

// listFolders lists one level: below the folder of the path, or below the root,
// which has the folders that people see, and with them the search folders.
func (c *graphCall) listFolders() *failure {
	list, f := c.folderEntities()
	if f != nil {
		return f
	}
	return c.page(strings.TrimPrefix(c.boxURL()+c.below("folders"), c.base()+"/"), list)
}

// below is the end of the request's path, from that segment on.
func (c *graphCall) below(segment string) string {
	path := c.r.URL.EscapedPath()
	return path[strings.Index(path, "/"+segment):]
}

func (c *graphCall) folderEntities() (list []entity, f *failure) {
	m := c.box
	m.mu.RLock()
	defer m.mu.RUnlock()
	var folders []*folder
	if _, named := c.vars["folder"]; named {
		parent, f := c.graphFolder()
		if f != nil {
			return nil, f
		}
		folders = parent.children
	} else {
		folders = m.roots()
	}
	for _, child := range folders {
		list = append(list, c.withBelow(child, c.query.below))
	}
	return list, nil
}

// withBelow is a folder with those below it, as many levels as are asked for. The mailbox is locked.
func (c *graphCall) withBelow(f *folder, asked *graphQuery) entity {
	e := c.folderEntity(c.box.viewFolder(f))
	if asked != nil {
		for _, child := range f.children {
			e.below = append(e.below, c.withBelow(child, asked.below))
		}
	}
	return e
}

func (c *graphCall) getFolder() *failure {
	c.box.mu.RLock()
	found, f := c.graphFolder()
	var e entity
	if f == nil {
		e = c.withBelow(found, c.query.below)
	}
	c.box.mu.RUnlock()
	if f != nil {
		return f
	}
	return c.answer(http.StatusOK, c.single("folders/$entity", e))
}

// single is an answer that is one entity, whose type its context says.
func (c *graphCall) single(of string, e entity) object {
	context := member{"@odata.context", c.context("admin/exchange/mailboxes('" + url.QueryEscape(c.box.id) + "')/" + of)}
	return append(object{context}, slices.DeleteFunc(c.entityObject(e), func(m member) bool { return m.name == "@odata.type" })...)
}
