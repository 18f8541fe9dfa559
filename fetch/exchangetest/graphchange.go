package exchangetest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"mailbrick/fetch/mapi"
)

// folderBody is what a client gives of a folder.
type folderBody struct {
	name, class string
	given       mapi.Bag
}

// readFolderBody reads displayName, type and extended properties.
func (c *graphCall) readFolderBody() (b folderBody, f *failure) {
	o, f := c.readJSON("displayName", "type", "singleValueExtendedProperties")
	if f != nil {
		return b, f
	}
	for name, to := range map[string]*string{"displayName": &b.name, "type": &b.class} {
		if raw, ok := o[name]; ok && (json.Unmarshal(raw, to) != nil || strings.TrimSpace(*to) == "") {
			return b, fail("ErrorInvalidRequest").say("The value of '" + name + "' is invalid.")
		}
	}
	b.name = strings.TrimSpace(b.name)
	if raw, ok := o["singleValueExtendedProperties"]; ok {
		b.given, f = readProperties(raw)
	}
	return b, f
}

func readProperties(raw []byte) (bag mapi.Bag, f *failure) {
	var list []map[string]string
	if json.Unmarshal(raw, &list) != nil {
		return nil, fail("BadRequest").say("Extended properties are a list of objects with an id and a value.")
	}
	for _, o := range list {
		if len(o) != 2 {
			return nil, fail("RequestBodyRead").say("An extended property is an id and a value.")
		}
		x, f := readGraphProperty(o["id"])
		if f != nil {
			return nil, f
		}
		p, ok := x.parseText(o["value"])
		if !ok {
			return nil, fail("ErrorInvalidExtendedPropertyValue")
		}
		bag = slices.DeleteFunc(bag, func(old mapi.Property) bool { return x.matches(&old) })
		bag = append(bag, p)
	}
	return bag, nil
}

// give sets the extended properties of a folder.
func (f *folder) give(bag mapi.Bag) {
	for _, p := range bag {
		x := extendedField{tag: p.Tag.ID(), name: p.Name}
		f.given = slices.DeleteFunc(slices.Clone(f.given), func(old mapi.Property) bool { return x.matches(&old) })
		f.given = append(f.given, p)
	}
}

func (c *graphCall) createFolder() *failure {
	body, f := c.readFolderBody()
	if f != nil {
		return f
	}
	if body.name == "" || body.class == "" {
		return fail("ErrorInvalidRequest").say("displayName and type are required.")
	}
	e, f := c.addFolder(body)
	if f != nil {
		return f
	}
	return c.answer(http.StatusCreated, c.single("folders/$entity", e))
}

func (c *graphCall) addFolder(body folderBody) (entity, *failure) {
	m := c.box
	m.mu.Lock()
	defer m.mu.Unlock()
	parent := m.top()
	if _, named := c.vars["folder"]; named {
		var f *failure
		if parent, f = c.graphFolder(); f != nil {
			return entity{}, f
		}
	}
	if f := nameAllowed(parent, body.name); f != nil {
		return entity{}, f
	}
	made := m.addFolder(parent, body.name, body.class)
	made.give(body.given)
	return c.folderEntity(m.viewFolder(made)), nil
}

func (c *graphCall) updateFolder() *failure {
	body, f := c.readFolderBody()
	if f != nil {
		return f
	}
	if body.class != "" {
		return fail("ErrorInvalidRequest").say("The type of a folder cannot be changed.")
	}
	e, f := c.changeFolder(body)
	if f != nil {
		return f
	}
	return c.answer(http.StatusOK, c.single("folders/$entity", e))
}

func (c *graphCall) changeFolder(body folderBody) (e entity, f *failure) {
	m := c.box
	m.mu.Lock()
	defer m.mu.Unlock()
	found, f := c.pathFolder()
	if f != nil {
		return e, f
	}
	if body.name != "" && !strings.EqualFold(body.name, found.name) {
		if found.parent == nil {
			return e, fail("ErrorInvalidRequest")
		}
		if f := nameAllowed(found.parent, body.name); f != nil {
			return e, f
		}
	}
	if body.name != "" {
		found.name = body.name
	}
	found.give(body.given)
	m.touchFolder(found)
	return c.folderEntity(m.viewFolder(found)), nil
}

// pathFolder is the folder that the path is about: the child where it names one. The mailbox is locked.
func (c *graphCall) pathFolder() (*folder, *failure) {
	at, f := c.graphFolder()
	child, named := c.vars["child"]
	if f != nil || !named {
		return at, f
	}
	found, f := c.box.folderByName(child)
	if f == nil && found.parent != at {
		f = notFound()
	}
	return found, f
}

// deleteFolder takes a folder away; its items can be recovered.
func (c *graphCall) deleteFolder() *failure {
	if f := c.dropFolder(); f != nil {
		return f
	}
	return c.empty()
}

func (c *graphCall) dropFolder() *failure {
	m := c.box
	m.mu.Lock()
	defer m.mu.Unlock()
	found, f := c.pathFolder()
	switch {
	case f != nil:
		return f
	case found.special != "" || found.search:
		return fail("ErrorDeleteDistinguishedFolder")
	}
	m.recoverItems(found)
	m.removeFolder(found)
	return nil
}

// deleteItem takes an item away: to the recoverable items, or for good.
func (c *graphCall) deleteItem() *failure {
	disposal := c.query.other.Get("disposalType")
	if disposal != "softDelete" && disposal != "hardDelete" {
		return badQuery("The value of disposalType is softDelete or hardDelete.")
	}
	if f := c.dropItem(map[string]string{"softDelete": "SoftDelete", "hardDelete": "HardDelete"}[disposal]); f != nil {
		return f
	}
	return c.empty()
}

// dropItem does what EWS does with that DeleteType.
func (c *graphCall) dropItem(kind string) *failure {
	c.box.mu.Lock()
	defer c.box.mu.Unlock()
	it, f := c.pathItem()
	if f == nil {
		c.box.deleteItem(it, kind)
	}
	return f
}
