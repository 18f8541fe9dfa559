package archive

import (
	"errors"
	"fmt"

	"mailbrick/archive/wire"
)

// Kind says what bytes of an item are like, so that like is compressed with like.
type Kind uint8

const (
	Framing Kind = iota // a few bytes, over and over
	Small               // what differs from copy to copy of the same thing: properties, headers, recipients
	Text                // bodies
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
	cutterVersion = 1         // package chunker's rule and this archive's keyed table
	maxInline     = 1 << 20   // bytes of small streams that a recipe holds itself
	maxRecipe     = 16 << 20  // what a pack takes as one chunk
	maxStreams    = 1 << 16   // of one item
	maxPeriod     = 2         // takes in a run
	maxTakes      = 4 << 20   // of one item, before they are gathered into runs
	maxLiteral    = 4 << 20   // bytes of framing of one item
	maxRef        = maxRecipe // bytes of one chunk
)

var errRecipe = errors.New("recipe malformed")

// chunkRef is a chunk of a stream.
type chunkRef struct {
	id     chunkID
	length uint32
}

// stream is what the segments of one number add up to: literal bytes in the recipe itself, or chunks.
type stream struct {
	literal []byte
	chunks  []chunkRef
}

// bytes is how many bytes the stream holds.
func (s *stream) bytes() uint64 {
	n := uint64(len(s.literal))
	for _, c := range s.chunks {
		n += uint64(c.length)
	}
	return n
}

// take copies the next length bytes of a stream.
type take struct{ stream, length uint64 }

// run is one or two takes that stand so many times in a row. It stays as it is when read: a few bytes of recipe must not
// become many of memory.
type run struct {
	times uint64
	takes []take
}

// recipe gives an item's bytes back without knowing what they mean.
type recipe struct {
	streams []stream
	runs    []run
}

// gather makes runs of takes. A framing record every so many bytes of one long value is two takes, thousands of times.
func gather(takes []take) (runs []run) {
	for len(takes) > 0 {
		period, times := 1, 1
		if n := repeats(takes, maxPeriod); n > 1 {
			period, times = maxPeriod, n
		}
		runs = append(runs, run{uint64(times), takes[:period:period]})
		takes = takes[period*times:]
	}
	return runs
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

// shape is the recipe without the bytes that it holds itself: together with the blob it says what they are.
func (r *recipe) shape() []byte { return r.append(nil, false) }

func (r *recipe) append(b []byte, literals bool) []byte {
	b = append(b, recipeVersion, cutterVersion)
	b = wire.AppendUvarint(b, uint64(len(r.streams)))
	for _, s := range r.streams {
		b = wire.AppendUvarint(b, uint64(len(s.chunks)))
		switch {
		case len(s.chunks) > 0:
		case literals:
			b = wire.AppendBytes(b, s.literal)
		default:
			b = wire.AppendUvarint(b, uint64(len(s.literal)))
		}
		for _, c := range s.chunks {
			b = wire.AppendUvarint(append(b, c.id[:]...), uint64(c.length))
		}
	}
	for _, run := range r.runs {
		b = wire.AppendUvarint(wire.AppendUvarint(b, run.times), uint64(len(run.takes)))
		for _, t := range run.takes {
			b = wire.AppendUvarint(wire.AppendUvarint(b, t.stream), t.length)
		}
	}
	return b
}

// decodeRecipe reads what encode wrote. What it gives can be followed to the end: every take finds its bytes.
func decodeRecipe(b []byte) (*recipe, error) {
	r := wire.NewReader(b)
	v, cut := r.Byte(), r.Byte()
	if r.Err() == nil && (v != recipeVersion || cut == 0) {
		return nil, fmt.Errorf("%w: version %d, this program knows %d", ErrVersion, v, recipeVersion)
	}
	out := &recipe{}
	err := out.decodeStreams(r)
	if err == nil {
		err = out.decodeRuns(r)
	}
	if err == nil {
		err = r.Done()
	}
	if err == nil {
		err = out.check()
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errRecipe, err)
	}
	return out, nil
}

func (r *recipe) decodeStreams(in *wire.Reader) error {
	n := in.Count(2)
	if n > maxStreams {
		return fmt.Errorf("%d streams", n)
	}
	r.streams = make([]stream, 0, n)
	for range n {
		s := stream{chunks: make([]chunkRef, 0, in.Count(len(chunkID{})+1))}
		for range cap(s.chunks) {
			s.chunks = append(s.chunks, chunkRef{chunkID(in.Fixed(len(chunkID{}))), in.Uint32()})
		}
		if len(s.chunks) == 0 {
			s.literal = in.Bytes()
		}
		r.streams = append(r.streams, s)
	}
	return in.Err()
}

func (r *recipe) decodeRuns(in *wire.Reader) error {
	for in.More() {
		times, period := in.Uvarint(), in.Count(2)
		if in.Err() == nil && (times == 0 || period == 0 || period > maxPeriod) {
			return fmt.Errorf("%d takes, %d times", period, times)
		}
		takes := make([]take, 0, period)
		for range period {
			takes = append(takes, take{in.Uvarint(), in.Uvarint()})
		}
		r.runs = append(r.runs, run{times, takes})
	}
	return in.Err()
}

// check proves that the runs take exactly what the streams hold.
func (r *recipe) check() error {
	left := make([]uint64, len(r.streams))
	for i := range r.streams {
		for _, c := range r.streams[i].chunks {
			if c.length == 0 || c.length > maxRef {
				return fmt.Errorf("chunk of %d bytes", c.length)
			}
		}
		left[i] = r.streams[i].bytes()
	}
	for _, run := range r.runs {
		for _, t := range run.takes {
			if t.stream >= uint64(len(left)) || t.length == 0 || t.length > left[t.stream]/run.times {
				return fmt.Errorf("more is taken of stream %d than it has", t.stream)
			}
			left[t.stream] -= t.length * run.times
		}
	}
	for i, n := range left {
		if n > 0 {
			return fmt.Errorf("%d bytes of stream %d are never taken", n, i)
		}
	}
	return nil
}
