package archive

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"golang.org/x/sync/errgroup"

	"mailbrick/archive/blob"
	"mailbrick/archive/delta"
	"mailbrick/archive/pack"
)

const (
	itemReads    = 4         // of packs, that one item should take at most
	recipeMargin = 64 << 10  // of a pack, read with a whole recipe on both sides: the item's bodies were written next to it
	fewFrames    = 6 << 20   // a process that holds less of frames has read little
	gapNear      = 64 << 10  // bytes between frames that are read with them, being cheaper than another read
	gapFar       = 256 << 10 // and when reading is a trip over a network
	gapsMost     = 8 << 20   // of such bytes in one go, all together
	planBytes    = 4 << 20   // of frames that are read in one go
	planChunks   = 1 << 10   // that are looked at for it
	bufferKept   = 1 << 20   // bytes of a buffer that the next item may use
	sharedMost   = 4 << 20   // of one item's frames, that other items may want: a long one would drive out all others
)

// fetcher reads the frames of one item. It is told what comes next, and reads in one go what of it lies together in a pack. Memory
// is bounded by planBytes and gapsMost, however long the item is. It is an attempt: what it could not read, or read
// damaged, is read alone, in the archive's own way.
type fetcher struct {
	a      *Archive
	margin int64 // read around a whole recipe
	reads  int   // so far
	pieces map[frameKey]piece
	spare  []stretch // what was read around the recipe
	used   [][]byte  // what was read lies in them,
	held   int       // in so many bytes
	made   []byte    // of the first delta: the recipe, as a rule
	shared int       // bytes of frames that were opened; behind sharedMost none goes to the archive's cache, and there is only
	last   []byte    // the frame that was opened last,
	lastOf frameKey
}

// piece is a frame that is to be read, or has been and is not opened yet.
type piece struct {
	stretch
	key frameKey
	ref pack.FrameRef
}

// itemFetcher reads one item. Around its recipe it reads more as long as the process has read little: who reads much comes by what
// lies there anyway.
func (a *Archive) itemFetcher() *fetcher {
	f := &fetcher{a: a}
	if a.frames.bytes() < fewFrames {
		f.margin = recipeMargin
	}
	return f
}

// reset forgets what was read ahead, as at the end, or when it may lie elsewhere now. The buffers are the next item's.
func (f *fetcher) reset() {
	clear(f.pieces)
	f.spare = nil
	for _, b := range f.used {
		f.free(b)
	}
	f.used, f.held = nil, 0
}

// catchUp follows the journal, after which nothing that was read ahead is sure to lie where it lay.
func (f *fetcher) catchUp(ctx context.Context) error {
	f.reset()
	return f.a.catchUpAlone(ctx)
}

// close lets go of all that was read, the recipe too.
func (f *fetcher) close() {
	f.reset()
	f.free(f.made)
	f.made = nil
}

// free gives a buffer to the next item.
func (f *fetcher) free(b []byte) {
	if cap(b) > 0 && cap(b) <= bufferKept {
		f.a.ranges.Put(&b)
	}
}

// idle is a buffer that an item before had, or none.
func (f *fetcher) idle() []byte {
	if kept, ok := f.a.ranges.Get().(*[]byte); ok {
		return *kept
	}
	return nil
}

// buffer is memory for what is read in one go. Nothing of it goes further than to Unseal.
func (f *fetcher) buffer(n int) []byte {
	if len(f.pieces) == 0 && len(f.spare) == 0 {
		f.reset()
	}
	b := f.idle()
	if cap(b) < n {
		b = make([]byte, n)
	}
	f.used, f.held = append(f.used, b[:n]), f.held+cap(b)
	return b[:n]
}

// recipe reads a recipe.
func (f *fetcher) recipe(ctx context.Context, id chunkID) (*recipe, error) {
	if err := f.ahead(ctx, slices.Values([]chunkID{id})); err != nil {
		return nil, err
	}
	f.margin = 0
	data, err := f.chunk(ctx, id)
	if err != nil {
		return nil, err
	}
	return readRecipe(data)
}

