package parity_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"testing"

	"mailbrick/archive/blob"
	"mailbrick/archive/blob/blobtest"
	"mailbrick/archive/blob/dir"
	"mailbrick/archive/blob/parity"
)

// sink is a bucket that keeps nothing.
type sink struct{ blobtest.Memory }

func (*sink) Create(context.Context, string) (blob.Writer, error) { return nothing{}, nil }

type nothing struct{}

func (nothing) Write(p []byte) (int, error) { return len(p), nil }
func (nothing) Commit() error               { return nil }
func (nothing) Abort() error                { return nil }

func BenchmarkWrite(b *testing.B) {
	folder := func(b *testing.B) blob.Bucket {
		d, err := dir.Open(b.TempDir())
		if err != nil {
			b.Fatal(err)
		}
		return d
	}
	for _, size := range []int{300, 64 << 10, 1 << 20, 64 << 20} {
		data := random(1, size)
		for name, open := range map[string]func(b *testing.B) blob.Bucket{
			"parity alone":  func(*testing.B) blob.Bucket { return parity.Wrap(new(sink), parity.Options{}) },
			"folder":        folder,
			"folder parity": func(b *testing.B) blob.Bucket { return parity.Wrap(folder(b), parity.Options{}) },
		} {
			b.Run(fmt.Sprintf("%s/%dK", name, size>>10), func(b *testing.B) { benchmarkWrite(b, open(b), data) })
		}
	}
}

// perCPU reports MB per second of CPU, which other processes do not disturb.
func perCPU(b *testing.B, size int) (done func()) {
	before := cpu()
	return func() {
		if used := cpu() - before; used > 0 {
			b.ReportMetric(float64(size)*float64(b.N)/1e6/used.Seconds(), "MB/cpu-s")
		}
	}
}

func benchmarkWrite(b *testing.B, bucket blob.Bucket, data []byte) {
	b.ReportAllocs()
	defer perCPU(b, len(data))()
	for b.Loop() {
		w, err := bucket.Create(b.Context(), object)
		if err != nil {
			b.Fatal(err)
		}
		for p := data; len(p) > 0; p = p[min(len(p), 128<<10):] {
			if _, err := w.Write(p[:min(len(p), 128<<10)]); err != nil {
				b.Fatal(err)
			}
		}
		if err := w.Commit(); err != nil {
			b.Fatal(err)
		}
		_ = bucket.Remove(b.Context(), object) // the next is a new one; a sink has none
	}
}

func BenchmarkCheck(b *testing.B) {
	memory := new(blobtest.Memory)
	bucket := parity.Wrap(memory, parity.Options{})
	put(b, bucket, object, random(1, 64<<20))
	defer perCPU(b, 64<<20)()
	for b.Loop() {
		if report, err := bucket.Check(b.Context(), object, parity.Unknown); err != nil || !report.Whole() {
			b.Fatal(report, err)
		}
	}
}

// zeros is a bucket with one object of zeros, however long.
type zeros struct {
	sink
	size int64
}

func (z *zeros) Size(context.Context, string) (int64, error) { return z.size, nil }

func (z *zeros) Open(_ context.Context, _ string, _, n int64) (io.ReadCloser, error) {
	return blob.Exactly(io.NopCloser(endless{}), n), nil
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// TestMemory is not parallel, as it counts what the process allocates.
func TestMemory(t *testing.T) {
	const size = 200 << 20
	b := parity.Wrap(&zeros{size: size}, parity.Options{})
	piece := bytes.Repeat([]byte("x"), 1<<20)
	for name, tt := range map[string]struct {
		limit uint64
		do    func() error
	}{
		"write": {(8 + 7 + 11 + 6) << 20, func() error { // the window, what it grew from, 5 %, and 25 coders
			w, err := b.Create(t.Context(), object)
			for n := 0; n < size && err == nil; n += len(piece) {
				_, err = w.Write(piece)
			}
			return errors.Join(err, w.Commit())
		}},
		"check": {10 << 20, func() error { // the window and its parity
			_, err := b.Check(t.Context(), object, parity.Unknown)
			return err
		}},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if err := tt.do(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		runtime.ReadMemStats(&after)
		allocated := after.TotalAlloc - before.TotalAlloc
		if t.Logf("%s: %d KiB in all", name, allocated>>10); allocated > tt.limit {
			t.Errorf("%s: %d bytes allocated, want at most %d", name, allocated, tt.limit)
		}
	}
}
