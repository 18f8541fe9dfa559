package archive

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"mailbrick/archive/blob"
	"mailbrick/archive/blob/parity"
	"mailbrick/archive/journal"
	"mailbrick/archive/pack"
	"mailbrick/archive/seal"
	"mailbrick/archive/wire"
)

// CheckReport is what Check found.
type CheckReport struct {
	Packs, Chunks, Items, Records int
	Before                        int       // of the items, those that a check which was broken off had proved
	Since                         time.Time // when that one began, or the first of several; zero where none was
	Orphans                       int       // packs that no record names: of a run that was killed; no error
	Errors                        []string
	Mendable                      int // of the errors, those that Repair mends
}

// CheckOptions say how deep Check goes.
type CheckOptions struct {
	ReadAll  bool                                 // give every item back
	Again    bool                                 // with ReadAll: from the start, whatever one that was broken off had proved
	Progress func(done, total int64, what string) // may be nil

	Checkpoint *Checkpoint // the archive must still have what this says it had; may be nil
}

// Check looks whether the archive is whole: config and keys with their copies, the journal's chain, every byte of every record
// and pack that the journal names (by parity where there is parity, else by their own digests and seals), the packs' tables, and
// that every version's recipe is there. With ReadAll also every item, to its SHA-256. Damage goes into the report; the error is
// for what kept Check from looking. One with ReadAll that is broken off goes on where it was.
func (a *Archive) Check(ctx context.Context, o CheckOptions) (*CheckReport, error) {
	c := &checker{a: a, o: o, report: &CheckReport{}, packs: map[pack.Name]journal.Pack{}, there: map[uint32]bool{},
		writers: map[[32]byte]bool{}, said: holderWords{}}
	c.inspector = inspector{bucket: a.rawBucket(), parity: a.parity, found: c.damaged, leftover: c.leftover}
	for _, step := range []func(context.Context) error{c.chain, c.small, c.holders, c.kept, c.records, c.gap, c.present, c.resume, c.contents, c.items} {
		if err := step(ctx); err != nil {
			return c.report, errors.Join(err, c.save())
		}
	}
	return c.report, c.finish()
}

type checker struct {
	inspector
	a       *Archive
	o       CheckOptions
	report  *CheckReport
	packs   map[pack.Name]journal.Pack
	order   []pack.Name       // of packs, as the journal names them
	there   map[uint32]bool   // packs by number, asked for so far
	last    journal.Head      // of the chain
	writers map[[32]byte]bool // announced so far
	said    holderWords       // of the chain
	broken  bool              // the chain does not read to its end
	proof

	toProve []unproved // items to read
}

func (c *checker) damage(err error) {
	if len(c.report.Errors) < maxErrors {
		c.report.Errors = append(c.report.Errors, err.Error())
	}
}

const maxErrors = 10000

// damaged is for what the inspector finds.
func (c *checker) damaged(d Damage) {
	if d.Fate == Mendable {
		c.report.Mendable++
	}
	c.damage(fmt.Errorf("%w: %w", ErrDamaged, d))
}

func (c *checker) progress(done, total int64, what string) {
	if c.o.Progress != nil {
		c.o.Progress(done, total, what)
	}
}

// chain reads the journal from its first record.
func (c *checker) chain(ctx context.Context) error {
	for rec, err := range c.a.records(ctx, journal.Head{}) {
		if err != nil {
			if ctx.Err() != nil || blob.OutOfReach(err) {
				return cmp.Or(ctx.Err(), err)
			}
			c.damage(journalError(err))
			c.broken = true
			return c.a.cat.eachPack(ctx, func(_ uint32, p journal.Pack) { c.name(p) }) // what the rest of the chain named, this machine's catalog may know
		}
		c.report.Records++
		c.record(ctx, rec)
		c.progress(int64(c.report.Records), int64(c.a.Head()), "journal")
	}
	if c.last.Number <= c.a.Head() {
		return nil
	}
	return c.a.catchUpAlone(ctx) // others appended: the catalog must know what the chain says
}

