package archive

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"mailbrick/archive/delta"
	"mailbrick/archive/journal"
	"mailbrick/archive/pack"
	"mailbrick/archive/wire"
)

// marker finds out which chunks are alive: those that versions need. Its memory grows with packs, three bits for each chunk.
type marker struct {
	a     *Archive
	packs map[uint32]*packMarks // by number
	order []*packMarks
	anew  func(*packMarks) // called when a chunk is found alive that was not; may be nil

	missing int   // chunks that versions need and no pack has
	doubt   error // the damage that hides what versions need; all chunks are marked then
}

// packMarks are what is known of a pack's chunks, by their index in it.
type packMarks struct {
	journal.Pack
	number  uint32
	lost    bool // not in the bucket
	live    bits
	recipes bits // of those, recipes that were not read yet
	deltas  bits // of those, not whole

	alive int64 // bytes of the pack that are needed, table and seals included
	gone  bool  // it is condemned
	stays bool  // something of it could not be copied
}

func (p *packMarks) garbage() int64 { return p.Size - p.alive }

// deltasHeld is how many bytes of deltas wait for their bases, so that each frame of bases is read once for many.
const deltasHeld = 32 << 20

// newMarker knows the packs of now. What is added later is no candidate, and not marked.
func (a *Archive) newMarker(ctx context.Context, there map[pack.Name]int64) (*marker, error) {
	m := &marker{a: a, packs: map[uint32]*packMarks{}}
	err := a.cat.eachPack(ctx, func(n uint32, p journal.Pack) {
		size, ok := there[p.Name]
		pm := &packMarks{Pack: p, number: n, lost: !p.Inline && (!ok || size != p.Size),
			live: newBits(p.Chunks), recipes: newBits(p.Chunks), deltas: newBits(p.Chunks)}
		m.packs[n] = pm
		m.order = append(m.order, pm)
	})
	for _, pm := range m.order {
		if err == nil && pm.lost {
			pm.lost, err = a.isLost(ctx, &pm.Pack) // it may have come after the list
		}
	}
	return m, err
}

// isLost tells whether a pack is not in the bucket in its length, nor can be mended.
func (a *Archive) isLost(ctx context.Context, p *journal.Pack) (bool, error) {
	_, err := again(ctx, a.source, func(r reading) (struct{}, error) {
		size, err := r.bucket.Size(ctx, pack.Name(p.Name).Object())
		if err == nil && size != p.Size {
			err = fmt.Errorf("%w: it has %d bytes, it had %d", pack.ErrDamaged, size, p.Size)
		}
		return struct{}{}, err
	})
	if err = journalError(err); errors.Is(err, ErrDamaged) {
		return true, nil
	}
	return false, err
}

// mark marks what all versions need, those of snapshots that are not complete yet included. Of what cannot be read for damage
// it cannot be told what it needs, and it may be mended one day: then everything is marked.
func (m *marker) mark(ctx context.Context, progress func(done, total int64, what string)) error {
	err := m.markEach(ctx, progress)
	if unreadable(err) {
		m.all(err)
		return nil
	}
	return err
}

// unreadable tells whether something is there and cannot be read, now or by this program.
func unreadable(err error) bool { return errors.Is(err, ErrDamaged) || errors.Is(err, ErrVersion) }

// all marks every chunk of every pack.
func (m *marker) all(doubt error) {
	m.doubt = doubt
	for _, pm := range m.order {
		pm.live.fill(pm.Chunks)
	}
}

func (m *marker) markEach(ctx context.Context, progress func(done, total int64, what string)) error {
	items := int64(0)
	err := m.a.cat.scan(ctx, []byte{keyVersion}, func(key, value []byte) error {
		id, shown, err := recipeIn(value, binary.BigEndian.Uint32(key[len(key)-4:]))
		if err != nil || !shown {
			return err
		}
		items++
		progress(items, 0, "versions")
		return m.recipe(ctx, id)
	})
	if err != nil {
		return err
	}
	for i, pm := range m.order {
		if err := m.readRecipes(ctx, pm); err != nil {
			return err
		}
		progress(int64(i+1), int64(len(m.order)), "packs marked")
	}
	return nil
}

// recipeIn is the recipe that a version's row names, and whether any snapshot shows the version or will.
func recipeIn(value []byte, from uint32) (id chunkID, shown bool, err error) {
	r := wire.NewReader(value)
	shown = r.Uint32() > from
	var v journal.Version
	if err := errors.Join(v.Read(r), r.Err()); err != nil {
		return id, shown, fmt.Errorf("%w: catalog: version: %w", ErrDamaged, err)
	}
	return v.Recipe, shown, nil
}

// recipe marks a recipe and the one that it is the difference from; what they name follows when they are read.
func (m *marker) recipe(ctx context.Context, id chunkID) error {
	row, err := m.a.cat.chunk(id)
	if err != nil {
		return fmt.Errorf("recipe: %w", err)
	}
	m.place(row)
	pm := m.packs[row.pack]
	if pm == nil { // it was stored once more since marking began, where nobody will look, and what it names was not
		return m.version(ctx, id)
	}
	// That it is marked says nothing: it may be the base of others, whose own names nobody has read.
	if !pm.recipes.set(row.index) {
		return nil
	}
	if row.base == (chunkID{}) {
		return nil
	}
	pm.deltas.set(row.index)
	base, err := m.a.cat.chunk(row.base)
	if err != nil {
		return fmt.Errorf("base of a recipe: %w", err)
	}
	m.place(base)
	return nil
}

