package delta

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
)

// altered makes a copy with some runs changed, taken out, put in and moved.
func altered(r *rand.Rand, base []byte) []byte {
	out := bytes.Clone(base)
	for range r.IntN(8) {
		at := r.IntN(len(out) + 1)
		n := r.IntN(min(40, len(out)-at) + 1)
		switch r.IntN(4) {
		case 0:
			for i := range n {
				out[at+i] = byte(r.Uint32())
			}
		case 1:
			out = append(out[:at:at], out[at+n:]...)
		case 2:
			out = append(out[:at:at], append(random(r, r.IntN(40)), out[at:]...)...)
		case 3:
			out = append(out[at:len(out):len(out)], out[:at]...)
		}
	}
	return out
}

func random(r *rand.Rand, n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(r.Uint32())
	}
	return p
}

func TestEncodeApply(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	e := &Encoder{}
	for range 3000 {
		base := random(r, r.IntN(3000))
		target := altered(r, base)
		d := e.Encode(nil, base, target)
		got, err := Apply(nil, base, d, len(target))
		if err != nil || !bytes.Equal(got, target) {
			t.Fatalf("base of %d bytes, target of %d: %v", len(base), len(target), err)
		}
		if len(target) > 0 {
			if _, err := Apply(nil, base, d, len(target)-1); !errors.Is(err, ErrDamaged) {
				t.Fatalf("a target over the limit: %v", err)
			}
		}
	}
}

// TestAlikeIsSmall: what differs in a few fields is a delta of about those fields, wherever they stand.
func TestAlikeIsSmall(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	base := random(r, 20_000)
	inPlace := bytes.Clone(base)
	copy(inPlace[7_001:], random(r, 16))
	shifted := append(append(bytes.Clone(base[:5_003]), random(r, 5)...), base[5_003:]...)
	swapped := append(bytes.Clone(base[9_999:]), base[:9_999]...)
	for _, tt := range []struct {
		name   string
		target []byte
		most   int
	}{
		{"the same", base, 16},
		{"a field of the same length", inPlace, 48},
		{"a field that is longer", shifted, 48},
		{"another order", swapped, 48},
		{"nothing", nil, 4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := (&Encoder{}).Encode(nil, base, tt.target)
			if len(d) > tt.most {
				t.Errorf("delta of %d bytes, at most %d are wanted", len(d), tt.most)
			}
			if got, err := Apply(nil, base, d, 1<<20); err != nil || !bytes.Equal(got, tt.target) {
				t.Error("it does not give the target back:", err)
			}
		})
	}
}

func TestApplyDamaged(t *testing.T) {
	t.Parallel()
	base := []byte("0123456789abcdef")
	for _, tt := range []struct {
		name  string
		delta []byte
	}{
		{"empty", nil},
		{"moves cut short", []byte{4, 9, 0}},
		{"a move cut short", []byte{4, 1, 0}},
		{"more literals than there are", []byte{4, 3, 5, 1, 0}},
		{"more than the target holds", []byte{4, 3, 0, 5, 0}},
		{"copies nothing", []byte{4, 3, 0, 0, 0, 'a', 'b', 'c', 'd'}},
		{"before the base", []byte{4, 3, 0, 4, 1}},
		{"behind the base", []byte{4, 3, 0, 4, 26}},
		{"a tail too short", []byte{4, 0, 'a'}},
		{"a tail too long", []byte{4, 0, 'a', 'b', 'c', 'd', 'e'}},
		{"an offset beyond numbers", []byte{4, 12, 0, 4, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got, err := Apply(nil, base, tt.delta, 100); !errors.Is(err, ErrDamaged) {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

func FuzzApply(f *testing.F) {
	base := []byte("the quick brown fox jumps over the lazy dog")
	f.Add((&Encoder{}).Encode(nil, base, []byte("the quick red fox jumps over the lazy cat")))
	f.Add([]byte{4, 3, 0, 4, 26})
	f.Fuzz(func(t *testing.T, d []byte) {
		got, err := Apply(nil, base, d, 1<<16)
		if err != nil {
			return
		}
		again, err := Apply(nil, base, (&Encoder{}).Encode(nil, base, got), len(got))
		if err != nil || !bytes.Equal(again, got) {
			t.Fatal("what a delta gives is not given back by a delta of it:", err)
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	r := rand.New(rand.NewPCG(5, 6))
	base := random(r, 18_000)
	target := altered(r, base)
	e := &Encoder{}
	var d []byte
	b.SetBytes(int64(len(target)))
	b.ReportAllocs()
	for b.Loop() {
		d = e.Encode(d[:0], base, target)
	}
}

func BenchmarkApply(b *testing.B) {
	r := rand.New(rand.NewPCG(5, 6))
	base := random(r, 18_000)
	target := altered(r, base)
	d := (&Encoder{}).Encode(nil, base, target)
	b.SetBytes(int64(len(target)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Apply(nil, base, d, len(target)); err != nil {
			b.Fatal(err)
		}
	}
}
