package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"mailbrick/archive/delta"
	"mailbrick/archive/journal"
	"mailbrick/archive/pack"
)

const (
	groupBytes = 32 << 20         // a group lands when it holds as much,
	groupRows  = 4 << 20          // or as much in rows,
	groupAge   = 60 * time.Second // or is as old
	maxBase    = 1 << 20          // bytes of a recipe that others are stored against
	basesHeld  = 40 << 20         // bytes of such recipes kept in memory,
	basesFar   = 48 << 20         // and when reading one is a trip over a network
)

// group gathers what the sessions of this process add, so that the journal grows with groups and not with mailboxes. It
// lands as one record: packs synced, then the record, then the catalog. A group that cannot land is lost as a whole, and
// every session learns it.
//
// What a session does for the group it does for all of them: its context may end its own waiting, never a landing or a pack.
type group struct {
	a  *Archive
	mu sync.Mutex // guards everything below

	begun    bool // this process's "begin" record is in the journal
	session  [16]byte
	pack     *pack.Writer
	short    *shortPack // where pack is written to, while it may lie in the record; after it was closed and does, what was
	tables   []*pack.Table
	fresh    map[chunkID]struct{} // chunks of this group's packs
	bases    *lru[pack.Similar, *baseRecipe]
	deltas   delta.Encoder
	depends  map[uint32]struct{}  // packs of earlier records that rows of this group point into
	needs    map[chunkID]struct{} // the chunks in them
	under    map[chunkID]struct{} // of these and of its own, bases of its own deltas
	pruned   uint64               // catalog.condemned when bases and lost were looked up,
	checked  uint64               // and all of needs
	sections map[string]*section
	order    []string
	bytes    int64
	rows     int64
	since    time.Time

	active   map[string]*Session // open now, by mailbox
	waiting  int                 // of them, in Commit
	lost     map[uint32]bool     // numbers of packs that are not there; nil until it was looked
	landings uint64              // how often a group landed
	landed   chan struct{}       // closed at the next landing or failure
	err      error

	difference, proof []byte // scratch
}

// section is a mailbox's part of the group.
type section struct {
	journal.Section
	base  uint64     // the record of its mailbox that it was made after
	byID  map[ID]int // index into Versions
	gone  map[ID]struct{}
	drops int // versions taken back
}

func newGroup(a *Archive) *group {
	g := &group{a: a, active: map[string]*Session{}, landed: make(chan struct{}),
		bases: a.newBases()}
	g.reset()
	return g
}

func (a *Archive) newBases() *lru[pack.Similar, *baseRecipe] {
	if a.opts.Far {
		return newLRU[pack.Similar, *baseRecipe](basesFar)
	}
	return newLRU[pack.Similar, *baseRecipe](basesHeld)
}

// unload lets go of what only speeds up writing, unless somebody writes.
func (g *group) unload() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.active) == 0 {
		g.bases = g.a.newBases()
	}
}

func (g *group) reset() {
	g.tables, g.short, g.order, g.bytes, g.rows = nil, nil, nil, 0, 0
	g.fresh, g.sections = map[chunkID]struct{}{}, map[string]*section{}
	g.depends, g.needs = map[uint32]struct{}{}, map[chunkID]struct{}{}
	g.under = map[chunkID]struct{}{}
	g.since, g.checked = time.Time{}, g.a.cat.pruned()
}

// section is a session's part, made when first asked for.
func (g *group) section(s *Session) *section {
	sec := g.sections[s.mailbox]
	if sec == nil {
		sec = &section{Section: journal.Section{Mailbox: s.mailbox, Ordinal: s.ordinal}, base: s.base, byID: map[ID]int{}, gone: map[ID]struct{}{}}
		g.sections[s.mailbox] = sec
		g.order = append(g.order, s.mailbox)
		if g.since.IsZero() {
			g.since = g.a.opts.Clock()
		}
	}
	return sec
}

