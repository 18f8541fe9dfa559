package exchangetest

import (
	"container/list"
	"sync"
)

// streamCache keeps the streams that were made last, up to a number of bytes.
type streamCache struct {
	limit int64

	mu    sync.Mutex // guards all below
	held  int64
	order list.List // of cached, the last used in front
	byKey map[*fileSource]*list.Element
}

type cached struct {
	key  *fileSource
	data []byte
}

func newStreamCache(limit int64) *streamCache {
	return &streamCache{limit: limit, byKey: map[*fileSource]*list.Element{}}
}

// get gives the stream of key, made by build when it is not there. Nobody may change it.
func (c *streamCache) get(key *fileSource, build func() ([]byte, error)) ([]byte, error) {
	if data, ok := c.find(key); ok {
		return data, nil
	}
	data, err := build()
	if err == nil {
		c.put(key, data)
	}
	return data, err
}

func (c *streamCache) find(key *fileSource) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.byKey[key]
	if e == nil {
		return nil, false
	}
	c.order.MoveToFront(e)
	return e.Value.(cached).data, true
}

func (c *streamCache) put(key *fileSource, data []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byKey[key] != nil || int64(len(data)) > c.limit {
		return
	}
	c.byKey[key] = c.order.PushFront(cached{key, data})
	c.held += int64(len(data))
	for c.held > c.limit {
		last := c.order.Back()
		old := c.order.Remove(last).(cached)
		delete(c.byKey, old.key)
		c.held -= int64(len(old.data))
	}
}
