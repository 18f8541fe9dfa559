package exchangetest

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/beevik/etree"

	"mailbrick/fetch/mapi"
)

// folderView is what an answer says of a folder, taken while the mailbox was locked.
type folderView struct {
	id, key             string
	parentID, parentKey string
	entry, source       []byte
	name, class         string
	special             string
	search              bool
	root                bool
	total, unread       int
	associated          int
	children            int
	size                int64
	commit              time.Time
	deleted             int
	path                string
	replica             string
	given               mapi.Bag
	home                string // the part of the mailbox, see grapharchive.go
}

// viewFolder takes it. The mailbox is locked.
func (m *Mailbox) viewFolder(f *folder) folderView {
	id := m.folderID(f)
	v := folderView{
		id: id.String(), key: m.folderKey(f), entry: id.entry(), source: sourceKey(id),
		name: f.name, class: f.class, special: f.special, search: f.search, root: f.parent == nil,
		children: len(f.children), commit: f.commit, deleted: f.deleted, path: f.path(), replica: f.content(), given: f.given, home: f.home(),
	}
	if f.parent != nil {
		v.parentID, v.parentKey = m.folderID(f.parent).String(), m.folderKey(f.parent)
	}
	m.addCounts(&v, f)
	if f.search {
		m.special["msgfolderroot"].walk(func(below *folder) { m.addCounts(&v, below) })
	}
	return v
}

func (m *Mailbox) addCounts(v *folderView, f *folder) {
	total, unread, associated := f.counts()
	v.total, v.unread, v.associated = v.total+total, v.unread+unread, v.associated+associated
	v.size += int64(int(f.changes.made.n)-f.madeGone) * f.changes.made.size
	for _, it := range f.items {
		v.size += it.rev.length
	}
}

// path is PidTagFolderPathFullName: names behind U+FFFE.
func (f *folder) path() string {
	if f.parent == nil || f.special == "msgfolderroot" {
		return ""
	}
	return f.parent.path() + "\uFFFE" + f.name
}

// sourceKey is PidTagSourceKey: replica GUID and counter. [MS-OXCFXICS] 2.2.1.2.5
func sourceKey(id objectID) []byte {
	replica := id.replica()
	counter := id.folder
	if id.item != 0 {
		counter = id.item
	}
	return appendCounter(append([]byte(nil), replica[:]...), counter)[:22]
}

// element is the name of the folder's element, which follows from its class.
func (v folderView) element() string {
	switch {
	case v.search:
		return "t:SearchFolder"
	case strings.HasPrefix(v.class, "IPF.Appointment"):
		return "t:CalendarFolder"
	case strings.HasPrefix(v.class, "IPF.Contact"):
		return "t:ContactsFolder"
	case strings.HasPrefix(v.class, "IPF.Task"):
		return "t:TasksFolder"
	}
	return "t:Folder"
}

// shape is which properties of folders or items an answer holds.
type shape struct {
	base     string // IdOnly, Default, AllProperties
	fields   map[string]bool
	extended []extendedField
	body     string         // Best, HTML, Text
	items    []itemProperty // those wanted, made once for all items of an answer
}

// readShape reads FolderShape or ItemShape.
func readShape(e *etree.Element) (shape, *failure) {
	s := shape{base: child(e, "BaseShape").Text(), fields: map[string]bool{}, body: "Best"}
	if b := child(e, "BodyType"); b != nil {
		s.body = b.Text()
	}
	s.fields["item:MimeContent"] = isTrue(childText(e, "IncludeMimeContent"))
	for p := range childrenOf(child(e, "AdditionalProperties")) {
		switch p.Tag {
		case "FieldURI":
			s.fields[attr(p, "FieldURI")] = true
		case "IndexedFieldURI":
			s.fields[dictionaryOf(attr(p, "FieldURI"))] = true
		case "ExtendedFieldURI":
			x, f := readExtended(p)
			if f != nil {
				return s, f
			}
			s.extended = append(s.extended, x)
		}
	}
	s.items = slices.DeleteFunc(itemProperties(), func(p itemProperty) bool { return p.field != "" && !s.wants(p.field, p.from) })
	return s, nil
}

func isTrue(s string) bool { s = strings.TrimSpace(s); return s == "true" || s == "1" }

// wants says whether a property is to be written; from is the smallest base shape that has it.
func (s shape) wants(field, from string) bool {
	return from != "" && baseRank(s.base) >= baseRank(from) || s.fields[field]
}

