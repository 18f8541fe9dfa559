package archive

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"mailbrick/archive/blob/blobtest"
)

// storeOp is something that a machine does; its numbers say with what, in any state. At one of its calls the bucket fails, or others do
// something.
type storeOp struct {
	Machine int
	Do      string
	A, B, C int
	At      blobtest.Fault
	Amid    []storeOp
	Cancel  bool // at that call nobody wants it any more
}

func opsText(ops []storeOp) string {
	var b strings.Builder
	for _, op := range ops {
		fmt.Fprintf(&b, "\n%+v", op)
	}
	return b.String()
}

// often is how often each operation is rolled.
var often = map[string]int{"put": 34, "remove": 4, "amend": 4, "folder": 3, "land": 6, "commit": 14, "close": 2, "kill": 2, "restart": 2,
	"rebuild": 1, "forget": 8, "hold": 3, "release": 2, "refresh": 1, "prune": 8, "read": 4, "rotate": 2, "spoil": 1, "mend": 2, "check": 2,
	"compare": 1, "clock": 1, "catch up": 2}

// amid are the operations that are done in the midst of another machine's.
var amid = []string{"put", "put", "put", "remove", "amend", "land", "commit", "commit", "forget", "hold", "release", "prune", "prune", "read", "rotate", "kill", "catch up"}

// cancelled are the operations that may be broken off.
var cancelled = []string{"put", "remove", "amend", "folder", "land", "commit", "forget", "hold", "release", "refresh", "prune", "catch up"}

func rollOps(seed uint64, count int) (ops []storeOp) {
	r := rand.New(rand.NewPCG(seed, 77))
	var message int
	var all []string
	for _, name := range slices.Sorted(maps.Keys(often)) {
		all = append(all, slices.Repeat([]string{name}, often[name])...)
	}
	if seed%2 == 0 { // long sessions
		all = append(all, slices.Repeat([]string{"put"}, often["put"])...)
	}
	roll := func(names []string) storeOp {
		machine := []int{0, 0, 0, 0, 1, 1, 1, 1, 2}[r.IntN(9)] // the last stays behind
		op := storeOp{Machine: machine, Do: names[r.IntN(len(names))], A: r.IntN(1 << 16), B: r.IntN(1 << 16), C: r.IntN(1 << 16)}
		if op.Do == "put" && r.IntN(5) > 0 { // a message of these days, of which everybody has a copy
			op.C = message + 8*r.IntN(10)
		}
		return op
	}
	for n := range count {
		if n%30 == 0 {
			message = r.IntN(7)
		}
		op := roll(all)
		if r.IntN(3) == 0 && op.Do != "compare" {
			op.At = rollFault(r, op.Do)
			for range r.IntN(5) {
				other := roll(amid)
				mine := other.Machine == op.Machine
				if op.At.Kind == blobtest.Slow && (!mine || op.Do == "prune" && slices.Contains([]string{"put", "amend", "land", "commit", "forget", "catch up"}, other.Do)) {
					op.Amid = append(op.Amid, other)
				}
			}
			op.Cancel = op.At.Kind == blobtest.Slow && slices.Contains(cancelled, op.Do) && r.IntN(4) == 0
		}
		ops = append(ops, op)
	}
	return ops
}

// amidProgress is where a prune tells how far it is: between calls of the bucket others go on as well.
const amidProgress blobtest.Op = "amidProgress"

func rollFault(r *rand.Rand, do string) blobtest.Fault {
	calls := []blobtest.Fault{{Op: blobtest.Commit, Name: "packs/"}, {Op: blobtest.Commit, Name: "journal/"}, {Op: blobtest.Create, Name: "journal/"},
		{Op: blobtest.Open, Name: "journal/"}, {Op: blobtest.Open, Name: "packs/"}}
	if do == "prune" {
		calls = append(calls, blobtest.Fault{Op: blobtest.List}, blobtest.Fault{Op: blobtest.Remove}, blobtest.Fault{Op: blobtest.Remove, Name: "journal/"},
			blobtest.Fault{Op: amidProgress}, blobtest.Fault{Op: amidProgress})
	}
	at := calls[r.IntN(len(calls))]
	at.Nth = 1 + r.IntN(4)
	if at.Op == blobtest.Open || at.Op == amidProgress {
		at.Nth += r.IntN(12)
	}
	kinds := []blobtest.Kind{blobtest.Slow, blobtest.Slow, blobtest.Slow, blobtest.Error, blobtest.LostAnswer, blobtest.Dead, blobtest.Full}
	if at.Kind = kinds[r.IntN(len(kinds))]; do == "read" || do == "check" || do == "mend" || at.Op == amidProgress {
		at.Kind = blobtest.Slow
	}
	return at
}

