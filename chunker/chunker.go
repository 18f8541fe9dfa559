package chunker

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
)

// Version names the rule by which this package cuts, in recipes and goldens.
const Version = 1

// Params are the sizes of chunks in bytes; zeros are the defaults.
type Params struct{ Min, Avg, Max int }

// The defaults of Params.
const (
	DefaultMin = 16 << 10
	DefaultAvg = 64 << 10
	DefaultMax = 256 << 10
)

// Chunker cuts data where its content says to. It is immutable and may be used
// by many at once.
type Chunker struct {
	min, avg, max  int
	strict, loose  uint64 // masks before and after the normal point
	gear, gearLeft [256]uint64
}

// New returns the chunker of a key.
func New(key [32]byte, p Params) *Chunker {
	if p.Min == 0 {
		p.Min = DefaultMin
	}
	if p.Avg == 0 {
		p.Avg = DefaultAvg
	}
	if p.Max == 0 {
		p.Max = DefaultMax
	}
	c := &Chunker{min: p.Min, avg: p.Avg, max: p.Max}
	b := bits.Len(uint(p.Avg)) - 1
	c.strict = mask(b + 2)
	c.loose = mask(b - 2)
	table, err := hkdf.Expand(sha256.New, key[:], "mailbrick/chunker/gear/v1", 256*8)
	if err != nil {
		panic(err)
	}
	for i := range c.gear {
		c.gear[i] = binary.BigEndian.Uint64(table[8*i:])
		c.gearLeft[i] = c.gear[i] << 1
	}
	return c
}

func mask(ones int) uint64 { return (1<<ones - 1) << (64 - ones - 1) }

// Cut returns the length of the first chunk of data, which holds Max bytes or
// all that is left.
func (c *Chunker) Cut(data []byte) int {
	n := min(len(data), c.max)
	if n <= c.min {
		return n
	}
	var h uint64
	i := c.min
	for ; i < n; i++ {
		h = h<<1 + c.gear[data[i]]
		m := c.strict
		if i >= c.avg {
			m = c.loose
		}
		if h&m == 0 {
			return i + 1
		}
	}
	return n
}
