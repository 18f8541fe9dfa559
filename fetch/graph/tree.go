package graph

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"mailbrick/fetch/wire"
)

const (
	folderPage     = "250"
	levels         = 3        // that are asked for below the one that is listed
	maxFolderDepth = 300      // deeper is a loop
	maxFolders     = 250_000  // of a mailbox; more is a server that has gone mad
	maxPageFolders = 25_000   // of all levels in an answer
	maxFolderText  = 32 << 20 // bytes of ids and names, and folderText more for each folder
	folderText     = 512
)

// branch is a folder with those right below it, as far as the server told of them unasked.
type branch struct {
	Folder
	below []branch
}

// whole says whether all that lies right below is told. A server leaves out what is beyond its page and says nothing of it.
func (b *branch) whole() bool { return b.Children == len(b.below) }

// Folders gives all folders below one, at any depth; "" is the top of what people see. A request tells of four levels; what it
// left out costs one for every folder that has others below it.
func (c *Client) Folders(ctx context.Context, under string) ([]Folder, error) {
	w := treeWalk{c: c, seen: map[string]bool{}}
	err := w.list(ctx, under, 0)
	return w.all, err
}

// treeWalk gathers the folders of one tree.
type treeWalk struct {
	c    *Client
	seen map[string]bool
	all  []Folder
}

// list asks for what lies below a folder.
func (w *treeWalk) list(ctx context.Context, under string, depth int) error {
	if depth > maxFolderDepth {
		return &Error{Operation: listFolders, class: Permanent, Text: "the folders lie within one another without end"}
	}
	list, err := w.c.branches(ctx, under)
	if err != nil {
		return err
	}
	return w.add(ctx, list, under, depth)
}

func (w *treeWalk) add(ctx context.Context, list []branch, under string, depth int) error {
	for _, b := range list {
		if w.seen[b.ID] {
			continue // a page may tell again what one before told
		}
		if len(w.all) == maxFolders {
			return tooManyFolders()
		}
		w.seen[b.ID] = true
		if b.ParentID == "" {
			b.ParentID = under
		}
		w.all = append(w.all, b.Folder)
		var err error
		switch {
		case b.Search || b.Children == 0 && len(b.below) == 0:
		case b.whole():
			err = w.add(ctx, b.below, b.ID, depth+1)
		default:
			err = w.list(ctx, b.ID, depth+1)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func tooManyFolders() error {
	return &Error{Operation: listFolders, class: Permanent, Text: "more folders than a mailbox can have"}
}

// branches gives the folders below one, with more levels where the server gives them.
func (c *Client) branches(ctx context.Context, under string) ([]branch, error) {
	more := levels
	if c.flat.Load() {
		more = 0
	}
	list, err := c.level(ctx, under, more)
	if more == 0 || !tooDeep(err) && !markless(list) {
		return list, err
	}
	c.flat.Store(true)
	return c.level(ctx, under, 0)
}

// markless says whether change marks are told of the folders that were asked for, and of none below them: without marks each of
// those would cost a request.
func markless(list []branch) bool {
	top, below, marked := false, false, false
	for _, b := range list {
		top = top || b.CommitTime != ""
		for _, child := range b.below {
			below, marked = true, marked || child.CommitTime != ""
		}
	}
	return top && below && !marked
}

// tooDeep says whether one level by itself may come through: the server does not know the other form of the question, or it is
// too much for it.
func tooDeep(err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Class() {
	case Bug, Item:
		return true
	case Shrink:
		return !errors.Is(err, wire.ErrTooLong)
	}
	return e.Status == http.StatusRequestURITooLong || e.Status == http.StatusNotFound && errors.Is(err, ErrNotGraph)
}

const listFolders = "list folders"

// level gives the folders right below one, and so many levels below those.
func (c *Client) level(ctx context.Context, under string, more int) (list []branch, err error) {
	mailbox, err := c.MailboxID(ctx)
	if err != nil {
		return nil, err
	}
	parts := in(mailbox, "folders")
	if under != "" {
		parts = in(mailbox, "folders", under, "childFolders")
	}
	link := c.at(parts, "$top", folderPage, "$select", folderFields, "$expand", expanded(more))
	var trail wire.Trail
	text := 0
	for link != "" {
		op := &operation{name: listFolders, method: http.MethodGet, url: link}
		var page []branch
		op.read = func(s *scanner) (err error) {
			page = page[:0]
			left := maxPageFolders
			link, err = c.page(s, func() error {
				b, err := s.branch(op.date, &left)
				page = append(page, b)
				return err
			})
			return err
		}
		if err := c.call(ctx, op); err != nil {
			return nil, err
		}
		for i := range page {
			text += page[i].length()
		}
		if list = append(list, page...); len(list) > maxFolders || text > maxFolderText+folderText*len(list) {
			return nil, tooManyFolders()
		}
		if link == "" {
			break
		}
		if err := trail.Step(link, wire.Entries(&page, func(b branch) string { return b.ID })); err != nil {
			return nil, &Error{Operation: listFolders, class: Permanent, Text: "the list of the server", cause: err}
		}
	}
	return list, nil
}

// length of the texts that are held of a folder with those below it, without what any folder may have.
func (b *branch) length() int {
	n := len(b.ID) + len(b.ParentID) + len(b.Name) + len(b.Class) + len(b.CommitTime) + len(b.Deleted)
	for i := range b.below {
		n += b.below[i].length() - folderText
	}
	return n
}

// expanded is what is asked for of folders beside their own fields, so many levels deep.
func expanded(more int) string {
	if more == 0 {
		return folderExpanded
	}
	return folderExpanded + ",childFolders($top=" + folderPage + ";$select=" + folderFields + ";$expand=" + expanded(more-1) + ")"
}

// branch reads a folder with those that are told below it. left is how many more an answer may hold.
func (s *scanner) branch(seen time.Time, left *int) (b branch, err error) {
	if *left--; *left < 0 {
		return b, &Error{class: Shrink, Text: "a page of more than " + strconv.Itoa(maxPageFolders) + " folders"}
	}
	b.Children = -1
	err = s.object(func(name string) error {
		if name != "childFolders" {
			return s.folderMember(&b.Folder, name)
		}
		return s.array(func() error {
			child, err := s.branch(seen, left)
			b.below = append(b.below, child)
			return err
		})
	})
	b.Seen = seen
	return b, s.folderRead(&b.Folder, err)
}