// shrinkOps drops what is not needed for a failure.
func shrinkOps(ops []storeOp, fails func([]storeOp) bool) []storeOp {
	tries := 600
	try := func(list []storeOp) bool {
		if tries--; tries < 0 || !fails(list) {
			return false
		}
		ops = list
		return true
	}
	for size := max(1, len(ops)/2); size > 0; size /= 2 {
		for i := 0; i+size <= len(ops); {
			if !try(slices.Delete(slices.Clone(ops), i, i+size)) {
				i += size
			}
		}
	}
	for i := range ops {
		for k := 0; k < len(ops[i].Amid); {
			less := slices.Clone(ops)
			less[i].Amid = slices.Delete(slices.Clone(less[i].Amid), k, k+1)
			if !try(less) {
				k++
			}
		}
		plain := slices.Clone(ops)
		if plain[i].At, plain[i].Amid = (blobtest.Fault{}), nil; ops[i].At.Op != "" {
			try(plain)
		}
	}
	return ops
}

// do does an operation. A machine whose call failed is started again.
func (w *storeMachine) do(op *storeOp) {
	if op.At.Op != "" {
		ctx, cancel := context.WithCancel(w.ctx)
		defer cancel()
		w.ctx = ctx
		w.faulty.Slow = func(blobtest.Op, string) {
			w.others(op.Amid)
			if op.Cancel {
				cancel()
			}
		}
		w.faulty.Order(op.At)
	}
	err := w.doing(op)
	w.faulty.Reset()
	w.ctx = w.storeModel.ctx
	if w.amid != nil {
		panic(w.amid)
	}
	if own := w.own; own != nil {
		w.own = nil
		err = own
	}
	if err == nil || op.Cancel && errors.Is(err, context.Canceled) {
		return // what was broken off goes on as it likes
	}
	if !w.allowed(err) || op.At.Op == "" && !errors.Is(err, ErrPruned) && !errors.Is(err, ErrConflict) {
		failf("machine %d: %s: %v", w.number, op.Do, err)
	}
	w.crash()
}

// others let the other machines do something; it may be on any goroutine of this one.
func (w *storeMachine) others(ops []storeOp) {
	defer func() {
		if r := recover(); r != nil {
			w.amid = r
		}
	}()
	for i := range ops {
		if m := w.machines[ops[i].Machine]; m != w {
			m.do(&ops[i])
		} else if w.own == nil && w.group.mu.TryLock() { // else nothing of this process can go on
			w.group.mu.Unlock()
			w.own = w.doing(&ops[i])
		}
	}
}

func (w *storeMachine) doing(op *storeOp) error {
	switch op.Do {
	case "put", "remove", "amend", "folder", "land", "commit", "close":
		return w.write(op)
	case "kill":
		w.crash()
	case "restart", "rebuild":
		w.restart(op.Do == "rebuild")
	case "forget":
		return w.forget(op)
	case "hold", "release", "refresh":
		return w.hold(op)
	case "prune":
		return w.prune(op)
	case "read":
		names := w.names()
		for n := range min(8, len(names)) {
			name := names[(op.A+n)%len(names)]
			w.wantVersion(name, w.versions[name], true)
		}
	case "rotate":
		return w.rotate()
	case "spoil":
		w.spoil(op)
	case "mend":
		w.mend()
	case "clock":
		w.ahead = time.Duration(op.A%20) * time.Hour
	case "catch up":
		return w.catchUpAlone(w.ctx)
	case "check":
		w.wantSound()
	case "compare":
		w.wantAll()
		w.wantCatalogs()
	}
	return nil
}

