package fetch

import (
	"sync/atomic"
	"time"
)

// Rester is a source that knows for how long its server lets nothing begin.
type Rester interface{ Rest() time.Duration }

// A request that takes LongWait for less than littleBytes is held up by the server, which need not say so: it lets nothing begin,
// it delays every item of one that is overdrawn, or it does not answer at all. It is not the network, over which more comes in
// that time.
const littleBytes = 1 << 20

// held tells Options.Slow if what is about to be asked of the source is held up. The function it gives is to be called when it is over;
// came is what came so far.
func (r *run) held(came *atomic.Int64) (over func() bool) {
	if s, ok := r.source.(Rester); ok && s.Rest() >= LongWait {
		r.o.Slow()
	}
	return time.AfterFunc(LongWait, func() {
		if came.Load() < littleBytes {
			r.o.Slow()
		}
	}).Stop
}