func baseRank(base string) int {
	switch base {
	case "Default":
		return 1
	case "AllProperties":
		return 2
	}
	return 0
}

// writeFolder writes the element of a folder in the order of BaseFolderType.
func writeFolder(x *xmlWriter, v folderView, s shape) {
	x.start(v.element())
	x.empty("t:FolderId", "Id", v.id, "ChangeKey", v.key)
	if s.wants("folder:ParentFolderId", "AllProperties") && v.parentID != "" {
		x.empty("t:ParentFolderId", "Id", v.parentID, "ChangeKey", v.parentKey)
	}
	if s.wants("folder:FolderClass", "AllProperties") && v.class != "" {
		x.leaf("t:FolderClass", v.class)
	}
	if s.wants("folder:DisplayName", "Default") {
		x.leaf("t:DisplayName", v.name)
	}
	if s.wants("folder:TotalCount", "Default") {
		x.leaf("t:TotalCount", strconv.Itoa(v.total))
	}
	if s.wants("folder:ChildFolderCount", "Default") {
		x.leaf("t:ChildFolderCount", strconv.Itoa(v.children))
	}
	for _, e := range s.extended {
		e.write(x, v.extended(e))
	}
	if s.wants("folder:EffectiveRights", "AllProperties") {
		writeRights(x, true)
	}
	if s.wants("folder:DistinguishedFolderId", "AllProperties") && v.special != "" {
		x.leaf("t:DistinguishedFolderId", v.special)
	}
	if e := v.element(); s.wants("folder:UnreadCount", "Default") && e != "t:CalendarFolder" && e != "t:ContactsFolder" {
		x.leaf("t:UnreadCount", strconv.Itoa(v.unread))
	}
	x.end()
}

func writeRights(x *xmlWriter, folder bool) {
	x.start("t:EffectiveRights")
	x.flag("t:CreateAssociated", folder)
	x.flag("t:CreateContents", folder)
	x.flag("t:CreateHierarchy", folder)
	for _, name := range []string{"t:Delete", "t:Modify", "t:Read", "t:ViewPrivateItems"} {
		x.flag(name, true)
	}
	x.end()
}

// Properties of folders that packages know no names of.
const (
	tagFolderType     = 0x3601
	tagContentCount   = 0x3602
	tagContentUnread  = 0x3603
	tagSubfolders     = 0x360A
	tagContainerClass = 0x3613
	tagAssociated     = 0x3617
	tagHidden         = 0x10F4
	tagReplicaList    = 0x6698
	tagPathFullName   = 0x66B5
	tagCommitTimeMax  = 0x670A
	tagDeletedCount   = 0x670B
)

// extended is the value of a folder's extended property, nil when it has none.
func (v folderView) extended(e extendedField) *mapi.Property {
	if e.name != nil {
		return v.given.FindNamed(*e.name)
	}
	var p mapi.Property
	switch e.tag {
	case tagCommitTimeMax:
		p = mapi.NewTime(e.tag, v.commit)
	case tagDeletedCount:
		p = mapi.NewInt32(e.tag, int32(v.deleted))
	case tagFolderType:
		p = mapi.NewInt32(e.tag, v.kind())
	case tagContentCount:
		p = mapi.NewInt32(e.tag, int32(v.total))
	case tagContentUnread:
		p = mapi.NewInt32(e.tag, int32(v.unread))
	case tagAssociated:
		p = mapi.NewInt32(e.tag, int32(v.associated))
	case tagSubfolders:
		p = mapi.NewBool(e.tag, v.children > 0)
	case tagHidden:
		p = mapi.NewBool(e.tag, false)
	case tagContainerClass:
		p = mapi.NewText(e.tag, v.class)
	case tagReplicaList:
		if v.replica == "" {
			return nil
		}
		p = mapi.NewBinary(e.tag, append([]byte(v.replica), 0))
	case tagPathFullName:
		p = mapi.NewText(e.tag, v.path)
	case mapi.PidTagDisplayName:
		p = mapi.NewText(e.tag, v.name)
	case mapi.PidTagMessageSize:
		p = mapi.NewInt64(e.tag, v.size)
	case mapi.PidTagEntryID:
		p = mapi.NewBinary(e.tag, v.entry)
	case mapi.PidTagSourceKey:
		p = mapi.NewBinary(e.tag, v.source)
	default:
		return v.given.Find(e.tag)
	}
	return &p
}

// kind is PidTagFolderType.
func (v folderView) kind() int32 {
	switch {
	case v.root:
		return 0
	case v.search:
		return 2
	}
	return 1
}
