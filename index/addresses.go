package index

import (
	"strings"
	"unicode"

	"mailbrick/fetch/mapi"
	"mailbrick/index/kql"
)

// atoms gives the terms of an address that are compared whole: the address, its local part, its domain and the domains
// above it, the parts of the name that hold marks (O'Neil, Smith-Jones). Those without marks are words already.
func atoms(a mapi.Address) []string {
	list := addressAtoms(nil, trimAtom(a.Email))
	for _, part := range strings.Fields(a.Name) {
		list = addressAtoms(list, trimAtom(part))
	}
	return list
}

func addressAtoms(list []string, s string) []string {
	list = appendAtom(list, s)
	i := strings.LastIndexByte(s, '@')
	if i < 0 {
		return list
	}
	list = appendAtom(list, trimAtom(s[:i]))
	for domain := trimAtom(s[i+1:]); domain != ""; {
		list = appendAtom(list, domain)
		_, above, _ := strings.Cut(domain, ".")
		domain = above
	}
	return list
}

func appendAtom(list []string, s string) []string {
	if s == "" || !isCompound(s) {
		return list
	}
	return append(list, string(clip([]byte(s))))
}

// trimAtom folds a string as words are and takes off what is around it: brackets, quotes, commas, a leading @.
func trimAtom(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case isIgnorable(r):
			return -1
		case r == '’' || r == '‘' || r == 'ʼ':
			return '\''
		}
		return fold(r)
	}, prepare(s))
	return strings.TrimFunc(s, func(r rune) bool { return !kql.IsWord(r) })
}

// isCompound tells whether there is a mark between the letters.
func isCompound(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return !kql.IsWord(r) })
}

// queryAtom gives the atom that a value asks for; ok is false when it asks for words.
func queryAtom(value string, prefix bool) (atom string, ok bool) {
	if strings.ContainsFunc(strings.TrimSpace(value), unicode.IsSpace) {
		return "", false
	}
	atom = trimAtom(value)
	if prefix && strings.HasSuffix(value, ".") && atom != "" {
		atom += "."
	}
	return string(clip([]byte(atom))), isCompound(atom)
}
