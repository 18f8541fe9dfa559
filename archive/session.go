package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"mailbrick/archive/journal"
)

// Item is an item as a source names it.
type Item struct {
	ItemID, ChangeKey, FolderID string
	Associated                  bool
	Unparsed                    string // why the blob could not be read
	Summary                     []byte // kept as it is: it must not change any more
	Similar                     []byte // see Content.End
}

// Session brings one mailbox up to date. What it adds is durable after a checkpoint has landed, so that a broken run can
// go on, and is visible after Commit. It may be used by several goroutines, and several sessions may run at once.
type Session struct {
	a       *Archive
	mailbox string
	ordinal uint32
	base    uint64 // the mailbox's last record that the session knows of
	number  uint32 // of the mailbox; known says whether it has one
	known   bool
	touched bool // something was added, by this session or by one that broke before it
	closed  bool
}

// maxSummary is the longest summary of an item in bytes.
const maxSummary = 1 << 20

var errSessionClosed = errors.New("session is closed")

// Begin opens a session for a mailbox. A mailbox has one session at a time; it goes on where one that broke off ended.
func (a *Archive) Begin(mailbox string) (*Session, error) {
	mailbox = strings.ToLower(mailbox)
	if mailbox == "" || strings.ContainsRune(mailbox, 0) {
		return nil, fmt.Errorf("%q is no name of a mailbox", mailbox)
	}
	s := &Session{a: a, mailbox: mailbox, ordinal: 1}
	g := a.group
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err != nil {
		return nil, g.err
	}
	if g.active[mailbox] != nil {
		return nil, fmt.Errorf("%w: %s has a session already", ErrConflict, mailbox)
	}
	if st, ok := a.cat.state(mailbox); ok {
		s.number, s.known, s.ordinal, s.touched, s.base = st.number, true, st.ordinal+1, st.pending, st.record
	}
	if sec := g.sections[mailbox]; sec != nil {
		s.touched, s.base = true, sec.base
	}
	g.active[mailbox] = s
	a.frames.shrink(framesWritten)
	return s, nil
}

// enter takes the group for a call of the session, unless either is at its end. The lock is held without an error only.
func (s *Session) enter() (*group, error) {
	g := s.a.group
	g.mu.Lock()
	err := g.err
	if s.closed {
		err = errSessionClosed
	}
	if err != nil {
		g.mu.Unlock()
		return nil, err
	}
	return g, nil
}

// Mailbox is the session's mailbox, in lower case.
func (s *Session) Mailbox() string { return s.mailbox }

// refresh learns the mailbox's number once its first section has landed.
func (s *Session) refresh() {
	if !s.known {
		if st, ok := s.a.cat.state(s.mailbox); ok {
			s.number, s.known = st.number, true
		}
	}
}

// Cursor is what SetCursor last kept under a key; nil when there is nothing.
func (s *Session) Cursor(key string) ([]byte, error) {
	g, err := s.enter()
	if err != nil {
		return nil, err
	}
	defer g.mu.Unlock()
	return s.cursor(key)
}

func (s *Session) cursor(key string) ([]byte, error) {
	if sec := s.a.group.sections[s.mailbox]; sec != nil {
		if i := sec.cursor(key); i >= 0 {
			return bytes.Clone(sec.Cursors[i].Value), nil
		}
	}
	if s.refresh(); !s.known {
		return nil, nil
	}
	_, value, err := s.a.cat.cursor(rowPrefix(keyCursor, s.number, s.a.ids.cursor(key)))
	return value, err
}

// Cursors gives all keys that begin with a prefix, with their values.
func (s *Session) Cursors(ctx context.Context, prefix string) (map[string][]byte, error) {
	g, err := s.enter()
	if err != nil {
		return nil, err
	}
	defer g.mu.Unlock()
	out := map[string][]byte{}
	if s.refresh(); s.known {
		if err := s.a.cat.cursors(ctx, s.number, prefix, out); err != nil {
			return nil, err
		}
	}
	if sec := g.sections[s.mailbox]; sec != nil {
		for _, c := range sec.Cursors {
			switch {
			case !strings.HasPrefix(c.Key, prefix):
			case c.Value == nil:
				delete(out, c.Key)
			default:
				out[c.Key] = bytes.Clone(c.Value)
			}
		}
	}
	return out, nil
}

