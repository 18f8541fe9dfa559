package dirtest

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"slices"
)

// Seeds of Crash that are not left to chance.
const (
	SyncedOnly uint64 = 0 // what was not synced is gone
	AllDone    uint64 = 1 // what was done is there
)

// Crash turns the power off and returns what is there when it is back: a file
// system of its own, all of it on the disk. The old one answers ErrCrash.
func (f *FS) Crash(seed uint64) *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := &chance{seed: seed, rand: rand.New(rand.NewPCG(seed, 1)), files: map[*file]*file{}}
	if f.undo != nil && !c.survives() {
		f.undo()
	}
	f.undo = nil
	if f.crashAt == 0 || f.crashAt > f.calls {
		f.crashAt = max(f.calls, 1)
	}
	return &FS{root: c.folder(f.root)}
}

// chance decides what survives.
type chance struct {
	seed  uint64
	rand  *rand.Rand
	files map[*file]*file // one file of two names stays one
}

func (c *chance) survives() bool {
	switch c.seed {
	case SyncedOnly:
		return false
	case AllDone:
		return true
	}
	return c.rand.IntN(2) == 0
}

func (c *chance) folder(d *folder) *folder {
	all := maps.Clone(d.disk)
	maps.Copy(all, d.seen)
	after := newFolder()
	// In order of name, or the same seed would not decide the same.
	for _, name := range slices.Sorted(maps.Keys(all)) {
		n := d.disk[name]
		if d.seen[name] != n && c.survives() {
			n = d.seen[name]
		}
		if n != nil {
			after.seen[name] = c.node(n)
		}
	}
	after.disk = maps.Clone(after.seen)
	return after
}

func (c *chance) node(n node) node {
	if d, ok := n.(*folder); ok {
		return c.folder(d)
	}
	old := n.(*file)
	after := c.files[old]
	if after == nil {
		data := c.bytes(old)
		after = &file{seen: data, disk: data}
		c.files[old] = after
	}
	return after
}

// bytes are those of a file after the crash.
func (c *chance) bytes(f *file) []byte {
	switch {
	case bytes.Equal(f.seen, f.disk) || f.dropped || c.seed == SyncedOnly:
		return f.disk
	case c.seed == AllDone:
		return f.seen
	}
	torn := bytes.Clone(f.seen)
	synced := common(f.disk, f.seen)
	tail := torn[synced+c.rand.IntN(len(torn)-synced+1):]
	switch c.rand.IntN(5) {
	case 0:
		return f.disk
	case 1:
		return f.seen
	case 2:
		return torn[:len(torn)-len(tail)]
	case 3:
		clear(tail) // the length is there, the blocks are not
	default:
		for i := range tail {
			tail[i] = byte(c.rand.Uint32())
		}
	}
	return torn
}

// common is how many bytes two files begin with alike.
func common(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}
