package archive

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"mailbrick/archive/blob"
	"mailbrick/archive/blob/blobtest"
	"mailbrick/archive/journal"
	"mailbrick/archive/pack"
	"mailbrick/archive/seal"
)

// sealedWorld is an encrypted archive, open.
func sealedWorld(t *testing.T) (*world, Options) {
	t.Helper()
	m, o := sealedArchive(t)
	w := worldOf(m, m, vfs.NewCrashableMem())
	w.opts.Passphrase, w.opts.Clock = o.Passphrase, o.Clock
	w.open(t)
	return w, o
}

// generations are those that packs and records say they are sealed under, in order of name.
func generations(t *testing.T, w *world) (packs map[uint32]int, records string) {
	t.Helper()
	packs = map[uint32]int{}
	for _, name := range w.memory.Names() {
		if n, ok := pack.ParseObject(name); ok {
			table, err := w.packs.Table(t.Context(), n)
			wantErr(t, "table", err, nil)
			packs[table.Generation]++
		}
		if strings.HasPrefix(name, "journal/") {
			records += fmt.Sprint(w.memory.Bytes(name)[8])
		}
	}
	return packs, records
}

// TestRotateWhileWriting: a process that has the archive open takes up the generation that another one made; what was stored
// before and after is read, and by nobody who was removed before.
func TestRotateWhileWriting(t *testing.T) {
	t.Parallel()
	w, byPassword := sealedWorld(t)
	to, byHost := host(t, w.memory)
	k := openKeys(t, byPassword)
	added, err := k.Add(t.Context(), to, "server")
	wantErr(t, "add", err, nil)
	kept := map[string][]byte{}
	for _, name := range keyFiles(w.memory) {
		kept[name] = w.memory.Bytes(name)
	}
	w.run(t, "a", func(s *Session) { w.add(t, s, "1", 2) })
	wantErr(t, "remove", k.Remove(t.Context(), added.ID), nil)
	second, err := k.Rotate(t.Context())
	wantErr(t, "rotate", err, nil)
	last := w.run(t, "a", func(s *Session) { w.add(t, s, "2", 3) })
	if second != 2 || w.Head() != 6 { // add, begin, commit, remove, rotate, commit
		t.Fatalf("generation %d, %d records", second, w.Head())
	}
	packs, records := generations(t, w)
	if records != "111112" || packs[1] != 1 || packs[2] != 1 {
		t.Errorf("packs under %v, records under %s", packs, records)
	}
	before := w.listed(t, last)
	for _, reopen := range []func(testing.TB){w.reopen, w.rebuild} {
		reopen(t)
		w.wantSound(t)
		if got := w.listed(t, last); got != before {
			t.Errorf("read as\n%s, was\n%s", got, before)
		}
	}
	w.close(t)
	for name, data := range kept {
		if strings.Contains(name, added.ID) {
			w.memory.Put(name, data)
		}
	}
	wantOpens(t, "a file that was kept", byHost, ErrWrongKey)
	holders, err := openKeys(t, byPassword).Holders(t.Context())
	wantErr(t, "list", err, nil)
	for _, h := range holders {
		if (h.ID == added.ID) != (h.Err != nil) {
			t.Errorf("%+v", h)
		}
	}
}

// TestPlantedGeneration: who knows the root key and what a holder's file is made for can make one with a generation of his own;
// nothing is sealed under it, and it keeps nobody from opening.
func TestPlantedGeneration(t *testing.T) {
	t.Parallel()
	w, byPassword := sealedWorld(t)
	to, byHost := host(t, w.memory)
	k := openKeys(t, byPassword)
	wantErr(t, "add", third(k.Add(t.Context(), to, "server")), nil)
	first := k.ring()
	if n, err := k.Rotate(t.Context()); n != 2 || err != nil {
		t.Fatalf("generation %d, %v", n, err)
	}
	mine, err := first.Rotate(9, rand.Reader)
	wantErr(t, "my generation", err, nil)
	f, err := seal.NewFile(mine, to, "server", byHost.Clock(), rand.Reader)
	wantErr(t, "file", err, nil)
	w.memory.Put(nameOf(f).object(), f.Bytes())
	w.close(t)
	w.opts.Passphrase, w.opts.Identities = "", byHost.Identities
	wantErr(t, "forget the catalog", w.fs.RemoveAll("catalog"), nil)
	w.open(t)
	w.run(t, "a", func(s *Session) { w.add(t, s, "1", 2) })
	if packs, records := generations(t, w); packs[2] != 1 || len(packs) != 1 || records != "1122" {
		t.Errorf("packs under %v, records under %s", packs, records)
	}
	w.close(t)
}

