package fetch_test

import (
	"context"
	"fmt"
	"testing"

	"mailbrick/archive"
	"mailbrick/fetch"
)

// prunedSink is a session of which another machine prunes the content of some items before they are put.
type prunedSink struct {
	*archive.Session
	pruned map[string]int // how often yet, by item
}

func (s *prunedSink) Put(ctx context.Context, item archive.Item, content *archive.Content) error {
	if s.pruned[item.ItemID] > 0 {
		s.pruned[item.ItemID]--
		return fmt.Errorf("%w: for a test", archive.ErrAnew)
	}
	return s.Session.Put(ctx, item, content)
}

// TestPrunedBeforePut: an item whose content was pruned before it was put is asked for again. One of which that is so again and again
// is left to the next run.
func TestPrunedBeforePut(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for n := range 6 {
		b.source.put("in", fmt.Sprint(n), "k", "s")
	}
	s, err := b.a.Begin("m@x.example")
	if err != nil {
		t.Fatal(err)
	}
	sink := &prunedSink{Session: s, pruned: map[string]int{"1": 1, "2": 2, "4": 99}}
	r, err := fetch.Run(t.Context(), b.source, sink, fetch.Options{})
	if err != nil || r.Exported != 5 || len(r.Failures) != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if r := b.run(); r.Exported != 1 || len(r.Failures) != 0 {
		t.Errorf("the next run: %+v", r)
	}
	if got := b.holds(); len(got) != 6 {
		t.Errorf("%d items are there: %v", len(got), got)
	}
}
