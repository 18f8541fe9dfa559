package mapi

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding"
)

// codePages pairs the Windows code pages that mail knows with a MIME name of
// each; the first name of a number is the one written.
var codePages = [...]struct {
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
}

// CharsetOf is the MIME name of a code page, "" when it is not known.
func CharsetOf(codePage int) string {
	for _, c := range codePages {
		if c.number == codePage {
			return c.name
		}
	}
	return ""
}

// CodePageOf is the code page of a MIME charset, 0 when it is not known.
func CodePageOf(name string) int {
	name = strings.ToLower(strings.TrimSpace(name))
	for _, c := range codePages {
		if c.name == name {
			return c.number
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

// DecodeCodePage reads b in a Windows code page. Bytes that the code page does
// not know become U+FFFD; a code page not known is read as Windows-1252.
func DecodeCodePage(codePage int, b []byte) string {
	if ascii(b) && codePage != 1200 && codePage != 1201 && codePage != 50220 {
		return string(b)
	}
	if codePage == 65001 {
		return strings.ToValidUTF8(string(b), "\uFFFD")
	}
	text, err := encodingOf(codePage).NewDecoder().Bytes(b)
	if err != nil {
		return strings.ToValidUTF8(string(b), "\uFFFD")
	}
	return string(text)
}

func encodingOf(codePage int) encoding.Encoding {
	name := CharsetOf(codePage)
	if name == "" {
		name = "windows-1252"
	}
	e, _ := charset.Lookup(name)
	if e == nil {
		e, _ = charset.Lookup("windows-1252")
	}
	return e
}

func ascii(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
