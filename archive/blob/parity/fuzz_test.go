package parity_test

import (
	"bytes"
	"errors"
	"testing"

	"mailbrick/archive/blob/blobtest"
	"mailbrick/archive/blob/parity"
)

// FuzzObject: whatever stands under the name, nothing panics; what is called
// mendable is mended, and what is mended is whole.
func FuzzObject(f *testing.F) {
	for _, size := range []int{0, 1, 300, 5000, 20_000} {
		good := stored(f, random(uint64(size), size))
		f.Add(good, parity.Unknown)
		f.Add(good[:len(good)-41], parity.Unknown)
		f.Add(append(bytes.Clone(good), 1, 2, 3), int64(size))
		f.Add(good[size:], parity.Unknown)
	}
	f.Add([]byte("MBPARITY"), int64(1<<62))
	f.Fuzz(func(t *testing.T, data []byte, told int64) {
		memory := new(blobtest.Memory)
		memory.Put(object, data)
		b := parity.Wrap(memory, parity.Options{})
		report, err := b.Check(t.Context(), object, told)
		if errors.Is(err, parity.ErrVersion) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		_, err = b.Repair(t.Context(), object, told)
		if report.Mendable != (err == nil) {
			t.Fatalf("%+v, and repair says %v", report, err)
		}
		r, errOpen := b.OpenMended(t.Context(), object, 0, -1)
		_, _ = readAll(t, r, errOpen)
		after := memory.Bytes(object)
		if err != nil || report.Whole() {
			if !bytes.Equal(after, data) {
				t.Fatal("the object was touched")
			}
			return
		}
		if again, err := b.Check(t.Context(), object, parity.Unknown); err != nil || !again.Whole() || again.Size != report.Size {
			t.Fatalf("after repair: %+v, %v", again, err)
		}
	})
}
