package archive

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sort"
	"strings"
	"time"

	"mailbrick/archive/journal"
	"mailbrick/archive/wire"
)

func appendUint32(b []byte, n uint32) []byte { return binary.BigEndian.AppendUint32(b, n) }

// state is a copy of a mailbox's state.
func (c *catalog) state(mailbox string) (mailboxState, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	st, ok := c.mailboxes[mailbox]
	if !ok {
		return mailboxState{}, false
	}
	return *st, true
}

// cursor reads a cursor by its key in the catalog.
func (c *catalog) cursor(key []byte) (name string, value []byte, err error) {
	row, err := c.get(key)
	if err != nil || row == nil {
		return "", nil, err
	}
	return openCursor(row)
}

func openCursor(row []byte) (name string, value []byte, err error) {
	r := wire.NewReader(row)
	name, value = r.String(), r.Bytes()
	if err := r.Done(); err != nil {
		return "", nil, fmt.Errorf("%w: catalog: cursor: %w", ErrDamaged, err)
	}
	return name, append([]byte{}, value...), nil
}

func (c *catalog) cursors(ctx context.Context, mailbox uint32, prefix string, into map[string][]byte) error {
	return c.scan(ctx, key32(keyCursor, mailbox), func(_, row []byte) error {
		name, value, err := openCursor(row)
		if err == nil && strings.HasPrefix(name, prefix) {
			into[name] = value
		}
		return err
	})
}

// living is an item's version that has not ended, as read makes it of its row; nil when there is none.
func (c *catalog) living(mailbox uint32, id ID, read func(*row) (*journal.Version, error)) (*journal.Version, error) {
	last, err := c.lastRow(keyVersion, mailbox, id)
	if err != nil || last == nil || last.to != Forever {
		return nil, err
	}
	return read(last)
}

func (r *row) version() (*journal.Version, error) {
	v, err := r.bare()
	if err != nil {
		return nil, err
	}
	if v.Summary, err = r.cat.summaryOf(v.Summary); err != nil {
		return nil, fmt.Errorf("%w: catalog: version: %w", ErrDamaged, err)
	}
	return v, nil
}

// bare is the version with its summary as the row has it.
func (r *row) bare() (*journal.Version, error) {
	v := &journal.Version{}
	in := wire.NewReader(r.rest)
	if err := errors.Join(v.Read(in), in.Done()); err != nil {
		return nil, fmt.Errorf("%w: catalog: version: %w", ErrDamaged, err)
	}
	return v, nil
}

func (r *row) folder() (Folder, error) {
	in := wire.NewReader(r.rest)
	f := Folder{ID: in.String(), ParentID: in.String(), Name: in.String(), Class: in.String(), Kind: in.String(), From: r.from, To: r.to}
	if err := in.Done(); err != nil {
		return f, fmt.Errorf("%w: catalog: folder: %w", ErrDamaged, err)
	}
	return f, nil
}

// folders are the folders of a mailbox as they are at an ordinal, by id.
func (c *catalog) folders(ctx context.Context, mailbox, at uint32) (map[string]Folder, error) {
	out := map[string]Folder{}
	err := c.scan(ctx, key32(keyFolder, mailbox), func(key, value []byte) error {
		row, err := c.openRow(key, value)
		if err != nil || row.from > at || at >= row.to {
			return err
		}
		f, err := row.folder()
		out[f.ID] = f
		return err
	})
	return out, err
}

// Path is a folder's path from the mailbox's root: names joined by "/", a "/" within a name written "\/".
func Path(folders map[string]Folder, id string) string {
	var names []string
	for range 256 { // deeper is a loop
		f, ok := folders[id]
		if !ok {
			break
		}
		if f.Name != "" {
			names = append(names, strings.ReplaceAll(f.Name, "/", `\/`))
		}
		id = f.ParentID
	}
	slices.Reverse(names)
	return strings.Join(names, "/")
}

