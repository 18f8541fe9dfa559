package mapi_test

import (
	"io"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"mailbrick/fetch/mapi"
)

func TestDisplay(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, data string
		typ        mapi.Type
		want       string
	}{
		{"string", "h\x00\xFC\x00\x00\x00", mapi.TypeText, `"hü"`},
		{"8-bit string", "\xEF\"\x00", mapi.TypeString8, `"п\""`},
		{"escapes", "a\x1b[2J\r\n\x00b\x00", 0x84E4, `"a\x1b[2J\r\n\x00b"`},
		{"direction marks", "a\x2E\x20", mapi.TypeUnicode, `"\u2e61"`},
		{"right to left", "\x2E\x20", mapi.TypeUnicode, `"\u202e"`},
		{"long string", strings.Repeat("ab", 300) + "\x00", 0x84E4, `"` + strings.Repeat("ab", 20) + `"... 601 bytes`},
		{"no string", "", mapi.TypeText, `""`},
		{"int16", "\xFE\xFF", mapi.TypeInt16, "-2 (0xFFFE)"},
		{"int32", "\x11\x00\x00\x00", mapi.TypeInt32, "17"},
		{"flags", "\x00\x01\x00\x80", mapi.TypeInt32, "-2147483392 (0x80000100)"},
		{"int64", "\x00\x00\x00\x00\x01\x00\x00\x00", mapi.TypeInt64, "4294967296 (0x100000000)"},
		{"float32", "\x00\x00\x00\x3F", mapi.TypeFloat32, "0.5"},
		{"float64", "\x00\x00\x00\x00\x00\x00\xE0\x3F", mapi.TypeFloat64, "0.5"},
		{"currency", "\xC7\xCF\xFF\xFF\xFF\xFF\xFF\xFF", mapi.TypeCurrency, "-1.2345"},
		{"date", "\x00\x00\x00\x00\x00\x88\xE3\x40", mapi.TypeAppTime, "2009-07-06T00:00:00Z"},
		{"no date", "\x00\x00\x00\x00\x00\x00\xF8\x7F", mapi.TypeAppTime, "no time (NaN)"},
		{"error", "\x0F\x01\x04\x80", mapi.TypeError, "0x8004010F NotFound"},
		{"true", "\x01\x00", mapi.TypeBool, "true"},
		{"false", "\x00\x00", mapi.TypeBool, "false"},
		{"time", "\x00\x80\x3E\xD5\xDE\xB1\x9D\x01", mapi.TypeTime, "1970-01-01T00:00:00Z"},
		{"no time", "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F", mapi.TypeTime, "no time (0x7FFFFFFFFFFFFFFF)"},
		{"guid", "\x08\x20\x06\x00\x00\x00\x00\x00\xC0\x00\x00\x00\x00\x00\x00\x46", mapi.TypeGUID, "PSETID_Common"},
		{"binary", "\x01\xAB", mapi.TypeBinary, "01ab (2 bytes)"},
		{"long binary", strings.Repeat("\x01", 100), mapi.TypeBinary, strings.Repeat("01", 20) + "... (100 bytes)"},
		{"nothing", "", mapi.TypeBinary, "(0 bytes)"},
		{"wrong size", "\x01", mapi.TypeInt32, "01 (1 byte)"},
		{"unknown type", "\x01", 0x0011, "01 (1 byte)"},
		{"numbers", "\x02\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00", 0x1003, "[1, 2]"},
		{"many numbers", "\x64\x00\x00\x00" + strings.Repeat("\x07\x00\x00\x00", 100), 0x1003, "[" + strings.Repeat("7, ", 13) + "... 100 in all]"},
		{"count that lies", "\x03\x00\x00\x00\x01\x00\x00\x00", 0x1003, "0300000001000000 (8 bytes)"},
		{"strings", "\x02\x00\x00\x00\x04\x00\x00\x00a\x00\x00\x00\x02\x00\x00\x00\x00\x00", mapi.TypeTexts, `["a", ""]`},
		{"strings in a code page", "\x01\x00\x00\x00\x02\x00\x00\x00a\x00", 0x94B0, `["a"]`},
		{"binaries", "\x01\x00\x00\x00\x01\x00\x00\x00\x05", 0x1102, "[05 (1 byte)]"},
		{"no numbers", "\x00\x00\x00\x00", 0x1003, "[]"},
		{"empty list", "\x00\x00\x00\x00", 0x1102, "[]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := prop(0x1000, c.typ, c.data)
			if got := p.Display(1251, 40); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
	out := mapi.Property{Tag: 0x10000102, Size: 5}
	large := mapi.Property{Tag: 0x10000102, Size: 3, Large: io.NewSectionReader(strings.NewReader("abc"), 0, 3)}
	if got := out.Display(0, 0) + large.Display(0, 0); got != "(5 bytes, left out)(3 bytes, not shown)" {
		t.Error(got)
	}
}

func FuzzDisplay(f *testing.F) {
	f.Add([]byte("\x02\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00"), uint16(0x1003), 40)
	f.Add([]byte("a\x00\x1b\x00"), uint16(0x84B0), 3)
	f.Add([]byte("\x00\x00\x00\x00\x00\x88\xE3\x40"), uint16(7), 0)
	f.Fuzz(func(t *testing.T, data []byte, typ uint16, limit int) {
		if limit > 1<<20 || limit < -1<<20 {
			return
		}
		p := prop(0x1000, mapi.Type(typ), string(data))
		got := p.Display(1252, limit)
		if limit <= 0 {
			limit = 200
		}
		if len(got) > 3*limit+100 || !utf8.ValidString(got) || strings.ContainsFunc(got, unicode.IsControl) {
			t.Fatalf("limit %d: %d bytes: %q", limit, len(got), got)
		}
	})
}
