package parity_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"mailbrick/archive/blob"
	"mailbrick/archive/blob/blobtest"
	"mailbrick/archive/blob/parity"
)

func wantBeyond(t testing.TB, what string, b *parity.Bucket, told int64) {
	t.Helper()
	if _, err := b.Repair(t.Context(), object, told); !errors.Is(err, parity.ErrBeyondRepair) || !strings.Contains(err.Error(), object) {
		t.Fatalf("%s: repair: %v", what, err)
	}
}

// small are payload sizes at the edges of the layout.
func small() []int { return []int{0, 1, 2, 300, 4095, 4096, 4097, 8192, 8193, 20_000, 40 << 10} }

// TestEveryByte: each byte flipped in turn is found and mended.
func TestEveryByte(t *testing.T) {
	t.Parallel()
	for _, size := range small() {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			payload := random(uint64(size), size)
			good := stored(t, payload)
			step := rand.New(rand.NewPCG(uint64(size), 1))
			for at := 0; at < len(good); {
				bad := bytes.Clone(good)
				bad[at] ^= 1 << (at % 8)
				mends(t, fmt.Sprintf("byte %d of %d", at, len(good)), good, bad, payload, parity.Unknown)
				if at++; !torture() && at > 3 && at < len(good)-trailerAndHash {
					at += step.IntN(400)
				}
			}
		})
	}
}

const trailerAndHash = 56 // the end is tried byte by byte

// TestEveryBlock: each run of 4096 bytes, wherever it begins, is mended.
func TestEveryBlock(t *testing.T) {
	t.Parallel()
	for _, size := range append(small(), 160<<10, 170_000) {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			payload := random(uint64(size), size)
			good := stored(t, payload)
			noise := random(99, 4096)
			step := rand.New(rand.NewPCG(uint64(size), 2))
			for at := -4095; at < len(good); at++ {
				bad := bytes.Clone(good)
				copy(bad[max(at, 0):], noise[max(-at, 0):])
				mends(t, fmt.Sprintf("4096 bytes from %d of %d", at, len(good)), good, bad, payload, parity.Unknown)
				if !torture() || size > 40<<10 {
					at += step.IntN(2 * (500 + size/20))
				}
			}
		})
	}
}

// TestEdgesOfLayout: runs that touch the most parts at once.
func TestEdgesOfLayout(t *testing.T) {
	t.Parallel()
	sizes := []int{1, 4095, 4096, 4097, 8192, 40 << 10, 819_200, 819_201, 8<<20 + 1}
	if torture() {
		sizes = append(sizes, 8<<20, 8<<20+4097)
	}
	for _, size := range sizes {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			payload := random(uint64(size), size)
			good := stored(t, payload)
			end := len(good)
			for _, at := range []int{size - 4096, size - 4095, size - 2000, size - 1, size, end - 4096, end - 8192, size % (8 << 20), end - size%4096 - 4096} {
				bad := bytes.Clone(good)
				at = min(max(at, 0), end-1)
				for i := at; i < min(at+4096, end); i++ {
					bad[i] ^= 0x5a
				}
				mends(t, fmt.Sprintf("4096 bytes from %d of %d", at, end), good, bad, payload, parity.Unknown)
			}
		})
	}
}

// TestBursts: ten shards of every window, and one more.
func TestBursts(t *testing.T) {
	t.Parallel()
	const shard, window = 41_944, 8 << 20
	payload := random(7, 17<<20)
	good := stored(t, payload)
	run := func(p []byte, at, n int) {
		for i := at; i < at+n; i++ {
			p[i] ^= 0xff
		}
	}
	bad := bytes.Clone(good)
	run(bad, 12_345, 9*shard+1)         // one run in the first
	run(bad, 2*window-9*shard, 9*shard) // and at the end of the second
	run(bad, 2*window+100, 1)           // and in the last, after larger ones
	mends(t, "a run", good, bad, payload, parity.Unknown)

	bad = bytes.Clone(good)
	for w := range 2 {
		for i := range 10 {
			run(bad, w*window+(i*19+w)*shard+i, 1)
		}
	}
	mends(t, "ten bytes", good, bad, payload, parity.Unknown)
	run(bad, window+199*shard, 1)
	isLost(t, "eleven bytes", bad, parity.Unknown)

	bad = bytes.Clone(good)
	run(bad, 100*shard, 10*shard+1)
	isLost(t, "too long a run", bad, parity.Unknown)
}

// TestScattered: any damage within the limits of a small object.
func TestScattered(t *testing.T) {
	t.Parallel()
	rounds := 60
	if torture() {
		rounds = 5000
	}
	r := rand.New(rand.NewPCG(8, 8))
	for n := range rounds {
		payload := random(uint64(n), 4097+r.IntN(300_000))
		good := stored(t, payload)
		bad := bytes.Clone(good)
		for range 2 { // two of any window may go
			at := r.IntN(len(payload))
			bad[at] ^= byte(1 + r.IntN(255))
		}
		mends(t, fmt.Sprintf("round %d", n), good, bad, payload, parity.Unknown)
	}
}

