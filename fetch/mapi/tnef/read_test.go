package tnef_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"mailbrick/fetch/mapi"
)

// show is a property in one line.
func show(b mapi.Bag, id uint16) string {
	p := b.Find(id)
	if p == nil {
		return "none"
	}
	switch t := p.Tag.Type(); {
	case t.IsString():
		return p.Text(0)
	case t == mapi.TypeTime:
		v, _ := b.Time(id)
		return v.Format(time.RFC3339)
	case t == mapi.TypeInt32:
		v, _ := b.Int32(id)
		return fmt.Sprint(v)
	case t == mapi.TypeBool:
		v, _ := b.Bool(id)
		return fmt.Sprint(v)
	}
	return fmt.Sprintf("%x", p.Data)
}

func TestMessageAttributes(t *testing.T) {
	t.Parallel()
	pair := u16(4) + "Ann\x00" + u16(11) + "SMTP:a@b.c\x00"
	for _, c := range []struct {
		name, data string
		id         uint16
		want       string
	}{
		{"subject", attr(0x00018004, "hello\x00"), 0x0037, "hello"},
		{"body", attr(0x0002800C, "text\r\n\x00"), 0x1000, "text\r\n"},
		{"class", attr(0x00078008, "IPM.Note.SMIME\x00"), 0x001A, "IPM.Note.SMIME"},
		{"old class", attr(0x00078008, "Microsoft Mail v3.0 IPM.Microsoft Mail.Note\x00"), 0x001A, "IPM.Note"},
		{"old class of a report", attr(0x00078008, "IPM.Microsoft Mail.Non-Delivery\x00"), 0x001A, "Report.IPM.Note.NDR"},
		{"original class", attr(0x00070006, "IPM.Microsoft Schedule.MtgReq\x00"), 0x004B, "IPM.Schedule.Meeting.Request"},
		{"search key", attr(0x00018009, "00FF10\x00"), 0x300B, "00ff10"},
		{"parent key", attr(0x0001800A, "00ff\x00"), 0x0025, "00ff"},
		{"conversation key", attr(0x0001800B, "0A"), 0x000B, "0a"},
		{"high priority", attr(0x0004800D, u16(1)), 0x0017, "2"},
		{"low priority", attr(0x0004800D, u16(3)), 0x0017, "0"},
		{"read", attr(0x00068007, "\x21"), 0x0E07, "1"},
		{"draft with attachment", attr(0x00068007, "\x82"), 0x0E07, "26"},
		{"owner appointment", attr(0x00040008, u32(7)), 0x0062, "7"},
		{"response requested", attr(0x00040009, u16(1)), 0x0063, "true"},
		{"sender name", attr(0x00008000, u16(4)+u16(0)+u16(6)+u16(11)+"Anna\x00\x00SMTP:a@b.c\x00"), 0x0C1A, "Anna"},
		{"sender address", attr(0x00008000, u16(4)+u16(0)+u16(6)+u16(11)+"Anna\x00\x00SMTP:a@b.c\x00"), 0x0C1F, "a@b.c"},
		{"sent for", attr(0x00060001, pair), 0x0042, "Ann"},
		{"sent for by", attr(0x00060001, pair), 0x0064, "SMTP"},
		{"owner of a request", attr(0x00060000, pair) + attr(0x00078008, "IPM.Microsoft Schedule.MtgReq\x00"), 0x0065, "a@b.c"},
		{"owner of a response", attr(0x00060000, pair) + attr(0x00078008, "IPM.Microsoft Schedule.MtgRespP\x00"), 0x0078, "a@b.c"},
		{"delegate", attr(0x00060002, "\x01\x02"), 0x0043, "0102"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := clean(t, stream(c.data))
			if got := show(m.Properties, c.id); got != c.want {
				t.Errorf("%04X is %q, want %q", c.id, got, c.want)
			}
			same(t, "message", m, throughBlob(t, m))
		})
	}
}

