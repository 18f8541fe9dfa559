package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"mailbrick/archive/blob"
	"mailbrick/archive/blob/blobtest"
	"mailbrick/archive/journal"
)

// TestPruneModel lets two processes write, forget, prune and read one bucket, with failures and crashes, each also in the midst of the
// other's prune. What was committed and not forgotten is always there byte for byte; what was forgotten never is.
func TestPruneModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(rounds(10, 400)) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			p := newPruneModel(t, seed)
			defer func() {
				if t.Failed() {
					t.Logf("seed %d: %q", seed, p.log[max(0, len(p.log)-80):])
				}
			}()
			for range 120 {
				p.step(p.procs[p.IntN(2)], false)
			}
			p.settle()
			if seed%3 > 0 && p.folded == 0 {
				t.Log("nothing was folded")
			}
		})
	}
}

// prunedVersion names a version in the model.
type prunedVersion struct {
	mailbox, item string
	from          uint32
}

type pruneModel struct {
	*testing.T
	*rand.Rand
	memory    *blobtest.Memory
	procs     [2]*pruneProcess
	want      map[prunedVersion]int // committed, with its blob
	forgotten map[prunedVersion]bool
	log       []string
	folded    int
}

// pruneProcess is a process with its catalog; it alone writes its mailboxes.
type pruneProcess struct {
	*world
	name    string
	other   *pruneProcess
	faulty  *blobtest.Faulty
	boxes   [2]map[string]prunedItem // what the mailboxes hold, by item
	box     int                      // of the open session
	session *Session
}

type prunedItem struct {
	blob int
	from uint32 // 0 until it is committed
}

func newPruneModel(t *testing.T, seed uint64) *pruneModel {
	p := &pruneModel{T: t, Rand: rand.New(rand.NewPCG(seed, 11)), memory: initialised(t), want: map[prunedVersion]int{}, forgotten: map[prunedVersion]bool{}}
	now := new(clock).now
	for i := range p.procs {
		proc := &pruneProcess{name: fmt.Sprint("p", i), faulty: blobtest.NewFaulty(p.memory)}
		proc.world = worldOf(p.memory, &staleLists{Bucket: proc.faulty, rand: p.Rand}, vfs.NewCrashableMem())
		if seed%3 > 0 {
			proc.short([]int{0, 3000}[seed%3-1]) // all, or some, lie in records
		}
		proc.opts.Clock = now
		for b := range proc.boxes {
			proc.boxes[b] = map[string]prunedItem{}
		}
		proc.open(t)
		p.procs[i] = proc
	}
	p.procs[0].other, p.procs[1].other = p.procs[1], p.procs[0]
	return p
}

func (p *pruneModel) did(format string, args ...any) {
	p.log = append(p.log, fmt.Sprintf(format, args...))
}

func (proc *pruneProcess) mailbox(box int) string { return fmt.Sprintf("%s/%d", proc.name, box) }

// survives tells whether a call may go on. A process whose call failed is started again.
func (p *pruneModel) survives(proc *pruneProcess, what string, err error) bool {
	p.Helper()
	p.did("%s: %s: %v", proc.name, what, err)
	if err == nil {
		return true
	}
	if !errors.Is(err, blobtest.ErrInjected) && !errors.Is(err, blobtest.ErrDead) && !errors.Is(err, ErrPruned) {
		p.Fatalf("%s: %s: %v", proc.name, what, err)
	}
	p.crash(proc)
	return false
}

// crash starts a process again, of whose catalog some is lost.
func (p *pruneModel) crash(proc *pruneProcess) {
	p.Helper()
	p.did("%s: crash", proc.name)
	proc.faulty.Reset()
	old := proc.Archive
	proc.fs = proc.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: p.Rand})
	proc.opts.fs, proc.session = proc.fs, nil
	_ = old.group.fail(errClosed)
	_ = old.cat.close()
	proc.open(p.T)
	for b := range proc.boxes {
		p.heal(proc, b)
	}
}

