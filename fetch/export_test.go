package fetch_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"

	"mailbrick/fetch"
)

// pickySource is a server that does not manage more than a number of items in one answer.
type pickySource struct {
	*fakeSource
	manages int
	poison  string // no answer with this item comes through
}

func (s *pickySource) Export(ctx context.Context, items []fetch.Ref, each func(int, fetch.Ref, io.Reader, error) error) error {
	bad := slices.ContainsFunc(items, func(r fetch.Ref) bool { return r.ItemID == s.poison })
	if len(items) > s.manages || bad {
		s.batches = append(s.batches, len(items))
		return fmt.Errorf("%w: time is up", fetch.ErrAgain)
	}
	return s.fakeSource.Export(ctx, items, each)
}

func (b *bench) runOf(source fetch.Source, o fetch.Options) (fetch.Result, error) {
	b.Helper()
	s, err := b.a.Begin("m@x.example")
	if err != nil {
		b.Fatal(err)
	}
	r, err := fetch.Run(b.Context(), source, s, o)
	if cerr := s.Close(b.Context()); cerr != nil {
		b.Error(cerr)
	}
	return r, err
}

// TestBatchesShrinkBeforeItemsFail: an answer that is too much comes in halves, and the batches after it are no larger
// than what came, until the server manages more.
func TestBatchesShrinkBeforeItemsFail(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for n := range 40 {
		b.source.put("in", fmt.Sprint("i", n), "k", "s")
	}
	r, err := b.runOf(&pickySource{fakeSource: b.source, manages: 5}, fetch.Options{BatchItems: 16})
	if err != nil || !r.Complete || r.Exported != 40 {
		t.Fatalf("%+v, %v", r, err)
	}
	want := []int{16, 8, 4, 4, 8, 4, 4, // too much, in halves
		8, 4, 4, 4, 5, 6, 3, 3, 1}
	if !slices.Equal(b.source.batches, want) {
		t.Errorf("batches of %v, want %v", b.source.batches, want)
	}
}

// TestOneItemSpoilsAnAnswer: it is found, and nothing but it fails.
func TestOneItemSpoilsAnAnswer(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for n := range 32 {
		b.source.put("in", fmt.Sprint("i", n), "k", "s")
	}
	r, err := b.runOf(&pickySource{fakeSource: b.source, manages: 99, poison: "i13"}, fetch.Options{BatchItems: 32})
	if err != nil || r.Exported != 31 || len(r.Failures) != 1 || r.Failures[0].ItemID != "i13" {
		t.Fatalf("%+v, %v", r, err)
	}
	if n := len(b.source.batches); n > 1+2*5+3 {
		t.Errorf("%d exports for one bad item of 32: %v", n, b.source.batches)
	}
}

// busySource answers exports only when so many of them are under way.
type busySource struct {
	*fakeSource
	meet *sync.WaitGroup // one for each export
	mu   sync.Mutex      // guards the source below

	fails error // of every second batch
}

func (s *busySource) Export(ctx context.Context, items []fetch.Ref, each func(int, fetch.Ref, io.Reader, error) error) error {
	if s.meet != nil {
		s.meet.Done()
		s.meet.Wait()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fails != nil && len(s.batches)%2 == 1 {
		return s.fails
	}
	return s.fakeSource.Export(ctx, items, each)
}

func TestExportsAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	want := map[string]string{}
	for n := range 10 {
		id := fmt.Sprint("i", n)
		b.source.put("in", id, "k", "s")
		want[id] = `k Inbox "s" false`
	}
	b.source.items["i3"].cause = []error{fetch.ErrItem}
	delete(want, "i3")
	var meet sync.WaitGroup
	meet.Add(5)
	r, err := b.runOf(&busySource{fakeSource: b.source, meet: &meet}, fetch.Options{BatchItems: 2, Exports: 5})
	if err != nil || r.Exported != 9 || len(r.Failures) != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	b.wants(want)
}

// TestOneOfSeveralExportsFails: the cursor stays before all of the page, and the next run brings what is missing.
func TestOneOfSeveralExportsFails(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for n := range 40 {
		b.source.put("in", fmt.Sprint("i", n), "k", "s")
	}
	power := errors.New("power")
	if _, err := b.runOf(&busySource{fakeSource: b.source, fails: power}, fetch.Options{BatchItems: 2, Exports: 4}); !errors.Is(err, power) {
		t.Fatal(err)
	}
	if r := b.run(); !r.Complete || r.Snapshot.Items != 40 {
		t.Errorf("%+v", r)
	}
}
