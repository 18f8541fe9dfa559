package archive

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"

	"mailbrick/archive/journal"
	"mailbrick/chunker"
)

const (
	wholeMax = 64 << 10 // a stream up to this length is one chunk
	heldMax  = 2 << 20  // bytes that wait for more of their streams
)

// Content takes the segments of one item's blob, in order, and stores them as they come: memory does not grow with the
// item. Nothing of it is shown, or named by any record, before Session.Put. A Content that is dropped leaves at most
// chunks that nobody names.
type Content struct {
	s       *Session
	ctx     context.Context // of the one call chain that writes this item; see NewContent
	digest  hash.Hash
	size    int64
	streams []openStream // in order of their first bytes
	index   map[int]int  // the caller's number of a stream -> its place in streams
	takes   []take
	held    int // bytes in all buffers
	framing int // bytes of framing in literals
	small   int // other bytes in literals
	memory  *contentMemory
	whole   []byte // the recipe
	refs    []reference
	version journal.Version // once ended
	ended   bool
	done    bool
	err     error
}

// contentMemory is what items use one after another.
type contentMemory struct {
	digest   hash.Hash
	streams  []openStream
	index    map[int]int
	takes    []take
	literals buffers // of what goes into recipes
	chunks   buffers // of what is cut: these grow to the longest chunk, and there are few at a time
}

func newContentMemory() any {
	return &contentMemory{digest: sha256.New(), index: map[int]int{}}
}

// buffers are pieces of memory.
type buffers struct {
	free [][]byte
	size int
}

func (b *buffers) take() []byte {
	n := len(b.free) - 1
	if n < 0 {
		return nil
	}
	p := b.free[n]
	b.free = b.free[:n]
	b.size -= cap(p)
	return p
}

// give takes a piece back, unless a rare item made them large.
func (b *buffers) give(p []byte) {
	if cap(p) > 0 && b.size+cap(p) <= 2*chunker.DefaultMax {
		b.free = append(b.free, p[:0])
		b.size += cap(p)
	}
}

// openStream is a stream and what is not cut of it yet.
type openStream struct {
	stream
	kind Kind
	buf  []byte
	cut  bool // it is longer than wholeMax
}

// NewContent begins an item's content. The context is that of the item: Add takes part in writing it.
func (s *Session) NewContent(ctx context.Context) *Content {
	m := s.a.memory.Get().(*contentMemory)
	m.digest.Reset()
	return &Content{s: s, ctx: ctx, memory: m, digest: m.digest, streams: m.streams[:0], index: m.index, takes: m.takes[:0]}
}

// Size is how many bytes were added.
func (c *Content) Size() int64 { return c.size }

// Add takes the next bytes. After an error the content cannot be put.
func (c *Content) Add(seg Segment) error {
	if c.err == nil {
		c.err = c.add(seg)
	}
	return c.err
}

func (c *Content) add(seg Segment) error {
	if c.ended {
		return errors.New("content was ended already")
	}
	if seg.Stream < 0 {
		return fmt.Errorf("stream %d: streams are numbered from 0", seg.Stream)
	}
	if len(seg.Data) == 0 {
		return nil
	}
	n, err := c.stream(seg)
	if err != nil {
		return err
	}
	if err := c.take(n, len(seg.Data)); err != nil {
		return err
	}
	c.digest.Write(seg.Data)
	c.size += int64(len(seg.Data))
	st := &c.streams[n]
	switch {
	case st.kind == Framing:
		st.literal = append(st.literal, seg.Data...)
		if c.framing += len(seg.Data); c.framing > maxLiteral {
			return fmt.Errorf("%w: more than %d bytes of framing", ErrParts, maxLiteral)
		}
		return nil
	case st.kind == Small && st.buf == nil && len(st.chunks) == 0:
		return c.literal(n, seg.Data)
	}
	return c.fill(n, seg.Data)
}

// literal keeps bytes of a small stream in the recipe. A stream for which there is no room in it is stored like any other.
func (c *Content) literal(n int, data []byte) error {
	st := &c.streams[n]
	st.literal = append(st.literal, data...)
	if c.small += len(data); c.small <= maxInline {
		return nil
	}
	all := st.literal
	c.small -= len(all)
	st.literal = nil
	return c.fill(n, all)
}

// stream is the place of a segment's stream. Long streams follow one another: when another begins the one before is at its
// end. Small ones come in pieces between them. What is of too high a number goes with the last.
func (c *Content) stream(seg Segment) (int, error) {
	if n, ok := c.index[seg.Stream]; ok {
		return n, nil
	}
	n := len(c.streams)
	if n == maxStreams {
		return n - 1, nil
	}
	if n > 0 && c.streams[n-1].kind != Small {
		if err := c.flush(n - 1); err != nil {
			return 0, err
		}
	}
	c.index[seg.Stream] = n
	st := openStream{kind: seg.Kind}
	if seg.Kind == Framing || seg.Kind == Small {
		st.literal = c.memory.literals.take()
	} else {
		st.buf = c.memory.chunks.take()
	}
	c.streams = append(c.streams, st)
	return n, nil
}

