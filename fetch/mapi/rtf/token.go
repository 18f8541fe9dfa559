package rtf

import "bytes"

// tokenKind says what a token is.
type tokenKind uint8

const (
	end        tokenKind = iota
	groupOpen            // {
	groupClose           // }
	word                 // \name with or without a number
	symbol               // \ and one character that is no letter
	hexByte              // \'hh
	text                 // bytes that stand for themselves, without line ends
	binData              // \binN and its bytes
)

// token is a piece of RTF; name and bytes are parts of the input.
type token struct {
	kind  tokenKind
	bytes []byte // name of a word, bytes of text
	char  byte   // of a symbol or hexByte
	has   bool   // the word has a number
	num   int32
}

// on is what a switch like \b or \b0 says.
func (t *token) on() bool { return !t.has || t.num != 0 }

// scanner cuts RTF into tokens.
type scanner struct {
	in []byte
	at int
}

func (s *scanner) next() token {
	for s.at < len(s.in) {
		switch c := s.in[s.at]; c {
		case '{':
			s.at++
			return token{kind: groupOpen}
		case '}':
			s.at++
			return token{kind: groupClose}
		case '\\':
			if t := s.control(); t.kind != end {
				return t
			}
		case '\r', '\n', 0:
			s.at++
		default:
			return s.text()
		}
	}
	return token{kind: end}
}

func (s *scanner) text() token {
	from := s.at
	for s.at < len(s.in) {
		switch s.in[s.at] {
		case '{', '}', '\\', '\r', '\n', 0:
			return token{kind: text, bytes: s.in[from:s.at]}
		}
		s.at++
	}
	return token{kind: text, bytes: s.in[from:]}
}

// control reads what follows a backslash; of kind end when that was nothing.
func (s *scanner) control() token {
	s.at++
	if s.at >= len(s.in) {
		return token{}
	}
	c := s.in[s.at]
	switch {
	case letter(c):
		return s.word()
	case c == '\'':
		s.at++
		return s.hex()
	case c == '\r' && s.at+1 < len(s.in) && s.in[s.at+1] == '\n':
		s.at++
		c = '\n'
	}
	s.at++
	return token{kind: symbol, char: c}
}

func (s *scanner) hex() token {
	if s.at+1 < len(s.in) {
		hi, lo := digit(s.in[s.at]), digit(s.in[s.at+1])
		if hi < 16 && lo < 16 {
			s.at += 2
			return token{kind: hexByte, char: hi<<4 | lo}
		}
	}
	return token{}
}

func (s *scanner) word() token {
	from := s.at
	for s.at < len(s.in) && letter(s.in[s.at]) {
		s.at++
	}
	t := token{kind: word, bytes: s.in[from:s.at]}
	t.num, t.has = s.number()
	if s.at < len(s.in) && s.in[s.at] == ' ' { // one blank belongs to the word
		s.at++
	}
	if t.has && t.num > 0 && bytes.Equal(t.bytes, []byte("bin")) {
		s.at += min(int(t.num), len(s.in)-s.at)
		t.kind = binData
	}
	return t
}

// number reads a number, one that is too large as the largest.
func (s *scanner) number() (int32, bool) {
	at := s.at
	minus := at < len(s.in) && s.in[at] == '-'
	if minus {
		at++
	}
	from, n := at, int64(0)
	for ; at < len(s.in) && s.in[at]-'0' <= 9; at++ {
		n = min(n*10+int64(s.in[at]-'0'), 1<<31-1)
	}
	if at == from {
		return 0, false
	}
	s.at = at
	if minus {
		n = -n
	}
	return int32(n), true
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func digit(c byte) byte {
	switch {
	case c-'0' <= 9:
		return c - '0'
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 255
}
