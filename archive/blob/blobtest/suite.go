package blobtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"mailbrick/archive/blob"
)

// Run checks that a bucket keeps what package blob promises. open gives an empty
// bucket each time; what has to be cleaned up is its affair (t.Cleanup).
func Run(t *testing.T, open func(t *testing.T) blob.Bucket) {
	tests := []struct {
		name string
		test func(t *testing.T, b blob.Bucket)
	}{
		{"round trip", testRoundTrip},
		{"bytes of a write are taken", testWriteTakesBytes},
		{"invisible until commit", testInvisible},
		{"abort", testAbort},
		{"writer is done", testDone},
		{"name is taken", testTaken},
		{"one of many wins", testRace},
		{"writers side by side", testSideBySide},
		{"ranges", testRanges},
		{"ranges past the end", testPastTheEnd},
		{"negative offset", testNegativeOffset},
		{"readers side by side", testReaders},
		{"not there", testNotExist},
		{"remove", testRemove},
		{"replace", testReplace},
		{"replace what goes", testReplaceGone},
		{"list in order", testListOrder},
		{"list by prefix", testListPrefix},
		{"list ends early", testListStops},
		{"list while objects go", testListRemoves},
		{"list of many", testListMany},
		{"names", testNames},
		{"prefixes", testPrefixes},
		{"context is over", testContext},
		{"context ends a writer", testContextWriter},
		{"context ends a reader", testContextReader},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.test(t, open(t))
		})
	}
}

// put commits an object in one or more writes.
func put(t *testing.T, b blob.Bucket, name string, parts ...string) {
	t.Helper()
	if err := create(t, b, name, parts...).Commit(); err != nil {
		t.Fatalf("commit %s: %v", name, err)
	}
}

// create is a writer that has the parts.
func create(t *testing.T, b blob.Bucket, name string, parts ...string) blob.Writer {
	t.Helper()
	w, err := b.Create(t.Context(), name)
	if err != nil {
		t.Fatalf("create %s: %v", name, err)
	}
	for _, part := range parts {
		if n, err := io.WriteString(w, part); n != len(part) || err != nil {
			t.Fatalf("write %s: %d of %d, %v", name, n, len(part), err)
		}
	}
	return w
}

// get reads a range; the reader has to close well.
func get(t *testing.T, b blob.Bucket, name string, off, n int64) ([]byte, error) {
	t.Helper()
	r, err := b.Open(t.Context(), name, off, n)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r)
	if err := r.Close(); err != nil {
		t.Errorf("close %s: %v", name, err)
	}
	return data, err
}

func wantBytes(t *testing.T, b blob.Bucket, name, want string) {
	t.Helper()
	got, err := get(t, b, name, 0, -1)
	if err != nil || string(got) != want {
		t.Errorf("%s: %d bytes %.40q, want %d bytes %.40q; %v", name, len(got), got, len(want), want, err)
	}
	if size, err := b.Size(t.Context(), name); err != nil || size != int64(len(want)) {
		t.Errorf("%s: size %d, want %d; %v", name, size, len(want), err)
	}
}

func wantAbsent(t *testing.T, b blob.Bucket, name string) {
	t.Helper()
	if _, err := get(t, b, name, 0, -1); !errors.Is(err, blob.ErrNotExist) {
		t.Errorf("open %s: want ErrNotExist, got %v", name, err)
	}
	if _, err := b.Size(t.Context(), name); !errors.Is(err, blob.ErrNotExist) {
		t.Errorf("size of %s: want ErrNotExist, got %v", name, err)
	}
	for _, n := range names(t, b, "") {
		if n == name {
			t.Errorf("%s is listed", name)
		}
	}
}

// names are a list.
func names(t *testing.T, b blob.Bucket, prefix string) []string {
	t.Helper()
	found := []string{}
	for info, err := range b.List(t.Context(), prefix) {
		if err != nil {
			t.Fatalf("list %q: %v", prefix, err)
		}
		found = append(found, info.Name)
	}
	return found
}

func wantNames(t *testing.T, b blob.Bucket, prefix string, want ...string) {
	t.Helper()
	if got := names(t, b, prefix); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("list %q:\n got %q\nwant %q", prefix, got, want)
	}
}

