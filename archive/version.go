package archive

import (
	"encoding/base32"
	"fmt"
	"time"

	"mailbrick/archive/pack"
)

// ID names an item of one mailbox. It is the same for all versions of the item and after a rebuild: a keyed hash of the
// mailbox and the server's item id, so it says nothing of either.
type ID [16]byte

var idEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// String gives the 26 lower-case base32 letters that people see.
func (id ID) String() string { return idEncoding.EncodeToString(id[:]) }

// ParseID reads what String wrote.
func ParseID(s string) (ID, error) {
	var id ID
	b, err := idEncoding.DecodeString(s)
	if err != nil || len(b) != len(id) {
		return id, fmt.Errorf("%q is not an item id: 26 letters a-z and digits 2-7 are wanted", s)
	}
	return ID(b), nil
}

// Forever is the To of a version that has not ended.
const Forever = ^uint32(0)

// Version is one state of an item. It is visible in the snapshots [From, To) of its mailbox.
type Version struct {
	Mailbox   string
	ID        ID
	ItemID    string // the server's id and change key
	ChangeKey string
	FolderID  string
	Folder    string // path from the mailbox's root, "Inbox/Projects"; filled when read
	From, To  uint32

	Size       int64 // bytes of the blob
	SHA256     [32]byte
	Associated bool
	Unparsed   string // why the blob could not be read; empty when it could
	Summary    []byte // small description, opaque to the store

	FirstSeen time.Time // time of the first snapshot that shows it
	LastSeen  time.Time // time of the last one; the latest of the mailbox when it is still alive
	Ended     time.Time // time of the first snapshot that does not show it any more; zero while the latest one shows it
	Deleted   bool      // the item is not in the mailbox's latest snapshot

	recipe chunkID
}

// Folder is one state of a folder of a mailbox, visible in the snapshots [From, To).
type Folder struct {
	ID, ParentID string
	Name         string
	Class        string // IPF.Note, IPF.Appointment, ...
	Kind         string // distinguished name (inbox, calendar, ...); empty for a folder of the user's own
	From, To     uint32
}

// Snapshot is a position in the journal at which a mailbox was wholly brought up to date.
type Snapshot struct {
	Mailbox                 string
	Ordinal                 uint32
	Time                    time.Time
	Position                uint64
	Items                   int // alive in the mailbox
	Added, Changed, Removed int
}

// Change is one row of the journal, as an index follows it. Adding a version of an item ends its previous version at
// Added.From; the same (Mailbox, ID, From) may be added again and then replaces what was there. A version that was forgotten since is
// not among what was added.
type Change struct {
	Position uint64
	Mailbox  string
	Added    *Version
	Ended    *Ended

	Forgotten *VersionRef // is not of the history any more
}

// Ended says that an item is gone from the snapshots at and after At.
type Ended struct {
	ID ID
	At uint32
}

type chunkID = pack.ChunkID
