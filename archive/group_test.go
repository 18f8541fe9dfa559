package archive

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"mailbrick/archive/blob"
	"mailbrick/archive/blob/blobtest"
	"mailbrick/archive/journal"
)

// committing commits in the background and is back once the session waits.
func committing(t *testing.T, w *world, ctx context.Context, s *Session) <-chan error {
	t.Helper()
	w.group.mu.Lock()
	before := w.group.waiting
	w.group.mu.Unlock()
	done := make(chan error, 1)
	go func() {
		_, err := s.Commit(ctx)
		done <- err
	}()
	for {
		w.group.mu.Lock()
		waiting := w.group.waiting
		w.group.mu.Unlock()
		select {
		case err := <-done:
			t.Fatalf("commit did not wait: %v", err)
		default:
		}
		if waiting > before {
			return done
		}
		runtime.Gosched()
	}
}

func (w *world) add(t *testing.T, s *Session, item string, n int) {
	t.Helper()
	if err := put1(t.Context(), s, Item{ItemID: item, ChangeKey: fmt.Sprint(n)}, blobOf(n)); err != nil {
		t.Fatal(err)
	}
}

func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) || (err == nil) != (want == nil) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

func TestCommitWaitsForOthers(t *testing.T) {
	t.Parallel()
	for name, release := range map[string]func(t *testing.T, w *world, other *Session){
		"the other commits": func(t *testing.T, w *world, other *Session) {
			w.add(t, other, "o", 5)
			if _, err := other.Commit(t.Context()); err != nil {
				t.Error(err)
			}
		},
		"the other closes": func(t *testing.T, w *world, other *Session) { wantErr(t, "close", other.Close(t.Context()), nil) },
		"the other closes with a dead context": func(t *testing.T, w *world, other *Session) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			wantErr(t, "close", other.Close(ctx), nil)
		},
		"the group is full": func(t *testing.T, w *world, other *Session) {
			w.Archive.opts.groupMax = 1
			w.add(t, other, "o", 5)
			wantErr(t, "checkpoint", other.Checkpoint(t.Context()), nil)
		},
		"the archive is closed": func(t *testing.T, w *world, other *Session) { w.close(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			s, other := w.begin(t, "a"), w.begin(t, "b")
			w.add(t, s, "i", 3)
			done := committing(t, w, t.Context(), s)
			release(t, w, other)
			wantErr(t, "commit", <-done, nil)
			if strings.Contains(name, "archive") {
				w.open(t)
			}
			if snaps := w.snapshots(t, "a"); len(snaps) != 1 || snaps[0].Items != 1 {
				t.Errorf("committed %+v", snaps)
			}
			w.wantSound(t)
		})
	}
}

// TestOldGroupLands: a run that is done does not wait for ever for another that is busy.
func TestOldGroupLands(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Archive.opts.groupAge = 30 * time.Second
	w.Archive.opts.Clock = func() time.Time { return time.Now().Add(time.Hour) }
	s, other := w.begin(t, "a"), w.begin(t, "b")
	w.add(t, other, "half", 5)
	w.group.since = time.Now().Add(time.Hour - 30*time.Second + 20*time.Millisecond) // nearly old
	w.add(t, s, "i", 3)
	if _, err := s.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if w.snapshots(t, "b") != nil {
		t.Error("what the other has begun is shown")
	}
	wantErr(t, "close", other.Close(t.Context()), nil)
}

func TestCommitIsCancelled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s, other := w.begin(t, "a"), w.begin(t, "b")
	w.add(t, s, "i", 3)
	ctx, cancel := context.WithCancel(t.Context())
	done := committing(t, w, ctx, s)
	cancel()
	wantErr(t, "commit", <-done, context.Canceled)
	w.add(t, other, "o", 5)
	wantErr(t, "close", s.Close(ctx), nil)
	if _, err := other.Commit(t.Context()); err != nil {
		t.Fatalf("the other's commit: %v", err)
	}
	if w.snapshots(t, "a") != nil {
		t.Error("a commit that was cancelled is shown")
	}
	wantErr(t, "close", other.Close(t.Context()), nil)
	// What was added is there to go on from.
	again := w.begin(t, "a")
	if _, _, ok, err := again.Known("i"); !ok || err != nil {
		t.Errorf("known after a cancelled commit: %v, %v", ok, err)
	}
	if snap, err := again.Commit(t.Context()); err != nil || snap.Added != 1 {
		t.Errorf("committed again: %+v, %v", snap, err)
	}
	w.wantSound(t)
}

