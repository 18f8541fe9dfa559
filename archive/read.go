package archive

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"

	"mailbrick/archive/blob"
	"mailbrick/archive/journal"
	"mailbrick/archive/pack"
	"mailbrick/archive/wire"
)

// whole reads a chunk that is no delta.
func (a *Archive) whole(ctx context.Context, id chunkID) ([]byte, error) {
	return (&fetcher{a: a}).whole(ctx, id)
}

// stored reads what a pack holds of a chunk.
func (a *Archive) stored(ctx context.Context, id chunkID, c chunkRow) ([]byte, error) {
	return (&fetcher{a: a}).stored(ctx, id, c)
}

// frameKey names a frame by the number of its pack in the catalog.
type frameKey struct{ pack, frame uint32 }

func (a *Archive) frame(ctx context.Context, key frameKey) ([]byte, error) {
	if plain, ok := a.frames.get(key); ok {
		return plain, nil
	}
	p, ref, err := a.cat.frameRow(key.pack, key.frame)
	if err != nil {
		return nil, err
	}
	plain, err := again(ctx, a.source, func(r reading) ([]byte, error) {
		packs, err := r.of(ctx, &p)
		if err != nil {
			return nil, err
		}
		return packs.Frame(ctx, ref)
	})
	if errors.Is(err, blob.ErrNotExist) || errors.Is(err, pack.ErrDamaged) {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if err != nil {
		return nil, err
	}
	a.frames.put(key, plain, len(plain))
	return plain, nil
}

// recipeOf reads a recipe.
func (a *Archive) recipeOf(ctx context.Context, id chunkID) (*recipe, error) {
	from := &fetcher{a: a}
	defer from.reset()
	return from.recipe(ctx, id)
}

// readRecipe reads a recipe that was stored: what is wrong with it is damage.
func readRecipe(data []byte) (*recipe, error) {
	r, err := decodeRecipe(data)
	if errors.Is(err, errRecipe) {
		err = fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return r, err
}

// references are the chunks that a version needs, its recipe's own included. A recipe of the open group has been
// accounted for when it was put.
func (a *Archive) references(ctx context.Context, v *journal.Version, g *group) ([]chunkID, error) {
	if _, ok := g.fresh[v.Recipe]; ok {
		return nil, nil
	}
	r, err := a.recipeOf(ctx, v.Recipe)
	if err != nil {
		return nil, err
	}
	refs := []chunkID{v.Recipe}
	for _, s := range r.streams {
		for _, c := range s.chunks {
			refs = append(refs, c.id)
		}
	}
	return refs, nil
}

// OpenBlob reads an item's blob, byte for byte as it was put. The reader fails at the end if the bytes are not those: a
// caller that must not hand out wrong bytes reads to the end first. Memory does not grow with the blob.
func (a *Archive) OpenBlob(ctx context.Context, v *Version) (io.ReadCloser, error) {
	from := a.itemFetcher()
	r, err := orMoved(ctx, a, from.catchUp, func() (*recipe, error) { return from.recipe(ctx, v.recipe) })
	if err != nil {
		return nil, fmt.Errorf("item %s: %w", v.ID, err)
	}
	b := &blobReader{a: a, from: from, ctx: ctx, v: v, recipe: r, digest: sha256.New(), streams: make([]streamReader, len(r.streams))}
	for i := range b.streams {
		b.streams[i] = streamReader{chunks: r.streams[i].chunks, data: r.streams[i].literal}
	}
	return b, nil
}

// streamReader is where reading stands in a stream.
type streamReader struct {
	chunks []chunkRef
	data   []byte // rest of the current chunk
}

type blobReader struct {
	a       *Archive
	from    *fetcher
	ctx     context.Context // of OpenBlob: an io.Reader has no other way to be cancelled
	v       *Version
	recipe  *recipe
	streams []streamReader
	digest  hash.Hash
	at      position
	err     error
}

// position is where reading stands in a recipe's runs.
type position struct {
	run   int
	times uint64 // how often the run was gone through
	take  int    // in the run
	taken uint64 // of the take
}

// current is the take to go on with and what is left of it; nil at the end.
func (p *position) current(r *recipe) (t *take, left uint64) {
	if p.run == len(r.runs) {
		return nil, 0
	}
	t = &r.runs[p.run].takes[p.take]
	return t, t.length - p.taken
}

// advance goes on by n bytes of the current take.
func (p *position) advance(r *recipe, n uint64) {
	run := &r.runs[p.run]
	if p.taken += n; p.taken < run.takes[p.take].length {
		return
	}
	p.taken = 0
	if p.take++; p.take < len(run.takes) {
		return
	}
	p.take = 0
	if p.times++; p.times < run.times {
		return
	}
	p.times = 0
	p.run++
}

// Close lets the blob go, and the chunks that were read of it.
func (b *blobReader) Close() error {
	b.from.close()
	b.err, b.streams, b.recipe = errBlobClosed, nil, nil
	return nil
}

var errBlobClosed = errors.New("read a blob that was closed")

func (b *blobReader) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n := 0
	for n < len(p) && b.err == nil {
		k, err := b.step(p[n:])
		n += k
		b.err = err
	}
	if n > 0 && b.err == io.EOF {
		return n, nil
	}
	return n, b.err
}

// step copies what one chunk has for the take that is next.
func (b *blobReader) step(p []byte) (int, error) {
	data, err := b.next()
	if err != nil {
		return 0, err
	}
	n := copy(p, data)
	b.took(data[:n])
	return n, nil
}

// WriteTo gives the blob without copying it first.
func (b *blobReader) WriteTo(w io.Writer) (n int64, err error) {
	for b.err == nil {
		data, err := b.next()
		if err != nil {
			b.err = err
			break
		}
		k, err := w.Write(data)
		n += int64(k)
		b.took(data[:k])
		if err != nil {
			return n, err
		}
	}
	if b.err == io.EOF {
		return n, nil
	}
	return n, b.err
}

// next is what one chunk has for the take that is next.
func (b *blobReader) next() ([]byte, error) {
	t, left := b.at.current(b.recipe)
	if t == nil {
		return nil, b.end()
	}
	st := &b.streams[t.stream]
	if len(st.data) == 0 {
		c := st.chunks[0] // the recipe was checked: there is one
		data, err := orMoved(b.ctx, b.a, b.from.catchUp, func() ([]byte, error) { return b.chunk(t.stream) })
		if err != nil {
			return nil, fmt.Errorf("item %s: %w", b.v.ID, err)
		}
		if uint32(len(data)) != c.length {
			return nil, fmt.Errorf("item %s: %w: chunk %x has another length", b.v.ID, ErrDamaged, c.id)
		}
		st.data, st.chunks = data, st.chunks[1:]
	}
	return st.data[:min(uint64(len(st.data)), left)], nil
}

// chunk reads the next one of a stream.
func (b *blobReader) chunk(stream uint64) ([]byte, error) {
	if err := b.from.ahead(b.ctx, b.upcoming(stream)); err != nil {
		return nil, err
	}
	return b.from.chunk(b.ctx, b.streams[stream].chunks[0].id)
}

// upcoming are the chunks that will be read, beginning with the next one of a stream. Streams are numbered in order of their first
// bytes, and most end before the next one begins.
func (b *blobReader) upcoming(stream uint64) iter.Seq[chunkID] {
	return func(yield func(chunkID) bool) {
		for n := range b.streams {
			for _, c := range b.streams[(int(stream)+n)%len(b.streams)].chunks {
				if !yield(c.id) {
					return
				}
			}
		}
	}
}

// took goes on behind what was handed out.
func (b *blobReader) took(data []byte) {
	b.digest.Write(data)
	st := &b.streams[b.recipe.runs[b.at.run].takes[b.at.take].stream]
	st.data = st.data[len(data):]
	b.at.advance(b.recipe, uint64(len(data)))
}

func (b *blobReader) end() error {
	if [32]byte(b.digest.Sum(nil)) != b.v.SHA256 {
		return fmt.Errorf("item %s: %w: its bytes are not those that were exported", b.v.ID, ErrDamaged)
	}
	return io.EOF
}

// chunkRow is what the catalog knows of a chunk.
type chunkRow struct {
	pack  uint32
	at    pack.Place
	index uint32  // in the pack
	base  chunkID // not zero: the pack holds the delta from this one
}

var errNowhere = fmt.Errorf("%w: the chunk is nowhere", ErrDamaged)

// nowhere is errNowhere of a chunk. Each chunk that is new is looked up first: its words are put together where they are read.
type nowhere chunkID

func (n nowhere) Error() string { return fmt.Sprintf("%v: %x", errNowhere, n[:]) }
func (n nowhere) Unwrap() error { return errNowhere }

// known is chunk for those who read the same chunks again and again.
func (c *catalog) known(id chunkID) (chunkRow, error) {
	if row, ok := c.rows.get(id); ok {
		return row, nil
	}
	turn := c.rows.now()
	row, err := c.chunk(id)
	if err == nil {
		c.rows.putSince(turn, id, row) // one that apply has changed meanwhile must not stay
	}
	return row, err
}

// chunk tells where a chunk lies; errNowhere when no pack has it.
func (c *catalog) chunk(id chunkID) (chunkRow, error) {
	var out chunkRow
	row, err := c.get(append([]byte{keyChunk}, id[:]...))
	if err != nil {
		return out, err
	}
	if row == nil {
		return out, nowhere(id)
	}
	r := wire.NewReader(row)
	out.pack = r.Uint32()
	out.at = pack.Place{Frame: r.Uint32(), Offset: r.Uint32(), Length: r.Uint32()}
	out.index = r.Uint32()
	if r.More() {
		out.base = chunkID(r.Fixed(len(chunkID{})))
	}
	if err := r.Done(); err != nil {
		return out, fmt.Errorf("%w: catalog: chunk: %w", ErrDamaged, err)
	}
	return out, nil
}

func (c *catalog) frameRow(n, frame uint32) (journal.Pack, pack.FrameRef, error) {
	p, err := c.packRow(n)
	ref := pack.FrameRef{Pack: p.Name, Generation: p.Generation, Salt: p.Salt, Ordinal: frame}
	if err != nil {
		return p, ref, err
	}
	row, err := c.get(appendUint32(key32(keyFrame, n), frame))
	if err != nil {
		return p, ref, err
	}
	if row == nil {
		return p, ref, errCondemned
	}
	r := wire.NewReader(row)
	ref.Offset, ref.Sealed, ref.Plain = int64(r.Uvarint()), r.Uint32(), r.Uint32()
	if err := r.Done(); err != nil {
		return p, ref, fmt.Errorf("%w: catalog: frame: %w", ErrDamaged, err)
	}
	return p, ref, nil
}

// appendPackRow is what the catalog keeps of a pack, as many chunks of it as could be read.
func appendPackRow(b []byte, p *journal.Pack, chunks int) []byte {
	b = append(append(b, p.Name[:]...), p.Salt[:]...)
	for _, n := range []uint64{uint64(p.Size), uint64(chunks), uint64(p.Generation)} {
		b = wire.AppendUvarint(b, n)
	}
	if p.Inline {
		b = wire.AppendUvarint(wire.AppendUvarint(b, p.Record), uint64(p.At))
	}
	return b
}

// packChunks is more than a pack's table has room for.
const packChunks = 1 << 20

func readPackRow(row []byte) (journal.Pack, error) {
	r := wire.NewReader(row)
	p := journal.Pack{Name: [16]byte(r.Fixed(16)), Salt: [32]byte(r.Fixed(32)), Size: int64(r.Uvarint()), Chunks: int(r.Uint32()), Generation: r.Uint32()}
	if p.Inline = r.More(); p.Inline {
		p.Record, p.At = r.Uvarint(), int64(r.Uvarint())
	}
	if err := r.Done(); err != nil || p.Size < 0 || p.Chunks > packChunks {
		return p, errors.Join(fmt.Errorf("%w: catalog: pack of %d bytes and %d chunks", ErrDamaged, p.Size, p.Chunks), err)
	}
	return p, nil
}

// eachPack visits the packs that the catalog knows, in order of their numbers.
func (c *catalog) eachPack(ctx context.Context, visit func(number uint32, p journal.Pack)) error {
	return c.scan(ctx, []byte{keyPack}, func(key, row []byte) error {
		p, err := readPackRow(row)
		if err == nil {
			visit(binary.BigEndian.Uint32(key[1:]), p)
		}
		return err
	})
}

// chunksOf is how many chunks of a pack the catalog knows.
func (c *catalog) chunksOf(name pack.Name) (chunks int, err error) {
	number, err := c.get(packNameKey(name))
	if err != nil || len(number) != 4 {
		return 0, err
	}
	row, err := c.get(key32(keyPack, binary.BigEndian.Uint32(number)))
	if err != nil {
		return 0, err
	}
	p, err := readPackRow(row)
	return p.Chunks, err
}

// packRow is what the catalog keeps of a pack.
func (c *catalog) packRow(n uint32) (journal.Pack, error) {
	row, err := c.get(key32(keyPack, n))
	if err != nil {
		return journal.Pack{}, err
	}
	if row == nil {
		return journal.Pack{}, errCondemned
	}
	return readPackRow(row)
}
