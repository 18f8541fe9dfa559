package archive

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"mailbrick/archive/wire"
)

var update = flag.Bool("update", false, "write testdata anew")

// torture runs the long loops too.
func torture() bool { return os.Getenv("MAILBRICK_TORTURE") == "1" }

// rounds is how often a loop runs: a seeded share always, all of it as torture.
func rounds(share, all int) int {
	if torture() {
		return all
	}
	return share
}

func (r *recipe) encode() []byte { return r.append(nil, true) }

// rollRecipe makes streams and the takes that use them up, in any order.
func rollRecipe(r *rand.Rand) *recipe {
	out := &recipe{streams: []stream{}}
	for range r.IntN(5) {
		s := stream{chunks: []chunkRef{}}
		if r.IntN(2) == 0 {
			s.literal = make([]byte, r.IntN(200))
		} else {
			for range 1 + r.IntN(4) {
				s.chunks = append(s.chunks, chunkRef{chunkID{byte(r.Uint32()), 1}, 1 + r.Uint32N(300_000)})
			}
		}
		out.streams = append(out.streams, s)
	}
	out.runs = gather(rollTakes(r, out.streams))
	return out
}

func rollTakes(r *rand.Rand, streams []stream) (takes []take) {
	left := make([]uint64, len(streams))
	open := 0
	for i := range streams {
		if left[i] = streams[i].bytes(); left[i] > 0 {
			open++
		}
	}
	step := 1 + uint64(r.IntN(30_000))
	for open > 0 {
		i := r.IntN(len(streams))
		k := min(left[i], step)
		if r.IntN(3) == 0 {
			k = min(left[i], 1+r.Uint64N(50_000))
		}
		if k == 0 {
			continue
		}
		if left[i] -= k; left[i] == 0 {
			open--
		}
		if n := len(takes); n > 0 && takes[n-1].stream == uint64(i) {
			takes[n-1].length += k
			continue
		}
		takes = append(takes, take{uint64(i), k})
	}
	return takes
}

// expand writes runs out.
func expand(runs []run) (takes []take) {
	for _, r := range runs {
		for range r.times {
			takes = append(takes, r.takes...)
		}
	}
	return takes
}

func TestRecipeProperty(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	for n := range rounds(1000, 200_000) {
		was := rollRecipe(r)
		encoded := was.encode()
		back, err := decodeRecipe(encoded)
		if err != nil {
			t.Fatalf("recipe %d: %v: %x", n, err, encoded)
		}
		if !sameRecipe(back, was) || !bytes.Equal(back.encode(), encoded) {
			t.Fatalf("recipe %d came back as %+v, was %+v", n, back, was)
		}
		follow(t, back)
	}
}

func sameRecipe(a, b *recipe) bool {
	for _, r := range []*recipe{a, b} {
		for i := range r.streams {
			if len(r.streams[i].literal) == 0 {
				r.streams[i].literal = nil
			}
		}
	}
	return reflect.DeepEqual(a.streams, b.streams) && (len(a.runs) == 0 && len(b.runs) == 0 || reflect.DeepEqual(a.runs, b.runs))
}

func TestGather(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 8))
	for range 500 {
		var takes []take
		for range r.IntN(30) {
			takes = append(takes, take{r.Uint64N(2), 1 + r.Uint64N(2)})
		}
		if got := expand(gather(takes)); !reflect.DeepEqual(got, takes) {
			t.Fatalf("%v became %v", takes, got)
		}
	}
	var framed []take
	for range 10_000 {
		framed = append(framed, take{2, 31680}, take{0, 8})
	}
	if runs := gather(framed); len(runs) != 1 {
		t.Errorf("a long value between framing is %d runs", len(runs))
	}
}

// goldenRecipe is a long value in frames, and a bit of everything else.
func goldenRecipe() *recipe {
	return &recipe{
		streams: []stream{
			{chunks: []chunkRef{}, literal: bytes.Repeat([]byte{1, 0, 0, 0}, 3)},
			{chunks: []chunkRef{{chunkID{0xA1}, 700}}},
			{chunks: []chunkRef{{chunkID{0xB1}, 60_000}, {chunkID{0xB2}, 35_040}}},
			{chunks: []chunkRef{}},
		},
		runs: []run{{1, []take{{1, 650}}}, {3, []take{{0, 4}, {2, 31_680}}}, {1, []take{{1, 50}}}},
	}
}

// TestRecipeGolden freezes the format; pack.TestGolden says what to do when it fails.
func TestRecipeGolden(t *testing.T) {
	t.Parallel()
	file := filepath.Join("testdata", "v1.recipe.hex")
	got := hex.EncodeToString(goldenRecipe().encode()) + "\n"
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(golden) != got {
		t.Errorf("a recipe written now is\n%snot the golden\n%s", got, golden)
	}
	b, err := hex.DecodeString(strings.TrimSpace(string(golden)))
	if err != nil {
		t.Fatal(err)
	}
	if r, err := decodeRecipe(b); err != nil || !sameRecipe(r, goldenRecipe()) {
		t.Errorf("golden recipe: %v, %+v: archives that people have would not be read", err, r)
	}
}

