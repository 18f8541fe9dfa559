package pack

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"

	"mailbrick/archive/blob"
	"mailbrick/archive/seal"
)

// Keys gives the key of a generation; a seal.Ring does.
type Keys interface {
	Of(generation uint32) (k seal.Key, ok bool)
}

// Reader reads frames and tables of the packs of a bucket. It is for concurrent use.
type Reader struct {
	bucket   source
	keys     Keys
	decoders *sync.Pool
}

// source is what a reader needs of a bucket.
type source interface {
	Open(ctx context.Context, name string, off, n int64) (io.ReadCloser, error)
	Size(ctx context.Context, name string) (int64, error)
}

// NewReader makes a reader.
func NewReader(bucket blob.Bucket, keys Keys) *Reader {
	return &Reader{bucket: bucket, keys: keys, decoders: &sync.Pool{}}
}

// Held reads one pack, whose bytes are at hand.
func (r *Reader) Held(data []byte) *Reader {
	return &Reader{bucket: held(data), keys: r.keys, decoders: r.decoders}
}

// held is a pack's bytes, under whatever name.
type held []byte

func (h held) Size(context.Context, string) (int64, error) { return int64(len(h)), nil }

func (h held) Open(_ context.Context, _ string, off, n int64) (io.ReadCloser, error) {
	in := bytes.NewReader(h[min(off, int64(len(h))):])
	if n < 0 {
		return io.NopCloser(in), nil
	}
	return io.NopCloser(io.LimitReader(in, n)), nil
}

// sealer is that of a pack. A generation that the ring has not may be a changed byte, so it is damage.
func (r *Reader) sealer(generation uint32, salt [saltSize]byte) (*seal.Sealer, error) {
	key, ok := r.keys.Of(generation)
	if !ok {
		return nil, fmt.Errorf("%w: sealed under generation %d of the key, which is not at hand", ErrDamaged, generation)
	}
	return key.Sealer(purpose, salt[:])
}

// FrameRef is what is needed to read one frame with one range read.
type FrameRef struct {
	Pack       Name
	Generation uint32 // of the key
	Salt       [saltSize]byte
	Ordinal    uint32
	Offset     int64
	Sealed     uint32
	Plain      uint32
}

// Frame reads, opens and decompresses a frame.
func (r *Reader) Frame(ctx context.Context, ref FrameRef) ([]byte, error) {
	if err := ref.check(); err != nil {
		return nil, err
	}
	sealed, err := r.read(ctx, ref.Pack, ref.Offset, int64(ref.Sealed))
	if err != nil {
		return nil, err
	}
	plain, _, err := r.open(ref, sealed)
	return plain, err
}

func (ref *FrameRef) check() error {
	if ref.Plain > maxFrame || ref.Sealed > maxSealed || ref.Offset < int64(headerSize) {
		return fmt.Errorf("pack %x: %w: frame of %d bytes", ref.Pack, ErrDamaged, ref.Plain)
	}
	return nil
}

// Range fills p with bytes of a pack in which frames lie; Unseal opens these. Nothing of it is checked.
func (r *Reader) Range(ctx context.Context, name Name, off int64, p []byte) error {
	in, err := r.bucket.Open(ctx, name.Object(), off, int64(len(p)))
	if err != nil {
		return fmt.Errorf("pack %x: %w", name, err)
	}
	defer in.Close()
	if _, err := io.ReadFull(in, p); err != nil {
		return fmt.Errorf("pack %x: %w", name, cutShort(err))
	}
	return nil
}

// Unseal opens and decompresses a frame that was read as a part of a range. It overwrites the sealed bytes and gives none of them.
func (r *Reader) Unseal(ref FrameRef, sealed []byte) ([]byte, error) {
	if err := ref.check(); err != nil {
		return nil, err
	}
	plain, within, err := r.open(ref, sealed)
	if within {
		plain = bytes.Clone(plain)
	}
	return plain, err
}

// open gives what is sealed in a frame; within tells that it is a part of the sealed bytes, which it overwrites.
func (r *Reader) open(ref FrameRef, sealed []byte) (plain []byte, within bool, err error) {
	sealer, err := r.sealer(ref.Generation, ref.Salt)
	if err != nil {
		return nil, false, fmt.Errorf("pack %x: %w", ref.Pack, err)
	}
	data, err := sealer.Open(sealed[:0], sealed, append(ref.Pack[:len(ref.Pack):len(ref.Pack)], "frame"...), uint64(ref.Ordinal))
	if err != nil {
		return nil, false, fmt.Errorf("pack %x: frame %d: %w: %w", ref.Pack, ref.Ordinal, ErrDamaged, err)
	}
	if plain, err = r.decode(data, int(ref.Plain)); err != nil {
		return nil, false, fmt.Errorf("pack %x: frame %d: %w", ref.Pack, ref.Ordinal, err)
	}
	return plain, data[0] == codecStored, nil
}