// TestLandedWhileCancelled: what landed is committed, though the context ended at the same time.
func TestLandedWhileCancelled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s, other := w.begin(t, "a"), w.begin(t, "b")
	w.add(t, s, "i", 3)
	ctx, cancel := context.WithCancel(t.Context())
	done := committing(t, w, ctx, s)
	w.group.mu.Lock()
	cancel()
	for range 1000 {
		runtime.Gosched() // so that who waits has woken up, and waits for the lock
	}
	err := w.group.land(t.Context())
	w.group.mu.Unlock()
	wantErr(t, "land", err, nil)
	wantErr(t, "commit", <-done, nil)
	if snaps := w.snapshots(t, "a"); len(snaps) != 1 {
		t.Errorf("snapshots %+v", snaps)
	}
	wantErr(t, "close", other.Close(t.Context()), nil)
}

// TestCancelledSessionHarmsNobody: one session's context is not the group's.
func TestCancelledSessionHarmsNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	s, other := w.begin(t, "a"), w.begin(t, "b")
	if err := put1(ctx, s, Item{ItemID: "i"}, noise(1, 300_000)); err != nil { // opens the pack
		t.Fatal(err)
	}
	cancel()
	wantErr(t, "put", put1(ctx, s, Item{ItemID: "more"}, noise(2, 300_000)), context.Canceled)
	wantErr(t, "checkpoint", s.Checkpoint(ctx), context.Canceled)
	_, err := s.Commit(ctx)
	wantErr(t, "commit", err, context.Canceled)
	wantErr(t, "close", s.Close(ctx), nil)
	w.add(t, other, "o", 6)
	if _, err := other.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.reopen(t)
	w.wantSound(t)
	if s := w.begin(t, "a"); w.snapshots(t, "a") != nil || !known(t, s, "i") || known(t, s, "more") {
		t.Error("the cancelled session left something else than it had put")
	}
}

