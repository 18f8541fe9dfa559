package index

import (
	"context"
	"fmt"
	"time"

	bleve "github.com/blevesearch/bleve_index_api"

	"mailbrick/index/kql"
)

// maxExpansions is how many words a prefix may stand for, in one field.
const maxExpansions = 10_000

// textFields are the fields of words.
func textFields(p kql.Property) []string {
	switch p {
	case kql.Anywhere:
		return []string{fieldSubject, fieldBody, fieldAttachments}
	case kql.Subject:
		return []string{fieldSubject}
	case kql.Body:
		return []string{fieldBody}
	case kql.AttachmentNames:
		return []string{fieldAttachments}
	}
	return nil
}

// addressFields are the fields of people.
func addressFields(p kql.Property) []string {
	switch p {
	case kql.Anywhere, kql.Participants:
		return []string{fieldFrom, fieldTo, fieldCc, fieldBcc}
	case kql.Recipients:
		return []string{fieldTo, fieldCc, fieldBcc}
	case kql.From:
		return []string{fieldFrom}
	case kql.To:
		return []string{fieldTo}
	case kql.Cc:
		return []string{fieldCc}
	case kql.Bcc:
		return []string{fieldBcc}
	}
	return nil
}

// lookup answers leaves from one reader of the word index.
type lookup struct {
	ctx    context.Context // of one search
	reader bleve.IndexReader
	all    *bitset // made when needed
}

// everything is the set of all documents; not to be changed.
func (l *lookup) everything() (*bitset, error) {
	if l.all != nil {
		return l.all, nil
	}
	docs, err := l.reader.DocIDReaderAll()
	if err != nil {
		return nil, err
	}
	defer docs.Close()
	all := &bitset{}
	for {
		id, err := docs.Next()
		if err != nil {
			return nil, err
		}
		if id == nil {
			l.all = all
			return all, nil
		}
		all.add(id.Value())
	}
}

// text answers a word or phrase.
func (l *lookup) text(n *kql.Text) (*bitset, error) {
	if n.Value == "" && !n.Prefix {
		return l.empty(n.Property)
	}
	found := &bitset{}
	terms, closed := queryTerms(n.Value)
	prefix := n.Prefix && !closed
	for _, field := range textFields(n.Property) {
		if err := l.phrase(found, field, terms, prefix, n); err != nil {
			return nil, err
		}
	}
	atom, whole := queryAtom(n.Value, n.Prefix)
	for _, field := range addressFields(n.Property) {
		var err error
		if whole {
			err = l.phrase(found, field, []placed{{term: atom}}, n.Prefix, n)
		} else {
			err = l.phrase(found, field, terms, prefix, n)
		}
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// empty answers prop:"": none of its fields holds anything.
func (l *lookup) empty(p kql.Property) (*bitset, error) {
	all, err := l.everything()
	if err != nil {
		return nil, err
	}
	found := all.clone()
	for _, field := range append(textFields(p), addressFields(p)...) {
		one := &bitset{}
		if err := l.term(one, fieldMarks, markNo+field); err != nil {
			return nil, err
		}
		found.and(one)
	}
	return found, nil
}

// term adds the documents that have a term.
func (l *lookup) term(to *bitset, field, term string) error {
	r, err := l.reader.TermFieldReader(l.ctx, []byte(term), field, false, false, false)
	if err != nil {
		return err
	}
	defer r.Close()
	var doc bleve.TermFieldDoc
	for n := 0; ; n++ {
		d, err := r.Next(doc.Reset())
		if err != nil || d == nil {
			return err
		}
		to.add(d.ID.Value())
		if n%4096 == 0 && l.ctx.Err() != nil {
			return l.ctx.Err()
		}
	}
}

// expand gives the terms of a field that begin with a prefix.
func (l *lookup) expand(field, prefix string, n *kql.Text) ([]string, error) {
	dict, err := l.reader.FieldDictPrefix(field, []byte(prefix))
	if err != nil {
		return nil, err
	}
	defer dict.Close()
	var terms []string
	for {
		e, err := dict.Next()
		if err != nil || e == nil {
			return terms, err
		}
		if len(terms) == maxExpansions {
			return nil, &kql.Error{Column: n.Column, Hint: "write more letters before *",
				Problem: fmt.Sprintf("%s* stands for more than %d words", n.Value, maxExpansions)}
		}
		terms = append(terms, e.Term)
	}
}

// flag answers hasattachment.
func (l *lookup) flag(n *kql.Flag) (*bitset, error) {
	found := &bitset{}
	if err := l.term(found, fieldMarks, markAttachment); err != nil || n.Value {
		return found, err
	}
	all, err := l.everything()
	if err != nil {
		return nil, err
	}
	without := all.clone()
	without.andNot(found)
	return without, nil
}

// sent answers a range of times: whole days by their terms, the days at the ends by the times in them.
func (l *lookup) sent(n *kql.Time) (*bitset, error) {
	found := &bitset{}
	first, last := tickRange(n)
	if first > last {
		return found, nil
	}
	firstDay, lastDay := dayOf(first), dayOf(last)
	if firstDay == lastDay {
		return found, l.timeTerms(found, 't', first, last)
	}
	if err := l.timeTerms(found, 't', first, (firstDay+1)*ticksPerDay-1); err != nil {
		return nil, err
	}
	if err := l.timeTerms(found, 'd', firstDay+1, lastDay-1); err != nil {
		return nil, err
	}
	return found, l.timeTerms(found, 't', lastDay*ticksPerDay, last)
}

// Open ends of ranges: all times a message can have lie between.
const (
	firstTick = -(1 << 55)
	lastTick  = 1 << 58
)

// tickRange gives the first and the last tick inside an interval.
func tickRange(n *kql.Time) (first, last int64) {
	first, last = firstTick, lastTick
	if !n.From.IsZero() {
		first = ceilTicks(n.From)
	}
	if !n.To.IsZero() {
		last = ceilTicks(n.To) - 1
	}
	return first, last
}

// ceilTicks is the first tick not before t.
func ceilTicks(t time.Time) int64 {
	n := t.UnixMicro()
	if t.Nanosecond()%1000 != 0 {
		n++
	}
	return n
}

// timeTerms adds the documents with a time term of a kind in [first, last].
func (l *lookup) timeTerms(to *bitset, kind byte, first, last int64) error {
	if first > last {
		return nil
	}
	dict, err := l.reader.FieldDictRange(fieldSent, timeTerm(kind, first), timeTerm(kind, last))
	if err != nil {
		return err
	}
	defer dict.Close()
	for {
		e, err := dict.Next()
		if err != nil || e == nil {
			return err
		}
		if err := l.term(to, fieldSent, e.Term); err != nil {
			return err
		}
	}
}
