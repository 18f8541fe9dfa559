package s3

import (
	"context"
	"io"
	"slices"
	"sync"
)

const (
	aheadUnit = 1 << 20  // runs begin and end at multiples of it
	aheadHeld = 16 << 20 // bytes of runs in memory
	aheadFree = 1        // pieces of an object that are read just as they are asked for
	aheadDebt = 4        // runs of an object that may have served nobody else
	aheadSeen = 4096     // objects of which it is known how they are read
)

// ahead keeps runs of bytes around the pieces that were read of objects, so that many small pieces cost few requests. An object
// of which few pieces are read, or whose runs serve nobody, is read piece by piece.
type ahead struct {
	mu sync.Mutex
	// below is guarded by mu
	runs []*run // last used first
	held int64
	seen map[string]*habit
}

// habit is how an object is read: how many pieces not from memory, how many runs, and pieces that these served.
type habit struct{ pieces, runs, served int }

// run is a run of an object's bytes.
type run struct {
	key      string
	off, end int64
	ready    chan struct{} // closed when the rest is known
	data     []byte        // shorter than the run at the end of the object
	failed   bool
}

func (r *run) holds(key string, off, n int64) bool {
	return r.key == key && r.off <= off && off+n <= r.end
}

// piece gives bytes of an object from memory, reading the run around them if the object is read much; nil where that does not
// help.
func (a *ahead) piece(ctx context.Context, key string, off, n int64, fetch func(off, n int64) ([]byte, error)) []byte {
	if n <= 0 || n > aheadUnit || off > 1<<50 {
		return nil
	}
	r, mine := a.find(key, off, n)
	if r == nil {
		return nil
	}
	if mine {
		data, err := fetch(r.off, r.end-r.off)
		a.settle(r, data, err)
	}
	select {
	case <-r.ready:
	case <-ctx.Done():
		return nil
	}
	at := off - r.off
	if r.failed || at+n > int64(len(r.data)) {
		return nil // whoever reads it himself learns why
	}
	return r.data[at : at+n]
}

// find is the run that holds a piece; mine tells that the caller must read it.
func (a *ahead) find(key string, off, n int64) (r *run, mine bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, r := range a.runs {
		if r.holds(key, off, n) {
			copy(a.runs[1:i+1], a.runs[:i])
			a.runs[0] = r
			a.habit(key).served++
			return r, false
		}
	}
	h := a.habit(key)
	h.pieces++
	if h.pieces <= aheadFree || h.runs > h.served+aheadDebt {
		return nil, false
	}
	h.runs++
	r = &run{key: key, off: off - off%aheadUnit, end: off + n, ready: make(chan struct{})}
	if rest := r.end % aheadUnit; rest > 0 {
		r.end += aheadUnit - rest
	}
	a.keep(r)
	return r, true
}

func (a *ahead) habit(key string) *habit {
	h := a.seen[key]
	if h == nil {
		if a.seen == nil || len(a.seen) >= aheadSeen {
			a.seen = map[string]*habit{}
		}
		h = &habit{}
		a.seen[key] = h
	}
	return h
}

// keep puts a run in front, and forgets those that were not used for longest.
func (a *ahead) keep(r *run) {
	a.runs = slices.Insert(a.runs, 0, r)
	a.held += r.end - r.off
	for a.held > aheadHeld {
		a.drop(len(a.runs) - 1)
	}
}

func (a *ahead) drop(i int) {
	a.held -= a.runs[i].end - a.runs[i].off
	a.runs = slices.Delete(a.runs, i, i+1)
}

// settle lets those read who wait for a run.
func (a *ahead) settle(r *run, data []byte, err error) {
	r.data, r.failed = data, err != nil
	close(r.ready)
	if err != nil {
		a.forget(func(other *run) bool { return other == r })
	}
}

// forget drops runs.
func (a *ahead) forget(which func(*run) bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := len(a.runs) - 1; i >= 0; i-- {
		if which(a.runs[i]) {
			a.drop(i)
		}
	}
}

// changed forgets an object, which is no more or is another one.
func (a *ahead) changed(key string) { a.forget(func(r *run) bool { return r.key == key }) }

// around reads a run of an object, up to its end.
func (b *Bucket) around(ctx context.Context, key string, off, n int64) ([]byte, error) {
	r, err := b.open(ctx, key, off, n)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data := make([]byte, r.left)
	_, err = io.ReadFull(r, data)
	return data, err
}
