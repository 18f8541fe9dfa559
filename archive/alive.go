package archive

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"slices"

	"mailbrick/archive/journal"
)

// aliveAtOnce is how many rows of a mailbox's list are read while the group is held.
const aliveAtOnce = 4096

// ItemsIn yields the server's ids of the items alive in any of the folders. It reads the mailbox's whole list, in parts, between
// which the session may be used: what is added meanwhile is yielded or not, all else is once. For many folders it reads the list
// once.
func (s *Session) ItemsIn(ctx context.Context, folderIDs ...string) iter.Seq2[string, error] {
	return s.itemsIn(ctx, aliveAtOnce, folderIDs)
}

func (s *Session) itemsIn(ctx context.Context, atOnce int, folderIDs []string) iter.Seq2[string, error] {
	in := make(map[string]bool, len(folderIDs))
	for _, id := range folderIDs {
		in[id] = true
	}
	return func(yield func(string, error) bool) {
		for part := (alivePart{in: in, most: atOnce}); ; part.above = part.upTo {
			if err := s.alive(ctx, &part); err != nil {
				yield("", err)
				return
			}
			for _, id := range part.found {
				if !yield(id, nil) {
					return
				}
			}
			if part.upTo == nil {
				return
			}
		}
	}
}

// alivePart is a part of a mailbox's list: the items whose ID is above one and not above another, nil being either end.
type alivePart struct {
	in          map[string]bool // folders
	most        int             // rows of a part
	above, upTo *ID
	found       []string
}

func (p *alivePart) has(id ID) bool {
	return (p.above == nil || bytes.Compare(id[:], p.above[:]) > 0) && (p.upTo == nil || bytes.Compare(id[:], p.upTo[:]) <= 0)
}

// alive finds the items of the part above one. A group that lands between two parts takes what it holds into the catalog, which
// has it for a part that is still to come; for one that was, the group had it.
func (s *Session) alive(ctx context.Context, p *alivePart) error {
	g, err := s.enter()
	if err != nil {
		return err
	}
	defer g.mu.Unlock()
	p.upTo, p.found = nil, p.found[:0]
	sec := g.sections[s.mailbox]
	if s.refresh(); s.known {
		if err := s.aliveRows(ctx, p, sec); err != nil {
			return err
		}
	}
	if sec == nil {
		return nil
	}
	for i, v := range sec.Versions {
		if at, ok := sec.byID[v.ID]; ok && at == i && p.in[v.FolderID] && p.has(v.ID) {
			p.found = append(p.found, v.ItemID)
		}
	}
	return nil
}

// aliveRows finds what the catalog has of a part, but for what the group knows better.
func (s *Session) aliveRows(ctx context.Context, p *alivePart, sec *section) error {
	prefix := key32(keyVersion, s.number)
	from := prefix
	if p.above != nil {
		from = after(slices.Concat(prefix, p.above[:]))
	}
	rows, at := 0, ID{}
	err := scanFrom(ctx, s.a.cat.db, from, after(prefix), func(key, value []byte) error {
		r, err := s.a.cat.openRow(key, value)
		if err != nil {
			return err
		}
		id := r.id()
		if rows >= p.most && id != at { // the rows of an item are in one part
			p.upTo = &at
			return errStop
		}
		rows, at = rows+1, id
		if r.to != Forever || sec != nil && (sec.has(id) || sec.isGone(id)) {
			return nil
		}
		v, err := r.bare()
		if err == nil && p.in[v.FolderID] {
			p.found = append(p.found, v.ItemID)
		}
		return err
	})
	if errors.Is(err, errStop) {
		return nil
	}
	return err
}

func (s *section) has(id ID) bool    { _, ok := s.byID[id]; return ok }
func (s *section) isGone(id ID) bool { _, ok := s.gone[id]; return ok }

// RemoveFolders ends folders and all items in them. It reads the mailbox's whole list.
func (s *Session) RemoveFolders(ctx context.Context, folderIDs ...string) error {
	for itemID, err := range s.ItemsIn(ctx, folderIDs...) {
		if err == nil {
			err = s.Remove(itemID)
		}
		if err != nil {
			return err
		}
	}
	g, err := s.enter()
	if err != nil {
		return err
	}
	defer g.mu.Unlock()
	sec := s.section()
	for _, id := range folderIDs {
		sec.Folders = slices.DeleteFunc(sec.Folders, func(f journal.Folder) bool { return f.ID == id })
		sec.FoldersGone = append(sec.FoldersGone, id)
	}
	return nil
}