func TestCutOffAndAppended(t *testing.T) {
	t.Parallel()
	sizes := []int{0, 1, 5000, 100_000, 2 << 20}
	if torture() {
		sizes = append(sizes, 9<<20)
	}
	for _, size := range sizes {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			payload := random(uint64(size), size)
			good := stored(t, payload)
			first := bytes.Index(good[size:], []byte("MBPARITY")) // trailer of the first footer
			behind := len(good) - size - first
			for _, cut := range []int{1, 39, 40, 41, 57, 100, behind / 2, behind - 41, behind - 40} {
				mends(t, fmt.Sprintf("%d cut off", cut), good, good[:len(good)-cut], payload, parity.Unknown)
				mends(t, fmt.Sprintf("%d cut off, length told", cut), good, good[:len(good)-cut], payload, int64(size))
			}
			mends(t, "trailer cut off, length told", good, good[:size+first], payload, int64(size))
			for _, more := range []int{1, 40, 5000, 2 << 20} {
				bad := append(bytes.Clone(good), random(5, more)...)
				mends(t, fmt.Sprintf("%d appended", more), good, bad, payload, parity.Unknown)
				mends(t, fmt.Sprintf("%d appended, length told", more), good, bad, payload, int64(size))
			}
			if size > 0 {
				isLost(t, "cut off in the payload", good[:size-1], parity.Unknown)
				isLost(t, "cut off in the payload, length told", good[:size-1], int64(size))
				isLost(t, "nothing left", nil, parity.Unknown)
			}
		})
	}
}

// TestToldLength: with both trailers gone what the caller knows helps.
func TestToldLength(t *testing.T) {
	t.Parallel()
	payload := random(1, 50_000)
	good := stored(t, payload)
	bad := bytes.Clone(good)
	bad = append(bad, "and more"...)
	for i, p := range [][]byte{bad[:len(good)], bad} {
		for at := bytes.Index(p, []byte("MBPARITY")); at >= 0; at = bytes.Index(p, []byte("MBPARITY")) {
			p[at] = 'x'
		}
		told := []int64{parity.Unknown, int64(len(payload))}[i]
		mends(t, fmt.Sprintf("case %d", i), good, p, payload, told)
	}
	isLost(t, "appended to, and no trailer", bad, parity.Unknown)
	isLost(t, "another object", good, int64(len(payload))-1)
	isLost(t, "no end of lengths", good, 1<<62)
}

// TestBothFooters: they need not be whole themselves.
func TestBothFooters(t *testing.T) {
	t.Parallel()
	payload := random(2, 50_000) // 13 and 2 shards, footers of 280
	good := stored(t, payload)
	bad := bytes.Clone(good)
	first, second := len(payload), len(good)-280
	bad[first+16*3] ^= 1
	bad[second+16*4] ^= 1
	bad[0] ^= 1
	mends(t, "hashes of different shards", good, bad, payload, parity.Unknown)
	bad = bytes.Clone(good)
	bad[first+16*3] ^= 1
	bad[second+16*3] ^= 1
	isLost(t, "both hashes of a shard", bad, parity.Unknown)
}

// TestNested: trailers in a payload are not taken for those of the object.
func TestNested(t *testing.T) {
	t.Parallel()
	payload := append(stored(t, random(1, 10_000)), random(2, 5000)...)
	good := stored(t, payload)
	mends(t, "cut off", good, good[:len(good)-1], payload, parity.Unknown)
	mends(t, "appended", good, append(bytes.Clone(good), 0), payload, parity.Unknown)
	mends(t, "another object appended", good, append(bytes.Clone(good), stored(t, random(3, 5000))...), payload, parity.Unknown)
}

// TestSearchOverEdge: the first trailer lies across what is searched at a time.
func TestSearchOverEdge(t *testing.T) {
	t.Parallel()
	payload := random(1, 1<<20-210*16-10)
	good := stored(t, payload)
	mends(t, "cut off", good, good[:len(good)-1], payload, parity.Unknown)
}

