package journal

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"math/bits"

	"mailbrick/archive/wire"
)

const (
	leafPrefix  = 0
	innerPrefix = 1
	seedSize    = 32
)

// summary is what a header says of a body: its digest, in which each version is only its leaf, and the tree over the leaves.
type summary struct {
	digest, root [32]byte
	leaves       uint64
}

// summarise walks the entries of a body.
func summarise(seed, body []byte) (summary, error) {
	var s summary
	var place, head []byte
	var tree tree
	digest, salts, leaf := sha256.New(), hmac.New(sha256.New, seed), sha256.New()
	for r := wire.NewReader(body); r.More(); {
		kind, payload := r.Uvarint(), r.Bytes()
		if err := r.Err(); err != nil {
			return s, fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		switch kind {
		case kindSection:
			place = payload
		case kindVersion:
			salt := saltOf(salts, s.leaves)
			s.leaves++
			tree.add(sum(leaf, []byte{leafPrefix}, salt[:], place, payload))
			payload = tree.last[:]
		}
		head = wire.AppendUvarint(wire.AppendUvarint(head[:0], kind), uint64(len(payload)))
		digest.Write(head)
		digest.Write(payload)
	}
	digest.Sum(s.digest[:0])
	s.root = tree.root()
	return s, nil
}

// saltOf is the salt of leaf n. One who knows it learns nothing of the others'.
func saltOf(seed hash.Hash, n uint64) [32]byte {
	return sum(seed, binary.LittleEndian.AppendUint64(nil, n))
}

// sum hashes from the beginning.
func sum(h hash.Hash, parts ...[]byte) (out [32]byte) {
	h.Reset()
	for _, p := range parts {
		h.Write(p)
	}
	h.Sum(out[:0])
	return out
}

// tree is the Merkle tree of RFC 9162 2.1.1, built leaf by leaf: it holds the roots of the full trees of which what came
// so far consists, the largest first.
type tree struct {
	last  [32]byte // the leaf that came last
	roots [][32]byte
	n     uint64
}

func (t *tree) add(leaf [32]byte) {
	t.last = leaf
	t.roots = append(t.roots, leaf)
	t.n++
	for range bits.TrailingZeros64(t.n) {
		t.fold()
	}
}

// fold makes one tree of the last two.
func (t *tree) fold() {
	at := len(t.roots) - 2
	t.roots[at] = inner(t.roots[at], t.roots[at+1])
	t.roots = t.roots[:at+1]
}

func inner(left, right [32]byte) [32]byte {
	return sha256.Sum256(append(append([]byte{innerPrefix}, left[:]...), right[:]...))
}

func (t *tree) root() [32]byte {
	if t.n == 0 {
		return sha256.Sum256(nil)
	}
	for len(t.roots) > 1 {
		t.fold()
	}
	return t.roots[0]
}
