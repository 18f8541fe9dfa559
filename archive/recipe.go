package archive

import (
	"errors"
	"fmt"

	"mailbrick/archive/wire"
)

// Kind says what bytes of an item are like, so that like is compressed with like.
type Kind uint8

const (
	Framing Kind = iota // kept in the recipe itself: a few bytes, over and over
	Small               // small properties
	Text                // bodies, headers
	Bulk                // attachments, and whatever could not be read
)

// Segment is a run of an item's bytes. The segments of an item, in order, are the item: Stream says which of them belong
// together and are cut, stored and deduplicated as one.
type Segment struct {
	Stream int
	Kind   Kind
	Data   []byte
}

const (
	recipeVersion = 1
	cutterVersion = 1       // package chunker's rule and this archive's keyed table
	maxInline     = 2 << 10 // a longer recipe is a chunk of its own
	maxStreams    = 1 << 20
)

var errRecipe = errors.New("recipe malformed")

// chunkRef is a chunk of a stream.
type chunkRef struct {
	id     chunkID
	length uint32
}

// stream is what the segments of one number add up to: literal bytes, or chunks.
type stream struct {
	kind    Kind
	literal []byte
	chunks  []chunkRef
}

// take copies the next length bytes of a stream.
type take struct{ stream, length uint64 }

// recipe gives an item's bytes back without knowing what they mean.
type recipe struct {
	streams []stream
	takes   []take
}

// append adds bytes of a stream to the order.
func (r *recipe) take(stream int, length int) {
	if n := len(r.takes); n > 0 && r.takes[n-1].stream == uint64(stream) {
		r.takes[n-1].length += uint64(length)
		return
	}
	r.takes = append(r.takes, take{uint64(stream), uint64(length)})
}

func (r *recipe) encode() []byte {
	b := []byte{recipeVersion, cutterVersion}
	b = wire.AppendUvarint(b, uint64(len(r.streams)))
	for _, s := range r.streams {
		b = append(b, byte(s.kind))
		if s.kind == Framing {
			b = wire.AppendBytes(b, s.literal)
			continue
		}
		b = wire.AppendUvarint(b, uint64(len(s.chunks)))
		for _, c := range s.chunks {
			b = wire.AppendUvarint(append(b, c.id[:]...), uint64(c.length))
		}
	}
	return appendTakes(b, r.takes)
}

// appendTakes writes the order as runs: how often, then the one or two takes that repeat. A framing record every so many
// bytes of one long value is two takes, thousands of times.
func appendTakes(b []byte, takes []take) []byte {
	for len(takes) > 0 {
		period, times := 1, 1
		if n := repeats(takes, 2); n > 1 {
			period, times = 2, n
		}
		b = wire.AppendUvarint(b, uint64(times))
		b = wire.AppendUvarint(b, uint64(period))
		for _, t := range takes[:period] {
			b = wire.AppendUvarint(wire.AppendUvarint(b, t.stream), t.length)
		}
		takes = takes[period*times:]
	}
	return b
}

// repeats counts how often the first period takes stand at the front, one after another.
func repeats(takes []take, period int) int {
	n := 0
	for at := 0; at+period <= len(takes); at += period {
		for i := range period {
			if takes[at+i] != takes[i] {
				return n
			}
		}
		n++
	}
	return n
}

func decodeRecipe(b []byte) (*recipe, error) {
	r := wire.NewReader(b)
	v, cut := r.Byte(), r.Byte()
	if r.Err() == nil && (v != recipeVersion || cut == 0) {
		return nil, fmt.Errorf("%w: version %d, this program knows %d", ErrVersion, v, recipeVersion)
	}
	out := &recipe{streams: make([]stream, 0, min(r.Count(2), maxStreams))}
	for range cap(out.streams) {
		s := stream{kind: Kind(r.Byte())}
		if s.kind == Framing {
			s.literal = r.Bytes()
		} else {
			s.chunks = make([]chunkRef, 0, r.Count(len(chunkID{})+1))
			for range cap(s.chunks) {
				s.chunks = append(s.chunks, chunkRef{chunkID(r.Fixed(len(chunkID{}))), r.Uint32()})
			}
		}
		out.streams = append(out.streams, s)
	}
	if err := out.decodeTakes(r); err != nil {
		return nil, fmt.Errorf("%w: %w", errRecipe, err)
	}
	return out, nil
}

// decodeTakes reads runs. A run's repeats are bounded by the bytes that its streams hold, so that a few bytes cannot ask
// for endless memory.
func (r *recipe) decodeTakes(in *wire.Reader) error {
	left := make([]uint64, len(r.streams))
	for i, s := range r.streams {
		left[i] = uint64(len(s.literal))
		for _, c := range s.chunks {
			left[i] += uint64(c.length)
		}
	}
	for in.More() {
		times, period := in.Uvarint(), in.Count(2)
		run := make([]take, 0, period)
		for range period {
			run = append(run, take{in.Uvarint(), in.Uvarint()})
		}
		if in.Err() != nil || period == 0 {
			break
		}
		for ; times > 0; times-- {
			for _, t := range run {
				if t.stream >= uint64(len(left)) || t.length == 0 || t.length > left[t.stream] {
					return fmt.Errorf("more is taken of stream %d than it has", t.stream)
				}
				left[t.stream] -= t.length
				r.takes = append(r.takes, t)
			}
		}
	}
	if err := in.Done(); err != nil {
		return err
	}
	for i, n := range left {
		if n > 0 {
			return fmt.Errorf("%d bytes of stream %d are never taken", n, i)
		}
	}
	return nil
}