// record notes the packs that a record adds and those that it takes away.
func (c *checker) record(ctx context.Context, rec *journal.Record) {
	c.last = rec.Head
	c.signature(ctx, rec)
	for _, p := range rec.Body.Packs {
		c.name(p)
	}
	if cond := rec.Body.Condemn; cond != nil {
		for _, name := range cond.Packs {
			delete(c.packs, name)
		}
	}
	c.said.hear(rec)
}

// leftover tells whether nobody needs a key file: it is of another generation than the one in use, of one who was removed, or of one who
// was never added, since that was broken off.
func (c *checker) leftover(k keyName, all []keyName) bool {
	switch {
	case c.broken:
		return false
	case k.generation != c.last.Sealing():
		return true
	case c.said[k.holder] != nil:
		return !c.said.added(k.holder)
	}
	return !c.mayBeFirst(k, all)
}

// mayBeFirst tells whether a holder of whom the journal says nothing may be the one who came with the archive: with a password, or without
// encryption. Where several may be, a half file is not his.
func (c *checker) mayBeFirst(k keyName, all []keyName) bool {
	if k.kind != seal.Passphrase && k.kind != seal.Plain {
		return false
	}
	return !slices.ContainsFunc(all, func(n keyName) bool { return n.kind == k.kind && n.holder != k.holder && c.said[n.holder] == nil })
}

// holders makes sure that who was added has a file.
func (c *checker) holders(ctx context.Context) error {
	o := Options{Bucket: c.bucket}
	for !c.broken {
		names, err := o.keyNames(ctx)
		if err != nil {
			return err
		}
		before := c.last.Number
		if err := c.follow(ctx); unreadable(err) {
			return nil // which the next check tells
		} else if err != nil {
			return err
		}
		lost := slices.DeleteFunc(slices.Sorted(maps.Keys(c.said)), func(id string) bool {
			return !c.said.added(id) || slices.ContainsFunc(names, func(n keyName) bool { return n.holder == id && n.generation == c.last.Sealing() })
		})
		if len(lost) > 0 && before != c.last.Number {
			continue // he was added, or the key rotated, since the names were listed
		}
		for _, id := range lost {
			c.damage(fmt.Errorf("%w: holder %s (%s) was added, and has no file in keys/: he cannot open the archive (put a copy of it back, or `mailbrick key remove %s` and add him again)",
				ErrDamaged, id, c.said[id].Kind, id))
		}
		return nil
	}
	return nil
}

// again reads the records that others appended meanwhile, and tells whether the archive still needs a pack.
func (c *checker) again(ctx context.Context, name pack.Name) (bool, error) {
	if err := c.follow(ctx); err != nil && !unreadable(err) { // damage is the next check's
		return false, err
	}
	_, ok := c.packs[name]
	return ok, nil
}

func (c *checker) follow(ctx context.Context) error {
	for rec, err := range c.a.records(ctx, c.last) {
		if err != nil {
			return journalError(err)
		}
		c.record(ctx, rec)
	}
	return nil
}

// signature checks who signed a record, and what it says of the key.
func (c *checker) signature(ctx context.Context, rec *journal.Record) {
	if w := rec.Body.Writer; w != nil {
		c.writers[w.Key] = true
	}
	if !c.writers[rec.Signer] {
		c.damage(fmt.Errorf("%w: journal record %d is signed by %s, whom no record announces", ErrDamaged, rec.Number, Fingerprint(rec.Signer)))
	}
	if err := c.o.Checkpoint.against(rec.Head); err != nil {
		c.damage(err)
	}
	if err := c.a.keys.rotated(ctx, rec); err != nil && ctx.Err() == nil {
		c.damage(fmt.Errorf("%w: %w", ErrDamaged, err))
	}
}

// records inspects the bytes of all records, also of those that the chain does not reach. Without parity their seals are all
// there is, and the chain was read.
func (c *checker) records(ctx context.Context) error {
	if c.parity == nil {
		return nil
	}
	return eachRecord(ctx, c.bucket, func(name string) error {
		_, err := c.covered(ctx, name, parity.Unknown)
		return err
	})
}

// eachRecord visits the objects of the journal.
func eachRecord(ctx context.Context, b blob.Bucket, visit func(name string) error) error {
	for info, err := range b.List(ctx, journal.Prefix) {
		if err != nil {
			return fmt.Errorf("list the journal: %w", err)
		}
		if _, ok := journal.ParseSpan(info.Name); !ok {
			continue
		}
		if err := visit(info.Name); err != nil && !errors.Is(err, blob.ErrNotExist) { // folded since it was listed: what misses it tells who reads the chain
			return err
		}
	}
	return nil
}

