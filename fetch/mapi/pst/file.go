package pst

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"mailbrick/fetch/mapi"
)

var (
	// ErrNotPST says that the input is another kind of file.
	ErrNotPST = errors.New("not a .pst file")
	// ErrDamaged says that bytes are not what the format calls for.
	ErrDamaged = errors.New("damaged")
	// ErrUnsupported says that the file is whole and cannot be read here.
	ErrUnsupported = errors.New("unsupported .pst file")
)

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
}

// Options: the zero value works.
type Options struct {
	// CodePage is that of the 8-bit strings of an ANSI file where no message says
	// another; folders never do. 0: what may be guessed, mostly 1252.
	CodePage int
}

// File is an open file. Its methods, and those of its folders and messages, may
// be called by many goroutines if its io.ReaderAt may.
type File struct {
	r        io.ReaderAt
	size     int64
	format   Format
	l        layout
	crypt    byte
	codePage int
	nodes    tree
	blocks   tree
	names    map[uint16]mapi.Name
	root     *Folder
	folders  map[uint32]*Folder

	mu       sync.Mutex // guards what follows
	pages    map[int64]*page
	warnings []string
}

// Open opens a file of size bytes: it reads the node B-tree and the folders, no
// messages. r must serve as long as the file and the long values of its messages
// are used. The error is ErrNotPST, ErrUnsupported, ErrDamaged or r's own.
func Open(r io.ReaderAt, size int64, o Options) (*File, error) {
	f := &File{r: r, size: size, codePage: o.CodePage, pages: map[int64]*page{}}
	if err := f.readHeader(); err != nil {
		return nil, err
	}
	if _, err := f.page(&f.blocks, f.blocks.root, -1); err != nil {
		return nil, fmt.Errorf("block B-tree: %w", err)
	}
	if _, err := f.page(&f.nodes, f.nodes.root, -1); err != nil {
		return nil, fmt.Errorf("node B-tree: %w", err)
	}
	if err := f.readNodes(); err != nil {
		return nil, fmt.Errorf("node B-tree: %w", err)
	}
	if err := f.openNames(); err != nil {
		return nil, err
	}
	return f, f.readFolders()
}

// Format is the layout of the file.
func (f *File) Format() Format { return f.format }

// Warnings are what is odd about the file as a whole, so far; at most 32.
func (f *File) Warnings() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.warnings)
}

func (f *File) warn(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.warnings) < maxWarnings && !slices.Contains(f.warnings, text) {
		f.warnings = append(f.warnings, text)
	}
}

// warnAll takes over what a reader had to say.
func (f *File) warnAll(what string, r Report) {
	for _, w := range r.Warnings {
		f.warn("%s: %s", what, w)
	}
}

// readAt fills p; a place beyond the end of the file is damage.
func (f *File) readAt(p []byte, off int64) error {
	if off < 0 || off > f.size-int64(len(p)) {
		return damaged("%d bytes at %#x of a file of %d", len(p), off, f.size)
	}
	n, err := f.r.ReadAt(p, off)
	switch {
	case n == len(p):
		return nil
	case err == io.EOF:
		return damaged("the file ends at %#x", off+int64(n))
	}
	return err
}

// Header [MS-PST] 2.2.2.6.
const (
	magic       = "!BDN"
	headerSize  = 564
	ansiHeader  = 512
	crcFrom     = 8 // the bytes of both checksums begin with wMagicClient
	crcPartial  = 471
	crcFull     = 516
	clientPST   = "SM"
	clientOST   = "SO"
	versionANSI = 15 // and 14
	versionWide = 21 // documented are 23 and above
	version4K   = 36
)

