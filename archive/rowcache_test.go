package archive

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// idIn is the n-th id of a set.
func idIn(set, n uint32) (id chunkID) {
	binary.LittleEndian.PutUint32(id[:], set)
	binary.BigEndian.PutUint32(id[4:], n+1)
	return id
}

// TestRowCache: what it gives is what was kept last, whatever was looked up meanwhile.
func TestRowCache(t *testing.T) {
	t.Parallel()
	c, truth := new(rowCache), map[chunkID]chunkRow{}
	r := rand.New(rand.NewPCG(1, 7))
	looked := map[chunkID]struct {
		turn uint64
		row  chunkRow
	}{}
	found := 0
	for n := range uint32(100_000) {
		id := idIn(r.Uint32N(40), r.Uint32N(12))
		switch r.IntN(40) {
		case 0:
			rows := map[chunkID]chunkRow{id: {pack: n}, idIn(7, 7): {pack: n, base: id}}
			for id, row := range rows {
				truth[id] = row
			}
			c.replace(rows)
		case 1:
			if r.IntN(100) == 0 {
				clear(truth)
				c.clear()
			}
		case 2, 3, 4: // look up now,
			l := looked[id]
			l.turn, l.row = c.now(), truth[id]
			looked[id] = l
		case 5, 6, 7: // keep later
			if l, ok := looked[id]; ok && l.row != (chunkRow{}) {
				c.putSince(l.turn, id, l.row)
			}
		default:
			row, ok := c.get(id)
			if ok && row != truth[id] {
				t.Fatalf("step %d: %x is %+v, want %+v", n, id, row, truth[id])
			}
			if ok {
				found++
			}
		}
	}
	if found < 10_000 {
		t.Errorf("found %d", found)
	}
	if _, ok := c.get(chunkID{}); ok {
		t.Error("the zero id has a row")
	}
}

// TestRowCacheKeepsTheLatest: of a set that is full the row goes that was asked for longest ago.
func TestRowCacheKeepsTheLatest(t *testing.T) {
	t.Parallel()
	c := new(rowCache)
	keep := func(n uint32) { c.replace(map[chunkID]chunkRow{idIn(3+rowSets, n): {index: n}}) }
	for n := range uint32(rowsInSet) {
		keep(n)
	}
	if _, ok := c.get(idIn(3+rowSets, 0)); !ok {
		t.Fatal("a set holds less than it should")
	}
	keep(rowsInSet)
	for n := range uint32(rowsInSet + 1) {
		if row, ok := c.get(idIn(3+rowSets, n)); ok != (n != 1) || ok && row.index != n {
			t.Errorf("row %d: %+v, %v", n, row, ok)
		}
	}
}

func BenchmarkRowCache(b *testing.B) {
	c := new(rowCache)
	ids := make([]chunkID, 60_000)
	for i := range ids {
		ids[i] = idIn(rand.Uint32(), uint32(i))
		c.putSince(0, ids[i], chunkRow{pack: 1})
	}
	n := 0
	for b.Loop() {
		c.get(ids[n%len(ids)])
		n++
	}
}
