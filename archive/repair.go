package archive

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"mailbrick/archive/blob"
	"mailbrick/archive/blob/parity"
	"mailbrick/archive/journal"
	"mailbrick/archive/pack"
)

// RepairReport is what Repair found.
type RepairReport struct {
	Objects int      // looked at
	Damaged []Damage // mended, or beyond repair
	Parity  bool     // the archive keeps it; else packs and records were not looked at
}

// Beyond counts what is beyond repair.
func (r *RepairReport) Beyond() (n int) {
	for _, d := range r.Damaged {
		if d.Fate == BeyondRepair {
			n++
		}
	}
	return n
}

// Repair mends what is damaged: config and key files by their copies, journal records and packs by their parity. What is whole
// is not touched, and what cannot be mended neither. It takes the catalog's lock and needs no catalog, and no journal that
// reads; where that reads, and the key opens it, it also tells what is missing. The error is for what kept it from the work.
func Repair(ctx context.Context, o Options, progress func(done int, object string)) (_ *RepairReport, err error) {
	o.defaults()
	stored := o.Bucket
	c, ring, openErr := o.unlock(ctx)
	if openErr != nil && !errors.Is(openErr, ErrDamaged) {
		return nil, openErr
	}
	lock, err := o.lockCatalog(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	r := &repairer{o: o, progress: progress, report: &RepairReport{Parity: o.covered != nil}, known: map[pack.Name]journal.Pack{}}
	r.inspector = inspector{bucket: stored, parity: o.covered, mend: true, found: r.damaged}
	if openErr == nil {
		r.keys = o.keyring(ring, c.Encrypted)
	}
	if err := r.run(ctx); err != nil || len(r.report.Damaged) == 0 {
		return r.report, err
	}
	return r.report, o.forgetProof() // what it found may be mended
}

type repairer struct {
	inspector
	o        Options
	keys     *keyring // nil when no key could be opened
	progress func(done int, object string)
	report   *RepairReport
	known    map[pack.Name]journal.Pack
	order    []pack.Name
	head     journal.Head // of what was read of the journal
	complete bool         // known are all that the archive needs
}

func (r *repairer) damaged(d Damage) { r.report.Damaged = append(r.report.Damaged, d) }

func (r *repairer) at(object string) {
	r.report.Objects++
	if r.progress != nil {
		r.progress(r.report.Objects, object)
	}
}

func (r *repairer) run(ctx context.Context) error {
	steps := []func(context.Context) error{r.small}
	if r.parity != nil {
		steps = append(steps, r.records, r.chain, r.packs)
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (r *repairer) records(ctx context.Context) error {
	return eachRecord(ctx, r.bucket, func(name string) error {
		r.at(name)
		_, err := r.covered(ctx, name, parity.Unknown)
		return err
	})
}

// chain reads what of the journal can be read, now that it is mended, to know the packs.
func (r *repairer) chain(ctx context.Context) error {
	if r.keys == nil {
		return nil
	}
	err := r.follow(ctx)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, ErrWrongKey), blob.OutOfReach(err):
		return err
	case err != nil:
		r.lost(journal.Object(r.head.Number+1), err.Error())
		return nil
	}
	last, err := r.o.lastObject(ctx)
	if err == nil && last > r.head.Number {
		err = r.follow(ctx) // others may have appended it since
	}
	if err == nil && last > r.head.Number {
		r.lost(journal.Object(r.head.Number+1), "it is missing")
	}
	r.complete = last <= r.head.Number
	return err
}

// follow reads on in the journal.
func (r *repairer) follow(ctx context.Context) error {
	j, err := r.o.openJournal(r.o.Bucket, r.keys)
	if err != nil {
		return err
	}
	for rec, err := range j.Follow(ctx, r.head) {
		if err == nil {
			err = r.keys.rotated(ctx, rec)
		}
		if err != nil {
			return err
		}
		r.head = rec.Head
		r.record(rec.Body)
	}
	return nil
}

// record notes the packs that a record adds and those that it takes away.
func (r *repairer) record(b *journal.Body) {
	for _, p := range b.Packs {
		r.order = append(r.order, p.Name)
		r.known[p.Name] = p
	}
	if b.Condemn == nil {
		return
	}
	for _, name := range b.Condemn.Packs {
		delete(r.known, name)
	}
}

// lost tells of an object that nothing mends, once.
func (r *repairer) lost(object, fault string) {
	for _, d := range r.report.Damaged {
		if d.Object == object && d.Fate == BeyondRepair {
			return
		}
	}
	r.damaged(Damage{Object: object, Fault: fault})
}

// packs mends those that the journal names, and all others where it may not name all that are needed.
func (r *repairer) packs(ctx context.Context) error {
	there := map[pack.Name]bool{}
	for info, err := range r.bucket.List(ctx, packPrefix) {
		if err != nil {
			return fmt.Errorf("list packs: %w", err)
		}
		name, ok := pack.ParseObject(info.Name)
		if !ok {
			continue
		}
		there[name] = true
		if _, named := r.known[name]; !named && !r.complete && !slices.Contains(r.order, name) {
			r.order = append(r.order, name)
		}
	}
	for _, name := range r.order {
		p, named := r.known[name]
		switch {
		case p.Inline && p.At != 0: // its record's object was inspected
		case there[name] && (named || !r.complete):
			err := r.pack(ctx, name)
			if errors.Is(err, blob.ErrNotExist) {
				err = r.gone(ctx, name)
			}
			if err != nil {
				return err
			}
		case named:
			if err := r.gone(ctx, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// gone tells of a pack that is not there, unless another process pruned it since the journal was read.
func (r *repairer) gone(ctx context.Context, name pack.Name) error {
	if r.complete {
		if err := r.follow(ctx); blob.OutOfReach(err) {
			return err
		} // what it cannot read else the next repair tells
	}
	if _, named := r.known[name]; named {
		r.lost(name.Object(), "it is missing")
	}
	return nil
}

func (r *repairer) pack(ctx context.Context, name pack.Name) error {
	r.at(name.Object())
	p, named := r.known[name]
	size := parity.Unknown
	if named {
		size = p.Size
	}
	sound, err := r.covered(ctx, name.Object(), size)
	if err != nil || !sound || !named {
		return err
	}
	t, err := pack.NewReader(r.parity, r.keys).Table(ctx, name)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, blob.ErrNotExist), blob.OutOfReach(err):
		return err
	case err != nil:
		r.lost(name.Object(), err.Error())
	case t.SHA256 != p.SHA256:
		r.lost(name.Object(), "it is not the one that the journal names")
	}
	return nil
}
