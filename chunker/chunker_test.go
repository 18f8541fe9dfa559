package chunker_test

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"mailbrick/chunker"
)

var small = chunker.Params{Min: 256, Avg: 1024, Max: 4096}

// byRule cuts as the package doc says it, word for word and without haste.
func byRule(key [32]byte, p chunker.Params, d []byte) int {
	raw, _ := hkdf.Key(sha256.New, key[:], nil, "mailbrick/chunker/gear/v1", 2048)
	w := func(n int) (sum uint64) {
		for j := range min(64, n) {
			sum += binary.BigEndian.Uint64(raw[8*int(d[n-1-j]):]) << j
		}
		return sum
	}
	bits := 0
	for 1<<(bits+1) <= p.Avg {
		bits++
	}
	strict := ^uint64(0) << (63 - (bits + 2)) &^ (1 << 63)
	loose := ^uint64(0) << (63 - (bits - 2)) &^ (1 << 63)
	for n := 1; ; n++ {
		switch {
		case n >= len(d), n == p.Max:
			return min(n, len(d))
		case p.Min <= n && n < p.Avg && w(n)&strict == 0:
			return n
		case p.Avg <= n && w(n)&loose == 0:
			return n
		}
	}
}

// cuts are the places where a stream is cut, its end included.
func cuts(c *chunker.Chunker, data []byte) (at []int) {
	for pos := 0; pos < len(data); {
		pos += c.Cut(data[pos:min(len(data), pos+c.Params().Max)])
		at = append(at, pos)
	}
	return at
}

func randomBytes(seed byte, n int) []byte {
	data := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(data)
	return data
}

// sequence is data that any program can make: SHA-256 of 0, 1, 2, ... as eight
// bytes big endian.
func sequence(n int) []byte {
	var data []byte
	for i := uint64(0); len(data) < n; i++ {
		sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, i))
		data = append(data, sum[:]...)
	}
	return data[:n]
}

// TestGolden holds what a second program, written from the package doc alone,
// cut as well.
func TestGolden(t *testing.T) {
	t.Parallel()
	key := [32]byte{}
	for i := range key {
		key[i] = byte(i)
	}
	tests := []struct {
		name   string
		params chunker.Params
		size   int
		want   []int
	}{
		{"defaults", chunker.Params{}, 1 << 20, []int{
			51488, 110688, 188518, 255287, 326102, 348095, 417336, 495267,
			544577, 624524, 695468, 769396, 844344, 911430, 978352, 1048576,
		}},
		{"small", small, 16 << 10, []int{
			588, 2054, 3179, 4318, 5059, 6228, 6541, 7651,
			8298, 9334, 10406, 12204, 13821, 15456, 16384,
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := cuts(chunker.New(key, tt.params), sequence(tt.size))
			if !slices.Equal(got, tt.want) {
				t.Errorf("cuts moved: archives of version %d would find nothing again\n got %v\nwant %v", chunker.Version, got, tt.want)
			}
		})
	}
}

func TestAgreesWithTheRule(t *testing.T) {
	t.Parallel()
	params := map[string]chunker.Params{
		"small":        small,
		"odd lengths":  {Min: 301, Avg: 1001, Max: 2003},
		"all the same": {Min: 256, Avg: 256, Max: 256},
		"min is avg":   {Min: 512, Avg: 512, Max: 2048},
		"least":        {Min: 64, Avg: 256, Max: 300},
	}
	for name, p := range params {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := chunker.New([32]byte{7}, p)
			for pos, data := 0, mixed(32<<10); pos < len(data); {
				want := byRule([32]byte{7}, p, data[pos:])
				if got := c.Cut(data[pos:]); got != want {
					t.Fatalf("at %d: cut %d, by the rule %d", pos, got, want)
				}
				pos += want
			}
		})
	}
}

// mixed is random, repeated and constant in turns.
func mixed(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	var data []byte
	for len(data) < n {
		length := r.IntN(3000)
		switch r.IntN(3) {
		case 0:
			data = append(data, randomBytes(byte(r.Uint32()), length)...)
		case 1:
			data = append(data, bytes.Repeat([]byte("the quick brown fox "), length/20)...)
		default:
			data = append(data, make([]byte, length)...)
		}
	}
	return data[:n]
}

func TestLengthsStayInBounds(t *testing.T) {
	t.Parallel()
	for name, data := range map[string][]byte{
		"random": randomBytes(3, 4<<20), "mixed": mixed(2 << 20), "zeros": make([]byte, 3<<20),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := chunker.New([32]byte{3}, chunker.Params{})
			last := 0
			at := cuts(c, data)
			for i, pos := range at {
				length := pos - last
				if length > chunker.DefaultMax || length < chunker.DefaultMin && i < len(at)-1 {
					t.Errorf("chunk %d of %d is %d bytes long", i, len(at), length)
				}
				last = pos
			}
			if last != len(data) {
				t.Errorf("chunks end at %d of %d", last, len(data))
			}
		})
	}
}

