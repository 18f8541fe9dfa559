package journal

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"testing"
)

// rootOf is the definition of RFC 9162 2.1.1, as it stands there.
func rootOf(leaves [][32]byte) [32]byte {
	switch n := len(leaves); n {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return leaves[0]
	default:
		k := 1
		for 2*k < n {
			k *= 2
		}
		return inner(rootOf(leaves[:k]), rootOf(leaves[k:]))
	}
}

func TestTree(t *testing.T) {
	t.Parallel()
	var leaves [][32]byte
	for n := range 70 {
		var tree tree
		for _, l := range leaves {
			tree.add(l)
		}
		if tree.root() != rootOf(leaves) {
			t.Errorf("%d leaves: another root", n)
		}
		leaves = append(leaves, sha256.Sum256([]byte{byte(n)}))
	}
}

// TestTreeKnownAnswer: the trees of RFC 6962's well-known test data, leaves "" and 00.
func TestTreeKnownAnswer(t *testing.T) {
	t.Parallel()
	var tr tree
	tr.add(sum(sha256.New(), []byte{leafPrefix}))
	tr.add(sum(sha256.New(), []byte{leafPrefix}, []byte{0}))
	root := tr.root()
	if got := hex.EncodeToString(root[:]); got != "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125" {
		t.Errorf("root %s", got)
	}
}

// TestLeaf: one who has a row, its place, its salt and the other leaves needs nothing else to come to the root; and a row can
// be taken away leaving its leaf.
func TestLeaf(t *testing.T) {
	t.Parallel()
	seed := make([]byte, seedSize)
	body := sample()
	whole, err := summarise(seed, body.Encode())
	if err != nil || whole.leaves != 2 {
		t.Fatalf("%d leaves, %v", whole.leaves, err)
	}
	section := []byte("\x0ba@x.example\x03")
	salts := hmac.New(sha256.New, seed)
	var leaves [][32]byte
	for n, v := range body.Sections[0].Versions {
		salt := saltOf(salts, uint64(n))
		leaves = append(leaves, sha256.Sum256(append(append([]byte{leafPrefix}, salt[:]...), v.Append(append([]byte(nil), section...))...)))
	}
	if rootOf(leaves) != whole.root {
		t.Error("the leaves do not give the root")
	}
	for name, change := range map[string]func(b *Body){
		"mailbox": func(b *Body) { b.Sections[0].Mailbox = "b@x.example" },
		"ordinal": func(b *Body) { b.Sections[0].Ordinal++ },
		"row":     func(b *Body) { b.Sections[0].Versions[1].SHA256[5] ^= 1 },
		"order":   func(b *Body) { v := b.Sections[0].Versions; v[0], v[1] = v[1], v[0] },
	} {
		other := sample()
		change(other)
		if s, err := summarise(seed, other.Encode()); err != nil || s.root == whole.root || s.digest == whole.digest {
			t.Errorf("another %s, the same root or digest: %v", name, err)
		}
	}
	other := sample()
	other.Begin.Program = "another"
	if s, _ := summarise(seed, other.Encode()); s.root != whole.root || s.digest == whole.digest {
		t.Error("what is no row changes the root, or not the digest")
	}
}

func TestSummariseAnything(t *testing.T) {
	t.Parallel()
	r := &roller{rand.New(rand.NewPCG(5, 6))}
	for range 200 {
		b := r.body().Encode()
		if _, err := summarise(nil, b); err != nil {
			t.Fatal(err)
		}
		if len(b) > 0 {
			if _, err := summarise(nil, b[:len(b)-1]); !errors.Is(err, ErrDamaged) {
				t.Fatalf("cut short: %v", err)
			}
		}
	}
}
