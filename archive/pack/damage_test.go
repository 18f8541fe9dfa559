package pack_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"mailbrick/archive/blob"
	"mailbrick/archive/blob/blobtest"
	"mailbrick/archive/pack"
)

// TestEveryByteCounts flips each byte of a pack in turn. The digest finds it without a key; the table or a frame finds it
// too wherever something is read that is used.
func TestEveryByteCounts(t *testing.T) {
	t.Parallel()
	b, r := newMemory()
	table := writePack(t, b, 1, smallPack())
	good := b.Bytes(table.Name.Object())
	flips := []byte{1}
	if torture() {
		flips = []byte{1, 2, 4, 8, 16, 32, 64, 128, 255}
	}
	for at := range good {
		for _, flip := range flips {
			bad := bytes.Clone(good)
			bad[at] ^= flip
			b.Put(table.Name.Object(), bad)
			if _, err := r.Digest(t.Context(), table.Name); !errors.Is(err, pack.ErrDamaged) {
				t.Errorf("byte %d of %d: digest says %v", at, len(good), err)
			}
			err := readAll(t, r, table)
			version := at >= 4 && at < 8
			unread := at >= len(good)-44 && at < len(good)-8 // zeros and digest: not looked at but by Digest and by whoever knows the digest
			if want := expected(version); !unread && !errors.Is(err, want) {
				t.Errorf("byte %d of %d: reading says %v, want %v", at, len(good), err, want)
			}
		}
	}
}

func expected(version bool) error {
	if version {
		return pack.ErrVersion
	}
	return pack.ErrDamaged
}

func readAll(t *testing.T, r *pack.Reader, old *pack.Table) error {
	t.Helper()
	table, err := r.Table(t.Context(), old.Name)
	if err != nil {
		return err
	}
	_, err = contents(t, r, table)
	return err
}

func TestTruncated(t *testing.T) {
	t.Parallel()
	b, r := newMemory()
	table := writePack(t, b, 1, smallPack())
	good := b.Bytes(table.Name.Object())
	for n := range good {
		b.Put(table.Name.Object(), good[:n])
		if _, err := r.Digest(t.Context(), table.Name); !errors.Is(err, pack.ErrDamaged) {
			t.Errorf("%d of %d bytes: digest says %v", n, len(good), err)
		}
		if _, err := r.Table(t.Context(), table.Name); !errors.Is(err, pack.ErrDamaged) {
			t.Errorf("%d of %d bytes: table says %v", n, len(good), err)
		}
	}
	b.Put(table.Name.Object(), append(bytes.Clone(good), 0))
	if _, err := r.Digest(t.Context(), table.Name); !errors.Is(err, pack.ErrDamaged) {
		t.Errorf("a byte too many: digest says %v", err)
	}
	if _, err := r.Table(t.Context(), table.Name); !errors.Is(err, pack.ErrDamaged) {
		t.Errorf("a byte too many: table says %v", err)
	}
}

// TestRubbish hands random bytes with the right marks to a reader.
func TestRubbish(t *testing.T) {
	t.Parallel()
	b, r := newMemory()
	table := writePack(t, b, 1, smallPack())
	good := b.Bytes(table.Name.Object())
	rnd := rand.New(rand.NewPCG(1, 1))
	rounds := 300
	if torture() {
		rounds = 100_000
	}
	for range rounds {
		bad := bytes.Clone(good)
		for range 1 + rnd.IntN(20) {
			at := len(bad) - 1 - rnd.IntN(60)
			if rnd.IntN(2) == 0 {
				at = rnd.IntN(len(bad))
			}
			bad[at] = byte(rnd.Uint32())
		}
		if bytes.Equal(bad, good) {
			continue
		}
		b.Put(table.Name.Object(), bad)
		if _, err := r.Digest(t.Context(), table.Name); !errors.Is(err, pack.ErrDamaged) {
			t.Fatalf("digest says %v", err)
		}
		_ = readAll(t, r, table) // must not panic
	}
}

// TestFailingBucket fails every call of writing a pack in turn.
func TestFailingBucket(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]blobtest.Kind{"error": blobtest.Error, "full": blobtest.Full, "dead": blobtest.Dead, "lost answer": blobtest.LostAnswer} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for n := 1; ; n++ {
				memory := new(blobtest.Memory)
				faulty := blobtest.NewFaulty(memory)
				faulty.Order(blobtest.Fault{Nth: n, Kind: kind})
				_, err := tryPack(t, faulty, 1, smallPack())
				calls := faulty.Calls(blobtest.Any)
				if calls < n {
					if err != nil || n < 5 {
						t.Errorf("%d calls without a fault: %v", calls, err)
					}
					return
				}
				if kind == blobtest.LostAnswer && faulty.Calls(blobtest.Commit) == 0 {
					t.Fatal("no commit")
				}
				if kind == blobtest.LostAnswer && n < calls {
					continue // a write has no answer to lose
				}
				if err == nil {
					t.Errorf("call %d failed and nobody said so", n)
				}
				if kind == blobtest.Full && !errors.Is(err, blob.ErrFull) {
					t.Errorf("call %d: %v does not say that the bucket is full", n, err)
				}
				if names := memory.Names(); len(names) > 0 && kind != blobtest.LostAnswer {
					t.Errorf("call %d failed and left %q", n, names)
				}
				if open := faulty.Calls(blobtest.Create); n > 1 && kind != blobtest.Dead && faulty.Calls(blobtest.Abort)+faulty.Calls(blobtest.Commit) != open {
					t.Errorf("call %d: %d writers made, %d ended", n, open, faulty.Calls(blobtest.Abort)+faulty.Calls(blobtest.Commit))
				}
			}
		})
	}
}

func TestAbortLeavesNothing(t *testing.T) {
	t.Parallel()
	b, _ := newMemory()
	w, err := pack.Create(t.Context(), b, testRing(), random(1))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range cut(noise(1, 500_000), 30_000, 2) {
		if err := w.Add(p.Chunk, p.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Abort(); err != nil || len(b.Names()) > 0 {
		t.Errorf("%v, left %q", err, b.Names())
	}
}
