package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"mailbrick/archive/blob"
	"mailbrick/archive/blob/blobtest"
	"mailbrick/archive/journal"
	"mailbrick/archive/pack"
	"mailbrick/archive/seal"
)

// TestStoreModel drives everything that an archive does, at random: three machines with catalogs of their own on one bucket, which
// back up the same mailboxes, forget, hold, prune, fold, rotate the key, are killed, and read, one in the midst of what another does. A
// model knows what was committed and not forgotten: every machine gives it back byte for byte, shows nothing else, and has the catalog
// that a rebuilt one is; at the end no byte is left that nobody needs. What fails is told by its seed and the shortest list of
// operations that still fails.
func TestStoreModel(t *testing.T) {
	t.Parallel()
	for seed, last := storeSeeds(t); seed <= last; seed++ {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			ops := rollOps(seed, 90)
			err := playOps(t, seed, ops)
			if err == nil {
				return
			}
			short := shrinkOps(ops, func(list []storeOp) bool { return playOps(t, seed, list) != nil })
			t.Fatalf("seed %d: %v\nwith %d of %d operations: %v%s", seed, err, len(short), len(ops), playOps(t, seed, short), opsText(short))
		})
	}
}

// storeSeeds are the first and the last seed: of the short suite, of torture, or as MAILBRICK_SEEDS says, "640" or "600-699".
func storeSeeds(t *testing.T) (first, last uint64) {
	text, ok := os.LookupEnv("MAILBRICK_SEEDS")
	if !ok {
		return 0, uint64(rounds(12, 600)) - 1
	}
	from, to, both := strings.Cut(text, "-")
	if !both {
		to = from
	}
	first, err := strconv.ParseUint(from, 10, 32)
	last, lastErr := strconv.ParseUint(to, 10, 32)
	if err = errors.Join(err, lastErr); err != nil {
		t.Fatalf("MAILBRICK_SEEDS: %v", err)
	}
	return first, last
}

const (
	storeMachines = 3
	storeBoxes    = 3
	storeItems    = 6
)

// storeModel is what the machines must agree with.
type storeModel struct {
	ctx      context.Context
	memory   *blobtest.Memory
	host     []seal.Identity // opens the archive; none of one that is not encrypted
	parity   bool
	machines []*storeMachine
	boxes    []*storeBox
	puts     map[string]storePut // all that was ever put, by change key
	versions map[versionName]*storeVersion
	holds    map[string]*storeHold
	spoilt   bool // something is damaged and not mended
}

// storePut is an item as a machine put it.
type storePut struct {
	content int
	folder  string
	summary string
}

type versionName struct {
	box  int
	item string
	from uint32
}

// storeVersion is a committed version. One in doubt is about to be forgotten.
type storeVersion struct {
	key         string
	gone, doubt bool
}

// storeBox is a mailbox with all snapshots that were committed.
type storeBox struct {
	number int
	name   string
	snaps  []*storeSnap
}

type storeSnap struct {
	Snapshot
	items       map[string]versionName
	folders     map[string]string
	gone, doubt bool
}

// storeHold is a hold. One in doubt is about to be set or released.
type storeHold struct {
	Hold
	items map[HeldItem]bool
	doubt bool
}

// storeMachine is a machine with its catalog, and what its session has.
type storeMachine struct {
	*world
	*storeModel
	number  int
	ctx     context.Context // of the operation at hand
	ahead   time.Duration   // of its clock
	faulty  *blobtest.Faulty
	rand    *rand.Rand
	session *Session
	box     *storeBox
	live    map[string]string // change keys of the items that the session's mailbox holds
	folders map[string]string
	trying  *storeSnap // a commit that may have landed
	amid    any        // what another machine failed with in the midst of a call
	own     error      // what another part of this process ended with in the midst of a call
}

// storeFailure is what a play panics with.
type storeFailure string

func failf(format string, args ...any) { panic(storeFailure(fmt.Sprintf(format, args...))) }

// playOps does operations with new machines, and gives what went wrong.
func playOps(t *testing.T, seed uint64, ops []storeOp) (err error) {
	at := -1
	m := newStoreModel(t, seed)
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		if _, ok := r.(storeFailure); !ok {
			panic(r)
		}
		err = fmt.Errorf("operation %d: %v", at, r)
		m.abandon()
	}()
	for i := range ops {
		at = i
		m.machines[ops[i].Machine].do(&ops[i])
	}
	at = len(ops)
	m.settle()
	return nil
}

