package tnef_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/tnef"
)

func TestNotTNEF(t *testing.T) {
	t.Parallel()
	for _, data := range []string{"", "\x78", "\x78\x9F\x3E\x22\x01", "From: a@b.c\r\n\r\ntext", "\x22\x3E\x9F\x78\x01\x00"} {
		if _, err := tnef.Read(strings.NewReader(data)); !errors.Is(err, tnef.ErrNotTNEF) {
			t.Errorf("%q: %v", data, err)
		}
	}
	broken := errors.New("broken")
	for _, n := range []int{0, 3, 20} {
		r := io.MultiReader(strings.NewReader(whole()[:n]), iotest.ErrReader(broken))
		if _, err := tnef.Read(r); !errors.Is(err, broken) {
			t.Errorf("a reader that breaks after %d bytes: %v", n, err)
		}
	}
	if m, err := tnef.Read(iotest.OneByteReader(strings.NewReader(whole()))); err != nil || m.Subject() != "subject" {
		t.Errorf("byte by byte: %v", err)
	}
}

// whole is a stream with a bit of everything.
func whole() string {
	properties, _ := everyType()
	named := tag(0x8001, mapi.TypeInt32) + lid(mapi.SetCommon(), 0x8501) + u32(1)
	inner := stream(attr(0x00018004, "inner\x00"), rend(1), attr(0x0006800F, "inside"))
	return stream(codePage(1252), attr(0x00018004, "subject\x00"),
		attr(0x00069004, u32(2)+list(properties...)+list(named)),
		attr(0x00069003, list(append(properties, named)...)),
		rend(1), attr(0x0006800F, "first content"), attr(0x00069005, list(properties[0])),
		object(iidMessage, inner))
}

// TestCutAnywhere: what is before a cut is there, and a cut is told of.
func TestCutAnywhere(t *testing.T) {
	t.Parallel()
	data := whole()
	count := func(m *mapi.Message) int {
		n := len(m.Properties) + len(m.Recipients) + len(m.Attachments)
		for i := range m.Attachments {
			n += len(m.Attachments[i].Properties)
		}
		return n
	}
	before := 0
	boundaries := 0
	for n := 6; n <= len(data); n++ {
		m, warnings := read(t, data[:n])
		same(t, "message", m, throughBlob(t, m))
		if len(warnings) == 0 {
			boundaries++
		}
		if got := count(m); got < before-3 {
			t.Fatalf("%d of %d bytes: %d things, one byte less had %d", n, len(data), got, before)
		} else {
			before = got
		}
	}
	if boundaries != 10 {
		t.Errorf("no warning for %d prefixes, want that of 9 attributes and none", boundaries)
	}
}

