package parity

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
)

const (
	magic       = "MBPARITY"
	version     = 1 // 1: the first
	hashSize    = 16
	trailerSize = 24 + hashSize
)

// appendHash appends what footers say of a shard.
func appendHash(to, shard []byte) []byte {
	sum := sha256.Sum256(shard)
	return append(to, sum[:hashSize]...)
}

func appendTrailer(to []byte, size int64) []byte {
	at := len(to)
	to = append(to, magic...)
	to = binary.LittleEndian.AppendUint32(to, version)
	to = append(to, 0, 0, 0, 0)
	to = binary.LittleEndian.AppendUint64(to, uint64(size))
	return appendHash(to, to[at:])
}

// trailer is what one says.
type trailer struct {
	version uint32
	size    int64
}

// parseTrailer reads a trailer of any version, which p must begin with.
func parseTrailer(p []byte) (t trailer, ok bool) {
	if len(p) < trailerSize || string(p[:len(magic)]) != magic ||
		!bytes.Equal(appendHash(nil, p[:24]), p[24:trailerSize]) {
		return trailer{}, false
	}
	size := binary.LittleEndian.Uint64(p[16:])
	t = trailer{version: binary.LittleEndian.Uint32(p[8:]), size: int64(size)}
	return t, size <= maxSize
}