// heal is the next run, after one that was broken off.
func (p *pruneModel) heal(proc *pruneProcess, box int) {
	p.Helper()
	s, err := proc.Begin(proc.mailbox(box))
	for n := range 6 {
		item := fmt.Sprint("i", n)
		if err == nil {
			err = s.Remove(item)
		}
		if it, ok := proc.boxes[box][item]; ok && err == nil {
			err = p.put(proc, s, item, it.blob)
			proc.boxes[box][item] = prunedItem{blob: it.blob}
		}
	}
	if err == nil {
		err = p.commit(proc, s, box)
	}
	if err == nil {
		err = s.Close(p.Context())
	}
	if err != nil {
		p.Fatalf("%s: heal: %v", proc.name, err)
	}
}

func (p *pruneModel) put(proc *pruneProcess, s *Session, item string, n int) error {
	return put1(p.Context(), s, Item{ItemID: item, Similar: []byte{byte(n % 5)}}, blobOf(n))
}

// commit commits, and learns what is there from then on.
func (p *pruneModel) commit(proc *pruneProcess, s *Session, box int) error {
	p.Helper()
	snap, err := s.Commit(p.Context())
	if err != nil {
		return err
	}
	items := proc.boxes[box]
	seen := 0
	for v, err := range proc.Versions(p.Context(), snap) {
		if err != nil {
			return err
		}
		it, ok := items[v.ItemID]
		if _, gone := p.forgotten[prunedVersion{snap.Mailbox, v.ItemID, v.From}]; !ok && gone {
			continue // this process wrote nothing and does not know yet
		}
		if !ok {
			p.Fatalf("%s shows %s, which was removed or forgotten", snap.Mailbox, v.ItemID)
		}
		seen++
		it.from = v.From
		items[v.ItemID] = it
		p.want[prunedVersion{snap.Mailbox, v.ItemID, v.From}] = it.blob
	}
	if seen != len(items) {
		p.Fatalf("%s shows %d items, want %d", snap.Mailbox, seen, len(items))
	}
	return nil
}

// step does one thing, in the midst of the other's prune when asked.
func (p *pruneModel) step(proc *pruneProcess, amid bool) {
	p.Helper()
	if proc.session == nil {
		proc.box = p.IntN(2)
		var err error
		if proc.session, err = proc.Begin(proc.mailbox(proc.box)); !p.survives(proc, "begin", err) {
			return
		}
	}
	s, items, item := proc.session, proc.boxes[proc.box], fmt.Sprint("i", p.IntN(6))
	switch n := p.IntN(100); {
	case n < 30:
		blob := p.IntN(30)
		if p.survives(proc, fmt.Sprint("put ", item, " ", blob), p.put(proc, s, item, blob)) {
			items[item] = prunedItem{blob: blob}
		}
	case n < 36:
		if p.survives(proc, "remove "+item, s.Remove(item)) {
			delete(items, item)
		}
	case n < 42:
		p.amend(proc, item)
	case n < 48:
		proc.group.mu.Lock()
		err := proc.group.land(p.Context())
		proc.group.mu.Unlock()
		p.survives(proc, "land", err)
	case n < 62:
		if p.survives(proc, "commit", p.commit(proc, s, proc.box)) && p.IntN(2) == 0 && p.survives(proc, "close", s.Close(p.Context())) {
			proc.session = nil
		}
	case n < 74:
		p.forget(proc)
	case n < 86:
		p.read(proc)
	case amid:
	case n < 96:
		p.prune(proc)
	case n < 97:
		p.crash(proc)
	case n < 98:
		proc.session = nil
		p.did("%s: rebuild", proc.name)
		if err := proc.Close(); err != nil && !errors.Is(err, ErrPruned) { // what had not landed may rest on what was pruned
			p.Fatal(err)
		}
		if err := proc.fs.RemoveAll("catalog"); err != nil {
			p.Fatal(err)
		}
		proc.open(p.T)
		for b := range proc.boxes {
			p.heal(proc, b)
		}
	default:
		p.wantSound(proc)
	}
}

func (p *pruneModel) amend(proc *pruneProcess, item string) {
	p.Helper()
	it, ok := proc.boxes[proc.box][item]
	err := proc.session.Amend(item, "k", func(b []byte) ([]byte, error) { return append(b, '!'), nil })
	if errors.Is(err, ErrNotFound) {
		return
	}
	if p.survives(proc, "amend "+item, err) && ok {
		proc.boxes[proc.box][item] = prunedItem{blob: it.blob}
	} else if err == nil {
		// It was forgotten by the other, and this one did not know yet.
		p.survives(proc, "remove "+item, proc.session.Remove(item))
	}
}

