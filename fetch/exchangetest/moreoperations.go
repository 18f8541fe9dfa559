package exchangetest

import (
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"github.com/beevik/etree"

	"mailbrick/fetch/mapi"
)

// moreOperations are requests that mail programs send and a backup does not.
func moreOperations() map[string]operation {
	folders, items, attachments := noneOf("m:Folders"), noneOf("m:Items"), noneOf("m:Attachments")
	return map[string]operation{
		"GetAttachment":    {units: partsOf("AttachmentIds"), do: (*call).getAttachment, tail: attachments},
		"CreateAttachment": {units: partsOf("Attachments"), do: (*call).createAttachment, tail: attachments},
		"DeleteAttachment": {units: partsOf("AttachmentIds"), do: (*call).deleteAttachment},
		"CopyItem":         {units: partsOf("ItemIds"), do: (*call).copyItem, tail: items},
		"SendItem":         {units: partsOf("ItemIds"), do: (*call).sendItem},
		"MoveFolder":       {units: partsOf("FolderIds"), do: (*call).relocateFolder, tail: folders},
		"CopyFolder":       {units: partsOf("FolderIds"), do: (*call).relocateFolder, tail: folders},
		"EmptyFolder":      {since: exchange2010SP1, units: partsOf("FolderIds"), do: (*call).emptyFolder},
		"ConvertId":        {units: partsOf("SourceIds"), do: (*call).convertID, anybody: true},
		"ResolveNames":     {units: whole, do: (*call).resolveNames, anybody: true},
	}
}

const idFormats = "EwsLegacyId|EwsId|EntryId|HexEntryId|StoreId|OwaId"

func (s schema) defineMore() {
	s.defineAttachments()
	s.define("CopyItem", "", "m:ToFolderId=TargetId", "m:ItemIds", "m:ReturnNewItemIds=boolean?")
	s.define("SendItem", "SaveItemToFolder!=boolean", "m:ItemIds", "m:SavedItemFolderId=TargetId?")
	s.define("MoveFolder", "", "m:ToFolderId=TargetId", "m:FolderIds")
	s.define("CopyFolder", "", "m:ToFolderId=TargetId", "m:FolderIds")
	s.define("EmptyFolder", "DeleteType!=HardDelete|SoftDelete|MoveToDeletedItems DeleteSubFolders!=boolean", "m:FolderIds")
	s.define("AlternateId", "Format!="+idFormats+" Id! Mailbox! IsArchive=boolean")
	s.define("SourceIds", "", "t:AlternateId+")
	s.define("ConvertId", "DestinationFormat!="+idFormats, "m:SourceIds")
	s.define("ResolveNames", "ReturnFullContactData!=boolean SearchScope=ActiveDirectory|ActiveDirectoryContacts|Contacts|ContactsActiveDirectory ContactDataShape=IdOnly|Default|AllProperties",
		"m:ParentFolderIds=FolderIds?", "m:UnresolvedEntry=string")
}

func (c *call) copyItem(unit *etree.Element) (content, *failure) {
	m := c.mailbox
	m.mu.Lock()
	defer m.mu.Unlock()
	to, f := c.folderOf(child(c.body, "ToFolderId"), "ErrorToFolderNotFound")
	if f != nil {
		return nil, f
	}
	if to.search {
		return nil, fail("ErrorInvalidFolderTypeForOperation")
	}
	it, _, f := c.itemOf(unit)
	if f != nil {
		return nil, f
	}
	made := m.moved("CopiedEvent", it, it.folder.counter, func() *item {
		rev := it.rev.clone()
		rev.number = 0
		return m.addItem(to, rev, it.associated)
	})
	if e := child(c.body, "ReturnNewItemIds"); e != nil && !isTrue(e.Text()) {
		return noItems, nil
	}
	return itemContent(m.viewItem(made)), nil
}

// sendItem sends a draft to nobody, and keeps it among the items sent where that is wanted.
func (c *call) sendItem(unit *etree.Element) (content, *failure) {
	k := c.maker()
	if _, f := c.revise(unit, func(m *mapi.Message) *failure {
		k.sent(m)
		return nil
	}); f != nil {
		return nil, f
	}
	m := c.mailbox
	m.mu.Lock()
	defer m.mu.Unlock()
	it, _, f := c.itemOf(unit)
	if f != nil {
		return nil, f
	}
	if !isTrue(attr(c.body, "SaveItemToFolder")) {
		m.removeItem(it)
		return nothing, nil
	}
	to := m.special["sentitems"]
	if e := child(c.body, "SavedItemFolderId"); e != nil {
		if to, f = c.folderOf(e, "ErrorSavedItemFolderNotFound"); f != nil {
			return nil, f
		}
	}
	m.moveItem(it, to)
	return nothing, nil
}

