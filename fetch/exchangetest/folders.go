package exchangetest

import (
	"strconv"
	"strings"

	"github.com/beevik/etree"
)

func (c *call) getFolder(unit *etree.Element) (content, *failure) {
	s, f := readShape(child(c.body, "FolderShape"))
	if f != nil {
		return nil, f
	}
	c.mailbox.mu.RLock()
	defer c.mailbox.mu.RUnlock()
	found, f := c.folderOf(unit, "ErrorFolderNotFound")
	if f != nil {
		return nil, f
	}
	return foldersContent(s, c.mailbox.viewFolder(found)), nil
}

func foldersContent(s shape, list ...folderView) content {
	return func(x *xmlWriter) error {
		x.start("m:Folders")
		for _, v := range list {
			writeFolder(x, v, s)
		}
		x.end()
		return nil
	}
}

func (c *call) findFolder(unit *etree.Element) (content, *failure) {
	s, f := readShape(child(c.body, "FolderShape"))
	if f != nil {
		return nil, f
	}
	if child(c.body, "Restriction") != nil {
		return nil, fail("ErrorUnsupportedQueryFilter")
	}
	c.mailbox.mu.RLock()
	defer c.mailbox.mu.RUnlock()
	root, f := c.folderOf(unit, "ErrorFolderNotFound")
	if f != nil {
		return nil, f
	}
	if c.mailbox.address == publicAddress && attr(c.body, "Traversal") == "Deep" {
		return nil, fail("ErrorInvalidFolderTypeForOperation") // EWS: deep traversal is not allowed on public folders
	}
	list := findFolders(root, attr(c.body, "Traversal"))
	view := child(c.body, "IndexedPageFolderView")
	if view == nil {
		view = child(c.body, "FractionalPageFolderView")
	}
	p, f := c.readPage(view, len(list))
	if f != nil {
		return nil, f
	}
	var views []folderView
	for _, found := range list[p.from:p.to] {
		views = append(views, c.mailbox.viewFolder(found))
	}
	return rootFolder(p, "t:Folders", len(views), func(x *xmlWriter, i int) error {
		writeFolder(x, views[i], s)
		return nil
	}), nil
}

// findFolders lists below a folder; SoftDeleted finds nothing since Exchange 2010.
func findFolders(root *folder, traversal string) (list []*folder) {
	switch traversal {
	case "Shallow":
		list = root.children
	case "Deep":
		root.walk(func(f *folder) { list = append(list, f) })
	}
	return list
}

func rootFolder(p page, list string, n int, write func(x *xmlWriter, i int) error) content {
	return func(x *xmlWriter) error {
		x.start("m:RootFolder", p.attrs...)
		x.start(list)
		for i := range n {
			if err := write(x, i); err != nil {
				return err
			}
		}
		x.end()
		x.end()
		return nil
	}
}

func (c *call) createFolder(unit *etree.Element) (content, *failure) {
	name, class := "", defaultClass(unit.Tag)
	if e := child(unit, "DisplayName"); e != nil {
		name = strings.TrimSpace(e.Text())
	}
	if e := child(unit, "FolderClass"); e != nil {
		// EWS: the class of a typed element may be narrowed, not changed.
		if unit.Tag != "Folder" && !strings.HasPrefix(e.Text(), class) {
			return nil, fail("ErrorNoFolderClassOverride")
		}
		class = e.Text()
	}
	if unit.Tag == "SearchFolder" {
		return nil, fail("ErrorInvalidFolderTypeForOperation") // todo: search folders made by clients
	}
	c.mailbox.mu.Lock()
	defer c.mailbox.mu.Unlock()
	parent, f := c.folderOf(child(c.body, "ParentFolderId"), "ErrorParentFolderNotFound")
	if f != nil {
		return nil, f
	}
	if f := nameAllowed(parent, name); f != nil {
		return nil, f
	}
	made := c.mailbox.addFolder(parent, name, class)
	return foldersContent(shape{base: "IdOnly"}, c.mailbox.viewFolder(made)), nil
}

