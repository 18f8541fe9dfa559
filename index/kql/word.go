package kql

import "unicode"

// IsWord tells whether a character is part of words: letters, numbers and the marks on them. All others only part words.
// The index cuts text by the same rule, so that both sides agree on what a word is.
func IsWord(r rune) bool {
	if r < 0x80 {
		return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	}
	return unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r)
}

// IsUnspaced tells whether a letter is of a script that writes its words without spaces between them.
func IsUnspaced(r rune) bool {
	return r >= 0x0E00 && (unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao,
		unicode.Khmer, unicode.Myanmar) || r == 'ー')
}

// hasWord tells whether there is anything in s to look for.
func hasWord(s string) bool {
	return letters([]rune(s)) > 0
}

// letters counts the characters of words in s; one of an unspaced script says as much as three.
func letters(s []rune) int {
	n := 0
	for _, r := range s {
		switch {
		case IsUnspaced(r):
			n += 3
		case IsWord(r) && !unicode.IsMark(r): // a mark alone is no word
			n++
		}
	}
	return n
}

// lastWord gives the characters after the last break of s.
func lastWord(s string) []rune {
	runes := []rune(s)
	i := len(runes)
	for i > 0 && IsWord(runes[i-1]) {
		i--
	}
	return runes[i:]
}