func (c *Content) take(stream, length int) error {
	if n := len(c.takes); n > 0 && c.takes[n-1].stream == uint64(stream) {
		c.takes[n-1].length += uint64(length)
		return nil
	}
	if len(c.takes) == maxTakes {
		return fmt.Errorf("%w: its streams alternate more than %d times", ErrParts, maxTakes)
	}
	c.takes = append(c.takes, take{uint64(stream), uint64(length)})
	return nil
}

// fill gathers a stream's bytes until the cutter can tell where the next chunk ends.
func (c *Content) fill(n int, data []byte) error {
	st := &c.streams[n]
	for len(data) > 0 {
		k := min(chunker.DefaultMax-len(st.buf), len(data))
		st.buf = append(st.buf, data[:k]...)
		data = data[k:]
		c.held += k
		if len(st.buf) == chunker.DefaultMax {
			st.cut = true
			if err := c.emit(n, c.s.a.cutter.Cut(st.buf)); err != nil {
				return err
			}
		}
	}
	if c.held > heldMax {
		return c.flushAll()
	}
	return nil
}

func (c *Content) flushAll() error {
	for n := range c.streams {
		if err := c.flush(n); err != nil {
			return err
		}
	}
	return nil
}

// flush stores what is left of a stream: whole when it is short, cut when it is not. Its buffer is the next stream's.
func (c *Content) flush(n int) error {
	st := &c.streams[n]
	for len(st.buf) > 0 {
		k := len(st.buf)
		if st.cut = st.cut || k > wholeMax; st.cut {
			k = c.s.a.cutter.Cut(st.buf)
		}
		if err := c.emit(n, k); err != nil {
			return err
		}
	}
	if st.kind == Small {
		return nil // it comes in pieces, and goes on in its buffer
	}
	c.memory.chunks.give(st.buf)
	st.buf = nil
	return nil
}

// emit stores the first k bytes of a stream's buffer as a chunk.
func (c *Content) emit(n, k int) error {
	st := &c.streams[n]
	id, err := c.store(st.kind, st.buf[:k])
	if err != nil {
		return err
	}
	st.chunks = append(st.chunks, chunkRef{id, uint32(k)})
	st.buf = st.buf[:copy(st.buf, st.buf[k:])]
	c.held -= k
	return nil
}

func (c *Content) store(kind Kind, data []byte) (chunkID, error) {
	names, err := c.s.a.namer()
	if err != nil {
		return chunkID{}, err
	}
	id := names.chunk(data)
	ref, err := c.s.a.group.chunk(c.ctx, id, kind, data)
	if err != nil {
		return id, fmt.Errorf("store a chunk: %w", err)
	}
	c.refs = append(c.refs, ref)
	return id, nil
}

// End says that nothing more comes: what is left is stored, and the memory is the next item's. similar is what copies of the
// same thing have in common, empty when there is no such thing. Put ends a content that was not.
func (c *Content) End(similar []byte) error {
	if c.err == nil && !c.ended {
		c.err = c.end(similar)
	}
	return c.err
}

func (c *Content) end(similar []byte) error {
	if err := c.flushAll(); err != nil {
		return err
	}
	c.digest.Sum(c.version.SHA256[:0])
	c.version.Size = c.size
	r := c.recipe()
	shape := r.shape()
	if long := len(shape) + c.framing + c.small; long > maxRecipe { // said here: what the group cannot store ends the group
		return fmt.Errorf("%w: a recipe of %d bytes", ErrParts, long)
	}
	c.version.Recipe = c.s.a.ids.recipe(c.version.SHA256, shape)
	ref, err := c.s.a.group.recipe(c.ctx, c.version.Recipe, c.s.a.ids.similar(similar), func() []byte { return c.encoded(r) })
	if err != nil {
		return fmt.Errorf("store a recipe: %w", err)
	}
	c.refs = append(c.refs, ref)
	c.ended = true
	c.release()
	return nil
}

// finish gives the version that this content makes, without the item's names.
func (c *Content) finish(ctx context.Context, similar []byte) (journal.Version, error) {
	if c.done {
		return c.version, errors.New("content put twice")
	}
	c.ctx = ctx
	err := c.End(similar)
	c.done = err == nil
	return c.version, err
}

// encoded is the recipe as it is stored.
func (c *Content) encoded(r *recipe) []byte {
	c.whole = r.append(c.memory.literals.take(), true)
	return c.whole
}

// manyKept is how many streams and takes of an item keep their room for the next.
const manyKept = 1 << 12

// release gives the memory to the next item.
func (c *Content) release() {
	m := c.memory
	for n := range c.streams {
		m.literals.give(c.streams[n].literal)
		m.chunks.give(c.streams[n].buf)
	}
	m.literals.give(c.whole)
	m.streams, m.takes = nil, nil
	if len(c.streams) <= manyKept && len(c.takes) <= manyKept {
		clear(c.streams) // what they point to is the item's
		clear(c.index)
		m.streams, m.takes = c.streams, c.takes
	} else {
		m.index = map[int]int{}
	}
	c.s.a.memory.Put(m)
	c.streams, c.takes, c.index, c.memory, c.digest, c.whole = nil, nil, nil, nil, nil, nil
}

func (c *Content) recipe() *recipe {
	r := &recipe{streams: make([]stream, len(c.streams)), runs: gather(c.takes)}
	for n := range c.streams {
		r.streams[n] = c.streams[n].stream
	}
	return r
}
