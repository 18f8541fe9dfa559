package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"mailbrick/archive/journal"
	"mailbrick/archive/pack"
	"mailbrick/archive/wire"
)

const (
	groupBytes = 32 << 20         // a group lands when it holds as much,
	groupRows  = 8 << 20          // or as much in rows,
	groupAge   = 60 * time.Second // or is as old
	packBytes  = 64 << 20         // a pack is full
)

// group gathers what the sessions of this process add, so that the journal grows with groups and not with mailboxes. It
// lands as one record: packs synced, then the record, then the catalog. A group that cannot land is lost as a whole, and
// every session learns it.
type group struct {
	a  *Archive
	mu sync.Mutex // guards everything below

	begun    bool // this process's "begin" record is in the journal
	pack     *pack.Writer
	tables   []*pack.Table
	fresh    map[chunkID]struct{} // chunks of this group's packs
	depends  map[uint32]struct{}  // packs of earlier records that rows of this group point into
	sections map[string]*section
	order    []string
	bytes    int64
	rows     int64
	since    time.Time

	landings uint64 // how often a group landed
	landed   *sync.Cond
	sessions int // open now
	waiting  int // of them, in Commit
	err      error
}

// section is a mailbox's part of the group.
type section struct {
	journal.Section
	byID  map[ID]int // index into Versions
	gone  map[ID]struct{}
	drops int // versions taken back
}

func newGroup(a *Archive) *group {
	g := &group{a: a}
	g.landed = sync.NewCond(&g.mu)
	g.reset()
	return g
}

func (g *group) reset() {
	g.tables, g.order, g.bytes, g.rows = nil, nil, 0, 0
	g.fresh, g.depends, g.sections = map[chunkID]struct{}{}, map[uint32]struct{}{}, map[string]*section{}
	g.since = time.Time{}
}

// section is the mailbox's part, made when first asked for.
func (g *group) section(mailbox string, ordinal uint32) *section {
	s := g.sections[mailbox]
	if s == nil {
		s = &section{Section: journal.Section{Mailbox: mailbox, Ordinal: ordinal}, byID: map[ID]int{}, gone: map[ID]struct{}{}}
		g.sections[mailbox] = s
		g.order = append(g.order, mailbox)
		if g.since.IsZero() {
			g.since = g.a.opts.Clock()
		}
	}
	return s
}

// chunk stores a chunk that is not known yet. Its pack is this group's.
func (g *group) chunk(ctx context.Context, id chunkID, kind Kind, data []byte) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err != nil {
		return g.err
	}
	if _, ok := g.fresh[id]; ok {
		return nil
	}
	place, err := g.a.cat.get(append([]byte{keyChunk}, id[:]...))
	if err != nil || place != nil {
		return g.fail(err)
	}
	if err := g.openPack(ctx); err != nil {
		return g.fail(err)
	}
	if err := g.pack.Add(id, uint8(kind), classOf(kind), data); err != nil {
		return g.fail(err)
	}
	g.fresh[id] = struct{}{}
	g.bytes += int64(len(data))
	if g.pack.Size() >= packBytes {
		return g.fail(g.closePack())
	}
	return nil
}

func classOf(kind Kind) pack.Class {
	switch kind {
	case Small:
		return pack.Small
	case Text:
		return pack.Text
	}
	return pack.Bulk
}

// fail makes an error stick: what the group holds cannot land any more.
func (g *group) fail(err error) error {
	if err != nil && g.err == nil {
		g.err = err
		g.landed.Broadcast()
	}
	return err
}

func (g *group) openPack(ctx context.Context) error {
	if g.pack != nil {
		return nil
	}
	if err := g.begin(ctx); err != nil {
		return err
	}
	var err error
	g.pack, err = pack.Create(ctx, g.a.opts.Bucket, g.a.key, g.a.opts.Random)
	return err
}

func (g *group) closePack() error {
	t, err := g.pack.Close()
	g.pack = nil
	if err == nil {
		g.tables = append(g.tables, t)
	}
	return err
}

// begin tells in the journal that a writer is at work, before its first pack: a pack that nobody names is known to be of
// a session by it.
func (g *group) begin(ctx context.Context) error {
	if g.begun {
		return nil
	}
	b := &journal.Begin{Program: program()}
	if _, err := io.ReadFull(g.a.opts.Random, b.Session[:]); err != nil {
		return fmt.Errorf("name the session: %w", err)
	}
	if err := g.append(ctx, &journal.Body{Begin: b}, nil); err != nil {
		return err
	}
	g.begun = true
	return nil
}

