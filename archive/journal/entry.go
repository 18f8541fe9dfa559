package journal

import (
	"errors"
	"fmt"
	"slices"

	"mailbrick/archive/wire"
)

// ErrUnknownEntry says that a record holds something this program does not know: a newer program wrote it.
var ErrUnknownEntry = errors.New("journal entry of an unknown kind: written by a newer program")

const (
	kindBegin = 1 + iota
	kindPack
	kindDepends
	kindSection
	kindFolder
	kindFolderGone
	kindVersion
	kindGone
	kindCursor
	kindComplete
	kindForget
	kindCondemn
	kindHold
	kindRelease
	kindKey
	kindWriter
)

// Begin is appended by a writer before its first pack.
type Begin struct {
	Session [16]byte
	Program string
}

// Pack is a new pack.
type Pack struct {
	Name   [16]byte
	Salt   [32]byte
	Size   int64
	SHA256 [32]byte
	Chunks int

	Generation uint32 // of the key that it is sealed under
	Inline     bool   // it lies in the record, not in an object of its own

	Record uint64 // of one that lies in a record: which,
	At     int64  // and from which byte of its object on; 0 when the record was folded, and the pack is there no more
}

// What a KeyChange did.
const (
	KeyAdded   = 1
	KeyRemoved = 2
	KeyRotated = 3
)

// KeyChange is a change of who can open the archive, or with what. From the record after a rotation on all is sealed under
// the new generation.
type KeyChange struct {
	Action                    uint32
	Generation                uint32   // the newest, after the change
	Holder, Kind, Fingerprint string   // who came or went
	Digest                    [32]byte // of a rotation: of the new generation's key, so that no other passes for it
}

// Writer announces who signs records.
type Writer struct {
	Key  [32]byte // public, Ed25519
	Name string   // what the machine is called
}

// Folder is a folder as it is from the section's snapshot on.
type Folder struct{ ID, ParentID, Name, Class, Kind string }

// Version is a state of an item from the section's snapshot on.
type Version struct {
	ID                          [16]byte
	ItemID, ChangeKey, FolderID string
	Size                        int64
	SHA256                      [32]byte
	Associated                  bool
	Recipe                      [16]byte // the chunk that says how to make the item's bytes
	Unparsed                    string
	Summary                     []byte
}

// Cursor is where the next run goes on; a nil Value removes the key.
type Cursor struct {
	Key   string
	Value []byte
}

// Section is what a record says of one mailbox, in the order of the fields.
type Section struct {
	Mailbox     string
	Ordinal     uint32
	Folders     []Folder
	FoldersGone []string
	Versions    []Version
	Gone        [][16]byte
	Cursors     []Cursor
	Complete    bool
}

// VersionRef names a version of an item of a mailbox by the snapshot it begins at.
type VersionRef struct {
	ID   [16]byte
	From uint32
}

// Forget removes versions and snapshots of a mailbox from its history.
type Forget struct {
	Mailbox, Reason string
	Versions        []VersionRef
	Snapshots       []uint32 // ordinals
}

// Condemn removes packs. What is still needed of them lies in the packs that the same record names. No record of a session that
// is fenced can follow, so that packs of it that no record names belong to nobody.
type Condemn struct {
	Packs  [][16]byte
	Fenced [][16]byte // sessions
	Buried []Buried
}

// Buried are the chunks of a pack that are garbage: the pack stays, and nothing new may point to them. Bit n%8 of byte n/8 stands
// for chunk n.
type Buried struct {
	Pack   [16]byte
	Chunks []byte
}

// Hold sets a hold, or adds to the one of that name.
type Hold struct {
	Name, Reason, Query string
	Position            uint64   // the query was evaluated through this record
	Mailboxes           []string // in which the query is asked; without a query, those that are held
	Items               []HeldItems
}

// HeldItems are items of one mailbox.
type HeldItems struct {
	Mailbox string
	IDs     [][16]byte
}

// Release ends a hold.
type Release struct{ Name, Reason string }

// Body is what a record says.
type Body struct {
	Begin    *Begin
	Writer   *Writer
	Key      *KeyChange
	Packs    []Pack
	Depends  [][16]byte
	Sections []Section
	Forgets  []Forget
	Condemn  *Condemn
	Holds    []Hold
	Releases []Release
}

type encoder struct{ out, payload []byte }

func (e *encoder) entry(kind uint64, fill func(b []byte) []byte) {
	e.payload = fill(e.payload[:0])
	e.out = wire.AppendUvarint(e.out, kind)
	e.out = wire.AppendBytes(e.out, e.payload)
}