func (r *Reader) decode(data []byte, size int) ([]byte, error) {
	dec, _ := r.decoders.Get().(*zstd.Decoder)
	if dec == nil {
		var err error
		if dec, err = newDecoder(); err != nil {
			return nil, err
		}
	}
	defer r.decoders.Put(dec)
	return decode(dec, data, size)
}

func (r *Reader) read(ctx context.Context, name Name, off, n int64) ([]byte, error) {
	p := make([]byte, n)
	return p, r.Range(ctx, name, off, p)
}

// cutShort tells an object that ends too early from one that could not be read: only the first is damage.
func cutShort(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it is shorter than it was", ErrDamaged)
	}
	return err
}

// Table reads the table of a pack with three range reads. It checks the seal of the table, not the frames.
func (r *Reader) Table(ctx context.Context, name Name) (*Table, error) {
	size, err := r.bucket.Size(ctx, name.Object())
	if err != nil {
		return nil, fmt.Errorf("pack %x: %w", name, err)
	}
	if size < int64(headerSize+trailerSize) {
		return nil, fmt.Errorf("pack %x: %w: only %d bytes long", name, ErrDamaged, size)
	}
	t := &Table{Name: name, Size: size}
	if err := r.header(ctx, t); err != nil {
		return nil, err
	}
	tail, err := r.read(ctx, name, size-int64(trailerSize), int64(trailerSize))
	if err != nil {
		return nil, err
	}
	copy(t.SHA256[:], tail[16:])
	at, n := binary.LittleEndian.Uint64(tail), binary.LittleEndian.Uint32(tail[8:])
	if string(tail[16+sha256.Size:]) != endMagic || at > uint64(size) || int64(at)+int64(n)+int64(trailerSize) != size || n > maxSealed {
		return nil, fmt.Errorf("pack %x: %w: no end mark", name, ErrDamaged)
	}
	sealed, err := r.read(ctx, name, int64(at), int64(n))
	if err != nil {
		return nil, err
	}
	if err := r.openTable(t, sealed); err != nil {
		return nil, fmt.Errorf("pack %x: table: %w", name, err)
	}
	if t.end() != int64(at) {
		return nil, fmt.Errorf("pack %x: %w: frames end at %d, the table begins at %d", name, ErrDamaged, t.end(), at)
	}
	return t, nil
}

func (r *Reader) header(ctx context.Context, t *Table) error {
	head, err := r.read(ctx, t.Name, 0, int64(headerSize))
	if err != nil {
		return err
	}
	if string(head[:4]) != magic {
		return fmt.Errorf("pack %x: %w: it does not begin like a pack", t.Name, ErrDamaged)
	}
	if v := binary.LittleEndian.Uint32(head[4:]); v != version {
		return fmt.Errorf("pack %x: %w: %d, this program knows %d", t.Name, ErrVersion, v, version)
	}
	t.Generation = binary.LittleEndian.Uint32(head[8:])
	copy(t.Salt[:], head[12:])
	return nil
}

func (r *Reader) openTable(t *Table, sealed []byte) error {
	sealer, err := r.sealer(t.Generation, t.Salt)
	if err != nil {
		return err
	}
	data, err := sealer.Open(nil, sealed, append(t.Name[:len(t.Name):len(t.Name)], "table"...), tableNonce)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	dec, err := newDecoder()
	if err != nil {
		return err
	}
	defer dec.Close()
	plain, err := dec.DecodeAll(data, nil)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return t.decode(plain)
}

// Digest reads a whole pack and compares it with the digest at its end. It needs no key.
func (r *Reader) Digest(ctx context.Context, name Name) ([32]byte, error) {
	var sum [32]byte
	size, err := r.bucket.Size(ctx, name.Object())
	if err != nil {
		return sum, fmt.Errorf("pack %x: %w", name, err)
	}
	in, err := r.bucket.Open(ctx, name.Object(), 0, -1)
	if err != nil {
		return sum, fmt.Errorf("pack %x: %w", name, err)
	}
	defer in.Close()
	digest := sha256.New()
	if _, err := io.CopyN(digest, in, size-int64(sha256.Size+len(endMagic))); err != nil {
		return sum, fmt.Errorf("pack %x: %w", name, cutShort(err))
	}
	digest.Sum(sum[:0])
	tail, err := io.ReadAll(in)
	if err != nil {
		return sum, fmt.Errorf("pack %x: %w", name, cutShort(err))
	}
	if string(tail) != string(sum[:])+endMagic {
		return sum, fmt.Errorf("pack %x: %w: its digest does not fit", name, ErrDamaged)
	}
	return sum, nil
}
