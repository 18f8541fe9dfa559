package mapi_test

import (
	"io"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/rtf"
)

func rich(doc string) mapi.Property {
	return mapi.NewBinary(mapi.PidTagRtfCompressed, rtf.Compress([]byte(doc)))
}

func native(n int32) mapi.Property { return mapi.NewInt32(mapi.PidTagNativeBody, n) }

const (
	richHTML = `{\rtf1\ansi\ansicpg1252\fromhtml1{\fonttbl{\f0 A;}}{\*\htmltag64 <p>}\htmlrtf {\htmlrtf0 h\'fc\htmlrtf }\htmlrtf0{\*\htmltag72 </p>}}`
	richText = `{\rtf1\ansi\ansicpg1252\fromtext a\par b}`
	richOnly = `{\rtf1\ansi\ansicpg1252 {\b r}\par s}`
)

func TestBodies(t *testing.T) {
	t.Parallel()
	plain, page := mapi.NewText(mapi.PidTagBody, "plain"), mapi.NewBinary(mapi.PidTagHTML, []byte("<i>page</i>"))
	broken := rich(richOnly)
	broken.Data = broken.Data[:len(broken.Data)-5]
	broken.Size -= 5
	for _, c := range []struct {
		name       string
		bag        mapi.Bag
		native     int32
		text, html string
	}{
		{"nothing", nil, 0, "", ""},
		{"plain", mapi.Bag{plain}, mapi.NativePlain, "plain", ""},
		{"html", mapi.Bag{page}, mapi.NativeHTML, "page", "<i>page</i>"},
		{"html and plain", mapi.Bag{plain, page}, mapi.NativeHTML, "plain", "<i>page</i>"},
		{"html in rtf", mapi.Bag{rich(richHTML)}, mapi.NativeRTF, "hü", "<p>hü</p>"},
		{"text in rtf", mapi.Bag{rich(richText)}, mapi.NativeRTF, "a\nb", ""},
		{"rtf", mapi.Bag{rich(richOnly)}, mapi.NativeRTF, "r\ns", ""},
		{"rtf, cut", mapi.Bag{broken}, mapi.NativeRTF, "r", ""},
		{"rtf and plain", mapi.Bag{plain, rich(richOnly)}, mapi.NativeRTF, "plain", ""},
		{"rtf older than plain", mapi.Bag{plain, rich(richOnly), mapi.NewBool(mapi.PidTagRtfInSync, false)}, mapi.NativePlain, "plain", ""},
		{"rtf native, blank plain", mapi.Bag{native(2), mapi.NewText(mapi.PidTagBody, " \r\n"), rich(richOnly), page}, mapi.NativeRTF, "r\ns", "<i>page</i>"},
		{"native body that is not there", mapi.Bag{native(3), plain, rich(richHTML)}, mapi.NativeRTF, "plain", "<p>hü</p>"},
		{"native plain", mapi.Bag{native(1), plain, rich(richOnly)}, mapi.NativePlain, "plain", ""},
		{"empty html, rtf", mapi.Bag{mapi.NewBinary(mapi.PidTagHTML, nil), rich(richHTML)}, mapi.NativeHTML, "hü", "<p>hü</p>"},
		{"only blanks", mapi.Bag{mapi.NewText(mapi.PidTagBody, "\r\n")}, mapi.NativePlain, "\n", ""},
		{"rtf that is none", mapi.Bag{mapi.NewBinary(mapi.PidTagRtfCompressed, []byte("x"))}, mapi.NativeRTF, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := &mapi.Message{Properties: c.bag}
			if got := m.NativeBody(); got != c.native {
				t.Errorf("native body %d, want %d", got, c.native)
			}
			if got := m.BodyText(); got != c.text {
				t.Errorf("text %q, want %q", got, c.text)
			}
			if got := m.HTML(); got != c.html {
				t.Errorf("html %q, want %q", got, c.html)
			}
		})
	}
}

