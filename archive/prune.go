package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"mailbrick/archive/blob"
	"mailbrick/archive/journal"
	"mailbrick/archive/pack"
)

// PruneOptions say how far Prune goes; the zero value works.
type PruneOptions struct {
	MaxGarbage float64       // how much of all packs' bytes may stay though nothing needs it; 0 is 0.05
	BrokenOff  time.Duration // a writer that began so long ago, and left packs that no record names, is taken for broken off; 0 is a day
	Progress   func(done, total int64, what string)
}

func (o *PruneOptions) defaults() {
	if o.MaxGarbage == 0 {
		o.MaxGarbage = 0.05
	}
	if o.BrokenOff == 0 {
		o.BrokenOff = 24 * time.Hour
	}
	if o.Progress == nil {
		o.Progress = func(int64, int64, string) {}
	}
}

// PrunePlan is what Prune would do.
type PrunePlan struct {
	Packs, Orphans     int   // that the journal names; that it does not, of runs that were broken off
	Bytes, OrphanBytes int64 // of both
	Garbage            int64 // bytes of packs that nothing needs
	Delete, Rewrite    int   // packs without anything that is needed; packs of which that is copied
	Copied, Left       int64 // bytes that are copied; garbage that stays
	FreedBytes         int64 // about
	Fold               int   // objects of the journal that become part of others

	// Damaged is what could not be read: packs that stay as they are and what lies in them. Repair may mend it.
	Damaged []string
	InDoubt bool // damage hides what versions need, so all that is in packs stays
}

// PruneReport is what Prune did.
type PruneReport struct {
	PrunePlan
	Removed      int   // packs that are not in the bucket any more
	RemovedBytes int64 // of them
	AddedBytes   int64 // of the packs that what is needed was copied into
	Locked       int   // objects that a lock of the bucket keeps; the next run tries again
	Folded       int   // objects of the journal that are part of others now
	Position     uint64
}

// PlanPrune tells what Prune would do. It reads the recipes of all versions.
func (a *Archive) PlanPrune(ctx context.Context, o PruneOptions) (PrunePlan, error) {
	o.defaults()
	p, err := a.planPrune(ctx, o)
	if err != nil {
		return PrunePlan{}, fmt.Errorf("plan prune: %w", err)
	}
	return p.plan, nil
}

// pruneTries is how often Prune begins anew because another one was quicker.
const pruneTries = 5

// Prune gives back the room of what no version needs: it copies what is needed out of the worst packs, condemns them in the
// journal and removes them. Writers go on meanwhile, in this process and in others.
func (a *Archive) Prune(ctx context.Context, o PruneOptions) (PruneReport, error) {
	o.defaults()
	for range pruneTries {
		p, err := a.planPrune(ctx, o)
		if err == nil {
			err = p.run(ctx)
		}
		if errors.Is(err, errOvertaken) {
			continue
		}
		if err != nil {
			return PruneReport{}, fmt.Errorf("prune: %w", err)
		}
		return p.report, nil
	}
	return PruneReport{}, fmt.Errorf("prune: %w", errOvertaken)
}

var (
	errOvertaken = fmt.Errorf("%w: by another prune", ErrPruned)
	errNothing   = errors.New("nothing to prune")
)

// pruning is one attempt to prune.
type pruning struct {
	a      *Archive
	o      PruneOptions
	marks  *marker
	at     uint64 // the record up to which versions are marked
	pruned uint64 // catalog.condemned when marking began
	plan   PrunePlan
	report PruneReport
	chosen []*packMarks
	spans  map[journal.Span]bool // of the journal, that are folded, with all packs in their records

	unnamed   []blob.Info                 // packs that no record names,
	unnamedOf map[[sessionBytes]byte]bool // by writer
	condemned []blob.Info                 // packs that an earlier prune condemned and could not remove

	out    *pack.Writer
	tables []*pack.Table
}

