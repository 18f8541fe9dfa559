package pst

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mailbrick/fetch/mapi"
)

// kind is a way to write a file.
type kind struct {
	name     string
	format   Format
	crypt    byte
	tight    bool
	compress bool
}

func kinds() []kind {
	var list []kind
	for _, f := range []Format{ANSI, Unicode, Unicode4K} {
		for _, c := range []byte{cryptNone, cryptPermute, cryptCyclic} {
			list = append(list, kind{fmt.Sprintf("%v crypt=%d", f, c), f, c, false, false},
				kind{fmt.Sprintf("%v crypt=%d tight", f, c), f, c, true, false})
		}
	}
	return append(list, kind{"Unicode 4K compressed", Unicode4K, cryptPermute, false, true})
}

func (k kind) builder() *builder {
	b := newBuilder(k.format, k.crypt)
	b.compress = k.compress
	if k.tight {
		b.tight()
	}
	return b
}

func named(n mapi.Name, p mapi.Property) mapi.Property {
	p.Name = &n
	return p
}

func textList(id uint16, list ...string) mapi.Property {
	data := u32(nil, uint32(len(list)))
	for _, s := range list {
		member := mapi.NewText(0, s).Data
		data = append(u32(data, uint32(len(member))), member...)
	}
	return newProperty(mapi.MakeTag(id, mapi.TypeTexts), data)
}

// every has a property of each type, in the form they have when read.
func (b *builder) every() mapi.Bag {
	wide := func(id uint16, s string) mapi.Property {
		p := mapi.NewText(id, s)
		p.Tag = mapi.MakeTag(id, mapi.TypeUnicode)
		return p
	}
	fixed := func(id uint16, t mapi.Type, n int) mapi.Property {
		return newProperty(mapi.MakeTag(id, t), bytes.Repeat([]byte{0xA5}, n))
	}
	binaries := append(u32(nil, 3), u32(nil, 2)...)
	binaries = append(binaries, 'a', 'b', 0, 0, 0, 0, 1, 0, 0, 0, 'c')
	return mapi.Bag{
		wide(mapi.PidTagMessageClass, "IPM.Note"),
		mapi.NewInt32(mapi.PidTagImportance, 1),
		mapi.NewBool(mapi.PidTagReadReceiptRequested, true),
		mapi.NewTime(mapi.PidTagClientSubmitTime, time.Unix(1e9, 0)),
		mapi.NewInt64(0x6001, 1<<40),
		fixed(0x6002, mapi.TypeInt16, 2), fixed(0x6003, mapi.TypeFloat32, 4), fixed(0x6004, mapi.TypeFloat64, 8),
		fixed(0x6005, mapi.TypeCurrency, 8), fixed(0x6006, mapi.TypeAppTime, 8), fixed(0x6007, mapi.TypeError, 4),
		fixed(0x6008, mapi.TypeGUID, 16), mapi.NewBinary(0x6009, nil), mapi.NewBinary(0x600A, []byte{1, 2, 3}),
		wide(0x600B, ""), wide(mapi.PidTagBody, strings.Repeat("body \U0001F600 ", 100)),
		newProperty(mapi.MakeTag(0x600C, mapi.TypeInt32|mapi.MultiValue), append(u32(nil, 2), 1, 0, 0, 0, 2, 0, 0, 0)),
		newProperty(mapi.MakeTag(0x600D, mapi.TypeGUID|mapi.MultiValue), append(u32(nil, 1), bytes.Repeat([]byte{7}, 16)...)),
		textList(0x600E, "one", "", "three"), textList(0x600F),
		newProperty(mapi.MakeTag(0x6010, mapi.TypeBinary|mapi.MultiValue), binaries),
		named(mapi.NameCategories(), textList(mapi.FirstNamed, "red")),
		named(mapi.Name{Set: mapi.SetTask(), LID: 0x8101}, mapi.NewInt32(mapi.FirstNamed+1, 3)),
		named(mapi.Name{Set: mapi.SetInternetHeaders(), Text: "x-long"}, wide(mapi.FirstNamed+2, strings.Repeat("x", 700))),
	}
}

