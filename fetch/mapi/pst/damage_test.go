package pst

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"mailbrick/fetch/mapi"
)

// two is a file of two messages; the first has an attachment of many blocks.
func two(f Format) (*builder, *mapi.Message) {
	b := newBuilder(f, cryptPermute)
	top := b.root()
	m := b.rich(1)
	m.Attachments = append(m.Attachments, mapi.Attachment{Properties: mapi.Bag{
		mapi.NewBinary(mapi.PidTagAttachData, bytes.Repeat([]byte("0123456789ABCDEF"), 1000))}})
	b.add(b.message(b.fresh(typeMessage), m), top)
	b.add(b.message(b.fresh(typeMessage), &mapi.Message{Properties: b.every()}), top)
	return b, m
}

// blockOf is the block with a BID that the file has been written with.
func (b *builder) blockOf(bid uint64) block {
	i := slices.IndexFunc(b.index, func(k block) bool { return k.bid == bid })
	return b.index[i]
}

// first is the node of the first message.
func (b *builder) first() node {
	i := slices.IndexFunc(b.nodes, func(n nodeOf) bool { return typeOf(n.nid) == typeMessage })
	return b.nodes[i].node
}

// part is the n-th data block of 4000 bytes, those of the attachment.
func (b *builder) part(n int) block {
	for _, k := range b.index {
		if k.size == 4000 {
			if n == 0 {
				return k
			}
			n--
		}
	}
	panic("no such block")
}

func TestDamage(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		change  func(b *builder, data []byte)
		err     bool // of the first message
		warning string
		check   func(t *testing.T, m *mapi.Message)
	}{
		{"a byte of an attachment", func(b *builder, d []byte) { d[b.part(1).off+100] ^= 1 }, false, "attachment 3: block", func(t *testing.T, m *mapi.Message) {
			if n := len(m.Attachments[3].Data().Bytes()); n != 16000 {
				t.Errorf("%d bytes", n)
			}
		}},
		{"a block of an attachment is another's", func(b *builder, d []byte) { d[int(b.part(2).off)+b.footprint(b.part(2))-b.bidFromEnd()] ^= 4 }, false, "cut short after 8000 bytes", func(t *testing.T, m *mapi.Message) {
			if n := len(m.Attachments[3].Data().Bytes()); n != 8000 {
				t.Errorf("%d bytes", n)
			}
		}},
		{"the properties are another's", func(b *builder, d []byte) {
			k := b.blockOf(b.first().data)
			d[int(k.off)+b.footprint(k)-b.bidFromEnd()] ^= 4
		}, true, "", nil},
		{"the subnodes are no list", func(b *builder, d []byte) { d[b.blockOf(b.first().sub).off] = 7 }, false, "subnodes: damaged", func(t *testing.T, m *mapi.Message) {
			if len(m.Properties) < 10 || len(m.Attachments) > 0 {
				t.Errorf("%d properties, %d attachments", len(m.Properties), len(m.Attachments))
			}
		}},
		{"more subnodes than bytes", func(b *builder, d []byte) { d[b.blockOf(b.first().sub).off+3] = 0xFF }, false, "subnodes: damaged", nil},
	}
	for _, tt := range tests {
		for _, format := range []Format{ANSI, Unicode, Unicode4K} {
			t.Run(tt.name+" "+format.String(), func(t *testing.T) {
				t.Parallel()
				b, _ := two(format)
				data := b.file()
				tt.change(b, data)
				f := mustOpen(t, data)
				list := slices.Collect(f.IPMSubtree().Messages())
				m, r, err := list[0].Read()
				if (err != nil) != tt.err || err != nil && !errors.Is(err, ErrDamaged) {
					t.Fatalf("%v", err)
				}
				if !strings.Contains(strings.Join(r.Warnings, "\n"), tt.warning) {
					t.Errorf("%q", r.Warnings)
				}
				if tt.check != nil {
					tt.check(t, m)
				}
				if _, r, err := list[1].Read(); err != nil || len(r.Warnings) > 0 {
					t.Errorf("the other message: %v %q", err, r.Warnings)
				}
			})
		}
	}
}

// footprint is as in the file.
func (b *builder) footprint(k block) int {
	return (&File{l: b.l}).footprint(k)
}

// bidFromEnd is where a block's trailer has the BID.
func (b *builder) bidFromEnd() int {
	return map[Format]int{ANSI: 8, Unicode: 8, Unicode4K: 16}[b.format]
}

func TestLostNames(t *testing.T) {
	t.Parallel()
	b, _ := two(Unicode)
	b.names = nil
	f := mustOpen(t, b.file())
	m, r, err := entryOf(t, f).Read()
	if err != nil || !strings.Contains(strings.Join(r.Warnings, "\n"), "no name") {
		t.Errorf("%v %q", err, r.Warnings)
	}
	for i := range m.Properties {
		if p := &m.Properties[i]; p.Tag.ID() >= mapi.FirstNamed {
			t.Errorf("%v", p.Tag)
		}
	}
}

func TestLostPage(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name           string
		page           int // 15 nodes fit into one
		messages, lost int
	}{
		{"of messages", 4, 85, 0},
		{"of the store and the top", 0, 0, 100 - (15 - 4)}, // the store, the names, the root, the top
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBuilder(Unicode, cryptPermute)
			top := b.root()
			for range 100 {
				b.add(b.message(b.fresh(typeMessage), &mapi.Message{}), top)
			}
			data := b.file()
			at := bytes.Index(data, []byte{15, 15, 32, 0, 0, 0, 0, 0, kindNodes, kindNodes}) - b.l.counts
			data[at+tt.page*b.l.page+b.l.pageTrailer] = 0
			f := mustOpen(t, data)
			in := map[string]int{}
			for d := range f.Folders() {
				n, _ := d.Count()
				in[fmt.Sprint(d.Name, d.ID == 0)] += n
			}
			if in["Topfalse"] != tt.messages || in["true"] != tt.lost || len(f.Warnings()) == 0 {
				t.Errorf("%v, %q", in, f.Warnings())
			}
		})
	}
}