func (a *Archive) planPrune(ctx context.Context, o PruneOptions) (*pruning, error) {
	p := &pruning{a: a, o: o}
	// Listed first: the writer of what is listed began in a record that is read then.
	there, err := a.packSizes(ctx)
	if err != nil {
		return nil, err
	}
	if err := a.catchUpAlone(ctx); err != nil {
		return nil, err
	}
	p.at, p.pruned = a.Head(), a.cat.pruned()
	if p.marks, err = a.newMarker(ctx, there); err != nil {
		return nil, err
	}
	if err = p.marks.mark(ctx, o.Progress); err == nil && p.marks.doubt != nil {
		p.plan.InDoubt = true
		err = p.damage(ctx, p.marks.doubt)
	}
	if err == nil {
		err = p.weigh(ctx)
	}
	if err != nil {
		return nil, p.overtaken(ctx, err)
	}
	p.choose()
	if err := p.planFold(ctx); err != nil {
		return nil, err
	}
	return p, p.findUnnamed(there)
}

// damage notes what could not be read, unless it could not because another prune removed it.
func (p *pruning) damage(ctx context.Context, damage error) error {
	if err := p.overtaken(ctx, damage); errors.Is(err, errOvertaken) || blob.OutOfReach(err) || ctx.Err() != nil {
		return err
	}
	p.note(damage)
	return nil
}

func (p *pruning) note(damage error) {
	if len(p.plan.Damaged) < maxErrors {
		p.plan.Damaged = append(p.plan.Damaged, damage.Error())
	}
}

// overtaken finds out whether something could not be read because another prune removed it.
func (p *pruning) overtaken(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return err
	}
	failed := p.a.catchUpAlone(ctx)
	if failed == nil && p.a.cat.pruned() != p.pruned {
		return errOvertaken
	}
	if blob.OutOfReach(failed) {
		return failed
	}
	return err
}

// weigh finds out how many bytes of each pack are needed: of a frame the part that its living chunks have in it, of the rest of
// the pack the part that they have in their number. A pack whose table cannot be read is needed as it is.
func (p *pruning) weigh(ctx context.Context) error {
	for _, pm := range p.marks.order {
		p.plan.Packs++
		p.plan.Bytes += pm.Size
		living := pm.live.count()
		switch {
		case pm.Chunks == 0 && (p.marks.missing > 0 || p.marks.doubt != nil):
			pm.alive = pm.Size // it could not be read, and what could not be found may lie in it
		case living == 0:
		case living == pm.Chunks || pm.lost:
			pm.alive = pm.Size
		default:
			if err := p.weighPack(ctx, pm, living); err != nil {
				return err
			}
		}
		p.plan.Garbage += pm.garbage()
	}
	return nil
}

func (p *pruning) weighPack(ctx context.Context, pm *packMarks, living int) error {
	t, err := p.a.table(ctx, &pm.Pack)
	if err = journalError(err); unreadable(err) {
		pm.alive = pm.Size
		return p.damage(ctx, err)
	}
	if err != nil {
		return err
	}
	pm.alive = aliveIn(t, pm.live, living)
	return nil
}

func aliveIn(t *pack.Table, live bits, living int) int64 {
	var sum, frames float64
	n := uint32(0)
	for i := range t.Frames {
		f := &t.Frames[i]
		var plain uint64
		for k := range f.Chunks {
			if live.has(n) {
				plain += uint64(f.Chunks[k].Length)
			}
			n++
		}
		frames += float64(f.Sealed)
		sum += float64(f.Sealed) * float64(plain) / float64(max(1, f.Plain))
	}
	return min(t.Size, int64(sum+(float64(t.Size)-frames)*float64(living)/float64(n)))
}

// choose condemns what is folded or made part of larger packs, and of the rest the worst packs until little garbage is left.
func (p *pruning) choose() {
	p.spans = map[journal.Span]bool{}
	taken := map[*packMarks]bool{}
	take := func(pm *packMarks) {
		if !taken[pm] {
			taken[pm] = true
			p.take(pm)
		}
	}
	for _, pm := range p.marks.order {
		if span := p.a.journal.Span(pm.Record); pm.Inline && span.To < p.at {
			p.spans[span] = true
		}
	}
	for _, pm := range p.small() {
		take(pm)
	}
	worst := slices.Clone(p.marks.order)
	slices.SortStableFunc(worst, func(x, y *packMarks) int {
		return cmp.Compare(float64(y.garbage())/float64(max(1, y.Size)), float64(x.garbage())/float64(max(1, x.Size)))
	})
	for _, pm := range worst {
		if pm.garbage() == 0 || pm.alive > 0 && float64(p.plan.Garbage-p.plan.FreedBytes) <= p.o.MaxGarbage*float64(p.plan.Bytes-p.plan.FreedBytes) {
			break
		}
		take(pm)
		if pm.Inline {
			p.spans[p.a.journal.Span(pm.Record)] = true
		}
	}
	for _, pm := range p.marks.order {
		if pm.Inline && p.spans[p.a.journal.Span(pm.Record)] {
			take(pm)
		}
	}
	p.plan.Left = p.plan.Garbage - p.plan.FreedBytes
}

