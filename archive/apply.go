package archive

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"mailbrick/archive/blob"
	"mailbrick/archive/delta"
	"mailbrick/archive/journal"
	"mailbrick/archive/pack"
	"mailbrick/archive/wire"
)

// tableSource gives the table of a pack that the journal names: from memory for packs just written, from the bucket when following.
type tableSource func(ctx context.Context, p *journal.Pack) (*pack.Table, error)

// apply makes the catalog say what a record says. It is the only way in, for this process's own records and for those
// found in the bucket alike, so that a rebuilt catalog is the one that was lost. The record is durable already.
func (c *catalog) apply(ctx context.Context, rec *journal.Record, tables tableSource) error {
	a := &application{catalog: c, batch: c.db.NewIndexedBatch(), rec: rec, states: map[string]*mailboxState{}, packs: c.packs,
		placed: map[chunkID]chunkRow{}, firsts: map[chunkID][]byte{}, holdsNew: map[string]*Hold{}}
	defer a.close()
	if rec.Body.Condemn != nil {
		var err error
		if a.graves, err = a.dig(rec.Body.Condemn); err != nil {
			return err
		}
	}
	for i := range rec.Body.Packs {
		p := &rec.Body.Packs[i]
		t, err := tables(ctx, p)
		switch {
		case errors.Is(err, blob.ErrNotExist), errors.Is(err, pack.ErrDamaged):
			// A pack that is lost takes along the items that lie in it, and only them. Its chunks are nowhere, Check says so,
			// and what is backed up again is stored again.
			t = &pack.Table{}
		case err != nil:
			return fmt.Errorf("journal record %d: %w", rec.Number, err)
		}
		if err := a.pack(p, t); err != nil {
			return err
		}
	}
	if w := rec.Body.Writer; w != nil {
		if err := a.set(append([]byte{keySigner}, w.Key[:]...), []byte(w.Name)); err != nil {
			return err
		}
	}
	for i := range rec.Body.Sections {
		if err := a.section(&rec.Body.Sections[i]); err != nil {
			return fmt.Errorf("catalog: journal record %d: %w", rec.Number, err)
		}
	}
	if b := rec.Body.Begin; b != nil {
		if err := a.set(writerKey(b.Session), appendWriter(nil, writer{began: rec.Time})); err != nil {
			return err
		}
	}
	if c := rec.Body.Condemn; c != nil {
		if err := a.condemn(ctx, c); err != nil {
			return fmt.Errorf("catalog: journal record %d: %w", rec.Number, err)
		}
	}
	for i := range rec.Body.Forgets {
		if err := a.forget(&rec.Body.Forgets[i]); err != nil {
			return fmt.Errorf("catalog: journal record %d: %w", rec.Number, err)
		}
	}
	for i := range rec.Body.Holds {
		if err := a.hold(&rec.Body.Holds[i]); err != nil {
			return err
		}
	}
	for i := range rec.Body.Releases {
		if err := a.release(ctx, &rec.Body.Releases[i]); err != nil {
			return err
		}
	}
	return a.commit()
}

// application is one record on its way into the catalog. The catalog's own state changes when the batch is in.
type application struct {
	*catalog
	batch  *pebble.Batch
	rec    *journal.Record
	states map[string]*mailboxState
	packs  uint32
	graves graves               // what the record takes away
	placed map[chunkID]chunkRow // rows of this record's packs
	firsts map[chunkID][]byte   // what summaries of this record are stored against
	view   *probe               // of the catalog as this record leaves it; made when first needed

	holdsNew map[string]*Hold // nil of one that ended
}

