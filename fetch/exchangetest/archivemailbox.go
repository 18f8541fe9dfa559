package exchangetest

import (
	"fmt"
	"strings"
)

// EnableArchive gives the mailbox an archive: a tree of its own beside that of
// the primary mailbox. Real archives are mailboxes with a GUID of their own;
// here their ids hold the GUID of the primary one.
func (m *Mailbox) EnableArchive() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.enableArchive()
}

func (m *Mailbox) enableArchive() {
	if m.special["archiveroot"] != nil {
		return
	}
	root := m.addSpecial(nil, defaultFolder{"archiveroot", "Root", ""})
	top := m.addSpecial(root, defaultFolder{"archivemsgfolderroot", "Top of Information Store", "IPF"})
	m.addSpecial(top, defaultFolder{"archivedeleteditems", "Deleted Items", "IPF.Note"})
	m.addSpecial(top, defaultFolder{"archiveinbox", "Inbox", "IPF.Note"})
	m.plantDumpster(root, "archive")
}

// plantDumpster grows the recoverable items of a mailbox or of its archive.
func (m *Mailbox) plantDumpster(root *folder, prefix string) {
	dumpster := m.addSpecial(root, defaultFolder{prefix + "recoverableitemsroot", "Recoverable Items", ""})
	for _, d := range []defaultFolder{
		{"recoverableitemsdeletions", "Deletions", ""},
		{"recoverableitemsversions", "Versions", ""},
		{"recoverableitemspurges", "Purges", ""},
		{"recoverableitemsdiscoveryholds", "DiscoveryHolds", ""},
	} {
		d.special = prefix + d.special
		m.addSpecial(dumpster, d)
	}
}

// LoadArchive is Load for the archive of the mailbox of that address, which it gets if it has none.
func (s *Server) LoadArchive(addr, dir string) error {
	m := s.AddMailbox(addr)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.enableArchive()
	if err := s.loadFolder(m, m.special["archivemsgfolderroot"], dir); err != nil {
		return fmt.Errorf("load archive mailbox: %w", err)
	}
	return nil
}

// relative is the folder of that distinguished name in the part of the mailbox
// where f is: the primary mailbox or its archive. Public folders have none.
func (m *Mailbox) relative(f *folder, name string) *folder {
	for ; f != nil; f = f.parent {
		if f.special == "archiveroot" {
			name = "archive" + name
		}
	}
	return m.special[name]
}

// recoverable says whether the folder is one of the recoverable items.
func (f *folder) recoverable() bool {
	for ; f != nil; f = f.parent {
		if strings.TrimPrefix(f.special, "archive") == "recoverableitemsroot" {
			return true
		}
	}
	return false
}
