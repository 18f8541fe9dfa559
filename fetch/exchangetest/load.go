package exchangetest

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"mailbrick/fetch/mapi/eml"
)

// headBytes is how much of a file is read while loading: enough to know mail and its read flag.
const headBytes = 8 << 10

// Load fills the mailbox of that address from a tree of message files, folders
// as folders: a folder at the top called like a default folder is that folder,
// files at the top go into msgfolderroot. Files are read again when they are
// needed and must not change. One that is not mail is left out, see
// Mailbox.Skipped; the error is that of the tree itself. Different mailboxes may
// be loaded at the same time.
func (s *Server) Load(addr, dir string) error {
	m := s.AddMailbox(addr)
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := s.loadFolder(m, m.special["msgfolderroot"], dir); err != nil {
		return fmt.Errorf("load mailbox: %w", err)
	}
	return nil
}

func (s *Server) loadFolder(m *Mailbox, into *folder, dir string) error {
	entries, err := os.ReadDir(dir) // sorted: ids follow from the tree
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch {
		case strings.HasPrefix(e.Name(), "."):
		case e.IsDir():
			err = s.loadFolder(m, m.subfolder(into, e.Name()), path)
		default:
			m.loadFile(s, into, e, path)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// subfolder finds or makes a folder. Below the top, default folders go by their names.
func (m *Mailbox) subfolder(parent *folder, name string) *folder {
	if f := parent.child(name); f != nil {
		return f
	}
	return m.addFolder(parent, name, "IPF.Note")
}

func (m *Mailbox) loadFile(s *Server, into *folder, e fs.DirEntry, path string) {
	rev, err := s.fileRevision(e, path)
	if err != nil {
		m.skipped = append(m.skipped, fmt.Errorf("load %s: %w", path, err))
		return
	}
	m.addItem(into, rev, false)
}

// fileRevision looks at the head of a file only.
func (s *Server) fileRevision(e fs.DirEntry, path string) (*revision, error) {
	info, err := e.Info()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, eml.ErrNotMail
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head, err := eml.Read(io.LimitReader(f, headBytes))
	if err != nil {
		return nil, err
	}
	source := &fileSource{path: path, key: searchKey("file", path), modified: info.ModTime(), read: head.Read(), cache: s.cache}
	return newRevision(source, head.Class(), info.Size(), head.Read()), nil
}
