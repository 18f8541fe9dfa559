package archive

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"mailbrick/archive/pack"
)

const (
	proofFile  = "verify"         // in the catalog's folder
	proofEvery = 10 * time.Second // how often it is written
	proofLimit = 16 << 20
	proofSalt  = 32
)

// proof is how far a check that reads all has come, and those before it that were broken off. It is kept, sealed, until the
// check is done, so that the next goes on from there.
//
// Packs come in the order in which the journal names them, which only grows; versions by mailbox, item and snapshot. What was added to a
// part that was done already begins after the last snapshot that was complete then, and is told by that.
type proof struct {
	before    progress // of those that were broken off
	done      progress
	complete  []uint32 // by mailbox, the last complete snapshot now
	firstOwn  int      // the first of the report's errors that the proof keeps; those before it are found each time
	firstMend int
	saved     time.Time
}

// progress is a place in the archive, and what was found up to there.
type progress struct {
	Began    time.Time // the first of the checks that got here
	Pack     pack.Name // the last that was checked; zero before the first
	Mailbox  uint32    // of the last version that was
	Item     ID        // its item; zero before the first
	From     uint32    // its first snapshot
	Complete []uint32  // by mailbox, the last complete snapshot when that version was checked

	Packs, Chunks, Items, Mendable int
	Errors                         []string
}

// proved tells whether a version was checked by those before.
func (p *progress) proved(mailbox uint32, r *row) bool {
	return !p.isBefore(mailbox, r) && int(mailbox) < len(p.Complete) && r.from <= p.Complete[mailbox]
}

// isBefore tells whether a version comes after the place.
func (p *progress) isBefore(mailbox uint32, r *row) bool {
	id := r.id()
	return cmp.Or(cmp.Compare(p.Mailbox, mailbox), bytes.Compare(p.Item[:], id[:]), cmp.Compare(p.From, r.from)) < 0
}

// resume takes up what checks that were broken off have kept.
func (c *checker) resume(context.Context) error {
	c.firstOwn, c.firstMend = len(c.report.Errors), c.report.Mendable
	c.saved = c.a.opts.Clock()
	c.done.Began = c.saved
	if !c.o.ReadAll {
		return nil
	}
	c.a.cat.mu.RLock()
	for _, name := range c.a.cat.names {
		c.complete = append(c.complete, c.a.cat.mailboxes[name].ordinal)
	}
	c.a.cat.mu.RUnlock()
	kept, err := c.a.loadProof()
	if c.o.Again || err != nil || kept.Began.IsZero() || !slices.Contains(c.order, kept.Pack) {
		return nil // what cannot be read proves nothing
	}
	c.before, c.done = *kept, *kept
	c.report.Before, c.report.Since = kept.Items, kept.Began
	c.report.Packs, c.report.Chunks, c.report.Items = kept.Packs, kept.Chunks, kept.Items
	c.report.Mendable += kept.Mendable
	c.report.Errors = append(c.report.Errors, kept.Errors...)
	return nil
}

// unproved are the packs that are still to be checked.
func (c *checker) unproved() []pack.Name { return c.order[slices.Index(c.order, c.before.Pack)+1:] }

// donePack and doneItem note how far the check has come.
func (c *checker) donePack(name pack.Name) error {
	c.done.Pack, c.done.Packs, c.done.Chunks = name, c.report.Packs, c.report.Chunks
	return c.note()
}

func (c *checker) doneItem(mailbox uint32, r *row) error {
	if !c.before.isBefore(mailbox, r) {
		return nil // what was new among what was proved is looked at again
	}
	c.done.Mailbox, c.done.Item, c.done.From = mailbox, r.id(), r.from
	c.done.Complete, c.done.Items = c.complete, c.report.Items
	return c.note()
}

func (c *checker) note() error {
	c.done.Errors, c.done.Mendable = c.report.Errors[c.firstOwn:], c.report.Mendable-c.firstMend
	if c.a.opts.Clock().Sub(c.saved) < proofEvery {
		return nil
	}
	return c.save()
}

// save keeps how far a check that reads all has come.
func (c *checker) save() error {
	if !c.o.ReadAll || c.done.Pack == (pack.Name{}) {
		return nil
	}
	c.saved = c.a.opts.Clock()
	if err := c.a.saveProof(&c.done); err != nil {
		return fmt.Errorf("keep how far the check has come: %w", err)
	}
	return nil
}

// finish forgets it: the check is done.
func (c *checker) finish() error {
	if !c.o.ReadAll {
		return nil
	}
	return c.a.opts.forgetProof()
}

func (o *Options) forgetProof() error {
	if err := o.fs.Remove(o.fs.PathJoin(o.Catalog, proofFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("forget how far a check has come: %w", err)
	}
	return nil
}

// saveProof writes a salt of 32 bytes and the sealed progress. A crash may leave less, which proves nothing.
func (a *Archive) saveProof(p *progress) error {
	plain, err := json.Marshal(p)
	if err != nil {
		return err
	}
	data := make([]byte, proofSalt)
	if _, err := io.ReadFull(a.opts.Random, data); err != nil {
		return err
	}
	sealer, err := a.key.Sealer(proofFile, data)
	if err != nil {
		return err
	}
	fs, name := a.opts.fs, a.opts.fs.PathJoin(a.opts.Catalog, proofFile)
	f, err := fs.Create(name+".new", vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(sealer.Seal(data, plain, nil, 0))
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return fs.Rename(name+".new", name)
}

func (a *Archive) loadProof() (*progress, error) {
	f, err := a.opts.fs.Open(a.opts.fs.PathJoin(a.opts.Catalog, proofFile))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, proofLimit))
	if err != nil || len(data) < proofSalt {
		return nil, errors.Join(err, io.ErrUnexpectedEOF)
	}
	sealer, err := a.key.Sealer(proofFile, data[:proofSalt])
	if err != nil {
		return nil, err
	}
	plain, err := sealer.Open(nil, data[proofSalt:], nil, 0)
	if err != nil {
		return nil, err
	}
	p := &progress{}
	return p, json.Unmarshal(plain, p)
}
