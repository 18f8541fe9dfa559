package restore

import (
	"context"
	"io"
	"time"

	"mailbrick/archive"
	"mailbrick/fetch/mapi"
)

// Item is a version on its way back.
type Item struct {
	Version *archive.Version
	Summary mapi.Summary     // zero when the archive has none that can be read
	Home    []archive.Folder // the folders it was in, from the top of the mailbox down
	Target  string           // where it goes, as people say it; set by Target.Place

	vault      Vault
	summarized bool
}

func newItem(vault Vault, v *archive.Version) *Item {
	summary, err := mapi.DecodeSummary(v.Summary)
	return &Item{Version: v, Summary: summary, vault: vault, summarized: err == nil}
}

// Open reads the blob. The stream ends in an error if its bytes are not those that were exported.
func (i *Item) Open(ctx context.Context) (io.ReadCloser, error) {
	return i.vault.OpenBlob(ctx, i.Version)
}

// date is what a person would date the item by.
func (i *Item) date() time.Time {
	for _, t := range []time.Time{i.Summary.Received, i.Summary.Sent, i.Version.FirstSeen} {
		if !t.IsZero() {
			return t.UTC()
		}
	}
	return time.Time{}
}