// roughly is about how long a body is encoded, from what there is most of. An allocation of it is one, not twenty that grow.
func (body *Body) roughly() int {
	n := 4 << 10
	for i := range body.Sections {
		s := &body.Sections[i]
		for k := range s.Versions {
			v := &s.Versions[k]
			n += 96 + len(v.ItemID) + len(v.ChangeKey) + len(v.FolderID) + len(v.Unparsed) + len(v.Summary)
		}
		for _, c := range s.Cursors {
			n += 16 + len(c.Key) + len(c.Value)
		}
		n += 32 * len(s.Gone)
	}
	return n
}

// Encode gives the canonical bytes of a body.
func (body *Body) Encode() []byte {
	e := &encoder{out: make([]byte, 0, body.roughly())}
	if b := body.Begin; b != nil {
		e.entry(kindBegin, func(p []byte) []byte { return wire.AppendBytes(append(p, b.Session[:]...), b.Program) })
	}
	if w := body.Writer; w != nil {
		e.entry(kindWriter, func(p []byte) []byte { return wire.AppendBytes(append(p, w.Key[:]...), w.Name) })
	}
	if body.Key != nil {
		e.entry(kindKey, body.Key.append)
	}
	for i := range body.Packs {
		e.entry(kindPack, body.Packs[i].append)
	}
	for _, name := range body.Depends {
		e.entry(kindDepends, func(p []byte) []byte { return append(p, name[:]...) })
	}
	for i := range body.Sections {
		e.section(&body.Sections[i])
	}
	for i := range body.Forgets {
		e.entry(kindForget, body.Forgets[i].append)
	}
	if c := body.Condemn; c != nil {
		e.entry(kindCondemn, c.append)
	}
	for i := range body.Holds {
		e.entry(kindHold, body.Holds[i].append)
	}
	for _, r := range body.Releases {
		e.entry(kindRelease, func(p []byte) []byte { return wire.AppendBytes(wire.AppendBytes(p, r.Name), r.Reason) })
	}
	return e.out
}

func (h *Hold) append(p []byte) []byte {
	for _, text := range []string{h.Name, h.Reason, h.Query} {
		p = wire.AppendBytes(p, text)
	}
	p = wire.AppendUvarint(wire.AppendUvarint(p, h.Position), uint64(len(h.Mailboxes)))
	for _, m := range h.Mailboxes {
		p = wire.AppendBytes(p, m)
	}
	p = wire.AppendUvarint(p, uint64(len(h.Items)))
	for _, group := range h.Items {
		p = appendNames(wire.AppendBytes(p, group.Mailbox), group.IDs)
	}
	return p
}

func (h *Hold) read(p *wire.Reader) {
	h.Name, h.Reason, h.Query, h.Position = p.String(), p.String(), p.String(), p.Uvarint()
	h.Mailboxes = make([]string, p.Count(1))
	for i := range h.Mailboxes {
		h.Mailboxes[i] = p.String()
	}
	h.Items = make([]HeldItems, p.Count(2))
	for i := range h.Items {
		h.Items[i] = HeldItems{Mailbox: p.String(), IDs: readNames(p)}
	}
}

func (f *Forget) append(p []byte) []byte {
	p = wire.AppendBytes(wire.AppendBytes(p, f.Mailbox), f.Reason)
	p = wire.AppendUvarint(p, uint64(len(f.Versions)))
	for _, v := range f.Versions {
		p = wire.AppendUvarint(append(p, v.ID[:]...), uint64(v.From))
	}
	p = wire.AppendUvarint(p, uint64(len(f.Snapshots)))
	for _, n := range f.Snapshots {
		p = wire.AppendUvarint(p, uint64(n))
	}
	return p
}

func (f *Forget) read(p *wire.Reader) {
	f.Mailbox, f.Reason = p.String(), p.String()
	f.Versions = make([]VersionRef, p.Count(17))
	for i := range f.Versions {
		f.Versions[i] = VersionRef{ID: [16]byte(p.Fixed(16)), From: p.Uint32()}
	}
	f.Snapshots = make([]uint32, p.Count(1))
	for i := range f.Snapshots {
		f.Snapshots[i] = p.Uint32()
	}
}

func (c *Condemn) append(p []byte) []byte {
	p = appendNames(appendNames(p, c.Packs), c.Fenced)
	p = wire.AppendUvarint(p, uint64(len(c.Buried)))
	for _, b := range c.Buried {
		p = wire.AppendBytes(append(p, b.Pack[:]...), b.Chunks)
	}
	return p
}

func (c *Condemn) read(p *wire.Reader) {
	c.Packs, c.Fenced = readNames(p), readNames(p)
	c.Buried = make([]Buried, p.Count(17))
	for i := range c.Buried {
		c.Buried[i] = Buried{Pack: [16]byte(p.Fixed(16)), Chunks: p.Bytes()}
	}
}