func TestAttachmentAttributes(t *testing.T) {
	t.Parallel()
	m := clean(t, stream(
		attr(0x00038020, date(2003, 5, 23, 17, 26, 36, 5)), // Moscow
		attr(0x00069003, list(tag(0x3008, mapi.TypeTime)+string(mapi.NewTime(0, time.Date(2003, 5, 23, 13, 26, 36, 0, time.UTC)).Data))),
		rend(1), attr(0x0006800F, "content"), attr(0x00018010, "A.TXT\x00"), attr(0x00068011, "wmf"),
		attr(0x00069001, "A.TMP\x00"), attr(0x00038012, date(2003, 1, 2, 3, 4, 5, 0)), attr(0x00038013, date(2003, 1, 2, 4, 4, 5, 0)),
		rend(2), attr(0x0006800F, "ole"),
		attr(0x00069002, u16(1)+u32(9)+u16(0)+u16(0)+u32(1)), attr(0x00069005, list(tag(0x3707, mapi.TypeUnicode)+values(wide("long.bin")))),
	))
	if len(m.Attachments) != 3 {
		t.Fatalf("%d attachments", len(m.Attachments))
	}
	for _, c := range []struct {
		name string
		n    int
		id   uint16
		want string
	}{
		{"data", 0, 0x3701, "636f6e74656e74"},
		{"name", 0, 0x3704, "A.TXT"},
		{"rendering", 0, 0x3709, "776d66"},
		{"transport name", 0, 0x370C, "A.TMP"},
		{"created", 0, 0x3007, "2003-01-01T23:04:05Z"},
		{"modified", 0, 0x3008, "2003-01-02T00:04:05Z"},
		{"by value", 0, 0x3705, "1"},
		{"not inline", 0, 0x370B, "-1"},
		{"ole", 1, 0x3705, "6"},
		{"position", 2, 0x370B, "9"},
		{"mac", 2, 0x3702, "2a864886f714030b01"},
		{"long name", 2, 0x3707, "long.bin"},
	} {
		if got := show(m.Attachments[c.n].Properties, c.id); got != c.want {
			t.Errorf("%s: %04X is %q, want %q", c.name, c.id, got, c.want)
		}
	}
	same(t, "message", m, throughBlob(t, m))
}

// everyType is a list with a value of every type, and what each is as a property.
func everyType() (properties []string, want map[uint16]string) {
	want = map[uint16]string{}
	add := func(id uint16, t mapi.Type, value, data string) {
		properties = append(properties, tag(id, t)+value)
		want[id] = data
	}
	add(0x6001, mapi.TypeInt16, "\x01\x02\x00\x00", "\x01\x02")
	add(0x6002, mapi.TypeBool, "\x01\x00\xAA\xAA", "\x01\x00")
	add(0x6003, mapi.TypeInt32, "abcd", "abcd")
	add(0x6004, mapi.TypeFloat32, "abcd", "abcd")
	add(0x6005, mapi.TypeFloat64, "abcdefgh", "abcdefgh")
	add(0x6006, mapi.TypeGUID, "abcdefghijklmnop", "abcdefghijklmnop")
	add(0x6007, mapi.TypeString8, values("abc"), "abc\x00")
	add(0x6008, mapi.TypeUnicode, values(wide("abc")), wide("abc"))
	add(0x6009, mapi.TypeUnicode, values("a\x00b"), "a\x00\x00\x00")
	add(0x600A, mapi.TypeBinary, values("12345"), "12345")
	add(0x600B, mapi.TypeBinary, values(""), "")
	add(0x600C, mapi.MultiValue|mapi.TypeInt16, u32(2)+"\x01\x00\x00\x00\x02\x00\x00\x00", u32(2)+"\x01\x00\x02\x00")
	add(0x600D, mapi.MultiValue|mapi.TypeTime, u32(1)+"abcdefgh", u32(1)+"abcdefgh")
	add(0x600E, mapi.MultiValue|mapi.TypeString8, values("a", "bcde\x00"), u32(2)+u32(4)+wide("a")+u32(10)+wide("bcde"))
	add(0x600F, mapi.MultiValue|mapi.TypeUnicode, values(wide("x"), wide("")), u32(2)+u32(4)+wide("x")+u32(2)+wide(""))
	add(0x6010, mapi.MultiValue|mapi.TypeBinary, values("abc", "", "d"), u32(3)+u32(3)+"abc"+u32(0)+u32(1)+"d")
	add(0x6011, mapi.MultiValue|mapi.TypeInt32, u32(0), u32(0))
	add(0x6012, mapi.MultiValue|mapi.TypeGUID, u32(1)+"abcdefghijklmnop", u32(1)+"abcdefghijklmnop")
	return properties, want
}

func TestEveryType(t *testing.T) {
	t.Parallel()
	properties, want := everyType()
	m := clean(t, stream(attr(0x00069003, list(properties...))))
	for id, data := range want {
		p := m.Properties.Find(id)
		if p == nil || string(p.Data) != data || p.Size != int64(len(data)) {
			t.Errorf("%04X: %+v, want %q", id, p, data)
		}
	}
	same(t, "message", m, throughBlob(t, m))
}

