package archive

import (
	"bytes"
	"errors"
	"fmt"
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// probe looks up single rows, as they were when it was made. It asks the filters of all levels: a Get passes over those of the last,
// where nearly all lies, and reads a block to learn that there is nothing.
type probe struct {
	it    *pebble.Iterator
	turn  uint64
	asked int
}

func probeOptions() *pebble.IterOptions { return &pebble.IterOptions{UseL6Filters: true} }

func probeIn(r pebble.Reader) (*probe, error) {
	it, err := r.NewIter(probeOptions())
	if err != nil {
		return nil, fmt.Errorf("catalog: %w", err)
	}
	return &probe{it: it}, nil
}

// refresh shows what was set in the probe's batch since.
func (p *probe) refresh() { p.it.SetOptions(probeOptions()) }

func (p *probe) close() error { return p.it.Close() }

// get reads a value; nil when there is none.
func (p *probe) get(key []byte) ([]byte, error) {
	if p.asked++; p.it.SeekPrefixGE(key) && bytes.Equal(p.it.Key(), key) {
		return append(make([]byte, 0, len(p.it.Value())), p.it.Value()...), nil
	}
	return nil, p.err()
}

// last is the last row of a name before a key; nil when there is none.
func (p *probe) last(c *catalog, name, end []byte) (*row, error) {
	p.asked++
	if !p.it.SeekPrefixGE(name) || bytes.Compare(p.it.Key(), end) >= 0 {
		return nil, p.err()
	}
	found, err := c.openRow(p.it.Key(), p.it.Value())
	if err != nil || !p.it.Next() || bytes.Compare(p.it.Key(), end) >= 0 {
		return found, errors.Join(err, p.err())
	}
	if !p.it.SeekLT(end) { // there are two
		return nil, p.err()
	}
	return c.openRow(p.it.Key(), p.it.Value())
}

func (p *probe) err() error {
	if err := p.it.Error(); err != nil {
		return fmt.Errorf("catalog: %w", err)
	}
	return nil
}

// probes are kept for the next question, as making one costs more than most questions do. What they hold of the catalog as it was
// cannot go meanwhile: none is kept for long.
type probes struct {
	mu   sync.Mutex // guards the rest
	turn uint64     // how often the catalog was changed
	idle []*probe
}

const (
	probesKept = 4
	probeAsks  = 1 << 12
)

// take gives a probe that sees all that was applied.
func (s *probes) take(db *pebble.DB) (*probe, error) {
	s.mu.Lock()
	turn := s.turn
	if n := len(s.idle); n > 0 {
		p := s.idle[n-1]
		s.idle = s.idle[:n-1]
		s.mu.Unlock()
		return p, nil
	}
	s.mu.Unlock()
	p, err := probeIn(db)
	if err == nil {
		p.turn = turn
	}
	return p, err
}

// give takes a probe back. One that failed is not used again.
func (s *probes) give(p *probe, err error) error {
	s.mu.Lock()
	keep := err == nil && p.turn == s.turn && p.asked < probeAsks && len(s.idle) < probesKept
	if keep {
		s.idle = append(s.idle, p)
	}
	s.mu.Unlock()
	if keep {
		return nil
	}
	return errors.Join(err, p.close())
}

// renew is called after every change.
func (s *probes) renew() error {
	s.mu.Lock()
	old := s.idle
	s.turn, s.idle = s.turn+1, nil
	s.mu.Unlock()
	var err error
	for _, p := range old {
		err = errors.Join(err, p.close())
	}
	return err
}
