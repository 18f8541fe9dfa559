package parity

import (
	"bytes"
	"context"
	"errors"
	"fmt"
)

// ErrBeyondRepair says that more is damaged than parity can restore.
var ErrBeyondRepair = errors.New("damaged beyond repair")

// mender restores the windows of an object, and counts what was damaged.
type mender struct {
	object
	layout
	report  Report
	footers [2]bool // damaged
	data    []byte
	parity  []byte
	lists   [2][]byte // hashes of a window, as the footers say
	hashes  []byte    // and as they are
}

// newMender has memory for the largest window of the object.
func newMender(o object, size int64) *mender {
	m := &mender{object: o, layout: layoutOf(size)}
	m.report = Report{Size: size, Shards: m.shards(), Excess: o.stored - m.layout.stored(), Mendable: true}
	w := m.window(0)
	m.data, m.parity = make([]byte, w.padded()), make([]byte, w.paritySize())
	for i := range m.lists {
		m.lists[i] = make([]byte, w.listSize())
	}
	return m
}

// mend gives the payload of window i, valid until the next call, or
// ErrBeyondRepair.
func (m *mender) mend(ctx context.Context, i int64) ([]byte, error) {
	w := m.window(i)
	shards, err := m.load(ctx, i)
	if err != nil {
		return nil, err
	}
	bad := m.bad(w, shards)
	m.report.Damaged += int64(len(bad))
	if len(bad) > w.parity {
		return nil, fmt.Errorf("%s: %d of %d shards of window %d: %w", m.name, len(bad), len(shards), i, ErrBeyondRepair)
	}
	if len(bad) > 0 {
		if err := m.restore(w, shards, bad); err != nil {
			return nil, fmt.Errorf("%s: window %d: %w", m.name, i, err)
		}
	}
	// All of the window is whole now, and so are its hashes.
	for f := range m.footers {
		m.footers[f] = m.footers[f] || !bytes.Equal(m.hashes, m.lists[f])
	}
	return m.data[:w.size], nil
}

// load reads a window with its parity and its hashes.
func (m *mender) load(ctx context.Context, i int64) ([][]byte, error) {
	w := m.window(i)
	data, parity := m.data[:w.padded()], m.parity[:w.paritySize()]
	err := m.read(ctx, i*windowSize, data[:w.size])
	clear(data[w.size:])
	if err == nil {
		err = m.read(ctx, m.parityAt(i), parity)
	}
	for f, at := range m.layout.lists(i) {
		m.lists[f] = m.lists[f][:w.listSize()]
		if err == nil {
			err = m.read(ctx, at, m.lists[f])
		}
	}
	return w.split(data, parity), err
}

// bad hashes the shards of a window, and gives those of which neither footer says
// that hash.
func (m *mender) bad(w window, shards [][]byte) (bad []int) {
	m.hashes = m.hashes[:0]
	for i, s := range shards {
		m.hashes = appendHash(m.hashes, s[:w.length(i)])
		if !m.isWhole(i) {
			bad = append(bad, i)
		}
	}
	return bad
}

func (m *mender) isWhole(shard int) bool {
	at := shard * hashSize
	is := func(list []byte) bool { return bytes.Equal(m.hashes[at:at+hashSize], list[at:at+hashSize]) }
	return is(m.lists[0]) || is(m.lists[1])
}

// restore computes shards, which must then have the hash of a footer.
func (m *mender) restore(w window, shards [][]byte, bad []int) error {
	if err := w.restore(shards, bad); err != nil {
		return err
	}
	if left := m.bad(w, shards); len(left) > 0 {
		return fmt.Errorf("shard %d has no whole hash: %w", left[0], ErrBeyondRepair)
	}
	return nil
}

// rest looks at what belongs to no window: the zeros and the trailers.
func (m *mender) rest(ctx context.Context) error {
	zeros := make([]byte, blockSize)
	if err := m.read(ctx, m.gapAt(), zeros); err != nil {
		return err
	}
	m.report.Gap = !bytes.Equal(zeros, make([]byte, blockSize))
	for f, at := range m.trailers() {
		p := make([]byte, trailerSize)
		if err := m.read(ctx, at, p); err != nil {
			return err
		}
		m.footers[f] = m.footers[f] || !bytes.Equal(p, appendTrailer(nil, m.size))
	}
	for _, damaged := range m.footers {
		if damaged {
			m.report.Footers++
		}
	}
	m.report.Unreadable = m.unreadable
	return nil
}
