package pst

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"

	"mailbrick/fetch/mapi"
)

// Nodes that every file has [MS-PST] 2.4.1.
const (
	nidStore = 0x21
	nidRoot  = 0x122
)

const (
	idContainerClass = 0x3613 // PidTagContainerClass
	idIPMSubtree     = 0x35E0 // PidTagIpmSubTreeEntryId
)

// Folder is a folder and what is in it.
type Folder struct {
	ID      uint32 // of its node; 0 for the messages that are in no folder
	Name    string
	Class   string // PidTagContainerClass, such as IPF.Note
	Search  bool   // a search folder: it has no messages of its own
	Parent  *Folder
	Folders []*Folder

	f       *File
	node    node
	parent  uint32
	entries []node
	placed  bool
}

// Root is the folder that all others are in, at any depth.
func (f *File) Root() *Folder { return f.root }

// Folders walks all folders, each before those in it.
func (f *File) Folders() iter.Seq[*Folder] {
	return func(yield func(*Folder) bool) {
		stack := []*Folder{f.root}
		for len(stack) > 0 {
			at := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			if !yield(at) {
				return
			}
			for _, below := range slices.Backward(at.Folders) {
				stack = append(stack, below)
			}
		}
	}
}

// IPMSubtree is the folder that people see as the top; nil where the store does not tell.
func (f *File) IPMSubtree() *Folder {
	bag, _, err := f.Store()
	if err != nil {
		return nil
	}
	id := bag.Binary(idIPMSubtree) // flags:4 provider:16 NID:u32 [MS-PST] 2.4.3.2
	if len(id) < 24 {
		return nil
	}
	return f.folders[binary.LittleEndian.Uint32(id[20:])]
}

// Count is how many messages the folder has; associated ones are configuration and views.
func (d *Folder) Count() (normal, associated int) {
	for i := range d.entries {
		if typeOf(d.entries[i].nid) == typeAssociated {
			associated++
		}
	}
	return len(d.entries) - associated, associated
}

// Messages are the messages of the folder by rising ID, associated ones too.
func (d *Folder) Messages() iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		for i := range d.entries {
			if !yield(Entry{d.f, d.entries[i]}) {
				return
			}
		}
	}
}

// Properties are those of the folder itself.
func (d *Folder) Properties() (mapi.Bag, Report, error) {
	if d.node.nid == 0 {
		return nil, Report{}, nil
	}
	return d.f.bag(d.node, fmt.Sprintf("folder %#x", d.ID))
}

// readNodes sorts the nodes of the file: every folder and message names the folder
// it is in [MS-PST] 2.2.2.7.7.4.1, so the tables of folders need not be whole.
func (f *File) readNodes() error {
	f.folders = map[uint32]*Folder{}
	messages := map[uint32][]node{}
	for e, err := range f.all(&f.nodes) {
		if errors.Is(err, ErrDamaged) {
			f.warn("node B-tree: %v", err)
			continue
		}
		if err != nil {
			return err
		}
		n, parent := f.nodeEntry(e)
		switch kind := typeOf(n.nid); kind {
		case typeFolder, typeSearch:
			f.folders[n.nid] = &Folder{ID: n.nid, Search: kind == typeSearch, f: f, node: n, parent: parent}
		case typeMessage, typeAssociated:
			messages[parent] = append(messages[parent], n)
		}
	}
	f.plant(messages)
	return nil
}

// plant makes a tree of the folders and puts the messages into it.
func (f *File) plant(messages map[uint32][]node) {
	f.root = f.folders[nidRoot]
	if f.root == nil {
		f.root = &Folder{ID: nidRoot, f: f}
		f.folders[nidRoot] = f.root
		f.warn("no root folder")
	}
	f.place()
	var lost []node
	for parent, list := range messages {
		if d := f.folders[parent]; d != nil {
			d.entries = list
			continue
		}
		lost = append(lost, list...)
	}
	if len(lost) == 0 {
		return
	}
	slices.SortFunc(lost, func(a, b node) int { return int(int64(a.nid) - int64(b.nid)) })
	f.warn("%d messages are in no folder", len(lost))
	f.root.Folders = append(f.root.Folders, &Folder{Parent: f.root, f: f, entries: lost})
}

// place puts every folder into the one it names. Folders that name one that is not
// there, or each other in a circle, come into the root.
func (f *File) place() {
	below := map[uint32][]*Folder{}
	all := make([]*Folder, 0, len(f.folders))
	for _, d := range f.folders {
		all = append(all, d)
	}
	slices.SortFunc(all, func(a, b *Folder) int { return int(int64(a.ID) - int64(b.ID)) })
	for _, d := range all {
		below[d.parent] = append(below[d.parent], d)
	}
	f.root.placed = true
	f.settle(below, f.root)
	for _, circles := range []bool{false, true} {
		for _, d := range all {
			if d.placed || !circles && f.folders[d.parent] != nil {
				continue
			}
			f.warn("folder %#x: its place %#x is not there", d.ID, d.parent)
			f.adopt(f.root, d)
			f.settle(below, d)
		}
	}
}

func (f *File) adopt(parent, d *Folder) {
	d.placed, d.Parent = true, parent
	parent.Folders = append(parent.Folders, d)
}

// settle places all folders that are in top.
func (f *File) settle(below map[uint32][]*Folder, top *Folder) {
	stack := []*Folder{top}
	for len(stack) > 0 {
		at := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		for _, d := range below[at.ID] {
			if !d.placed {
				f.adopt(at, d)
				stack = append(stack, d)
			}
		}
	}
}

// readFolders reads the names of the folders.
func (f *File) readFolders() error {
	for d := range f.Folders() {
		bag, report, err := d.Properties()
		if err != nil && !errors.Is(err, ErrDamaged) {
			return err
		}
		if err != nil {
			f.warn("%v", err)
		}
		f.warnAll(fmt.Sprintf("folder %#x", d.ID), report)
		d.Name, d.Class = bag.Text(mapi.PidTagDisplayName), bag.Text(idContainerClass)
	}
	return nil
}
