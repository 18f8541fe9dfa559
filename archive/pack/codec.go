package pack

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"
)

const (
	codecStored = 0
	codecZstd   = 1

	maxChunk = 16 << 20
	maxFrame = maxChunk + 256<<10
	maxTable = 16 << 20

	maxSealed = maxFrame + 1024 // of a frame or a table in the pack
)

// codec compresses and opens frames. It is not for concurrent use.
type codec struct {
	enc   *zstd.Encoder
	dec   *zstd.Decoder
	check []byte // scratch for proving a frame
}

// newCodec compresses at the fastest level: what is alike lies together already, and the next level gains 3 % for half as much
// again.
func newCodec() (*codec, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false), zstd.WithWindowSize(1<<20),
		zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		return nil, err
	}
	dec, err := newDecoder()
	return &codec{enc: enc, dec: dec}, err
}

func newDecoder() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxFrame))
}

// encode gives the codec byte and the compressed plain text, or the plain text itself where compression gains less than
// a thirtieth. What it gives has been opened again and compared: a compressor's fault must not become the record.
func (c *codec) encode(dst, plain []byte) ([]byte, error) {
	out := c.enc.EncodeAll(plain, append(dst, codecZstd))
	if len(out)-len(dst) > len(plain)-len(plain)/30 {
		return append(append(dst[:len(dst):cap(dst)], codecStored), plain...), nil
	}
	back, err := c.dec.DecodeAll(out[len(dst)+1:], c.check[:0])
	if err != nil || !bytes.Equal(back, plain) {
		return nil, fmt.Errorf("frame of %d bytes does not decompress to what it was made from: %w", len(plain), errors.Join(err, ErrDamaged))
	}
	c.check = back
	return out, nil
}

// encodeTable compresses a table, and proves it as encode does: a catalog is rebuilt from nothing else.
func (c *codec) encodeTable(t *Table) ([]byte, error) {
	plain := t.encode()
	if len(plain) > maxTable {
		return nil, fmt.Errorf("table of %d bytes: a pack has at most %d", len(plain), maxTable)
	}
	out := c.enc.EncodeAll(plain, nil)
	back, err := c.dec.DecodeAll(out, nil)
	if err != nil || !bytes.Equal(back, plain) {
		return nil, fmt.Errorf("table of %d bytes does not decompress to what it was made from: %w", len(plain), errors.Join(err, ErrDamaged))
	}
	return out, nil
}

// decode opens what encode made; size is the length the plain text must have.
func decode(dec *zstd.Decoder, data []byte, size int) ([]byte, error) {
	if len(data) == 0 {
		return nil, fmt.Errorf("%w: empty frame", ErrDamaged)
	}
	plain := data[1:]
	switch data[0] {
	case codecStored:
	case codecZstd:
		var err error
		if plain, err = dec.DecodeAll(plain, make([]byte, 0, size)); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
		}
	default:
		return nil, fmt.Errorf("%w: frame of unknown codec %d", ErrDamaged, data[0])
	}
	if len(plain) != size {
		return nil, fmt.Errorf("%w: frame has %d bytes, %d are wanted", ErrDamaged, len(plain), size)
	}
	return plain, nil
}