// failing fails from the n-th read on.
type failing struct {
	io.ReaderAt
	left int
}

var errRead = errors.New("the disk is gone")

func (r *failing) ReadAt(p []byte, off int64) (int, error) {
	if r.left--; r.left < 0 {
		return 0, errRead
	}
	return r.ReaderAt.ReadAt(p, off)
}

func TestReadErrorsAreNotDamage(t *testing.T) {
	t.Parallel()
	b, _ := two(Unicode)
	data := b.file()
	for n := 0; ; n++ {
		r := &failing{bytes.NewReader(data), n}
		f, err := Open(r, int64(len(data)), Options{})
		if err == nil {
			_, _, err = entryOf(t, f).Read()
		}
		if r.left >= 0 {
			if err != nil {
				t.Fatal(err)
			}
			return
		}
		if !errors.Is(err, errRead) {
			t.Fatalf("read %d: %v", n, err)
		}
	}
}

func TestCircles(t *testing.T) {
	t.Parallel()
	word := func(d []byte, off int64, v uint64) { binary.LittleEndian.PutUint64(d[off:], v) }
	tests := []struct {
		name   string
		change func(b *builder, n *node) // before the file is written
	}{
		{"data lists itself", func(b *builder, n *node) {
			list := append(u32(u16([]byte{1, 2}, 1), 10), make([]byte, 8)...)
			n.data = b.block(list, true)
			word(b.out, b.blockOf(n.data).off+8, n.data)
		}},
		{"data is listed over and over", func(b *builder, n *node) {
			leaf := b.block(make([]byte, 8000), false)
			list := u32(u16([]byte{1, 1}, 900), 0)
			for range 900 {
				list = b.word(list, leaf)
			}
			low := b.block(list, true)
			list = u32(u16([]byte{1, 2}, 900), 0)
			for range 900 {
				list = b.word(list, low)
			}
			n.data = b.block(list, true)
		}},
		{"subnodes list themselves", func(b *builder, n *node) {
			n.sub = b.block(append(u32(u16([]byte{2, 1}, 1), 0), make([]byte, 16)...), true)
			word(b.out, b.blockOf(n.sub).off+16, n.sub)
		}},
		{"a message is in itself", func(b *builder, n *node) {
			h := b.heap(kindContext)
			inside := u32(u32(nil, 1<<5|typeAttachment), 0)
			object := h.add(inside)
			h.root = h.records(2, [][]byte{u32(u16(u16(nil, int(mapi.PidTagAttachData)), int(mapi.TypeObject)), object)})
			n.data = h.write(0).data
			n.sub = b.block(append(u32(u16([]byte{2, 0}, 1), 0), make([]byte, 24)...), true)
			at := b.blockOf(n.sub).off + 8
			word(b.out, at, 1<<5|typeAttachment)
			word(b.out, at+8, n.data)
			word(b.out, at+16, n.sub)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBuilder(Unicode, cryptNone)
			top := b.root()
			n := b.message(b.fresh(typeMessage), &mapi.Message{Properties: b.every()})
			tt.change(b, &n)
			b.add(n, top)
			f := mustOpen(t, b.file())
			_, r, err := entryOf(t, f).Read()
			if err == nil && len(r.Warnings) == 0 {
				t.Error("no warning")
			}
			t.Logf("%v %.3q", err, r.Warnings)
		})
	}
}

// walkAll reads all there is and writes it as export streams.
func walkAll(t testing.TB, data []byte) (messages int) {
	f, err := Open(bytes.NewReader(data), int64(len(data)), Options{})
	if err != nil {
		if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNotPST) && !errors.Is(err, ErrUnsupported) {
			t.Fatal(err)
		}
		return 0
	}
	f.IPMSubtree()
	for d := range f.Folders() {
		for e := range d.Messages() {
			m, _, err := e.Read()
			if err != nil && !errors.Is(err, ErrDamaged) {
				t.Fatal(err)
			}
			if err == nil {
				messages++
				checkMessage(t, m)
			}
		}
	}
	return messages
}

// TestRandomDamage: nothing panics or hangs, and messages that are not hit are read.
func TestRandomDamage(t *testing.T) {
	t.Parallel()
	rounds := 12
	if os.Getenv("MAILBRICK_TORTURE") != "" {
		rounds = 3000
	}
	for _, k := range kinds() {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			b := k.builder()
			top := b.root()
			for range 3 {
				b.add(b.message(b.fresh(typeMessage), b.rich(1)), top)
			}
			data := b.file()
			rnd := rand.New(rand.NewPCG(uint64(k.format), uint64(k.crypt)))
			read := 0
			for i := range rounds {
				broken := slices.Clone(data)
				for range 1 + rnd.IntN(20) {
					broken[rnd.IntN(len(broken))] = byte(rnd.Uint32())
				}
				if i%4 == 0 {
					broken = broken[:rnd.IntN(len(broken))]
				}
				read += walkAll(t, broken)
			}
			if read < rounds/3 {
				t.Errorf("%d messages in %d files", read, rounds)
			}
		})
	}
}
