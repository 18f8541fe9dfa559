package fetch

import (
	"context"
	"crypto/sha256"
	"maps"
	"slices"
)

// relisted is what was listed of folders whose state was lost, until it is compared with what the archive has of them. That
// reads the mailbox's whole list, so it is done for many of them at once.
type relisted struct {
	there   map[[16]byte]struct{}   // items, by digest: a folder may have millions
	folders map[string]folderCursor // by id: where the folder goes on once it is compared
}

// compareAt is how many items are gathered before they are compared.
const compareAt = 1 << 18

// relist lists a whole folder whose state was lost, leaves out what is known, and lets compare remove what is no longer listed.
// One that breaks off is begun anew by the next run.
func (r *run) relist(ctx context.Context, f Folder) error {
	if err := r.setFolderCursor(f.ID, folderCursor{}); err != nil {
		return err
	}
	if r.anew.there == nil {
		r.anew = relisted{map[[16]byte]struct{}{}, map[string]folderCursor{}}
	}
	state, trail := "", newTrail()
	for {
		page, err := r.next(ctx, trail, f.ID, state)
		if err != nil {
			return err
		}
		for _, c := range page.Changes {
			r.anew.there[digestOf(c.ItemID)] = struct{}{}
		}
		wanted, err := r.page(page.Changes)
		if err != nil {
			return err
		}
		if err := r.fetch(ctx, f.ID, wanted); err != nil {
			return err
		}
		if state = page.State; page.Last {
			break
		}
	}
	wanted, told := r.associated()
	r.anew.folders[f.ID] = folderCursor{State: state, Mark: f.Mark, Associated: wanted && told}
	if len(r.anew.there) >= compareAt {
		return r.compare(ctx)
	}
	return nil
}

// compare removes from the folders that were listed anew what was not there, forgets what failed and is not there either, and
// moves their cursors.
func (r *run) compare(ctx context.Context) error {
	anew := r.anew
	r.anew = relisted{}
	if len(anew.folders) == 0 {
		return nil
	}
	wanted, _ := r.associated()
	ids := slices.Sorted(maps.Keys(anew.folders))
	for id, err := range r.sink.ItemsIn(ctx, ids...) {
		if err != nil {
			return err
		}
		if _, ok := anew.there[digestOf(id)]; ok {
			continue
		}
		hidden := false
		if !wanted {
			hidden, err = r.sink.Associated(id) // one that nobody lists is not one that is gone
		}
		if err == nil && !hidden {
			err = r.sink.Remove(id)
		}
		if err != nil {
			return err
		}
	}
	for id, f := range r.failed {
		_, listed := anew.folders[f.Folder]
		if _, ok := anew.there[digestOf(id)]; listed && !ok {
			if err := r.forgive(id); err != nil {
				return err
			}
		}
	}
	for _, id := range ids {
		if err := r.setFolderCursor(id, anew.folders[id]); err != nil {
			return err
		}
	}
	return r.sink.Checkpoint(ctx)
}

// digestOf stands for an id where there are too many to keep.
func digestOf(id string) (d [16]byte) {
	sum := sha256.Sum256([]byte(id))
	copy(d[:], sum[:])
	return d
}