func TestMeanLength(t *testing.T) {
	t.Parallel()
	data := randomBytes(4, 16<<20)
	at := cuts(chunker.New([32]byte{4}, chunker.Params{}), data)
	if mean := len(data) / len(at); mean < 68<<10 || mean > 78<<10 {
		t.Errorf("mean length of %d chunks is %d, documented 73 KiB", len(at), mean)
	}
}

func TestCutsComeBackAfterInsertion(t *testing.T) {
	t.Parallel()
	data := randomBytes(5, 8<<20)
	c := chunker.New([32]byte{5}, chunker.Params{})
	before := cuts(c, data)
	for _, n := range []int{1, 63, 31680, 100_000} {
		after := cuts(c, slices.Concat(randomBytes(6, n), data))
		same := 0
		for _, pos := range before {
			if _, found := slices.BinarySearch(after, pos+n); found {
				same++
			}
		}
		if same*100 < len(before)*95 {
			t.Errorf("%d bytes in front: %d of %d cuts found again", n, same, len(before))
		}
	}
}

func TestCutDependsOnNothingElse(t *testing.T) {
	t.Parallel()
	c := chunker.New([32]byte{8}, small)
	data := randomBytes(8, 64<<10)
	for pos := 0; pos < len(data)-small.Max; pos += 997 {
		whole := c.Cut(data[pos:])
		if got := c.Cut(data[pos : pos+small.Max]); got != whole {
			t.Fatalf("at %d: %d with all the rest, %d with Max of it", pos, whole, got)
		}
	}
}

func TestKeysCutApart(t *testing.T) {
	t.Parallel()
	data := randomBytes(9, 4<<20)
	a := cuts(chunker.New([32]byte{1}, chunker.Params{}), data)
	b := cuts(chunker.New([32]byte{2}, chunker.Params{}), data)
	same := 0
	for _, pos := range a[:len(a)-1] {
		if _, found := slices.BinarySearch(b, pos); found {
			same++
		}
	}
	if same > 1 {
		t.Errorf("two keys share %d of %d cuts", same, len(a))
	}
}

func TestShortData(t *testing.T) {
	t.Parallel()
	c := chunker.New([32]byte{}, chunker.Params{})
	for _, n := range []int{0, 1, 63, 64, 65, chunker.DefaultMin - 1, chunker.DefaultMin} {
		if got := c.Cut(make([]byte, n)); got != n {
			t.Errorf("%d bytes: cut at %d", n, got)
		}
	}
}

func TestParamsCheck(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		params chunker.Params
		ok     bool
	}{
		{"defaults", chunker.Params{}, true},
		{"min below window", chunker.Params{Min: 63}, false},
		{"min above avg", chunker.Params{Min: 65 << 10}, false},
		{"avg above max", chunker.Params{Avg: 257 << 10}, false},
		{"avg too small", chunker.Params{Min: 64, Avg: 255}, false},
		{"max too large", chunker.Params{Max: 1<<30 + 1}, false},
		{"negative", chunker.Params{Min: -1}, false},
		{"largest", chunker.Params{Avg: 1 << 30, Max: 1 << 30}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := tt.params.Check()
			if tt.ok != (err == nil) || err != nil && !errors.Is(err, chunker.ErrParams) {
				t.Errorf("got %v", err)
			}
			defer func() {
				if panicked := recover() != nil; panicked == tt.ok {
					t.Errorf("New panicked: %v", panicked)
				}
			}()
			chunker.New([32]byte{}, tt.params)
		})
	}
}

func FuzzCut(f *testing.F) {
	f.Add([]byte{}, uint16(0), uint16(0))
	f.Add(mixed(1500), uint16(0), uint16(0))
	f.Add(randomBytes(1, 900), uint16(77), uint16(1))
	f.Fuzz(func(t *testing.T, data []byte, lengths, key uint16) {
		lowest := 64 + int(lengths%512)
		p := chunker.Params{Min: lowest, Avg: 2*lowest + 256, Max: 7*lowest + 256}
		k := [32]byte{byte(key), byte(key >> 8)}
		c := chunker.New(k, p)
		for rest := data; len(rest) > 0; {
			n := c.Cut(rest)
			if want := byRule(k, p, rest); n != want {
				t.Fatalf("cut %d, by the rule %d", n, want)
			}
			rest = rest[n:]
		}
	})
}
