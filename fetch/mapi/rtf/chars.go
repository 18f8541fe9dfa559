package rtf

// western is the code page of documents that do not say theirs.
const western = 1252

// symbols stands for the code page of symbol fonts, as in Windows.
const symbols = 42

// charsetPage is the code page of a font's \fcharset [RTF 1.9.1], "Font Table"; 1 is the document's own.
func charsetPage(charset int32, ansi int) int {
	switch charset {
	case 0:
		return western
	case 2:
		return symbols
	case 77:
		return 10000
	case 128:
		return 932
	case 129:
		return 949
	case 134:
		return 936
	case 136:
		return 950
	case 161:
		return 1253
	case 162:
		return 1254
	case 163:
		return 1258
	case 177:
		return 1255
	case 178:
		return 1256
	case 186:
		return 1257
	case 204:
		return 1251
	case 222:
		return 874
	case 238:
		return 1250
	case 254:
		return 437
	case 255:
		return 850
	}
	return ansi
}

// symbolRune reads a byte of a symbol font, whose characters have no order that
// all fonts share: bullets are made bullets where text is wanted.
func symbolRune(c byte, plain bool) rune {
	if plain {
		switch c {
		case 0xA7, 0xA8, 0xB7, 0xD8:
			return '•'
		case 0xFC: // the check mark of Wingdings
			return '✓'
		}
	}
	return rune(c)
}

// special is the character that a word stands for, 0 when it stands for none.
func special(name []byte) rune {
	switch string(name) {
	case "lquote":
		return '‘'
	case "rquote":
		return '’'
	case "ldblquote":
		return '“'
	case "rdblquote":
		return '”'
	case "bullet":
		return '•'
	case "endash":
		return '–'
	case "emdash":
		return '—'
	case "emspace":
		return '\u2003'
	case "enspace":
		return '\u2002'
	case "qmspace":
		return '\u2005'
	case "zwj":
		return '\u200D'
	case "zwnj":
		return '\u200C'
	case "zwbo":
		return '\u200B'
	case "ltrmark":
		return '\u200E'
	case "rtlmark":
		return '\u200F'
	}
	return 0
}