// append puts a record behind the journal's head, passing over the records of others unless they touch our mailboxes.
func (g *group) append(ctx context.Context, body *journal.Body, tables []*pack.Table) error {
	for {
		head, err := g.a.journal.Append(ctx, g.a.cat.headNow(), body, g.a.opts.Clock())
		if errors.Is(err, journal.ErrTaken) {
			if err := g.rebase(ctx, body); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		rec := &journal.Record{Head: head, Body: body}
		return g.a.cat.apply(ctx, rec, func(ctx context.Context, name pack.Name) (*pack.Table, error) {
			for _, t := range tables {
				if t.Name == name {
					return t, nil
				}
			}
			return g.a.packs.Table(ctx, name)
		})
	}
}

// rebase takes in what others appended. A record of a mailbox that this group writes too ends it.
func (g *group) rebase(ctx context.Context, body *journal.Body) error {
	mine := map[string]bool{}
	for _, s := range body.Sections {
		mine[s.Mailbox] = true
	}
	for rec, err := range g.a.journal.Follow(ctx, g.a.cat.headNow()) {
		if err != nil {
			return g.a.journalError(err)
		}
		for _, s := range rec.Body.Sections {
			if mine[s.Mailbox] {
				return fmt.Errorf("%w: journal record %d is of another process", ErrConflict, rec.Number)
			}
		}
		if err := g.a.cat.apply(ctx, rec, g.a.packs.Table); err != nil {
			return g.a.journalError(err)
		}
	}
	return nil
}

// full tells whether the group should land.
func (g *group) full() bool {
	return g.bytes >= g.a.opts.groupMax || g.rows >= groupRows || !g.since.IsZero() && g.a.opts.Clock().Sub(g.since) >= groupAge
}

// land makes the group durable: packs, then the record, then the catalog.
func (g *group) land(ctx context.Context) error {
	if g.err != nil {
		return g.err
	}
	if len(g.order) == 0 {
		return nil
	}
	if g.pack != nil {
		if err := g.closePack(); err != nil {
			return g.fail(err)
		}
	}
	body, err := g.body()
	if err != nil {
		return g.fail(err)
	}
	if err := g.append(ctx, body, g.tables); err != nil {
		return g.fail(fmt.Errorf("commit: %w", err))
	}
	g.reset()
	g.landings++
	g.landed.Broadcast()
	return nil
}

func (g *group) body() (*journal.Body, error) {
	body := &journal.Body{}
	for _, t := range g.tables {
		body.Packs = append(body.Packs, journal.Pack{Name: t.Name, Salt: t.Salt, Size: t.Size, SHA256: t.SHA256, Chunks: t.Chunks()})
	}
	for n := range g.depends {
		p, err := g.a.cat.packRow(n)
		if err != nil {
			return nil, err
		}
		body.Depends = append(body.Depends, p.Pack)
	}
	for _, name := range g.order {
		body.Sections = append(body.Sections, g.sections[name].finish())
	}
	return body, nil
}

// finish gives the section as the journal keeps it, without the versions that were taken back.
func (s *section) finish() journal.Section {
	out := s.Section
	if s.drops > 0 {
		out.Versions = nil
		for i, v := range s.Versions {
			if at, ok := s.byID[v.ID]; ok && at == i {
				out.Versions = append(out.Versions, v)
			}
		}
	}
	for id := range s.gone {
		out.Gone = append(out.Gone, id)
	}
	return out
}

// finish lets what is whole land as a last checkpoint, so that a run that was interrupted goes on from there; after an
// error it drops the open pack.
func (g *group) finish(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	var err error
	if g.err == nil {
		err = g.land(ctx)
	}
	if g.pack != nil {
		err = errors.Join(err, g.pack.Abort())
		g.pack = nil
	}
	return err
}

// depend notes the pack of a chunk that a row points into, unless it is this group's own.
func (g *group) depend(id chunkID) error {
	if _, ok := g.fresh[id]; ok {
		return nil
	}
	place, err := g.a.cat.get(append([]byte{keyChunk}, id[:]...))
	if err != nil {
		return err
	}
	if place == nil {
		return fmt.Errorf("%w: chunk %x is nowhere", ErrDamaged, id)
	}
	r := wire.NewReader(place)
	g.depends[r.Uint32()] = struct{}{}
	return r.Err()
}
