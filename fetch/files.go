package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"mailbrick/fetch/mapi/pst"
)

// FileMailbox is a mailbox in a tree of mail files: a directory of it, or a file with many messages. The zero one is the whole
// tree.
type FileMailbox struct{ Name, Dir, File string }

// FilesOptions are those of Files; the zero value works.
type FilesOptions struct {
	TempDir string // for messages that are too long to be made in memory; "" is the system's
	// PassedOver is told of what is left out, by path: files that are no mail, and links and special files, which are not
	// followed. It is told again whenever folders are listed.
	PassedOver func(name string, special bool)
	// Odd is told what a damaged file or message has lost, or what is strange about it, though it was read.
	Odd func(name string, what []string)
}

// FileSource is a mailbox of mail files.
type FileSource struct {
	root   *os.Root
	file   string
	o      FilesOptions
	places map[string]place // by folder id, as last listed
	opened []io.Closer      // files that the places read from
	listed listing
	out    spool
}

// FileMailboxes lists the mailboxes that a directory of mailboxes holds: each directory, and each file with many messages.
// The messages that lie loose beside them belong to none.
func FileMailboxes(root *os.Root, passedOver func(name string, special bool)) (mailboxes []FileMailbox, loose int, err error) {
	d := directory{root: root, path: ".", id: topID}
	c, err := d.read(passedOver)
	if err != nil || c.maildir {
		return nil, 0, err // a Maildir is a mailbox itself
	}
	for _, name := range c.dirs {
		if name[0] != '.' {
			mailboxes = append(mailboxes, FileMailbox{Name: display(name), Dir: name})
		}
	}
	for _, b := range c.boxes {
		mailboxes = append(mailboxes, FileMailbox{Name: display(stem(b.name)), File: b.name})
	}
	return mailboxes, len(c.mails), nil
}

// Files makes a source of a mailbox in a tree of mail files, see the package documentation. Nothing outside of the tree is
// read, and nothing is written. Close it when it is no longer used.
func Files(root *os.Root, m FileMailbox, o FilesOptions) (*FileSource, error) {
	if o.PassedOver == nil {
		o.PassedOver = func(string, bool) {}
	}
	if o.Odd == nil {
		o.Odd = func(string, []string) {}
	}
	sub, err := root.OpenRoot(path.Clean(m.Dir))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFolder, err)
	}
	return &FileSource{root: sub, file: m.File, o: o, out: spool{dir: o.TempDir}}, nil
}

// Close lets go of the tree.
func (s *FileSource) Close() error {
	s.release()
	return s.root.Close()
}

func (s *FileSource) release() {
	s.leave()
	for _, f := range s.opened {
		f.Close() // only read from
	}
	s.opened = nil
}

// place is a folder and what holds its messages, nil when nothing does.
type place struct {
	Folder
	holder holder
	mails  []entry // as the walk found them, until they are asked for; nil when they were too many to keep
}

// holder holds messages: a directory, a Maildir, a file of many messages.
type holder interface {
	// list gives all messages. The error says why there are none to be had.
	list(ctx context.Context) ([]entry, error)
	// open reads a message of that list, and tells out what is odd about it. The errors of spool are kept apart from those
	// of the message.
	open(e entry, out *spool) (io.Reader, Ref, error)
	// close lets go of what open holds.
	close()
	// leave lets go of what is held for the messages that follow.
	leave()
}

// entry is a message of a holder.
type entry struct {
	Ref
	name   string // of the file in its directory
	form   form
	flags  string // of a file in a Maildir
	offset int64  // in a file of many messages
	part   []byte // of a calendar or a file of cards
	node   pst.Entry
}

// listing is a holder's list, kept for the export that follows it.
type listing struct {
	folder string
	mails  []entry
	next   int            // they are asked for in their order
	byID   map[string]int // made when they are not
}

func (l *listing) find(itemID string) (entry, bool) {
	at, ok := l.next, true
	if at == len(l.mails) || l.mails[at].ItemID != itemID {
		at, ok = l.search(itemID)
	}
	if !ok {
		return entry{}, false
	}
	l.next = at + 1
	return l.mails[at], true
}

func (l *listing) search(itemID string) (int, bool) {
	if l.byID == nil {
		l.byID = make(map[string]int, len(l.mails))
		for i := range l.mails {
			l.byID[l.mails[i].ItemID] = i
		}
	}
	at, ok := l.byID[itemID]
	return at, ok
}