// write is what a session does. A new one begins as a process does that was just started, or that has the archive open for long.
func (w *storeMachine) write(op *storeOp) error {
	if w.session == nil {
		if op.A%3 > 0 {
			if err := w.catchUpAlone(w.ctx); err != nil {
				return err
			}
		}
		if err := w.begin(w.boxes[op.A/3%storeBoxes]); err != nil {
			return err
		}
	}
	item := fmt.Sprint("i", op.B%storeItems)
	switch op.Do {
	case "put":
		return w.put(item, op.C%storeContents, fmt.Sprint("f", op.C/storeContents%2))
	case "remove":
		if err := w.session.Remove(item); err != nil {
			return err
		}
		delete(w.live, item)
	case "amend":
		return w.amend(item)
	case "folder":
		return w.folder(op)
	case "land":
		w.group.mu.Lock()
		defer w.group.mu.Unlock()
		return w.group.land(w.ctx)
	case "commit":
		if err := w.commit(); err != nil || op.A%2 == 0 {
			return err
		}
		return w.closeSession()
	case "close":
		return w.closeSession()
	}
	return nil
}

func (w *storeMachine) closeSession() error {
	s := w.session
	w.session = nil
	return s.Close(w.ctx)
}

// amend adds a version that shares its blob with the one before, which another machine may have put since the session began: then this
// one's cannot land.
func (w *storeMachine) amend(item string) error {
	was, _, ok, err := w.session.Known(item)
	if err != nil {
		return err
	}
	key := fmt.Sprint("k", len(w.puts))
	put := w.puts[was]
	put.summary += "!"
	w.puts[key] = put
	err = w.session.Amend(item, key, func(b []byte) ([]byte, error) { return append(b, '!'), nil })
	if errors.Is(err, ErrNotFound) != !ok {
		failf("machine %d: %s of %s is known: %v, but to amend it: %v", w.number, item, w.box.name, ok, err)
	}
	if err == nil {
		w.live[item] = key
	}
	if !ok {
		return nil
	}
	return err
}

// folder adds a folder, names it anew, or removes it with all items in it.
func (w *storeMachine) folder(op *storeOp) error {
	id := fmt.Sprint("f", op.B%2)
	if op.C%4 > 0 {
		w.folders[id] = fmt.Sprint("folder ", op.C%3)
		return w.session.PutFolder(Folder{ID: id, Name: w.folders[id]})
	}
	if err := w.session.RemoveFolders(w.ctx, id); err != nil {
		return err
	}
	delete(w.folders, id)
	maps.DeleteFunc(w.live, func(_, key string) bool { return w.puts[key].folder == id })
	return nil
}

// forget forgets versions or snapshots: some of any, those that the mailbox holds included; or all that it does not hold any more.
func (w *storeMachine) forget(op *storeOp) error {
	box, r := w.boxes[op.A%storeBoxes], rand.New(rand.NewPCG(uint64(op.C), 5))
	behind := w.Head() < w.trueHead() || op.At.Op != ""
	f := Forget{Reason: "policy", Living: op.B%4 < 2}
	var names []versionName
	var snaps []*storeSnap
	if len(box.snaps) > 0 {
		names, snaps = w.forgettable(box, op.B%4, r)
	}
	before := map[versionName]*storeHold{}
	for _, name := range names {
		before[name] = w.heldBy(name)
		w.versions[name].doubt = true
		f.Versions = append(f.Versions, VersionRef{box.name, w.ids.item(box.name, name.item), name.from})
	}
	for _, s := range snaps {
		s.doubt = true
		f.Snapshots = append(f.Snapshots, SnapshotRef{box.name, s.Ordinal})
	}
	_, err := w.Forget(w.ctx, f)
	w.ctx = w.storeModel.ctx
	refused := errors.Is(err, ErrHeld) || errors.Is(err, ErrAlive) || errors.Is(err, ErrNotFound)
	if err != nil && !refused {
		w.unsure(err)
	}
	for _, name := range names {
		v := w.versions[name]
		v.doubt, v.gone = false, err == nil
		if err != nil && !refused {
			_, err := w.Version(w.ctx, box.name, w.ids.item(box.name, name.item), name.from)
			v.gone = errors.Is(err, ErrNotFound)
		}
		if h := w.heldBy(name); v.gone && h != nil && h == before[name] {
			failf("machine %d: %+v was forgotten though %s held it", w.number, name, h.Name)
		}
	}
	for _, s := range snaps {
		s.doubt, s.gone = false, err == nil
		if err != nil && !refused {
			s.gone = !slices.Contains(w.offered(box), s.Ordinal)
		}
	}
	if !refused {
		return err
	}
	if errors.Is(err, ErrNotFound) && !behind || errors.Is(err, ErrAlive) && f.Living || errors.Is(err, ErrHeld) && len(w.storeModel.holds) == 0 && !behind {
		failf("machine %d: forget %+v: %v", w.number, names, err)
	}
	return nil
}