// place marks a chunk by where it lies. Of packs that are newer than the marker it knows nothing.
func (m *marker) place(row chunkRow) {
	if pm := m.packs[row.pack]; pm != nil && pm.live.set(row.index) && m.anew != nil {
		m.anew(pm)
	}
}

// chunk marks what a recipe names. What is nowhere is lost already, and Check says so.
func (m *marker) chunk(id chunkID) error {
	row, err := m.a.cat.chunk(id)
	if errors.Is(err, errNowhere) {
		m.missing++
		return nil
	}
	if err != nil {
		return err
	}
	m.place(row)
	return nil
}

func (m *marker) names(data []byte, known map[chunkID]struct{}) error {
	r, err := readRecipe(data)
	if err != nil {
		return err
	}
	for i := range r.streams {
		for _, c := range r.streams[i].chunks {
			if _, ok := known[c.id]; ok {
				continue
			}
			if err := m.chunk(c.id); err != nil {
				return err
			}
			if known != nil {
				known[c.id] = struct{}{}
			}
		}
	}
	return nil
}

// waiting is a recipe that was read as a delta, with the place of its base.
type waiting struct {
	base chunkRow
	data []byte
}

// readRecipes reads a pack's recipes, each frame once, and marks what they name.
func (m *marker) readRecipes(ctx context.Context, pm *packMarks) error {
	if !pm.recipes.any(0, uint32(pm.Chunks)) {
		return nil
	}
	if pm.lost {
		return fmt.Errorf("%w: pack %x is missing: what its items need cannot be told", ErrDamaged, pm.Name)
	}
	var held []waiting
	size := 0
	err := m.a.eachFrame(ctx, &pm.Pack, pm.recipes, func(n uint32, c *pack.Chunk, data []byte) error {
		if !pm.deltas.has(n) {
			return m.names(data, nil)
		}
		base, err := m.a.cat.chunk(c.Base)
		if err != nil {
			return err
		}
		held = append(held, waiting{base, bytes.Clone(data)})
		if size += len(data); size < deltasHeld {
			return nil
		}
		err = m.applied(ctx, held)
		held, size = held[:0], 0
		return err
	})
	if err == nil {
		err = m.applied(ctx, held)
	}
	pm.recipes, pm.deltas = nil, nil
	return err
}

// applied marks what recipes name that wait for their bases, in the order in which these lie.
func (m *marker) applied(ctx context.Context, held []waiting) error {
	slices.SortFunc(held, func(x, y waiting) int {
		return cmp.Or(cmp.Compare(x.base.pack, y.base.pack), cmp.Compare(x.base.index, y.base.index))
	})
	known := map[chunkID]struct{}{} // copies name what their base names
	for i, w := range held {
		if i > 0 && held[i-1].base != w.base {
			clear(known)
		}
		base, err := m.a.stored(ctx, chunkID{}, w.base)
		if err != nil {
			return err
		}
		data, err := delta.Apply(nil, base, w.data, maxRef)
		if err != nil {
			return fmt.Errorf("%w: recipe: %w", ErrDamaged, err)
		}
		if err := m.names(data, known); err != nil {
			return err
		}
	}
	return nil
}

// eachFrame reads the frames of a pack that hold a wanted chunk, by their parity where that is needed, and visits these chunks. What is
// visited is valid during the call only. A frame that is damaged is passed over, and told at the end.
func (a *Archive) eachFrame(ctx context.Context, p *journal.Pack, wanted bits, visit func(n uint32, c *pack.Chunk, data []byte) error) error {
	t, err := a.table(ctx, p)
	if err != nil {
		return journalError(err)
	}
	var damage error
	offsets := t.FrameOffsets()
	n := uint32(0)
	for i := range t.Frames {
		f := &t.Frames[i]
		first := n
		n += uint32(len(f.Chunks))
		if !wanted.any(first, n) {
			continue
		}
		plain, err := a.plain(ctx, p, pack.FrameRef{Pack: t.Name, Generation: t.Generation, Salt: t.Salt, Ordinal: uint32(i), Offset: offsets[i], Sealed: f.Sealed, Plain: f.Plain})
		if unreadable(err) {
			damage = errors.Join(damage, err)
			continue
		}
		if err != nil {
			return err
		}
		for k := range f.Chunks {
			c := &f.Chunks[k]
			if wanted.has(first + uint32(k)) {
				if err := visit(first+uint32(k), c, plain[:c.Length]); err != nil {
					return err
				}
			}
			plain = plain[c.Length:]
		}
	}
	return errors.Join(ctx.Err(), damage)
}

// plain reads a frame that nobody will ask for again.
func (a *Archive) plain(ctx context.Context, p *journal.Pack, ref pack.FrameRef) ([]byte, error) {
	plain, err := again(ctx, a.source, func(r reading) ([]byte, error) {
		packs, err := r.of(ctx, p)
		if err != nil {
			return nil, err
		}
		return packs.Frame(ctx, ref)
	})
	return plain, journalError(err)
}

// version marks what the versions with a recipe need, at once.
func (m *marker) version(ctx context.Context, recipe chunkID) error {
	refs, err := m.a.references(ctx, &journal.Version{Recipe: recipe}, &group{})
	if err != nil {
		return err
	}
	for _, id := range refs {
		row, err := m.a.cat.chunk(id)
		if errors.Is(err, errNowhere) {
			continue
		}
		if err != nil {
			return err
		}
		m.place(row)
		if row.base == (chunkID{}) {
			continue
		}
		if err := m.chunk(row.base); err != nil {
			return err
		}
	}
	return nil
}
