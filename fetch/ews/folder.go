package ews

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/beevik/etree"

	"mailbrick/fetch/wire"
)

// FolderRef names a folder by its id, or one that every mailbox has by its name in the protocol ("inbox").
type FolderRef struct{ ID, Distinguished string }

// Folder is what a backup keeps of a folder. CommitTime and Deleted are its marks: while neither differs from last time,
// nothing in the folder has changed (PidTagLocalCommitTimeMax, PidTagDeletedCountTotal). They are compared, not read.
type Folder struct {
	ID, ChangeKey, ParentID string
	Name, Class             string
	Distinguished           string // "inbox"; "" if it is none of those, or the server is older than 2013
	Total                   int
	Children                int    // folders right below, see ChildFolders
	Replica                 string // of a public folder: GUID of the mailbox that holds its items, "" if the server does not say
	Search                  bool   // a search folder: it holds nothing of its own
	CommitTime, Deleted     string
}

// folderProperties are asked for of every folder. EWS BasePathToElementType.
func folderProperties(v schema) []property {
	p := []property{
		{uri: "folder:FolderClass"}, {uri: "folder:ParentFolderId"}, {uri: "folder:DisplayName"}, {uri: "folder:TotalCount"},
		{tag: "0x670A", mapiType: "SystemTime"}, {tag: "0x670B", mapiType: "Integer"}, {tag: "0x3601", mapiType: "Integer"},
	}
	if v <= schema2013 {
		p = append(p, property{uri: "folder:DistinguishedFolderId"})
	}
	return p
}