func (p *pruning) take(pm *packMarks) {
	p.plan.FreedBytes += pm.garbage()
	p.plan.Copied += pm.alive
	if pm.alive == 0 {
		p.plan.Delete++
	} else {
		p.plan.Rewrite++
	}
	p.chosen = append(p.chosen, pm)
}

// Packs of which less than this is alive are made one, when together they make a full one.
const (
	smallPack   = 16 << 20
	smallEnough = 64 << 20
)

// small are the packs that are made part of larger ones, if there are enough.
func (p *pruning) small() (list []*packMarks) {
	var sum int64
	for _, pm := range p.marks.order {
		if pm.alive > 0 && pm.alive < smallPack && !pm.lost && !pm.Inline {
			list = append(list, pm)
			sum += pm.alive
		}
	}
	if sum < smallEnough {
		return nil
	}
	return list
}

// findUnnamed finds the packs of the bucket that no record names, or that one has condemned.
func (p *pruning) findUnnamed(there map[pack.Name]int64) error {
	p.unnamedOf = map[[sessionBytes]byte]bool{}
	for name, size := range there {
		named, err := p.a.cat.has(packNameKey(name))
		if err != nil {
			return err
		}
		if named {
			continue
		}
		condemned, err := p.a.cat.has(condemnKey(name))
		if err != nil {
			return err
		}
		if condemned {
			p.condemned = append(p.condemned, blob.Info{Name: name.Object(), Size: size})
			continue
		}
		p.unnamed = append(p.unnamed, blob.Info{Name: name.Object(), Size: size})
		p.unnamedOf[sessionOf(name)] = true
		p.plan.Orphans++
		p.plan.OrphanBytes += size
	}
	return nil
}

// sessionOf is the beginning of the session that wrote a pack.
func sessionOf(name pack.Name) [sessionBytes]byte {
	return [sessionBytes]byte(name[len(name)-sessionBytes:])
}

func (p *pruning) run(ctx context.Context) error {
	defer func() { p.report.PrunePlan = p.plan }()
	err := p.copy(ctx)
	if err == nil {
		err = p.condemn(ctx)
	}
	if errors.Is(err, errNothing) || errors.Is(err, errOvertaken) || errors.Is(err, ErrPruned) {
		// It is certain that no record names what was written.
		if gone := p.dropCopies(ctx); gone != nil {
			return gone
		}
	}
	if err != nil && !errors.Is(err, errNothing) {
		return err
	}
	if err := p.remove(ctx); err != nil {
		return err
	}
	return p.fold(ctx)
}

// copy writes what is needed of the chosen packs into new ones.
func (p *pruning) copy(ctx context.Context) error {
	for i, pm := range p.chosen {
		if pm.alive > 0 {
			if err := p.copyPack(ctx, pm); err != nil {
				return p.overtaken(ctx, errors.Join(err, p.abort()))
			}
		}
		p.o.Progress(int64(i+1), int64(len(p.chosen)), "packs rewritten")
	}
	p.chosen = slices.DeleteFunc(p.chosen, func(pm *packMarks) bool { return pm.stays })
	return p.closePack()
}

// copyPack copies what is needed of a pack. One of which something cannot be read stays.
func (p *pruning) copyPack(ctx context.Context, pm *packMarks) error {
	err := p.a.eachFrame(ctx, &pm.Pack, pm.live, func(_ uint32, c *pack.Chunk, data []byte) error { return p.add(ctx, c, data) })
	if !unreadable(err) {
		return err
	}
	pm.stays = true
	p.plan.Rewrite--
	p.plan.Copied -= pm.alive
	p.plan.FreedBytes -= pm.garbage()
	p.plan.Left += pm.garbage()
	return p.damage(ctx, err)
}