// crowd is rows with cells of all widths, not all in each.
func crowd(n int) []mapi.Bag {
	var rows []mapi.Bag
	for i := range n {
		row := mapi.Bag{mapi.NewInt32(mapi.PidTagRecipientType, int32(i%3+1)), mapi.NewBinary(mapi.PidTagEntryID, []byte(fmt.Sprint("id", i)))}
		if i%2 == 0 {
			row = append(row, mapi.NewBool(mapi.PidTagResponsibility, true), mapi.NewInt64(0x6001, int64(i)),
				newProperty(mapi.MakeTag(0x6002, mapi.TypeInt16), []byte{1, 2}))
		}
		if i%5 == 0 {
			row = append(row, mapi.NewBinary(mapi.PidTagSearchKey, bytes.Repeat([]byte{byte(i)}, 600)))
		}
		rows = append(rows, row)
	}
	return rows
}

// rich is a message with all that may hang on one.
func (b *builder) rich(depth int) *mapi.Message {
	m := &mapi.Message{Properties: b.every(), Recipients: crowd(9), Attachments: []mapi.Attachment{
		{Properties: mapi.Bag{mapi.NewInt32(mapi.PidTagAttachMethod, mapi.AttachByValue), mapi.NewBinary(mapi.PidTagAttachData, bytes.Repeat([]byte("attached"), 300))}},
		{Properties: mapi.Bag{mapi.NewInt32(mapi.PidTagAttachMethod, mapi.AttachOLE),
			newProperty(tagObject, bytes.Repeat([]byte("OLE"), 50))}},
	}}
	if depth > 0 {
		m.Attachments = append(m.Attachments, mapi.Attachment{Embedded: b.rich(depth - 1),
			Properties: mapi.Bag{mapi.NewInt32(mapi.PidTagAttachMethod, mapi.AttachEmbedded)}})
	}
	return m
}

func mustOpen(t testing.TB, data []byte) *File {
	t.Helper()
	f, err := Open(bytes.NewReader(data), int64(len(data)), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// view is a message as lines, properties in the order of their names.
func view(m *mapi.Message) []string {
	var lines []string
	add := func(where string, b mapi.Bag) {
		from := len(lines)
		for i := range b {
			p := &b[i]
			data, err := io.ReadAll(p.Open())
			if err != nil || p.Len() != int64(len(data)) {
				data = []byte(fmt.Sprint(err, p.Len(), len(data)))
			}
			lines = append(lines, fmt.Sprintf("%s%s %v %q", where, p.Canonical(), p.Tag.Type(), data))
		}
		slices.Sort(lines[from:])
	}
	var visit func(string, *mapi.Message)
	visit = func(where string, m *mapi.Message) {
		add(where, m.Properties)
		for i, r := range m.Recipients {
			add(fmt.Sprintf("%srecipient %d: ", where, i), r)
		}
		for i, a := range m.Attachments {
			below := fmt.Sprintf("%sattachment %d: ", where, i)
			add(below, a.Properties)
			if a.Embedded != nil {
				visit(below+"message: ", a.Embedded)
			}
		}
	}
	visit("", m)
	return lines
}

func same(t *testing.T, got, want *mapi.Message) {
	t.Helper()
	a, b := view(got), view(want)
	for i := range max(len(a), len(b)) {
		if i >= len(a) || i >= len(b) || a[i] != b[i] {
			t.Fatalf("line %d of %d and %d:\n%.300s\n%.300s", i, len(a), len(b), a[min(i, len(a)-1)], b[min(i, len(b)-1)])
		}
	}
}

func TestReadsWhatWasWritten(t *testing.T) {
	t.Parallel()
	for _, k := range kinds() {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			b := k.builder()
			top := b.root()
			inbox := b.folder(top, "Inbox", "IPF.Note")
			want := b.rich(2)
			first := b.add(b.message(b.fresh(typeMessage), want), inbox)
			b.add(b.message(b.fresh(typeAssociated), &mapi.Message{Properties: b.every()[:3]}), inbox)
			for range 40 { // enough for a tree of pages
				b.add(b.message(b.fresh(typeMessage), &mapi.Message{}), top)
			}
			f := mustOpen(t, b.file())
			if f.Format() != k.format || len(f.Warnings()) > 0 {
				t.Errorf("%v %q", f.Format(), f.Warnings())
			}
			d := f.IPMSubtree()
			if d == nil || d.Name != "Top" || len(d.Folders) != 1 || d.Parent != f.Root() {
				t.Fatalf("top %+v", d)
			}
			if n, a := d.Count(); n != 40 || a != 0 {
				t.Errorf("top has %d and %d", n, a)
			}
			d = d.Folders[0]
			if n, a := d.Count(); d.Name != "Inbox" || d.Class != "IPF.Note" || n != 1 || a != 1 {
				t.Errorf("%q %q %d %d", d.Name, d.Class, n, a)
			}
			list := slices.Collect(d.Messages())
			if list[0].ID() != first || list[0].Associated() || !list[1].Associated() {
				t.Errorf("entries %v", list)
			}
			m, r, err := list[0].Read()
			if err != nil || len(r.Warnings) > 0 {
				t.Fatalf("%v %q", err, r.Warnings)
			}
			same(t, m, want)
			if e, err := f.Entry(first); err != nil || e.Version() != list[0].Version() {
				t.Errorf("%v %v", e, err)
			}
		})
	}
}