func TestRecipeRefusals(t *testing.T) {
	t.Parallel()
	good := goldenRecipe().encode()
	newer := bytes.Clone(good)
	newer[0] = 2
	edit := func(change func(r *recipe)) []byte {
		r := goldenRecipe()
		change(r)
		return r.encode()
	}
	for _, tt := range []struct {
		name string
		b    []byte
		want error
	}{
		{"nothing", nil, errRecipe},
		{"newer", newer, ErrVersion},
		{"no cutter", []byte{1, 0, 0}, ErrVersion},
		{"cut short", good[:len(good)-1], errRecipe},
		{"left over", append(bytes.Clone(good), 0), errRecipe},
		{"more streams than bytes", []byte{1, 1, 0xFF, 0xFF, 0xFF, 0x0F}, errRecipe},
		{"too many streams", append(wire.AppendUvarint([]byte{1, 1}, maxStreams+1), make([]byte, 3*maxStreams)...), errRecipe},
		{"empty chunk", edit(func(r *recipe) { r.streams[3].chunks = []chunkRef{{chunkID{1}, 0}} }), errRecipe},
		{"huge chunk", edit(func(r *recipe) { r.streams[3].chunks = []chunkRef{{chunkID{1}, 1 << 31}} }), errRecipe},
		{"never taken", edit(func(r *recipe) { r.runs = r.runs[:2] }), errRecipe},
		{"taken twice", edit(func(r *recipe) { r.runs = append(r.runs, r.runs[2]) }), errRecipe},
		{"taken of no stream", edit(func(r *recipe) { r.runs[0].takes = []take{{9, 650}} }), errRecipe},
		{"nothing taken", edit(func(r *recipe) { r.runs = append(r.runs, run{1, []take{{1, 0}}}) }), errRecipe},
		{"no times", edit(func(r *recipe) { r.runs = append(r.runs, run{0, []take{{1, 1}}}) }), errRecipe},
		{"no takes", edit(func(r *recipe) { r.runs = append(r.runs, run{1, nil}) }), errRecipe},
		{"three takes", edit(func(r *recipe) { r.runs = append(r.runs, run{1, make([]take, 3)}) }), errRecipe},
		{"times beyond all, and round", (&recipe{streams: []stream{{literal: []byte("four")}}, runs: []run{{0xAAAAAAAAAAAAAAAC, []take{{0, 3}}}}}).encode(), errRecipe}, // 3 times that is 4
		{"times beyond all", edit(func(r *recipe) { r.runs[1].times = 1 << 63 }), errRecipe},
	} {
		if _, err := decodeRecipe(tt.b); !errors.Is(err, tt.want) || errors.Is(err, ErrVersion) != (tt.want == ErrVersion) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

// TestRecipeBomb: a few bytes that promise a lot cost next to nothing to read.
func TestRecipeBomb(t *testing.T) {
	chunks := make([]chunkRef, 4)
	for i := range chunks {
		chunks[i] = chunkRef{chunkID{byte(i)}, maxRef}
	}
	r := &recipe{streams: []stream{{chunks: chunks}, {chunks: chunks}}, runs: []run{{4 * maxRef, []take{{0, 1}, {1, 1}}}}}
	b := r.encode()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	back, err := decodeRecipe(b)
	runtime.ReadMemStats(&after)
	if err != nil || !sameRecipe(back, r) {
		t.Fatal(err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 100_000 {
		t.Errorf("a recipe of %d bytes takes %d to read", len(b), used)
	}
}

func FuzzRecipe(f *testing.F) {
	r := rand.New(rand.NewPCG(9, 9))
	f.Add(goldenRecipe().encode())
	for range 5 {
		f.Add(rollRecipe(r).encode())
	}
	f.Add([]byte{1, 1, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decodeRecipe(b)
		if err != nil {
			if !errors.Is(err, errRecipe) && !errors.Is(err, ErrVersion) {
				t.Fatal(err)
			}
			return
		}
		again, err := decodeRecipe(r.encode())
		if err != nil || !sameRecipe(again, r) {
			t.Fatalf("a recipe that was read does not come back: %v", err)
		}
		follow(t, r)
	})
}

// follow walks a recipe as reading does, in steps of any size.
func follow(t *testing.T, r *recipe) {
	left := make([]uint64, len(r.streams))
	for i := range r.streams {
		left[i] = r.streams[i].bytes()
	}
	var at position
	for n := 0; n < 10_000; n++ {
		next, rest := at.current(r)
		if next == nil {
			if slices.Max(append(left, 0)) > 0 {
				t.Fatalf("not taken: %v", left)
			}
			return
		}
		k := min(rest, 1+uint64(n)*7919%40_000)
		if k == 0 || left[next.stream] < k {
			t.Fatalf("take %+v has nothing left", next)
		}
		left[next.stream] -= k
		at.advance(r, k)
	}
}
