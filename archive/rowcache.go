package archive

import (
	"encoding/binary"
	"sync"
)

// rowCache keeps where chunks lie, of those that were asked for last. Ids are as good as random: the first bytes of one say in which
// set its row is kept. There are no pointers in it, so that it costs the collector nothing. It is for concurrent use.
type rowCache struct {
	mu   sync.Mutex // guards the rest
	turn uint64     // how often something was taken out because it holds no more
	sets [rowSets]rowSet
}

const (
	rowSets   = 1 << 13
	rowsInSet = 8
)

// rowSet has first what was asked for last. No chunk has the zero id.
type rowSet struct {
	ids  [rowsInSet]chunkID
	rows [rowsInSet]chunkRow
}

// place is where a chunk is in the set, -1 if it is not.
func (s *rowSet) place(id chunkID) int {
	for i := range s.ids {
		if s.ids[i] == id {
			return i
		}
	}
	return -1
}

// front moves what has a place to the front. What was in front of it moves back by one.
func (s *rowSet) front(place int, id chunkID, row chunkRow) {
	copy(s.ids[1:place+1], s.ids[:])
	copy(s.rows[1:place+1], s.rows[:])
	s.ids[0], s.rows[0] = id, row
}

// keep needs mu. The row of the set that was asked for longest ago has to go.
func (c *rowCache) keep(id chunkID, row chunkRow) {
	set := c.set(id)
	place := set.place(id)
	if place < 0 {
		place = rowsInSet - 1
	}
	set.front(place, id, row)
}

func (c *rowCache) set(id chunkID) *rowSet { return &c.sets[binary.LittleEndian.Uint32(id[:])%rowSets] }

func (c *rowCache) get(id chunkID) (row chunkRow, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	set := c.set(id)
	place := set.place(id)
	if place < 0 || id == (chunkID{}) {
		return row, false
	}
	if row = set.rows[place]; place > 0 {
		set.front(place, id, row)
	}
	return row, true
}

// now is for putSince: it is asked before the row is looked up.
func (c *rowCache) now() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.turn
}

// putSince keeps a row, unless clear or replace was called since: it may be of before.
func (c *rowCache) putSince(turn uint64, id chunkID, row chunkRow) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if turn == c.turn {
		c.keep(id, row)
	}
}

// replace keeps rows in place of what was there.
func (c *rowCache) replace(rows map[chunkID]chunkRow) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn++
	for id, row := range rows {
		c.keep(id, row)
	}
}

// clear forgets everything.
func (c *rowCache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn++
	clear(c.sets[:])
}