func testRoundTrip(t *testing.T, b blob.Bucket) {
	for i, size := range []int{0, 1, 511, 4096, 65537, 3<<20 + 17} {
		name := fmt.Sprintf("folder/%d", i)
		data := strings.Repeat("0123456789abcdef!", size/17+1)[:size]
		put(t, b, name, data[:size/3], "", data[size/3:])
		wantBytes(t, b, name, data)
	}
	put(t, b, "never-written-to")
	wantBytes(t, b, "never-written-to", "")
}

func testWriteTakesBytes(t *testing.T, b blob.Bucket) {
	w, err := b.Create(t.Context(), "object")
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4)
	for _, part := range []string{"abcd", "efgh"} {
		copy(buf, part)
		if _, err := w.Write(buf); err != nil {
			t.Fatal(err)
		}
	}
	clear(buf)
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	wantBytes(t, b, "object", "abcdefgh")
}

func testInvisible(t *testing.T, b blob.Bucket) {
	w := create(t, b, "folder/object", strings.Repeat("x", 1<<20))
	wantAbsent(t, b, "folder/object")
	wantNames(t, b, "")
	wantNames(t, b, "folder/")
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	wantNames(t, b, "", "folder/object")
}

func testAbort(t *testing.T, b blob.Bucket) {
	w := create(t, b, "object", "bytes")
	for range 2 {
		if err := w.Abort(); err != nil {
			t.Errorf("abort: %v", err)
		}
	}
	wantAbsent(t, b, "object")
	put(t, b, "object", "again")
	wantBytes(t, b, "object", "again")
}

func testDone(t *testing.T, b blob.Bucket) {
	committed, aborted := create(t, b, "committed", "bytes"), create(t, b, "aborted", "bytes")
	if err := committed.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := aborted.Abort(); err != nil {
		t.Fatal(err)
	}
	for name, w := range map[string]blob.Writer{"committed": committed, "aborted": aborted} {
		if _, err := io.WriteString(w, "more"); !errors.Is(err, blob.ErrDone) {
			t.Errorf("write to %s: %v", name, err)
		}
		if err := w.Commit(); !errors.Is(err, blob.ErrDone) {
			t.Errorf("commit of %s: %v", name, err)
		}
		if err := w.Abort(); err != nil {
			t.Errorf("abort of %s: %v", name, err)
		}
	}
	wantBytes(t, b, "committed", "bytes")
	wantAbsent(t, b, "aborted")
}

func testTaken(t *testing.T, b blob.Bucket) {
	early := create(t, b, "object", "early")
	put(t, b, "object", "first")
	late := create(t, b, "object", "late")
	for _, w := range []blob.Writer{early, late} {
		err := w.Commit()
		if !errors.Is(err, blob.ErrExist) {
			t.Errorf("want ErrExist, got %v", err)
		} else if !strings.Contains(err.Error(), "object") {
			t.Errorf("no name in %q", err)
		}
	}
	wantBytes(t, b, "object", "first")
	wantNames(t, b, "", "object")
}

func testRace(t *testing.T, b blob.Bucket) {
	const racers = 8
	results := make(chan error, racers)
	contents := make([]string, racers)
	for i := range racers {
		contents[i] = strings.Repeat(fmt.Sprint(i), 10_000+i)
		w := create(t, b, "folder/record", contents[i])
		go func() {
			err := w.Commit()
			if err == nil {
				err = won(i)
			}
			results <- err
		}()
	}
	winner := -1
	for range racers {
		var w won
		switch err := <-results; {
		case errors.As(err, &w) && winner < 0:
			winner = int(w)
		case !errors.Is(err, blob.ErrExist):
			t.Errorf("want one winner and ErrExist else, got %v", err)
		}
	}
	if winner < 0 {
		t.Fatal("nobody won")
	}
	wantBytes(t, b, "folder/record", contents[winner])
}

// won says who has committed.
type won int

func (w won) Error() string { return fmt.Sprintf("writer %d won as well", int(w)) }

