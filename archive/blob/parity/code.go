package parity

import "github.com/klauspost/reedsolomon"

// split cuts the bytes of a window, of which data is filled up with zeros, into
// its shards.
func (w window) split(data, parity []byte) [][]byte {
	shards := make([][]byte, 0, w.shards())
	for _, p := range [][]byte{data, parity} {
		for ; len(p) > 0; p = p[w.shard:] {
			shards = append(shards, p[:w.shard:w.shard])
		}
	}
	return shards
}

// padded is the length of a window's data shards with the zeros.
func (w window) padded() int { return w.data * w.shard }

// coder costs a few microseconds and is made for each window.
func (w window) coder() (reedsolomon.Encoder, error) {
	return reedsolomon.New(w.data, w.parity, reedsolomon.WithCauchyMatrix(),
		// One writer is one CPU: how many work at once is decided above.
		reedsolomon.WithMaxGoroutines(1), reedsolomon.WithInversionCache(false))
}

// encode computes the parity shards.
func (w window) encode(shards [][]byte) error {
	c, err := w.coder()
	if err != nil {
		return err
	}
	return c.Encode(shards)
}

// restore computes the bad shards from the others.
func (w window) restore(shards [][]byte, bad []int) error {
	c, err := w.coder()
	if err != nil {
		return err
	}
	for _, i := range bad {
		shards[i] = shards[i][:0] // keeps its place in memory
	}
	return c.Reconstruct(shards)
}
