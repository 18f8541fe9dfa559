package journal

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mailbrick/archive/blob"
	"mailbrick/archive/blob/blobtest"
	"mailbrick/archive/blob/dir"
	"mailbrick/archive/blob/dir/dirtest"
)

// folding opens a journal whose segments have 4 and 16 numbers.
func folding(t testing.TB, b blob.Bucket, seed byte) *Journal {
	t.Helper()
	j, err := Open(b, testRing(), Options{Random: rand.NewChaCha8([32]byte{seed}), Folds: [2]uint64{4, 16}})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func spansOf(t testing.TB, b blob.Bucket) (list []Span) {
	t.Helper()
	for info, err := range b.List(t.Context(), Prefix) {
		if err != nil {
			t.Fatal(err)
		}
		s, ok := ParseSpan(info.Name)
		if !ok {
			t.Fatalf("%s is no object of the journal", info.Name)
		}
		list = append(list, s)
	}
	return list
}

// foldAll folds what can be folded and removes what lies in segments, as prune does.
func foldAll(ctx context.Context, j *Journal, b blob.Bucket, last uint64) error {
	var objects []Span
	for info, err := range b.List(ctx, Prefix) {
		if err != nil {
			return err
		}
		if s, ok := ParseSpan(info.Name); ok {
			objects = append(objects, s)
		}
	}
	for _, s := range j.Foldable(objects, last) {
		if err := j.Fold(ctx, s); err != nil {
			return err
		}
		objects = append(objects, s)
	}
	list, in := j.Folded(objects)
	for _, s := range in {
		if err := j.Fold(ctx, s); err != nil {
			return err
		}
	}
	for _, s := range list {
		if err := b.Remove(ctx, s.Object()); err != nil && !errors.Is(err, blob.ErrNotExist) {
			return err
		}
	}
	return nil
}

func wantSpans(t testing.TB, b blob.Bucket, want ...Span) {
	t.Helper()
	if got := spansOf(t, b); !slices.Equal(got, want) {
		t.Errorf("objects %v, want %v", got, want)
	}
}

func wantChain(t testing.TB, j *Journal, heads []Head) {
	t.Helper()
	n := 0
	for r, err := range j.Follow(t.Context(), Head{}) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n >= len(heads) || r.Head != heads[n] {
			t.Fatalf("record %d is another", r.Number)
		}
	}
	if n != len(heads)-1 {
		t.Fatalf("%d records, want %d", n, len(heads)-1)
	}
	for _, from := range []int{1, 3, 4, 5, len(heads) - 2} {
		if from >= len(heads)-1 {
			continue
		}
		if got, err := follow(t, j, heads[from]); err != nil || got != len(heads)-1-from {
			t.Errorf("%d records behind %d, want %d: %v", got, from, len(heads)-1-from, err)
		}
		if r, err := j.Read(t.Context(), uint64(from)); err != nil || r.Head != heads[from] {
			t.Errorf("record %d: %v", from, err)
		}
	}
	if r, err := j.Read(t.Context(), uint64(len(heads))); !errors.Is(err, blob.ErrNotExist) {
		t.Errorf("behind the last one: %v, %v", r, err)
	}
}

func TestFold(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		records int
		want    []Span
	}{
		{4, []Span{{1, 1}, {2, 2}, {3, 3}, {4, 4}}},
		{5, []Span{{1, 4}, {5, 5}}},
		{9, []Span{{1, 4}, {5, 8}, {9, 9}}},
		{16, []Span{{1, 4}, {5, 8}, {9, 12}, {13, 13}, {14, 14}, {15, 15}, {16, 16}}},
		{17, []Span{{1, 16}, {17, 17}}},
		{38, []Span{{1, 16}, {17, 32}, {33, 36}, {37, 37}, {38, 38}}},
	} {
		b := memory()
		j := folding(t, b, 1)
		heads := chain(t, j, tt.records)
		for range 2 {
			if err := foldAll(t.Context(), j, b, uint64(tt.records)); err != nil {
				t.Fatal(err)
			}
			wantSpans(t, b, tt.want...)
			wantChain(t, j, heads)
		}
	}
}

