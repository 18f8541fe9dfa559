package mapi

import (
	"bytes"
	"regexp"
	"unicode/utf8"
)

// decodeHTML reads the bytes of a page whose code page is said to be given, 0 where none is.
func decodeHTML(data []byte, given int) string {
	return DecodeCodePage(htmlCodePage(data, given), trimBOM(data))
}

func trimBOM(data []byte) []byte {
	for _, bom := range []string{"\xEF\xBB\xBF", "\xFF\xFE", "\xFE\xFF"} {
		if bytes.HasPrefix(data, []byte(bom)) {
			return data[len(bom):]
		}
	}
	return data
}

// htmlCodePage finds the code page of HTML bytes: a byte order mark wins, then
// UTF-8 that can hardly be anything else, then the one given, then what the
// document says of itself.
func htmlCodePage(data []byte, given int) int {
	switch {
	case bytes.HasPrefix(data, []byte("\xEF\xBB\xBF")):
		return 65001
	case bytes.HasPrefix(data, []byte("\xFF\xFE")):
		return 1200
	case bytes.HasPrefix(data, []byte("\xFE\xFF")):
		return 1201
	case (given == 1200 || given == 1201) && bytes.IndexByte(data, 0) >= 0:
		return given
	}
	if given == 1200 || given == 1201 || CharsetOf(given) == "" {
		given = 0 // a page without NULs is not UTF-16, whatever was said of it
	}
	declared := CodePageOf(MetaCharset(data))
	if declared == 1200 || declared == 1201 {
		declared = 0 // or the declaration could not be read
	}
	return weigh(data, given, declared)
}

// weigh chooses between what was said and what the bytes look like.
func weigh(data []byte, given, declared int) int {
	good, bad := runesOfUTF8(data)
	said := given
	if said == 0 || said == 20127 && good+bad > 0 { // what is not ASCII was not meant to say so
		said = declared
	}
	switch {
	case good+bad == 0 && said != 0: // ASCII, or the escapes of ISO-2022
		return said
	case bad == 0 && good >= needed(said, declared):
		return 65001
	case said == 65001 && declared != 0 && declared != 20127 && declared != 65001:
		return declared
	case said != 0 && said != 20127 && said != 65001:
		return said
	case good > 4*bad: // UTF-8 with a flaw
		return 65001
	}
	return 1252
}

// needed is how many characters of UTF-8 outweigh what was said: one where they
// would be accents in a row, more where the code page has such pairs of bytes.
func needed(said, declared int) int {
	switch {
	case said == 0 || said == 20127 || said == 65001 || declared == 65001:
		return 0
	case said != declared && (said == 1252 || said == 28591 || said == 28605):
		return 1
	}
	return 3
}

// runesOfUTF8 counts the characters of two bytes and more, and the bytes that belong to none.
func runesOfUTF8(data []byte) (good, bad int) {
	for len(data) > 0 {
		if data[0] < utf8.RuneSelf {
			data = data[1:]
			continue
		}
		r, n := utf8.DecodeRune(data)
		if r == utf8.RuneError && n == 1 {
			bad++
		} else {
			good++
		}
		data = data[n:]
	}
	return good, bad
}

var metaCharset = regexp.MustCompile(`(?i)<meta[^>]*charset\s*=\s*["']?\s*([a-z0-9_:.-]+)`)

// MetaCharset is the charset an HTML document declares in its first KiB, "" when it does not.
func MetaCharset(data []byte) string {
	found := metaCharset.FindSubmatch(data[:min(len(data), 1024)])
	if found == nil {
		return ""
	}
	return string(found[1])
}
