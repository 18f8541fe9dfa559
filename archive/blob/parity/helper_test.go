package parity_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"testing"

	"mailbrick/archive/blob"
	"mailbrick/archive/blob/blobtest"
	"mailbrick/archive/blob/parity"
)

const object = "packs/object"

// random are bytes that follow from a seed.
func random(seed uint64, n int) []byte {
	p := make([]byte, n)
	var key [32]byte
	key[0] = byte(seed)
	_, _ = rand.NewChaCha8(key).Read(p) // never fails
	return p
}

func torture() bool { return os.Getenv("MAILBRICK_TORTURE") != "" }

// put commits an object in writes of odd sizes.
func put(t testing.TB, b blob.Bucket, name string, data []byte) {
	t.Helper()
	w, err := b.Create(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	for step := 1; len(data) > 0; step = step*3 + 1 {
		n := min(step, len(data))
		if _, err := w.Write(data[:n]); err != nil {
			t.Fatal(err)
		}
		data = data[n:]
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
}

// stored is what a payload becomes.
func stored(t testing.TB, payload []byte) []byte {
	t.Helper()
	memory := new(blobtest.Memory)
	put(t, parity.Wrap(memory, parity.Options{}), object, payload)
	return memory.Bytes(object)
}

func readAll(t testing.TB, r io.ReadCloser, err error) ([]byte, error) {
	t.Helper()
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r)
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	return data, err
}

// mends damages an object, and holds that the damage is found and mended to the
// byte.
func mends(t testing.TB, what string, good, bad, payload []byte, told int64) {
	t.Helper()
	memory := new(blobtest.Memory)
	memory.Put(object, bad)
	b := parity.Wrap(memory, parity.Options{})
	if bytes.Equal(good, bad) {
		t.Fatalf("%s: nothing is damaged", what)
	}
	report, err := b.Check(t.Context(), object, told)
	if err != nil || report.Whole() || !report.Mendable || report.Size != int64(len(payload)) {
		t.Fatalf("%s: check: %+v, %v", what, report, err)
	}
	if told == parity.Unknown {
		r, err := b.OpenMended(t.Context(), object, 0, -1)
		if got, err := readAll(t, r, err); err != nil || !bytes.Equal(got, payload) {
			t.Fatalf("%s: read mended: %d of %d bytes, %v", what, len(got), len(payload), err)
		}
	}
	if repaired, err := b.Repair(t.Context(), object, told); err != nil || repaired != report {
		t.Fatalf("%s: repair: %+v, %v", what, repaired, err)
	}
	if !bytes.Equal(memory.Bytes(object), good) {
		t.Fatalf("%s: repaired to something else", what)
	}
}

// isLost holds that damage is found, said to be beyond repair, and left alone.
func isLost(t testing.TB, what string, bad []byte, told int64) {
	t.Helper()
	memory := new(blobtest.Memory)
	memory.Put(object, bad)
	b := parity.Wrap(memory, parity.Options{})
	report, err := b.Check(t.Context(), object, told)
	if err != nil || report.Mendable || report.Whole() {
		t.Fatalf("%s: check: %+v, %v", what, report, err)
	}
	wantBeyond(t, what, b, told)
	if !bytes.Equal(memory.Bytes(object), bad) {
		t.Fatalf("%s: the object was touched", what)
	}
}