func appendNames(p []byte, names [][16]byte) []byte {
	p = wire.AppendUvarint(p, uint64(len(names)))
	for _, name := range names {
		p = append(p, name[:]...)
	}
	return p
}

func readNames(p *wire.Reader) [][16]byte {
	names := make([][16]byte, p.Count(16))
	for i := range names {
		names[i] = [16]byte(p.Fixed(16))
	}
	return names
}

func (e *encoder) section(s *Section) {
	e.entry(kindSection, func(p []byte) []byte {
		return wire.AppendUvarint(wire.AppendBytes(p, s.Mailbox), uint64(s.Ordinal))
	})
	for _, f := range s.Folders {
		e.entry(kindFolder, func(p []byte) []byte {
			for _, text := range []string{f.ID, f.ParentID, f.Name, f.Class, f.Kind} {
				p = wire.AppendBytes(p, text)
			}
			return p
		})
	}
	for _, id := range s.FoldersGone {
		e.entry(kindFolderGone, func(p []byte) []byte { return wire.AppendBytes(p, id) })
	}
	for i := range s.Versions {
		e.entry(kindVersion, s.Versions[i].Append)
	}
	for _, id := range s.Gone {
		e.entry(kindGone, func(p []byte) []byte { return append(p, id[:]...) })
	}
	for _, c := range s.Cursors {
		e.entry(kindCursor, func(p []byte) []byte {
			p = wire.AppendBytes(p, c.Key)
			if c.Value == nil {
				return wire.AppendBytes(wire.AppendUvarint(p, 0), "")
			}
			return wire.AppendBytes(wire.AppendUvarint(p, 1), c.Value)
		})
	}
	if s.Complete {
		e.entry(kindComplete, func(p []byte) []byte { return wire.AppendUvarint(p, 0) })
	}
}

func (k *Pack) append(p []byte) []byte {
	p = append(append(p, k.Name[:]...), k.Salt[:]...)
	p = wire.AppendUvarint(p, uint64(k.Size))
	p = append(p, k.SHA256[:]...)
	inline := uint64(0)
	if k.Inline {
		inline = 1
	}
	return wire.AppendUvarint(wire.AppendUvarint(wire.AppendUvarint(p, uint64(k.Chunks)), uint64(k.Generation)), inline)
}

// lay notes where the pack lies that lies in the record, and gives its size.
func (body *Body) lay(record uint64, at, length int) (size int64) {
	for i := range body.Packs {
		p := &body.Packs[i]
		if !p.Inline {
			continue
		}
		if p.Record, size = record, p.Size; length > 0 {
			p.At = int64(at)
		}
	}
	return size
}

func (k *KeyChange) append(p []byte) []byte {
	p = wire.AppendUvarint(wire.AppendUvarint(p, uint64(k.Action)), uint64(k.Generation))
	for _, text := range []string{k.Holder, k.Kind, k.Fingerprint} {
		p = wire.AppendBytes(p, text)
	}
	return append(p, k.Digest[:]...)
}

func readKeyChange(p *wire.Reader) (*KeyChange, error) {
	k := &KeyChange{Action: p.Uint32(), Generation: p.Uint32(), Holder: p.String(), Kind: p.String(), Fingerprint: p.String(), Digest: [32]byte(p.Fixed(32))}
	if p.Err() == nil && (k.Action < KeyAdded || k.Action > KeyRotated) {
		return nil, fmt.Errorf("%w: change %d of the key", ErrUnknownEntry, k.Action)
	}
	return k, nil
}

// generation is that of the key after a record of the body.
func (body *Body) generation(before uint32) uint32 {
	if body.Key != nil && body.Key.Action == KeyRotated {
		return body.Key.Generation
	}
	return before
}

// Append appends a version's fields; a catalog keeps them in the same form.
func (v *Version) Append(p []byte) []byte {
	var flags uint64
	if v.Associated {
		flags |= 1
	}
	p = append(p, v.ID[:]...)
	for _, text := range []string{v.ItemID, v.ChangeKey, v.FolderID} {
		p = wire.AppendBytes(p, text)
	}
	p = append(append(wire.AppendUvarint(p, uint64(v.Size)), v.SHA256[:]...), v.Recipe[:]...)
	p = wire.AppendUvarint(p, flags)
	return wire.AppendBytes(wire.AppendBytes(p, v.Unparsed), v.Summary)
}

// Read reads a version's fields. Flags of a newer program are ErrUnknownEntry, all else is the reader's error.
func (v *Version) Read(r *wire.Reader) error {
	v.ID = [16]byte(r.Fixed(16))
	v.ItemID, v.ChangeKey, v.FolderID = r.String(), r.String(), r.String()
	v.Size = int64(r.Uvarint())
	v.SHA256, v.Recipe = [32]byte(r.Fixed(32)), [16]byte(r.Fixed(16))
	flags := r.Uvarint()
	v.Associated = flags&1 != 0
	v.Unparsed, v.Summary = r.String(), r.Bytes()
	if flags > 1 {
		return fmt.Errorf("%w: version with flags %#x", ErrUnknownEntry, flags)
	}
	return nil
}

