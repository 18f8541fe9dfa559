package restore

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mailbrick/archive"
)

// tree is the target mailbox's folders, and those that the restore adds.
type tree struct {
	server exchange
	dry    bool // make no folders
	root   *node
	kinds  map[string]*node // by distinguished name; nil for one that the mailbox has not
}

// node is a folder.
type node struct {
	folder
	parent   *node
	children map[string]*node // by name in lower case: Exchange tells names apart without regard to case
	fresh    bool             // made by this restore, so empty before
	shelves  [2]*shelf        // what it held before: items, associated items
	err      error            // why it could not be made
}

func newNode(f folder, parent *node) *node {
	return &node{folder: f, parent: parent, children: map[string]*node{}}
}

// path is what people see.
func (n *node) path() string {
	var names []string
	for ; n.parent != nil; n = n.parent {
		names = append(names, n.name)
	}
	if n.kind != rootKind {
		names = append(names, n.name)
	}
	slices.Reverse(names)
	return joinPath(names)
}

// readTree asks for all folders that people see.
func readTree(ctx context.Context, server exchange, dry bool) (*tree, error) {
	root, list, err := server.folders(ctx)
	if err != nil {
		return nil, err
	}
	t := &tree{server: server, dry: dry, root: newNode(root, nil), kinds: map[string]*node{}}
	t.grow(list)
	t.kinds[rootKind], t.kinds["root"] = t.root, t.root
	return t, nil
}

// grow hangs folders below one another; parents may come after their children.
func (t *tree) grow(list []folder) {
	byID := map[string]*node{t.root.id: t.root}
	for _, f := range list {
		byID[f.id] = newNode(f, nil)
	}
	for _, f := range list {
		if n := byID[f.id]; byID[f.parentID] != nil {
			n.parent = byID[f.parentID]
		} else {
			n.parent = t.root
		}
	}
	t.unwind(byID)
	for _, f := range list {
		if f.search {
			continue // it holds nothing of its own and takes nothing
		}
		n := byID[f.id]
		n.parent.children[strings.ToLower(f.name)] = n
		if f.kind != "" {
			t.kinds[f.kind] = n
		}
	}
}

// unwind sees to it that all folders lie below the root: a server may tell of some that lie within one another in a circle.
func (t *tree) unwind(nodes map[string]*node) {
	rooted := map[*node]bool{nil: true, t.root: true}
	for _, n := range nodes {
		way := map[*node]bool{}
		for ; !rooted[n]; n = n.parent {
			if way[n] {
				n.parent = t.root
				break
			}
			way[n] = true
		}
		maps.Copy(rooted, way)
	}
}

// place finds the folder for items that were in home, and makes what is missing of it. From the lowest folder that every
// mailbox has under its own name (in its own language) names lead on; with below given they do so from there.
func (t *tree) place(ctx context.Context, home []archive.Folder, below string) (*node, error) {
	at, rest := t.root, home
	for _, name := range splitPath(below) {
		var err error
		if at, err = t.child(ctx, at, archive.Folder{Name: name}); err != nil {
			return nil, err
		}
	}
	if at == t.root {
		var err error
		if at, rest, err = t.anchor(ctx, home); err != nil {
			return nil, err
		}
	}
	for _, f := range rest {
		var err error
		if at, err = t.child(ctx, at, f); err != nil {
			return nil, err
		}
	}
	return at, nil
}

// anchor gives the lowest folder of a line that the mailbox has by its kind, and what is below.
func (t *tree) anchor(ctx context.Context, home []archive.Folder) (*node, []archive.Folder, error) {
	for i, f := range slices.Backward(home) {
		if f.Kind == "" {
			continue
		}
		n, err := t.kind(ctx, f.Kind)
		if err != nil {
			return nil, nil, err
		}
		if n != nil {
			return n, home[i+1:], nil
		}
	}
	return t.root, home, nil
}

// kind gives the folder of a distinguished name, nil when the mailbox has none. Servers older than 2013 do not say in a
// listing which folders these are, and some lie outside of what people see.
func (t *tree) kind(ctx context.Context, name string) (*node, error) {
	if n, ok := t.kinds[name]; ok {
		return n, nil
	}
	f, err := t.server.kind(ctx, name)
	if err != nil {
		return nil, err
	}
	var n *node
	if f.id != "" && !f.search {
		if n = t.find(f.id); n == nil {
			n = newNode(f, nil)
		}
		n.kind = name
	}
	t.kinds[name] = n
	return n, nil
}

// find searches the tree by id.
func (t *tree) find(id string) *node {
	queue := []*node{t.root}
	for len(queue) > 0 {
		n := queue[0]
		if n.id == id {
			return n
		}
		queue = queue[1:]
		for _, c := range n.children {
			queue = append(queue, c)
		}
	}
	return nil
}

// child gives the folder of that name, made if need be.
func (t *tree) child(ctx context.Context, parent *node, f archive.Folder) (*node, error) {
	key := strings.ToLower(f.Name)
	if n := parent.children[key]; n != nil {
		return n, n.err
	}
	n := newNode(folder{parentID: parent.id, name: f.Name, class: f.Class}, parent)
	n.fresh = true
	if !t.dry {
		made, err := t.server.create(ctx, parent.id, f.Name, f.Class)
		if err != nil && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			n.err = fmt.Errorf("create folder: %w", err)
		}
		// One that is there after all, made by somebody meanwhile, has items of its own.
		n.fresh = made.total == 0
		n.id, n.total = made.id, made.total
	}
	parent.children[key] = n
	return n, n.err
}
