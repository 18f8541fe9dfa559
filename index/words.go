package index

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"mailbrick/index/kql"
)

// maxTerm is the longest term in bytes; what is longer is cut, in texts and queries alike.
const maxTerm = 128

// gap is the distance of positions between values of a list, so that no phrase reaches over.
const gap = 100

// splitter cuts text into words and their places. The emitted bytes are valid during the call only.
type splitter struct {
	emit func(term []byte, position int)
	at   int // position of the next word
	word []byte

	units   []byte // letters of an unspaced script in a row, with their marks
	starts  []int  // where each begins in units
	unigram bool   // emit single letters too, as texts do; queries want them only when alone
}

// split cuts s by the rules of the package doc, "Words".
func (s *splitter) split(text string) {
	for _, r := range prepare(text) {
		switch {
		case r < 0x80 && (r >= 'a' && r <= 'z' || r >= '0' && r <= '9'):
			s.letter(r)
		case r < 0x80 && r >= 'A' && r <= 'Z':
			s.letter(r + 'a' - 'A')
		case r < 0x80:
			s.stop()
		case isIgnorable(r):
		case unicode.IsMark(r):
			s.mark(r)
		case kql.IsUnspaced(r):
			s.flushWord()
			s.starts = append(s.starts, len(s.units))
			s.units = utf8.AppendRune(s.units, r)
		case kql.IsWord(r):
			s.letter(fold(r))
		default:
			s.stop()
		}
	}
	s.stop()
}

func (s *splitter) letter(r rune) {
	if len(s.starts) > 0 {
		s.flushUnits()
	}
	s.word = utf8.AppendRune(s.word, r)
}

// mark goes with the letter before it; alone it is nothing.
func (s *splitter) mark(r rune) {
	switch {
	case len(s.word) > 0:
		s.word = utf8.AppendRune(s.word, r)
	case len(s.starts) > 0:
		s.units = utf8.AppendRune(s.units, r)
	}
}

func (s *splitter) stop() {
	s.flushWord()
	s.flushUnits()
}

func (s *splitter) flushWord() {
	if len(s.word) > 0 {
		s.put(s.word)
		s.at++
		s.word = s.word[:0]
	}
}

func (s *splitter) put(term []byte) { s.emit(clip(term), s.at) }

// flushUnits emits the pairs of neighbouring letters, each at the place of its first.
func (s *splitter) flushUnits() {
	n := len(s.starts)
	if n == 0 {
		return
	}
	for i := range n {
		if s.unigram || n == 1 {
			s.put(s.units[s.starts[i]:s.end(i+1)])
		}
		if i+1 < n {
			s.put(s.units[s.starts[i]:s.end(i+2)])
		}
		s.at++
	}
	s.units, s.starts = s.units[:0], s.starts[:0]
}

func (s *splitter) end(i int) int {
	if i < len(s.starts) {
		return s.starts[i]
	}
	return len(s.units)
}

// clip cuts a term to maxTerm at a letter.
func clip(term []byte) []byte {
	if len(term) <= maxTerm {
		return term
	}
	n := maxTerm
	for !utf8.RuneStart(term[n]) {
		n--
	}
	return term[:n]
}

// fold makes the forms of a letter one: case, final sigma, long s.
func fold(r rune) rune { return unicode.ToLower(unicode.ToUpper(r)) }

// isIgnorable tells characters inside words that nobody sees: soft hyphen, joiners, variation selectors.
func isIgnorable(r rune) bool {
	switch r {
	case 0xAD, 0x200C, 0x200D, 0x2060, 0xFEFF:
		return true
	}
	return r >= 0xFE00 && r <= 0xFE0F
}

// prepare brings text into composed form, and letters of another width or joined ones into the plain.
func prepare(s string) string {
	i := 0
	for i < len(s) && s[i] < 0x80 {
		i++
	}
	if i == len(s) {
		return s
	}
	if strings.ContainsFunc(s[i:], isPresentation) {
		var b strings.Builder
		for _, r := range s {
			if isPresentation(r) {
				b.WriteString(norm.NFKD.String(string(r)))
			} else {
				b.WriteRune(r)
			}
		}
		s = b.String()
	}
	return norm.NFC.String(s)
}

func isPresentation(r rune) bool { return r >= 0xFB00 && r <= 0xFFEF && !isIgnorable(r) }

// placed is a term of a query and where it must stand, counted from the first.
type placed struct {
	term string
	at   int
}

// queryTerms cuts the words of a query as the words of texts are cut. closed tells that the last word cannot go on:
// scripts without spaces have no ends of words, so a prefix of one is the thing itself.
func queryTerms(value string) (terms []placed, closed bool) {
	s := splitter{emit: func(term []byte, at int) { terms = append(terms, placed{string(term), at}) }}
	s.split(value)
	if len(terms) > 0 {
		r, _ := utf8.DecodeRuneInString(terms[len(terms)-1].term)
		closed = kql.IsUnspaced(r)
	}
	return terms, closed
}
