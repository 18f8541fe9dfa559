package archive

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"mailbrick/archive/blob"
	"mailbrick/archive/journal"
)

// planFold tells how many objects of the journal folding takes away.
func (p *pruning) planFold(ctx context.Context) error {
	objects, err := p.a.spans(ctx)
	if err != nil {
		return err
	}
	last := p.at
	for span := range p.spans {
		last = max(last, span.To+1)
	}
	list, _ := p.a.journal.Folded(append(objects, p.a.journal.Foldable(objects, last)...))
	p.plan.Fold = len(list)
	return nil
}

// spans are the objects of the journal.
func (a *Archive) spans(ctx context.Context) (list []journal.Span, err error) {
	for info, err := range a.opts.Bucket.List(ctx, journal.Prefix) {
		if err != nil {
			return nil, fmt.Errorf("list the journal: %w", err)
		}
		if s, ok := journal.ParseSpan(info.Name); ok {
			list = append(list, s)
		}
	}
	return list, nil
}

// fold makes segments of the records that can be folded, and removes what lies in them. What is needed of the packs in these records was
// moved before; a range in which others have put some since waits for the next time.
func (p *pruning) fold(ctx context.Context) error {
	if err := p.fill(ctx); err != nil {
		return err
	}
	if err := p.a.catchUpAlone(ctx); err != nil {
		return err
	}
	objects, err := p.a.spans(ctx)
	if err != nil {
		return err
	}
	kept, err := p.a.inlineSpans(ctx)
	if err != nil {
		return err
	}
	made := map[journal.Span]bool{} // whether it is there for certain; not of one that damage prevents
	for _, s := range p.a.journal.Foldable(objects, p.a.Head()) {
		if kept.in(s) {
			continue
		}
		if err := p.make(ctx, s, made); err != nil {
			return err
		}
		if made[s] {
			objects = append(objects, s)
		}
	}
	list, in := p.a.journal.Folded(objects)
	for _, s := range in {
		// Who made it may have died before it was durable, and anybody who may write may have put something there.
		if err := p.make(ctx, s, made); err != nil {
			return err
		}
	}
	return p.removeFolded(ctx, slices.DeleteFunc(list, func(s journal.Span) bool {
		return slices.ContainsFunc(in, func(wide journal.Span) bool { return !made[wide] && wide.Covers(s) })
	}))
}

// make makes a segment once, unless records of it are damaged: these stay as they are.
func (p *pruning) make(ctx context.Context, s journal.Span, made map[journal.Span]bool) error {
	if _, ok := made[s]; ok {
		return nil
	}
	err := p.segment(ctx, s)
	made[s] = err == nil
	if unreadable(err) {
		p.note(err)
		return nil
	}
	return err
}

// segment makes a segment, or makes sure of the one that is there.
func (p *pruning) segment(ctx context.Context, s journal.Span) error {
	_, err := again(ctx, p.a.source, func(r reading) (struct{}, error) { return struct{}{}, r.journal.Fold(ctx, s) })
	if errors.Is(err, journal.ErrTaken) {
		return errOvertaken
	}
	return journalError(err)
}

// fill appends records that say nothing, until the ranges that are to be folded lie behind the last one. It is not many: a range is
// short.
func (p *pruning) fill(ctx context.Context) error {
	var last uint64
	for _, pm := range p.chosen {
		if pm.gone && pm.Inline {
			last = max(last, p.a.journal.Span(pm.Record).To)
		}
	}
	g := p.a.group
	g.mu.Lock()
	defer g.mu.Unlock()
	for p.a.Head() <= last {
		if err := errors.Join(ctx.Err(), g.err); err != nil {
			return err
		}
		if err := g.append(ctx, &journal.Body{}, nil); err != nil {
			return err
		}
	}
	return nil
}

// inlineSpans are the ranges of records in which packs lie that may be needed.
type inlineSpans map[journal.Span]bool

func (a *Archive) inlineSpans(ctx context.Context) (inlineSpans, error) {
	list := inlineSpans{}
	err := a.cat.eachPack(ctx, func(_ uint32, p journal.Pack) {
		if p.Inline {
			list[a.journal.Span(p.Record)] = true
		}
	})
	return list, err
}

// in tells whether one of them lies in a span.
func (list inlineSpans) in(s journal.Span) bool {
	for short := range list {
		if s.Covers(short) {
			return true
		}
	}
	return false
}

func (p *pruning) removeFolded(ctx context.Context, list []journal.Span) error {
	inline := map[uint64]*packMarks{}
	for _, pm := range p.chosen {
		if pm.gone && pm.Inline {
			inline[pm.Record] = pm
		}
	}
	for i, s := range list {
		err := p.a.opts.Bucket.Remove(ctx, s.Object())
		switch {
		case errors.Is(err, blob.ErrNotExist):
		case errors.Is(err, blob.ErrLocked):
			p.report.Locked++
		case err != nil:
			return fmt.Errorf("remove %s: %w", s.Object(), err)
		default:
			p.report.Folded++
			if pm := inline[s.From]; pm != nil && s.From == s.To {
				p.report.Removed++
				p.report.RemovedBytes += pm.Size
			}
		}
		p.o.Progress(int64(i+1), int64(len(list)), "records folded")
	}
	return nil
}
