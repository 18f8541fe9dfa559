package fasttransfer

import (
	"encoding/binary"
	"io"

	"mailbrick/fetch/mapi"
)

// builder fills the visitor's message.
type builder struct {
	on      bool // there is a message to fill
	keep    int64
	room    int64 // bytes of memory that the message may take
	used    int64 // about how many it takes
	spool   Spool
	spooled int64 // bytes in the spool
	err     error // of the spool

	// The present value.
	mode  mode
	size  int64
	data  []byte // the beginning of free, unless it takes memory of its own
	begun int64  // where the value begins in the spool
	word  [4]byte

	arena []byte // memory for small values
	free  []byte // the rest of it
	bags  slab[mapi.Property]
	rows  slab[mapi.Bag]
}

// reset takes back the memory of the message before.
func (b *builder) reset(v Visitor) {
	b.bags.reset()
	b.rows.reset()
	*b = builder{on: v.Message != nil, keep: v.Keep, room: v.Room, spool: v.Spool, arena: b.arena, free: b.arena, bags: b.bags, rows: b.rows}
}

// mode is what becomes of a value's bytes.
type mode uint8

const (
	ignored mode = iota
	inMemory
	inSpool
	leftOut
)

const (
	usualRow = 32      // properties of a recipient or attachment
	trusted  = 1 << 20 // most that is allocated because a length says so

	arenaMin  = 1 << 10
	arenaMost = 64 << 10
	largeData = 8 << 10 // from here on a value that does not fit into the arena has memory of its own
	smallData = 64      // every value of fixed size fits into so much

	objectSize   = 128 // about the memory of one, without what is in it
	propertySize = 64
	nameSize     = 64 // without its text
)

// open begins the object that stands in top.
func (b *builder) open(top *frame, kind where) frame {
	f := frame{kind: kind, message: top.message}
	b.used += objectSize
	// The pointers stay good: what they point into grows only when they are done with.
	switch m := top.message; kind {
	case inWrapped:
		f.bag = top.bag
	case inRecipient:
		var like mapi.Bag
		if n := len(m.Recipients); n > 0 {
			like = m.Recipients[n-1]
		}
		m.Recipients = b.rows.add(m.Recipients, b.alike(like))
		f.bag = &m.Recipients[len(m.Recipients)-1]
	case inAttachment:
		f.attachment = len(m.Attachments)
		var like mapi.Bag
		if f.attachment > 0 {
			like = m.Attachments[f.attachment-1].Properties
		}
		m.Attachments = append(m.Attachments, mapi.Attachment{Properties: b.alike(like)})
		f.bag = &m.Attachments[f.attachment].Properties
	case inEmbedded:
		f.message = &mapi.Message{}
		m.Attachments[top.attachment].Embedded = f.message
		f.bag = &f.message.Properties
	}
	return f
}

// alike is an empty bag with room for as much as the one before holds: those of a table are alike.
func (b *builder) alike(before mapi.Bag) mapi.Bag {
	if len(before) == 0 {
		return nil
	}
	n := min(len(before), usualRow)
	b.used += int64(n) * propertySize
	return b.bags.room(n)
}

// begin starts a value.
func (b *builder) begin(wanted bool) {
	b.mode, b.size = ignored, 0
	if !wanted {
		return
	}
	b.mode = inMemory
	if len(b.free) < smallData {
		b.refill(smallData)
	}
	b.data = b.free[:0]
}

// expect says that n bytes come next.
func (b *builder) expect(n int64) {
	if b.mode != inMemory {
		return
	}
	crowded := b.spool != nil && b.used+b.size+n > b.room/2 // the other half is for what has no other place
	if b.size+n > b.keep || crowded {
		b.overflow()
		return
	}
	switch {
	case b.size > 0 || n <= int64(len(b.free)):
	case n >= largeData:
		b.data = make([]byte, 0, min(n, trusted))
	default:
		b.refill(int(n))
		b.data = b.free[:0]
	}
}

// refill begins a new arena, in which there is room for n bytes.
func (b *builder) refill(n int) {
	b.arena = make([]byte, max(n, arenaMin, min(2*len(b.arena), arenaMost)))
	b.free = b.arena
}

// overflow puts a value that is too long to keep elsewhere.
func (b *builder) overflow() {
	held := b.data
	b.data = nil
	if b.spool == nil {
		b.mode = leftOut
		return
	}
	b.mode, b.begun = inSpool, b.spooled
	b.write(held)
}

func (b *builder) add(data []byte) {
	b.size += int64(len(data))
	switch b.mode {
	case inMemory:
		b.data = append(b.data, data...)
	case inSpool:
		b.write(data)
	}
}

func (b *builder) u32(v uint32) {
	b.add(binary.LittleEndian.AppendUint32(b.word[:0], v))
}

func (b *builder) write(data []byte) {
	if len(data) == 0 || b.err != nil {
		return
	}
	_, b.err = b.spool.WriteAt(data, b.spooled)
	b.spooled += int64(len(data))
}

// end puts the present value into the bag of f.
func (b *builder) end(f *frame, tag mapi.Tag, name *mapi.Name) {
	p := mapi.Property{Tag: tag, Name: name, Size: b.size}
	switch b.mode {
	case inMemory:
		p.Data = b.own()
	case inSpool:
		p.Large = io.NewSectionReader(b.spool, b.begun, b.size)
	}
	b.used += int64(len(p.Data))
	if name != nil {
		b.used += nameSize + int64(len(name.Text))
	}
	was := cap(*f.bag)
	*f.bag = b.bags.add(*f.bag, p)
	b.used += int64(cap(*f.bag)-was) * propertySize // what is reserved is taken
}

// own is the present value, which nobody else writes into from now on.
func (b *builder) own() []byte {
	n := len(b.data)
	if n > 0 && n <= len(b.free) && &b.data[0] == &b.free[0] {
		b.free = b.free[n:]
	}
	return b.data[:n:n]
}
