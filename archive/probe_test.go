package archive

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"mailbrick/archive/wire"
)

// TestRowComparer holds the order against what Pebble asks of one: keys are in order of their names, then of what follows.
func TestRowComparer(t *testing.T) {
	t.Parallel()
	c := rowComparer()
	var keys [][]byte
	for _, space := range []byte{keyChunk, keyVersion, keyFolder, keyCursor} {
		for n := range byte(3) {
			name := rowPrefix(space, uint32(n), [16]byte{n, 0xff})
			keys = append(keys, name, name[:1], name[:5], name[:20], append(bytes.Clone(name), 0), after(name))
			for _, from := range []uint32{0, 1, 2, 1 << 30} {
				keys = append(keys, rowKey(space, uint32(n), [16]byte{n, 0xff}, from))
			}
		}
	}
	for _, k := range keys {
		for _, l := range keys {
			kn, ln := c.Split(k), c.Split(l)
			names, rest := bytes.Compare(k[:kn], l[:ln]), c.ComparePointSuffixes(k[kn:], l[ln:])
			if got := c.Compare(k, l); got != cmp.Or(names, rest) || got == 0 != c.Equal(k, l) {
				t.Errorf("%x and %x: %d, names %d, rest %d", k, l, got, names, rest)
			}
			if x, y := c.AbbreviatedKey(k), c.AbbreviatedKey(l); x != y && x < y != (c.Compare(k, l) < 0) {
				t.Errorf("%x and %x: abbreviated to %x and %x", k, l, x, y)
			}
		}
	}
	if c.Name != pebble.DefaultComparer.Name {
		t.Error("the order has another name: what was made before cannot be opened, and is not told by its version")
	}
	for name, key := range map[string][]byte{"chunk": append([]byte{keyChunk}, make([]byte, 16)...), "cursor": rowPrefix(keyCursor, 1, [16]byte{}),
		"frame": appendUint32(key32(keyFrame, 1), 2), "mailbox's rows": key32(keyVersion, 1), "one letter": {keyVersion}, "held": heldKey(ID{}, "a long name of a hold")} {
		if n := c.Split(key); n != len(key) {
			t.Errorf("%s: %d of %d bytes are the name", name, n, len(key))
		}
	}
	if n := c.Split(rowKey(keyVersion, 1, ID{}, 1)); n != rowNameEnd {
		t.Errorf("of a version's key %d bytes are the name", n)
	}
}

// probed is a catalog without a journal, and what it should hold.
type probed struct {
	*catalog
	truth map[string][]byte
}

func newProbed(t *testing.T) *probed {
	t.Helper()
	c, err := openCatalog(catalogOptions{fs: vfs.NewMem(), dir: "db", random: rand.NewChaCha8([32]byte{}), fatal: func(err error) { panic(err) }})
	wantErr(t, "open", err, nil)
	return &probed{c, map[string][]byte{}}
}

// last is the last row of a name below an ordinal.
func (p *probed) last(name [16]byte, below uint32) (from uint32) {
	for n := below - 1; n > 0; n-- {
		if _, ok := p.truth[string(rowKey(keyVersion, 1, name, n))]; ok {
			return n
		}
	}
	return 0
}

// TestProbes: single rows are found as the catalog is, whatever was asked before, in memory and in files; and as a batch leaves them.
func TestProbes(t *testing.T) {
	t.Parallel()
	p := newProbed(t)
	r := rand.New(rand.NewPCG(3, 4))
	names := make([][16]byte, 50)
	for i := range names {
		binary.LittleEndian.PutUint64(names[i][:], r.Uint64())
	}
	const ordinals = 12
	for range rounds(60, 600) {
		a := &application{catalog: p.catalog, batch: p.db.NewIndexedBatch()}
		for range r.IntN(40) {
			name, at := names[r.IntN(len(names))], 1+r.Uint32N(ordinals)
			key := rowKey(keyVersion, 1, name, at)
			if r.IntN(3) == 0 {
				delete(p.truth, string(key))
				wantErr(t, "delete", a.batch.Delete(key, nil), nil)
			} else {
				p.truth[string(key)] = wire.AppendUvarint(nil, uint64(r.Uint32()))
				wantErr(t, "set", a.set(key, p.truth[string(key)]), nil)
			}
			last, err := a.lastRow(keyVersion, 1, name)
			p.wantRow(t, last, err, name, ordinals+1)
			if last != nil {
				before, err := a.lastRowBefore(last.key)
				p.wantRow(t, before, err, name, last.from)
			}
		}
		wantErr(t, "commit", a.batch.Commit(pebble.NoSync), nil)
		wantErr(t, "renew", p.probes.renew(), nil)
		a.close()
		if r.IntN(6) == 0 {
			wantErr(t, "flush", p.db.Flush(), nil)
		}
		for range 30 {
			name, at := names[r.IntN(len(names))], 1+r.Uint32N(ordinals)
			last, err := p.lastRow(keyVersion, 1, name)
			p.wantRow(t, last, err, name, ordinals+1)
			key := rowKey(keyVersion, 1, name, at)
			value, err := p.get(key)
			if want := p.truth[string(key)]; err != nil || !bytes.Equal(value, want) || (value == nil) != (want == nil) {
				t.Fatalf("%x: %x, want %x: %v", key, value, want, err)
			}
		}
	}
	wantErr(t, "close", p.close(), nil)
}

