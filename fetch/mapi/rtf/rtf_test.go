package rtf_test

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"mailbrick/fetch/mapi/rtf"
)

// vector is the example of [MS-OXRTFCP] 3.1.
func vector(t testing.TB) []byte {
	t.Helper()
	data, err := hex.DecodeString("2d0000002b0000004c5a4675f1c5c7a703000a0072637067313235423" +
		"20af32068656c090020627705b06c647d0a800fa0")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

const hello = "{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"

func change(data []byte, at int, v uint32) []byte {
	data = append([]byte(nil), data...)
	binary.LittleEndian.PutUint32(data[at:], v)
	return data
}

func TestDecompress(t *testing.T) {
	t.Parallel()
	good := vector(t)
	stored := rtf.Compress([]byte(hello))
	for _, c := range []struct {
		name string
		data []byte
		want string
		ok   bool
	}{
		{"compressed", good, hello, true},
		{"stored", stored, hello, true},
		{"stored nothing", rtf.Compress(nil), "", true},
		{"more behind it", append(append([]byte(nil), good...), "trailing"...), hello, true},
		{"nothing", nil, "", false},
		{"half a header", good[:15], "", false},
		{"only a header", good[:16], "", false},
		{"cut", good[:40], "{\\rtf1\\ansi\\ansicpg1252\\pard hello w", false},
		{"wrong check", change(good, 12, 1), hello, false},
		{"wrong compressed size", change(good, 0, 11), hello, false},
		{"less than said", change(good, 4, 0xFFFFFFFF), hello, false},
		{"more than said", change(good, 4, 5), hello[:5], false},
		{"other compression", change(good, 8, 0x12345678), "", false},
		{"stored, cut", stored[:20], hello[:4], false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := rtf.Decompress(c.data)
			if string(got) != c.want || (err == nil) != c.ok {
				t.Errorf("got %q, %v", got, err)
			}
			if err != nil && !errors.Is(err, rtf.ErrDamaged) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// TestDecompressDictionary reads references that cross the write position, and places never written.
func TestDecompressDictionary(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, tokens, want string }{
		{"run", "\x02x\x0c\xff" + "\x00", strings.Repeat("x", 18)},
		{"never written", "\x01\xf0\x01", "\x00\x00\x00"},
		{"preload", "\x01\x00\x04", "{\\rtf1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			data := append(make([]byte, 16), c.tokens...)
			data = change(data, 0, uint32(len(data)-4))
			data = change(data, 4, uint32(len(c.want)))
			got, _ := rtf.Decompress(change(data, 8, 0x75465A4C)) // the check is not right
			if string(got) != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestKindOf(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]rtf.Kind{
		`{\rtf1\ansi\fromhtml1 \deff0{\fonttbl}}`:            rtf.OfHTML,
		`{\rtf1\ansi\ansicpg1252\fromtext \fbidis}`:          rtf.OfText,
		`{\rtf1\ansi{\fonttbl{\f0 A;}}\fromhtml1}`:           rtf.Native,
		`{\rtf1\ansi words \fromhtml1}`:                      rtf.Native,
		`{\rtf1\ansi\fromhtml0\fromtext}`:                    rtf.OfText,
		"":                                                   rtf.Native,
		`{\rtf1` + strings.Repeat(`\x`, 100) + `\fromhtml1}`: rtf.Native,
	} {
		if got := rtf.KindOf([]byte(in)); got != want {
			t.Errorf("%.40q: %v, want %v", in, got, want)
		}
	}
}

func TestHTML(t *testing.T) {
	t.Parallel()
	const head = `{\rtf1\ansi\ansicpg1252\fromhtml1 \deff0{\fonttbl{\f0\fswiss Arial;}{\f1\fcharset204 Cyr;}{\f2\fcharset128 J;}{\f3\fcharset2 Symbol;}}` +
		`{\colortbl\red0;}{\*\generator x;}\uc1\pard\plain\f0 `
	for _, c := range []struct{ name, in, want string }{
		{"tags", `{\*\htmltag64 <p>}a{\*\htmltag72 </p>}`, "<p>a</p>"},
		{"for readers of RTF", `{\*\htmltag64 <b>}\htmlrtf {\b \htmlrtf0 a\htmlrtf }\htmlrtf0 {\*\htmltag72 </b>}`, "<b>a</b>"},
		{"off with its group", `{\htmlrtf x}y`, "y"},
		{"tag while hidden", `\htmlrtf {\*\htmltag64 <i>}\htmlrtf0 a`, "a"},
		{"font set while hidden", `\htmlrtf\f1\htmlrtf0 \'ef`, "п"},
		{"other addresses", `{\*\htmltag84 <img src="cid:1">}{\*\mhtmltag84 <img src="x:1">}`, `<img src="cid:1">`},
		{"markup in the document's code page", `\f1{\*\htmltag1 \'ef}\'ef`, "ïп"},
		{"markup is not escaped", `{\*\htmltag1 <a href="?a=1&b=2">\'80\{\}\\\par\tab }`, "<a href=\"?a=1&b=2\">€{}\\\r\n\t"},
		{"content is", `1 \'3c 2 > 1 & x`, "1 &lt; 2 &gt; 1 &amp; x"},
		{"but not references", `&lt; &#33; &#x2F; &nbsp &; &#; &#x;`, "&lt; &#33; &#x2F; &amp;nbsp &amp;; &amp;#; &amp;#x;"},
		{"line ends", `a\par b\line c\tab d`, "a\r\nb\r\nc\td"},
		{"quotes", `\lquote\rquote\ldblquote\rdblquote\bullet\endash\emdash`, "‘’“”•–—"},
		{"spaces and hyphens", `a\~b\_c\-d`, "a&nbsp;b&shy;cd"},
		{"code pages", `\f1\'ef\f0\'ef\f2\'82\'a0`, "пïあ"},
		{"a trail byte as text", `\f2\'83A\f0 x`, "アx"},
		{"unicode", `\u1087?\u8364\'80.`, "п€."},
		{"pairs", `\u-10179?\u-8704?`, "😀"},
		{"half a pair", `\u-10179?x`, "\uFFFDx"},
		{"the other half", `\u-8704?x`, "\uFFFDx"},
		{"two replacements", `{\uc2\u12354\'82\'a0}\u233?e`, "あée"},
		{"no replacement", `\uc0\u233e`, "ée"},
		{"word as a replacement", `\u8217\rquote s`, "’s"},
		{"group ends replacements", `{\u233}e`, "ée"},
		{"bullet text", `{\pntext\f3\'b7\tab}a`, "a"},
		{"binary", `a{\*\blob\bin3 }}}}b\bin2 }}c`, "abc"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := rtf.HTML([]byte(head + c.in + "}"))
			if got != c.want || err != nil {
				t.Errorf("got %q, want %q, %v", got, c.want, err)
			}
		})
	}
	if _, err := rtf.HTML([]byte(hello)); !errors.Is(err, rtf.ErrNotHTML) {
		t.Error(err)
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	const head = `{\rtf1\ansi\ansicpg1251\deff0{\fonttbl{\f0\fcharset204 Arial;}{\f1\fcharset2 Symbol;}{\f2 X{\*\falt Y};}}` +
		`{\stylesheet{\s0 Normal;}}{\info{\title T}}{\header H}`
	for _, c := range []struct{ name, in, want string }{
		{"the document's code page", `{\rtf1\ansi\ansicpg1251 \'ef}`, "п"},
		{"Macintosh", `{\rtf1\mac \'8a}`, "ä"},
		{"no code page", `{\rtf1 \'80}`, "€"},
		{"a code page that is none", `{\rtf1\ansicpg99999 \'80}`, "€"},
		{"UTF-8", `{\rtf1\ansicpg65001 \'c3\'bc}`, "ü"},
		{"UTF-8 that is not", `{\rtf1\ansicpg65001 \'a0x}`, "\u00A0x"},
		{"made of text", `{\rtf1\ansi\fromtext \deff0{\fonttbl{\f0 C;}}\f0 a\par\par b\htmlrtf x\htmlrtf0\par}`, "a\n\nb\n"},
		{"made of HTML", `{\rtf1\fromhtml1 {\*\htmltag64 <b>}\htmlrtf {\b \htmlrtf0 a\htmlrtf }\par\htmlrtf0}`, "a\n"},
		{"paragraphs", head + `\pard a\par b\line c\` + "\n" + `d}`, "a\nb\nc\nd"},
		{"line ends of the file", "{\\rtf1 a\r\nb}", "ab"},
		{"table", head + `\trowd a\cell b\cell\row c\cell d\cell\row}`, "a\tb\nc\td\n"},
		{"list", head + `{\pntext\f1\'b7\tab}a\par{\listtext\f1\u-3913 ?\tab}b}`, "•\ta\n•\tb"},
		{"hidden", head + `a{\v b}c\v d\v0 e\v f\plain g}`, "aceg"},
		{"pictures and fields", head + `{\*\shppict{\pict 0102}}{\nonshppict{\pict 0102}}{\field{\*\fldinst HYPERLINK "x"}{\fldrslt shown}}}`, "shown"},
		{"box", head + `{\shp{\*\shpinst{\sp{\sn n}{\sv v}}{\shptxt in}}{\shprslt again}}}`, "in"},
		{"object", head + `{\object\objemb{\*\objdata 0102}{\result shown}}`, "shown"},
		{"symbols", head + `\_\~\-\|\:}`, "\u2011\u00A0"},
		{"not RTF", "just words", "just words"},
		{"ends too many", `{\rtf1 a}}}b`, "ab"},
		{"ends too few", `{\rtf1 {{{a`, "a"},
		{"backslash at the end", `{\rtf1 a\`, "a"},
		{"hex that is none", `{\rtf1 a\'zzb\'4`, "azzb4"},
		{"deep", strings.Repeat("{", 600) + "a" + strings.Repeat("}", 600) + "b", "b"},
		{"numbers without end", `{\rtf1\f99999999999999999999\u99999999999999999999?\uc-5 a}`, "\uFFFDa"},
		{"NULs", "{\\rtf1 a}\x00\x00", "a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := rtf.Text([]byte(c.in)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
