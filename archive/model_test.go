package archive

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"
)

// modelItem is an item as the model has it.
type modelItem struct {
	key, folder, summary string
	blob                 int
	associated           bool
}

// modelVersion is visible in the snapshots [from, to).
type modelVersion struct {
	modelItem
	from, to uint32
}

type modelSnapshot struct {
	Snapshot
	folders map[string]Folder
	items   map[string]modelItem
}

// modelBox is a mailbox: how it is now, what was put since the last snapshot, and all that was committed.
type modelBox struct {
	name    string
	folders map[string]Folder
	items   map[string]modelItem
	anew    map[string]bool
	cursors map[string]string
	snaps   []modelSnapshot
	history map[string][]modelVersion
	touched bool
	session *Session
}

func newModelBox(name string) *modelBox {
	return &modelBox{name: name, folders: map[string]Folder{}, items: map[string]modelItem{}, anew: map[string]bool{},
		cursors: map[string]string{}, history: map[string][]modelVersion{}}
}

func (b *modelBox) put(id string, it modelItem) { b.items[id], b.anew[id], b.touched = it, true, true }

func (b *modelBox) remove(id string) {
	if _, ok := b.items[id]; ok {
		delete(b.items, id)
		delete(b.anew, id)
		b.touched = true
	}
}

// commit is the snapshot that the model expects, but for time and position.
func (b *modelBox) commit() Snapshot {
	var before map[string]modelItem
	if n := len(b.snaps); n > 0 {
		before = b.snaps[n-1].items
		if !b.touched {
			s := b.snaps[n-1].Snapshot
			s.Added, s.Changed, s.Removed = 0, 0, 0
			return s
		}
	}
	s := Snapshot{Mailbox: b.name, Ordinal: uint32(len(b.snaps) + 1), Items: len(b.items)}
	for id, it := range b.items {
		_, was := before[id]
		if was && b.anew[id] {
			s.Changed++
			b.end(id, s.Ordinal)
		}
		if !was {
			s.Added++
		}
		if !was || b.anew[id] {
			b.history[id] = append(b.history[id], modelVersion{it, s.Ordinal, Forever})
		}
	}
	for id := range before {
		if _, ok := b.items[id]; !ok {
			s.Removed++
			b.end(id, s.Ordinal)
		}
	}
	b.snaps = append(b.snaps, modelSnapshot{s, maps.Clone(b.folders), maps.Clone(b.items)})
	b.touched = false
	clear(b.anew)
	return s
}

func (b *modelBox) end(id string, at uint32) { b.history[id][len(b.history[id])-1].to = at }

// committed takes the time and position that the archive gave, after looking at the rest.
func (b *modelBox) committed(t *testing.T, got Snapshot) {
	t.Helper()
	want := b.commit()
	last := &b.snaps[len(b.snaps)-1]
	if want.Time.IsZero() {
		last.Time, last.Position = got.Time, got.Position
		want.Time, want.Position = got.Time, got.Position
	}
	if got != want {
		t.Fatalf("committed %+v\nwant %+v", got, want)
	}
}

// model does the same things to an archive and to a model of it.
type model struct {
	*testing.T
	*world
	*rand.Rand
	boxes []*modelBox
	log   []string // what was done, to tell when it fails
}

func (m *model) did(format string, args ...any) { m.log = append(m.log, fmt.Sprintf(format, args...)) }

func (m *model) must(err error) {
	m.Helper()
	if err != nil {
		m.Fatal(err)
	}
}

// TestRandomModel does random things to two mailboxes and compares everything that can be asked with a model.
func TestRandomModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(rounds(8, 400)) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			m := &model{T: t, world: []func(testing.TB) *world{newWorld, newShortWorld}[seed%2](t), Rand: rand.New(rand.NewPCG(seed, 1)), boxes: []*modelBox{newModelBox("a@x.example"), newModelBox("b")}}
			defer func() {
				if t.Failed() {
					t.Logf("seed %d: %q", seed, m.log[max(0, len(m.log)-60):])
				}
			}()
			for range rounds(150, 400) {
				m.step()
			}
			m.wantAll(true)
			m.rebuild(t)
			m.forgetSessions()
			m.wantAll(true)
			m.close(t)
		})
	}
}

