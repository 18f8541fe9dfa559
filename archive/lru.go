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

// bytes is how many are kept.
func (c *lru[K, V]) bytes() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.size
}

// put keeps a value of so many bytes, and forgets what was not used for longest. The newest stays, whatever its size.
func (c *lru[K, V]) put(key K, value V, size int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.index[key] != nil {
		return
	}
	c.index[key] = c.order.PushFront(&cached[K, V]{key, value, size})
	c.size += size
	c.shed()
}

// shrink lowers the limit.
func (c *lru[K, V]) shrink(limit int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.limit = min(c.limit, limit)
	c.shed()
}

// shed needs mu.
func (c *lru[K, V]) shed() {
	for c.size > c.limit && c.order.Len() > 1 {
		old := c.order.Remove(c.order.Back()).(*cached[K, V])
		delete(c.index, old.key)
		c.size -= old.size
	}
}
