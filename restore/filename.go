package restore

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Longest names, in bytes. Windows takes 260 characters for a whole path where it was not told otherwise, and the output
// folder needs some of them.
const (
	maxFolderName = 48
	maxSubject    = 64
	maxFolderPath = 120
)

// portableName makes a text a name that every file system takes and no shell or person reads otherwise: no separators,
// control or formatting characters, none that Windows refuses, no dot or blank at an end, not longer than limit bytes.
func portableName(text string, limit int) string {
	var b strings.Builder
	b.Grow(min(len(text), 2*limit))
	blank := false
	for _, r := range text {
		if unicode.IsSpace(r) {
			blank = b.Len() > 0
			continue
		}
		if blank {
			b.WriteByte(' ')
			blank = false
		}
		b.WriteRune(portable(r))
	}
	name := strings.Trim(clipped(strings.TrimLeft(b.String(), ". "), limit), ". ")
	if reservedName(name) {
		name = "_" + name
	}
	return name
}

// portable is what stands for a character in a name.
func portable(r rune) rune {
	switch r {
	case '<', '>', ':', '"', '/', '\\', '|', '?', '*', utf8.RuneError:
		return '_'
	}
	if printable := ' ' <= r && r <= '~'; !printable && unicode.Is(unicode.C, r) {
		return '_'
	}
	return r
}

// clipped cuts at the start of a character.
func clipped(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}

// reservedName says whether Windows takes a name for a device, whatever follows its first dot.
func reservedName(name string) bool {
	stem, _, _ := strings.Cut(name, ".")
	stem = strings.ToUpper(strings.TrimRight(stem, " "))
	switch stem {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$":
		return true
	}
	for _, device := range []string{"COM", "LPT"} {
		if port, ok := strings.CutPrefix(stem, device); ok && utf8.RuneCountInString(port) == 1 {
			return strings.ContainsAny(port, "0123456789¹²³")
		}
	}
	return false
}

// folderName is the name of a folder on disk. One that had to be changed has a mark of the true name, so that two folders
// never become one.
func folderName(name string) string {
	portable := portableName(name, maxFolderName)
	if portable == name && name != "" {
		return name
	}
	return strings.TrimLeft(portable+" ~"+mark(name), " ")
}

// mark is a short digest of a name.
func mark(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:4])
}

// folderPath is where on disk the items of a folder go, separated by slashes. A path that is too long keeps its first and
// last name, and a mark stands for what is between.
func folderPath(names []string) string {
	portable := make([]string, len(names))
	for i, name := range names {
		portable[i] = folderName(name)
	}
	path := strings.Join(portable, "/")
	if len(path) <= maxFolderPath || len(names) < 3 {
		return path
	}
	between := "~" + mark(strings.Join(names, "\x00"))
	return strings.Join([]string{portable[0], between, portable[len(portable)-1]}, "/")
}

// shortID is how much of an item's id stands in a file name: 50 bits.
const shortID = 10

// fileName is the name of an item's file without its extension: when, what, which. With exact the id stands whole, with
// the snapshot that the version is of.
func fileName(item *Item, id string) string {
	name := make([]byte, 0, 128)
	if d := item.date(); !d.IsZero() && d.Year() > 0 && d.Year() < 10000 {
		name = d.AppendFormat(name, "2006-01-02 150405")
	} else {
		name = append(name, "undated"...)
	}
	if subject := portableName(item.Summary.Subject, maxSubject); subject != "" {
		name = append(append(name, ' '), subject...)
	}
	return string(append(append(name, ' '), id...))
}
