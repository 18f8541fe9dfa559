package index

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"mailbrick/index/kql"
)

// UsesFolders tells whether a tree asks for folders: only then does Query.Folders matter.
func UsesFolders(n kql.Node) bool {
	switch n := n.(type) {
	case *kql.And:
		return slices.ContainsFunc(n.Nodes, UsesFolders)
	case *kql.Or:
		return slices.ContainsFunc(n.Nodes, UsesFolders)
	case *kql.Not:
		return UsesFolders(n.Node)
	case *kql.Text:
		return n.Property == kql.FolderPath
	}
	return false
}

// folderKey is what a row keeps of a folder's id: ids are long, and no two of one mailbox are alike in it.
func folderKey(id string) uint64 {
	sum := sha256.Sum256([]byte(id))
	return binary.BigEndian.Uint64(sum[:])
}

// folderRef is a folder of a mailbox.
type folderRef struct {
	mailbox uint32
	key     uint64
}

// folderPaths are the paths that folders have at the time of a query.
type folderPaths struct {
	list    []string             // all different
	folders map[folderRef]uint32 // index into list
}

// newFolderPaths takes the folders of the mailboxes that are searched, by name and id.
func newFolderPaths(byMailbox map[string]map[string]string, names *names, mailboxes map[uint32]uint32) *folderPaths {
	size := 0
	for mailbox := range mailboxes {
		size += len(byMailbox[names.name(mailbox)])
	}
	p := &folderPaths{folders: make(map[folderRef]uint32, size)}
	numbers := map[string]uint32{}
	for mailbox := range mailboxes {
		for id, path := range byMailbox[names.name(mailbox)] {
			n, ok := numbers[path]
			if !ok {
				n = uint32(len(p.list))
				numbers[path] = n
				p.list = append(p.list, path)
			}
			p.folders[folderRef{mailbox, folderKey(id)}] = n
		}
	}
	return p
}

// condition holds for rows in folders whose path matches; of a folder that is not known its path in the row counts, which
// is one of stored when it matches.
func (p *folderPaths) condition(match func(string) bool, stored map[uint32]bool) rowCondition {
	matches := make([]bool, len(p.list))
	for i, path := range p.list {
		matches[i] = match(path)
	}
	return func(r *row) bool {
		if i, ok := p.folders[folderRef{r.mailbox, r.folderKey}]; ok {
			return matches[i]
		}
		return stored[r.folder]
	}
}