// chunk stores a chunk that is not known yet. Its pack is this group's.
func (g *group) chunk(ctx context.Context, id chunkID, kind Kind, data []byte) (reference, error) {
	return g.once(ctx, id, func(ctx context.Context, _ bool) error {
		return g.add(ctx, pack.Chunk{ID: id, Class: classOf(kind)}, data)
	})
}

// recipe stores a recipe that is not known yet: as the difference from the one that its copies have as their base, where
// there is one and that is short, else whole.
func (g *group) recipe(ctx context.Context, id chunkID, mark pack.Similar, encoded func() []byte) (reference, error) {
	return g.once(ctx, id, func(ctx context.Context, lost bool) error {
		c := pack.Chunk{ID: id, Class: pack.Small}
		data := encoded()
		if mark == (pack.Similar{}) {
			return g.add(ctx, c, data)
		}
		base, err := g.base(ctx, mark)
		if err != nil {
			return err
		}
		if base == nil {
			c.Similar = mark
			if len(data) <= maxBase {
				g.bases.put(mark, &baseRecipe{id, bytes.Clone(data)}, len(data))
			}
			return g.add(ctx, c, data)
		}
		g.difference = g.deltas.Encode(g.difference[:0], base.data, data)
		if lost || len(g.difference) > len(data)-len(data)/4 { // one that is lost may be a base
			return g.add(ctx, c, data)
		}
		g.proof, err = delta.Apply(g.proof[:0], base.data, g.difference, len(data))
		if err != nil || !bytes.Equal(g.proof, data) {
			return fmt.Errorf("a delta does not give what it was made from: %w", errors.Join(err, ErrDamaged))
		}
		if err := g.depend(base.id); err != nil {
			return err
		}
		g.under[base.id] = struct{}{}
		c.Class, c.Base = pack.Deltas, base.id
		return g.add(ctx, c, g.difference)
	})
}

// reference is a chunk that content points to. One that was there already has its row.
type reference struct {
	id     chunkID
	row    chunkRow
	known  bool
	pruned uint64 // catalog.condemned when it was looked up
}

// once calls store under the lock for a chunk that is neither in the group nor in the archive; lost tells that the archive had it,
// in a pack that is not there. Its error is the group's, unless it is the caller's own end.
func (g *group) once(ctx context.Context, id chunkID, store func(ctx context.Context, lost bool) error) (reference, error) {
	ref := reference{id: id, pruned: g.a.cat.pruned()}
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := errors.Join(ctx.Err(), g.err); err != nil {
		return ref, err
	}
	if _, ok := g.fresh[id]; ok {
		return ref, nil
	}
	ctx = context.WithoutCancel(ctx)
	var err error
	ref.row, ref.known, err = g.stored(ctx, id)
	if err != nil || ref.known {
		return ref, g.fail(err)
	}
	return ref, g.fail(store(ctx, ref.row != (chunkRow{})))
}

func (g *group) add(ctx context.Context, c pack.Chunk, data []byte) error {
	if err := g.openPack(ctx); err != nil {
		return err
	}
	if err := g.pack.Add(c, data); err != nil {
		return err
	}
	g.fresh[c.ID] = struct{}{}
	g.bytes += int64(len(data))
	if g.pack.Full() {
		return g.closePack()
	}
	return nil
}

// baseRecipe is a whole recipe that others are like.
type baseRecipe struct {
	id   chunkID
	data []byte
}