// SetCursor keeps a value under a key; nil removes it. It becomes durable together with everything added before it, never
// earlier: that is what makes it safe to go on from.
func (s *Session) SetCursor(key string, value []byte) error {
	g, err := s.enter()
	if err != nil {
		return err
	}
	defer g.mu.Unlock()
	old, err := s.cursor(key)
	if err != nil || string(old) == string(value) && (old == nil) == (value == nil) {
		return err
	}
	sec := s.section()
	c := journal.Cursor{Key: key, Value: bytes.Clone(value)}
	if i := sec.cursor(key); i >= 0 {
		g.rows += int64(len(value) - len(sec.Cursors[i].Value))
		sec.Cursors[i] = c
		return nil
	}
	sec.Cursors = append(sec.Cursors, c)
	g.rows += int64(len(key) + len(value) + 16)
	return nil
}

func (s *Session) section() *section {
	s.touched = true
	return s.a.group.section(s)
}

// cursor is where a section has a cursor, -1 when it does not.
func (s *section) cursor(key string) int {
	return slices.IndexFunc(s.Cursors, func(c journal.Cursor) bool { return c.Key == key })
}

// current is the item's living version, as the group has it or as read makes it of the catalog's row; nil when there is none.
func (s *Session) current(id ID, read func(*row) (*journal.Version, error)) (*journal.Version, error) {
	if sec := s.a.group.sections[s.mailbox]; sec != nil {
		if i, ok := sec.byID[id]; ok {
			v := sec.Versions[i]
			return &v, nil
		}
		if _, ok := sec.gone[id]; ok {
			return nil, nil
		}
	}
	if s.refresh(); !s.known {
		return nil, nil
	}
	return s.a.cat.living(s.number, id, read)
}

// Known is the change key and the folder of an item that the archive has alive.
func (s *Session) Known(itemID string) (changeKey, folderID string, ok bool, err error) {
	g, err := s.enter()
	if err != nil {
		return "", "", false, err
	}
	defer g.mu.Unlock()
	v, err := s.current(s.a.ids.item(s.mailbox, itemID), (*row).bare)
	if err != nil || v == nil {
		return "", "", false, err
	}
	return v.ChangeKey, v.FolderID, true, nil
}

// Associated tells whether an item that the archive has alive is an associated (hidden) one.
func (s *Session) Associated(itemID string) (bool, error) {
	g, err := s.enter()
	if err != nil {
		return false, err
	}
	defer g.mu.Unlock()
	v, err := s.current(s.a.ids.item(s.mailbox, itemID), (*row).bare)
	return v != nil && v.Associated, err
}

// Put adds a version of an item with the content that was written. ErrAnew says that this content is no longer good, and harms nobody
// else.
func (s *Session) Put(ctx context.Context, item Item, content *Content) error {
	v, err := content.finish(ctx, item.Similar)
	if err != nil {
		return err
	}
	v.ID = s.a.ids.item(s.mailbox, item.ItemID)
	v.ItemID, v.ChangeKey, v.FolderID = item.ItemID, item.ChangeKey, item.FolderID
	v.Associated, v.Unparsed, v.Summary = item.Associated, item.Unparsed, item.Summary
	if len(v.Summary) > maxSummary {
		return fmt.Errorf("summary of %d bytes, at most %d", len(v.Summary), maxSummary)
	}
	g, err := s.enter()
	if err != nil {
		return err
	}
	defer g.mu.Unlock()
	if err := g.rest(content.refs); errors.Is(err, ErrAnew) {
		return err
	} else if err != nil {
		return g.fail(err)
	}
	s.add(v)
	return nil
}

func (s *Session) add(v journal.Version) {
	sec := s.section()
	if i, ok := sec.byID[v.ID]; ok {
		sec.Versions[i] = v
	} else {
		sec.byID[v.ID] = len(sec.Versions)
		sec.Versions = append(sec.Versions, v)
	}
	delete(sec.gone, v.ID)
	s.a.group.rows += int64(len(v.Summary) + len(v.ItemID) + len(v.ChangeKey) + len(v.FolderID) + 144)
}

// Amend adds a version that shares the blob of the living one: another change key, and the summary as change makes it of a
// copy. It must not call the session.
func (s *Session) Amend(itemID, changeKey string, change func(summary []byte) ([]byte, error)) error {
	g, err := s.enter()
	if err != nil {
		return err
	}
	defer g.mu.Unlock()
	v, err := s.current(s.a.ids.item(s.mailbox, itemID), (*row).version)
	if err != nil {
		return err
	}
	if v == nil {
		return fmt.Errorf("amend an item: %w", ErrNotFound)
	}
	summary, err := change(bytes.Clone(v.Summary))
	if err != nil {
		return err
	}
	v.ChangeKey, v.Summary = changeKey, bytes.Clone(summary)
	if err := g.dependVersion(s.a, v); err != nil {
		if errors.Is(err, errNowhere) && s.a.cat.pruned() != g.checked {
			err = fmt.Errorf("%w: %w", ErrPruned, err)
		}
		return g.fail(err)
	}
	s.add(*v)
	return nil
}

