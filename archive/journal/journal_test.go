package journal

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"mailbrick/archive/blob"
	"mailbrick/archive/blob/blobtest"
	"mailbrick/archive/seal"
)

var update = flag.Bool("update", false, "write testdata anew")

func TestAppendAndRead(t *testing.T) {
	t.Parallel()
	b := memory()
	j := open(t, b, 1)
	heads := chain(t, j, 5)
	for n, head := range heads[1:] {
		rec, err := j.Read(t.Context(), uint64(n+1))
		if err != nil {
			t.Fatal(err)
		}
		if rec.Head != head || rec.Previous != heads[n].Hash || !reflect.DeepEqual(normal(rec.Body), normal(sample())) {
			t.Errorf("record %d: %+v after %x, want %+v", n+1, rec.Head, rec.Previous, head)
		}
	}
	for n, head := range heads {
		if got, err := follow(t, j, head); got != 5-n || err != nil {
			t.Errorf("%d records after %d: %v", got, n, err)
		}
	}
	if _, err := j.Read(t.Context(), 6); !errors.Is(err, blob.ErrNotExist) {
		t.Errorf("record 6: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range j.Follow(ctx, Head{}) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("follow, cancelled: %v", err)
		}
	}
}

func TestTimeNeverGoesBack(t *testing.T) {
	t.Parallel()
	j := open(t, memory(), 1)
	var head Head
	for n, step := range []struct{ clock, want time.Time }{
		{noon(10), noon(10)},
		{noon(5), noon(10).Add(time.Millisecond)},
		{noon(10).Add(time.Millisecond), noon(10).Add(2 * time.Millisecond)},
		{noon(11).Add(999 * time.Microsecond), noon(11)},
		{noon(11).Add(1500 * time.Microsecond), noon(11).Add(time.Millisecond)},
		{time.Time{}, noon(11).Add(2 * time.Millisecond)},
		{noon(60).In(time.FixedZone("x", 7200)), noon(60)},
	} {
		var err error
		if head, err = j.Append(t.Context(), head, &Body{}, step.clock); err != nil {
			t.Fatal(err)
		}
		rec, err := j.Read(t.Context(), head.Number)
		if err != nil || !head.Time.Equal(step.want) || rec.Time != head.Time {
			t.Errorf("step %d: %v, read as %v, want %v (%v)", n, head.Time, rec.Time, step.want, err)
		}
	}
}

// TestGolden freezes the format; pack.TestGolden says what to do when it fails.
func TestGolden(t *testing.T) {
	t.Parallel()
	file := filepath.Join("testdata", "v1.record")
	b := memory()
	j := open(t, b, 42)
	previous := Head{Number: 6, Hash: [32]byte{1, 2, 3}, Time: noon(0)}
	head, err := j.Append(t.Context(), previous, sample(), noon(1))
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, b.Bytes(Object(7)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(golden, b.Bytes(Object(7))) {
		t.Error("a record written now has other bytes than the golden one")
	}
	b.Put(Object(7), golden)
	rec, err := j.Read(t.Context(), 7)
	if err != nil || rec.Head != head || rec.Previous != previous.Hash || !reflect.DeepEqual(normal(rec.Body), normal(sample())) {
		t.Fatalf("golden record: %v, %+v: archives that people have would not open", err, rec)
	}
}

func TestTaken(t *testing.T) {
	t.Parallel()
	b := memory()
	one, two := open(t, b, 1), open(t, b, 2)
	first, err := one.Append(t.Context(), Head{}, sample(), noon(0))
	if err != nil {
		t.Fatal(err)
	}
	if head, err := two.Append(t.Context(), Head{}, &Body{}, noon(0)); !errors.Is(err, ErrTaken) || head != (Head{}) {
		t.Errorf("the same number: %+v, %v", head, err)
	}
	if second, err := two.Append(t.Context(), first, &Body{}, noon(0)); err != nil || second.Number != 2 {
		t.Errorf("the next number: %+v, %v", second, err)
	}
	if n, err := follow(t, one, Head{}); n != 2 || err != nil {
		t.Errorf("%d records, %v", n, err)
	}
}

// newerRecord is a record of a program of the future.
func newerRecord(t *testing.T, j *Journal, n uint64) []byte {
	t.Helper()
	data, _, err := j.seal(&Head{Number: n, Time: noon(0)}, [32]byte{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	data[4] = 2
	return data
}

// TestTakenByTheFuture: what cannot be read must not be overwritten, and says why.
func TestTakenByTheFuture(t *testing.T) {
	t.Parallel()
	b := memory()
	j := open(t, b, 1)
	b.Put(Object(1), newerRecord(t, j, 1))
	if _, err := j.Append(t.Context(), Head{}, &Body{}, noon(0)); !errors.Is(err, ErrVersion) || errors.Is(err, ErrTaken) {
		t.Errorf("append: %v", err)
	}
	if n, err := follow(t, j, Head{}); n != 0 || !errors.Is(err, ErrVersion) || errors.Is(err, ErrDamaged) {
		t.Errorf("follow: %d records, %v", n, err)
	}
	future, _, err := j.seal(&Head{Number: 1, Time: noon(0)}, [32]byte{}, entry(50, nil))
	if err != nil {
		t.Fatal(err)
	}
	b.Put(Object(1), future)
	if n, err := follow(t, j, Head{}); n != 0 || !errors.Is(err, ErrUnknownEntry) || errors.Is(err, ErrDamaged) {
		t.Errorf("follow: %d records, %v", n, err)
	}
}

func TestInDoubt(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		faults []blobtest.Fault
		there  bool
		want   error
	}{
		{"lost answer", []blobtest.Fault{{Op: blobtest.Commit, Nth: 1, Kind: blobtest.LostAnswer}}, true, nil},
		{"failed once", []blobtest.Fault{{Op: blobtest.Commit, Nth: 1}}, true, nil},
		{"failed at create", []blobtest.Fault{{Op: blobtest.Create, Nth: 1}}, true, nil},
		{"failed at write", []blobtest.Fault{{Op: blobtest.Write, Nth: 1}}, true, nil},
		{"fails always", []blobtest.Fault{{Op: blobtest.Commit}}, false, blobtest.ErrInjected},
		{"full", []blobtest.Fault{{Op: blobtest.Commit, Kind: blobtest.Full}}, false, blob.ErrFull},
		{"lost answer, then nothing works", []blobtest.Fault{{Op: blobtest.Commit, Nth: 1, Kind: blobtest.LostAnswer}, {Op: blobtest.Create, Nth: 2}}, true, blobtest.ErrInjected},
		{"lost answer, cannot be read", []blobtest.Fault{{Op: blobtest.Commit, Nth: 1, Kind: blobtest.LostAnswer}, {Op: blobtest.Open}}, true, blobtest.ErrInjected},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := memory()
			faulty := blobtest.NewFaulty(b)
			faulty.Order(tt.faults...)
			head, err := open(t, faulty, 1).Append(t.Context(), Head{}, sample(), noon(0))
			if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
				t.Errorf("%v, want %v", err, tt.want)
			}
			if want := uint64(1); err == nil && head.Number != want || err != nil && head.Number != 0 {
				t.Errorf("head %d", head.Number)
			}
			n, err := follow(t, open(t, b, 2), Head{})
			if (n == 1) != tt.there || err != nil {
				t.Errorf("%d records there, %v", n, err)
			}
		})
	}
}