func (m *model) step() {
	b := m.boxes[m.IntN(len(m.boxes))]
	if b.session == nil {
		m.did("%s: begin", b.name)
		b.session = m.begin(m.T, b.name)
		m.wantSession(b)
	}
	item, folder := fmt.Sprintf("i%d", m.IntN(9)), fmt.Sprintf("f%d", m.IntN(4))
	switch n := m.IntN(100); {
	case n < 35:
		it := modelItem{fmt.Sprintf("k%d", m.IntN(1000)), folder, fmt.Sprintf("s%d", m.IntN(5)), m.IntN(40), m.IntN(4) == 0}
		m.did("%s: put %s %+v", b.name, item, it)
		m.must(put1(m.Context(), b.session, Item{ItemID: item, ChangeKey: it.key, FolderID: folder, Associated: it.associated, Summary: []byte(it.summary)}, blobOf(it.blob)))
		b.put(item, it)
	case n < 47:
		m.amend(b, item)
	case n < 60:
		m.did("%s: remove %s", b.name, item)
		m.must(b.session.Remove(item))
		b.remove(item)
	case n < 66:
		f := Folder{ID: folder, ParentID: fmt.Sprintf("f%d", m.IntN(6)), Name: []string{"", "In/box", "Sent", "été"}[m.IntN(4)], Class: "IPF.Note"}
		m.did("%s: put folder %+v", b.name, f)
		m.must(b.session.PutFolder(f))
		b.folders[f.ID], b.touched = f, true
	case n < 69:
		m.removeFolder(b, folder)
	case n < 76:
		m.setCursor(b)
	case n < 84:
		m.did("land")
		m.land(m.T)
	case n < 93:
		m.commit(b)
	case n < 96:
		m.did("%s: break off", b.name)
		m.must(b.session.Close(m.Context()))
		b.session = nil
	case n < 98:
		m.did("reopen")
		m.reopen(m.T)
		m.forgetSessions()
		m.wantAll(false)
	default:
		m.did("rebuild")
		m.rebuild(m.T)
		m.forgetSessions()
		m.wantAll(false)
	}
	if b.session != nil {
		m.wantSession(b)
	}
}

func (m *model) forgetSessions() {
	for _, b := range m.boxes {
		b.session = nil
	}
}

func (m *model) amend(b *modelBox, item string) {
	m.did("%s: amend %s", b.name, item)
	it, ok := b.items[item]
	err := b.session.Amend(item, it.key+"+", func(s []byte) ([]byte, error) {
		if string(s) != it.summary {
			m.Errorf("amend is shown summary %q, want %q", s, it.summary)
		}
		return append(s, '!'), nil
	})
	if !ok {
		if !errors.Is(err, ErrNotFound) {
			m.Fatalf("amend of nothing: %v", err)
		}
		return
	}
	m.must(err)
	it.key += "+"
	it.summary += "!"
	b.put(item, it)
}

func (m *model) removeFolder(b *modelBox, folder string) {
	m.did("%s: remove folder %s", b.name, folder)
	m.must(b.session.RemoveFolders(m.Context(), folder))
	for id, it := range b.items {
		if it.folder == folder {
			b.remove(id)
		}
	}
	delete(b.folders, folder)
	b.touched = true
}

func (m *model) setCursor(b *modelBox) {
	key, value := fmt.Sprintf("c/%d", m.IntN(3)), []byte(fmt.Sprint(m.IntN(4)))
	if m.IntN(4) == 0 {
		value = nil
	}
	m.did("%s: cursor %s %q", b.name, key, value)
	m.must(b.session.SetCursor(key, value))
	old, was := b.cursors[key]
	if was != (value != nil) || old != string(value) {
		b.touched = true
	}
	if delete(b.cursors, key); value != nil {
		b.cursors[key] = string(value)
		value[0] = 'x' // what was kept must not change with the caller's slice
	}
}

