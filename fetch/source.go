package fetch

import (
	"context"
	"errors"
	"io"
)

var (
	// ErrStateLost says that the source cannot tell what happened since that state: the folder is listed anew and compared.
	ErrStateLost = errors.New("not known where we were in this folder")
	// ErrGone says that an item or folder is no longer there; the next change list will say so too.
	ErrGone = errors.New("no longer in the mailbox")
	// ErrAgain says that an item may come through when asked for again, by itself.
	ErrAgain = errors.New("did not come through")
	// ErrNoAnswer says that the server took the request for this one item, as often as it was sent, and the item did not come.
	// That may be the item's fault or the server's: of a few in a row it is the server's.
	ErrNoAnswer = errors.New("it did not come, however often it was asked for")
	// ErrItem says that this item cannot be had now; the rest of the mailbox can.
	ErrItem = errors.New("this item cannot be exported")
	// ErrOtherSource says that the mailbox came from elsewhere so far: all that is not in this source would count as deleted.
	ErrOtherSource = errors.New("this mailbox was backed up from another kind of source so far (a server, or mail files): give what is here another name")
	// ErrDenied goes with ErrFolder: the server does not let this account read it.
	ErrDenied = errors.New("access is denied")
	// ErrFolder says that this folder cannot be read; the rest of the mailbox can.
	ErrFolder = errors.New("this folder cannot be read")
)

// Source is a mailbox as a protocol shows it. Errors wrap the sentinels of this package where they mean them; any other
// error ends the run of the mailbox.
type Source interface {
	// Folders lists all folders in scope, the root included, with their change marks. A list that is not whole is an error.
	Folders(ctx context.Context) ([]Folder, error)
	// Changes lists what happened in a folder since a state; "" is the beginning.
	Changes(ctx context.Context, folderID, state string) (Page, error)
	// Export reads blobs. It calls each once for each item, in order, with the item as it was exported and its bytes, or
	// with the reason why there are none. Nothing of what was read may be kept unless Export returns nil.
	Export(ctx context.Context, items []Ref, each func(n int, exported Ref, blob io.Reader, err error) error) error
}

// Kinder is a source whose ids mean nothing to sources of other kinds. Those without it are of one kind.
type Kinder interface{ Kind() string }

// Folder is a folder. Mark changes whenever anything in the folder changes; "" says that the source has no such mark.
// Total is how many items it has, as far as the source tells. Closed says that what lies below could not be listed: the
// folders known there stay.
type Folder struct {
	ID, ParentID, Name, Class, Kind string
	Mark                            string
	Total                           int
	Closed                          bool
}

// Ref names an item at one moment. Size is what the source says of it: a guess for batching.
type Ref struct {
	ItemID, ChangeKey string
	Size              int64
	Associated        bool
	FolderID          string // with Export
}

// ChangeKind says what happened.
type ChangeKind uint8

const (
	Put     ChangeKind = iota // created or changed
	Deleted                   // deleted or moved away
	Flagged                   // only the read flag changed
)

// Change is one thing that happened in a folder.
type Change struct {
	Kind ChangeKind
	Ref
	Read bool // with Flagged
}

// Page is a part of a folder's changes and the state behind it.
type Page struct {
	Changes []Change
	State   string
	Last    bool
}