func (p *pruning) add(ctx context.Context, c *pack.Chunk, data []byte) error {
	if p.out == nil {
		if err := p.openPack(ctx); err != nil {
			return err
		}
	}
	if err := p.out.Add(*c, data); err != nil {
		return err
	}
	if p.out.Full() {
		return p.closePack()
	}
	return nil
}

func (p *pruning) openPack(ctx context.Context) (err error) {
	g := p.a.group
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err != nil {
		return g.err
	}
	p.out, err = g.newPack(ctx)
	return err
}

func (p *pruning) closePack() error {
	if p.out == nil {
		return nil
	}
	t, err := p.out.Close()
	p.out = nil
	if err == nil {
		p.tables = append(p.tables, t)
		p.report.AddedBytes += t.Size
	}
	return err
}

func (p *pruning) abort() error {
	if p.out == nil {
		return nil
	}
	return p.out.Abort()
}

func (p *pruning) dropCopies(ctx context.Context) error {
	for _, t := range p.tables {
		if err := p.a.opts.Bucket.Remove(ctx, t.Name.Object()); err != nil && !errors.Is(err, blob.ErrNotExist) && !errors.Is(err, blob.ErrLocked) {
			return err
		}
	}
	p.tables, p.report.AddedBytes = nil, 0
	return nil
}

// condemn appends the record. Before every attempt it marks what the records of others need that came since: a pack of which they
// need what was not copied stays.
func (p *pruning) condemn(ctx context.Context) error {
	for _, pm := range p.chosen {
		pm.gone = true
	}
	p.marks.anew = func(pm *packMarks) { pm.gone = false }
	g := p.a.group
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err != nil {
		return g.err
	}
	err := g.appendMade(ctx, p.tables, nil, func() (*journal.Body, error) { return p.body(ctx, g) })
	if err == nil {
		p.report.Position = p.a.Head()
	}
	return err
}

func (p *pruning) body(ctx context.Context, g *group) (*journal.Body, error) {
	if p.a.cat.pruned() != p.pruned {
		return nil, errOvertaken
	}
	if err := g.unfenced(); err != nil {
		return nil, err
	}
	err := p.follow(ctx)
	if err == nil {
		err = p.pending(ctx, g)
	}
	if err != nil {
		if ctx.Err() == nil && p.a.catchUp(ctx) == nil && p.a.cat.pruned() != p.pruned {
			return nil, errOvertaken // what could not be read another prune removed
		}
		if !unreadable(err) {
			return nil, err
		}
		p.doubt(err)
	}
	c := &journal.Condemn{}
	for _, pm := range p.marks.order {
		if pm.gone {
			c.Packs = append(c.Packs, pm.Name)
		}
	}
	if c.Fenced, err = p.fences(ctx, g); err != nil {
		return nil, err
	}
	if len(c.Packs)+len(c.Fenced) == 0 {
		return nil, errNothing
	}
	for _, pm := range p.marks.order {
		if dead := pm.live.inverse(pm.Chunks); !pm.gone && dead != nil {
			c.Buried = append(c.Buried, journal.Buried{Pack: pm.Name, Chunks: dead})
		}
	}
	return &journal.Body{Packs: packsOf(p.tables), Condemn: c}, nil
}

// doubt is for damage that hides what the records need that came since: whatever was not copied may be.
func (p *pruning) doubt(damage error) {
	for _, pm := range p.chosen {
		if pm.live.count() < pm.Chunks {
			pm.gone = false
		}
	}
	p.marks.all(damage)
	p.plan.InDoubt = true
	p.note(damage)
}

