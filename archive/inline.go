package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"mailbrick/archive/blob"
	"mailbrick/archive/journal"
	"mailbrick/archive/pack"
)

const (
	// inlineBytes is how long a group's pack may be to lie in the group's record.
	inlineBytes = 1 << 20
	inlineHeld  = 8 << 20 // bytes of such packs kept in memory for who reads them
)

// shortPack is where a group's pack is written to: memory, until it is longer than a record should carry; then an object. The session
// begins before that object, as before any other.
type shortPack struct {
	blob.Bucket
	ctx   context.Context
	name  string
	limit int
	begin func(context.Context) error
	data  []byte
	out   blob.Writer // once it is an object
}

// Create is what the pack's writer asks for.
func (s *shortPack) Create(ctx context.Context, name string) (blob.Writer, error) {
	s.ctx, s.name = ctx, name
	return s, nil
}

func (s *shortPack) Write(p []byte) (int, error) {
	if s.out == nil && len(s.data)+len(p) <= s.limit {
		s.data = append(s.data, p...)
		return len(p), nil
	}
	if s.out == nil {
		if err := s.spill(); err != nil {
			return 0, err
		}
	}
	return s.out.Write(p)
}

// spill goes on in an object.
func (s *shortPack) spill() (err error) {
	if err = s.begin(s.ctx); err != nil {
		return err
	}
	if s.out, err = s.Bucket.Create(s.ctx, s.name); err != nil {
		return err
	}
	_, err = s.out.Write(s.data)
	s.data = nil
	return err
}

// Commit makes an object durable. What stayed short is, when the record has landed.
func (s *shortPack) Commit() error {
	if s.out == nil {
		return nil
	}
	return s.out.Commit()
}

// Abort drops what was written.
func (s *shortPack) Abort() error {
	if s.out == nil {
		return nil
	}
	return s.out.Abort()
}

// of is what reads a pack. One that lies in a record is read at once.
func (r reading) of(ctx context.Context, p *journal.Pack) (*pack.Reader, error) {
	if !p.Inline {
		return r.packs, nil
	}
	if data, ok := r.held(p.Name); ok {
		return r.packs.Held(data), nil
	}
	data, err := r.lying(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("pack %x in journal record %d: %w", p.Name, p.Record, err)
	}
	r.hold(p.Name, data)
	return r.packs.Held(data), nil
}

// lying reads a pack that lies in a record.
func (r reading) lying(ctx context.Context, p *journal.Pack) ([]byte, error) {
	if p.At == 0 {
		return nil, fmt.Errorf("the record was folded: %w", blob.ErrNotExist)
	}
	if p.Size < 0 || p.Size > 2*inlineBytes {
		return nil, fmt.Errorf("%w: %d bytes", pack.ErrDamaged, p.Size)
	}
	in, err := r.bucket.Open(ctx, journal.Object(p.Record), p.At, p.Size)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	data := make([]byte, p.Size)
	if _, err := io.ReadFull(in, data); errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: it is cut short", pack.ErrDamaged)
	} else if err != nil {
		return nil, err
	}
	return data, nil
}

func (r reading) held(name pack.Name) (data []byte, ok bool) {
	if r.inline == nil {
		return nil, false
	}
	return r.inline.get(name)
}

func (r reading) hold(name pack.Name, data []byte) {
	if r.inline != nil {
		r.inline.put(name, data, len(data))
	}
}

// brought keeps the pack that came with a record that is about to be applied.
func (a *Archive) brought(rec *journal.Record) {
	for i := range rec.Body.Packs {
		if p := &rec.Body.Packs[i]; p.Inline && len(rec.Pack) > 0 {
			a.inline.put(p.Name, bytes.Clone(rec.Pack), len(rec.Pack)) // it would keep its whole record
		}
	}
}
