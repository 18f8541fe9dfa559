package wire

import (
	"encoding/binary"
	"fmt"
	"io"
	"sync"
	"time"
)

// Dice are what a client needs of chance: names of requests, and the spread of waits. They may be used by many goroutines.
type Dice struct {
	mu     sync.Mutex // guards source
	source io.Reader
}

// NewDice rolls what source gives.
func NewDice(source io.Reader) *Dice { return &Dice{source: source} }

func (d *Dice) roll(b []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	// A source that fails leaves zeros: ids for the server's log and the spread of waits are not worth failing for.
	_, _ = io.ReadFull(d.source, b)
}

// GUID makes a random one. RFC 9562, 5.4.
func (d *Dice) GUID() string {
	var b [16]byte
	d.roll(b[:])
	b[6], b[8] = b[6]&0x0F|0x40, b[8]&0x3F|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// Jitter gives something from 0 to most, so that clients which failed together do not come back together.
func (d *Dice) Jitter(most time.Duration) time.Duration {
	var b [4]byte
	d.roll(b[:])
	return time.Duration(float64(most) * float64(binary.LittleEndian.Uint32(b[:])) / (1 << 32))
}