// dependVersion notes the packs of everything that a version's recipe names.
func (g *group) dependVersion(a *Archive, v *journal.Version) error {
	ctx := context.Background()
	refs, err := orMoved(ctx, a, a.catchUp, func() ([]chunkID, error) { return a.references(ctx, v, g) })
	if err != nil {
		return err
	}
	for _, id := range refs {
		if err := g.depend(id); err != nil {
			return err
		}
	}
	return nil
}

// Remove ends an item's living version. Removing what is not there is no error: the source may tell it twice.
func (s *Session) Remove(itemID string) error {
	g, err := s.enter()
	if err != nil {
		return err
	}
	defer g.mu.Unlock()
	id := s.a.ids.item(s.mailbox, itemID)
	v, err := s.current(id, (*row).bare)
	if err != nil || v == nil {
		return err
	}
	sec := s.section()
	if _, ok := sec.byID[id]; ok {
		delete(sec.byID, id)
		sec.drops++
	}
	sec.gone[id] = struct{}{} // the catalog passes over what it does not have
	g.rows += int64(len(id)) + 4
	return nil
}

// Checkpoint lets the group land if it is full. Call it between items, wherever the run could go on.
func (s *Session) Checkpoint(ctx context.Context) error {
	g, err := s.enter()
	if err != nil {
		return err
	}
	defer g.mu.Unlock()
	if err := ctx.Err(); err != nil || !g.full() {
		return err
	}
	return g.land(ctx)
}

// Commit completes the snapshot and returns when it is durable: with all other open sessions, or when the group is full or
// old. A run that found nothing new adds nothing, and the snapshot is the one before, with nothing added, changed or
// removed. When the context ends the waiting, what was added stays for the next checkpoint and nothing is complete.
func (s *Session) Commit(ctx context.Context) (Snapshot, error) {
	g, err := s.enter()
	if err != nil {
		return Snapshot{}, err
	}
	defer g.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return Snapshot{}, err
	}
	if st, ok := s.a.cat.state(s.mailbox); ok && !s.touched && st.ordinal > 0 {
		last := st.last
		last.Added, last.Changed, last.Removed = 0, 0, 0
		return last, nil
	}
	s.section().Complete = true
	if err := g.await(ctx); err != nil {
		if sec := g.sections[s.mailbox]; sec != nil {
			sec.Complete = false
		}
		return Snapshot{}, err
	}
	st, _ := s.a.cat.state(s.mailbox)
	s.touched, s.ordinal = false, st.ordinal+1
	return st.last, nil
}

// Close ends the session. What was not committed is dropped by nobody: it lands with the group, and the mailbox's next
// session goes on from there. Those who wait for this session do so no longer, whatever became of the context.
func (s *Session) Close(ctx context.Context) error {
	g := s.a.group
	g.mu.Lock()
	defer g.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	delete(g.active, s.mailbox)
	if g.waiting > 0 && g.waiting >= len(g.active) {
		return g.land(ctx)
	}
	return nil
}

// Folders are the mailbox's folders as the session has them now, by id.
func (s *Session) Folders(ctx context.Context) (map[string]Folder, error) {
	g, err := s.enter()
	if err != nil {
		return nil, err
	}
	defer g.mu.Unlock()
	out := map[string]Folder{}
	if s.refresh(); s.known {
		if out, err = s.a.cat.folders(ctx, s.number, s.ordinal); err != nil {
			return nil, err
		}
	}
	if sec := g.sections[s.mailbox]; sec != nil {
		for _, f := range sec.Folders {
			out[f.ID] = Folder{ID: f.ID, ParentID: f.ParentID, Name: f.Name, Class: f.Class, Kind: f.Kind, From: s.ordinal, To: Forever}
		}
		for _, id := range sec.FoldersGone {
			delete(out, id)
		}
	}
	return out, nil
}

// PutFolder adds a folder or says how it is now.
func (s *Session) PutFolder(f Folder) error {
	g, err := s.enter()
	if err != nil {
		return err
	}
	defer g.mu.Unlock()
	sec := s.section()
	sec.FoldersGone = slices.DeleteFunc(sec.FoldersGone, func(id string) bool { return id == f.ID })
	sec.Folders = append(sec.Folders, journal.Folder{ID: f.ID, ParentID: f.ParentID, Name: f.Name, Class: f.Class, Kind: f.Kind})
	g.rows += int64(len(f.ID)+len(f.ParentID)+len(f.Name)) + 32
	return nil
}
