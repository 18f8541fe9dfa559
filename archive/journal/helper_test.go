package journal

import (
	"bytes"
	"crypto/ed25519"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"mailbrick/archive/blob"
	"mailbrick/archive/blob/blobtest"
	"mailbrick/archive/seal"
)

// testRing has the keys 0, 1, 2, ... and 32, 33, 34, ...
func testRing() (r seal.Ring) {
	var keys [2 * seal.KeySize]byte
	for i := range keys {
		keys[i] = byte(i)
	}
	random := bytes.NewReader(keys[:])
	for n := range uint32(2) {
		var err error
		if r, err = r.Rotate(n+1, random); err != nil {
			panic(err) // cannot happen: numbers go up and there are bytes enough
		}
	}
	return r
}

// signer signs; each number is another.
func signer(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

func torture() bool { return os.Getenv("MAILBRICK_TORTURE") == "1" }

func open(t testing.TB, b blob.Bucket, seed byte) *Journal {
	t.Helper()
	j, err := Open(b, testRing(), Options{Random: rand.NewChaCha8([32]byte{seed})})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func noon(seconds int) time.Time {
	return time.Date(2026, 1, 2, 12, 0, seconds, 0, time.UTC)
}

// sample is a body with something of every entry.
func sample() *Body {
	return &Body{
		Begin:   &Begin{Session: [16]byte{1, 2, 3}, Program: "mailbrick 1"},
		Writer:  &Writer{Key: [32]byte{13}, Name: "server 1"},
		Key:     &KeyChange{Action: KeyAdded, Generation: 2, Holder: "0123456789abcdef", Kind: "x25519", Fingerprint: "SHA256:x", Digest: [32]byte{14}},
		Packs:   []Pack{{Name: [16]byte{4}, Salt: [32]byte{5}, Size: 1 << 40, SHA256: [32]byte{6}, Chunks: 7, Generation: 2}, {}},
		Depends: [][16]byte{{8}, {9}},
		Sections: []Section{
			{Mailbox: "a@x.example", Ordinal: 3,
				Folders:     []Folder{{ID: "f", ParentID: "p", Name: "In/box", Class: "IPF.Note", Kind: "inbox"}, {}},
				FoldersGone: []string{"g", ""},
				Versions: []Version{{ID: [16]byte{10}, ItemID: "AAMk=", ChangeKey: "CQ", FolderID: "f", Size: 1 << 33, SHA256: [32]byte{11},
					Associated: true, Recipe: [16]byte{2}, Unparsed: "why", Summary: []byte{0, 1}}, {}},
				Gone:     [][16]byte{{12}},
				Cursors:  []Cursor{{Key: "k", Value: []byte("v")}, {Key: "empty", Value: []byte{}}, {Key: "gone"}},
				Complete: true},
			{},
		},
	}
}

// chain appends n records and gives the heads, from that before the first on.
func chain(t testing.TB, j *Journal, n int) []Head {
	t.Helper()
	heads := []Head{{}}
	for i := range n {
		h, err := j.Append(t.Context(), signer(1), heads[i], sample(), nil, noon(i))
		if err != nil {
			t.Fatal(err)
		}
		heads = append(heads, h)
	}
	return heads
}

// follow counts the records after the first head that a journal gives, up to an error.
func follow(t testing.TB, j *Journal, head Head) (n int, last error) {
	t.Helper()
	for _, err := range j.Follow(t.Context(), head) {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func memory() *blobtest.Memory { return new(blobtest.Memory) }
