package restore

import (
	"context"
	"errors"
	"io"
	"iter"

	"mailbrick/fetch/ews"
	"mailbrick/fetch/wire"
)

// byEWS is a mailbox by Exchange Web Services.
type byEWS struct{ client *ews.Client }

const rootKind = "msgfolderroot"

func (x byEWS) folders(ctx context.Context) (root folder, below []folder, err error) {
	ref := ews.FolderRef{Distinguished: rootKind}
	tops, err := x.client.GetFolders(ctx, ref)
	if err != nil {
		return root, nil, err
	}
	if tops[0].ID == "" {
		return root, nil, errors.New("the mailbox has no " + rootKind)
	}
	list, err := x.client.FindFolders(ctx, ref)
	for _, f := range list {
		below = append(below, ewsFolder(f))
	}
	root = ewsFolder(tops[0])
	root.kind = rootKind
	return root, below, err
}

func ewsFolder(f ews.Folder) folder {
	return folder{id: f.ID, parentID: f.ParentID, name: f.Name, class: f.Class, kind: f.Distinguished, total: f.Total, search: f.Search}
}

func (x byEWS) kind(ctx context.Context, name string) (folder, error) {
	list, err := x.client.GetFolders(ctx, ews.FolderRef{Distinguished: name})
	if err != nil {
		return folder{}, err
	}
	return ewsFolder(list[0]), nil
}

func (x byEWS) create(ctx context.Context, parentID, name, class string) (folder, error) {
	f, err := x.client.CreateFolder(ctx, parentID, name, class)
	return ewsFolder(f), err
}

func (x byEWS) list(ctx context.Context, folderID string) iter.Seq2[found, error] {
	return func(yield func(found, error) bool) {
		for f, err := range x.client.FindItems(ctx, folderID) {
			if !yield(found{itemRef{f.Item.ID, f.Item.ChangeKey}, f.MessageID, f.SearchKey, f.Size}, err) {
				return
			}
		}
	}
}

// mostHidden bounds the bytes of ids that are held of associated items: of a folder that has some hundred they are 50 KB.
const mostHidden = 64 << 20

// hidden finds the associated items by synchronization, since FindItem passes over them.
func (x byEWS) hidden(ctx context.Context, folderID string) (list []found, err error) {
	var trail wire.Trail
	held := 0
	for state, last := "", false; !last; {
		page, err := x.client.SyncFolderItems(ctx, folderID, state, 0)
		if err == nil && !page.Last {
			err = trail.Step(page.State, wire.Entries(&page.Changes, func(c ews.Change) string { return c.Item.ID + " " + c.Item.ChangeKey }))
		}
		if err != nil {
			return nil, err
		}
		for _, c := range page.Changes {
			if c.Associated {
				list = append(list, found{itemRef: itemRef{c.Item.ID, c.Item.ChangeKey}, size: c.Size})
				held += len(c.Item.ID) + len(c.Item.ChangeKey)
			}
		}
		if held > mostHidden {
			return nil, errListed
		}
		state, last = page.State, page.Last
	}
	return list, nil
}

func (x byEWS) put(ctx context.Context, items []posting) ([]posted, error) {
	uploads := make([]ews.Upload, len(items))
	for i, it := range items {
		uploads[i] = ews.Upload{FolderID: it.folderID, Associated: it.associated, Size: it.size, Open: it.open}
		if it.inPlace != "" {
			// Without the change key: the one the archive has is older than the server's, and that is the point.
			uploads[i].Action, uploads[i].Item = ews.UpdateOrCreate, ews.ItemRef{ID: it.inPlace}
		}
	}
	results, err := x.client.UploadItems(ctx, uploads)
	out := make([]posted, len(results))
	for i, r := range results {
		out[i] = posted{item: itemRef{r.Item.ID, r.Item.ChangeKey}, err: r.Err}
	}
	return out, err
}

func (x byEWS) setRead(ctx context.Context, item itemRef, read bool) (itemRef, error) {
	ref, err := x.client.SetRead(ctx, ews.ItemRef{ID: item.id, ChangeKey: item.changeKey}, read)
	return itemRef{ref.ID, ref.ChangeKey}, err
}

func (x byEWS) export(ctx context.Context, items []itemRef, each func(int, io.Reader, error) error) error {
	refs := make([]ews.ItemRef, len(items))
	for i, it := range items {
		refs[i] = ews.ItemRef{ID: it.id, ChangeKey: it.changeKey}
	}
	return x.client.ExportItems(ctx, refs, func(i int, _ ews.ItemRef, body io.Reader, err error) error { return each(i, body, err) })
}

func (x byEWS) sort(err error) trouble {
	var e *ews.Error
	switch {
	case errors.Is(err, ews.ErrUnknownOutcome):
		return lost
	case errors.Is(err, ews.ErrTruncated):
		return cut
	case !errors.As(err, &e):
		return foreign
	case quota(e.Code) || quota(e.Inner):
		return full
	case e.Code == "ErrorBatchProcessingStopped":
		return untried
	}
	switch e.Class() {
	case ews.BackOff:
		return busy
	case ews.Transient:
		return broken
	case ews.Shrink:
		return tooMuch
	case ews.Permanent, ews.Auth, ews.Version:
		return refused
	}
	return ofItem
}

func quota(code string) bool {
	return code == "ErrorQuotaExceeded" || code == "ErrorMessagePerFolderCountReceiveQuotaExceeded"
}
