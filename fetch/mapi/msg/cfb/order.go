package cfb

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
)

// foldName is a name in the form in which names are compared: UTF-16 units in
// upper case, one by one [MS-CFB] 2.6.4. Two bytes a unit, high byte first, so
// that comparing strings compares units.
func foldName(name string) string {
	if folded, ok := foldASCII(name); ok {
		return folded
	}
	units := utf16.Encode([]rune(name))
	b := make([]byte, 0, 2*len(units))
	for _, u := range units {
		if up := unicode.ToUpper(rune(u)); up <= 0xFFFF {
			u = uint16(up)
		}
		b = append(b, byte(u>>8), byte(u))
	}
	return string(b)
}

func foldASCII(name string) (string, bool) {
	b := make([]byte, 2*len(name))
	for i := range len(name) {
		c := name[i]
		if c >= 0x80 {
			return "", false
		}
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		b[2*i+1] = c
	}
	return string(b), true
}

// compareFolded orders the children of a storage: the shorter first.
func compareFolded(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

// ascending says whether the children are in order, no two of one name.
func ascending(children []*Entry) bool {
	last := ""
	for _, e := range children {
		key := foldName(e.Name)
		if compareFolded(last, key) >= 0 {
			return false
		}
		last = key
	}
	return true
}

// sorted is the children of a storage in order, and whether no two have one name.
func sorted(children []*Entry) ([]*Entry, bool) {
	type keyed struct {
		key   string
		entry *Entry
	}
	list := make([]keyed, len(children))
	for i, e := range children {
		list[i] = keyed{foldName(e.Name), e}
	}
	slices.SortStableFunc(list, func(a, b keyed) int { return compareFolded(a.key, b.key) })
	entries := make([]*Entry, len(list))
	for i := range list {
		if i > 0 && list[i].key == list[i-1].key {
			return nil, false
		}
		entries[i] = list[i].entry
	}
	return entries, true
}
