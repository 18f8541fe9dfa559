package index

import (
	"context"
	"fmt"

	"mailbrick/archive"
	"mailbrick/fetch/mapi"
)

// maxOperations is how many operations may wait for their position to be complete before they are written.
const maxOperations = 20_000

// Follow brings the index up to date with a log and tells progress the position it has reached. Everything done is kept
// when it stops; the next call goes on from there. Items damaged in the archive are indexed by their summaries and told
// by Exceptions; any other error in reading one ends Follow before its position.
func (x *Index) Follow(ctx context.Context, log Log, progress func(done uint64)) (err error) {
	defer guarded(func(e error) { err = e })()
	f, err := x.newFollower(log, progress)
	if err != nil {
		return fmt.Errorf("follow the journal: %w", err)
	}
	head := log.Head()
	if f.complete > head {
		return fmt.Errorf("follow the journal: %w: it is at %d and the journal ends at %d", ErrDamaged, f.complete, head)
	}
	for change, err := range log.Changes(ctx, f.complete) {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = f.change(ctx, &change)
		}
		if err != nil {
			return fmt.Errorf("follow the journal at %d: %w", f.at, err)
		}
	}
	f.end(max(head, f.at))
	if err := f.flush(); err != nil {
		return fmt.Errorf("follow the journal at %d: %w", f.at, err)
	}
	return nil
}

// follower collects what changes mean, in batches.
//
// A position is complete when a change of a later one is seen, or the log ends. Documents may be written at any time,
// for they are named by their content; rows are written for complete positions only, after their documents.
type follower struct {
	index    *Index
	log      Log
	progress func(uint64)

	complete uint64 // the last complete position
	at       uint64 // the position of the last change seen
	written  uint64 // the position last committed
	redo     uint64 // up to here rows may be there without their documents

	docs  map[docID]*document // not yet in the word index
	bytes int                 // of their text
	ready []operation         // of complete positions
	open  []operation         // of the position at
	blobs map[[32]byte]docID  // of ready and open
	seen  map[docID]bool      // documents written, or in docs, of ready and open

	values values // used for one blob after the other
	places places
}

func (x *Index) newFollower(log Log, progress func(uint64)) (*follower, error) {
	rows, err := x.rows.position()
	if err != nil {
		return nil, err
	}
	reach, err := x.rows.reach()
	if err != nil {
		return nil, err
	}
	words, err := x.words.position()
	if err != nil {
		return nil, err
	}
	if progress == nil {
		progress = func(uint64) {}
	}
	f := &follower{index: x, log: log, progress: progress, complete: min(rows, words), places: newPlaces(),
		docs: map[docID]*document{}, blobs: map[[32]byte]docID{}, seen: map[docID]bool{}}
	if words < reach { // the word index was set back: what rows say about documents does not hold
		f.redo = reach
	}
	f.at, f.written = f.complete, f.complete
	return f, nil
}

func (f *follower) change(ctx context.Context, c *archive.Change) error {
	if c.Position < f.at {
		return fmt.Errorf("position %d follows %d", c.Position, f.at)
	}
	if c.Position > f.at {
		if f.end(f.at); f.full() {
			if err := f.flush(); err != nil {
				return err
			}
		}
		f.at = c.Position
	}
	if c.Added != nil {
		if err := f.added(ctx, c); err != nil {
			return err
		}
	}
	if c.Ended != nil {
		f.open = append(f.open, operation{mailbox: c.Mailbox, ends: true, row: row{id: c.Ended.ID, to: c.Ended.At}})
	}
	if len(f.docs) >= f.index.options.BatchDocuments || f.bytes >= f.index.options.BatchBytes {
		return f.flush()
	}
	return nil
}

// end makes what was collected part of a complete position.
func (f *follower) end(position uint64) {
	f.complete, f.at = position, position
	f.ready = append(f.ready, f.open...)
	f.open = f.open[:0]
}

func (f *follower) full() bool {
	return len(f.docs) >= f.index.options.BatchDocuments || f.bytes >= f.index.options.BatchBytes || len(f.ready) >= maxOperations
}