func TestLongValuesStayInTheFile(t *testing.T) {
	t.Parallel()
	data := make([]byte, inMemory+12345)
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range data {
		data[i] = byte(rnd.Uint32()) & 0x3F
	}
	text := mapi.NewText(0, strings.Repeat("long ", inMemory/8)).Data
	for _, k := range kinds() {
		if k.tight {
			continue
		}
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			b := k.builder()
			m := &mapi.Message{Properties: mapi.Bag{mapi.NewBinary(mapi.PidTagRtfCompressed, data),
				newProperty(mapi.MakeTag(mapi.PidTagBody, mapi.TypeUnicode), text)}}
			b.add(b.message(b.fresh(typeMessage), m), b.root())
			f := mustOpen(t, b.file())
			got, r, err := entryOf(t, f).Read()
			if err != nil || len(r.Warnings) > 0 {
				t.Fatalf("%v %q", err, r.Warnings)
			}
			p := got.Properties.Find(mapi.PidTagRtfCompressed)
			if p.Large == nil || p.Data != nil {
				t.Fatal("in memory")
			}
			rnd := rand.New(rand.NewPCG(3, 4))
			for range 100 {
				at := rnd.IntN(len(data))
				part := make([]byte, rnd.IntN(min(len(data)-at, 20000)+1))
				if n, err := p.Large.ReadAt(part, int64(at)); n != len(part) || err != nil || !bytes.Equal(part, data[at:at+n]) {
					t.Fatalf("%d bytes at %d: %d %v", len(part), at, n, err)
				}
			}
			if p.Len() != int64(len(data)) || !bytes.Equal(p.Bytes(), data) {
				t.Error("the value is another")
			}
			if p := got.Properties.Find(mapi.PidTagBody); p.Large == nil || !bytes.Equal(p.Bytes(), text) {
				t.Error("the long string is another")
			}
		})
	}
}

// entryOf is the first message of a file.
func entryOf(t testing.TB, f *File) Entry {
	t.Helper()
	for d := range f.Folders() {
		for e := range d.Messages() {
			return e
		}
	}
	t.Fatal("no message")
	return Entry{}
}