// TestFoldStepByStep folds after each record: a chain that grows and is folded all the time is the same.
func TestFoldStepByStep(t *testing.T) {
	t.Parallel()
	b := memory()
	j := folding(t, b, 1)
	heads := []Head{{}}
	for n := range 70 {
		h, err := j.Append(t.Context(), signer(1), heads[n], sample(), nil, noon(n))
		if err != nil {
			t.Fatal(err)
		}
		heads = append(heads, h)
		if err := foldAll(t.Context(), j, b, h.Number); err != nil {
			t.Fatal(err)
		}
		if most, got := 4+4+int(h.Number)/16+1, len(b.Names()); got > most {
			t.Errorf("%d objects for %d records, at most %d", got, n+1, most)
		}
	}
	wantChain(t, j, heads)
	once := memory()
	again := folding(t, once, 1)
	chain(t, again, 70)
	if err := foldAll(t.Context(), again, once, 70); err != nil {
		t.Fatal(err)
	}
	for _, name := range once.Names() {
		if !bytes.Equal(once.Bytes(name), b.Bytes(name)) {
			t.Errorf("%s depends on when it was made", name)
		}
	}
}

// TestInlinePack: a pack lies behind its record, and is gone when that is folded; digest and signature hold without it.
func TestInlinePack(t *testing.T) {
	t.Parallel()
	b := memory()
	j := folding(t, b, 1)
	inline := []byte("the bytes of a pack")
	body := func() *Body {
		return &Body{Packs: []Pack{{}, {Name: [16]byte{1}, Size: int64(len(inline)), Inline: true}}}
	}
	var head Head
	for n := range 5 {
		written := body()
		h, err := j.Append(t.Context(), signer(1), head, written, inline, noon(n))
		if err != nil {
			t.Fatal(err)
		}
		head = h
		p := written.Packs[1]
		data := b.Bytes(Object(h.Number))
		if p.Record != h.Number || string(data[p.At:p.At+p.Size]) != string(inline) || written.Packs[0].Record != 0 {
			t.Fatalf("lies in %d at %d", p.Record, p.At)
		}
		r, err := j.Read(t.Context(), h.Number)
		if err != nil || string(r.Pack) != string(inline) || r.Body.Packs[1] != p {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	bad := b.Bytes(Object(2))
	b.Put(Object(2), bad[:len(bad)-3])
	if r, err := j.Read(t.Context(), 2); err != nil || len(r.Pack) != len(inline)-3 {
		t.Errorf("a pack cut short is the pack's damage: %v", err)
	}
	b.Put(Object(2), append(bytes.Clone(bad), 0))
	if _, err := j.Read(t.Context(), 2); !errors.Is(err, ErrDamaged) {
		t.Errorf("something behind the pack: %v", err)
	}
	b.Put(Object(2), bad)
	if err := foldAll(t.Context(), j, b, 5); err != nil {
		t.Fatal(err)
	}
	for r, err := range j.Until(t.Context(), Head{}, 4) {
		if err != nil {
			t.Fatal(err)
		}
		if p := r.Body.Packs[1]; p.Record != r.Number || p.At != 0 || len(r.Pack) != 0 {
			t.Errorf("folded, but has its pack: %+v", p)
		}
	}
	if strings.Contains(string(b.Bytes(Span{1, 4}.Object())), string(inline)) {
		t.Error("the segment has the packs")
	}
}

// TestLateWriter: who takes a number that was folded meanwhile learns that another has it, and what it left is read by nobody.
func TestLateWriter(t *testing.T) {
	t.Parallel()
	for name, last := range map[string]int{"first level": 5, "second level": 20} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := memory()
			j := folding(t, b, 1)
			heads := chain(t, j, last)
			if err := foldAll(t.Context(), j, b, uint64(last)); err != nil {
				t.Fatal(err)
			}
			late := folding(t, b, 2)
			for _, at := range []int{0, 1, 3} {
				if h, err := late.Append(t.Context(), signer(2), heads[at], &Body{}, nil, noon(90)); !errors.Is(err, ErrTaken) || h != heads[at] {
					t.Errorf("after record %d: %v", at, err)
				}
			}
			if len(b.Bytes(Object(2))) == 0 {
				t.Fatal("nothing is void: the test tests nothing")
			}
			wantChain(t, late, heads)
			if err := foldAll(t.Context(), j, b, uint64(last)); err != nil {
				t.Fatal(err)
			}
			if len(b.Bytes(Object(2))) > 0 {
				t.Error("what is void stays")
			}
		})
	}
}