// name notes a pack that the archive needs.
func (c *checker) name(p journal.Pack) {
	if _, ok := c.packs[p.Name]; !ok {
		c.order = append(c.order, p.Name)
		c.packs[p.Name] = p
	}
}

// gap finds records that lie behind the chain's end.
func (c *checker) gap(ctx context.Context) error {
	last, err := c.a.opts.lastObject(ctx)
	if err != nil {
		return err
	}
	if last = max(last, c.a.Head()); c.last.Number < last && !c.broken {
		// Others may have appended them since.
		if err := c.follow(ctx); err != nil && !unreadable(err) {
			return err
		}
	}
	if c.last.Number > c.a.Head() {
		if err := c.a.catchUpAlone(ctx); err != nil {
			return err
		}
	}
	if last = max(last, c.a.Head()); c.last.Number < last {
		c.damage(fmt.Errorf("%w: the journal's chain ends at record %d, %d is the last", ErrDamaged, c.last.Number, last))
	}
	return nil
}

// present compares the packs that the journal names with those in the bucket.
func (c *checker) present(ctx context.Context) error {
	there, err := c.a.packSizes(ctx)
	if err != nil {
		return err
	}
	inline := 0
	for _, name := range c.order {
		p, needed := c.packs[name]
		size, ok := there[name]
		if p.Inline {
			if size, ok = p.Size, p.At != 0; ok {
				inline++
			}
		}
		if needed && !ok && !c.broken {
			if needed, err = c.again(ctx, name); err != nil {
				return err
			}
		}
		switch {
		case !needed:
			continue
		case !ok:
			c.damage(fmt.Errorf("%w: pack %x is missing", ErrDamaged, name))
		case size != p.Size && c.parity == nil: // else its parity tells
			c.damage(fmt.Errorf("%w: pack %x has %d bytes, it had %d", ErrDamaged, name, size, p.Size))
		}
		if !ok {
			delete(c.packs, name)
		}
	}
	if c.report.Records == 0 && !c.broken && len(there) > 0 {
		c.damage(fmt.Errorf("%w: there are %d packs and no journal that says what they hold", ErrDamaged, len(there)))
		c.broken = true
	}
	if !c.broken { // else some record that cannot be read may name them
		c.report.Orphans = len(there) + inline - len(c.packs)
	}
	return nil
}

// contents checks the bytes of the packs, and their tables.
func (c *checker) contents(ctx context.Context) error {
	total := int64(len(c.packs))
	for _, name := range c.unproved() {
		p, ok := c.packs[name]
		if !ok {
			continue // missing, and told already
		}
		err := c.pack(ctx, name, p)
		if errors.Is(err, blob.ErrNotExist) {
			var needed bool
			if needed, err = c.again(ctx, name); needed {
				c.damage(fmt.Errorf("%w: pack %x is missing", ErrDamaged, name))
			}
		}
		if err != nil {
			return err
		}
		c.report.Packs++
		if err := c.donePack(name); err != nil {
			return err
		}
		c.progress(int64(c.report.Packs), total, "packs")
	}
	return nil
}

// pack checks one. Where its bytes are damaged, that its table cannot be read says no more.
func (c *checker) pack(ctx context.Context, name pack.Name, p journal.Pack) error {
	whole, err := c.bytes(ctx, name, p)
	if err != nil {
		return err
	}
	t, err := c.a.table(ctx, &p)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, blob.ErrNotExist), blob.OutOfReach(err):
		return err
	case err != nil && whole:
		c.damage(err)
	case err != nil:
	default:
		c.report.Chunks += t.Chunks()
		return c.catalogued(ctx, name, t.Chunks())
	}
	return nil
}

// catalogued makes sure that the catalog knows all chunks of a pack.
func (c *checker) catalogued(ctx context.Context, name pack.Name, chunks int) error {
	n, err := c.a.cat.chunksOf(name)
	if err == nil && n == chunks {
		return nil
	}
	needed, againErr := c.again(ctx, name)
	if needed {
		c.damage(errors.Join(err, fmt.Errorf("%w: the catalog was made when pack %x could not be read (`mailbrick rebuild --catalog` makes it anew)", ErrDamaged, name)))
	}
	return againErr
}

