package archive

import (
	"container/list"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"

	"mailbrick/archive/blob"
	"mailbrick/archive/journal"
	"mailbrick/archive/pack"
	"mailbrick/archive/wire"
)

// chunkBytes reads a chunk. The slice is shared: it must not be changed.
func (a *Archive) chunkBytes(ctx context.Context, ref chunkID) ([]byte, error) {
	frame, at, err := a.cat.place(ref)
	if err != nil {
		return nil, err
	}
	plain, err := a.frame(ctx, frame)
	if err != nil {
		return nil, err
	}
	if uint64(at.Offset)+uint64(at.Length) > uint64(len(plain)) {
		return nil, fmt.Errorf("%w: chunk %x lies outside of its frame", ErrDamaged, ref)
	}
	data := plain[at.Offset : at.Offset+at.Length]
	if a.ids.chunk(data) != ref {
		return nil, fmt.Errorf("%w: chunk %x has other bytes", ErrDamaged, ref)
	}
	return data, nil
}

func (a *Archive) frame(ctx context.Context, ref pack.FrameRef) ([]byte, error) {
	if plain := a.frames.get(ref.Pack, ref.Ordinal); plain != nil {
		return plain, nil
	}
	plain, err := a.packs.Frame(ctx, ref)
	if errors.Is(err, blob.ErrNotExist) || errors.Is(err, pack.ErrDamaged) {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if err != nil {
		return nil, err
	}
	a.frames.put(ref.Pack, ref.Ordinal, plain)
	return plain, nil
}

// recipeOf reads a version's recipe.
func (a *Archive) recipeOf(ctx context.Context, inline []byte, chunk *chunkID) (*recipe, error) {
	if chunk != nil {
		var err error
		if inline, err = a.chunkBytes(ctx, *chunk); err != nil {
			return nil, err
		}
	}
	r, err := decodeRecipe(inline)
	if errors.Is(err, errRecipe) {
		err = fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return r, err
}

// references are the chunks that a version needs, its recipe's own included. A recipe of the open group has been
// accounted for when it was put.
func (a *Archive) references(ctx context.Context, v *journal.Version, g *group) ([]chunkID, error) {
	var refs []chunkID
	var own *chunkID
	if v.RecipeIsChunk {
		id := chunkID(v.Recipe)
		if _, ok := g.fresh[id]; ok {
			return nil, nil
		}
		own = &id
		refs = append(refs, id)
	}
	r, err := a.recipeOf(ctx, v.Recipe, own)
	if err != nil {
		return nil, err
	}
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
	var own *chunkID
	if v.recipeIsChunk {
		id := chunkID(v.recipe)
		own = &id
	}
	r, err := a.recipeOf(ctx, v.recipe, own)
	if err != nil {
		return nil, fmt.Errorf("item %s: %w", v.ID, err)
	}
	b := &blobReader{a: a, ctx: ctx, v: v, recipe: r, digest: sha256.New(), streams: make([]streamReader, len(r.streams))}
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
	t, left := b.at.current(b.recipe)
	if t == nil {
		return 0, b.end()
	}
	st := &b.streams[t.stream]
	if len(st.data) == 0 {
		c := st.chunks[0] // the recipe was checked: there is one
		data, err := b.a.chunkBytes(b.ctx, c.id)
		if err != nil {
			return 0, fmt.Errorf("item %s: %w", b.v.ID, err)
		}
		if uint32(len(data)) != c.length {
			return 0, fmt.Errorf("item %s: %w: chunk %x has another length", b.v.ID, ErrDamaged, c.id)
		}
		st.data, st.chunks = data, st.chunks[1:]
	}
	n := copy(p, st.data[:min(uint64(len(st.data)), left)])
	b.digest.Write(p[:n])
	st.data = st.data[n:]
	b.at.advance(b.recipe, uint64(n))
	return n, nil
}

func (b *blobReader) end() error {
	if [32]byte(b.digest.Sum(nil)) != b.v.SHA256 {
		return fmt.Errorf("item %s: %w: its bytes are not those that were exported", b.v.ID, ErrDamaged)
	}
	return io.EOF
}

// place tells where a chunk lies.
func (c *catalog) place(id chunkID) (pack.FrameRef, pack.Place, error) {
	var ref pack.FrameRef
	var at pack.Place
	row, err := c.get(append([]byte{keyChunk}, id[:]...))
	if err != nil {
		return ref, at, err
	}
	if row == nil {
		return ref, at, fmt.Errorf("%w: chunk %x is nowhere", ErrDamaged, id)
	}
	r := wire.NewReader(row)
	n := r.Uint32()
	at = pack.Place{Frame: r.Uint32(), Offset: r.Uint32(), Length: r.Uint32()}
	if err := r.Done(); err != nil {
		return ref, at, fmt.Errorf("%w: catalog: chunk: %w", ErrDamaged, err)
	}
	ref, err = c.frameRow(n, at.Frame)
	return ref, at, err
}

func (c *catalog) frameRow(n, frame uint32) (pack.FrameRef, error) {
	ref, err := c.packRow(n)
	if err != nil {
		return ref, err
	}
	row, err := c.get(appendUint32(key32(keyFrame, n), frame))
	if err != nil {
		return ref, err
	}
	r := wire.NewReader(row)
	ref.Ordinal, ref.Offset, ref.Sealed, ref.Plain = frame, int64(r.Uvarint()), r.Uint32(), r.Uint32()
	if err := r.Done(); err != nil {
		return ref, fmt.Errorf("%w: catalog: frame: %w", ErrDamaged, err)
	}
	return ref, nil
}

// eachPack visits the packs that the catalog knows.
func (c *catalog) eachPack(ctx context.Context, visit func(journal.Pack)) error {
	return c.scan(ctx, []byte{keyPack}, func(_, row []byte) error {
		r := wire.NewReader(row)
		visit(journal.Pack{Name: pack.Name(r.Fixed(16)), Salt: [32]byte(r.Fixed(32)), Size: int64(r.Uvarint()), Chunks: int(r.Uint32())})
		return r.Done()
	})
}

// chunksOf is how many chunks of a pack the catalog knows.
func (c *catalog) chunksOf(name pack.Name) (chunks int, err error) {
	number, err := c.get(append([]byte{keyPackName}, name[:]...))
	if err != nil || len(number) != 4 {
		return 0, err
	}
	row, err := c.get(key32(keyPack, binary.BigEndian.Uint32(number)))
	if err != nil {
		return 0, err
	}
	r := wire.NewReader(row)
	r.Fixed(48)
	r.Uvarint()
	chunks = int(r.Uint32())
	return chunks, r.Done()
}

// packRow is a pack's name and salt.
func (c *catalog) packRow(n uint32) (pack.FrameRef, error) {
	var ref pack.FrameRef
	row, err := c.get(key32(keyPack, n))
	if err != nil {
		return ref, err
	}
	r := wire.NewReader(row)
	ref.Pack, ref.Salt = pack.Name(r.Fixed(16)), [32]byte(r.Fixed(32))
	if r.Err() != nil {
		return ref, fmt.Errorf("%w: catalog: pack: %w", ErrDamaged, r.Err())
	}
	return ref, nil
}

// frameCache keeps the frames read last, up to a number of bytes.
type frameCache struct {
	mu    sync.Mutex // guards the rest
	limit int
	size  int
	order *list.List // of *cachedFrame, newest first
	index map[frameKey]*list.Element
}

type frameKey struct {
	pack  pack.Name
	frame uint32
}

type cachedFrame struct {
	key   frameKey
	plain []byte
}

func newFrameCache(limit int) *frameCache {
	return &frameCache{limit: limit, order: list.New(), index: map[frameKey]*list.Element{}}
}

func (c *frameCache) get(name pack.Name, frame uint32) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.index[frameKey{name, frame}]
	if e == nil {
		return nil
	}
	c.order.MoveToFront(e)
	return e.Value.(*cachedFrame).plain
}

func (c *frameCache) put(name pack.Name, frame uint32, plain []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := frameKey{name, frame}
	if c.index[key] != nil {
		return
	}
	c.index[key] = c.order.PushFront(&cachedFrame{key, plain})
	c.size += len(plain)
	for c.size > c.limit && c.order.Len() > 1 {
		old := c.order.Remove(c.order.Back()).(*cachedFrame)
		delete(c.index, old.key)
		c.size -= len(old.plain)
	}
}