func TestCancelled(t *testing.T) {
	t.Parallel()
	b := memory()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := open(t, b, 1).Append(ctx, Head{}, sample(), noon(0)); !errors.Is(err, context.Canceled) || len(b.Names()) > 0 {
		t.Errorf("%v, left %q", err, b.Names())
	}
}

func TestChainIsChecked(t *testing.T) {
	t.Parallel()
	forge := func(t *testing.T, b *blobtest.Memory, n uint64, previous [32]byte, at time.Time) {
		data, _, err := open(t, b, 9).seal(&Head{Number: n, Time: at}, previous, nil)
		if err != nil {
			t.Fatal(err)
		}
		b.Put(Object(n), data)
	}
	for _, tt := range []struct {
		name   string
		change func(t *testing.T, b *blobtest.Memory, heads []Head)
		good   int
		want   error
	}{
		{"as it is", func(*testing.T, *blobtest.Memory, []Head) {}, 5, nil},
		{"missing", func(t *testing.T, b *blobtest.Memory, _ []Head) { _ = b.Remove(t.Context(), Object(3)) }, 2, nil},
		{"swapped", func(_ *testing.T, b *blobtest.Memory, _ []Head) {
			two, three := b.Bytes(Object(2)), b.Bytes(Object(3))
			b.Put(Object(2), three)
			b.Put(Object(3), two)
		}, 1, ErrDamaged},
		{"renamed over a gap", func(_ *testing.T, b *blobtest.Memory, _ []Head) { b.Put(Object(3), b.Bytes(Object(4))) }, 2, ErrDamaged},
		{"repeated", func(_ *testing.T, b *blobtest.Memory, _ []Head) { b.Put(Object(6), b.Bytes(Object(5))) }, 5, ErrDamaged},
		{"forged, of another past", func(t *testing.T, b *blobtest.Memory, _ []Head) { forge(t, b, 3, [32]byte{1}, noon(2)) }, 2, ErrDamaged},
		{"forged, with its past", func(t *testing.T, b *blobtest.Memory, h []Head) { forge(t, b, 3, h[2].Hash, noon(2)) }, 3, ErrDamaged},
		{"time goes back", func(t *testing.T, b *blobtest.Memory, h []Head) { forge(t, b, 6, h[5].Hash, noon(4)) }, 5, ErrDamaged},
		{"empty object", func(_ *testing.T, b *blobtest.Memory, _ []Head) { b.Put(Object(1), nil) }, 0, ErrDamaged},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := memory()
			heads := chain(t, open(t, b, 1), 5)
			tt.change(t, b, heads)
			if n, err := follow(t, open(t, b, 2), Head{}); n != tt.good || !errors.Is(err, tt.want) {
				t.Errorf("%d records, %v; want %d, %v", n, err, tt.good, tt.want)
			}
		})
	}
}

