package archive

import (
	"container/list"
	"sync"
)

// lru keeps what was used last, up to a number of bytes. It is for concurrent use.
type lru[K comparable, V any] struct {
	mu    sync.Mutex // guards the rest
	limit int
	size  int
	turn  uint64     // how often something was taken out because it holds no more
	spilt bool       // something had to go for want of room
	order *list.List // of *cached, newest first
	index map[K]*list.Element
}

type cached[K comparable, V any] struct {
	key   K
	value V
	size  int
}

func newLRU[K comparable, V any](limit int) *lru[K, V] {
	return &lru[K, V]{limit: limit, order: list.New(), index: map[K]*list.Element{}}
}

func (c *lru[K, V]) get(key K) (value V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.index[key]
	if e == nil {
		return value, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*cached[K, V]).value, true
}

// roomy tells that nothing had to go so far.
func (c *lru[K, V]) roomy() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.spilt
}

// clear forgets everything.
func (c *lru[K, V]) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.order.Init()
	clear(c.index)
	c.size = 0
	c.turn++
}

// replace keeps a value in place of what was there.
func (c *lru[K, V]) replace(key K, value V, size int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn++
	if e := c.index[key]; e != nil {
		delete(c.index, key)
		c.size -= c.order.Remove(e).(*cached[K, V]).size
	}
	c.keep(key, value, size)
}

// now is for putSince: it is asked before the value is looked up.
func (c *lru[K, V]) now() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.turn
}

// put keeps a value of so many bytes, and forgets what was not used for longest. The newest stays, whatever its size.
func (c *lru[K, V]) put(key K, value V, size int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keep(key, value, size)
}

// putSince is put, unless clear or replace was called since: the value may be of before.
func (c *lru[K, V]) putSince(turn uint64, key K, value V, size int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if turn == c.turn {
		c.keep(key, value, size)
	}
}

// keep needs mu.
func (c *lru[K, V]) keep(key K, value V, size int) {
	if c.index[key] != nil {
		return
	}
	c.index[key] = c.order.PushFront(&cached[K, V]{key, value, size})
	c.size += size
	for c.size > c.limit && c.order.Len() > 1 {
		old := c.order.Remove(c.order.Back()).(*cached[K, V])
		delete(c.index, old.key)
		c.size -= old.size
		c.spilt = true
	}
}
