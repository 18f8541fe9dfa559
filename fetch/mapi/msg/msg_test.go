package msg_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/msg"
	"mailbrick/fetch/mapi/msg/cfb"
)

func TestLargeAttachment(t *testing.T) {
	t.Parallel()
	m := withAttachment(20 << 20)
	back := read(t, same(t, m))
	data := back.Attachments[0].Data()
	if data.Large == nil || data.Data != nil || data.Len() != 20<<20 {
		t.Errorf("%d bytes in memory, %d in all", len(data.Data), data.Len())
	}
	if !bytes.Equal(data.Bytes(), noise(20<<20, 1)) {
		t.Error("the attachment differs")
	}
}

// TestMemory: a large attachment goes from file to file and takes no memory of its size.
func TestMemory(t *testing.T) {
	size := int64(40 << 20)
	if os.Getenv("MAILBRICK_TORTURE") != "" {
		size = 150 << 20
	}
	path := filepath.Join(t.TempDir(), "large.msg")
	m := withAttachment(0)
	data := m.Attachments[0].Data()
	data.Data, data.Size = nil, size
	data.Large = io.NewSectionReader(zeros{}, 0, size)
	peak := func(what string, run func()) {
		t.Helper()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		run()
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 8<<20 {
			t.Errorf("%s allocated %d KiB", what, n>>10)
		} else {
			t.Logf("%s allocated %d KiB", what, n>>10)
		}
	}
	peak("writing", func() {
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := msg.Write(f, m); err != nil {
			t.Fatal(err)
		}
	})
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, _ := f.Stat()
	peak("reading and writing again", func() {
		back, err := msg.Read(f, info.Size())
		if err != nil {
			t.Fatal(err)
		}
		if err := msg.Write(io.Discard, back); err != nil {
			t.Fatal(err)
		}
	})
}

type zeros struct{}

func (zeros) ReadAt(p []byte, _ int64) (int, error) {
	clear(p)
	return len(p), nil
}

func TestThousandsOfRecipients(t *testing.T) {
	t.Parallel()
	same(t, crowd(5000))
}

func nested(depth int) *mapi.Message {
	m := &mapi.Message{Properties: mapi.Bag{mapi.NewText(mapi.PidTagSubject, "innermost")}}
	for i := range depth {
		m = &mapi.Message{
			Properties:  mapi.Bag{mapi.NewText(mapi.PidTagSubject, fmt.Sprint("level ", i)), mapi.NewNamedInt32(mapi.Name{Set: mapi.SetCommon(), LID: uint32(i)}, int32(i))},
			Attachments: []mapi.Attachment{{Embedded: m}},
		}
	}
	return m
}

func TestNesting(t *testing.T) {
	t.Parallel()
	same(t, nested(32))
	if err := msg.Write(io.Discard, nested(33)); !errors.Is(err, msg.ErrNotEncodable) {
		t.Error(err)
	}
}

// TestDeeperThanRead: what is nested too deeply stays whole, as a storage.
func TestDeeperThanRead(t *testing.T) {
	t.Parallel()
	data := write(t, nested(31))
	f, err := cfb.Open(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	root := f.Root
	for range 3 { // put the file into one more attachment of itself
		inside := *root
		inside.Name = "__substg1.0_3701000D"
		properties := stream("__properties_version1.0", make([]byte, 8))
		root = cfb.NewStorage("", stream("__properties_version1.0", make([]byte, 32)),
			cfb.NewStorage("__attach_version1.0_#00000000", properties, &inside))
	}
	image, err := cfb.NewImage(root)
	if err != nil {
		t.Fatal(err)
	}
	m, report, err := msg.ReadReport(image, image.Size())
	if err != nil || !strings.Contains(strings.Join(report.Warnings, "\n"), "deeper than 32") {
		t.Fatalf("%v %q", err, report.Warnings)
	}
	depth := 0
	for len(m.Attachments) > 0 && m.Attachments[0].Embedded != nil {
		m = m.Attachments[0].Embedded
		depth++
	}
	if p := m.Attachments[0].Data(); depth != 32 || p == nil || p.Tag.Type() != mapi.TypeObject {
		t.Errorf("depth %d, %v", depth, p)
	}
}

func stream(name string, data []byte) *cfb.Entry {
	return cfb.NewStream(name, bytes.NewReader(data), int64(len(data)))
}

func TestErrNotMsg(t *testing.T) {
	t.Parallel()
	image, err := cfb.NewImage(cfb.NewStorage("", stream("WordDocument", make([]byte, 5000))))
	if err != nil {
		t.Fatal(err)
	}
	var doc bytes.Buffer
	image.WriteTo(&doc)
	for _, c := range []struct {
		name string
		data []byte
	}{{"empty", nil}, {"mail", []byte(strings.Repeat("From: a@example.com\r\n", 100))}, {"document", doc.Bytes()}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if _, err := msg.Read(bytes.NewReader(c.data), int64(len(c.data))); !errors.Is(err, msg.ErrNotMsg) {
				t.Error(err)
			}
		})
	}
}

