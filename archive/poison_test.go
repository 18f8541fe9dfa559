package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

// poison overwrites whatever memory lies idle for the next item, over and over until it is told to stop: what somebody kept of it
// after giving it back is wrong then, and a race.
func (w *world) poison(stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		m := w.Archive.memory.Get().(*contentMemory)
		for _, p := range append(slices.Clone(m.literals.free), m.chunks.free...) {
			spoil(p[:cap(p)])
		}
		w.Archive.memory.Put(m)
		if b, ok := w.ranges.Get().(*[]byte); ok {
			spoil((*b)[:cap(*b)])
			w.ranges.Put(b)
		}
	}
}

func spoil(p []byte) {
	for i := range p {
		p[i] = 0xA5
	}
}

// mixed is an item that shares streams with others, in part to their last byte but one.
func mixed(n int) []Segment {
	var list []Segment
	frame := []byte("framing.")
	small := noise(uint64(n), 40+n%60)
	if n%97 == 5 {
		small = noise(uint64(n), maxInline+5_000)
	}
	text := noise(uint64(n%5), 3_000)
	file := slices.Clone(noise(uint64(n%3), []int{wholeMax - 1, wholeMax, wholeMax + 1, 200_000, 400_000, 5_000}[n%6]))
	file[len(file)-1] ^= byte(n % 4)
	for i := range 6 {
		at := len(small) * i / 6
		list = append(list, Segment{0, Framing, frame}, Segment{1, Small, small[at : len(small)*(i+1)/6]},
			Segment{2, Text, text[500*i : 500*i+500]})
	}
	for at := 0; at < len(file); at += 31_680 {
		list = append(list, Segment{0, Framing, frame}, Segment{3 + n%2, Bulk, file[at:min(at+31_680, len(file))]})
	}
	return list
}

func joined(list []Segment) (whole []byte) {
	for _, s := range list {
		whole = append(whole, s.Data...)
	}
	return whole
}

// putOver puts an item out of one buffer that is overwritten as soon as Add has returned.
func putOver(ctx context.Context, s *Session, n int, scratch []byte) error {
	for range 5 {
		c := s.NewContent(ctx)
		for _, seg := range mixed(n) {
			k := copy(scratch, seg.Data)
			if err := c.Add(Segment{seg.Stream, seg.Kind, scratch[:k]}); err != nil {
				return err
			}
			spoil(scratch[:k])
		}
		err := s.Put(ctx, Item{ItemID: fmt.Sprint(n), Similar: fmt.Append(nil, "copies of ", n%5), Summary: fmt.Append(nil, "item ", n)}, c)
		if !errors.Is(err, ErrAnew) {
			return err
		}
	}
	return errors.New("anew without end")
}

// TestMemoryIsNobodys: items are put and read by many at once, groups land, packs are pruned, and memory that lies idle is overwritten
// all the while: no item has a byte of another.
func TestMemoryIsNobodys(t *testing.T) {
	t.Parallel()
	const writers = 4
	items := rounds(24, 200)
	w := newWorld(t)
	w.Archive.opts.groupMax, w.Archive.opts.inline = 1<<20, 200_000
	stop := make(chan struct{})
	var beside sync.WaitGroup
	beside.Go(func() { w.poison(stop) })
	beside.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
			}
			if _, err := w.Prune(t.Context(), PruneOptions{MaxGarbage: 1e-9}); err != nil {
				t.Error(err)
				return
			}
		}
	})
	readers := func() {
		for _, m := range w.Mailboxes() {
			for v, err := range w.Versions(t.Context(), m) {
				if err != nil {
					t.Error(err)
					return
				}
				var n int
				_, _ = fmt.Sscan(v.ItemID, &n)
				if !bytes.Equal(w.read(t, v), joined(mixed(n))) || string(v.Summary) != fmt.Sprint("item ", n) {
					t.Errorf("item %d came back otherwise", n)
				}
			}
		}
	}
	for r := range 2 {
		var work sync.WaitGroup
		s, old := w.begin(t, "m"), w.begin(t, fmt.Sprint("old", r))
		var mu sync.Mutex
		for i := range writers {
			work.Go(func() {
				scratch := make([]byte, maxInline)
				for n := range items {
					of := s
					if n%5 == 0 {
						of = old
					}
					if err := putOver(t.Context(), of, (r*writers+i)*items/2+n, scratch); err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					err := of.Checkpoint(t.Context())
					mu.Unlock()
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		work.Go(readers)
		work.Wait()
		work.Go(func() { _, err := old.Commit(t.Context()); wantErr(t, "commit", err, nil) })
		_, err := s.Commit(t.Context())
		wantErr(t, "commit", err, nil)
		work.Wait()
		wantErr(t, "close", errors.Join(s.Close(t.Context()), old.Close(t.Context())), nil)
		w.forgetAll(t, fmt.Sprint("old", r))
		work.Go(readers)
		work.Go(readers)
		work.Wait()
	}
	close(stop)
	beside.Wait()
	readers()
	w.wantSound(t)
}