func TestHTMLCodePages(t *testing.T) {
	t.Parallel()
	const utf8Meta = `<meta charset="utf-8">`
	for _, c := range []struct {
		name  string
		typ   mapi.Type
		data  string
		given int32
		want  string
	}{
		{"given", mapi.TypeBinary, "\xEF", 1251, "п"},
		{"given against the page", mapi.TypeBinary, utf8Meta + "\xEF", 1251, utf8Meta + "п"},
		{"not given, declared", mapi.TypeBinary, `<meta charset=koi8-r>` + "\xC0", 0, `<meta charset=koi8-r>ю`},
		{"declared in the old way", mapi.TypeBinary, `<META http-equiv="Content-Type" content="text/html; charset=windows-1251">` + "\xEF", 20127,
			`<META http-equiv="Content-Type" content="text/html; charset=windows-1251">п`},
		{"UTF-8 said to be western", mapi.TypeBinary, "ü", 1252, "ü"},
		{"both say western", mapi.TypeBinary, "<meta charset=windows-1252>ü", 1252, "<meta charset=windows-1252>Ã¼"},
		{"UTF-8 said to be cyrillic", mapi.TypeBinary, "привет", 1251, "привет"},
		{"two bytes of chinese", mapi.TypeBinary, "\xC1\xAA\xCD\xA8", 936, "联通"},
		{"said to be UTF-8", mapi.TypeBinary, "ü", 65001, "ü"},
		{"western said to be UTF-8", mapi.TypeBinary, "\xFC\xE4", 65001, "üä"},
		{"declared, said to be UTF-8", mapi.TypeBinary, "<meta charset=windows-1251>\xEF", 65001, "<meta charset=windows-1251>п"},
		{"UTF-8 with a flaw", mapi.TypeBinary, "üüüüüü\xFF", 65001, "üüüüüü\uFFFD"},
		{"UTF-16 that is none", mapi.TypeBinary, "<p>", 1200, "<p>"},
		{"UTF-16 without a mark", mapi.TypeBinary, "a\x00", 1200, "a"},
		{"big endian with a mark", mapi.TypeBinary, "\xFE\xFF\x00a", 0, "a"},
		{"iso-2022-jp", mapi.TypeBinary, "\x1B$B$\"\x1B(B", 50220, "あ"},
		{"a string", mapi.TypeText, "\xFC\x00\x00\x00", 1251, "ü"},
		{"an 8-bit string", mapi.TypeString8, "\xEF\x00", 1251, "п"},
		{"nothing known", mapi.TypeBinary, "\x80", 0, "€"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := &mapi.Message{Properties: mapi.Bag{prop(mapi.PidTagHTML, c.typ, c.data)}}
			if c.given != 0 {
				m.Properties = append(m.Properties, mapi.NewInt32(mapi.PidTagInternetCodepage, c.given))
			}
			if got := m.HTML(); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// zeros is a huge value nobody holds.
type zeros struct{ read *int64 }

func (z zeros) ReadAt(b []byte, off int64) (int, error) {
	*z.read += int64(len(b))
	clear(b)
	return len(b), nil
}

func TestHugeBodyIsBounded(t *testing.T) {
	t.Parallel()
	for _, id := range []uint16{mapi.PidTagHTML, mapi.PidTagRtfCompressed} {
		var read int64
		large := mapi.Property{Tag: mapi.MakeTag(id, mapi.TypeBinary), Size: 1 << 40, Large: io.NewSectionReader(zeros{&read}, 0, 1<<40)}
		m := &mapi.Message{Properties: mapi.Bag{large}}
		if id == mapi.PidTagRtfCompressed {
			_ = m.RTF()
		} else {
			_ = m.HTML()
		}
		if read > mapi.MaxBody {
			t.Errorf("%04X: %d bytes read", id, read)
		}
	}
}

// TestHostilePagesAreQuick feeds HTML that makes bad parsers slow.
func TestHostilePagesAreQuick(t *testing.T) {
	t.Parallel()
	const n = 1 << 18
	for name, piece := range map[string]string{"open": "<", "tags": "<b>", "comments": "<!--", "scripts": "<script>", "attributes": "<a b='", "amps": "&", "entities": "&#", "ends": "</", "pre": "<pre>", "blanks": " ", "question": "<?"} {
		start := time.Now()
		_ = mapi.HTMLText(strings.Repeat(piece, n/len(piece)))
		_ = mapi.HTMLText("<p " + strings.Repeat(piece, n/len(piece)))
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("%s: %v for 512 KiB", name, took)
		}
	}
}

func FuzzBody(f *testing.F) {
	f.Add([]byte("<meta charset=koi8-r>\xC0"), rtf.Compress([]byte(richHTML)), int32(1252))
	f.Add([]byte("\xFE\xFF\x00a"), rtf.Compress([]byte(richOnly)), int32(50220))
	f.Fuzz(func(t *testing.T, page, rich []byte, codePage int32) {
		cp := mapi.NewInt32(mapi.PidTagInternetCodepage, codePage)
		for _, p := range []mapi.Property{mapi.NewBinary(mapi.PidTagHTML, page), mapi.NewBinary(mapi.PidTagRtfCompressed, rich)} {
			m := &mapi.Message{Properties: mapi.Bag{cp, p}}
			if text, page := m.BodyText(), m.HTML(); !utf8.ValidString(text) || !utf8.ValidString(page) {
				t.Fatalf("not UTF-8: %q %q", text, page)
			}
		}
	})
}
