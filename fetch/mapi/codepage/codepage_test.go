package codepage_test

import (
	"strings"
	"testing"

	"mailbrick/fetch/mapi/codepage"
)

func TestNames(t *testing.T) {
	t.Parallel()
	for _, cp := range []int{65001, 1252, 28591, 20127, 1250, 932, 50220, 936, 54936, 950, 949, 20866, 1200, 437, 858} {
		name := codepage.Name(cp)
		if name == "" || codepage.Number(" "+strings.ToUpper(name)) != cp {
			t.Errorf("%d is %q is %d", cp, name, codepage.Number(name))
		}
	}
	for _, name := range []string{"utf8", "ascii", "latin1", "Latin-1"} {
		if codepage.Number(name) == 0 {
			t.Errorf("%s is not known", name)
		}
	}
	if codepage.Name(4711) != "" || codepage.Number("klingon") != 0 || codepage.Number("") != 0 {
		t.Error("code pages that are none")
	}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		number int
		in     string
		want   string
	}{
		{"western", 1252, "\x80\xFC", "€ü"},
		{"cyrillic", 1251, "\xEF", "п"},
		{"japanese", 932, "a\x82\xA0b", "aあb"},
		{"chinese", 936, "\xC4\xE3", "你"},
		{"simplified, all of it", 54936, "\xC4\xE3", "你"},
		{"DOS", 437, "\x81", "ü"},
		{"Macintosh", 10000, "\x8A", "ä"},
		{"UTF-8", 65001, "ü\xFF", "ü\uFFFD"},
		{"UTF-16", 1200, "\xFC\x00", "ü"},
		{"not known", 4711, "\xFC", "ü"},
		{"ASCII", 932, "abc", "abc"},
		{"half a character", 932, "a\x82", "a\uFFFD"},
		{"nothing", 1252, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := codepage.Decode(c.number, []byte(c.in)); got != c.want {
				t.Errorf("decoded %q, want %q", got, c.want)
			}
			d := codepage.NewDecoder(c.number)
			for range 2 { // the second run begins anew
				if got := string(d.Append([]byte("x"), []byte(c.in))); got != "x"+c.want {
					t.Errorf("appended %q, want %q", got, "x"+c.want)
				}
			}
		})
	}
}