func known(t *testing.T, s *Session, item string) bool {
	t.Helper()
	_, _, ok, err := s.Known(item)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

// TestFailureWakesAll: who waits in Commit learns that the group cannot land.
func TestFailureWakesAll(t *testing.T) {
	t.Parallel()
	m := initialised(t)
	faulty := blobtest.NewFaulty(m)
	w := worldOf(m, faulty, newWorld(t).fs)
	w.opts.Catalog = "another"
	w.open(t)
	s, other, third := w.begin(t, "a"), w.begin(t, "b"), w.begin(t, "c")
	w.add(t, s, "i", 3)
	done := committing(t, w, t.Context(), s)
	doneToo := committing(t, w, t.Context(), third)
	faulty.Order(blobtest.Fault{Op: blobtest.Commit, Name: "packs/", Kind: blobtest.Full})
	w.add(t, other, "o", 5)
	_, err := other.Commit(t.Context())
	wantErr(t, "who lands it", err, blob.ErrFull)
	wantErr(t, "who waits", <-done, blob.ErrFull)
	wantErr(t, "who waits too", <-doneToo, blob.ErrFull)
	_, err = w.Begin("d")
	wantErr(t, "who comes later", err, blob.ErrFull)
	for _, s := range []*Session{s, other, third} {
		wantErr(t, "close", s.Close(t.Context()), nil)
	}
	faulty.Reset()
	w.reopen(t)
	if len(w.Mailboxes()) > 0 {
		t.Errorf("shown: %+v", w.Mailboxes())
	}
	w.wantSound(t)
}

func TestSessionsOfOneMailbox(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.begin(t, "Box@X")
	if _, err := w.Begin("box@x"); !errors.Is(err, ErrConflict) {
		t.Errorf("two sessions of a mailbox: %v", err)
	}
	w.add(t, s, "i", 3)
	wantErr(t, "close", s.Close(t.Context()), nil)
	wantErr(t, "close again", s.Close(t.Context()), nil)
	// Its section has not landed; the next session takes it over.
	next := w.begin(t, "box@x")
	if !known(t, next, "i") {
		t.Error("what the closed session put is not known")
	}
	if snap, err := next.Commit(t.Context()); err != nil || snap.Items != 1 || snap.Ordinal != 1 {
		t.Errorf("committed %+v, %v", snap, err)
	}
	w.add(t, next, "j", 4)
	if snap, err := next.Commit(t.Context()); err != nil || snap.Items != 2 || snap.Ordinal != 2 {
		t.Errorf("committed again %+v, %v", snap, err)
	}
	for name, bad := range map[string]string{"no name": "", "a zero byte": "a\x00b"} {
		if _, err := w.Begin(bad); err == nil {
			t.Errorf("%s was taken for a mailbox", name)
		}
	}
}

func TestUseAfterClose(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	calls := func(s *Session) map[string]error {
		ctx := t.Context()
		_, cursor := s.Cursor("c")
		_, cursors := s.Cursors(ctx, "")
		_, folders := s.Folders(ctx)
		_, items := s.listItems(ctx, "f")
		_, _, _, knownErr := s.Known("i")
		_, commit := s.Commit(ctx)
		return map[string]error{"cursor": cursor, "cursors": cursors, "folders": folders, "items": items, "known": knownErr, "commit": commit,
			"put": put1(ctx, s, Item{ItemID: "i"}, blobOf(2)), "amend": s.Amend("i", "k", nil), "remove": s.Remove("i"), "checkpoint": s.Checkpoint(ctx),
			"set cursor": s.SetCursor("c", []byte("v")), "put folder": s.PutFolder(Folder{ID: "f"}), "remove folder": s.RemoveFolders(ctx, "f")}
	}
	s := w.begin(t, "m")
	wantErr(t, "close", s.Close(t.Context()), nil)
	for name, err := range calls(s) {
		if !errors.Is(err, errSessionClosed) {
			t.Errorf("%s of a closed session: %v", name, err)
		}
	}
	open := w.begin(t, "m")
	w.close(t)
	for name, err := range calls(open) {
		if !errors.Is(err, errClosed) {
			t.Errorf("%s of a session of a closed archive: %v", name, err)
		}
	}
	wantErr(t, "close", open.Close(t.Context()), nil)
	_, err := w.Begin("m")
	wantErr(t, "begin", err, errClosed)
}

// TestTakenInMeanwhile: a section must not stand on records of another process that were taken in after its session began.
func TestTakenInMeanwhile(t *testing.T) {
	t.Parallel()
	for name, theirs := range map[string]func(t *testing.T, s *Session){
		"they commit": func(t *testing.T, s *Session) {
			if _, err := s.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
		},
		"they checkpoint": func(t *testing.T, s *Session) { wantErr(t, "close", s.Close(t.Context()), nil) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			other := worldOf(w.memory, w.memory, w.fs)
			other.opts.Catalog = "other"
			other.open(t)
			mine, idle := w.begin(t, "bystander"), w.begin(t, "contested")
			s := other.begin(t, "contested")
			other.add(t, s, "theirs", 3)
			theirs(t, s)
			other.close(t)
			// My group loses the race for the number and takes their record in.
			w.add(t, mine, "i", 4)
			w.land(t)
			if w.Head() < 4 {
				t.Fatalf("head %d: nothing was taken in", w.Head())
			}
			w.add(t, idle, "stale", 5)
			wantErr(t, "close", mine.Close(t.Context()), nil)
			if _, err := idle.Commit(t.Context()); !errors.Is(err, ErrConflict) {
				t.Errorf("commit on top of what the session does not know: %v", err)
			}
			w.reopen(t)
			w.rebuild(t) // the journal is not poisoned
			w.wantSound(t)
			if s := w.begin(t, "contested"); !known(t, s, "theirs") || known(t, s, "stale") {
				t.Error("not what the other process put")
			}
		})
	}
}