// GetFolders looks up folders; the result has one for each in the same order. A folder that is not there is the zero
// Folder; any other refusal fails the call.
func (c *Client) GetFolders(ctx context.Context, refs ...FolderRef) ([]Folder, error) {
	if len(refs) == 0 {
		return nil, nil
	}
	var found []Folder
	err := c.call(ctx, &operation{
		name:  "GetFolder",
		build: func(e *etree.Element, v schema, _ func(int) string) { c.addGetFolder(e, v, refs) },
		read: func(a *answer) error {
			found = make([]Folder, len(refs))
			return a.foldersInto(found, func(m *message) error { return m.err(c) })
		},
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

func (c *Client) addGetFolder(e *etree.Element, v schema, refs []FolderRef) {
	addShape(e, "m:FolderShape", folderProperties(v))
	ids := e.CreateElement("m:FolderIds")
	for _, r := range refs {
		c.addFolderID(ids, r)
	}
}

// foldersInto reads one folder per message; refused judges a message that failed.
func (a *answer) foldersInto(found []Folder, refused func(m *message) error) error {
	n := 0
	err := a.messages(func(m *message, t token) error {
		if m.index >= len(found) {
			return a.syntax("more messages than folders")
		}
		return a.folders(t, func(f Folder) { found[m.index] = f })
	}, func(m *message) error {
		n++
		if m.failed() && !absent(m.code) && m.index < len(found) {
			return refused(m)
		}
		return nil
	})
	if err == nil && n != len(found) {
		return a.syntax("not a message for each folder")
	}
	return err
}

// absent says whether a code means that a folder is not there, and is not meant to be.
func absent(code string) bool {
	return code == "ErrorFolderNotFound" || code == "ErrorItemNotFound" || code == "ErrorArchiveMailboxNotEnabled"
}

// What a mailbox, or the public folders, may have; more is a server that has gone mad.
const (
	maxFolders    = 1_000_000
	maxFolderText = 32 << 20 // bytes of ids and names, and folderText more for each folder
	folderText    = 512
)

// length of the texts that are held of a folder.
func (f *Folder) length() int {
	return len(f.ID) + len(f.ChangeKey) + len(f.ParentID) + len(f.Name) + len(f.Class) + len(f.CommitTime) + len(f.Deleted)
}

// FindFolders gives all folders below root, at any depth.
func (c *Client) FindFolders(ctx context.Context, root FolderRef) ([]Folder, error) {
	return c.findFolders(ctx, root, "Deep")
}

func (c *Client) findFolders(ctx context.Context, root FolderRef, traversal string, more ...property) ([]Folder, error) {
	var all []Folder
	text := 0
	p := newPaging()
	for !p.last {
		var page []Folder
		err := p.next(ctx, c, &operation{
			name: "FindFolder",
			build: func(e *etree.Element, v schema, _ func(int) string) {
				e.CreateAttr("Traversal", traversal)
				addShape(e, "m:FolderShape", append(folderProperties(v), more...))
				addPage(e, "m:IndexedPageFolderView", p.size, p.offset)
				c.addFolderID(e.CreateElement("m:ParentFolderIds"), root)
			},
			read: func(a *answer) error {
				page = page[:0]
				return a.page(p, "Folders", func(t token) error {
					f, err := a.folder(t)
					page = append(page, f)
					return err
				})
			},
		}, wire.Entries(&page, func(f Folder) string { return f.ID }))
		if err != nil {
			return nil, err
		}
		for i := range page {
			text += page[i].length()
		}
		if all = append(all, page...); len(all) > maxFolders || text > maxFolderText+folderText*len(all) {
			return nil, &Error{Operation: "FindFolder", class: Permanent, Text: "more folders than a mailbox can have"}
		}
	}
	return all, nil
}

// folders reads <m:Folders>.
func (a *answer) folders(t token, add func(Folder)) error {
	if t.Name.Local != "Folders" {
		return a.skip()
	}
	return a.children(func(t token) error {
		f, err := a.folder(t)
		add(f)
		return err
	})
}

// folder reads a folder element of any kind.
func (a *answer) folder(t token) (Folder, error) {
	f := Folder{Search: t.Name.Local == "SearchFolder"}
	err := a.children(func(t token) (err error) {
		switch t.Name.Local {
		case "FolderId":
			f.ID, f.ChangeKey = t.attr("Id"), t.attr("ChangeKey")
			err = a.skip()
		case "ParentFolderId":
			f.ParentID = t.attr("Id")
			err = a.skip()
		case "DisplayName":
			f.Name, err = a.content()
		case "FolderClass":
			f.Class, err = a.word()
		case "DistinguishedFolderId":
			f.Distinguished, err = a.word()
		case "TotalCount":
			f.Total, err = a.count()
		case "ChildFolderCount":
			f.Children, err = a.count()
		case "ExtendedProperty":
			err = a.folderMark(&f)
		default:
			err = a.skip()
		}
		return err
	})
	if err == nil && f.ID == "" {
		err = a.syntax("a folder without an id")
	}
	return f, err
}

func (a *answer) folderMark(f *Folder) error {
	tag, value, err := a.extended()
	switch tag {
	case 0x670A: // PidTagLocalCommitTimeMax
		f.CommitTime = value
	case 0x670B: // PidTagDeletedCountTotal
		f.Deleted = value
	case 0x6698: // PidTagReplicaList
		f.Replica = replica(value)
	case 0x3601: // PidTagFolderType
		f.Search = f.Search || value == "2"
	}
	return err
}

// extended reads an ExtendedProperty with a tag and a single value.
func (a *answer) extended() (tag uint16, value string, err error) {
	err = a.children(func(t token) (err error) {
		switch t.Name.Local {
		case "ExtendedFieldURI":
			n, _ := strconv.ParseUint(t.attr("PropertyTag"), 0, 16) // "0x670a" or decimal
			tag = uint16(n)
			err = a.skip()
		case "Value":
			value, err = a.word()
		default:
			err = a.skip()
		}
		return err
	})
	return tag, value, err
}

// folderElement gives the element to create a folder of a class with. A class beside any but t:Folder is refused
// (ErrorNoFolderClassOverride), so a class that only begins like one of these gets t:Folder.
func folderElement(class string) string {
	switch strings.ToLower(class) {
	case "ipf.appointment":
		return "t:CalendarFolder"
	case "ipf.contact":
		return "t:ContactsFolder"
	case "ipf.task":
		return "t:TasksFolder"
	}
	return "t:Folder"
}

// CreateFolder makes a folder, or gives the one of that name that is already there.
func (c *Client) CreateFolder(ctx context.Context, parentID, name, class string) (Folder, error) {
	made := Folder{}
	err := c.call(ctx, &operation{
		name: "CreateFolder",
		build: func(e *etree.Element, _ schema, _ func(int) string) {
			c.addFolderID(e.CreateElement("m:ParentFolderId"), FolderRef{ID: parentID})
			f := e.CreateElement("m:Folders").CreateElement(folderElement(class))
			if f.Tag == "Folder" && class != "" {
				addText(f, "t:FolderClass", class)
			}
			addText(f, "t:DisplayName", name)
		},
		read: func(a *answer) error {
			made = Folder{}
			err := a.only(func(t token) error { return a.folders(t, func(f Folder) { made = f }) })
			if err == nil && made.ID == "" {
				err = a.syntax("no folder in the answer")
			}
			return err
		},
	})
	var e *Error
	if errors.As(err, &e) && e.deciding() == "ErrorFolderExists" {
		return c.existingFolder(ctx, parentID, name, err)
	}
	made.ParentID, made.Name, made.Class = parentID, name, class
	return made, err
}

// existingFolder finds the folder that stands in the way of a new one. Names differ by more than case.
func (c *Client) existingFolder(ctx context.Context, parentID, name string, exists error) (Folder, error) {
	children, err := c.findFolders(ctx, FolderRef{ID: parentID}, "Shallow")
	if err != nil {
		return Folder{}, err
	}
	for _, f := range children {
		if strings.EqualFold(f.Name, name) {
			return f, nil
		}
	}
	return Folder{}, exists
}