// TestLateWriterAndDamage: the segment that has the number is damaged. Where it can be mended the writer learns all the same that another
// has it; else he is told, and takes it neither for his nor for another's.
func TestLateWriterAndDamage(t *testing.T) {
	t.Parallel()
	b := memory()
	j := folding(t, b, 1)
	heads := chain(t, j, 5)
	if err := foldAll(t.Context(), j, b, 5); err != nil {
		t.Fatal(err)
	}
	f := blobtest.NewFaulty(b)
	f.Order(blobtest.Fault{Op: blobtest.Read, Name: j.Span(1).Object(), Kind: blobtest.Corrupt})
	late := folding(t, f, 2)
	if _, err := late.Append(t.Context(), signer(2), heads[1], &Body{}, nil, noon(90)); !errors.Is(err, ErrDamaged) || errors.Is(err, ErrTaken) {
		t.Errorf("nothing mends it: %v", err)
	}
	late.opts.Mended = b
	for _, at := range []int{1, 2} { // what it created is there, and is not
		if _, err := late.Append(t.Context(), signer(2), heads[at], &Body{}, nil, noon(90)); !errors.Is(err, ErrTaken) {
			t.Errorf("after record %d: %v, want %v", at, err, ErrTaken)
		}
	}
}

// amid does something before the n-th of some calls of a bucket.
func amid(b *blobtest.Memory, op blobtest.Op, nth int, do func()) *blobtest.Faulty {
	f := blobtest.NewFaulty(b)
	f.Slow = func(blobtest.Op, string) { do() }
	f.Order(blobtest.Fault{Op: op, Nth: nth, Kind: blobtest.Slow})
	return f
}

// TestWriterAmidFold: the record is the writer's own, and is folded before it can look whether it is: it has landed all the same.
func TestWriterAmidFold(t *testing.T) {
	t.Parallel()
	for nth := 1; nth <= 4; nth++ {
		b := memory()
		heads := chain(t, folding(t, b, 1), 3)
		other := folding(t, b, 3)
		f := amid(b, blobtest.Size, nth, func() {
			r, err := other.Read(t.Context(), 4)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := other.Append(t.Context(), signer(3), r.Head, &Body{}, nil, noon(9)); err != nil {
				t.Fatal(err)
			}
			if err := foldAll(t.Context(), other, b, 5); err != nil {
				t.Fatal(err)
			}
		})
		h, err := folding(t, f, 2).Append(t.Context(), signer(2), heads[3], &Body{}, nil, noon(8))
		if err != nil || h.Number != 4 {
			t.Errorf("before look %d: %v", nth, err)
		}
		if r, err := other.Read(t.Context(), 4); err != nil || r.Head != h {
			t.Errorf("before look %d: record 4 is another: %v", nth, err)
		}
	}
}

// TestLostAnswerAmidFold: an answer is lost, and the record is folded before the writer asks again.
func TestLostAnswerAmidFold(t *testing.T) {
	t.Parallel()
	b := memory()
	heads := chain(t, folding(t, b, 1), 3)
	other := folding(t, b, 3)
	f := amid(b, blobtest.Create, 2, func() {
		r, err := other.Read(t.Context(), 4)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = other.Append(t.Context(), signer(3), r.Head, &Body{}, nil, noon(9)); err == nil {
			err = foldAll(t.Context(), other, b, 5)
		}
		if err != nil {
			t.Fatal(err)
		}
	})
	f.Order(blobtest.Fault{Op: blobtest.Commit, Nth: 1, Kind: blobtest.LostAnswer})
	if h, err := folding(t, f, 2).Append(t.Context(), signer(2), heads[3], &Body{}, nil, noon(8)); err != nil || h.Number != 4 {
		t.Errorf("%d, %v", h.Number, err)
	}
}