// unsure is when something failed that may have happened: the journal knows.
func (w *storeMachine) unsure(err error) {
	if !errors.Is(err, context.Canceled) {
		w.crash()
		return
	}
	must(w.catchUpAlone(w.ctx))
}

func (w *storeMachine) offered(box *storeBox) (list []uint32) {
	for s, err := range w.Snapshots(w.ctx, box.name) {
		must(err)
		list = append(list, s.Ordinal)
	}
	return list
}

func (m *storeModel) forgettable(box *storeBox, how int, r *rand.Rand) (names []versionName, snaps []*storeSnap) {
	last := box.snaps[len(box.snaps)-1]
	for _, name := range m.names() {
		if v := m.versions[name]; name.box != box.number || v.gone || v.doubt {
			continue
		}
		if how == 0 && r.IntN(2) == 0 || how == 1 && r.IntN(8) == 0 || how == 2 && last.items[name.item] != name {
			names = append(names, name)
		}
	}
	for _, s := range box.snaps[:len(box.snaps)-1] {
		if how == 3 && !s.gone && !s.doubt && r.IntN(2) == 0 {
			snaps = append(snaps, s)
		}
	}
	return names, snaps
}

// hold sets, asks again or releases a hold.
func (w *storeMachine) hold(op *storeOp) error {
	name := fmt.Sprint("h", op.A%3)
	h := w.storeModel.holds[name]
	if h != nil && h.doubt || (h == nil) != (op.Do == "hold") || op.Do == "refresh" && h.Query == "" {
		return nil
	}
	items := map[HeldItem]bool{}
	r := rand.New(rand.NewPCG(uint64(op.C), 6))
	for _, of := range w.names() {
		if v := w.versions[of]; op.B%3 != 1 && !v.gone && !v.doubt && r.IntN(6) == 0 {
			box := w.boxes[of.box].name
			items[HeldItem{box, w.ids.item(box, of.item)}] = true
		}
	}
	each := func(yield func(HeldItem, error) bool) {
		for it := range items {
			if !yield(it, nil) {
				return
			}
		}
	}
	var err error
	switch op.Do {
	case "hold":
		h = &storeHold{Hold: Hold{Name: name, Reason: "case"}}
		if h.Position = w.Head(); op.B%3 == 1 || op.B%3 == 2 && op.B/3%2 == 0 {
			h.Mailboxes = []string{w.boxes[op.B/6%storeBoxes].name}
		}
		if op.B%3 == 2 {
			h.Query = "query"
		}
		h.doubt = true
		w.storeModel.holds[name] = h
		err = w.AddHold(w.ctx, h.Hold, each)
	case "release":
		h.doubt = true
		err = w.ReleaseHold(w.ctx, name, "over")
	case "refresh":
		h.doubt = true
		err = w.RefreshHold(w.ctx, name, w.Head(), each)
	}
	w.ctx = w.storeModel.ctx
	if err != nil && !errors.Is(err, ErrNotFound) {
		w.unsure(err)
	}
	w.see(name)
	if errors.Is(err, ErrNotFound) {
		if op.At.Op == "" {
			failf("machine %d: %s %s: %v", w.number, op.Do, name, err)
		}
		return nil
	}
	if _, there := w.storeModel.holds[name]; err == nil && there == (op.Do == "release") {
		failf("machine %d: after %s, hold %s is there: %v", w.number, op.Do, name, there)
	}
	return err
}

