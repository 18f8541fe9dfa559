package chunker

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
)

// Version is the number of the rule by which this package cuts.
const Version = 1

const tableInfo = "mailbrick/chunker/gear/v1"

// Chunker cuts data where its content says to. It is immutable and may be used
// by many at once.
type Chunker struct {
	params        Params
	strict, loose uint64
	table         table
}

// table is the gear table and the same shifted by one for the first of two bytes.
type table struct {
	gear, shifted [256]uint64
}

// New returns the chunker of a key. It panics when p.Check fails: lengths are
// constants or have been checked where they were read.
func New(key [32]byte, p Params) *Chunker {
	if err := p.Check(); err != nil {
		panic(err)
	}
	p = p.withDefaults()
	b := bits.Len(uint(p.Avg)) - 1
	return &Chunker{params: p, strict: ones(b + 2), loose: ones(b - 2), table: newTable(key)}
}

// ones has n one bits from bit 62 down.
func ones(n int) uint64 { return (1<<n - 1) << (63 - n) }

func newTable(key [32]byte) (t table) {
	raw, err := hkdf.Key(sha256.New, key[:], nil, tableInfo, 8*len(t.gear))
	if err != nil {
		panic(err) // only for more than 255 hashes of output; this is 64
	}
	for i := range t.gear {
		t.gear[i] = binary.BigEndian.Uint64(raw[8*i:])
		t.shifted[i] = t.gear[i] << 1
	}
	return t
}

// Params are the lengths in force, defaults filled in.
func (c *Chunker) Params() Params { return c.params }

// Cut returns the length of the first chunk of data, which holds Max bytes or
// more, or all that is left of the stream. It is 0 only for no data.
func (c *Chunker) Cut(data []byte) int {
	p := &c.params
	n := min(len(data), p.Max)
	if n <= p.Min {
		return n
	}
	w := c.warm(data[p.Min-window : p.Min-1])
	normal := min(n, p.Avg)
	cut, w := c.table.find(data[p.Min-1:normal-1], w, c.strict)
	if cut > 0 {
		return p.Min - 1 + cut
	}
	if cut, _ = c.table.find(data[normal-1:n-1], w, c.loose); cut > 0 {
		return normal - 1 + cut
	}
	return n
}

// warm is W before the first place where a chunk may end.
func (c *Chunker) warm(data []byte) (w uint64) {
	for _, b := range data {
		w = w<<1 + c.table.gear[b]
	}
	return w
}

// find rolls w over data and returns how many bytes it took to meet the mask, 0
// if it did not, and w after the last byte.
func (t *table) find(data []byte, w, mask uint64) (int, uint64) {
	shifted := mask << 1
	i := 0
	for ; i+1 < len(data); i += 2 {
		first := w<<2 + t.shifted[data[i]]
		w = w<<2 + (t.shifted[data[i]] + t.gear[data[i+1]])
		if first&shifted == 0 {
			return i + 1, 0
		}
		if w&mask == 0 {
			return i + 2, 0
		}
	}
	if i < len(data) {
		w = w<<1 + t.gear[data[i]]
		if w&mask == 0 {
			return i + 1, 0
		}
	}
	return 0, w
}
