package fetch

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"mailbrick/fetch/graph"
)

// graphTree is one of the trees that a mailbox has side by side.
type graphTree struct {
	client     *graph.Client
	part, root string // names of the part, and of its root in the archive
	top        string // well-known name of its root on the server
	name       string // what its root is called in the archive
	parent     string // root kind of the tree that it hangs below in the archive; "": none
	asked      bool
}

func (s *graphSource) trees() []graphTree {
	archive := s.scope.Archive
	return []graphTree{
		{client: s.client, part: PartPrimary, root: rootFolder, top: rootFolder, asked: true},
		{client: archive, part: PartArchive, root: archiveRoot, top: rootFolder, name: "In-Place Archive", asked: archive != nil},
		{client: s.client, part: PartRecoverable, root: dumpsterRoot, top: dumpsterRoot, name: "Recoverable Items", asked: s.scope.Recoverable},
		{client: archive, part: PartArchiveRecoverable, root: archiveDumpster, top: dumpsterRoot, name: "Recoverable Items", parent: archiveRoot,
			asked: s.scope.Recoverable && archive != nil},
	}
}

// Folders takes for each tree a request for its root and one for what lies below (graph.Client.Folders), and one before all for
// the id of the mailbox. That is asked for by every client: a run that kept it would go on with the mailbox that the address had.
func (s *graphSource) Folders(ctx context.Context) ([]Folder, error) {
	s.parts, s.archived = nil, map[string]bool{}
	var out []Folder
	tops := map[string]string{}
	for _, t := range s.trees() {
		part := Part{Name: t.part, State: NotAsked, Root: t.root}
		if t.asked {
			list, err := t.list(ctx)
			if err = part.found(list, err); err != nil {
				return nil, err
			}
			if len(list) > 0 {
				list[0].ParentID = tops[t.parent]
				tops[t.root] = list[0].ID
			}
			for _, f := range list {
				s.archived[f.ID] = t.client == s.scope.Archive
			}
			out = append(out, list...)
		}
		s.parts = append(s.parts, part)
	}
	s.parts = append(s.parts, notOfGraph(PartAssociated, s.scope.Associated), notOfGraph(PartPublic, s.scope.Public))
	return out, nil
}

// found says what became of a part; whatever is wrong with the primary one is wrong with the mailbox.
func (p *Part) found(list []Folder, err error) error {
	var e *graph.Error
	switch {
	case err == nil && len(list) == 0 && p.Root == rootFolder:
		return fmt.Errorf("%w: the mailbox has no %s", graph.ErrNotGraph, rootFolder)
	case err == nil && len(list) == 0, p.Root != rootFolder && errors.Is(err, graph.ErrNoArchive):
		p.State = NotThere
	case err == nil:
		p.State = Covered
	case p.Root != rootFolder && errors.As(err, &e) && (e.Status == http.StatusForbidden || e.Class() == graph.Gone || e.Class() == graph.Bug):
		p.State, p.Reason = Refused, err.Error()
	default:
		return err
	}
	return nil
}

// notOfGraph is a part that this protocol does not have.
func notOfGraph(name string, asked bool) Part {
	if !asked {
		return Part{Name: name, State: NotAsked}
	}
	return Part{Name: name, State: Refused, Reason: "Microsoft Graph does not give them out"}
}

// list gives the folders of a tree, its root first; none when there is no such tree.
func (t graphTree) list(ctx context.Context) ([]Folder, error) {
	root, err := t.client.Folder(ctx, t.top)
	if err != nil {
		return nil, err
	}
	if root.ID == "" && t.top == dumpsterRoot {
		return t.dumpster(ctx)
	}
	under := root.ID
	if t.top == rootFolder {
		under = "" // the listing of the mailbox, which is of what lies below its root
	}
	below, err := t.client.Folders(ctx, under)
	if err != nil {
		return nil, err
	}
	if root.ID == "" && t.top == rootFolder && len(below) > 0 {
		root.ID = below[0].ParentID // the first is right below the root
	}
	if root.ID == "" {
		return nil, nil
	}
	return t.folders(root, below), nil
}

// folders are a tree's as the archive knows them.
func (t graphTree) folders(root graph.Folder, below []graph.Folder) []Folder {
	out := []Folder{graphFolder(root)}
	out[0].Name, out[0].ParentID, out[0].Kind = t.name, "", t.root
	for _, f := range below {
		if f.Search {
			continue
		}
		folder := graphFolder(f)
		if folder.ParentID == "" {
			folder.ParentID = out[0].ID
		}
		if t.root == archiveRoot {
			folder.Kind = "" // not to be taken for the primary mailbox's of that name
		}
		out = append(out, folder)
	}
	return out
}

// dumpster asks for the folders of recoverable items by their names, where the server does not show their root.
func (t graphTree) dumpster(ctx context.Context) ([]Folder, error) {
	var found []graph.Folder
	for _, name := range []string{"recoverableitemsdeletions", "recoverableitemsversions", "recoverableitemspurges"} {
		f, err := t.client.Folder(ctx, name)
		if err != nil {
			return nil, err
		}
		if f.ID == "" {
			continue
		}
		if f.WellKnown == "" {
			f.WellKnown = name
		}
		below, err := t.client.Folders(ctx, f.ID)
		if err != nil {
			return nil, err
		}
		found = append(append(found, f), below...)
	}
	if len(found) == 0 || found[0].ParentID == "" {
		return nil, nil
	}
	return t.folders(graph.Folder{ID: found[0].ParentID}, found), nil
}