// chunk reads a chunk. The slice is shared: it must not be changed. That the bytes are those that were stored, their seal
// says; that they are those that an item had, its digest.
func (f *fetcher) chunk(ctx context.Context, id chunkID) ([]byte, error) {
	c, err := f.a.cat.known(id)
	if err != nil {
		return nil, err
	}
	data, err := f.stored(ctx, id, c)
	if err != nil || c.base == (chunkID{}) {
		return data, err
	}
	base, err := f.whole(ctx, c.base)
	if err != nil {
		return nil, fmt.Errorf("base of chunk %x: %w", id, err)
	}
	var dst []byte
	if f.made == nil {
		dst = f.idle()[:0]
	}
	if data, err = delta.Apply(dst, base, data, maxRef); err != nil {
		return nil, fmt.Errorf("%w: chunk %x: %w", ErrDamaged, id, err)
	}
	if f.made == nil {
		f.made = data
	}
	return data, nil
}

// whole reads a chunk that is no delta.
func (f *fetcher) whole(ctx context.Context, id chunkID) ([]byte, error) {
	c, err := f.a.cat.known(id)
	if err != nil {
		return nil, err
	}
	if c.base != (chunkID{}) {
		return nil, fmt.Errorf("%w: chunk %x is a base and a delta", ErrDamaged, id)
	}
	return f.stored(ctx, id, c)
}

// stored reads what a pack holds of a chunk.
func (f *fetcher) stored(ctx context.Context, id chunkID, c chunkRow) ([]byte, error) {
	plain, err := f.frame(ctx, frameKey{c.pack, c.at.Frame})
	if err != nil {
		return nil, err
	}
	if uint64(c.at.Offset)+uint64(c.at.Length) > uint64(len(plain)) {
		return nil, fmt.Errorf("%w: chunk %x lies outside of its frame", ErrDamaged, id)
	}
	return plain[c.at.Offset : c.at.Offset+c.at.Length], nil
}

func (f *fetcher) frame(ctx context.Context, key frameKey) ([]byte, error) {
	p, read := f.pieces[key]
	delete(f.pieces, key)
	if plain, ok := f.opened(key); ok {
		return plain, nil
	}
	if read {
		if plain, err := f.a.packs.Unseal(p.ref, p.data); err == nil {
			f.keep(key, plain)
			return plain, nil
		}
	}
	f.reads++
	return f.a.frame(ctx, key)
}

// opened is a frame that is in memory.
func (f *fetcher) opened(key frameKey) ([]byte, bool) {
	if f.last != nil && f.lastOf == key {
		return f.last, true
	}
	return f.a.frames.get(key)
}

// keep has a frame at hand for the next chunk, and for other items as long as this one is not too long.
func (f *fetcher) keep(key frameKey, plain []byte) {
	if f.shared += len(plain); f.shared > sharedMost {
		f.last, f.lastOf = plain, key
		return
	}
	f.a.frames.put(key, plain, len(plain))
}

// ahead reads what the chunks that come next need, if the first of them is not at hand. An error says that it is of no use to ask
// for them one by one.
func (f *fetcher) ahead(ctx context.Context, next iter.Seq[chunkID]) error {
	var w wants
	for id := range next {
		if w.chunk(f, id); len(w.pieces) > 0 && len(f.pieces) > 0 && f.held > planBytes {
			return nil // of an item that takes turns between many places
		}
		if len(w.pieces) == 0 || w.bytes >= planBytes || w.chunks == planChunks {
			break
		}
	}
	if len(w.pieces) == 0 {
		return nil
	}
	return f.read(ctx, w.pieces)
}

// wants are the frames that are to be read.
type wants struct {
	pieces []piece
	chunks int
	bytes  int64
}