func (p *probed) wantRow(t *testing.T, got *row, err error, name [16]byte, below uint32) {
	t.Helper()
	wantErr(t, "look up", err, nil)
	want := p.last(name, below)
	switch {
	case got == nil && want == 0:
	case got == nil || got.from != want || !bytes.Equal(got.key, rowKey(keyVersion, 1, name, want)) ||
		!bytes.Equal(wire.AppendUvarint(nil, uint64(got.to)), p.truth[string(got.key)]):
		t.Fatalf("%x below %d: %+v, want that from %d", name, below, got, want)
	}
}

// TestProbesLetGo: what a probe holds of the catalog as it was goes with the next change, and after so many questions.
func TestProbesLetGo(t *testing.T) {
	t.Parallel()
	p := newProbed(t)
	wantErr(t, "set", p.db.Set([]byte("k"), []byte("v"), pebble.NoSync), nil)
	wantErr(t, "flush", p.db.Flush(), nil)
	wantErr(t, "renew", p.probes.renew(), nil)
	held := func() int64 { return p.db.Metrics().TableIters }
	ask := func() {
		if v, err := p.get([]byte("k")); err != nil || string(v) != "v" {
			t.Fatalf("%q, %v", v, err)
		}
	}
	most := int64(0)
	for range probeAsks {
		ask()
		most = max(most, held())
	}
	if most != 1 || held() != 0 {
		t.Errorf("%d were held at most, %d after %d questions", most, held(), probeAsks)
	}
	ask()
	taken, err := p.probes.take(p.db)
	wantErr(t, "take", err, nil)
	ask()
	wantErr(t, "renew", p.probes.renew(), nil)
	wantErr(t, "give back", p.probes.give(taken, nil), nil)
	if held() != 0 || len(p.probes.idle) != 0 {
		t.Errorf("%d are held after a change", held())
	}
	wantErr(t, "close", p.close(), nil)
}

// TestCatalogOfAnotherLayout: one that was made before keys had an ordinal that filters pass over is made anew.
func TestCatalogOfAnotherLayout(t *testing.T) {
	t.Parallel()
	w := smallArchive(t)
	want := w.listed(t, w.snapshots(t, "a")[0])
	o := w.catalogOptions()
	w.close(t)
	wantErr(t, "remove", w.fs.RemoveAll(o.dir), nil)
	fs, err := newSecretFS(o.fs, o.key, o.random)
	wantErr(t, "file system", err, nil)
	db, err := pebble.Open(o.dir, &pebble.Options{FS: fs, FormatMajorVersion: pebble.FormatColumnarBlocks, Logger: &pebbleTalk{fatal: func(err error) { t.Error(err) }}})
	wantErr(t, "open", err, nil)
	wantErr(t, "set", db.Set([]byte{keyMeta, 'v'}, wire.AppendUvarint(nil, 8), pebble.Sync), nil)
	for n := range uint32(2000) {
		wantErr(t, "set", db.Set(rowKey(keyVersion, n%7, ID{byte(n)}, n), []byte("of another layout"), pebble.NoSync), nil)
	}
	wantErr(t, "close", db.Close(), nil)
	w.open(t)
	if got := w.listed(t, w.snapshots(t, "a")[0]); got != want {
		t.Errorf("made anew it lists %s, want %s", got, want)
	}
	w.wantSound(t)
}
