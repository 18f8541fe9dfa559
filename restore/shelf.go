package restore

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
)

// shelf is what a folder held before the restore began, and the ids of what the restore has put there. Ids and keys are
// kept as 64-bit hashes under a secret of the run: folders have up to a million items.
type shelf struct {
	seed maphash.Seed
	ids  map[uint64]*entry
	keys map[uint64][]*entry // by search key
	mids map[uint64][]*entry // by Message-ID, of those without a search key
	all  map[uint64][]*entry // by Message-ID, all
}

// entry is an item of the listing. It stands for one item of the source at most, so that twins there come back as twins.
type entry struct {
	size  int64
	taken bool
}

// identity is what tells an item from others.
type identity struct {
	itemID    string
	searchKey []byte
	messageID string
	size      int64
}

func newShelf(seed maphash.Seed) *shelf {
	return &shelf{seed: seed, ids: map[uint64]*entry{}, keys: map[uint64][]*entry{}, mids: map[uint64][]*entry{}, all: map[uint64][]*entry{}}
}

func (s *shelf) hash(text string) uint64 { return maphash.String(s.seed, text) }

func (s *shelf) add(f found) {
	e := &entry{size: f.size}
	s.ids[s.hash(f.id)] = e
	if len(f.searchKey) > 0 {
		key := s.hash(string(f.searchKey))
		s.keys[key] = append(s.keys[key], e)
	}
	if f.messageID == "" {
		return
	}
	mid := s.hash(f.messageID)
	s.all[mid] = append(s.all[mid], e)
	if len(f.searchKey) == 0 {
		s.mids[mid] = append(s.mids[mid], e)
	}
}

// own notes that the restore itself has put an item there.
func (s *shelf) own(itemID string) { s.ids[s.hash(itemID)] = &entry{taken: true} }

// has says whether the item was there before or came from the restore.
func (s *shelf) has(itemID string) bool { return s.ids[s.hash(itemID)] != nil }

// take finds an item of the listing that is the one sought and counts it as used. The reason says how it was found.
func (s *shelf) take(id identity) (reason string, found bool) {
	if e := s.ids[s.hash(id.itemID)]; e != nil && !e.taken {
		e.taken = true
		return "the item is still there", true
	}
	candidates := s.keys[s.hash(string(id.searchKey))]
	if len(id.searchKey) == 0 {
		candidates = nil
	}
	for _, e := range candidates {
		if !e.taken {
			e.taken = true
			return "the folder has an item with this search key", true
		}
	}
	// Where one side has no key the Message-ID decides, with the size.
	candidates = s.mids[s.hash(id.messageID)]
	if len(id.searchKey) == 0 {
		candidates = s.all[s.hash(id.messageID)]
	}
	if id.messageID == "" {
		return "", false
	}
	for _, e := range candidates {
		if !e.taken && alike(e.size, id.size) {
			e.taken = true
			return "the folder has a message with this Message-ID and size", true
		}
	}
	return "", false
}

// holds says whether the folder held an item of that search key, used or not.
func (s *shelf) holds(searchKey []byte) bool {
	return len(searchKey) > 0 && len(s.keys[s.hash(string(searchKey))]) > 0
}

// alike compares sizes: the server's count of an item and the length of its blob are never quite the same.
func alike(a, b int64) bool {
	return max(a, b)-min(a, b) <= max(a, b)/4+4096
}

// is says whether a listed item is the one sought, as far as that can be told.
func (id identity) is(f found) bool {
	if len(id.searchKey) > 0 && len(f.searchKey) > 0 {
		return string(id.searchKey) == string(f.searchKey)
	}
	return id.messageID != "" && id.messageID == f.messageID && alike(id.size, f.size)
}

// tellable says whether the item could be recognized in a listing.
func (id identity) tellable() bool { return len(id.searchKey) > 0 || id.messageID != "" }

// shelfIndex is where in node.shelves a shelf stands.
func shelfIndex(associated bool) int {
	if associated {
		return 1
	}
	return 0
}

// shelf lists what a folder held before the restore: once per folder, and not at all where there was nothing.
func (m *Mailbox) shelf(ctx context.Context, n *node, associated bool) (*shelf, error) {
	i := shelfIndex(associated)
	if n.shelves[i] != nil {
		return n.shelves[i], nil
	}
	s := newShelf(m.viewer.seed)
	if !n.fresh && (associated || n.total > 0) {
		if err := m.list(ctx, n, associated, s.add); err != nil {
			n.err = fmt.Errorf("list the folder: %w", err) // so that it is not asked for with every item
			return nil, n.err
		}
	}
	n.shelves[i] = s
	return s, nil
}

// mostListed is more than a folder can have: Exchange keeps 1 million items in one, and 3 million in Recoverable Items.
const mostListed = 4_000_000

var errListed = errors.New("the folder has more items than a folder can have")

// list visits the items of a folder, the associated ones or the others.
func (m *Mailbox) list(ctx context.Context, n *node, associated bool, visit func(found)) error {
	if associated {
		return m.listAssociated(ctx, n, visit)
	}
	listed := 0
	for f, err := range m.server.list(ctx, n.id) {
		if listed++; err == nil && listed > mostListed {
			err = errListed
		}
		if err != nil {
			return err
		}
		visit(f)
	}
	return nil
}

// listAssociated exports the associated items to see their search keys: they are few and small.
func (m *Mailbox) listAssociated(ctx context.Context, n *node, visit func(found)) error {
	list, err := m.server.hidden(ctx, n.id)
	if err != nil {
		return err
	}
	for start := 0; start < len(list); start += groupItems {
		if err := m.readKeys(ctx, list[start:min(start+groupItems, len(list))]); err != nil {
			return err
		}
	}
	for _, f := range list {
		visit(f)
	}
	return nil
}

// readKeys fills in search keys. An item that cannot be exported is known by its id alone.
func (m *Mailbox) readKeys(ctx context.Context, items []found) error {
	refs := make([]itemRef, len(items))
	for i := range items {
		refs[i] = items[i].itemRef
	}
	return m.server.export(ctx, refs, func(i int, body io.Reader, err error) error {
		if err != nil {
			return nil
		}
		if seen, err := m.viewer.look(body); err == nil {
			items[i].searchKey, items[i].messageID = seen.searchKey, seen.messageID
		}
		return nil
	})
}