// added turns a version into its row, and into a document when its content is new.
func (f *follower) added(ctx context.Context, c *archive.Change) error {
	v := c.Added
	op := operation{mailbox: c.Mailbox, blob: v.SHA256, folder: clipName(v.Folder)}
	op.row = row{id: v.ID, from: v.From, received: never, sent: never, size: v.Size, folderKey: folderKey(v.FolderID)}
	if v.Associated {
		op.row.flags |= flagAssociated
	}
	if s, err := mapi.DecodeSummary(v.Summary); err == nil {
		op.describe(&s)
	}
	doc, known, err := f.known(v.SHA256, c.Position)
	if err != nil {
		return err
	}
	if !known {
		if doc, err = f.read(ctx, v, &op); err != nil {
			return err
		}
	}
	op.row.doc = doc
	if op.isLasting() {
		f.blobs[op.blob] = doc
	}
	f.open = append(f.open, op)
	return nil
}

// describe takes what differs from copy to copy out of the version's summary.
func (op *operation) describe(s *mapi.Summary) {
	op.class = clipName(s.Class)
	if s.Size > 0 {
		op.row.size = s.Size
	}
	if s.Read {
		op.row.flags |= flagRead
	}
	if !s.Received.IsZero() {
		op.row.received = ticks(s.Received)
	}
	if !s.Sent.IsZero() {
		op.row.sent = ticks(s.Sent)
	}
}

// clipName keeps a name short enough for a key.
func clipName(s string) string { return s[:min(len(s), 8<<10)] }

// known finds the document of a blob that was read before.
func (f *follower) known(blob [32]byte, position uint64) (docID, bool, error) {
	if blob == ([32]byte{}) {
		return docID{}, false, nil
	}
	if doc, ok := f.blobs[blob]; ok {
		return doc, true, nil
	}
	if position <= f.redo {
		return docID{}, false, nil
	}
	return f.index.rows.known(blob)
}

// read decodes a blob and puts its document into the batch, unless it is there already.
func (f *follower) read(ctx context.Context, v *archive.Version, op *operation) (docID, error) {
	c, err := readContent(ctx, f.log, v, &f.values)
	if err != nil {
		return docID{}, err
	}
	op.exception, op.damaged = c.exception, c.damaged
	if f.seen[c.id] {
		return c.id, nil
	}
	if f.at > f.redo {
		if has, err := f.index.rows.has(c.id); err != nil || has {
			return c.id, err
		}
	}
	d := newDocument(c, f.places)
	if len(f.docs) > 0 && f.bytes+d.bytes > f.index.options.BatchBytes { // a long one is not to come on top of others
		if err := f.flush(); err != nil {
			return docID{}, err
		}
	}
	f.docs[c.id], f.seen[c.id] = d, true
	f.bytes += d.bytes
	return c.id, nil
}

// flush writes documents, then the rows of complete positions. Either may be done twice.
func (f *follower) flush() error {
	if len(f.docs) == 0 && len(f.ready) == 0 && f.complete == f.written {
		return nil
	}
	if err := f.index.words.commit(f.docs, f.complete); err != nil {
		return err
	}
	clear(f.docs)
	f.bytes = 0
	if f.index.fault != nil {
		if err := f.index.fault(); err != nil {
			return err
		}
	}
	if f.complete == f.written {
		return nil
	}
	if err := f.index.rows.commit(f.ready, max(f.complete, f.redo)); err != nil {
		return err
	}
	f.forget()
	f.written = f.complete
	f.progress(f.complete)
	return nil
}

// forget drops what the rows know now.
func (f *follower) forget() {
	f.ready = f.ready[:0]
	clear(f.blobs)
	clear(f.seen)
	for i := range f.open {
		if op := &f.open[i]; !op.ends {
			f.seen[op.row.doc] = true
			if op.isLasting() {
				f.blobs[op.blob] = op.row.doc
			}
		}
	}
}
