package pack

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"io"

	"mailbrick/archive/blob"
	"mailbrick/archive/seal"
)

const (
	magic       = "MBPK"
	endMagic    = "MBPKEND1"
	version     = 1 // 1: frames, one table, digest; before the format was frozen
	saltSize    = 32
	headerSize  = len(magic) + 4 + 4 + saltSize
	trailerSize = 8 + 4 + 4 + sha256.Size + len(endMagic)
	fullSize    = 64 << 20
	fullChunks  = 1 << 19 // keeps the table below maxTable
	tableNonce  = 1<<32 - 1
	purpose     = "pack"
)

// Class tells which chunks are gathered into one frame: bytes of a class are alike.
type Class uint8

const (
	Small  Class = iota // properties: many, small, alike
	Deltas              // how chunks differ from others
	Text                // bodies
	Bulk                // attachments and whatever is not read
	classes
)

// Place is where a chunk lies in a pack.
type Place struct {
	Frame  uint32 // ordinal
	Offset uint32 // in the frame's plain text
	Length uint32
}

// Writer writes one pack. Nothing of it is in the bucket before Close returned nil. It is not for concurrent use.
type Writer struct {
	table  Table
	out    blob.Writer
	digest hash.Hash
	size   int64
	chunks int
	sealer *seal.Sealer
	codec  *codec
	open   [classes]openFrame
	buf    []byte // scratch for compressing
	sealed []byte // scratch for sealing
	err    error
}

// openFrame gathers chunks of a class until the frame is full.
type openFrame struct {
	plain  []byte
	chunks []Chunk
}

// Create begins a pack under a fresh random name. It is sealed under the ring's newest generation.
func Create(ctx context.Context, bucket blob.Bucket, ring seal.Ring, random io.Reader) (*Writer, error) {
	w := &Writer{digest: sha256.New()}
	if _, err := io.ReadFull(random, w.table.Name[:]); err != nil {
		return nil, fmt.Errorf("name a pack: %w", err)
	}
	if _, err := io.ReadFull(random, w.table.Salt[:]); err != nil {
		return nil, fmt.Errorf("salt a pack: %w", err)
	}
	var key seal.Key
	w.table.Generation, key = ring.Newest()
	var err error
	if w.sealer, err = key.Sealer(purpose, w.table.Salt[:]); err != nil {
		return nil, err
	}
	if w.codec, err = newCodec(); err != nil {
		return nil, err
	}
	if w.out, err = bucket.Create(ctx, w.table.Name.Object()); err != nil {
		return nil, fmt.Errorf("create pack: %w", err)
	}
	header := binary.LittleEndian.AppendUint32([]byte(magic), version)
	header = binary.LittleEndian.AppendUint32(header, w.table.Generation)
	if w.write(append(header, w.table.Salt[:]...)); w.err != nil {
		_ = w.out.Abort() // the first error is the one to tell
		return nil, w.err
	}
	return w, nil
}

// Name is the pack's name.
func (w *Writer) Name() Name { return w.table.Name }

// Size is how many bytes were written and gathered so far.
func (w *Writer) Size() int64 {
	n := w.size
	for i := range w.open {
		n += int64(len(w.open[i].plain))
	}
	return n
}

// Full tells whether the pack is as large as packs should be. A caller that goes on adding makes one that no reader takes.
func (w *Writer) Full() bool { return w.Size() >= fullSize || w.chunks >= fullChunks }

// Add takes a chunk: its bytes, or the delta that makes them of its base. Its place is known when the pack is closed.
func (w *Writer) Add(c Chunk, data []byte) error {
	if len(data) > maxChunk {
		return fmt.Errorf("chunk of %d bytes: at most %d go into a pack", len(data), maxChunk)
	}
	f := &w.open[c.Class]
	c.Length = uint32(len(data))
	f.plain = append(f.plain, data...)
	f.chunks = append(f.chunks, c)
	w.chunks++
	if len(f.plain) >= frameTarget(c.Class) {
		w.flush(c.Class)
	}
	return w.err
}

// frameTarget is how much is gathered into a frame. What is read for every item, and from all over the archive, is in short
// ones; what is read with its neighbours in long ones.
func frameTarget(c Class) int {
	switch c {
	case Small, Deltas:
		return 32 << 10
	case Text:
		return 64 << 10
	}
	return 128 << 10
}

// flush seals the open frame of a class into the pack.
func (w *Writer) flush(class Class) {
	f := &w.open[class]
	if len(f.chunks) == 0 || w.err != nil {
		return
	}
	if w.buf, w.err = w.codec.encode(w.buf[:0], f.plain); w.err != nil {
		return
	}
	n := len(w.table.Frames)
	w.sealed = w.sealer.Seal(w.sealed[:0], w.buf, w.ad("frame"), uint64(n))
	w.write(w.sealed)
	w.table.Frames = append(w.table.Frames, Frame{Sealed: uint32(len(w.sealed)), Plain: uint32(len(f.plain)), Chunks: f.chunks})
	*f = openFrame{plain: f.plain[:0]}
}

func (w *Writer) ad(what string) []byte {
	return append(w.table.Name[:len(w.table.Name):len(w.table.Name)], what...)
}

func (w *Writer) write(p []byte) {
	if w.err != nil {
		return
	}
	w.digest.Write(p)
	n, err := w.out.Write(p)
	w.size += int64(n)
	if err != nil {
		w.err = fmt.Errorf("write pack: %w", err)
	}
}

// Close writes the table and makes the pack durable. The writer cannot be used any more.
func (w *Writer) Close() (*Table, error) {
	for c := range classes {
		w.flush(c)
	}
	w.finish()
	if w.err == nil {
		w.err = w.out.Commit()
	} else {
		_ = w.out.Abort() // the first error is the one to tell
	}
	if w.err != nil {
		return nil, fmt.Errorf("finish pack %x: %w", w.table.Name, w.err)
	}
	w.table.Size = w.size
	return &w.table, nil
}

func (w *Writer) finish() {
	if w.err != nil {
		return
	}
	at := w.size
	plain, err := w.codec.encodeTable(&w.table)
	if err != nil {
		w.err = err
		return
	}
	sealed := w.sealer.Seal(nil, plain, w.ad("table"), tableNonce)
	w.write(sealed)
	tail := binary.LittleEndian.AppendUint64(nil, uint64(at))
	tail = binary.LittleEndian.AppendUint32(tail, uint32(len(sealed)))
	w.write(append(tail, 0, 0, 0, 0))
	w.digest.Sum(w.table.SHA256[:0])
	w.write(append(w.table.SHA256[:sha256.Size:sha256.Size], endMagic...))
}

// Abort gives the pack up.
func (w *Writer) Abort() error { return w.out.Abort() }

// Places calls visit for each chunk of a table with where it lies.
func (t *Table) Places(visit func(c Chunk, p Place) error) error {
	for n, f := range t.Frames {
		var off uint32
		for _, c := range f.Chunks {
			if err := visit(c, Place{Frame: uint32(n), Offset: off, Length: c.Length}); err != nil {
				return err
			}
			off += c.Length
		}
	}
	return nil
}

// end is where the frames end and the table begins.
func (t *Table) end() int64 {
	off := int64(headerSize)
	for i := range t.Frames {
		off += int64(t.Frames[i].Sealed)
	}
	return off
}

// FrameOffsets are the offsets of the frames in the pack file.
func (t *Table) FrameOffsets() []int64 {
	at := make([]int64, len(t.Frames))
	off := int64(headerSize)
	for i, f := range t.Frames {
		at[i] = off
		off += int64(f.Sealed)
	}
	return at
}