func TestStrings8(t *testing.T) {
	t.Parallel()
	string8 := func(id uint16, s string) mapi.Property {
		return newProperty(mapi.MakeTag(id, mapi.TypeString8), []byte(s+"\x00"))
	}
	in1251 := "\xCF\xF0\xE8"
	list := newProperty(mapi.MakeTag(0x6001, mapi.TypeString8|mapi.MultiValue), append(u32(u32(nil, 1), 4), in1251+"\x00"...))
	tests := []struct {
		name     string
		bag      mapi.Bag
		given    int
		want     string
		wantType mapi.Type
	}{
		{"of the message", mapi.Bag{mapi.NewInt32(mapi.PidTagMessageCodepage, 1251)}, 1252, "При", mapi.CodePage | 1251},
		{"given", nil, 1251, "При", mapi.CodePage | 1251},
		{"a message that says UTF-16", mapi.Bag{mapi.NewInt32(mapi.PidTagMessageCodepage, 1200)}, 1251, "При", mapi.CodePage | 1251},
		{"guessed", mapi.Bag{mapi.NewInt32(mapi.PidTagInternetCodepage, 1251)}, 0, "При", mapi.CodePage | 1251},
		{"none", nil, 0, "Ïðè", mapi.CodePage | 1252},
		{"no type for it", nil, 20866, "оПХ", mapi.TypeText},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBuilder(ANSI, cryptPermute)
			html := string8(mapi.PidTagHTML, "<p>")
			m := &mapi.Message{Properties: append(tt.bag, string8(mapi.PidTagSubject, in1251), list, html),
				Recipients:  []mapi.Bag{{string8(mapi.PidTagDisplayName, in1251)}},
				Attachments: []mapi.Attachment{{Properties: mapi.Bag{string8(mapi.PidTagAttachFilename, in1251)}}}}
			b.add(b.message(b.fresh(typeMessage), m), b.root())
			data := b.file()
			f, err := Open(bytes.NewReader(data), int64(len(data)), Options{CodePage: tt.given})
			if err != nil {
				t.Fatal(err)
			}
			got, r, err := entryOf(t, f).Read()
			if err != nil || len(r.Warnings) > 0 {
				t.Fatalf("%v %q", err, r.Warnings)
			}
			for where, p := range map[string]*mapi.Property{"subject": got.Properties.Find(mapi.PidTagSubject),
				"name": got.Recipients[0].Find(mapi.PidTagDisplayName), "file": got.Attachments[0].Properties.Find(mapi.PidTagAttachFilename)} {
				if p.Text(0) != tt.want || p.Tag.Type() != tt.wantType {
					t.Errorf("%s: %q %v", where, p.Text(0), p.Tag.Type())
				}
			}
			if p := got.Properties.Find(0x6001); p.Tag.Type() != mapi.TypeTexts || !strings.Contains(string(p.Data), string(mapi.NewText(0, tt.want).Data)) {
				t.Errorf("list %v %q", p.Tag, p.Data)
			}
			if got.Properties.Find(mapi.PidTagHTML).Tag.Type() != mapi.TypeString8 {
				t.Error("HTML got a code page")
			}
		})
	}
}

func TestSubject(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, stored, subject, prefix, normal string }{
		{"prefix", "\x01\x05RE: test", "RE: test", "RE: ", "test"},
		{"no prefix", "\x01\x01test", "test", "", "test"},
		{"a length beyond the end", "\x01\x20RE: x", "RE: x", "", "RE: x"},
		{"nothing else", "\x01\x01", "", "", ""},
		{"no lead", "RE: test", "RE: test", "none", "none"},
		{"empty", "", "", "none", "none"},
		{"half a lead", "\x01", "\x01", "none", "none"},
	}
	for _, tt := range tests {
		for _, format := range []Format{ANSI, Unicode} {
			t.Run(tt.name+" "+format.String(), func(t *testing.T) {
				t.Parallel()
				b := newBuilder(format, cryptNone)
				bag := mapi.Bag{b.text(mapi.PidTagSubject, tt.stored)}
				splitSubject(&bag)
				text := func(id uint16) string {
					if bag.Find(id) == nil {
						return "none"
					}
					return bag.Text(id)
				}
				got := [3]string{text(mapi.PidTagSubject), text(mapi.PidTagSubjectPrefix), text(mapi.PidTagNormalizedSubject)}
				if got != [3]string{tt.subject, tt.prefix, tt.normal} {
					t.Errorf("%q", got)
				}
			})
		}
	}
}