func defaultClass(element string) string {
	switch element {
	case "CalendarFolder":
		return "IPF.Appointment"
	case "ContactsFolder":
		return "IPF.Contact"
	case "TasksFolder":
		return "IPF.Task"
	}
	return "IPF.Note"
}

func nameAllowed(parent *folder, name string) *failure {
	switch {
	case name == "":
		return fail("ErrorFolderSave")
	case parent.search:
		return fail("ErrorInvalidParentFolder")
	case parent.child(name) != nil:
		return fail("ErrorFolderExists")
	}
	return nil
}

func (c *call) updateFolder(unit *etree.Element) (content, *failure) {
	c.mailbox.mu.Lock()
	defer c.mailbox.mu.Unlock()
	parts := unit.ChildElements()
	found, f := c.folderOf(parts[0], "ErrorFolderNotFound")
	if f != nil {
		return nil, f
	}
	// All changes are looked at before the first is made.
	name, class := found.name, found.class
	for u := range parts[1].ChildElementsSeq() {
		if f := readFolderUpdate(u, found, &name, &class); f != nil {
			return nil, f
		}
	}
	found.name, found.class = name, class
	c.mailbox.touchFolder(found)
	return foldersContent(shape{base: "IdOnly"}, c.mailbox.viewFolder(found)), nil
}

func readFolderUpdate(u *etree.Element, found *folder, name, class *string) *failure {
	parts := u.ChildElements()
	field := attr(parts[0], "FieldURI")
	if field == "folder:PermissionSet" {
		return nil // rights are not modelled
	}
	switch u.Tag {
	case "AppendToFolderField":
		return fail("ErrorInvalidPropertyAppend")
	case "DeleteFolderField":
		return fail("ErrorInvalidPropertyDelete")
	}
	element := strings.TrimPrefix(field, "folder:")
	if element != "DisplayName" && element != "FolderClass" {
		return fail("ErrorInvalidPropertySet")
	}
	given := parts[1].ChildElements()
	switch {
	case len(given) != 1:
		return fail("ErrorIncorrectUpdatePropertyCount")
	case given[0].Tag != element:
		return fail("ErrorUpdatePropertyMismatch")
	case element == "FolderClass":
		*class = given[0].Text()
		return nil
	}
	*name = strings.TrimSpace(given[0].Text())
	if strings.EqualFold(*name, found.name) {
		return nil
	}
	if found.parent == nil {
		return fail("ErrorInvalidPropertySet")
	}
	return nameAllowed(found.parent, *name)
}

func (c *call) deleteFolder(unit *etree.Element) (content, *failure) {
	c.mailbox.mu.Lock()
	defer c.mailbox.mu.Unlock()
	found, f := c.folderOf(unit, "ErrorFolderNotFound")
	switch {
	case f != nil:
		return nil, f
	case found.special != "" || found.search:
		return nil, fail("ErrorDeleteDistinguishedFolder")
	}
	m := c.mailbox
	switch attr(c.body, "DeleteType") {
	case "HardDelete":
		m.removeFolder(found)
	case "SoftDelete":
		// The items are recoverable, the folder is not.
		m.recoverItems(found)
		m.removeFolder(found)
	case "MoveToDeletedItems":
		bin := m.relative(found, "deleteditems")
		if bin == nil {
			m.removeFolder(found)
			break
		}
		found.name = freeName(bin, found.name)
		m.moveFolder(found, bin)
	}
	return nothing, nil
}

// recoverItems moves the items in and below f to the recoverable ones.
func (m *Mailbox) recoverItems(f *folder) {
	move := func(f *folder) {
		for len(f.items) > 0 {
			m.deleteItem(f.items[len(f.items)-1], "SoftDelete")
		}
	}
	move(f)
	f.walk(move)
}

// freeName is the name that a folder gets where its own is taken.
func freeName(parent *folder, name string) string {
	free := name
	for n := 1; parent.child(free) != nil; n++ {
		free = name + strconv.Itoa(n)
	}
	return free
}