func TestNames(t *testing.T) {
	t.Parallel()
	common := mapi.SetCommon()
	m := clean(t, stream(attr(0x00069003, list(
		tag(0x8005, mapi.TypeInt32)+lid(common, 0x8501)+u32(15),
		tag(0x8006, mapi.TypeBool)+named(mapi.SetPublicStrings(), "Flag")+"\x01\x00\x00\x00",
		tag(0x8006, mapi.MultiValue|mapi.TypeUnicode)+named(mapi.SetPublicStrings(), "Keywords")+values(wide("red"), wide("blue")),
	))))
	if p := m.Properties.FindNamed(mapi.Name{Set: common, LID: 0x8501}); p == nil || string(p.Data) != u32(15) {
		t.Errorf("by LID: %+v", p)
	}
	if p := m.Properties.FindNamed(mapi.Name{Set: mapi.SetPublicStrings(), Text: "Flag"}); p == nil || p.Tag.ID() != 0x8006 {
		t.Errorf("by text: %+v", p)
	}
	if got := m.Categories(); !slices.Equal(got, []string{"red", "blue"}) {
		t.Errorf("categories %q", got)
	}
	same(t, "message", m, throughBlob(t, m))
}

func TestRecipients(t *testing.T) {
	t.Parallel()
	row := func(name string, kind uint32) string {
		return list(tag(0x3001, mapi.TypeUnicode)+values(wide(name)), tag(0x0C15, mapi.TypeInt32)+u32(kind),
			tag(0x3002, mapi.TypeString8)+values("SMTP\x00"), tag(0x3003, mapi.TypeString8)+values(name+"@b.c\x00"))
	}
	m := clean(t, stream(attr(0x00069004, u32(3)+row("ann", 1)+row("bob", 2)+row("cy", 3))))
	got := fmt.Sprint(m.To(), m.Cc(), m.Bcc())
	if want := "[ann <ann@b.c>] [bob <bob@b.c>] [cy <cy@b.c>]"; got != want {
		t.Errorf("recipients %s, want %s", got, want)
	}
	same(t, "message", m, throughBlob(t, m))
}

func TestCodePages(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		page  uint32
		bytes string
		typ   mapi.Type
		want  string
		warns int
	}{
		{"western", 1252, "caf\xE9", 0x84E4, "café", 0},
		{"cyrillic", 1251, "\xCF\xF0\xE8", 0x84E3, "При", 0},
		{"japanese", 932, "\x93\xFA\x96\x7B", 0x83A4, "日本", 0},
		{"koi8 has the bit of lists", 20866, "\xF0\xD2\xC9", mapi.TypeText, "При", 0},
		{"utf-8 has 16 bits", 65001, "caf\xC3\xA9", mapi.TypeText, "café", 0},
		{"unknown", 4711, "caf\xE9", 0x84E4, "café", 1},
		{"not of 8 bits", 1200, "caf\xE9", 0x84E4, "café", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m, warnings := read(t, stream(attr(0x00018004, c.bytes+"\x00"), codePage(c.page), rend(1), attr(0x00018010, c.bytes),
				attr(0x00069005, list(tag(0x3001, mapi.TypeString8)+values(c.bytes), tag(0x6001, mapi.MultiValue|mapi.TypeString8)+values(c.bytes)))))
			if len(warnings) != c.warns {
				t.Errorf("warnings %q", warnings)
			}
			at := m.Attachments[0].Properties
			for _, p := range []*mapi.Property{m.Properties.Find(0x0037), at.Find(0x3704), at.Find(0x3001)} {
				if p == nil || p.Tag.Type() != c.typ || p.Text(0) != c.want {
					t.Errorf("%+v, want type %04X and %q", p, uint16(c.typ), c.want)
				}
			}
			if got := mapi.Members(at.Binary(0x6001)); len(got) != 1 || string(got[0]) != wide(c.want) {
				t.Errorf("list %q", got)
			}
			same(t, "message", m, throughBlob(t, m))
		})
	}
}

func TestPropertyBeforeAttribute(t *testing.T) {
	t.Parallel()
	when := time.Date(2001, 2, 3, 4, 5, 6, 700, time.UTC)
	m := clean(t, stream(attr(0x00018004, "attribute\x00"), attr(0x00038005, date(1999, 1, 1, 0, 0, 0, 0)),
		attr(0x00069003, list(tag(0x0037, mapi.TypeUnicode)+values(wide("property")), tag(0x0039, mapi.TypeTime)+string(mapi.NewTime(0, when).Data)))))
	if m.Subject() != "property" || !m.Sent().Equal(when) || len(m.Properties) != 2 {
		t.Errorf("subject %q, sent %v, %d properties", m.Subject(), m.Sent(), len(m.Properties))
	}
}

func TestZoneNotKnown(t *testing.T) {
	t.Parallel()
	m, warnings := read(t, stream(attr(0x00038005, date(1999, 12, 31, 23, 59, 58, 5))))
	if got := show(m.Properties, 0x0039); got != "1999-12-31T23:59:58Z" || len(warnings) != 1 {
		t.Errorf("%s, warnings %q", got, warnings)
	}
}