// abandon lets go what a play that failed holds, as far as that can be.
func (m *storeModel) abandon() {
	for _, w := range m.machines {
		func() {
			defer func() { _ = recover() }()
			_ = w.group.fail(errClosed)
			_ = w.cat.close()
		}()
	}
}

// newStoreModel makes an archive: of every three one is encrypted, of every two one has parity; packs lie in records, in part or not.
func newStoreModel(t *testing.T, seed uint64) *storeModel {
	m := &storeModel{ctx: t.Context(), memory: new(blobtest.Memory), parity: seed%2 == 1, puts: map[string]storePut{},
		versions: map[versionName]*storeVersion{}, holds: map[string]*storeHold{}}
	now := new(clock).now
	o := Options{Bucket: m.memory, Random: zeros{}, Parity: m.parity, Clock: now}
	if seed%3 == 1 {
		o.Random, o.Passphrase, o.WorkFactor = nil, "secret", 1
	}
	must(Init(m.ctx, o))
	if seed%3 == 1 {
		identity, _, err := seal.NewIdentity()
		must(err)
		m.host = append(m.host, identity)
		to, err := identity.Recipient()
		must(err)
		keys, err := OpenKeys(m.ctx, o)
		must(err)
		_, err = keys.Add(m.ctx, to, "host")
		must(err)
	}
	for n := range storeBoxes {
		m.boxes = append(m.boxes, &storeBox{number: n, name: fmt.Sprint("box", n)})
	}
	for n := range storeMachines {
		w := &storeMachine{storeModel: m, number: n, ctx: m.ctx, faulty: blobtest.NewFaulty(m.memory), rand: rand.New(rand.NewPCG(seed, uint64(n)))}
		w.world = worldOf(m.memory, &staleLists{Bucket: w.faulty, rand: w.rand}, vfs.NewCrashableMem())
		w.opts.Clock = func() time.Time { return now().Add(w.ahead) }
		w.opts.Random = &lockedRandom{rand: rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(n)})}
		if limit := []int{-1, 0, 3000}[seed/2%3]; limit >= 0 {
			w.short(limit)
		}
		w.opts.Identities = m.host
		must(w.tryOpen(m.ctx))
		m.machines = append(m.machines, w)
	}
	return m
}

func must(err error) {
	if err != nil {
		failf("%v", err)
	}
}

// lockedRandom makes plays of the same seed alike.
type lockedRandom struct {
	mu   sync.Mutex
	rand *rand.ChaCha8
}

func (r *lockedRandom) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rand.Read(p)
}

// storeContents are how many contents there are: copies of eight messages.
const storeContents = 40

// storeSegments are a content's segments: a copy's own fields amid those that its message's copies share, a body, what only this copy has,
// and what several messages have in common. Some have nothing but a few bytes, some more than is stored whole.
func storeSegments(n int) []Segment {
	message, mine := n%8, n/8
	if message == 7 {
		return []Segment{{0, Framing, noise(uint64(mine), mine)}} // the first is empty
	}
	fields := noise(uint64(100+message), 600)
	copy(fields[200:], fmt.Sprintf("copy %d of %d", mine, message))
	list := []Segment{{0, Framing, []byte("frame")}, {1, Small, fields}, {0, Framing, []byte("frame")},
		{2, Bulk, noise(uint64(200+message), 40*message)}}
	if mine > 0 || message%2 == 0 {
		list = append(list, Segment{3, Bulk, noise(uint64(300+n), 300)})
	}
	if message%3 == 0 {
		list = append(list, Segment{0, Framing, []byte("frame")}, Segment{4, Bulk, noise(uint64(400+message%2), 2000)})
	}
	if message == 5 {
		long := noise(500, 80<<10)
		copy(long[70<<10:], fmt.Sprint("end of ", mine%2))
		list = append(list, Segment{5, Bulk, long[:31680]}, Segment{0, Framing, []byte("frame")}, Segment{5, Bulk, long[31680:]})
	}
	return slices.DeleteFunc(list, func(s Segment) bool { return len(s.Data) == 0 })
}

var storeBlobs = sync.OnceValue(func() (blobs [storeContents][]byte) {
	for n := range blobs {
		for _, s := range storeSegments(n) {
			blobs[n] = append(blobs[n], s.Data...)
		}
	}
	return blobs
})

