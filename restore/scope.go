package restore

import (
	"slices"
	"strings"

	"mailbrick/archive"
)

// Why items are left out that nobody named.
const (
	leftRecoverable = "recoverable items are left out unless they are named"
	leftAssociated  = "associated items are left out unless they are named: rules, views and settings of programs can harm where they come late"
)

// leftOut says why an item is not to be restored, "" when it is.
func (o *Options) leftOut(item *Item) string {
	switch {
	case o.LeaveAssociated && item.Version.Associated:
		return leftAssociated
	case o.LeaveRecoverable && recoverable(item.Home) >= 0:
		return leftRecoverable
	}
	return ""
}

// recoverable finds the root of the recoverable items among the folders that an item was in; -1 when it was none of these.
func recoverable(home []archive.Folder) int {
	return slices.IndexFunc(home, func(f archive.Folder) bool {
		return strings.TrimPrefix(f.Kind, "archive") == "recoverableitemsroot"
	})
}

// recovered gives recoverable items a home that people see: servers take nothing into their recoverable items, and nobody
// would find it there.
func recovered(home []archive.Folder) []archive.Folder {
	at := recoverable(home)
	if at < 0 {
		return home
	}
	home = slices.Clone(home[at:])
	for i := range home {
		home[i].Kind = ""
	}
	home[0].Name = "Recovered Items"
	return home
}