// Mailboxes are the mailboxes with at least one complete snapshot, by name, each with its latest.
func (a *Archive) Mailboxes() []Snapshot {
	a.cat.mu.RLock()
	defer a.cat.mu.RUnlock()
	var out []Snapshot
	for _, st := range a.cat.mailboxes {
		if st.ordinal > 0 {
			out = append(out, st.last)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Mailbox < out[j].Mailbox })
	return out
}

// Latest is a mailbox's latest complete snapshot.
func (a *Archive) Latest(mailbox string) (Snapshot, error) {
	st, ok := a.cat.state(strings.ToLower(mailbox))
	if !ok || st.ordinal == 0 {
		return Snapshot{}, fmt.Errorf("mailbox %s: %w", mailbox, ErrNotFound)
	}
	return st.last, nil
}

// Snapshots yields a mailbox's complete snapshots, oldest first.
func (a *Archive) Snapshots(ctx context.Context, mailbox string) iter.Seq2[Snapshot, error] {
	return func(yield func(Snapshot, error) bool) {
		st, ok := a.cat.state(strings.ToLower(mailbox))
		if !ok || st.ordinal == 0 {
			yield(Snapshot{}, fmt.Errorf("mailbox %s: %w", mailbox, ErrNotFound))
			return
		}
		err := a.cat.scan(ctx, key32(keySnapshot, st.number), func(_, value []byte) error {
			s, err := openSnapshot(value)
			if err != nil || s.forgotten {
				return err
			}
			s.Mailbox = st.last.Mailbox
			if !yield(s.Snapshot, nil) {
				return errStop
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStop) {
			yield(Snapshot{}, err)
		}
	}
}

var errStop = errors.New("no more wanted")

// snapshotRow is what the catalog keeps of a snapshot.
type snapshotRow struct {
	Snapshot
	forgotten bool // it is a position still, and offered no more
}

// snapshotForgotten ends the row of a snapshot that was forgotten.
const snapshotForgotten = 1

func openSnapshot(row []byte) (snapshotRow, error) {
	r := wire.NewReader(row)
	s := snapshotRow{Snapshot: readSnapshot(r)}
	if r.More() {
		s.forgotten = r.Byte() == snapshotForgotten
	}
	if err := r.Done(); err != nil {
		return s, fmt.Errorf("%w: catalog: snapshot: %w", ErrDamaged, err)
	}
	return s, nil
}

// At is the mailbox's last complete snapshot at or before a moment.
func (a *Archive) At(ctx context.Context, mailbox string, t time.Time) (Snapshot, error) {
	var found Snapshot
	for s, err := range a.Snapshots(ctx, mailbox) {
		if err != nil {
			return found, err
		}
		if s.Time.After(t) {
			break
		}
		found = s
	}
	if found.Ordinal == 0 {
		return found, fmt.Errorf("mailbox %s has no snapshot at or before %s: %w", mailbox, t.UTC().Format(time.RFC3339), ErrNotFound)
	}
	return found, nil
}

// Folders are a mailbox's folders as a snapshot shows them; of one that lies in the future, as the latest does.
func (a *Archive) Folders(ctx context.Context, s Snapshot) (map[string]Folder, error) {
	st, ok := a.cat.state(strings.ToLower(s.Mailbox))
	if !ok || st.ordinal == 0 {
		return nil, fmt.Errorf("mailbox %s: %w", s.Mailbox, ErrNotFound)
	}
	folders, err := a.cat.folders(ctx, st.number, min(s.Ordinal, st.ordinal))
	for id, f := range folders {
		f.To = st.visible(f.To)
		folders[id] = f
	}
	return folders, err
}

// visible is the end of something as snapshots show it: one that is not complete yet ends nothing.
func (st *mailboxState) visible(to uint32) uint32 {
	if to > st.ordinal {
		return Forever
	}
	return to
}

// Versions yields what a mailbox held at a snapshot, in order of id.
func (a *Archive) Versions(ctx context.Context, s Snapshot) iter.Seq2[*Version, error] {
	return func(yield func(*Version, error) bool) {
		l, err := a.newLister(ctx, s.Mailbox)
		if err == nil && (s.Ordinal == 0 || s.Ordinal > l.st.ordinal) {
			err = fmt.Errorf("mailbox %s: snapshot %d: %w", s.Mailbox, s.Ordinal, ErrNotFound)
		}
		if err == nil {
			err = l.items(nil, func(rows []*row) error {
				if r := shown(rows, s.Ordinal); r != nil {
					return l.emit(rows, r, s.Ordinal, yield)
				}
				return nil
			})
		}
		if err != nil && !errors.Is(err, errStop) {
			yield(nil, err)
		}
	}
}

// History yields all versions of an item that a snapshot shows, oldest first.
func (a *Archive) History(ctx context.Context, id ID) iter.Seq2[*Version, error] {
	return func(yield func(*Version, error) bool) {
		found := false
		err := a.history(ctx, id, func(v *Version, err error) bool {
			found = found || err == nil
			return yield(v, err)
		})
		switch {
		case errors.Is(err, errStop):
		case err != nil:
			yield(nil, err)
		case !found:
			yield(nil, fmt.Errorf("item %s: %w", id, ErrNotFound))
		}
	}
}

func (a *Archive) history(ctx context.Context, id ID, yield func(*Version, error) bool) error {
	for _, m := range a.Mailboxes() {
		if err := a.historiesIn(ctx, m.Mailbox, &id, yield); err != nil {
			return err
		}
	}
	return nil
}

// Histories yields all versions of all items of a mailbox that a snapshot shows, those of an item together, oldest first.
func (a *Archive) Histories(ctx context.Context, mailbox string) iter.Seq2[*Version, error] {
	return func(yield func(*Version, error) bool) {
		if err := a.historiesIn(ctx, mailbox, nil, yield); err != nil && !errors.Is(err, errStop) {
			yield(nil, err)
		}
	}
}

// historiesIn are the histories of a mailbox's items, or of one of them.
func (a *Archive) historiesIn(ctx context.Context, mailbox string, id *ID, yield func(*Version, error) bool) error {
	l, err := a.newLister(ctx, mailbox)
	if err != nil {
		return err
	}
	return l.items(id, func(rows []*row) error {
		for _, r := range rows {
			if r.from > l.st.ordinal || r.to <= r.from {
				continue
			}
			if err := l.emit(rows, r, min(r.to-1, l.st.ordinal), yield); err != nil {
				return err
			}
		}
		return nil
	})
}

// Version is one version of an item by the snapshot it begins at.
func (a *Archive) Version(ctx context.Context, mailbox string, id ID, from uint32) (*Version, error) {
	l, err := a.newLister(ctx, mailbox)
	if err != nil {
		return nil, err
	}
	var found *Version
	err = l.items(&id, func(rows []*row) error {
		for _, r := range rows {
			if r.from == from && from <= l.st.ordinal {
				return l.emit(rows, r, min(max(r.from, r.to-1), l.st.ordinal), func(v *Version, _ error) bool { found = v; return true })
			}
		}
		return nil
	})
	if err == nil && found == nil {
		err = fmt.Errorf("item %s: %w", id, ErrNotFound)
	}
	return found, err
}

// Latest version of an item: the living one, or the last it had.
func (a *Archive) Item(ctx context.Context, id ID) (*Version, error) {
	var last *Version
	for v, err := range a.History(ctx, id) {
		if err != nil {
			return nil, err
		}
		last = v
	}
	return last, nil
}

// maxFolderMaps is how many snapshots' folders a lister keeps.
const maxFolderMaps = 64

// lister turns rows of a mailbox into versions.
type lister struct {
	a       *Archive
	ctx     context.Context // of the one listing it is made for
	mailbox string
	st      mailboxState
	folders map[uint32]map[string]Folder
	times   map[uint32]time.Time
}

func (a *Archive) newLister(ctx context.Context, mailbox string) (*lister, error) {
	mailbox = strings.ToLower(mailbox)
	st, ok := a.cat.state(mailbox)
	if !ok {
		return nil, fmt.Errorf("mailbox %s: %w", mailbox, ErrNotFound)
	}
	return &lister{a: a, ctx: ctx, mailbox: mailbox, st: st, folders: map[uint32]map[string]Folder{}, times: map[uint32]time.Time{}}, nil
}

// items visits the rows of each item together, oldest first; of one item when an id is given.
func (l *lister) items(id *ID, visit func(rows []*row) error) error {
	prefix := key32(keyVersion, l.st.number)
	if id != nil {
		prefix = append(prefix, id[:]...)
	}
	var rows []*row
	err := l.a.cat.scan(l.ctx, prefix, func(key, value []byte) error {
		r, err := l.a.cat.openRow(key, value)
		if err != nil {
			return err
		}
		if len(rows) > 0 && r.id() != rows[0].id() {
			if err := visit(rows); err != nil {
				return err
			}
			rows = rows[:0]
		}
		rows = append(rows, r)
		return nil
	})
	if err == nil && len(rows) > 0 {
		err = visit(rows)
	}
	return err
}

func (r *row) id() ID { return ID(r.key[5:21]) }

// shown is the row of an item that a snapshot shows, nil when there is none.
func shown(rows []*row, ordinal uint32) *row {
	for _, r := range rows {
		if r.from <= ordinal && ordinal < r.to {
			return r
		}
	}
	return nil
}

// emit makes a version of a row, as seen at an ordinal.
func (l *lister) emit(rows []*row, r *row, at uint32, yield func(*Version, error) bool) error {
	v, err := l.version(r, at)
	if err != nil {
		return err
	}
	v.Deleted = shown(rows, l.st.ordinal) == nil
	if !yield(v, nil) {
		return errStop
	}
	return nil
}

func (l *lister) version(r *row, at uint32) (*Version, error) {
	jv, err := r.version()
	if err != nil {
		return nil, err
	}
	v := versionOf(l.mailbox, jv)
	v.From, v.To = r.from, l.st.visible(r.to)
	folders := l.folders[at]
	if folders == nil {
		if len(l.folders) >= maxFolderMaps {
			clear(l.folders)
		}
		if folders, err = l.a.cat.folders(l.ctx, l.st.number, at); err != nil {
			return nil, err
		}
		l.folders[at] = folders
	}
	v.Folder = Path(folders, v.FolderID)
	if v.FirstSeen, err = l.time(v.From); err != nil {
		return nil, err
	}
	if v.To != Forever {
		if v.Ended, err = l.time(v.To); err != nil {
			return nil, err
		}
	}
	v.LastSeen, err = l.time(max(v.From, min(v.To-1, l.st.ordinal)))
	return v, err
}

// time is when a snapshot was committed; the zero time when it is not complete yet.
func (l *lister) time(ordinal uint32) (time.Time, error) {
	if t, ok := l.times[ordinal]; ok {
		return t, nil
	}
	key := appendUint32(key32(keySnapshot, l.st.number), ordinal)
	row, err := l.a.cat.get(key)
	if err != nil || row == nil {
		return time.Time{}, err
	}
	s, err := openSnapshot(row)
	l.times[ordinal] = s.Time
	return s.Time, err
}

func versionOf(mailbox string, v *journal.Version) *Version {
	return &Version{Mailbox: mailbox, ID: v.ID, ItemID: v.ItemID, ChangeKey: v.ChangeKey, FolderID: v.FolderID, To: Forever,
		Size: v.Size, SHA256: v.SHA256, Associated: v.Associated, Unparsed: v.Unparsed, Summary: v.Summary,
		recipe: v.Recipe}
}

// Changes yields what the records after a position say, in order. What is not complete yet is among it: a reader that
// keeps to snapshot ordinals does not show it.
func (a *Archive) Changes(ctx context.Context, after uint64) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		if after >= a.Head() {
			return
		}
		a.frames.shrink(framesFollowed)
		head, err := a.headAt(ctx, after)
		for err == nil && head.Number < a.Head() {
			err = missing(head.Number+1, a.Head())
			// What came since may be sealed under a key that is not at hand.
			for rec, readErr := range a.recordsUntil(ctx, head, a.Head()) {
				if err = readErr; err != nil {
					break
				}
				if !a.changesIn(ctx, rec, yield) {
					return
				}
				head = rec.Head
			}
		}
		if err != nil {
			yield(Change{}, journalError(err))
		}
	}
}

