package blobtest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mailbrick/archive/blob"
)

// tricky are names in order whose order is easily missed: "-" and "." come
// before "/", "0" and "_" after it.
func tricky() []string {
	return []string{
		"a-b", "a-b.c", "a.b", "a/-", "a/0", "a/b-c", "a/b.c", "a/b/c", "a/b/d/e", "a/b0", "a/b_", "a/c",
		"a0", "a_", "aa/a", "ab", "b", "config", "packs/ab/x", "packs/ab/y", "packs/ac/x",
	}
}

func putAll(t *testing.T, b blob.Bucket, names []string) {
	t.Helper()
	// Not in order, for buckets that remember it.
	for i := range names {
		name := names[(i*8+3)%len(names)]
		put(t, b, name, name)
	}
}

func testListOrder(t *testing.T, b blob.Bucket) {
	if !slices.IsSorted(tricky()) {
		t.Fatal("the names are not in order")
	}
	wantNames(t, b, "")
	putAll(t, b, tricky())
	wantNames(t, b, "", tricky()...)
	for info, err := range b.List(t.Context(), "") {
		if err != nil || info.Size != int64(len(info.Name)) {
			t.Errorf("%s: size %d; %v", info.Name, info.Size, err)
		}
	}
}

func testListPrefix(t *testing.T, b blob.Bucket) {
	putAll(t, b, tricky())
	for _, prefix := range []string{
		"a", "a/", "a/b", "a/b/", "a/b/d", "a/b/d/e", "a/b/d/e/", "a-", "a-b", "p", "packs", "packs/",
		"packs/a", "packs/ab", "packs/ab/", "packs/ab/x", "packs/ad", "config", "config/", "c", "nothing", "nothing/at/all",
	} {
		var want []string
		for _, name := range tricky() {
			if strings.HasPrefix(name, prefix) {
				want = append(want, name)
			}
		}
		wantNames(t, b, prefix, want...)
	}
}

func testListStops(t *testing.T, b blob.Bucket) {
	putAll(t, b, tricky())
	for stop := 1; stop <= len(tricky()); stop++ {
		var got []string
		for info, err := range b.List(t.Context(), "") {
			if err != nil {
				t.Fatal(err)
			}
			if got = append(got, info.Name); len(got) == stop {
				break
			}
		}
		if !slices.Equal(got, tricky()[:stop]) {
			t.Errorf("first %d: got %q", stop, got)
		}
	}
}

func testListRemoves(t *testing.T, b blob.Bucket) {
	putAll(t, b, tricky())
	for info, err := range b.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Remove(t.Context(), info.Name); err != nil && !errors.Is(err, blob.ErrNotExist) {
			t.Fatal(err)
		}
		// Another one that the list may have seen or not.
		_ = b.Remove(t.Context(), "packs/ac/x")
	}
	wantNames(t, b, "")
}

func testListMany(t *testing.T, b blob.Bucket) {
	const many = 200
	want := make([]string, many)
	for i := range want {
		want[i] = fmt.Sprintf("packs/%02x/%04x", i%16, i)
		put(t, b, want[i], "x")
	}
	slices.Sort(want)
	wantNames(t, b, "packs/", want...)
}

func testNames(t *testing.T, b blob.Bucket) {
	long := strings.Repeat("n", blob.MaxSegment)
	good := []string{"a", "0", "_", "-", "a.b", "a-b_c.d/e", "packs/0f/0f3a.pack", long, long[1:] + "/" + long + "/x"}
	for _, name := range good {
		put(t, b, name, name)
		wantBytes(t, b, name, name)
	}
	bad := []string{
		"", "/", "/a", "a/", "a//b", ".", "..", "./a", "../a", "a/..", "a/../b", "a/.b", ".a", "a..b", "a.", "a./b",
		"A", "a b", "a\\b", "a:b", "a\x00", "ä", "a\n", "%41", "a*", "~", "con", "nul.txt", "a/com1/b", "lpt9.x",
		long + "n", strings.Repeat("a/", blob.MaxName/2) + "b",
	}
	for _, name := range bad {
		refuseName(t, b, name)
	}
	slices.Sort(good)
	wantNames(t, b, "", good...)
}

func refuseName(t *testing.T, b blob.Bucket, name string) {
	t.Helper()
	_, errCreate := b.Create(t.Context(), name)
	_, errOpen := b.Open(t.Context(), name, 0, -1)
	_, errSize := b.Size(t.Context(), name)
	for op, err := range map[string]error{
		"create": errCreate, "open": errOpen, "size": errSize, "remove": b.Remove(t.Context(), name),
	} {
		if !errors.Is(err, blob.ErrName) {
			t.Errorf("%s %q: want ErrName, got %v", op, name, err)
		}
	}
}

func testPrefixes(t *testing.T, b blob.Bucket) {
	put(t, b, "a/b.c/d", "x")
	for _, prefix := range []string{"", "a", "a/", "a/b", "a/b.", "a/b.c", "a/b.c/", "a/b.c/d"} {
		wantNames(t, b, prefix, "a/b.c/d")
	}
	for _, prefix := range []string{"/", "..", "../", "a/../", "a//", "./", ".", "a/.", "A", "a\\", "a./", "con/"} {
		var got error
		for _, err := range b.List(t.Context(), prefix) {
			got = err
		}
		if !errors.Is(got, blob.ErrName) {
			t.Errorf("list %q: want ErrName, got %v", prefix, got)
		}
	}
}