func TestFoldersOutOfPlace(t *testing.T) {
	t.Parallel()
	b := newBuilder(Unicode, cryptPermute)
	top := b.root()
	circle := b.fresh(typeFolder)
	other := b.folder(circle, "in the circle", "")
	b.add(b.bag(circle, mapi.Bag{b.text(mapi.PidTagDisplayName, "circle")}), other)
	orphan := b.folder(0x9999<<5|typeFolder, "orphan", "")
	b.folder(orphan, "of the orphan", "")
	b.add(b.message(b.fresh(typeMessage), &mapi.Message{}), other)
	b.add(b.message(b.fresh(typeMessage), &mapi.Message{}), 0)
	f := mustOpen(t, b.file())
	var got []string
	for d := range f.Folders() {
		parent := ""
		if d.Parent != nil {
			parent = d.Parent.Name
		}
		n, _ := d.Count()
		got = append(got, fmt.Sprintf("%s/%s %d", parent, d.Name, n))
	}
	want := []string{"/ 0", "/Top 0", "/orphan 0", "orphan/of the orphan 0", "/circle 0", "circle/in the circle 1", "/ 1"}
	if !slices.Equal(got, want) || len(f.Warnings()) != 3 {
		t.Errorf("%q %q, top %#x", got, f.Warnings(), top)
	}
}

func TestOtherFiles(t *testing.T) {
	t.Parallel()
	header := func(f Format, change func(b *builder, data []byte)) func() []byte {
		return func() []byte {
			b := newBuilder(f, cryptPermute)
			b.root()
			data := b.file()
			change(b, data)
			return data
		}
	}
	tests := []struct {
		name string
		data func() []byte
		want error
	}{
		{"nothing", func() []byte { return nil }, ErrNotPST},
		{"another file", func() []byte { return make([]byte, 1000) }, ErrNotPST},
		{"the magic alone", func() []byte { return []byte("!BDN") }, ErrDamaged},
		{"half a header", func() []byte { return append([]byte("!BDN\x00\x00\x00\x00SM\x17\x00"), make([]byte, 520)...) }, ErrDamaged},
		{"an address book", header(ANSI, func(b *builder, d []byte) { copy(d[8:], "AB") }), ErrUnsupported},
		{"a version of the future", header(Unicode, func(b *builder, d []byte) { d[10] = 16 }), ErrUnsupported},
		{"encrypted", header(Unicode, func(b *builder, d []byte) { d[b.l.crypt] = cryptWIP }), ErrUnsupported},
		{"unknown encoding", header(Unicode, func(b *builder, d []byte) { d[b.l.crypt] = 3 }), ErrUnsupported},
		{"root beyond the end", header(Unicode, func(b *builder, d []byte) { d[b.l.roots+11] = 9 }), ErrDamaged},
		{"root below zero", header(Unicode, func(b *builder, d []byte) { d[b.l.roots+15] = 0xFF }), ErrDamaged},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			data := tt.data()
			_, err := Open(bytes.NewReader(data), int64(len(data)), Options{})
			if !errors.Is(err, tt.want) {
				t.Errorf("%v, want %v", err, tt.want)
			}
		})
	}
}

func TestCrypt(t *testing.T) {
	t.Parallel()
	for i := range 256 {
		if wheelI[wheelR[i]] != byte(i) || wheelS[wheelS[i]] != byte(i) {
			t.Fatalf("wheels at %d", i)
		}
	}
	// A part is decoded as it is in the whole.
	whole := []byte(strings.Repeat("The quick brown fox", 20))
	hidden := slices.Clone(whole)
	reveal(cryptCyclic, 0x12345678, hidden, 0)
	for at := range len(hidden) {
		part := slices.Clone(hidden[at:])
		if reveal(cryptCyclic, 0x12345678, part, at); !bytes.Equal(part, whole[at:]) {
			t.Fatalf("at %d", at)
		}
	}
	// [MS-PST] 5.3: the CRC of the bytes of "123456789", begun with 0 and not inverted.
	if c := checksum([]byte("123456789")); c != 0x2DFD2D88 {
		t.Errorf("checksum %#x", c)
	}
}

func TestManyReadAtOnce(t *testing.T) {
	t.Parallel()
	b := newBuilder(Unicode, cryptPermute)
	top := b.root()
	want := b.rich(1)
	for range 50 {
		b.add(b.message(b.fresh(typeMessage), want), top)
	}
	f := mustOpen(t, b.file())
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for e := range f.IPMSubtree().Messages() {
				if m, _, err := e.Read(); err != nil || len(m.Recipients) != len(want.Recipients) {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
}