func (a *Archive) changesIn(ctx context.Context, rec *journal.Record, yield func(Change, error) bool) bool {
	for i := range rec.Body.Sections {
		if !a.changesOf(ctx, rec.Number, &rec.Body.Sections[i], yield) {
			return false
		}
	}
	return forgottenOf(rec, yield)
}

// headAt is the position of a record; the zero one before the first.
func (a *Archive) headAt(ctx context.Context, n uint64) (journal.Head, error) {
	if n == 0 {
		return journal.Head{}, nil
	}
	rec, err := a.record(ctx, n)
	if err != nil {
		return journal.Head{}, err
	}
	return rec.Head, nil
}

func (a *Archive) changesOf(ctx context.Context, n uint64, s *journal.Section, yield func(Change, error) bool) bool {
	folders, err := a.foldersFor(ctx, s)
	if err != nil {
		yield(Change{}, err)
		return false
	}
	for i := range s.Versions {
		lasting, err := a.lasting(s, &s.Versions[i])
		if err != nil {
			yield(Change{}, err)
			return false
		}
		if !lasting {
			continue
		}
		v := versionOf(s.Mailbox, &s.Versions[i])
		v.From, v.Folder = s.Ordinal, Path(folders, v.FolderID)
		if !yield(Change{Position: n, Mailbox: s.Mailbox, Added: v}, nil) {
			return false
		}
	}
	for _, id := range s.Gone {
		if !yield(Change{Position: n, Mailbox: s.Mailbox, Ended: &Ended{ID: id, At: s.Ordinal}}, nil) {
			return false
		}
	}
	return true
}