// TestReaderAmidFold folds before every call that a reader makes: it sees the whole chain.
func TestReaderAmidFold(t *testing.T) {
	t.Parallel()
	for _, op := range []blobtest.Op{blobtest.Open, blobtest.Size} {
		for nth := 1; ; nth++ {
			b := memory()
			heads := chain(t, folding(t, b, 1), 21)
			done := false
			f := amid(b, op, nth, func() {
				done = true
				other := folding(t, b, 2)
				if nth%2 == 0 { // one level, then the next
					for from := uint64(1); from < 16; from += 4 {
						s := Span{from, from + 3}
						if err := other.Fold(t.Context(), s); err != nil {
							t.Fatal(err)
						}
						_ = foldAll(t.Context(), other, b, 0)
					}
				}
				if err := foldAll(t.Context(), other, b, 21); err != nil {
					t.Fatal(err)
				}
				// And somebody late takes a number that is free again.
				if _, err := other.Append(t.Context(), signer(2), heads[6], &Body{}, nil, noon(99)); !errors.Is(err, ErrTaken) {
					t.Fatal(err)
				}
			})
			n, err := follow(t, folding(t, f, 3), Head{})
			if n != 21 || err != nil {
				t.Fatalf("%s %d: %d records, %v", op, nth, n, err)
			}
			if !done {
				break
			}
		}
	}
}

// TestAfterAmidFold folds before every call of one who asks whether there is more: a record that was there all the time is not missed.
func TestAfterAmidFold(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		records int
		early   uint64 // the number before which all is folded already
		at      uint64
	}{"into a segment": {7, 0, 2}, "into a wider one": {21, 16, 5}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for range 10 { // calls at once come in any order
				for nth := 1; nth <= 3; nth++ {
					b := memory()
					chain(t, folding(t, b, 1), int(max(tt.early, 7)))
					if err := foldAll(t.Context(), folding(t, b, 2), b, tt.early); err != nil {
						t.Fatal(err)
					}
					extend(t, folding(t, b, 1), tt.records)
					f := amid(b, blobtest.Size, nth, func() {
						if err := foldAll(t.Context(), folding(t, b, 2), b, uint64(tt.records)); err != nil {
							t.Fatal(err)
						}
					})
					if more, err := folding(t, f, 3).After(t.Context(), tt.at); !more || err != nil {
						t.Fatalf("folded before call %d: %v, %v", nth, more, err)
					}
				}
			}
		})
	}
}

