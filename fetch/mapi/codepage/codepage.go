// Package codepage knows the Windows code pages that mail is written in: their
// numbers, their MIME names, and how to read them.
//
// It must never know properties or messages; mapi and rtf stand on it.
package codepage

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
)

// pages pairs numbers with MIME names; the first name of a number is the one written.
var pages = [...]struct {
	number int
	name   string
}{
	{65001, "utf-8"}, {1252, "windows-1252"}, {28591, "iso-8859-1"}, {20127, "us-ascii"},
	{1250, "windows-1250"}, {1251, "windows-1251"}, {1253, "windows-1253"}, {1254, "windows-1254"},
	{1255, "windows-1255"}, {1256, "windows-1256"}, {1257, "windows-1257"}, {1258, "windows-1258"},
	{874, "windows-874"}, {28592, "iso-8859-2"}, {28593, "iso-8859-3"}, {28594, "iso-8859-4"},
	{28595, "iso-8859-5"}, {28596, "iso-8859-6"}, {28597, "iso-8859-7"}, {28598, "iso-8859-8"},
	{38598, "iso-8859-8-i"}, {28599, "iso-8859-9"}, {28600, "iso-8859-10"}, {28603, "iso-8859-13"},
	{28605, "iso-8859-15"}, {20866, "koi8-r"}, {21866, "koi8-u"}, {932, "shift_jis"},
	{50220, "iso-2022-jp"}, {51932, "euc-jp"}, {936, "gb2312"}, {936, "gbk"}, {54936, "gb18030"},
	{950, "big5"}, {949, "ks_c_5601-1987"}, {51949, "euc-kr"}, {866, "ibm866"}, {10000, "macintosh"},
	{1200, "utf-16le"}, {1201, "utf-16be"}, {1200, "utf-16"},
	{437, "ibm437"}, {850, "ibm850"}, {852, "ibm852"}, {855, "ibm855"}, {858, "ibm00858"}, {860, "ibm860"},
	{862, "ibm862"}, {863, "ibm863"}, {865, "ibm865"}, {10007, "x-mac-cyrillic"},
}

// Name is the MIME name of a code page, "" when it is not known.
func Name(number int) string {
	for i := range pages {
		if pages[i].number == number {
			return pages[i].name
		}
	}
	return ""
}

// Number is the code page of a MIME charset, 0 when it is not known.
func Number(name string) int {
	name = strings.ToLower(strings.TrimSpace(name))
	for i := range pages {
		if pages[i].name == name {
			return pages[i].number
		}
	}
	switch name {
	case "utf8":
		return 65001
	case "ascii":
		return 20127
	case "latin1", "latin-1":
		return 28591
	}
	return 0
}

// Decode reads b in a code page. Bytes that the code page does not know become
// U+FFFD; a code page not known is read as Windows-1252.
func Decode(number int, b []byte) string {
	if ASCII(b) && number != 1200 && number != 1201 && number != 50220 {
		return string(b)
	}
	if number == 65001 {
		return strings.ToValidUTF8(string(b), "\uFFFD")
	}
	text, err := encodingOf(number).NewDecoder().Bytes(b)
	if err != nil {
		return strings.ToValidUTF8(string(b), "\uFFFD")
	}
	return string(text)
}

// ASCII says whether b has no byte above 0x7F.
func ASCII(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func encodingOf(number int) encoding.Encoding {
	if m := dos(number); m != nil {
		return m
	}
	if e, err := htmlindex.Get(Name(number)); err == nil {
		return e
	}
	return charmap.Windows1252
}

// Decoder reads many short runs in one code page. It is not for more than one
// goroutine.
type Decoder struct {
	number int
	single *charmap.Charmap
	multi  *encoding.Decoder
}

func NewDecoder(number int) *Decoder {
	e := encodingOf(number)
	if single, ok := e.(*charmap.Charmap); ok && Name(number) != "" {
		return &Decoder{number: number, single: single}
	}
	return &Decoder{number: number, multi: e.NewDecoder()}
}

// Append adds b, read in the code page, to dst. What does not decode becomes U+FFFD.
func (d *Decoder) Append(dst, b []byte) []byte {
	switch {
	case d.number == 65001:
		return append(dst, bytes.ToValidUTF8(b, []byte("\uFFFD"))...)
	case d.single != nil:
		for _, c := range b {
			if c < utf8.RuneSelf {
				dst = append(dst, c)
			} else {
				dst = utf8.AppendRune(dst, d.single.DecodeByte(c))
			}
		}
		return dst
	}
	text, err := d.multi.Bytes(b)
	if err != nil {
		return append(dst, bytes.ToValidUTF8(b, []byte("\uFFFD"))...)
	}
	return append(dst, text...)
}

// dos are the pages that no page of the web is written in.
func dos(number int) *charmap.Charmap {
	switch number {
	case 437:
		return charmap.CodePage437
	case 850:
		return charmap.CodePage850
	case 852:
		return charmap.CodePage852
	case 855:
		return charmap.CodePage855
	case 858:
		return charmap.CodePage858
	case 860:
		return charmap.CodePage860
	case 862:
		return charmap.CodePage862
	case 863:
		return charmap.CodePage863
	case 865:
		return charmap.CodePage865
	}
	return nil
}