// base is the recipe against which those with a mark are stored; nil when there is none that can be read. One of this group's
// own packs cannot be read before the group has landed: it is known as long as the cache has it.
func (g *group) base(ctx context.Context, mark pack.Similar) (*baseRecipe, error) {
	if n := g.a.cat.pruned(); n != g.pruned {
		// What was looked up may be gone: bases, and which packs are lost.
		g.pruned, g.lost, g.bases = n, nil, g.a.newBases()
	}
	if b, ok := g.bases.get(mark); ok {
		return b, nil
	}
	row, err := g.a.cat.get(similarKey(mark))
	if err != nil || row == nil {
		return nil, err
	}
	if len(row) != len(chunkID{}) {
		return nil, fmt.Errorf("%w: catalog: base of a mark", ErrDamaged)
	}
	b := &baseRecipe{id: chunkID(row)}
	if _, there, err := g.stored(ctx, b.id); err != nil || !there {
		return nil, err
	}
	b.data, err = g.a.whole(ctx, b.id)
	if errors.Is(err, ErrDamaged) || err == nil && len(b.data) > maxBase {
		return nil, nil // another one becomes the base
	}
	if err != nil {
		return nil, err
	}
	b.data = bytes.Clone(b.data) // it would keep its whole frame
	g.bases.put(mark, b, len(b.data))
	return b, nil
}

// stored tells where a chunk lies, and whether its pack is there: one that lies in a lost pack is stored again. The row of one that
// is nowhere is empty.
func (g *group) stored(ctx context.Context, id chunkID) (row chunkRow, there bool, err error) {
	row, err = g.a.cat.known(id)
	if errors.Is(err, errNowhere) {
		return row, false, nil
	}
	if err != nil {
		return row, false, err
	}
	if g.lost == nil {
		if g.lost, err = g.a.lostPacks(ctx); err != nil {
			return row, false, err
		}
	}
	return row, !g.lost[row.pack], nil
}

// lostPacks are the numbers of the packs that the catalog knows and the bucket has not, or not in their length. It lists the
// bucket: once for a process that stores anything.
func (a *Archive) lostPacks(ctx context.Context) (map[uint32]bool, error) {
	there, err := a.packSizes(ctx)
	if err != nil {
		return nil, err
	}
	lost := map[uint32]bool{}
	err = a.cat.eachPack(ctx, func(n uint32, p journal.Pack) {
		if size, ok := there[p.Name]; !p.Inline && (!ok || size != p.Size) {
			lost[n] = true
		}
	})
	return lost, err
}

// packSizes are the packs in the bucket with their lengths.
func (a *Archive) packSizes(ctx context.Context) (map[pack.Name]int64, error) {
	there := map[pack.Name]int64{}
	for info, err := range a.opts.Bucket.List(ctx, "packs/") {
		if err != nil {
			return nil, fmt.Errorf("list packs: %w", err)
		}
		if name, ok := pack.ParseObject(info.Name); ok {
			there[name] = info.Size
		}
	}
	return there, nil
}

func classOf(kind Kind) pack.Class {
	if kind == Bulk {
		return pack.Bulk
	}
	return pack.Text
}

// fail makes an error stick: what the group holds cannot land any more.
func (g *group) fail(err error) error {
	if err != nil && g.err == nil {
		g.err = err
		g.wake()
	}
	return err
}

// wake tells those who wait that a group landed or failed.
func (g *group) wake() {
	close(g.landed)
	g.landed = make(chan struct{})
}

func (g *group) openPack(ctx context.Context) error {
	if g.pack != nil {
		return nil
	}
	var err error
	if g.short != nil || g.a.opts.inline < 0 {
		g.pack, err = g.newPack(ctx)
		return err
	}
	g.short = &shortPack{Bucket: g.a.opts.Bucket, limit: g.a.opts.inline, begin: g.begin}
	g.pack, err = g.packIn(ctx, g.short)
	return err
}

func (g *group) closePack() error {
	t, err := g.pack.Close()
	g.pack = nil
	if err != nil {
		return err
	}
	g.tables = append(g.tables, t)
	if g.short != nil && g.short.out != nil {
		g.short = nil
	}
	return nil
}

// inline is the pack that lies in the group's record; nil for none.
func (g *group) inline() []byte {
	if g.short == nil {
		return nil
	}
	return g.short.data
}

