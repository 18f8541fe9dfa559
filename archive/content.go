package archive

import (
	"context"
	"crypto/sha256"
	"fmt"
	"hash"

	"mailbrick/archive/journal"
	"mailbrick/archive/pack"
	"mailbrick/chunker"
)

const (
	wholeMax   = 64 << 10 // a stream up to this length is one chunk
	streamsMax = 1 << 16  // of one item; what is of a higher number goes with the last
)

// Content takes the segments of one item's blob, in order, and stores them as they come: memory does not grow with the
// item. Nothing of it is shown, or named by any record, before Session.Put. A Content that is dropped leaves at most
// chunks that nobody names.
type Content struct {
	s      *Session
	ctx    context.Context // of the one call chain that writes this item; see NewContent
	digest hash.Hash
	size   int64
	recipe recipe
	bufs   [][]byte // by stream, bytes not cut yet
	cut    []bool   // by stream, whether it is longer than wholeMax
	open   int      // the long stream being filled
	refs   []chunkID
	done   bool
}

// NewContent begins an item's content. The context is that of the item: Add takes part in writing it.
func (s *Session) NewContent(ctx context.Context) *Content {
	return &Content{s: s, ctx: ctx, digest: sha256.New()}
}

// Size is how many bytes were added.
func (c *Content) Size() int64 { return c.size }

// Add takes the next bytes.
func (c *Content) Add(seg Segment) error {
	if seg.Stream < 0 {
		return fmt.Errorf("stream %d: streams are numbered from 0", seg.Stream)
	}
	seg.Stream = min(seg.Stream, streamsMax-1)
	if len(seg.Data) == 0 {
		return nil
	}
	c.grow(seg)
	c.digest.Write(seg.Data)
	c.size += int64(len(seg.Data))
	c.recipe.take(seg.Stream, len(seg.Data))
	st := &c.recipe.streams[seg.Stream]
	if st.kind == Framing {
		st.literal = append(st.literal, seg.Data...)
		return nil
	}
	// Long streams follow one another: when the next one begins the one before is at its end.
	if seg.Stream > c.open {
		if err := c.flush(c.open); err != nil {
			return err
		}
		c.open = seg.Stream
	}
	return c.fill(seg.Stream, seg.Data)
}

func (c *Content) grow(seg Segment) {
	for len(c.recipe.streams) <= seg.Stream {
		c.recipe.streams = append(c.recipe.streams, stream{kind: seg.Kind})
		c.bufs = append(c.bufs, nil)
		c.cut = append(c.cut, false)
	}
}

// fill gathers a stream's bytes until the cutter can tell where the next chunk ends.
func (c *Content) fill(n int, data []byte) error {
	for len(data) > 0 {
		room := chunker.DefaultMax - len(c.bufs[n])
		k := min(room, len(data))
		c.bufs[n] = append(c.bufs[n], data[:k]...)
		data = data[k:]
		if len(c.bufs[n]) < chunker.DefaultMax {
			return nil
		}
		c.cut[n] = true
		if err := c.emit(n, c.s.a.cutter.Cut(c.bufs[n])); err != nil {
			return err
		}
	}
	return nil
}

// flush stores what is left of a stream: whole when it is short, cut when it is not.
func (c *Content) flush(n int) error {
	if n >= len(c.bufs) {
		return nil
	}
	for len(c.bufs[n]) > 0 {
		k := len(c.bufs[n])
		if c.cut[n] || k > wholeMax {
			c.cut[n] = true
			k = c.s.a.cutter.Cut(c.bufs[n])
		}
		if err := c.emit(n, k); err != nil {
			return err
		}
	}
	return nil
}

// emit stores the first k bytes of a stream's buffer as a chunk.
func (c *Content) emit(n, k int) error {
	st := &c.recipe.streams[n]
	id, err := c.store(st.kind, c.bufs[n][:k])
	if err != nil {
		return err
	}
	st.chunks = append(st.chunks, chunkRef{id, uint32(k)})
	c.bufs[n] = c.bufs[n][:copy(c.bufs[n], c.bufs[n][k:])]
	return nil
}

func (c *Content) store(kind Kind, data []byte) (chunkID, error) {
	id := c.s.a.ids.chunk(data)
	c.refs = append(c.refs, id)
	if err := c.s.a.group.chunk(c.ctx, pack.ChunkID(id), kind, data); err != nil {
		return id, fmt.Errorf("store a chunk: %w", err)
	}
	return id, nil
}

// finish gives the version that this content makes, without the item's names.
func (c *Content) finish(ctx context.Context) (journal.Version, error) {
	var v journal.Version
	if c.done {
		return v, fmt.Errorf("content put twice")
	}
	c.done, c.ctx = true, ctx
	for n := range c.bufs {
		if err := c.flush(n); err != nil {
			return v, err
		}
	}
	c.digest.Sum(v.SHA256[:0])
	v.Size = c.size
	v.Recipe = c.recipe.encode()
	if len(v.Recipe) > maxInline {
		id, err := c.store(Small, v.Recipe)
		if err != nil {
			return v, err
		}
		v.Recipe, v.RecipeIsChunk = id[:], true
	}
	return v, nil
}
