package parity_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"mailbrick/archive/blob"
	"mailbrick/archive/blob/blobtest"
	"mailbrick/archive/blob/dir"
	"mailbrick/archive/blob/parity"
)

func TestSuiteOnMemory(t *testing.T) {
	t.Parallel()
	blobtest.Run(t, func(*testing.T) blob.Bucket { return parity.Wrap(new(blobtest.Memory), parity.Options{}) })
}

func TestSuiteOnFolder(t *testing.T) {
	t.Parallel()
	blobtest.Run(t, func(t *testing.T) blob.Bucket {
		inner, err := dir.Open(t.TempDir() + "/archive")
		if err != nil {
			t.Fatal(err)
		}
		return parity.Wrap(inner, parity.Options{Prefixes: []string{"folder/", "object", "a"}})
	})
}

func TestPrefixes(t *testing.T) {
	t.Parallel()
	memory := new(blobtest.Memory)
	b := parity.Wrap(memory, parity.Options{Prefixes: []string{"packs/", "journal/"}})
	for name, covered := range map[string]bool{"packs/x": true, "journal/1": true, "config": false, "packs-not": false} {
		put(t, b, name, []byte("payload"))
		if plain := string(memory.Bytes(name)) == "payload"; plain == covered || b.Covers(name) != covered {
			t.Errorf("%s: stored as it is: %v; covered: %v", name, plain, b.Covers(name))
		}
		r, err := b.OpenMended(t.Context(), name, 3, 2)
		if got, err := readAll(t, r, err); err != nil || string(got) != "lo" {
			t.Errorf("%s: read mended %q, %v", name, got, err)
		}
	}
	for info, err := range b.List(t.Context(), "") {
		if err != nil || info.Size != int64(len("payload")) {
			t.Errorf("%s: listed with %d bytes, %v", info.Name, info.Size, err)
		}
	}
	if _, err := b.Check(t.Context(), "config", parity.Unknown); err == nil {
		t.Error("checked what has no parity")
	}
	if b.Unwrap() != blob.Bucket(memory) {
		t.Error("unwrapped to something else")
	}
}

// TestCosts: sizes and lists need nothing but the sizes and lists inside.
func TestCosts(t *testing.T) {
	t.Parallel()
	faulty := blobtest.NewFaulty(new(blobtest.Memory))
	b := parity.Wrap(faulty, parity.Options{})
	put(t, b, object, random(1, 100_000))
	faulty.Reset()
	if _, err := b.Size(t.Context(), object); err != nil {
		t.Error(err)
	}
	for range b.List(t.Context(), "") {
	}
	if all := faulty.Calls(blobtest.Any); all != 2 {
		t.Errorf("%d calls for a size and a list", all)
	}
	faulty.Reset()
	r, err := b.Open(t.Context(), object, 50_000, 10)
	if got, err := readAll(t, r, err); err != nil || len(got) != 10 {
		t.Error(err)
	}
	if opens, sizes := faulty.Calls(blobtest.Open), faulty.Calls(blobtest.Size); opens != 1 || sizes != 1 {
		t.Errorf("%d opens and %d sizes for a range", opens, sizes)
	}
}

// TestLostAnswer: the object is there and whole.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	faulty := blobtest.NewFaulty(new(blobtest.Memory))
	b := parity.Wrap(faulty, parity.Options{})
	faulty.Order(blobtest.Fault{Op: blobtest.Commit, Kind: blobtest.LostAnswer})
	w, err := b.Create(t.Context(), object)
	if err != nil {
		t.Fatal(err)
	}
	payload := random(1, 50_000)
	_, err = w.Write(payload)
	if err := errors.Join(err, w.Commit()); !errors.Is(err, blobtest.ErrInjected) {
		t.Errorf("commit: %v", err)
	}
	wantWhole(t, b, payload)
}

// wantWhole holds that an object is there without damage.
func wantWhole(t *testing.T, b *parity.Bucket, payload []byte) {
	t.Helper()
	report, err := b.Check(t.Context(), object, parity.Unknown)
	if err != nil || !report.Whole() || report.Size != int64(len(payload)) {
		t.Errorf("check: %+v, %v", report, err)
	}
	for name, open := range map[string]func() (io.ReadCloser, error){
		"plainly": func() (io.ReadCloser, error) { return b.Open(t.Context(), object, 0, -1) },
		"mended":  func() (io.ReadCloser, error) { return b.OpenMended(t.Context(), object, 0, -1) },
	} {
		r, err := open()
		if got, err := readAll(t, r, err); err != nil || !bytes.Equal(got, payload) {
			t.Errorf("read %s: %d of %d bytes, %v", name, len(got), len(payload), err)
		}
	}
}

// TestWriteFails: at every call, nothing stays and the error is told.
func TestWriteFails(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		memory := new(blobtest.Memory)
		faulty := blobtest.NewFaulty(memory)
		faulty.Order(blobtest.Fault{Op: blobtest.Write, Nth: n, Kind: blobtest.Full})
		w, err := parity.Wrap(faulty, parity.Options{}).Create(t.Context(), object)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write([]byte("payload")) // sticks
		err = w.Commit()
		if err == nil {
			if n != 5 { // payload, footer with zeros, parity, footer
				t.Errorf("the object takes %d writes", n-1)
			}
			return
		}
		if !errors.Is(err, blob.ErrFull) || len(memory.Names()) > 0 {
			t.Errorf("write %d: %v, left %q", n, err, memory.Names())
		}
	}
}

func TestWindows(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{
		"nothing": 0, "one window": 8 << 20, "and a byte": 8<<20 + 1, "two and a half": 20<<20 + 5,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := parity.Wrap(new(blobtest.Memory), parity.Options{})
			payload := random(uint64(size), size)
			put(t, b, object, payload)
			wantWhole(t, b, payload)
		})
	}
}

// TestMendedRanges: what is read mended are the ranges that are asked for.
func TestMendedRanges(t *testing.T) {
	t.Parallel()
	payload := random(3, 17<<20)
	memory := new(blobtest.Memory)
	bad := stored(t, payload)
	for at := 1 << 20; at < len(payload); at += 4 << 20 {
		bad[at] ^= 1
	}
	memory.Put(object, bad)
	b := parity.Wrap(memory, parity.Options{})
	size := int64(len(payload))
	for _, tt := range []struct {
		name   string
		off, n int64
		want   []byte
		err    error
	}{
		{"around damage", 1<<20 - 1, 3, payload[1<<20-1:][:3], nil},
		{"over an edge", 8<<20 - 5, 10, payload[8<<20-5:][:10], nil},
		{"two edges", 5, 16 << 20, payload[5:][:16<<20], nil},
		{"to the end", 16<<20 + 1, -1, payload[16<<20+1:], nil},
		{"nothing", 100, 0, nil, nil},
		{"nothing at the end", size, -1, nil, nil},
		{"past the end", size - 2, 3, payload[size-2:], io.ErrUnexpectedEOF},
		{"far past the end", 1 << 60, -1, nil, io.ErrUnexpectedEOF},
		{"negative", -1, 1, nil, blob.ErrRange},
	} {
		r, err := b.OpenMended(t.Context(), object, tt.off, tt.n)
		if got, err := readAll(t, r, err); !errors.Is(err, tt.err) || !bytes.Equal(got, tt.want) {
			t.Errorf("%s: %d of %d bytes, %v", tt.name, len(got), len(tt.want), err)
		}
	}
}