// commit commits one mailbox; another that has a session is committed with it or broken off before.
func (m *model) commit(b *modelBox) {
	boxes := []*modelBox{b}
	for _, other := range m.boxes {
		if other == b || other.session == nil {
			continue
		}
		if m.IntN(2) == 0 {
			m.must(other.session.Close(m.Context()))
			other.session = nil
			continue
		}
		boxes = append(boxes, other)
	}
	m.did("%s: commit %d", b.name, len(boxes))
	snaps, errs := make([]Snapshot, len(boxes)), make([]error, len(boxes))
	var wait sync.WaitGroup
	for i, each := range boxes {
		wait.Go(func() {
			snaps[i], errs[i] = each.session.Commit(m.Context())
			if len(boxes) > 1 {
				// A run that found nothing new commits at once; its Close lets the other go.
				errs[i] = errors.Join(errs[i], each.session.Close(m.Context()))
				each.session = nil
			}
		})
	}
	wait.Wait()
	for i, each := range boxes {
		m.must(errs[i])
		each.committed(m.T, snaps[i])
	}
	m.wantAll(false)
}

// wantSession compares what a session can be asked.
func (m *model) wantSession(b *modelBox) {
	m.Helper()
	for n := range 9 {
		id := fmt.Sprintf("i%d", n)
		it, want := b.items[id]
		key, folder, ok, err := b.session.Known(id)
		if err != nil || ok != want || key != it.key || folder != it.folder {
			m.Fatalf("%s: known %s: %q %q %v %v, want %+v %v", b.name, id, key, folder, ok, err, it, want)
		}
		if associated, err := b.session.Associated(id); err != nil || associated != it.associated {
			m.Fatalf("%s: associated %s: %v %v, want %+v", b.name, id, associated, err, it)
		}
	}
	for n := range 4 {
		m.wantItemsIn(b, fmt.Sprintf("f%d", n))
	}
	folders, err := b.session.Folders(m.Context())
	m.must(err)
	wantFolders(m.T, folders, b.folders)
	cursors, err := b.session.Cursors(m.Context(), "c/")
	m.must(err)
	for key, want := range b.cursors {
		one, err := b.session.Cursor(key)
		if err != nil || string(one) != want || string(cursors[key]) != want {
			m.Fatalf("%s: cursor %s: %q and %q, %v, want %q", b.name, key, one, cursors[key], err, want)
		}
	}
	if len(cursors) != len(b.cursors) {
		m.Fatalf("%s: cursors %q, want %q", b.name, cursors, b.cursors)
	}
}