func testSideBySide(t *testing.T, b blob.Bucket) {
	one, two := create(t, b, "folder/one"), create(t, b, "folder/two")
	for range 100 {
		_, err1 := io.WriteString(one, "1")
		_, err2 := io.WriteString(two, "2")
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(two.Commit(), one.Commit()); err != nil {
		t.Fatal(err)
	}
	wantBytes(t, b, "folder/one", strings.Repeat("1", 100))
	wantBytes(t, b, "folder/two", strings.Repeat("2", 100))
}

func testReaders(t *testing.T, b blob.Bucket) {
	data := strings.Repeat("0123456789", 20_000)
	put(t, b, "object", data)
	results := make(chan error)
	for i := range int64(8) {
		go func() {
			r, err := b.Open(t.Context(), "object", i, -1)
			if err != nil {
				results <- err
				return
			}
			got, err := io.ReadAll(r)
			if string(got) != data[i:] {
				err = errors.Join(err, fmt.Errorf("reader %d got other bytes", i))
			}
			results <- errors.Join(err, r.Close())
		}()
	}
	for range 8 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
}

func testNotExist(t *testing.T, b blob.Bucket) {
	wantAbsent(t, b, "object")
	wantAbsent(t, b, "folder/object")
	if err := b.Remove(t.Context(), "object"); !errors.Is(err, blob.ErrNotExist) {
		t.Errorf("remove: %v", err)
	}
	put(t, b, "folder/object", "bytes")
	wantAbsent(t, b, "folder")
	wantAbsent(t, b, "folder/object/below")
	wantAbsent(t, b, "folder/objec")
	if err := b.Remove(t.Context(), "folder"); !errors.Is(err, blob.ErrNotExist) {
		t.Errorf("remove a folder: %v", err)
	}
	wantBytes(t, b, "folder/object", "bytes")
}

func testRemove(t *testing.T, b blob.Bucket) {
	put(t, b, "folder/a", "a")
	put(t, b, "folder/b", "b")
	if err := b.Remove(t.Context(), "folder/a"); err != nil {
		t.Fatal(err)
	}
	wantAbsent(t, b, "folder/a")
	if err := b.Remove(t.Context(), "folder/a"); !errors.Is(err, blob.ErrNotExist) {
		t.Errorf("remove twice: %v", err)
	}
	wantBytes(t, b, "folder/b", "b")
	put(t, b, "folder/a", "new")
	wantBytes(t, b, "folder/a", "new")
	for _, name := range []string{"folder/a", "folder/b"} {
		if err := b.Remove(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	wantNames(t, b, "")
	put(t, b, "folder/a", "after the last went")
	wantBytes(t, b, "folder/a", "after the last went")
}

func testContext(t *testing.T, b blob.Bucket) {
	put(t, b, "object", "bytes")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, errCreate := b.Create(ctx, "other")
	_, errOpen := b.Open(ctx, "object", 0, -1)
	_, errSize := b.Size(ctx, "object")
	var errList error
	for _, err := range b.List(ctx, "") {
		errList = err
	}
	for name, err := range map[string]error{
		"create": errCreate, "open": errOpen, "size": errSize, "list": errList, "remove": b.Remove(ctx, "object"),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: want context.Canceled, got %v", name, err)
		}
	}
	wantNames(t, b, "", "object")
}

func testContextWriter(t *testing.T, b blob.Bucket) {
	ctx, cancel := context.WithCancel(t.Context())
	writing, err := b.Create(ctx, "writing")
	if err != nil {
		t.Fatal(err)
	}
	committing, err := b.Create(ctx, "committing")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(committing, "bytes"); err != nil {
		t.Fatal(err)
	}
	cancel()
	_, err = writing.Write(bytes.Repeat([]byte("x"), 64<<10))
	// An implementation with a buffer may say it at Commit.
	if err := errors.Join(err, writing.Commit()); !errors.Is(err, context.Canceled) {
		t.Errorf("write: want context.Canceled, got %v", err)
	}
	if err := committing.Commit(); !errors.Is(err, context.Canceled) {
		t.Errorf("commit: want context.Canceled, got %v", err)
	}
	wantNames(t, b, "")
}

func testContextReader(t *testing.T, b blob.Bucket) {
	put(t, b, "object", strings.Repeat("x", 4<<20))
	ctx, cancel := context.WithCancel(t.Context())
	r, err := b.Open(ctx, "object", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := io.ReadAll(r); !errors.Is(err, context.Canceled) {
		t.Errorf("read: want context.Canceled, got %v", err)
	}
	_ = r.Close()
}
