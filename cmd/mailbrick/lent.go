package main

import (
	"context"
	"errors"
	"sync"

	"mailbrick/archive"
	"mailbrick/index"
)

// lent is an open archive on which verbs work inside of `watch`.
type lent struct {
	a     *archive.Archive
	meter *meter
	index *lentIndex
}

const lentKey = "lent" // of the app's metadata

// lentIndex is the index that `watch` keeps open once somebody needed it.
type lentIndex struct {
	a   *archive.Archive
	dir string

	mu sync.RWMutex // guards x; held for writing while the index follows, for reading while somebody searches
	x  *index.Index
}

// with brings the index up to the archive's head and does the work; others search at the same time.
func (l *lentIndex) with(ctx context.Context, o *common, work func(x *index.Index) error) error {
	if err := l.follow(ctx, o); err != nil || work == nil {
		return err
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.x == nil {
		return errors.New("the index is being closed")
	}
	return work(l.x)
}

func (l *lentIndex) follow(ctx context.Context, o *common) (err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	defer unlimited()()
	if l.x == nil {
		if l.x, err = openIndex(l.dir); err != nil {
			return err
		}
	}
	return o.follow(ctx, l.a, l.x)
}

// stats tells the size of the index and how many records it is behind.
func (l *lentIndex) stats() (size int64, behind uint64, err error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.x == nil {
		return 0, l.a.Head(), nil
	}
	if size, err = l.x.Size(); err != nil {
		return 0, 0, err
	}
	behind, err = l.x.Behind(l.a.Head())
	return size, behind, err
}

func (l *lentIndex) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.x == nil {
		return nil
	}
	x := l.x
	l.x = nil
	return x.Close()
}
