package journal

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"mailbrick/archive/wire"
)

const (
	headerSize = 168
	// signedAs stands before what is signed, so that a signature of something else is never taken for a record's.
	signedAs = "mailbrick/record/v1\x00"
)

// header is what a record's hash stands for.
type header struct {
	number   uint64
	time     time.Time
	previous [32]byte
	nonce    [16]byte
	signer   [32]byte
	summary
}

func (h *header) bytes() []byte {
	b := binary.LittleEndian.AppendUint64(make([]byte, 0, headerSize), h.number)
	b = binary.LittleEndian.AppendUint64(b, uint64(h.time.UnixMilli()))
	b = append(append(append(b, h.previous[:]...), h.digest[:]...), h.nonce[:]...)
	b = binary.LittleEndian.AppendUint64(b, h.leaves)
	return append(append(b, h.root[:]...), h.signer[:]...)
}

// parseHeader reads what bytes wrote. The length is checked already.
func parseHeader(b []byte) (h header) {
	r := wire.NewReader(b)
	h.number = binary.LittleEndian.Uint64(r.Fixed(8))
	h.time = time.UnixMilli(int64(binary.LittleEndian.Uint64(r.Fixed(8)))).UTC()
	h.previous, h.digest, h.nonce = [32]byte(r.Fixed(32)), [32]byte(r.Fixed(32)), [16]byte(r.Fixed(16))
	h.leaves = binary.LittleEndian.Uint64(r.Fixed(8))
	h.root, h.signer = [32]byte(r.Fixed(32)), [32]byte(r.Fixed(32))
	return h
}

// sign appends the signature to a header.
func sign(key ed25519.PrivateKey, header []byte) []byte {
	return append(header, ed25519.Sign(key, signed(header))...)
}

// verify tells whether a header was signed by the writer that it names.
func verify(h *header, header, signature []byte) bool {
	return ed25519.Verify(h.signer[:], signed(header), signature)
}

func signed(header []byte) []byte {
	sum := sha256.Sum256(header)
	return bytes.Join([][]byte{[]byte(signedAs), sum[:]}, nil)
}
