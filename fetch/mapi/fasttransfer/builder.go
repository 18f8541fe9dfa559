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
	spool   Spool
	spooled int64 // bytes in the spool
	err     error // of the spool

	// The present value.
	mode  mode
	size  int64
	data  []byte
	owned bool  // data is nobody else's
	begun int64 // where the value begins in the spool

	scratch []byte // data of values that end copies
	arena   []byte // room for small values
	next    int    // length of the next arena
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
	usualRow  = 32      // properties of a recipient
	trusted   = 1 << 20 // most that is allocated because a length says so
	smallest  = 4 << 10 // from here on a value is read into its own memory
	arenaSize = 8 << 10
	arenaMin  = 1 << 10 // of the first one: most messages need no more
)

// open begins the object that stands in top.
func (b *builder) open(top *frame, kind where) frame {
	f := frame{kind: kind, message: top.message}
	// The pointers stay good: what they point into grows only when they are done with.
	switch m := top.message; kind {
	case inWrapped:
		f.bag = top.bag
	case inRecipient:
		var bag mapi.Bag
		if n := len(m.Recipients); n > 0 { // rows are alike
			bag = make(mapi.Bag, 0, min(len(m.Recipients[n-1]), usualRow))
		}
		m.Recipients = append(m.Recipients, bag)
		f.bag = &m.Recipients[len(m.Recipients)-1]
	case inAttachment:
		f.attachment = len(m.Attachments)
		m.Attachments = append(m.Attachments, mapi.Attachment{})
		f.bag = &m.Attachments[f.attachment].Properties
	case inEmbedded:
		f.message = &mapi.Message{}
		m.Attachments[top.attachment].Embedded = f.message
		f.bag = &f.message.Properties
	}
	return f
}

// begin starts a value.
func (b *builder) begin(wanted bool) {
	b.mode = ignored
	if b.on && wanted {
		b.mode = inMemory
	}
	b.size, b.data, b.owned = 0, b.scratch[:0], false
}

// expect says that n bytes come next.
func (b *builder) expect(n int64) {
	if b.mode != inMemory {
		return
	}
	if b.size+n > b.keep {
		b.overflow()
		return
	}
	if b.size == 0 && n >= smallest {
		b.data, b.owned = make([]byte, 0, min(n, trusted)), true
	}
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
	var word [4]byte
	binary.LittleEndian.PutUint32(word[:], v)
	b.add(word[:])
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
	if *f.bag == nil {
		*f.bag = make(mapi.Bag, 0, 16)
	}
	*f.bag = append(*f.bag, p)
}

// own gives the value memory of its own.
func (b *builder) own() []byte {
	if b.owned {
		return b.data
	}
	b.scratch = b.data
	n := len(b.data)
	if n > arenaSize/8 {
		return append(make([]byte, 0, n), b.data...)
	}
	if n > len(b.arena) {
		b.next = max(min(2*b.next, arenaSize), arenaMin)
		b.arena = make([]byte, b.next)
	}
	data := b.arena[:n:n]
	b.arena = b.arena[n:]
	copy(data, b.data)
	return data
}