// extend appends until there are so many records.
func extend(t *testing.T, j *Journal, records int) {
	t.Helper()
	var head Head
	for r, err := range j.Follow(t.Context(), Head{}) {
		if err != nil {
			t.Fatal(err)
		}
		head = r.Head
	}
	for head.Number < uint64(records) {
		var err error
		if head, err = j.Append(t.Context(), signer(1), head, &Body{}, nil, noon(int(head.Number)+100)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFoldCrashes stops the power at every call of the file system while a journal is folded, and goes on.
func TestFoldCrashes(t *testing.T) {
	t.Parallel()
	step, seeds := 11, uint64(2)
	if torture() {
		step, seeds = 1, 12
	}
	before := dirtest.New()
	heads := chain(t, folding(t, dir.OpenFS(before), 1), 18)
	if err := folding(t, dir.OpenFS(before), 1).Fold(t.Context(), Span{1, 4}); err != nil {
		t.Fatal(err)
	}
	for n := 1; ; n += step {
		done := false
		for seed := range seeds {
			f := before.Crash(dirtest.AllDone)
			b := dir.OpenFS(f)
			f.CrashAt(n)
			err := foldAll(t.Context(), folding(t, b, 1), b, 18)
			if done = err == nil; err != nil && !errors.Is(err, dirtest.ErrCrash) {
				t.Fatalf("call %d: %v", n, err)
			}
			b = dir.OpenFS(f.Crash(seed))
			again := folding(t, b, 2)
			if got, err := follow(t, again, Head{}); got != 18 || err != nil {
				t.Fatalf("after a crash at call %d: %d records, %v", n, got, err)
			}
			if err := foldAll(t.Context(), again, b, 18); err != nil {
				t.Fatalf("after a crash at call %d: %v", n, err)
			}
			wantSpans(t, b, Span{1, 16}, Span{17, 17}, Span{18, 18})
			if seed == 0 {
				wantChain(t, again, heads)
			}
		}
		if done {
			return
		}
	}
}

// TestSegmentIsChecked: a segment in which a record is missing, changed, moved or of somebody else is found out.
func TestSegmentIsChecked(t *testing.T) {
	t.Parallel()
	made := func(t *testing.T) (*blobtest.Memory, []Head) {
		b := memory()
		j := folding(t, b, 1)
		heads := chain(t, j, 9)
		if err := foldAll(t.Context(), j, b, 9); err != nil {
			t.Fatal(err)
		}
		return b, heads
	}
	name, next := Span{1, 4}.Object(), Span{5, 8}.Object()
	b, heads := made(t)
	good := b.Bytes(name)
	third := func() []byte { // the third record as it lay in its object
		b := memory()
		chain(t, folding(t, b, 1), 3)
		return b.Bytes(Object(3))
	}()
	if !bytes.Contains(good, third) {
		t.Fatal("a segment holds other bytes than the records")
	}
	size := len(third) // all are as long
	rebuilt := func(order ...int) []byte {
		var out, ends []byte
		for _, n := range order {
			out = append(out, good[n*size:(n+1)*size]...)
			ends = append(ends, byte(len(out)), byte(len(out)>>8), 0, 0, 0, 0, 0, 0)
		}
		return append(append(out, ends...), good[len(good)-segmentTail:]...)
	}
	if !bytes.Equal(rebuilt(0, 1, 2, 3), good) {
		t.Fatal("the layout is another than the test's")
	}
	forged := memory()
	other := folding(t, forged, 9)
	chain(t, other, 9)
	if err := foldAll(t.Context(), other, forged, 9); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		data []byte
	}{
		{"reordered", rebuilt(0, 2, 1, 3)},
		{"one twice", rebuilt(0, 1, 1, 3)},
		{"one missing", rebuilt(0, 1, 3)},
		{"empty", nil},
		{"only its end", good[len(good)-segmentTail:]},
		{"of another history", forged.Bytes(name)},
		{"of another range", b.Bytes(next)},
	} {
		b.Put(name, tt.data)
		if n, err := follow(t, folding(t, b, 2), Head{}); n == 9 || !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %d records, %v", tt.name, n, err)
		}
	}
	b.Put(name, good)
	wantErr := func(what string, err error) {
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	if err := b.Remove(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	n, err := follow(t, folding(t, b, 2), Head{})
	if n != 4 || err != nil {
		t.Errorf("a segment is missing: %d records, %v", n, err) // who knows the last record finds the gap
	}
	_, err = folding(t, b, 2).Read(t.Context(), 6)
	wantErr("a record of it", err)
	_ = heads
}

// TestEveryByteOfASegmentCounts flips each, and cuts it at each.
func TestEveryByteOfASegmentCounts(t *testing.T) {
	t.Parallel()
	b := memory()
	j := folding(t, b, 1)
	chain(t, j, 5)
	if err := foldAll(t.Context(), j, b, 5); err != nil {
		t.Fatal(err)
	}
	name := Span{1, 4}.Object()
	good := b.Bytes(name)
	step := 3
	if torture() {
		step = 1
	}
	look := func(what string, at int) {
		if n, err := follow(t, j, Head{}); n == 5 || !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrVersion) {
			t.Errorf("%s %d of %d: %d records, %v", what, at, len(good), n, err)
		}
	}
	for at := 0; at < len(good); at += step {
		bad := bytes.Clone(good)
		bad[at] ^= 1 << (at % 8)
		b.Put(name, bad)
		look("byte", at)
		b.Put(name, good[:at])
		look("cut at", at)
	}
	b.Put(name, bytes.Repeat(good, 2))
	look("written twice", 0)
}

// TestFoldWantsTheChain: what does not belong to the chain is not folded, nor what nothing follows.
func TestFoldWantsTheChain(t *testing.T) {
	t.Parallel()
	b := memory()
	j := folding(t, b, 1)
	chain(t, j, 4)
	if err := j.Fold(t.Context(), Span{1, 4}); !errors.Is(err, ErrDamaged) {
		t.Errorf("nothing follows: %v", err)
	}
	other := memory()
	chain(t, folding(t, other, 7), 6)
	b.Put(Object(5), other.Bytes(Object(5)))
	if err := j.Fold(t.Context(), Span{1, 4}); !errors.Is(err, ErrDamaged) {
		t.Errorf("something else follows: %v", err)
	}
	for _, name := range b.Names() {
		if strings.Contains(name, "-") {
			t.Errorf("%s was made", name)
		}
	}
}

// TestShortSegments: one of which only the end is there, and that says where its records lie as it likes, is found out by who reads
// from any of its numbers.
func TestShortSegments(t *testing.T) {
	t.Parallel()
	b := memory()
	j := folding(t, b, 1)
	s := Span{1, 4}
	for _, at := range []uint64{0, 1, 1 << 30, math.MaxInt64, math.MaxInt64 + 1, math.MaxUint64 - 8} {
		var data []byte
		for k := range uint64(8) {
			data = binary.LittleEndian.AppendUint64(data, at+k)
		}
		data = append(binary.LittleEndian.AppendUint32(data, version), segmentMagic...)
		for cut := range data {
			b.Put(s.Object(), bytes.Clone(data[cut:]))
			for n := s.From; n <= s.To; n++ {
				if r, err := j.Read(t.Context(), n); !errors.Is(err, ErrDamaged) {
					t.Errorf("%d bytes, ends from %d: record %d: %v, %v", len(data)-cut, at, n, r, err)
				}
			}
		}
	}
}

func TestParseSpan(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		object string
		want   Span
		ok     bool
	}{
		{"journal/000000000007", Span{7, 7}, true},
		{"journal/000000000001-000000000032", Span{1, 32}, true},
		{"journal/000000000000", Span{}, false},
		{"journal/7", Span{}, false},
		{"journal/000000000007-000000000007", Span{}, false},
		{"journal/000000000007-000000000006", Span{}, false},
		{"journal/000000000007-", Span{}, false},
		{"journal/-000000000007", Span{}, false},
		{"journal/000000000007.copy", Span{}, false},
		{"packs/000000000007", Span{}, false},
	} {
		got, ok := ParseSpan(tt.object)
		if ok != tt.ok || ok && got != tt.want {
			t.Errorf("%s: %v, %v", tt.object, got, ok)
		}
	}
}

// TestGoldenSegment freezes the format, with a pack behind a record too; pack.TestGolden says what to do when it fails.
func TestGoldenSegment(t *testing.T) {
	t.Parallel()
	b := memory()
	j := folding(t, b, 42)
	var head Head
	for n := range 5 {
		var err error
		body := &Body{Packs: []Pack{{Name: [16]byte{byte(n)}, Size: 4, Inline: true}}}
		if head, err = j.Append(t.Context(), signer(1), head, body, []byte("pack"), noon(n)); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Fold(t.Context(), Span{1, 4}); err != nil {
		t.Fatal(err)
	}
	for file, object := range map[string]string{"v1.segment": Span{1, 4}.Object(), "v1.inline": Object(5)} {
		file = filepath.Join("testdata", file)
		if *update {
			if err := os.WriteFile(file, b.Bytes(object), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		golden, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(golden, b.Bytes(object)) {
			t.Errorf("%s: other bytes than the golden ones", file)
		}
		b.Put(object, golden)
	}
	if n, err := follow(t, j, Head{}); n != 5 || err != nil {
		t.Errorf("%d records, %v: archives that people have would not open", n, err)
	}
}

func FuzzSegment(f *testing.F) {
	b := memory()
	j := folding(f, b, 1)
	heads := chain(f, j, 5)
	if err := foldAll(context.Background(), j, b, 5); err != nil {
		f.Fatal(err)
	}
	name := Span{1, 4}.Object()
	good := b.Bytes(name)
	f.Add(good)
	f.Add(good[len(good)-segmentTail-32:])
	f.Add(good[:100])
	f.Fuzz(func(t *testing.T, data []byte) {
		b := memory()
		b.Put(name, data)
		j := folding(t, b, 2)
		for r, err := range j.Follow(t.Context(), Head{}) {
			if err != nil {
				if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrVersion) {
					t.Fatal(err)
				}
				return
			}
			if r.Head != heads[r.Number] {
				t.Fatal("another record")
			}
		}
		if !bytes.Equal(data, good) {
			t.Fatalf("%d other bytes are taken", len(data))
		}
	})
}
