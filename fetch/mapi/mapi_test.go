package mapi_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"mailbrick/fetch/mapi"
)

func prop(id uint16, t mapi.Type, data string) mapi.Property {
	return mapi.Property{Tag: mapi.MakeTag(id, t), Data: []byte(data), Size: int64(len(data))}
}

func TestLayouts(t *testing.T) {
	t.Parallel()
	for typ, want := range map[mapi.Type]struct {
		layout mapi.Layout
		width  int
	}{
		0x0002: {mapi.LayoutFixed, 2}, 0x0003: {mapi.LayoutFixed, 4}, 0x000B: {mapi.LayoutFixed, 2}, 0x0014: {mapi.LayoutFixed, 8},
		0x0048: {mapi.LayoutFixed, 16}, 0x000D: {mapi.LayoutVariable, 0}, 0x001E: {mapi.LayoutVariable, 0}, 0x84B0: {mapi.LayoutVariable, 0},
		0x8000: {mapi.LayoutVariable, 0}, 0x1003: {mapi.LayoutFixedMV, 4}, 0x1048: {mapi.LayoutFixedMV, 16}, 0x101F: {mapi.LayoutVarMV, 0},
		0x1102: {mapi.LayoutVarMV, 0}, 0x94B0: {mapi.LayoutVarMV, 0}, 0xD182: {mapi.LayoutVariable, 0}, 0xD56A: {mapi.LayoutVariable, 0}, 0x94E4: {mapi.LayoutVarMV, 0}, 0x100B: {}, 0x0000: {}, 0x0001: {}, 0x0011: {}, 0x100D: {}, 0x7FFF: {},
	} {
		if l, w := typ.Layout(); l != want.layout || w != want.width {
			t.Errorf("%04X: %v %d", uint16(typ), l, w)
		}
	}
	if tag := mapi.MakeTag(0x0037, 0x84B0); tag != 0x003784B0 || tag.ID() != 0x37 || tag.Type() != 0x84B0 || tag.String() != "003784B0" {
		t.Errorf("tag %v", tag)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	if got := mapi.SetCommon().String(); got != "00062008-0000-0000-c000-000000000046" {
		t.Error(got)
	}
	if got := mapi.NameCategories().String(); got != "{00020329-0000-0000-c000-000000000046}/Keywords" {
		t.Error(got)
	}
	if got := (mapi.Name{LID: 0x8501}).String(); !strings.HasSuffix(got, "/0x8501") {
		t.Error(got)
	}
}

func TestTexts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, data string
		typ        mapi.Type
		codePage   int32 // of the bag, 0: none
		want       string
	}{
		{"UTF-16", "\xFC\x00b\x00\x00\x00", 0x001F, 0, "üb"},
		{"UTF-16 as a code page", "\xFC\x00\x00\x00", 0x84B0, 0, "ü"},
		{"UTF-16 big endian", "\x00\xFC\x00\x00", 0x84B1, 0, "ü"},
		{"no terminator", "a\x00", 0x84B0, 0, "a"},
		{"nothing", "", 0x84B0, 0, ""},
		{"NUL inside", "a\x00\x00\x00b\x00\x00\x00", 0x84B0, 0, "a\x00b"},
		{"surrogates", "\x3D\xD8\x00\xDE\x00\x00", 0x84B0, 0, "😀"},
		{"lone surrogate", "\x3D\xD8a\x00\x00\x00", 0x84B0, 0, "\uFFFDa"},
		{"surrogate at the end", "\x3D\xD8", 0x84B0, 0, "\uFFFD"},
		{"odd length", "a\x00b", 0x84B0, 0, "a"},
		{"Windows-1252", "\x80\xFC\x00", 0x84E4, 0, "€ü"},
		{"Windows-1251", "\xEF\x00", 0x84E3, 0, "п"},
		{"8-bit, no code page", "\xFC\x00", 0x001E, 0, "ü"},
		{"8-bit, cyrillic bag", "\xEF\x00", 0x001E, 1251, "п"},
		{"8-bit, japanese bag", "\x82\xA0\x00", 0x001E, 932, "あ"},
		{"unknown code page", "\xFC\x00", 0x8FFF, 0, "ü"},
		{"not a string", "abcd", 0x0003, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := mapi.Bag{prop(mapi.PidTagSubject, c.typ, c.data)}
			if c.codePage != 0 {
				b = append(b, mapi.NewInt32(mapi.PidTagMessageCodepage, c.codePage))
			}
			if got := b.Text(mapi.PidTagSubject); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestBuildersAndAccessors(t *testing.T) {
	t.Parallel()
	now := time.Date(2024, 5, 6, 7, 8, 9, 123456700, time.UTC)
	name := mapi.Name{Set: mapi.SetCommon(), LID: 0x8502}
	b := mapi.Bag{mapi.NewText(1, "häh\x00?"), mapi.NewInt32(2, -5), mapi.NewInt64(3, 1<<40), mapi.NewBool(4, true), mapi.NewBool(5, false),
		mapi.NewTime(6, now), mapi.NewBinary(7, []byte{1}), mapi.NewNamedTime(name, now), mapi.NewNamedTexts(mapi.NameCategories(), []string{"a", "", "ü"})}
	i, ok := b.Int32(2)
	j, jok := b.Int64(3)
	yes, yok := b.Bool(4)
	no, nok := b.Bool(5)
	at, aok := b.Time(6)
	if b.Text(1) != "häh" || i != -5 || j != 1<<40 || !yes || no || !at.Equal(now) || !ok || !jok || !yok || !nok || !aok {
		t.Error(b.Text(1), i, j, yes, no, at)
	}
	if got := b.TextsNamed(mapi.NameCategories()); !reflect.DeepEqual(got, []string{"a", "", "ü"}) {
		t.Errorf("%q", got)
	}
	if p := b.FindNamed(name); p == nil || !bytes.Equal(p.Data, b.Find(6).Data) {
		t.Error("named time")
	}
	if _, ok := b.Int32(3); ok {
		t.Error("a number of another width")
	}
	if _, ok := (mapi.Bag{prop(6, mapi.TypeTime, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF")}).Time(6); ok {
		t.Error("a time beyond all years")
	}
	if _, ok := (mapi.Bag{mapi.NewTime(6, time.Time{})}).Time(6); ok {
		t.Error("the zero time came back")
	}
	b.Set(mapi.NewInt32(2, 7))
	b.Set(mapi.NewInt32(20, 8))
	b.Set(mapi.NewNamedTexts(mapi.NameCategories(), nil))
	b.Remove(1)
	if i, _ := b.Int32(2); i != 7 || b.Find(1) != nil || b.Find(20) == nil || len(b.TextsNamed(mapi.NameCategories())) != 0 {
		t.Error("Set or Remove")
	}
}

func TestMembers(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "\x01\x00\x00", "\xFF\xFF\xFF\xFF", "\x01\x00\x00\x00\x05\x00\x00\x00a", "\x00\x00\x00\x00x", "\x02\x00\x00\x00\x00\x00\x00\x00"} {
		if got := mapi.Members([]byte(bad)); got != nil {
			t.Errorf("%q: %q", bad, got)
		}
	}
	if got := mapi.Members([]byte("\x00\x00\x00\x00")); got == nil || len(got) != 0 {
		t.Errorf("empty list: %v", got)
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	large := mapi.Property{Large: io.NewSectionReader(strings.NewReader("xabcx"), 1, 3), Size: 3}
	for range 2 { // every Open begins anew
		if got, err := io.ReadAll(large.Open()); string(got) != "abc" || err != nil {
			t.Errorf("%q %v", got, err)
		}
	}
	if string(large.Bytes()) != "abc" || large.Len() != 3 || !large.Kept() {
		t.Error("large value")
	}
	out := mapi.Property{Size: 3}
	if _, err := io.ReadAll(out.Open()); !errors.Is(err, mapi.ErrLeftOut) || out.Bytes() != nil || out.Kept() {
		t.Error("value left out")
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	m := &mapi.Message{
		Properties: mapi.Bag{
			mapi.NewInt32(mapi.PidTagMessageCodepage, 1251),
			mapi.NewText(mapi.PidTagSenderName, "Desk"), mapi.NewText(mapi.PidTagSenderEmailAddress, "desk@example.com"),
			mapi.NewText(mapi.PidTagSentRepresentingName, "Boss"), mapi.NewText(mapi.PidTagSentRepresentingAddressType, "EX"),
			mapi.NewText(mapi.PidTagSentRepresentingEmailAddress, "/o=x/cn=boss"), mapi.NewText(mapi.PidTagSentRepresentingSMTPAddress, "boss@example.com"),
		},
		Recipients: []mapi.Bag{
			{mapi.NewInt32(mapi.PidTagRecipientType, 0x10000001), mapi.NewText(mapi.PidTagEmailAddress, "/o=x/cn=a"), prop(mapi.PidTagDisplayName, 0x001E, "\xC0\x00")},
			{mapi.NewInt32(mapi.PidTagRecipientType, 2), mapi.NewText(mapi.PidTagEmailAddress, "/o=x"), mapi.NewText(mapi.PidTagSMTPAddress, "b@example.com")},
			{mapi.NewInt32(mapi.PidTagRecipientType, 3), mapi.NewText(mapi.PidTagAddressType, "SMTP"), mapi.NewText(mapi.PidTagDisplayName, "c@example.com")},
			{mapi.NewInt32(mapi.PidTagRecipientType, 0), mapi.NewText(mapi.PidTagEmailAddress, "originator@example.com")},
		},
	}
	if m.From().String() != "Boss <boss@example.com>" || m.Sender().Email != "desk@example.com" {
		t.Error(m.From(), m.Sender())
	}
	if got := append(append(m.To(), m.Cc()...), m.Bcc()...); !reflect.DeepEqual(got, []mapi.Address{
		{Name: "А", Email: "/o=x/cn=a"}, {Email: "b@example.com"}, {Name: "c@example.com", Email: "c@example.com"}}) {
		t.Errorf("%q", got)
	}
	if s := m.Bcc()[0].String(); s != "c@example.com" {
		t.Error(s)
	}
}

func TestAttachments(t *testing.T) {
	t.Parallel()
	m := &mapi.Message{Attachments: []mapi.Attachment{
		{Properties: mapi.Bag{mapi.NewText(mapi.PidTagAttachFilename, "A~1.PNG"), mapi.NewBool(mapi.PidTagAttachmentHidden, true)}},
		{Properties: mapi.Bag{mapi.NewText(mapi.PidTagAttachContentID, "x"), mapi.NewInt32(mapi.PidTagAttachFlags, mapi.AttachRendered)}},
	}}
	if m.HasAttachments() || m.AttachmentNames() != nil {
		t.Error("parts of the body count")
	}
	m.Attachments = append(m.Attachments,
		mapi.Attachment{Properties: mapi.Bag{mapi.NewText(mapi.PidTagAttachFilename, "B~1.PDF"), mapi.NewText(mapi.PidTagAttachLongFilename, "b.pdf")}},
		mapi.Attachment{Embedded: &mapi.Message{Properties: mapi.Bag{mapi.NewText(mapi.PidTagSubjectPrefix, "FW: "), mapi.NewText(mapi.PidTagNormalizedSubject, "inside")}}})
	if !m.HasAttachments() || !reflect.DeepEqual(m.AttachmentNames(), []string{"b.pdf", "FW: inside"}) {
		t.Errorf("%q", m.AttachmentNames())
	}
}

func TestBodyText(t *testing.T) {
	t.Parallel()
	page := func(s string, more ...mapi.Property) mapi.Bag {
		return append(mapi.Bag{mapi.NewBinary(mapi.PidTagHTML, []byte(s))}, more...)
	}
	codePage := func(cp int32) mapi.Property { return mapi.NewInt32(mapi.PidTagInternetCodepage, cp) }
	for _, c := range []struct {
		name string
		bag  mapi.Bag
		want string
	}{
		{"plain", mapi.Bag{mapi.NewText(mapi.PidTagBody, "a\r\nb")}, "a\nb"},
		{"empty plain", append(page("<p>b"), mapi.NewText(mapi.PidTagBody, "")), "b"},
		{"blocks", page("<div>a</div><p>b<br>c</p><ul><li>d<li>e</ul>f"), "a\nb\nc\nd\ne\nf"},
		{"inline", page("a<b>b</b> <i>c</i>\n\n d&nbsp;e"), "ab c d e"},
		{"hidden", page("<head><title>t</title><style>s</style></head><script>x<y</script>a<style>p{}</style>b"), "ab"},
		{"head not closed", page("<head><title>t</title><p>a"), "a"},
		{"entities", page("&lt;a&gt; &amp; &uuml;&#8364;"), "<a> & ü€"},
		{"table", page("<table><tr><td>a</td><td>b</td></tr><tr><td>c</table>"), "a b\nc"},
		{"preformatted", page("<pre>a\n  b</pre>c"), "a\n  b\nc"},
		{"comment", page("a<!-- b --><!--[if mso]>c<![endif]-->"), "a"},
		{"code page", page("\xEF", codePage(1251)), "п"},
		{"lying code page", page("\xFC", codePage(20127)), "ü"},
		{"code page of the page", page("<meta charset=\"windows-1251\">\xEF"), "п"},
		{"UTF-8 not declared", page("ü"), "ü"},
		{"mark of UTF-16", page("\xFF\xFEa\x00\xFC\x00", codePage(1252)), "aü"},
		{"mark of UTF-8", page("\xEF\xBB\xBFü", codePage(1252)), "ü"},
		{"HTML as a string", mapi.Bag{mapi.NewText(mapi.PidTagHTML, "<b>ü")}, "ü"},
		{"nothing", nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := (&mapi.Message{Properties: c.bag}).BodyText(); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestCodePages(t *testing.T) {
	t.Parallel()
	for _, cp := range []int{65001, 1252, 28591, 20127, 1250, 932, 50220, 936, 54936, 950, 949, 20866, 1200} {
		name := mapi.CharsetOf(cp)
		if name == "" || mapi.CodePageOf(strings.ToUpper(name)) != cp {
			t.Errorf("%d is %q is %d", cp, name, mapi.CodePageOf(name))
		}
	}
	if mapi.CharsetOf(4711) != "" || mapi.CodePageOf("klingon") != 0 {
		t.Error("code pages that are none")
	}
	if got := mapi.DecodeCodePage(65001, []byte("a\xFFb")); got != "a\uFFFDb" {
		t.Errorf("%q", got)
	}
}

// TestKOI8: the number of the code page has the bit of lists.
func TestKOI8(t *testing.T) {
	t.Parallel()
	p := mapi.Property{Tag: mapi.MakeTag(0x37, mapi.CodePage|20866), Data: []byte("\xD0\xD2\xC9\x00"), Size: 4}
	if !p.Tag.Type().IsString() || p.Text(0) != "при" || p.Tag.Type().String() != "PtypString(20866)" || p.Canonical() != "PidTagSubject" || p.Display(0, 0) != `"при"` {
		t.Error(p.Tag.Type(), p.Text(0), p.Canonical(), p.Display(0, 0))
	}
	if got := (mapi.Bag{p}).Texts(0x37); len(got) != 1 || got[0] != "при" {
		t.Errorf("%q", got)
	}
}

func TestBagCodePage(t *testing.T) {
	t.Parallel()
	message, internet, locale := mapi.PidTagMessageCodepage, mapi.PidTagInternetCodepage, mapi.PidTagMessageLocaleID
	for _, c := range []struct {
		name string
		bag  mapi.Bag
		want int
	}{
		{"nothing", nil, 1252},
		{"of the message", mapi.Bag{mapi.NewInt32(internet, 932), mapi.NewInt32(message, 1251)}, 1251},
		{"UTF-16", mapi.Bag{mapi.NewInt32(message, 1200), mapi.NewInt32(internet, 932)}, 932},
		{"of the body", mapi.Bag{mapi.NewInt32(internet, 28592), mapi.NewInt32(locale, 0x411)}, 28592},
		{"UTF-8", mapi.Bag{mapi.NewInt32(internet, 65001), mapi.NewInt32(locale, 0x411)}, 932},
		{"ASCII", mapi.Bag{mapi.NewInt32(internet, 20127), mapi.NewInt32(locale, 0x0419)}, 1251},
		{"Polish", mapi.Bag{mapi.NewInt32(locale, 0x0415)}, 1250},
		{"Taiwan", mapi.Bag{mapi.NewInt32(locale, 0x0404)}, 950},
		{"China", mapi.Bag{mapi.NewInt32(locale, 0x0804)}, 936},
		{"Serbian in Cyrillic", mapi.Bag{mapi.NewInt32(locale, 0x0C1A)}, 1251},
		{"German", mapi.Bag{mapi.NewInt32(locale, 0x0407)}, 1252},
		{"nonsense", mapi.Bag{mapi.NewInt32(message, -1), mapi.NewInt32(internet, -1), mapi.NewInt32(locale, -1)}, 1252},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := c.bag.CodePage(); got != c.want {
				t.Errorf("%d, want %d", got, c.want)
			}
		})
	}
}

// TestPartsAreInTheMessagesCodePage: recipients and attachments have none of their own.
func TestPartsAreInTheMessagesCodePage(t *testing.T) {
	t.Parallel()
	eight := func(id uint16) mapi.Bag {
		return mapi.Bag{{Tag: mapi.MakeTag(id, mapi.TypeString8), Data: []byte("\xCF\xF0\xE8\x00"), Size: 4}}
	}
	m := &mapi.Message{Properties: mapi.Bag{mapi.NewInt32(mapi.PidTagMessageLocaleID, 0x0419)},
		Recipients: []mapi.Bag{eight(mapi.PidTagDisplayName)}, Attachments: []mapi.Attachment{{Properties: eight(mapi.PidTagAttachFilename)}}}
	if to, names := m.To(), m.AttachmentNames(); to[0].Name != "При" || names[0] != "При" {
		t.Error(to, names)
	}
	if got := m.Attachments[0].Name(); got != "Ïðè" {
		t.Error(got)
	}
}

func summary() mapi.Summary {
	at := time.Date(2024, 5, 6, 7, 8, 9, 123456000, time.UTC)
	return mapi.Summary{Class: "IPM.Note", Subject: "ü", From: "A <a@b>", To: []string{"x", ""}, Cc: []string{"y"}, Bcc: []string{"z"},
		Sent: at, Received: at.Add(time.Hour), Size: 1 << 40, HasAttachments: true, Attachments: []string{"f"}, Read: true, MessageID: "<1>"}
}

func TestSummary(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]mapi.Summary{"full": summary(), "empty": {}, "before 1970": {Sent: time.Unix(-1, 0).UTC()}} {
		got, err := mapi.DecodeSummary(s.Encode())
		if err != nil || !reflect.DeepEqual(got, s) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	long := &mapi.Message{Properties: mapi.Bag{mapi.NewText(mapi.PidTagSubject, "x"+strings.Repeat("ü", 1000))}}
	for range 100 {
		long.Recipients = append(long.Recipients, mapi.Bag{mapi.NewText(mapi.PidTagEmailAddress, "a@b")})
	}
	s := mapi.Summarize(long)
	if len(s.Subject) != 1023 || len(s.To) != 64 || strings.Contains(s.Subject, "\uFFFD") {
		t.Errorf("subject of %d bytes, %d recipients", len(s.Subject), len(s.To))
	}
	for name, bad := range map[string]string{"nothing": "", "future": "\x02", "no length": "\x01\x01", "cut": "\x01\x01\x05ab", "bad time": "\x01\x08\x00",
		"bad size": "\x01\x0A\x02\x01\x01", "bad flags": "\x01\x0B\x00", "too many": "\x01" + strings.Repeat("\x04\x00", 65), "huge length": "\x01\x01\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F"} {
		if _, err := mapi.DecodeSummary([]byte(bad)); !errors.Is(err, mapi.ErrSummary) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got, err := mapi.DecodeSummary(append(summary().Encode(), 99, 2, 'x', 'y')); err != nil || !reflect.DeepEqual(got, summary()) {
		t.Errorf("a field of the future: %v", err)
	}
}

func FuzzDecodeSummary(f *testing.F) {
	f.Add(summary().Encode())
	f.Add(mapi.Summary{}.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := mapi.DecodeSummary(b)
		if err != nil {
			return
		}
		again, err := mapi.DecodeSummary(s.Encode())
		if err != nil || !bytes.Equal(again.Encode(), s.Encode()) {
			t.Fatalf("%+v became %+v, %v", s, again, err)
		}
	})
}

func FuzzText(f *testing.F) {
	f.Add([]byte("<p>a<br>&amp;"), uint16(0x84B0))
	f.Add(binary.LittleEndian.AppendUint32(nil, 1), uint16(0x101F))
	f.Fuzz(func(t *testing.T, b []byte, typ uint16) {
		named := mapi.NewNamedTexts(mapi.NameCategories(), nil)
		named.Tag, named.Data, named.Size = mapi.MakeTag(0x8000, mapi.Type(typ)), b, int64(len(b))
		m := &mapi.Message{Properties: mapi.Bag{prop(mapi.PidTagHTML, mapi.Type(typ), string(b)), prop(mapi.PidTagBody, mapi.Type(typ), ""), named}}
		_ = m.BodyText()
		_ = m.Categories()
		_ = mapi.HTMLText(string(b))
	})
}
