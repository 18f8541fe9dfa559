package archive

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"mailbrick/archive/journal"
)

// concurrent is mailboxes that are brought up to date at once.
const (
	concurrentMailboxes = 6
	concurrentRuns      = 4
	concurrentItems     = 12
)

// TestConcurrentSessions: many runs at once land in groups, and all come back.
//
// How many records that makes depends on how the runs meet, but each record has a reason. It ends snapshots, or its group was full: a
// group that fills lands between commits, too, and how many of them do is a matter of what each of them holds. When all mailboxes
// begin before the first of them commits, and end before the first begins again, the commits of a round are one record. What landed
// in it because a group was full needs none of its own, so a round may have none at all.
func TestConcurrentSessions(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		most int // records that are not of a full group
		each func(w *world, run func(n, r int, begun func()))
	}{
		"each at its own pace": {concurrentMailboxes * concurrentRuns, func(_ *world, run func(n, r int, begun func())) {
			var wait sync.WaitGroup
			for n := range concurrentMailboxes {
				wait.Go(func() {
					for r := range concurrentRuns {
						run(n, r, func() {})
					}
				})
			}
			wait.Wait()
		}},
		"in rounds": {concurrentRuns, func(_ *world, run func(n, r int, begun func())) {
			for r := range concurrentRuns {
				var wait, all sync.WaitGroup
				all.Add(concurrentMailboxes)
				for n := range concurrentMailboxes {
					wait.Go(func() { run(n, r, func() { all.Done(); all.Wait() }) })
				}
				wait.Wait()
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.Archive.opts.groupMax = 200_000
			readMeanwhile(t, w, func() {
				tt.each(w, func(n, r int, begun func()) {
					if err := w.bringUp(t.Context(), n, r, begun); err != nil {
						t.Error(err)
					}
				})
			})
			wantGroups(t, w, tt.most)
			before := allListed(t, w)
			if len(before) != concurrentMailboxes*concurrentRuns {
				t.Errorf("%d snapshots, want %d", len(before), concurrentMailboxes*concurrentRuns)
			}
			w.rebuild(t)
			for name, list := range allListed(t, w) {
				if list != before[name] {
					t.Errorf("%s reads otherwise after a rebuild", name)
				}
			}
			w.wantSound(t)
		})
	}
}

// bringUp runs a mailbox's session, with items of its own and some that others have too.
func (w *world) bringUp(ctx context.Context, n, r int, begun func()) error {
	mailbox := fmt.Sprintf("box%d", n)
	s, err := w.Begin(mailbox)
	begun()
	if err != nil {
		return err
	}
	for i := range concurrentItems {
		item := Item{ItemID: fmt.Sprint(r, i), ChangeKey: mailbox, Summary: []byte(fmt.Sprint(r))}
		if err := put1(ctx, s, item, blobOf(i*concurrentRuns+r+n%2)); err != nil {
			return err
		}
		if err := s.Checkpoint(ctx); err != nil {
			return err
		}
	}
	if _, err := s.Commit(ctx); err != nil {
		return err
	}
	return s.Close(ctx)
}

// readMeanwhile lists and follows while something is done.
func readMeanwhile(t *testing.T, w *world, do func()) {
	t.Helper()
	stop := make(chan struct{})
	var reader sync.WaitGroup
	reader.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			for _, s := range w.Mailboxes() {
				if got := strings.Count(w.listed(t, s), "\n"); got != s.Items {
					t.Errorf("%s: %d items are listed, %d are counted", s.Mailbox, got, s.Items)
				}
			}
			for _, err := range w.Changes(t.Context(), 0) {
				if err != nil {
					t.Error(err)
				}
			}
		}
	})
	do()
	close(stop)
	reader.Wait()
}

// wantGroups looks at what each record of sections was made for.
func wantGroups(t *testing.T, w *world, most int) {
	t.Helper()
	completed, small := 0, 0
	for n := uint64(1); n <= w.Head(); n++ {
		rec := w.record(t, n)
		if len(rec.Body.Sections) == 0 {
			continue // a writer says who it is, or that it begins
		}
		ends, bytes := 0, int64(0)
		for i := range rec.Body.Sections {
			if rec.Body.Sections[i].Complete {
				ends++
			}
		}
		for i := range rec.Body.Packs {
			bytes += w.plainBytes(t, &rec.Body.Packs[i])
		}
		full := bytes >= w.Archive.opts.groupMax
		if !full && ends == 0 {
			t.Errorf("record %d of %d bytes was made for nothing", n, bytes)
		}
		if completed += ends; !full {
			small++
		}
	}
	if completed != concurrentMailboxes*concurrentRuns || small > most {
		t.Errorf("%d commits of %d mailboxes, %d records that were not full, at most %d would be grouped", completed, concurrentMailboxes, small, most)
	}
}

// plainBytes is how much a pack holds, as the group counts it.
func (w *world) plainBytes(t *testing.T, p *journal.Pack) (sum int64) {
	t.Helper()
	table, err := w.table(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	for i := range table.Frames {
		for k := range table.Frames[i].Chunks {
			sum += int64(table.Frames[i].Chunks[k].Length)
		}
	}
	return sum
}

// allListed is every snapshot as text.
func allListed(t *testing.T, w *world) map[string]string {
	t.Helper()
	out := map[string]string{}
	for n := range concurrentMailboxes {
		for _, s := range w.snapshots(t, fmt.Sprintf("box%d", n)) {
			out[fmt.Sprint(s.Mailbox, " ", s.Ordinal)] = w.listed(t, s)
		}
	}
	return out
}