// put puts an item and keeps its change key, which no other version ever has.
func (w *storeMachine) put(item string, n int, folder string) error {
	key := fmt.Sprint("k", len(w.puts))
	put := storePut{n, folder, fmt.Sprint("summary of ", n)}
	w.puts[key] = put
	c := w.session.NewContent(w.ctx)
	for _, s := range storeSegments(n) {
		if err := c.Add(s); err != nil {
			return err
		}
	}
	similar := []byte{byte(n % 8)}
	err := w.session.Put(w.ctx, Item{ItemID: item, ChangeKey: key, FolderID: folder, Summary: []byte(put.summary), Similar: similar}, c)
	if err == nil {
		w.live[item] = key
	}
	return err
}

// begin opens a session, and learns from it what is there: a session before it may have been killed.
func (w *storeMachine) begin(box *storeBox) error {
	s, err := w.Begin(box.name)
	if err != nil {
		return err
	}
	w.session, w.box, w.live, w.folders = s, box, map[string]string{}, map[string]string{}
	for n := range storeItems {
		item := fmt.Sprint("i", n)
		key, folder, ok, err := s.Known(item)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if w.puts[key].folder != folder {
			failf("machine %d: %s of %s is known as %s in %q", w.number, item, box.name, key, folder)
		}
		w.live[item] = key
	}
	folders, err := s.Folders(w.ctx)
	for id, f := range folders {
		w.folders[id] = f.Name
	}
	return err
}

// commit commits. Others may see it before it is over.
func (w *storeMachine) commit() error {
	w.trying = &storeSnap{Snapshot: Snapshot{Ordinal: w.session.ordinal}, items: map[string]versionName{}, folders: maps.Clone(w.folders)}
	live := maps.Clone(w.live)
	for item := range live {
		w.trying.items[item] = versionName{box: w.box.number, item: item}
	}
	snap, err := w.session.Commit(w.ctx)
	w.ctx = w.storeModel.ctx
	if errors.Is(err, context.Canceled) {
		if last, e := w.Latest(w.box.name); e == nil {
			w.adopt(last)
		}
		w.trying = nil
	}
	if err != nil {
		return err
	}
	w.adopt(snap)
	w.trying = nil
	w.wantListed(w.box, w.box.snaps[snap.Ordinal-1])
	return nil
}

// adopt takes a snapshot into the model that a machine sees; it is one that is known, or that somebody is just committing.
func (w *storeMachine) adopt(snap Snapshot) {
	box := w.boxes[slices.IndexFunc(w.boxes, func(b *storeBox) bool { return b.name == snap.Mailbox })]
	if int(snap.Ordinal) <= len(box.snaps) {
		return
	}
	for _, other := range append([]*storeMachine{w}, w.machines...) {
		if tr := other.trying; tr != nil && other.box == box && tr.Ordinal == snap.Ordinal && int(snap.Ordinal) == len(box.snaps)+1 {
			w.complete(box, snap, tr, other.live)
			return
		}
	}
	failf("machine %d shows snapshot %d of %s, which nobody committed", w.number, snap.Ordinal, box.name)
}

// complete makes a snapshot the mailbox's last. Of what was there before, it shows the version that was, unless it was forgotten.
func (w *storeMachine) complete(box *storeBox, snap Snapshot, s *storeSnap, live map[string]string) {
	s.Snapshot = snap
	of := map[string]versionName{}
	for name, v := range w.versions {
		of[v.key] = name
	}
	for item, key := range live {
		name, ok := of[key]
		if !ok {
			name = versionName{box.number, item, snap.Ordinal}
			w.versions[name] = &storeVersion{key: key}
		}
		if name.box != box.number || name.item != item {
			failf("%s of %s has the version %+v", item, box.name, name)
		}
		s.items[item] = name
	}
	box.snaps = append(box.snaps, s)
}

// allowed tells whether an error is one of those that a run may end with. Its machine is started again then.
func (w *storeMachine) allowed(err error) bool {
	for _, target := range []error{blobtest.ErrInjected, blobtest.ErrDead, blob.ErrFull, ErrPruned, ErrConflict} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// crash starts a machine again, of whose catalog some is lost, and finds out what has landed.
func (w *storeMachine) crash() {
	w.faulty.Reset()
	w.ctx = w.storeModel.ctx
	_ = w.group.fail(errClosed)
	old := w.cat
	w.fs = w.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: w.rand})
	w.opts.fs = w.fs
	_ = old.close()
	w.reborn()
}

