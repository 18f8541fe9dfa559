package rtf

import "errors"

// Kind says what an RTF body was made of.
type Kind uint8

const (
	Native Kind = iota // RTF and nothing else
	OfText             // plain text in RTF: \fromtext
	OfHTML             // HTML in RTF: \fromhtml1
)

func (k Kind) String() string {
	switch k {
	case OfText:
		return "text"
	case OfHTML:
		return "html"
	}
	return "native"
}

// ErrNotHTML is RTF that was not made of HTML.
var ErrNotHTML = errors.New("rtf holds no html")

// headTokens is how far the mark of an encapsulation is looked for. It stands
// before the font table; ten tokens are asked for [MS-OXRTFEX] 2.2.3.1, some
// writers need more.
const headTokens = 32

// KindOf looks for the mark of an encapsulation in the head of the document.
func KindOf(rtf []byte) Kind {
	s := scanner{in: rtf}
	for range headTokens {
		t := s.next()
		switch {
		case t.kind == end || t.kind == text || t.kind == hexByte || t.kind == groupClose:
			return Native
		case t.kind != word:
		case string(t.bytes) == "fromhtml" && t.on():
			return OfHTML
		case string(t.bytes) == "fromtext" && t.on():
			return OfText
		case string(t.bytes) == "fonttbl":
			return Native
		}
	}
	return Native
}

// HTML is the page that an RTF body was made of, in UTF-8 whatever it says of
// itself, with CRLF line ends. RTF of another kind is ErrNotHTML.
func HTML(rtf []byte) (string, error) {
	if KindOf(rtf) != OfHTML {
		return "", ErrNotHTML
	}
	r := newReader(rtf)
	r.html, r.hides = true, true
	return string(r.read()), nil
}

// Text is the plain text of RTF of any kind, with LF line ends: what a reader
// that knows nothing of encapsulation would show.
func Text(rtf []byte) string {
	r := newReader(rtf)
	r.hides = KindOf(rtf) == OfText
	return string(r.read())
}
