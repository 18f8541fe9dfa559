package ews

import (
	"context"
	"fmt"
	"io"

	"github.com/beevik/etree"
)

// Action is what an upload does to what is there. EWS CreateActionType.
type Action uint8

const (
	CreateNew      Action = iota // always a new item
	Update                       // of the item named, which must be in the folder
	UpdateOrCreate               // Update if it is there, else CreateNew
)

func (a Action) String() string {
	switch a {
	case Update:
		return "Update"
	case UpdateOrCreate:
		return "UpdateOrCreate"
	}
	return "CreateNew"
}

// Upload is an item to bring back: bytes that an export gave.
type Upload struct {
	FolderID   string // of a folder by id: the protocol takes no distinguished ones here
	Action     Action
	Item       ItemRef // for Update and UpdateOrCreate
	Associated bool    // a hidden item; without this it would come back visible
	Size       int64   // of the bytes; 0 if not known, then the request has no Content-Length
	Open       func() (io.ReadCloser, error)
}

// UploadResult is the item as it is in the mailbox now, or why it is not.
type UploadResult struct {
	Item ItemRef
	Err  error
}

// UploadItems uploads items in one request; the results are in their order. It is never sent twice when the server may
// have done it: the results of which nothing is known have ErrUnknownOutcome, and the caller looks into the folder before
// he sends those again; by then the server had time to finish. The error is that of the call as a whole: nothing was uploaded then, unless there are results too
// (the context has ended while the server was at work).
//
// Callers keep to 10 items and 16 to 32 MB a call; default servers take 64 MiB of base64 at most.
func (c *Client) UploadItems(ctx context.Context, uploads []Upload) ([]UploadResult, error) {
	if len(uploads) == 0 {
		return nil, nil
	}
	for i, u := range uploads {
		if u.FolderID == "" || u.Open == nil || u.Action != CreateNew && u.Item.ID == "" {
			return nil, &Error{Operation: "UploadItems", class: Bug, Text: fmt.Sprintf("upload %d has no folder, bytes or item", i)}
		}
	}
	var results []UploadResult
	op := &operation{
		name: "UploadItems", once: true, splits: len(uploads) > 1, uploads: uploads,
		build: func(e *etree.Element, _ schema, mark func(int) string) {
			list := e.CreateElement("m:Items")
			for i, u := range uploads {
				addUpload(list, u, mark(i))
			}
		},
		read: func(a *answer) error { return a.uploaded(len(uploads), &results) },
	}
	err := c.call(ctx, op)
	if err != nil && !op.unsure {
		return nil, err
	}
	if err != nil {
		c.settle(ctx, op, err)
	}
	return unknown(results, uploads, err), ctx.Err()
}

// addUpload writes an item to upload. EWS UploadItemType: the order matters.
func addUpload(list *etree.Element, u Upload, data string) {
	item := list.CreateElement("t:Item")
	item.CreateAttr("CreateAction", u.Action.String())
	if u.Associated {
		item.CreateAttr("IsAssociated", "true")
	}
	item.CreateElement("t:ParentFolderId").CreateAttr("Id", u.FolderID)
	if u.Action != CreateNew {
		addItemID(item, u.Item)
	}
	addText(item, "t:Data", data)
}

// uploaded reads the results as far as the answer goes.
func (a *answer) uploaded(n int, results *[]UploadResult) error {
	*results = (*results)[:0]
	var item ItemRef
	return a.messages(func(_ *message, t token) (err error) {
		if t.Name.Local == "ItemId" {
			item, err = a.itemID(t)
			return err
		}
		return a.skip()
	}, func(m *message) error {
		if m.index >= n {
			return a.syntax("more messages than items")
		}
		*results = append(*results, a.uploadResult(m, item))
		item = ItemRef{}
		return nil
	})
}

func (a *answer) uploadResult(m *message, item ItemRef) UploadResult {
	switch {
	case m.failed():
		e := m.err(a.client)
		e.Operation, e.Status = a.op.name, 200
		if e.Class() == BackOff {
			a.op.permit.Tell(a.client.signal(e))
		}
		return UploadResult{Err: e}
	case item.ID == "":
		return UploadResult{Err: &Error{Operation: a.op.name, class: Item, cause: ErrUnknownOutcome, Text: "no id in the answer"}}
	}
	return UploadResult{Item: item}
}

// unknown fills the results that the answer did not come to.
func unknown(results []UploadResult, uploads []Upload, why error) []UploadResult {
	if len(results) == len(uploads) {
		return results
	}
	e := &Error{Operation: "UploadItems", class: Item, cause: ErrUnknownOutcome}
	if why != nil {
		e.cause = fmt.Errorf("%w: %w", ErrUnknownOutcome, why)
	}
	for len(results) < len(uploads) {
		results = append(results, UploadResult{Err: e})
	}
	return results
}
