package archive

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"mailbrick/archive/blob"
	"mailbrick/archive/journal"
	"mailbrick/archive/pack"
	"mailbrick/archive/wire"
)

// ErrPruned says that what was to be committed rests on something that was pruned meanwhile. Nothing is damaged: the next run
// stores it again.
var ErrPruned = errors.New("it was pruned meanwhile")

// ErrAnew says that an item has to be stored anew: some of its content had landed before the item was put, so that no version needed
// it, and another process pruned it.
var ErrAnew = errors.New("the item has to be stored anew")

// errCondemned says that the catalog knew a pack and does so no more.
var errCondemned = fmt.Errorf("%w: its pack was pruned", ErrDamaged)

func packNameKey(name pack.Name) []byte { return append([]byte{keyPackName}, name[:]...) }
func condemnKey(name pack.Name) []byte  { return append([]byte{keyCondemn}, name[:]...) }
func writerKey(session [16]byte) []byte { return append([]byte{keyWriter}, session[:]...) }

// writer is what is known of a session of a process that writes packs.
type writer struct {
	began  time.Time
	fenced bool
}

func appendWriter(b []byte, w writer) []byte {
	b = wire.AppendUvarint(b, uint64(max(0, w.began.UnixMilli())))
	if w.fenced {
		return append(b, 1)
	}
	return append(b, 0)
}

func openWriter(row []byte) (writer, error) {
	r := wire.NewReader(row)
	w := writer{began: time.UnixMilli(int64(r.Uvarint())).UTC(), fenced: r.Byte() == 1}
	if err := r.Done(); err != nil {
		return w, fmt.Errorf("%w: catalog: writer: %w", ErrDamaged, err)
	}
	return w, nil
}

// sessionBytes are how many bytes at the end of a pack's name are the beginning of the writing session's.
const sessionBytes = 4

// newPack begins a pack that is an object, after its session.
func (g *group) newPack(ctx context.Context) (*pack.Writer, error) {
	if err := g.begin(ctx); err != nil {
		return nil, err
	}
	return g.packIn(ctx, g.a.opts.Bucket)
}

// packIn begins a pack whose name tells its session, so that one that nobody names is known to be of a run that was broken off. It
// is sealed with the key as others may have rotated it.
func (g *group) packIn(ctx context.Context, bucket blob.Bucket) (*pack.Writer, error) {
	if err := g.identify(); err != nil {
		return nil, err
	}
	if err := g.a.catchUp(ctx); err != nil {
		return nil, err
	}
	random := g.a.opts.Random
	name := io.MultiReader(io.LimitReader(random, int64(len(pack.Name{})-sessionBytes)), bytes.NewReader(g.session[:sessionBytes]), random)
	return pack.Create(ctx, bucket, g.a.keys.sealing(g.a.cat.headNow()), name)
}

// condemn takes packs out of the catalog, and the chunks that lie in no other. Those that are needed lie in packs of the same
// record: their rows are in the batch.
func (a *application) condemn(ctx context.Context, c *journal.Condemn) error {
	for _, name := range c.Packs {
		if err := a.condemnPack(name); err != nil {
			return err
		}
	}
	for _, session := range c.Fenced {
		row, err := getFrom(a.batch, writerKey(session))
		if err != nil {
			return err
		}
		var w writer
		if row != nil {
			if w, err = openWriter(row); err != nil {
				return err
			}
		}
		w.fenced = true
		if err := a.set(writerKey(session), appendWriter(nil, w)); err != nil {
			return err
		}
	}
	if len(a.graves) == 0 {
		return nil
	}
	return a.sweepRows(ctx, []byte{keyChunk}, func(_, value []byte) bool { return a.graves.holds(value) })
}

// graves are the chunks that go: by number of their pack a bit for each, or nil for all of them.
type graves map[uint32]bits

