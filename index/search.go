package index

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	bleve "github.com/blevesearch/bleve_index_api"
	"go.etcd.io/bbolt"

	"mailbrick/archive"
	"mailbrick/index/kql"
)

// Sort is an order of hits.
type Sort uint8

// Orders of hits. Hits that are equal in it come by From, the latest first, then by ID.
const (
	NewestReceived Sort = iota
	OldestReceived
	NewestSent
	OldestSent
	Largest
	Smallest

	// Unsorted gives hits as they are found: none is kept in memory. Limit does not matter then.
	Unsorted
)

// Query is a search.
type Query struct {
	Text string   // KQL; empty with Node nil: everything
	Node kql.Node // wins over Text

	Mailboxes   []string          // only these; all of View, or of the index, when empty
	View        map[string]uint32 // the snapshot of each mailbox to look at; a mailbox that is not here is not searched
	AllVersions bool              // all versions up to the snapshot in View, ended ones too; of all mailboxes when View is nil
	Associated  bool              // hidden items of folders too

	// Folders gives the paths that folder: asks for: by mailbox, then by the folder's id, as View shows them, so
	// that a folder that was renamed or moved is found under the name it has there. A folder that is not here, and every
	// folder when Folders is nil, has the path it had when the version was added. See UsesFolders.
	Folders map[string]map[string]string

	Distinct bool // one hit for each distinct message, the first in the order
	Items    bool // one hit for each item, the first of its versions; not with Distinct

	// Filter says whether what would be a hit is one; nil: it is. What it says no to is as if it were not there.
	Filter func(Hit) (bool, error)
	Sort   Sort
	Limit  int // 0 for none
}

// Hit is a version of an item.
type Hit struct {
	Mailbox  string
	ID       archive.ID
	From     uint32
	Received time.Time // zero when it has none
}

// Search gives the hits of a query. They hold for the position of the index when it is called; a mistake in the query
// is a *kql.Error.
func (x *Index) Search(ctx context.Context, q Query) iter.Seq2[Hit, error] {
	return func(yield func(Hit, error) bool) {
		if q.Sort == Unsorted {
			x.stream(ctx, q, yield)
			return
		}
		hits, err := x.search(ctx, q)
		if err != nil {
			yield(Hit{}, err)
			return
		}
		for i := range hits {
			if !yield(x.named(&hits[i]), nil) {
				return
			}
		}
	}
}

func (x *Index) named(h *hit) Hit {
	out := Hit{Mailbox: x.rows.names.name(h.mailbox), ID: h.id, From: h.from}
	if h.received != never {
		out.Received = time.UnixMicro(h.received).UTC()
	}
	return out
}

var errStop = errors.New("no more is wanted")

// stream yields hits as they are found.
func (x *Index) stream(ctx context.Context, q Query, yield func(Hit, error) bool) {
	err := func() (err error) {
		defer guarded(func(e error) { err = e })()
		return x.each(ctx, q, func(list []hit) error {
			for i := range list {
				if !yield(x.named(&list[i]), nil) {
					return errStop
				}
			}
			return nil
		})
	}()
	if err != nil && !errors.Is(err, errStop) {
		yield(Hit{}, err)
	}
}

// Count is how many hits Search gives, Limit aside.
func (x *Index) Count(ctx context.Context, q Query) (n int, err error) {
	defer guarded(func(e error) { n, err = 0, e })()
	err = x.each(ctx, q, func(list []hit) error {
		n += len(list)
		return nil
	})
	return n, err
}

// Parse reads the text of a query by the index's clock and zone, for its warnings and its full form.
func (x *Index) Parse(text string) (kql.Query, error) {
	return kql.Parse(text, kql.Options{Clock: x.options.Clock, Zone: x.options.Zone})
}

// hit is what is kept of a row that holds until all are sorted.
type hit struct {
	key      int64 // what is sorted by, rising
	received int64
	mailbox  uint32
	from     uint32
	id       archive.ID
}

