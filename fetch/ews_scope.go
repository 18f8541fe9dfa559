package fetch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"mailbrick/fetch/ews"
)

// EWSScope says what is asked for beside the primary mailbox's folders. Public folders are a source of their own; the name
// here only tells where they are.
type EWSScope struct {
	Archive, Recoverable, Associated bool
	PublicAs                         string // mailbox that has the public folders; "" if they are not asked for
}

// Uppermost folders, by their distinguished names. ews.md §13.
const (
	rootFolder       = "msgfolderroot" // the top of what the user sees
	archiveRoot      = "archivemsgfolderroot"
	dumpsterRoot     = "recoverableitemsroot"
	archiveDumpster  = "archiverecoverableitemsroot"
	publicFolderRoot = "publicfoldersroot"
)

// ewsTree is one of the trees that a mailbox has side by side, and the part it is.
type ewsTree struct {
	Part
	name   string // what its root is called in the archive
	parent string // root kind of the tree that it hangs below in the archive; "": none
}

// ewsTrees are all trees; the state of each part says whether it is asked for.
func ewsTrees(s EWSScope) []ewsTree {
	asked := func(is bool) Cover {
		if is {
			return Covered
		}
		return NotAsked
	}
	return []ewsTree{
		{Part: Part{Name: PartPrimary, State: Covered, Root: rootFolder}},
		{Part: Part{Name: PartArchive, State: asked(s.Archive), Root: archiveRoot}, name: "In-Place Archive"},
		{Part: Part{Name: PartRecoverable, State: asked(s.Recoverable), Root: dumpsterRoot}, name: "Recoverable Items"},
		{Part: Part{Name: PartArchiveRecoverable, State: asked(s.Archive && s.Recoverable), Root: archiveDumpster}, name: "Recoverable Items", parent: archiveRoot},
	}
}

// Parts are the trees and what lies across them.
func (s *ewsSource) Parts() []Part {
	var parts []Part
	for _, t := range s.trees {
		parts = append(parts, t.Part)
	}
	associated := Part{Name: PartAssociated, State: NotAsked}
	if s.scope.Associated {
		associated.State = Covered
	}
	public := Part{Name: PartPublic, State: NotAsked}
	if s.scope.PublicAs != "" {
		public.State, public.Reason = Apart, s.scope.PublicAs
	}
	return append(parts, associated, public)
}

// Folders takes one request for the roots, and for each tree another and one more for every further 1,000 folders. The change
// mark is the time of the last change with the number of deletions, the cheap question that ews.md §7 names.
func (s *ewsSource) Folders(ctx context.Context) ([]Folder, error) {
	s.trees = ewsTrees(s.scope)
	asked := slices.DeleteFunc(ewsTrees(s.scope), func(t ewsTree) bool { return t.State == NotAsked })
	refs := make([]ews.FolderRef, len(asked))
	for i, t := range asked {
		refs[i].Distinguished = t.Root
	}
	roots, refused, err := s.client.LookUp(ctx, refs...)
	if err != nil {
		return nil, err
	}
	if refused[0] != nil {
		return nil, refused[0] // whatever is wrong with the primary root is wrong with the mailbox
	}
	if roots[0].ID == "" {
		return nil, fmt.Errorf("%w: the mailbox has no %s", ews.ErrNotExchange, rootFolder)
	}
	var out []Folder
	tops := map[string]string{}
	for i, t := range asked {
		list, err := s.tree(ctx, t, roots[i], refused[i], tops[t.parent])
		if err != nil {
			return nil, err
		}
		if len(list) > 0 {
			tops[t.Root] = list[0].ID
		}
		out = append(out, list...)
	}
	return out, nil
}

// tree lists one tree, or notes why there is none.
func (s *ewsSource) tree(ctx context.Context, t ewsTree, root ews.Folder, refused error, above string) ([]Folder, error) {
	part := &s.trees[slices.IndexFunc(s.trees, func(o ewsTree) bool { return o.Root == t.Root })].Part
	if refused == nil && root.ID == "" {
		part.State = NotThere
		return nil, nil
	}
	var below []ews.Folder
	if refused == nil {
		below, refused = s.client.FindFolders(ctx, ews.FolderRef{Distinguished: t.Root})
	}
	if refused != nil && (t.Root == rootFolder || !refusal(refused)) {
		return nil, refused
	}
	if refused != nil {
		part.State, part.Reason = Refused, refused.Error()
		return nil, nil
	}
	out := []Folder{ewsFolder(root)}
	out[0].Name, out[0].ParentID, out[0].Kind = t.name, above, t.Root
	for _, f := range below {
		if f.Search {
			continue
		}
		folder := ewsFolder(f)
		if t.Root == archiveRoot && !strings.HasPrefix(folder.Kind, "archive") {
			folder.Kind = "" // not to be taken for the primary mailbox's of that name
		}
		out = append(out, folder)
	}
	return out, nil
}

// refusal says whether an error is the last word about a part beside the primary mailbox; after any other the run ends
// and the next one asks again.
func refusal(err error) bool {
	var e *ews.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Class() {
	case ews.Item, ews.Permanent, ews.Resync, ews.Bug:
		return true
	}
	return false
}

func ewsFolder(f ews.Folder) Folder {
	folder := Folder{ID: f.ID, ParentID: f.ParentID, Name: f.Name, Class: f.Class, Kind: f.Distinguished, Total: f.Total}
	if f.CommitTime != "" && f.Deleted != "" {
		folder.Mark = f.CommitTime + " " + f.Deleted
	}
	return folder
}
