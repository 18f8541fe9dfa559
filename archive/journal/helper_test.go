package journal

import (
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"mailbrick/archive/blob"
	"mailbrick/archive/blob/blobtest"
	"mailbrick/archive/seal"
)

// testKey is bytes 0, 1, 2, ...
func testKey() (k seal.Key) {
	for i := range k {
		k[i] = byte(i)
	}
	return k
}

func torture() bool { return os.Getenv("MAILBRICK_TORTURE") == "1" }

func open(t testing.TB, b blob.Bucket, seed byte) *Journal {
	t.Helper()
	j, err := Open(b, testKey(), Options{Random: rand.NewChaCha8([32]byte{seed})})
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
		Packs:   []Pack{{Name: [16]byte{4}, Salt: [32]byte{5}, Size: 1 << 40, SHA256: [32]byte{6}, Chunks: 7}, {}},
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
		h, err := j.Append(t.Context(), heads[i], sample(), noon(i))
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