func (m *model) wantItemsIn(b *modelBox, folder string) {
	m.Helper()
	got := collect(m.T, b.session.itemsIn(m.Context(), 1+m.IntN(5), []string{folder, "none"}))
	var want []string
	for id, it := range b.items {
		if it.folder == folder {
			want = append(want, id)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		m.Fatalf("%s: items in %s: %q, want %q", b.name, folder, got, want)
	}
}

func wantFolders(t *testing.T, got, want map[string]Folder) {
	t.Helper()
	bare := map[string]Folder{}
	for id, f := range got {
		f.From, f.To = 0, 0
		bare[id] = f
	}
	if !maps.Equal(bare, want) {
		t.Fatalf("folders %+v\nwant %+v", bare, want)
	}
}

// wantAll compares all snapshots and histories; blobs are read of all snapshots, or of the latest and one more.
func (m *model) wantAll(everything bool) {
	m.Helper()
	var names []string
	for _, b := range m.boxes {
		if len(b.snaps) > 0 {
			names = append(names, b.name)
		}
		m.wantSnapshots(b)
		m.wantHistories(b)
		for i := range b.snaps {
			m.wantContents(b, &b.snaps[i], everything || i == len(b.snaps)-1 || i == m.IntN(len(b.snaps)))
		}
	}
	var got []string
	for _, s := range m.Mailboxes() {
		got = append(got, s.Mailbox)
	}
	if !slices.Equal(got, names) {
		m.Fatalf("mailboxes %q, want %q", got, names)
	}
	m.wantSound(m.T)
}

func (m *model) wantSnapshots(b *modelBox) {
	m.Helper()
	got := m.snapshots(m.T, b.name)
	if len(got) != len(b.snaps) {
		m.Fatalf("%s: %d snapshots, want %d", b.name, len(got), len(b.snaps))
	}
	for i, s := range got {
		if s != b.snaps[i].Snapshot {
			m.Fatalf("snapshot %+v\nwant %+v", s, b.snaps[i].Snapshot)
		}
		at, err := m.At(m.Context(), b.name, s.Time)
		before, errBefore := m.At(m.Context(), b.name, s.Time.Add(-time.Millisecond))
		if err != nil || at != s || i == 0 && !errors.Is(errBefore, ErrNotFound) || i > 0 && before != got[i-1] {
			m.Fatalf("at %v: %+v %v, just before: %+v %v", s.Time, at, err, before, errBefore)
		}
	}
}

func (m *model) wantContents(b *modelBox, s *modelSnapshot, read bool) {
	m.Helper()
	folders, err := m.Folders(m.Context(), s.Snapshot)
	m.must(err)
	wantFolders(m.T, folders, s.folders)
	seen := 0
	for v, err := range m.Versions(m.Context(), s.Snapshot) {
		m.must(err)
		it, ok := s.items[v.ItemID]
		if !ok {
			m.Fatalf("%s %d: shows %s", b.name, s.Ordinal, v.ItemID)
		}
		seen++
		m.wantVersion(b, v, it, Path(s.folders, it.folder))
		if read {
			if data := m.read(m.T, v); !bytes.Equal(data, blobOf(it.blob)) {
				m.Fatalf("%s %d: %s has other bytes", b.name, s.Ordinal, v.ItemID)
			}
		}
	}
	if seen != len(s.items) {
		m.Fatalf("%s %d: %d items, want %d", b.name, s.Ordinal, seen, len(s.items))
	}
}

func (m *model) wantVersion(b *modelBox, v *Version, it modelItem, path string) {
	m.Helper()
	data := blobOf(it.blob)
	_, alive := b.snaps[len(b.snaps)-1].items[v.ItemID]
	if v.Mailbox != b.name || v.ChangeKey != it.key || v.FolderID != it.folder || v.Folder != path || string(v.Summary) != it.summary ||
		v.Associated != it.associated || v.Size != int64(len(data)) || v.SHA256 != sha256.Sum256(data) || v.Deleted == alive {
		m.Fatalf("version %+v\nwant %+v in %q, alive %v", v, it, path, alive)
	}
	if v.FirstSeen != b.snaps[v.From-1].Time || v.LastSeen != b.snaps[min(int(v.To)-1, len(b.snaps))-1].Time {
		m.Fatalf("version %+v was seen from %v to %v", v, v.FirstSeen, v.LastSeen)
	}
}

func (m *model) wantHistories(b *modelBox) {
	m.Helper()
	for n := range 9 {
		id := fmt.Sprintf("i%d", n)
		want := b.history[id]
		got := 0
		for v, err := range m.History(m.Context(), m.ids.item(b.name, id)) {
			if len(want) == 0 && errors.Is(err, ErrNotFound) {
				continue
			}
			m.must(err)
			if got == len(want) || v.From != want[got].from || v.To != want[got].to {
				m.Fatalf("%s: history of %s: version %d is [%d, %d), want %+v", b.name, id, got, v.From, v.To, want)
			}
			last := b.snaps[min(int(v.To)-1, len(b.snaps))-1]
			m.wantVersion(b, v, want[got].modelItem, Path(last.folders, v.FolderID))
			one, err := m.Version(m.Context(), b.name, v.ID, v.From)
			if err != nil || one.Folder != v.Folder || one.To != v.To || one.SHA256 != v.SHA256 {
				m.Fatalf("version by its beginning: %+v, %v, want %+v", one, err, v)
			}
			got++
		}
		if got != len(want) {
			m.Fatalf("%s: history of %s has %d versions, want %d", b.name, id, got, len(want))
		}
	}
}