// chunk adds the frames that hold a chunk and its base, but for those that are at hand. What cannot be found is told to who asks
// for it.
func (w *wants) chunk(f *fetcher, id chunkID) {
	w.chunks++
	c, err := f.a.cat.known(id)
	if err != nil {
		return
	}
	if c.base == (chunkID{}) {
		w.frame(f, frameKey{c.pack, c.at.Frame}, f.margin)
		return
	}
	w.frame(f, frameKey{c.pack, c.at.Frame}, 0)
	if c, err = f.a.cat.known(c.base); err == nil {
		w.frame(f, frameKey{c.pack, c.at.Frame}, f.margin)
	}
}

func (w *wants) frame(f *fetcher, key frameKey, margin int64) {
	if _, ok := f.pieces[key]; ok || slices.ContainsFunc(w.pieces, func(p piece) bool { return p.key == key }) {
		return
	}
	if _, ok := f.opened(key); ok {
		return
	}
	p, ref, err := f.a.cat.frameRow(key.pack, key.frame)
	end := ref.Offset + int64(ref.Sealed)
	if err != nil || p.Inline || ref.Sealed > planBytes || ref.Offset < 0 || end < ref.Offset || end > p.Size {
		return // it is read alone, or what is wrong with it is told then
	}
	w.bytes += int64(ref.Sealed)
	w.pieces = append(w.pieces, piece{stretch{p.Name, max(ref.Offset-margin, 0), min(end+margin, p.Size), nil}, key, ref})
}

// read brings frames to hand: what lies in what was read around the recipe from there, the rest in as few reads as are worth it.
func (f *fetcher) read(ctx context.Context, list []piece) error {
	var todo []stretch
	for i := range list {
		if p := &list[i]; !slices.ContainsFunc(f.spare, p.holds) {
			todo = append(todo, p.stretch)
		}
	}
	got := coalesce(todo, f.gap(), f.most(todo))
	if err := f.readAll(ctx, got); err != nil {
		return err
	}
	f.spare = append(f.spare, got...)
	if f.pieces == nil {
		f.pieces = map[frameKey]piece{}
	}
	for _, p := range list {
		if i := slices.IndexFunc(f.spare, p.holds); i >= 0 && f.spare[i].data != nil {
			at := p.ref.Offset - f.spare[i].off
			p.data = f.spare[i].data[at : at+int64(p.ref.Sealed)]
			f.pieces[p.key] = p
		}
	}
	if f.margin == 0 { // these are no recipes
		f.spare = nil
	}
	return nil
}

// holds tells whether the piece's frame lies in a stretch.
func (p *piece) holds(s stretch) bool {
	return p.name == s.name && s.off <= p.ref.Offset && p.ref.Offset+int64(p.ref.Sealed) <= s.end
}

func (f *fetcher) gap() int64 {
	if f.a.opts.Far {
		return gapFar
	}
	return gapNear
}

// most is how many reads there should be: what is left of itemReads. An item that has taken these is a long one.
func (f *fetcher) most(list []stretch) int {
	if f.reads >= itemReads {
		return len(list)
	}
	return itemReads - f.reads
}

// readAll reads stretches, from afar all at once. What cannot be read stays without its bytes.
func (f *fetcher) readAll(ctx context.Context, list []stretch) error {
	if len(list) == 0 {
		return nil
	}
	f.reads += len(list)
	var n int64
	for i := range list {
		n += list[i].end - list[i].off
	}
	buf := f.buffer(int(n))
	for i := range list {
		n = list[i].end - list[i].off
		list[i].data, buf = buf[:n], buf[n:]
	}
	if !f.a.opts.Far || len(list) == 1 { // a goroutine costs as much as a read that is near
		for i := range list {
			if err := f.readOne(ctx, &list[i]); err != nil {
				return err
			}
		}
		return nil
	}
	g, ctx := errgroup.WithContext(ctx)
	for i := range list {
		g.Go(func() error { return f.readOne(ctx, &list[i]) })
	}
	return g.Wait()
}

func (f *fetcher) readOne(ctx context.Context, s *stretch) error {
	err := f.a.packs.Range(ctx, s.name, s.off, s.data)
	if blob.OutOfReach(err) || ctx.Err() != nil {
		return err
	}
	if err != nil {
		s.data = nil
	}
	return nil
}
