package index

import (
	"fmt"
	"slices"

	bleve "github.com/blevesearch/bleve_index_api"

	"mailbrick/index/kql"
)

// phrase adds the documents in whose field the terms stand at their places. With prefix the last one may go on.
func (l *lookup) phrase(to *bitset, field string, terms []placed, prefix bool, n *kql.Text) error {
	if len(terms) == 0 {
		return nil
	}
	if !prefix {
		if len(terms) == 1 {
			return l.term(to, field, terms[0].term)
		}
		return l.positions(field, terms, func(doc uint64, _ []uint64) { to.add(doc) })
	}
	last := terms[len(terms)-1]
	endings, err := l.expand(field, last.term, n)
	if err != nil {
		return err
	}
	if len(terms) == 1 {
		for _, term := range endings {
			if err := l.term(to, field, term); err != nil {
				return err
			}
		}
		return nil
	}
	return l.endings(to, field, terms, endings)
}

// endings adds the documents where one of the endings follows the terms but the last.
func (l *lookup) endings(to *bitset, field string, terms []placed, endings []string) error {
	last := terms[len(terms)-1]
	wanted := map[uint64][]uint64{} // by document, where an ending must stand
	err := l.positions(field, terms[:len(terms)-1], func(doc uint64, starts []uint64) {
		places := make([]uint64, len(starts))
		for i, s := range starts {
			places[i] = s + uint64(last.at)
		}
		wanted[doc] = places
	})
	if err != nil || len(wanted) == 0 {
		return err
	}
	for _, term := range endings {
		p, err := l.postings(field, term)
		if err != nil {
			return err
		}
		for ok := true; ; {
			if ok, err = p.next(); err != nil || !ok {
				break
			}
			if places := wanted[p.doc]; places != nil && overlap(places, p.places()) {
				to.add(p.doc)
			}
		}
		p.close()
		if err != nil {
			return err
		}
	}
	return nil
}

// positions gives the documents in whose field all terms stand at their places, and from where.
func (l *lookup) positions(field string, terms []placed, found func(doc uint64, starts []uint64)) error {
	candidates, err := l.conjunction(field, terms)
	if err != nil {
		return err
	}
	lists := make([]*postings, len(terms))
	defer func() {
		for _, p := range lists {
			p.close()
		}
	}()
	for i, t := range terms {
		if lists[i], err = l.postings(field, t.term); err != nil {
			return err
		}
	}
	var starts []uint64
	for doc := range candidates.all() {
		if err := l.ctx.Err(); err != nil {
			return err
		}
		starts = starts[:0]
		for i, p := range lists {
			if err := p.advance(doc); err != nil {
				return err
			}
			if p.doc != doc {
				return fmt.Errorf("%w: a document has lost a term", ErrDamaged)
			}
			if starts = narrow(starts, p.places(), uint64(terms[i].at), i == 0); len(starts) == 0 {
				break
			}
		}
		if len(starts) > 0 {
			found(doc, starts)
		}
	}
	return nil
}

// conjunction gives the documents that have all terms, wherever.
func (l *lookup) conjunction(field string, terms []placed) (*bitset, error) {
	var both *bitset
	for _, t := range terms {
		one := &bitset{}
		if err := l.term(one, field, t.term); err != nil {
			return nil, err
		}
		if both == nil {
			both = one
		} else {
			both.and(one)
		}
	}
	return both, nil
}

// narrow keeps the starts that have a place at a distance; the first list makes them.
func narrow(starts, places []uint64, distance uint64, first bool) []uint64 {
	if first {
		for _, p := range places {
			if p >= distance {
				starts = append(starts, p-distance)
			}
		}
		return starts
	}
	kept, i := starts[:0], 0
	for _, s := range starts {
		for i < len(places) && places[i] < s+distance {
			i++
		}
		if i < len(places) && places[i] == s+distance {
			kept = append(kept, s)
		}
	}
	return kept
}

// overlap tells whether two rising lists have a number in common.
func overlap(a, b []uint64) bool {
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] == b[j]:
			return true
		case a[i] < b[j]:
			i++
		default:
			j++
		}
	}
	return false
}

// postings walks the documents of a term with the places it stands at.
type postings struct {
	reader  bleve.TermFieldReader
	current *bleve.TermFieldDoc
	doc     uint64
	started bool
	scratch []uint64
}

func (l *lookup) postings(field, term string) (*postings, error) {
	r, err := l.reader.TermFieldReader(l.ctx, []byte(term), field, false, false, true)
	if err != nil {
		return nil, err
	}
	return &postings{reader: r, current: &bleve.TermFieldDoc{}}, nil
}

func (p *postings) close() {
	if p != nil {
		_ = p.reader.Close()
	}
}

func (p *postings) next() (ok bool, err error) {
	d, err := p.reader.Next(p.current.Reset())
	return p.take(d, err)
}

func (p *postings) take(d *bleve.TermFieldDoc, err error) (bool, error) {
	if err != nil || d == nil {
		return false, err
	}
	p.current, p.doc, p.started = d, d.ID.Value(), true
	return true, nil
}

// advance goes to a document that has the term; documents are asked for in rising order.
func (p *postings) advance(doc uint64) error {
	if p.started && p.doc >= doc {
		return nil
	}
	d, err := p.reader.Advance(bleve.NewIndexInternalID(nil, doc), p.current.Reset())
	_, err = p.take(d, err)
	return err
}

// places gives where the term stands in the current document, rising.
func (p *postings) places() []uint64 {
	p.scratch = p.scratch[:0]
	for _, v := range p.current.Vectors {
		p.scratch = append(p.scratch, v.Pos)
	}
	if !slices.IsSorted(p.scratch) {
		slices.Sort(p.scratch)
	}
	return p.scratch
}