func TestNotEncodable(t *testing.T) {
	t.Parallel()
	property := func(tag mapi.Tag, data string) mapi.Property {
		return mapi.Property{Tag: tag, Data: []byte(data), Size: int64(len(data))}
	}
	for _, c := range []struct {
		name string
		p    mapi.Property
		want error
	}{
		{"fixed of another width", property(0x30070040, "1234"), msg.ErrNotEncodable},
		{"unknown type", property(0x30070099, "1234"), msg.ErrNotEncodable},
		{"list cut short", property(0x68001003, "\x02\x00\x00\x001234"), msg.ErrNotEncodable},
		{"list of strings cut short", property(0x6800101F, "\x02\x00\x00\x001234"), msg.ErrNotEncodable},
		{"left out", mapi.Property{Tag: 0x10090102, Size: 5}, mapi.ErrLeftOut},
		{"name too long", mapi.NewNamedText(mapi.Name{Text: strings.Repeat("x", 600)}, ""), msg.ErrNotEncodable},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if err := msg.Write(io.Discard, &mapi.Message{Properties: mapi.Bag{c.p}}); !errors.Is(err, c.want) {
				t.Error(err)
			}
		})
	}
}

// TestStrings: what becomes of strings in a file, and of those that do not fit.
func TestStrings(t *testing.T) {
	t.Parallel()
	raw := func(tag mapi.Tag, data string) mapi.Property {
		return mapi.Property{Tag: tag, Data: []byte(data), Size: int64(len(data))}
	}
	for _, c := range []struct {
		name     string
		codePage int32
		p        mapi.Property
		want     mapi.Property
	}{
		{"Latin", 1252, raw(0x0037001E, "Gr\xFC\xDFe\x00"), raw(0x0037001F, "G\x00r\x00\xFC\x00\xDF\x00e\x00\x00\x00")},
		{"Cyrillic", 1251, raw(0x0037001E, "\xCF\x00"), raw(0x0037001F, "\x1F\x04\x00\x00")},
		{"without terminator", 1252, raw(0x0037001E, "a"), raw(0x0037001F, "a\x00\x00\x00")},
		{"empty", 1252, raw(0x0037001E, ""), raw(0x0037001F, "\x00\x00")},
		{"not in its code page", 932, raw(0x0037001E, "a\xFF\x00"), raw(0x0037001E, "a\xFF\x00")},
		{"code page of its own", 1252, raw(0x003784E3, "\xCF\x00"), raw(0x0037001F, "\x1F\x04\x00\x00")},
		{"big endian", 1252, raw(0x003784B1, "\x00a\x00\x00"), raw(0x0037001F, "a\x00\x00\x00")},
		{"half a surrogate", 1252, raw(0x003784B0, "\x00\xD8a\x00\x00\x00"), raw(0x0037001F, "\x00\xD8a\x00\x00\x00")},
		{"HTML in its own code page", 1252, raw(0x1013001E, "<p>\xC3\xA4\x00"), raw(0x1013001E, "<p>\xC3\xA4\x00")},
		{"list", 1251, raw(0x6800101E, "\x01\x00\x00\x00\x02\x00\x00\x00\xCF\x00"), raw(0x6800101F, "\x01\x00\x00\x00\x04\x00\x00\x00\x1F\x04\x00\x00")},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := &mapi.Message{Properties: mapi.Bag{mapi.NewInt32(mapi.PidTagMessageCodepage, c.codePage), c.p}}
			got := read(t, write(t, m)).Properties.Find(c.want.Tag.ID())
			if got == nil || got.Tag != c.want.Tag || !bytes.Equal(got.Data, c.want.Data) {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

// TestCodePageOfTheMessage: what has none of its own has that of the message around it.
func TestCodePageOfTheMessage(t *testing.T) {
	t.Parallel()
	name := mapi.Property{Tag: 0x3001001E, Data: []byte("\xCF\x00"), Size: 2}
	m := &mapi.Message{
		Properties:  mapi.Bag{mapi.NewInt32(mapi.PidTagMessageCodepage, 1251)},
		Recipients:  []mapi.Bag{{name}},
		Attachments: []mapi.Attachment{{Embedded: &mapi.Message{Properties: mapi.Bag{name}}}, {Properties: mapi.Bag{name}}},
	}
	back := read(t, write(t, m))
	for what, bag := range map[string]mapi.Bag{"recipient": back.Recipients[0], "attachment": back.Attachments[1].Properties,
		"embedded": back.Attachments[0].Embedded.Properties} {
		if got := bag.Text(mapi.PidTagDisplayName); got != "П" {
			t.Errorf("%s: %q", what, got)
		}
	}
}

func TestAddedForOutlook(t *testing.T) {
	t.Parallel()
	m := crowd(2)
	m.Attachments = []mapi.Attachment{{Embedded: &mapi.Message{}}, {Properties: mapi.Bag{mapi.NewBinary(mapi.PidTagAttachData, []byte("x"))}}}
	back := read(t, write(t, m))
	if flags, _ := back.Properties.Int32(mapi.PidTagMessageFlags); flags != mapi.FlagRead|mapi.FlagHasAttach {
		t.Errorf("flags %X", flags)
	}
	if got := back.Properties.Text(mapi.PidTagDisplayTo); got != "Person 0; Person 1" {
		t.Errorf("display to %q", got)
	}
	if mask, _ := back.Properties.Int32(0x340D); mask&0x40000 == 0 {
		t.Errorf("store support mask %X", mask)
	}
	for i, want := range []int32{mapi.AttachEmbedded, mapi.AttachByValue} {
		if method, _ := back.Attachments[i].Properties.Int32(mapi.PidTagAttachMethod); method != want {
			t.Errorf("attachment %d has method %d", i, method)
		}
	}
	mask := &mapi.Message{Properties: mapi.Bag{mapi.NewInt32(0x340D, 0x79)}}
	if got, _ := read(t, write(t, mask)).Properties.Int32(0x340D); got != 0x40079 {
		t.Errorf("store support mask %X", got)
	}
}

// TestLeftOut: what Write does not write, and that the first of two properties counts.
func TestLeftOut(t *testing.T) {
	t.Parallel()
	noName := mapi.NewInt32(0x8005, 1)
	table := mapi.Property{Tag: 0x0E13000D, Data: []byte{1}, Size: 1}
	m := &mapi.Message{Properties: mapi.Bag{mapi.NewText(mapi.PidTagSubject, "first"), noName, table,
		{Tag: 0x0037001F, Data: []byte("s\x00\x00\x00"), Size: 4}, mapi.NewInt64(mapi.PidTagMid, 5)},
		Attachments: []mapi.Attachment{{Embedded: &mapi.Message{Properties: mapi.Bag{mapi.NewInt64(mapi.PidTagMid, 5)}}}}}
	back := read(t, write(t, m))
	if back.Subject() != "first" || back.Properties.Find(0x8005) != nil || back.Properties.Find(0x0E13) != nil {
		t.Errorf("%v", back.Properties)
	}
	if back.Properties.Find(mapi.PidTagMid) == nil || back.Attachments[0].Embedded.Properties.Find(mapi.PidTagMid) != nil {
		t.Error("the id of a message is local to its mailbox, of an embedded one to its transfer")
	}
}

// entry is a record of a property stream.
func entry(tag uint32, value uint64) []byte {
	b := binary.LittleEndian.AppendUint32(nil, tag)
	b = binary.LittleEndian.AppendUint32(b, 6)
	return binary.LittleEndian.AppendUint64(b, value)
}

// TestOddFiles: what other programs write and what is damaged.
func TestOddFiles(t *testing.T) {
	t.Parallel()
	root := func(entries []byte, more ...*cfb.Entry) *cfb.Entry {
		return cfb.NewStorage("", append(more, cfb.NewStorage("__nameid_version1.0"), stream("__properties_version1.0", append(make([]byte, 32), entries...)))...)
	}
	for _, c := range []struct {
		name string
		root *cfb.Entry
		tag  mapi.Tag
		data string // "-": absent
		warn string
	}{
		{"terminator in the stream", root(entry(0x0037001F, 4), stream("__substg1.0_0037001F", []byte("a\x00\x00\x00"))), 0x0037001F, "a\x00\x00\x00", ""},
		{"half a character", root(entry(0x0037001F, 4), stream("__substg1.0_0037001F", []byte("a\x00b"))), 0x0037001F, "a\x00\x00\x00", "half a character"},
		{"lower case", root(entry(0x003D001E, 2), stream("__SUBSTG1.0_003d001e", []byte("a"))), 0x003D001E, "a\x00", ""},
		{"empty without stream", root(entry(0x0037001F, 2)), 0x0037001F, "\x00\x00", ""},
		{"no stream", root(entry(0x0037001F, 8)), 0x0037001F, "-", "no stream"},
		{"no entry", root(nil, stream("__substg1.0_0037001F", []byte("a\x00"))), 0x0037001F, "a\x00\x00\x00", "not in the property stream"},
		{"entry twice", root(append(entry(0x00170003, 1), entry(0x00170003, 2)...)), 0x00170003, "\x01\x00\x00\x00", "twice"},
		{"unknown type", root(entry(0x00170099, 1)), 0x00170099, "-", "unknown type"},
		{"no name", root(entry(0x80010003, 1)), 0x80010003, "-", "no name"},
		{"set of a name is not there", cfb.NewStorage("", cfb.NewStorage("__nameid_version1.0", stream("__substg1.0_00030102", []byte("\x05\x00\x00\x00\x08\x00\x00\x00"))),
			stream("__properties_version1.0", append(make([]byte, 32), entry(0x80000003, 1)...))), 0x80000003, "-", "set 4"},
		{"GUID cut short", root(entry(0x68000048, 16), stream("__substg1.0_68000048", make([]byte, 15))), 0x68000048, "-", "GUID of 15"},
		{"list with a rest", root(entry(0x68001003, 6), stream("__substg1.0_68001003", make([]byte, 6))), 0x68001003, "\x01\x00\x00\x00\x00\x00\x00\x00", "list of 6"},
		{"list without its members", root(entry(0x6800101F, 8), stream("__substg1.0_6800101F", []byte("\x04\x00\x00\x00\x02\x00\x00\x00"))), 0x6800101F, "\x01\x00\x00\x00\x02\x00\x00\x00\x00\x00", "1 members"},
		{"header of an embedded message", cfb.NewStorage("", stream("__properties_version1.0", append(make([]byte, 24), entry(0x00170003, 1)...))), 0x00170003, "\x01\x00\x00\x00", "no names"},
		{"property stream too short", cfb.NewStorage("", stream("__properties_version1.0", make([]byte, 7))), 0x00170003, "-", "property stream of 7"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			image, err := cfb.NewImage(c.root)
			if err != nil {
				t.Fatal(err)
			}
			m, report, err := msg.ReadReport(image, image.Size())
			if err != nil {
				t.Fatal(err)
			}
			p := m.Properties.Find(c.tag.ID())
			if (p == nil) != (c.data == "-") || p != nil && string(p.Data) != c.data {
				t.Errorf("%+v, want %q", p, c.data)
			}
			all := strings.Join(report.Warnings, "\n")
			if (all == "") != (c.warn == "") || !strings.Contains(all, c.warn) {
				t.Errorf("warnings %q, want %q", all, c.warn)
			}
		})
	}
}

// TestGaps: numbers of storages may have gaps and stand in any order.
func TestGaps(t *testing.T) {
	t.Parallel()
	row := func(n, id int) *cfb.Entry {
		return cfb.NewStorage(fmt.Sprintf("__recip_version1.0_#%08X", n),
			stream("__properties_version1.0", append(make([]byte, 8), entry(0x30000003, uint64(id))...)))
	}
	image, err := cfb.NewImage(cfb.NewStorage("", row(0x100, 2), row(0xA, 1), row(3, 0), stream("__properties_version1.0", make([]byte, 32))))
	if err != nil {
		t.Fatal(err)
	}
	m, err := msg.Read(image, image.Size())
	if err != nil {
		t.Fatal(err)
	}
	var got []int32
	for _, r := range m.Recipients {
		id, _ := r.Int32(mapi.PidTagRowid)
		got = append(got, id)
	}
	if !slices.Equal(got, []int32{0, 1, 2}) {
		t.Error(got)
	}
}

// TestObjectThatIsNoStorage is written as bytes.
func TestObjectThatIsNoStorage(t *testing.T) {
	t.Parallel()
	m := &mapi.Message{Attachments: []mapi.Attachment{{Properties: mapi.Bag{{Tag: 0x3701000D, Data: []byte("bytes"), Size: 5}}}}}
	same(t, m)
	if p := read(t, write(t, m)).Attachments[0].Data(); p.Tag != 0x37010102 || string(p.Data) != "bytes" {
		t.Errorf("%+v", p)
	}
}
