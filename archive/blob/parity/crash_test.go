package parity_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"mailbrick/archive/blob/dir"
	"mailbrick/archive/blob/dir/dirtest"
	"mailbrick/archive/blob/parity"
)

// TestCrashOfRepair: at every call of the file system the object is, after the
// power is back, the damaged one or the mended one, and can be repaired.
func TestCrashOfRepair(t *testing.T) {
	t.Parallel()
	seeds := uint64(12)
	if torture() {
		seeds = 200
	}
	payload := random(1, 30_000)
	good := stored(t, payload)
	bad := bytes.Clone(good)
	bad[len(good)/3] ^= 1
	for seed := range seeds {
		for n := 1; ; n++ {
			fs := dirtest.New()
			put(t, dir.OpenFS(fs), object, bad)
			fs.CrashAt(n)
			_, err := parity.Wrap(dir.OpenFS(fs), parity.Options{}).Repair(t.Context(), object, parity.Unknown)
			lived := fs.Last() == ""
			if !lived && err != nil && !errors.Is(err, dirtest.ErrCrash) {
				t.Errorf("seed %d, %s: %v", seed, fs.Last(), err)
			}
			after := dir.OpenFS(fs.Crash(seed))
			r, errOpen := after.Open(t.Context(), object, 0, -1)
			got, errRead := readAll(t, r, errOpen)
			if errRead != nil || !bytes.Equal(got, good) && (lived || !bytes.Equal(got, bad)) {
				t.Fatalf("seed %d, %s: %d bytes, %v, and they are neither", seed, fs.Last(), len(got), errRead)
			}
			again := parity.Wrap(after, parity.Options{})
			if _, err := again.Repair(t.Context(), object, parity.Unknown); err != nil {
				t.Fatalf("seed %d, %s: repair again: %v", seed, fs.Last(), err)
			}
			wantWhole(t, again, payload)
			if lived {
				if seed == 0 && n < 30 {
					t.Errorf("a repair takes only %d calls", n-1)
				}
				break
			}
		}
	}
}

// TestCrashOfWrite: what was committed is whole, what was not is absent.
func TestCrashOfWrite(t *testing.T) {
	t.Parallel()
	payload := random(1, 30_000)
	for seed := range uint64(12) {
		for n := 1; ; n++ {
			fs := dirtest.New()
			fs.CrashAt(n)
			committed := tryPut(t, parity.Wrap(dir.OpenFS(fs), parity.Options{}), payload) == nil
			after := parity.Wrap(dir.OpenFS(fs.Crash(seed)), parity.Options{})
			if _, err := after.Size(t.Context(), object); err == nil {
				wantWhole(t, after, payload)
			} else if committed {
				t.Errorf("seed %d, %s: committed, and %v", seed, fs.Last(), err)
			}
			if fs.Last() == "" {
				break
			}
		}
	}
}

func tryPut(t *testing.T, b *parity.Bucket, data []byte) error {
	w, err := b.Create(t.Context(), object)
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := io.Copy(w, bytes.NewReader(data)); err != nil {
		return err
	}
	return w.Commit()
}
