package restore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"mailbrick/fetch/graph"
	"mailbrick/fetch/wire"
)

// byGraph is a mailbox by Microsoft Graph. Archives have the ids of EWS.
type byGraph struct{ client *graph.Client }

var errHidden = errors.New("associated (hidden) items do not go by Microsoft Graph")

// soft is an error that is the item's, though its class is graver elsewhere.
type soft struct{ error }

func (e soft) Unwrap() error { return e.error }

func (x byGraph) folders(ctx context.Context) (root folder, below []folder, err error) {
	top, err := x.client.Folder(ctx, rootKind)
	if err != nil {
		return root, nil, err
	}
	list, err := x.client.Folders(ctx, "")
	if err != nil {
		return root, nil, err
	}
	if top.ID == "" && len(list) > 0 {
		top.ID = list[0].ParentID // the first is right below the root
	}
	if top.ID == "" {
		return root, nil, errors.New("the mailbox has no " + rootKind)
	}
	for _, f := range list {
		below = append(below, graphFolder(f))
	}
	root = graphFolder(top)
	root.kind = rootKind
	return root, below, nil
}

func graphFolder(f graph.Folder) folder {
	return folder{id: graph.ToEWS(f.ID), parentID: graph.ToEWS(f.ParentID), name: f.Name, class: f.Class, kind: f.WellKnown, total: f.Total, search: f.Search}
}

func (x byGraph) kind(ctx context.Context, name string) (folder, error) {
	f, err := x.client.Folder(ctx, name)
	var e *graph.Error
	if errors.As(err, &e) && e.Class() == graph.Bug {
		return folder{}, nil // not a name of this protocol
	}
	return graphFolder(f), err
}

func (x byGraph) create(ctx context.Context, parentID, name, class string) (folder, error) {
	f, err := x.client.CreateFolder(ctx, graph.FromEWS(parentID), name, class)
	return graphFolder(f), err
}

func (x byGraph) list(ctx context.Context, folderID string) iter.Seq2[found, error] {
	return func(yield func(found, error) bool) {
		var trail wire.Trail
		for link, last := "", false; !last; {
			page, err := x.client.ListItems(ctx, graph.FromEWS(folderID), link)
			if err != nil {
				yield(found{}, err)
				return
			}
			for _, it := range page.Items {
				if !yield(found{itemRef{graph.ToEWS(it.ID), it.ChangeKey}, it.MessageID, it.SearchKey, it.Size}, nil) {
					return
				}
			}
			if link, last = page.Next, page.Next == ""; last {
				return
			}
			if err := trail.Step(link, wire.Entries(&page.Items, func(it graph.Listed) string { return it.ID })); err != nil {
				yield(found{}, err)
				return
			}
		}
	}
}

func (x byGraph) hidden(context.Context, string) ([]found, error) { return nil, nil }

// put imports as many at once as the client lets go, and returns when what of each is known. It begins no more where the next
// would meet the same.
func (x byGraph) put(ctx context.Context, items []posting) ([]posted, error) {
	out := make([]posted, len(items))
	var stopped atomic.Bool
	var g errgroup.Group // without a context: what is on its way is waited for, whatever befalls another
	g.SetLimit(graph.AtOnce)
	for i, it := range items {
		g.Go(func() error {
			if out[i].untried = stopped.Load() || ctx.Err() != nil; out[i].untried {
				return ctx.Err()
			}
			ref, err := x.one(ctx, it)
			if kind := x.sort(err); err != nil && (kind == busy || kind == refused) {
				stopped.Store(true)
				out[i].untried = true // the server did not take it
				return err
			}
			out[i] = posted{item: ref, err: err}
			return ctx.Err()
		})
	}
	return out, g.Wait()
}

func (x byGraph) one(ctx context.Context, it posting) (itemRef, error) {
	if it.associated {
		return itemRef{}, soft{errHidden}
	}
	im := graph.Import{FolderID: graph.FromEWS(it.folderID), Size: it.size, Open: it.open}
	if it.inPlace != "" {
		// An update names the state that it replaces: the server's, since the one the archive has is older.
		now, err := x.client.Item(ctx, im.FolderID, graph.FromEWS(it.inPlace))
		if err != nil {
			return itemRef{}, err
		}
		im.Update = now.ItemRef // none: a new item
	}
	ref, err := x.client.ImportItem(ctx, im)
	return itemRef{graph.ToEWS(ref.ID), ref.ChangeKey}, err
}

// setRead goes by the API for mail, which wants a right of its own: without it the flag stays as it is, and no more.
func (x byGraph) setRead(ctx context.Context, item itemRef, read bool) (itemRef, error) {
	ref, err := x.client.SetRead(ctx, graph.FromEWS(item.id), read)
	var e *graph.Error
	if errors.As(err, &e) && e.Class() == graph.Permanent {
		err = soft{fmt.Errorf("it needs the permission Mail.ReadWrite: %w", err)}
	}
	if ref.ChangeKey == "" {
		ref.ChangeKey = item.changeKey
	}
	return itemRef{graph.ToEWS(ref.ID), ref.ChangeKey}, err
}

func (x byGraph) export(ctx context.Context, items []itemRef, each func(int, io.Reader, error) error) error {
	refs := make([]graph.ItemRef, len(items))
	for i, it := range items {
		refs[i] = graph.ItemRef{ID: graph.FromEWS(it.id), ChangeKey: it.changeKey}
	}
	return x.client.ExportItems(ctx, refs, func(i int, _ graph.ItemRef, body io.Reader, err error) error { return each(i, body, err) })
}

func (x byGraph) sort(err error) trouble {
	var e *graph.Error
	switch {
	case errors.As(err, new(soft)):
		return ofItem
	case errors.Is(err, graph.ErrUnknownOutcome):
		return lost
	case errors.Is(err, graph.ErrTruncated):
		return cut
	case !errors.As(err, &e):
		return foreign
	}
	switch e.Class() {
	case graph.Full:
		return full
	case graph.BackOff:
		return busy
	case graph.Transient:
		return broken
	case graph.Shrink:
		return tooMuch
	case graph.Permanent, graph.Auth:
		return refused
	}
	return ofItem
}

// NewGraphMailbox makes a target of the mailbox that a client of Microsoft Graph works on, which the address names.
func NewGraphMailbox(client *graph.Client, address string) *Mailbox {
	return &Mailbox{server: byGraph{client}, address: strings.ToLower(address)}
}