func TestEveryByteCounts(t *testing.T) {
	t.Parallel()
	b := memory()
	j := open(t, b, 1)
	chain(t, j, 2)
	good := b.Bytes(Object(2))
	for at := range good {
		for _, flip := range []byte{1, 0x80} {
			bad := bytes.Clone(good)
			bad[at] ^= flip
			want := ErrDamaged
			if at >= 4 && at < 8 {
				want = ErrVersion
			}
			b.Put(Object(2), bad)
			if n, err := follow(t, j, Head{}); n != 1 || !errors.Is(err, want) {
				t.Errorf("byte %d of %d: %d records, %v, want %v", at, len(good), n, err, want)
			}
		}
	}
	for n := range good {
		b.Put(Object(2), good[:n])
		if got, err := follow(t, j, Head{}); got != 1 || !errors.Is(err, ErrDamaged) {
			t.Errorf("%d of %d bytes: %d records, %v", n, len(good), got, err)
		}
	}
}

func TestAnotherKey(t *testing.T) {
	t.Parallel()
	b := memory()
	chain(t, open(t, b, 1), 1)
	j, err := Open(b, seal.Key{1}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.Read(t.Context(), 1); !errors.Is(err, ErrDamaged) {
		t.Errorf("another key: %v", err)
	}
}

// TestHeaderAndBody: a body that is not its header's is found, though the seal of both is good.
func TestHeaderAndBody(t *testing.T) {
	t.Parallel()
	body := sample().Encode()
	j := open(t, memory(), 1)
	data, _, err := j.seal(&Head{Number: 1, Time: noon(0)}, [32]byte{}, body)
	if err != nil {
		t.Fatal(err)
	}
	s, err := testKey().Sealer(purpose, data[8:prefixSize])
	if err != nil {
		t.Fatal(err)
	}
	h, err := s.Open(nil, data[prefixSize:prefixSize+headerSize+tagSize], []byte(Object(1)), 0)
	if err != nil {
		t.Fatal(err)
	}
	if rec, err := parse(1, h, body); err != nil || rec.Hash != sha256.Sum256(h) {
		t.Fatalf("as it is: %v", err)
	}
	if _, err := parse(1, h, body[:len(body)-1]); !errors.Is(err, ErrDamaged) {
		t.Errorf("another body: %v", err)
	}
	if _, err := parse(2, h, body); !errors.Is(err, ErrDamaged) {
		t.Errorf("another number: %v", err)
	}
}

// TestReadErrorIsNotDamage: what could not be read may be whole.
func TestReadErrorIsNotDamage(t *testing.T) {
	t.Parallel()
	b := memory()
	chain(t, open(t, b, 1), 1)
	faulty := blobtest.NewFaulty(b)
	j := open(t, faulty, 2)
	for _, op := range []blobtest.Op{blobtest.Open, blobtest.Read} {
		faulty.Reset()
		faulty.Order(blobtest.Fault{Op: op})
		if _, err := j.Read(t.Context(), 1); !errors.Is(err, blobtest.ErrInjected) || errors.Is(err, ErrDamaged) || errors.Is(err, blob.ErrNotExist) {
			t.Errorf("%s fails: %v", op, err)
		}
	}
	faulty.Reset()
	faulty.Order(blobtest.Fault{Op: blobtest.Read, Kind: blobtest.Corrupt})
	if _, err := j.Read(t.Context(), 1); !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrVersion) {
		t.Errorf("corrupt: %v", err)
	}
}

func thousand() *Body {
	s := Section{Mailbox: "m", Ordinal: 1, Complete: true}
	for n := range 1000 {
		s.Versions = append(s.Versions, Version{ID: [16]byte{byte(n), byte(n >> 8)}, ItemID: string(make([]byte, 150)), ChangeKey: "CQAAABYAAAD", FolderID: "AAMkAD",
			Size: 20_000, SHA256: sha256.Sum256([]byte{byte(n)}), Summary: make([]byte, 300), Recipe: [16]byte{byte(n)}})
	}
	return &Body{Sections: []Section{s}}
}

func BenchmarkAppend(b *testing.B) {
	for name, body := range map[string]*Body{"one item": {Sections: []Section{{Mailbox: "m", Versions: thousand().Sections[0].Versions[:1]}}}, "1000 items": thousand()} {
		b.Run(name, func(b *testing.B) {
			j := open(b, memory(), 1)
			var head Head
			b.ReportAllocs()
			for b.Loop() {
				var err error
				if head, err = j.Append(b.Context(), head, body, noon(0)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRead(b *testing.B) {
	j := open(b, memory(), 1)
	if _, err := j.Append(b.Context(), Head{}, thousand(), noon(0)); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := j.Read(b.Context(), 1); err != nil {
			b.Fatal(err)
		}
	}
}
