package s3_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"mailbrick/archive/blob"
	"mailbrick/archive/blob/blobtest"
	"mailbrick/archive/blob/s3"
)

func TestSuite(t *testing.T) {
	t.Parallel()
	for _, bucket := range []string{plainBucket, lockedBucket} {
		t.Run(bucket, func(t *testing.T) {
			t.Parallel()
			url := realServer(t)
			blobtest.Run(t, func(t *testing.T) blob.Bucket { return open(t, options(url, bucket)) })
		})
	}
}

// TestRace: of processes that race for a name exactly one wins, in one piece,
// in parts and one against the other.
func TestRace(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		lengths []int // of what the racers write
	}{
		{"in one piece", []int{100, 101, 102, 103}},
		{"in parts", []int{s3.MinPartSize + 1, s3.MinPartSize + 2, s3.MinPartSize + 3}},
		{"in one piece and in parts", []int{100, s3.MinPartSize + 1, 101, s3.MinPartSize + 2}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := options(realServer(t), plainBucket)
			for round := range 3 {
				name := fmt.Sprintf("journal/%d", round)
				results := make([]error, len(tt.lengths))
				var g errgroup.Group
				for i, n := range tt.lengths {
					b := open(t, o)
					g.Go(func() error {
						results[i] = commit(t, b, name, strings.Repeat("x", n))
						return nil
					})
				}
				_ = g.Wait()
				wantOneWinner(t, open(t, o), name, tt.lengths, results)
			}
		})
	}
}

func wantOneWinner(t *testing.T, b blob.Bucket, name string, lengths []int, results []error) {
	t.Helper()
	size, err := b.Size(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	for i, err := range results {
		if won := int64(lengths[i]) == size; won != (err == nil) || !won && !errors.Is(err, blob.ErrExist) {
			t.Errorf("racer %d wrote %d, the object has %d: %v", i, lengths[i], size, err)
		}
	}
}

// TestMemory: 100 MB go there and come back through little memory. It counts all
// that is allocated, so nothing runs beside it.
func TestMemory(t *testing.T) {
	b := open(t, options(realServer(t), plainBucket))
	const size = 100 << 20
	there, back := sha256.New(), sha256.New()
	before := allocated()
	w, err := b.Create(t.Context(), "packs/large")
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(w, io.TeeReader(io.LimitReader(endless{}, size), there))
	if err := errors.Join(err, w.Commit()); err != nil {
		t.Fatal(err)
	}
	r, err := b.Open(t.Context(), "packs/large", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(back, r)
	if err := errors.Join(err, r.Close()); err != nil || n != size {
		t.Fatalf("%d bytes, %v", n, err)
	}
	if !slices.Equal(there.Sum(nil), back.Sum(nil)) {
		t.Error("other bytes came back")
	}
	// The buffer, its youth and what requests cost.
	if got := allocated() - before; got > 3*s3.MinPartSize {
		t.Errorf("%d bytes allocated for an object of %d in parts of %d", got, size, s3.MinPartSize)
	}
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// endless gives bytes that do not repeat in step with parts.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(i * 7 / 5)
	}
	return len(p), nil
}

// TestListOfPages: an order that is right across pages.
func TestListOfPages(t *testing.T) {
	t.Parallel()
	b := open(t, options(realServer(t), plainBucket))
	const many = 2500
	want := make([]string, many)
	var g errgroup.Group
	g.SetLimit(8)
	for i := range want {
		want[i] = fmt.Sprintf("packs/%02x/%04d", i%16, i)
		g.Go(func() error { return commit(t, b, want[i], "x") })
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(want)
	if got := names(t, b, ""); !slices.Equal(got, want) {
		t.Errorf("%d names, want %d", len(got), many)
	}
	if got := names(t, b, "packs/0a/"); len(got) != len(want)/16 {
		t.Errorf("%d names in one folder", len(got))
	}
}

func BenchmarkRead(b *testing.B) {
	bucket := open(b, options(realServer(b), plainBucket))
	put(b, bucket, "object", strings.Repeat("x", 1<<20))
	b.SetBytes(1 << 16)
	for b.Loop() {
		if _, err := read(b, bucket, "object", 1000, 1<<16); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCommit(b *testing.B) {
	bucket := open(b, options(realServer(b), plainBucket))
	content := strings.Repeat("x", 1<<16)
	b.SetBytes(1 << 16)
	n := 0
	for b.Loop() {
		put(b, bucket, fmt.Sprintf("packs/%d-%d", os.Getpid(), n), content)
		n++
	}
}