// dig makes the graves of a record, before its packs are applied. What is not known here lies in none.
func (a *application) dig(c *journal.Condemn) (graves, error) {
	out := graves{}
	bury := func(name pack.Name, chunks bits) error {
		number, err := getFrom(a.batch, packNameKey(name))
		if err == nil && len(number) == 4 {
			out[binary.BigEndian.Uint32(number)] = chunks
		}
		return err
	}
	for _, b := range c.Buried {
		if err := bury(b.Pack, append(bits{}, b.Chunks...)); err != nil {
			return nil, err
		}
	}
	for _, name := range c.Packs {
		if err := bury(name, nil); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// has tells whether the chunk of a number in a pack goes.
func (g graves) has(pack, index uint32) bool {
	dead, ok := g[pack]
	return ok && (dead == nil || dead.has(index))
}

func (g graves) holds(row []byte) bool {
	r := wire.NewReader(row)
	pack := r.Uint32()
	r.Uvarint()
	r.Uvarint()
	r.Uvarint()
	return g.has(pack, r.Uint32())
}

func (a *application) condemnPack(name pack.Name) error {
	number, err := getFrom(a.batch, packNameKey(name))
	if err != nil {
		return err
	}
	var n uint32
	var inline bool
	if len(number) == 4 {
		n = binary.BigEndian.Uint32(number)
		if inline, err = a.inlinePack(n); err != nil {
			return err
		}
	}
	if !inline { // else no list of packs ever has it
		if err := a.set(condemnKey(name), nil); err != nil {
			return err
		}
	}
	if len(number) != 4 {
		return nil
	}
	a.graves[n] = nil // known to dig, unless it is a pack of this very record
	frames := key32(keyFrame, n)
	err = errors.Join(a.batch.Delete(packNameKey(name), nil), a.batch.Delete(key32(keyPack, n), nil),
		a.batch.DeleteRange(frames, after(frames), nil))
	if err != nil {
		return fmt.Errorf("catalog: %w", err)
	}
	return nil
}

func (a *application) inlinePack(n uint32) (bool, error) {
	row, err := getFrom(a.batch, key32(keyPack, n))
	if err != nil || row == nil {
		return false, err
	}
	p, err := readPackRow(row)
	return p.Inline, err
}

// sweepBatch is how many rows go at once.
const sweepBatch = 1 << 16

// sweepRows takes away rows with a prefix. It does so before the record's own batch, and in pieces: nothing needs these rows any more,
// and after a crash the record is applied again.
func (a *application) sweepRows(ctx context.Context, prefix []byte, goes func(key, value []byte) bool) error {
	it, err := a.batch.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: after(prefix)})
	if err != nil {
		return fmt.Errorf("catalog: %w", err)
	}
	defer it.Close()
	rows := a.db.NewBatch()
	defer func() { rows.Close() }()
	for ok := it.First(); ok; ok = it.Next() {
		if !keyFits(it.Key()) {
			return errKey
		}
		if !goes(it.Key(), it.Value()) {
			continue
		}
		if err := errors.Join(ctx.Err(), rows.Delete(it.Key(), nil)); err != nil {
			return fmt.Errorf("catalog: %w", err)
		}
		if rows.Count() >= sweepBatch {
			if err := rows.Commit(pebble.NoSync); err != nil {
				return fmt.Errorf("catalog: %w", err)
			}
			rows = a.db.NewBatch()
		}
	}
	if err := errors.Join(it.Error(), rows.Commit(pebble.NoSync)); err != nil {
		return fmt.Errorf("catalog: %w", err)
	}
	return nil
}

// pruned counts the records that condemned packs.
func (c *catalog) pruned() uint64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.condemned
}

func (c *catalog) has(key []byte) (bool, error) {
	row, err := c.get(key)
	return row != nil, err
}

// unfenced makes sure that nobody took this process for one that was broken off, and its packs away.
func (g *group) unfenced() error {
	if !g.begun {
		return nil
	}
	row, err := g.a.cat.get(writerKey(g.session))
	if err != nil || row == nil {
		return err
	}
	if w, err := openWriter(row); err != nil || !w.fenced {
		return err
	}
	return fmt.Errorf("%w: another process took this one for broken off", ErrPruned)
}

// dependencies names the packs of earlier records that the group points into. When something was pruned since, all chunks are
// looked up again: they were moved, or they were garbage when this group found them.
func (g *group) dependencies() ([][16]byte, error) {
	if n := g.a.cat.pruned(); n != g.checked {
		if err := g.dependAgain(); err != nil {
			return nil, err
		}
		g.checked = n
	}
	var names [][16]byte
	for n := range g.depends {
		p, err := g.a.cat.packRow(n)
		if err != nil {
			return nil, err
		}
		names = append(names, p.Name)
	}
	return names, nil
}

func (g *group) dependAgain() error {
	clear(g.depends)
	for id := range g.needs {
		row, err := g.a.cat.chunk(id)
		if errors.Is(err, errNowhere) {
			return fmt.Errorf("%w: chunk %x", ErrPruned, id)
		}
		if err != nil {
			return err
		}
		if _, under := g.under[id]; under && row.base != (chunkID{}) {
			return fmt.Errorf("%w: chunk %x, and stored anew as a delta", ErrPruned, id) // nothing can be a delta against it
		}
		g.depends[row.pack] = struct{}{}
	}
	return nil
}

// orMoved reads something and, where that fails, once more if it may be there now: its pack was pruned, and the catalog knows where its
// chunks are. It catches up to know. Where that fails nobody can tell damage from what was moved, and the error is why.
func orMoved[T any](ctx context.Context, a *Archive, catchUp func(context.Context) error, read func() (T, error)) (T, error) {
	got, err := read()
	gone := errors.Is(err, blob.ErrNotExist) || errors.Is(err, errCondemned)
	if !gone && !errors.Is(err, ErrDamaged) {
		return got, err
	}
	before := a.cat.pruned()
	if failed := catchUp(ctx); failed != nil {
		return got, fmt.Errorf("%v; whether it has moved the journal must tell: %w", err, failed)
	}
	if !gone && a.cat.pruned() == before { // of what is gone a record may be void that a pack lay in
		return got, err
	}
	return read()
}