func TestDamage(t *testing.T) {
	t.Parallel()
	good := tag(0x0037, mapi.TypeUnicode) + values(wide("good"))
	after := attr(0x0002800C, "after\x00")
	big := u32(0xFFFFFFFF)
	for _, c := range []struct{ name, data, warning string }{
		{"checksum", strings.Replace(attr(0x00018004, "food\x00"), "food", "good", 1) + after, "checksum"},
		{"attribute not known", attr(0x00019999, "?") + attr(0x00018004, "good") + after, "not known"},
		{"version", attr(0x00018004, "good") + attr(0x00089006, u32(2)) + after, "version"},
		{"count too big", attr(0x00069003, big+good) + after, "could not be read"},
		{"count too small", attr(0x00069003, u32(1)+good+good) + after, "bytes after the last property"},
		{"length too big", attr(0x00069003, list(good, tag(0x6001, mapi.TypeBinary)+u32(1)+big)) + after, "cut short"},
		{"members too many", attr(0x00069003, list(good, tag(0x6001, mapi.TypeBinary)+big+u32(0))) + after, "could not be read"},
		{"list too long", attr(0x00069003, list(good, tag(0x6001, mapi.MultiValue|mapi.TypeInt64)+big+u32(0))) + after, "cut short"},
		{"strings too many", attr(0x00069003, list(good, tag(0x6001, mapi.MultiValue|mapi.TypeUnicode)+big+u32(0))) + after, "cut short"},
		{"name too long", attr(0x00069003, list(good, tag(0x8001, mapi.TypeInt32)+string(make([]byte, 16))+u32(1)+big)) + after, "cut short"},
		{"name of 2 KiB", attr(0x00069003, list(tag(0x8001, mapi.TypeInt32)+named(mapi.GUID{}, strings.Repeat("x", 1024))+u32(1), good)) + after, "a name of"},
		{"name empty", attr(0x00069003, list(tag(0x8001, mapi.TypeInt32)+named(mapi.GUID{}, "")+u32(1), good)) + after, "a name of"},
		{"name of a third kind", attr(0x00069003, list(good, tag(0x8001, mapi.TypeInt32)+string(make([]byte, 16))+u32(2)+u32(1))) + after, "unknown kind"},
		{"last id", attr(0x00069003, list(tag(0xFFFF, mapi.TypeInt32)+lid(mapi.GUID{}, 1)+u32(1), good)) + after, "no id"},
		{"type not known", attr(0x00069003, list(good, tag(0x6001, 0x0077)+u32(1))) + after, "unknown type"},
		{"null", attr(0x00069003, list(tag(0x6001, 1), good)) + after, "unknown type"},
		{"no value", attr(0x00069003, list(tag(0x6001, mapi.TypeBinary)+u32(0), good)) + after, "no value"},
		{"two values", attr(0x00069003, list(tag(0x6001, mapi.TypeBinary)+values("a", "b"), good)) + after, "2 values"},
		{"recipients too many", attr(0x00018004, "good") + attr(0x00069004, big) + after, "without its count"},
		{"no date", attr(0x00018004, "good") + attr(0x00038005, date(2000, 13, 1, 0, 0, 0, 0)) + after, "no time"},
		{"short date", attr(0x00018004, "good") + attr(0x00038005, date(2000)) + after, "a time of"},
		{"no key", attr(0x00018004, "good") + attr(0x00018009, "xyz") + after, "no key"},
		{"no priority", attr(0x00018004, "good") + attr(0x0004800D, u16(9)) + after, "priority"},
		{"no number", attr(0x00018004, "good") + attr(0x0004800D, "abc") + after, "number"},
		{"no sender", attr(0x00018004, "good") + attr(0x00008000, u16(4)+u16(0)+u16(99)+u16(0)) + after, "no sender"},
		{"no person", attr(0x00018004, "good") + attr(0x00060001, u16(99)) + after, "a person"},
		{"attachment that did not begin", attr(0x00018004, "good") + attr(0x0006800F, "x") + after, "did not begin"},
		{"short rendering", attr(0x00018004, "good") + attr(0x00069002, "x") + after, "1 bytes"},
		{"garbage", attr(0x00018004, "good") + after + "\x1A\x1A\x1A", "3 bytes at the end"},
		{"attribute too long", attr(0x00018004, "good") + after + "\x01" + u32(0x00018005) + big + "abc", "cut short"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m, warnings := read(t, stream(c.data))
			if !strings.Contains(strings.Join(warnings, "\n"), c.warning) {
				t.Errorf("warnings %q, want %q", warnings, c.warning)
			}
			if m.Subject() != "good" || m.Properties.Text(mapi.PidTagBody) != "after" {
				t.Errorf("subject %q, body %q", m.Subject(), m.Properties.Text(mapi.PidTagBody))
			}
			same(t, "message", m, throughBlob(t, m))
		})
	}
}

// TestCutContent: an attachment is kept as far as it goes.
func TestCutContent(t *testing.T) {
	t.Parallel()
	byAttribute := stream(rend(1), attr(0x0006800F, "0123456789"))
	byProperty := stream(rend(1), attr(0x00069005, list(tag(0x3701, mapi.TypeBinary)+values("0123456789ab"))))
	inner := stream(attr(0x00018004, "inner\x00"), attr(0x0002800C, "0123456789"))
	embedded := stream(object(iidMessage, inner))
	for name, data := range map[string]string{"attribute": byAttribute[:len(byAttribute)-6], "property": byProperty[:len(byProperty)-8]} {
		m, warnings := read(t, data)
		if got := string(m.Attachments[0].Properties.Binary(0x3701)); got != "012345" || !strings.Contains(strings.Join(warnings, "\n"), "cut short: ") {
			t.Errorf("%s: %q, warnings %q", name, got, warnings)
		}
	}
	m, _ := read(t, embedded[:len(embedded)-8])
	if e := m.Attachments[0].Embedded; e == nil || e.Subject() != "inner" || !strings.HasPrefix(e.Properties.Text(0x1000), "0123") {
		t.Errorf("embedded: %+v", e)
	}
}

func TestManyWarnings(t *testing.T) {
	t.Parallel()
	data := stream(strings.Repeat(attr(0x00019999, "?"), 1000))
	if _, warnings := read(t, data); len(warnings) != 32 {
		t.Errorf("%d warnings", len(warnings))
	}
}

func TestManyProperties(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	const n = 1<<16 + 10
	for i := range uint32(n) {
		b.WriteString(tag(0x8001, mapi.TypeInt32) + lid(mapi.GUID{}, i) + u32(i))
	}
	m, warnings := read(t, stream(attr(0x00069003, u32(n)+b.String())))
	if len(m.Properties) != 1<<16 || len(warnings) != 1 {
		t.Errorf("%d properties, warnings %q", len(m.Properties), warnings)
	}
}

func TestManyObjects(t *testing.T) {
	t.Parallel()
	const n = 1<<18 + 10
	row := list(tag(0x0C15, mapi.TypeInt32) + u32(1))
	m, warnings := read(t, stream(attr(0x00069004, u32(n)+strings.Repeat(row, n)), rend(1)))
	if len(m.Recipients) != 1<<18 || len(m.Attachments) != 0 || len(warnings) != 1 {
		t.Errorf("%d recipients, %d attachments, warnings %q", len(m.Recipients), len(m.Attachments), warnings)
	}
}
