package rtf

// destination deals with the first word of a group and says whether that was all of it.
func (r *reader) destination(t *token, star bool) bool {
	switch {
	case string(t.bytes) == "fonttbl":
		r.place = fonts
		return true
	case star && r.html && string(t.bytes) == "htmltag":
		r.place, r.page = markup, r.ansi // whatever the font [MS-OXRTFEX] 2.2.3.2
		return true
	case star && !r.html && string(t.bytes) == "shpinst": // the text of a drawn box is inside
		return true
	case star, unseen(t.bytes), r.html && string(t.bytes) == "pntext":
		r.skipping = 1
		return true
	}
	return false
}

// unseen are the destinations without a \* that are no part of the text.
func unseen(name []byte) bool {
	switch string(name) {
	case "colortbl", "stylesheet", "info", "pict", "filetbl", "private", "template", "xe", "tc", "rxe", "comment",
		"ftnsep", "ftnsepc", "ftncn", "aftnsep", "aftnsepc", "aftncn", "nonesttables", "nonshppict",
		"header", "headerl", "headerr", "headerf", "footer", "footerl", "footerr", "footerf", "sp", "shprslt", "mhtmltag", "objdata", "objclass", "objname", "fldinst", "themedata", "datastore":
		return true
	}
	return false
}

func (r *reader) word(t *token) {
	if r.property(t) {
		return
	}
	if r.skip > 0 && r.character(t) {
		r.skip--
		return
	}
	switch string(t.bytes) {
	case "par", "line", "sect", "page", "column":
		r.markupOr("\r\n", "\n")
	case "tab":
		r.markupOr("\t", "\t")
	case "cell", "nestcell":
		r.markupOr("", "\t")
	case "row", "nestrow":
		r.row()
	default:
		if c := special(t.bytes); c != 0 {
			r.put(c)
		}
	}
}

// character says whether the word stands for a character, and so may stand for a \u.
func (r *reader) character(t *token) bool {
	return special(t.bytes) != 0 || string(t.bytes) == "tab"
}

// row ends a row of a table; its last cell needs no separator.
func (r *reader) row() {
	if !r.shows() {
		return
	}
	r.flush()
	if n := len(r.out); !r.html && n > 0 && r.out[n-1] == '\t' {
		r.out = r.out[:n-1]
	}
	r.markupOr("", "\n")
}

// property deals with the words that change how text is read.
func (r *reader) property(t *token) bool {
	switch string(t.bytes) {
	case "u":
		r.unicode(t.num)
	case "uc":
		r.fallbacks = min(max(t.num, 0), 1<<16)
	case "f":
		r.setFont(t.num)
	case "fcharset":
		r.describe(charsetPage(t.num, r.ansi))
	case "cpg":
		r.describe(int(t.num))
	case "plain":
		r.hidden = false
		r.setFont(r.defaultFont)
	case "htmlrtf":
		r.flush()
		r.forRTF = t.on()
	case "v":
		r.flush()
		r.hidden = t.on()
	case "deff":
		r.defaultFont, r.font = t.num, t.num
	case "ansicpg":
		r.setANSI(int(t.num))
	case "mac":
		r.setANSI(10000)
	case "pc":
		r.setANSI(437)
	case "pca":
		r.setANSI(850)
	default:
		return false
	}
	return true
}

func (r *reader) setANSI(page int) {
	r.flush()
	if page == 0 {
		page = western
	}
	r.ansi, r.page = page, page
}

// setFont chooses a font, or the one to describe in the font table.
func (r *reader) setFont(n int32) {
	r.font = n
	if r.place == fonts {
		return
	}
	page, known := r.pages[n]
	if !known {
		page = r.ansi
	}
	if page != r.page {
		r.flush()
		r.page = page
	}
}

// describe gives the font being described its code page.
func (r *reader) describe(page int) {
	if r.place == fonts && page != 0 && len(r.pages) < maxFonts {
		r.pages[r.font] = page
	}
}

func (r *reader) symbol(c byte) {
	if r.skip > 0 && c != '\n' && c != '\r' {
		r.skip--
		return
	}
	switch c {
	case '\n', '\r': // an old way to write \par
		r.markupOr("\r\n", "\n")
	case '\t':
		r.markupOr("\t", "\t")
	case '~':
		r.markupOr("&nbsp;", "\u00A0")
	case '_': // [MS-OXRTFEX] 2.1.3.1.4.2
		r.markupOr("&shy;", "\u2011")
	case '{', '}', '\\':
		r.text([]byte{c})
	}
}