// TestLeftByAnotherRotation: files of a rotation that lost against another one are newer than what is in use and know nothing of
// it.
func TestLeftByAnotherRotation(t *testing.T) {
	t.Parallel()
	m, byPassword := sealedArchive(t)
	to, byHost := host(t, m)
	k := openKeys(t, byPassword)
	wantErr(t, "add", third(k.Add(t.Context(), to, "server")), nil)
	held, err := k.holderFiles(t.Context())
	wantErr(t, "files", err, nil)
	losing, err := k.ring().Rotate(3, rand.Reader)
	wantErr(t, "generation 3", err, nil)
	left, err := k.renewed(held, losing)
	wantErr(t, "renew", err, nil)
	if n, err := k.Rotate(t.Context()); n != 2 || err != nil {
		t.Fatalf("generation %d, %v", n, err)
	}
	for _, f := range left {
		m.Put(nameOf(f).object(), f.Bytes())
	}
	for what, o := range map[string]Options{"password": byPassword, "host": byHost} {
		wantOpens(t, what, o, nil)
		holders, err := openKeys(t, o).Holders(t.Context())
		if len(holders) != 2 || holders[0].Err != nil || holders[1].Err != nil || err != nil {
			t.Errorf("%s: %+v, %v", what, holders, err)
		}
	}
	if n, err := openKeys(t, byHost).Rotate(t.Context()); n != 4 || err != nil {
		t.Errorf("generation %d, %v", n, err)
	}
	if got := keyFiles(m); len(got) != 4 {
		t.Errorf("left %q", got)
	}
	wantOpens(t, "at last", byPassword, nil)
}

// meanwhile is a bucket in which something happens just before the first key file is made or taken away.
type meanwhile struct {
	blob.Bucket
	do *func()
}

func (m meanwhile) happen(name string) {
	if strings.HasPrefix(name, keyPrefix) && *m.do != nil {
		do := *m.do
		*m.do = nil
		do()
	}
}

func (m meanwhile) Create(ctx context.Context, name string) (blob.Writer, error) {
	m.happen(name)
	return m.Bucket.Create(ctx, name)
}

// TestKeysChangedMeanwhile: of two who change the keys at once one gives up, and leaves nothing.
func TestKeysChangedMeanwhile(t *testing.T) {
	t.Parallel()
	changes := map[string]func(k *Keys) error{
		"rotate": func(k *Keys) error { _, err := k.Rotate(t.Context()); return err },
		"add":    func(k *Keys) error { to, _ := host(t, nil); return third(k.Add(t.Context(), to, "somebody")) },
	}
	for first := range changes {
		for second := range changes {
			m, o := sealedArchive(t)
			one := openKeys(t, o)
			before := ""
			do := func() {
				wantErr(t, first, changes[first](one), nil)
				before = strings.Join(m.Names(), " ")
			}
			o.Bucket = meanwhile{m, &do}
			want := ErrKeysChanged
			if first == "rotate" && second == "rotate" {
				want = blob.ErrExist // both make generation 2
			}
			wantErr(t, second+" while another does "+first, changes[second](openKeys(t, o)), want)
			if after := strings.Join(m.Names(), " "); after != before {
				t.Errorf("%s while another does %s left %s, there was %s", second, first, after, before)
			}
			wantOpens(t, "after both", o, nil)
			wantErr(t, second+" again", changes[second](openKeys(t, o)), nil)
			wantOpens(t, "after all", o, nil)
		}
	}
}

// TestAddIsCompletedTwice: adding a holder was broken off, and two end it at the same time. One does, and the holder keeps his file.
func TestAddIsCompletedTwice(t *testing.T) {
	t.Parallel()
	m, o := sealedArchive(t)
	to, byHost := host(t, m)
	k := openKeys(t, o)
	f, err := seal.NewFile(k.ring(), to, "server", o.Clock(), rand.Reader)
	wantErr(t, "make a file", err, nil)
	wantErr(t, "put half of it", blob.Put(t.Context(), m, nameOf(f).object(), f.Bytes()), nil)
	do := func() { wantErr(t, "first", third(k.Add(t.Context(), to, "server")), nil) }
	o.Bucket = meanwhile{m, &do}
	wantErr(t, "second", third(openKeys(t, o).Add(t.Context(), to, "server")), ErrKeysChanged)
	wantOpens(t, "as the holder", byHost, nil)
	wantErr(t, "once more", third(openKeys(t, o).Add(t.Context(), to, "server")), ErrExists)
}

