package parity

import "sort"

const (
	windowSize    = 8 << 20
	blockSize     = 4096 // the least that disks lose; of shards, and of the zeros between
	maxData       = 200
	dataPerParity = 20
	maxSize       = 1 << 56 // of a payload; keeps sums far from overflow
)

// window is how a window of a size is cut.
type window struct {
	size   int
	data   int // shards
	parity int // shards
	shard  int // bytes of each
}

func windowOf(size int) window {
	w := window{size: size, data: min(maxData, divideUp(size, blockSize)), shard: blockSize}
	switch {
	case size == 0:
		return window{}
	case w.data == 1:
		w.shard, w.parity = size, 1
		return w
	case size > maxData*blockSize:
		w.shard = divideUp(size, maxData)
	}
	w.parity = max(2, divideUp(w.data, dataPerParity))
	return w
}

func divideUp(a, b int) int { return (a + b - 1) / b }

func (w window) shards() int { return w.data + w.parity }

// length is how many bytes of a shard are stored.
func (w window) length(shard int) int {
	if shard == w.data-1 {
		return w.size - shard*w.shard
	}
	return w.shard
}

// listSize, paritySize and stored are the bytes that a window has in a footer,
// in the parity, and in all of the object.
func (w window) listSize() int64   { return int64(w.shards()) * hashSize }
func (w window) paritySize() int64 { return int64(w.parity) * int64(w.shard) }
func (w window) stored() int64     { return int64(w.size) + w.paritySize() + 2*w.listSize() }

// layout is where things are in an object.
type layout struct {
	size  int64 // of the payload
	full  int64 // number of whole windows
	whole window
	last  window // size 0 for none
}

func layoutOf(size int64) layout {
	return layout{size: size, full: size / windowSize, whole: windowOf(windowSize), last: windowOf(int(size % windowSize))}
}

// fit is the largest layout that an object of some size has room for, and
// whether it takes all of that. An object too small for any gets the empty one.
func fit(stored int64) (l layout, exact bool) {
	room := min(max(stored, 0), maxSize) - layoutOf(0).stored()
	if room < 0 {
		return layoutOf(0), false
	}
	each := windowOf(windowSize).stored()
	full, left := room/each, room%each
	tooLarge := func(size int) bool { return windowOf(size).stored() > left }
	last := sort.Search(windowSize, tooLarge) - 1 // a window of 0 always fits
	l = layoutOf(full*windowSize + int64(last))
	return l, l.stored() == stored
}

func (l layout) windows() int64 {
	if l.last.size > 0 {
		return l.full + 1
	}
	return l.full
}

func (l layout) window(i int64) window {
	if i < l.full {
		return l.whole
	}
	return l.last
}

func (l layout) shards() int64 { return l.full*int64(l.whole.shards()) + int64(l.last.shards()) }

// listSize is the length of a footer without its trailer.
func (l layout) listSize() int64 { return l.full*l.whole.listSize() + l.last.listSize() }

// lists are the offsets of the hashes of window i in both footers; that after
// the last window is where the trailers are.
func (l layout) lists(i int64) [2]int64 {
	at := l.listSize()
	if i < l.windows() {
		at = i * l.whole.listSize()
	}
	second := l.parityAt(l.full) + l.last.paritySize()
	return [2]int64{l.size + at, second + at}
}

func (l layout) trailers() [2]int64 { return l.lists(l.windows()) }

// gapAt is the offset of the zeros.
func (l layout) gapAt() int64 { return l.size + l.listSize() + trailerSize }

// parityAt is the offset of the parity of window i.
func (l layout) parityAt(i int64) int64 { return l.gapAt() + blockSize + i*l.whole.paritySize() }

// stored is the size of the object.
func (l layout) stored() int64 { return l.trailers()[1] + trailerSize }