func (w *storeMachine) reborn() {
	if err := w.tryOpen(w.ctx); err != nil {
		failf("machine %d: open: %v", w.number, err)
	}
	if w.trying != nil {
		if snap, err := w.Latest(w.box.name); err == nil {
			w.adopt(snap)
		}
	}
	w.session, w.box, w.live, w.trying = nil, nil, nil, nil
}

// restart ends a process in order. Its session's work lands as a checkpoint, if it can.
func (w *storeMachine) restart(remake bool) {
	if err := w.Close(); err != nil && !w.allowed(err) {
		failf("machine %d: close: %v", w.number, err)
	}
	w.faulty.Reset()
	if remake {
		must(w.fs.RemoveAll("catalog"))
	}
	w.reborn()
}

// wantVersion looks at a version with this machine's catalog.
func (w *storeMachine) wantVersion(name versionName, want *storeVersion, behind bool) {
	box := w.boxes[name.box].name
	v, err := w.Version(w.ctx, box, w.ids.item(box, name.item), name.from)
	switch {
	case want.doubt:
		return
	case errors.Is(err, ErrNotFound) && (want.gone || behind):
		return
	case err != nil || want.gone && !behind:
		failf("machine %d: %+v, forgotten %v: %v", w.number, name, want.gone, err)
	case want.gone:
		return
	}
	put := w.puts[want.key]
	if v.ChangeKey != want.key || v.FolderID != put.folder || string(v.Summary) != put.summary {
		failf("machine %d: %+v is %+v, want %s %+v", w.number, name, v, want.key, put)
	}
	w.wantBlob(v, put.content)
}

func (w *storeMachine) wantBlob(v *Version, n int) {
	in, err := w.OpenBlob(w.ctx, v)
	if err != nil {
		failf("machine %d: %s@%d of %s, content %d: %v", w.number, v.ItemID, v.From, v.Mailbox, n, err)
	}
	defer in.Close()
	data, err := io.ReadAll(in)
	if err != nil || !bytes.Equal(data, storeBlobs()[n]) {
		failf("machine %d: %s@%d of %s, content %d: %d bytes, %v", w.number, v.ItemID, v.From, v.Mailbox, n, len(data), err)
	}
}

// names are the versions that were ever committed, in order.
func (m *storeModel) names() []versionName {
	return slices.SortedFunc(maps.Keys(m.versions), func(x, y versionName) int {
		return strings.Compare(fmt.Sprintf("%d %s %08d", x.box, x.item, x.from), fmt.Sprintf("%d %s %08d", y.box, y.item, y.from))
	})
}

// wantListed compares a snapshot with what was committed, without what was forgotten since.
func (w *storeMachine) wantListed(box *storeBox, s *storeSnap) {
	seen := map[string]bool{}
	for v, err := range w.Versions(w.ctx, s.Snapshot) {
		must(err)
		name, ok := s.items[v.ItemID]
		switch {
		case !ok:
			failf("machine %d: snapshot %d of %s shows %s", w.number, s.Ordinal, box.name, v.ItemID)
		case v.From != name.from || v.ChangeKey != w.versions[name].key || v.SHA256 != sha256.Sum256(storeBlobs()[w.puts[v.ChangeKey].content]):
			failf("machine %d: snapshot %d of %s shows %s@%d, want %+v", w.number, s.Ordinal, box.name, v.ItemID, v.From, name)
		}
		seen[v.ItemID] = true
	}
	behind := w.Head() < w.trueHead()
	for item, name := range s.items {
		if v := w.versions[name]; !v.doubt && (seen[item] == v.gone) && !(behind && v.gone) {
			failf("machine %d: snapshot %d of %s shows %s: %v, forgotten: %v", w.number, s.Ordinal, box.name, item, seen[item], v.gone)
		}
	}
	folders, err := w.Folders(w.ctx, s.Snapshot)
	must(err)
	got := map[string]string{}
	for id, f := range folders {
		got[id] = f.Name
	}
	if !maps.Equal(got, s.folders) {
		failf("machine %d: snapshot %d of %s has folders %v, want %v", w.number, s.Ordinal, box.name, got, s.folders)
	}
}

// trueHead is the highest head that any machine knows.
func (m *storeModel) trueHead() (n uint64) {
	for _, w := range m.machines {
		n = max(n, w.Head())
	}
	return n
}