// TestBehindRotations: a process that has the archive open for long and finds that the key was rotated meanwhile, once or twice, and
// what others wrote since, goes on.
func TestBehindRotations(t *testing.T) {
	t.Parallel()
	for rotations := range 3 {
		w, o := sealedWorld(t)
		other := worldOf(w.memory, w.memory, vfs.NewCrashableMem())
		other.opts.Passphrase, other.opts.Clock = o.Passphrase, o.Clock
		other.open(t)
		k := openKeys(t, o)
		for range rotations {
			_, err := k.Rotate(t.Context())
			wantErr(t, "rotate", err, nil)
		}
		want := other.listed(t, other.run(t, "b", func(s *Session) { other.copies(t, s, "1", 2) }))
		w.run(t, "a", func(s *Session) { w.copies(t, s, "1", 2) })
		snap, err := w.Latest("b")
		wantErr(t, "latest", err, nil)
		if got := w.listed(t, snap); got != want {
			t.Errorf("%d rotations: read as\n%s, want\n%s", rotations, got, want)
		}
		w.wantSound(t)
	}
}

// TestRotatedOutOfReach: a machine that is two rotations behind and cannot list the keys does not say that they are missing.
func TestRotatedOutOfReach(t *testing.T) {
	t.Parallel()
	for nth, failed := 1, true; failed; nth++ {
		w, byPassword := sealedWorld(t)
		faulty := blobtest.NewFaulty(w.memory)
		w.opts.Bucket = faulty
		w.reopen(t)
		for range 2 {
			_, err := openKeys(t, byPassword).Rotate(t.Context())
			wantErr(t, "rotate", err, nil)
		}
		faulty.Reset()
		faulty.Order(blobtest.Fault{Op: blobtest.List, Nth: nth})
		err := w.catchUpAlone(t.Context())
		if failed = faulty.Calls(blobtest.List) >= nth; failed && (!errors.Is(err, blobtest.ErrInjected) || errors.Is(err, ErrDamaged)) || !failed && err != nil {
			t.Errorf("list %d fails: %v", nth, err)
		}
		faulty.Reset()
		wantErr(t, "catch up again", w.catchUpAlone(t.Context()), nil)
		w.close(t)
	}
}

// TestOpenKeysAmidFold: other machines commit, rotate the key and prune at any moment of opening the keys.
func TestOpenKeysAmidFold(t *testing.T) {
	t.Parallel()
	for n, amid := 1, true; amid; n++ {
		w, byPassword := sealedWorld(t)
		w.short(0)
		w.reopen(t)
		for i := range 3 {
			w.run(t, "a", func(s *Session) { w.add(t, s, fmt.Sprint(i), i+2) })
		}
		faulty := blobtest.NewFaulty(w.memory)
		faulty.Order(blobtest.Fault{Nth: n, Kind: blobtest.Slow})
		amid = false
		faulty.Slow = func(blobtest.Op, string) {
			amid = true
			w.run(t, "a", func(s *Session) { w.add(t, s, "before", 9) })
			_, err := openKeys(t, byPassword).Rotate(t.Context())
			wantErr(t, "rotate", err, nil)
			w.run(t, "a", func(s *Session) { w.add(t, s, "after", 10) })
			w.forgetAll(t, "a")
			w.prune(t, PruneOptions{MaxGarbage: 1e-9})
		}
		o := byPassword
		o.Bucket, o.folds = faulty, w.opts.folds
		k, err := OpenKeys(t.Context(), o)
		if err != nil {
			t.Fatalf("pruned before call %d: %v", n, err)
		}
		if list, err := k.Holders(t.Context()); err != nil || len(list) != 1 || list[0].Err != nil {
			t.Fatalf("pruned before call %d: %+v, %v", n, list, err)
		}
		if _, err := k.Rotate(t.Context()); err != nil && !(amid && errors.Is(err, ErrKeysChanged)) {
			t.Fatalf("pruned before call %d: rotate: %v", n, err)
		}
	}
}

// TestRotationOfWhichTheAnswerIsLost: the record of a rotation is there, its answer lost, and what is there reads damaged for a moment.
// Nobody loses the key that it names.
func TestRotationOfWhichTheAnswerIsLost(t *testing.T) {
	t.Parallel()
	m, o := sealedArchive(t)
	faulty := blobtest.NewFaulty(m)
	breaking := o
	breaking.Bucket = faulty
	k := openKeys(t, breaking)
	faulty.Reset()
	faulty.Order(blobtest.Fault{Op: blobtest.Commit, Name: journal.Prefix, Nth: 1, Kind: blobtest.LostAnswer},
		blobtest.Fault{Op: blobtest.Read, Name: journal.Prefix, Nth: 1, Kind: blobtest.Corrupt})
	if _, err := k.Rotate(t.Context()); err == nil {
		t.Fatal("nothing was lost: the test tests nothing")
	}
	wantOpens(t, "afterwards", o, nil)
	if n, err := openKeys(t, o).Rotate(t.Context()); n != 3 || err != nil {
		t.Errorf("generation %d, %v", n, err)
	}
	wantOpens(t, "after the next", o, nil)
}