// relocateFolder moves a folder or makes a copy of it and all in it.
func (c *call) relocateFolder(unit *etree.Element) (content, *failure) {
	m := c.mailbox
	m.mu.Lock()
	defer m.mu.Unlock()
	to, f := c.folderOf(child(c.body, "ToFolderId"), "ErrorToFolderNotFound")
	if f != nil {
		return nil, f
	}
	found, f := c.folderOf(unit, "ErrorFolderNotFound")
	if f != nil {
		return nil, f
	}
	if f := nameAllowed(to, found.name); f != nil {
		return nil, f
	}
	switch {
	case to == found || to.below(found) || found.search:
		return nil, fail("ErrorMoveCopyFailed")
	case c.name == "CopyFolder":
		found = m.copyFolder(found, to)
	case found.special != "":
		return nil, fail("ErrorMoveDistinguishedFolder")
	default:
		m.moveFolder(found, to)
	}
	return foldersContent(shape{base: "IdOnly"}, m.viewFolder(found)), nil
}

func (m *Mailbox) copyFolder(f, to *folder) *folder {
	items, below := slices.Clone(m.itemsOf(f)), slices.Clone(f.children)
	made := m.addFolder(to, f.name, f.class)
	for _, it := range items {
		rev := it.rev.clone()
		rev.number = 0
		m.addItem(made, rev, it.associated)
	}
	for _, c := range below {
		m.copyFolder(c, made)
	}
	return made
}

func (c *call) emptyFolder(unit *etree.Element) (content, *failure) {
	m := c.mailbox
	m.mu.Lock()
	defer m.mu.Unlock()
	found, f := c.folderOf(unit, "ErrorFolderNotFound")
	if f != nil {
		return nil, f
	}
	if found.search {
		return nil, fail("ErrorCannotEmptyFolder")
	}
	kind := attr(c.body, "DeleteType")
	for _, it := range slices.Clone(found.items) {
		if !it.associated && (kind != "MoveToDeletedItems" || found != m.relative(found, "deleteditems")) {
			m.deleteItem(it, kind)
		}
	}
	if !isTrue(attr(c.body, "DeleteSubFolders")) {
		return nothing, nil
	}
	for _, below := range slices.Clone(found.children) {
		if below.special == "" {
			m.removeFolder(below)
		}
	}
	return nothing, nil
}

// convertID knows the forms whose layout is published: EwsId, and the entry id as base64 and as hex digits.
func (c *call) convertID(unit *etree.Element) (content, *failure) {
	box := c.server.mailbox(attr(unit, "Mailbox"))
	if box == nil {
		return nil, fail("ErrorNonExistentMailbox")
	}
	id, f := readAlternate(attr(unit, "Format"), attr(unit, "Id"), box)
	if f != nil {
		return nil, f
	}
	format := attr(c.body, "DestinationFormat")
	var text string
	switch format {
	case "EwsId":
		text = id.String()
	case "EntryId":
		text = base64.StdEncoding.EncodeToString(id.entry())
	case "HexEntryId":
		text = strings.ToUpper(hex.EncodeToString(id.entry()))
	default:
		return nil, fail("ErrorUnsupportedTypeForConversion")
	}
	return func(x *xmlWriter) error {
		x.empty("m:AlternateId", "xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance", "xsi:type", "t:AlternateIdType",
			"Format", format, "Id", text, "Mailbox", box.address)
		return nil
	}, nil
}

func readAlternate(format, text string, box *Mailbox) (objectID, *failure) {
	var entry []byte
	var err error
	switch format {
	case "EwsId":
		id, f := parseID(text)
		if f == nil && id.mailbox != box.guid {
			f = fail("ErrorNonExistentMailbox").with("MailboxGuid", id.mailbox.String())
		}
		return id, f
	case "EntryId":
		entry, err = base64.StdEncoding.DecodeString(text)
	case "HexEntryId":
		entry, err = hex.DecodeString(text)
	default:
		return objectID{}, fail("ErrorUnsupportedTypeForConversion")
	}
	if err != nil || len(entry) != folderEntry && len(entry) != messageEntry {
		return objectID{}, fail("ErrorInvalidIdMalformed")
	}
	whole := objectID{mailbox: box.guid}.bytes()[:idHead+guidText]
	whole = append(whole, byte(len(entry)), 0)
	return parseID(base64.StdEncoding.EncodeToString(append(append(whole, entry...), 0)))
}

// resolveNames finds mailboxes whose address begins with what was typed.
func (c *call) resolveNames(unit *etree.Element) (content, *failure) {
	typed := strings.ToLower(strings.TrimSpace(childText(unit, "UnresolvedEntry")))
	typed = strings.TrimPrefix(typed, "smtp:")
	var found []string
	c.server.mu.RLock()
	for address, m := range c.server.mailboxes {
		if typed != "" && strings.HasPrefix(address, typed) {
			found = append(found, m.address)
		}
	}
	c.server.mu.RUnlock()
	slices.Sort(found)
	if len(found) == 0 {
		return nil, fail("ErrorNameResolutionNoResults")
	}
	last := len(found) <= 100
	found = found[:min(len(found), 100)]
	return func(x *xmlWriter) error {
		x.start("m:ResolutionSet", "TotalItemsInView", strconv.Itoa(len(found)), "IncludesLastItemInRange", boolText(last))
		for _, address := range found {
			x.start("t:Resolution")
			x.start("t:Mailbox")
			x.leaf("t:Name", c.server.mailbox(address).owner().Name)
			x.leaf("t:EmailAddress", address)
			x.leaf("t:RoutingType", "SMTP")
			x.leaf("t:MailboxType", "Mailbox")
			x.end()
			x.end()
		}
		x.end()
		return nil
	}, nil
}