// follow marks what the records need that came since marking began.
func (p *pruning) follow(ctx context.Context) error {
	for ; p.at < p.a.Head(); p.at++ {
		rec, err := p.a.record(ctx, p.at+1)
		if err != nil {
			return journalError(err)
		}
		if err := p.bases(ctx, rec.Body.Packs); err != nil {
			return err
		}
		for i := range rec.Body.Sections {
			s := &rec.Body.Sections[i]
			for k := range s.Versions {
				if err := p.marks.version(ctx, s.Versions[k].Recipe); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// bases marks what the deltas of packs that came since marking began need. Whether any version needs these deltas nobody asks before
// the next time, and until then the catalog knows them.
func (p *pruning) bases(ctx context.Context, packs []journal.Pack) error {
	for i := range packs {
		t, err := p.a.table(ctx, &packs[i])
		if err = journalError(err); unreadable(err) {
			continue // no catalog knows what is in it
		}
		if err != nil {
			return err
		}
		err = t.Places(func(c pack.Chunk, _ pack.Place) error {
			if c.Base == (chunkID{}) {
				return nil
			}
			return p.marks.chunk(c.Base)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// pending marks what this process's own open group needs.
func (p *pruning) pending(ctx context.Context, g *group) error {
	for id := range g.needs {
		if err := p.marks.chunk(id); err != nil {
			return err
		}
	}
	for _, s := range g.sections {
		for i := range s.Versions {
			if _, ok := g.fresh[s.Versions[i].Recipe]; ok {
				continue
			}
			// One that is nowhere was pruned by another process: this group cannot land, and says so then.
			if err := p.marks.version(ctx, s.Versions[i].Recipe); err != nil && !errors.Is(err, errNowhere) {
				return err
			}
		}
	}
	return nil
}

// fences are the writers that are taken for broken off: they began long ago, and left packs that no record names.
func (p *pruning) fences(ctx context.Context, g *group) (list [][16]byte, err error) {
	if len(p.unnamed) == 0 {
		return nil, nil
	}
	latest := p.a.opts.Clock().Add(-p.o.BrokenOff)
	err = p.a.cat.scan(ctx, []byte{keyWriter}, func(key, row []byte) error {
		session := [16]byte(key[1:])
		w, err := openWriter(row)
		if err == nil && !w.fenced && w.began.Before(latest) && p.unnamedOf[[sessionBytes]byte(session[:])] && !(g.begun && session == g.session) {
			list = append(list, session)
		}
		return err
	})
	return list, err
}

// remove takes away what the journal has condemned, and the packs of writers that are fenced. The record is durable: nobody that
// follows the journal needs them.
func (p *pruning) remove(ctx context.Context) error {
	list := p.condemned
	if p.report.Position > 0 {
		for _, pm := range p.chosen {
			if pm.gone && !pm.Inline {
				list = append(list, blob.Info{Name: pack.Name(pm.Name).Object(), Size: pm.Size})
			}
		}
	}
	orphans, err := p.orphans(ctx)
	if err != nil {
		return err
	}
	list = append(list, orphans...)
	for i, info := range list {
		err := p.a.opts.Bucket.Remove(ctx, info.Name)
		switch {
		case errors.Is(err, blob.ErrNotExist):
		case errors.Is(err, blob.ErrLocked):
			p.report.Locked++
		case err != nil:
			return fmt.Errorf("remove %s: %w", info.Name, err)
		default:
			p.report.Removed++
			p.report.RemovedBytes += info.Size
		}
		p.o.Progress(int64(i+1), int64(len(list)), "packs removed")
	}
	return nil
}

// orphans are the packs that no record names and that none will name: all writers that may have written them are fenced.
func (p *pruning) orphans(ctx context.Context) (list []blob.Info, err error) {
	if len(p.unnamed) == 0 {
		return nil, nil
	}
	fenced, open := map[[sessionBytes]byte]bool{}, map[[sessionBytes]byte]bool{}
	err = p.a.cat.scan(ctx, []byte{keyWriter}, func(key, row []byte) error {
		w, err := openWriter(row)
		if of := [sessionBytes]byte(key[1:]); w.fenced {
			fenced[of] = true
		} else {
			open[of] = true
		}
		return err
	})
	for _, info := range p.unnamed {
		name, _ := pack.ParseObject(info.Name)
		of := sessionOf(name)
		if err != nil {
			return nil, err
		}
		if !fenced[of] || open[of] {
			continue
		}
		var named bool
		if named, err = p.a.cat.has(packNameKey(name)); err == nil && !named {
			list = append(list, info)
		}
	}
	return list, err
}
