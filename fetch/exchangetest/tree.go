package exchangetest

import "strings"

// defaultFolder is a folder every mailbox has.
type defaultFolder struct{ special, name, class string }

// visible are the default folders people see.
func visible() []defaultFolder {
	return []defaultFolder{
		{"calendar", "Calendar", "IPF.Appointment"},
		{"contacts", "Contacts", "IPF.Contact"},
		{"deleteditems", "Deleted Items", "IPF.Note"},
		{"drafts", "Drafts", "IPF.Note"},
		{"inbox", "Inbox", "IPF.Note"},
		{"journal", "Journal", "IPF.Journal"},
		{"junkemail", "Junk Email", "IPF.Note"},
		{"notes", "Notes", "IPF.StickyNote"},
		{"outbox", "Outbox", "IPF.Note"},
		{"sentitems", "Sent Items", "IPF.Note"},
		{"tasks", "Tasks", "IPF.Task"},
	}
}

// plant grows the tree of a new mailbox.
func (m *Mailbox) plant() {
	root := m.addSpecial(nil, defaultFolder{"root", "Root", ""})
	top := m.addSpecial(root, defaultFolder{"msgfolderroot", "Top of Information Store", "IPF"})
	for _, d := range visible() {
		m.addSpecial(top, d)
	}
	finder := m.addSpecial(root, defaultFolder{"searchfolders", "Finder", ""})
	m.addSpecial(finder, defaultFolder{"", "AllItems", "IPF"}).search = true
	m.plantDumpster(root, "")
}

func (m *Mailbox) addSpecial(parent *folder, d defaultFolder) *folder {
	f := m.addFolder(parent, d.name, d.class)
	f.special = d.special
	if d.special != "" {
		m.special[d.special] = f
	}
	return f
}

// distinguished finds a folder by its distinguished name.
func (m *Mailbox) distinguished(name string) (*folder, *failure) {
	if f := m.special[name]; f != nil {
		return f, nil
	}
	if strings.HasPrefix(name, "archive") && name != "archive" {
		return nil, fail("ErrorArchiveMailboxNotEnabled")
	}
	return nil, fail("ErrorFolderNotFound")
}