// wantAll compares a machine that is up to date with the model.
func (w *storeMachine) wantAll() {
	must(w.catchUpAlone(w.ctx))
	for _, name := range w.names() {
		w.wantVersion(name, w.versions[name], false)
	}
	for _, box := range w.boxes {
		if latest, err := w.Latest(box.name); err == nil {
			w.adopt(latest)
		}
		offered := map[uint32]bool{}
		if len(box.snaps) > 0 {
			for s, err := range w.Snapshots(w.ctx, box.name) {
				must(err)
				offered[s.Ordinal] = true
			}
		}
		for _, s := range box.snaps {
			if !s.doubt && offered[s.Ordinal] == s.gone {
				failf("machine %d: snapshot %d of %s is offered: %v", w.number, s.Ordinal, box.name, offered[s.Ordinal])
			}
			w.wantListed(box, s)
		}
	}
	w.wantHolds()
}

func (w *storeMachine) wantHolds() {
	holds, err := w.Holds(w.ctx)
	must(err)
	for _, h := range holds {
		if want := w.storeModel.holds[h.Name]; want == nil || !want.doubt && h.Items != len(want.items) {
			failf("machine %d: hold %+v, want %+v", w.number, h, want)
		}
	}
	for name, h := range w.storeModel.holds {
		if !h.doubt && !slices.ContainsFunc(holds, func(h Hold) bool { return h.Name == name }) {
			failf("machine %d: hold %s is gone", w.number, name)
		}
	}
}

// heldBy is a hold that certainly covers a version.
func (m *storeModel) heldBy(name versionName) *storeHold {
	box := m.boxes[name.box]
	for _, h := range m.holds {
		if h.doubt {
			continue
		}
		if h.items[HeldItem{box.name, m.machines[0].ids.item(box.name, name.item)}] {
			return h
		}
		if !h.scope(box.name) {
			continue
		}
		if h.Query == "" || int(name.from) <= len(box.snaps) && box.snaps[name.from-1].Position > h.Position {
			return h
		}
	}
	return nil
}

// wantSound is verify, with every item read.
func (w *storeMachine) wantSound() {
	r, err := w.Check(w.ctx, CheckOptions{ReadAll: true, Again: true})
	must(err)
	if len(r.Errors) > 0 && (!w.spoilt || r.Mendable == 0) {
		failf("machine %d: check: %q", w.number, r.Errors[0])
	}
}

// settle brings all machines to rest and compares everything: with the model, with one another and with a catalog made anew, before
// and after what is garbage has gone.
func (m *storeModel) settle() {
	for _, w := range m.machines {
		w.ahead = 23 * time.Hour
		w.restart(false)
	}
	m.machines[0].mend()
	for _, w := range m.machines {
		w.wantAll()
	}
	m.wantCatalogs()
	for range 3 { // lists may be of before
		_, err := m.machines[1].Prune(m.ctx, PruneOptions{MaxGarbage: 1e-9, BrokenOff: time.Nanosecond})
		must(err)
	}
	for _, w := range m.machines {
		w.wantAll()
	}
	m.wantCatalogs()
	m.machines[1].wantSound()
	m.machines[1].wantNoGarbage()
	for _, w := range m.machines {
		must(w.Close())
	}
}

// wantNoGarbage looks for chunks in the bucket that no version needs, by no more than tables and recipes.
func (w *storeMachine) wantNoGarbage() {
	needed := map[chunkID]bool{}
	must(w.cat.scan(w.ctx, []byte{keyVersion}, func(key, value []byte) error {
		r, err := w.cat.openRow(key, value)
		if err != nil || r.to <= r.from {
			return err
		}
		v, err := r.bare()
		if err != nil {
			return err
		}
		refs, err := w.references(w.ctx, v, &group{})
		for _, id := range refs {
			needed[id] = true
			if row, err := w.cat.chunk(id); err == nil && row.base != (chunkID{}) {
				needed[row.base] = true
			}
		}
		return err
	}))
	there, err := w.packSizes(w.ctx)
	must(err)
	for name := range there {
		t, err := w.packs.Table(w.ctx, name)
		must(err)
		must(t.Places(func(c pack.Chunk, _ pack.Place) error {
			if !needed[c.ID] {
				failf("pack %x has chunk %x, which nobody needs", name, c.ID)
			}
			delete(needed, c.ID) // another copy is garbage
			return nil
		}))
	}
	must(w.cat.eachPack(w.ctx, func(_ uint32, p journal.Pack) {
		if p.Inline && w.journal.Span(p.Record).To < w.Head() {
			failf("a pack lies in record %d of %d, though that can be folded", p.Record, w.Head())
		}
	}))
}