func (c *checker) bytes(ctx context.Context, name pack.Name, p journal.Pack) (whole bool, err error) {
	before := len(c.report.Errors)
	if c.parity != nil && !p.Inline { // else its record's object was inspected
		_, err = c.covered(ctx, name.Object(), p.Size)
	} else if digestErr := c.digest(ctx, &p); ctx.Err() != nil || errors.Is(digestErr, blob.ErrNotExist) || blob.OutOfReach(digestErr) {
		err = errors.Join(ctx.Err(), digestErr)
	} else if digestErr != nil {
		c.damage(digestErr)
	}
	return len(c.report.Errors) == before, err
}

func (c *checker) digest(ctx context.Context, p *journal.Pack) error {
	_, err := again(ctx, c.a.source, func(r reading) ([32]byte, error) {
		r.inline = nil // as it is now
		packs, err := r.of(ctx, p)
		if err != nil {
			return [32]byte{}, err
		}
		return packs.Digest(ctx, p.Name)
	})
	return err
}

// items checks every version of every mailbox, those not complete yet included.
func (c *checker) items(ctx context.Context) error {
	c.a.cat.mu.RLock()
	names := append([]string(nil), c.a.cat.names...)
	c.a.cat.mu.RUnlock()
	for n, name := range names {
		err := c.a.cat.scan(ctx, key32(keyVersion, uint32(n)), func(key, value []byte) error {
			r, err := c.a.cat.openRow(key, value)
			if err != nil || r.to <= r.from || c.before.proved(uint32(n), r) { // or no snapshot ever shows it
				return err
			}
			return c.item(ctx, name, uint32(n), r)
		})
		if errors.Is(err, ErrDamaged) {
			c.damage(fmt.Errorf("catalog (`mailbrick rebuild --catalog` makes it anew): %w", err))
			continue
		}
		if err != nil {
			return err
		}
	}
	return c.prove(ctx)
}

// provedAtOnce is how many items are read in the order that costs least.
const provedAtOnce = 1 << 16

// unproved is what is kept of a version until it is read.
type unproved struct {
	at      spot
	recipe  chunkID
	sha256  [32]byte
	id      ID
	mailbox uint32
}

func (c *checker) item(ctx context.Context, mailbox string, number uint32, r *row) error {
	jv, err := r.bare()
	if err != nil {
		return err
	}
	if c.o.ReadAll {
		c.toProve = append(c.toProve, unproved{c.a.cat.spotOf(jv.Recipe), jv.Recipe, jv.SHA256, jv.ID, number})
		if len(c.toProve) < c.a.opts.proveMax {
			return nil
		}
		if err := c.prove(ctx); err != nil {
			return err
		}
		return c.doneItem(number, r)
	}
	return c.checked(ctx, versionOf(mailbox, jv), c.chunksThere(ctx, jv))
}

// prove reads the items that were gathered, each to its digest.
func (c *checker) prove(ctx context.Context) error {
	c.a.cat.mu.RLock()
	names := c.a.cat.names
	c.a.cat.mu.RUnlock()
	slices.SortStableFunc(c.toProve, func(x, y unproved) int { return x.at.compare(y.at) })
	var last *unproved
	var lastErr error
	for i := range c.toProve {
		u := &c.toProve[i]
		v := &Version{Mailbox: names[u.mailbox], ID: u.id, SHA256: u.sha256, recipe: u.recipe}
		if last == nil || last.recipe != u.recipe || last.sha256 != u.sha256 { // versions that differ in a flag share a blob
			last, lastErr = u, c.readBack(ctx, v)
		}
		if err := c.checked(ctx, v, lastErr); err != nil {
			return err
		}
	}
	c.toProve = c.toProve[:0]
	return nil
}

// checked notes what was found of an item.
func (c *checker) checked(ctx context.Context, v *Version, err error) error {
	if ctx.Err() != nil || blob.OutOfReach(err) {
		return cmp.Or(ctx.Err(), err)
	}
	c.report.Items++
	c.progress(int64(c.report.Items), 0, "items")
	if err != nil {
		c.damage(fmt.Errorf("item %s of %s: %w", v.ID, v.Mailbox, err))
	}
	return nil
}