const (
	iidMessage = "\x07\x03\x02\x00\x00\x00\x00\x00\xC0\x00\x00\x00\x00\x00\x00\x46"
	iidStorage = "\x0B\x00\x00\x00\x00\x00\x00\x00\xC0\x00\x00\x00\x00\x00\x00\x46"
)

// object is an attachment with an object of that interface.
func object(iid, data string) string {
	return rend(1) + attr(0x00069005, list(tag(0x3701, mapi.TypeObject)+values(iid+data)))
}

func TestEmbedded(t *testing.T) {
	t.Parallel()
	inner := stream(attr(0x00069003, list(tag(0x0037, mapi.TypeString8)+values("\xCF\xF0\xE8\x00"))), object(iidStorage, "compound"))
	middle := stream(attr(0x00018004, "middle\x00"), object(iidMessage, inner))
	m := clean(t, stream(codePage(1251), object(iidMessage, middle),
		rend(1), attr(0x00069005, list(tag(0x3705, mapi.TypeInt32)+u32(5))), attr(0x0006800F, inner)))
	first := m.Attachments[0]
	if first.Embedded == nil || first.Embedded.Subject() != "middle" || first.Data() != nil {
		t.Fatalf("first %+v", first)
	}
	if got := show(first.Properties, mapi.PidTagAttachMethod); got != "5" {
		t.Errorf("method %s", got)
	}
	deep := first.Embedded.Attachments[0].Embedded
	if deep == nil || deep.Subject() != "При" {
		t.Fatalf("second level %+v", deep)
	}
	p := deep.Attachments[0].Data()
	if p == nil || p.Tag.Type() != mapi.TypeObject || string(p.Data) != "compound" || p.Size != 8 || show(deep.Attachments[0].Properties, 0x3705) != "6" {
		t.Errorf("storage %+v", p)
	}
	if m.Attachments[1].Embedded == nil {
		t.Error("a message in attAttachData is no message")
	}
	same(t, "message", m, throughBlob(t, m))
}

func TestNotEmbedded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, iid, data string }{
		{"other interface", "0123456789abcdef", "data"},
		{"no interface", "012", ""},
		{"other format", iidMessage, "no stream"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m, warnings := read(t, stream(object(c.iid, c.data)))
			if p := m.Attachments[0].Data(); p == nil || string(p.Data) != c.iid+c.data || len(warnings) != 1 {
				t.Errorf("%+v, warnings %q", p, warnings)
			}
			same(t, "message", m, throughBlob(t, m))
		})
	}
}

func TestDepth(t *testing.T) {
	t.Parallel()
	data := stream(attr(0x00018004, "bottom\x00"))
	for range 40 {
		data = stream(object(iidMessage, data))
	}
	m, warnings := read(t, data)
	if len(warnings) != 1 {
		t.Errorf("warnings %q", warnings)
	}
	same(t, "message", m, throughBlob(t, m))
	levels := 0
	for at := m; len(at.Attachments) == 1 && at.Attachments[0].Embedded != nil; at = at.Attachments[0].Embedded {
		levels++
	}
	if levels != 32 {
		t.Errorf("%d levels", levels)
	}
}

func TestTwice(t *testing.T) {
	t.Parallel()
	one, other := tag(0x0037, mapi.TypeUnicode)+values(wide("one")), tag(0x0037, mapi.TypeString8)+values("other")
	m := clean(t, stream(attr(0x00069003, list(one, one))))
	if m.Subject() != "one" || len(m.Properties) != 1 {
		t.Errorf("subject %q, %d properties", m.Subject(), len(m.Properties))
	}
	m, warnings := read(t, stream(attr(0x00069003, list(one)), attr(0x00069003, list(other))))
	if m.Subject() != "one" || len(m.Properties) != 1 || len(warnings) != 1 {
		t.Errorf("subject %q, %d properties, warnings %q", m.Subject(), len(m.Properties), warnings)
	}
}

// TestInputUnchanged: values are slices of the input and must not write into it.
func TestInputUnchanged(t *testing.T) {
	t.Parallel()
	data := stream(rend(1), attr(0x00018010, "NAME"), attr(0x0006800F, "content"),
		attr(0x00069005, list(tag(0x3707, mapi.TypeUnicode)+values("a\x00b\x00"), tag(0x3703, mapi.TypeString8)+values(".txt"))))
	m := clean(t, data)
	at := m.Attachments[0].Properties
	if at.Text(0x3707) != "ab" || at.Text(0x3703) != ".txt" || at.Text(0x3704) != "NAME" || !bytes.Equal(at.Binary(0x3701), []byte("content")) {
		t.Errorf("%+v", at)
	}
}
