package restore

import (
	"context"
	"io"
	"iter"
)

// exchange is a mailbox on a server, by whatever protocol. Ids are those that archives have.
type exchange interface {
	// folders gives the top of what people see, its kind set, and all folders below it.
	folders(ctx context.Context) (root folder, below []folder, err error)
	// kind gives the folder that every mailbox has under that name; one without an id when there is none.
	kind(ctx context.Context, name string) (folder, error)
	// create makes a folder and gives that which is there already, if there is.
	create(ctx context.Context, parentID, name, class string) (folder, error)
	// list gives the items of a folder without the associated ones, hidden these, by id and size alone.
	list(ctx context.Context, folderID string) iter.Seq2[found, error]
	hidden(ctx context.Context, folderID string) ([]found, error)
	// put uploads items; results are in their order. The error is that of the whole: items without a result were not tried, nor
	// were those whose result says so.
	// Nothing is sent twice that may have arrived.
	put(ctx context.Context, items []posting) ([]posted, error)
	setRead(ctx context.Context, item itemRef, read bool) (itemRef, error)
	// export calls each once for every item with its blob or its error. It proves nothing unless it returns nil.
	export(ctx context.Context, items []itemRef, each func(i int, body io.Reader, err error) error) error
	// sort says what an error of these means.
	sort(err error) trouble
}

// itemRef is an item of the mailbox in a state.
type itemRef struct{ id, changeKey string }

// folder is a folder of the mailbox.
type folder struct {
	id, parentID, name, class string
	kind                      string // "inbox"; "" if it is none of those
	total                     int
	search                    bool // it holds nothing of its own and takes nothing
}

// found is a listed item.
type found struct {
	itemRef
	messageID string
	searchKey []byte
	size      int64
}

// posting is an item to upload.
type posting struct {
	folderID   string
	inPlace    string // id of the item to write over if it is in the folder; "": a new item
	associated bool
	size       int64
	open       func() (io.ReadCloser, error)
}

// posted is what became of a posting.
type posted struct {
	item    itemRef
	err     error
	untried bool // the server was not asked, or said no to all
}

// trouble is what an error means to a restore.
type trouble uint8

const (
	foreign trouble = iota // not of the server
	ofItem                 // this item's own: asking again gives the same
	lost                   // nobody knows whether the item arrived
	untried                // it was not even begun: again
	busy                   // the server wants to be left alone, and the client has waited long enough
	broken                 // something broke, at whatever moment, and again, as often as makes sense
	tooMuch                // at a time
	cut                    // the answer was
	full                   // the mailbox
	refused                // nothing more for this mailbox
)