func (c *checker) readBack(ctx context.Context, v *Version) error {
	in, err := c.a.OpenBlob(ctx, v)
	if err != nil {
		return err
	}
	defer in.Close()
	_, err = io.Copy(io.Discard, in)
	return err
}

// chunksThere makes sure that a version's chunks lie in packs that are there. As long as nothing is wrong with any pack its recipe
// stands for the rest, whose packs the journal made sure of.
func (c *checker) chunksThere(ctx context.Context, v *journal.Version) error {
	refs := []chunkID{v.Recipe}
	if len(c.report.Errors) > 0 {
		var err error
		if refs, err = c.a.references(ctx, v, &group{}); err != nil {
			return err
		}
	}
	for _, id := range refs {
		row, err := c.a.cat.chunk(id)
		if err != nil {
			return err
		}
		if err := c.packThere(ctx, row.pack); err != nil {
			return err
		}
	}
	return nil
}

// packThere makes sure that a pack of the catalog is there.
func (c *checker) packThere(ctx context.Context, n uint32) error {
	if c.there[n] {
		return nil
	}
	p, err := c.a.cat.packRow(n)
	if err != nil {
		return err
	}
	if _, ok := c.packs[p.Name]; !ok && !p.Inline {
		_, err := c.a.opts.Bucket.Size(ctx, pack.Name(p.Name).Object())
		if blob.OutOfReach(err) {
			return err
		}
		if err != nil { // one that was added meanwhile is there
			return fmt.Errorf("%w: it lies in pack %x, which is missing", ErrDamaged, p.Name)
		}
	}
	c.there[n] = true
	return nil
}

// Stats are the sizes of an archive.
type Stats struct {
	Mailboxes, Items, Versions                int
	ExportedBytes, DistinctBytes, StoredBytes int64 // blobs as exported; chunks once, before compression; in the bucket
	CatalogBytes                              int64
	Packs, Chunks                             int
}

// Stats measures the archive. It reads the catalog and lists the bucket.
func (a *Archive) Stats(ctx context.Context) (Stats, error) {
	var s Stats
	for _, prefix := range []string{configObject, "keys/", "packs/", journal.Prefix} {
		for info, err := range a.rawBucket().List(ctx, prefix) {
			if err != nil {
				return s, fmt.Errorf("list the bucket: %w", err)
			}
			s.StoredBytes += info.Size
		}
	}
	for _, m := range a.Mailboxes() {
		s.Mailboxes++
		s.Items += m.Items
	}
	s.CatalogBytes = int64(a.cat.db.Metrics().DiskSpaceUsage())
	return s, errors.Join(a.countVersions(ctx, &s), a.countChunks(ctx, &s))
}

// countVersions counts what snapshots show or will show. A version that shares the blob of the one before it, for a flag that
// was changed, was not exported again.
func (a *Archive) countVersions(ctx context.Context, s *Stats) error {
	var item []byte
	var sum [32]byte
	return a.cat.scan(ctx, []byte{keyVersion}, func(key, value []byte) error {
		r, err := a.cat.openRow(key, value)
		if err != nil {
			return err
		}
		v, err := r.bare()
		if err != nil {
			return err
		}
		if r.from < r.to {
			s.Versions++
		}
		if of := key[:len(key)-4]; !bytes.Equal(of, item) || sum != v.SHA256 {
			s.ExportedBytes += v.Size
			item, sum = append(item[:0], of...), v.SHA256
		}
		return nil
	})
}

func (a *Archive) countChunks(ctx context.Context, s *Stats) error {
	err := a.cat.eachPack(ctx, func(_ uint32, p journal.Pack) {
		s.Packs++
		s.Chunks += p.Chunks
	})
	if err != nil {
		return err
	}
	return a.cat.scan(ctx, []byte{keyFrame}, func(_, value []byte) error {
		r := wire.NewReader(value)
		r.Uvarint()
		r.Uvarint()
		s.DistinctBytes += int64(r.Uint32())
		return r.Done()
	})
}
