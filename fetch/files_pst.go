package fetch

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"

	"mailbrick/fetch/mapi/pst"
)

// pst adds the folders of a PST below f, or as the mailbox's own when it is all of it.
func (w *walk) pst(f Folder, at string, all bool) {
	store, source, err := openPST(w.root, at)
	if err != nil {
		// What was known of it stays until it can be read again.
		f.Closed, f.Mark = true, ""
		w.places[0].Closed = w.places[0].Closed || all
		w.add(f, unreadable{err})
		return
	}
	w.opened = append(w.opened, source)
	if odd := store.Warnings(); len(odd) > 0 {
		w.o.Odd(at, odd)
	}
	p := pstWalk{walk: w, file: f, source: source}
	top := store.IPMSubtree()
	if top == nil {
		top = store.Root()
	}
	tops := []*pst.Folder{top}
	if top != store.Root() {
		tops = append(tops, store.Root())
	}
	parentID := f.ID
	if all {
		parentID = f.ParentID
	}
	if !all || messages(tops...) > 0 {
		p.add(f, tops...)
	}
	p.below(top, parentID)
	if top != store.Root() {
		p.below(store.Root(), parentID, top)
	}
}

// pstSource is the file itself, open.
type pstSource struct {
	*os.File
	was fs.FileInfo // when it was opened
}

func openPST(root *os.Root, at string) (*pst.File, *pstSource, error) {
	f, err := plainFile(root, at)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil {
		var store *pst.File
		if store, err = pst.Open(f, info.Size(), pst.Options{}); err == nil {
			return store, &pstSource{f, info}, nil
		}
	}
	f.Close()
	return nil, nil, err
}

// pstWalk adds the folders of one file.
type pstWalk struct {
	*walk
	file   Folder
	source *pstSource
}

func (p *pstWalk) add(f Folder, folders ...*pst.Folder) {
	f.Mark, f.Total = p.file.Mark, messages(folders...)
	p.walk.add(f, &pstFolder{folders: folders, id: f.ID, source: p.source})
}

// below adds the folders in a folder. Outside of the folders that people see, empty ones are left out. Search folders have
// nothing of their own.
func (p *pstWalk) below(d *pst.Folder, parentID string, except ...*pst.Folder) {
	for _, sub := range d.Folders {
		if sub.Search || len(except) > 0 && (sub == except[0] || !holds(sub, except[0])) {
			continue
		}
		f := Folder{ID: fmt.Sprintf("%s/%x", p.file.ID, sub.ID), ParentID: parentID, Name: display(sub.Name), Class: cmp.Or(sub.Class, noteFolder)}
		p.add(f, sub)
		p.below(sub, f.ID, except...)
	}
}

// holds tells whether there is a message in a folder or below it, but for one folder.
func holds(d, except *pst.Folder) bool {
	if d == except || d.Search {
		return false
	}
	if messages(d) > 0 {
		return true
	}
	for _, sub := range d.Folders {
		if holds(sub, except) {
			return true
		}
	}
	return false
}

func messages(folders ...*pst.Folder) (n int) {
	for _, d := range folders {
		normal, _ := d.Count()
		n += normal
	}
	return n
}

// pstFolder is a folder of a PST. A message's id is its folder's and that of its node: one that is moved is another item.
type pstFolder struct {
	folders []*pst.Folder // the file's root and the top that people see are one
	id      string
	source  *pstSource
}

func (p *pstFolder) list(ctx context.Context) ([]entry, error) {
	var out []entry
	for _, d := range p.folders {
		for m := range d.Messages() {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if m.Associated() {
				continue // views and settings of programs; they are no mail
			}
			out = append(out, entry{node: m, Ref: Ref{ItemID: fmt.Sprintf("%s%s%x", p.id, inside, m.ID()), ChangeKey: m.Version()}})
		}
	}
	return out, nil
}

func (p *pstFolder) open(e entry, out *spool) (io.Reader, Ref, error) {
	m, report, err := e.node.Read()
	if err != nil {
		return nil, e.Ref, err
	}
	out.odd = append(out.odd, report.Warnings...)
	if err := out.encode(m); err != nil {
		return nil, e.Ref, err
	}
	return out.reader(), e.Ref, unchanged(p.source.File, p.source.was)
}

func (p *pstFolder) close() {}

func (p *pstFolder) leave() {}

// unreadable is a file of many messages that cannot be read.
type unreadable struct{ cause error }

func (u unreadable) list(context.Context) ([]entry, error) { return nil, u.cause }

func (u unreadable) open(e entry, _ *spool) (io.Reader, Ref, error) { return nil, e.Ref, u.cause }

func (u unreadable) close() {}

func (u unreadable) leave() {}
