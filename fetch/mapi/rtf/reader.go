package rtf

import (
	"unicode/utf8"

	"mailbrick/fetch/mapi/codepage"
)

const (
	maxDepth = 512
	maxFonts = 4096
)

// place is what text in a group is.
type place uint8

const (
	body   place = iota
	markup       // an htmltag: markup, word for word
	fonts        // the font table
)

// state is what a group inherits and gives back when it ends.
type state struct {
	place     place
	forRTF    bool  // between \htmlrtf and \htmlrtf0
	hidden    bool  // \v
	font      int32 // current font; in the font table the one described
	page      int   // code page of bytes
	fallbacks int32 // \uc: characters that stand for a \u in old readers
}

// reader turns tokens into text or HTML.
type reader struct {
	scan  scanner
	html  bool // write HTML, not text
	hides bool // \htmlrtf counts

	state
	groups   []state
	skipping int  // open groups of a destination that does not show
	fresh    bool // at the beginning of a group
	star     bool // after \*

	ansi        int // code page of the document
	defaultFont int32
	pages       map[int32]int // code pages of fonts

	run      []byte // bytes in the current code page
	skip     int32  // replacements of the last \u still to come
	high     rune   // first half of a surrogate pair
	decoders map[int]*codepage.Decoder
	out      []byte
}

func newReader(rtf []byte) *reader {
	return &reader{scan: scanner{in: rtf}, ansi: western, state: state{page: western, fallbacks: 1},
		pages: map[int32]int{}, decoders: map[int]*codepage.Decoder{}}
}

func (r *reader) read() []byte {
	for len(r.out) < MaxSize {
		t := r.scan.next()
		switch {
		case t.kind == end:
			r.flush()
			return r.out
		case t.kind == groupOpen:
			r.open()
		case t.kind == groupClose:
			r.close()
		case r.skipping > 0:
		default:
			r.visible(&t)
		}
	}
	return r.out
}

func (r *reader) open() {
	if r.skipping > 0 {
		r.skipping++
		return
	}
	r.flush()
	r.groups = append(r.groups, r.state)
	r.fresh, r.star, r.skip = true, false, 0
	if len(r.groups) > maxDepth {
		r.skipping = 1
	}
}

// close gives back what the group inherited. More ends than groups are no harm.
func (r *reader) close() {
	if r.skipping > 0 {
		if r.skipping--; r.skipping > 0 {
			return
		}
	}
	r.flush()
	r.fresh, r.star, r.skip = false, false, 0
	n := len(r.groups)
	if n == 0 {
		return
	}
	was := r.place
	r.state, r.groups = r.groups[n-1], r.groups[:n-1]
	if was == fonts && r.place != fonts {
		r.setFont(r.defaultFont)
	}
}

func (r *reader) visible(t *token) {
	fresh, star := r.fresh, r.star
	r.fresh, r.star = false, false
	switch t.kind {
	case word:
		if (fresh || star) && r.destination(t, star) {
			return
		}
		r.word(t)
	case symbol:
		if t.char == '*' {
			r.fresh, r.star = fresh, fresh
			return
		}
		r.symbol(t.char)
	case hexByte:
		if r.skip > 0 {
			r.skip--
			return
		}
		if r.shows() {
			r.run = append(r.run, t.char)
		}
	case text:
		r.text(t.bytes)
	case binData:
		r.skip = max(0, r.skip-1)
	}
}

// shows says whether text is written where the reader stands.
func (r *reader) shows() bool {
	switch {
	case r.place == fonts, r.forRTF && r.hides:
		return false
	case r.html:
		return true
	}
	return r.place == body && !r.hidden
}

func (r *reader) text(b []byte) {
	if r.skip > 0 {
		n := min(int(r.skip), len(b))
		r.skip -= int32(n)
		b = b[n:]
	}
	if len(b) == 0 || !r.shows() {
		return
	}
	r.run = append(r.run, b...)
}

// flush writes the bytes gathered in one code page.
func (r *reader) flush() {
	if len(r.run) == 0 {
		return
	}
	run := r.run
	r.run = r.run[:0]
	from := len(r.out)
	r.half()
	switch {
	case codepage.ASCII(run):
		r.out = append(r.out, run...)
	case r.page == symbols:
		for _, c := range run {
			r.out = utf8.AppendRune(r.out, symbolRune(c, !r.html))
		}
	case r.page == 65001 && !utf8.Valid(run): // seen: UTF-8 documents with \'a0 in them
		r.out = r.decoder(western).Append(r.out, run)
	default:
		r.out = r.decoder(r.page).Append(r.out, run)
	}
	r.escape(from)
}

func (r *reader) decoder(page int) *codepage.Decoder {
	if codepage.Name(page) == "" || page == 1200 || page == 1201 {
		page = western // and one decoder for all that are not known
	}
	d := r.decoders[page]
	if d == nil {
		d = codepage.NewDecoder(page)
		r.decoders[page] = d
	}
	return d
}

// put writes a character that is not in the code page.
func (r *reader) put(c rune) {
	if !r.shows() {
		return
	}
	r.flush()
	from := len(r.out)
	r.half()
	r.out = utf8.AppendRune(r.out, c)
	r.escape(from)
}

// markupOr writes page in HTML and plain in text.
func (r *reader) markupOr(page, plain string) {
	if !r.shows() {
		return
	}
	r.flush()
	r.half()
	if r.html {
		r.out = append(r.out, page...)
	} else {
		r.out = append(r.out, plain...)
	}
}

// half owns up to a first half of a pair that has no second.
func (r *reader) half() {
	if r.high != 0 {
		r.out = utf8.AppendRune(r.out, utf8.RuneError)
		r.high = 0
	}
}

// unicode is \uN [RTF 1.9.1], "Unicode RTF": a signed 16-bit number, halves of pairs one after the other.
func (r *reader) unicode(n int32) {
	r.flush()
	if n < 0 {
		n += 1 << 16
	}
	c := rune(n)
	switch {
	case c >= 0xD800 && c < 0xDC00:
		if r.shows() {
			r.half()
			r.high = c
		}
	case c >= 0xDC00 && c < 0xE000 && r.high != 0:
		c = (r.high-0xD800)<<10 + c - 0xDC00 + 0x10000
		r.high = 0
		r.put(c)
	case c >= 0xF000 && c <= 0xF0FF && !r.html: // a symbol font's own characters
		r.put(symbolRune(byte(c), true))
	case c >= 0x20 || c == '\t':
		r.put(c) // what is no character becomes U+FFFD
	}
	r.skip = max(0, r.fallbacks)
}

// escape makes HTML content of what was written since from.
func (r *reader) escape(from int) {
	if !r.html || r.place == markup {
		return
	}
	r.out = escapeFrom(r.out, from)
}