// forget forgets some versions of any mailbox, living ones too.
func (p *pruneModel) forget(proc *pruneProcess) {
	p.Helper()
	f := Forget{Living: true}
	var names []prunedVersion
	owner := p.procs[p.IntN(2)]
	box := p.IntN(2)
	for n := range 6 {
		item := fmt.Sprint("i", n)
		id := proc.ids.item(owner.mailbox(box), item)
		for v, err := range proc.History(p.Context(), id) {
			if err == nil && p.IntN(2) == 0 {
				f.Versions = append(f.Versions, VersionRef{v.Mailbox, id, v.From})
				names = append(names, prunedVersion{v.Mailbox, item, v.From})
			}
		}
	}
	_, err := proc.Forget(p.Context(), f)
	if errors.Is(err, ErrNotFound) {
		return // the other was quicker
	}
	for _, name := range names {
		delete(p.want, name)
		p.forgotten[name] = err == nil // else perhaps
		if it := owner.boxes[box][name.item]; it.from == name.from {
			delete(owner.boxes[box], name.item)
		}
	}
	p.survives(proc, fmt.Sprint("forget ", names), err)
}

// read reads something with a catalog that may be old.
func (p *pruneModel) read(proc *pruneProcess) {
	p.Helper()
	for name, n := range p.want {
		v, err := proc.Version(p.Context(), name.mailbox, proc.ids.item(name.mailbox, name.item), name.from)
		if errors.Is(err, ErrNotFound) {
			continue // not known yet
		}
		if err == nil && !bytes.Equal(proc.read(p.T, v), blobOf(n)) {
			err = errors.New("other bytes")
		}
		if err != nil {
			p.Fatalf("%s: read %v: %v", proc.name, name, err)
		}
		return
	}
}

func (p *pruneModel) prune(proc *pruneProcess) {
	p.Helper()
	o := PruneOptions{MaxGarbage: []float64{0.05, 1e-9}[p.IntN(2)], BrokenOff: []time.Duration{time.Hour, time.Nanosecond}[p.IntN(2)]}
	alone := true
	switch p.IntN(3) {
	case 0: // the other goes on in the midst of it
		alone = false
		at := []blobtest.Fault{{Op: blobtest.Commit, Name: "packs/", Nth: 1}, {Op: blobtest.Commit, Name: "journal/", Nth: 1 + p.IntN(6)},
			{Op: blobtest.Create, Name: "journal/", Nth: 1 + p.IntN(6)}, {Op: blobtest.List, Nth: 1 + p.IntN(4)}, {Op: blobtest.Remove, Nth: 1 + p.IntN(6)},
			{Op: blobtest.Size, Name: "journal/", Nth: 1 + p.IntN(20)}, {Op: blobtest.Open, Name: "journal/", Nth: 1 + p.IntN(20)}}[p.IntN(7)]
		at.Kind = blobtest.Slow
		proc.faulty.Slow = func(blobtest.Op, string) {
			for range p.IntN(12) {
				p.step(proc.other, true)
			}
			if p.IntN(3) == 0 {
				_, err := proc.other.Prune(p.Context(), PruneOptions{MaxGarbage: 1e-9})
				p.survives(proc.other, "prune amid", err)
			}
		}
		proc.faulty.Order(at)
	case 1: // it fails
		alone = false
		kind := []blobtest.Kind{blobtest.Error, blobtest.LostAnswer, blobtest.Dead}[p.IntN(3)]
		op := []blobtest.Op{blobtest.Commit, blobtest.Remove, blobtest.Create}[p.IntN(3)]
		proc.faulty.Order(blobtest.Fault{Op: op, Nth: 1 + p.IntN(10), Kind: kind})
	}
	r, err := proc.Prune(p.Context(), o)
	proc.faulty.Reset()
	if !p.survives(proc, fmt.Sprintf("prune %+v: %+v", o, r), err) || !alone {
		return
	}
	if float64(r.Left) > o.MaxGarbage*float64(r.Bytes) {
		p.Fatalf("%s: left %+v", proc.name, r)
	}
	if o.BrokenOff == time.Nanosecond && r.Position > 0 {
		p.wantNoOrphans(proc)
	}
	p.folded += r.Folded
}

