package index

import (
	"encoding/binary"
	"fmt"
	"sync"

	"go.etcd.io/bbolt"
)

// Kinds of names that rows hold as numbers.
const (
	nameMailbox = 'm'
	nameFolder  = 'f'
	nameClass   = 'c'
)

// names gives numbers to the strings that many rows share. They are few and stay in memory.
type names struct {
	mu      sync.RWMutex
	numbers map[string]uint32 // kind and name
	list    []string          // kind and name, by number
}

// load reads all names of the bucket: name -> number.
func (n *names) load(b *bbolt.Bucket) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.numbers = map[string]uint32{}
	err := b.ForEach(func(k, v []byte) error {
		if len(k) == 0 || len(v) != 4 {
			return fmt.Errorf("%w: a name without a number", ErrDamaged)
		}
		n.numbers[string(k)] = binary.BigEndian.Uint32(v)
		return nil
	})
	if err != nil {
		return err
	}
	n.list = make([]string, len(n.numbers))
	for name, i := range n.numbers {
		if int64(i) >= int64(len(n.list)) || n.list[i] != "" {
			return fmt.Errorf("%w: names are not numbered in a row", ErrDamaged)
		}
		n.list[i] = name
	}
	return nil
}

// number finds the number of a name or gives it the next.
func (n *names) number(b *bbolt.Bucket, kind byte, name string) (uint32, error) {
	key := string(kind) + name
	n.mu.Lock()
	defer n.mu.Unlock()
	if i, ok := n.numbers[key]; ok {
		return i, nil
	}
	i := uint32(len(n.list))
	if err := b.Put([]byte(key), binary.BigEndian.AppendUint32(nil, i)); err != nil {
		return 0, err
	}
	n.numbers[key] = i
	n.list = append(n.list, key)
	return i, nil
}

// name gives the string of a number.
func (n *names) name(i uint32) string {
	n.mu.RLock()
	defer n.mu.RUnlock()
	if int64(i) >= int64(len(n.list)) {
		return ""
	}
	return n.list[i][1:]
}

// matching gives the numbers of the names of a kind that match.
func (n *names) matching(kind byte, match func(string) bool) map[uint32]bool {
	n.mu.RLock()
	defer n.mu.RUnlock()
	found := map[uint32]bool{}
	for i, name := range n.list {
		if name[0] == kind && match(name[1:]) {
			found[uint32(i)] = true
		}
	}
	return found
}
