// Package rtf reads the rich text bodies of Outlook: PidTagRtfCompressed
// [MS-OXRTFCP], the HTML and plain text that Exchange and Outlook hide in RTF
// [MS-OXRTFEX], and the words of RTF that is nothing but RTF.
//
// It owns the compression, the tokens and the de-encapsulation. It must never
// know messages or properties: bytes go in, bytes or text come out.
//
// # Compressed RTF
//
// Little endian [MS-OXRTFCP] 2.1.3.1.1:
//
//	0   4  COMPSIZE  bytes after this field
//	4   4  RAWSIZE   bytes of the RTF
//	8   4  COMPTYPE  0x75465A4C "LZFu", or 0x414C454D "MELA": stored
//	12  4  CRC       of all bytes after the header: CRC-32 of polynomial
//	                 0xEDB88320, begun with 0 and not inverted; 0 where stored
//	16     contents
//
// LZFu contents are groups of a control byte and eight tokens, lowest bit
// first. A 0 is a literal byte; a 1 is a big-endian u16: offset<<4 | length-2,
// where offset is a place in a dictionary of the last 4096 bytes, begun with
// 207 bytes of common RTF. A reference to the write position ends the text.
//
// Limits: MaxSize bytes of RTF, whatever RAWSIZE says; nothing is allocated for
// more than the contents could hold (LZFu cannot give more than 8.5 times its
// size). Damage costs what follows it: Decompress gives what came before.
//
// # RTF
//
// The tokens are read one after another and never kept. Groups nest to 512;
// what is nested deeper is skipped. What is written is at most MaxSize bytes.
// Nothing in RTF is an error but in Decompress: words that are not known, groups
// that never end and bytes that are no text cost themselves.
//
//	{\*\htmltag64 <p>}        markup, word for word [MS-OXRTFEX] 2.1.3.1.4
//	\htmlrtf ... \htmlrtf0    for readers of RTF alone: dropped
//	{\*\mhtmltag ...}         markup with other addresses: dropped
//	other text                content: <, > and & become entities
//
// Characters are \'hh in the code page of their font, or of the document where
// the font names none and in markup [MS-OXRTFEX] 2.2.3.2; \uN and \uN\uM pairs,
// which skip \uc characters of their replacement.
package rtf