// Kind keeps a mailbox of files from being taken for one of a server.
func (s *FileSource) Kind() string { return "files" }

func (s *FileSource) Folders(ctx context.Context) ([]Folder, error) {
	s.release()
	w := walk{root: s.root, o: s.o, seen: map[string]bool{}}
	err := w.mailbox(ctx, s.file)
	s.opened = w.opened
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFolder, err)
	}
	s.places, s.listed = map[string]place{}, listing{}
	out := make([]Folder, len(w.places))
	for i, p := range w.places {
		out[i] = p.Folder
		s.places[p.ID] = p
	}
	return out, nil
}

// Changes has no memory of what was: all there is comes as one page, and any state is lost.
func (s *FileSource) Changes(ctx context.Context, folderID, state string) (Page, error) {
	if state != "" {
		return Page{}, ErrStateLost
	}
	entries, err := s.list(ctx, folderID)
	if err != nil {
		return Page{}, err
	}
	page := Page{State: "listed", Last: true, Changes: make([]Change, len(entries))}
	for i, e := range entries {
		page.Changes[i].Ref = e.Ref
	}
	return page, nil
}

// list lists a folder and keeps the list.
func (s *FileSource) list(ctx context.Context, folderID string) ([]entry, error) {
	p, ok := s.places[folderID]
	if !ok {
		return nil, ErrGone
	}
	if p.holder == nil {
		return nil, nil
	}
	entries, err := p.mails, error(nil)
	if entries == nil {
		entries, err = p.holder.list(ctx)
	}
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: %w", ErrGone, err)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrFolder, err)
	}
	s.leave()
	p.mails = nil // from now on what is there is looked at again
	s.places[folderID] = p
	s.listed = listing{folder: folderID, mails: entries}
	return entries, nil
}

func (s *FileSource) Export(ctx context.Context, items []Ref, each func(int, Ref, io.Reader, error) error) error {
	for n, it := range items {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.export(ctx, n, it, each); err != nil {
			return err
		}
	}
	return nil
}

func (s *FileSource) export(ctx context.Context, n int, it Ref, each func(int, Ref, io.Reader, error) error) error {
	e, h, err := s.find(ctx, it.ItemID)
	if err != nil {
		return each(n, it, nil, err)
	}
	defer s.out.reset()
	defer h.close()
	blob, got, err := h.open(e, &s.out)
	if len(s.out.odd) > 0 && err == nil {
		s.o.Odd(it.ItemID, s.out.odd)
	}
	switch {
	case s.out.err != nil:
		return s.out.err // nothing of the message: there is no room for it
	case err != nil:
		return each(n, it, nil, fileError(err))
	}
	return each(n, got, &fileBody{blob}, nil)
}

// leave lets go of what the folder that was listed last holds.
func (s *FileSource) leave() {
	if h := s.places[s.listed.folder].holder; h != nil {
		h.leave()
	}
}

// find looks an item up in the list of its folder, which is listed again when another was since.
func (s *FileSource) find(ctx context.Context, itemID string) (entry, holder, error) {
	folder := folderOf(itemID)
	if s.listed.folder != folder {
		if _, err := s.list(ctx, folder); errors.Is(err, ErrFolder) {
			return entry{}, nil, fmt.Errorf("%w: %w", ErrItem, err)
		} else if err != nil {
			return entry{}, nil, err
		}
	}
	e, ok := s.listed.find(itemID)
	if !ok {
		return e, nil, ErrGone
	}
	return e, s.places[folder].holder, nil
}

// inside parts the id of what holds many messages from that of the message; it stands in no clean path.
const inside = "//"

// folderOf is the folder of an item.
func folderOf(itemID string) string {
	if holder, _, ok := strings.Cut(itemID, inside); ok {
		return holder
	}
	return path.Dir(itemID)
}

// fileError gives the errors of reading a message this package's meaning.
func fileError(err error) error {
	switch {
	case errors.Is(err, ErrAgain), errors.Is(err, ErrGone):
		return err
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %w", ErrGone, err)
	}
	return fmt.Errorf("%w: %w", ErrItem, err)
}

type fileBody struct{ r io.Reader }

func (b *fileBody) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err != nil && err != io.EOF {
		err = fileError(err)
	}
	return n, err
}
