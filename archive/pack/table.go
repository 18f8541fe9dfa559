package pack

import (
	"encoding/hex"
	"errors"
	"fmt"

	"mailbrick/archive/wire"
)

var (
	// ErrDamaged says that bytes of a pack are not what was written.
	ErrDamaged = errors.New("pack damaged")
	// ErrVersion says that a pack has a format version this program does not know.
	ErrVersion = errors.New("pack of an unknown format version")
)

// Name is a pack's random name.
type Name [16]byte

// Object is the pack's name in a bucket: packs/ab/ab12....
func (n Name) Object() string {
	s := hex.EncodeToString(n[:])
	return "packs/" + s[:2] + "/" + s
}

// ParseObject reads what Object wrote.
func ParseObject(object string) (Name, bool) {
	var n Name
	if len(object) != len("packs/ab/")+32 {
		return n, false
	}
	b, err := hex.DecodeString(object[len("packs/ab/"):])
	if err != nil {
		return n, false
	}
	n = Name(b)
	return n, n.Object() == object
}

// ChunkID names a chunk: a keyed hash of its bytes.
type ChunkID [16]byte

// Chunk is an entry of a table.
type Chunk struct {
	ID      ChunkID
	Class   Class
	Length  uint32  // of what the pack holds
	Base    ChunkID // not zero: what the pack holds is the delta (package delta) that makes the chunk of this one
	Similar Similar // not zero: a base for chunks that are marked alike
}

// Similar marks what chunks may be like one another: a keyed hash of something that copies have in common.
type Similar [8]byte

// Flags of a chunk's entry, beside its class.
const (
	classBits  = 0x0f
	hasBase    = 0x10
	hasSimilar = 0x20
)

// Frame is what is sealed and read as one.
type Frame struct {
	Sealed uint32 // bytes in the pack
	Plain  uint32 // bytes of its chunks
	Chunks []Chunk
}

// Table says what a pack holds.
type Table struct {
	Name       Name
	Generation uint32 // of the key that the pack is sealed under
	Salt       [saltSize]byte
	Size       int64 // bytes of the pack file
	SHA256     [32]byte
	Frames     []Frame
}

// Chunks counts the chunks of all frames.
func (t *Table) Chunks() (n int) {
	for i := range t.Frames {
		n += len(t.Frames[i].Chunks)
	}
	return n
}

func (t *Table) encode() []byte {
	b := wire.AppendUvarint(nil, uint64(len(t.Frames)))
	for _, f := range t.Frames {
		b = wire.AppendUvarint(b, uint64(f.Sealed))
		b = wire.AppendUvarint(b, uint64(f.Plain))
		b = wire.AppendUvarint(b, uint64(len(f.Chunks)))
		for i := range f.Chunks {
			b = f.Chunks[i].append(b)
		}
	}
	return b
}

func (c *Chunk) append(b []byte) []byte {
	flags := byte(c.Class)
	if c.Base != (ChunkID{}) {
		flags |= hasBase
	}
	if c.Similar != (Similar{}) {
		flags |= hasSimilar
	}
	b = append(append(b, c.ID[:]...), flags)
	b = wire.AppendUvarint(b, uint64(c.Length))
	if flags&hasBase != 0 {
		b = append(b, c.Base[:]...)
	}
	if flags&hasSimilar != 0 {
		b = append(b, c.Similar[:]...)
	}
	return b
}

func (c *Chunk) read(r *wire.Reader) error {
	c.ID = ChunkID(r.Fixed(len(ChunkID{})))
	flags := r.Byte()
	c.Class, c.Length = Class(flags&classBits), r.Uint32()
	if flags&hasBase != 0 {
		c.Base = ChunkID(r.Fixed(len(ChunkID{})))
	}
	if flags&hasSimilar != 0 {
		c.Similar = Similar(r.Fixed(len(Similar{})))
	}
	if r.Err() == nil && (c.Class >= classes || flags&^(classBits|hasBase|hasSimilar) != 0) {
		return fmt.Errorf("%w: chunk with flags %#x", ErrVersion, flags)
	}
	return nil
}

func (t *Table) decode(b []byte) error {
	r := wire.NewReader(b)
	t.Frames = make([]Frame, 0, r.Count(3))
	for range cap(t.Frames) {
		f := Frame{Sealed: r.Uint32(), Plain: r.Uint32()}
		f.Chunks = make([]Chunk, 0, r.Count(len(ChunkID{})+2))
		var sum uint64
		for range cap(f.Chunks) {
			var c Chunk
			if err := c.read(r); err != nil {
				return err
			}
			sum += uint64(c.Length)
			f.Chunks = append(f.Chunks, c)
		}
		if sum != uint64(f.Plain) || f.Plain > maxFrame || f.Sealed > maxSealed {
			return fmt.Errorf("%w: table's lengths do not add up", ErrDamaged)
		}
		t.Frames = append(t.Frames, f)
	}
	if err := r.Done(); err != nil {
		return fmt.Errorf("%w: table: %w", ErrDamaged, err)
	}
	return nil
}
