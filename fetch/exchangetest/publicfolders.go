package exchangetest

import (
	"fmt"
	"strings"

	"github.com/beevik/etree"
)

// publicAddress stands for the public folders where others have an address. No request can name it.
const publicAddress = "public folders"

// PublicFolders gives the public folders, none but their root at first. They are
// a mailbox of their own that requests come to by publicfoldersroot and by the
// ids below it, whosever mailbox they are for. Synchronization and deep listings
// are refused there. Every account that has or impersonates a mailbox may do all.
func (s *Server) PublicFolders() *Mailbox {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.public == nil {
		m := bareMailbox(publicAddress, s.options.Clock)
		m.addSpecial(nil, defaultFolder{"publicfoldersroot", "IPM_SUBTREE", ""})
		s.public = m
	}
	return s.public
}

func (s *Server) publicFolders() *Mailbox {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.public
}

// LoadPublicFolders is Load for the public folders.
func (s *Server) LoadPublicFolders(dir string) error {
	m := s.PublicFolders()
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := s.loadFolder(m, m.special["publicfoldersroot"], dir); err != nil {
		return fmt.Errorf("load public folders: %w", err)
	}
	return nil
}

// Place puts the content of the top public folder of that name, and of those
// below it, into a content mailbox of its own (PidTagReplicaList). Requests for
// its items must then carry that GUID in X-PublicFolderMailbox, "GUID@domain".
func (m *Mailbox) Place(name, guid string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f := m.special["publicfoldersroot"].child(name); f != nil {
		f.replica = guid
	}
}

// content is the GUID of the mailbox that holds what is in a public folder; "" is the one of the hierarchy.
func (f *folder) content() string {
	for ; f != nil; f = f.parent {
		if f.replica != "" {
			return f.replica
		}
	}
	return ""
}

// turnToPublic directs a request that is about public folders to them.
func (c *call) turnToPublic() *failure {
	m := c.server.publicFolders()
	if m == nil || c.mailbox == nil {
		return nil
	}
	id, is := publicTarget(c.body, m)
	if !is {
		return nil
	}
	c.mailbox = m
	switch c.name {
	case "FindItem", "GetItem", "ExportItems", "UploadItems":
	default:
		return nil
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	f := m.folders[id.folder]
	routed, _, _ := strings.Cut(c.header.Get("X-PublicFolderMailbox"), "@")
	if f != nil && f.content() != "" && !strings.EqualFold(f.content(), routed) {
		return fail("ErrorNoPublicFolderReplicaAvailable")
	}
	return nil
}

// publicTarget finds the first public folder or item that a request names.
func publicTarget(body *etree.Element, m *Mailbox) (id objectID, is bool) {
	for _, e := range append([]*etree.Element{body}, body.FindElements(".//*")...) {
		switch e.Tag {
		case "DistinguishedFolderId":
			if attr(e, "Id") == "publicfoldersroot" {
				return id, true
			}
		case "FolderId", "ItemId", "ParentFolderId":
			if text := attr(e, "Id"); text != "" {
				id, f := parseID(text)
				return id, f == nil && id.mailbox == m.guid
			}
		}
	}
	return id, false
}