// begin tells in the journal that a writer is at work, before its first pack: a pack that nobody names is known to be of
// a session by it.
func (g *group) begin(ctx context.Context) error {
	if g.begun {
		return nil
	}
	if err := g.identify(); err != nil {
		return err
	}
	if err := g.append(ctx, &journal.Body{Begin: &journal.Begin{Program: program(), Session: g.session}}, nil); err != nil {
		return err
	}
	g.begun = true
	return nil
}

// identify gives the session a name.
func (g *group) identify() error {
	if g.session != [16]byte{} {
		return nil
	}
	if _, err := io.ReadFull(g.a.opts.Random, g.session[:]); err != nil {
		return fmt.Errorf("name the session: %w", err)
	}
	return nil
}

// append puts a record behind the journal's head, passing over the records of others unless they touch our mailboxes.
func (g *group) append(ctx context.Context, body *journal.Body, tables []*pack.Table) error {
	return g.appendMade(ctx, tables, nil, func() (*journal.Body, error) { return body, g.undisturbed(body) })
}

// appendMade puts a record behind the journal's head, with the pack that lies in it. It is made before every attempt, so that it fits
// what others appended.
func (g *group) appendMade(ctx context.Context, tables []*pack.Table, inline []byte, made func() (*journal.Body, error)) error {
	for {
		body, err := made()
		if err != nil {
			return err
		}
		head, err := g.a.append(ctx, body, inline)
		if errors.Is(err, journal.ErrTaken) {
			if err := g.a.catchUp(ctx); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		rec := &journal.Record{Head: head, Body: body}
		return g.a.cat.apply(ctx, rec, func(ctx context.Context, p *journal.Pack) (*pack.Table, error) {
			for _, t := range tables {
				if t.Name == p.Name {
					return t, nil
				}
			}
			return g.a.table(ctx, p)
		})
	}
}

// undisturbed makes sure, before every attempt, that nobody wrote to a mailbox since its session looked: a section on top
// of what it does not know would poison the journal.
func (g *group) undisturbed(body *journal.Body) error {
	if err := g.unfenced(); err != nil {
		return err
	}
	for i := range body.Sections {
		name := body.Sections[i].Mailbox
		if st, _ := g.a.cat.state(name); st.record != g.sections[name].base {
			return fmt.Errorf("%w: journal record %d is of another process", ErrConflict, st.record)
		}
	}
	return nil
}

// full tells whether the group should land.
func (g *group) full() bool {
	return g.bytes >= g.a.opts.groupMax || g.rows >= groupRows || !g.since.IsZero() && g.age() >= g.a.opts.groupAge
}

func (g *group) age() time.Duration { return g.a.opts.Clock().Sub(g.since) }

// land makes the group durable: packs, then the record, then the catalog.
func (g *group) land(ctx context.Context) error {
	if g.err != nil || len(g.order) == 0 {
		return g.err
	}
	ctx = context.WithoutCancel(ctx)
	if g.pack != nil {
		if err := g.closePack(); err != nil {
			return g.fail(err)
		}
	}
	err := g.appendMade(ctx, g.tables, g.inline(), func() (*journal.Body, error) {
		body, err := g.body()
		if err != nil {
			return nil, err
		}
		return body, g.undisturbed(body)
	})
	if err != nil {
		return g.fail(fmt.Errorf("commit: %w", err))
	}
	for _, name := range g.order {
		if s := g.active[name]; s != nil {
			s.base = g.a.Head()
		}
	}
	g.reset()
	g.landings++
	g.wake()
	return nil
}

// await lets a session wait until the group has landed: when all open sessions wait, when another reason comes first, or
// when the group is old.
func (g *group) await(ctx context.Context) error {
	was := g.landings
	g.waiting++
	defer func() { g.waiting-- }()
	if g.waiting >= len(g.active) {
		return g.land(ctx)
	}
	old := time.NewTimer(g.a.opts.groupAge - g.age())
	defer old.Stop()
	for g.landings == was && g.err == nil {
		switch g.sleep(ctx, old.C) {
		case wokenByAge:
			_ = g.land(ctx) // its error is g.err
		case wokenByContext:
			if g.landings == was && g.err == nil {
				return ctx.Err()
			}
		}
	}
	if g.landings != was {
		return nil // whatever became of the next group
	}
	return g.err
}

// What ended a sleep.
const (
	wokenByGroup = iota
	wokenByAge
	wokenByContext
)

// sleep gives the group to others until something happens.
func (g *group) sleep(ctx context.Context, old <-chan time.Time) int {
	landed := g.landed
	g.mu.Unlock()
	defer g.mu.Lock()
	select {
	case <-landed:
		return wokenByGroup
	case <-old:
		return wokenByAge
	case <-ctx.Done():
		return wokenByContext
	}
}

func (g *group) body() (*journal.Body, error) {
	body := &journal.Body{Packs: packsOf(g.tables)}
	for i := range body.Packs {
		body.Packs[i].Inline = g.short != nil && pack.Name(body.Packs[i].Name).Object() == g.short.name
	}
	var err error
	if body.Depends, err = g.dependencies(); err != nil {
		return nil, err
	}
	for _, name := range g.order {
		body.Sections = append(body.Sections, g.sections[name].finish())
	}
	return body, nil
}

func packsOf(tables []*pack.Table) (packs []journal.Pack) {
	for _, t := range tables {
		packs = append(packs, journal.Pack{Name: t.Name, Salt: t.Salt, Size: t.Size, SHA256: t.SHA256, Chunks: t.Chunks(), Generation: t.Generation})
	}
	return packs
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
// error it drops the open pack. Nothing can be added any more.
func (g *group) finish(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	var err error
	if g.err == nil {
		err = g.land(ctx)
	}
	_ = g.fail(errClosed) // for sessions that are still open
	if g.pack != nil {
		err = errors.Join(err, g.pack.Abort())
		g.pack = nil
	}
	return err
}

// rest notes the packs of all that content points to, unless they are the group's own. All is looked up before any is noted: content of
// which something was pruned leaves no trace, and the group lands without it.
func (g *group) rest(refs []reference) error {
	for i := range refs {
		if err := g.find(&refs[i]); err != nil {
			return err
		}
	}
	for i := range refs {
		if _, own := g.fresh[refs[i].id]; own {
			continue
		}
		if err := g.dependRow(refs[i].id, refs[i].row); err != nil {
			return err
		}
	}
	return nil
}

// find looks up where a chunk lies by now. One that landed before its item, with what others stored, no version needs yet: another
// process that prunes takes it for garbage.
func (g *group) find(ref *reference) error {
	_, own := g.fresh[ref.id]
	_, noted := g.needs[ref.id]
	pruned := g.a.cat.pruned()
	if own || noted || ref.known && ref.pruned == pruned {
		return nil
	}
	row, err := g.a.cat.known(ref.id)
	if errors.Is(err, errNowhere) && ref.pruned != pruned {
		return fmt.Errorf("%w: %w: chunk %x", ErrAnew, ErrPruned, ref.id)
	}
	ref.row = row
	return err
}

func (g *group) depend(id chunkID) error {
	_, own := g.fresh[id]
	_, noted := g.needs[id]
	if own || noted {
		return nil
	}
	row, err := g.a.cat.known(id)
	if err != nil {
		return err
	}
	return g.dependRow(id, row)
}

// dependRow notes the pack of a chunk and those of its base.
func (g *group) dependRow(id chunkID, row chunkRow) error {
	if _, ok := g.needs[id]; ok {
		return nil
	}
	g.needs[id] = struct{}{}
	g.rows += int64(len(id))
	g.depends[row.pack] = struct{}{}
	if row.base == (chunkID{}) {
		return nil
	}
	return g.depend(row.base)
}
