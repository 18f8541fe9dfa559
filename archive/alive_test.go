package archive

import (
	"context"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// listItems are the items alive in a folder.
func (s *Session) listItems(ctx context.Context, folderID string) (out []string, err error) {
	for id, err := range s.ItemsIn(ctx, folderID) {
		if err != nil {
			return out, err
		}
		out = append(out, id)
	}
	return out, nil
}

func collect(t *testing.T, list iter.Seq2[string, error]) (out []string) {
	t.Helper()
	for id, err := range list {
		wantErr(t, "items", err, nil)
		out = append(out, id)
	}
	return out
}

// TestItemsInWhileTheyChange: the session is used while its list is read, and groups land meanwhile; what was there is told once.
func TestItemsInWhileTheyChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var want []string
	w.run(t, "m", func(s *Session) {
		for n := range 20 {
			id := fmt.Sprintf("a%02d", n)
			wantErr(t, "put", put1(t.Context(), s, Item{ItemID: id, FolderID: "f"}, blobOf(n)), nil)
			want = append(want, id)
		}
	})
	s := w.begin(t, "m")
	put := func(id string, n int) {
		wantErr(t, "put", put1(t.Context(), s, Item{ItemID: id, FolderID: "f"}, blobOf(n)), nil)
	}
	for n := range 20 { // half of it is in the group only
		id := fmt.Sprintf("b%02d", n)
		put(id, n)
		want = append(want, id)
	}
	wantErr(t, "remove", s.Remove("a07"), nil)
	want = slices.DeleteFunc(want, func(id string) bool { return id == "a07" })
	var got []string
	for id, err := range s.itemsIn(t.Context(), 3, []string{"f"}) {
		wantErr(t, "items", err, nil)
		got = append(got, id)
		switch len(got) {
		case 10:
			g := s.a.group
			g.mu.Lock()
			wantErr(t, "land", g.land(t.Context()), nil)
			g.mu.Unlock()
		case 20:
			put("b00", 99)
		}
		wantErr(t, "remove", s.Remove(id), nil)
	}
	slices.Sort(got)
	got = slices.DeleteFunc(got, func(id string) bool { return id == "b00" })
	want = slices.DeleteFunc(want, func(id string) bool { return id == "b00" })
	if !slices.Equal(got, want) {
		t.Errorf("told of\n%q, want\n%q", got, want)
	}
	for range s.ItemsIn(t.Context(), "f") {
		break // who stops early holds nothing
	}
	wantErr(t, "checkpoint", s.Checkpoint(t.Context()), nil)
	wantErr(t, "close", s.Close(t.Context()), nil)
	w.close(t)
}

// TestItemsInMemory: a list is never held whole. It is not parallel: it looks at the memory of the whole process.
func TestItemsInMemory(t *testing.T) {
	w := newWorld(t)
	const atOnce, items, idLength = 250, 3000, 16_000
	filler := strings.Repeat("x", idLength)
	content := blobOf(1)
	w.run(t, "m", func(s *Session) {
		for n := range items {
			wantErr(t, "put", put1(t.Context(), s, Item{ItemID: fmt.Sprint(n, filler), FolderID: "f"}, content), nil)
			wantErr(t, "checkpoint", s.Checkpoint(t.Context()), nil)
		}
	})
	for m := w.cat.db.Metrics(); m.Flush.NumInProgress+m.Compact.NumInProgress > 0; m = w.cat.db.Metrics() {
		time.Sleep(time.Millisecond) // what it writes in the background is on this heap, too
	}
	s := w.begin(t, "m")
	alive := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	was, most, n := alive(), uint64(0), 0
	for _, err := range s.itemsIn(t.Context(), atOnce, []string{"f"}) {
		wantErr(t, "items", err, nil)
		if n++; n%atOnce == atOnce-1 || n == items {
			most = max(most, alive())
		}
	}
	// Without C the blocks that the catalog keeps are on this heap, too, and come and go.
	if n != items || most > was+cacheBytes+(atOnce+atOnce/2)*idLength {
		t.Errorf("%d items, %d bytes more than before of %d in all", n, most-was, items*idLength)
	}
	t.Logf("%.1f MiB more than before, of %.1f in all", float64(max(most, was)-was)/(1<<20), float64(items*idLength)/(1<<20))
	wantErr(t, "close", s.Close(t.Context()), nil)
	w.close(t)
}