// see learns what a hold is from the machine that changed it.
func (w *storeMachine) see(name string) {
	delete(w.storeModel.holds, name)
	h, err := w.Hold(w.ctx, name)
	if err != nil {
		return
	}
	there := &storeHold{Hold: h, items: map[HeldItem]bool{}}
	for it, err := range w.HeldItems(w.ctx, name) {
		must(err)
		there.items[it] = true
	}
	w.storeModel.holds[name] = there
}

func (w *storeMachine) prune(op *storeOp) error {
	calls := 0
	o := PruneOptions{Progress: func(int64, int64, string) {
		if calls++; op.At.Op == amidProgress && calls == op.At.Nth {
			w.faulty.Slow(amidProgress, "")
		}
	}, MaxGarbage: []float64{0.05, 1e-9}[op.A%2], BrokenOff: []time.Duration{time.Hour, time.Nanosecond}[op.B%2]}
	r, err := w.Prune(w.ctx, o)
	w.ctx = w.storeModel.ctx
	if err != nil {
		return err
	}
	w.faulty.Reset()
	if float64(r.Left) > o.MaxGarbage*float64(r.Bytes) && op.At.Op == "" && !w.spoilt {
		failf("machine %d: prune left %+v", w.number, r)
	}
	for _, name := range w.names() {
		w.wantVersion(name, w.versions[name], true)
	}
	return nil
}

func (w *storeMachine) rotate() error {
	if w.host == nil {
		return nil
	}
	keys, err := OpenKeys(w.ctx, Options{Bucket: w.faulty, Identities: w.opts.Identities, Clock: w.opts.Clock, folds: w.opts.folds})
	if err == nil {
		_, err = keys.Rotate(w.ctx)
	}
	if errors.Is(err, ErrKeysChanged) {
		return nil
	}
	return err
}

// spoil damages an object, as much as parity or a copy mends.
func (w *storeMachine) spoil(op *storeOp) {
	if !w.parity || w.spoilt {
		return
	}
	names := w.storeModel.memory.Names()
	name := names[op.A%len(names)]
	data := w.storeModel.memory.Bytes(name)
	data[op.B%len(data)] ^= byte(1 + op.C%255)
	w.storeModel.memory.Put(name, data)
	w.spoilt = true
}

// mend is a repair, by a process of its own.
func (w *storeMachine) mend() {
	o := w.opts
	o.Bucket, o.fs = w.faulty, vfs.NewMem()
	spoilt := w.spoilt
	r, err := Repair(w.ctx, o, nil)
	must(err)
	if r.Beyond() > 0 || len(r.Damaged) > 0 && !spoilt {
		failf("repair: %v", r.Damaged)
	}
	w.spoilt = false
}

// wantCatalogs compares the catalogs of all machines with one that is made anew.
func (m *storeModel) wantCatalogs() {
	o := m.machines[0].opts
	o.Bucket, o.fs = m.memory, vfs.NewMem()
	fresh, err := Open(m.ctx, o)
	must(err)
	want := meaning(fresh)
	must(fresh.Close())
	for _, w := range m.machines {
		must(w.catchUpAlone(m.ctx))
		got := meaning(w.Archive)
		for key, value := range want {
			if got[key] != value {
				failf("machine %d: its catalog has %x: %x, one made anew %x", w.number, key, got[key], value)
			}
			delete(got, key)
		}
		for key, value := range got {
			failf("machine %d: its catalog has %x: %x, one made anew has nothing", w.number, key, value)
		}
	}
}

// meaning is what a catalog says, in whatever way it says it: summaries are stored against the first that came, and a mark may name a
// base that went, where another one becomes the base.
func meaning(a *Archive) map[string]string {
	rows := map[string]string{}
	must(a.cat.scan(context.Background(), nil, func(key, value []byte) error {
		switch key[0] {
		case keySummary, keySimilar:
			return nil
		case keyVersion:
			r, err := a.cat.openRow(key, value)
			if err != nil {
				return err
			}
			v, err := r.version()
			if err != nil {
				return err
			}
			value = v.Append(binary.BigEndian.AppendUint32(nil, r.to))
		}
		rows[string(key)] = string(value)
		return nil
	}))
	return rows
}