// lasting tells whether a version is of the history still: it was not forgotten, and nothing took its place before its snapshot
// was complete. Of any other the content may be pruned.
func (a *Archive) lasting(s *journal.Section, v *journal.Version) (bool, error) {
	st, ok := a.cat.state(s.Mailbox)
	if !ok {
		return false, nil
	}
	row, err := a.cat.get(rowKey(keyVersion, st.number, v.ID, s.Ordinal))
	if err != nil || row == nil {
		return false, err
	}
	recipe, shown, err := recipeIn(row, s.Ordinal)
	return shown && recipe == v.Recipe, err
}

// forgottenOf yields what a record forgets.
func forgottenOf(rec *journal.Record, yield func(Change, error) bool) bool {
	for i := range rec.Body.Forgets {
		f := &rec.Body.Forgets[i]
		for _, ref := range f.Versions {
			if !yield(Change{Position: rec.Number, Mailbox: f.Mailbox, Forgotten: &VersionRef{f.Mailbox, ref.ID, ref.From}}, nil) {
				return false
			}
		}
	}
	return true
}

// foldersFor are the folders that a section's versions lie in, as its snapshot has them. They are read for each section: a
// later record of the same snapshot may rename them.
func (a *Archive) foldersFor(ctx context.Context, s *journal.Section) (map[string]Folder, error) {
	if len(s.Versions) == 0 {
		return nil, nil
	}
	st, ok := a.cat.state(s.Mailbox)
	if !ok {
		return nil, fmt.Errorf("mailbox %s: %w", s.Mailbox, ErrNotFound)
	}
	return a.cat.folders(ctx, st.number, s.Ordinal)
}