func TestVersion(t *testing.T) {
	t.Parallel()
	memory := new(blobtest.Memory)
	memory.Put(object, append(stored(t, nil), parity.NewerTrailer()...))
	b := parity.Wrap(memory, parity.Options{})
	_, errCheck := b.Check(t.Context(), object, parity.Unknown)
	_, errTold := b.Check(t.Context(), object, 0)
	_, errRepair := b.Repair(t.Context(), object, parity.Unknown)
	for name, err := range map[string]error{"check": errCheck, "check, length told": errTold, "repair": errRepair} {
		if !errors.Is(err, parity.ErrVersion) || !strings.Contains(err.Error(), "version 2") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestUnreadable: blocks that the disk does not give are damage, a disk that is
// not there is an error.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	payload := random(1, 3<<20)
	memory := new(blobtest.Memory)
	faulty := blobtest.NewFaulty(memory)
	b := parity.Wrap(unreadable{faulty, 1_000_000, 1_009_000}, parity.Options{})
	put(t, b, object, payload)
	good := memory.Bytes(object)
	report, err := b.Check(t.Context(), object, parity.Unknown)
	if err != nil || report.Damaged != 2 || report.Unreadable != 3*4096 || !report.Mendable || report.Whole() {
		t.Errorf("check: %+v, %v", report, err)
	}
	r, err := b.OpenMended(t.Context(), object, 0, -1)
	if got, err := readAll(t, r, err); err != nil || !bytes.Equal(got, payload) {
		t.Errorf("read mended: %d bytes, %v", len(got), err)
	}
	if _, err := b.Repair(t.Context(), object, parity.Unknown); err != nil || faulty.Calls(blobtest.Replace) != 1 {
		t.Errorf("repair: %v", err)
	}
	if !bytes.Equal(memory.Bytes(object), good) {
		t.Error("repaired to something else")
	}
	gap := int64(len(payload)) + 210*16 + 40
	zeros := parity.Wrap(unreadable{faulty, gap, gap + 1}, parity.Options{})
	report, err = zeros.Check(t.Context(), object, parity.Unknown)
	if err != nil || report.Unreadable != 4096 || !report.Mendable || report.Whole() {
		t.Errorf("check of zeros that cannot be read: %+v, %v", report, err)
	}
	faulty.Order(blobtest.Fault{Op: blobtest.Open, Nth: 2})
	if _, err := b.Check(t.Context(), object, parity.Unknown); !errors.Is(err, blobtest.ErrInjected) {
		t.Errorf("nothing can be opened: %v", err)
	}
}

func TestRepairErrors(t *testing.T) {
	t.Parallel()
	payload := random(1, 10_000)
	bad := stored(t, payload)
	bad[0] ^= 1
	memory := new(blobtest.Memory)
	b := parity.Wrap(memory, parity.Options{})
	if _, err := b.Repair(t.Context(), object, parity.Unknown); !errors.Is(err, blob.ErrNotExist) {
		t.Errorf("not there: %v", err)
	}
	memory.Put(object, bad)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Repair(over, object, parity.Unknown); !errors.Is(err, context.Canceled) {
		t.Errorf("context over: %v", err)
	}
	fixed := parity.Wrap(struct{ blob.Bucket }{memory}, parity.Options{})
	if _, err := fixed.Repair(t.Context(), object, parity.Unknown); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("bucket that cannot replace: %v", err)
	}
	if !bytes.Equal(memory.Bytes(object), bad) {
		t.Error("the object was touched")
	}
}

// TestRepairWholeWritesNothing, not even a temporary file.
func TestRepairWholeWritesNothing(t *testing.T) {
	t.Parallel()
	faulty := blobtest.NewFaulty(new(blobtest.Memory))
	b := parity.Wrap(faulty, parity.Options{})
	put(t, b, object, random(1, 10_000))
	faulty.Reset()
	report, err := b.Repair(t.Context(), object, parity.Unknown)
	if err != nil || !report.Whole() || report.Damaged != 0 || report.Shards != 5 || faulty.Calls(blobtest.Replace) != 0 {
		t.Errorf("%+v, %v, %d replacements", report, err, faulty.Calls(blobtest.Replace))
	}
}

// TestRepairFails: at every call of the bucket, and the object is as it was or
// mended.
func TestRepairFails(t *testing.T) {
	t.Parallel()
	good := stored(t, random(1, 10_000))
	bad := bytes.Clone(good)
	bad[5000] ^= 1
	for _, kind := range []blobtest.Kind{blobtest.Error, blobtest.Dead, blobtest.Full, blobtest.LostAnswer, blobtest.Truncated, blobtest.Corrupt} {
		for n := 1; ; n++ {
			memory := new(blobtest.Memory)
			memory.Put(object, bad)
			faulty := blobtest.NewFaulty(memory)
			faulty.Order(blobtest.Fault{Nth: n, Kind: kind})
			_, err := parity.Wrap(faulty, parity.Options{}).Repair(t.Context(), object, parity.Unknown)
			after := memory.Bytes(object)
			if !bytes.Equal(after, bad) && !bytes.Equal(after, good) || err == nil && !bytes.Equal(after, good) {
				t.Errorf("kind %d, call %d: %v, and the object is neither", kind, n, err)
			}
			if faulty.Calls(blobtest.Any) < n {
				break
			}
		}
	}
}
