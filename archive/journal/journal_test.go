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

	"github.com/klauspost/compress/zstd"

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
		{noon(12).Add(-maxAhead), noon(11).Add(2 * time.Millisecond)},
		{noon(60).In(time.FixedZone("x", 7200)), noon(60)},
	} {
		var err error
		if head, err = j.Append(t.Context(), signer(1), head, &Body{}, nil, step.clock); err != nil {
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
	previous := Head{Number: 6, Hash: [32]byte{1, 2, 3}, Time: noon(0), Generation: 2}
	head, err := j.Append(t.Context(), signer(1), previous, sample(), nil, noon(1))
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
	first, err := one.Append(t.Context(), signer(1), Head{}, sample(), nil, noon(0))
	if err != nil {
		t.Fatal(err)
	}
	if head, err := two.Append(t.Context(), signer(1), Head{}, &Body{}, nil, noon(0)); !errors.Is(err, ErrTaken) || head != (Head{}) {
		t.Errorf("the same number: %+v, %v", head, err)
	}
	if second, err := two.Append(t.Context(), signer(1), first, &Body{}, nil, noon(0)); err != nil || second.Number != 2 {
		t.Errorf("the next number: %+v, %v", second, err)
	}
	if n, err := follow(t, one, Head{}); n != 2 || err != nil {
		t.Errorf("%d records, %v", n, err)
	}
}

// newerRecord is a record of a program of the future.
func newerRecord(t *testing.T, j *Journal, n uint64) []byte {
	t.Helper()
	d, err := j.seal(signer(1), Head{Number: n - 1}, nil, noon(0))
	if err != nil {
		t.Fatal(err)
	}
	d.data[4] = 2
	return d.data
}

// TestTakenByTheFuture: what cannot be read must not be overwritten, and says why.
func TestTakenByTheFuture(t *testing.T) {
	t.Parallel()
	b := memory()
	j := open(t, b, 1)
	b.Put(Object(1), newerRecord(t, j, 1))
	if _, err := j.Append(t.Context(), signer(1), Head{}, &Body{}, nil, noon(0)); !errors.Is(err, ErrVersion) || errors.Is(err, ErrTaken) {
		t.Errorf("append: %v", err)
	}
	if n, err := follow(t, j, Head{}); n != 0 || !errors.Is(err, ErrVersion) || errors.Is(err, ErrDamaged) {
		t.Errorf("follow: %d records, %v", n, err)
	}
	future, err := j.seal(signer(1), Head{}, entry(50, nil), noon(0))
	if err != nil {
		t.Fatal(err)
	}
	b.Put(Object(1), future.data)
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
			head, err := open(t, faulty, 1).Append(t.Context(), signer(1), Head{}, sample(), nil, noon(0))
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
	if _, err := open(t, b, 1).Append(ctx, signer(1), Head{}, sample(), nil, noon(0)); !errors.Is(err, context.Canceled) || len(b.Names()) > 0 {
		t.Errorf("%v, left %q", err, b.Names())
	}
}

func TestChainIsChecked(t *testing.T) {
	t.Parallel()
	forge := func(t *testing.T, b *blobtest.Memory, previous Head, at time.Time) {
		d, err := open(t, b, 9).seal(signer(9), previous, nil, at)
		if err != nil {
			t.Fatal(err)
		}
		b.Put(Object(previous.Number+1), d.data)
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
		{"forged, of another past", func(t *testing.T, b *blobtest.Memory, _ []Head) {
			forge(t, b, Head{Number: 2, Hash: [32]byte{1}}, noon(2))
		}, 2, ErrDamaged},
		{"forged, with its past", func(t *testing.T, b *blobtest.Memory, h []Head) { forge(t, b, h[2], noon(2)) }, 3, ErrDamaged},
		{"time goes back", func(t *testing.T, b *blobtest.Memory, h []Head) { forge(t, b, h[5], noon(4)) }, 5, ErrDamaged},
		{"of another generation", func(t *testing.T, b *blobtest.Memory, h []Head) {
			h[5].Generation = 2
			forge(t, b, h[5], noon(9))
		}, 5, ErrDamaged},
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
	strange, err := seal.NewRing(bytes.NewReader(make([]byte, seal.KeySize)))
	if err != nil {
		t.Fatal(err)
	}
	j, err := Open(b, strange, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.Read(t.Context(), 1); !errors.Is(err, ErrDamaged) {
		t.Errorf("another key: %v", err)
	}
}

// opened is the plain text of a record.
func opened(t *testing.T, d draft) (header, body []byte) {
	t.Helper()
	key, _ := testRing().Of(1)
	s, err := key.Sealer(purpose, d.data[16:prefixSize])
	if err != nil {
		t.Fatal(err)
	}
	ad := []byte(Object(d.next.Number))
	header, err = s.Open(nil, d.data[prefixSize:bodyAt], ad, 0)
	if err != nil {
		t.Fatal(err)
	}
	packed, err := s.Open(nil, d.data[bodyAt:], ad, 1)
	if err != nil {
		t.Fatal(err)
	}
	dec, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	body, err = dec.DecodeAll(packed, nil)
	if err != nil {
		t.Fatal(err)
	}
	return header, body
}

// TestHeaderAndBody: a body or a signature that is not its header's is found, though the seal of all is good.
func TestHeaderAndBody(t *testing.T) {
	t.Parallel()
	d, err := open(t, memory(), 1).seal(signer(1), Head{}, sample().Encode(), noon(0))
	if err != nil {
		t.Fatal(err)
	}
	h, body := opened(t, d)
	if rec, err := parse(1, h, body); err != nil || rec.Hash != d.next.Hash || rec.Hash != sha256.Sum256(h[:headerSize]) {
		t.Fatalf("as it is: %v", err)
	}
	for _, cut := range []int{1, len(body) - seedSize + 1, len(body)} {
		if _, err := parse(1, h, body[:len(body)-cut]); !errors.Is(err, ErrDamaged) {
			t.Errorf("body without %d bytes: %v", cut, err)
		}
	}
	for at := range body {
		bad := bytes.Clone(body)
		bad[at] ^= 1
		if _, err := parse(1, h, bad); !errors.Is(err, ErrDamaged) {
			t.Errorf("byte %d of the body: %v", at, err)
		}
	}
	for at := range h {
		bad := bytes.Clone(h)
		bad[at] ^= 1
		if _, err := parse(1, bad, body); !errors.Is(err, ErrDamaged) {
			t.Errorf("byte %d of the header or its signature: %v", at, err)
		}
	}
	if _, err := parse(1, sign(signer(2), bytes.Clone(h[:headerSize])), body); !errors.Is(err, ErrDamaged) {
		t.Errorf("signed by another: %v", err)
	}
	if _, err := parse(2, h, body); !errors.Is(err, ErrDamaged) {
		t.Errorf("another number: %v", err)
	}
}

// TestRotation: what follows a rotation is sealed under the new generation, and by nobody who has only the old one.
func TestRotation(t *testing.T) {
	t.Parallel()
	b := memory()
	j := open(t, b, 1)
	rotation := &Body{Key: &KeyChange{Action: KeyRotated, Generation: 2, Digest: [32]byte{1}}}
	heads := []Head{{}}
	for n, body := range []*Body{sample(), rotation, sample()} {
		h, err := j.Append(t.Context(), signer(1), heads[n], body, nil, noon(n))
		if err != nil {
			t.Fatal(err)
		}
		heads = append(heads, h)
	}
	for n, want := range []uint32{0, 1, 1, 2} {
		if n == 0 {
			continue
		}
		rec, err := j.Read(t.Context(), uint64(n))
		if err != nil || rec.SealedWith != want || rec.Head != heads[n] {
			t.Errorf("record %d: sealed under %d, want %d: %v", n, rec.SealedWith, want, err)
		}
	}
	removed, err := Open(b, testRing().Until(1), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := follow(t, removed, Head{}); n != 2 || !errors.Is(err, ErrDamaged) {
		t.Errorf("who has the old generation reads %d records: %v", n, err)
	}
	if _, err := removed.Append(t.Context(), signer(1), heads[3], sample(), nil, noon(9)); !errors.Is(err, ErrDamaged) {
		t.Errorf("and appends: %v", err)
	}
	heads[3].Generation = 1
	if _, err := removed.Append(t.Context(), signer(1), heads[3], sample(), nil, noon(9)); err != nil {
		t.Fatal(err)
	}
	if n, err := follow(t, j, Head{}); n != 3 || !errors.Is(err, ErrDamaged) {
		t.Errorf("what he forges: %d records, %v", n, err)
	}
}

// TestFarOffClock: a time far ahead would be that of all records to come.
func TestFarOffClock(t *testing.T) {
	t.Parallel()
	b := memory()
	head := chain(t, open(t, b, 1), 1)[1]
	late := noon(0).Add(-maxAhead - time.Second)
	if got, err := open(t, b, 2).Append(t.Context(), signer(1), head, &Body{}, nil, late); !errors.Is(err, ErrClock) || got != head {
		t.Errorf("a clock far behind: %v", err)
	}
	j, err := Open(b, testRing(), Options{AnyClock: true})
	if err != nil {
		t.Fatal(err)
	}
	got, err := j.Append(t.Context(), signer(1), head, &Body{}, nil, late)
	if err != nil || !got.Time.Equal(head.Time.Add(time.Millisecond)) {
		t.Errorf("allowed: %v, %v", got.Time, err)
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
				if head, err = j.Append(b.Context(), signer(1), head, body, nil, noon(0)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRead(b *testing.B) {
	j := open(b, memory(), 1)
	if _, err := j.Append(b.Context(), signer(1), Head{}, thousand(), nil, noon(0)); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := j.Read(b.Context(), 1); err != nil {
			b.Fatal(err)
		}
	}
}

// TestLostAnswerAndDamage: the answer to a creation is lost, and what is there then cannot be read. It may be the writer's own: who took
// it for another's would undo what it says.
func TestLostAnswerAndDamage(t *testing.T) {
	t.Parallel()
	b := memory()
	heads := chain(t, open(t, b, 1), 2)
	f := blobtest.NewFaulty(b)
	f.Order(blobtest.Fault{Op: blobtest.Commit, Nth: 1, Kind: blobtest.LostAnswer}, blobtest.Fault{Op: blobtest.Read, Nth: 1, Kind: blobtest.Corrupt})
	if _, err := open(t, f, 2).Append(t.Context(), signer(2), heads[2], sample(), nil, noon(9)); err == nil || errors.Is(err, ErrTaken) {
		t.Errorf("%v", err)
	}
	if r, err := open(t, b, 1).Read(t.Context(), 3); err != nil || r.Previous != heads[2].Hash {
		t.Errorf("it is not there: %v", err)
	}

	// Where another's was there from the start no answer was lost.
	f.Order(blobtest.Fault{Op: blobtest.Read, Nth: 1, Kind: blobtest.Corrupt})
	if _, err := open(t, f, 2).Append(t.Context(), signer(2), heads[2], sample(), nil, noon(9)); !errors.Is(err, ErrTaken) {
		t.Errorf("%v, want %v", err, ErrTaken)
	}
}