// TestOneGroup does to one item what a run may do before its group lands.
func TestOneGroup(t *testing.T) {
	t.Parallel()
	put := func(n int) func(t *testing.T, w *world, s *Session) {
		return func(t *testing.T, w *world, s *Session) { w.add(t, s, "i", n) }
	}
	remove := func(t *testing.T, w *world, s *Session) { wantErr(t, "remove", s.Remove("i"), nil) }
	amend := func(t *testing.T, w *world, s *Session) {
		wantErr(t, "amend", s.Amend("i", "amended", func(b []byte) ([]byte, error) { return b, nil }), nil)
	}
	land := func(t *testing.T, w *world, _ *Session) { w.land(t) }
	type steps = []func(t *testing.T, w *world, s *Session)
	for _, tt := range []struct {
		name                    string
		steps                   steps
		there                   bool // before
		want                    string
		added, changed, removed int
		exported                int64
	}{
		{"put twice", steps{put(2), put(3)}, false, "3", 1, 0, 0, 2000},
		{"put, remove", steps{put(2), remove}, false, "", 0, 0, 0, 0},
		{"put, remove, put", steps{put(2), remove, put(3)}, false, "3", 1, 0, 0, 2000},
		{"remove, put", steps{remove, put(3)}, true, "3", 0, 1, 0, 11_000},
		{"remove, put, remove", steps{remove, put(3), remove}, true, "", 0, 0, 1, 9000},
		{"put over, put over", steps{put(2), put(3)}, true, "3", 0, 1, 0, 11_000},
		{"put over, amend", steps{put(2), amend}, true, "amended", 0, 1, 0, 9300},
		{"amend, amend", steps{amend, amend}, true, "amended", 0, 1, 0, 9000},
		{"remove, land, put", steps{remove, land, put(3)}, true, "3", 0, 1, 0, 11_000},
		{"put, land, remove", steps{put(2), land, remove}, false, "", 0, 0, 0, 300},
		{"put over, land, remove", steps{put(2), land, remove}, true, "", 0, 0, 1, 9300},
		{"put over, land, remove, land, put", steps{put(2), land, remove, land, put(3)}, true, "3", 0, 1, 0, 11_000},
		{"put, land, put, land, amend", steps{put(2), land, put(3), land, amend}, false, "amended", 1, 0, 0, 2000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if tt.there {
				w.run(t, "m", func(s *Session) { put(5)(t, w, s) })
			}
			snap := w.run(t, "m", func(s *Session) {
				wantErr(t, "cursor", s.SetCursor("c", []byte("v")), nil)
				for _, step := range tt.steps {
					step(t, w, s)
				}
			})
			if snap.Added != tt.added || snap.Changed != tt.changed || snap.Removed != tt.removed {
				t.Errorf("snapshot %+v", snap)
			}
			list := w.listed(t, snap)
			if tt.want == "" && list != "" || tt.want != "" && !strings.HasPrefix(list, "i "+tt.want+" ") {
				t.Errorf("lists %q, want %q", list, tt.want)
			}
			w.rebuild(t)
			if again, err := w.Latest("m"); err != nil || again != snap || w.listed(t, snap) != list {
				t.Errorf("rebuilt: %+v, %v", again, err)
			}
			if st, err := w.Stats(t.Context()); err != nil || st.ExportedBytes != tt.exported {
				t.Errorf("exported %d bytes, want %d, %v", st.ExportedBytes, tt.exported, err)
			}
			w.wantSound(t)
		})
	}
}

// TestDepends: a record names the packs of earlier ones that its items point into.
func TestDepends(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	shared := noise(1, 200_000)
	w.run(t, "a", func(s *Session) { wantErr(t, "put", put1(t.Context(), s, Item{ItemID: "1"}, shared), nil) })
	b := w.begin(t, "b")
	// The chunks land with another's group between Add and Put.
	c := b.NewContent(t.Context())
	for _, seg := range segments(noise(2, 700_000)) {
		wantErr(t, "add", c.Add(seg), nil)
	}
	wantErr(t, "folder", b.PutFolder(Folder{ID: "f"}), nil)
	w.land(t)
	wantErr(t, "put", b.Put(t.Context(), Item{ItemID: "late"}, c), nil)
	w.land(t)
	wantErr(t, "put", put1(t.Context(), b, Item{ItemID: "old"}, shared), nil)
	w.land(t)
	wantErr(t, "amend", b.Amend("late", "k", func(s []byte) ([]byte, error) { return s, nil }), nil)
	if _, err := b.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	home := map[[16]byte]uint64{} // pack -> record
	depends := map[uint64][]uint64{}
	for n := uint64(1); n <= w.Head(); n++ {
		rec := w.record(t, n)
		for _, p := range rec.Body.Packs {
			home[p.Name] = n
		}
		for _, p := range rec.Body.Depends {
			depends[n] = append(depends[n], home[p])
		}
	}
	// 1 begin, 2 a's items, 3 chunks and folder, 4 the last chunk of them and "late", 5 "old", 6 the amendment.
	if got := fmt.Sprint(depends); got != "map[4:[3] 5:[2] 6:[3 4]]" && got != "map[4:[3] 5:[2] 6:[4 3]]" {
		t.Errorf("depends %s, packs %v", got, home)
	}
	w.wantSound(t)
}

func (w *world) record(t *testing.T, n uint64) *journal.Record {
	t.Helper()
	rec, err := w.journal.Read(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}