func (x *Index) search(ctx context.Context, q Query) (hits []hit, err error) {
	defer guarded(func(e error) { hits, err = nil, e })()
	first := func() { // of them as many as are wanted
		slices.SortFunc(hits, compareHits)
		if q.Limit > 0 && len(hits) > q.Limit {
			hits = hits[:q.Limit]
		}
	}
	err = x.each(ctx, q, func(list []hit) error {
		if hits = append(hits, list...); q.Limit > 0 && len(hits) >= 2*q.Limit+hitsSpare {
			first()
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	first()
	return hits, nil
}

// hitsSpare is how many hits beyond twice the limit are kept before the last ones are dropped.
const hitsSpare = 1 << 12

func compareHits(a, b hit) int {
	if c := cmp.Compare(a.key, b.key); c != 0 {
		return c
	}
	if c := cmp.Compare(b.from, a.from); c != 0 {
		return c
	}
	if c := bytes.Compare(a.id[:], b.id[:]); c != 0 {
		return c
	}
	return cmp.Compare(a.mailbox, b.mailbox)
}

// newHit takes from a row what is kept. Dates that are not known come last in either order.
func newHit(r *row, by Sort) hit {
	h := hit{received: r.received, mailbox: r.mailbox, from: r.from, id: r.id}
	switch by {
	case NewestReceived:
		h.key = -max(r.received, never+1)
	case OldestReceived:
		h.key = lastIfNever(r.received)
	case NewestSent:
		h.key = -max(r.sent, never+1)
	case OldestSent:
		h.key = lastIfNever(r.sent)
	case Largest:
		h.key = -r.size
	case Smallest:
		h.key = r.size
	}
	return h
}

func lastIfNever(t int64) int64 {
	if t == never {
		return -(never + 1)
	}
	return t
}

// each calls found with the hits of each document.
func (x *Index) each(ctx context.Context, q Query, found func([]hit) error) error {
	if q.Node == nil && strings.TrimSpace(q.Text) != "" {
		parsed, err := x.Parse(q.Text)
		if err != nil {
			return err
		}
		q.Node = parsed.Root
	}
	// Rows first: what they tell of is in the word index since before.
	return x.rows.db.View(func(tx *bbolt.Tx) error {
		reader, err := x.words.reader()
		if err != nil {
			return err
		}
		defer reader.Close()
		s := &searcher{index: x, ctx: ctx, query: q, tx: tx, reader: reader, rows: tx.Bucket([]byte(bucketRows)).Cursor(), visible: x.visible(q), found: found}
		return s.run(x, &lookup{ctx: ctx, reader: reader})
	})
}

// visible gives the mailboxes to look at, by number, with their ordinals.
func (x *Index) visible(q Query) map[uint32]uint32 {
	wanted := func(string) bool { return true }
	if len(q.Mailboxes) > 0 {
		wanted = func(m string) bool { return slices.Contains(q.Mailboxes, m) }
	}
	visible := map[uint32]uint32{}
	for number := range x.rows.names.matching(nameMailbox, wanted) {
		if ordinal, ok := q.View[x.rows.names.name(number)]; ok {
			visible[number] = ordinal
		} else if q.AllVersions && q.View == nil {
			visible[number] = archive.Forever
		}
	}
	return visible
}

// searcher is one search.
type searcher struct {
	index   *Index
	ctx     context.Context
	query   Query
	tx      *bbolt.Tx
	reader  bleve.IndexReader
	rows    *bbolt.Cursor
	visible map[uint32]uint32
	found   func([]hit) error

	condition condition // nil: everything
	hits      []hit     // of one document
}

func (s *searcher) run(x *Index, l *lookup) (err error) {
	if s.query.Node == nil {
		return s.scan()
	}
	c := &compiler{lookup: l, names: &x.rows.names}
	if s.query.Folders != nil {
		c.folders = sync.OnceValue(func() *folderPaths { return newFolderPaths(s.query.Folders, c.names, s.visible) })
	}
	if s.condition, err = c.compile(s.query.Node); err != nil {
		return err
	}
	docs := s.condition.within()
	if docs == nil && !asksContent(s.query.Node) {
		return s.scan()
	}
	if docs == nil {
		if docs, err = l.everything(); err != nil {
			return err
		}
	}
	return s.documents(docs)
}

// asksContent tells whether a document's number matters to a tree.
func asksContent(n kql.Node) bool {
	switch n := n.(type) {
	case *kql.And:
		return slices.ContainsFunc(n.Nodes, asksContent)
	case *kql.Or:
		return slices.ContainsFunc(n.Nodes, asksContent)
	case *kql.Not:
		return asksContent(n.Node)
	case *kql.Time:
		return n.Property != kql.Received
	}
	return isContent(n)
}

// candidate is a document by name and number.
type candidate struct {
	id     docID
	number uint64
}

// documentsAtOnce is how many documents are looked at in the order of their rows.
const documentsAtOnce = 1 << 16

// documents looks at the occurrences of a set of documents, some at a time in the order of their rows.
func (s *searcher) documents(docs *bitset) error {
	list := make([]candidate, 0, min(docs.count(), documentsAtOnce))
	for number := range docs.all() {
		id, err := s.reader.ExternalID(bleve.NewIndexInternalID(nil, number))
		if err != nil {
			return err
		}
		if len(id) != len(docID{}) {
			return fmt.Errorf("%w: a document named by %d bytes", ErrDamaged, len(id))
		}
		if list = append(list, candidate{docID([]byte(id)), number}); len(list) < documentsAtOnce {
			continue
		}
		if err := s.candidates(list); err != nil {
			return err
		}
		list = list[:0]
	}
	return s.candidates(list)
}

func (s *searcher) candidates(list []candidate) error {
	slices.SortFunc(list, func(a, b candidate) int { return bytes.Compare(a.id[:], b.id[:]) })
	for i := range list {
		if err := s.document(&list[i]); err != nil {
			return err
		}
	}
	return nil
}

// document looks at the occurrences of one document.
func (s *searcher) document(d *candidate) error {
	if err := s.ctx.Err(); err != nil {
		return err
	}
	var r row
	for k, v := s.rows.Seek(d.id[:]); bytes.HasPrefix(k, d.id[:]); k, v = s.rows.Next() {
		if err := r.decode(k, v); err != nil {
			return err
		}
		if err := s.consider(d.number, &r); err != nil {
			return err
		}
	}
	return s.finish(d.id)
}

// scan looks at all occurrences.
func (s *searcher) scan() error {
	var r row
	var last docID
	n := 0
	for k, v := s.rows.First(); k != nil; k, v = s.rows.Next() {
		if err := r.decode(k, v); err != nil {
			return err
		}
		if r.doc != last {
			if err := s.finish(last); err != nil {
				return err
			}
			last = r.doc
		}
		if err := s.consider(0, &r); err != nil {
			return err
		}
		if n++; n%4096 == 0 && s.ctx.Err() != nil {
			return s.ctx.Err()
		}
	}
	return s.finish(last)
}

// consider keeps an occurrence that is wanted.
func (s *searcher) consider(doc uint64, r *row) error {
	wanted, err := s.wants(doc, r)
	if wanted {
		s.hits = append(s.hits, newHit(r, s.query.Sort))
	}
	return err
}

// wants tells whether an occurrence can be seen and holds.
func (s *searcher) wants(doc uint64, r *row) (bool, error) {
	at, ok := s.visible[r.mailbox]
	if !ok || at < r.from || at >= r.to && !s.query.AllVersions {
		return false, nil
	}
	if r.flags&flagAssociated != 0 && !s.query.Associated || r.to <= r.from {
		return false, nil
	}
	if s.condition != nil && !s.condition.holds(doc, r) {
		return false, nil
	}
	if s.query.Filter == nil {
		return true, nil
	}
	h := newHit(r, s.query.Sort)
	return s.query.Filter(s.index.named(&h))
}

// finish hands out what a document has.
func (s *searcher) finish(doc docID) (err error) {
	if s.query.Items {
		err = s.firsts(doc)
	}
	if err != nil || len(s.hits) == 0 {
		return err
	}
	if s.query.Distinct {
		s.hits[0] = slices.MinFunc(s.hits, compareHits)
		s.hits = s.hits[:1]
	}
	err = s.found(s.hits)
	s.hits = s.hits[:0]
	return err
}

// firsts keeps of a document's hits those that are the first of their item.
func (s *searcher) firsts(doc docID) error {
	kept := s.hits[:0]
	for _, h := range s.hits { // in order of mailbox, item, version
		if n := len(kept); n > 0 && kept[n-1].mailbox == h.mailbox && kept[n-1].id == h.id {
			continue
		}
		kept = append(kept, h)
	}
	list := kept
	kept = kept[:0]
	for _, h := range list {
		earlier, err := s.earlier(doc, &h)
		if err != nil {
			return err
		}
		if !earlier {
			kept = append(kept, h)
		}
	}
	s.hits = kept
	return nil
}

// earlier tells whether a version of the hit's item before it, of another document, is wanted too.
func (s *searcher) earlier(doc docID, h *hit) (bool, error) {
	for _, old := range versions(s.tx, h.mailbox, h.id) {
		if old.from >= h.from {
			break
		}
		if old.doc == doc {
			continue // it was no hit
		}
		key := old.key()
		value := s.tx.Bucket([]byte(bucketRows)).Get(key)
		if value == nil {
			return false, fmt.Errorf("%w: an item without its row", ErrDamaged)
		}
		if err := old.decode(key, value); err != nil {
			return false, err
		}
		number, err := s.reader.InternalID(string(old.doc[:]))
		if err != nil {
			return false, err
		}
		if number == nil {
			continue
		}
		if wanted, err := s.wants(number.Value(), &old); wanted || err != nil {
			return wanted, err
		}
	}
	return false, nil
}