// staleLists is a bucket whose lists of the journal may be those of before.
type staleLists struct {
	blob.Bucket
	rand   *rand.Rand
	before []blob.Info
}

func (b *staleLists) List(ctx context.Context, prefix string) iter.Seq2[blob.Info, error] {
	if prefix != journal.Prefix {
		return b.Bucket.List(ctx, prefix)
	}
	return func(yield func(blob.Info, error) bool) {
		var now []blob.Info
		for info, err := range b.Bucket.List(ctx, prefix) {
			if err != nil {
				yield(info, err)
				return
			}
			now = append(now, info)
		}
		told := now
		if b.before != nil && b.rand.IntN(3) == 0 {
			told = b.before
		}
		b.before = now
		for _, info := range told {
			if !yield(info, nil) {
				return
			}
		}
	}
}

// Replace implements blob.Replacer, as the bucket inside does.
func (b *staleLists) Replace(ctx context.Context, name string) (blob.Writer, error) {
	return b.Bucket.(blob.Replacer).Replace(ctx, name)
}

// wantFolded looks whether the journal has few objects after a prune that saw all of them, and no pack in a record where it was folded.
func (p *pruneModel) wantFolded(proc *pruneProcess) {
	p.Helper()
	var objects []journal.Span
	for _, name := range p.memory.Names() {
		if s, ok := journal.ParseSpan(name); ok {
			objects = append(objects, s)
		}
	}
	if more, _ := proc.journal.Folded(objects); len(more) > 0 {
		p.Fatalf("%s: %v stay though they are folded", proc.name, more)
	}
	if most := 8 + 4 + int(proc.Head())/16; proc.opts.folds[0] > 0 && len(objects) > most {
		p.Fatalf("%s: %d objects of %d records, at most %d", proc.name, len(objects), proc.Head(), most)
	}
}

// wantNoOrphans looks for packs that nobody names but a writer at work.
func (p *pruneModel) wantNoOrphans(proc *pruneProcess) {
	p.Helper()
	there, err := proc.packSizes(p.Context())
	if err != nil {
		p.Fatal(err)
	}
	for name := range there {
		if named, _ := proc.cat.has(packNameKey(name)); !named && sessionOf(name) != [4]byte(proc.group.session[:4]) {
			p.Fatalf("%s: pack %x is nobody's", proc.name, name)
		}
	}
}

func (p *pruneModel) wantSound(proc *pruneProcess) {
	p.Helper()
	r, err := proc.Check(p.Context(), CheckOptions{ReadAll: true})
	if err != nil || len(r.Errors) > 0 {
		p.Fatalf("%s: check: %v, %q", proc.name, err, r.Errors)
	}
}

// settle brings both to the same position and compares everything with the model, before and after a last prune and a rebuild.
func (p *pruneModel) settle() {
	p.Helper()
	for _, proc := range p.procs {
		p.crash(proc)
	}
	for round := range 3 {
		for _, proc := range p.procs {
			if err := proc.catchUpAlone(p.Context()); err != nil {
				p.Fatal(err)
			}
			p.wantAll(proc)
			switch round {
			case 0:
				for range 3 { // lists may be of before
					if _, err := proc.Prune(p.Context(), PruneOptions{MaxGarbage: 1e-9}); err != nil {
						p.Fatal(err)
					}
				}
			case 1:
				p.wantFolded(proc)
				proc.rebuild(p.T)
			}
		}
	}
}

func (p *pruneModel) wantAll(proc *pruneProcess) {
	p.Helper()
	for name, n := range p.want {
		v, err := proc.Version(p.Context(), name.mailbox, proc.ids.item(name.mailbox, name.item), name.from)
		if err != nil || !bytes.Equal(proc.read(p.T, v), blobOf(n)) {
			p.Fatalf("%s: %v: %v, or other bytes", proc.name, name, err)
		}
	}
	for name, surely := range p.forgotten {
		if !surely {
			continue
		}
		if _, err := proc.Version(p.Context(), name.mailbox, proc.ids.item(name.mailbox, name.item), name.from); !errors.Is(err, ErrNotFound) {
			p.Fatalf("%s: %v was forgotten and is there: %v", proc.name, name, err)
		}
	}
	p.wantSound(proc)
}