func (f *File) readHeader() error {
	head := make([]byte, min(f.size, headerSize))
	if err := f.readAt(head, 0); err != nil && !errors.Is(err, ErrDamaged) {
		return err
	}
	if len(head) < len(magic) || string(head[:4]) != magic {
		return ErrNotPST
	}
	if len(head) < ansiHeader {
		return damaged("the file ends in its header")
	}
	version := binary.LittleEndian.Uint16(head[10:])
	switch client := string(head[8:10]); {
	case client != clientPST && client != clientOST:
		return fmt.Errorf("%w: client %q", ErrUnsupported, client)
	case version < versionANSI-1 || version > versionANSI && version < versionWide:
		return fmt.Errorf("%w: version %d", ErrUnsupported, version)
	case version <= versionANSI:
		f.format = ANSI
	case version == version4K:
		f.format = Unicode4K
	default:
		f.format = Unicode
	}
	if f.format != ANSI && len(head) < headerSize {
		return damaged("the file ends in its header")
	}
	f.l = layoutOf(f.format)
	f.checkHeader(head)
	roots := head[f.l.roots:]
	f.nodes = tree{root: f.l.ref(roots), kind: kindNodes, mask: 0xFFFFFFFF, leaf: 3*f.l.id + 4}
	f.blocks = tree{root: f.l.ref(roots[2*f.l.id:]), kind: kindBlocks, mask: ^uint64(1), leaf: 2*f.l.id + 4}
	switch f.crypt = head[f.l.crypt]; f.crypt {
	case cryptNone, cryptPermute, cryptCyclic:
		return nil
	case cryptWIP:
		return fmt.Errorf("%w: encrypted by Windows Information Protection", ErrUnsupported)
	}
	return fmt.Errorf("%w: method of encoding %#02x", ErrUnsupported, f.crypt)
}

func (f *File) checkHeader(head []byte) {
	partial := checksum(head[crcFrom : crcFrom+crcPartial])
	if partial != binary.LittleEndian.Uint32(head[4:]) {
		f.warn("header: the checksum does not match")
	}
	if f.format == ANSI {
		return
	}
	if checksum(head[crcFrom:crcFrom+crcFull]) != binary.LittleEndian.Uint32(head[crcFrom+crcFull:]) {
		f.warn("header: the full checksum does not match")
	}
}

// node looks a node up.
func (f *File) node(nid uint32) (node, error) {
	e, err := f.lookup(&f.nodes, uint64(nid))
	if err != nil {
		return node{}, err
	}
	if e == nil {
		return node{}, damaged("node %#x: not in the node B-tree", nid)
	}
	n, _ := f.nodeEntry(e)
	return n, nil
}

// nodeEntry reads an NBTENTRY [MS-PST] 2.2.2.7.7.4.
func (f *File) nodeEntry(e []byte) (n node, parent uint32) {
	id := f.l.id
	n = node{uint32(f.l.word(e)), f.l.word(e[id:]), f.l.word(e[2*id:])}
	return n, binary.LittleEndian.Uint32(e[3*id:])
}

// openNames reads the names of properties. Without them the named properties are left out.
func (f *File) openNames() error {
	n, err := f.node(nidNames)
	if err == nil {
		in := f.reader()
		f.names, err = in.readNames(n)
		err = first(in.err, err)
		f.warnAll("names of properties", *in.report)
	}
	if errors.Is(err, ErrDamaged) {
		f.warn("names of properties: %v", err)
		return nil
	}
	return err
}

// Store is the properties of the message store. A password among them is a
// question that Outlook asks: it does not hide anything.
func (f *File) Store() (mapi.Bag, Report, error) {
	n, err := f.node(nidStore)
	if err != nil {
		return nil, Report{}, fmt.Errorf("message store: %w", err)
	}
	return f.bag(n, "message store")
}

// bag reads the properties of a node that is no message.
func (f *File) bag(n node, what string) (mapi.Bag, Report, error) {
	in := f.reader()
	o, err := in.object(n)
	if err != nil {
		return nil, *in.report, fmt.Errorf("%s: %w", what, err)
	}
	bag := o.bag()
	pin(bag, codePage(bag, f.codePage))
	if in.err != nil {
		return nil, *in.report, fmt.Errorf("%s: %w", what, in.err)
	}
	return bag, *in.report, nil
}