func (a *application) commit() error {
	head := wire.AppendUvarint(nil, a.rec.Number)
	head = append(head, a.rec.Hash[:]...)
	head = wire.AppendUvarint(head, uint64(a.rec.Time.UnixMilli()))
	head = wire.AppendUvarint(head, uint64(a.packs))
	head = wire.AppendUvarint(head, uint64(a.rec.Generation))
	if err := a.set([]byte{keyMeta, 'h'}, head); err != nil {
		return err
	}
	for name, st := range a.states {
		key := key32(keyMailbox, st.number)
		if err := a.set(key, st.encode(name)); err != nil {
			return err
		}
	}
	if err := errors.Join(a.batch.Commit(pebble.NoSync), a.probes.renew()); err != nil {
		return fmt.Errorf("catalog: %w", err)
	}
	if a.rec.Body.Condemn != nil {
		a.rows.clear()
	} else {
		a.rows.replace(a.placed)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.head, a.catalog.packs, a.dirty = a.rec.Head, a.packs, true
	a.holds = holdsAfter(a.holds, a.holdsNew)
	if a.rec.Body.Condemn != nil {
		a.catalog.condemned++
	}
	for name, st := range a.states {
		for int(st.number) >= len(a.names) {
			a.names = append(a.names, "")
		}
		a.names[st.number] = name
		a.mailboxes[name] = st
	}
	return nil
}

func (a *application) set(key, value []byte) error {
	if err := a.batch.Set(key, value, nil); err != nil {
		return fmt.Errorf("catalog: %w", err)
	}
	return nil
}

func (a *application) pack(p *journal.Pack, t *pack.Table) error {
	n := a.packs
	a.packs++
	if err := a.set(key32(keyPack, n), appendPackRow(nil, p, t.Chunks())); err != nil {
		return err
	}
	if err := a.set(packNameKey(p.Name), binary.BigEndian.AppendUint32(nil, n)); err != nil {
		return err
	}
	for i, off := range t.FrameOffsets() {
		f := t.Frames[i]
		row := wire.AppendUvarint(nil, uint64(off))
		row = wire.AppendUvarint(wire.AppendUvarint(row, uint64(f.Sealed)), uint64(f.Plain))
		if err := a.set(binary.BigEndian.AppendUint32(key32(keyFrame, n), uint32(i)), row); err != nil {
			return err
		}
	}
	index := uint32(0)
	return t.Places(func(ch pack.Chunk, at pack.Place) error {
		placed := chunkRow{pack: n, at: at, index: index, base: ch.Base}
		index++ // also of those that are passed over
		row := wire.AppendUvarint(wire.AppendUvarint(nil, uint64(n)), uint64(at.Frame))
		row = wire.AppendUvarint(wire.AppendUvarint(row, uint64(at.Offset)), uint64(at.Length))
		row = wire.AppendUvarint(row, uint64(placed.index))
		if ch.Base != (chunkID{}) {
			// Others may be stored against it: what two machines stored at the same time stays whole. Not so if this record takes
			// the whole one away: who wrote it could not see that.
			old, err := a.place(ch.ID)
			if err == nil && old.base == (chunkID{}) && !a.graves.has(old.pack, old.index) || err != nil && !errors.Is(err, errNowhere) {
				return err
			}
			row = append(row, ch.Base[:]...)
		}
		if ch.Similar != (pack.Similar{}) {
			if err := a.set(similarKey(ch.Similar), ch.ID[:]); err != nil {
				return err
			}
		}
		a.placed[ch.ID] = placed
		return a.set(append([]byte{keyChunk}, ch.ID[:]...), row)
	})
}

// place tells where a chunk lies as this record leaves it.
func (a *application) place(id chunkID) (chunkRow, error) {
	if row, ok := a.placed[id]; ok {
		return row, nil
	}
	return a.known(id)
}

// state is the mailbox's state as this record leaves it.
func (a *application) state(mailbox string) *mailboxState {
	if st := a.states[mailbox]; st != nil {
		return st
	}
	a.mu.RLock()
	defer a.mu.RUnlock()
	st := &mailboxState{}
	if old := a.mailboxes[mailbox]; old != nil {
		*st = *old
	} else {
		st.number = uint32(len(a.names))
		for _, other := range a.states {
			if int(other.number) >= len(a.names) {
				st.number++
			}
		}
	}
	a.states[mailbox] = st
	return st
}

func (a *application) section(s *journal.Section) error {
	st := a.state(s.Mailbox)
	if s.Ordinal != st.ordinal+1 {
		return fmt.Errorf("%w: snapshot %d follows snapshot %d of its mailbox", ErrDamaged, s.Ordinal, st.ordinal)
	}
	st.pending, st.record = true, a.rec.Number
	for i := range s.Folders {
		if err := a.folder(st, s.Ordinal, &s.Folders[i]); err != nil {
			return err
		}
	}
	for _, id := range s.FoldersGone {
		if err := a.endRow(keyFolder, st.number, a.ids.folder(id), s.Ordinal); err != nil {
			return err
		}
	}
	for i := range s.Versions {
		if err := a.version(st, s.Ordinal, &s.Versions[i]); err != nil {
			return err
		}
	}
	for _, id := range s.Gone {
		if err := a.gone(st, s.Ordinal, id); err != nil {
			return err
		}
	}
	for _, cur := range s.Cursors {
		if err := a.cursor(st, cur); err != nil {
			return err
		}
	}
	if s.Complete {
		return a.complete(st, s)
	}
	return nil
}

func (a *application) complete(st *mailboxState, s *journal.Section) error {
	st.ordinal, st.pending = s.Ordinal, false
	st.last = Snapshot{Mailbox: s.Mailbox, Ordinal: s.Ordinal, Time: a.rec.Time, Position: a.rec.Number,
		Items: st.items, Added: st.added, Changed: st.changed, Removed: st.removed}
	st.added, st.changed, st.removed = 0, 0, 0
	key := binary.BigEndian.AppendUint32(key32(keySnapshot, st.number), s.Ordinal)
	return a.set(key, appendSnapshot(nil, &st.last))
}

func (a *application) cursor(st *mailboxState, c journal.Cursor) error {
	key := rowPrefix(keyCursor, st.number, a.ids.cursor(c.Key))
	if c.Value == nil {
		if err := a.batch.Delete(key, nil); err != nil {
			return fmt.Errorf("catalog: %w", err)
		}
		return nil
	}
	return a.set(key, wire.AppendBytes(wire.AppendBytes(nil, c.Key), c.Value))
}

func (a *application) folder(st *mailboxState, ordinal uint32, f *journal.Folder) error {
	name := a.ids.folder(f.ID)
	if err := a.endRow(keyFolder, st.number, name, ordinal); err != nil {
		return err
	}
	row := wire.AppendUvarint(nil, uint64(Forever))
	for _, text := range []string{f.ID, f.ParentID, f.Name, f.Class, f.Kind} {
		row = wire.AppendBytes(row, text)
	}
	key := rowKey(keyFolder, st.number, name, ordinal)
	return a.set(key, row)
}

// version adds a version and ends the one before it.
func (a *application) version(st *mailboxState, ordinal uint32, v *journal.Version) error {
	last, err := a.lastRow(keyVersion, st.number, v.ID)
	if err != nil {
		return err
	}
	was, err := a.standing(st, ordinal, last)
	if err != nil {
		return err
	}
	st.count(was, -1)
	st.count(standing{before: was.before, now: true, anew: true}, 1)
	if err := a.end(last, ordinal); err != nil {
		return err
	}
	row := *v
	if row.Summary, err = a.summary(v); err != nil {
		return err
	}
	key := rowKey(keyVersion, st.number, v.ID, ordinal)
	return a.set(key, row.Append(wire.AppendUvarint(nil, uint64(Forever))))
}

// Forms of a summary in a row. Those of copies differ little: the row has the difference from the first of them.
const (
	summaryWhole = 0
	summaryDelta = 1
)

func (a *application) summary(v *journal.Version) ([]byte, error) {
	whole := append([]byte{summaryWhole}, v.Summary...)
	c, err := a.place(v.Recipe)
	if errors.Is(err, errNowhere) || err == nil && c.base == (chunkID{}) {
		return whole, nil
	}
	if err != nil {
		return nil, err
	}
	first, err := a.firstSummary(c.base, v.Summary)
	if err != nil {
		return nil, err
	}
	d := a.deltas.Encode([]byte{summaryDelta}, first, v.Summary)
	if len(d) >= len(whole) {
		return whole, nil
	}
	return append(append(make([]byte, 0, 17+len(d)), d[0]), append(c.base[:], d[1:]...)...), nil
}

// firstSummary is what summaries of copies are stored against: that of the first, and mine where it has none.
func (a *application) firstSummary(base chunkID, mine []byte) ([]byte, error) {
	if first, ok := a.firsts[base]; ok {
		return first, nil
	}
	first, err := a.get(summaryKey(base))
	if err != nil {
		return nil, err
	}
	if first == nil {
		first = mine
		err = a.set(summaryKey(base), first)
	}
	a.firsts[base] = first
	return first, err
}

// summaryOf reads what a row has of a summary.
func (c *catalog) summaryOf(b []byte) ([]byte, error) {
	r := wire.NewReader(b)
	switch r.Byte() {
	case summaryWhole:
		return r.Rest(), r.Err()
	case summaryDelta:
		first, err := c.get(summaryKey(chunkID(r.Fixed(len(chunkID{})))))
		if err != nil {
			return nil, err
		}
		return delta.Apply(nil, first, r.Rest(), maxSummary)
	}
	return nil, errors.New("summary of an unknown form")
}

// gone ends an item's last version.
func (a *application) gone(st *mailboxState, ordinal uint32, id ID) error {
	last, err := a.lastRow(keyVersion, st.number, id)
	if err != nil || last == nil || last.to != Forever {
		return err
	}
	was, err := a.standing(st, ordinal, last)
	if err != nil {
		return err
	}
	st.count(was, -1)
	st.count(standing{before: was.before}, 1)
	return a.end(last, ordinal)
}

// standing is where an item stands between the last complete snapshot and the next. Counts follow from it alone, so that
// they are the same however many records the way from one to the other takes.
type standing struct {
	before bool // the last complete snapshot shows it
	now    bool // it is alive
	anew   bool // by a version that the last complete snapshot does not show
}

func (a *application) standing(st *mailboxState, ordinal uint32, last *row) (standing, error) {
	if last == nil {
		return standing{}, nil
	}
	s := standing{now: last.to == Forever, anew: last.from == ordinal}
	if !s.anew {
		s.before = last.to >= ordinal
		return s, nil
	}
	earlier, err := a.lastRowBefore(last.key)
	s.before = err == nil && earlier != nil && earlier.to >= ordinal
	return s, err
}

// count adds or takes away what an item's standing is to a mailbox's counts.
func (st *mailboxState) count(s standing, n int) {
	if s.now {
		st.items += n
	}
	switch {
	case s.before && !s.now:
		st.removed += n
	case s.before && s.anew:
		st.changed += n
	case !s.before && s.now:
		st.added += n
	}
}

func (a *application) endRow(space byte, mailbox uint32, name [16]byte, ordinal uint32) error {
	last, err := a.lastRow(space, mailbox, name)
	if err != nil {
		return err
	}
	return a.end(last, ordinal)
}

// end closes a row at an ordinal; one that began there is empty then, or is about to be replaced.
func (a *application) end(r *row, ordinal uint32) error {
	if r == nil || r.to != Forever {
		return nil
	}
	return a.set(r.key, append(wire.AppendUvarint(nil, uint64(ordinal)), r.rest...))
}

// row is a folder's or a version's state: visible in [from, to), the rest as the journal has it but for a version's summary.
type row struct {
	cat      *catalog
	key      []byte
	from, to uint32
	rest     []byte
}

func (c *catalog) openRow(key, value []byte) (*row, error) {
	if !keyFits(key) {
		return nil, errKey
	}
	r := wire.NewReader(value)
	out := &row{cat: c, key: append([]byte(nil), key...), from: binary.BigEndian.Uint32(key[len(key)-4:]), to: r.Uint32()}
	if r.Err() != nil {
		return nil, fmt.Errorf("%w: catalog: %w", ErrDamaged, r.Err())
	}
	out.rest = append([]byte(nil), r.Rest()...)
	return out, nil
}

// lastRow is the newest row of a name as this record leaves it, nil when there is none.
func (a *application) lastRow(space byte, mailbox uint32, name [16]byte) (*row, error) {
	prefix := rowPrefix(space, mailbox, name)
	return a.lastIn(prefix, after(prefix))
}

// lastRowBefore is the row of the same name before the one with a key.
func (a *application) lastRowBefore(key []byte) (*row, error) { return a.lastIn(key[:rowNameEnd], key) }

func (a *application) lastIn(name, end []byte) (last *row, err error) {
	if a.view == nil {
		a.view, err = probeIn(a.batch)
	} else {
		a.view.refresh()
	}
	if err != nil {
		return nil, err
	}
	return a.view.last(a.catalog, name, end)
}

func (a *application) close() {
	if a.view != nil {
		_ = a.view.close() // what it could not read it has told
	}
	_ = a.batch.Close()
}
