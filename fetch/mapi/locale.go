package mapi

// localeCodePage is the ANSI code page of a Windows locale [MS-LCID] 2.2: of its
// primary language (the low ten bits), but where the script goes by the country.
// 1252 for all others.
func localeCodePage(lcid uint32) int {
	switch lcid & 0xFFFF {
	case 0x0404, 0x0C04, 0x1404: // Chinese of Taiwan, Hong Kong, Macao
		return 950
	case 0x0C1A, 0x1C1A, 0x201A, 0x281A, 0x301A, 0x082C, 0x0843: // Serbian, Bosnian, Azerbaijani, Uzbek in Cyrillic
		return 1251
	}
	switch lcid & 0x3FF {
	case 0x05, 0x0E, 0x15, 0x18, 0x1A, 0x1B, 0x1C, 0x24: // Czech, Hungarian, Polish, Romanian, Croatian, Slovak, Albanian, Slovenian
		return 1250
	case 0x02, 0x19, 0x22, 0x23, 0x2F, 0x3F, 0x40, 0x44, 0x50: // Bulgarian, Russian, Ukrainian, Belarusian, Macedonian, Kazakh, Kyrgyz, Tatar, Mongolian
		return 1251
	case 0x08: // Greek
		return 1253
	case 0x1F, 0x2C, 0x43: // Turkish, Azerbaijani, Uzbek
		return 1254
	case 0x0D: // Hebrew
		return 1255
	case 0x01, 0x20, 0x29: // Arabic, Urdu, Persian
		return 1256
	case 0x25, 0x26, 0x27: // Estonian, Latvian, Lithuanian
		return 1257
	case 0x2A: // Vietnamese
		return 1258
	case 0x1E: // Thai
		return 874
	case 0x11: // Japanese
		return 932
	case 0x04: // Chinese
		return 936
	case 0x12: // Korean
		return 949
	}
	return 1252
}