// DecodeBody reads what Encode wrote. Byte fields are slices of b. An error is ErrUnknownEntry or ErrDamaged.
func DecodeBody(b []byte) (*Body, error) {
	body := &Body{}
	r := wire.NewReader(b)
	for r.More() {
		kind := r.Uvarint()
		p := wire.NewReader(r.Bytes())
		if r.Err() != nil {
			break
		}
		err := body.decode(kind, p)
		if err == nil && p.Done() != nil {
			err = fmt.Errorf("%w: entry of kind %d: %w", ErrDamaged, kind, p.Err())
		}
		if err != nil {
			return nil, err
		}
	}
	if err := r.Done(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return body, nil
}

func (body *Body) decode(kind uint64, p *wire.Reader) (err error) {
	switch kind {
	case kindBegin:
		body.Begin = &Begin{Session: [16]byte(p.Fixed(16)), Program: p.String()}
	case kindWriter:
		body.Writer = &Writer{Key: [32]byte(p.Fixed(32)), Name: p.String()}
	case kindKey:
		body.Key, err = readKeyChange(p)
	case kindPack:
		return body.decodePack(p)
	case kindDepends:
		body.Depends = append(body.Depends, [16]byte(p.Fixed(16)))
	case kindSection:
		body.Sections = append(body.Sections, Section{Mailbox: p.String(), Ordinal: p.Uint32()})
	case kindForget:
		var f Forget
		f.read(p)
		body.Forgets = append(body.Forgets, f)
	case kindCondemn:
		if body.Condemn != nil {
			return fmt.Errorf("%w: two entries of kind %d", ErrDamaged, kind)
		}
		body.Condemn = &Condemn{}
		body.Condemn.read(p)
	case kindHold:
		var h Hold
		h.read(p)
		body.Holds = append(body.Holds, h)
	case kindRelease:
		body.Releases = append(body.Releases, Release{Name: p.String(), Reason: p.String()})
	default:
		if kind == 0 || kind > kindComplete {
			return fmt.Errorf("%w: %d", ErrUnknownEntry, kind)
		}
		if len(body.Sections) == 0 {
			return fmt.Errorf("%w: entry of kind %d before any section", ErrDamaged, kind)
		}
		return body.Sections[len(body.Sections)-1].decode(kind, p)
	}
	return err
}

func (body *Body) decodePack(p *wire.Reader) error {
	k := Pack{Name: [16]byte(p.Fixed(16)), Salt: [32]byte(p.Fixed(32)), Size: int64(p.Uvarint()), SHA256: [32]byte(p.Fixed(32)),
		Chunks: int(p.Uint32()), Generation: p.Uint32()}
	place := p.Uvarint()
	switch k.Inline = place == 1; {
	case p.Err() != nil: // the caller tells
	case place > 1:
		return fmt.Errorf("%w: pack in place %d", ErrUnknownEntry, place)
	case k.Inline && slices.ContainsFunc(body.Packs, func(other Pack) bool { return other.Inline }):
		return fmt.Errorf("%w: two packs in one record", ErrDamaged)
	}
	body.Packs = append(body.Packs, k)
	return nil
}

func (s *Section) decode(kind uint64, p *wire.Reader) error {
	switch kind {
	case kindFolder:
		s.Folders = append(s.Folders, Folder{ID: p.String(), ParentID: p.String(), Name: p.String(), Class: p.String(), Kind: p.String()})
	case kindFolderGone:
		s.FoldersGone = append(s.FoldersGone, p.String())
	case kindVersion:
		var v Version
		if err := v.Read(p); err != nil {
			return err
		}
		s.Versions = append(s.Versions, v)
	case kindGone:
		s.Gone = append(s.Gone, [16]byte(p.Fixed(16)))
	case kindCursor:
		return s.decodeCursor(p)
	case kindComplete:
		s.Complete = true
		if form := p.Uvarint(); form != 0 {
			return fmt.Errorf("%w: snapshot of form %d", ErrUnknownEntry, form)
		}
	}
	return nil
}

func (s *Section) decodeCursor(p *wire.Reader) error {
	c := Cursor{Key: p.String()}
	set, value := p.Uvarint(), p.Bytes()
	switch set {
	case 0:
	case 1:
		c.Value = append([]byte{}, value...)
	default:
		return fmt.Errorf("%w: cursor of form %d", ErrUnknownEntry, set)
	}
	s.Cursors = append(s.Cursors, c)
	return nil
}
